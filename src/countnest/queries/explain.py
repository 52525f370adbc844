"""What a query asks, in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.errors import counted

__all__ = ["explain_query", "weighted_names"]

# Levels of factors, the weight of the cell that they make, and its number of samples.
WeighedCell = tuple[Mapping[str, str], float, int]


def explain_query(
    design: Design,
    labels: Sequence[str],
    matrix: FloatArray,
    cells: Sequence[Sequence[WeighedCell]],
    strata: Sequence[str],
    informative: Sequence[int],
    orders: Sequence[str] = (),
    *,
    joint: bool,
) -> str:
    """Return the rows of a query as text: cells with their weights, orders of levels, coefficients, the stratum."""
    lines = []
    if joint:
        rank = int(np.linalg.matrix_rank(matrix))
        lines += [f"Is any of these {len(labels)} differences not zero? One test with {rank} df.", ""]
    for row, label in enumerate(labels):
        lines.append(label)
        if cells[row]:
            slopes, changes = (_asked(design, label, form) for form in (r"slope\({}[,)]", r"{}\["))
            moving = f"changes with {' and '.join([*slopes, *changes])} of the " if slopes or changes else ""
            lines.append(f"  is the weighted sum of {moving}log means of {counted(len(cells[row]), 'cell')}:")
            lines += [_cell_line(*cell) for cell in cells[row]]
            lines += _averaged(design, [levels for levels, _, _ in cells[row]], changes)
        lines += [f"  {order}" for order in orders]
        lines.append(f"  coefficients: {weighted_names(matrix[row], design.names)}")
        lines.append(f"  {_stratum_sentence(design, strata[row], informative[row])}")
    return "\n".join(lines)


def _asked(design: Design, label: str, form: str) -> list[str]:
    """Return the numbers whose slope, or change from one value to another, a label asks for."""
    return [name for name in design.numbers if re.search(rf"(?<![\w.]){form.format(re.escape(name))}", label)]


def _cell_line(levels: Mapping[str, str], weight: float, n_samples: int) -> str:
    name = ", ".join(f"{factor}={level}" for factor, level in levels.items()) or "all samples"
    return f"    {weight:+.4g}  {name}  ({counted(n_samples, 'sample')})"


def _averaged(design: Design, cells: Sequence[Mapping[str, str]], changed: Sequence[str]) -> list[str]:
    """Return the sentence on what is averaged over and held at the mean; the numbers `changed` are not held."""
    named = {name for levels in cells for name in levels}.union(changed)
    implied = {parent for name in named for parent in design.nesting.data.get(name, ())}
    open_ = [name for name in design.levels if name not in named | implied]
    nested = [name for name in open_ if design.nesting.parents(name)]
    crossed = [name for name in open_ if name not in nested]
    sentences = [f"averaged over all levels of {name}" for name in crossed]
    for name in nested:
        sentences.append(f"over the levels of {name} in each cell of {', '.join(design.nesting.parents(name))}")
    sentences += [f"{name} at its mean" for name in design.numbers if name not in named]
    return [f"  {'; '.join(sentences)}"] if sentences else []


def weighted_names(weights: FloatArray, names: Sequence[str]) -> str:
    """Return weights of coefficients as text: '-1 treat1A.treat2E, +1 treat1B.treat2E'."""
    return ", ".join(f"{weight:+.4g} {name}" for weight, name in zip(weights, names, strict=True) if weight)


def _stratum_sentence(design: Design, stratum: str, informative: int) -> str:
    blocks = ", ".join(":".join(block) for block in design.nesting.blocks)
    n = len(design.sheet)
    if stratum == "between":
        return f"between blocks ({blocks}): these particular blocks are compared; {informative} of {n} samples count."
    if stratum == "within":
        return f"within blocks ({blocks}): differences between blocks cancel; {informative} of {n} samples count."
    return f"the design has no blocks; {informative} of {n} samples count."
