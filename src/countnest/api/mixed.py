"""Mixed models of a data set, for designs with random terms such as ``~ treat1 * treat2 + (1 | family)``."""

from __future__ import annotations

import warnings
from typing import Any, Literal, TypeVar, cast, get_args

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import effective_of_kept, kept_genes, warn_of_unused
from countnest.api.inputs import by_label, gene_by_sample, given_numbers
from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.transformed import Transformed
from countnest.design.design import check_residual_df
from countnest.design.random.checks import check_mixed
from countnest.design.random.writing import groups_as_fixed
from countnest.errors import CountnestWarning, OptionError, counted, kind_of, listing
from countnest.methods.deseq2.analysis import with_dispersions
from countnest.methods.mixed.counts import INTEGRALS, CountDf, CountMethod, StoredCountMixed, fit_all_counts
from countnest.methods.mixed.linear import DfRule, LinearData, StoredLinearMixed
from countnest.methods.mixed.model import mixed_model
from countnest.methods.stage import Normalized
from countnest.options import check_flags, check_option
from countnest.parallel.run import Engine
from countnest.signature import checked_arguments
from countnest.stats.glm.layout import Layout
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.norm.size_factors import normalized_counts
from countnest.stats.voom.voom import SPAN, voom

__all__ = ["glmm", "lmm"]

Held = TypeVar("Held", bound=CountDataSet)
LogCounts = Literal["log2", "vst", "voom"]
CountFamily = Literal["negbin", "poisson"]

_WORDS = {
    "log2": "log2 normalized counts",
    "vst": "variance stabilized counts",
    "voom": "log2 counts per million with weights",
}
_FAMILIES: dict[CountFamily, str] = {"negbin": "negative binomial", "poisson": "Poisson"}
# Added to normalized counts before their logarithm is taken.
HALF = 0.5
# No log2 count is larger.
MOST_LOG2 = 60.0


@checked_arguments
def lmm(
    dds: Held,
    *,
    values: LogCounts | Any = "log2",  # noqa: ANN401 (a word, DataFrame, Transformed)
    weights: Any = None,  # noqa: ANN401 (DataFrame, array)
    filter: Any = True,  # noqa: ANN401 (a flag, or truth values by gene)
    df: DfRule = "kenward-roger",
    reml: bool = True,
    bounded: bool = True,
    name: str = "lmm",
    n_threads: int | None = None,
    quiet: bool = False,
) -> Held:
    """Fit a linear mixed model of log counts to every gene, and keep the fit in the data set under a name.

    The random terms of the design say which groups of samples vary together: with ``~ treat1 * treat2 + (1 | family)``
    the differences between families are part of the error of a comparison of families. Queries are answered with
    ``fit="lmm"``: ``dds.effect("treat1").test(fit="lmm")``, for questions within and between the groups. Tests are t
    and F tests with degrees of freedom of their own for every gene.

    Parameters
    ----------
    dds
        A data set whose design has random terms.
    values
        What is fitted: "log2", logarithms of normalized counts plus a half; "vst", variance stabilized counts; "voom",
        log2 counts per million with precision weights; or values of your own on a logarithmic scale, genes x samples.
    weights
        Precision weights of values of your own, genes x samples.
    filter
        Whether genes with few counts are left out, as by `filter_by_expr`; or truth values by gene, True for those that
        stay.
    df
        Degrees of freedom: "kenward-roger", which also corrects standard errors for few groups; "satterthwaite", those
        of lmerTest; "containment", those of nlme, the same for all genes; "residual"; or "infinite", normal tests.
    reml
        Estimate variances by restricted maximum likelihood. Likelihood ratio tests compare fits by maximum likelihood
        in any case.
    bounded
        Keep variances of random effects at zero or above. Without the bound, which one random intercept may do without,
        samples of one group may be less alike than others; in balanced studies tests are then exact.
    name
        The name of the fit.
    n_threads, quiet
        As of `DESeqDataSet.deseq`.

    Returns
    -------
    CountDataSet
        The data set itself.

    Raises
    ------
    DesignError
        The design has no random term, or one that cannot be estimated.
    OptionError
        No gene is left, values are counts, or an option cannot be used.

    Notes
    -----
    Tables have a column `code`, how the fit of each gene ended: 0 converged; 1 singular, some variance of random
    effects is zero, which is a valid fit; 2 iterations exhausted, 3 search failed, 4 curvature not positive: numbers
    are there and should be looked at; 8 the values are constant, 9 the weights leave too few samples, 10 values are
    not finite: there is no fit.

    Kinds of test: "t", with the degrees of freedom that `df` asks for; "lrt", likelihood ratio tests, which reject too
    often in studies with few groups; "strata", in balanced studies without weights, t tests with the variances within
    and between groups moderated by themselves; "dream", t tests with moderated residual variances. For one comparison
    in a balanced study ``values="vst"`` and "strata" have the most power at the right level; otherwise "t", with
    ``bounded=False`` where there is one random intercept. docs/mixed_rates.md has the rates of all of them.

    Sources: Bates et al. (2015), doi:10.18637/jss.v067.i01; Kenward and Roger (1997), doi:10.2307/2533558.

    R counterpart: lme4::lmer for every gene, with the tests of lmerTest and pbkrtest; variancePartition::dream with
    ``values="voom"``.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=300, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> dds = cn.lmm(dds, quiet=True)
    >>> found = dds.effect("treat1", levels=("B", "A")).test(fit="lmm")
    >>> found.info.method, found.info.test
    ('linear mixed model', 'Kenward-Roger t')
    """
    require_data_set(dds, "lmm")
    check_option("df", df, DfRule)
    check_flags(reml=reml, bounded=bounded, quiet=quiet)
    check_mixed(dds._design, "linear")
    warn_of_unused(dds, "lmm", by_gene=not isinstance(values, str) or values != "voom")
    kept = kept_genes(dds, filter)
    engine = dds._engine(n_threads, quiet)
    factors = _normalized(dds, engine).factors
    fitted, precision, scale = _responses(dds, values, weights, kept, factors)
    model = mixed_model(dds._design)
    fits = LinearData(fitted, precision, model, engine).fit(model, reml=reml, bounded=bounded)
    dds._last_engine = engine
    mean = as_float(normalized_counts(dds._data.counts, factors).mean(axis=1))
    return dds.add_fit(name, StoredLinearMixed(kept, mean, fitted, precision, fits, df, scale))


def _normalized(dds: CountDataSet, engine: Engine) -> Normalized:
    """Return the data set's size factors, which are estimated, and kept, where there are none."""
    if dds._state is None:
        dds._keep(dds._normalize("ratio", engine), engine)
    return dds._normalized()


def _responses(
    dds: CountDataSet,
    values: Any,  # noqa: ANN401 (checked here)
    weights: Any,  # noqa: ANN401 (checked here)
    kept: BoolArray,
    factors: FloatArray,
) -> tuple[FloatArray, FloatArray | None, str]:
    """Return what is fitted, its weights (m, n) or None, and what it is in words."""
    if isinstance(values, str):
        check_option("values", values, LogCounts)
        if weights is not None:
            raise OptionError(f"weights= belong to values of your own; values={values!r} makes its own.")
        found, precision = _transformed(dds, values, kept, factors)
        return found, precision, _WORDS[values]
    table = values.table if isinstance(values, Transformed) else values
    given = _log_values(table, dds, kept)
    precision = None if weights is None else gene_by_sample(weights, dds._data, "weights")[kept]
    return given, precision, "given values"


def _log_values(table: Any, dds: CountDataSet, kept: BoolArray) -> FloatArray:  # noqa: ANN401 (checked here)
    """Return values of the user (m, n); raise `OptionError` for counts."""
    if not isinstance(table, (pd.DataFrame, np.ndarray)):
        raise OptionError(
            f"values must be one of {listing(get_args(LogCounts))}, or a table of values, genes x samples; got "
            f"{kind_of(table)}."
        )
    given = gene_by_sample(table, dds._data, "values")[kept]
    finite = given[np.isfinite(given)]
    if finite.size and (finite >= 0).all() and (finite == np.round(finite)).all() and finite.max() > MOST_LOG2:
        raise OptionError(
            "values are counts, and a linear mixed model needs them on a logarithmic scale: values='log2', 'vst' or "
            "'voom', or fit the counts themselves with cn.glmm."
        )
    return given


def _transformed(
    dds: CountDataSet, values: str, kept: BoolArray, factors: FloatArray
) -> tuple[FloatArray, FloatArray | None]:
    counts = dds._data.counts[kept]
    if values == "log2":
        scaled = factors if len(factors) == 1 else factors[kept]
        return as_float(np.log2(normalized_counts(counts, scaled) + HALF)), None
    if values == "voom":
        library = effective_of_kept(dds, counts, "TMM")
        found = voom(counts, dds._design.matrix, library, span=SPAN)
        return found.values, found.weights
    from countnest.api.transformations import variance_stabilizing_transformation

    table = variance_stabilizing_transformation(cast("Any", dds), quiet=True).table
    return as_float(table.to_numpy()[kept]), None


@checked_arguments
def glmm(
    dds: Held,
    *,
    family: CountFamily = "negbin",
    method: CountMethod = "laplace",
    reml: bool | None = None,
    dispersion: Literal["shrunken"] | Any = None,  # noqa: ANN401 (a word, number, Series, sequence)
    df: CountDf = "containment",
    name: str = "glmm",
    n_threads: int | None = None,
    quiet: bool = False,
) -> Held:
    """Fit a mixed model of the counts to every gene, and keep the fit in the data set under a name.

    The model is negative binomial with a log link; size factors are offsets, and one random term of the design gives
    the groups of samples that vary together. Queries are answered with ``fit="glmm"``, within and between the groups.

    Parameters
    ----------
    dds
        A data set whose design has one random term with one column, such as ``(1 | family)``.
    family
        "negbin", or "poisson" for counts without variation beyond that of sampling and of the groups.
    method
        How random effects are integrated out: "laplace"; "laplace4", with the next order; "agq", adaptive Gauss-Hermite
        quadrature.
    reml
        Use the restricted likelihood, which only "laplace" has; None: with "laplace". By maximum likelihood standard
        errors are too small in small studies.
    dispersion
        None: estimated for each gene. "shrunken": with the trend and the prior of DESeq2's dispersions, those of a
        design that holds the groups fixed. Or numbers: one, or one for each gene.
    df
        Degrees of freedom of t and F tests: "containment", by how many groups or samples a comparison rests on;
        "residual", samples less coefficients; "infinite", Wald tests, which reject far too often between few groups.
    name
        The name of the fit.
    n_threads, quiet
        As of `DESeqDataSet.deseq`.

    Returns
    -------
    CountDataSet
        The data set itself.

    Raises
    ------
    DesignError
        The design has no random term, or more than one, or one that cannot be estimated.
    OptionError
        An option cannot be used.

    Notes
    -----
    Tables have the columns `code`, as of `lmm` and besides 5 a group has no counts, 6 no dispersion beyond Poisson, 7
    the dispersion at its bound; `dispersion`; and `sdGroups`, the standard deviation of the random effects, log2. Kinds
    of test: "t", and "lrt", likelihood ratio tests of fits by maximum likelihood.

    Sources: Brooks et al. (2017), doi:10.32614/RJ-2017-066; the restricted likelihood is that of Cox and Reid (1987),
    doi:10.1111/j.2517-6161.1987.tb01422.x.

    R counterpart: glmmTMB::glmmTMB(family = nbinom2, REML = TRUE) for every gene.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> dds = cn.glmm(dds, quiet=True)
    >>> found = dds.effect("treat1", levels=("B", "A")).test(fit="glmm")
    >>> found.info.method, found.info.test
    ('negative binomial mixed model', 'containment t')
    """
    require_data_set(dds, "glmm")
    check_option("family", family, CountFamily)
    check_option("method", method, CountMethod)
    check_option("df", df, CountDf)
    check_flags(quiet=quiet, **({} if reml is None else {"reml": reml}))
    restricted = method == "laplace" if reml is None else bool(reml)
    if restricted and method != "laplace":
        raise OptionError(f"method={method!r} has no restricted likelihood: use method='laplace', or reml=False.")
    check_mixed(dds._design, "counts")
    warn_of_unused(dds, "glmm", by_gene=True)
    engine = dds._engine(n_threads, quiet)
    state = _normalized(dds, engine)
    factors = state.factors
    known = _dispersion(dds, dispersion, family, state, engine)
    fits = fit_all_counts(
        dds._data.matrix, factors, mixed_model(dds._design), known, engine, reml=restricted, method=method
    )
    dds._last_engine = engine
    stored = StoredCountMixed(
        factors=factors,
        base_mean=as_float(normalized_counts(dds._data.counts, factors).mean(axis=1)),
        fits=fits,
        given=known if isinstance(known, np.ndarray) else None,
        log_trend=known.log_trend if isinstance(known, ShrunkenDispersion) else None,
        prior_sd=known.prior_sd if isinstance(known, ShrunkenDispersion) else None,
        df=df,
        integral=INTEGRALS[method],
        family=_FAMILIES[family],
    )
    return dds.add_fit(name, stored)


def _dispersion(
    dds: CountDataSet,
    given: Any,  # noqa: ANN401 (checked here)
    family: CountFamily,
    state: Normalized,
    engine: Engine,
) -> FloatArray | ShrunkenDispersion | None:
    """Return dispersions (G,), those with a prior, or None where they are to be estimated."""
    genes = dds._data.genes
    if family == "poisson":
        if given is not None:
            raise OptionError("Poisson counts have no dispersion: leave dispersion= out, or use family='negbin'.")
        return np.zeros(len(genes))
    if given is None:
        return None
    if isinstance(given, str):
        check_option("dispersion", given, ("shrunken",))
        return _prior(dds, state, engine)
    if isinstance(given, pd.Series) and not isinstance(given.index, pd.RangeIndex):
        given = by_label(given, genes, "gene", "dispersion", OptionError)
    numbers = given_numbers(given, "dispersion", OptionError)
    if numbers.shape not in ((), genes.shape):
        raise OptionError(f"dispersion= must be a number, or one for each of {len(genes)} genes; got {numbers.shape}.")
    numbers = as_float(np.broadcast_to(numbers, genes.shape))
    wrong = genes[dds._data.counted & ~(np.isfinite(numbers) & (numbers >= 0))]
    if len(wrong):
        raise OptionError(
            f"dispersion= must be finite and not negative; it is not for {counted(len(wrong), 'gene')}: "
            f"{listing(wrong)}."
        )
    return numbers


def _prior(dds: CountDataSet, state: Normalized, engine: Engine) -> ShrunkenDispersion:
    """Return the prior of the dispersions of a design with the groups as fixed effects."""
    formula = groups_as_fixed(dds._design)
    if formula is None:
        raise OptionError(
            "dispersion='shrunken' takes the prior from a design with a fixed effect of each group, which this design "
            "has no samples for. Leave dispersion= out, or give numbers."
        )
    fixed = dds.copy()
    fixed._quiet = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # of a design that serves for the dispersions alone
        fixed.design = formula
    check_residual_df(fixed._design)
    layout = Layout.of(fixed._design.matrix)
    state = with_dispersions(state, dds._data.matrix, layout, fit_type="parametric", min_mu=0.5, engine=engine)
    found = state.dispersions
    if found.trend is None:
        raise OptionError("there is no trend of the dispersions to shrink to: leave dispersion= out, or give numbers.")
    fitted = found.fitted
    missing = float(np.nanmedian(fitted)) if np.isfinite(fitted).any() else 1.0
    return ShrunkenDispersion(
        as_float(np.log(np.where(np.isfinite(fitted), fitted, missing))), float(np.sqrt(found.trend.disp_prior_var))
    )
