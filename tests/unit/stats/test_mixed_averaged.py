"""Both variances of a mixed model moderated: averages of t tests over the ratio of the variances."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from countnest.errors import ContrastError, DesignError
from countnest.stats.mixed.averaged import averaged_variances
from countnest.stats.mixed.records import MixedModel, RandomEffects
from countnest.stats.mixed.strata import strata_of

# Sixteen families of two sibs, of which six are lost.
KEPT = np.delete(np.arange(32), [0, 5, 9, 18, 23, 30])
CODES = np.unique((np.arange(32) // 2)[KEPT], return_inverse=True)[1]
BETWEEN, WITHIN = ((np.arange(32) // 2) % 2).astype(float)[KEPT], np.tile([0.0, 1.0], 16)[KEPT]
X = np.column_stack([np.ones(26), BETWEEN, WITHIN, BETWEEN * WITHIN])
MODEL = MixedModel(X, (RandomEffects(CODES, np.ones((26, 1)), "1 | family"),))
ROWS = np.array([[0, 0, 0, 1.0], [0, 1, 0, 0.5], [0, 1, 0, 0]])


def responses(genes=200, ratio=0.5, seed=4):
    rng = np.random.default_rng(seed)
    spread = np.sqrt(rng.gamma(5.0, 0.2, size=(genes, 1)))
    families = np.sqrt(np.broadcast_to(ratio, genes))[:, None] * rng.normal(size=(genes, 16))
    return 6 + spread * (rng.normal(size=(genes, 26)) + families[:, CODES])


def averaged(y, model=MODEL):
    return averaged_variances(y, model, strata_of(y, model))


def at(found, place):
    """Return the same with one ratio only."""
    weights = np.zeros_like(found.weights)
    weights[:, place] = 1.0
    return replace(found, weights=weights)


def test_at_one_ratio_the_fit_is_generalized_least_squares():
    y = responses(20)
    found = averaged(y)
    for place in (0, 7, 20):
        own = np.linalg.inv(np.eye(26) + found.ratios[place] * (CODES[:, None] == CODES))
        inner = X.T @ own @ X
        expected = np.linalg.solve(inner, X.T @ own @ y.T).T
        np.testing.assert_allclose(found.coefficients[place], expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(found.unscaled[place], np.linalg.inv(inner), rtol=1e-9, atol=1e-12)
        left = y - expected @ X.T
        squares = np.einsum("gn,nm,gm->g", left, own, left)
        prior = found.variances[:, place] * found.df - squares  # of every gene d0 times the variance of the prior
        np.testing.assert_allclose(prior, prior[0], rtol=1e-8)
        assert prior[0] > 0


def test_posterior_weights_are_prior_times_restricted_likelihood():
    y = responses(20)
    found = averaged(y)
    for gene in (0, 5):
        logs = []
        for place, ratio in enumerate(found.ratios):
            whole = np.eye(26) + ratio * (CODES[:, None] == CODES)
            inner = X.T @ np.linalg.solve(whole, X)
            logs.append(
                -0.5 * np.linalg.slogdet(whole)[1]
                - 0.5 * np.linalg.slogdet(inner)[1]
                - 0.5 * found.df[gene] * np.log(found.variances[gene, place])
            )
        expected = found.prior * np.exp(np.array(logs) - max(logs))
        np.testing.assert_allclose(found.weights[gene], expected / expected.sum(), rtol=1e-8)
    assert found.prior.sum() == pytest.approx(1.0)


def test_with_one_ratio_tests_and_intervals_are_those_of_t():
    found = at(averaged(responses(20)), 9)
    estimates, se = found.estimates(ROWS)
    expected = 2 * scipy.stats.t.sf(np.abs(estimates / se), found.df[:, None])
    np.testing.assert_allclose(found.rows(ROWS, 0.0, "greaterAbs"), expected, rtol=1e-10)
    beyond = scipy.stats.t.sf((estimates - 0.2) / se, found.df[:, None])
    np.testing.assert_allclose(found.rows(ROWS, 0.2, "greater"), beyond, rtol=1e-9)
    np.testing.assert_allclose(found.reach(ROWS, 0.9), scipy.stats.t.ppf(0.95, found.df[:, None]) * se, rtol=1e-9)


def test_intervals_leave_out_the_averaged_tails():
    found = averaged(responses(20))
    each = np.sqrt(np.einsum("ki,Kij,kj->kK", ROWS, found.unscaled, ROWS)[None] * found.variances[:, None, :])
    for level in (0.5, 0.95, 0.999):
        length = found.reach(ROWS, level)
        tails = 2 * scipy.stats.t.sf(length[:, :, None] / each, found.df[:, None, None])
        np.testing.assert_allclose((tails * found.weights[:, None, :]).sum(axis=2), 1 - level, rtol=1e-7)


def test_joint_tests_of_one_row_are_its_t_test_and_count_independent_rows():
    found = averaged(responses(20))
    for row in ROWS:
        p_value, rank = found.joint(row[None])
        assert rank == 1
        np.testing.assert_allclose(p_value, found.rows(row[None], 0.0, "greaterAbs")[:, 0], rtol=1e-8)
    two, rank = found.joint(ROWS[:2])
    same, other = found.joint(np.vstack([ROWS[:2], ROWS[0] - 2 * ROWS[1]]))
    assert rank == other == 2
    np.testing.assert_allclose(same, two, rtol=1e-8)
    with pytest.raises(ContrastError, match="zero"):
        found.joint(np.zeros((1, 4)))


def test_tests_hold_their_level_where_families_are_alike_and_where_they_differ():
    """4,000 genes without effects in a layout without balance: within binomial limits of 99.9 %."""
    for ratio in (0.0, np.random.default_rng(8).exponential(0.5, 4000)):
        found = averaged(responses(4000, ratio, seed=9))
        p_value = np.column_stack([found.rows(ROWS, 0.0, "greaterAbs"), found.joint(ROWS[:2])[0]])
        for level in (0.05, 0.001):
            low, high = scipy.stats.binom.ppf([0.0005, 0.9995], 4000, level) / 4000
            share = (p_value < level).mean(axis=0)
            assert np.all((share >= low) & (share <= high)), (level, share)


def test_units_and_origin_do_not_matter():
    y = responses(50)
    own, other = averaged(y), averaged(3 + 100 * y)
    np.testing.assert_allclose(
        other.rows(ROWS, 0.0, "greaterAbs"), own.rows(ROWS, 0.0, "greaterAbs"), rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(other.estimates(ROWS)[1], 100 * own.estimates(ROWS)[1], rtol=1e-5)


def test_genes_that_cannot_be_fitted_are_missing_and_do_not_count():
    y = responses(50)
    more = averaged(np.vstack([y, np.full(26, 3.0), np.full(26, np.nan)]))
    p_value = more.rows(ROWS, 0.0, "greaterAbs")
    np.testing.assert_allclose(p_value[:-2], averaged(y).rows(ROWS, 0.0, "greaterAbs"), rtol=1e-8)
    assert np.isnan(p_value[-2:]).all()
    assert np.isnan(more.joint(ROWS)[0][-2:]).all()
    assert np.isnan(more.estimates(ROWS)[0][-2:]).all()
    assert np.isnan(more.reach(ROWS, 0.9)[-2:]).all()


def test_equal_variances_have_a_prior_with_infinite_degrees_of_freedom():
    y = np.random.default_rng(3).normal(size=(60, 26))
    found = averaged(y)
    assert np.isinf(found.df).all()
    p_value = found.rows(ROWS, 0.0, "greaterAbs")
    assert np.all((p_value > 0) & (p_value <= 1))
    single = at(found, 0)
    estimates, se = single.estimates(ROWS)
    np.testing.assert_allclose(single.reach(ROWS, 0.95), 1.959963984540054 * se, rtol=1e-9)
    expected = 2 * scipy.stats.norm.sf(np.abs(estimates / se))
    np.testing.assert_allclose(single.rows(ROWS, 0.0, "greaterAbs"), expected, rtol=1e-10)


def test_few_genes_are_tested_without_a_prior():
    found = averaged(responses(2))
    assert np.all(found.df == 22)
    assert np.isfinite(found.rows(ROWS, 0.0, "greaterAbs")).all()


def test_other_models_are_refused():
    y = responses(20)
    slopes = RandomEffects(CODES, np.column_stack([np.ones(26), WITHIN]), "treat2 | family")
    with pytest.raises(DesignError, match="one random term with one column"):
        averaged_variances(y, MixedModel(X, (slopes,)), strata_of(y, MODEL))
    nothing = replace(strata_of(y, MODEL), df=np.array([0.0, 1.0]))
    with pytest.raises(DesignError, match="Within the groups nothing varies"):
        averaged_variances(y, MODEL, nothing)
