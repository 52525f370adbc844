"""Tables of results under names, however they are given: one, those of a query, or a dict of them."""

from __future__ import annotations

from collections.abc import Mapping

from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError, kind_of, listing

__all__ = ["named_results"]


def named_results(given: object, argument: str = "results") -> dict[str, Results]:
    """Return tables by name: a comparison by its label, the parts of a named set as 'name: label'.

    Parameters
    ----------
    given
        `Results`, a `ResultsSet`, a dict of names and these, or an object with such a dict as its `parts`.
    argument
        The name of the argument, for messages.

    Raises
    ------
    OptionError
        It is something else, or empty, or two have the same name.
    """
    if isinstance(given, Results):
        return {given.info.label: given}
    if isinstance(given, ResultsSet):
        return dict(given.parts)
    parts = given if isinstance(given, Mapping) else getattr(given, "parts", None)
    if not isinstance(parts, Mapping) or not parts:
        raise OptionError(f"{argument}= is {_shown(given)}; give a table of results, or a dict of names and tables.")
    found: dict[str, Results] = {}
    for name, part in parts.items():
        if not isinstance(part, (Results, ResultsSet)):
            raise OptionError(f"{argument}[{name!r}] is {kind_of(part)}; give tables of results.")
        several = isinstance(part, ResultsSet)
        own = {f"{name}: {label}": each for label, each in named_results(part).items()} if several else {name: part}
        repeated = [str(each) for each in own if str(each) in found]
        if repeated:
            raise OptionError(f"{argument}= has the same name twice: {listing(repeated)}.")
        found |= {str(each): table for each, table in own.items() if isinstance(table, Results)}
    return found


def _shown(given: object) -> str:
    return f"an empty {type(given).__name__}" if isinstance(given, Mapping) else kind_of(given)
