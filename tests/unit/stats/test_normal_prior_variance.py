import numpy as np
import pytest

from cases import each
from countnest.stats.shrink.normal import FLAT_VARIANCE, lfc_weights, normal_prior_variance
from countnest.stats.shrink.quantile import weighted_quantile

rng = np.random.default_rng(3)


@each("probability", [0.0, 0.05, 0.5, 0.731, 0.95, 1.0])
@each("n", [2, 3, 20, 101])
def test_equal_weights_give_the_plain_quantile(n, probability):
    values = rng.normal(size=n)
    found = weighted_quantile(values, np.full(n, 1.0), probability)
    assert found == pytest.approx(np.quantile(values, probability), abs=1e-14)


def test_equal_weights_give_the_plain_quantile_whatever_they_are():
    for n in range(2, 200):
        values = rng.normal(size=n)
        found = weighted_quantile(values, np.full(n, rng.uniform(0.01, 10.0)), 0.95)
        assert found == pytest.approx(np.quantile(values, 0.95), abs=1e-14)


def test_a_weighted_quantile_by_hand():
    # weights 1, 2, 3, 2 scaled to sum to 4: 0.5, 1, 1.5, 1; cumulative 0.5, 1.5, 3, 4
    values, weights = np.array([3.0, 1.0, 2.0, 4.0]), np.array([3.0, 1.0, 2.0, 2.0])
    # place 1 + 3 * 0.5 = 2.5, between the values that reach 2 and 3, both of them 3
    assert weighted_quantile(values, weights, 0.5) == 3.0
    # place 1 + 3 * 0.25 = 1.75, between the values that reach 1 (2) and 2 (3)
    assert weighted_quantile(values, weights, 0.25) == pytest.approx(2.75)
    assert weighted_quantile(values, 7.0 * weights, 0.25) == pytest.approx(2.75)


def test_order_does_not_matter():
    values, weights = rng.normal(size=50), rng.uniform(0.1, 3.0, 50)
    order = rng.permutation(50)
    assert weighted_quantile(values, weights, 0.9) == pytest.approx(
        weighted_quantile(values[order], weights[order], 0.9), abs=1e-14
    )


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.0])
def test_the_variance_of_normal_effects_is_found(sd):
    beta = rng.normal(0.0, sd, 50_000)
    assert normal_prior_variance(beta, rng.uniform(0.5, 1.5, 50_000)) == pytest.approx(sd**2, rel=0.04)


def test_genes_with_much_weight_decide():
    beta = np.concatenate([rng.normal(0.0, 0.5, 5_000), rng.normal(0.0, 3.0, 5_000)])
    weights = np.repeat([1.0, 1e-9], 5_000)
    assert normal_prior_variance(beta, weights) == pytest.approx(0.25, rel=0.05)


def test_diverged_estimates_say_nothing():
    beta, weights = rng.normal(size=100), np.ones(100)
    wild = np.concatenate([beta, [25.0, -10.0, 12.0]])
    assert normal_prior_variance(wild, np.ones(103)) == normal_prior_variance(beta, weights)
    assert normal_prior_variance(np.array([12.0, -30.0]), np.ones(2)) == FLAT_VARIANCE


def test_a_single_gene():
    assert normal_prior_variance(np.array([-1.5]), np.ones(1)) == 2.25


def test_sign_does_not_matter():
    beta, weights = rng.normal(size=100), rng.uniform(0.5, 1.5, 100)
    assert normal_prior_variance(-beta, weights) == normal_prior_variance(beta, weights)


def test_weights_are_inverse_variances_of_log_counts():
    np.testing.assert_allclose(lfc_weights(np.array([10.0, 1e9]), np.array([0.1, 0.25])), [5.0, 4.0], rtol=1e-7)
