"""What is compared with DESeq2 for each data set, and how near it must be.

Three kinds of genes are told apart:

- *ordinary* genes, held to the target;
- genes *decided by rounding*: the dispersion of such a gene moves when nothing changes but the order in which the
  samples are added up, in DESeq2 (rounding.R) or here (rounding.py). The line search compares log posteriors that agree
  to the last bit, and goes one way or the other. These genes are listed by name in data/rounding.json and
  data/rounding_here.json, each with its movement; the list allows each of them a few times as much;
- *quasi-Newton* genes, whose IRLS did not converge in DESeq2, so that R's optim decided. The likelihood is flat to
  1e-10 over a range of coefficients, and where the search stops in it depends on the last bits of the likelihood.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import reference
from comparison import (
    AMPLIFIED,
    FLOORS,
    IDENTICAL,
    MOVED_TREND,
    OTHER_OPTIMISER,
    ROUNDING,
    SAME_ALGORITHM,
    SAME_ARITHMETIC,
    SAME_OPTIMUM,
    SE_FRACTION,
    Comparison,
    Scale,
    Tolerance,
    adjusted_from,
    compare,
    compare_missing,
    compare_sets,
    compare_threshold,
    possible_thresholds,
)
from runs import Run

Kind = Literal["ordinary", "rounding", "quasi-Newton"]

REFITTED = ("replace_20", "replace_batch_32")
"""Data sets with genes that are fitted again: DESeq2 does not pass useT on to them, countnest does."""
LOCAL_TREND = {"sparse_poscounts_30": "the local regression agrees with locfit's to seven digits"}
FLOOR_DISPERSION = 1e-6
"""Gene-wise dispersions below are noise around the smallest allowed value: only their class is compared."""
QUASI_NEWTON = 100
"""The iteration count of the genes that left the IRLS."""
TREND_MOVES = 1e-9
"""A larger movement of the trend by rounding shows among the digits that are compared."""
SATURATED = 1e-9
"""A sample alone in its cell has a hat value of one within this."""

ROOM = 10
"""A gene decided by rounding may differ by so many times what its dispersion was seen to move, at most by `ROUNDING`.

The orders of samples that were tried are a sample of what rounding can do."""

KINDS: dict[Kind, tuple[Tolerance, Tolerance, str]] = {
    "ordinary": (SAME_ALGORITHM, SAME_ALGORITHM, ""),
    "rounding": (ROUNDING, SAME_ALGORITHM, "these genes move when samples come in another order"),
    "quasi-Newton": (SAME_OPTIMUM, SAME_OPTIMUM, ""),
}
"""For each kind of gene the tolerance, the target and the reason why they differ."""


@dataclass(frozen=True)
class Quantity:
    """One thing to compare: a group for the summary, a name, the kind of genes, and the function that compares."""

    group: str
    name: str
    measure: Callable[[Run], Comparison] = field(repr=False)
    kind: Kind = "ordinary"

    @property
    def label(self) -> str:
        """The name, with the kind of genes unless they are ordinary."""
        return self.name if self.kind == "ordinary" else f"{self.name} ({self.kind})"


def rows_of(run: Run | Given, kind: Kind, *, fit: str = "genes", trend: str = "parametric") -> pd.Series:
    """Return which genes are of a kind, for the Wald fit (`genes`) or the likelihood ratio test (`genes_lrt`)."""
    return _rows_of(run.truth.name, kind, fit, trend)


@cache
def _rows_of(name: str, kind: Kind, fit: str, trend: str = "parametric") -> pd.Series:
    truth = reference.load(name)
    fitted = truth.tables.get(fit, truth.genes)
    flat = (fitted if "betaIter" in fitted else truth.genes)["betaIter"] == QUASI_NEWTON
    rounded = pd.Series(truth.genes.index.isin(list(reference.movements(name, trend))), index=truth.genes.index)
    return {"quasi-Newton": flat, "rounding": rounded & ~flat, "ordinary": ~rounded & ~flat}[kind]


def rounding_limits(name: str, trend: str = "parametric", least: float = SAME_ALGORITHM.value) -> pd.Series:
    """Return how far each gene that rounding decides may differ."""
    moved = pd.Series(reference.movements(name, trend), dtype=float)
    return (ROOM * moved).clip(upper=ROUNDING.value).clip(lower=least)


@cache
def _padj_from(name: str, table: str) -> pd.Series:
    """Return the gene from which each adjusted p-value of a table stems; the gene itself where there is none."""
    truth = reference.load(name).tables[table]
    source = adjusted_from(truth["pvalue"], truth["padj"])
    return source.fillna(pd.Series(source.index, index=source.index))


@cache
def _padj_rows_of(name: str, table: str, kind: Kind, fit: str) -> pd.Series:
    """Return the genes whose adjusted p-values stem from a gene of a kind."""
    source = _padj_from(name, table)
    return _rows_of(name, kind, fit).loc[source].set_axis(source.index)


def kinds(name: str, *, fit: str = "genes", flat: bool = True, trend: str = "parametric") -> Iterator[Kind]:
    """Return the kinds of genes that a data set has."""
    yield "ordinary"
    if reference.movements(name, trend):
        yield "rounding"
    if flat and reference.quasi_newton_rows(name).get(fit, 0):
        yield "quasi-Newton"


def ordinary_tolerance(name: str) -> tuple[Tolerance, str]:
    """Return the tolerance of ordinary genes: looser where rounding moves the trend of DESeq2, so all genes."""
    movement = reference.trend_movement(name)
    if movement < TREND_MOVES:
        return SAME_ALGORITHM, ""
    return MOVED_TREND, f"the trend itself moves by {movement:.1e} in DESeq2 when samples come in another order"


@dataclass(frozen=True)
class Given:
    """What DESeq2 was given and gave back, in the place of a run."""

    truth: reference.Reference

    @property
    def wald(self) -> Given:
        """The Wald tests, which have `genes`."""
        return self

    @property
    def genes(self) -> pd.DataFrame:
        """DESeq2's table of genes."""
        return self.truth.genes


def by_kind(
    name: str,
    group: str,
    label: str,
    kind: Kind,
    ours: Callable[[Run], Any],
    theirs: Callable[[Run | Given], Any],
    *,
    rows: Callable[[Run | Given], pd.Series],
    floor: Callable[[Run], Any] = lambda _: 0.0,
    scale: Scale = "relative",
    target: Tolerance | None = None,
    loosened: tuple[Tolerance, str] | None = None,
    limits: pd.Series | None = None,
) -> Iterator[Quantity]:
    """Compare something over the genes of one kind; `loosened` is another tolerance and its reason.

    Genes that rounding decides have the limits of `rounding_limits`, unless others are given.

    Where the reference has no value for any of these genes, it is compared that there is none here; where it has no
    such genes, nothing.
    """
    tolerance, aim, reason = KINDS[kind]
    target = target or aim
    if kind == "ordinary":
        tolerance, reason = ordinary_tolerance(name)
    if kind == "rounding" and limits is None:
        limits = rounding_limits(name)
    if loosened and loosened[0].value > tolerance.value:
        tolerance, reason = loosened
    if limits is not None and loosened:
        limits = limits.clip(lower=loosened[0].value)

    def measure(run: Run) -> Comparison:
        return compare(
            label, ours(run), theirs(run), tolerance, target=target, floor=floor(run), scale=scale, rows=rows(run),
            limits=limits, reason=reason,
        )  # fmt: skip

    def measure_missing(run: Run) -> Comparison:
        there = theirs(run)
        chosen = rows(run).reindex(there.index)
        return compare_missing(f"{label}, missing", ours(run).reindex(there.index)[chosen], there[chosen])

    given = Given(reference.load(name))
    values = theirs(given)
    there = values.notna()[rows(given).reindex(values.index)]
    if there.to_numpy().any():
        yield Quantity(group, label, measure, kind)
    elif len(there):
        yield Quantity("missing", f"{label}, missing", measure_missing, kind)


# ---- the steps ----


def exact(column: str, *, group: str = "classes", tolerance: Tolerance = IDENTICAL) -> Quantity:
    """Compare a column of the gene table over all genes."""
    scale: Scale = "absolute" if tolerance is IDENTICAL else "relative"

    def measure(run: Run) -> Comparison:
        return compare(column, run.wald.genes[column], run.truth.genes[column], tolerance, scale=scale)

    return Quantity(group, column, measure)


def size_factors(run: Run) -> Comparison:
    """Compare the size factors."""
    return compare("size factors", run.wald.size_factors, run.truth.size_factors, SAME_ARITHMETIC)


def poscounts(run: Run) -> Comparison:
    """Compare the size factors from positive counts."""
    return compare("size factors, poscounts", run.poscounts, run.truth.poscounts, SAME_ARITHMETIC)


def classes(run: Run) -> Comparison:
    """Compare which gene-wise dispersions are above the floor."""
    ours, theirs = (genes["dispGeneEst"] > FLOOR_DISPERSION for genes in (run.wald.genes, run.truth.genes))
    return compare_sets("dispGeneEst > 1e-6", ours, theirs)


def quasi_newton(run: Run) -> Comparison:
    """Compare which genes leave the IRLS."""
    ours, theirs = (genes["betaIter"] == QUASI_NEWTON for genes in (run.wald.genes, run.truth.genes))
    return compare_sets("quasi-Newton genes", ours, theirs)


def trend(run: Run) -> Comparison:
    """Compare the trend's coefficients, the spread around it and the prior variance."""
    fitted, info = run.wald.dispersion_trend, run.truth.info
    ours = {"varLogDispEsts": fitted.var_log_disp_ests, "dispPriorVar": fitted.disp_prior_var}
    theirs = {key: info[key] for key in ours}
    if info.get("coefficients"):
        ours |= fitted.coefficients
        theirs |= dict(zip(("asymptDisp", "extraPois"), info["coefficients"], strict=True))
    ours["fitType"], theirs["fitType"] = float(fitted.fit_type == info["fitType"]), 1.0
    tolerance, reason = ordinary_tolerance(run.truth.name)
    if run.truth.name in LOCAL_TREND:
        tolerance, reason = SAME_OPTIMUM, LOCAL_TREND[run.truth.name]
    return compare(
        "trend and prior", pd.Series(ours), pd.Series(theirs), tolerance, target=SAME_ALGORITHM, reason=reason
    )


def dispersions(name: str) -> Iterator[Quantity]:
    """Compare the dispersions of every stage."""
    loosened = (SAME_OPTIMUM, LOCAL_TREND[name]) if name in LOCAL_TREND else None

    def wide(column: str, run: Run | Given, kind: Kind) -> pd.Series:
        ours, theirs = run.wald.genes[column], run.truth.genes[column]
        floor = FLOOR_DISPERSION if column == "dispGeneEst" else 0.0
        # the fit of the mean model comes later: quasi-Newton genes have ordinary dispersions
        of_kind = rows_of(run, "rounding") if kind == "rounding" else ~rows_of(run, "rounding")
        return of_kind & ~((ours <= floor) & (theirs <= floor))

    for column in ("dispGeneEst", "dispFit", "dispMAP", "dispersion"):
        for kind in kinds(name, flat=False):
            yield from by_kind(
                name,
                "dispersion" if column == "dispMAP" else column,
                column,
                kind,
                lambda run, column=column: run.wald.genes[column],
                lambda run, column=column: run.truth.genes[column],
                rows=lambda run, column=column, kind=kind: wide(column, run, kind),
                loosened=None if column == "dispGeneEst" else loosened,
            )


def other_trends(name: str, stored: dict[str, list[str]]) -> Iterator[Quantity]:
    """Compare the dispersions under the other trends."""
    for table in sorted({"dispersion_local", "dispersion_mean"} & set(stored)):
        trend = table.removeprefix("dispersion_")
        for column, kind in itertools.product(stored[table], kinds(name, flat=False, trend=trend)):
            yield from by_kind(
                name,
                "other trends",
                f"{column}, {trend} trend",
                kind,
                lambda run, trend=trend, column=column: getattr(run, trend).genes[column],
                lambda run, table=table, column=column: run.truth.tables[table][column],
                rows=lambda run, kind=kind, trend=trend: (
                    (run.truth.genes["baseMean"] > 0) & (rows_of(run, "rounding", trend=trend) == (kind == "rounding"))
                ),
                limits=rounding_limits(name, trend) if kind == "rounding" else None,
            )


def coefficients(name: str) -> Iterator[Quantity]:
    """Compare all coefficients, all their standard errors, and the deviance."""

    def theirs(prefix: str) -> Callable[[Run | Given], pd.DataFrame]:
        return lambda run: run.truth.genes[[f"{prefix}{column}" for column in run.truth.coefficients]]

    def ours(prefix: str) -> Callable[[Run], pd.DataFrame]:
        return lambda run: run.wald.genes[[f"{prefix}{column}" for column in run.wald.results_names()]]

    for kind in kinds(name):
        flat = kind == "quasi-Newton"
        yield from by_kind(
            name,
            f"coefficients{' (quasi-Newton)' if flat else ''}",
            "coefficients",
            kind,
            ours(""),
            theirs(""),
            rows=lambda run, kind=kind: rows_of(run, kind),
            floor=lambda run: SE_FRACTION * theirs("SE_")(run),
            scale="absolute" if flat else "relative",
        )
        yield from by_kind(
            name, "standard errors", "standard errors", kind, ours("SE_"), theirs("SE_"),
            rows=lambda run, kind=kind: rows_of(run, kind),
        )  # fmt: skip
        yield from by_kind(
            name, "deviance", "deviance", kind,
            lambda run: run.wald.genes["deviance"], lambda run: run.truth.genes["deviance"],
            rows=lambda run, kind=kind: rows_of(run, kind),
        )  # fmt: skip


# ---- Cook's distances ----


def saturated(run: Run | Given) -> pd.Series:
    """Return which samples the design fits exactly, being alone in their cell."""
    basis, _ = np.linalg.qr(run.truth.design_matrix.to_numpy(dtype=float))
    return pd.Series((basis**2).sum(axis=1) > 1 - SATURATED, index=run.truth.samples.index)


def cooks_rows(run: Run | Given, kind: Kind) -> pd.Series:
    """Return the genes of a kind; genes fitted again may have been quasi-Newton genes in their first fit."""
    again = run.truth.genes.get("replace", pd.Series(0.0, index=run.truth.genes.index)) == 1
    if kind == "quasi-Newton":
        return rows_of(run, kind) | again
    return rows_of(run, kind) & ~again


def cooks_of(run: Run, fit: str) -> pd.DataFrame:
    """Return the Cook's distances of the genes and samples of the reference."""
    return getattr(run, fit).cooks().loc[run.truth.cooks.index, run.truth.cooks.columns]


def cooks(name: str, stored: dict[str, list[str]]) -> Iterator[Quantity]:
    """Compare Cook's distances and their maxima.

    The reference has no distances of likelihood ratio tests, and no maxima, as these designs have no cells of three.
    Since DESeq2 1.43.5 the distances are those of the full model: of the Wald tests.
    """
    fits = {"": "wald", "LRT ": "lrt"} if "genes_lrt" in stored else {"": "wald"}
    every = [*kinds(name, flat=False), *(["quasi-Newton"] if name in REFITTED or "quasi-Newton" in kinds(name) else [])]
    loosened = (AMPLIFIED, "a squared residual over a robust variance: it moves a thousand times as much as the mean")
    for kind in every:
        if "maxCooks" in stored["genes"]:
            yield from by_kind(
                name, "cooks", "maxCooks", kind,
                lambda run: run.wald.genes["maxCooks"], lambda run: run.truth.genes["maxCooks"],
                rows=lambda run, kind=kind: cooks_rows(run, kind), floor=lambda _: FLOORS["cooks"],
                loosened=loosened if kind == "quasi-Newton" else None,
            )  # fmt: skip
        for prefix, fit in fits.items() if "cooks" in stored else ():
            yield from by_kind(
                name, "cooks", f"{prefix}cooks", kind,
                lambda run, fit=fit: cooks_of(run, fit).loc[:, ~saturated(run)],
                lambda run: run.truth.cooks.loc[:, ~saturated(run)],
                rows=lambda run, kind=kind: cooks_rows(run, kind), floor=lambda _: FLOORS["cooks"],
                loosened=loosened if kind == "quasi-Newton" else None,
            )  # fmt: skip
    if name == "two_group_3":
        yield from by_kind(
            name, "cooks", "cooks of a sample alone in its cell", "ordinary",
            lambda run: cooks_of(run, "wald").loc[:, saturated(run)],
            lambda run: run.truth.cooks.loc[:, saturated(run)],
            rows=lambda run: rows_of(run, "ordinary"), floor=lambda _: FLOORS["cooks"],
            loosened=(OTHER_OPTIMISER, "divided by (1 - hat value)^2, and the hat value is 1 but for the ridge"),
        )  # fmt: skip


# ---- tests ----

LRT_COLUMNS: dict[str, tuple[Scale, float]] = {
    "LRTStatistic": ("relative", FLOORS["stat"]),
    "LRTPvalue": ("logarithmic", 0.0),
    "maxCooks": ("relative", FLOORS["cooks"]),
}


def likelihood_ratio(name: str, columns: list[str]) -> Iterator[Quantity]:
    """Compare the gene table of the likelihood ratio test."""
    for column in ("fullBetaConv", "reducedBetaConv"):
        yield Quantity(
            "classes",
            f"LRT {column}",
            lambda run, column=column: compare(
                f"LRT {column}",
                run.lrt.genes[column],
                run.truth.tables["genes_lrt"][column],
                IDENTICAL,
                scale="absolute",
            ),
        )
    for column in (column for column in LRT_COLUMNS if column in columns):
        scale, floor = LRT_COLUMNS[column]
        for kind in kinds(name, fit="genes_lrt"):
            yield from by_kind(
                name, "LRT", f"LRT {column}", kind,
                lambda run, column=column: run.lrt.genes[column],
                lambda run, column=column: run.truth.tables["genes_lrt"][column],
                rows=lambda run, kind=kind: rows_of(run, kind, fit="genes_lrt"),
                floor=lambda _, floor=floor: floor, scale=scale,
            )  # fmt: skip


def results(name: str, table: str, columns: list[str]) -> Iterator[Quantity]:
    """Compare everything in a results table."""
    fit = "genes_lrt" if table == "results_lrt" else "genes"
    refitted = table == "results_useT" and name in REFITTED

    def same_test(run: Run | Given) -> pd.Series:
        return run.truth.genes["replace"] != 1 if refitted else pd.Series(True, index=run.truth.genes.index)

    def pair(column: str) -> tuple[Callable[[Run], pd.Series], Callable[[Run | Given], pd.Series]]:
        return lambda run: run.results(table).table[column], lambda run: run.truth.tables[table][column]

    for kind in kinds(name, fit=fit):
        flat = " (quasi-Newton)" if kind == "quasi-Newton" else ""
        for column in (column for column in ("log2FoldChange", "lfcSE", "stat", "pvalue") if column in columns):
            ours, theirs = pair(column)
            scale: Scale = "logarithmic" if column == "pvalue" else "relative"
            yield from by_kind(
                name, f"{column}{flat}", f"{table}: {column}", kind, ours, theirs,
                rows=lambda run, kind=kind, column=column: rows_of(run, kind, fit=fit)
                & (same_test(run) | (column != "pvalue")),
                floor=lambda run, column=column: SE_FRACTION * run.truth.tables[table]["lfcSE"]
                if column == "log2FoldChange"
                else FLOORS.get(column, 0.0),
                scale="absolute" if flat and column == "log2FoldChange" else scale,
            )  # fmt: skip
    if refitted:
        return

    for kind in kinds(name, fit=fit):
        ours, theirs = pair("padj")
        yield from by_kind(
            name, "padj", f"{table}: padj", kind, ours, theirs,
            rows=lambda _, kind=kind: _padj_rows_of(name, table, kind, fit), scale="logarithmic",
            limits=padj_limits(name, table) if kind == "rounding" else None,
        )  # fmt: skip
    level = 0.01 if table == "results_alpha01" else 0.1
    ours, theirs = pair("padj")
    label = f"{table}: padj < {level:g}"
    yield Quantity("padj < alpha", label, lambda run: compare_sets(label, ours(run) < level, theirs(run) < level))
    if table != "results_plain":
        yield Quantity("filter threshold", f"{table}: filter threshold", lambda run: threshold(run, table))


def padj_limits(name: str, table: str) -> pd.Series:
    """Return how far each adjusted p-value that stems from a gene decided by rounding may differ."""
    source = _padj_from(name, table)
    return rounding_limits(name).reindex(source).set_axis(source.index)


def threshold(run: Run, table: str) -> Comparison:
    """Compare the filter threshold with those that the missing values of the reference allow."""
    truth = run.truth.tables[table]
    possible = possible_thresholds(run.truth.genes["baseMean"], truth["pvalue"], truth["padj"])
    here = run.results(table).info.filter_threshold
    return compare_threshold(f"{table}: filter threshold", here, possible, SAME_ARITHMETIC)
