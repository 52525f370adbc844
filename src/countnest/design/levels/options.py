"""Checks of the arguments `reference=`, `levels=` and others that name factors and levels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping, Set
from typing import Any

from countnest.errors import ContrastError, OptionError, SamplesError, kind_of

__all__ = ["by_factor", "checked_orders", "refuse_unordered", "require_names"]

FORMS = {
    "reference": "of factors and their reference levels, {'dex': 'untrt'}",
    "levels": "of factors and all their levels in order, {'minute': ['0', '5', '15']}",
}


def by_factor(option: str, given: object) -> dict[str, Any]:
    """Return an argument by factor, 'reference' or 'levels'; raise `OptionError` unless it is a dict or None."""
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    shown = f"{given!r}" if isinstance(given, (str, int, float, list, tuple, set)) else kind_of(given)
    raise OptionError(f"{option} should be a dict {FORMS[option]}; got {shown}.")


def checked_orders(given: object) -> dict[str, Any]:
    """Return the given orders of levels by factor; raise `SamplesError` for a value without order."""
    orders = by_factor("levels", given)
    for factor, named in orders.items():
        if (
            isinstance(named, (str, bytes, Mapping, Iterator))
            or not isinstance(named, Iterable)
            or _is_unordered(named)
        ):
            raise SamplesError(f"levels={{'{factor}': {named!r}}}: give the levels as a list, in their order.")
    return orders


def refuse_unordered(option: str, given: object) -> None:
    """Raise `ContrastError` for a set where order matters: it may differ in the next session."""
    if _is_unordered(given):
        raise ContrastError(f"{option}={given!r} is a set, which has no order; give a list.")


def require_names(option: str, given: object) -> None:
    """Raise `OptionError` unless names are given in a list, a tuple or similar."""
    if isinstance(given, str) or not isinstance(given, Collection) or not all(isinstance(name, str) for name in given):
        raise OptionError(f"{option}={given!r}: give the names of variables in a list.")


def _is_unordered(given: object) -> bool:
    """Tell whether an object is a set without order."""
    return isinstance(given, Set) and not isinstance(given, KeysView)
