"""Regularized logarithm: log2 of normalized counts, shrunken towards the gene's mean where counts are low.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, methods, "Regularized logarithm".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.shrinkage.rlog import nb_rlog_chunk
from countnest.stats.glm.inputs import LN2, NBInputs
from countnest.stats.norm.size_factors import normalized_counts
from countnest.stats.shrink.normal import lfc_weights
from countnest.stats.shrink.quantile import normal_variance

__all__ = ["MAX_ITER", "SPARSE_SHARE", "SPARSE_SUM", "RLog", "effect_variance", "fit_rlog", "sparse_share"]

# Prior precision of the intercept, log2 scale.
INTERCEPT_RIDGE = 1e-6
TOLERANCE = 1e-4
MAX_ITER = 100
# Added to counts for rough fold changes.
PSEUDO_COUNT = 0.5
# A gene with a sum above the first, of which one sample has more than the second, is sparse.
SPARSE_SUM, SPARSE_SHARE = 100.0, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class RLog:
    """Regularized logarithms.

    Attributes
    ----------
    values
        (G, n), log2.
    intercept
        (G,), log2.
    n_iter
        (G,) iterations; the maximum where the fit did not converge.
    """

    values: FloatArray
    intercept: FloatArray
    n_iter: IntArray


def effect_variance(normalized: FloatArray, mean: FloatArray, dispersion: FloatArray) -> float:
    """Return the variance of the normal prior on the effects of samples, log2 scale.

    Parameters
    ----------
    normalized
        (G, n) normalized counts.
    mean, dispersion
        (G,) mean of the normalized counts, and the trend there; genes count by `lfc_weights`.

    Notes
    -----
    R counterpart: attr(DESeq2::rlog(dds), "betaPriorVar").
    """
    change = np.log2(normalized + PSEUDO_COUNT) - np.log2(mean + PSEUDO_COUNT)[:, np.newaxis]
    weights = lfc_weights(mean, dispersion)
    # sample after sample, as R sums them: rounding must not decide which value is the quantile
    return normal_variance(change.T.ravel(), np.tile(weights, change.shape[1]))


def fit_rlog(counts: FloatArray, inputs: NBInputs, prior_var: float, *, intercept: FloatArray | None = None) -> RLog:
    """Fit an intercept and an effect of every sample, with a normal prior on the effects; their sum is the result.

    Parameters
    ----------
    counts
        (G, n); without a given intercept, every row with a positive count.
    inputs
        Size factors and weights; dispersions: the trend at the mean of the gene.
    prior_var
        Variance of the prior, log2 scale.
    intercept
        (G,) intercepts of another data set, log2, to keep instead of fitting them: the transformation is then the same
        for every sample, whatever the others are.

    Notes
    -----
    The deviance decides when a gene's iterations end, at a relative change of 1e-4, so that values depend on the
    samples fitted together by about that much even where the intercept is given.

    R counterpart: DESeq2::rlog.
    """
    n_genes, n = counts.shape
    beta, n_iter = np.zeros((n_genes, n + 1)), np.empty(n_genes, dtype=np.int64)
    size_factors = inputs.size_factors
    if intercept is None:
        beta[:, 0] = np.log(normalized_counts(counts, size_factors).mean(axis=1))
        intercept_ridge = INTERCEPT_RIDGE / LN2**2
    else:
        size_factors = size_factors * np.exp2(intercept)[:, np.newaxis]
        intercept_ridge = np.inf  # held at zero
        beta[:, 1:] = np.log(normalized_counts(counts, size_factors) + 0.1)
    ridge = 1.0 / (prior_var * LN2**2)
    nb_rlog_chunk(
        counts, size_factors, np.log(size_factors), inputs.weights, inputs.dispersion, intercept_ridge, ridge,
        inputs.min_mu, TOLERANCE, MAX_ITER, beta, n_iter,
    )  # fmt: skip
    centre = beta[:, 0] / LN2 if intercept is None else intercept
    return RLog(centre[:, np.newaxis] + beta[:, 1:] / LN2, centre, n_iter)


def sparse_share(normalized: FloatArray) -> float:
    """Return the share of genes with a sum of normalized counts above 100 that have 90 % of it in one sample.

    Such genes are far from a negative binomial distribution, which the regularized logarithm assumes. Of one sample
    alone nothing can be said: 0.
    """
    total = normalized.sum(axis=1)
    large = total > SPARSE_SUM
    if not large.any() or normalized.shape[1] == 1:
        return 0.0
    return float(np.mean(normalized[large].max(axis=1) / total[large] > SPARSE_SHARE))
