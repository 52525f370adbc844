"""q-values: the share of true hypotheses where it is known, and the bound by Benjamini and Hochberg."""

import numpy as np
import pytest

from cases import each
from countnest.errors import OptionError
from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.qvalue import LAMBDAS, q_values, share_of_true_nulls

METHODS = ["smoother", "bootstrap"]


def mixture(m, share, seed):
    """Return p-values of which `share` are uniform and the others small."""
    rng = np.random.default_rng(seed)
    changed = round(m * (1.0 - share))
    return np.concatenate([rng.beta(0.2, 20.0, changed), rng.random(m - changed)])


@each("method", METHODS)
@each("share", [0.5, 0.8, 0.95, 1.0])
def test_share_is_near_the_truth(method, share):
    found = [share_of_true_nulls(mixture(10_000, share, seed), method=method) for seed in range(20)]
    assert np.mean(found) == pytest.approx(share, abs=0.02)
    assert np.std(found) < 0.04
    assert max(found) <= 1.0


def test_a_curve_without_noise_ends_where_it_is():
    m = 100_000
    p = (np.arange(m) + 0.5) / m
    assert share_of_true_nulls(p) == pytest.approx(1.0, abs=1e-4)
    # p-values of share 0.6 true, evenly placed, and the others all small
    assert share_of_true_nulls(np.concatenate([p[: m * 6 // 10] / 0.6, np.full(m * 4 // 10, 1e-4)])) == pytest.approx(
        0.6, abs=1e-4
    )


def test_smoother_is_a_spline_with_three_degrees_of_freedom():
    estimates = np.array(
        [0.891, 0.905, 0.899, 0.908, 0.913, 0.91, 0.922, 0.917, 0.925, 0.93, 0.921, 0.915, 0.928, 0.94, 0.931, 0.92,
         0.945, 0.935, 0.93]
    )  # fmt: skip
    m = 200_000
    beyond = np.append(np.round(estimates * (1.0 - LAMBDAS) * m), 0)
    # the p-values between two lambdas are as many as the numbers beyond them differ by
    between = -np.diff(np.append(m, beyond)).astype(int)
    p = np.repeat(np.concatenate([[0.01], LAMBDAS + 0.01]), between)
    assert len(p) == m
    # R: predict(smooth.spline(lambda, estimates, df = 3, control.spar = list(tol = 1e-12)), 0.95)
    assert share_of_true_nulls(p) == pytest.approx(0.935825153, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_q_values_are_below_adjusted_p_values(method, share):
    p = mixture(2000, share, 5)
    found, bound = q_values(p, method=method), adjust(p)
    assert (found <= bound).all()
    # Storey's definition, threshold by threshold: the least false discovery rate at which a p-value is called
    null = share_of_true_nulls(p, method=method)
    thresholds = np.sort(p)[::100]
    rates = [null * len(p) * t / np.count_nonzero(p <= t) for t in np.sort(p)]
    expected = [min(rates[i:]) for i in np.searchsorted(np.sort(p), thresholds)]
    np.testing.assert_allclose(np.sort(found)[::100], np.minimum(expected, 1.0), rtol=1e-12)
    assert (found < 0.05).sum() > (bound < 0.05).sum()
    order = np.argsort(p)
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_false_discoveries_are_as_many_as_promised(method):
    false, found = 0, 0
    for seed in range(10):
        called = q_values(mixture(5000, 0.7, seed), method=method) < 0.1
        false += called[1500:].sum()  # the uniform ones come last
        found += called.sum()
    assert 0.07 < false / found < 0.13


@each("method", METHODS)
@each("p", [[0.3], [0.0, 1.0], [1.0] * 5, list(np.linspace(0.01, 0.04, 15))])
def test_few_p_values_are_adjusted_without_a_share(method, p):
    p = np.array(p)
    assert share_of_true_nulls(p, method=method) == 1.0
    np.testing.assert_array_equal(q_values(p, method=method), adjust(p))


@pytest.mark.parametrize("method", METHODS)
def test_small_p_values_alone_do_not_become_zero(method):
    p = np.full(1000, 0.01)
    assert share_of_true_nulls(p, method=method) == pytest.approx(0.02)


def test_unknown_methods_are_refused():
    with pytest.raises(OptionError, match="Did you mean 'smoother'"):
        q_values(np.array([0.1]), method="smooth")
