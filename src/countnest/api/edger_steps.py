"""The steps of edgeR's analysis as functions with edgeR's names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.edger_inputs import NAME, EdgeRDispersions, given_dispersion, prepared
from countnest.api.inputs import not_negative
from countnest.arrays import FloatArray, IntArray, as_float
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import DesignError, MissingStepError, OptionError, listing
from countnest.methods.chunks import expand
from countnest.methods.edger.analysis import analyse, dispersions_of
from countnest.methods.edger.fit import WORST
from countnest.methods.edger.model import EdgeRInput, EdgeROptions
from countnest.options import check_flags, check_option
from countnest.signature import checked_arguments
from countnest.stats.edger.classic import classic_dispersions
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.dispersion import Dispersions
from countnest.stats.edger.exact import exact_test as exact
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.edger.treat import TreatNull
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg
from countnest.stats.norm.abundance import DISPERSION, ave_log_cpm
from countnest.stats.norm.tmm import FactorMethod

__all__ = [
    "estimate_disp",
    "exact_test",
    "glm_lrt",
    "glm_ql_ftest",
    "glm_treat",
    "pred_fc",
]


@checked_arguments
def estimate_disp(
    dds: CountDataSet,
    *,
    trend: bool = True,
    robust: bool = False,
    classic: bool = False,
    norm_factors: FactorMethod | Any = "TMM",  # noqa: ANN401
    compat: Compat | None = None,
) -> EdgeRDispersions:
    """Return the common, trended and tagwise dispersions of the genes of a data set, as edgeR estimates them.

    Parameters
    ----------
    dds
        A data set, of genes with counts enough: ``dds[cn.filter_by_expr(dds)]``.
    trend
        Whether the prior of a gene follows its abundance; otherwise it is the common dispersion.
    classic
        Use the likelihood given the sums of groups, in a design of nothing but groups: what edgeR does without a
        design, for `exact_test`. Its prior follows the abundance.
    robust, norm_factors, compat
        As of `edger`.

    Notes
    -----
    R counterpart: edgeR::estimateDisp with a design, and without one if `classic`.
    """
    require_data_set(dds, "estimate_disp")
    check_flags(trend=trend, robust=robust, classic=classic)
    given, library = prepared(dds, False, norm_factors, compat, 0.125)
    columns = Columns.of(dds._design.matrix)
    if classic:
        found = _classic(dds, given, columns, library, robust=robust)
    else:
        options = EdgeROptions(trend=trend, robust=robust)
        found = dispersions_of(dds._data.matrix, given, columns, library, options, dds._engine_aside())
    prior_df = np.broadcast_to(np.asarray(found.prior_df, dtype=np.float64), found.tagwise.shape)
    values = {"logCPM": found.abundance, "trended": found.trended, "tagwise": found.tagwise, "prior_df": prior_df}
    genes = dds._data.genes
    table = pd.DataFrame({name: expand(given.kept, as_float(each)) for name, each in values.items()}, index=genes)
    return EdgeRDispersions(found.common, table, found.span, compat, found, genes[given.kept])


@checked_arguments
def glm_lrt(
    dds: CountDataSet,
    coef: Any = None,  # noqa: ANN401 (names, places)
    contrast: Any = None,  # noqa: ANN401 (see CountDataSet.contrast)
    *,
    fit: str = NAME,
    alpha: float = 0.05,
) -> Results | ResultsSet:
    """Return likelihood ratio tests of coefficients or a contrast.

    Parameters
    ----------
    dds
        A data set that `glm_fit` or `edger(test="lrt")` fitted.
    coef
        The name or place of a coefficient, or several, which are tested together; by default the last.
    contrast
        What `CountDataSet.contrast` takes; it takes precedence over `coef`.
    fit
        The name of the fit.
    alpha
        The false discovery rate of the summary.

    Notes
    -----
    R counterpart: edgeR::glmLRT.
    """
    return _tested(dds, coef, contrast, fit, "lrt", alpha=alpha)


@checked_arguments
def glm_ql_ftest(
    dds: CountDataSet,
    coef: Any = None,  # noqa: ANN401
    contrast: Any = None,  # noqa: ANN401
    *,
    fit: str = NAME,
    alpha: float = 0.05,
) -> Results | ResultsSet:
    """Return quasi-likelihood F tests of coefficients or a contrast, after `glm_ql_fit`; parameters as of `glm_lrt`.

    Notes
    -----
    R counterpart: edgeR::glmQLFTest.
    """
    return _tested(dds, coef, contrast, fit, "ql", alpha=alpha)


@checked_arguments
def glm_treat(
    dds: CountDataSet,
    coef: Any = None,  # noqa: ANN401
    contrast: Any = None,  # noqa: ANN401
    *,
    lfc: float = float(np.log2(1.2)),
    null: TreatNull = "interval",
    fit: str = NAME,
    alpha: float = 0.05,
) -> Results | ResultsSet:
    """Return tests of whether a fold change exceeds a threshold, of the kind that the fit was made for.

    Parameters
    ----------
    dds, coef, contrast, fit, alpha
        As of `glm_lrt`; one coefficient.
    lfc
        The threshold, log2; by default 1.2-fold.
    null
        "interval": averaged over the fold changes within the threshold; "worst.case": the end of it that fits best.

    Notes
    -----
    R counterpart: edgeR::glmTreat.
    """
    check_option("null", null, TreatNull)
    not_negative("lfc", lfc)
    require_data_set(dds, "a test by edgeR's method")
    _check_fit(dds, fit, next(iter(dds._fit(fit).kinds)) if fit in dds.fits else "ql")
    kind = next(iter(dds._fit(fit).kinds))
    word = kind + WORST if null == "worst.case" else kind
    return _tested(dds, coef, contrast, fit, word, alpha=alpha, lfc_threshold=lfc)


@checked_arguments
def pred_fc(
    dds: CountDataSet,
    dispersion: Any = None,  # noqa: ANN401
    *,
    prior_count: float = 0.125,
    norm_factors: FactorMethod | Any = "TMM",  # noqa: ANN401
    compat: Compat | None = None,
) -> pd.DataFrame:
    """Return log2 coefficients of every gene, genes x coefficients, shrunken by a prior count; NaN without counts.

    Parameters
    ----------
    dds, dispersion
        As of `glm_fit`.
    prior_count
        Added to the counts of a sample of average library size; the larger, the closer to zero are fold changes.
    norm_factors, compat
        As of `edger`.

    Notes
    -----
    R counterpart: edgeR::predFC, which leaves observation weights out; here they are used.
    """
    require_data_set(dds, "pred_fc")
    given, library = prepared(dds, False, norm_factors, compat, prior_count, estimates=dispersion is None)
    numbers, estimated = given_dispersion(dispersion, dds, given)
    options = EdgeROptions(test="lrt", legacy=False, dispersion=numbers)
    columns = Columns.of(dds._design.matrix)
    stored = analyse(dds._data.matrix, given, columns, library, options, dds._engine_aside(), estimated)
    assert stored.ratio is not None
    return pd.DataFrame(stored.ratio.shrunken / np.log(2.0), dds._data.genes, list(dds._design.names))


@checked_arguments
def exact_test(
    dds: CountDataSet,
    variable: str | None = None,
    pair: Any = None,  # noqa: ANN401 (two levels)
    dispersion: Any = None,  # noqa: ANN401
    *,
    prior_count: float = 0.125,
    norm_factors: FactorMethod | Any = "TMM",  # noqa: ANN401
    compat: Compat | None = None,
) -> pd.DataFrame:
    """Return exact tests of two groups of samples, for studies with nothing but groups.

    Parameters
    ----------
    dds, norm_factors, compat
        As of `glm_fit`.
    variable
        The factor of the sample sheet that has the groups; by default the one of the design.
    pair
        Two of its levels, the second of which is compared with the first; by default the first two.
    dispersion
        A number, one for each gene, or what `estimate_disp` returned, of which tagwise ones are used; by default
        estimated in the design of the data set.
    prior_count
        Added to the counts for the fold changes.

    Returns
    -------
    pandas.DataFrame
        By gene: `log2FoldChange`, `logCPM`, `pvalue`, and `padj` by Benjamini and Hochberg.

    Notes
    -----
    R counterpart: edgeR::exactTest. Other rejection regions than its default, "doubletail", are not offered.
    """
    require_data_set(dds, "exact_test")
    given, library = prepared(dds, False, norm_factors, compat, prior_count, estimates=dispersion is None)
    first, second = _groups(dds, variable, pair)
    numbers, estimated = given_dispersion(dispersion, dds, given)
    kept, counts = given.kept, dds._data.counts[given.kept]
    if numbers is None:
        columns = Columns.of(dds._design.matrix)
        estimated = estimated or dispersions_of(
            dds._data.matrix, given, columns, library, EdgeROptions(), dds._engine_aside()
        )
    of_gene = estimated.tagwise if estimated is not None else as_float(np.asarray(numbers)[kept])
    parts = (counts[:, first], counts[:, second]), (library[first], library[second])
    found = exact(*parts, of_gene, float(prior_count))
    common = DISPERSION if estimated is None else estimated.common
    values = {
        "log2FoldChange": found.lfc,
        "logCPM": ave_log_cpm(counts, library, common),
        "pvalue": found.p_value,
        "padj": benjamini_hochberg(found.p_value),
    }
    return pd.DataFrame({name: expand(kept, each) for name, each in values.items()}, index=dds._data.genes)


def _classic(
    dds: CountDataSet, given: EdgeRInput, columns: Columns, library: FloatArray, *, robust: bool
) -> Dispersions:
    """Return the dispersions of groups of samples."""
    if not columns.is_one_way or given.weights is not None or len(given.factors) > 1:
        raise OptionError(
            "classic=True needs a design of nothing but groups, such as '~ group', and counts without observation "
            "weights and normalization factors by gene; leave it out."
        )
    rows = columns.rows[:, np.newaxis]
    groups = [np.asarray(each) for each in (columns.matrix == rows).all(axis=2)]
    counts = dds._data.counts[given.kept]
    return classic_dispersions(counts, library, groups, robust=robust, level=compat_level(given.compat))


def _groups(dds: CountDataSet, variable: str | None, pair: Any) -> tuple[IntArray, IntArray]:  # noqa: ANN401
    """Return the samples, as places, of the two groups."""
    design = dds._design
    if variable is None:
        if not design.levels:
            raise DesignError("the design has no factor, so that there are no groups to compare.")
        if len(design.levels) != 1:
            raise OptionError(f"variable= must name the factor that has the groups: {listing(design.levels, 20)}.")
        variable = next(iter(design.levels))
    check_option("variable", variable, list(design.levels))
    levels = list(design.levels[variable])
    chosen = levels[:2] if pair is None else list(pair)
    if len(chosen) != 2 or chosen[0] == chosen[1] or not set(chosen) <= set(levels):
        raise OptionError(f"pair={pair!r} must be two different levels of '{variable}': {listing(levels, 20)}.")
    values = dds._data.sheet[variable].astype(str).to_numpy()
    first, second = (np.flatnonzero(values == str(level)).astype(np.int64) for level in chosen)
    return first, second


def _tested(
    dds: CountDataSet,
    coef: Any,  # noqa: ANN401
    contrast: Any,  # noqa: ANN401
    fit: str,
    kind: str,
    **options: Any,  # noqa: ANN401
) -> Results | ResultsSet:
    """Return the tests of coefficients or of a contrast by a fit of edgeR's method."""
    require_data_set(dds, "a test by edgeR's method")
    _check_fit(dds, fit, kind)
    query = dds.contrast(_coefficients(dds, coef) if contrast is None else contrast)
    together = contrast is None and len(query) > 1
    return (query.joint() if together else query).test(kind, fit=fit, **options)


def _check_fit(dds: CountDataSet, fit: str, kind: str) -> None:
    """Raise where the data set has no fit by edgeR's method for tests of this kind."""
    test = kind.removesuffix(WORST)
    function = "cn.glm_ql_fit(dds)" if test == "ql" else "cn.glm_fit(dds)"
    if "edgeR" not in dds.fits.values():
        raise MissingStepError(f"there is no fit by edgeR's method yet: call {function}, or cn.edger(dds).")
    check_option("fit", fit, [name for name, method in dds.fits.items() if method == "edgeR"])
    offered = [word for word in dds._fit(fit).kinds if not word.endswith(WORST)]
    if test not in offered:
        raise OptionError(f"the fit {fit!r} offers the test {listing(offered)}, not {test!r}: call {function} first.")


def _coefficients(dds: CountDataSet, coef: Any) -> dict[str, FloatArray]:  # noqa: ANN401
    """Return the contrasts (p,) of one or several coefficients by their names; None: the last."""
    names = list(dds._design.names)
    several = isinstance(coef, (list, tuple, np.ndarray))
    places = []
    for each in coef if several else [coef]:
        if each is None:
            places.append(len(names) - 1)
        elif isinstance(each, str) and each in names:
            places.append(names.index(each))
        elif isinstance(each, (int, np.integer)) and not isinstance(each, bool) and -len(names) <= each < len(names):
            places.append(int(each))
        else:
            known = listing(names, 20)
            raise OptionError(f"coef={each!r} is no coefficient; give a name, or a place from 0 on: {known}.")
    if not places:
        raise OptionError("coef= names no coefficient; give one or more.")
    return {names[place]: as_float(np.eye(len(names))[place]) for place in places}
