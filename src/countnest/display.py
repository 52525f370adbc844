"""Short descriptions of objects: a title and a few facts, as text and as HTML for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

__all__ = ["Described", "first_of"]


class Described:
    """An object that shows itself by a title and a few facts."""

    __slots__ = ()

    def _described(self) -> tuple[str, Mapping[str, str]]:
        """Return the title, and the facts by their names."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, facts = self._described()
        return "\n".join([title, *(f"{what}: {value}" for what, value in facts.items())])

    def _repr_html_(self) -> str:
        title, facts = self._described()
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(what)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for what, value in facts.items()
        )
        return f"<p><b>{html.escape(title)}</b></p><table>{rows}</table>"


def first_of(names: Iterable[object], limit: int = 6) -> str:
    """Return the first names and the number of the others: 'a, b and 3 more'."""
    items = [str(name) for name in names]
    hidden = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {hidden} more" if hidden > 0 else "")
