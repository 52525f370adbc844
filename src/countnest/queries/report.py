"""The description of a design in tables and sentences: cells, columns, nesting, and the queries it can answer."""

from __future__ import annotations

import html
import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.design.design import Design
from countnest.design.levels.order import order_sentences
from countnest.design.random.strata import has_strata
from countnest.errors import ContrastError, CountnestWarning, counted
from countnest.queries.cells import in_cell
from countnest.queries.effects import comparison_query
from countnest.queries.plan import MixedPlan, mixed_plan
from countnest.queries.query import Query
from countnest.remedies import option

__all__ = ["Report", "design_report"]

# Longer tables show this many rows.
MOST_ROWS = 40

ANSWERS = {
    "within": "within blocks",
    "between": "between blocks only: refused unless",
    "none": "yes",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The description of a design; prints as text, and as HTML in a notebook.

    Attributes
    ----------
    title
        The formula.
    facts
        Samples, columns, rank, residual degrees of freedom, in sentences.
    tables
        The factors, numbers, cells, columns and queries.
    notes
        Notes from building the design.
    """

    title: str
    facts: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.title, *(f"  {fact}" for fact in self.facts)]
        for name, table in self.tables.items():
            lines += ["", name, *(f"  {line}" for line in table.head(MOST_ROWS).to_string(index=False).splitlines())]
            lines += _rest(table)
        if self.notes:
            lines += ["", "notes", *(f"  - {note}" for note in self.notes)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        pieces = [f"<h4>{html.escape(self.title)}</h4>", _items(self.facts)]
        for name, table in self.tables.items():
            pieces += [f"<h5>{html.escape(name)}</h5>", table.head(MOST_ROWS).to_html(index=False), *_rest(table)]
        return "\n".join([*pieces, _items(self.notes) if self.notes else ""])


def _rest(table: pd.DataFrame) -> list[str]:
    return [f"  ... and {len(table) - MOST_ROWS} more"] if len(table) > MOST_ROWS else []


def _items(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def design_report(design: Design) -> Report:
    """Return the description of a design and the queries it can answer; less is known of one given as a matrix.

    With random terms the queries are those of a mixed model, see `plan.mixed_plan`.

    Notes
    -----
    R counterpart: the figures of ExploreModelMatrix show some of it.
    """
    n, p = design.matrix.shape
    q = len(design.full.columns)
    facts = [
        f"{counted(n, 'sample')}, {counted(q, 'column')} of rank {p}, {n - p} residual degrees of freedom",
        f"dropped columns: {_names(design.dropped)}",
    ]
    if design.levels:
        facts.append(f"reference levels: {', '.join(f'{name} {found[0]}' for name, found in design.levels.items())}")
    facts += order_sentences(design.orders, [block[-1] for block in design.nesting.blocks])
    facts += _nesting(design)
    facts += [f"cannot be fitted: {problem}" for problem in design.constant.values()]
    plan = mixed_plan(design) if has_strata(design) else None
    facts += plan.sentences() if plan else [f"random: ({term.label})" for term in design.random]
    tables = {
        "factors": _factors(design),
        "numbers": _numbers(design),
        "cells": _cells(design),
        "coefficients": _columns(design, plan),
        "queries": plan.table() if plan else _queries(design),
    }
    title = f"design {design.formula or f'matrix of {p} columns'}"
    return Report(title, tuple(facts), {name: table for name, table in tables.items() if len(table)}, design.notes)


def _names(names: Sequence[str], limit: int = 30) -> str:
    hidden = len(names) - limit
    return (", ".join(names[:limit]) or "none") + (f" and {hidden} more" if hidden > 0 else "")


def _nesting(design: Design) -> list[str]:
    """Return the nesting as sentences."""
    found = [f"nesting: {inner} within {' and '.join(outer)}" for inner, outer in design.nesting.tree()]
    for block in design.nesting.blocks:
        codes = np.stack([design.codes(name) for name in block])
        found.append(f"blocks: {':'.join(block)} ({np.unique(codes, axis=1).shape[1]} blocks)")
    return found


def _factors(design: Design) -> pd.DataFrame:
    rows = []
    for name, levels in design.levels.items():
        counts = np.bincount(design.codes(name), minlength=len(levels))
        shown = ", ".join(f"{level} ({count})" for level, count in list(zip(levels, counts, strict=True))[:8])
        rows.append({
            "factor": name,
            "levels": len(levels),
            "levels (samples)": shown + (", ..." if len(levels) > 8 else ""),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _numbers(design: Design) -> pd.DataFrame:
    rows = []
    for name in design.numbers:
        values = design.sheet[name].to_numpy(dtype=np.float64)
        low, high = values.min(), values.max()
        rows.append({"number": name, "mean": values.mean(), "sd": values.std(ddof=1), "from": low, "to": high})
    return pd.DataFrame(rows)


def _cells(design: Design) -> pd.DataFrame:
    """Return the number of samples in each cell of the factors that are not blocks, empty cells included."""
    blocks = {block[-1] for block in design.nesting.blocks}
    names = [name for name in design.levels if name not in blocks] or list(design.levels)
    if not names or np.prod([float(len(design.levels[name])) for name in names]) > 10_000:
        return pd.DataFrame()
    rows = []
    for choice in itertools.product(*(design.levels[name] for name in names)):
        cell = dict(zip(names, choice, strict=True))
        rows.append({**cell, "samples": int(in_cell(design, cell).sum())})
    return pd.DataFrame(rows)


def _columns(design: Design, plan: MixedPlan | None) -> pd.DataFrame:
    """Return the coefficients of each term and, with random terms, what they compare."""
    compares = {term.title: term.compares for term in plan.terms} if plan else {}
    rows = []
    for term, group in itertools.groupby(range(len(design.terms)), key=lambda place: design.terms[place]):
        names = [design.names[place] for place in group]
        text = _names(names, 6)
        title = ":".join(term) or "intercept"
        of_plan = {"compares": compares[title]} if plan else {}
        rows.append({"term": title, "columns": len(names), "coefficients": text, **of_plan})
    return pd.DataFrame(rows)


def _queries(design: Design) -> pd.DataFrame:
    """Return for each variable and each pair of variables whether the design can answer a query about it."""
    if design.coder is None:
        return pd.DataFrame()
    titles = {(name,): f"effect of {name}" for name in design.variables} | {
        pair: f"{' x '.join(pair)} interaction"
        for pair in itertools.combinations(design.variables, 2)
        if not _related(design, *pair)
    }
    return pd.DataFrame([{"query": title, "answer": _answer(design, names)} for names, title in titles.items()])


def _related(design: Design, left: str, right: str) -> bool:
    """Tell whether one variable is nested in the other, or neither is a factor."""
    numbers = left not in design.levels and right not in design.levels
    return numbers or left in design.nesting.parents(right) or right in design.nesting.parents(left)


def _answer(design: Design, names: Sequence[str]) -> str:
    by = list(dict.fromkeys(parent for name in names for parent in design.nesting.parents(name)))
    by = [name for name in by if name not in names]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CountnestWarning)
        try:
            query = comparison_query(
                design, {name: "reference" if name in design.levels else "slope" for name in names}, by=by
            )
        except ContrastError as error:
            return f"no: {_short(str(error), names)}"
    text = _text(query, names, by)
    return f"{text}; but {caught[0].message}" if caught else text


def _text(query: Query, names: Sequence[str], by: Sequence[str]) -> str:
    where = f" in each level of {' and '.join(by)}" if by else ""
    own = any(block[-1] in names for block in query.design.nesting.blocks) and len(names) == 1
    if own and query.stratum == "within":
        return f"these particular levels{where}"
    unless = f" {option('allow_fixed_blocks', True)}" if query.stratum == "between" else ""
    return f"{ANSWERS[query.stratum]}{unless}{where}"


def _short(message: str, names: Sequence[str]) -> str:
    """Return the reason of an error without the labels of the rows."""
    if "0 by assumption" in message:
        return f"the model has no {':'.join(names)} term"
    before, _, reason = message.rpartition(" cannot be estimated: ")
    return (reason if before else message).rstrip(".")
