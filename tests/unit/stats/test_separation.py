"""Separation: the directions along which a likelihood rises for ever, against linear programmes and the likelihood."""

import numpy as np
import pytest
import scipy.optimize

from countnest.stats.glm import separation, subset
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.separation import diverging_directions, free_directions, separated

TWO_GROUPS = np.column_stack([np.ones(6), np.repeat([0.0, 1.0], 3)])
# families in rows, two treatments each: one sample in each cell
PAIRED = np.column_stack([np.kron(np.eye(5), np.ones((2, 1))), np.tile([0.0, 1.0], 5)])


def is_infinite(counted, empty, contrast):
    """Tell whether c'd != 0 for a direction d of the cone, by linear programmes for c and -c within a box."""
    largest = 0.0
    for sign in (1.0, -1.0):
        found = scipy.optimize.linprog(
            -sign * contrast,
            A_ub=empty,
            b_ub=np.zeros(len(empty)),
            A_eq=counted,
            b_eq=np.zeros(len(counted)),
            bounds=[(-1.0, 1.0)] * len(contrast),
        )
        largest = max(largest, -found.fun)
    return largest > 1e-6


def directions_of(counted, empty, matrix):
    """Return a basis of the directions (p, m) of one pattern of cells, which are the rows of `matrix`."""
    basis, triangle = np.linalg.qr(matrix)
    places, free = free_directions(np.array([counted]), basis)
    if not len(places):
        return np.empty((matrix.shape[1], 0))
    (span,) = diverging_directions(free, np.array([empty]), basis)
    return np.linalg.solve(triangle, span[:, span.any(axis=0)])


def test_an_empty_group():
    layout = Layout.of(TWO_GROUPS)
    counts = np.array([[0, 0, 0, 3, 4, 5], [3, 4, 5, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 2, 0, 0, 0, 1], [0] * 6], float)
    found = separated(counts, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), layout)
    np.testing.assert_array_equal(
        found,
        [
            [True, True, False],  # the first group: intercept and difference, not the mean of the second
            [False, True, True],
            [False, True, True],  # one read is enough to hold the first group
            [False, False, False],
            [False, False, False],  # not fitted
        ],
    )


def test_large_and_small_units_do_not_matter():
    counts = np.array([[0.0, 0, 0, 3, 4, 5]])
    for unit in (1e-8, 1.0, 1e9):
        layout = Layout.of(TWO_GROUPS * [1.0, unit])
        assert separated(counts, np.array([[0.0, unit], [0.0, 1.0]]), layout).all()
        assert not separated(counts, np.array([[1.0, unit]]), layout).any()


def test_a_family_without_counts_says_nothing_of_the_treatment():
    counts = np.full((2, 10), 5.0)
    counts[0, :2] = 0  # one family
    counts[1, ::2] = 0  # one treatment
    found = separated(counts, np.eye(6), Layout.of(PAIRED))
    np.testing.assert_array_equal(found[0], [True, False, False, False, False, False])
    assert found[1].all()


def test_counts_in_both_directions_hold_the_treatment():
    # in every family one of the two samples is empty: which one decides
    one_way, both_ways = np.tile([0.0, 4.0], 5), np.array([0.0, 4, 4, 0, 0, 4, 4, 0, 0, 4])
    found = separated(np.array([one_way, both_ways]), np.eye(6)[5:], Layout.of(PAIRED))
    np.testing.assert_array_equal(found[:, 0], [True, False])


def test_a_slope():
    x = np.arange(6.0)
    layout = Layout.of(np.column_stack([np.ones(6), x]))
    counts = np.array([[0, 0, 0, 0, 0, 7], [0, 0, 0, 7, 0, 0], [0, 0, 0, 7, 7, 0]], dtype=float)
    found = separated(counts, np.eye(2), layout)
    # all counts at the end of the line: infinite; in the middle: zeros on both sides hold the line
    np.testing.assert_array_equal(found, [[True, True], [False, False], [False, False]])


@pytest.mark.parametrize("seed", range(4))
def test_random_designs_agree_with_one_linear_programme_for_each_contrast(seed):
    rng = np.random.default_rng(seed)
    n, p = 14, 6
    factors = [rng.integers(0, k, n) for k in (2, 3, 3)]
    columns = [np.ones(n), *(factor == level for factor in factors for level in range(1, factor.max() + 1))]
    matrix = np.column_stack(columns).astype(float)
    if seed == 3:
        matrix = np.column_stack([matrix[:, :3], rng.normal(size=(n, p - 3))])
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1]
    layout = Layout.of(matrix)
    counts = (rng.random((30, n)) < rng.uniform(0.1, 0.7, (30, 1))).astype(float)
    contrasts = np.vstack([np.eye(matrix.shape[1]), rng.integers(-1, 2, (2, matrix.shape[1]))])
    contrasts = contrasts[np.abs(contrasts).any(axis=1)]
    found = separated(counts, contrasts, layout)
    expected = [
        [bool(row.any()) and is_infinite(matrix[row > 0], matrix[row == 0], c) for c in contrasts] for row in counts
    ]
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.mean() < 1


def test_weights_of_zero_take_samples_out():
    layout = Layout.of(TWO_GROUPS)
    counts = np.array([[0.0, 0, 2, 3, 4, 5]])
    difference = np.array([[0.0, 1.0]])
    assert not separated(counts, difference, layout).any()
    assert not separated(counts, difference, layout, np.full((1, 6), 0.5)).any()
    assert separated(counts, difference, layout, np.array([[1.0, 1, 0, 1, 1, 1]])).all()
    # a cell without any weight puts no bound on the cone
    rows = np.array([[0.0, 0, 0, 3, 0, 1]])
    none = np.array([[1.0, 1, 1, 0, 1, 0]])
    assert directions_of([False, False], [True, False], TWO_GROUPS[[0, 3]]).shape == (2, 2)
    assert not separated(rows, difference, layout, none).any()  # nothing is counted


def test_directions_raise_the_likelihood_and_others_do_not():
    rng = np.random.default_rng(8)
    counts = rng.poisson(6.0, 10).astype(float)
    counts[[1, 3]] = 0
    counts[:2] = 0
    directions = directions_of(counts > 0, counts == 0, PAIRED)
    assert directions.shape == (6, 1)
    direction = directions[:, 0] * -np.sign(PAIRED[counts == 0] @ directions[:, 0]).sum()
    assert (PAIRED @ direction <= 1e-12).all()

    def loglik(beta):
        mu = np.exp(PAIRED @ beta)
        return np.sum(counts * np.log(mu) - (counts + 10.0) * np.log1p(0.1 * mu))

    values = [loglik(np.ones(6) + step * direction / np.linalg.norm(direction)) for step in range(30)]
    assert (np.diff(values) >= 0).all()
    assert values[-1] > values[0]


def test_separated_estimates_are_the_large_ones():
    layout = Layout.of(TWO_GROUPS)
    rng = np.random.default_rng(9)
    counts = rng.negative_binomial(5.0, 0.05, (40, 6)).astype(float)
    counts[:10, 3:] = 0
    fit = fit_nb_glm(counts, NBInputs(np.ones((1, 6)), np.full(40, 0.2)), layout)
    flagged = separated(counts, np.array([[0.0, 1.0]]), layout)[:, 0]
    np.testing.assert_array_equal(flagged, np.arange(40) < 10)
    assert np.abs(fit.beta[flagged, 1]).min() > np.abs(fit.beta[~flagged, 1]).max()


def test_patterns_are_looked_at_once(monkeypatch):
    layout = Layout.of(PAIRED)
    seen = []

    def spy(counted, basis):
        seen.append(len(counted))
        return free_directions(counted, basis)

    monkeypatch.setattr(separation, "free_directions", spy)
    counts = np.full((50, 10), 3.0)
    counts[:20, 0] = counts[20:40, 3] = 0
    separated(counts, np.eye(6), layout)
    assert seen == [2]


@pytest.mark.parametrize("ages", [False, True])
def test_sparse_counts_with_numbers_in_the_design(ages):
    # one to five counts in 40 samples: cones of one to four dimensions, many rows of which are parallel or opposite
    rng = np.random.default_rng(5)
    n = 40
    batch, x = np.arange(n) % 3, rng.normal(size=n)
    columns = [np.ones(n), np.arange(n) >= n // 2, batch == 1, batch == 2]
    columns += [rng.integers(2010, 2024, n), rng.integers(20, 60, n)] if ages else [x, x**2]
    matrix = np.column_stack(columns).astype(float)
    counts = np.zeros((60, n))
    for row in counts:
        row[rng.choice(n, rng.integers(1, 6), replace=False)] = 1.0
    found = separated(counts, np.eye(6), Layout.of(matrix))
    units = np.abs(matrix).max(axis=0)
    expected = [
        [is_infinite(matrix[row > 0] / units, matrix[row == 0] / units, c) for c in np.eye(6)] for row in counts
    ]
    np.testing.assert_array_equal(found, expected)
    assert 0.1 < found.mean() < 0.9


def test_the_size_of_blocks_does_not_matter(monkeypatch):
    rng = np.random.default_rng(6)
    matrix = np.column_stack([TWO_GROUPS, rng.normal(size=6)])
    counts = (rng.random((40, 6)) < 0.4).astype(float)
    found = separated(counts, np.eye(3), Layout.of(matrix))
    monkeypatch.setattr(subset, "BLOCK", 1)
    np.testing.assert_array_equal(separated(counts, np.eye(3), Layout.of(matrix)), found)
    assert found.any()
