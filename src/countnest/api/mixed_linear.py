"""Linear mixed models of log counts, for designs with random terms such as ``~ treat1 * treat2 + (1 | family)``."""

from __future__ import annotations

from typing import Any, TypeVar, cast, get_args

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import effective_of_kept, kept_genes, warn_of_unused, with_size_factors
from countnest.api.inputs import gene_by_sample
from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.compilation import listening
from countnest.containers.transformed import Transformed
from countnest.containers.values import MOST_LOG2
from countnest.design.random.checks import check_mixed
from countnest.errors import OptionError, kind_of, listing
from countnest.methods.mixed.linear import LinearData, StoredLinearMixed
from countnest.methods.mixed.model import mixed_model
from countnest.options import DfRule, LogCounts, check_flags, check_option
from countnest.signature import checked_arguments
from countnest.stats.norm.size_factors import normalized_counts
from countnest.stats.voom.voom import SPAN, voom

__all__ = ["lmm"]

Held = TypeVar("Held", bound=CountDataSet)

_WORDS = {
    "log2": "log2 normalized counts",
    "vst": "variance stabilized counts",
    "voom": "log2 counts per million with weights",
}
# Added to normalized counts before their logarithm is taken.
HALF = 0.5


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
        of lmerTest; "containment", those of nlme, the same for all genes, but for effects with random slopes
        at most those that the slopes leave; "residual"; or "infinite", normal tests.
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
    and between groups moderated by themselves; "dream", t tests with moderated residual variances; "averaged", with one
    random intercept and no weights, t tests with both variances moderated, in any layout, averaged over their ratio.
    All of them test several rows jointly, too: by F tests, which by "strata" need rows that all lie within groups, or
    all between them. Between groups ``values="vst"`` has the most power at the right level, with "strata" in a balanced
    study and with "averaged" in others; otherwise take "t", with ``bounded=False`` where there is one random intercept.
    docs/mixed_rates.md has the rates of all of them.

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
    alone = filter is True and len(dds._data.genes) == 1  # no other genes tell the depth of its samples
    kept = kept_genes(dds, False if alone else filter)
    engine = dds._engine(n_threads, quiet)
    factors = with_size_factors(dds, engine).factors
    with listening(engine.progress):
        fitted, precision, scale = _responses(dds, values, weights, kept, factors)
    model = mixed_model(dds._design)
    fits = LinearData(fitted, precision, model, engine).fit(model, reml=reml, bounded=bounded)
    dds._last_engine = engine
    mean = as_float(normalized_counts(dds._data.counts, factors).mean(axis=1))
    used = factors if isinstance(values, str) and values != "voom" else None
    return dds.add_fit(name, StoredLinearMixed(kept, mean, fitted, precision, fits, df, scale, used))


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
    return given, None if weights is None else _precision(weights, dds, kept), "given values"


def _precision(table: Any, dds: CountDataSet, kept: BoolArray) -> FloatArray:  # noqa: ANN401 (checked here)
    """Return weights of the user (m, n); raise `OptionError` for weights of which no model can be fitted."""
    given = gene_by_sample(table, dds._data, "weights")[kept]
    if given.size and (given == 0).all():
        raise OptionError(
            "all weights are zero, so that every sample is left out of every gene: give positive weights, one over "
            "the variance of a value; 0 leaves a sample out of a gene."
        )
    return given


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
    if finite.size and finite.max() > MOST_LOG2:
        raise OptionError(
            f"values reach {finite.max():.4g}, more than the logarithm of any count, and a linear mixed model needs "
            "them on a logarithmic scale: take their logarithms, or let values='log2', 'vst' or 'voom' make them."
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
