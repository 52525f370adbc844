"""Prior counts, in proportion to library sizes. G genes, n samples."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray

__all__ = ["prior_counts"]


def prior_counts(library: FloatArray, prior_count: float) -> tuple[FloatArray, FloatArray]:
    """Return what is added to counts, and the library sizes with what is added to them.

    `library` is (n,), (1, n) or (G, n), and both results have two dimensions. The average prior count of a gene is
    `prior_count`.
    """
    library = np.atleast_2d(library)
    added = prior_count * library / library.mean(axis=1, keepdims=True)
    return added, library + 2.0 * added
