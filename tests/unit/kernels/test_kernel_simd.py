"""Vectors of compiled code against single numbers, and kernels on many genes against the same arithmetic of one."""

import operator

import numpy as np
import pytest

from cases import each
from countnest.kernels.algebra.elimination import (
    N_CELLS,
    add_ridge,
    cell_predictors,
    factorize,
    gather_scores,
    information,
    n_equations,
    solve,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, exp, load_row, log, new_lanes, select
from countnest.kernels.negbin.dispersion import nb_logalpha_fit_chunk, nb_logalpha_grid_chunk
from countnest.kernels.negbin.inference import nb_log_covariance_chunk, nb_log_inference_chunk, nb_log_variance_chunk
from countnest.kernels.negbin.irls import (
    deviance,
    floored_means,
    log_constant,
    log_growth,
    nb_log_irls_chunk,
    nb_log_start_chunk,
    working_response,
)
from countnest.kernels.negbin.nodes import nb_node_loglik_chunk, nb_node_ratio_chunk, nb_node_variance_chunk
from countnest.stats.averaged.grid import cubic_interpolation
from unit.kernels import twins
from unit.kernels.test_kernel_dispersion import posterior_of
from unit.kernels.test_kernel_elimination import nested

DESIGNS = {
    **twins.DESIGNS,
    "nested": nested(8),
    "many samples": np.repeat(np.array([[1.0, 0.0], [1.0, 1.0]]), 50, axis=0),
}
# Divided by themselves, compared and rounded: nothing that is special may be lost on the way through a register.
VALUES = np.array([1.5, -2.0, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310])
OTHERS = np.array([-0.1, 3.0, 0.0, 7.0, np.inf, 2.0, 1.0, 1e300])


def on_lanes(function, *arguments):
    """Return what a compiled function of vectors gives for arrays (LANES,)."""
    memory = [new_lanes(1) for _ in arguments]
    for one, values in zip(memory, arguments, strict=True):
        one[0] = values
    out = new_lanes(1)
    function(*memory, out)
    return out[0]


@kernel
def arithmetic(a, b, out):
    x, y = as_lanes(a)[0], as_lanes(b)[0]
    total = 0.25
    for _ in range(3):
        total += x * y - x / 3.0
    as_lanes(out)[0] = -(2.0 - total) / (y + 1.0)


@kernel
def arithmetic_of_one(x, y):
    total = 0.25
    for _ in range(3):
        total += x * y - x / 3.0
    return -(2.0 - total) / (y + 1.0)


@kernel
def choice(a, b, out):
    x, y = as_lanes(a)[0], as_lanes(b)[0]
    bits = select(x < y, 1.0, 0.0) + select(x <= y, 2.0, 0.0) + select(x > y, 4.0, 0.0) + select(x >= y, 8.0, 0.0)
    bits += select(x == y, 16.0, 0.0) + select(x != y, 32.0, 0.0)
    bits += select((x < y) | (x > 1.0), 64.0, 0.0) + select((x < y) & (x > 1.0), 128.0, 0.0)
    as_lanes(out)[0] = bits + select(~(x < y), 256.0, 0.0)


@kernel
def chosen(a, out):
    x = as_lanes(a)[0]
    as_lanes(out)[0] = 1.0 if any_lane(x > 1.0) else 0.0


@kernel
def elementwise(a, out):
    x = as_lanes(a)[0]
    as_lanes(out)[0] = select(x > 20.0, exp(log(x)), log_growth(x))


@kernel
def elementwise_of_one(x):
    return exp(log(x)) if x > 20.0 else log_growth(x)


def test_arithmetic_is_that_of_single_numbers():
    with np.errstate(all="ignore"):
        expected = [arithmetic_of_one(x, y) for x, y in zip(VALUES, OTHERS, strict=True)]
        np.testing.assert_array_equal(on_lanes(arithmetic, VALUES, OTHERS), expected)


def test_comparisons_are_those_of_single_numbers():
    comparisons = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
    for x, y in ((VALUES, OTHERS), (OTHERS, VALUES), (VALUES, VALUES)):
        expected = sum(2**k * compare(x, y) for k, compare in enumerate(comparisons))
        expected = expected + 64 * ((x < y) | (x > 1)) + 128 * ((x < y) & (x > 1)) + 256 * ~(x < y)
        np.testing.assert_array_equal(on_lanes(choice, x, y), expected)


@each("lane", range(LANES))
def test_any_lane_counts(lane):
    x = np.zeros(LANES)
    assert on_lanes(chosen, x).sum() == 0
    x[lane] = 2.0
    assert on_lanes(chosen, x).sum() == LANES


def test_functions_of_each_lane():
    x = np.array([0.1, 0.4, 0.6, 3.0, 19.0, 21.0, 300.0, 1e-9])
    np.testing.assert_array_equal(on_lanes(elementwise, x), [elementwise_of_one(one) for one in x])


def test_memory_is_aligned_and_full_of_ones():
    for n in (1, 2, 7, 100):
        memory = new_lanes(n)
        assert memory.shape == (n, LANES)
        assert memory.ctypes.data % 64 == 0
        assert (memory == 1).all()


def test_a_row_goes_into_one_lane():
    memory, values = new_lanes(3), np.arange(6.0).reshape(2, 3)
    load_row(values, 1, 2, memory)
    load_row(values[:1].copy(), 1, 4, memory)
    assert memory[:, 2].tolist() == [3.0, 4.0, 5.0]
    assert memory[:, 4].tolist() == [0.0, 1.0, 2.0]
    assert memory[:, [0, 1, 3, 5, 6, 7]].sum() == 18


class Genes:
    """Random genes of all kinds: without counts, with few and many, over- and hardly dispersed, weighted, lost."""

    def __init__(self, X, seed, n_genes=37):
        rng = np.random.default_rng(seed)
        n, self.X, self.plan = len(X), X, twins.plan_of(X)
        scale = 10.0 ** rng.uniform(-1.0, 5.0, (n_genes, 1))
        self.alpha = 10.0 ** rng.uniform(-8.0, 1.0, n_genes)
        mean = scale * rng.uniform(0.3, 3.0, (n_genes, n))
        self.counts = rng.poisson(mean * rng.gamma(2.0, 0.5, (n_genes, n))).astype(float)
        self.counts[3] = 0.0
        self.counts[5, 1:] = 0.0
        self.mu = np.maximum(mean, 0.5)
        self.mu[7] = np.nan
        self.factors = rng.uniform(0.5, 2.0, (n_genes, n))
        self.weights = rng.choice([1.0, 1.0, 0.6, 0.005, 0.0], (n_genes, n))
        self.weights[9] = 0.0  # no information
        self.start = np.log(self.alpha) + rng.normal(0.0, 2.0, n_genes)
        self.centre = rng.normal(-1.0, 1.0, n_genes)
        self.n_genes = n_genes

    def line_search(self, genes, variance=np.inf, order=None):
        """Return what the line search of some genes, as one block, writes."""
        k = len(genes)
        out = np.empty(k), np.empty(k, dtype=np.int64), np.empty(k), np.empty(k)
        nb_logalpha_fit_chunk(
            np.arange(k) if order is None else order, self.start[genes], self.counts[genes], self.mu[genes],
            self.weights[genes], *self.plan, self.centre[genes], variance, 1e-6, 100, *out,
        )  # fmt: skip
        return out

    def grid(self, genes):
        """Return the best points of a grid for some genes, as one block."""
        out = np.empty(len(genes))
        nb_logalpha_grid_chunk(
            np.log(1e-8), np.log(10.0), self.counts[genes], self.mu[genes], self.weights[genes], *self.plan,
            self.centre[genes], 1.5, out,
        )  # fmt: skip
        return (out,)

    def beta(self, genes):
        """Return starts; those of one gene in eleven are far away."""
        beta = np.empty((len(genes), self.X.shape[1]))
        basis, triangle = map(np.ascontiguousarray, np.linalg.qr(self.X))
        nb_log_start_chunk(self.counts[genes], self.factors[genes], basis, triangle, beta)
        beta[genes % 11 == 4] = 29.0
        return beta

    @property
    def ridge(self):
        return np.full(self.X.shape[1], 2e-6)

    def irls(self, genes, min_mu=0.5):
        """Return the estimates of some genes, as one block, their floored means and iterations."""
        out = self.beta(genes), np.empty((len(genes), len(self.X))), np.empty(len(genes), dtype=np.int64)
        factors = self.factors[genes]
        nb_log_irls_chunk(
            self.counts[genes], factors, np.log(factors), self.weights[genes], self.alpha[genes], *self.plan,
            self.ridge, min_mu, 1e-8, 30, *out,
        )  # fmt: skip
        return out

    def inference(self, genes):
        """Return what follows from the estimates."""
        beta, mu, _ = self.irls(genes)
        out = mu, np.empty_like(beta), np.empty_like(mu), np.empty(len(genes))
        known = self.factors[genes], self.weights[genes], self.alpha[genes]
        nb_log_inference_chunk(self.counts[genes], *known, beta, *self.plan, self.ridge, False, *out)
        return out

    def variances(self, genes):
        """Return variances and covariances of two contrasts."""
        beta, _, _ = self.irls(genes)
        contrasts = np.vstack([np.eye(self.X.shape[1])[-1], np.linspace(-1.0, 1.0, self.X.shape[1])])
        out = np.empty((len(genes), 2)), np.empty((len(genes), 2, 2))
        for block, found in zip((nb_log_variance_chunk, nb_log_covariance_chunk), out, strict=True):
            block(
                contrasts, beta, self.factors[genes], self.weights[genes], self.alpha[genes], *self.plan, self.ridge,
                0.5, found,
            )  # fmt: skip
        return out

    def nodes(self, genes):
        """Return log-likelihoods, likelihood ratios and variances at six dispersions; every second is interpolated."""
        k, p = len(genes), self.X.shape[1]
        log_alpha = np.log(self.alpha[genes])[:, None] + np.linspace(-2.0, 3.0, 7)
        beta = np.clip(self.beta(genes), -9.0, 9.0)
        out = np.empty((k, 7)), np.empty((k, 7)), np.empty((k, 1, 7))
        known = self.mu[genes], self.weights[genes], log_alpha
        nb_node_loglik_chunk(self.counts[genes], *known, *cubic_interpolation(7, 2), *self.plan, out[0])
        nb_node_ratio_chunk(self.counts[genes], self.mu[genes], 0.9 * self.factors[genes], *known[1:], out[1])
        nb_node_variance_chunk(
            np.eye(p)[-1:], beta, self.factors[genes], *known[1:], *self.plan, self.ridge, 0.5, out[2]
        )
        return out


@pytest.fixture(params=list(DESIGNS))
def genes(request):
    return Genes(DESIGNS[request.param], seed=17)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("step", ["line_search", "grid", "irls", "inference", "variances", "nodes"])
def test_a_gene_is_worked_on_as_if_it_were_alone(genes, step):
    work = getattr(genes, step)
    everyone = np.arange(genes.n_genes)
    together = work(everyone)
    alone = [work(everyone[g : g + 1]) for g in everyone]
    shuffled = np.random.default_rng(1).permutation(genes.n_genes)[:29]
    others = work(shuffled)
    for k, values in enumerate(together):
        np.testing.assert_array_equal(values, np.concatenate([one[k] for one in alone]))
        np.testing.assert_array_equal(values[shuffled], others[k])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_line_search_is_that_of_one_gene_in_any_order(genes):
    everyone = np.arange(genes.n_genes)
    found = genes.line_search(everyone, variance=0.7)
    ordered = genes.line_search(everyone, variance=0.7, order=np.argsort(genes.counts.sum(axis=1)))
    for values, again in zip(found, ordered, strict=True):
        np.testing.assert_array_equal(values, again)
    for g in everyone:
        posterior = posterior_of(genes.counts[g], genes.mu[g], genes.plan, genes.centre[g], 0.7, genes.weights[g])
        np.testing.assert_array_equal([values[g] for values in found], twins.line_search(genes.start[g], posterior))
    assert np.isnan(found[2]).any()
    assert len(np.unique(found[1])) > 5


def irls_of_one(genes, g, beta, min_mu, max_iter=30):
    """Return the estimates of a gene by the kernels' own steps on single numbers: coefficients, means, iterations."""
    (index, numbers), y, f, v, a = genes.plan, genes.counts[g], genes.factors[g], genes.weights[g], genes.alpha[g]
    log_f, constant = np.log(f), log_constant(y, a, v)
    eta, rate, weight, score = np.empty((4, index[N_CELLS]))
    mu, step, equations = np.empty(len(y)), np.empty(len(beta)), np.empty(n_equations(index))
    cell_predictors(index, numbers, beta, eta)
    floored_means(index, f, min_mu, eta, rate, mu)
    before = 0.0
    for iteration in range(1, max_iter + 1):
        working_response(y, log_f, v, a, min_mu, index, eta, mu, weight, score)
        information(index, numbers, weight, equations)
        add_ridge(index, genes.ridge, equations)
        gather_scores(index, numbers, score, step)
        step -= genes.ridge * beta
        if np.isnan(factorize(index, equations)):
            break
        solve(index, equations, step)
        beta += step
        if (np.abs(beta) > 30).any():
            break
        cell_predictors(index, numbers, beta, eta)
        floored_means(index, f, min_mu, eta, rate, mu)
        now = deviance(y, log_f, v, a, constant, min_mu, index, eta, mu)
        change = abs(now - before) / (abs(now) + 0.1)
        if np.isnan(change):
            break
        if iteration > 1 and change < 1e-8:
            return beta, mu, iteration
        before = now
    return beta, mu, max_iter


@pytest.mark.parametrize("min_mu", [0.5, 0.0])
def test_irls_is_that_of_one_gene(genes, min_mu):
    everyone = np.arange(genes.n_genes)
    beta, mu, n_iter = genes.irls(everyone, min_mu)
    start = genes.beta(everyone)
    for g in everyone:
        expected = irls_of_one(genes, g, start[g].copy(), min_mu)
        for found, one in zip((beta[g], mu[g], n_iter[g]), expected, strict=True):
            np.testing.assert_array_equal(found, one, err_msg=str(g))
    assert (n_iter == 30).any()
    assert len(np.unique(n_iter)) > 3
