"""Queries: linear functionals of the log means of cells of a design, one or several, and their algebra."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.design.design import Design
from countnest.errors import ContrastError, counted, listing, suggestion
from countnest.options import is_number
from countnest.queries.cells import in_cell
from countnest.queries.estimable import contrast_matrix, sample_weights, tidy
from countnest.queries.explain import ExplainedRow, explain_rows
from countnest.queries.export import Program, r_code, recode
from countnest.queries.level_contrasts import ORDERED, compare
from countnest.queries.rows import Levels, NamedCell, Row, merged, sum_of
from countnest.queries.strata import Stratum, strata
from countnest.queries.weights import require_usable

__all__ = ["Query", "stack"]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A query: k linear functionals of the coefficients, each with a label.

    Queries can be added, subtracted, multiplied by numbers and stacked; the result is a new query of the same class.

    Attributes
    ----------
    design
        The design that the query belongs to.
    rows
        The functionals of the unreduced coefficients, shape (k, q).
    parts
        The meaning of each row.
    compared
        The factors whose levels are compared by name.
    is_joint
        Whether the rows are tested together: "does any of them differ from zero?".
    ordered
        The factors compared by a method that depends on the order of their levels, with the method.
    """

    design: Design
    rows: FloatArray
    parts: tuple[Row, ...]
    compared: frozenset[str] = field(default_factory=frozenset)
    is_joint: bool = False
    ordered: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse weights that are too large or too small for arithmetic."""
        require_usable(self.rows[[part.weights is None for part in self.parts]], "the query")

    __array_ufunc__ = None  # NumPy numbers leave arithmetic to the query

    def _new(self, **changes: Any) -> Self:  # noqa: ANN401 (the fields)
        """Return a query of the same class with other rows; every operation builds its result here."""
        return replace(self, **changes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the k rows."""
        return tuple(part.label for part in self.parts)

    @property
    def cells(self) -> tuple[tuple[NamedCell, ...], ...]:
        """The weighted cells that each row names."""
        return tuple(part.cells for part in self.parts)

    @property
    def matrix(self) -> FloatArray:
        """The contrasts of the fitted coefficients, shape (k, p)."""
        matrix = contrast_matrix(self.design, self.rows)
        for row, part in zip(matrix, self.parts, strict=True):
            if part.weights is not None:
                row[:] = part.weights
        return matrix

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """For each row 'within' blocks, 'between' them, or 'none' in a design without blocks."""
        return strata(self.design, sample_weights(self.design, self.matrix), self.compared)

    @property
    def stratum(self) -> Stratum:
        """'between' if any row compares blocks, otherwise the stratum of all rows."""
        return "between" if "between" in self.strata else self.strata[0]

    def between(self, modelled: Collection[str] = ()) -> tuple[str, ...]:
        """Return the labels of the rows that compare blocks, other than those whose variation a fit models."""
        found = strata(self.design, sample_weights(self.design, self.matrix), self.compared, modelled)
        return tuple(label for label, stratum in zip(self.labels, found, strict=True) if stratum == "between")

    @property
    def order_sentences(self) -> tuple[str, ...]:
        """The order of levels that the query depends on: 'order of minute: 0 < 5 < 15 (by their numbers)'."""
        spacing = {"poly": ", equally spaced", "linear": ", equally spaced"}
        orders = self.design.orders
        return tuple(
            f"order of {name}: {orders[name]}{spacing.get(method, '')}"
            for name, method in self.ordered.items()
            if name in orders
        )

    @property
    def informative_samples(self) -> BoolArray:
        """The samples, shape (k, n), that have a weight in each row."""
        weights = np.abs(sample_weights(self.design, self.matrix))
        informative: BoolArray = weights > 1e-8 * weights.max(axis=1, initial=0.0, keepdims=True)
        return informative

    def __iter__(self) -> Iterator[Self]:
        """Return the rows one by one, each a query."""
        return (self[place] for place in range(len(self)))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.parts)

    def __repr__(self) -> str:
        kind = "joint query" if self.is_joint else "query"
        return f"<{kind} of {len(self)}: {listing(self.labels)}>"

    def __add__(self, other: Query) -> Self:
        return self._combined(other, 1.0)

    def __sub__(self, other: Query) -> Self:
        return self._combined(other, -1.0)

    def __neg__(self) -> Self:
        return self * -1

    def __mul__(self, factor: float) -> Self:
        size = _number(factor)
        if size == 0:
            raise ContrastError("a query cannot be multiplied by 0: every contrast would be zero.")
        head = "-" if size == -1 else f"{size:.6g} * "
        parts = [Row(f"{head}({part.head})", part.place, part.scaled(size)) for part in self.parts]
        return self._new(rows=self.rows * size, parts=tuple(parts), is_joint=False)

    def __rmul__(self, factor: float) -> Self:
        return self * factor

    def __truediv__(self, factor: float) -> Self:
        if _number(factor) == 0:
            raise ContrastError("a query cannot be divided by 0.")
        parts = [Row(f"({part.head}) / {factor:.6g}", part.place, part.scaled(1 / factor)) for part in self.parts]
        return self._new(rows=self.rows / factor, parts=tuple(parts), is_joint=False)

    def __getitem__(self, key: str | int | slice | Sequence[str | int]) -> Self:
        """Return rows by label or position; a part that only one label has is enough, such as 'treat1=B'."""
        if isinstance(key, slice):
            places = list(range(len(self)))[key]
        else:
            keys = [key] if isinstance(key, str) or not isinstance(key, Iterable) else key
            places = [self._place(item) for item in keys]
        if not places:
            raise ContrastError(f"no row of the query was selected; its rows are {listing(self.labels, 20)}.")
        return self._new(
            rows=self.rows[places],
            parts=tuple(self.parts[place] for place in places),
            is_joint=self.is_joint and len(places) > 1,
        )

    def _place(self, key: str | int) -> int:
        """Return the position of a row."""
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise ContrastError(f"the query has {counted(len(self), 'row')}, so there is no row {key}.")
            return int(key) % len(self)
        known = f"Its rows are {listing(self.labels, 20)}."
        if not isinstance(key, str):
            raise ContrastError(f"{key!r} is not a row of the query; give labels or positions. {known}")
        matching = [place for place, label in enumerate(self.labels) if key == label]
        matching = matching or [place for place, part in enumerate(self.parts) if key in part.short_names]
        if len(matching) == 1:
            return matching[0]
        problem = "several rows of the query match" if matching else "no row of the query is called"
        raise ContrastError(f"{problem} '{key}'.{'' if matching else suggestion(key, self.labels)} {known}")

    def average(self, weights: Literal["equal", "proportional"] | Mapping[str, float] = "equal") -> Self:
        """Return the mean of the rows, as a query of one row.

        Parameters
        ----------
        weights
            'equal'; 'proportional' to the number of samples in the place ('by') of each row; or a dict of weights by
            label of the row, or part of it.
        """
        shares = self._shares(weights)
        heads = list(dict.fromkeys(part.head for part in self.parts))
        shared = tuple(item for item in self.parts[0].place if all(item in part.place for part in self.parts))
        over = list(
            dict.fromkeys(name for part in self.parts for name, value in part.place if (name, value) not in shared)
        )
        head = f"mean({heads[0]} | {', '.join(over)})" if len(heads) == 1 and over else f"mean({'; '.join(heads)})"
        cells = [cell for part, share in zip(self.parts, shares, strict=True) for cell in part.scaled(float(share))]
        rows = (shares @ self.rows)[np.newaxis, :]
        return self._new(rows=rows, parts=(Row(head, shared, merged(cells)),), is_joint=False)

    def _shares(self, weights: object) -> FloatArray:
        """Return the weight of each row in the average, shape (k,)."""
        sizes = np.ones(len(self))
        if isinstance(weights, Mapping):
            sizes[:] = 0.0
            for key, weight in weights.items():
                sizes[self._place(key)] = _number(weight)
        elif isinstance(weights, str) and weights == "proportional":
            sizes[:] = [in_cell(self.design, dict(part.place)).sum() for part in self.parts]
        elif not isinstance(weights, str) or weights != "equal":
            raise ContrastError(f"weights={weights!r} is not known; use 'equal', 'proportional' or a dict of rows.")
        if not sizes.sum() > 0 or sizes.min() < 0:
            raise ContrastError(f"the weights of the rows must be positive numbers or zero: {weights!r}.")
        shares: FloatArray = sizes / sizes.sum()
        return shares

    def across(self, variable: str, method: object = "pairwise") -> Self:
        """Return the differences of the rows over a variable of 'by'.

        Parameters
        ----------
        variable
            A variable that the rows differ in, such as 'treat1' for ``effect("treat2", by="treat1")``.
        method
            How its levels are compared: a pair, a method such as 'reference', or weights.
        """
        groups: dict[tuple[str, Levels], dict[str, int]] = {}
        for place, part in enumerate(self.parts):
            here = dict(part.place)
            if not isinstance(variable, str) or variable not in here:
                known = dict.fromkeys(name for each in self.parts for name, _ in each.place)
                raise ContrastError(f"the rows do not differ by '{variable}'.{suggestion(variable, known)}")
            level = here.pop(variable)
            groups.setdefault((part.head, tuple(here.items())), {})[level] = place
        ordered = {variable: method} if isinstance(method, str) and method in ORDERED else {}
        levels = self.design.levels.get(variable, ())
        standing = self.design.in_order(variable) if levels and ordered else levels
        rows, parts = [], []
        for (head, where), members in groups.items():
            order = [level for level in standing or members if level in members]
            for comparison in compare(order, method, variable):
                chosen = {members[level]: weight for level, weight in comparison.weights.items()}
                terms = (weight * self.rows[place] for place, weight in chosen.items())
                rows.append(sum(terms, np.zeros(self.rows.shape[1])))
                cells = [cell for place, weight in chosen.items() for cell in self.parts[place].scaled(weight)]
                parts.append(Row(f"{head} : {variable}[{comparison.label}]", where, merged(cells)))
        return self._new(
            rows=np.stack(rows),
            parts=tuple(parts),
            compared=self.compared | {variable},
            is_joint=False,
            ordered={**self.ordered, **ordered},
        )

    def joint(self) -> Self:
        """Return the query whose rows are tested together."""
        return self._new(is_joint=True)

    @property
    def _is_one_test(self) -> bool:
        """Whether several rows are tested together."""
        return self.is_joint and len(self) > 1

    def explain(self) -> str:
        """Return the meaning of the query in sentences: cells, coefficients, and whether it compares blocks."""
        counts = self.informative_samples.sum(axis=1).tolist()
        rows = [
            ExplainedRow(
                part.label,
                [(dict(c.levels), c.weight, int(in_cell(self.design, dict(c.levels)).sum())) for c in part.cells],
                *row,
            )
            for part, *row in zip(self.parts, self.matrix, self.strata, counts, strict=True)
        ]
        rank = int(np.linalg.matrix_rank(self.matrix)) if self._is_one_test else None
        return explain_rows(self.design, rows, self.order_sentences, rank)

    def vector(self, coding: object = "own") -> FloatArray:
        """Return the contrasts, shape (k, p), of the fitted coefficients or of those of another coding.

        Parameters
        ----------
        coding
            'own', or another coding of the same model: a design, a data frame (rows matched by label) or an array.
        """
        if isinstance(coding, str) and coding == "own":
            return self.matrix
        return tidy(recode(self.design, sample_weights(self.design, self.matrix), coding))

    def to_r(self, program: Program = "DESeq2") -> str:
        """Return R code for the same contrasts in 'DESeq2', 'edgeR' or 'limma'."""
        return r_code(self.design, self.labels, self.matrix, program, joint=self._is_one_test)

    def _combined(self, other: Query, sign: float) -> Self:
        """Return the sum or difference with another query of the same design."""
        if not isinstance(other, Query):
            raise ContrastError(f"only a query can be added to a query, not {other!r}.")
        if other.design is not self.design:
            raise ContrastError("the two queries belong to different designs.")
        if len(self) != len(other) and 1 not in (len(self), len(other)):
            raise ContrastError(
                f"the queries have {len(self)} and {len(other)} rows; they must have the same number, or one of them 1."
            )
        k = max(len(self), len(other))
        left, right = (query.parts * (k if len(query) == 1 else 1) for query in (self, other))
        rows = self.rows + sign * other.rows
        if np.any(np.abs(rows).max(axis=1, initial=0.0) < 1e-12):
            raise ContrastError("the two queries are the same in this model, so their difference is 0 by assumption.")
        parts = tuple(sum_of(a, b, sign) for a, b in zip(left, right, strict=True))
        return self._new(rows=rows, parts=parts, **_union((self, other)), is_joint=False)


def _union(queries: Sequence[Query]) -> dict[str, Any]:
    """Return the fields `compared` and `ordered` of several queries together."""
    return {
        "compared": frozenset().union(*(query.compared for query in queries)),
        "ordered": {name: how for query in queries for name, how in query.ordered.items()},
    }


def _number(factor: object) -> float:
    if not is_number(factor):
        raise ContrastError(f"a query can be multiplied only by a finite number, not by {factor!r}.")
    return float(factor)


def stack(queries: Sequence[Query]) -> Query:
    """Return one query with the rows of several queries of the same design."""
    first = queries[0]
    if any(query.design is not first.design for query in queries):
        raise ContrastError("the queries belong to different designs.")
    return first._new(
        rows=np.concatenate([query.rows for query in queries]),
        parts=tuple(part for query in queries for part in query.parts),
        **_union(queries),
        is_joint=False,
    )
