"""The answers of tasks over blocks of genes, put together."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "Collected"]

Arrays = tuple[npt.NDArray[Any], ...]


class Collected:
    """The answers of all blocks, each at its place.

    Attributes
    ----------
    arrays
        An array (G, ...) for each answer; none before the first block.
    """

    def __init__(self, n_genes: int) -> None:
        self.arrays: Arrays = ()
        self._n_genes = n_genes
        self._lock = Lock()

    def put(self, block: slice, answers: Arrays) -> None:
        """Write the answers of a block; called from any thread."""
        with self._lock:
            if not self.arrays:
                self.arrays = tuple(np.empty((self._n_genes, *each.shape[1:]), each.dtype) for each in answers)
        for whole, part in zip(self.arrays, answers, strict=True):
            whole[block] = part
