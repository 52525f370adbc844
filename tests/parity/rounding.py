"""How much do the dispersions of countnest depend on the order in which samples are added up?

usage: PYTHONPATH=tests/parity python tests/parity/rounding.py [--orders N] [--write] [NAME ...]

The counterpart of rounding.R. Every data set is fitted many times with its samples in another order, which changes
nothing but rounding. Genes whose gene-wise or shrunken dispersion moves by more than the target of the parity tests,
beyond the movement of the trend, are decided by rounding: `data/rounding_here.json` lists them, with their movements.
With --write the genes found are added to those that the list has, for another processor may find others.
"""

from __future__ import annotations

import argparse
import json
import warnings

import numpy as np
import pandas as pd
import reference
from quantities import FLOOR_DISPERSION
from runs import Run

LEAST = 1e-9
"""Smaller movements are not listed."""
BEYOND_TREND = 5
"""A gene has moved by itself if it moves so many times as far as the trend."""
TRENDS = {"dispersion_local": "local", "dispersion_mean": "mean"}


def relative(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return the relative difference of two columns, 0 where both are equal or missing."""
    return ((one - other).abs() / other).fillna(0.0)


def columns(run: Run, samples: pd.Index, trends: list[str]) -> dict[str, pd.Series]:
    """Return the dispersions of an order of samples: gene-wise, and trend and shrunken for each kind of trend."""
    dds = run.dataset(run.truth.design, samples)
    if run.truth.normalization_factors is None:
        dds.estimate_size_factors(type=run.truth.info["size_factor_type"])
    found = {}
    for trend in trends:
        genes = dds.estimate_dispersions(fit_type=trend, quiet=True).genes
        found |= {"gene-wise": genes["dispGeneEst"], f"{trend} trend": genes["dispFit"], trend: genes["dispMAP"]}
    return found


def follow(name: str, orders: int) -> tuple[int, dict[str, dict[str, float]]]:
    """Return the number of orders that say something, and the movements of each gene by stage."""
    run = Run(name)
    trends = ["parametric", *(trend for table, trend in TRENDS.items() if table in run.truth.tables)]
    base = columns(run, run.order, trends)
    moved: dict[str, pd.Series] = {}
    used, rng = 0, np.random.default_rng(0)
    for _ in range(orders):
        again = columns(run, pd.Index(rng.permutation(run.order)), trends)
        if (relative(again["gene-wise"], base["gene-wise"])[run.jumping] > reference.JUMP).any():
            continue  # the trend has jumped, and every gene with it
        used += 1
        seen = {"gene-wise": relative(again["gene-wise"].clip(lower=FLOOR_DISPERSION),
                                      base["gene-wise"].clip(lower=FLOOR_DISPERSION))}  # fmt: skip
        for trend in trends:
            drift = relative(again[f"{trend} trend"], base[f"{trend} trend"]).max()
            movement = relative(again[trend], base[trend])
            seen[trend] = movement.where(movement > BEYOND_TREND * drift, 0.0)
        moved = {stage: np.maximum(moved.get(stage, 0.0), movement) for stage, movement in seen.items()}
    return used, {
        str(gene): {
            stage: float(f"{movement[gene]:.3g}") for stage, movement in moved.items() if movement[gene] > LEAST
        }
        for gene in base["gene-wise"].index
        if any(movement[gene] > LEAST for movement in moved.values())
    }


def as_text(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Write the list as JSON, a line for each gene."""
    parts = [
        f"{json.dumps(name)}: {{\n" + ",\n".join(f" {json.dumps(g)}: {json.dumps(m)}" for g, m in genes.items()) + "\n}"
        for name, genes in found.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Read the arguments, follow the data sets, and print or write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these data sets")
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    path = reference.FOLDER / "rounding_here.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    for name in options.names or reference.NAMES:
        used, found = follow(name, options.orders)
        listed = stored.setdefault(name, {})
        new = sorted(set(found) - set(listed))
        gone = sorted(set(listed) - set(found))
        print(
            f"{name}: {used} orders, {len(found)} genes; not listed: {new}; listed, and not moved: {gone}", flush=True
        )
        for gene, movement in found.items():
            before = listed.setdefault(gene, {})
            listed[gene] = {s: max(movement.get(s, 0.0), before.get(s, 0.0)) for s in {**before, **movement}}
    if options.write:
        kept = {name: dict(sorted(genes.items())) for name, genes in stored.items() if genes}
        path.write_text(as_text(kept))


if __name__ == "__main__":
    main()
