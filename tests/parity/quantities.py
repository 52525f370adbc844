"""What is compared with DESeq2 for each data set, and how near it must be."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import comparison
import numpy as np
import pandas as pd
import reference
from comparison import (
    FLOORS,
    IDENTICAL,
    SAME_ALGORITHM,
    SAME_ARITHMETIC,
    SAME_OPTIMUM,
    SE_FRACTION,
    Comparison,
    Tolerance,
)
from reference import Reference

import countnest as cn
from countnest.errors import CountnestWarning

SKIPPED = {"weights_10": "observation weights are not there yet"}
FLOOR_DISPERSION = 1e-6
"""Gene-wise dispersions below are noise around the smallest allowed value: only their class is compared."""
QUASI_NEWTON = 100
"""The iteration count of the rows that left the IRLS."""
TABLE_COLUMNS = ("log2FoldChange", "lfcSE", "stat", "pvalue")


@dataclass(frozen=True)
class Question:
    """How a reference table is asked of countnest: which fit, and the arguments of `results`."""

    fit: str = "wald"
    coefficient: int | None = -1
    arguments: Mapping[str, Any] = field(default_factory=dict)


def question(table: str, truth: Reference) -> Question:
    """Translate the name of a reference table."""
    if table == "results_useT":
        return Question(fit="t")
    if table == "results_lrt":
        return Question(fit="lrt")
    if table == "results_plain":
        return Question(arguments={"independent_filtering": False, "cooks_cutoff": False})
    if table == "results_alpha01":
        return Question(arguments={"alpha": 0.01})
    if table == "results_lfc05":
        return Question(arguments={"lfc_threshold": 0.5})
    if table.startswith("results_lfc1_"):
        return Question(arguments={"lfc_threshold": 1.0, "alt_hypothesis": table.removeprefix("results_lfc1_")})
    if table in ("results_numeric_contrast", "contrast_last_minus_previous"):
        return Question(coefficient=None, arguments={"contrast": truth.numeric_contrast})
    if table == "results":
        return Question()
    names = [re.sub(r"[^A-Za-z0-9]+", "_", name) for name in truth.coefficients]
    return Question(coefficient=names.index(table.removeprefix("results_")))


class Run:
    """The fits of one data set, each made once, when first asked for."""

    def __init__(self, name: str) -> None:
        self.truth = reference.load(name)
        self._results: dict[str, Any] = {}

    def dataset(self, design: str | pd.DataFrame) -> Any:
        """Return the unfitted data set."""
        truth = self.truth
        levels = None if isinstance(design, pd.DataFrame) else truth.reference_levels or None
        return cn.DESeqDataSet(
            truth.counts,
            truth.samples,
            design=design,
            reference=levels,
            normalization_factors=truth.normalization_factors,
        )

    def fitted(self, design: str | pd.DataFrame | None = None, **options: Any) -> Any:
        """Return a fitted data set, with the options that DESeq2 had."""
        if self.truth.name in reference.STUDIES:
            options["min_replicates_for_replace"] = np.inf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            dds = self.dataset(self.truth.design if design is None else design)
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
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

    @property
    def irls(self) -> pd.Series:
        """The genes that the reference fitted by IRLS alone."""
        return self.truth.genes["betaIter"] != QUASI_NEWTON

    def table_irls(self, table: str) -> pd.Series:
        """The genes that the reference fitted by IRLS alone, for the fit behind a table."""
        if table in ("results_lrt", "genes_lrt") and "betaIter" in self.truth.tables.get("genes_lrt", ()):
            return self.truth.tables["genes_lrt"]["betaIter"] != QUASI_NEWTON
        return self.irls


Measure = Callable[[Run], Comparison]


@dataclass(frozen=True)
class Quantity:
    """One thing to compare: a group for the summary, a name, and the function that compares."""

    group: str
    name: str
    measure: Measure = field(repr=False)


def _column(
    group: str,
    column: str,
    tolerance: Tolerance,
    *,
    label: str = "",
    floor: float = 0.0,
    rows: Callable[[Run], pd.Series] | None = None,
    ours: Callable[[Run], Any] = lambda run: run.wald.genes,
    table: str = "genes",
) -> Quantity:
    """Compare one column of the gene table."""
    name = label or column

    def measure(run: Run) -> Comparison:
        truth = run.truth.genes if table == "genes" else run.truth.tables[table]
        chosen = None if rows is None else rows(run)
        scale: comparison.Scale = "absolute" if tolerance is IDENTICAL else "relative"
        return comparison.compare(
            name, ours(run)[column], truth[column], tolerance, floor=floor, scale=scale, rows=chosen
        )

    return Quantity(group, name, measure)


def _coefficients(prefix: str, tolerance: Tolerance, *, irls: bool) -> Quantity:
    """Compare all coefficients, or all their standard errors, of one kind of row."""
    what = "standard errors" if prefix else "coefficients"
    name = f"{what}, {'IRLS' if irls else 'quasi-Newton'} rows"

    def measure(run: Run) -> Comparison:
        ours = run.wald.genes[[f"{prefix}{coefficient}" for coefficient in run.wald.results_names()]]
        theirs = run.truth.genes[[f"{prefix}{coefficient}" for coefficient in run.truth.coefficients]]
        floor = SE_FRACTION * run.truth.genes[[f"SE_{coefficient}" for coefficient in run.truth.coefficients]]
        return comparison.compare(
            name,
            ours,
            theirs,
            tolerance,
            floor=0.0 if prefix else floor,
            scale="relative" if prefix or irls else "absolute",
            rows=run.irls if irls else ~run.irls,
        )

    return Quantity(f"{what}{'' if irls else ' (quasi-Newton)'}", name, measure)


def _table_column(table: str, column: str, tolerance: Tolerance, *, irls: bool | None) -> Quantity:
    """Compare one column of a results table, over one kind of row (None: all)."""
    kind = {True: "", False: ", quasi-Newton rows", None: ""}[irls]
    name = f"{table}: {column}{kind}"

    def measure(run: Run) -> Comparison:
        rows = None if irls is None else run.table_irls(table) == irls
        scale: comparison.Scale = "absolute" if column == "log2FoldChange" and irls is False else "relative"
        truth = run.truth.tables[table]
        floor = SE_FRACTION * truth["lfcSE"] if column == "log2FoldChange" else FLOORS.get(column, 0.0)
        ours = run.results(table).table[column]
        return comparison.compare(name, ours, truth[column], tolerance, floor=floor, scale=scale, rows=rows)

    return Quantity(f"{column}{' (quasi-Newton)' if irls is False else ''}", name, measure)


def _table_set(table: str) -> Quantity:
    """Compare the set of genes called at the level of the table."""
    level = 0.01 if table == "results_alpha01" else 0.1
    name = f"{table}: padj < {level:g}"

    def measure(run: Run) -> Comparison:
        ours, theirs = run.results(table).table["padj"], run.truth.tables[table]["padj"]
        return comparison.compare_sets(name, ours < level, theirs < level)

    return Quantity("padj < alpha", name, measure)


def _table_threshold(table: str) -> Quantity:
    """Compare the filter threshold."""
    name = f"{table}: filter threshold"

    def measure(run: Run) -> Comparison:
        truth = run.truth.tables[table]
        possible = comparison.possible_thresholds(run.truth.genes["baseMean"], truth["pvalue"], truth["padj"])
        return comparison.compare_threshold(name, run.results(table).info.filter_threshold, possible, SAME_ARITHMETIC)

    return Quantity("filter threshold", name, measure)


def _results(table: str, columns: list[str], quasi_newton: int) -> list[Quantity]:
    """Compare everything in a results table."""
    found = []
    for column in (column for column in TABLE_COLUMNS if column in columns):
        found.append(_table_column(table, column, SAME_ALGORITHM, irls=True))
        if quasi_newton:
            found.append(_table_column(table, column, SAME_OPTIMUM, irls=False))
    found.append(_table_column(table, "padj", SAME_ALGORITHM, irls=None))
    found.append(_table_set(table))
    if table != "results_plain":
        found.append(_table_threshold(table))
    return found


def _size_factors(run: Run) -> Comparison:
    return comparison.compare("size factors", run.wald.size_factors, run.truth.size_factors, SAME_ARITHMETIC)


def _poscounts(run: Run) -> Comparison:
    return comparison.compare("size factors, poscounts", run.poscounts, run.truth.poscounts, SAME_ARITHMETIC)


def _trend(run: Run) -> Comparison:
    trend, info = run.wald.dispersion_trend, run.truth.info
    ours = {"varLogDispEsts": trend.var_log_disp_ests, "dispPriorVar": trend.disp_prior_var}
    theirs = {key: info[key] for key in ours}
    if info.get("coefficients"):
        ours |= trend.coefficients
        theirs |= dict(zip(("asymptDisp", "extraPois"), info["coefficients"], strict=True))
    ours["fitType"], theirs["fitType"] = float(trend.fit_type == info["fitType"]), 1.0
    return comparison.compare("trend and prior", pd.Series(ours), pd.Series(theirs), SAME_ALGORITHM)


def _class(run: Run) -> Comparison:
    ours, theirs = (genes["dispGeneEst"] > FLOOR_DISPERSION for genes in (run.wald.genes, run.truth.genes))
    return comparison.compare_sets("dispGeneEst > 1e-6", ours, theirs)


def _quasi_newton(run: Run) -> Comparison:
    ours, theirs = (genes["betaIter"] == QUASI_NEWTON for genes in (run.wald.genes, run.truth.genes))
    return comparison.compare_sets("quasi-Newton rows", ours, theirs)


def _above_floor(run: Run) -> pd.Series:
    return (run.truth.genes["dispGeneEst"] > FLOOR_DISPERSION) & (run.wald.genes["dispGeneEst"] > FLOOR_DISPERSION)


def _cooks(run: Run) -> Comparison:
    theirs = run.truth.cooks
    rows = run.irls.loc[theirs.index]
    ours = run.wald.cooks().loc[theirs.index, theirs.columns]
    return comparison.compare("cooks", ours, theirs, SAME_ALGORITHM, floor=FLOORS["cooks"], rows=rows)


def quantities(name: str) -> list[Quantity]:
    """Return everything that the reference of a data set allows to compare."""
    stored, quasi_newton = reference.table_columns(name), reference.quasi_newton_rows(name)
    found = []
    if "size_factors" in stored:
        found.append(Quantity("size factors", "size factors", _size_factors))
        if "poscounts" in stored["size_factors"]:
            found.append(Quantity("size factors", "size factors, poscounts", _poscounts))
    found += [
        _column("baseMean", "baseMean", SAME_ARITHMETIC),
        _column("baseMean", "baseVar", SAME_ALGORITHM),
        _column("classes", "allZero", IDENTICAL),
        Quantity("classes", "dispGeneEst > 1e-6", _class),
        _column("dispGeneEst", "dispGeneEst", SAME_ALGORITHM, rows=_above_floor),
        Quantity("dispFit", "trend and prior", _trend),
        _column("dispFit", "dispFit", SAME_ALGORITHM),
        _column("dispersion", "dispMAP", SAME_ALGORITHM),
        _column("dispersion", "dispersion", SAME_ALGORITHM),
        _column("classes", "dispOutlier", IDENTICAL),
        Quantity("classes", "quasi-Newton rows", _quasi_newton),
        _column("classes", "betaConv", IDENTICAL),
        _coefficients("", SAME_ALGORITHM, irls=True),
        _coefficients("SE_", SAME_ALGORITHM, irls=True),
        _column("deviance", "deviance", SAME_ALGORITHM),
        _column("cooks", "maxCooks", SAME_ALGORITHM, floor=FLOORS["cooks"], rows=lambda run: run.irls),
    ]
    if quasi_newton["genes"]:
        found += [_coefficients("", SAME_OPTIMUM, irls=False), _coefficients("SE_", SAME_OPTIMUM, irls=False)]
    if "cooks" in stored:
        found.append(Quantity("cooks", "cooks", _cooks))
    if "replace" in stored["genes"]:
        found.append(_column("classes", "replace", IDENTICAL))
    if "genes_lrt" in stored:
        found += [_lrt(column) for column in stored["genes_lrt"] if column in LRT_TOLERANCES]
    for table, columns in stored.items():
        if table in ("dispersion_local", "dispersion_mean"):
            found += [_other_trend(table, column) for column in columns]
        if table.startswith(("results", "contrast")):
            fit = "genes_lrt" if table == "results_lrt" and "genes_lrt" in quasi_newton else "genes"
            found += _results(table, columns, quasi_newton[fit])
    return found


def _other_trend(table: str, column: str) -> Quantity:
    fit = table.removeprefix("dispersion_")
    return _column(
        "other trends",
        column,
        SAME_ALGORITHM,
        label=f"{table}: {column}",
        ours=lambda run: getattr(run, fit).genes,
        table=table,
    )


LRT_TOLERANCES = {
    "LRTStatistic": (SAME_ALGORITHM, FLOORS["stat"]),
    "LRTPvalue": (SAME_ALGORITHM, FLOORS["pvalue"]),
    "fullBetaConv": (IDENTICAL, 0.0),
    "reducedBetaConv": (IDENTICAL, 0.0),
    "maxCooks": (SAME_ALGORITHM, FLOORS["cooks"]),
}


def _lrt(column: str) -> Quantity:
    tolerance, floor = LRT_TOLERANCES[column]
    return _column(
        "LRT",
        column,
        tolerance,
        label=f"LRT: {column}",
        floor=floor,
        rows=lambda run: run.table_irls("genes_lrt"),
        ours=lambda run: run.lrt.genes,
        table="genes_lrt",
    )
