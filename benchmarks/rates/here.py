"""The tests of countnest on a data set."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import countnest as cn
from countnest.api.query import BoundQuery
from rates.data import Data
from rates.scenarios import Scenario

__all__ = [
    "AVERAGED",
    "COVERAGES",
    "LEVELS",
    "METHODS",
    "TRUE",
    "TRUE_LRT",
    "Answer",
    "Fits",
    "offered",
    "tested",
]

LEVELS = (0.01, 0.05, 0.1)
COVERAGES = (0.95, 0.99)
TRUE, TRUE_LRT = "Wald (true dispersion)", "LRT (true dispersion)"
AVERAGED = "averaged LRT"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a method says of G genes.

    Attributes
    ----------
    pvalue : (G,)
        P-values; nan where there are none.
    padj : (levels, G)
        Adjusted p-values for each of `LEVELS`; nan where there are none.
    low, high : (coverages, G)
        Ends of the intervals of the log2 fold change for each of `COVERAGES`; None where there are none.
    """

    pvalue: np.ndarray
    padj: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def _data_set(data: Data, design: str | None = None) -> cn.DESeqDataSet:
    """Return a data set that is not analysed yet."""
    samples = data.samples.join(data.hidden.astype(np.int64).astype(str)) if design else data.samples
    return cn.DESeqDataSet(
        data.counts, samples, design=design or data.design, reference=data.reference, weights=data.weights,
        normalization_factors=data.factors, quiet=True,
    )  # fmt: skip


class Fits:
    """The fits of a data set, each made when it is first asked for."""

    def __init__(self, data: Data, reduced: str = "") -> None:
        self._data, self._reduced, self._made = data, reduced, {}

    def unfitted(self) -> cn.DESeqDataSet:
        """Return the data set before any analysis."""
        return self._once("unfitted", lambda: _data_set(self._data))

    def usual(self) -> cn.DESeqDataSet:
        """Return the data set after the default analysis."""
        return self._once("usual", lambda: _data_set(self._data).deseq(quiet=True))

    def reduced(self) -> cn.DESeqDataSet:
        """Return it with the null hypothesis of the scenario fitted as in R, `DESeq(test = "LRT")`."""
        return self._once("reduced", lambda: _data_set(self._data).deseq(quiet=True, test="LRT", reduced=self._reduced))

    def known(self) -> cn.DESeqDataSet:
        """Return it with the dispersions that the counts were drawn with; counts are not replaced."""
        return self._once("known", self._known)

    def with_hidden(self) -> cn.DESeqDataSet:
        """Return it with the hidden factors in the design."""
        names = " + ".join(self._data.hidden)
        return self._once("with_hidden", lambda: _data_set(self._data, f"~ {names} + group").deseq(quiet=True))

    def _once(self, name: str, make: Callable[[], cn.DESeqDataSet]) -> cn.DESeqDataSet:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _known(self) -> cn.DESeqDataSet:
        dds = _data_set(self._data).deseq(quiet=True, min_replicates_for_replace=np.inf)
        dispersions = replace(dds._state.dispersions, final=self._data.alpha.copy())
        dds._state = replace(dds._state, dispersions=dispersions)
        return dds.nbinom_wald_test(quiet=True)


@dataclass(frozen=True, slots=True)
class Method:
    """A method: how it is asked.

    Attributes
    ----------
    kind
        The kind of test.
    fit
        Which of the fits, a method of `Fits`.
    options
        Options of the test.
    usual
        Whether it is used in all scenarios that allow it; others must name it.
    """

    kind: str
    fit: str = "usual"
    options: Mapping[str, object] | None = None
    usual: bool = True


SCALED, FACTORS = {"null": "scaled"}, {"hidden_factors": "auto"}
METHODS = {
    AVERAGED: Method("averaged"),
    f"{AVERAGED}, scaled null": Method("averaged", options=SCALED, usual=False),
    f"{AVERAGED}, hidden factors": Method("averaged", options=FACTORS, usual=False),
    f"{AVERAGED}, hidden factors, scaled null": Method("averaged", options=FACTORS | SCALED, usual=False),
    f"{AVERAGED}, batch known": Method("averaged", "with_hidden", usual=False),
    "QL F": Method("ql"),
    "Wald": Method("wald"),
    "LRT": Method("lrt"),
    "Wald (t)": Method("t"),
    TRUE: Method("wald", "known"),
    TRUE_LRT: Method("lrt", "known"),
}
_OPTIONS = inspect.signature(BoundQuery.test).parameters


def offered(name: str, scenario: Scenario, data: Data, fits: Fits) -> bool:
    """Return whether a method is meant for a scenario, and this version of the package has it."""
    method = METHODS[name]
    if not (method.usual or name in scenario.more) or (method.fit == "known" and data.alpha is None):
        return False
    if any(option not in _OPTIONS for option in method.options or ()):
        return False
    kinds = fits.usual()._fit().kinds
    return method.kind in kinds and (kinds[method.kind].has_threshold or not scenario.options)


def tables_of(name: str, scenario: Scenario, fits: Fits) -> list[pd.DataFrame]:
    """Return the table of a method for each of `LEVELS`; where they are measured, with intervals of `COVERAGES`."""
    method = METHODS[name]
    if name == "LRT" and scenario.reduced:
        return [fits.reduced().results(alpha=level).table for level in LEVELS]
    query = scenario.query(getattr(fits, method.fit)())
    asked = {**scenario.options, **(method.options or {})}
    confints = (*COVERAGES, None) if scenario.intervals else (None,) * len(LEVELS)
    return [
        query.test(method.kind, alpha=level, confint=confint, **asked).table
        for level, confint in zip(LEVELS, confints, strict=True)
    ]


def tested(name: str, scenario: Scenario, fits: Fits) -> Answer:
    """Return the answer of a method."""
    with warnings.catch_warnings():  # that a hidden factor is confounded with the groups is the point of a scenario
        warnings.simplefilter("ignore", cn.CountnestWarning)
        tables = tables_of(name, scenario, fits)
    p = tables[0]["pvalue"].to_numpy(dtype=np.float64)
    padj = np.array([table["padj"] for table in tables], dtype=np.float64)
    if not scenario.intervals or name == "LRT":
        return Answer(p, padj)
    place = list(tables[0].columns).index("lfcSE") + 1
    ends = [table.iloc[:, place : place + 2].to_numpy(dtype=np.float64) for table in tables[: len(COVERAGES)]]
    low, high = np.moveaxis(np.array(ends), 2, 0)
    return Answer(p, padj, low, high)
