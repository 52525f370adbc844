"""Questions to a data set, in words about its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from countnest.api.held import HeldData
from countnest.api.questions import BoundQuery, bind
from countnest.design import question
from countnest.design.coefficient import coefficients
from countnest.design.grammar import parse_query

__all__ = ["AskedData"]


class AskedData(HeldData):
    """A data set that answers questions; `DESeqDataSet` adds the steps that must come before."""

    def effect(
        self,
        variable: str,
        *,
        levels: object = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401 (a word or a dict)
        per: float | str | None = None,
        from_: float | None = None,
        to: float | None = None,
    ) -> BoundQuery:
        """Ask what a variable does: differences of the levels of a factor, or the slope of a number.

        Factors that are not mentioned are averaged over, crossed ones with equal weights, nested ones over the levels
        that occur. See `design.question.effect` for the arguments.

        Examples
        --------
        >>> dds.effect("treat2", by="treat1")  # doctest: +SKIP
        """
        asked = question.effect(
            self._design, variable, levels=levels, by=by, at=at, weights=weights, per=per, from_=from_, to=to
        )
        return bind(asked, self._answerable)

    def interaction(
        self,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
        **comparisons: object,
    ) -> BoundQuery:
        """Ask how the effect of a variable differs over others: ``interaction(treat2="reference", treat1="pairwise")``.

        Each comparison is a pair (high, low), a method ("reference", "pairwise", "consecutive", "deviation",
        "helmert", "mean_change", "poly"), or a dict of weights; see `design.question.interaction`.
        """
        return bind(question.interaction(self._design, by=by, at=at, weights=weights, **comparisons), self._answerable)

    def means(
        self,
        by: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
    ) -> BoundQuery:
        """Ask for the log2 mean of each cell of some factors."""
        return bind(question.means(self._design, by, at=at, weights=weights), self._answerable)

    def cell(self, *, weights: Any = "equal", **levels: object) -> BoundQuery:  # noqa: ANN401
        """Ask for the log2 mean of one cell; the difference of two is a comparison."""
        return bind(question.cell(self._design, weights=weights, **levels), self._answerable)

    def query(self, text: str) -> BoundQuery:
        """Ask in one line: ``"treat2[E - None] : treat1[B - A]"``; see `design.grammar.parse_query`."""
        return bind(parse_query(self._design, text), self._answerable)

    def contrast(self, asked: object, *, list_values: Sequence[float] = (1.0, -1.0)) -> BoundQuery:
        """Ask with coefficients: an expression of their names, lists of names, a dict, a vector, a matrix (joint)."""
        return bind(coefficients(self._design, asked, list_values), self._answerable)
