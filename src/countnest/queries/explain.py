"""The meaning of a query in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.design.random.strata import error_strata, has_strata, shares_in_words, stratum_shares
from countnest.errors import counted

__all__ = ["ExplainedRow", "explain_rows"]


class ExplainedRow(NamedTuple):
    """A row of a query: its cells are levels, weight and number of samples; `n_informative` samples have a weight."""

    label: str
    cells: Sequence[tuple[Mapping[str, str], float, int]]
    weights: FloatArray
    stratum: str
    n_informative: int


def explain_rows(design: Design, rows: Sequence[ExplainedRow], orders: Sequence[str], rank: int | None) -> str:
    """Return the rows of a query as text: cells with their weights, orders of levels, coefficients, the stratum.

    `rank` is that of the contrasts if they are tested together.
    """
    lines = []
    if rank is not None:
        lines += [f"Do any of these {len(rows)} contrasts differ from zero? One test with {rank} df.", ""]
    for row in rows:
        lines.append(row.label)
        if row.cells:
            slopes, changes = (_numbers_in(design, row.label, form) for form in (r"slope\({}[,)]", r"{}\["))
            moving = f"changes with {' and '.join([*slopes, *changes])} of the " if slopes or changes else ""
            lines.append(f"  is the weighted sum of {moving}log means of {counted(len(row.cells), 'cell')}:")
            lines += [_cell_line(*cell) for cell in row.cells]
            lines += _averaged(design, {name for levels, _, _ in row.cells for name in levels}.union(changes))
        lines += [f"  {order}" for order in orders]
        weighted = zip(row.weights, design.names, strict=True)
        lines.append(f"  coefficients: {', '.join(f'{weight:+.4g} {name}' for weight, name in weighted if weight)}")
        lines.append(f"  {_stratum_sentence(design, row)}")
    return "\n".join(lines)


def _numbers_in(design: Design, label: str, form: str) -> list[str]:
    """Return the numeric variables of which a label gives the slope, or the change from one value to another."""
    return [name for name in design.numbers if re.search(rf"(?<![\w.]){form.format(re.escape(name))}", label)]


def _cell_line(levels: Mapping[str, str], weight: float, n_samples: int) -> str:
    name = ", ".join(f"{factor}={level}" for factor, level in levels.items()) or "all samples"
    return f"    {weight:+.4g}  {name}  ({counted(n_samples, 'sample')})"


def _averaged(design: Design, named: set[str]) -> list[str]:
    """Return the sentence on what is averaged over and held at its mean, if anything besides the named variables is."""
    implied = {parent for name in named for parent in design.nesting.data.get(name, ())}
    open_ = [name for name in design.levels if name not in named | implied]
    nested = [name for name in open_ if design.nesting.parents(name)]
    sentences = [f"averaged over all levels of {name}" for name in open_ if name not in nested]
    for name in nested:
        sentences.append(f"over the levels of {name} in each cell of {', '.join(design.nesting.parents(name))}")
    sentences += [f"{name} at its mean" for name in design.numbers if name not in named]
    return [f"  {'; '.join(sentences)}"] if sentences else []


def _stratum_sentence(design: Design, row: ExplainedRow) -> str:
    blocks = ", ".join(":".join(block) for block in design.nesting.blocks)
    counting = f"{row.n_informative} of {len(design.sheet)} samples count."
    if row.stratum == "between":
        return f"between blocks ({blocks}): these particular blocks are compared; {counting}"
    if row.stratum == "within":
        return f"within blocks ({blocks}): differences between blocks cancel; {counting}"
    if has_strata(design):
        strata = error_strata(design)
        compares = shares_in_words(strata, stratum_shares(design, strata, row.weights[np.newaxis])[0])
        return f"in a mixed model {compares}; {counting}"
    return f"{'its groups are random' if design.random else 'the design has no blocks'}; {counting}"
