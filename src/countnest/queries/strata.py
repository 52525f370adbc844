"""Strata: whether a query compares within blocks or between them, and the refusal of the latter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.design.design import Design
from countnest.errors import StratumError, listing
from countnest.remedies import advised, option

__all__ = ["Stratum", "between_message", "block_indicators", "mixed_model_advice", "refuse_between", "strata"]

Stratum = Literal["within", "between", "none"]

# Relative tolerance of sums over a block.
TOLERANCE = 1e-8


def block_indicators(design: Design, factors: tuple[str, ...]) -> FloatArray:
    """Return the indicators of the cells of some factors, shape (n, number of cells)."""
    codes: IntArray = np.stack([design.codes(name) for name in factors])
    _, cell = np.unique(codes, axis=1, return_inverse=True)
    return np.eye(int(cell.max()) + 1)[cell.ravel()]


def strata(
    design: Design, weights: FloatArray, compared: Collection[str], modelled: Collection[str] = ()
) -> tuple[Stratum, ...]:
    """Return for each contrast whether it compares within or between blocks.

    Within: adding a constant to all samples of any block changes nothing. Blocks whose own levels are compared count
    by the cells of their parents: families of one group may be compared with each other.

    Parameters
    ----------
    design
        The design of n samples.
    weights
        The weights of the samples in each contrast, shape (k, n), see `estimable.sample_weights`.
    compared
        The factors whose levels are compared by name.
    modelled
        The blocks whose variation the fit models: they may be compared.

    Returns
    -------
    tuple
        'within', 'between', or 'none' for a design without blocks.
    """
    if not design.nesting.blocks:
        nothing: tuple[Stratum, ...] = ("none",)
        return nothing * len(weights)
    between = np.zeros(len(weights), dtype=bool)
    for block in design.nesting.blocks:
        if block[-1] in modelled:
            continue
        own = block[-1] in compared
        factors = design.nesting.parents(block[-1]) if own else block
        if factors:
            shift = np.abs(weights @ block_indicators(design, factors)).max(axis=1, initial=0.0)
            between |= shift >= TOLERANCE * np.abs(weights).max(axis=1, initial=0.0)
    found: list[Stratum] = ["between" if is_between else "within" for is_between in between]
    return tuple(found)


def refuse_between(design: Design, labels: Sequence[str]) -> None:
    """Raise `StratumError` if there are rows, given by their labels, that compare blocks."""
    if labels:
        raise StratumError(between_message(design, labels))


def between_message(design: Design, labels: Sequence[str]) -> str:
    """Return the message that a test between fixed blocks is not valid for other blocks, and the alternatives."""
    blocks = [":".join(block) for block in design.nesting.blocks]
    parents = list(dict.fromkeys(name for block in design.nesting.blocks for name in design.nesting.parents(block[-1])))
    within = f"compare within blocks, such as how '{parents[0]}' changes the effect of a treatment; " if parents else ""
    differ = "differs" if len(parents) == 1 else "differ"
    varies = f" ({listing(parents)} {differ} between blocks, not within)" if parents else ""
    compare = "compares" if len(labels) == 1 else "compare"
    return (
        f"{listing(labels)} {compare} blocks, the levels of {listing(blocks)}, which the design holds fixed{varies}: "
        "the answer would hold for these particular blocks only, because the standard error does not include the "
        f"variation between blocks. {mixed_model_advice(design)} Alternatives: {within}sum the counts of each "
        f"block and compare the sums in a design without blocks; or use {option('allow_fixed_blocks', True)} for an "
        "answer about these blocks only."
    )


def mixed_model_advice(design: Design) -> str:
    """Return the call that answers a question between blocks: a model in which the blocks are random."""
    from countnest.design.random.writing import blocks_as_random

    formula = blocks_as_random(design)
    call = "cn.lmm(dds), with a design that has the blocks as a random term, such as '(1 | family)'"
    if formula is not None:
        call = f"mixed = cn.lmm(dds.with_design({formula!r})), then the same query of mixed with test(fit='lmm')"
    return advised(
        f"A mixed model, in which blocks are random, answers it: {call}.",
        "A mixed model, in which blocks are random, answers it: --method mixed, with a design that has the "
        f"blocks as a random term, --design {formula or '~ condition + (1 | family)'!r}.",
    )
