import numpy as np
import pytest

from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.filter import independent_filtering
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
