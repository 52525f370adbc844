"""Names of coefficients: R's syntactic names and DESeq2's result names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from countnest.errors import DesignError, listing

__all__ = ["duplicates", "make_names", "refuse_duplicates", "result_name"]

WORDS = ("if", "else", "repeat", "while", "function", "for", "next", "break", "in")
CONSTANTS = ("TRUE", "FALSE", "NULL", "Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_", "NA_complex_")
RESERVED = frozenset(WORDS).union(CONSTANTS)


def make_names(name: str) -> str:
    """Return `name` as a syntactically valid name of R.

    Characters other than letters, digits, '.' and '_' become '.'; a name that starts with none of a letter and a dot
    (or with a dot and a digit) gets the prefix 'X'; a reserved word gets a trailing dot.

    Parameters
    ----------
    name
        Any text.

    Returns
    -------
    str
        The valid name.

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
    """Tell whether `name` starts with a letter, or with a dot that no digit follows."""
    if name[:1] == ".":
        return not name[1:2].isdecimal()
    return name[:1].isalpha()


def result_name(column: str, *, level: tuple[str, str, str] | None = None) -> str:
    """Return the name of a coefficient in the results.

    Parameters
    ----------
    column
        Name of the column of R's model matrix, such as '(Intercept)' or 'dextrt'.
    level
        Variable, level and reference level, when the column compares a level with the reference.

    Returns
    -------
    str
        'Intercept', 'dex_trt_vs_untrt' or the column's name as a valid name of R.

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


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, each once, in order of first appearance."""
    return [name for name, count in Counter(names).items() if count > 1]


def refuse_duplicates(names: Iterable[str]) -> None:
    """Raise `DesignError` when coefficients have the same name."""
    doubled = duplicates(names)
    if doubled:
        raise DesignError(
            f"several coefficients would have the same name: {listing(doubled)}. Rename the variables or their levels."
        )
