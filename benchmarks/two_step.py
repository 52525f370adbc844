"""Measure false discoveries and power of the two-step method on studies of families with known truth.

Usage: python benchmarks/two_step.py [--studies 5] [--genes 2000] [--values vst]

Prints the table of docs/mixed_models.md.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.errors import CountnestWarning
from mixed.studies import SCENARIOS, Study

SLUGS = ("12-exponential", "24-zero", "24-equal", "24-exponential")
LEVEL = 0.05
QUESTIONS = ("within", "between")
FORMULA = "~ treat1 * treat2 + (1 | family)"
# What is called, in the order of the table.
RULES = (
    "BH on the p-values",
    "calibrated, Bayesian FDR < 0.05",
    "calibrated, probability >= 0.5",
    "trabzuni, Bayesian FDR < 0.05",
    "trabzuni, probability >= 0.5",
)


def questions(study: Study, values: str) -> Iterator[tuple[str, BoundQuery, np.ndarray]]:
    """Yield the name of a question, its query, and which null hypotheses are true."""
    dds = cn.DESeqDataSet(study.counts, study.samples, design=FORMULA, reference=study.reference, quiet=True)
    dds = cn.lmm(dds, values=values, quiet=True)
    yield "within", dds.interaction(treat1=("B", "A"), treat2=("E", "None")), study.null[0]
    yield "between", dds.effect("treat1", levels=("B", "A")), study.null[2]


def calls(query: BoundQuery) -> list[np.ndarray]:
    """Return which genes each of the rules calls."""
    own = cn.two_step(query)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        other = cn.two_step(query, method="trabzuni")
    adjusted = own.table["padj"] < LEVEL
    found = [adjusted, own.table["fdr"] < LEVEL, own.table["probability"] >= 0.5]
    found += [other.table["fdr"] < LEVEL, other.table["probability"] >= 0.5]
    return [each.to_numpy() for each in found]


def measured(slug: str, studies: int, genes: int, values: str) -> pd.DataFrame:
    """Return calls, false ones among them and true ones among all with an effect, by question and rule: means."""
    rows = []
    for seed in range(101, 101 + studies):
        for question, query, null in questions(SCENARIOS[slug].draw(genes, seed), values):
            for rule, called in zip(RULES, calls(query), strict=True):
                false = (called & null).sum() / max(called.sum(), 1)
                rows.append((question, rule, called.sum(), false, (called & ~null).sum() / (~null).sum()))
    table = pd.DataFrame(rows, columns=["question", "rule", "calls", "false", "true"])
    return table.groupby(["question", "rule"]).mean()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=5)
    parser.add_argument("--genes", type=int, default=2000)
    parser.add_argument("--values", choices=("vst", "log2"), default="vst")
    options = parser.parse_args()
    found = {slug: measured(slug, options.studies, options.genes, options.values) for slug in SLUGS}
    for question in QUESTIONS:
        print(f"\n| {question} | {' | '.join(SCENARIOS[slug].title for slug in SLUGS)} |\n|{'---|' * (len(SLUGS) + 1)}")
        for rule in RULES:
            cells = [found[slug].loc[(question, rule)] for slug in SLUGS]
            texts = [f"{c['calls']:.0f}: {100 * c['false']:.1f} / {100 * c['true']:.1f}" for c in cells]
            print(f"| {rule} | {' | '.join(texts)} |")


if __name__ == "__main__":
    main()
