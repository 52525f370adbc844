import gc

import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.filter import Filtering, filtered_by, independent_filtering
from countnest.stats.inference.lowess import lowess


@pytest.fixture
def study():
    """p-values and means of 2000 genes: changes only where the mean is high, 10 % of the genes without any count."""
    rng = np.random.default_rng(1)
    mean = np.exp(rng.uniform(-2.0, 8.0, 2000))
    p = rng.random(2000)
    changed = (mean > 20.0) & (rng.random(2000) < 0.3)
    p[changed] = rng.beta(0.3, 40.0, changed.sum())
    mean[:200], p[:200] = 0.0, np.nan
    p[200:215] = np.nan
    return p, mean


def rejections(p, mean, cutoff, alpha, method="BH"):
    adjusted = adjust(np.where(mean >= cutoff, p, np.nan), method)
    return int((adjusted[~np.isnan(adjusted)] < alpha).sum())


@pytest.mark.parametrize("method", ["BH", "bonferroni", "none"])
def test_cutoffs_are_quantiles_of_the_mean(study, method):
    p, mean = study
    found = independent_filtering(p, mean, 0.1, method)
    np.testing.assert_allclose(found.thetas, np.linspace(0.1, 0.95, 50), rtol=1e-12)
    assert found.threshold == np.quantile(mean, found.theta)
    cutoffs = np.quantile(mean, found.thetas)
    expected = [rejections(p, mean, cutoff, 0.1, method) for cutoff in cutoffs]
    np.testing.assert_array_equal(found.n_rejected, expected)
    np.testing.assert_array_equal(found.padj, adjust(np.where(mean >= found.threshold, p, np.nan), method))


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.2])
def test_the_smallest_cutoff_near_the_top_is_taken(study, alpha):
    p, mean = study
    found = independent_filtering(p, mean, alpha)
    curve = lowess(found.thetas, found.n_rejected, fraction=0.2)
    np.testing.assert_array_equal(found.fitted, curve)
    residual = (found.n_rejected - curve)[found.n_rejected > 0]
    limit = curve.max() - np.sqrt(np.mean(residual**2))
    first = np.flatnonzero(found.n_rejected > limit)[0]
    assert first > 0
    assert found.theta == found.thetas[first]
    np.testing.assert_array_equal(found.padj, adjust(np.where(mean >= found.threshold, p, np.nan)))


def test_filtering_finds_more(study):
    p, mean = study
    found = independent_filtering(p, mean, 0.1)
    assert np.nansum(found.padj < 0.1) > np.nansum(adjust(p) < 0.1)
    missing = np.isnan(found.padj)
    assert (missing == (np.isnan(p) | (mean < found.threshold))).all()
    assert (~np.isnan(p) & missing).any()


@pytest.mark.parametrize(("n_changed", "filtered"), [(10, False), (11, True)])
def test_up_to_ten_rejections_filter_nothing(n_changed, filtered):
    rng = np.random.default_rng(2)
    mean = np.arange(1.0, 1001.0)
    p = rng.uniform(0.5, 1.0, 1000)
    p[-n_changed:] = 3e-3  # pass only among the upper third of the genes
    found = independent_filtering(p, mean, 0.1)
    assert found.n_rejected.max() == n_changed
    assert (found.theta > 0.0) is filtered
    assert (found.fitted is not None) is filtered
    if not filtered:
        assert found.threshold == mean.min()
        np.testing.assert_array_equal(found.padj, adjust(p))


def test_missing_p_values_do_not_count(study):
    p, mean = study
    kept = ~np.isnan(p)
    found = independent_filtering(p, mean, 0.1)
    assert np.isnan(found.padj[~kept]).all()
    # the others are adjusted as if the missing were not there, at every cutoff
    cutoffs = np.quantile(mean, found.thetas)
    without = [rejections(p[kept], mean[kept], cutoff, 0.1) for cutoff in cutoffs]
    np.testing.assert_array_equal(found.n_rejected, without)
    high = kept & (mean >= found.threshold)
    np.testing.assert_array_equal(found.padj[high], adjust(p[high]))


def test_without_any_p_value_nothing_is_filtered():
    found = independent_filtering(np.full(100, np.nan), np.arange(100.0), 0.1)
    assert np.isnan(found.padj).all()
    assert found.theta == 0.01  # the gene with mean zero
    np.testing.assert_array_equal(found.n_rejected, 0)


def test_mostly_empty_tables_are_searched_up_to_the_top():
    mean = np.concatenate([np.zeros(970), np.arange(1.0, 31.0)])
    p = np.concatenate([np.full(970, np.nan), np.full(30, 1e-4)])
    found = independent_filtering(p, mean, 0.1)
    assert (found.thetas[0], found.thetas[-1]) == (0.97, 1.0)
    assert np.nansum(found.padj < 0.1) == 30


# ---- other fractions, other methods ----


@pytest.mark.parametrize("thetas", [np.linspace(0.0, 0.9, 10), np.array([0.0, 0.2, 0.5]), np.array([0.3, 0.6])])
def test_given_fractions_are_tried(study, thetas):
    p, mean = study
    found = independent_filtering(p, mean, 0.1, thetas=thetas)
    np.testing.assert_array_equal(found.thetas, thetas)
    cutoffs = np.quantile(mean, thetas)
    np.testing.assert_array_equal(found.n_rejected, [rejections(p, mean, cutoff, 0.1) for cutoff in cutoffs])
    assert found.theta in thetas
    np.testing.assert_array_equal(found.padj, adjust(np.where(mean >= np.quantile(mean, found.theta), p, np.nan)))


def test_a_single_fraction_is_taken(study):
    p, mean = study
    found = independent_filtering(p, mean, 0.1, thetas=np.array([0.3]))
    assert (found.theta, found.threshold) == (0.3, np.quantile(mean, 0.3))
    assert np.isnan(found.padj[mean < found.threshold]).all()


@pytest.mark.parametrize("method", ["storey", "fdr_tsbh", lambda p: np.minimum(2.0 * p, 1.0)])
def test_any_method_of_adjustment(study, method):
    p, mean = study
    found = independent_filtering(p, mean, 0.05, method)
    expected = adjust(np.where(mean >= found.threshold, p, np.nan), method, alpha=0.05)
    np.testing.assert_array_equal(found.padj, expected)
    at = np.flatnonzero(found.thetas == found.theta)[0]
    assert found.n_rejected[at] == np.nansum(expected < 0.05)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("shape", [(0.1, 20.0), (0.3, 3.0), (1.0, 1.0)])
def test_hommels_rejections_are_counted_without_adjusted_values(alpha, shape, monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # statsmodels calls it after each adjustment, half a second here
    rng = np.random.default_rng(3)
    for digits in (17, 3):  # the second with ties
        p = np.round(rng.beta(*shape, 150), digits)
        p[rng.random(150) < 0.1] = np.nan
        mean = rng.random(150)
        found = independent_filtering(p, mean, alpha, "hommel")
        some = slice(None, None, 8)
        cutoffs = np.quantile(mean, found.thetas[some])
        expected = [rejections(p, mean, cutoff, alpha, "hommel") for cutoff in cutoffs]
        np.testing.assert_array_equal(found.n_rejected[some], expected)


# ---- a function instead ----


def weighted_bh(p_values, statistic, _alpha):
    """The example of `filtered_by`."""
    tested = ~np.isnan(p_values)
    quarter = np.digitize(statistic, np.quantile(statistic[tested], [0.25, 0.5, 0.75]))
    null = np.array([2.0 * np.mean(p_values[tested & (quarter == k)] > 0.5) for k in range(4)])
    null = np.clip(null, 0.01, 0.99)
    weight = ((1.0 - null) / null)[quarter]
    weight = weight / weight[tested].mean()
    return adjust(np.minimum(p_values / weight, 1.0))


def test_weights_find_more_than_none(study):
    p, mean = study
    padj, record = filtered_by(weighted_bh, p, mean, 0.1)
    assert record is None
    np.testing.assert_array_equal(np.isnan(padj), np.isnan(p))
    assert np.nansum(padj < 0.1) > 1.1 * np.nansum(adjust(p) < 0.1)


def test_weights_keep_the_false_discovery_rate():
    false = found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mean = np.exp(rng.uniform(0.0, 8.0, 4000))
        changed = (mean > 500.0) & (rng.random(4000) < 0.3)
        p = np.where(changed, rng.beta(0.3, 40.0, 4000), rng.random(4000))
        called = filtered_by(weighted_bh, p, mean, 0.1)[0] < 0.1
        false, found = false + (called & ~changed).sum(), found + called.sum()
    assert false / found < 0.11


def test_a_record_is_handed_on(study):
    p, mean = study
    padj, record = filtered_by(lambda p, statistic, alpha: independent_filtering(p, statistic, alpha), p, mean, 0.05)
    assert isinstance(record, Filtering)
    np.testing.assert_array_equal(padj, independent_filtering(p, mean, 0.05).padj)


def test_functions_get_copies_and_missing_stays_missing(study):
    p, mean = study
    before = p.copy()

    def spoil(p_values, statistic, alpha):
        assert alpha == 0.2
        p_values[:] = statistic[:] = 0.5
        return p_values

    padj, _ = filtered_by(spoil, p, mean, 0.2)
    np.testing.assert_array_equal(p, before)
    np.testing.assert_array_equal(padj, np.where(np.isnan(before), np.nan, 0.5))


@pytest.mark.parametrize("wrong", [lambda p, *_: p[1:], lambda *_: None, lambda p, *_: p > 0.5])
def test_functions_must_return_adjusted_p_values(study, wrong):
    with pytest.raises(OptionError, match="one adjusted p-value for each of the 2000 genes"):
        filtered_by(wrong, *study, 0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, *_: p + 5.0, "'<lambda>' must return adjusted p-values, numbers from 0 to 1"),
        (lambda p, *_: -p, "numbers from 0 to 1"),
        (lambda p, *_: p * np.nan, "'<lambda>' left out every gene"),
        (lambda p: p, "filter_fun: the function '<lambda>' failed: TypeError"),
    ],
)
def test_functions_that_fail_or_return_something_else_are_named(study, wrong, message):
    with pytest.raises(OptionError, match=message):
        filtered_by(wrong, *study, 0.1)
