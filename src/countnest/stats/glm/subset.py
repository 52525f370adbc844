"""Many subsets of the rows of a model matrix: the distinct ones, and those of full rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from countnest.arrays import BoolArray, FloatArray, IntArray

__all__ = ["cross_products", "distinct", "orthonormal", "slices", "surely_full_rank"]

# A product of eigenvalues above this leaves no doubt that none is zero.
CLEAR_RANK = 1e-12
# Numbers in the largest array of a part of subsets.
BLOCK = 2**21
# Whole numbers, by their bytes: sorting them is faster than sorting strings of bytes.
WORDS: dict[int, npt.DTypeLike] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def distinct(chosen: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the first occurrence of each distinct row of flags (m, n), and which distinct row each row is."""
    n_bytes = -(-chosen.shape[1] // 8)
    width = next((size for size in WORDS if size >= n_bytes), n_bytes)
    padded = np.zeros((len(chosen), 8 * width), dtype=np.bool_)
    padded[:, : chosen.shape[1]] = chosen
    bits = np.packbits(padded.reshape(-1)).reshape(len(chosen), width)
    keys = bits.view(WORDS.get(width, np.dtype((np.void, width))))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


def orthonormal(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal columns (n, p) that span those of X (n, p), and R (p, p) with X = QR, whatever the units."""
    scale = np.abs(matrix).max(axis=0)
    basis, triangle = np.linalg.qr(matrix / scale)
    return basis, triangle * scale


def slices(number: int, size: int) -> Iterator[slice]:
    """Yield slices of `number` subsets, so small that arrays of `size` numbers for each subset fit in memory."""
    step = max(1, BLOCK // size)
    for start in range(0, number, step):
        yield slice(start, min(start + step, number))


def cross_products(chosen: BoolArray, basis: FloatArray) -> FloatArray:
    """Return Q'Q (m, p, p) of the chosen (m, n) rows of Q (n, p); with orthonormal columns, eigenvalues from 0 to 1."""
    n, p = basis.shape
    products = (basis[:, :, np.newaxis] * basis[:, np.newaxis, :]).reshape(n, p * p)
    return (chosen.astype(np.float64) @ products).reshape(-1, p, p)


def surely_full_rank(products: FloatArray) -> BoolArray:
    """Return for which of these (m, p, p) the rank is p without doubt: no eigenvalue is less than their product."""
    sure: BoolArray = np.linalg.det(products) > CLEAR_RANK
    return sure
