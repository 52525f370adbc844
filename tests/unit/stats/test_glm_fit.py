"""The fit of all genes: closed form, IRLS, and the search for the genes that IRLS loses."""

import numpy as np
import pytest
import scipy.optimize

from countnest.stats.glm.fit import at_bound, fit_nb_glm
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs
from countnest.stats.glm.irls import hat_values
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.means import fitted_means
from countnest.stats.glm.quasinewton import search_rows
from countnest.stats.glm.variance import contrast_variance
from unit.kernels import twins

RIDGE = RIDGE_LOG2 / LN2**2
# A gene with counts in single samples of a two-way design: some coefficients would go to minus infinity.
SPARSE = np.zeros((3, 12))
SPARSE[0, [0, 7]] = 400.0, 1.0
SPARSE[1, 5] = 3000.0
SPARSE[2, [1, 4, 10]] = 2.0, 900.0, 60.0


def test_one_column_of_ones_is_fitted_in_closed_form():
    X = np.ones((8, 1))
    counts, f, _, alpha = twins.simulate(X, 15, seed=1)
    fit = fit_nb_glm(counts, NBInputs(f[None], alpha), Layout.of(X))
    mean = (counts / f).mean(axis=1)
    np.testing.assert_allclose(fit.beta[:, 0], np.log(mean), rtol=1e-13)
    mu = mean[:, None] * f
    w = 1.0 / (1.0 / mu + alpha[:, None])
    np.testing.assert_allclose(fit.mu, mu, rtol=1e-13)
    np.testing.assert_allclose(fit.se[:, 0], 1.0 / np.sqrt(w.sum(axis=1)), rtol=1e-13)
    np.testing.assert_allclose(fit.hat, w / w.sum(axis=1, keepdims=True), rtol=1e-13)
    expected = [twins.nb_loglik(y, m, a).sum() for y, m, a in zip(counts, mu, alpha, strict=True)]
    np.testing.assert_allclose(fit.loglik, expected, rtol=1e-10)
    assert fit.converged.all()
    assert not fit.optimized.any()
    np.testing.assert_array_equal(fit.n_iter, 1)


@pytest.mark.parametrize("shared", [True, False])
def test_genes_that_converge_are_those_of_the_twin(shared):
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 20, seed=2)
    factors = f[None] if shared else f * np.random.default_rng(1).uniform(0.5, 2.0, counts.shape)
    fit = fit_nb_glm(counts, NBInputs(factors, alpha), Layout.of(X))
    assert fit.converged.all()
    assert not fit.optimized.any()
    for g in range(len(counts)):
        row = factors[0] if shared else factors[g]
        twin = twins.irls(counts[g], row, X, alpha[g], twins.start(counts[g], row, X), RIDGE)
        np.testing.assert_allclose(fit.beta[g], twin["beta"], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.se[g], np.sqrt(twin["variance"]), rtol=1e-8)
        np.testing.assert_allclose(fit.hat[g], twin["hat"], rtol=1e-8)
        np.testing.assert_allclose(fit.loglik[g], twin["loglik"], rtol=1e-10)
        assert fit.n_iter[g] == twin["n_iter"]


def steep(n=10):
    """A covariate so small that its coefficient is beyond 30, and counts that need it."""
    x = np.linspace(0.0, 0.1, n)
    return np.column_stack([np.ones(n), x]), np.round(5.0 * np.exp(45.0 * x))


@pytest.mark.parametrize("shared", [True, False])
def test_genes_that_irls_loses_are_found_by_the_search(shared):
    X, y = steep()
    counts, _, _, alpha = twins.simulate(X, 4, seed=3)
    counts[2] = y
    n = len(y)
    factors = np.full((1, n), 0.8) if shared else np.random.default_rng(2).uniform(0.8, 1.2, counts.shape)
    f = factors[0] if shared else factors[2]
    layout = Layout.of(X, as_given=True)
    fit = fit_nb_glm(counts, NBInputs(factors, alpha, min_mu=30.0), layout)
    np.testing.assert_array_equal(fit.optimized, [False, False, True, False])
    assert fit.converged.all()
    assert fit.n_iter[2] == 100
    # the bound is 30 on the log2 scale, and the maximum beyond it; the ridge has faded
    at = fit.beta[2] / np.log(2.0)
    assert at[1] > 60.0
    assert not at_bound(fit.beta, fit.n_iter, layout).any()
    best = scipy.optimize.minimize(
        twins.penalized_loss, at, (y, f, X, alpha[2], 1e-14), jac=twins.penalized_gradient, options={"gtol": 1e-7}
    )
    assert twins.penalized_loss(at, y, f, X, alpha[2], 1e-14) - best.fun < 1e-9
    # what belongs to the coefficients is computed from them
    mu = f * np.exp(X @ fit.beta[2])
    np.testing.assert_allclose(fit.mu[2], mu, rtol=1e-12)
    floored = np.maximum(mu, 30.0)
    assert (mu < floored).any()
    covariance = twins.covariance(X, floored / (1.0 + alpha[2] * floored), RIDGE)
    np.testing.assert_allclose(fit.se[2], np.sqrt(np.diag(covariance)), rtol=1e-8)
    assert fit.loglik[2] == pytest.approx(twins.nb_loglik(y, floored, alpha[2]).sum(), rel=1e-10)
    # and the hat values stay those of the iterations
    twin = twins.irls(y, f, X, alpha[2], twins.start(y, f, X), RIDGE, min_mu=30.0)
    np.testing.assert_allclose(fit.hat[2], twin["hat"], rtol=1e-6)


def test_working_columns_give_the_fit_of_better_units():
    X, y = steep()
    counts, f, _, alpha = twins.simulate(X, 6, seed=3)
    counts[2] = y
    inputs = NBInputs(f[None], alpha)
    thousandths = X * [1.0, 1000.0]
    layouts = [Layout.of(X), Layout.of(thousandths), Layout.of(X * [1.0, 1e-6])]
    assert [layout.standard is None for layout in layouts] == [False, True, False]
    small, plain, tiny = (fit_nb_glm(counts, inputs, layout) for layout in layouts)
    for unit, layout, fit in ((1e-3, layouts[0], small), (1e-9, layouts[2], tiny)):
        np.testing.assert_allclose(fit.beta * [1.0, unit], plain.beta, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(fit.se * [1.0, unit], plain.se, rtol=1e-9)
        np.testing.assert_allclose(fit.hat, plain.hat, rtol=1e-9)
        np.testing.assert_allclose(fit.loglik, plain.loglik, rtol=1e-12)
        np.testing.assert_array_equal(fit.n_iter, plain.n_iter)
        assert not fit.optimized.any()
        # computed again from the coefficients, to the last bit
        np.testing.assert_array_equal(fitted_means(fit.beta, f[None], layout), fit.mu)
        np.testing.assert_array_equal(hat_values(counts, inputs, layout, fit.beta, fit.optimized), fit.hat)
        variance = contrast_variance(np.eye(2), fit.beta, inputs, layout)
        np.testing.assert_array_equal(np.sqrt(variance), fit.se)


def test_the_search_reaches_the_optimum_in_log2():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 8, seed=4, low=20.0)
    start = np.array([twins.start(y, f, X) / np.log(2.0) for y in counts])
    found, success = search_rows(start, counts, NBInputs(f[None], alpha), Layout.of(X), np.full(4, 1e3))
    assert success.all()
    for g in range(len(counts)):
        best = scipy.optimize.minimize(
            twins.penalized_loss, found[g], (counts[g], f, X, alpha[g], RIDGE_LOG2), jac=twins.penalized_gradient,
            options={"gtol": 1e-8},
        )  # fmt: skip
        assert twins.penalized_loss(found[g], counts[g], f, X, alpha[g], RIDGE_LOG2) - best.fun < 1e-5


def test_the_search_stays_in_its_box():
    layout = Layout.of(np.column_stack([np.ones(4), [0.0, 0.0, 1e-3, 1e-3]]))
    counts = np.array([[1.0, 1.0, 500.0, 600.0]])
    inputs = NBInputs(np.ones((1, 4)), np.array([0.1]))
    found, _ = search_rows(np.array([[0.0, 99.0]]), counts, inputs, layout, np.full(2, 1e3))
    assert found[0, 1] == 30.0


def test_only_means_are_those_of_the_whole_fit():
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 20, seed=7)
    counts, alpha = np.vstack([counts, SPARSE]), np.append(alpha, [0.1, 0.1, 0.1])
    inputs, layout = NBInputs(f[None], alpha), Layout.of(X)
    whole = fit_nb_glm(counts, inputs, layout)
    part = fit_nb_glm(counts, inputs, layout, only_means=True)
    for name in ("beta", "mu", "n_iter", "optimized", "converged"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    assert whole.optimized.any()  # by the search too


def test_sparse_genes_get_finite_numbers():
    X = twins.two_way()
    fit = fit_nb_glm(SPARSE, NBInputs(np.ones((1, 12)), np.array([10.0, 10.0, 5.0])), Layout.of(X))
    for values in (fit.beta, fit.se, fit.mu, fit.hat, fit.loglik):
        assert np.isfinite(values).all()
    assert (fit.se > 0).all()


@pytest.mark.parametrize("min_mu", [0.5, 10.0])
def test_contrast_variance(min_mu):
    X = twins.two_way()
    counts, f, _, alpha = twins.simulate(X, 6, seed=5, low=1.0, high=40.0)
    inputs, layout = NBInputs(f[None], alpha, min_mu=min_mu), Layout.of(X)
    fit = fit_nb_glm(counts, inputs, layout)
    contrast = np.array([0.0, 1.0, -1.0, 0.5])
    found = contrast_variance(contrast, fit.beta, inputs, layout)
    assert found.shape == (6, 1)
    for g in range(6):
        mu = np.maximum(f * np.exp(X @ fit.beta[g]), min_mu)
        covariance = twins.covariance(X, mu / (1.0 + alpha[g] * mu), RIDGE)
        assert found[g, 0] == pytest.approx(contrast @ covariance @ contrast, rel=1e-8)
    # single coefficients: the standard errors of the fit
    single = contrast_variance(np.eye(4), fit.beta, inputs, layout)
    np.testing.assert_allclose(np.sqrt(single), fit.se, rtol=1e-6)


def test_a_gene_alone_has_the_weighted_mean_that_it_has_among_others():
    counts, f, _, alpha = twins.simulate(np.ones((8, 1)), 3, seed=8)
    weights, layout = np.random.default_rng(9).uniform(0.1, 1.0, counts.shape), Layout.of(np.ones((8, 1)))
    together = fit_nb_glm(counts, NBInputs(f[None], alpha, weights), layout)
    alone = fit_nb_glm(counts[:1], NBInputs(f[None], alpha[:1], weights[:1]), layout)
    np.testing.assert_array_equal(alone.beta[0], together.beta[0])
