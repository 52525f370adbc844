"""The interface of a method: the protocol of a fit that answers queries, and the records that it returns.

`methods.answer` asks a fit for estimates and tests and makes every table of results; it knows no method. G genes,
k contrasts, p coefficients; fold changes are log2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.counts import CountData
from countnest.design.design import Design
from countnest.options import AltHypothesis, OutlierRule, ShrinkType
from countnest.parallel.run import Engine

__all__ = [
    "FIT_MEMBERS",
    "STORED",
    "Fit",
    "FitNotes",
    "HasEstimates",
    "JointTest",
    "RowTests",
    "StoredFit",
    "TestKind",
    "UnshrunkenFit",
    "Withheld",
    "notes_of",
    "nothing_withheld",
    "register_fit",
]

# What every fit has.
FIT_MEMBERS = (
    "method", "kinds", "base_mean", "never_counted", "shrinkage", "models_block", "row_tests", "joint_test",
    "separated", "withheld",
)  # fmt: skip
# The types of stored fits, besides DESeq2's, that files may hold.
STORED: list[type] = []

# Degrees of freedom: none (normal or chi-square), one number, one for each gene (G,), or gene and row (G, k).
Df = float | FloatArray | None


@dataclass(frozen=True, slots=True)
class TestKind:
    """A kind of test that a fit offers.

    Attributes
    ----------
    label
        What tables call it: 'Wald', 'LRT'.
    has_threshold
        Whether it can test against a fold change other than zero, and one side.
    is_joint
        Whether it can test several rows at once.
    null
        What the null model is, for tests that fit one: '' where it follows from the query.
    is_of_query
        Whether it tests the query, and not the whole fit whatever the query.
    is_cautious
        Whether genes are filtered by the rule that costs no false discovery rate, and not by DESeq2's.
    is_filtered
        Whether genes with few counts were left out before the fit: they are not filtered again by their mean counts.
    joint_label
        What tables call the test of several rows at once; '': as that of one.
    is_posterior
        Whether its p-values are tail probabilities of a posterior distribution, which has no null distribution.
    """

    label: str
    has_threshold: bool = False
    is_joint: bool = True
    null: str | None = None
    is_of_query: bool = True
    is_cautious: bool = False
    is_filtered: bool = False
    joint_label: str = ""
    is_posterior: bool = False

    __test__ = False  # no test of pytest


@dataclass(frozen=True, slots=True, eq=False)
class RowTests:
    """Tests of k contrasts: log2 fold changes, standard errors, statistics and p-values (G, k); NaN where not fitted.

    `df` are the degrees of freedom of t tests, or of the denominator of F tests; None: none. `reach` gives half the
    lengths (G, k) of confidence intervals at a level, log2; None: those of a normal or t distribution. `interval` gives
    the ends (G, k) of intervals that are not symmetric. `columns` (G, k) are further ones, after those of the test, by
    their names in `containers.schema`.
    """

    lfc: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    df: Df = None
    reach: Callable[[float], FloatArray] | None = None
    interval: Callable[[float], tuple[FloatArray, FloatArray]] | None = None
    columns: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class JointTest:
    """The test that k contrasts are all zero: fold changes (G, k), statistics and p-values (G,).

    `df_tested` is the rank of the contrasts; `df` are the degrees of freedom of the denominator of F tests, one number
    or (G,); None: chi-square.
    """

    lfc: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    df_tested: int
    df: float | FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Withheld:
    """Genes whose p-values are withheld or set, all (G,).

    Attributes
    ----------
    outlier
        A count is an outlier.
    at_bound
        A coefficient ended at the bound of the search, so that it is not an estimate.
    emptied
        No count is left after outliers were replaced: the fold change is 0 and the p-value 1.
    cooks_cutoff
        The Cook's distance above which a count is an outlier; None: no gene was checked.
    filtered
        Genes that were left out before the fit, because they have few counts; None: none were.
    """

    outlier: BoolArray
    at_bound: BoolArray
    emptied: BoolArray
    cooks_cutoff: float | None = None
    filtered: BoolArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FitNotes:
    """What tables say of a fit besides its method: the attribute `notes` of fits that have something to say.

    Attributes
    ----------
    compat
        The release whose behaviour the fit has.
    estimate
        What the fold changes are, where they are neither estimates of maximum likelihood nor have a prior:
        'shrunken by a prior count of 0.125'.
    columns
        (G,) further columns of tables, after baseMean; `containers.schema` knows their names.
    not_offered
        Why there are no tests of a kind that other fits of the sort offer, and what to do, by the kind.
    details
        What the fit was made with, by name, for the record of a table: numbers, text, and lists of them.
    """

    compat: str | None = None
    estimate: str | None = None
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    not_offered: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Fit(Protocol):
    """A model that was fitted to every gene, with the counts that it was fitted to.

    Attributes
    ----------
    method
        The name of the method: 'DESeq2'.
    kinds
        The kinds of test that it offers, by the word that chooses them; the first is the default.
    base_mean
        (G,) means of the normalized counts.
    never_counted
        (G,) genes without any count, which are not fitted.
    shrinkage
        How the fold changes that are tested were shrunken; None: they are maximum likelihood estimates.

    A fit may also have `notes`, see `FitNotes`.
    """

    @property
    def method(self) -> str: ...  # noqa: D102 (attributes)
    @property
    def kinds(self) -> Mapping[str, TestKind]: ...  # noqa: D102
    @property
    def base_mean(self) -> FloatArray: ...  # noqa: D102
    @property
    def never_counted(self) -> BoolArray: ...  # noqa: D102
    @property
    def shrinkage(self) -> ShrinkType | None: ...  # noqa: D102

    def models_block(self, block: tuple[str, ...], /) -> bool:
        """Return whether the variation between the blocks of these factors is part of the model.

        Queries that compare blocks which a model holds fixed are refused.
        """
        ...

    def row_tests(
        self, contrasts: FloatArray, kind: str, /, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p); log2 fold changes are 0 where `unchanged` (G, k) says so."""
        ...

    def joint_test(self, contrasts: FloatArray, kind: str, /) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        ...

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose maximum likelihood estimate is infinite."""
        ...

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes whose p-values are withheld."""
        ...


class StoredFit(Protocol):
    """The part of a fit that a data set keeps and a file holds: a frozen dataclass of arrays, numbers and text."""

    def bind(self, data: CountData, design: Design, engine: Engine) -> Fit:
        """Return the fit, able to answer about these counts; `engine` works on the genes."""
        ...

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts, as sentences without the full stop."""
        ...


@runtime_checkable
class HasEstimates(Protocol):
    """A fit with estimates by gene, which `api.estimates` shows."""

    @property
    def base_mean(self) -> FloatArray: ...  # noqa: D102 (as of `Fit`)

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates (G,) by name, log2 coefficients by their names last."""
        ...


class UnshrunkenFit:
    """What fits share whose stored part has `base_mean`, and whose coefficients have no prior; to inherit from."""

    __slots__ = ()

    stored: Any
    data: CountData

    @property
    def base_mean(self) -> FloatArray:
        """(G,) means of the normalized counts."""
        found: FloatArray = self.stored.base_mean
        return found

    @property
    def never_counted(self) -> BoolArray:
        """(G,) genes without any count."""
        return ~self.data.counted

    @property
    def shrinkage(self) -> ShrinkType | None:
        """None: coefficients have no prior."""
        return None


def notes_of(fit: Fit) -> FitNotes:
    """Return the notes of a fit; those of a fit without any are empty."""
    notes = getattr(fit, "notes", None)
    return notes if isinstance(notes, FitNotes) else FitNotes()


def nothing_withheld(n_genes: int) -> Withheld:
    """Return a `Withheld` for this number of genes, without any p-value withheld."""
    none = np.zeros(n_genes, dtype=np.bool_)
    return Withheld(none, none, none)


def register_fit(kind: type) -> type:
    """Let files hold fits of this dataclass, and build them from files; to be used as a decorator.

    DESeq2's are always known.
    """
    if kind not in STORED:
        STORED.append(kind)
    return kind
