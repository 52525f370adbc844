"""Mixed models of counts that R fitted: `data/mixed_counts`, see the README there."""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from countnest.stats.mixed.records import MixedModel, RandomEffects
from exact import read_exactly

FOLDER = Path(__file__).parent / "data" / "mixed_counts"
# A treatment of these has no counts, so that some estimates are infinite.
SEPARATED = "g01235"


@dataclass(frozen=True)
class Example:
    """Counts (G, n), offsets (1, n) and a model."""

    counts: np.ndarray
    offset: np.ndarray
    model: MixedModel


def random_intercepts(matrix, groups):
    """Return the model with a random intercept for each group."""
    codes = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return MixedModel(np.asarray(matrix, dtype=float), (RandomEffects(codes, np.ones((len(codes), 1)), "1 | group"),))


@cache
def table(name):
    """Return a table of R."""
    return read_exactly(FOLDER / f"{name}.csv.gz")


def without_separated(name):
    """Return a table of R without the gene that has infinite estimates."""
    rows = table(name)
    return rows[rows["gene"] != SEPARATED]


@cache
def families(genes, n_columns=8):
    """Return genes of the study of 24 families of two; five columns: without the interaction."""
    counts = table("counts").set_index("gene").loc[list(genes)].to_numpy(dtype=float)
    samples = table("samples")
    matrix = samples.iloc[:, 2:].to_numpy(dtype=float)[:, :n_columns]
    offset = np.log(samples["size_factor"].to_numpy(dtype=float))[np.newaxis]
    return Example(counts, offset, random_intercepts(matrix, samples["family"]))


@cache
def classic():
    """Return the classic data sets and their fits."""
    return json.loads(gzip.decompress((FOLDER / "classic.json.gz").read_bytes()))


@cache
def epil():
    """Return the epileptic seizures of 59 subjects."""
    data = classic()["epil"]
    base = np.log(np.array(data["base"]) / 4.0)
    treated = np.array([treatment == "progabide" for treatment in data["trt"]], dtype=float)
    age = np.log(np.array(data["age"], dtype=float))
    matrix = np.column_stack([np.ones(len(age)), base, treated, age, data["V4"], base * treated])
    return Example(
        np.array([data["y"]], dtype=float), np.zeros((1, len(age))), random_intercepts(matrix, data["subject"])
    )


@cache
def cells():
    """Return the counts of 200 cells on four slides."""
    data = classic()["cells"]
    treated = np.array([treatment == "Target" for treatment in data["RNAi"]], dtype=float)
    matrix = np.column_stack([np.ones(len(treated)), treated])
    counts = np.array([data["counts"]], dtype=float)
    return Example(counts, np.zeros((1, len(treated))), random_intercepts(matrix, data["slide"]))
