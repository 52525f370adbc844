"""Sums of the rows of a large table by group, in one pass: a table of cells becomes one of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from countnest.arrays import FloatArray, IntArray

__all__ = ["Fault", "group_sums"]

# Numbers of a chunk, counted with its zeros: of a table that has them, and of one without.
_DENSE, _SPARSE = 1 << 24, 1 << 26


class Fault(NamedTuple):
    """A value that is not a count, and its position."""

    row: int
    column: int
    value: float


def group_sums(values: Any, codes: IntArray, n_groups: int) -> FloatArray | Fault:  # noqa: ANN401 (several libraries)
    """Return the sums (S, G) of the rows of a table by group, or the first value that is not a count.

    Parameters
    ----------
    values : (n, G)
        Whole numbers >= 0: an array or a SciPy sparse matrix; or an array or a sparse dataset of AnnData in a file, of
        which a chunk is read at a time.
    codes : (n,)
        The group of each row, from 0; below 0: the row counts nowhere.
    n_groups
        S.
    """
    sums = np.zeros((n_groups, values.shape[1]))
    for rows, columns, chunk in _chunks(values):
        found = _fault(chunk)
        if found is not None:
            return Fault(rows.start + found.row, columns.start + found.column, found.value)
        _add(sums[:, columns], chunk, codes[rows])
    return sums


def _chunks(values: Any) -> Iterator[tuple[slice, slice, Any]]:  # noqa: ANN401
    """Yield consecutive rows, or columns if the table is stored by columns, with their positions."""
    form = getattr(values, "format", None)
    by_columns = form == "csc"
    if form not in (None, "csr", "csc"):
        values = sparse.csr_array(values)
    n_rows, n_columns = values.shape
    length, width = (n_columns, n_rows) if by_columns else (n_rows, n_columns)
    step = max(1, (_DENSE if form is None else _SPARSE) // max(width, 1))
    for start in range(0, length, step):
        part = slice(start, min(start + step, length))
        rows, columns = (slice(0, n_rows), part) if by_columns else (part, slice(0, n_columns))
        chunk = values[:, part] if by_columns else values[part]
        yield rows, columns, chunk if sparse.issparse(chunk) else np.asarray(chunk)


def _fault(chunk: Any) -> Fault | None:  # noqa: ANN401
    """Return the first value of a chunk that is not a count."""
    is_sparse = bool(sparse.issparse(chunk))
    numbers: npt.NDArray[Any] = chunk.data if is_sparse else chunk
    if numbers.dtype.kind in "ub":
        return None
    with np.errstate(invalid="ignore"):
        good = (numbers >= 0) & (numbers < np.inf) & (np.floor(numbers) == numbers)
    if good.all():
        return None
    place = int(np.argmin(good.reshape(-1)))
    if not is_sparse:
        row, column = np.unravel_index(place, chunk.shape)
        return Fault(int(row), int(column), float(chunk[row, column]))
    entries = chunk.tocoo()
    return Fault(int(entries.row[place]), int(entries.col[place]), float(numbers[place]))


def _add(sums: FloatArray, chunk: Any, codes: IntArray) -> None:  # noqa: ANN401
    """Add the rows of a chunk to the sums of their groups."""
    members = np.flatnonzero(codes >= 0)
    shape = (len(sums), len(codes))
    belongs = sparse.csr_array((np.ones(len(members)), (codes[members], members)), shape=shape)
    found: Any = belongs @ chunk
    is_sparse = bool(sparse.issparse(found))
    if is_sparse:
        entries = found.tocoo()
        sums[entries.row, entries.col] += entries.data
    else:
        sums += found
