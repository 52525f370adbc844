"""Notes on a new data set: reference levels, orders of levels, changes to the design."""

from __future__ import annotations

from countnest.design.design import Design
from countnest.design.levels.order import order_sentences
from countnest.progress import Progress

__all__ = ["announce"]


def announce(design: Design, progress: Progress) -> None:
    """Tell the reference levels, the orders of levels that mean something, and what was done to the design."""
    if design.levels:
        shown = ", ".join(f"{name} {levels[0]}" for name, levels in design.levels.items())
        progress.note(f"-- reference levels: {shown}")
    blocks = [block[-1] for block in design.nesting.blocks]
    for sentence in order_sentences(design.orders, blocks):
        progress.note(f"-- {sentence}")
    for note in design.notes:
        progress.note(note)
