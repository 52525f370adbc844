"""Shrinkage under a Cauchy prior: the scale of the prior, R's numbers, and the rates of false signs."""

import numpy as np
import pytest
import scipy.stats

from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.shrink.apeglm import ApeglmFit, prior_scale, shrink_coefficient, swap_in

LN2 = np.log(2.0)

estimate = np.array([-1.2, 0.3, 0.05, 2.1, -0.4, 0.8, -0.02, 0.6, -2.5, 0.1])
se = np.array([0.3, 0.2, 0.5, 0.6, 0.25, 1.1, 0.15, 0.4, 0.9, 0.35])


# ---- the scale of the prior ----


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(1.0, 0.77909648801985543), (0.8, 0.46755954246819226), (0.7, 0.31130941472175211)],
)
def test_scale_is_the_last_iterate_of_uniroot(factor, expected):
    """The expected numbers are those of R's uniroot, which are wrong from the fourth digit on."""
    np.testing.assert_allclose(prior_scale(factor * estimate, se), expected, rtol=1e-12)


def test_scale_has_a_floor_and_a_ceiling():
    assert prior_scale(0.01 * estimate, se) == 1e-3
    assert prior_scale(10.0 * estimate, se) == 1.0
    assert prior_scale(np.full(3, 1000.0), np.full(3, 0.1)) == 1.0


def test_scale_is_that_of_simulated_effects():
    rng = np.random.default_rng(2)
    error = rng.uniform(0.1, 0.8, 20_000)
    observed = rng.normal(0.0, 0.4, 20_000) + error * rng.normal(size=20_000)
    np.testing.assert_allclose(prior_scale(observed, error), 0.4, rtol=0.03)


def test_scale_without_missing_genes():
    with_missing = np.append(estimate, [np.nan, 5.0]), np.append(se, [0.1, np.nan])
    assert prior_scale(*with_missing) == prior_scale(estimate, se)
    assert np.isnan(prior_scale(np.array([np.nan]), np.array([0.1])))


# ---- R's numbers ----

# Counts, dispersion, and log2 fold change and posterior SD of apeglm 1.27. The first gene has small counts; in the next
# the search ended early, then the search is long, then the two searches disagreed.
FOUR = {
    "size_factors": [1.0314971799595576, 0.90047540539937, 1.4080715379100566, 0.7793929432427663],
    "scale": 0.2947817749861994,
    "genes": [
        ([5, 1, 13, 5], 0.91883025497782, 0.0501668045531021, 0.3016779680391645),
        ([41320, 26178, 61151, 26913], 0.032731226448344586, 0.0813933119457375, 0.2018543227961618),
        ([5943, 5328, 3529, 2478], 0.028620049055870567, -0.9302361083018676, 0.2552124846567375),
        ([40789, 40973, 55548, 30082], 0.025597890380133492, -0.078337123531568, 0.1865152652474393),
    ],
}
# The last three have two modes; R found the lower one of the second and of the third.
TWELVE = {
    "size_factors": [
        0.7463426394573874, 1.3001688912067342, 1.226166380454425, 1.0159779965270967, 1.0204921493580372,
        0.9613294370245511, 0.933528446991126, 1.1448686386973472, 1.0484361823186557, 1.0877497631727306,
        1.2227712352534514, 0.577524848471703,
    ],
    "scale": 0.3457112797755098,
    "genes": [
        (
            [194, 200, 185, 211, 217, 202, 196, 197, 204, 219, 206, 187],
            0.046577783744190526, 0.0648170400689854, 0.1678889218510385,
        ),
        ([0, 0, 0, 0, 0, 1, 0, 1, 2, 0, 905375, 6], 12.0, 18.285943578366293, 3.433608995946348),
        (
            [19, 28, 27, 23, 905375, 15, 14, 16, 11, 23, 16, 7],
            5.402509983262917, -0.0990960881594185, 0.3740515911033499,
        ),
        (
            [9, 16, 7, 7, 3, 7, 13, 905375, 10, 16, 7, 18],
            5.68743983892, 13.450282695283567, 2.076683553943431,
        ),
    ],
}  # fmt: skip


def shrink(data, **options):
    """Return log2 fold changes, posterior SDs and those of R."""
    counts, alpha, lfc, sd = (np.array(column, dtype=float) for column in zip(*data["genes"], strict=True))
    n = counts.shape[1]
    X = np.column_stack([np.ones(n), np.repeat([0.0, 1.0], n // 2)])
    fit = shrink_coefficient(
        counts, NBInputs(np.array([data["size_factors"]]), alpha), Layout.of(X), place=1, scale=data["scale"], **options
    )
    assert fit.found.all()
    return fit.mode / LN2, fit.sd / LN2, lfc, sd


def test_where_the_early_search_fails_the_other_one_answers():
    """Three samples: no step along the gradient makes the objective fall by enough, in the digits that it has."""
    log_factors = np.array([[-0.2713028700065561, 0.18450131737962833, 0.09589402415059366]])
    counts = np.array([[3415.0, 3824.0, 2433.0]])
    inputs = NBInputs(np.exp(log_factors), np.array([0.02670814693009699]))
    layout = Layout.of(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    found = [
        shrink_coefficient(counts, inputs, layout, place=1, scale=0.09570449798493062, converge=converge)
        for converge in (False, True)
    ]  # fmt: skip
    assert found[0].found.all()
    assert found[0].mode[0] < 0
    assert (found[0].mode[0], found[0].sd[0]) == (found[1].mode[0], found[1].sd[0])


def test_where_the_early_search_ends_far_before_the_mode_it_goes_on():
    rng = np.random.default_rng(6)
    X = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)])
    factors = np.exp(rng.normal(0.0, 0.3, (1, 12)))
    mu = 1e6 * factors * np.exp(rng.normal(0.0, 0.5, (400, 2)) @ X.T)
    counts = rng.negative_binomial(100.0, 100.0 / (100.0 + mu)).astype(float)
    arguments = counts, NBInputs(factors, np.full(400, 0.01)), Layout.of(X)
    here, mode = (shrink_coefficient(*arguments, place=1, scale=0.3, converge=converge) for converge in (False, True))
    moved = here.mode == mode.mode
    assert 1 <= np.count_nonzero(moved) < 40
    np.testing.assert_array_equal(here.sd[moved], mode.sd[moved])
    assert here.found.all()
    distance = np.abs(here.mode - mode.mode) / mode.sd
    assert 0.05 < distance.max() < 0.32


@pytest.mark.parametrize(("data", "agreed"), [(FOUR, 3), (TWELVE, 1)], ids=["four samples", "twelve samples"])
def test_r(data, agreed):
    """Rounding decides the last steps of the search that goes on where two disagreed; they are small."""
    mode, sd, expected_mode, expected_sd = shrink(data)
    distance = np.abs(mode - expected_mode) / expected_sd
    assert distance[:agreed].max() < 1e-11
    assert distance[agreed:].max() < 5e-5
    np.testing.assert_allclose(sd[:agreed], expected_sd[:agreed], rtol=1e-10)
    np.testing.assert_allclose(sd[agreed:], expected_sd[agreed:], rtol=5e-5)


def test_to_convergence():
    mode, sd, early, _ = shrink(FOUR, converge=True)
    distance = np.abs(mode - early) / sd
    assert distance[0] < 1e-6
    assert 0.05 < distance[1] < 0.15
    mode, _, early, _ = shrink(TWELVE, converge=True)
    assert np.abs(mode[0] - early[0]) < 1e-4
    assert abs(mode[1]) < 0.1
    assert mode[2] < -12
    np.testing.assert_allclose(mode[3], early[3], rtol=1e-4)


def test_threads_and_blocks_do_not_matter():
    counts = np.random.default_rng(3).poisson(50.0, (37, 4)).astype(float)
    X = np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]])
    inputs, layout = NBInputs(np.ones((37, 4)), np.full(37, 0.1)), Layout.of(X)
    whole = shrink_coefficient(counts, inputs, layout, place=1, scale=0.3)
    for i in range(0, 37, 5):
        rows = slice(i, i + 5)
        part = shrink_coefficient(counts[rows], inputs.at(rows), layout, place=1, scale=0.3)
        np.testing.assert_array_equal(part.mode, whole.mode[rows])
        np.testing.assert_array_equal(part.sd, whole.sd[rows])


def test_a_gene_that_fails_is_flagged():
    counts = np.random.default_rng(4).poisson(50.0, (3, 4)).astype(float)
    X = np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]])
    for converge in (False, True):
        fit = shrink_coefficient(
            counts, NBInputs(np.ones((1, 4)), np.array([0.1, np.nan, 0.1])), Layout.of(X), place=1, scale=0.3,
            converge=converge,
        )  # fmt: skip
        assert fit.found.tolist() == [True, False, True]
        assert np.isnan([fit.mode[1], fit.sd[1], fit.lfsr[1]]).all()


# ---- rates ----


def test_rates():
    fit = ApeglmFit(np.array([1.0, -1.0, 0.0, np.nan]), np.array([0.5, 0.5, 0.5, 1.0]), 0.3, np.array([True] * 4))
    np.testing.assert_allclose(fit.lfsr, [*scipy.stats.norm.cdf([-2.0, -2.0, 0.0]), np.nan], rtol=1e-14)
    np.testing.assert_allclose(
        fit.false_sign_or_small(1.5), [*scipy.stats.norm.cdf([1.0, 1.0, 3.0]), np.nan], rtol=1e-14
    )


# ---- a contrast as a coefficient ----


def test_swap_in():
    rng = np.random.default_rng(6)
    X, contrast = rng.normal(size=(9, 4)), np.array([0.0, -1.0, 0.5, 1.0])
    swapped, place = swap_in(X, contrast)
    assert place == 3
    beta = rng.normal(size=4)
    coefficients = np.linalg.lstsq(swapped, X @ beta, rcond=None)[0]
    np.testing.assert_allclose(coefficients, [*beta[:3], contrast @ beta], rtol=1e-12)
