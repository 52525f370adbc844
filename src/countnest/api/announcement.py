"""Notes on a new data set: reference levels, orders of levels, changes to the design."""

from __future__ import annotations

from collections.abc import Sequence

from countnest.design.design import Design
from countnest.design.levels.order import order_sentences
from countnest.progress import Progress

__all__ = ["announce"]


def announce(design: Design, progress: Progress, notes: Sequence[str] = ()) -> None:
    """Tell the notes of a reader, reference levels, orders of levels that mean something, and changes to the design."""
    for note in notes:
        progress.note(f"-- {note}")
    if design.levels:
        shown = ", ".join(f"{name} {levels[0]}" for name, levels in design.levels.items())
        progress.note(f"-- reference levels: {shown}")
    blocks = [block[-1] for block in design.nesting.blocks]
    for sentence in order_sentences(design.orders, blocks):
        progress.note(f"-- {sentence}")
    for note in design.notes:
        progress.note(note)
