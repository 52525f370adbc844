"""Large studies: time and peak memory, with counts in memory and in a file that is never read whole.

Usage: python benchmarks/large.py [--threads 2] [--runs FILE] [--only NAME ...] [--write FILE]

The counts of a cohort are drawn by blocks of genes into a file, genes x samples, int32. Every run is a process of its
own; the peak of its memory is that of its own pages (anonymous), sampled, and that with the pages of the file that
happen to be mapped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import problems
from report import markdown

HERE = Path(__file__).resolve().parent
# Batches, tissues, kinds of smokers, sexes and treatments of a cohort: 1 + 11 + 4 + 2 + 1 + 1 coefficients.
COHORT = "~ batch + tissue + smoking + sex + treatment"
LEVELS = {"batch": 12, "tissue": 5, "smoking": 3, "sex": 2, "treatment": 2}
BLOCK = 200  # genes drawn at a time
# Name, genes, samples; what is in memory is a problem of `problems`, the others are cohorts in files.
IN_MEMORY = ("largest",)
SIZES = [(2000, 1000), (2000, 4250), (2000, 17000), (56000, 17000)]

RUN = """
import json, sys, threading, time, warnings
from pathlib import Path
import numpy as np, pandas as pd
import countnest as cn
from libraries.runner import cpu_seconds, peak_memory

folder, threads, in_memory = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "memory"
warnings.simplefilter("ignore")
cn.warm()
samples = pd.read_csv(folder / "samples.csv", index_col=0, dtype=object)
formula = json.loads((folder / "problem.json").read_text())["formula"]
counts = np.load(folder / "counts.npy", mmap_mode=None if in_memory else "r")
own, seconds = [], {}

def anonymous():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024

def watch():
    while True:
        own.append(anonymous())
        time.sleep(0.05)

threading.Thread(target=watch, daemon=True).start()
before, cpu = anonymous(), cpu_seconds()

def timed(name, step):
    start = time.perf_counter()
    value = step()
    seconds[name] = time.perf_counter() - start
    return value

dds = timed("counts", lambda: cn.DESeqDataSet(counts, samples, design=formula, orientation="genes_by_samples"))
del counts
timed("deseq", lambda: cn.DESeq(dds, n_threads=threads, quiet=True))
table = timed("results", lambda: cn.results(dds)).table
print(json.dumps({
    "shape": [*dds._data.shape, len(dds.results_names())], "threads": threads, "seconds": seconds,
    "cpu": cpu_seconds() - cpu, "before_mb": before, "own_mb": max(own), "peak_mb": peak_memory(),
    "tested": int(table["pvalue"].notna().sum()),
}))
"""


def cohort_sheet(n: int) -> pd.DataFrame:
    """Return the sample sheet of a cohort, every combination of levels about as often."""
    cells = list(product(*(range(levels) for levels in LEVELS.values())))
    order = np.random.default_rng(problems.SEED).permutation(n)
    rows = [cells[j % len(cells)] for j in order]
    names = [f"s{j:05d}" for j in range(1, n + 1)]
    frame = pd.DataFrame(rows, columns=list(LEVELS), index=names)
    return frame.apply(lambda column: column.map(lambda level: f"{column.name}{level:02d}"))


def cohort(genes: int, n: int) -> Path:
    """Return the folder of a cohort; its counts are drawn unless they are there."""
    folder = problems.CACHE / f"cohort-{genes}x{n}"
    if (folder / "problem.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    samples = cohort_sheet(n)
    samples.to_csv(folder / "samples.csv")
    matrix = problems.model_matrix(samples, COHORT, {}).to_numpy()
    rng = np.random.default_rng(problems.SEED)
    factors = np.exp(rng.normal(0.0, problems.FACTOR_SD, n))
    counts = np.lib.format.open_memmap(folder / "counts.npy", mode="w+", dtype=np.int32, shape=(genes, n))
    for start in range(0, genes, BLOCK):
        size = min(BLOCK, genes - start)
        base = np.exp2(rng.normal(*problems.EXPRESSED, size))
        alpha = (problems.TREND[0] + problems.TREND[1] / base) * np.exp(rng.normal(0.0, problems.TREND_SD, size))
        effects = rng.normal(0.0, problems.EFFECT_SD, (size, matrix.shape[1]))
        effects *= rng.random((size, 1)) < problems.SHARE_CHANGED
        effects[:, 0] = 0.0
        mu = np.minimum(base[:, None] * np.exp(effects @ matrix.T) * factors, problems.LARGEST_MEAN)
        rate = rng.gamma(1.0 / alpha[:, None], alpha[:, None] * mu)
        counts[start : start + size] = rng.poisson(rate)
    counts.flush()
    (folder / "problem.json").write_text(json.dumps({"formula": COHORT, "shape": [genes, n, matrix.shape[1]]}))
    return folder


def measure(folder: Path, threads: int, where: str) -> dict[str, object]:
    """Return what a process of its own took."""
    load = os.getloadavg()[0]
    command = [sys.executable, "-c", RUN, str(folder), str(threads), where]
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    return {"name": folder.name, "where": where, "load": load, **json.loads(done.stdout)}


def wanted() -> list[tuple[str, str]]:
    """Return the name of every run, and where its counts are."""
    return [(name, "memory") for name in IN_MEMORY] + [(f"{genes}x{n}", "file") for genes, n in SIZES]


def run_all(threads: int, file: Path | None, only: Sequence[str]) -> list[dict[str, object]]:
    """Make the runs that are not in the file."""
    runs = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.exists() else []
    for name, where in wanted():
        folder = problems.CACHE / (f"{name}-56000" if where == "memory" else f"cohort-{name}")
        if (only and name not in only) or any(run["name"] == folder.name for run in runs):
            continue
        folder = problems.prepare(name) if where == "memory" else cohort(*map(int, name.split("x")))
        runs.append(measure(folder, threads, where))
        print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
        if file is not None:
            file.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    return runs


def section(runs: Sequence[dict[str, object]]) -> str:
    """Return the table."""
    rows = []
    for run in runs:
        genes, n, p = run["shape"]
        seconds = run["seconds"]
        dense = 8 * genes * n / 2**20
        rows.append(
            [
                f"{genes:,} x {n:,} x {p}", run["where"], f"{run['threads']}",
                *(f"{seconds[step]:.1f}" for step in ("counts", "deseq", "results")), f"{run['cpu']:.0f}",
                f"{1e6 * run['cpu'] / (genes * n):.2f}", f"{dense:,.0f}", f"{run['own_mb']:,.0f}",
                f"{run['own_mb'] / dense:.2f}", f"{run['peak_mb']:,.0f}", f"{run['load']:.1f}",
            ]
        )  # fmt: skip
    head = [
        "genes x samples x p", "counts in", "threads", "reading and checking (s)", "DESeq() (s)", "results() (s)",
        "CPU (s)", "CPU µs per count", "counts as float64 (MB)", "own memory (MB)", "of the counts", "peak (MB)",
        "load",
    ]  # fmt: skip
    about = [
        "## Large studies", "",
        "`python benchmarks/large.py`. *file*: a cohort of " + f"`{COHORT}`, drawn by blocks into a",
        "file of int32, genes x samples, which the analysis reads by blocks. *own memory* is the peak of the pages",
        "that are its own, interpreter and libraries included; *peak* counts the mapped pages of the file, too.",
        "",
    ]  # fmt: skip
    return "\n".join([*about, *markdown(head, rows), ""])


def main(arguments: Sequence[str]) -> None:
    """Make the runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=Path, help="file of runs")
    parser.add_argument("--only", nargs="+", default=[], help="names of runs, such as largest or 2000x17000")
    parser.add_argument("--write", type=Path, help="file to write; without it the text is printed")
    options = parser.parse_args(arguments)
    text = section(run_all(options.threads, options.runs, options.only))
    options.write.write_text(text, encoding="utf-8") if options.write else print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
