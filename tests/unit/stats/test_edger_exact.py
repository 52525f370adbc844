"""The exact test of two groups, and the pseudo-counts that it adds up."""

import numpy as np
import scipy.special
import scipy.stats
from edger_numbers import case, numbers, relative, single

from countnest.stats.edger.classic import classic_dispersions, conditional_likelihood
from countnest.stats.edger.exact import exact_test
from countnest.stats.edger.levels import compat_level
from countnest.stats.edger.pseudo import equalized_counts

R_TOLERANCE = 1e-8
ROUNDING = 1e-10


def two_groups():
    data = case("oneway")
    first = (data.samples["group"] == "ctl").to_numpy()
    masks = first, ~first
    return tuple(data.counts[:, each] for each in masks), tuple(data.library[each] for each in masks)


def test_the_exact_test_is_that_of_r():
    expected = numbers("exact", "oneway")
    by_glm = numbers("dispersions", "oneway")["tagwise"].to_numpy()
    for name, dispersion in (
        ("PValue", expected["tagwise"].to_numpy()),
        ("PValue_glm_tagwise", by_glm),
        ("PValue_disp02", np.full(len(expected), 0.02)),
    ):
        found = exact_test(*two_groups(), dispersion)
        assert relative(found.p_value, expected[name]) < R_TOLERANCE
    found = exact_test(*two_groups(), expected["tagwise"].to_numpy())
    np.testing.assert_allclose(found.lfc, expected["logFC"], rtol=1e-10, atol=1e-12)


def test_classic_dispersions_are_those_of_r():
    data, expected = case("oneway"), numbers("exact", "oneway")
    first = (data.samples["group"] == "ctl").to_numpy()
    found = classic_dispersions(data.counts, data.library, [first, ~first], level=compat_level("bioc3.20"))
    assert relative(found.common, single("classic_common", "oneway")) < R_TOLERANCE
    assert relative(found.prior_df, single("classic_prior_df", "oneway")) < R_TOLERANCE
    assert relative(found.trended, expected["trended"]) < R_TOLERANCE
    assert relative(found.tagwise, expected["tagwise"]) < R_TOLERANCE


def test_likelihoods_given_sums_are_those_of_the_distribution():
    y, dispersion = np.array([[3.0, 0.0, 4.0]]), 0.4
    (found,) = conditional_likelihood(y, [np.ones(3, dtype=bool)], dispersion)
    mean, size = 2.0, 1.0 / dispersion  # it does not depend on the mean
    one = scipy.stats.nbinom.logpmf(y[0], size, size / (size + mean)).sum()
    both = scipy.stats.nbinom.logpmf(y.sum(), 3 * size, size / (size + mean))
    left_out = scipy.special.gammaln(y.sum() + 1) - scipy.special.gammaln(y + 1).sum()
    np.testing.assert_allclose(found, one - both - left_out, rtol=1e-10)


def test_pseudo_counts_are_those_of_r():
    data = case("oneway")
    first = (data.samples["group"] == "ctl").to_numpy()
    found = equalized_counts(data.counts, data.library, np.full(len(data.counts), 0.1), [first, ~first])
    expected = numbers("pseudo_counts", "oneway")
    np.testing.assert_allclose(found[expected.index], expected, atol=1e-9, rtol=ROUNDING)
    assert found.min() == 0.0


def test_counts_of_libraries_of_one_size_stay_as_they_are():
    counts = np.array([[3.0, 8.0, 0.0], [20.0, 1.0, 7.0]])
    found = equalized_counts(counts, np.full(3, 1e6), np.array([0.1, 0.4]), [np.ones(3, dtype=bool)])
    np.testing.assert_allclose(found, counts, atol=1e-9)


def test_the_smaller_tail_counts_twice():
    first, second = np.array([[3.0, 2.0], [9.0, 9.0]]), np.array([[12.0, 9.0, 8.0], [2.0, 0.0, 1.0]])
    library = np.full(2, 1e6), np.full(3, 1e6)
    dispersion = np.array([0.2, 0.5])
    found = exact_test((first, second), library, dispersion).p_value
    for g, lower in enumerate((True, False)):
        total, a, b = first[g].sum() + second[g].sum(), 2 / dispersion[g], 3 / dispersion[g]
        given_total = scipy.stats.betabinom(int(total), a, b)
        tail = given_total.cdf(first[g].sum()) if lower else given_total.sf(first[g].sum() - 1)
        np.testing.assert_allclose(found[g], 2 * tail, rtol=1e-9)


def test_without_dispersion_it_is_the_binomial_test():
    first, second = np.array([[3.0, 2.0], [0.0, 0.0]]), np.array([[12.0, 9.0, 8.0], [0.0, 0.0, 0.0]])
    found = exact_test((first, second), (np.full(2, 1e6), np.full(3, 1e6)), np.zeros(2)).p_value
    np.testing.assert_allclose(found, [scipy.stats.binomtest(5, 34, 0.4).pvalue, 1.0], rtol=1e-9)


def test_large_sums_have_the_beta_distribution():
    library = np.full(3, 1e6), np.full(3, 1e6)
    base = np.array([[1500.0, 1600.0, 1550.0]])
    dispersion = np.array([0.01])
    same, other = (exact_test((base, base * times), library, dispersion).p_value[0] for times in (1.0, 1.5))
    assert same == 1.0
    total = 2.5 * base.sum()
    shape = 3 * total / 6 / (1 + 0.01 * total / 6)
    expected = 2 * scipy.stats.beta.cdf((base.sum() + 0.5) / total, shape, shape)
    np.testing.assert_allclose(other, expected, rtol=1e-8)
