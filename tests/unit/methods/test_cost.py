import numpy as np
import pytest

import countnest as cn
from cases import each
from countnest.methods import cost
from countnest.methods.cost import Cost, expected_cost
from countnest.stats.glm.layout import Layout

GB = 1e9


def layout(n, covariates=0):
    group = np.repeat([0.0, 1.0], n // 2)
    extra = np.random.default_rng(1).normal(size=(n, covariates))
    return Layout.of(np.column_stack([np.ones(n), group, extra]))


def test_more_of_anything_costs_more():
    base = expected_cost(1000, [layout(20)], 2)
    assert 0.0 < base.seconds < 1.0
    assert expected_cost(4000, [layout(20)], 2).seconds == pytest.approx(4.0 * base.seconds)
    assert expected_cost(1000, [layout(20)], 4).seconds == pytest.approx(base.seconds / 2.0)
    assert expected_cost(1000, [layout(80)], 2).seconds > 2.0 * base.seconds
    assert expected_cost(1000, [layout(20, covariates=5)], 2).seconds > 2.0 * base.seconds
    assert base.seconds < expected_cost(1000, [layout(20), layout(20)], 2).seconds < 1.5 * base.seconds


def test_memory_is_that_of_the_counts_and_of_blocks():
    here, elsewhere = (expected_cost(56_000, [layout(1000)], 2, held).n_bytes for held in (448e6, 0.0))
    assert here - elsewhere == 448e6
    assert expected_cost(560_000, [layout(1000)], 2).n_bytes < 3.0 * elsewhere  # ten times the genes
    assert expected_cost(56_000, [layout(1000)], 4).n_bytes < 2.0 * elsewhere


@each(
    ("example", "notable", "text"),
    [
        (Cost(2.0, 1, 0.2 * GB, 8.0 * GB), False, "about 2 s on 1 thread, and about 200 MB of memory"),
        (Cost(0.1, 2, 100.0, None), False, "about 1 s on 2 threads, and about 1 MB of memory"),
        (Cost(11.4, 2, 0.2 * GB, 8.0 * GB), True, "about 11 s on 2 threads, and about 200 MB of memory"),
        (Cost(200.0, 4, 1.6 * GB, None), True, "about 3 min on 4 threads, and about 1.6 GB of memory"),
        (Cost(9000.0, 4, 1.6 * GB, 64.0 * GB), True, "about 2.5 h on 4 threads, and about 1.6 GB of memory"),
        (Cost(5.0, 4, 3.0 * GB, 8.0 * GB), True, "about 5 s on 4 threads, and about 3.0 GB of the 8.0 GB of memory"),
    ],
)
def test_what_is_said(example, notable, text):
    assert example.is_notable == notable
    assert str(example) == text


def test_memory_of_the_machine(monkeypatch):
    found = cost.physical_memory()
    assert found is None or found > 1e8

    def fail(_):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", fail, raising=False)
    assert cost.physical_memory() is None


def test_a_long_analysis_is_announced_and_a_short_one_is_not(capsys, monkeypatch):
    dds = cn.make_example_dataset(100, 6)
    dds.deseq(n_threads=2)
    assert "this will take" not in capsys.readouterr().err
    monkeypatch.setattr(cost, "LONG", 0.0)
    dds.deseq(n_threads=2)
    assert "-- note: this will take about 1 s on 2 threads, and about 1 MB of memory; Ctrl-C" in capsys.readouterr().err
    dds.deseq(n_threads=2, quiet=True)
    assert capsys.readouterr().err == ""
