"""The effect of a comparison and the residuals of every gene, in coordinates of one variance. G genes, n samples.

Source: Wu and Smyth (2012), doi:10.1093/nar/gks461. p coefficients, d = n - p.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.gene_sets.bases import aligned_coordinates, householder_coordinates, residual_basis
from countnest.stats.glm.subset import slices
from countnest.stats.linear.blocks import Blocks

__all__ = ["GeneEffects", "LinearData", "gene_effects"]


@dataclass(frozen=True, slots=True, eq=False)
class LinearData:
    """What linear models of all genes are fitted to.

    Attributes
    ----------
    values
        (G, n) such as log2 counts per million, none missing.
    design
        X (n, p), of full column rank.
    weights
        (G, n), or (1, n) for all genes, positive; None: all one.
    blocks
        Samples with correlated residuals; None: independent ones.
    scores
        Whether values have the variance 1 by themselves, as z-scores do.
    """

    values: FloatArray
    design: FloatArray
    weights: FloatArray | None = None
    blocks: Blocks | None = None
    scores: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class GeneEffects:
    """Estimates over what their standard errors would be with the variance 1 (G,), and residual coordinates (G, d).

    All of them have the residual variance of the gene, and, without an effect, the mean 0.
    """

    effect: FloatArray
    residual: FloatArray

    @property
    def df(self) -> int:
        """The residual degrees of freedom d."""
        return int(self.residual.shape[1])

    @property
    def variance(self) -> FloatArray:
        """(G,) residual variances."""
        return as_float((self.residual * self.residual).mean(axis=1))


def gene_effects(data: LinearData, contrast: FloatArray, *, aligned: bool = True) -> GeneEffects:
    """Return the effects of a contrast (p,) of the coefficients, and the residual coordinates.

    Parameters
    ----------
    aligned
        Whether genes with different weights have residual bases aligned with that of the model without weights.
        Otherwise they have those of Householder reflections, as in limma, which in designs of indicators depend on
        rounding. It makes a difference for estimated correlations and for fry.

    Raises
    ------
    ValueError
        If there are no residual degrees of freedom, or the contrast is zero.
    """
    design = _contrast_last(data.design, contrast)
    n, p = design.shape
    if n <= p:
        raise ValueError(f"{n} samples leave no residual degrees of freedom beside {p} coefficients")
    root = np.ones((1, n)) if data.weights is None else np.sqrt(np.atleast_2d(data.weights))
    white = _whitening(data.blocks, n, symmetric=aligned)
    basis = residual_basis(design if white is None else white @ design)
    parts = []
    for part in slices(len(data.values), n * n):
        own = root if len(root) == 1 else root[part]
        values, model = own * data.values[part], own[:, :, np.newaxis] * design
        if white is not None:
            values, model = values @ white.T, white @ model
        columns, triangle = np.linalg.qr(model)
        last = columns[:, :, -1] * np.sign(triangle[:, -1, -1])[:, np.newaxis]
        effect = (last * values).sum(axis=1)
        if aligned:
            parts.append((effect, aligned_coordinates(values, columns, basis)))
        else:
            parts.append((effect, householder_coordinates(values, model)))
    return GeneEffects(*(as_float(np.concatenate(each)) for each in zip(*parts, strict=True)))


def _contrast_last(design: FloatArray, contrast: FloatArray) -> FloatArray:
    """Return a design (n, p) of the same models whose last coefficient is a contrast, up to a positive factor."""
    used = np.flatnonzero(contrast)
    if not len(used):
        raise ValueError("the contrast is zero")
    others = np.delete(design, used[0], axis=1)
    if len(used) == 1:
        return as_float(np.column_stack([others, design[:, used[0]] * np.sign(contrast[used[0]])]))
    # orthonormal coordinates of the coefficients, of which the last is along the contrast
    turn = np.linalg.qr(contrast[:, np.newaxis], mode="complete")[0]
    turned = design @ turn
    along = turned[:, 0] * np.sign(turn[:, 0] @ contrast)
    return as_float(np.column_stack([turned[:, 1:], along]))


def _whitening(blocks: Blocks | None, n: int, *, symmetric: bool) -> FloatArray | None:
    """Return a matrix (n, n) that makes correlated samples independent; None: they are."""
    if blocks is None or blocks.correlation == 0.0:
        return None
    if symmetric:
        return blocks.whitened(np.eye(n))
    same = blocks.of_sample[:, np.newaxis] == blocks.of_sample
    lower = np.linalg.cholesky(np.where(np.eye(n) > 0, 1.0, np.where(same, blocks.correlation, 0.0)))
    return as_float(np.linalg.inv(lower))
