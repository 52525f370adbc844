"""The log posterior of log alpha: value, derivative, line search and grid against their twins."""

import numpy as np
import pytest
import scipy.special

from cases import each, product
from countnest.kernels.algebra.elimination import N_CELLS, n_equations
from countnest.kernels.negbin.dispersion import (
    nb_logalpha_fit_chunk,
    nb_logalpha_grid_chunk,
    nb_logalpha_slope,
    nb_logalpha_value,
)
from unit.kernels import twins

EPS = 2.0**-52
ALPHAS = [1e-8, 1e-6, 1e-4, 1e-2, 0.3, 1.0, 10.0, 1000.0]
KINDS = ("zeros", "small", "moderate", "large")
PRIORS = {"without prior": (0.0, np.inf), "with prior": (-1.7, 0.45)}


def counts_of(kind, n):
    """Return counts and means (n,) of one kind of gene."""
    rng = np.random.default_rng(42)
    if kind == "zeros":
        return np.zeros(n), np.full(n, 0.5)
    scale = {"small": 2.0, "moderate": 150.0, "large": 2e5}[kind]
    mu = scale * rng.uniform(0.5, 2.0, n)
    y = rng.negative_binomial(4.0, 4.0 / (4.0 + mu)).astype(float)
    if kind == "small":
        y[:2] = 0.0
    return y, np.maximum(mu, 0.5)


def design_of(name):
    """Return a model matrix, and how its normal equations are worked out."""
    X = twins.DESIGNS[name]
    return X, twins.plan_of(X)


def rounding(y, alpha):
    """Return the last digit of the value: differences of log gamma functions of this size remain."""
    r = 1.0 / alpha
    return EPS * np.abs(scipy.special.gammaln(np.append(y, 0.0) + r)).sum()


def posterior_of(y, mu, plan, prior_mean=0.0, prior_variance=np.inf, v=None):
    """Return the kernels' value and slope of one gene, as a function of log alpha."""
    index, numbers = plan
    v = np.ones(len(y)) if v is None else v
    n_cells = index[N_CELLS]
    by_sample, equations = np.full((9, len(y)), np.nan), np.full(n_equations(index), np.nan)
    weight, squared, quad = np.full((3, n_cells), np.nan)
    by_sample[:4] = y, mu, v, 1.0 / mu

    def value_and_slope(a):
        prior = prior_mean, prior_variance
        value = nb_logalpha_value(a, by_sample, False, index, numbers, *prior, weight, equations)
        slope = nb_logalpha_slope(a, by_sample, index, numbers, *prior, weight, squared, quad, equations)
        return value, slope

    return value_and_slope


@each(*product(design=twins.DESIGNS, kind=KINDS, prior=PRIORS, alpha=ALPHAS))
def test_value_and_slope_are_those_of_the_formula(design, kind, prior, alpha):
    X, plan = design_of(design)
    (y, mu), a, prior = counts_of(kind, len(X)), np.log(alpha), PRIORS[prior]
    value, slope = posterior_of(y, mu, plan, *prior)(a)
    expected = twins.log_posterior(a, y, mu, X, *prior)
    assert value == pytest.approx(expected, rel=1e-11, abs=1e-11 + 8 * rounding(y, alpha))
    # the slope is r times differences of digamma and log, each with an error of the last digit of log r
    noise = 8 * EPS * len(y) * np.abs(np.log(1.0 / alpha + y.max())) / alpha
    assert slope == pytest.approx(twins.log_posterior_slope(a, y, mu, X, *prior), rel=1e-9, abs=1e-9 + noise)


@each(*product(design=twins.DESIGNS, kind=KINDS, prior=PRIORS, alpha=ALPHAS))
def test_slope_is_the_derivative_of_the_value(design, kind, prior, alpha):
    X, plan = design_of(design)
    (y, mu), a, h = counts_of(kind, len(X)), np.log(alpha), 1e-2
    posterior = posterior_of(y, mu, plan, *PRIORS[prior])

    def value(at):
        return posterior(at)[0]

    # central differences of fourth order
    numeric = (8 * (value(a + h) - value(a - h)) - (value(a + 2 * h) - value(a - 2 * h))) / (12 * h)
    _, slope = posterior(a)
    assert slope == pytest.approx(numeric, rel=1e-6, abs=1e-6 + 8 * rounding(y, alpha) / h)


def fit(start, counts, mu, plan, prior_mean, prior_variance, max_iter=100, v=None, order=None):
    n_genes = len(counts)
    order = np.arange(n_genes) if order is None else order
    a, first, last = np.empty(n_genes), np.empty(n_genes), np.empty(n_genes)
    n_iter = np.empty(n_genes, dtype=np.int64)
    nb_logalpha_fit_chunk(
        order, start, counts, mu, np.ones((1, counts.shape[1])) if v is None else v, *plan, prior_mean, prior_variance,
        1e-6, max_iter,
        a, n_iter, first, last,
    )  # fmt: skip
    return a, n_iter, first, last


@each(*product(design=twins.DESIGNS, prior=PRIORS))
def test_line_search_takes_the_steps_of_its_twin(design, prior):
    (X, plan), prior = design_of(design), PRIORS[prior]
    counts, _, mu, alpha = twins.simulate(X, 60, seed=11)
    centre = np.full(len(counts), prior[0])
    start = np.log(alpha) + np.random.default_rng(0).normal(0.0, 2.0, len(alpha))
    a, n_iter, first, last = fit(start, counts, mu, plan, centre, prior[1])
    as_many = []
    for g in range(len(counts)):
        # on the kernel's own posterior: the same steps, to the last bit
        found = (a[g], n_iter[g], first[g], last[g])
        assert found == twins.line_search(start[g], posterior_of(counts[g], mu[g], plan, *prior))
        # on the plain formula: to nearly the same place
        twin = twins.line_search(
            start[g],
            lambda at, y=counts[g], m=mu[g]: (
                twins.log_posterior(at, y, m, X, *prior),
                twins.log_posterior_slope(at, y, m, X, *prior),
            ),
        )
        if a[g] > np.log(1e-6):
            # a step that gains no more than the rounding of the posterior is taken by one of the two and not by the
            # other, on one processor and not on another: the places are the same only after as many steps
            as_many.append(n_iter[g] == twin[1])
            np.testing.assert_allclose(last[g], twin[3], rtol=1e-10, atol=1e-6)
            if as_many[-1]:
                np.testing.assert_allclose(a[g], twin[0], rtol=1e-7, atol=1e-7)
    assert np.mean(as_many) > 0.8
    assert len(as_many) > 45
    assert len(np.unique(n_iter)) > 3


@pytest.mark.parametrize(("limit", "prior_mean"), [(-30.0, -60.0), (10.0, 40.0)])
def test_line_search_does_not_step_over_its_limits(limit, prior_mean):
    X = twins.one_way()
    plan, n = twins.plan_of(X), len(X)
    y, mu, start = np.full(n, 3.0), np.full(n, 3.0), np.log(0.1)
    posterior = posterior_of(y, mu, plan, prior_mean, 1.0)
    assert (start + posterior(start)[1] - limit) * np.sign(limit) > 0  # the first step would go beyond
    a, n_iter, first, last = fit(np.array([start]), y[None], mu[None], plan, np.array([prior_mean]), 1.0)
    assert (a[0], n_iter[0], first[0], last[0]) == twins.line_search(start, posterior)
    assert a[0] == pytest.approx(limit, abs=1e-12)


def test_line_search_that_falls_below_the_floor_keeps_the_value_before():
    X = twins.one_way()
    plan, n = twins.plan_of(X), len(X)
    y, mu, start = np.full(n, 3.0), np.full(n, 3.0), np.log(3e-9)
    prior = (-60.0, 20.0)  # draws it down
    posterior = posterior_of(y, mu, plan, *prior)
    a, n_iter, first, last = fit(np.array([start]), y[None], mu[None], plan, np.array([prior[0]]), prior[1])
    assert (a[0], n_iter[0], first[0], last[0]) == twins.line_search(start, posterior)
    assert a[0] < np.log(1e-9)
    assert last[0] < posterior(a[0])[0]


def test_line_search_stops_at_the_last_iteration():
    X = twins.two_way()
    plan = twins.plan_of(X)
    counts, _, mu, alpha = twins.simulate(X, 20, seed=2)
    start = np.log(alpha) + 3.0
    _, n_iter, first, last = fit(start, counts, mu, plan, np.zeros(20), np.inf, max_iter=2)
    assert (n_iter <= 2).all()
    assert (n_iter == 2).any()
    assert (last >= first).all()


def test_line_search_ends_at_the_maximum():
    X = twins.two_way()
    plan = twins.plan_of(X)
    counts, _, mu, alpha = twins.simulate(X, 10, seed=3)
    a, n_iter, _, _ = fit(np.log(alpha), counts, mu, plan, np.log(alpha), 0.5)
    assert (n_iter < 100).all()
    grid = np.linspace(-12.0, 4.0, 641)
    for g in range(len(counts)):
        values = [twins.log_posterior(at, counts[g], mu[g], X, np.log(alpha[g]), 0.5) for at in grid]
        # the search stops when it gains less than 1e-6
        assert twins.log_posterior(a[g], counts[g], mu[g], X, np.log(alpha[g]), 0.5) >= max(values) - 1e-4


def test_a_step_to_where_there_is_no_value_is_halved():
    # two columns that differ by rounding: whether X'WX is positive definite depends on the weights' last digits
    X = np.column_stack([np.ones(12), 1.0 + 5e-9 * np.arange(12.0)])
    plan = twins.plan_of(X)
    counts, _, mu, alpha = twins.simulate(np.ones((12, 1)), 200, seed=14)
    start = np.log(alpha) + 1.0
    found = fit(start, counts, mu, plan, np.zeros(200), np.inf)
    met = 0
    for g in range(200):
        values = []
        posterior = posterior_of(counts[g], mu[g], plan)

        def noted(a, posterior=posterior, values=values):
            value, slope = posterior(a)
            values.append(value)
            return value, slope

        np.testing.assert_array_equal([column[g] for column in found], twins.line_search(start[g], noted))
        met += np.isfinite(values[0]) and np.isnan(values).any()
    assert met > 0


def test_search_from_where_there_is_no_value_stays():
    X = twins.two_way()
    counts, _, mu, alpha = twins.simulate(X, 3, seed=15)
    mu[1] = np.nan
    a, n_iter, first, last = fit(np.log(alpha), counts, mu, twins.plan_of(X), np.zeros(3), np.inf)
    assert a[1] == np.log(alpha[1])
    assert n_iter[1] == 100
    assert np.isnan([first[1], last[1]]).all()
    assert np.isfinite([first[[0, 2]], last[[0, 2]]]).all()


@each(*product(design=twins.DESIGNS, prior=PRIORS))
def test_grid_takes_the_best_of_both_rounds(design, prior):
    (X, plan), prior = design_of(design), PRIORS[prior]
    counts, _, mu, _ = twins.simulate(X, 25, seed=13)
    low, high = np.log(1e-8), np.log(12.0)
    a = np.empty(len(counts))
    nb_logalpha_grid_chunk(
        low, high, counts, mu, np.ones((1, len(X))), *plan,
        np.full(len(counts), prior[0]), prior[1], a,
    )  # fmt: skip
    expected = [
        twins.grid_search(low, high, lambda at, y=y, m=m: twins.log_posterior(at, y, m, X, *prior))
        for y, m in zip(counts, mu, strict=True)
    ]
    np.testing.assert_allclose(a, expected, rtol=1e-12)


def test_genes_of_a_block_have_their_own_prior_means():
    X = twins.dense()
    plan = twins.plan_of(X)
    counts, _, mu, alpha = twins.simulate(X, 5, seed=4)
    centre = np.log(alpha) + np.arange(5.0)
    together = fit(np.log(alpha), counts, mu, plan, centre, 0.3)
    for g in range(5):
        one = slice(g, g + 1)
        alone = fit(np.log(alpha[one]), counts[one], mu[one], plan, centre[one], 0.3)
        np.testing.assert_array_equal([column[g] for column in together], [column[0] for column in alone])


@each(*product(design=twins.DESIGNS, kind=KINDS, prior=PRIORS, alpha=[1e-2, 0.3, 10.0]))
def test_weights(design, kind, prior, alpha):
    X, plan = design_of(design)
    (y, mu), a, prior = counts_of(kind, len(X)), np.log(alpha), PRIORS[prior]
    v = np.linspace(0.02, 1.0, len(y))
    v[[1, 4]] = [0.009, 0.0]  # without a part in the Cox-Reid term
    value, slope = posterior_of(y, mu, plan, *prior, v)(a)
    assert value == pytest.approx(twins.log_posterior(a, y, mu, X, *prior, v=v), rel=1e-9)
    assert slope == pytest.approx(twins.log_posterior_slope(a, y, mu, X, *prior, v=v), rel=1e-7, abs=1e-7)


@each("design", twins.DESIGNS)
def test_weights_of_one_change_no_bit(design):
    X, plan = design_of(design)
    counts, _, mu, alpha = twins.simulate(X, 20, seed=41)
    plain = fit(np.log(alpha), counts, mu, plan, np.zeros(20), np.inf)
    weighted = fit(np.log(alpha), counts, mu, plan, np.zeros(20), np.inf, v=np.ones_like(counts))
    np.testing.assert_array_equal(np.array(plain), np.array(weighted))
