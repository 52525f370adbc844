"""What a list of p-values is worth."""

import numpy as np
import pandas as pd
import pytest

from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.containers.verdict import verdict_of
from countnest.errors import OptionError
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg


def table_of(p_value, **columns):
    padj = np.full(len(p_value), np.nan)
    there = ~np.isnan(p_value)
    padj[there] = benjamini_hochberg(p_value[there])
    return pd.DataFrame({"pvalue": p_value, "padj": padj, **columns})


def weak_effects(m=16_000, small=1_240):
    """2,000 p-values of 16,000 below 0.05, and none of them small: an even grid, and more of it below 0.05."""
    even = (np.arange(m - small) + 0.5) / (m - small)
    more = 0.0005 + 0.0495 * (np.arange(small) + 0.5) / small
    return np.concatenate([even, more])


def test_two_thousand_below_the_level_and_none_after_adjustment():
    found = verdict_of(table_of(weak_effects(), log2FoldChange=0.0, df=20.0))
    assert (found.tested, found.expected, found.called) == (16_000, 800.0, 0)
    assert found.observed == pytest.approx(1_978, abs=2)
    assert found.null_share == pytest.approx(14_760 / 16_000, abs=0.002)
    assert found.false_share == pytest.approx(738 / 1_978, abs=0.003)
    assert found.needed == 0.05 / 16_000
    assert found.needed_t == pytest.approx(6.387277, abs=1e-6)  # R: -qt(.05 / 16000 / 2, 20)
    assert found.smallest_adjusted > 0.05


def test_it_reads_as_a_text():
    lines = str(verdict_of(table_of(weak_effects(), log2FoldChange=0.0, df=20.0))).splitlines()
    assert lines[0] == "16000 genes tested"
    assert lines[1].endswith("; expected without any effect: 800")
    assert lines[3] == "false among those with p < 0.05: about 37 %"
    assert "|t| > 6.4 with 20 degrees of freedom" in lines[5]


def test_without_effects_all_of_the_list_is_false():
    found = verdict_of(table_of((np.arange(1000) + 0.5) / 1000))
    assert (found.observed, found.null_share, found.false_share) == (50, pytest.approx(1.0), pytest.approx(1.0))
    assert found.df is None
    assert found.needed_t is None


def test_strong_effects_are_called():
    p_value = np.concatenate([np.full(200, 1e-12), (np.arange(800) + 0.5) / 800])
    found = verdict_of(table_of(p_value), 0.1)
    assert found.called >= 200
    assert found.false_share == pytest.approx(80 / 280, abs=0.01)


def test_only_genes_that_were_adjusted_count():
    table = table_of(weak_effects())
    table.loc[:7999, "padj"] = np.nan
    assert verdict_of(table).tested == 8_000
    assert verdict_of(table).needed == 0.05 / 8_000


def test_of_few_genes_none_counts_as_an_effect():
    found = verdict_of(table_of(np.full(20, 0.01)))
    assert (found.null_share, found.false_share) == (1.0, 0.05)


def test_no_p_value_below_the_level():
    found = verdict_of(table_of(np.linspace(0.2, 1.0, 200)))
    assert (found.observed, found.false_share) == (0, 0.0)


def test_a_joint_test_asks_for_no_t_statistic():
    assert verdict_of(table_of(weak_effects(), df=20.0)).needed_t is None


def test_it_is_a_method_of_results():
    results = Results(table_of(weak_effects()), ResultsInfo(label="x"))
    assert results.verdict() == verdict_of(results.table)
    assert (results.verdict(0.01).alpha, results.verdict(None).alpha) == (0.01, 0.1)


@pytest.mark.parametrize(
    ("table", "alpha", "words"),
    [
        (pd.DataFrame({"svalue": [0.1]}), 0.05, "no columns pvalue and padj"),
        (pd.DataFrame({"pvalue": [0.1], "padj": [np.nan]}), 0.05, "no gene of the table has an adjusted one"),
        (pd.DataFrame({"pvalue": [0.1], "padj": [0.1]}), 5, "alpha=5 is not a level"),
    ],
)
def test_what_has_no_verdict_is_told(table, alpha, words):
    with pytest.raises(OptionError, match=words):
        Results(table, ResultsInfo(label="x")).verdict(alpha)
