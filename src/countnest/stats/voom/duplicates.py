"""The correlation of samples within blocks, from all genes.

Source: Smyth, Michaud and Scott (2005), doi:10.1093/bioinformatics/bti270. G genes, n samples, b blocks.

The residuals of a gene in an orthonormal basis in which blocks are independent have variances s + s_b d, with known d:
the two components are fitted to their squares by a gamma model with the identity link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.errors import OptionError, counted
from countnest.stats.glm.subset import slices
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.least_squares import observed
from countnest.stats.voom.components import Squares, variance_components

__all__ = ["DuplicateCorrelation", "block_correlation", "is_spanned"]

TRIM = 0.15
MARGIN = 0.01
# Blocks that are this close to the span of the design leave nothing to estimate.
SPANNED = 1e-8
# Singular values below this fraction of the number of samples are zero.
NO_VALUE = 1e-13
# Those of a weighted design below this fraction of the largest too.
NO_RANK = 1e-10
# Residual squares below this fraction of those of the values are rounding.
NO_RESIDUAL = 1e-24


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateCorrelation:
    """The consensus, and the inverse hyperbolic tangents (G,) of the genes' correlations; NaN where there is none."""

    consensus: float
    atanh: FloatArray


def is_spanned(design: FloatArray, of_sample: IntArray) -> bool:
    """Return whether the blocks of the samples (n,) are combinations of the columns of the design (n, p)."""
    member = Blocks(of_sample, 0.0).membership
    basis = np.linalg.qr(design / np.abs(design).max(axis=0))[0]
    return bool(np.abs(member - basis @ (basis.T @ member)).max() < SPANNED)


def block_correlation(
    values: FloatArray, design: FloatArray, of_sample: IntArray, weights: FloatArray | None = None
) -> DuplicateCorrelation:
    """Return the correlation within blocks.

    Parameters
    ----------
    values
        (G, n) log2 counts per million; NaN where missing.
    design
        X (n, p)
    of_sample
        (n,) the block of each sample, as numbers from 0.
    weights
        (G, n), or (1, n), precisions of the values; None: all one.

    Raises
    ------
    OptionError
        No gene has values enough.

    Notes
    -----
    R counterpart: limma::duplicateCorrelation with a block. The consensus is a trimmed mean on the scale of atanh.
    """
    largest = int(np.bincount(of_sample).max())
    whole, own, _ = observed(values, weights)
    correlation = np.full(len(values), np.nan)
    own = np.broadcast_to(own, whole.shape)
    for part in slices(len(values), values.shape[1] * (int(of_sample.max()) + 1)):
        squares, usable = _squares(whole[part], own[part], design, of_sample)
        between, within = variance_components(squares)
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = between / (between + within)
        least = 1.0 / (1.0 - largest) + MARGIN if largest > 1 else -1.0
        correlation[part] = np.where(usable, np.clip(rho, least, 1.0 - MARGIN), np.nan)
    atanh = np.arctanh(correlation)
    if np.isnan(atanh).all():
        p = design.shape[1]
        raise OptionError(
            "the correlation within blocks cannot be estimated: no gene has values enough that vary. With "
            f"{counted(p, 'coefficient')} it takes {p + 3} samples, two blocks, and two samples more than blocks."
        )
    return DuplicateCorrelation(float(np.tanh(_trimmed_mean(atanh[~np.isnan(atanh)]))), atanh)


def _trimmed_mean(values: FloatArray) -> float:
    drop = int(np.floor(len(values) * TRIM))
    return float(np.sort(values)[drop : len(values) - drop].mean()) if len(values) else np.nan


def _squares(
    values: FloatArray, weights: FloatArray, design: FloatArray, of_sample: IntArray
) -> tuple[Squares, BoolArray]:
    """Return the squared residuals of genes (k, n) in directions in which blocks are independent, and which suffice."""
    there = weights > 0
    root = np.sqrt(weights)
    basis = np.linalg.qr(design / np.abs(design).max(axis=0))[0]
    p = design.shape[1]
    member = Blocks(of_sample, 0.0).membership
    own, rank = _spans(root[:, :, np.newaxis] * basis)
    blocks = there[:, :, np.newaxis] * member
    residual = blocks - own @ (np.swapaxes(own, 1, 2) @ blocks)
    y = (root * values)[:, :, np.newaxis]
    rest = (y - own @ (np.swapaxes(own, 1, 2) @ y))[:, :, 0]
    vectors, single, _ = np.linalg.svd(residual, full_matrices=False)
    n_there = there.sum(axis=1)
    d = np.where(single > NO_VALUE * values.shape[1], single**2, 0.0)
    u = np.where(d > 0, (np.swapaxes(vectors, 1, 2) @ rest[:, :, np.newaxis])[:, :, 0] ** 2, 0.0)
    n_rest = n_there - rank - (d > 0).sum(axis=1)
    squares = (rest * rest).sum(axis=1)
    total = np.maximum(squares - u.sum(axis=1), 0.0)
    n_blocks = (blocks.any(axis=1)).sum(axis=1)
    usable = (n_there > p + 2) & (n_blocks > 1) & (n_blocks < n_there - 1)
    usable &= squares > NO_RESIDUAL * (y * y).sum(axis=(1, 2))
    return Squares(as_float(d), as_float(u), n_rest.astype(np.float64), total), np.asarray(usable)


def _spans(columns: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return orthonormal columns (k, n, p) that span those of (k, n, p), zero where the rank is less, and the ranks."""
    vectors, single, _ = np.linalg.svd(columns, full_matrices=False)
    used = single > NO_RANK * single[:, :1]
    return as_float(vectors * used[:, np.newaxis, :]), used.sum(axis=1)
