"""What to do about questions that compare blocks."""

from __future__ import annotations

from collections.abc import Sequence

from countnest.design.design import Design
from countnest.errors import StratumError, listing
from countnest.queries.query import Query
from countnest.remedies import option

__all__ = ["between_message", "require_within"]


def require_within(query: Query, allow_fixed_blocks: bool = False) -> None:
    """Raise `StratumError` for a query that compares blocks which the design holds fixed.

    Parameters
    ----------
    query
        The question.
    allow_fixed_blocks
        Let it pass: the answer then holds for these particular blocks only.

    Raises
    ------
    StratumError
        With the reason and the ways out.
    """
    if allow_fixed_blocks or query.stratum != "between":
        return
    labels = [label for label, stratum in zip(query.labels, query.strata, strict=True) if stratum == "between"]
    raise StratumError(between_message(query.design, labels))


def between_message(design: Design, labels: Sequence[str]) -> str:
    """Return why questions that compare blocks have no valid test with the blocks fixed, and the ways out."""
    blocks = [":".join(block) for block in design.nesting.blocks]
    parents = list(dict.fromkeys(name for block in design.nesting.blocks for name in design.nesting.parents(block[-1])))
    within = f"ask within blocks, such as how '{parents[0]}' changes the effect of a treatment; " if parents else ""
    differ = f" ({listing(parents)} differs between blocks, not within)" if parents else ""
    verb = "compares" if len(labels) == 1 else "compare"
    return (
        f"{listing(labels)} {verb} blocks, the levels of {listing(blocks)}, which the design holds fixed{differ}: "
        "the answer would be about these particular blocks, because the variation between blocks, which decides how "
        f"far it holds for others, is not in its standard error. Ways out: {within}add up the counts of each block "
        f"and compare the sums in a design without blocks; or say {option('allow_fixed_blocks', True)} for an answer "
        "about these "
        "blocks only."
    )
