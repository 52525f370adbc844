"""R's numbers for linear mixed models with several variances; see data/mixed_general/README.md."""

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np

from countnest.stats.mixed.records import MixedModel, RandomEffects

FILE = Path(__file__).parent / "data" / "mixed_general" / "reference.json.gz"
LAYOUTS = ("slope_corr", "slope_uncorr", "slope_weighted", "crossed", "nested")


@cache
def reference():
    return json.loads(gzip.decompress(FILE.read_bytes()))


def model_of(entry):
    terms = tuple(
        RandomEffects(np.array(term["codes"]), np.array(term["columns"], dtype=float).T.copy())
        for term in entry["terms"]
    )
    return MixedModel(np.array(entry["matrix"]).T.copy(), terms)


def layout(name):
    """Return responses, model and weights of a layout, and its numbers."""
    entry = reference()[name]
    weights = np.array(entry["weights"]) if "weights" in entry else None
    return np.array(entry["y"]), model_of(entry), weights, entry


def classic(name):
    """Return the same of a classic data set, as one gene."""
    entry = reference()["classic"]["fits"][name]
    weights = np.array([entry["weights"]]) if "weights" in entry else None
    return np.array([entry["y"]], dtype=float), model_of(entry), weights, entry


def classics():
    return tuple(reference()["classic"]["fits"])
