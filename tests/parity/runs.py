"""The fits of a data set with countnest, as DESeq2 made them for the reference."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import reference
from reference import Reference

import countnest as cn
from countnest.errors import CountnestWarning
from countnest.methods.chunks import Genes
from countnest.methods.deseq2 import steps
from countnest.methods.deseq2.steps import genewise_dispersions


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
    end_to_end : bool
        Without it, the gene-wise dispersions of `reference.jumping_genes` are taken from the reference: rounding
        decides between two values far apart, one of which moves the trend and so all genes.
    """

    def __init__(self, name: str, *, end_to_end: bool = False) -> None:
        self.truth = reference.load(name)
        self.given = [] if end_to_end else reference.jumping_genes(name)
        self._results: dict[str, Any] = {}

    def dataset(self, design: str | pd.DataFrame) -> Any:
        """Return the unfitted data set."""
        truth = self.truth
        levels = None if isinstance(design, pd.DataFrame) else truth.reference_levels or None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            return cn.DESeqDataSet(
                truth.counts,
                truth.samples,
                design=design,
                reference=levels,
                normalization_factors=truth.normalization_factors,
                weights=truth.weights,
            )

    def fitted(self, design: str | pd.DataFrame | None = None, **options: Any) -> Any:
        """Return a fitted data set, with the options that DESeq2 had."""
        if self.truth.name in reference.STUDIES:
            options["min_replicates_for_replace"] = np.inf
        dds = self.dataset(self.truth.design if design is None else design)
        with warnings.catch_warnings(), patch.object(steps, "genewise_dispersions", self._with_given):
            warnings.simplefilter("ignore", CountnestWarning)
            return cn.DESeq(dds, size_factor_type=self.truth.info["size_factor_type"], quiet=True, **options)

    def _with_given(self, chosen: Genes, *arguments: Any, **options: Any) -> Any:
        """Estimate gene-wise dispersions, then put the given ones in place."""
        found = genewise_dispersions(chosen, *arguments, **options)
        genes = self.truth.counts.index
        if self.given and len(found.alpha) == len(genes):  # where there are fewer, they are fitted again
            found.alpha[genes.get_indexer(self.given)] = self.truth.genes.loc[self.given, "dispGeneEst"]
        return found

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
