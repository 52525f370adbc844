"""Hidden factors: the worked example, how many there are, units, signs, and contrasts that depend on each other."""

import numpy as np
import pytest
import statsmodels.api as sm

from countnest.stats.hidden.factors import HiddenFactors, find_factors, most_factors
from countnest.stats.hidden.robust import bisquare_slopes

GROUPS = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
DIFFERENCE = np.array([[0.0, 1.0]])


def worked_example():
    g, j = np.arange(1, 201)[:, np.newaxis], np.arange(1, 9)
    h = np.array([1, -1, 0.5, -0.5, 1.5, 0.5, 1, -1])
    return 0.5 * np.sin(12.9898 * g + 78.233 * j * (1 + g % 7)) + np.sin(1.7 * g) * h


def planted(sizes=(6, 6, 6), sds=(1.0,), genes=2000, seed=1, changed=0.2):
    """Return values (G, n), the model matrix of groups, and factors (n, k) of which the groups hold a part."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    matrix = np.column_stack([np.ones(len(group)), *(group == one for one in range(1, len(sizes)))])
    factors = rng.normal(size=(len(group), len(sds))) + 0.5 * (group == 1)[:, np.newaxis]
    effects = np.where(rng.random((genes, len(sizes))) < changed, rng.normal(0, 2, (genes, len(sizes))), 0.0)
    loadings = rng.normal(size=(genes, len(sds))) * sds
    noise = rng.normal(size=(genes, len(group)))
    return 7.0 + effects @ matrix.T + loadings @ factors.T + noise, matrix, factors


def test_worked_example():
    found = find_factors(worked_example(), GROUPS, 1, seed=1)
    expected = [4.19047552, 0.3376733, 0.29730979, 0.25350299, 0.21412686, 0.15595804]
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-8)
    assert found.reliability == pytest.approx([0.93993183], abs=1e-8)
    tau = found.along(DIFFERENCE)
    assert tau * found.reliability == pytest.approx(np.array([[0.2002794173]]), abs=1e-9)
    assert tau == pytest.approx(np.array([[0.21307866]]), abs=1e-8)
    column = found.columns(DIFFERENCE)[:, 0] / np.sqrt(8)
    np.testing.assert_allclose(
        column,
        [0.40913493, -0.41044483, 0.20258514, -0.20127524, 0.6176374, 0.21257758, 0.42171507, -0.3996154],
        atol=1e-7,
    )
    assert found.confounding(DIFFERENCE) == pytest.approx(np.abs(tau[0]) * np.sqrt(8) / 2)


def test_slopes_are_those_of_tukeys_bisquare():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    y = 0.3 + x @ [1.0, -0.5] + 0.2 * rng.standard_t(2, size=400)
    y[:60] += 5.0
    model = sm.RLM(y, sm.add_constant(x), M=sm.robust.norms.TukeyBiweight(c=4.685))
    np.testing.assert_allclose(bisquare_slopes(y, x), model.fit(tol=1e-12, maxiter=100).params[1:], atol=1e-3)
    assert bisquare_slopes(2.0 * x[:, 0], x[:, :1]) == pytest.approx([2.0])


def test_as_many_as_were_planted_are_found():
    for sds, number in (((), 0), ((0.7,), 1), ((0.7, 0.5), 2), ((1.0, 0.8, 0.6), 3), ((1.0, 0.9, 0.8, 0.7), 3)):
        values, matrix, _ = planted(sizes=(8, 8, 8), sds=sds)
        assert find_factors(values, matrix, seed=1).n_factors == number
    values, matrix, _ = planted(sizes=(4, 4, 4), sds=(1.0, 0.9, 0.8))
    assert find_factors(values, matrix, seed=1).n_factors == 2  # with 9 residual degrees of freedom
    assert find_factors(values, matrix, 3, seed=1).n_factors == 3
    assert [most_factors(df) for df in (8, 11, 12, 40)] == [2, 2, 3, 10]


def test_columns_span_what_was_planted_beside_the_intercept():
    values, matrix, factors = planted(sizes=(10, 10), sds=(0.8, 0.5))
    found = find_factors(values, matrix, seed=1)
    rests = []
    for columns in (found.columns(np.array([[0.0, 1.0]])), found.scores):
        known = np.column_stack([np.ones(20), columns])
        rests.append(np.var(factors - known @ np.linalg.lstsq(known, factors, rcond=None)[0], axis=0))
    assert rests[0].max() < 0.03  # of variances of about 1
    assert rests[1].sum() > 3.0 * rests[0].sum()  # without the part along the groups


def test_factors_are_orthonormal_beside_the_design_and_begin_above_zero():
    values, matrix, _ = planted(sds=(0.7, 0.5))
    for sign in (1.0, -1.0):
        found = find_factors(sign * values, matrix, 2, seed=1)
        np.testing.assert_allclose(found.scores.T @ found.scores, np.eye(2), atol=1e-12)
        np.testing.assert_allclose(matrix.T @ found.scores, 0.0, atol=1e-12)
        assert (found.scores[0] > 0).all()


def test_the_seed_decides_about_noise_alone():
    values, matrix, _ = planted()
    one, same, other = (find_factors(values, matrix, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.reference, same.reference)
    assert (one.reference != other.reference).any()
    np.testing.assert_array_equal(one.scores, other.scores)


def test_units_of_values_and_contrasts_do_not_matter():
    values, matrix, _ = planted()
    contrast = np.array([[0.0, 1.0, 0.0]])
    found, scaled = (find_factors(each, matrix, seed=1) for each in (values, 10.0 + 3.0 * values))
    np.testing.assert_allclose(scaled.eigenvalues, found.eigenvalues, rtol=1e-9)
    np.testing.assert_allclose(scaled.along(contrast), found.along(contrast), rtol=1e-7)
    np.testing.assert_allclose(found.along(7.0 * contrast), 7.0 * found.along(contrast), rtol=1e-9)
    np.testing.assert_allclose(found.confounding(7.0 * contrast), found.confounding(contrast), rtol=1e-9)
    np.testing.assert_allclose(found.columns(7.0 * contrast), found.columns(contrast), rtol=1e-7)


def test_the_coding_of_the_design_does_not_matter():
    values, matrix, _ = planted()
    change = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).T  # the means of the groups
    found, recoded = (find_factors(values, each, seed=1) for each in (matrix, matrix @ np.linalg.inv(change.T)))
    contrast = np.array([[0.0, 1.0, 0.0]])
    np.testing.assert_allclose(recoded.along(contrast @ np.linalg.inv(change.T)), found.along(contrast), rtol=1e-6)
    np.testing.assert_allclose(
        recoded.confounding(contrast @ np.linalg.inv(change.T)), found.confounding(contrast), rtol=1e-6
    )


def test_dependent_contrasts_that_are_tested_together_stay_so():
    values, matrix, _ = planted(sds=(0.7, 0.5))
    found = find_factors(values, matrix, 2, seed=1)
    pairwise = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 1.0]])
    alone, jointly = found.along(pairwise), found.along_jointly(pairwise)
    np.testing.assert_array_equal(jointly[:2], alone[:2])
    np.testing.assert_allclose(jointly[2], alone[1] - alone[0])
    np.testing.assert_array_equal(alone[2:], found.along(pairwise[2:]))
    np.testing.assert_allclose(found.confounding(pairwise), found.confounding(pairwise[:2]))
    for contrasts in (pairwise, pairwise[:1]):  # the contrasts of fits with these columns are free of the factors
        beta = np.linalg.lstsq(matrix, found.columns(contrasts), rcond=None)[0]
        np.testing.assert_allclose(contrasts @ beta, np.sqrt(18) * found.along_jointly(contrasts), atol=1e-9)


def test_without_factors_nothing_is_along():
    values, matrix, _ = planted(sds=())
    found = find_factors(values, matrix, seed=1)
    assert isinstance(found, HiddenFactors)
    assert found.along(np.eye(3)).shape == (3, 0)
    assert found.columns(np.eye(3)[1:]).shape == (18, 0)
    assert found.confounding(np.eye(3)[1:]).shape == (0,)


def test_replicates_that_are_the_same_hide_nothing():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(300, 2)), 6, axis=1)
    matrix = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)])
    assert find_factors(values, matrix, seed=1).n_factors == 0
    assert np.isfinite(find_factors(values, matrix, 1, seed=1).along(np.eye(2))).all()
