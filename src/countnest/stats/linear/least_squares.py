"""Weighted least squares for every gene at once. G genes, n samples, p coefficients.

The normal equations are those of orthonormal columns, which are well-conditioned as long as weights are of a size; a
gene with others, or with missing values that may leave a coefficient undetermined, is fitted by itself.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.kernels.linear.normal_equations import normal_equations_chunk
from countnest.stats.glm.subset import cross_products, slices, surely_full_rank
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.fits import LinearFits, unpacked

__all__ = ["independent_columns", "lm_fit", "observed"]

# A column whose length falls below this fraction of its own depends on those before it.
DEPENDENT = 1e-7
# Genes whose largest weight exceeds the smallest by more are fitted by a QR decomposition of their own.
MOST_UNEQUAL = 1e8


def lm_fit(
    values: FloatArray, design: FloatArray, weights: FloatArray | None = None, blocks: Blocks | None = None
) -> LinearFits:
    """Fit a linear model to every gene by generalized least squares.

    Parameters
    ----------
    values
        (G, n) such as log2 counts per million; NaN where missing.
    design
        X (n, p), of full column rank.
    weights
        (G, n), or (1, n) for all genes, not negative: precisions of the values. A value of weight 0 is missing.
    blocks
        Samples with correlated residuals; None, or a correlation of 0: independent ones.

    Notes
    -----
    R counterpart: limma::lmFit.
    """
    if blocks is not None and blocks.correlation == 0.0:
        blocks = None
    basis, triangle = _orthonormal(design, blocks)
    whole, weights, gaps = observed(values, weights)
    parts = [
        _fit(whole[part], weights if len(weights) == 1 else weights[part], design, basis, triangle, blocks)
        for part in slices(len(values), max(design.shape[1] ** 2, design.shape[0]))
    ]
    one = len(weights) == 1
    coefficients, covariance, sigma, df = (np.concatenate(each) for each in zip(*parts, strict=True))
    with np.errstate(invalid="ignore"):
        mean = whole.sum(axis=1) / whole.shape[1] if gaps is None else _means(values)
    inverse = np.linalg.inv(triangle)
    common = as_float(inverse @ inverse.T)
    return LinearFits(coefficients, covariance[:1] if one else covariance, triangle, common, sigma, df, mean)


def observed(values: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray, BoolArray | None]:
    """Return values (G, n) with 0 where missing, weights (G, n) with 0 there, and what is missing; None: nothing.

    Weights are (1, n) where they are the same for all genes.
    """
    weights = np.ones((1, values.shape[1])) if weights is None else np.atleast_2d(weights)
    missing = np.isnan(values)
    if not missing.any():
        return values, weights, None
    return np.where(missing, 0.0, values), np.where(missing, 0.0, weights), missing


def _means(values: FloatArray) -> FloatArray:
    """Return the means (G,) of what is not missing."""
    there = ~np.isnan(values)
    return as_float(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))


def _orthonormal(design: FloatArray, blocks: Blocks | None) -> tuple[FloatArray, FloatArray]:
    """Return columns Q (n, p) with Q'C^-1 Q = I, and R (p, p) with X = QR."""
    scale = np.abs(design).max(axis=0)
    scaled = design / scale
    white = scaled if blocks is None else blocks.whitened(scaled)
    triangle = np.linalg.qr(white)[1]
    return as_float(np.linalg.solve(triangle.T, scaled.T).T), as_float(triangle * scale)


Parts = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _fit(
    values: FloatArray,
    weights: FloatArray,
    design: FloatArray,
    basis: FloatArray,
    triangle: FloatArray,
    blocks: Blocks | None,
) -> Parts:
    """Return coefficients (k, p), packed covariances (k or 1, ...), sigma and df (k,) of some genes."""
    p = design.shape[1]
    alone = _difficult(weights, basis)
    sums = _Sums(np.where(alone[:, np.newaxis], 1.0, weights), basis, blocks)
    packed, own = _solved(sums.triangles, sums.right_side(values))
    coefficients = as_float(np.linalg.solve(triangle, own.T).T)
    df = np.broadcast_to((weights > 0).sum(axis=1) - float(p), (len(values),)).copy()
    rss = sums.squares(values - own @ basis.T)
    rows, columns = np.triu_indices(p)
    for g in np.flatnonzero(np.broadcast_to(alone, (len(values),))):
        w = weights[0 if len(weights) == 1 else g]
        coefficients[g], inner, rss[g], df[g] = _alone(values[g], w, design, triangle, blocks)
        packed[0 if len(weights) == 1 else g] = inner[rows, columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.where(df > 0, np.sqrt(np.maximum(rss, 0.0) / df), np.nan)
    return coefficients, packed, as_float(sigma), as_float(df)


def _solved(triangles: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the packed inverses (k or 1, ...) of matrices, given by their upper triangles, and solutions (k, p)."""
    p = right.shape[1]
    if len(triangles) == 1:
        rows, columns = np.triu_indices(p)
        inverse = np.linalg.inv(unpacked(triangles, p)[0])
        return as_float(inverse[np.newaxis, rows, columns]), as_float(right @ inverse)
    inverses, solutions = np.empty_like(triangles), np.empty_like(right)
    normal_equations_chunk(triangles, right, inverses, solutions)
    return inverses, solutions


def _difficult(weights: FloatArray, basis: FloatArray) -> BoolArray:
    """Return the genes (k,) that may lack a coefficient, or whose weights differ too much for normal equations."""
    there = weights > 0
    least = np.where(there, weights, np.inf).min(axis=1)
    difficult = weights.max(axis=1) > MOST_UNEQUAL * least
    gaps = np.flatnonzero(~there.all(axis=1))
    if len(gaps):
        plain = np.linalg.qr(basis)[0]
        difficult[gaps] |= ~surely_full_rank(cross_products(there[gaps], plain))
    return np.asarray(difficult | ~there.any(axis=1))


class _Sums:
    """Sums over the samples, for genes with weights (k, n).

    `triangles` (k, p (p + 1) / 2) are the upper triangles of the matrices of the normal equations.
    """

    def __init__(self, weights: FloatArray, basis: FloatArray, blocks: Blocks | None) -> None:
        n, p = basis.shape
        rows, columns = np.triu_indices(p)
        triangles = weights @ (basis[:, rows] * basis[:, columns])
        self.weights, self.basis, self.independent = weights, basis, blocks is None
        if blocks is not None:
            self.scale = 1.0 - blocks.correlation
            self.member, self.root = blocks.membership, np.sqrt(weights)
            self.shares = blocks.shares(weights > 0)
            by_block = (self.member[:, :, np.newaxis] * basis[:, np.newaxis, :]).reshape(n, -1)
            self.sums = (self.root @ by_block).reshape(len(weights), -1, p)
            weighted = self.sums * self.shares[:, :, np.newaxis]
            shared = np.swapaxes(weighted, 1, 2) @ self.sums
            triangles = (triangles - shared[:, rows, columns]) / self.scale
        self.triangles = as_float(triangles)

    def right_side(self, values: FloatArray) -> FloatArray:
        """Return the right sides (k, p) of the normal equations of values (k, n)."""
        found = (self.weights * values) @ self.basis
        if self.independent:
            return as_float(found)
        block_sums = self.shares * ((self.root * values) @ self.member)
        return as_float((found - (block_sums[:, np.newaxis, :] @ self.sums)[:, 0]) / self.scale)

    def squares(self, residuals: FloatArray) -> FloatArray:
        """Return the sums of squares (k,) of residuals (k, n)."""
        found = (self.weights * residuals * residuals).sum(axis=1)
        if self.independent:
            return as_float(found)
        block_sums = (self.root * residuals) @ self.member
        return as_float((found - (self.shares * block_sums * block_sums).sum(axis=1)) / self.scale)


def _alone(
    values: FloatArray, weights: FloatArray, design: FloatArray, triangle: FloatArray, blocks: Blocks | None
) -> tuple[FloatArray, FloatArray, float, float]:
    """Return coefficients (p,), the covariance (p, p) of orthonormal ones, sum of squares and df of one gene."""
    p = design.shape[1]
    there = weights > 0
    coefficients, covariance = np.full(p, np.nan), np.zeros((p, p))
    if not there.any():
        return coefficients, covariance, np.nan, 0.0
    root = np.sqrt(weights[there])
    columns, y = design[there] * root[:, np.newaxis], (values[there] * root)[:, np.newaxis]
    if blocks is not None:
        columns, y = blocks.whitened(columns, there), blocks.whitened(y, there)
    kept = independent_columns(columns)
    basis, own = np.linalg.qr(columns[:, kept])
    inverse = np.linalg.inv(own)
    coefficients[kept] = inverse @ (basis.T @ y)[:, 0]
    residual = y[:, 0] - columns[:, kept] @ coefficients[kept]
    outer = triangle[:, kept] @ inverse
    return coefficients, as_float(outer @ outer.T), float(residual @ residual), float(there.sum() - len(kept))


def independent_columns(matrix: FloatArray) -> list[int]:
    """Return the columns of a matrix (m, p) that are no combinations of those before them."""
    kept = list(range(matrix.shape[1]))
    length = np.sqrt((matrix * matrix).sum(axis=0))
    while True:
        rest = np.zeros(len(kept))
        diagonal = np.abs(np.diag(np.linalg.qr(matrix[:, kept], mode="r")))
        rest[: len(diagonal)] = diagonal
        dependent = np.flatnonzero(rest <= DEPENDENT * length[kept])
        if not len(dependent):
            return kept
        del kept[dependent[0]]
