"""The problems of the benchmarks: shipped and simulated studies, written to folders that every library can read.

A folder has counts.npy (int32, genes x samples, column-major, so that R reads it as it stands), samples.csv, matrix.csv
(the model matrix) and problem.json. What is simulated has a fixed seed, and is made once and kept.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import countnest as cn

CACHE = Path(tempfile.gettempdir()) / "countnest-benchmarks"
SEED = 20
# Of the genes that `drawn` draws: mean and standard deviation of log2 base means, expressed or not; how many are.
EXPRESSED, SILENT, SHARE_EXPRESSED = (6.0, 3.0), (-4.0, 2.0), 0.6
EFFECT_SD, SHARE_CHANGED = 0.7, 0.2  # natural log
TREND, TREND_SD, FACTOR_SD = (0.03, 1.5), 0.5, 0.25
LARGEST_MEAN = 1e7
BLOCK = 2000  # genes drawn at a time


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Counts (G, n) as int32, the sample sheet (n rows), the formula and its model matrix (n, p)."""

    counts: np.ndarray
    samples: pd.DataFrame
    formula: str
    matrix: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Kind:
    """How a problem is called, its size (G, n, p), and how it is made with a number of genes."""

    title: str
    shape: tuple[int, int, int]
    make: Callable[[int], Problem]


def model_matrix(samples: pd.DataFrame, formula: str, reference: dict[str, str]) -> pd.DataFrame:
    """Return the model matrix of a formula; its last column is what all libraries test."""
    n = len(samples)
    pretend = pd.DataFrame(np.arange(2 * n).reshape(2, n), index=["g1", "g2"], columns=samples.index)
    design = cn.DESeqDataSet(pretend, samples, design=formula, reference=reference).design
    return pd.DataFrame(design.matrix, index=samples.index, columns=list(design.names))


def of_frame(counts: pd.DataFrame, samples: pd.DataFrame, formula: str, reference: dict[str, str]) -> Problem:
    """Return the problem of a data frame of counts."""
    return Problem(counts.to_numpy(np.int32), samples, formula, model_matrix(samples, formula, reference))


def shipped(name: str, genes: int) -> Problem:
    """Return a study that comes with the package: all of its genes, or evenly spaced ones of those with counts."""
    study = cn.datasets.load(name)
    counts = study.counts
    if genes < len(counts):
        positive = counts[counts.sum(axis=1) > 0]
        counts = positive.iloc[np.linspace(0, len(positive) - 1, genes).astype(int)]
    return of_frame(counts, study.samples, study.design, study.reference)


def simulated(study: cn.simulate.SimulatedStudy) -> Problem:
    """Return the problem of a study that the package simulated."""
    return of_frame(study.counts, study.samples, study.design, study.reference)


def drawn(samples: pd.DataFrame, formula: str, genes: int) -> Problem:
    """Draw negative binomial counts with means of a whole transcriptome: many genes have hardly any counts.

    Dispersions scatter around a trend a0 + a1 / mean; a fifth of the genes has normal effects on all coefficients.
    """
    rng = np.random.default_rng(SEED)
    matrix = model_matrix(samples, formula, {})
    n, p = matrix.shape
    log2_base = np.where(rng.random(genes) < SHARE_EXPRESSED, rng.normal(*EXPRESSED, genes), rng.normal(*SILENT, genes))
    base = np.exp2(log2_base)
    alpha = (TREND[0] + TREND[1] / base) * np.exp(rng.normal(0.0, TREND_SD, genes))
    effects = rng.normal(0.0, EFFECT_SD, (genes, p)) * (rng.random((genes, 1)) < SHARE_CHANGED)
    effects[:, 0] = 0.0
    factors = np.exp(rng.normal(0.0, FACTOR_SD, n))
    counts = np.empty((genes, n), dtype=np.int32)
    for start in range(0, genes, BLOCK):
        rows = slice(start, start + BLOCK)
        mu = np.minimum(base[rows, None] * np.exp(effects[rows] @ matrix.to_numpy().T) * factors, LARGEST_MEAN)
        size = 1.0 / alpha[rows, None]
        counts[rows] = rng.negative_binomial(size, size / (size + mu))
    return Problem(counts, samples, formula, matrix)


def sheet(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> pd.DataFrame:
    """Return a sample sheet."""
    return pd.DataFrame(rows, columns=list(columns), index=[f"s{i:04d}" for i in range(1, len(rows) + 1)], dtype=object)


def factorial(genes: int) -> Problem:
    """Return two crossed treatments on the cells of each of six donors."""
    donors = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
    samples = sheet(("donor", "a", "b"), list(product(donors, ("no", "yes"), ("no", "yes"))))
    return drawn(samples, "~ donor + a*b", genes)


def blocked(genes: int, n: int, p: int) -> Problem:
    """Return n samples in p - 1 blocks, each with two conditions: p coefficients, a block and a condition at a time."""
    blocks = max(p - 1, 1)
    if p < 2 or n < 2 * blocks or n % (2 * blocks):
        raise ValueError(f"{n} samples do not fill {blocks} blocks of two conditions; give a multiple of {2 * blocks}.")
    rows = [(f"k{j % blocks:03d}", "AB"[j // blocks % 2]) for j in range(n)]
    return drawn(sheet(("block", "condition"), rows), "~ block + condition" if p > 2 else "~ condition", genes)


PROBLEMS = {
    "pasilla": Kind("pasilla, `~ type + condition`", (14599, 7, 3), lambda genes: shipped("pasilla", genes)),
    "airway": Kind("airway, `~ cell + dex`", (64102, 8, 5), lambda genes: shipped("airway", genes)),
    "factorial": Kind("donors, `~ donor + a*b`", (57800, 24, 9), factorial),
    "nested": Kind(
        "families, `~ treat1 + treat1:ind + treat1:treat2`",
        (16000, 48, 28),
        lambda genes: simulated(cn.simulate.nested(genes=genes, rng=SEED)),
    ),
    "large": Kind(
        "five groups, `~ group`",
        (20000, 500, 5),
        lambda genes: simulated(cn.simulate.groups(genes=genes, sizes=(100,) * 5, rng=SEED)),
    ),
    "largest": Kind("batches, `~ block + condition`", (56000, 1000, 5), lambda genes: blocked(genes, 1000, 5)),
}


def kind(name: str) -> Kind:
    """Return a problem by its name; a name such as 5000x24x5 is a blocked one of this size."""
    if name in PROBLEMS:
        return PROBLEMS[name]
    if not re.fullmatch(r"\d+x\d+x\d+", name):
        raise ValueError(f"there is no problem '{name}': use {', '.join(PROBLEMS)}, or genes x samples x coefficients.")
    genes, n, p = map(int, name.split("x"))
    return Kind("blocks, `~ block + condition`", (genes, n, p), lambda wanted: blocked(wanted, n, p))


def write(problem: Problem, folder: Path) -> None:
    """Write a problem to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "counts.npy", np.asfortranarray(problem.counts))
    problem.samples.to_csv(folder / "samples.csv")
    problem.matrix.to_csv(folder / "matrix.csv")
    about = {"formula": problem.formula, "shape": [*problem.counts.shape, problem.matrix.shape[1]]}
    (folder / "problem.json").write_text(json.dumps(about), encoding="utf-8")


def prepare(name: str, genes: int | None = None, cache: Path = CACHE) -> Path:
    """Return the folder of a problem, with all or only some of its genes; made unless it is there."""
    found = kind(name)
    wanted = found.shape[0] if genes is None else min(genes, found.shape[0])
    folder = cache / f"{name}-{wanted}"
    if not (folder / "problem.json").exists():  # written last
        write(found.make(wanted), folder)
    return folder


def shape(folder: Path) -> tuple[int, int, int]:
    """Return genes, samples and coefficients of the problem in a folder."""
    genes, n, p = json.loads((folder / "problem.json").read_text(encoding="utf-8"))["shape"]
    return genes, n, p
