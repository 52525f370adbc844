"""The nodes and the prior of dispersions that the averaged test learns from all genes."""

import numpy as np
import pytest

from cases import each
from countnest.stats.averaged import prior
from countnest.stats.averaged.grid import Nodes, cubic_interpolation
from countnest.stats.averaged.nodes import node_logliks, node_ratios
from countnest.stats.averaged.prior import fit_local_prior, fit_prior, posterior, start_prior
from countnest.stats.averaged.tails import averaged, chi2_log_tail
from countnest.stats.glm.layout import Layout
from unit.kernels import twins


def genes_around(delta, n_genes=1000, df=6, seed=1):
    """Return log-likelihoods (G, K) of chi-square variances whose true logs are drawn from `delta`, and the nodes."""
    rng = np.random.default_rng(seed)
    nodes = Nodes.of(df)
    truth = rng.choice(delta, n_genes)
    s2 = np.exp(truth) * rng.chisquare(df, n_genes) / df
    x = nodes.delta
    return -0.5 * df * (x + s2[:, None] * np.exp(-x)), nodes, rng.permutation(n_genes)


# ---- nodes ----


@each("step", [0.25, 0.5])
def test_nodes_lie_around_the_trend(step):
    delta = Nodes(step).delta
    assert (delta[0], delta[-1]) == (-4.5, 3.5)
    assert (np.diff(delta) == step).all()
    assert (delta == 0.0).sum() == 1
    found = Nodes(step).log_dispersions(np.array([0.2, 1e-9, 1e9]))
    np.testing.assert_allclose(found[0], np.log(0.2) + delta, rtol=1e-14)
    assert (found[1] >= np.log(1e-8)).all()
    assert (found[2] == np.log(1e3)).all()


def test_more_samples_have_finer_nodes():
    points = [(nodes.step, nodes.fine) for nodes in map(Nodes.of, (1, 4, 12, 13, 22, 50, 98, 498, 2000))]
    assert points[:4] == [(0.5, 1), (0.5, 1), (0.5, 1), (0.25, 1)]
    steps = [step / fine for step, fine in points]
    assert steps == sorted(steps, reverse=True)
    for df, step in zip((22, 50, 98, 498, 2000), steps[4:], strict=True):
        assert step <= 1.25 * np.sqrt(2.0 / df)


def test_cubics_are_interpolated_exactly():
    for n_points, every in ((33, 4), (17, 2), (129, 4), (9, 1)):
        table, first, knots = cubic_interpolation(n_points, every)
        x = np.linspace(-2.0, 3.0, n_points)
        y = 1.0 + x - 0.3 * x**2 + 0.7 * x**3
        at_knots = y[knots >= 0]
        np.testing.assert_allclose((table * at_knots[first[:, None] + np.arange(4)]).sum(axis=1), y, rtol=1e-12)
        assert (knots[::every] == np.arange(len(at_knots))).all()
        assert (knots >= 0).sum() == len(at_knots)


def test_points_between_nodes():
    nodes = Nodes(0.25, 4)
    values = np.sin(nodes.delta / 2.0)[None].repeat(2, axis=0)
    found = nodes.refined(values)
    points = np.linspace(-4.5, 3.5, 129)
    assert found.shape == (2, 129)
    np.testing.assert_array_equal(found[:, ::4], values)
    np.testing.assert_allclose(found[0], np.sin(points / 2.0), atol=1e-5)
    start = start_prior(0.3, nodes)[None]
    fine = nodes.refined_prior(start)
    assert fine.shape == (1, 129)
    assert fine.sum() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(fine[0, ::4] / fine[0, 72], start[0] / start[0, 18], rtol=1e-12)
    np.testing.assert_allclose(fine[0, 1::4], 0.75 * fine[0, :-1:4] + 0.25 * fine[0, 4::4], rtol=1e-12)


@pytest.mark.parametrize("n", [14, 100, 500])
def test_the_nodes_are_fine_enough(n):
    """Against four hundred nodes a unit, whose integral is exact, under a prior of the same density."""
    X = np.column_stack([np.ones(n), np.arange(n) % 2]).astype(float)
    counts, f, _, alpha = twins.simulate(X, 30, seed=5, low=10.0, high=3000.0)
    groups = [X[:, 1] == k for k in (0, 1)]
    rate = np.stack([counts[:, g].sum(axis=1) / f[g].sum() for g in groups], axis=1)
    mu = f * np.where(groups[0], rate[:, :1], rate[:, 1:])
    # a null model some three standard errors away
    null_mu = mu * np.where(groups[0], np.exp(3.0 * np.sqrt(2.0 * alpha / n))[:, None], 1.0)
    layout, weights = Layout.of(X), np.ones((1, n))
    trend = alpha * np.exp(np.random.default_rng(3).normal(0.0, 0.5, len(alpha)))

    def p_values(nodes):
        log_alpha = nodes.log_dispersions(trend)
        loglik = node_logliks(counts, mu, weights, log_alpha, layout)
        ratio = nodes.refined(node_ratios(counts, mu, null_mu, weights, log_alpha))
        return averaged(
            posterior(loglik, start_prior(0.5, nodes)[None], nodes), chi2_log_tail(1, np.maximum(ratio, 0.0))
        )

    found, expected = p_values(Nodes.of(n - 2)), p_values(Nodes(1.0 / 400.0))
    assert expected.min() < -2.0
    np.testing.assert_allclose(found, expected, rtol=1e-3)


# ---- the prior ----


def test_the_start_is_a_wide_normal_around_the_trend():
    nodes = Nodes(0.25)
    start = start_prior(0.75, nodes)
    assert start.sum() == pytest.approx(1.0, rel=1e-14)
    density = np.exp(-0.5 * nodes.delta**2) + 1e-4
    np.testing.assert_allclose(start / start[18], density / density[18], rtol=1e-12)


def test_em_raises_the_likelihood_in_every_round():
    loglik, nodes, _ = genes_around([-1.0, 0.5])
    likelihood = np.exp(loglik - loglik.max(axis=1, keepdims=True))
    totals = []
    for rounds in range(12):
        weights = fit_prior(loglik, start_prior(0.5, nodes), max_rounds=rounds)
        assert weights.sum() == pytest.approx(1.0, rel=1e-12)
        totals.append(np.log(likelihood @ weights).sum())
    assert (np.diff(totals) > 0.0).all()


def test_one_round_of_em_is_the_mean_of_the_posteriors():
    loglik, nodes, _ = genes_around([0.0], n_genes=40)
    start = start_prior(0.5, nodes)
    found = fit_prior(loglik, start, max_rounds=1)
    np.testing.assert_allclose(found, posterior(loglik, start[None], nodes).mean(axis=0), rtol=1e-12)


def test_em_finds_the_distribution_of_the_dispersions():
    loglik, nodes, _ = genes_around([-2.0, 1.0], n_genes=5000, df=12)
    weights = fit_prior(loglik, start_prior(0.5, nodes))
    low = nodes.delta < -0.5
    assert weights[low].sum() == pytest.approx(0.5, abs=0.03)
    assert weights[low] @ nodes.delta[low] / weights[low].sum() == pytest.approx(-2.0, abs=0.1)
    assert weights[~low] @ nodes.delta[~low] / weights[~low].sum() == pytest.approx(1.0, abs=0.1)


@each(("n_genes", "most"), [(1, 0), (49, 0), (50, 20), (499, 20), (500, 100), (3000, 100)])
def test_few_genes_keep_near_the_start(n_genes, most):
    loglik, nodes, _ = genes_around([-1.5, 1.0], n_genes=n_genes)
    start = start_prior(0.5, nodes)
    np.testing.assert_array_equal(fit_prior(loglik, start), fit_prior(loglik, start, max_rounds=most))
    if most == 0:
        np.testing.assert_array_equal(fit_prior(loglik, start), start)
    elif most == 20:
        assert (fit_prior(loglik, start) != fit_prior(loglik, start, max_rounds=19)).any()


def test_em_stops_when_nothing_is_gained():
    loglik, nodes, _ = genes_around([0.0], n_genes=600)
    start = start_prior(0.5, nodes)
    flat = np.zeros_like(loglik)  # genes that say nothing
    np.testing.assert_allclose(fit_prior(flat, start), start, rtol=1e-12)
    settled = fit_prior(loglik, start, max_rounds=10_000)
    likelihood = np.exp(loglik - loglik.max(axis=1, keepdims=True))
    now, later = (np.log(likelihood @ w).sum() for w in (settled, fit_prior(loglik, settled, max_rounds=1)))
    assert 0.0 <= later - now < 0.02


def test_posteriors_are_bayes_rule():
    loglik, nodes, _ = genes_around([0.0, 1.0], n_genes=5)
    weights = np.random.default_rng(2).dirichlet(np.ones(len(nodes.delta)), 5)
    expected = np.exp(loglik) * weights
    np.testing.assert_allclose(
        posterior(loglik, weights, nodes), expected / expected.sum(axis=1, keepdims=True), rtol=1e-12
    )
    far = posterior(loglik - 5000.0, weights, nodes)  # whose likelihoods are all zero by themselves
    np.testing.assert_allclose(far, posterior(loglik, weights, nodes), rtol=1e-9)


@pytest.mark.parametrize("n_genes", [30, 700, 7000])
def test_the_prior_does_not_depend_on_the_order_of_the_genes(n_genes):
    loglik, nodes, order = genes_around([-1.0, 0.5], n_genes=n_genes)
    mean = np.round(np.exp(np.random.default_rng(4).uniform(0.0, 8.0, n_genes)), 1)  # some are equal
    start = start_prior(0.5, nodes)
    one, other = (fit_local_prior(mean[o], loglik[o], start) for o in (slice(None), order))
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.log_mean, other.log_mean)


def test_genes_of_similar_means_share_a_prior():
    low, nodes, _ = genes_around([-1.5], n_genes=2000, df=10)
    high, _, _ = genes_around([1.0], n_genes=2000, df=10, seed=2)
    mean = np.concatenate([np.linspace(1.0, 10.0, 2000), np.linspace(100.0, 1000.0, 2000)])
    found = fit_local_prior(mean, np.vstack([low, high]), start_prior(0.5, nodes))
    assert len(found.log_mean) == 8
    assert (np.diff(found.log_mean) > 0.0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-12)
    centre = found.at(np.array([1e-3, 3.0, 300.0, 1e9])) @ nodes.delta
    np.testing.assert_allclose(centre, [-1.5, -1.5, 1.0, 1.0], atol=0.1)
    # between two groups the prior is interpolated in the logarithm of the mean
    between = np.exp(0.25 * found.log_mean[2] + 0.75 * found.log_mean[3])
    np.testing.assert_allclose(
        found.at(np.array([between]))[0], 0.25 * found.weights[2] + 0.75 * found.weights[3], rtol=1e-9
    )


def test_few_genes_have_one_prior():
    loglik, nodes, _ = genes_around([0.0], n_genes=900)
    start = start_prior(0.5, nodes)
    mean = np.linspace(1.0, 100.0, 900)
    found = fit_local_prior(mean, loglik, start)
    np.testing.assert_array_equal(found.weights, fit_prior(loglik, start)[None])
    np.testing.assert_array_equal(found.at(np.array([0.5, 1e6])), np.repeat(found.weights, 2, axis=0))
    none = fit_local_prior(mean[:0], loglik[:0], start)
    np.testing.assert_array_equal(none.weights, start[None])


def test_five_thousand_genes_are_enough(monkeypatch):
    loglik, nodes, _ = genes_around([-1.0, 0.5], n_genes=6000)
    mean, start = np.exp(np.random.default_rng(5).uniform(0.0, 8.0, 6000)), start_prior(0.5, nodes)
    found = fit_local_prior(mean, loglik, start)
    monkeypatch.setattr(prior, "MAX_GENES", 10_000)
    everyone = fit_local_prior(mean, loglik, start)
    assert (found.weights != everyone.weights).any()
    distance = np.abs(np.cumsum(found.weights - everyone.weights, axis=1)).max()
    assert distance < 0.05
