"""Agreement of two analyses: against SciPy, and by counting."""

import math

import numpy as np
import pytest
from scipy import stats

from countnest.stats.agreement import (
    call_agreement,
    change_agreement,
    order_of,
    pearson,
    rank_agreement,
    ranks_by_p,
    score_difference,
    spearman,
)


@pytest.fixture
def two():
    rng = np.random.default_rng(3)
    first = rng.uniform(size=400)
    second = np.clip(first + 0.1 * rng.normal(size=400), 1e-6, 1.0)
    return first, np.round(second, 2)  # with ties


def test_calls_are_counted_among_genes_that_one_of_them_tested():
    first, second = np.array([1, 1, 0, 0, 0, 1], bool), np.array([1, 0, 1, 0, 0, 1], bool)
    found = call_agreement((first, second), np.array([1, 1, 1, 1, 0, 1], bool))
    assert (found.both, found.only_first, found.only_second, found.neither) == (2, 1, 1, 1)
    assert found.jaccard == 0.5
    none = np.zeros(3, bool)
    assert math.isnan(call_agreement((none, none), ~none).jaccard)


def test_correlations_are_those_of_scipy(two):
    assert spearman(*two) == pytest.approx(stats.spearmanr(*two).statistic, rel=1e-12)
    assert pearson(*two) == pytest.approx(stats.pearsonr(*two).statistic, rel=1e-12)


def test_correlations_without_variation_or_values_are_missing():
    assert math.isnan(spearman(np.ones(4), np.arange(4.0)))
    assert math.isnan(pearson(np.empty(0), np.empty(0)))
    assert math.isnan(spearman(np.array([1.0, np.nan, 2.0]), np.arange(3.0)))


def test_ranks_are_of_genes_with_p_values_in_both(two):
    first, second = (each.copy() for each in two)
    first[:10], second[5:20] = np.nan, np.nan
    there = ~np.isnan(first) & ~np.isnan(second)
    ranks = ranks_by_p((first, second))
    for found, values in zip(ranks, (first, second), strict=True):
        np.testing.assert_array_equal(found[there], stats.rankdata(values[there]))
        assert np.isnan(found[~there]).all()
    score = score_difference((first, second))
    expected = stats.norm.ppf(ranks[0] / (there.sum() + 1)) - stats.norm.ppf(ranks[1] / (there.sum() + 1))
    np.testing.assert_allclose(score, expected, rtol=1e-10, atol=1e-12)


def test_a_gene_that_the_second_has_further_ahead_has_a_positive_score():
    score = score_difference((np.array([0.9, 0.1, 0.5]), np.array([0.01, 0.1, 0.5])))
    assert score[0] > 0
    assert score[1] < 0
    assert np.isnan(score_difference((np.array([np.nan]), np.array([0.5])))).all()


def test_first_genes_in_common_are_counted(two):
    found = rank_agreement(two, two, firsts=(10, 100, 1000))
    there = {n: set(np.argsort(two[0])[:n]) & set(np.lexsort((-two[1], two[1]))[:n]) for n in (10, 100)}
    assert found.overlap == {n: len(genes) for n, genes in there.items()}
    assert found.n_genes == 400
    assert found.p_values == found.statistics


def test_ties_of_p_values_are_ordered_by_the_statistic():
    assert order_of(np.array([0.0, 0.5, 0.0]), np.array([-40.0, 1.0, 41.0])).tolist() == [2, 0, 1]


def test_without_statistics_their_correlation_is_missing(two):
    found = rank_agreement(two, None)
    assert math.isnan(found.statistics)
    assert found.p_values == pytest.approx(stats.spearmanr(*two).statistic, rel=1e-12)


def test_fold_changes_are_compared_where_both_are_finite_and_used():
    rng = np.random.default_rng(5)
    first = rng.normal(size=300)
    second = 0.8 * first + 0.1 * rng.normal(size=300)
    second[:3] = [np.inf, np.nan, -np.inf]
    used = np.arange(300) < 290
    there = used & np.isfinite(second)
    called = (np.abs(first) > 1, np.zeros(300, bool))
    second[50], called[0][50] = -first[50], True
    found = change_agreement((first, second), used, called)
    x, y = first[there], second[there]
    assert found.n_genes == 287
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-12)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-12)
    assert found.slope == pytest.approx(stats.linregress(x, y).slope, rel=1e-12)
    assert found.median_difference == np.median(y - x)
    assert found.median_absolute_difference == np.median(np.abs(y - x))
    assert found.sign_changes == np.count_nonzero((x * y < 0) & called[0][there]) >= 1


def test_without_genes_nothing_is_said_of_fold_changes():
    none = np.zeros(3, bool)
    found = change_agreement((np.ones(3), np.ones(3)), none, (none, none))
    assert found.n_genes == found.sign_changes == 0
    assert math.isnan(found.slope)
    assert math.isnan(found.median_difference)
