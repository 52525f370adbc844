"""The sparsity pattern of a model matrix, and the order of elimination of its normal equations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.algebra.elimination import (
    BELOW,
    BELOW_COLUMN,
    BELOW_SLOT,
    COLUMN,
    DIAGONAL,
    ENTRY,
    LEFT,
    N_CELLS,
    N_COLUMNS,
    N_ENTRIES,
    N_PLACES,
    N_SLOTS,
    ORDER,
    OUT,
    PAIR,
    PAIR_DIAGONAL,
    PAIR_SLOT,
    RIGHT,
    SAMPLE_CELL,
    UPDATE,
    Plan,
)

__all__ = ["plan_elimination"]


def plan_elimination(rows: FloatArray, of_sample: IntArray) -> Plan:
    """Return the plan for distinct rows (C, p) of a model matrix, and the row of each sample (n,)."""
    n_cells, p = rows.shape
    cell, column = np.nonzero(rows)
    start = np.searchsorted(cell, np.arange(n_cells + 1))
    entries = [list(zip(column[a:b].tolist(), rows[c, column[a:b]].tolist(), strict=True))
               for c, (a, b) in enumerate(itertools.pairwise(start))]  # fmt: skip
    order, below = _eliminate([{j for j, _ in one} for one in entries], p)
    slots = _slots(order, below)
    own = [[(_slot(slots, j, j), a * a) for j, a in one] for one in entries]
    mixed = [[(_slot(slots, i, j), a * b) for (i, a), (j, b) in itertools.combinations(one, 2)] for one in entries]
    pairs = [first + then for first, then in zip(own, mixed, strict=True)]
    updates = [_updates(slots, j, below[j]) for j in order]
    pair_starts = _starts(pairs)
    sections: dict[int, Sequence[int] | IntArray] = {
        SAMPLE_CELL: of_sample,
        ENTRY: start,
        COLUMN: column,
        PAIR: pair_starts,
        PAIR_DIAGONAL: pair_starts[:-1] + np.array([len(one) for one in own], dtype=np.int64),
        PAIR_SLOT: [slot for one in pairs for slot, _ in one],
        ORDER: order,
        DIAGONAL: [slots[j, j] for j in order],
        BELOW: _starts([below[j] for j in order]),
        BELOW_SLOT: [slots[j, i] for j in order for i in below[j]],
        BELOW_COLUMN: [i for j in order for i in below[j]],
        UPDATE: _starts(updates),
        LEFT: [left for one in updates for left, _, _ in one],
        RIGHT: [right for one in updates for _, right, _ in one],
        OUT: [out for one in updates for _, _, out in one],
    }
    log_det = np.linalg.slogdet(rows)[1] if n_cells == p else np.nan
    numbers = [log_det, *(a for one in entries for _, a in one), *(a for one in pairs for _, a in one)]
    sizes = {N_CELLS: n_cells, N_COLUMNS: p, N_SLOTS: len(slots), N_ENTRIES: len(column)}
    return Plan(_join(sizes, sections), as_float(np.array(numbers, dtype=np.float64)))


def _join(sizes: dict[int, int], sections: dict[int, Sequence[int] | IntArray]) -> IntArray:
    """Return sizes, the places where sections begin, and the sections as one array."""
    parts = [np.zeros(N_PLACES, dtype=np.int64)]
    for place, size in sizes.items():
        parts[0][place] = size
    end = N_PLACES
    for place, values in sections.items():
        parts[0][place] = end
        parts.append(np.asarray(values, dtype=np.int64))
        end += len(parts[-1])
    return as_int(np.concatenate(parts))


def _eliminate(met: list[set[int]], p: int) -> tuple[list[int], dict[int, list[int]]]:
    """Return an order of elimination, and for each column those left that it meets then.

    The next column is the one that meets fewest; of several, the first one.
    """
    neighbours: dict[int, set[int]] = {j: set() for j in range(p)}
    for columns in met:
        for j in columns:
            neighbours[j] |= columns - {j}
    order: list[int] = []
    below: dict[int, list[int]] = {}
    left = set(range(p))
    while left:
        j = min(left, key=lambda one: (len(neighbours[one]), one))
        order.append(j)
        left.remove(j)
        for i in neighbours[j]:
            neighbours[i] |= neighbours[j]
            neighbours[i] -= {i, j}
        below[j] = list(neighbours[j])
    place = {j: k for k, j in enumerate(order)}
    return order, {j: sorted(columns, key=place.__getitem__) for j, columns in below.items()}


def _slots(order: list[int], below: dict[int, list[int]]) -> dict[tuple[int, int], int]:
    """Return numbers for the pairs (column, the same or one eliminated later) that can be different from zero."""
    pairs = [(j, i) for j in order for i in (j, *below[j])]
    return {pair: slot for slot, pair in enumerate(pairs)}


def _slot(slots: dict[tuple[int, int], int], i: int, j: int) -> int:
    return slots[i, j] if (i, j) in slots else slots[j, i]


def _updates(slots: dict[tuple[int, int], int], j: int, below: list[int]) -> list[tuple[int, int, int]]:
    """Return the slots (left, right, out) of the updates that the elimination of a column makes."""
    return [
        (slots[j, i], slots[j, k], _slot(slots, i, k)) for i, k in itertools.combinations_with_replacement(below, 2)
    ]


def _starts(parts: Sequence[Sequence[object]]) -> IntArray:
    """Return the offsets of the parts among all entries, and at the end the number of entries."""
    return as_int(np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64))
