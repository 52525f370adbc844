"""Errors and warnings that countnest raises, in a small tree under one base class.

Every message says what is wrong, which entries are concerned (the first five and a count) and what to do.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

__all__ = [
    "ArgumentError",
    "ConfoundedDesignError",
    "ContrastError",
    "CountnestError",
    "CountnestWarning",
    "CountsError",
    "DesignError",
    "FileError",
    "FormulaError",
    "MissingStepError",
    "NormalizationError",
    "NumericIdError",
    "OptionError",
    "RankError",
    "SamplesError",
    "StratumError",
    "UnknownColumnError",
    "UnknownNameError",
    "called",
    "counted",
    "kind_of",
    "listing",
    "suggestion",
    "warn",
]


_MANY = 2000  # with more names than this, similar ones are not searched for


class CountnestError(ValueError):
    """Base class of every error that countnest raises on purpose."""


class CountsError(CountnestError):
    """The count table cannot be used: bad values, duplicate labels, unclear orientation."""


class SamplesError(CountnestError):
    """The sample sheet cannot be used: labels that do not match, missing values, unknown levels."""


class DesignError(CountnestError):
    """The design cannot be fitted to these samples."""


class FormulaError(DesignError):
    """The formula does not parse, or names a variable that the sample sheet lacks."""


class RankError(DesignError):
    """The model matrix is not of full column rank."""


class ConfoundedDesignError(RankError):
    """Effects that the formula asks for cannot be separated with these samples."""


class NumericIdError(DesignError):
    """A variable that numbers individuals would be fitted as a slope."""


class ContrastError(CountnestError):
    """The requested comparison does not exist in the fitted model."""


class StratumError(CountnestError):
    """The query compares blocks, such as families, that the design holds fixed."""


class NormalizationError(CountnestError):
    """Size factors or normalization factors cannot be estimated or are invalid."""


class MissingStepError(CountnestError):
    """A step was called before the step that it needs."""


class OptionError(CountnestError):
    """An option has a value outside its domain."""


class ArgumentError(OptionError, TypeError):
    """A function was called with an argument that it does not have."""


class UnknownNameError(CountnestError, AttributeError):
    """The package, or one of its objects, has nothing of this name."""


class UnknownColumnError(CountnestError, KeyError):
    """A table has no column of this name."""

    __str__ = Exception.__str__  # a KeyError would show its message in quotes


class FileError(CountnestError):
    """A file cannot be read or written."""


class CountnestWarning(UserWarning):
    """Something that deserves attention but does not stop the analysis."""


def listing(names: Iterable[object], limit: int = 5) -> str:
    """Return the first `limit` names, quoted, and the count of the others.

    Examples
    --------
    >>> listing(["a", "b"])
    "'a', 'b'"
    >>> listing(range(7))
    "'0', '1', '2', '3', '4' and 2 more"
    """
    items = [f"'{name}'" for name in names]
    shown = ", ".join(items[:limit])
    hidden = len(items) - limit
    return shown if hidden <= 0 else f"{shown} and {hidden} more"


def suggestion(name: object, known: Iterable[object]) -> str:
    """Return ' Did you mean ...?' if `known` holds names similar to `name`, otherwise ''."""
    candidates = [str(item) for item in known]
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    if len(lowered) > _MANY:  # identifiers of genes: similar ones are other genes, and the search takes seconds
        near = [each for each in lowered if _bare(each) == _bare(str(name).lower())][:3]
    else:
        near = difflib.get_close_matches(str(name).lower(), list(lowered), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(lowered[item]) for item in near)}?" if near else ""


def _bare(name: str) -> str:
    """Return an identifier without spaces around it and without its version: ensg00000000003.15 is ensg00000000003."""
    return name.strip().partition(".")[0]


def counted(number: int, noun: str) -> str:
    """Return '1 sample' or '3 samples'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def kind_of(value: object) -> str:
    """Return the type of a value in words: 'a DataFrame', 'an ndarray', 'None'."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def called(function: Callable[..., Any], option: str, *arguments: object) -> Any:  # noqa: ANN401 (the caller checks)
    """Call a function that the user gave; an error in it becomes an `OptionError` that names the function.

    `option` is the name of the argument by which the function was given.
    """
    try:
        return function(*arguments)
    except Exception as error:
        inner = getattr(function, "func", function)  # of functools.partial
        name = getattr(inner, "__name__", type(inner).__name__)
        raise OptionError(f"{option}: the function '{name}' failed: {type(error).__name__}: {error}") from error


def warn(message: str) -> None:
    """Warn at the line of the caller outside the package, however deep in the package the problem is found."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("countnest."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CountnestWarning, stacklevel=level)
