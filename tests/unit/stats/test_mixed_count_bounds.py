"""Counts of which one family has almost everything: searches end, at the bound of the standard deviation if need be."""

import numpy as np
import pytest

from cases import each
from countnest.kernels.mixed.counts.search import MAX_SIGMA
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects

FAMILIES = 24
METHODS = {
    "REML": {},
    "ML": {"reml": False},
    "next order": {"reml": False, "method": "laplace4"},
    "quadrature": {"reml": False, "method": "agq"},
    "Poisson": {"dispersion": 0.0},
    "Poisson, ML": {"reml": False, "dispersion": 0.0},
    "shrunken": {"dispersion": "shrunken"},
}


@pytest.fixture(scope="module")
def model():
    """24 families of two, a treatment within them and one with four levels between."""
    codes = np.repeat(np.arange(FAMILIES), 2)
    within = np.tile([0.0, 1.0], FAMILIES)
    between = np.eye(4)[np.repeat(np.arange(4), 12)]
    matrix = np.column_stack([between, between * within[:, np.newaxis]])
    return MixedModel(matrix, (RandomEffects(codes, np.ones((48, 1)), "1 | family"),))


@pytest.fixture(scope="module")
def counts():
    """Families, samples and cells with almost all counts, and groups without any."""
    rng = np.random.default_rng(5)
    rows = []
    for size in (10, 16659, 10**5, 10**6, 10**7, 10**8):
        ordinary = rng.negative_binomial(3, 0.1, 48)
        for places in ([10, 11], [10], [20, 21]):
            beside, alone = ordinary.copy(), np.zeros(48)
            beside[places] = alone[places] = size
            rows += [beside, alone]
        two = np.zeros(48)
        two[[20, 21]], two[[30, 31]] = size, 1
        empty = np.where(np.arange(48) % 2 + np.arange(48) // 12 == 0, 0, ordinary)
        rows += [two, empty, np.full(48, size), np.where(np.arange(48) // 2 % 2, 0, size)]
    return np.array(rows, dtype=float)


def fitted(counts, model, options):
    known = options.get("dispersion")
    if known == "shrunken":
        known = ShrunkenDispersion(np.full(len(counts), -2.3), 1.0)
    elif known is not None:
        known = np.full(len(counts), known)
    return fit_counts(counts, np.zeros((1, 48)), model, **{**options, "dispersion": known})


@each("method", METHODS)
def test_every_gene_has_numbers_and_a_code(counts, model, method):
    fits = fitted(counts, model, METHODS[method])
    for values in (fits.coefficients, fits.theta, fits.dispersion, fits.loglik, fits.effects, fits.covariance):
        assert np.isfinite(values).all()
    assert set(fits.outcome) <= set(Outcome)
    failed = np.isin(fits.outcome, [Outcome.SEARCH_FAILED, Outcome.HESSIAN_INDEFINITE])
    assert failed.mean() < 0.15
    assert (fits.theta <= MAX_SIGMA).all()


def test_standard_deviations_end_at_their_bound_with_a_code(counts, model):
    fits = fitted(counts, model, METHODS["next order"])
    there = fits.theta[:, 0] == MAX_SIGMA
    assert there.sum() > 5
    assert np.isin(fits.outcome[there], [Outcome.DISPERSION_BOUND, Outcome.SEPARATED]).all()
    assert (fits.outcome[there] == Outcome.DISPERSION_BOUND).any()
    assert np.isnan(fits.theta_se[there]).all()
    assert np.isfinite(fits.theta_se[~there]).all()


def test_the_order_of_genes_does_not_matter(counts, model):
    """A search that fails leaves nothing behind for the next one."""
    fits, back = (fitted(each, model, {}) for each in (counts, counts[::-1]))
    np.testing.assert_array_equal(back.theta[::-1], fits.theta)
    np.testing.assert_array_equal(back.outcome[::-1], fits.outcome)
    np.testing.assert_array_equal(back.covariance[::-1], fits.covariance)
