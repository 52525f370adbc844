"""The timing of mixed models beside R: what R is given, and the table from made-up seconds."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def speed():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("mixed_speed")
    sys.path.remove(str(FOLDER))
    for name in ("mixed_speed", "cold", "report", "problems", "libraries"):
        sys.modules.pop(name, None)


def test_r_gets_the_same_genes_model_and_factors(speed, tmp_path):
    dds = speed.data_set(20)
    dds.estimate_size_factors()
    rows = np.array([0, 7, 19])
    speed.write_genes(dds, rows, tmp_path)
    counts, values, offset, model, family = (
        pd.read_csv(tmp_path / f"{name}.csv").to_numpy() for name in ("counts", "values", "offset", "model", "family")
    )
    assert np.array_equal(counts, dds.counts().to_numpy()[rows])
    assert np.allclose(2.0**values - 0.5, counts / np.exp(offset[:, 0]))
    assert model.shape == (48, 8)
    assert len(set(family[:, 0])) == 24


def test_the_table_compares_seconds_of_a_gene(speed):
    ours = dict.fromkeys(speed.TASKS, (1.5, 0.5))
    theirs = dict.fromkeys(filter(None, (column for column, _, _ in speed.TASKS.values())), 80.0)
    found = speed.Measured(ours, theirs, dict.fromkeys(speed.TASKS, 2e-6), "R 4")
    lines = speed.against_r(found, genes=10_000, some=40)
    assert len({line.count("|") for line in lines}) == 1
    assert "| linear, Kenward-Roger | 1.50 | 0.50 | 0.200 | lmerTest and pbkrtest | 2000 | 10,000x | 2e-06 |" in lines
    assert sum("x |" in line for line in lines) == len(theirs)


def test_every_task_is_a_call_that_leaves_the_fit_it_names(speed):
    dds = speed.data_set(12)
    for task, (_, _, fit) in speed.TASKS.items():
        seconds = speed.timed(dds, task)
        assert min(seconds) > 0
        assert dds.results(fit=fit).info.method
    assert speed.estimates(dds, task, np.array([1, 4])).shape == (2, 8)
