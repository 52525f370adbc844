"""The tables of the comparison, from the runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from libraries import LIBRARIES
from problems import kind

OURS = "countnest"
CLOSE = 1e-6  # log2
# Of the load, in processes that want to run, the measured one not counted.
QUIET = 0.5

HEAD = """# Performance

Made by `{command}` on {machine}, {processors} processors, Python {python}.{earlier} {load}

Each library does its whole analysis, from the counts in memory to log2 fold changes and p-values of the last
coefficient, with the same model matrix. Every run is a process of its own; reading and importing are not timed, and a
first run on 1,000 genes takes loading and compiling away. Genes without any count are left out by all libraries, and no
others: edgeR and limma are often given fewer.

- *best*, *median*: seconds by the clock; *CPU*: of the processor, the fewest.
- *R /*: how many times the seconds the R package of the same method takes: edgeR or limma, and DESeq2 for all others;
  *countnest ×*: how many times the seconds of countnest's DESeq2 it takes. With one thread these compare seconds of the
  processor, which other work on the machine lengthens less.
- *memory*: the peak of the process, with the interpreter, the libraries and the counts; in parentheses what it was
  before the analysis.
- *same LFC*: share of the genes whose log2 fold change is within {close:g} of that package's; *ρ*: Spearman correlation
  with its log2 fold changes and p-values, over the genes that have a number in both. R's edgeR is of version 3, so that
  p-values of version 4 differ from its own.

Versions: {versions}.
"""


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a Markdown table."""
    head = list(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def quietness(load: pd.Series[float]) -> str:
    """Say whether other work was going on, by the load (1 minute) before each run."""
    median, most = float(load.median()), float(load.max())
    said = f"a load of {median:.1f} before a run in the median, {most:.1f} at most, of which the runs themselves make 1"
    if median > 1.0 + QUIET:
        return f"**The machine was not quiet**: {said}. The seconds by the clock are too long."
    return f"Nothing else ran: {said}."


def head(command: str, table: pd.DataFrame, earlier: str = "") -> str:
    """Return the introduction."""
    versions = table["version"].unique() if "version" in table else []
    return HEAD.format(
        command=command,
        machine=platform.machine(),
        processors=os.cpu_count(),
        python=platform.python_version(),
        earlier=earlier,
        load=quietness(table["load"]) if len(table) else "",
        close=CLOSE,
        versions="; ".join(sorted(versions)),
    )


def agreement(answers: pd.DataFrame, reference: pd.DataFrame) -> tuple[float, float, float]:
    """Return the share of genes with the same log2 fold change, and the correlations of fold changes and p-values."""
    change = pd.concat([answers["log2FoldChange"], reference["log2FoldChange"]], axis=1).dropna().to_numpy()
    pvalue = pd.concat([answers["pvalue"], reference["pvalue"]], axis=1).dropna()
    same = float(np.mean(np.abs(change[:, 0] - change[:, 1]) < CLOSE)) if len(change) else np.nan
    rho = [float(pd.DataFrame(each).rank().corr().iloc[0, 1]) for each in (change, pvalue)]
    return same, rho[0], rho[1]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return seconds and memory for each problem, number of threads and library."""
    by = table.groupby(["problem", "threads", "library"], sort=False)
    return by.agg(
        runs=("seconds", "size"),
        best=("seconds", "min"),
        median=("seconds", "median"),
        cpu=("cpu_seconds", "min"),
        memory=("memory_mb", "max"),
        before=("memory_before_mb", "max"),
        answers=("answers", "last"),
    )


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _times(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}x" if value < 10 else f"{value:.0f}x"


def _ratio(rows: pd.DataFrame, problem: str, threads: int, library: str, other: str) -> float:
    """Return seconds of a library over those of another, which may have run with one thread only."""
    same = (problem, threads, other) in rows.index
    there = (problem, threads if same else 1, other)
    if there not in rows.index:
        return np.nan
    own = rows.loc[(problem, threads, library), "cpu" if threads == 1 else "best"]
    return float(own / rows.loc[there, "best" if same and threads > 1 else "cpu"])


def _agreement_cells(rows: pd.DataFrame, problem: str, threads: int, library: str) -> list[str]:
    original = LIBRARIES[library].original
    if library == original or (problem, 1, original) not in rows.index:
        return ["-"] * 3
    paths = rows.loc[(problem, threads, library), "answers"], rows.loc[(problem, 1, original), "answers"]
    same, *rho = agreement(*(pd.read_csv(path) for path in paths))
    return [f"{100 * same:.2f} %", *(f"{each:.4f}" for each in rho)]


def comparison(table: pd.DataFrame, threads: int, sizes: Mapping[str, tuple[int, int, int]]) -> str:
    """Return the table of all problems with a number of threads; empty if nothing ran."""
    rows = summary(table) if "seconds" in table else pd.DataFrame()
    body = []
    for problem, library in ((name, each) for name in sizes for each in LIBRARIES):
        if (problem, threads, library) not in rows.index:
            continue
        one = rows.loc[(problem, threads, library)]
        body.append(
            [
                problem,
                LIBRARIES[library].title,
                f"{one['runs']}",
                *(_seconds(one[name]) for name in ("best", "median", "cpu")),
                _times(1.0 / _ratio(rows, problem, threads, library, LIBRARIES[library].original)),
                _times(_ratio(rows, problem, threads, library, OURS)),
                f"{one['memory']:.0f} ({one['before']:.0f})",
                *_agreement_cells(rows, problem, threads, library),
            ]
        )
    if not body:
        return ""
    title = "One thread" if threads == 1 else f"{threads} threads"
    text = [f"## {title}", ""]
    if threads == 1:
        text += [f"- *{name}*: {kind(name).title}; {g:,} genes, n = {n}, p = {p}" for name, (g, n, p) in sizes.items()]
    else:
        text += [
            "R's libraries run on one thread. Their seconds of the processor, above, are compared with the best by",
            "the clock here. Processes that a library starts have memory of their own, which is not counted.",
        ]
    names = [
        "problem",
        "library",
        "runs",
        "best (s)",
        "median (s)",
        "CPU (s)",
        "R /",
        "countnest ×",
        "memory (MB)",
    ]
    text += ["", *markdown([*names, "same LFC", "ρ LFC", "ρ p"], body), ""]
    return "\n".join(text)


def left_out(missing: Mapping[tuple[str, ...], str]) -> str:
    """Say what is not in the tables."""
    lines = [f"- {' on '.join([LIBRARIES[name].title, *rest])}: {why}" for (name, *rest), why in missing.items()]
    return "\n".join(["Left out:", "", *lines, ""]) if lines else ""
