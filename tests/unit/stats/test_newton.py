"""Newton's method on the penalized likelihood."""

import numpy as np
import scipy.optimize
import scipy.stats

from countnest.stats.glm.fit import highest_loglik
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.newton import distance_to_maximum, maximize
from unit.kernels import twins

LN2 = np.log(2.0)
RIDGE = np.full(4, 1e-6)  # log2
X = twins.two_way()
LAYOUT = Layout.of(X)
COUNTS, F, _, ALPHA = twins.simulate(X, 12, seed=6)
INPUTS = NBInputs(F[None], ALPHA)
GIVEN = (COUNTS, INPUTS, LAYOUT, RIDGE / LN2**2)


def test_it_ends_at_the_maximum_wherever_it_starts():
    near, arrived = maximize(np.zeros((12, 4)), *GIVEN)
    far, arrived_too = maximize(np.random.default_rng(1).normal(0.0, 8.0, (12, 4)), *GIVEN)
    assert arrived.all()
    assert arrived_too.all()
    np.testing.assert_allclose(far, near, rtol=1e-6, atol=1e-6)
    assert (distance_to_maximum(near, *GIVEN) < 1e-7).all()
    for g in range(12):
        given = (COUNTS[g], F, X, ALPHA[g], 1e-6)
        best = scipy.optimize.minimize(
            twins.penalized_loss, near[g] / LN2, given, jac=twins.penalized_gradient, options={"gtol": 1e-8}
        )
        assert twins.penalized_loss(near[g] / LN2, *given) - best.fun < 1e-10


def test_the_distance_is_that_of_the_worst_contrast_in_standard_errors():
    best, _ = maximize(np.zeros((12, 4)), *GIVEN)
    mu = F * np.exp(best @ X.T)
    grown = 1.0 + ALPHA[:, None] * mu
    weight = np.maximum(mu * (1.0 + ALPHA[:, None] * COUNTS) / grown**2, mu / grown)
    away = np.random.default_rng(2).normal(0.0, 1e-5, (12, 4))
    information = np.einsum("gn,np,nq->gpq", weight, X, X)
    expected = np.sqrt(np.einsum("gp,gpq,gq->g", away, information, away))
    np.testing.assert_allclose(distance_to_maximum(best + away, *GIVEN), expected, rtol=1e-3)


def test_a_gene_has_the_same_bits_alone_and_among_others():
    together, _ = maximize(np.zeros((12, 4)), *GIVEN)
    for g in range(12):
        alone, _ = maximize(np.zeros((1, 4)), COUNTS[[g]], INPUTS.at(np.array([g])), *GIVEN[2:])
        np.testing.assert_array_equal(alone[0], together[g])


def test_what_is_not_finite_does_not_keep_it_from_what_is():
    # the first column's cell has no count: its coefficient has no end, the others have
    group = np.column_stack([np.arange(12) % 3 == k for k in range(3)]).astype(float)
    counts = np.where(np.arange(12) % 3 == 0, 0.0, 40.0 + np.arange(12.0))[None]
    given = (counts, NBInputs(np.ones((1, 12)), np.array([0.1])), Layout.of(group), np.full(3, 1e-14))
    beta, arrived = maximize(np.zeros((1, 3)), *given)
    assert arrived.all()
    assert beta[0, 0] < -8.0
    means = [counts[0, k::3].mean() for k in (1, 2)]
    np.testing.assert_allclose(beta[0, 1:], np.log(means), rtol=1e-9)


def test_a_null_model_without_columns_has_its_likelihood_at_the_size_factors():
    none = Layout.of(np.empty((len(X), 0)), as_given=True)
    found = highest_loglik(np.empty((12, 0)), COUNTS, INPUTS, none)
    size = 1.0 / ALPHA[:, None]
    expected = scipy.stats.nbinom.logpmf(COUNTS, size, size / (size + F)).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
