"""The meaning of the rows of a query: labels, and cells with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from countnest.arrays import BoolArray

__all__ = ["Levels", "NamedCell", "Row", "merged", "sum_of"]

Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A cell named by a query, such as ``treat1=B, treat2=E``, and its weight; other factors are averaged over."""

    levels: Levels
    weight: float


@dataclass(frozen=True, slots=True)
class Row:
    """The meaning of one functional of a query.

    Attributes
    ----------
    head
        The comparison: 'treat2[E - None]'.
    place
        The levels and values of 'by' and 'at', such as (('treat1', 'B'),).
    cells
        The cells that it names; none for a row that was given as coefficients.
    weights
        The p weights of the fitted coefficients, exactly as they were given; None: they follow from the functional.
    zero_samples
        The samples, shape (n,), among which a gene without counts is called unchanged; None: the rule follows from the
        cells or, without cells, from the weights, see `queries.empty_cells`.
    """

    head: str
    place: Levels = ()
    cells: tuple[NamedCell, ...] = ()
    weights: tuple[float, ...] | None = None
    zero_samples: BoolArray | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """'treat2[E - None] | treat1=B'."""
        where = ", ".join(f"{name}={value}" for name, value in self.place)
        return f"{self.head} | {where}" if where else self.head

    @property
    def short_names(self) -> list[str]:
        """Parts of the label: 'treat1=B', 'B', the head and parts of the head."""
        pieces = self.head.split(" : ")
        values = [name for variable, value in self.place for name in (f"{variable}={value}", value)]
        inner = [piece.partition("[")[2].rstrip("]") for piece in pieces]
        return [self.head, *pieces, *inner, ", ".join(values[::2]), *values]

    def scaled(self, factor: float) -> tuple[NamedCell, ...]:
        """Return the cells with their weights multiplied."""
        return tuple(NamedCell(cell.levels, cell.weight * factor) for cell in self.cells)


def sum_of(left: Row, right: Row, sign: float) -> Row:
    """Return the meaning of the sum or difference of two rows."""
    same = left.place == right.place
    names = (left.head, right.head) if same else (left.label, right.label)
    head = f"({names[0]}) {'+' if sign > 0 else '-'} ({names[1]})"
    return Row(head, left.place if same else (), merged([*left.cells, *right.scaled(sign)]))


def merged(cells: Sequence[NamedCell]) -> tuple[NamedCell, ...]:
    """Return the cells, with the weights of equal cells added."""
    total: dict[frozenset[tuple[str, str]], tuple[Levels, float]] = {}
    for cell in cells:
        key = frozenset(cell.levels)
        total[key] = (cell.levels, total.get(key, ((), 0.0))[1] + cell.weight)
    return tuple(NamedCell(levels, weight) for levels, weight in total.values() if abs(weight) > 1e-12)
