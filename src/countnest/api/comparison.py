"""The query whose fold changes are shrunken: a coefficient, a contrast or a query of one row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.api.query import BoundQuery
from countnest.api.results import kind_of_test, only
from countnest.containers.results import Results
from countnest.errors import ContrastError, OptionError, listing
from countnest.methods.answer import answer
from countnest.methods.answer_options import AnswerOptions
from countnest.methods.deseq2.fit import DESeq2Fit
from countnest.queries.contrasts import coefficient_place, contrast_query
from countnest.queries.estimable import is_mean
from countnest.queries.grammar import parse_query
from countnest.queries.query import Query

__all__ = ["chosen_query", "require_difference", "results_of_query"]


def chosen_query(
    fit: DESeq2Fit,
    coef: str | None,
    contrast: object,
    query: str | BoundQuery | None,
    list_values: Sequence[float],
    *,
    alone: bool,
) -> Query | None:
    """Return the chosen query of one row; None where there is none and `alone` leaves the choice to the results."""
    given = [name for name, value in (("coef", coef), ("contrast", contrast), ("query", query)) if value is not None]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} are given; give one of coef, contrast and query.")
    if not given and alone:
        return None
    if query is not None:
        return _of_one_row(fit, query)
    return contrast_query(fit.design, contrast, None if coef is None else _name(fit, coef), list_values)


def results_of_query(fit: DESeq2Fit, query: Query | None, *, strict: bool) -> Results:
    """Return the results of a query of one row, by default options; `strict` refuses a query that compares blocks."""
    query = contrast_query(fit.design) if query is None else query
    kind = None if strict else kind_of_test(fit, None)
    options = AnswerOptions(kind=kind, of_fit=not strict, on_blocks="refuse" if strict else "warn")
    return only(answer(query, fit, fit.data, fit.engine, options))


def _name(fit: DESeq2Fit, coef: object) -> str:
    """Return the name of a coefficient, as the design has it."""
    names = fit.design.names
    if isinstance(coef, str):
        return names[coefficient_place(fit.design, coef)]
    known = f"The coefficients are {listing(names, 20)}."
    if isinstance(coef, bool) or not isinstance(coef, (int, np.integer)):
        raise ContrastError(f"coef={coef!r} is not the name of a coefficient. {known}")
    from_zero, from_one = (f"'{names[k]}'" if 0 <= k < len(names) else "none" for k in (int(coef), int(coef) - 1))
    raise ContrastError(
        f"coef={coef} does not say from where it counts: from 1, as in R, it is {from_one}; from 0, as in Python, "
        f"it is {from_zero}. Give the name. {known}"
    )


def _of_one_row(fit: DESeq2Fit, query: str | BoundQuery) -> Query:
    """Return a query of one row, from a line of text or a query."""
    chosen = parse_query(fit.design, query) if isinstance(query, str) else query
    if not isinstance(chosen, Query):
        raise OptionError(
            f"query={query!r} is not a query; give a line of text, or a query made by dds.effect() and so on."
        )
    if chosen.design is not fit.design:
        raise ContrastError("the query belongs to another data set; make it with this one.")
    if len(chosen) != 1:
        raise ContrastError(
            f"the query has {len(chosen)} rows; fold changes are shrunken for one at a time: {listing(chosen.labels)}. "
            "Choose one, query[0] or query['label']."
        )
    return chosen


def require_difference(fit: DESeq2Fit, query: Query) -> None:
    """Raise `ContrastError` for a query about a mean, which a prior around zero would pull to one count."""
    if is_mean(fit.design, query.matrix).any():
        raise ContrastError(
            f"'{query.labels[0]}' is a mean, not a difference, and means are not shrunken to zero. Give a coefficient "
            f"other than the intercept, or a contrast; the coefficients are {listing(fit.design.names, 20)}."
        )
