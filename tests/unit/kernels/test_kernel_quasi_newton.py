"""The quasi-Newton search: its objective against dense formulas, and where it ends against its twin."""

import numpy as np
import pytest

from countnest.kernels.r_search.negbin import begin_objective, nb_log_objective_row, nb_log_search_chunk
from unit.kernels import bounded, twins

RIDGE_LOG2 = 1e-6
FACTOR, MAX_ITER = 1e7, 100


@pytest.fixture(params=list(twins.DESIGNS))
def X(request):
    return twins.DESIGNS[request.param]


class Objective:
    """Loss and gradient of one gene; with `afresh`, nothing is kept from one call to the next."""

    def __init__(self, y, f, X, alpha, ridge=RIDGE_LOG2, v=None, *, afresh=False):
        self.plan = twins.plan_of(X)
        self.y, self.f, self.size = y, f, 1.0 / alpha
        self.v = np.ones(len(y)) if v is None else v
        self.prior_sd = 1.0 / np.sqrt(np.broadcast_to(ridge, X.shape[1]))
        self.of_samples, self.of_cells = np.empty((5, len(y))), np.empty((3, len(twins.distinct_rows(X)[0])))
        self.afresh = afresh
        begin_objective(y, self.size, self.of_samples, self.of_cells)

    def __call__(self, log2_beta):
        if self.afresh:
            begin_objective(self.y, self.size, self.of_samples, self.of_cells)
        gradient, at = np.full(len(log2_beta), np.nan), log2_beta.copy()
        loss = nb_log_objective_row(
            at, self.y, self.f, self.v, self.size, *self.plan, self.prior_sd, self.of_samples, self.of_cells, gradient
        )
        np.testing.assert_array_equal(at, log2_beta)
        return loss, gradient


def objective(log2_beta, *arguments):
    return Objective(*arguments)(log2_beta)


@pytest.mark.parametrize("ridge", [RIDGE_LOG2, 0.3])
@pytest.mark.parametrize("kind", ["fitted", "random", "far"])
def test_objective_and_its_gradient(X, kind, ridge):
    counts, f, _, alpha = twins.simulate(X, 6, seed=29, low=1.0, high=300.0)
    rng = np.random.default_rng(4)
    for y, a in zip(counts, alpha, strict=True):
        at = {
            "fitted": twins.start(y, f, X) / np.log(2.0),
            "random": rng.normal(0.0, 2.0, X.shape[1]),
            "far": rng.uniform(-12.0, 12.0, X.shape[1]),
        }[kind]
        loss, gradient = objective(at, y, f, X, a, ridge)
        assert loss == pytest.approx(twins.penalized_loss(at, y, f, X, a, ridge), rel=1e-11)
        h = 1e-3
        differences = [
            (twins.penalized_loss(at + step, y, f, X, a, ridge) - twins.penalized_loss(at - step, y, f, X, a, ridge))
            / (2 * h)
            for step in h * np.eye(len(at))
        ]
        np.testing.assert_allclose(gradient, differences, rtol=1e-8, atol=1e-10 * abs(loss) / h)
        # the error of differences of second order at this step
        exact = twins.penalized_gradient(at, y, f, X, a, ridge)
        np.testing.assert_allclose(gradient, exact, rtol=1e-5, atol=1e-6 * (1.0 + y.sum()))


def test_differences_stay_within_the_box():
    X = twins.saturated_groups()
    y, f, alpha = np.arange(8.0), np.ones(8), 0.5
    at = np.array([30.0, -30.0])
    _, gradient = objective(at, y, f, X, alpha)
    h = 1e-3
    inward = np.array([[-h, 0.0], [0.0, h]])
    here = twins.penalized_loss(at, y, f, X, alpha, RIDGE_LOG2)
    differences = [(twins.penalized_loss(at + step, y, f, X, alpha, RIDGE_LOG2) - here) / step.sum() for step in inward]
    np.testing.assert_allclose(gradient, differences, rtol=1e-8, atol=1e-9)


def test_objective_that_is_not_finite_is_huge():
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    with np.errstate(all="ignore"):  # uncompiled kernels warn
        loss, _ = objective(np.array([0.0, 3e3]), np.arange(6.0), np.ones(6), X, 0.1)
    assert loss == 1e300


def test_objective_heeds_weights(X):
    counts, f, _, alpha = twins.simulate(X, 3, seed=34)
    rng = np.random.default_rng(6)
    for y, a in zip(counts, alpha, strict=True):
        at, v = rng.normal(0.0, 1.0, X.shape[1]), rng.uniform(0.0, 1.0, len(y))
        ridge = rng.uniform(0.1, 2.0, X.shape[1])
        loss, gradient = objective(at, y, f, X, a, ridge, v)
        assert loss == pytest.approx(twins.penalized_loss(at, y, f, X, a, ridge, v), rel=1e-11)
        np.testing.assert_allclose(gradient, twins.penalized_gradient(at, y, f, X, a, ridge, v), rtol=1e-4, atol=1e-4)


def test_terms_that_are_kept_change_no_bit(X):
    counts, f, _, alpha = twins.simulate(X, 3, seed=35)
    rng = np.random.default_rng(7)
    for y, a in zip(counts, alpha, strict=True):
        keeps, fresh = Objective(y, f, X, a), Objective(y, f, X, a, afresh=True)
        at = rng.normal(0.0, 1.0, X.shape[1])
        for k in [*range(X.shape[1]), 0]:
            at[k] += rng.normal()
            (loss, gradient), (expected, expected_gradient) = keeps(at), fresh(at)
            assert loss == expected
            np.testing.assert_array_equal(gradient, expected_gradient)
        # and the differences are those of whole losses
        step = np.zeros(X.shape[1])
        step[-1] = 1e-3
        assert gradient[-1] == (fresh(at + step)[0] - fresh(at - step)[0]) / 2e-3


# ---- where the search ends ----


def flat(X, n_genes, seed):
    """Counts that are zero in most cells, so that coefficients go to the bounds, and others."""
    counts, f, _, alpha = twins.simulate(X, n_genes, seed=seed, low=0.5, high=2000.0)
    rng = np.random.default_rng(seed)
    _, of_sample = twins.distinct_rows(X)
    for g in range(0, n_genes, 2):
        counts[g] *= rng.random(of_sample.max() + 1)[of_sample] < 0.4
        counts[g, rng.integers(len(of_sample))] += 1e5 if g % 4 else 3.0
    return counts, f, alpha


def search(start, counts, factors, v, alpha, X, ridge=RIDGE_LOG2, max_iter=MAX_ITER):
    found, converged = np.full_like(start, np.nan), np.zeros(len(start), dtype=np.bool_)
    prior_sd = 1.0 / np.sqrt(np.broadcast_to(ridge, X.shape[1]))
    nb_log_search_chunk(
        start, counts, factors, v, alpha, *twins.plan_of(X), prior_sd, FACTOR, max_iter, found, converged
    )
    return found, converged


@pytest.mark.parametrize("shared", [True, False])
def test_the_search_ends_where_its_twin_does(X, shared):
    counts, f, alpha = flat(X, 8, seed=41)
    rng = np.random.default_rng(8)
    factors = f[None] if shared else f * rng.uniform(0.5, 2.0, counts.shape)
    v = np.ones((1, len(f))) if shared else rng.uniform(0.2, 1.0, counts.shape)
    rows = [(factors[0 if shared else g], v[0 if shared else g]) for g in range(8)]
    start = np.array([twins.start(y, row, X) for y, (row, _) in zip(counts, rows, strict=True)])
    found, converged = search(start, counts, factors, v, alpha, X)
    for g, (row, weight) in enumerate(rows):
        twin = bounded.minimize_in_box(Objective(counts[g], row, X, alpha[g], v=weight, afresh=True), start[g], 30.0)
        np.testing.assert_array_equal(found[g], twin.x)
        assert converged[g] == twin.converged
    assert converged.any()
    assert (np.abs(found) <= 30.0).all()


def test_searches_of_few_iterations_do_not_converge():
    X = twins.two_way()
    counts, f, alpha = flat(X, 6, seed=42)
    start, v = np.full((6, 4), 2.0), np.ones((1, 12))
    found, converged = search(start, counts, f[None], v, alpha, X, max_iter=1)
    assert not converged.any()
    for g in range(6):
        twin = bounded.minimize_in_box(Objective(counts[g], f, X, alpha[g]), start[g], 30.0, max_iter=1)
        np.testing.assert_array_equal(found[g], twin.x)


def test_a_gene_has_the_same_bits_in_every_block():
    X = twins.two_way()
    counts, f, alpha = flat(X, 6, seed=43)
    start, v = np.full((6, 4), 1.0), np.ones((1, 12))
    together, _ = search(start, counts, f[None], v, alpha, X)
    for g in range(6):
        alone, _ = search(start[g : g + 1], counts[g : g + 1], f[None], v, alpha[g : g + 1], X)
        np.testing.assert_array_equal(alone[0], together[g])
