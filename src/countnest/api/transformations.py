"""Counts on other scales: variance stabilized, regularized and shifted logarithms, fragments per million and kilobase.

All of them leave the data set as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from countnest.api.dataset import require_data_set
from countnest.api.inputs import given_norm_matrix
from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import InMemory
from countnest.containers.transformed import Transformed, TransformMethod
from countnest.design.design import check_residual_df
from countnest.design.random.refusal import refuse_random
from countnest.errors import CountsError, NormalizationError, OptionError, called, counted, listing, warn
from countnest.methods.deseq2 import transform
from countnest.methods.deseq2.stages import Dispersed
from countnest.methods.normalization import estimate_size_factors
from countnest.methods.stage import Normalized
from countnest.options import FitType, check_flags, check_option
from countnest.parallel.run import Engine
from countnest.signature import checked_arguments
from countnest.stats.dispersion.trend import DispersionTrend
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import normalized_counts
from countnest.stats.transform.rlog import sparse_share

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["fpkm", "fpm", "norm_transform", "rlog", "variance_stabilizing_transformation", "vst"]

# The share of sparse genes above which the regularized logarithm warns.
SPARSE = 0.1


@checked_arguments
def vst(
    dds: DESeqDataSet,
    *,
    blind: bool = True,
    nsub: int = 1000,
    fit_type: FitType = "parametric",
    like: Transformed | None = None,
    n_threads: int | None = None,
    quiet: bool = False,
) -> Transformed:
    """Transform counts so that their variance hardly depends on the mean; the trend comes from a part of the genes.

    Parameters
    ----------
    dds
        A `DESeqDataSet`. It needs no steps: size factors are estimated where it has none.
    blind
        Estimate the dispersion trend without the design, as quality control should be done. False: with the design,
        which is right for figures and clustering after the analysis, above all where many genes differ between groups.
    nsub
        How many genes the trend is estimated from, evenly spread over those with a mean normalized count above 5.
    fit_type
        Of a trend that is estimated: "parametric" (a local regression replaces it where it does not fit), "local" or
        "mean".
    like
        A variance stabilizing transformation of other samples whose trend to use, so that the values can be compared
        with the former ones; blind, nsub and fit_type are then without effect. Size factors should be comparable too:
        set `size_factors` to the medians over genes of the counts divided by the geometric means of the other samples.
        (`estimate_size_factors` with these as `geo_means` divides them by their own geometric mean, which makes that of
        a single sample 1.) With a local trend, the ends of the scale still follow
        the genes' means in these samples.
    n_threads
        None: as many as the data set works with. The result does not depend on it.
    quiet
        No progress display.

    Returns
    -------
    Transformed
        Log2 scale.

    Raises
    ------
    OptionError
        Too few genes with a mean normalized count above 5 (use `variance_stabilizing_transformation`), an unknown
        `fit_type`, or a `like` of another kind.
    DesignError
        If a trend is to be estimated and there are no more samples than coefficients.

    Notes
    -----
    R counterpart: DESeq2::vst. As there, the trend is always estimated from some genes, and one that the data set has
    is not used; `variance_stabilizing_transformation` uses it.
    """
    require_data_set(dds, "vst")
    if not isinstance(nsub, (int, np.integer)) or isinstance(nsub, bool) or nsub < 2:
        raise OptionError(f"nsub={nsub!r} must be a whole number of 2 or more.")
    return _stabilized(dds, blind, int(nsub), fit_type, like, dds._engine(n_threads, quiet))


@checked_arguments
def variance_stabilizing_transformation(
    dds: DESeqDataSet,
    *,
    blind: bool = True,
    fit_type: FitType = "parametric",
    like: Transformed | None = None,
    n_threads: int | None = None,
    quiet: bool = False,
) -> Transformed:
    """Transform counts so that their variance hardly depends on the mean; the trend comes from all genes.

    Arguments as in `vst`, which is quicker and differs little; but blind=False takes the trend that the data set has,
    and estimates one with the design only where it has none.

    Notes
    -----
    R counterpart: DESeq2::varianceStabilizingTransformation.
    """
    require_data_set(dds, "variance_stabilizing_transformation")
    return _stabilized(dds, blind, None, fit_type, like, dds._engine(n_threads, quiet))


@checked_arguments
def rlog(
    dds: DESeqDataSet,
    *,
    blind: bool = True,
    fit_type: FitType = "parametric",
    like: Transformed | None = None,
    n_threads: int | None = None,
    quiet: bool = False,
) -> Transformed:
    """Transform counts to log2, shrunken towards the gene's mean where the counts carry little information.

    Arguments as in `variance_stabilizing_transformation`, of which `vst` is the quick form and the better choice for
    many samples. `rlog` copes with size factors that vary widely, but not with genes counted in one sample only.

    With `like`, a regularized logarithm of other samples, their intercepts, dispersions and prior are used. Genes are
    matched by label; a gene that had no count there is 0 here, as a gene without any count always is.

    Raises
    ------
    CountsError
        If genes are missing in `like`.

    Warns
    -----
    CountnestWarning
        More than a tenth of the genes with a sum of normalized counts above 100 have 90 % of it in one sample; or genes
        have counts here and had none in `like`.

    Notes
    -----
    R counterpart: DESeq2::rlog. Where iteratively reweighted least squares does not converge, which happens with a few
    extreme counts, R leaves its last step and here the maximum is found by Newton's method.
    """
    require_data_set(dds, "rlog")
    engine = dds._engine(n_threads, quiet)
    check_option("fit_type", fit_type, FitType)
    check_flags(blind=blind)
    _check_like(like, "rlog")
    state, counts = _state(dds, engine), dds._data.counts
    _warn_of_sparse_genes(normalized_counts(counts, state.factors))
    if like is not None:
        assert like.intercept is not None
        assert like.dispersion is not None
        assert like.prior_var is not None
        intercept, dispersion = _of_genes(like.intercept, dds), _of_genes(like.dispersion, dds)
        _warn_of_new_genes(intercept, dds)
        found = transform.frozen_rlog(counts, state, intercept, dispersion, like.prior_var, engine=engine)
        trend, blind = like.trend, like.blind
    else:
        trend = None if blind else _held_trend(state)
        if trend is None:
            state, layout = _unfitted(dds, state, blind, engine)
            trend = transform.estimate_trend(counts, state, layout, fit_type=fit_type, engine=engine)
        dispersion = transform.trend_values(trend, state)
        found = transform.regularized_log(counts, state, dispersion, engine=engine)
    genes = dds._data.genes
    return Transformed(
        table=dds._frame(found.values),
        method="rlog",
        blind=blind,
        frozen=like is not None,
        trend=trend,
        intercept=pd.Series(found.intercept, index=genes, name="intercept"),
        dispersion=pd.Series(found.dispersion, index=genes, name="dispersion"),
        prior_var=found.prior_var,
    )


@checked_arguments
def norm_transform(dds: DESeqDataSet, *, f: Callable[[FloatArray], Any] = np.log2, pc: float = 1.0) -> Transformed:
    """Apply a function to normalized counts plus a pseudo-count: log2(normalized + 1).

    Parameters
    ----------
    dds
        A `DESeqDataSet`; size factors are estimated where it has none.
    f
        Gets an array, genes x samples, and returns one of the same shape.
    pc
        The pseudo-count.

    Notes
    -----
    R counterpart: DESeq2::normTransform.
    """
    require_data_set(dds, "norm_transform")
    if not callable(f):
        raise OptionError(f"f={f!r} must be a function of an array, such as np.log2.")
    if not isinstance(pc, (int, float, np.integer, np.floating)) or isinstance(pc, bool) or not 0 <= pc < math.inf:
        raise OptionError(f"pc={pc!r} must be a number, 0 or more.")
    counts = dds._data.counts
    shifted = normalized_counts(counts, _state(dds, dds._engine_aside()).factors) + pc
    with np.errstate(divide="ignore"):  # log2(0) is -inf
        values = np.asarray(called(f, "f", shifted))
    if values.dtype.kind not in "biuf":
        raise OptionError(f"f must return an array of numbers; it returned type {values.dtype}.")
    if values.shape != counts.shape:
        raise OptionError(
            f"f must return an array of the shape that it gets, {counts.shape}; it returned {values.shape}."
        )
    return Transformed(table=dds._frame(np.array(values, dtype=np.float64)), method="norm_transform", blind=True)


@checked_arguments
def fpm(dds: DESeqDataSet, *, robust: bool = True) -> pd.DataFrame:
    """Return fragments per million mapped fragments, genes x samples.

    Parameters
    ----------
    dds
        A `DESeqDataSet`.
    robust
        Take the size factors, times the geometric mean of the samples' total counts, for library sizes, and not the
        total counts, which a few genes can decide. Size factors are estimated where there are none and where
        normalization factors take their place. Without effect for a data set with average transcript lengths: total
        counts are taken.

    Notes
    -----
    R counterpart: DESeq2::fpm.
    """
    require_data_set(dds, "fpm")
    check_flags(robust=robust)
    return dds._frame(_per_million(dds, robust))


@checked_arguments
def fpkm(dds: DESeqDataSet, lengths: Any = None, *, robust: bool = True) -> pd.DataFrame:  # noqa: ANN401 (several kinds)
    """Return fragments per kilobase and million mapped fragments, genes x samples.

    Parameters
    ----------
    dds
        A `DESeqDataSet`.
    lengths
        Base pairs: one number for each gene (a Series or dict by label, or an array), or average transcript lengths,
        genes x samples. None: the average transcript lengths of the data set.
    robust
        For lengths by gene, as in `fpm`. For average transcript lengths: after division by lengths and total counts,
        divide by the size factors of the result.

    Raises
    ------
    OptionError
        If there are no lengths.
    NormalizationError
        If lengths are not positive, or genes are missing in them.

    Notes
    -----
    R counterpart: DESeq2::fpkm.
    """
    require_data_set(dds, "fpkm")
    check_flags(robust=robust)
    by_sample, pairs = _lengths(dds, lengths)
    if not by_sample:
        return dds._frame(1e3 * _per_million(dds, robust) / pairs)
    values = 1e3 * _per_million(dds, False) / pairs
    return dds._frame(values / _ratio_factors(dds, values) if robust else values)


# ---- inside ----


def _state(dds: DESeqDataSet, engine: Engine) -> Normalized:
    """Return the state of the data set, or a first one that is not kept."""
    if dds._state is not None:
        return dds._state
    return dds._normalize("ratio", engine)


def _unfitted(dds: DESeqDataSet, state: Normalized, blind: bool, engine: Engine) -> tuple[Normalized, Layout]:
    """Return the state and the layout with which dispersions are to be estimated."""
    counts = dds._data.counts
    if blind:
        layout = transform.blind_layout(counts.shape[1])
    else:
        refuse_random(dds._design, "blind=False", "blind=True needs no design.")
        check_residual_df(dds._design)
        layout = dds._layout
    return transform.unfitted(state, counts, layout, engine), layout


def _held_trend(state: Normalized) -> DispersionTrend | None:
    return state.dispersions.trend if isinstance(state, Dispersed) else None


def _stabilized(
    dds: DESeqDataSet, blind: bool, nsub: int | None, fit_type: FitType, like: Transformed | None, engine: Engine
) -> Transformed:
    check_option("fit_type", fit_type, FitType)
    _check_like(like, "vst")
    check_flags(blind=blind)
    state, counts = _state(dds, engine), dds._data.counts
    held = _held_trend(state) if nsub is None and not blind else None
    if like is not None:
        trend, blind = like.trend, like.blind
    elif held is not None:
        trend = held
    else:
        genes = None if nsub is None else transform.spanning_genes(counts, state.factors, nsub)
        start, layout = _unfitted(dds, state, blind, engine)
        trend = transform.estimate_trend(counts, start, layout, fit_type=fit_type, genes=genes, engine=engine)
    assert trend is not None
    values = transform.variance_stabilized(counts, state.factors, trend)
    return Transformed(table=dds._frame(values), method="vst", blind=blind, frozen=like is not None, trend=trend)


def _check_like(like: Any, method: TransformMethod) -> None:  # noqa: ANN401 (checked here)
    if like is not None and not (isinstance(like, Transformed) and like.method == method):
        made = "vst() or variance_stabilizing_transformation()" if method == "vst" else "rlog()"
        shown = f"one by {like.method}" if isinstance(like, Transformed) else f"of type {type(like).__name__}"
        raise OptionError(f"like= must be a transformation made by {made} of other samples; it is {shown}.")


def _of_genes(values: pd.Series[float], dds: DESeqDataSet) -> FloatArray:
    """Return values (G,) of the genes of the data set."""
    genes = dds._data.genes
    missing = genes[~genes.isin(values.index)]
    if len(missing):
        raise CountsError(
            f"the transformation of like= lacks {counted(len(missing), 'gene')} of the counts: {listing(missing)}. "
            "Leave them out of the counts."
        )
    return as_float(values.loc[genes])


def _warn_of_new_genes(intercept: FloatArray, dds: DESeqDataSet) -> None:
    new = ~np.isfinite(intercept) & dds._data.counted
    if new.any():
        warn(
            f"{counted(int(new.sum()), 'gene')} with counts had none in the samples of like=, and their values are 0: "
            f"{listing(dds._data.genes[new])}."
        )


def _warn_of_sparse_genes(normalized: FloatArray) -> None:
    share = sparse_share(normalized)
    if share > SPARSE:
        warn(
            "the rlog assumes that data is close to a negative binomial distribution, but in "
            f"{share:.1%} of the genes with a sum of normalized counts above 100, a single sample has more than 90 % "
            f"of it (this warning comes above {SPARSE:.0%}). Use vst(), variance_stabilizing_transformation() or "
            "norm_transform()."
        )


def _per_million(dds: DESeqDataSet, robust: bool) -> FloatArray:
    """Return fragments per million (G, n)."""
    counts = dds._data.counts
    library = counts.sum(axis=0)
    if robust and dds._lengths is None:
        library = _size_factors(dds) * np.exp(np.log(library).mean())
    return as_float(1e6 * counts / library)


def _size_factors(dds: DESeqDataSet) -> FloatArray:
    """Return the size factors (n,) of the data set, or estimated ones."""
    factors = dds.size_factors
    return _ratio_factors(dds, dds._data.counts) if factors is None else as_float(factors.to_numpy())


def _ratio_factors(dds: DESeqDataSet, values: FloatArray) -> FloatArray:
    """Return size factors (n,) of values (G, n)."""
    return estimate_size_factors(InMemory(values), engine=dds._engine_aside())


def _lengths(dds: DESeqDataSet, lengths: Any) -> tuple[bool, FloatArray]:  # noqa: ANN401 (checked here)
    """Return whether the lengths are by sample, and lengths (G, n)."""
    data = dds._data
    if lengths is None:
        if dds._lengths is None:
            raise OptionError(
                "the lengths of the genes are missing: give lengths=, in base pairs, by gene or genes x samples."
            )
        return True, dds._lengths
    if isinstance(lengths, dict):
        lengths = pd.Series(lengths)
    if isinstance(lengths, pd.DataFrame) or np.ndim(lengths) != 1:
        return True, given_norm_matrix(lengths, data, "lengths")
    if not isinstance(lengths, pd.Series) and len(lengths) != len(data.genes):
        raise NormalizationError(
            f"lengths must be one number for each of the {len(data.genes)} genes, or genes x samples; there are "
            f"{len(lengths)}."
        )
    index = lengths.index if isinstance(lengths, pd.Series) else data.genes
    repeated = np.repeat(np.asarray(lengths)[:, np.newaxis], len(data.samples), axis=1)
    return False, given_norm_matrix(pd.DataFrame(repeated, index=index, columns=data.samples), data, "lengths")
