"""The studies of `data/edger`, with R's numbers."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from exact import read_exactly

DATA = Path(__file__).parent / "data" / "edger"
NAMES = ("sparse", "oneway", "offsets", "weights", "lowcount")


@dataclass(frozen=True)
class Case:
    """Counts of the kept genes, their samples and design, and what R makes of them."""

    name: str
    every: np.ndarray
    kept: np.ndarray
    samples: pd.DataFrame
    design: np.ndarray
    info: dict

    @property
    def counts(self):
        return self.every[self.kept]

    @property
    def library(self):
        """Effective library sizes (n,)."""
        return (self.samples["lib"] * self.samples["nf_TMM"]).to_numpy()

    @property
    def factors(self):
        """Exponentials of the offsets, (1, n) or (G, n)."""
        return np.exp(self.matrix("offset")) if self.has("offset") else self.library[np.newaxis]

    @property
    def weights(self):
        return self.matrix("weights") if self.has("weights") else None

    def has(self, name):
        return (DATA / self.name / f"{name}.csv.gz").exists()

    def table(self, name):
        """Return a table of R's numbers, and the rows of the kept genes that it has."""
        found = read_exactly(DATA / self.name / f"{name}.csv.gz")
        rows = found.pop("row").to_numpy() - 1 if "row" in found else np.arange(len(found))
        return found, rows

    def matrix(self, name):
        return self.table(name)[0].to_numpy(dtype=np.float64)


@cache
def case(name):
    folder = DATA / name
    keep = read_exactly(folder / "keep.csv.gz")["keep"].to_numpy() > 0
    counts = read_exactly(folder / "counts.csv.gz").set_index("gene").to_numpy(dtype=np.float64)
    samples = read_exactly(folder / "samples.csv.gz")
    design = read_exactly(folder / "design.csv.gz").to_numpy(dtype=np.float64)
    return Case(name, counts, keep, samples, design, json.loads((folder / "info.json").read_text()))
