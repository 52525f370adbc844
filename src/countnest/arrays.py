"""Array types, and the conversion that every array passes before it enters a kernel.

Words used everywhere: G genes, n samples, p coefficients.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "as_float", "as_int", "rows_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def as_float(values: npt.ArrayLike) -> FloatArray:
    """Return `values` as a float64, C-contiguous, writable array, copied only when it is not one already.

    Another layout, type or a read-only array would cost another compilation of every kernel that meets it.
    """
    return np.require(values, dtype=np.float64, requirements=["C", "W", "A"])


def as_int(values: npt.ArrayLike) -> IntArray:
    """Return `values` as an int64, C-contiguous, writable array, copied only when it is not one already."""
    return np.require(values, dtype=np.int64, requirements=["C", "W", "A"])


@overload
def rows_of(values: FloatArray, rows: BoolArray | IntArray | slice) -> FloatArray: ...


@overload
def rows_of(values: None, rows: BoolArray | IntArray | slice) -> None: ...


def rows_of(values: FloatArray | None, rows: BoolArray | IntArray | slice) -> FloatArray | None:
    """Return the rows of factors or weights for some genes; (1, n) applies to all genes, and None stays None."""
    return values if values is None or len(values) == 1 else values[rows]
