"""Seconds of the processor that each figure of 60,000 genes in 30 samples takes, drawn and written as PNG.

usage: python benchmarks/figure_time.py [--genes N] [--repeat N]

Prints a Markdown table: the fewest seconds of several runs, user and system together, after a first run that compiles
and
imports what it needs.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable, Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import CountnestWarning

SAMPLES = 30


def study(genes: int) -> cn.DESeqDataSet:
    """Return a fitted study of three groups in two batches, with a second fit by edgeR's method."""
    made = cn.simulate.groups(genes=genes, sizes=(10, 10, 10), rng=1)
    sheet = made.samples.assign(batch=["day 1", "day 2"] * (SAMPLES // 2))
    dds = cn.DESeqDataSet(made.counts, sheet, design="~ group", reference=made.reference, quiet=True)
    cn.DESeq(dds, quiet=True)
    return cn.edger(dds, quiet=True)


def figures(dds: cn.DESeqDataSet) -> Mapping[str, Callable[[], Figure]]:
    """Return a function for each figure."""
    question = dds.effect("group", levels=("B", "A"))
    res, found = question.test(fit="deseq2"), dds.effect("group", levels="pairwise").test(fit="deseq2")
    transformed = cn.vst(dds, quiet=True)
    gene, sheet = res.top(1).index[0], dds.samples
    compared = cn.compare(res, question.test(fit="edger"))
    return {
        "plot_volcano": lambda: cn.plot_volcano(res),
        "plot_ma": lambda: cn.plot_ma(res, label=15),
        "plot_pvalues": lambda: cn.plot_pvalues(res),
        "plot_changes": lambda: cn.plot_changes(found, gene),
        "plot_upset": lambda: cn.plot_upset(found),
        "compare(...).plot()": lambda: compared.plot(),
        "plot_pca": lambda: cn.plot_pca(transformed, sheet, ["group", "batch"], label=True),
        "plot_distances": lambda: cn.plot_distances(transformed, sheet, ["group", "batch"]),
        "plot_heatmap": lambda: cn.plot_heatmap(transformed, sheet, ["group", "batch"], by=res),
        "plot_counts": lambda: cn.plot_counts(dds, gene, "group", kind="box"),
        "plot_interaction": lambda: cn.plot_interaction(dds, gene, query=question, fit="deseq2"),
        "plot_quantiles, one gene": lambda: cn.plot_quantiles(dds, gene, fit="deseq2"),
        "plot_quantiles, all genes": lambda: cn.plot_quantiles(dds, fit="deseq2"),
        "plot_residuals": lambda: cn.plot_residuals(dds, "batch"),
        "plot_dispersion": lambda: cn.plot_dispersion(dds.genes, dds.dispersion_trend),
        "plot_size_factors": lambda: cn.plot_size_factors(dds, "group"),
        "plot_cooks": lambda: cn.plot_cooks(dds, "group"),
        "plot_sparsity": lambda: cn.plot_sparsity(dds.counts()),
    }


def seconds(draw: Callable[[], Figure], repeat: int) -> float:
    """Return the fewest seconds of the processor in which a figure is drawn and written."""
    found = []
    for _ in range(repeat + 1):
        start = time.process_time()
        draw().savefig(io.BytesIO(), format="png")
        found.append(time.process_time() - start)
    return min(found[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genes", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        every = figures(study(given.genes))
        print("| figure | seconds |\n|---|---|")
        for name, draw in every.items():
            print(f"| `{name}` | {seconds(draw, given.repeat):.2f} |", flush=True)


if __name__ == "__main__":
    main()
