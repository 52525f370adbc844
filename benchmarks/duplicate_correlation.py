"""Time the correlation within blocks beside limma's, on log counts with precision weights.

usage: python benchmarks/duplicate_correlation.py [--problems NAME ...] [--genes G] [--rscript PATH]

The design is the intercept and the last column of the problem, and blocks are those that PROBLEMS names, or pairs of
samples. Genes are the first of those with a mean count of at least 10; R takes a millisecond and more for each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import problems
from countnest.stats.voom.duplicates import block_correlation
from countnest.stats.voom.voom import voom

# The column of the blocks; '': pairs of samples in their order.
BLOCKS = {"pasilla": "", "airway": "cell", "factorial": "donor", "nested": "family"}
LEAST_MEAN = 10
REPEATS = 3


def blocks(folder: Path, name: str) -> np.ndarray:
    """Return the block of each sample, as numbers from 0."""
    samples = pd.read_csv(folder / "samples.csv", index_col=0, dtype=str)
    column = BLOCKS[name]
    return pd.factorize(samples[column])[0] if column else np.arange(len(samples)) // 2


def ours(folder: Path, genes: int, design: np.ndarray, block: np.ndarray) -> tuple[float, float]:
    """Return CPU seconds and the correlation."""
    counts = np.ascontiguousarray(np.load(folder / "counts.npy"), dtype=np.float64)
    counts = counts[counts.mean(axis=1) >= LEAST_MEAN]
    found = voom(counts, design, counts.sum(axis=0))
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        correlation = block_correlation(found.values[:genes], design, block, found.weights[:genes])
        taken.append(time.process_time() - start)
    return min(taken), correlation.consensus


def theirs(folder: Path, genes: int, design: np.ndarray, block: np.ndarray, rscript: str) -> tuple[float, float]:
    """Return the same of limma."""
    script = Path(__file__).with_suffix(".R")
    with tempfile.TemporaryDirectory() as out:
        np.savetxt(Path(out) / "design.csv", design, delimiter=",", fmt="%.17g")
        np.savetxt(Path(out) / "block.csv", block, fmt="%d")
        subprocess.run([rscript, str(script), str(folder), str(genes), out], check=True)
        about = json.loads((Path(out) / "timing.json").read_text(encoding="utf-8"))
    return about["cpu_seconds"], about["consensus"]


def main() -> None:
    """Print a row for each problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=list(BLOCKS), choices=list(BLOCKS))
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--rscript", default="Rscript")
    options = parser.parse_args()
    print(
        "| problem | genes | limma, CPU s | countnest, CPU s | times faster | difference |\n|---|---|---|---|---|---|"
    )
    for name in options.problems:
        folder = problems.prepare(name)
        matrix = pd.read_csv(folder / "matrix.csv", index_col=0).to_numpy(dtype=np.float64)
        design = np.column_stack([np.ones(len(matrix)), matrix[:, -1]])
        block = blocks(folder, name)
        (one, mine), (other, reference) = (
            ours(folder, options.genes, design, block),
            theirs(folder, options.genes, design, block, options.rscript),
        )
        row = f"{options.genes:,} | {other:.2f} | {one:.3f} | {other / one:.0f} | {abs(mine - reference):.0e}"
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
