"""The plan of a mixed model before it is fitted: what is compared within and between groups, with how many df."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.design.random.checks import mixed_errors, mixed_warnings
from countnest.design.random.containment import containment_df
from countnest.design.random.strata import ErrorStratum, error_strata, is_estimable_in, shares_in_words, stratum_shares
from countnest.design.random.writing import groups_as_fixed
from countnest.errors import ContrastError, CountnestWarning, counted
from countnest.queries.effects import comparison_query
from countnest.remedies import advised

__all__ = ["MixedPlan", "PlannedQuery", "RandomGroups", "mixed_plan"]

NEARLY = 0.99  # with at least this share the degrees of freedom of the stratum are near enough
MOSTLY = 0.9  # blocks held fixed lose little where at least this share is from within them


@dataclass(frozen=True, slots=True)
class RandomGroups:
    """The groups of a random term: its label, their number, and the numbers of samples in the smallest and largest."""

    label: str
    n_levels: int
    smallest: int
    largest: int

    @property
    def size(self) -> str:
        """The samples of a group in words: '2', '3 to 5'."""
        return f"{self.smallest}" if self.smallest == self.largest else f"{self.smallest} to {self.largest}"


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A query that a mixed model can be asked, or a term of its fixed part.

    Attributes
    ----------
    title
        Such as 'effect of treat1', or 'treat1:treat2' for a term.
    compares
        'between family', 'within family', or the shares of both; for a query that cannot be estimated, why.
    df
        Residual degrees of freedom of the stratum that all but a hundredth of the variance is from; NaN where there is
        none, or where it has several variances.
    containment
        Degrees of freedom by containment, the smallest of the rows; NaN where there are none.
    estimable
        Whether the samples determine it.
    holds_fixed
        Whether models with the groups held fixed answer it as well.
    """

    title: str
    compares: str
    df: float = np.nan
    containment: float = np.nan
    estimable: bool = True
    holds_fixed: bool = False

    @property
    def method(self) -> str:
        """The recommended method, in words."""
        if not self.estimable:
            return "none"
        return "groups fixed, QL F test" if self.holds_fixed else "mixed model"


@dataclass(frozen=True, slots=True)
class MixedPlan:
    """What a design with random terms can answer.

    Attributes
    ----------
    groups
        The random terms.
    strata
        Names and residual degrees of freedom of the strata, those between groups first; NaN where several variances
        meet in one.
    terms
        The terms of the fixed part; the intercept is 'intercept'.
    queries
        Effects and interactions.
    fixed
        The formula with the groups held fixed, for queries within them; None where there is none.
    problems
        Why linear mixed models cannot be fitted, if they cannot.
    cautions
        What is known poorly.
    residual_df
        Samples less coefficients.
    """

    groups: tuple[RandomGroups, ...]
    strata: tuple[tuple[str, float], ...]
    terms: tuple[PlannedQuery, ...]
    queries: tuple[PlannedQuery, ...]
    fixed: str | None
    problems: tuple[str, ...]
    cautions: tuple[str, ...]
    residual_df: int

    def sentences(self) -> list[str]:
        """Return the plan in sentences, without the queries."""
        found = [
            f"random: ({own.label}), {counted(own.n_levels, 'level')} of {own.size} samples" for own in self.groups
        ]
        found += [
            f"stratum: {name}, {f'{df:.0f} residual degrees of freedom' if np.isfinite(df) else 'of several variances'}"
            for name, df in self.strata
        ]
        found += self._in_several_strata()
        linear = advised("cn.lmm", "--method mixed")
        found += [f"cannot be fitted by {linear}: {problem}" for problem in self.problems]
        found += [f"caution: {caution}" for caution in self.cautions]
        models = advised("cn.lmm(dds)", "--method mixed"), advised("cn.glmm(dds)", "with --mixed-model glmm")
        found.append(f"mixed model: {models[0]} of log counts, or {models[1]} of counts")
        if self.fixed is not None and any(query.holds_fixed for query in self.queries):
            fixed = advised(f"cn.edger(dds.with_design({self.fixed!r}))", f"--method edger --design {self.fixed!r}")
            found.append(f"groups fixed, QL F test: {fixed}")
        return found

    def _in_several_strata(self) -> list[str]:
        """Return the sentence that coefficients take degrees of freedom in several strata, if any do."""
        in_strata = sum(df for _, df in self.strata)
        if not in_strata < self.residual_df:  # also where a stratum has none
            return []
        return [
            f"strata: their degrees of freedom are {in_strata:.0f} of {self.residual_df} residual ones, because "
            "effects that differ both between groups and within them, as where samples are missing, take one in each. "
            "Those of Kenward and Roger, found for each gene, can be larger"
        ]

    def table(self) -> pd.DataFrame:
        """Return the queries: what they compare, degrees of freedom, the recommended method."""
        return pd.DataFrame([
            {
                "query": query.title, "compares": query.compares, "df": _number(query.df),
                "df by containment": _number(query.containment), "method": query.method,
            }
            for query in self.queries
        ])  # fmt: skip


def _number(df: float) -> str:
    return f"{df:.0f}" if np.isfinite(df) else "-"


def mixed_plan(design: Design) -> MixedPlan:
    """Return what a design with random terms can answer, and how.

    Parameters
    ----------
    design
        A design with random terms.

    Returns
    -------
    MixedPlan
        Groups, strata, terms and queries.

    Notes
    -----
    The residual degrees of freedom of a stratum are those of an analysis of variance by strata, which is exact where
    all groups have the same samples. A query with differences of several strata, such as the effect of a treatment of
    families in one of two sibs, has no such number: Kenward-Roger's or Satterthwaite's method finds one for each gene.
    """
    strata = error_strata(design)
    fixed = groups_as_fixed(design)
    planner = _Planner(design, strata, fixed is not None)
    return MixedPlan(
        groups=tuple(
            RandomGroups(term.label, len(term.levels), int(term.sizes.min()), int(term.sizes.max()))
            for term in design.random
        ),
        strata=tuple((stratum.name, stratum.df) for stratum in strata),
        terms=tuple(planner.terms()),
        queries=tuple(planner.queries()),
        fixed=fixed,
        problems=tuple(str(error) for error in mixed_errors(design, "linear")),
        cautions=tuple(mixed_warnings(design, "linear")),
        residual_df=design.matrix.shape[0] - design.matrix.shape[1],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Planner:
    """The plans of single queries; `can_fix`: whether blocks can take the place of the random term."""

    design: Design
    strata: Sequence[ErrorStratum]
    can_fix: bool

    def terms(self) -> Iterator[PlannedQuery]:
        """Yield the terms of the fixed part."""
        identity = np.eye(len(self.design.terms))
        for term in dict.fromkeys(self.design.terms):
            yield self._planned(":".join(term) or "intercept", identity[[own == term for own in self.design.terms]])

    def queries(self) -> Iterator[PlannedQuery]:
        """Yield effects, those at each level of another factor where they compare differently, and interactions."""
        if self.design.coder is None:
            return
        names = self.design.variables
        for name in names:
            average = self._query(f"effect of {name}", [name])
            yield average
            for other in self.design.levels:
                if any({name, other} <= set(term) for term in self.design.terms) and other != name:
                    own = self._query(f"effect of {name} in each {other}", [name], by=[other])
                    if own.estimable and own.compares != average.compares:
                        yield own
        for pair in itertools.combinations(names, 2):
            if any(set(pair) <= set(term) for term in self.design.terms):
                yield self._query(f"{' x '.join(pair)} interaction", pair)

    def _query(self, title: str, names: Sequence[str], by: Sequence[str] = ()) -> PlannedQuery:
        how: Mapping[str, object] = {name: "reference" if name in self.design.levels else "slope" for name in names}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CountnestWarning)
            try:
                matrix = comparison_query(self.design, how, by=by).matrix
            except ContrastError as error:
                reason = str(error).rpartition(" cannot be estimated: ")[2].rstrip(".")
                return PlannedQuery(title, f"no: {reason}", estimable=False)
        planned = self._planned(title, matrix)
        return replace(planned, compares=f"{planned.compares}; but {caught[0].message}") if caught else planned

    def _planned(self, title: str, matrix: FloatArray) -> PlannedQuery:
        shares = stratum_shares(self.design, self.strata, matrix)
        mean = shares.mean(axis=0)
        largest = int(mean.argmax())
        within = self.strata[-1]
        holds_fixed = (
            self.can_fix and bool(shares[:, -1].min() >= MOSTLY) and all(is_estimable_in(self.design, within, matrix))
        )
        return PlannedQuery(
            title=title,
            compares=shares_in_words(self.strata, mean),
            df=self.strata[largest].df if mean[largest] >= NEARLY else np.nan,
            containment=_smallest(containment_df(self.design, matrix)),
            holds_fixed=holds_fixed,
        )


def _smallest(df: FloatArray) -> float:
    return float(df.min()) if len(df) and np.isfinite(df).all() else float("nan")
