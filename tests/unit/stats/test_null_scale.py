"""The scale of the null: of p-values of known scale, of few genes, of real effects; p-values divided by it."""

import numpy as np
import pytest
import scipy.stats

from countnest.stats.hidden.scale import FEWEST_GENES, NullScale, null_scale, scaled_p_values, scaling

PLACES = (np.arange(1, 1001) - 0.5) / 1000


def two_sided(z):
    return 2.0 * scipy.stats.norm.sf(np.abs(z))


def scale_of(p_values, mean=10.0):
    return null_scale(p_values, np.full(len(p_values), mean))


def test_worked_example():
    z = 1.3 * scipy.stats.norm.ppf(PLACES)
    assert scale_of(two_sided(z)).value == pytest.approx(1.30259931, abs=1e-8)
    with_effects = np.concatenate([z, np.full(100, 2.0)])
    assert scale_of(two_sided(with_effects)).value == pytest.approx(1.65054858, abs=1e-8)


def test_it_is_the_scale_of_the_normal_distribution_cut_off_at_the_centre():
    for scale in (0.4, 0.8, 1.0, 1.5, 3.0):
        z = scale * scipy.stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
        found = scale_of(two_sided(z))
        assert found.value == pytest.approx(scale, rel=1e-3)
        assert found.n_genes == np.count_nonzero(np.abs(z) <= 2.5)


def test_real_effects_move_it_by_little():
    rng = np.random.default_rng(1)
    for share, low, high in ((0.0, 0.97, 1.03), (0.1, 1.0, 1.1), (0.5, 1.2, 1.4)):
        changed = rng.random(20_000) < share
        z = rng.normal(size=20_000) + changed * rng.normal(scale=3.0, size=20_000)
        assert low < scale_of(two_sided(z)).value < high


def test_only_genes_with_p_value_and_counts_are_used():
    p = np.random.default_rng(2).random(1000)
    mean = np.where(np.arange(1000) < 600, 6.0, 5.0)
    p[:100] = np.nan
    found = null_scale(p, mean)
    used = p[100:600]
    assert found.n_genes == np.count_nonzero(used >= two_sided(2.5))
    assert found == scale_of(used)


def test_few_genes_have_none():
    p = np.full(FEWEST_GENES, 0.1)
    assert scale_of(p).is_known
    few = scale_of(p[1:])
    assert (few.is_known, few.value, few.n_genes) == (False, 1.0, FEWEST_GENES - 1)
    assert scale_of(np.array([])) == NullScale(1.0, 0)


def test_it_stays_within_its_bounds():
    assert scale_of(np.full(300, two_sided(2.4))).value == 20.0
    assert scale_of(np.ones(300)).value == 0.3


def test_scaling_leaves_room_for_real_effects_and_never_sharpens():
    assert scaling(NullScale(1.65, 500)) == pytest.approx(1.5)
    assert [scaling(NullScale(value, 500)) for value in (0.5, 1.0, 1.1)] == [1.0, 1.0, 1.0]


def test_p_values_are_those_of_z_values_divided():
    z = np.array([0.0, 0.3, 1.0, 2.0, 5.0, 30.0])
    p = np.append(two_sided(z), np.nan)
    np.testing.assert_allclose(scaled_p_values(p, 1.25)[:-1], two_sided(z / 1.25), rtol=1e-12)
    assert np.isnan(scaled_p_values(p, 1.25)[-1])
    np.testing.assert_array_equal(scaled_p_values(p, 1.0), p)


def test_scaled_p_values_have_the_scale_of_real_effects():
    p = two_sided(1.8 * np.random.default_rng(3).normal(size=50_000))
    scaled = scaled_p_values(p, scaling(scale_of(p)))
    assert scale_of(scaled).value == pytest.approx(1.1, abs=0.01)
