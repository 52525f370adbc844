"""Fits with hidden factors: further columns of the design, of which each question takes its own part out.

A fit of any method that can be made again with more columns offers hidden factors by a method `with_hidden_factors`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Protocol, cast, runtime_checkable

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.hidden import HiddenRecord
from countnest.design.design import Design
from countnest.errors import ContrastError, DesignError, OptionError, counted, listing, warn
from countnest.methods.fit import Fit, FitNotes, JointTest, RowTests, TestKind, Withheld, notes_of
from countnest.options import AltHypothesis, OutlierRule, ShrinkType
from countnest.parallel.kept import Kept
from countnest.progress import Progress
from countnest.queries.estimable import is_mean
from countnest.queries.query import Query
from countnest.remedies import advised, option
from countnest.stats.glm.layout import Layout
from countnest.stats.hidden.factors import (
    FEWEST_DF,
    FEWEST_GENES,
    HiddenFactors,
    HiddenOptions,
    find_factors,
    most_factors,
)

__all__ = [
    "CONFOUNDED",
    "MIN_MEAN",
    "HiddenFit",
    "TakesHiddenFactors",
    "check_number",
    "check_size",
    "df_for_factors",
    "extended_design",
    "extended_matrix",
    "factor_names",
    "fitted_again",
    "with_hidden_factors",
]

# Genes with a larger mean of normalized counts are used.
MIN_MEAN = 10.0
# From here on factor and groups are confounded.
CONFOUNDED = 0.5


@runtime_checkable
class TakesHiddenFactors(Protocol):
    """A fit that can be made again with hidden factors as further columns of its design, which has this layout."""

    @property
    def layout(self) -> Layout: ...  # noqa: D102 (attribute)

    def with_hidden_factors(self, asked: HiddenOptions) -> HiddenFit:
        """Return the fit with hidden factors, the number of which is given or found."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HiddenFit:
    """A fit whose design has K hidden factors as further columns; see `methods.fit.Fit`. Its contrasts are (k, p).

    The columns are the part W of the factors that is orthogonal to the design, times sqrt(n). A contrast c of the
    p coefficients becomes (c, -sqrt(n) tau), where tau is what the factors add to it. That is the same as to add the
    columns sqrt(n) (W + X d) with c'd = tau, to which c gives no weight; but W does not depend on the question, so that
    one fit answers all of them.

    Attributes
    ----------
    base
        The fit with these columns, p + K coefficients.
    before
        The fit without them, p coefficients.
    layout
        Of the model matrix without them.
    factors
        What was found; of the working columns of the layout.
    asked
        The options.
    """

    base: Fit
    before: Fit
    layout: Layout
    factors: HiddenFactors
    asked: HiddenOptions

    @property
    def method(self) -> str:
        """That of the fit."""
        return self.base.method

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """The kinds of test of queries."""
        return {word: kind for word, kind in self.base.kinds.items() if kind.is_of_query}

    @property
    def base_mean(self) -> FloatArray:
        """(G,) means of the normalized counts."""
        return self.base.base_mean

    @property
    def never_counted(self) -> BoolArray:
        """(G,) genes without any count."""
        return self.base.never_counted

    @property
    def shrinkage(self) -> ShrinkType | None:
        """That of the fit."""
        return self.base.shrinkage

    @property
    def notes(self) -> FitNotes:
        """Those of the fit."""
        return notes_of(self.base)

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Do as the fit does."""
        return self.base.models_block(block)

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        extended = self._extended(contrasts)
        return self.base.row_tests(extended, kind, threshold=threshold, alternative=alternative, unchanged=unchanged)

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        return self.base.joint_test(self._extended(contrasts, jointly=True), kind)

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose estimate is infinite."""
        return self.base.separated(self._extended(contrasts))

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes whose p-values are withheld: with outliers in either fit.

        The samples are replicates in the design without hidden factors, and Cook's distances need replicates.
        """
        found, before = self.base.withheld(rule, cooks_cutoff), self.before.withheld(rule, cooks_cutoff)
        return replace(found, outlier=found.outlier | before.outlier, cooks_cutoff=before.cooks_cutoff)

    def record(self, contrasts: FloatArray, samples: pd.Index, variables: Collection[str] = ()) -> HiddenRecord:
        """Return the record of the hidden factors and of their part in these contrasts (k, p).

        `variables` are those of the design, whose names the factors do not take.
        """
        factors, worked = self.factors, self._worked(contrasts)
        names = factor_names(factors.n_factors, variables)
        return HiddenRecord(
            n_factors=factors.n_factors,
            found=self.asked.n_factors is None,
            eigenvalues=factors.eigenvalues,
            reference=factors.reference,
            tau=factors.along_jointly(worked).T,
            confounding=factors.confounding(worked),
            columns=pd.DataFrame(factors.columns(worked), index=samples, columns=names),
            n_genes=len(factors.loadings),
            seed=self.asked.seed,
        )

    def confounding(self, contrasts: FloatArray) -> float:
        """Return the largest confounding of any factor with contrasts (k, p)."""
        return float(self.factors.confounding(self._worked(contrasts)).max(initial=0.0))

    def _worked(self, contrasts: FloatArray) -> FloatArray:
        """Return the contrasts (k, p) of the coefficients of the working columns."""
        standard = self.layout.standard
        return contrasts if standard is None else standard.contrasts(contrasts)

    def _extended(self, contrasts: FloatArray, *, jointly: bool = False) -> FloatArray:
        """Return the contrasts (k, p + K) of the fit with hidden factors, each by itself or as tested jointly."""
        worked = self._worked(contrasts)
        tau = self.factors.along_jointly(worked) if jointly else self.factors.along(worked)
        return np.hstack([contrasts, -math.sqrt(self.layout.n_samples) * tau])


def with_hidden_factors(query: Query, fit: Fit, kind: str, asked: HiddenOptions) -> HiddenFit:
    """Return the fit with hidden factors that answers a query by a kind of test.

    Raises
    ------
    OptionError
        The test is of the whole fit, the method has no hidden factors, or the number cannot be had.
    ContrastError
        The query is about a mean.
    DesignError
        The design leaves too few residual degrees of freedom.

    Warns
    -----
    CountnestWarning
        A factor lies along the query.
    """
    if not fit.kinds[kind].is_of_query:
        raise OptionError(
            "hidden factors belong to one comparison, and the test against the reduced model is of the whole fit: ask "
            + advised("with dds.effect(...).test('lrt', hidden_factors=...).", "with --query and --query-test lrt.")
        )
    if not isinstance(fit, TakesHiddenFactors):
        what = f"a fit by {fit.method} with shrunken coefficients" if fit.shrinkage else f"a fit by {fit.method}"
        raise OptionError(
            f"{what} cannot be made again with hidden factors. "
            + advised(
                "Find them with a fit that can, found = dds.effect(...).test(fit=..., hidden_factors='auto'), and put "
                "found.info.hidden.columns into the sample sheet and the design; or leave out hidden_factors=.",
                "Leave out --hidden-factors.",
            )
        )
    means = [label for label, mean in zip(query.labels, is_mean(query.design, query.matrix), strict=True) if mean]
    if means:
        raise ContrastError(
            f"{listing(means)}: hidden factors are taken out of comparisons, and this is a mean. Ask for a difference, "
            f"or leave out {option('hidden_factors')}"
        )
    found = fit.with_hidden_factors(asked)
    _warn_of_confounding(found, query)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Extended:
    """Hidden factors, and the fit made again with them; `source` is what they were found in."""

    source: object
    factors: HiddenFactors
    fit: Fit


# The last one: further questions of the same fit need no other.
_KEPT: Kept[_Extended] = Kept(1)


def fitted_again(
    fit: TakesHiddenFactors,
    source: object,
    asked: HiddenOptions,
    values: Callable[[], FloatArray],
    again: Callable[[FloatArray], Fit],
    progress: Progress | None = None,
) -> HiddenFit:
    """Return a fit made again with hidden factors, which are found in its values.

    Parameters
    ----------
    fit
        The fit, itself of a type that queries can be asked of.
    source
        What the data set keeps of it: the answer is kept for the next question.
    asked
        How many factors.
    values
        Returns the values (m, n) of expressed genes, as of `find_factors`.
    again
        Returns the fit of a model matrix (n, p + K).
    progress
        Told what is done; None: no one.

    Raises
    ------
    DesignError, OptionError
        Too few residual degrees of freedom, or expressed genes; too many factors.
    """
    layout = fit.layout
    check_number(asked, layout)

    def make() -> _Extended:
        found = values()
        check_size(len(found), MIN_MEAN)
        factors = find_factors(found, layout.working.matrix, asked.n_factors, seed=asked.seed)
        k = factors.n_factors
        if progress is not None:
            told = f"fitting the model again with {counted(k, 'hidden factor')}" if k else "no hidden factor was found"
            progress.announce(told)
        return _Extended(source, factors, again(extended_matrix(layout, factors)) if k else cast(Fit, fit))

    kept = _KEPT.get((id(source), asked), make)  # what is kept holds the source, so that its id stays its own
    return HiddenFit(kept.fit, cast(Fit, fit), layout, kept.factors, asked)


def extended_matrix(layout: Layout, factors: HiddenFactors) -> FloatArray:
    """Return a model matrix (n, p + K) with the factors as further columns, of mean square 1."""
    return as_float(np.hstack([layout.matrix, math.sqrt(layout.n_samples) * factors.scores]))


def extended_design(design: Design, matrix: FloatArray) -> Design:
    """Return a design with more columns, which are no variables of the sample sheet: hidden1, hidden2, ..."""
    names = tuple(factor_names(matrix.shape[1] - design.matrix.shape[1], design.variables))
    return replace(
        design,
        matrix=matrix,
        names=(*design.names, *names),
        columns=(*design.columns, *names),
        variables=(*design.variables, *names),
        terms=(*design.terms, *((name,) for name in names)),
    )


def df_for_factors(fit: Fit, kind: str) -> int | None:
    """Return the residual degrees of freedom for hidden factors; None if the fit, or the kind of test, takes none."""
    return fit.layout.residual_df if fit.kinds[kind].is_of_query and isinstance(fit, TakesHiddenFactors) else None


def factor_names(number: int, taken: Collection[str]) -> list[str]:
    """Return the names hidden1, hidden2, ... of this number of factors, without those that are taken.

    Examples
    --------
    >>> factor_names(2, ["group", "hidden1"])
    ['hidden2', 'hidden3']
    """
    names = (f"hidden{place}" for place in count(1))
    return list(islice((name for name in names if name not in taken), number))


def check_number(asked: HiddenOptions, layout: Layout) -> None:
    """Raise where a design leaves too few residual degrees of freedom for hidden factors, or for their number."""
    df = layout.residual_df
    if df < FEWEST_DF:
        raise DesignError(
            f"hidden factors are found in the residuals, and need {FEWEST_DF} residual degrees of freedom; this design "
            f"leaves {df} ({counted(layout.n_samples, 'sample')}, {counted(layout.n_coefficients, 'coefficient')}). "
            f"What remains is {option('null', 'scaled')}, or a column for a factor that is known, such as the batch."
        )
    most = most_factors(df)
    if asked.n_factors is not None and asked.n_factors > most:
        raise OptionError(
            f"{_number(asked.n_factors)}: with {df} residual degrees of freedom at most {most} "
            f"can be found; give a smaller number, or {option('hidden_factors', 'auto')}."
        )


def check_size(n_genes: int, least_mean: float) -> None:
    """Raise where too few genes are expressed to find what they share."""
    if n_genes < FEWEST_GENES:
        raise OptionError(
            f"hidden factors are what many genes share, and {counted(n_genes, 'gene')} with a mean count above "
            f"{least_mean:g} are too few to tell; {FEWEST_GENES} are needed. Leave out {option('hidden_factors')}"
        )


def _number(value: int) -> str:
    """Return the argument with a number of hidden factors."""
    return advised(f"hidden_factors={value}", f"--hidden-factors {value}")


def _warn_of_confounding(found: HiddenFit, query: Query) -> None:
    """Warn of comparisons along which a factor lies."""
    if not found.factors.n_factors:
        return
    along = [found.confounding(row[np.newaxis]) for row in query.matrix]
    labels = [label for label, size in zip(query.labels, along, strict=True) if size > CONFOUNDED]
    if labels:
        warn(
            f"a hidden factor is confounded with {listing(labels)}: the samples that are compared differ in it by "
            f"{2 * max(along):.1f} of its standard deviations. How much of the difference is the factor's is only "
            "estimated; look at the scale of the null of the answer, and take the p-values with caution."
        )
