"""Residual deviances and their degrees of freedom, which samples without counts in empty cells do not add to.

Source: Lun and Smyth (2017), doi:10.1515/sagmb-2017-0010, no expression and quasi-likelihood. G genes, n samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.stats.glm.residual import unit_deviances
from countnest.stats.glm.subset import distinct

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["deviance", "deviance_df"]

# A mean below this, where there is no count, is zero.
NO_MEAN = 1e-4


def deviance(counts: FloatArray, mu: FloatArray, alpha: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return the deviances (G,) of means (G, n), with dispersions (G,) and observation weights, (G, n) or None."""
    units = unit_deviances(counts, mu, alpha)
    return as_float((units if weights is None else weights * units).sum(axis=1))


def deviance_df(counts: FloatArray, mu: FloatArray, weights: FloatArray | None, layout: Layout) -> FloatArray:
    """Return the residual degrees of freedom (G,) of fitted means (G, n).

    A sample without a count whose mean is zero fits by itself: it adds nothing to the deviance, and is left out, as are
    samples without weight. What remains are as many degrees of freedom as samples, or as the sum of their weights, less
    the rank of their rows of the model matrix; at least none.
    """
    used = (counts > 0.0) | (mu > NO_MEAN)
    if weights is None:
        size = used.sum(axis=1).astype(np.float64)
    else:
        used &= weights > 0.0
        size = np.where(used, weights, 0.0).sum(axis=1)
    return as_float(np.maximum(size - _ranks(used, layout), 0.0))


def _ranks(used: BoolArray, layout: Layout) -> FloatArray:
    """Return the ranks (G,) of the used rows (G, n) of the working columns."""
    ranks = np.full(len(used), float(layout.n_coefficients))
    some = np.flatnonzero(~used.all(axis=1))
    if not len(some):
        return ranks
    _, first_of_cell = np.unique(layout.of_sample, return_index=True)
    rows = layout.working.matrix[first_of_cell]
    cells = np.zeros((len(some), layout.n_cells), dtype=np.bool_)
    for sample, cell in enumerate(layout.of_sample):
        cells[:, cell] |= used[some, sample]
    if layout.n_cells == layout.n_coefficients:  # one row for each column, all of them independent
        ranks[some] = cells.sum(axis=1)
        return ranks
    first, which = distinct(cells)
    found = [np.linalg.matrix_rank(rows[cells[i]]) if cells[i].any() else 0 for i in first]
    ranks[some] = np.array(found, dtype=np.float64)[which]
    return ranks
