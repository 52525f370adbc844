"""The comparison with reference numbers finds every kind of difference, and only those."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from parity import comparison
from parity.comparison import IDENTICAL, SAME_ALGORITHM, SAME_OPTIMUM


@pytest.fixture
def truth():
    rng = np.random.default_rng(1)
    values = pd.Series(rng.normal(size=200), index=[f"gene{i}" for i in range(200)])
    values.iloc[::17] = np.nan
    return values


def test_equal_numbers_pass(truth):
    found = comparison.compare("x", truth.copy(), truth, IDENTICAL)
    assert found.passed
    assert found.largest == 0
    assert found.worst == ""
    assert found.compared == truth.notna().sum()


def test_one_number_beyond_the_tolerance_is_found_and_named(truth):
    perturbed = truth.copy()
    perturbed["gene5"] *= 1 + 3e-8
    perturbed["gene6"] *= 1 + 3e-9
    found = comparison.compare("x", perturbed, truth, SAME_ALGORITHM)
    assert not found.passed
    assert list(found.outside.index) == ["gene5"]
    assert found.worst == "gene5"
    assert found.largest == pytest.approx(3e-8, rel=1e-6)
    assert "gene5" in found.message()
    assert comparison.compare("x", perturbed, truth, SAME_OPTIMUM).passed


@pytest.mark.parametrize("side", ["here", "there"])
def test_a_missing_value_on_one_side_is_found(truth, side):
    gone = truth.copy()
    gone["gene7"] = np.nan
    found = comparison.compare("x", *((gone, truth) if side == "here" else (truth, gone)), SAME_OPTIMUM)
    assert not found.passed
    assert (found.missing_here if side == "here" else found.missing_there) == ("gene7",)
    assert found.outside.empty
    assert "gene7" in found.message()


def test_a_comparison_of_nothing_is_an_error(truth):
    nothing = pd.Series(np.nan, index=truth.index)
    with pytest.raises(ValueError, match="x: nothing is compared"):
        comparison.compare("x", nothing, nothing, IDENTICAL)
    with pytest.raises(ValueError, match="nothing is compared"):
        comparison.compare("x", truth, truth, IDENTICAL, rows=truth.isna())
    with pytest.raises(ValueError, match="nothing is compared"):
        comparison.compare_sets("x", truth[:0], truth[:0])
    assert not comparison.compare("x", nothing, truth, IDENTICAL).passed
    assert not comparison.compare("x", truth, nothing, IDENTICAL).passed


def test_where_the_reference_has_no_value_there_must_be_none_here(truth):
    nothing = pd.Series(np.nan, index=truth.index)
    found = comparison.compare_missing("x", nothing, nothing)
    assert found.passed
    assert found.compared == len(truth)
    found = comparison.compare_missing("x", nothing.where(truth.index != "gene3", 1.0), nothing)
    assert not found.passed
    assert list(found.outside.index) == ["gene3"]


def test_labels_decide_and_not_positions(truth):
    assert comparison.compare("x", truth[::-1], truth, IDENTICAL).passed
    moved = pd.Series(truth.to_numpy(), index=np.roll(truth.index, 1))
    assert not comparison.compare("x", moved, truth, SAME_OPTIMUM).passed
    with pytest.raises(ValueError, match="labels"):
        comparison.compare("x", truth[1:], truth, IDENTICAL)


def test_the_floor_holds_only_small_numbers_to_an_absolute_difference():
    there = pd.Series({"small": 1e-9, "large": 2.0})
    here = there + 1e-10
    assert list(comparison.compare("x", here, there, SAME_ALGORITHM).outside.index) == ["small"]
    assert comparison.compare("x", here, there, SAME_ALGORITHM, floor=0.1).passed
    assert not comparison.compare("x", there * (1 + 1e-7), there, SAME_ALGORITHM, floor=0.1).passed


def test_absolute_differences_are_not_scaled():
    there = pd.Series({"a": 1e6})
    assert not comparison.compare("x", there + 1e-3, there, SAME_OPTIMUM, scale="absolute").passed
    assert comparison.compare("x", there + 1e-3, there, SAME_ALGORITHM).passed


def test_only_the_chosen_rows_count(truth):
    perturbed = truth.copy()
    perturbed["gene5"] += 1
    perturbed["gene6"] = np.nan
    rows = ~truth.index.to_series().isin(["gene5", "gene6"])
    found = comparison.compare("x", perturbed, truth, IDENTICAL, rows=rows)
    assert found.passed
    assert found.compared == truth[rows].notna().sum()


def test_the_largest_difference_of_a_table_is_over_its_columns(truth):
    table = pd.DataFrame({"a": truth, "b": truth * 2})
    perturbed = table.copy()
    perturbed.loc["gene8", "b"] *= 1 + 1e-3
    found = comparison.compare("x", perturbed, table, SAME_ALGORITHM)
    assert found.worst == "gene8"
    assert found.largest == pytest.approx(1e-3, rel=1e-6)
    perturbed.loc["gene9", "a"] = np.nan
    assert comparison.compare("x", perturbed, table, SAME_ALGORITHM).missing_here == ("gene9",)


def test_infinite_numbers():
    there = pd.Series({"a": np.inf, "b": 1.0, "c": -np.inf})
    assert comparison.compare("x", there.copy(), there, IDENTICAL).passed
    found = comparison.compare("x", pd.Series({"a": np.inf, "b": np.inf, "c": np.inf}), there, SAME_OPTIMUM)
    assert set(found.outside.index) == {"b", "c"}
    assert found.largest == np.inf


def test_booleans_and_sets():
    there = pd.Series({"a": True, "b": False})
    assert comparison.compare_sets("x", there.copy(), there).passed
    found = comparison.compare_sets("x", ~there, there)
    assert set(found.outside.index) == {"a", "b"}


def test_the_threshold_is_found_from_missing_values():
    rng = np.random.default_rng(2)
    mean = pd.Series(np.append(rng.gamma(1.0, 10.0, size=95), np.zeros(5)))
    pvalue = mean.where(mean > 0)
    cutoffs = np.quantile(mean, np.linspace(0.05, 0.95, 50))
    padj = pvalue.where(mean >= cutoffs[20])
    possible = comparison.possible_thresholds(mean, pvalue, padj)
    assert cutoffs[20] in possible
    assert comparison.compare_threshold("x", cutoffs[20], possible, SAME_ALGORITHM).passed
    assert not comparison.compare_threshold("x", cutoffs[25], possible, SAME_ALGORITHM).passed


def test_floors_can_differ_by_gene():
    there = pd.Series({"a": 1e-9, "b": 1e-9, "c": np.nan})
    floor = pd.Series({"c": np.nan, "b": 1e-12, "a": 1.0})
    assert list(comparison.compare("x", there * 1.001, there, SAME_ALGORITHM, floor=floor).outside.index) == ["b"]
    rows = pd.Series({"a": True, "b": False, "c": False})
    assert comparison.compare("x", there * 1.001, there, SAME_ALGORITHM, floor=floor, rows=rows).passed


def test_p_values_are_compared_by_their_logarithms():
    there = pd.Series({"one": 1.0, "half": 0.5, "small": 1e-200, "zero": 0.0, "lost": np.nan})
    assert comparison.compare("p", there.copy(), there, IDENTICAL, scale="logarithmic").passed
    near = there * (1 + 1e-7)
    found = comparison.compare("p", near, there, SAME_ALGORITHM, scale="logarithmic")
    assert list(found.outside.index) == ["half", "one"] or list(found.outside.index) == ["one", "half"]
    assert comparison.compare("p", near, there, SAME_OPTIMUM, scale="logarithmic").passed
    far = pd.Series({"one": 1.0, "half": 0.5, "small": 1e-190, "zero": 1e-290, "lost": np.nan})
    assert set(comparison.compare("p", far, there, SAME_OPTIMUM, scale="logarithmic").outside.index) == {
        "small",
        "zero",
    }


def test_a_looser_tolerance_does_not_hide_what_is_beyond_the_target(truth):
    perturbed = truth.copy()
    perturbed["gene5"] *= 1 + 3e-7
    found = comparison.compare("x", perturbed, truth, SAME_OPTIMUM, target=SAME_ALGORITHM)
    assert found.passed
    assert found.outside.empty
    assert list(found.beyond.index) == ["gene5"]


def test_where_an_adjusted_p_value_comes_from():
    pvalue = pd.Series({"a": 0.001, "b": 0.02, "c": 0.021, "d": 0.9, "e": 0.0001, "f": 0.5})
    padj = pd.Series(scipy.stats.false_discovery_control(pvalue[:5]), index=pvalue.index[:5]).reindex(pvalue.index)
    source = comparison.adjusted_from(pvalue, padj)
    assert source.dropna().to_dict() == {"a": "a", "b": "c", "c": "c", "d": "d", "e": "e"}
    rank = pvalue[:5].rank()
    for gene, other in source.dropna().items():
        assert padj[gene] == pytest.approx(pvalue[other] * 5 / rank[other])
