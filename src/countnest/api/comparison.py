"""One comparison: a coefficient, a contrast or a question of one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from countnest.api.answers import Fitted, Options, make_results
from countnest.api.questions import BoundQuery, bind
from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.errors import ContrastError, OptionError, listing
from countnest.queries.contrasts import coefficient_place, resolve_contrast
from countnest.queries.grammar import parse_query

__all__ = ["Asked", "one_comparison", "require_difference"]

# A contrast compares when adding a constant to all log means changes it by less.
NO_CHANGE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One comparison: weights (p,) of the coefficients, its name, and how its results are made."""

    vector: FloatArray
    label: str
    results: Callable[[], Results]


def one_comparison(
    fitted: Fitted,
    coef: str | None,
    contrast: object,
    query: str | BoundQuery | None,
    list_values: Sequence[float],
    *,
    alone: bool,
) -> Asked | None:
    """Return what is asked; None where `alone` the results say it."""
    given = [name for name, value in (("coef", coef), ("contrast", contrast), ("query", query)) if value is not None]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} are given; give one of coef, contrast and query.")
    if not given and alone:
        return None
    if query is not None:
        return _of_query(fitted, query)
    name = None if coef is None else _name(fitted, coef)
    asked = resolve_contrast(fitted.design, contrast, name, list_values)

    def results() -> Results:
        return make_results(fitted, Options(), contrast=contrast, name=name, list_values=list_values, test=None)

    return Asked(asked.vector, asked.label, results)


def _name(fitted: Fitted, coef: object) -> str:
    """Return the name of a coefficient, as the design has it."""
    names = fitted.design.names
    if isinstance(coef, str):
        return names[coefficient_place(fitted.design, coef)]
    known = f"The coefficients are {listing(names, 20)}."
    if isinstance(coef, bool) or not isinstance(coef, (int, np.integer)):
        raise ContrastError(f"coef={coef!r} is not the name of a coefficient. {known}")
    from_zero, from_one = (f"'{names[k]}'" if 0 <= k < len(names) else "none" for k in (int(coef), int(coef) - 1))
    raise ContrastError(
        f"coef={coef} does not say from where it counts: from 1, as in R, it is {from_one}; from 0, as in Python, "
        f"it is {from_zero}. Give the name. {known}"
    )


def _of_query(fitted: Fitted, query: str | BoundQuery) -> Asked:
    """Return the comparison of a question of one row."""
    if isinstance(query, str):
        query = bind(parse_query(fitted.design, query), lambda: fitted)
    if not isinstance(query, BoundQuery):
        raise OptionError(
            f"query={query!r} is not a question; give a line of text, or what dds.effect() and so on return."
        )
    if query.design is not fitted.design:
        raise ContrastError("the query belongs to another data set; ask this one.")
    if len(query) != 1:
        raise ContrastError(
            f"the query has {len(query)} rows; fold changes are shrunken for one at a time: {listing(query.labels)}. "
            "Choose one, query[0] or query['label']."
        )
    bound = query

    def results() -> Results:
        found = bound.test()
        assert isinstance(found, Results)
        return found

    return Asked(query.matrix[0], query.labels[0], results)


def require_difference(fitted: Fitted, asked: Asked) -> None:
    """Raise `ContrastError` for a question about a mean, which a prior around zero would pull to one count."""
    matrix = fitted.layout.matrix
    constant = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
    spanned = np.abs(matrix @ constant - 1.0).max() < NO_CHANGE
    if spanned and abs(asked.vector @ constant) > NO_CHANGE:
        raise ContrastError(
            f"'{asked.label}' is a mean, not a difference, and means are not shrunken to zero. Give a coefficient "
            f"other than the intercept, or a contrast; the coefficients are {listing(fitted.design.names, 20)}."
        )
