"""Weights of samples, from the size of their residuals in all genes.

Source: Ritchie et al. (2006), doi:10.1186/1471-2105-7-261; Liu et al. (2015), doi:10.1093/nar/gkv412. G genes, n
samples, p coefficients.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.kernels.linear.array_weights import array_weights_chunk
from countnest.stats.linear.least_squares import observed

__all__ = ["MIN_DF", "array_weights", "sum_to_zero", "variance_columns"]

# With fewer residual degrees of freedom, all weights are one.
MIN_DF = 2
# The information of the prior that variances are alike, as of so many genes.
PRIOR_GENES = 10.0
MAX_STEPS = 50
TOLERANCE = 1e-5
# Smaller residual variances are zero.
TINY = 1e-15


def variance_columns(n: int, groups: IntArray | None = None, columns: FloatArray | None = None) -> FloatArray:
    """Return the columns (n, m) of the log variances of n samples, each of mean zero.

    Parameters
    ----------
    groups
        (n,) samples that share a variance, as numbers from 0; None: each has its own.
    columns
        (n, m) columns of a model of the log variances instead; those that depend on earlier ones are left out.
    """
    if columns is not None:
        centred = columns - columns.mean(axis=0)
        lengths = np.sqrt((centred * centred).sum(axis=0))
        kept: list[int] = []
        for k in range(centred.shape[1]):
            if lengths[k] > 0 and np.linalg.matrix_rank(centred[:, [*kept, k]] / lengths[[*kept, k]]) > len(kept):
                kept.append(k)
        return as_float(centred[:, kept])
    own = sum_to_zero(np.arange(n) if groups is None else groups)
    return as_float(own - own.mean(axis=0))


def sum_to_zero(groups: IntArray) -> FloatArray:
    """Return the sum-to-zero contrasts (n, m) of m + 1 groups, which are the numbers from 0 of n samples."""
    n_groups = int(groups.max()) + 1
    return as_float(np.vstack([np.eye(n_groups - 1), -np.ones(n_groups - 1)])[groups])


def array_weights(
    values: FloatArray, design: FloatArray, weights: FloatArray | None = None, columns: FloatArray | None = None
) -> FloatArray:
    """Return the weights (n,) of samples, around one.

    Parameters
    ----------
    values
        (G, n) log2 counts per million; NaN where missing.
    design
        X (n, p)
    weights
        (G, n) precisions of the values; None: all one.
    columns
        (n, m) of the log variances, see `variance_columns`; None: every sample has a variance of its own.

    Notes
    -----
    With weights or missing values, estimates are updated gene by gene, and depend on the order of the genes in the last
    digits that matter; without them, by restricted maximum likelihood.

    R counterpart: limma::arrayWeights.
    """
    n, p = design.shape
    columns = variance_columns(n) if columns is None else columns
    if n - p < MIN_DF or not columns.shape[1]:
        return np.ones(n)
    basis = as_float(np.linalg.qr(design / np.abs(design).max(axis=0))[0])
    whole, own, gaps = observed(values, weights)
    if weights is None and gaps is None:
        gamma = _restricted_likelihood(values, basis, columns)
    else:
        gamma = np.zeros(columns.shape[1])
        own = np.broadcast_to(own, whole.shape)
        array_weights_chunk(as_float(whole), as_float(own), basis, columns, PRIOR_GENES * columns.T @ columns, gamma)
    return as_float(np.exp(-columns @ gamma))


def _restricted_likelihood(values: FloatArray, basis: FloatArray, columns: FloatArray) -> FloatArray:
    """Return the coefficients (m,) of the log variances, by scoring steps for all genes at once."""
    n, p = basis.shape
    with_constant = np.column_stack([np.ones(n), columns])
    gamma, before = np.zeros(columns.shape[1]), np.inf
    alike = PRIOR_GENES * columns.T @ columns
    for _ in range(MAX_STEPS):
        precision = np.exp(-columns @ gamma)
        root = np.sqrt(precision)
        own = np.linalg.qr(basis * root[:, np.newaxis])[0]
        hat = own @ own.T
        leverage = np.diag(hat)
        white = values * root
        square = (white - white @ hat) ** 2
        variance = square.sum(axis=1) / (n - p)
        used = variance >= TINY
        n_genes = int(used.sum())
        if not n_genes:
            break
        whole = with_constant.T @ ((1.0 - 2.0 * leverage)[:, np.newaxis] * with_constant)
        whole += with_constant.T @ (hat * hat) @ with_constant
        inner = whole[1:, 1:] - np.outer(whole[1:, 0], whole[0, 1:]) / whole[0, 0]
        ratio = (square[used] / variance[used, np.newaxis]).mean(axis=0)
        score = columns.T @ (n_genes * (ratio - (1.0 - leverage)) + PRIOR_GENES * (precision - 1.0))
        step = np.linalg.solve(n_genes * inner + alike, score)
        criterion = float(score @ step) / (n - 1) / (n_genes + PRIOR_GENES)
        if criterion >= before:
            break
        gamma, before = gamma + step, criterion
        if criterion < TOLERANCE:
            break
    return as_float(gamma)
