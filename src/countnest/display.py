"""Short descriptions of objects: a title and a few facts, as text and as HTML for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

__all__ = ["facts_as_html", "facts_as_text", "first_of"]


def facts_as_text(title: str, facts: Mapping[str, str]) -> str:
    """Return the title, and a line 'what: value' for each fact."""
    return "\n".join([title, *(f"{what}: {value}" for what, value in facts.items())])


def facts_as_html(title: str, facts: Mapping[str, str]) -> str:
    """Return the same as a heading and a table of two columns, everything escaped."""
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
