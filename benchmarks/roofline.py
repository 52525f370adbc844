"""What a fit evaluates, and how long a bare loop takes for as much.

Usage: python benchmarks/roofline.py [PROBLEM ...] [--genes N], with OMP_NUM_THREADS=1 and the like.

The iterations that each gene took say how many logarithms, exponentials, series of lgamma and digamma, divisions and
multiply-adds the line searches of the dispersion and the IRLS fits made. A compiled loop over an array in the cache
makes as many of each. What the fit takes beyond that is: size factors, variances, Cook's distances, the trend, memory.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pandas as pd

import countnest as cn
import problems
from countnest.kernels.algebra.elimination import BELOW, N_CELLS, N_COLUMNS, N_ENTRIES, PAIR, UPDATE
from countnest.kernels.negbin.density import psi_series, stirling_series
from countnest.stats.glm.layout import Layout
from libraries.runner import Study
from report import markdown

MAX_ITER, GRID_VALUES, MIN_DISPERSION = 100, 40, 1e-8
LENGTH, ROUNDS = 8192, 100
KINDS = ("exp", "log", "lgamma series", "digamma series", "division", "multiply-add")
Numbers = dict[str, np.ndarray]  # how many of each kind, for each gene

HEAD = """## Roofline

How often countnest evaluates what, from the iterations of each gene, and how long a bare compiled loop takes for as
many: `python benchmarks/roofline.py`. A value of the log posterior takes for a positive count log(1 + mu a),
log(mu + r) and an lgamma, which is a logarithm and a series; for a zero one logarithm. An IRLS iteration takes an
exponential for each cell and a logarithm for each sample. Multiply-adds of the normal equations are those of the
elimination plan of the design. Not counted: size factors, starts by projection, Cook's distances, the trend, refits.
Iterations of the first GLM fit, which gives the means for the dispersions, are not kept; they are taken to be as many
as those of the last; every iteration of a line search is taken to need the slope. In the bare loop divisions,
series and multiply-adds run on vectors; in the fit they do for eight genes at a time, sums of each in their order."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a design: samples, cells, columns, non-zero entries, pairs of entries, updates and entries below pivots."""

    n: int
    cells: int
    p: int
    entries: int
    pairs: int
    updates: int
    below: int

    @classmethod
    def of(cls, matrix: np.ndarray) -> Size:
        """Return the size of a model matrix (n, p), from its elimination plan."""
        layout = Layout.of(np.array(matrix, dtype=np.float64))
        plan = layout.plan.index
        c, p = int(plan[N_CELLS]), int(plan[N_COLUMNS])
        ends = [int(plan[plan[section] + size]) for section, size in ((PAIR, c), (UPDATE, p), (BELOW, p))]
        return cls(layout.n_samples, c, p, int(plan[N_ENTRIES]), *ends)

    @property
    def square(self) -> bool:
        """Whether there are as many cells as columns: no matrix is needed then."""
        return self.cells == self.p


def value(size: Size, k: np.ndarray) -> Numbers:
    """Count one value of the log posterior of the dispersion, for genes with k positive counts."""
    n = size.n
    adjustment = {"log": size.cells} if size.square else {"log": 1, "division": size.p}
    normal = 0 if size.square else size.pairs + 2 * size.updates
    return total(
        {"exp": 1, "log": n + 1 + 2 * k, "lgamma series": 1 + k, "division": n + 1, "multiply-add": 3 * n + 3 * k},
        adjustment | {"multiply-add": normal},
    )


def slope(size: Size, k: np.ndarray) -> Numbers:
    """Count one slope of the log posterior, after the value."""
    inverse = 0 if size.square else 2 * size.updates + 2 * size.below + size.pairs
    divisions = 2 * size.n + k + (size.cells if size.square else 0)
    return total({"digamma series": 1 + k, "division": divisions, "multiply-add": 5 * size.n + 2 * k + inverse})


def iteration(size: Size) -> Numbers:
    """Count one iteration of IRLS."""
    equations = 2 * size.entries + size.pairs + 2 * size.updates + 2 * size.below
    return total(
        {"exp": size.cells, "log": size.n, "division": size.n + size.p, "multiply-add": 9 * size.n + equations}
    )


def ends(size: Size, k: np.ndarray, whole: bool) -> Numbers:
    """Count what a GLM fit needs besides iterations: start, constant, in a whole fit errors and likelihood."""
    start = {"log": size.n + 2 * k, "lgamma series": 2 * k, "multiply-add": size.n * size.p}
    if not whole:
        return total(start)
    errors = size.p * (2 * size.below + 2 * size.entries) + 2 * size.updates + size.pairs
    likelihood = {"log": (size.n - k) + 5 * k, "lgamma series": 2 * k, "division": 6 * size.n}
    return total(start, likelihood, {"multiply-add": errors})


def total(*parts: dict[str, np.ndarray | float]) -> Numbers:
    """Add up numbers of each kind."""
    return {kind: np.asarray(sum(part.get(kind, 0) for part in parts), dtype=np.float64) for kind in KINDS}


def counted(genes: pd.DataFrame, k: np.ndarray, size: Size) -> dict[str, float]:
    """Return how many of each kind a fit evaluated, for genes with k positive counts.

    The table has the columns dispGeneIter, dispGeneEst, dispIter and betaIter of a fitted data set.
    """
    own, shared, glm = (genes[name].to_numpy(np.float64) for name in ("dispGeneIter", "dispIter", "betaIter"))
    stuck = ((own == 1) | (own == MAX_ITER)) & (genes["dispGeneEst"].to_numpy() > 10 * MIN_DISPERSION)
    values = own + shared + 2 + GRID_VALUES * (stuck.astype(int) + (shared == MAX_ITER))
    fits = 1 if size.square else 2
    parts = [(values, value(size, k)), (own + shared, slope(size, k)), (fits * glm, iteration(size))]
    parts += [(np.ones(len(k)), ends(size, k, whole)) for whole in (True, False)[:fits]]
    return {kind: float(sum((times * numbers[kind]).sum() for times, numbers in parts)) for kind in KINDS}


def loop(evaluate: Callable[..., float]) -> Callable[..., None]:
    """Return a compiled loop of a function of (x, out) over two arrays.

    It passes over them once: of several passes the compiler would leave some out.
    """

    @numba.njit(error_model="numpy")
    def once(x: np.ndarray, out: np.ndarray) -> None:
        for i in range(len(x)):
            out[i] = evaluate(x[i], out[i])

    return once


def nanoseconds() -> dict[str, float]:
    """Return how long a bare loop takes for one of each kind."""
    bare = {
        "exp": numba.njit(lambda x, _: math.exp(x)),
        "log": numba.njit(lambda x, _: math.log(x)),
        "lgamma series": numba.njit(lambda x, _: stirling_series(x)),
        "digamma series": numba.njit(lambda x, _: psi_series(x)),
        "division": numba.njit(error_model="numpy")(lambda x, _: 1.0 / x),
        "multiply-add": numba.njit(lambda x, out: out + x * 1e-3),
    }
    x, out = np.random.default_rng(1).uniform(1.0, 20.0, LENGTH), np.ones(LENGTH)
    found = {}
    for kind in KINDS:
        run = loop(bare[kind])
        run(x, out)
        found[kind] = min(timed(lambda run=run: [run(x, out) for _ in range(ROUNDS)]) for _ in range(5))
        found[kind] *= 1e9 / (LENGTH * ROUNDS)
    return found


def timed(task: Callable[[], object]) -> float:
    """Return the CPU seconds of a task."""
    start = time.process_time()
    task()
    return time.process_time() - start


def fitted(study: Study, repeats: int = 3) -> tuple[pd.DataFrame, float]:
    """Return the table of genes of a fitted study, and the fewest CPU seconds of DESeq() with one thread."""
    counts = pd.DataFrame(study.counts, columns=study.matrix.index)
    dds = cn.DESeqDataSet(counts, study.samples, design=study.matrix)
    seconds = [timed(lambda: cn.DESeq(dds, n_threads=1, quiet=True)) for _ in range(repeats + 1)]
    return dds.genes, min(seconds[1:])  # the first one loads compiled code


def row(name: str, folder: Path, cost: dict[str, float]) -> list[str]:
    """Return the row of a problem in the table."""
    study = Study.read(folder)
    genes, seconds = fitted(study)
    rows = ~genes["allZero"].to_numpy()
    used = genes.loc[rows]
    size = Size.of(study.matrix.to_numpy())
    numbers = counted(used, (study.counts[rows] > 0).sum(axis=1), size)
    parts = {kind: numbers[kind] * cost[kind] * 1e-9 for kind in KINDS}
    floor = sum(parts.values())
    means = [f"{used[each].mean():.1f}" for each in ("dispGeneIter", "dispIter", "betaIter")]
    shares = (f"{parts[kind]:.3f}" for kind in KINDS)
    return [name, " / ".join(means), *shares, f"{floor:.2f}", f"{seconds:.2f}", f"{seconds / floor:.1f}"]


def section(names: Sequence[str], genes: int | None = None) -> str:
    """Return the section about the roofline."""
    cost = nanoseconds()
    names_of_columns = ["problem", "iterations: own, shared dispersion, GLM", *KINDS, "sum (s)", "DESeq() (s)", "times"]
    rows = [row(name, problems.prepare(name, genes), cost) for name in names]
    each = ", ".join(f"{kind} {cost[kind]:.2f}" for kind in KINDS)
    about = f"Nanoseconds of one in the bare loop: {each}. CPU seconds, one thread:"
    return "\n".join([HEAD, "", about, "", *markdown(names_of_columns, rows), ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", default=["pasilla", "airway"])
    parser.add_argument("--genes", type=int)
    options = parser.parse_args()
    print(section(options.problems, options.genes))
