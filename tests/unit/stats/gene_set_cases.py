"""Gene sets of the studies of `data/limma` and `data/edger`, and R's tests of them."""

from pathlib import Path

import numpy as np

from countnest.stats.gene_sets.effects import LinearData
from countnest.stats.voom.voom import voom
from exact import read_exactly
from unit.stats import edger_cases, limma_reference

DATA = Path(__file__).parent / "data" / "gene_sets"


def last(p):
    """Return the contrast of the last of p coefficients."""
    return np.eye(p)[-1]


def sets_of(name):
    """Return the sets of a study, in the order of R's tests."""
    found = read_exactly(DATA / f"{name}_sets.csv.gz")
    return [found["row"].to_numpy()[found["set"] == label] - 1 for label in numbers_of(name)["set"]]


def numbers_of(name):
    return read_exactly(DATA / f"{name}_tests.csv.gz")


def voomed(name):
    """Return the log counts of a study, with their weights."""
    study = limma_reference.case(name)
    found = voom(study.counts, study.design, study.library)
    return LinearData(found.values, study.design, found.weights)


def counts_of(name):
    return edger_cases.case(name)
