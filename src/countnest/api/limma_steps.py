"""limma's steps as functions, with limma's names: voom, linear models, contrasts, moderated statistics, tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import effective_of_kept, warn_of_unused
from countnest.api.inputs import positive_number
from countnest.api.limma_inputs import given_value_weights, given_values
from countnest.api.linear_model import LinearModel, VoomCounts
from countnest.api.sample_models import (
    blocks_of,
    correlated_blocks,
    groups_of,
    quality_columns,
    variance_model,
    warn_without_df,
)
from countnest.arrays import FloatArray
from countnest.design.random.refusal import one_correlation, refuse_random
from countnest.errors import OptionError, warn
from countnest.methods.limma.steps import chosen_span
from countnest.signature import checked_arguments
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.linear.fits import LinearFits
from countnest.stats.linear.least_squares import lm_fit as fit_values
from countnest.stats.norm.tmm import FactorMethod
from countnest.stats.voom.array_weights import array_weights as weights_of_samples
from countnest.stats.voom.duplicates import block_correlation, is_spanned
from countnest.stats.voom.quality import voom_with_quality_weights as voom_quality
from countnest.stats.voom.structural import SampleModel
from countnest.stats.voom.structural import voom_lm_fit as fit_counts
from countnest.stats.voom.voom import Voom
from countnest.stats.voom.voom import voom as voom_counts

__all__ = [
    "DuplicateCorrelation",
    "array_weights",
    "duplicate_correlation",
    "lm_fit",
    "voom",
    "voom_lm_fit",
    "voom_with_quality_weights",
]

Factors = FactorMethod | Any


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateCorrelation:
    """The correlation within blocks that all genes agree on, and the inverse hyperbolic tangent of each gene's."""

    consensus: float
    atanh: pd.Series[float]


@checked_arguments
def voom(
    dds: CountDataSet,
    *,
    norm_factors: Factors = "TMM",
    weights: Any = None,  # noqa: ANN401 (Series, DataFrame, array)
    block: Any = None,  # noqa: ANN401 (column, Series, sequence)
    correlation: float | None = None,
    span: float | None = None,
    compat: Compat | None = None,
) -> VoomCounts:
    """Return log2 counts per million with precision weights.

    Parameters
    ----------
    dds
        A data set, of the genes that are to be analysed: ``dds[cn.filter_by_expr(dds)]``.
    norm_factors
        Normalization factors of the library sizes: the method to estimate them by, or numbers by sample.
    weights
        Of the fit that the variances are read from, by sample, or genes x samples.
    block, correlation
        Blocks of samples, and the correlation within them that `duplicate_correlation` found, of the same fit.
    span
        Fraction of the genes in each neighbourhood of the variance curve; None: by the number of genes, or 0.5 in older
        releases.
    compat
        The release whose numbers are wanted; None: the newest.

    Notes
    -----
    R counterpart: limma::voom.
    """
    counts, library, width = _prepared(dds, "voom", norm_factors, span, compat)
    data = dds._data
    own = None if weights is None else given_value_weights(weights, data.genes, data.samples)
    blocks = correlated_blocks(block, correlation, data.samples, data.sheet)
    found = voom_counts(counts, dds._design.matrix, library, weights=own, blocks=blocks, span=width)
    _warn_without_curve(found)
    return _labelled(dds, found, library)


@checked_arguments
def voom_with_quality_weights(
    dds: CountDataSet,
    *,
    norm_factors: Factors = "TMM",
    var_design: Any = None,  # noqa: ANN401 (formula, DataFrame, array)
    var_group: Any = None,  # noqa: ANN401 (column, Series, sequence)
    span: float | None = None,
    compat: Compat | None = None,
) -> VoomCounts:
    """Return log2 counts per million, whose weights are precisions times estimated weights of the samples.

    Parameters
    ----------
    dds, norm_factors, span, compat
        As of `voom`.
    var_design
        A model of the log variances of samples: a formula such as "~ batch", or a model matrix.
    var_group
        Samples that share a weight: a column of the sample sheet, or values by sample. With neither, each has its own.

    Notes
    -----
    R counterpart: limma::voomWithQualityWeights.
    """
    counts, library, width = _prepared(dds, "voom_with_quality_weights", norm_factors, span, compat)
    columns = variance_model(var_design, var_group, dds._data.samples, dds._data.sheet)
    warn_without_df(dds._design.matrix, columns)
    found, own = voom_quality(counts, dds._design.matrix, library, columns=columns, span=width)
    _warn_without_curve(found)
    return _labelled(dds, found, library, own)


@checked_arguments
def voom_lm_fit(
    dds: CountDataSet,
    *,
    norm_factors: Factors = "TMM",
    sample_weights: Any = False,  # noqa: ANN401 (a flag, formula, matrix, or groups)
    block: Any = None,  # noqa: ANN401 (column, Series, sequence)
    span: float | None = None,
    compat: Compat | None = None,
) -> LinearModel:
    """Return linear models of log counts, with zeros that the design explains left out of the variances.

    Parameters
    ----------
    dds, norm_factors, span, compat
        As of `voom`.
    sample_weights
        Estimate how reliable each sample is; or a model of it, as `quality_weights` of `limma`.
    block
        Blocks of samples that are correlated: a column of the sample sheet, or values by sample.

    Notes
    -----
    R counterpart: edgeR::voomLmFit.
    """
    counts, library, width = _prepared(dds, "voom_lm_fit", norm_factors, span, compat)
    columns = quality_columns(sample_weights, "sample_weights", dds)
    warn_without_df(dds._design.matrix, columns)
    model = SampleModel(columns, blocks_of(dds, block)[0], width)
    found = fit_counts(counts, dds._design.matrix, library, model)
    own = None if found.sample_weights is None else pd.Series(found.sample_weights, dds._data.samples)
    _warn_without_curve(found.voom)
    fit = _model(found.fits, dds._data.genes, dds._design.names, found.correlation, own)
    return replace(fit, curve=found.voom.curve, gene_info=dds._data.gene_info.copy())


@checked_arguments
def lm_fit(
    values: Any,  # noqa: ANN401 (VoomCounts, DataFrame, array)
    design: Any = None,  # noqa: ANN401 (data set, DataFrame, array)
    *,
    weights: Any = None,  # noqa: ANN401
    block: Any = None,  # noqa: ANN401 (Series, sequence)
    correlation: float | None = None,
) -> LinearModel:
    """Fit a linear model to every gene.

    Parameters
    ----------
    values
        What `voom` returned, or a table of log values, genes x samples, in which some may be missing.
    design
        A data set or a model matrix; None: the design of `voom`.
    weights
        By sample, or genes x samples, in place of those of `voom`; a value of weight 0 is left out.
    block, correlation
        Blocks of samples, and the correlation within them that `duplicate_correlation` found. Blocks are values by
        sample, or a column of the sample sheet where `values` are those of `voom`, or `design` is a data set.

    Raises
    ------
    OptionError, DesignError
        Values, weights, blocks or design cannot be used.

    Notes
    -----
    R counterpart: limma::lmFit.
    """
    given = given_values(values, design, weights)
    blocks = correlated_blocks(block, correlation, given.samples, given.sheet)
    fits = fit_values(given.values, given.design, given.weights, blocks)
    fit = _model(fits, given.genes, given.names, correlation, given.sample_weights)
    return replace(fit, gene_info=given.gene_info)


@checked_arguments
def duplicate_correlation(
    values: Any,  # noqa: ANN401
    design: Any = None,  # noqa: ANN401
    *,
    block: Any,  # noqa: ANN401
    weights: Any = None,  # noqa: ANN401
) -> DuplicateCorrelation:
    """Return the correlation of samples within blocks, which all genes share.

    Parameters
    ----------
    values, design, weights
        As of `lm_fit`.
    block
        Blocks of samples, as of `lm_fit`.

    Notes
    -----
    R counterpart: limma::duplicateCorrelation.
    """
    given = given_values(values, design, weights)
    of_sample = groups_of(block, given.samples, "block", given.sheet)[0]
    none = pd.Series(np.nan, index=given.genes, name="atanh")
    sizes = np.bincount(of_sample)
    if len(sizes) < 2:
        raise OptionError("block= has one block, so that no correlation can be estimated.")
    if sizes.max() < 2 or is_spanned(given.design, of_sample):
        why = "none has two samples" if sizes.max() < 2 else "the design holds them fixed"
        warn(f"the correlation within the blocks cannot be estimated, because {why}: it is 0.")
        return DuplicateCorrelation(0.0, none)
    found = block_correlation(given.values, given.design, of_sample, given.weights)
    return DuplicateCorrelation(found.consensus, none.fillna(pd.Series(found.atanh, index=given.genes)))


@checked_arguments
def array_weights(
    values: Any,  # noqa: ANN401
    design: Any = None,  # noqa: ANN401
    *,
    weights: Any = None,  # noqa: ANN401
    var_design: Any = None,  # noqa: ANN401 (formula, DataFrame, array)
    var_group: Any = None,  # noqa: ANN401 (column, Series, sequence)
) -> pd.Series[float]:
    """Return weights of samples, from the size of their residuals in all genes.

    Parameters
    ----------
    values, design, weights
        As of `lm_fit`. With weights, or missing values, the estimates depend on the order of the genes.
    var_design
        A model of the log variances of samples: a model matrix; or a formula such as "~ batch", where there is a sample
        sheet, that of `voom` or of the data set that is the design.
    var_group
        Samples that share a weight: values by sample, or a column of that sheet. With neither, each has its own.

    Notes
    -----
    R counterpart: limma::arrayWeights.
    """
    given = given_values(values, design, weights)
    columns = variance_model(var_design, var_group, given.samples, given.sheet)
    warn_without_df(given.design, columns)
    own = None if given.weights is None else np.broadcast_to(given.weights, given.values.shape)
    return pd.Series(weights_of_samples(given.values, given.design, own, columns), given.samples, name="weight")


def _warn_without_curve(found: Voom) -> None:
    if not len(found.curve.mean):
        warn("there are no replicates, so that no variance can be estimated: all weights are 1.")


def _prepared(
    dds: CountDataSet, function: str, factors: Factors, span: float | None, compat: Compat | None
) -> tuple[FloatArray, FloatArray, float]:
    """Return counts (G, n), effective library sizes (n,) and the span of the curve."""
    require_data_set(dds, function)
    compat_level(compat)
    if span is not None:
        positive_number("span", span)
    refuse_random(dds._design, function, one_correlation(dds._design))
    warn_of_unused(dds, function)
    counts = dds._data.counts
    width = chosen_span(None if span is None else float(span), len(counts), compat)
    return counts, effective_of_kept(dds, counts, factors), width


def _labelled(
    dds: CountDataSet, found: Voom, library: FloatArray, sample_weights: FloatArray | None = None
) -> VoomCounts:
    data, design = dds._data, dds._design
    own = None if sample_weights is None else pd.Series(sample_weights, data.samples, name="weight")
    return VoomCounts(
        pd.DataFrame(found.values, data.genes, data.samples),
        pd.DataFrame(found.weights, data.genes, data.samples),
        pd.DataFrame(design.matrix, data.samples, list(design.names)),
        pd.Series(library, data.samples, name="library"),
        found.curve,
        own,
        data.sheet.copy(),
        data.gene_info.copy(),
    )


def _model(
    fits: LinearFits,
    genes: pd.Index,
    names: tuple[str, ...],
    correlation: float | None,
    sample_weights: pd.Series[float] | None,
) -> LinearModel:
    return LinearModel(
        fits, genes, names, np.eye(len(names)), fits.coefficients, fits.stdev_unscaled, fits.common,
        correlation=correlation, sample_weights=sample_weights,
    )  # fmt: skip
