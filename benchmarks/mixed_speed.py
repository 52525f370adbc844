"""Time mixed models of all genes beside lmerTest, pbkrtest and glmmTMB on some of them, and write the tables.

Usage: python benchmarks/mixed_speed.py [--write docs/performance_mixed.md] [--genes G] [--some M] [--memory G ...]
    [--sections beside first memory] [--rscript PATH]

The study is simulated: 24 families of two sibs, `~ treat1 * treat2 + (1 | family)`, eight coefficients. One thread.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import cold
import countnest as cn
from report import markdown

# Fits and tests of all coefficients: a name, what R has for it (a column of mixed_speed.R), and how it is made here.
TASKS = {
    "linear, Kenward-Roger": ("lmer_kr", "cn.lmm(dds, filter=False, n_threads=1, quiet=True)", "lmm"),
    "linear, voom weights, Kenward-Roger": (
        "", "cn.lmm(dds, values='voom', filter=False, n_threads=1, quiet=True)", "lmm"
    ),
    "counts, maximum likelihood": ("glmmtmb_ml", "cn.glmm(dds, reml=False, n_threads=1, quiet=True)", "glmm"),
    "counts, restricted likelihood": ("glmmtmb_reml", "cn.glmm(dds, n_threads=1, quiet=True)", "glmm"),
}  # fmt: skip
NAMES = {
    "lmer_kr": "lmerTest and pbkrtest",
    "glmmtmb_ml": "glmmTMB",
    "glmmtmb_reml": "glmmTMB, REML",
}
STUDY = """
import warnings
warnings.simplefilter("ignore")
import countnest as cn
study = cn.simulate.nested(genes={genes}, rng=1)
dds = cn.DESeqDataSet(study.counts, study.samples, design="~ treat1 * treat2 + (1 | family)",
                      reference={{"treat1": "A", "treat2": "None"}}, quiet=True)
"""
FIRST = {
    "`cn.lmm`": "cn.lmm(dds, quiet=True); dds.results(fit='lmm')",
    "`cn.glmm`": "cn.glmm(dds, quiet=True); dds.results(fit='glmm')",
}
IN_MEMORY = [task for task in TASKS if task != "counts, maximum likelihood"]
# Genes of the first results, and of the run before a measurement, in which code is loaded.
FEW = 1000
MEMORY = """
def peak():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines["VmHWM"].split()[0]) / 1024
found = [peak()]
{fit}
dds.contrast({{name: name for name in dds.results_names()}}).test(fit={name!r})
print(found[0], peak())
"""
HEAD = """# Performance of mixed models

Made by `{command}` on {machine}, {processors} processors, Python {python}, at a load of {load:.1f}
before and {after:.1f} after. CPU: seconds of the processor, which other work lengthens less than those of the clock.

A simulated study of 24 families of two sibs, `~ treat1 * treat2 + (1 | family)`, eight coefficients; one thread.
"""
BESIDE = """Fits of log counts by REML, or of counts, with tests of all eight coefficients, CPU seconds. R fits {some}
genes, evenly spaced, and countnest all {genes:,}, in one run, before and after R. *Estimates differ*: the largest
difference of a gene, log2, in the median over the genes.

Versions: {ours}; {theirs}.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """CPU seconds of each task, of all genes and of those that R fitted, and how far estimates are apart."""

    ours: dict[str, tuple[float, float]]
    theirs: dict[str, float]
    apart: dict[str, float]
    versions: str


def data_set(genes: int) -> cn.DESeqDataSet:
    """Return the study as a data set."""
    scope: dict[str, object] = {}
    exec(STUDY.format(genes=genes), scope)
    found = scope["dds"]
    assert isinstance(found, cn.DESeqDataSet)
    return found


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that something takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def timed(dds: cn.DESeqDataSet, task: str) -> tuple[float, float]:
    """Return the CPU seconds of a fit, and of tests of all coefficients."""
    _, code, fit = TASKS[task]
    query = dds.contrast({name: name for name in dds.results_names()})
    return cpu_seconds(lambda: eval(code, {"cn": cn, "dds": dds})), cpu_seconds(lambda: query.test(fit=fit))


def write_genes(dds: cn.DESeqDataSet, rows: np.ndarray, folder: Path) -> None:
    """Write what `mixed_speed.R` reads, of some genes."""
    counts = dds.counts().to_numpy()[rows]
    factors = dds.size_factors.to_numpy()
    tables = {
        "counts": counts, "values": np.log2(counts / factors + 0.5), "offset": np.log(factors)[:, np.newaxis],
        "model": np.asarray(dds.design.matrix), "family": dds.samples[["family"]].to_numpy(),
    }  # fmt: skip
    for name, table in tables.items():
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)


def estimates(dds: cn.DESeqDataSet, task: str, rows: np.ndarray) -> np.ndarray:
    """Return the coefficients (some, p) of the last fit of a task, log2."""
    found = [dds.results(name=name, fit=TASKS[task][2]).table["log2FoldChange"] for name in dds.results_names()]
    return np.column_stack([each.to_numpy()[rows] for each in found])


def measure(genes: int, some: int, rscript: str) -> Measured:
    """Run everything."""
    few, dds = data_set(FEW), data_set(genes)
    dds.estimate_size_factors()
    rows = np.linspace(0, genes - 1, some).astype(int)
    mine: dict[str, list[tuple[float, float]]] = {task: [] for task in TASKS}
    fitted = {}
    for task in TASKS:
        timed(few, task)
        mine[task].append(timed(dds, task))
        fitted[task] = estimates(dds, task, rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_genes(dds, rows, folder)
        subprocess.run([rscript, str(Path(__file__).with_suffix(".R")), name], check=True)
        theirs = pd.read_csv(folder / "times.csv", index_col="task")["seconds"].to_dict()
        reference = pd.read_csv(folder / "estimates.csv")
        versions = (folder / "versions.txt").read_text(encoding="utf-8").strip()
    for task in TASKS:
        mine[task].append(timed(dds, task))
    apart = {}
    for task, (column, _, fit) in TASKS.items():
        if column:
            log2 = reference[column].to_numpy().reshape(some, -1) / (np.log(2.0) if fit == "glmm" else 1.0)
            apart[task] = float(np.nanmedian(np.abs(fitted[task] - log2).max(axis=1)))
    means = {task: tuple(np.mean(each, axis=0)) for task, each in mine.items()}
    return Measured(means, theirs, apart, versions)


def against_r(found: Measured, genes: int, some: int) -> list[str]:
    """Return the table of seconds."""
    rows = []
    for task, (column, _, _) in TASKS.items():
        fit, tests = found.ours[task]
        each = 1e3 * (fit + tests) / genes
        row = [task, f"{fit:.2f}", f"{tests:.2f}", f"{each:.3f}"]
        if column:
            other = 1e3 * found.theirs[column] / some
            row += [NAMES[column], f"{other:.0f}", f"{other / each:,.0f}x", f"{found.apart[task]:.0e}"]
        rows.append([*row, *[""] * (8 - len(row))])
    heads = ["model", "fit (s)", "tests (s)", "ms a gene", "R", "ms a gene", "R / countnest", "estimates differ"]
    return markdown(heads, rows)


def first_results() -> list[str]:
    """Return the table of first results, in new processes."""
    rows = []
    for name, code in FIRST.items():
        with tempfile.TemporaryDirectory() as cache:
            for what in ("empty cache: all that it needs is compiled", "second process"):
                found = cold.seconds(STUDY.format(genes=FEW) + code, cache)
                rows.append([f"{name}, {what}", f"{found.processor:.1f}"])
    return markdown(["what", "CPU (s)"], rows)


def memory(numbers: list[int]) -> list[str]:
    """Return the table of peaks of memory, in new processes."""
    rows = []
    for genes in numbers:
        for task in IN_MEMORY:
            _, fit, name = TASKS[task]
            code = STUDY.format(genes=genes) + MEMORY.format(fit=fit, name=name)
            done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            before, after = (float(each) for each in done.stdout.split())
            rows.append([f"{genes:,}", task, f"{before:.0f}", f"{after:.0f}"])
    return markdown(["genes", "model", "before the fit (MB)", "peak (MB)"], rows)


def beside_r(options: argparse.Namespace) -> list[str]:
    """Measure beside R, and return the section."""
    found = measure(options.genes, options.some, options.rscript)
    about = BESIDE.format(
        some=options.some, genes=options.genes, ours=f"countnest {cn.__version__}", theirs=found.versions
    )
    return ["## Beside R", "", about, *against_r(found, options.genes, options.some), ""]


def first_section(_options: argparse.Namespace) -> list[str]:
    """Measure first results, and return the section."""
    about = f"From the start of Python to the table of results of {FEW:,} genes."
    return ["## First result", "", about, "", *first_results(), ""]


def memory_section(options: argparse.Namespace) -> list[str]:
    """Measure the memory, and return the section."""
    about = (
        "Peaks of processes of their own, with the interpreter and the study, in the fit and tests of all coefficients."
    )
    return ["## Memory", "", about, "", *memory(options.memory), ""]


SECTIONS = {"beside": beside_r, "first": first_section, "memory": memory_section}


def document(options: argparse.Namespace, command: str) -> str:
    """Measure, and return the document."""
    load = os.getloadavg()[0]
    sections = [line for section in options.sections for line in SECTIONS[section](options)]
    head = HEAD.format(
        command=command,
        machine=platform.machine(),
        processors=os.cpu_count(),
        python=platform.python_version(),
        load=load,
        after=os.getloadavg()[0],
    )
    return "\n".join([head, *sections])


def main(arguments: list[str]) -> None:
    """Print or write the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file to write; without it the document is printed")
    parser.add_argument("--genes", type=int, default=16000)
    parser.add_argument("--some", type=int, default=40, help="genes that R fits")
    parser.add_argument("--memory", type=int, nargs="*", default=[16000, 60000], help="genes")
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--rscript", default="Rscript")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    command = "python benchmarks/mixed_speed.py" + (f" --write {options.write}" if options.write else "")
    text = document(options, command)
    options.write.write_text(text, encoding="utf-8") if options.write else print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
