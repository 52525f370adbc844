"""Skylines, and likelihoods of mixed models of counts with any random terms, against plain NumPy."""

import numpy as np
from test_kernel_mixed_counts import loglik, mode

from cases import each
from countnest.kernels.mixed.joint import skyline as kernels
from countnest.kernels.mixed.joint.likelihood import details_chunk, joint_chunk, new_work
from countnest.kernels.mixed.joint.skyline import entry_of, skyline_of
from countnest.stats.mixed.covariances import factors_of
from countnest.stats.mixed.joint_problem import JointProblem
from countnest.stats.mixed.records import MixedModel, RandomEffects

N = 40
KINDS = ("intercepts", "slopes", "crossed", "nested", "both")


def filled(first, seed=0):
    """Return a positive definite matrix whose rows begin at these columns, and its entries in a skyline."""
    rng, m = np.random.default_rng(seed), len(first)
    factor = np.tril(rng.normal(size=(m, m))) + 2.0 * np.eye(m)
    factor[np.arange(m)[np.newaxis, :] < np.array(first)[:, np.newaxis]] = 0.0
    matrix, skyline = factor @ factor.T, skyline_of(np.array(first))
    places = [(i, k) for i in range(m) for k in range(first[i], i + 1)]
    entries = np.zeros(len(places))
    for i, k in places:
        entries[entry_of(i, k, skyline)] = matrix[i, k]
    return matrix, factor, entries, skyline, places


def test_skylines_are_decomposed_solved_and_inverted():
    for first in ([0, 1, 2], [0, 0, 0, 0], [0, 1, 0, 3, 2, 0, 5], [0, 1, 2, 0, 4, 5, 4, 0, 0]):
        matrix, factor, entries, skyline, places = filled(first)
        for size in (len(first), len(first) - 1):
            own, whole = matrix[:size, :size], entries.copy()
            np.testing.assert_allclose(kernels.decompose(whole, size, skyline), np.linalg.slogdet(own)[1], rtol=1e-12)
            inside = [(i, k) for i, k in places if i < size]
            found = [whole[entry_of(i, k, skyline)] for i, k in inside]
            np.testing.assert_allclose(found, [factor[i, k] * np.sign(factor[k, k]) for i, k in inside], rtol=1e-11)
            values = np.arange(1.0, len(first) + 1.0)
            kernels.solve(whole, size, skyline, values)
            np.testing.assert_allclose(own @ values[:size], np.arange(1.0, size + 1.0), rtol=1e-11)
            inverse, out = np.linalg.inv(own), np.zeros_like(whole)
            kernels.invert(whole, size, skyline, out)
            np.testing.assert_allclose(
                [out[entry_of(i, k, skyline)] for i, k in inside], [inverse[i, k] for i, k in inside], atol=1e-12
            )


def test_what_is_not_positive_definite_is_lost():
    _, _, entries, skyline, _ = filled([0, 0, 1])
    entries[entry_of(1, 1, skyline)] = -1.0
    assert np.isnan(kernels.decompose(entries, 3, skyline))


def model(kind):
    rng = np.random.default_rng(3)
    group, part, batch = np.repeat(np.arange(8), 5), np.arange(N) // 5 * 2 + np.arange(N) % 2, rng.integers(0, 4, N)
    x, one = rng.normal(size=N), np.ones((N, 1))
    slope = RandomEffects(group, np.column_stack([np.ones(N), x]), "x | group")
    terms = {
        "intercepts": (RandomEffects(group, one),),
        "slopes": (slope,),
        "crossed": (RandomEffects(group, one), RandomEffects(batch, one)),
        "nested": (RandomEffects(group, one), RandomEffects(part, one)),
        "both": (RandomEffects(batch, one), slope),
    }[kind]
    return MixedModel(np.column_stack([np.ones(N), np.arange(N) % 3, x]), terms)


class Case:
    """Three genes: ordinary counts, large ones, and small ones with a prior of the coefficients."""

    def __init__(self, kind):
        rng = np.random.default_rng(8)
        self.problem = JointProblem.of(model(kind))
        self.t, self.p, self.q = self.problem.shape
        self.offset = 0.3 * rng.normal(size=(1, N))
        mean = np.exp(
            self.offset + np.array([[3.0], [7.0], [0.0]]) + 0.4 * rng.normal(size=(3, 8))[:, np.arange(N) // 5]
        )
        self.counts = rng.negative_binomial(5.0, 5.0 / (5.0 + mean)).astype(float)
        self.precision = np.array([0.0, 0.0, 0.3])
        self.theta = 0.4 + 0.3 * rng.normal(size=(3, self.t))
        self.rho = np.array([0.4, 0.5, 0.0])
        self.beta = np.column_stack([np.log(self.counts.mean(axis=1)), 0.1 * rng.normal(size=(3, self.p - 1))])

    def points(self, restricted):
        parts = [self.theta, self.rho[:, np.newaxis]]
        return np.hstack(parts if restricted else [*parts, self.beta])

    def design(self, gene):
        """Return Z L, by terms, levels and columns, and the fixed columns."""
        layout, first, found = self.problem.layout, 0, []
        factors = factors_of(self.theta[gene][np.newaxis], self.problem.model)
        for term, factor in zip(self.problem.model.terms, factors, strict=True):
            columns = layout.structure.columns[:, first : first + term.n_columns]
            found.append(RandomEffects(term.codes, columns @ factor[0]).matrix)
            first += term.n_columns
        return np.hstack(found), layout.structure.basis

    def evaluate(self, points, restricted):
        modes, values = np.zeros((3, self.q + self.p)), np.empty(3)
        modes[:, self.q :] = self.beta
        slopes = np.empty(points.shape)
        joint_chunk(
            np.arange(3), points, self.counts, self.offset, self.precision, restricted, self.problem.joint,
            new_work(self.problem.joint), modes, values, slopes,
        )  # fmt: skip
        return values, slopes, modes

    def twin(self, gene, restricted):
        random, basis = self.design(gene)
        y, alpha, precision = self.counts[gene], self.rho[gene] ** 2, self.precision[gene]
        design, prior = np.hstack([random, basis]), np.repeat([1.0, precision], [self.q, self.p])
        base = self.offset[0]
        if not restricted:
            base, design, prior = base + basis @ self.beta[gene], random, np.ones(self.q)
        found, hessian = mode(y, base, design, prior, alpha)
        value = loglik(y, base + design @ found, alpha).sum() - 0.5 * prior @ found**2
        value -= 0.5 * np.linalg.slogdet(hessian)[1]
        if restricted:
            return value + 0.5 * self.p * np.log(2.0 * np.pi), found, hessian
        return value - 0.5 * precision * self.beta[gene] @ self.beta[gene], found, hessian


@each("kind", KINDS)
def test_likelihoods_and_their_gradients(kind):
    case = Case(kind)
    for restricted in (True, False):
        points = case.points(restricted)
        values, slopes, _ = case.evaluate(points, restricted)
        np.testing.assert_allclose(values, [case.twin(gene, restricted)[0] for gene in range(3)], rtol=1e-11)
        steps = 1e-5 * np.eye(points.shape[1])
        ends = [[case.evaluate(points + sign * step, restricted)[0] for sign in (-1.0, 1.0)] for step in steps]
        np.testing.assert_allclose(slopes, np.diff(ends, axis=1)[:, 0].T / 2e-5, atol=2e-7, rtol=1e-6)


@each("kind", KINDS)
def test_details_of_fits(kind):
    case = Case(kind)
    points = case.points(True)
    _, _, modes = case.evaluate(points, True)
    columns = max(term.n_columns for term in case.problem.model.terms)
    root, moves = np.zeros((3, case.p, case.p)), np.zeros((3, case.t + 1, case.p))
    blocks = np.zeros((3, case.q, columns))
    details_chunk(
        np.arange(3), points, case.counts, case.offset, case.precision, True, case.problem.level, case.problem.joint,
        new_work(case.problem.joint), modes.copy(), root, moves, blocks,
    )  # fmt: skip
    effects, deviations = case.problem.effects(case.theta, modes, blocks)
    found, sd = (np.split(each, np.cumsum([t.n_levels * t.n_columns for t in case.problem.model.terms])[:-1], axis=1)
                 for each in (effects, deviations))  # fmt: skip
    h = 1e-5
    for gene in range(3):
        _, unknown, hessian = case.twin(gene, True)
        information = np.linalg.inv(np.linalg.inv(hessian)[case.q :, case.q :])
        np.testing.assert_allclose(root[gene] @ root[gene].T, information, rtol=1e-9, atol=1e-9)
        inverse, first = np.linalg.inv(hessian[: case.q, : case.q]), 0
        factors = factors_of(case.theta[gene][np.newaxis], case.problem.model)
        for place, (term, factor, scale) in enumerate(
            zip(case.problem.model.terms, factors, case.problem.layout.scales, strict=True)
        ):
            size = term.n_levels * term.n_columns
            turn = np.kron(np.eye(term.n_levels), np.linalg.inv(scale) @ factor[0])
            own = slice(first, first + size)
            np.testing.assert_allclose(found[place][gene], turn @ unknown[own], atol=1e-9)
            np.testing.assert_allclose(sd[place][gene] ** 2, np.diag(turn @ inverse[own, own] @ turn.T), rtol=1e-9)
            first += size
    for r in range(case.t + 1):
        step = np.zeros(points.shape[1])
        step[r] = h
        ends = [case.evaluate(points + sign * step, True)[2][:, case.q :] for sign in (-1.0, 1.0)]
        scale = 2.0 * case.rho[:, np.newaxis] if r == case.t else 1.0
        np.testing.assert_allclose(moves[:, r] * scale, (ends[1] - ends[0]) / (2.0 * h), atol=1e-6)
