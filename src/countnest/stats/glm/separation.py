"""Separation: maximum likelihood estimates that do not exist, because whole cells have no count.

With a log link the likelihood of a gene rises without end along a direction d of the coefficients exactly if d leaves
the linear predictor of every sample with a positive count as it is, and lowers that of samples with zero counts. These
directions are a cone; a contrast c'beta is infinite, or undetermined, where c is not orthogonal to it.

Sources: Albert and Anderson (1984), doi:10.1093/biomet/71.1.1; Correia, Guimaraes and Zylkin (2019), arXiv:1903.01633.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.optimize
import scipy.sparse

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.glm.layout import Layout

__all__ = ["diverging_directions", "separated"]

# Singular values, and lengths of projections, below this fraction of the largest are zero.
TOLERANCE = 1e-9
# Pivots above this fraction of the largest leave no doubt of the rank.
CLEAR_RANK = 1e-4
# A linear programme raises a slack to 1 or leaves it at 0.
HALF = 0.5
# Whole numbers, by their bytes: sorting them is faster than sorting strings of bytes.
WORDS: dict[int, npt.DTypeLike] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def separated(
    counts: FloatArray, contrasts: FloatArray, layout: Layout, weights: FloatArray | None = None
) -> BoolArray:
    """Return for which genes and contrasts, (G, k), the maximum likelihood estimate is not finite.

    Decided by the design and by where the zeros are, not by the size of an estimate.

    Parameters
    ----------
    counts
        (G, n), those that the model was fitted to. Genes without any count are never called separated: they are not
        fitted.
    contrasts
        (k, p) weights of the coefficients.
    layout
        Of the model matrix.
    weights
        (1, n) or (G, n) observation weights; samples of weight zero say nothing. None: all count.
    """
    contrasts = as_float(np.atleast_2d(contrasts))
    found = np.zeros((len(counts), len(contrasts)), dtype=np.bool_)
    counted, used = _cells(counts, layout, weights)
    bits, used_bits = _packed(counted), _packed(used)
    rows = np.flatnonzero(bits.any(axis=1) & (bits != used_bits).any(axis=1))
    if not len(rows):
        return found
    first, which = _distinct(bits[rows] if len(used) == 1 else np.hstack([bits[rows], used_bits[rows]]))
    patterns = rows[first]
    empty = ~counted[patterns] & (used if len(used) == 1 else used[patterns])
    memory = _memory(layout)
    directions = memory.directions(counted[patterns], empty)
    found[rows] = _affected(contrasts / memory.scale, directions)[which]
    return found


def diverging_directions(patterns: Sequence[tuple[FloatArray, FloatArray]]) -> list[FloatArray]:
    """Return bases of the spans of the directions along which the likelihood rises for ever.

    Parameters
    ----------
    patterns
        For each pattern of zeros the rows of the model matrix with a positive count (a, p), and those without any
        (b, p).

    Returns
    -------
    list
        Orthonormal columns (p, m) for each pattern; m = 0 where the estimate is finite.

    Notes
    -----
    With N a basis of the directions that leave the counted rows as they are, and A the empty rows times N, the cone is
    {N z: A z <= 0}. The rows of A that are zero in all of the cone cut its span out of N.
    """
    nulls = [_null_space(counted) for counted, _ in patterns]
    slopes = [_slopes(empty, null) for (_, empty), null in zip(patterns, nulls, strict=True)]
    unclear = [i for i, each in enumerate(slopes) if len(each) and not _has_strict_solution(each)]
    for i, strict in zip(unclear, _strict_rows([slopes[i] for i in unclear]), strict=True):
        nulls[i] = as_float(nulls[i] @ _null_space(slopes[i][~strict]))
    return nulls


def _null_space(rows: FloatArray) -> FloatArray:
    """Return an orthonormal basis (p, m) of the directions that all rows (a, p) are orthogonal to."""
    p = rows.shape[1]
    if not len(rows):
        return np.eye(p)
    if len(rows) >= p:
        with suppress(np.linalg.LinAlgError):  # most patterns have full rank, and a Cholesky factor tells it soonest
            pivots = np.linalg.cholesky(rows.T @ rows).diagonal()
            if pivots.min() > CLEAR_RANK * pivots.max():
                return np.empty((p, 0))
    return as_float(scipy.linalg.null_space(rows, rcond=TOLERANCE))


def _slopes(empty: FloatArray, null: FloatArray) -> FloatArray:
    """Return A (r, m) without rows that are zero."""
    slopes = empty @ null
    return as_float(slopes[np.abs(slopes).max(axis=1, initial=0.0) > TOLERANCE * np.abs(empty).max(initial=0.0)])


def _has_strict_solution(slopes: FloatArray) -> bool:
    """Tell whether A z < 0 is seen to have a solution at once: all of one sign, or independent rows."""
    if slopes.shape[1] == 1:
        return bool((slopes < 0).all() or (slopes > 0).all())
    return bool(np.linalg.matrix_rank(slopes, rtol=TOLERANCE) == len(slopes))


def _strict_rows(problems: Sequence[FloatArray]) -> list[BoolArray]:
    """Return for each A (r, m) which of its rows are negative for some z with A z <= 0.

    One linear programme for all: the largest sum of t with A z <= -t and 0 <= t <= 1. The cone has no ends, so that in
    its solution t is 1 for a row that can be negative, and 0 for another.
    """
    if not problems:
        return []
    rows, columns = (sum(each.shape[axis] for each in problems) for axis in (0, 1))
    found = scipy.optimize.linprog(
        np.concatenate([np.zeros(columns), -np.ones(rows)]),
        A_ub=scipy.sparse.hstack([scipy.sparse.block_diag(problems), scipy.sparse.eye_array(rows)], format="csc"),
        b_ub=np.zeros(rows),
        bounds=[(None, None)] * columns + [(0.0, 1.0)] * rows,
        method="highs",
    )
    assert found.x is not None, found.message  # z = 0 is feasible and the objective is bounded
    ends = np.cumsum([len(each) for each in problems])[:-1]
    return [np.asarray(each > HALF) for each in np.split(found.x[columns:], ends)]


def _cells(counts: FloatArray, layout: Layout, weights: FloatArray | None) -> tuple[BoolArray, BoolArray]:
    """Return which cells have a count (G, C), and which have samples of positive weight, (1, C) or (G, C)."""
    if weights is None or (weights > 0).all():
        return _in_cells(counts > 0, layout), np.ones((1, layout.n_cells), dtype=np.bool_)
    return _in_cells((counts > 0) & (weights > 0), layout), _in_cells(weights > 0, layout)


def _in_cells(samples: BoolArray, layout: Layout) -> BoolArray:
    """Return which cells (G, C) have one of the samples (G, n)."""
    of_sample = layout.cells.of_sample
    if layout.n_cells == layout.n_samples:
        return samples  # cells are numbered by appearance
    order = np.argsort(of_sample, kind="stable")
    start = np.searchsorted(of_sample[order], np.arange(layout.n_cells))
    return np.asarray(np.logical_or.reduceat(samples[:, order], start, axis=1))


def _packed(flags: BoolArray) -> npt.NDArray[np.uint8]:
    """Return the flags (G, C) of each row as bits in 1, 2, 4, 8 bytes or more."""
    n_bytes = -(-flags.shape[1] // 8)
    width = next((size for size in WORDS if size >= n_bytes), n_bytes)
    padded = np.zeros((len(flags), 8 * width), dtype=np.bool_)
    padded[:, : flags.shape[1]] = flags
    return np.packbits(padded.reshape(-1)).reshape(len(flags), width)


def _distinct(bits: npt.NDArray[np.uint8]) -> tuple[IntArray, IntArray]:
    """Return where each distinct row first occurs, and which of them each row is."""
    width = bits.shape[1]
    keys = np.ascontiguousarray(bits).view(WORDS.get(width, np.dtype((np.void, width))))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    """The distinct rows (C, p) of a model matrix, and the directions of the patterns that have been looked at.

    The columns are divided by their largest value, `scale` (p,), so that units do not matter.
    """

    rows: FloatArray
    scale: FloatArray
    known: dict[tuple[bytes, bytes], FloatArray]

    def directions(self, counted: BoolArray, empty: BoolArray) -> list[FloatArray]:
        """Return the directions of patterns (m, C)."""
        keys = [(some.tobytes(), none.tobytes()) for some, none in zip(counted, empty, strict=True)]
        new = [i for i, key in enumerate(keys) if key not in self.known]
        found = diverging_directions([(self.rows[counted[i]], self.rows[empty[i]]) for i in new])
        self.known.update((keys[i], each) for i, each in zip(new, found, strict=True))
        return [self.known[key] for key in keys]


@lru_cache(maxsize=8)
def _memory(layout: Layout) -> _Memory:
    """Return the memory of a layout: genes share patterns, and so do the questions about a data set."""
    _, first = np.unique(layout.cells.of_sample, return_index=True)
    scale = np.abs(layout.matrix).max(axis=0)
    return _Memory(layout.matrix[first] / scale, scale, {})


def _affected(contrasts: FloatArray, directions: Sequence[FloatArray]) -> BoolArray:
    """Return for which patterns, with directions (p, m) each, contrasts (k, p) are not orthogonal to all of them."""
    sizes = np.array([each.shape[1] for each in directions])
    affected = np.zeros((len(directions), len(contrasts)), dtype=np.bool_)
    some = np.flatnonzero(sizes)
    if len(some):
        along = np.abs(contrasts @ np.concatenate(directions, axis=1)) > TOLERANCE * np.linalg.norm(
            contrasts, axis=1, keepdims=True
        )
        starts = np.cumsum(sizes[some]) - sizes[some]
        affected[some] = np.logical_or.reduceat(along, starts, axis=1).T
    return affected
