"""Names of coefficients: R's syntactic names and DESeq2's result names."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from countnest.errors import DesignError, listing

__all__ = ["duplicates", "make_names", "refuse_duplicates", "result_name", "written_levels"]

WORDS = ("if", "else", "repeat", "while", "function", "for", "next", "break", "in")
CONSTANTS = ("TRUE", "FALSE", "NULL", "Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_", "NA_complex_")
RESERVED = frozenset(WORDS).union(CONSTANTS)

# Signs that distinguish levels, such as CD4+ and CD4-, and the words for them where '.' would make names equal.
SIGNS = {
    "+": "plus", "-": "minus", "<": "lt", ">": "gt", "=": "eq", "%": "pct", "/": "per", "*": "star", "&": "and",
    "!": "not", "~": "about",
}  # fmt: skip


def make_names(name: str) -> str:
    """Return `name` as a syntactically valid name of R.

    Characters other than letters, digits, '.' and '_' become '.'; a name that starts with neither a letter nor a dot
    (or with a dot and a digit) gets the prefix 'X'; a reserved word gets a trailing dot.

    Notes
    -----
    R counterpart: base::make.names(unique = FALSE).

    Examples
    --------
    >>> make_names("treat1A:treat2E")
    'treat1A.treat2E'
    >>> make_names("2h")
    'X2h'
    """
    prefixed = name if _starts_well(name) else f"X{name}"
    valid = "".join(c if c.isalpha() or c.isdecimal() or c in "._" else "." for c in prefixed)
    return f"{valid}." if valid in RESERVED else valid


def _starts_well(name: str) -> bool:
    """Tell whether `name` starts with a letter, or with a dot not followed by a digit."""
    if name[:1] == ".":
        return not name[1:2].isdecimal()
    return name[:1].isalpha()


def result_name(column: str, *, level: tuple[str, str, str] | None = None) -> str:
    """Return the name in results of a column of R's model matrix: 'Intercept', 'dex_trt_vs_untrt' or a valid name of R.

    `level` has variable, level and reference level if the column compares a level with the reference.

    Notes
    -----
    R counterpart: DESeq2::resultsNames.
    """
    if column == "(Intercept)":
        return "Intercept"
    if level is None:
        return make_names(column)
    variable, value, reference = level
    return make_names(f"{variable}_{value}_vs_{reference}")


def written_levels(variable: str, levels: Sequence[str]) -> tuple[str, ...]:
    """Return the levels of a factor as written in the names of coefficients, so that no two names in R are equal.

    Levels with equal names have their signs written as words, and a number appended if that does not suffice.

    Notes
    -----
    R counterpart: DESeq2 stops, or gives two coefficients the same name.

    Examples
    --------
    >>> written_levels("cell", ["CD4+", "CD4-", "B cell"])
    ('CD4plus', 'CD4minus', 'B cell')
    """
    count = Counter(_name_of_level(variable, level) for level in levels)
    taken = {name for name, times in count.items() if times == 1}
    found = []
    for level in levels:
        alone = count[_name_of_level(variable, level)] == 1
        found.append(level if alone else _free(variable, _in_words(level), taken))
        taken.add(_name_of_level(variable, found[-1]))
    return tuple(found)


def _name_of_level(variable: str, level: str) -> str:
    return make_names(f"{variable}{level}")


def _in_words(level: str) -> str:
    """Return a level with its signs as words; a hyphen between letters or digits becomes '_'."""
    pieces = []
    for place, character in enumerate(level):
        inner = character == "-" and level[:place][-1:].isalnum() and level[place + 1 :][:1].isalnum()
        pieces.append("_" if inner or character.isspace() else SIGNS.get(character, character))
    return "".join(pieces)


def _free(variable: str, text: str, taken: Collection[str]) -> str:
    """Return a text whose name is not taken, with a number appended if necessary."""
    numbered = (text if number == 1 else f"{text}.{number}" for number in itertools.count(1))
    return next(each for each in numbered if _name_of_level(variable, each) not in taken)


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order of appearance."""
    return [name for name, count in Counter(names).items() if count > 1]


def refuse_duplicates(names: Iterable[str]) -> None:
    """Raise `DesignError` if coefficients have the same name."""
    doubled = duplicates(names)
    if doubled:
        raise DesignError(
            f"several coefficients would have the same name: {listing(doubled)}. Rename the variables or their levels."
        )
