"""The refusal of R scripts for what R does not redo."""

from __future__ import annotations

from collections.abc import Mapping

from countnest.errors import OptionError

__all__ = ["refuse"]


def refuse(wrong: Mapping[str, bool]) -> None:
    """Raise `OptionError` for what a fit has, of what a script cannot redo."""
    found = [what for what, is_there in wrong.items() if is_there]
    if found:
        raise OptionError(f"the R script cannot redo this fit, which has {' and '.join(found)}.")
