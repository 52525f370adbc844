"""Simulated groups of independent samples."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest import simulate
from countnest.errors import OptionError


def test_study():
    study = simulate.groups(genes=200, sizes=(3, 4, 5), fraction=0.5)
    assert study.counts.shape == study.log_means.shape == (200, 12)
    assert list(study.samples["group"]) == list("AAABBBBCCCCC")
    assert list(study.truth) == ["base", "alpha", "group[B]", "group[C]", "null_group"]
    assert study.truth["null_group"].equals((study.truth[["group[B]", "group[C]"]] == 0).all(axis=1))
    difference = study.log_means["s003"] - study.log_means["s000"]
    np.testing.assert_allclose(difference, study.truth["group[B]"], atol=1e-12)
    design = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference).design
    assert design.columns == ("(Intercept)", "groupB", "groupC")


def test_levels_and_seed():
    study, again = (simulate.groups(genes=30, levels=("wt", "ko"), rng=3) for _ in range(2))
    assert study.reference == {"group": "wt"}
    pd.testing.assert_frame_equal(study.counts, again.counts)
    more = simulate.groups(genes=40, levels=("wt", "ko"), rng=3)
    pd.testing.assert_frame_equal(more.counts.iloc[:30], study.counts)


def test_null():
    assert simulate.groups(genes=100, fraction=0.0).truth["null_group"].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": 3}, r"sizes=3 .* such as \(3, 3\)"),
        ({"sizes": (3,)}, r"sizes has 1 numbers; give two or more"),
        ({"sizes": (3,) * 27}, r"sizes has 27 numbers; .* levels"),
        ({"levels": ("a", "b", "c")}, r"levels has 3 names and sizes 2 numbers"),
        ({"fraction": -1}, r"fraction=-1 .* from 0 to 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(OptionError, match=message):
        simulate.groups(**arguments)
