"""Numbers of limma for a few studies: `data/limma`, see the README there."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import countnest as cn
from exact import read_exactly

FOLDER = Path(__file__).parent / "data" / "limma"
CASES = ("sparse", "lowcount", "oneway", "airway")
IN_BLOCKS = ("sparse", "lowcount", "airway")


@dataclass(frozen=True)
class Case:
    """Counts, design, effective library sizes, blocks, and the tables of R."""

    name: str
    counts: np.ndarray
    design: np.ndarray
    library: np.ndarray
    info: dict

    def table(self, name):
        """Return a table of R, and which genes its rows are."""
        found = read_exactly(FOLDER / self.name / f"{name}.csv.gz")
        return found, found["row"].to_numpy() - 1

    @property
    def samples(self):
        return read_exactly(FOLDER / self.name / "samples.csv.gz")

    @property
    def block(self):
        return np.unique(self.samples["block"], return_inverse=True)[1].astype(np.int64)

    @property
    def block_design(self):
        return read_exactly(FOLDER / self.name / "block_design.csv.gz").to_numpy(dtype=float)


@cache
def case(name):
    """Return one of the studies."""
    folder = FOLDER / name
    keep = read_exactly(folder / "keep.csv.gz")["keep"].to_numpy() > 0
    if name == "airway":
        counts = cn.datasets.load("airway").counts.to_numpy(dtype=float)
    else:
        counts = read_exactly(folder / "counts.csv.gz").iloc[:, 1:].to_numpy(dtype=float)
    samples = read_exactly(folder / "samples.csv.gz")
    library = (samples["lib"] * samples["nf_TMM"]).to_numpy(dtype=float)
    design = read_exactly(folder / "design.csv.gz").to_numpy(dtype=float)
    return Case(name, counts[keep], design, library, json.loads((folder / "info.json").read_text(encoding="utf-8")))
