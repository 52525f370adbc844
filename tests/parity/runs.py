"""The fits of a data set with countnest, as DESeq2 made them for the reference."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import reference
from reference import Reference

import countnest as cn
from countnest.errors import CountnestWarning

MOST_ORDERS = 100
"""So many orders of samples are tried to meet DESeq2's side of a jump; about half of them do."""


@dataclass(frozen=True)
class Question:
    """How a reference table is asked of countnest: which fit, and the arguments of `results`."""

    fit: str = "wald"
    coefficient: int | None = -1
    arguments: Mapping[str, Any] = field(default_factory=dict)


QUESTIONS = {
    "results": Question(),
    "results_useT": Question(fit="t"),
    "results_lrt": Question(fit="lrt"),
    "results_plain": Question(arguments={"independent_filtering": False, "cooks_cutoff": False}),
    "results_alpha01": Question(arguments={"alpha": 0.01}),
    "results_lfc05": Question(arguments={"lfc_threshold": 0.5}),
}


def question(table: str, truth: Reference) -> Question:
    """Translate the name of a reference table."""
    if table in QUESTIONS:
        return QUESTIONS[table]
    if table.startswith("results_lfc1_"):
        return Question(arguments={"lfc_threshold": 1.0, "alt_hypothesis": table.removeprefix("results_lfc1_")})
    if table in ("results_numeric_contrast", "contrast_last_minus_previous"):
        return Question(coefficient=None, arguments={"contrast": truth.numeric_contrast})
    names = [re.sub(r"[^A-Za-z0-9]+", "_", name) for name in truth.coefficients]
    return Question(coefficient=names.index(table.removeprefix("results_")))


class Run:
    """The fits of one data set, each made once, when first asked for.

    Parameters
    ----------
    name : str
    as_given : bool
        Fit with the samples in the order of the sheet. Without it, data sets with `reference.jumping_genes` are fitted
        with the samples in an order in which rounding decides about these genes as it did in DESeq2.
    """

    def __init__(self, name: str, *, as_given: bool = False) -> None:
        self.truth = reference.load(name)
        self.jumping = [] if as_given else reference.jumping_genes(name)
        self._results: dict[str, Any] = {}
        self._orders: dict[str, pd.Index] = {}

    @property
    def order(self) -> pd.Index:
        """The samples in the order in which the design of the reference is fitted."""
        return self.order_for(self.truth.design)

    def order_for(self, design: str | pd.DataFrame) -> pd.Index:
        """Return the samples in the order in which a design is fitted.

        Rounding decides between two values of the gene-wise dispersion of a jumping gene, far apart, one of which moves
        the trend and so all genes. The order of the samples, which changes nothing else, decides how sums are rounded.
        """
        key = design if isinstance(design, str) else "matrix"
        if key not in self._orders:
            self._orders[key] = self._order(design) if self.jumping else self.truth.samples.index
        return self._orders[key]

    def _order(self, design: str | pd.DataFrame) -> pd.Index:
        given = self.truth.samples.index
        theirs = self.truth.genes.loc[self.jumping, "dispGeneEst"]
        rng = np.random.default_rng(0)
        for attempt in range(MOST_ORDERS):
            samples = pd.Index(rng.permutation(given), name=given.name) if attempt else given
            dds = self.dataset(design, samples)
            dds.estimate_size_factors(type=self.truth.info["size_factor_type"])
            ours = dds[self.jumping].estimate_dispersions(fit_type="mean", quiet=True).genes["dispGeneEst"]
            if np.allclose(ours, theirs, rtol=reference.JUMP, atol=0.0):
                return samples
        raise ValueError(f"in none of {MOST_ORDERS} orders of samples do {self.jumping} fall as in DESeq2")

    def dataset(self, design: str | pd.DataFrame, samples: pd.Index | None = None) -> Any:
        """Return the unfitted data set, its samples in the order for its design or in a given one."""
        truth = self.truth
        samples = self.order_for(design) if samples is None else samples
        by_sample = isinstance(design, pd.DataFrame)
        factors, weights = truth.normalization_factors, truth.weights
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            return cn.DESeqDataSet(
                truth.counts[samples],
                truth.samples.loc[samples],
                design=design.loc[samples] if by_sample else design,
                reference=None if by_sample else truth.reference_levels or None,
                normalization_factors=None if factors is None else factors[samples],
                weights=None if weights is None else weights[samples],
            )

    def fitted(self, design: str | pd.DataFrame | None = None, **options: Any) -> Any:
        """Return a fitted data set, with the options that DESeq2 had."""
        if self.truth.name in reference.STUDIES:
            options["min_replicates_for_replace"] = np.inf
        dds = self.dataset(self.truth.design if design is None else design)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            return cn.DESeq(dds, size_factor_type=self.truth.info["size_factor_type"], quiet=True, **options)

    @cached_property
    def wald(self) -> Any:
        """The Wald tests with every default."""
        return self.fitted()

    @cached_property
    def t(self) -> Any:
        """The Wald tests with the t distribution."""
        return self.fitted(use_t=True)

    @cached_property
    def lrt(self) -> Any:
        """The likelihood ratio test, by matrices as in the reference."""
        return self.fitted(self.truth.design_matrix, test="LRT", reduced=self.truth.reduced_matrix)

    @cached_property
    def local(self) -> Any:
        """The fit with a local trend of the dispersions."""
        return self.fitted(fit_type="local")

    @cached_property
    def mean(self) -> Any:
        """The fit with a constant dispersion as trend."""
        return self.fitted(fit_type="mean")

    @cached_property
    def poscounts(self) -> pd.Series:
        """Size factors from positive counts."""
        dds = self.dataset(self.truth.design)
        dds.estimate_size_factors(type="poscounts")
        return dds.size_factors

    def results(self, table: str) -> Any:
        """Return the results that correspond to a reference table."""
        if table not in self._results:
            asked = question(table, self.truth)
            dds = getattr(self, asked.fit)
            arguments = dict(asked.arguments)
            if asked.coefficient is not None:
                arguments["name"] = dds.results_names()[asked.coefficient]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CountnestWarning)
                self._results[table] = cn.results(dds, **arguments)
        return self._results[table]
