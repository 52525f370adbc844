"""Unit deviances and what adjusts them: exact sums, and R's numbers."""

import numpy as np
import scipy.stats
from edger_numbers import NAMES, case, numbers, relative, shared, single

from cases import each
from countnest.kernels.edger.leverage import leverage_chunk
from countnest.stats.edger.adjusted import adjusted_deviance
from countnest.stats.edger.deviance import deviance, unit_deviances
from countnest.stats.edger.moments import deviance_moments, exact_deviance
from countnest.stats.edger.weights import _at, _cells, _table, unit_weights

# Interpolation in the mean, and in the dispersion as well where there are many of them.
EXACT, ONE_TABLE, MANY_TABLES = 2e-10, 5e-9, 2e-8
# R's weights are polynomials with such errors.
R_WEIGHTS = 1.5e-3


def test_weights_are_exact():
    exact = shared("ql_weights_exact")
    for dispersion, rows in exact.groupby("phi"):
        mean = rows["mu"].to_numpy()
        summed, tabled = deviance_moments(mean, dispersion), unit_weights(mean[:, np.newaxis], dispersion)
        for which, name in enumerate(("alpha", "kappa")):
            assert relative(summed[which], rows[name]) < EXACT
            assert relative(tabled[which][:, 0], rows[name]) < ONE_TABLE


@each(("mean", "dispersion"), [(0.3, 0.4), (7.0, 0.0), (40.0, 0.02), (900.0, 3.0), (3e4, 1e-4)])
def test_moments_are_sums_over_the_distribution(mean, dispersion):
    y = np.arange(200_000.0)
    size = 1.0 / max(dispersion, 1e-300)
    chance = scipy.stats.nbinom.pmf(y, size, size / (size + mean)) if dispersion else scipy.stats.poisson.pmf(y, mean)
    units = exact_deviance(y, np.array([mean]), dispersion)
    expected = np.sum(chance * units)
    variance = np.sum(chance * units**2) - expected**2
    alpha, kappa = deviance_moments(np.array([mean]), dispersion)
    np.testing.assert_allclose(alpha, 2 * expected / variance, rtol=1e-9)
    np.testing.assert_allclose(kappa, 2 * expected**2 / variance, rtol=1e-9)


def test_many_dispersions_are_interpolated():
    rng = np.random.default_rng(1)
    mean, dispersion = np.exp(rng.uniform(-5, 12, (120, 1))), np.exp(rng.uniform(-4, 0.5, (120, 1)))
    exact = np.array([deviance_moments(m, phi[0]) for m, phi in zip(mean, dispersion, strict=True)])[:, :, 0]
    found = unit_weights(mean, dispersion)
    assert relative(found[0][:, 0], exact[:, 0]) < MANY_TABLES
    assert relative(found[1][:, 0], exact[:, 1]) < MANY_TABLES


def test_the_kernel_is_its_twin():
    mean = np.exp(np.random.default_rng(2).uniform(-70, 25, (40, 3)))
    (alpha, kappa), table = unit_weights(mean, 0.07), _table(0.07)
    expected = np.exp(_at(table, *_cells(mean.ravel())))
    np.testing.assert_allclose([alpha.ravel(), kappa.ravel()], expected, rtol=1e-12)


def test_large_means_have_the_chi_square_distribution_and_none_has_no_weight():
    alpha, kappa = unit_weights(np.array([[1e8, 1e15, 0.0, 1e-40, np.nan]]), 0.0)
    np.testing.assert_allclose(alpha, [[1.0, 1.0, 0.0, 0.0, 0.0]], atol=1e-8)
    np.testing.assert_allclose(kappa, [[1.0, 1.0, 0.0, 0.0, 0.0]], atol=1e-8)


def test_unit_deviances_are_those_of_r():
    table = shared("unit_deviance")
    y, mu, phi = (table[[name]].to_numpy(dtype=np.float64) for name in ("y", "mu", "phi"))
    found = unit_deviances(y, mu, phi, as_in_r=True)[:, 0]
    np.testing.assert_allclose(found, table["deviance"], rtol=1e-10, atol=1e-18)
    exact = unit_deviances(y, mu, phi)[:, 0]
    counted = (mu >= 1e-3)[:, 0]
    pairs = zip(y[counted], mu[counted], phi[counted, 0], strict=True)
    np.testing.assert_allclose(exact[counted], [exact_deviance(*pair)[0] for pair in pairs], rtol=1e-9)
    usual = counted & ((phi >= 1e-4) & (mu * phi < 1e6))[:, 0]
    np.testing.assert_allclose(exact[usual], table["deviance"][usual], rtol=1e-4, atol=1e-7)


def test_small_dispersions_have_exact_deviances():
    y, mu = np.array([[400.0, 1e4]]), np.array([[500.0, 9e3]])
    phi = np.array([[9e-5]])
    size = 1 / phi
    exact = 2 * (y * np.log(y / mu) - (y + size) * np.log((y + size) / (mu + size)))
    np.testing.assert_allclose(unit_deviances(y, mu, phi), exact, rtol=1e-9)
    assert relative(unit_deviances(y, mu, phi, as_in_r=True), exact) > 1e-2


def test_deviances_are_weighted_sums():
    y, mu, weights = np.array([[0.0, 3.0], [5.0, 0.5]]), np.array([[1.0, 2.0], [4.0, 1.5]]), np.array([[1, 0.5]] * 2)
    units = unit_deviances(y, mu, np.array([[0.1], [0.0]]))
    np.testing.assert_allclose(deviance(y, mu, np.array([0.1, 0.0]), weights), (weights * units).sum(axis=1))


def leverages(design, weights):
    """Return the diagonals of the hat matrices."""
    root = np.sqrt(weights)[:, :, np.newaxis] * design
    return np.array([np.diag(each @ np.linalg.pinv(each, rcond=1e-7)) for each in root])


def test_leverages_are_those_of_the_hat_matrix():
    rng = np.random.default_rng(4)
    design = np.column_stack([np.ones(8), rng.normal(size=8), np.repeat([0, 1], 4)])
    weights = rng.uniform(0.1, 30.0, (5, 8))
    weights[3, 4:] = 0.0
    found = np.empty((5, 8))
    leverage_chunk(np.ascontiguousarray(design.T), weights, found)
    np.testing.assert_allclose(found, leverages(design, weights), atol=1e-12)


@each("name", NAMES)
def test_adjusted_deviances_are_near_those_of_r(name):
    data, units = case(name), numbers("ql_v4_units", name)
    genes = units.index
    mu = units.filter(like="mu_").to_numpy()
    average, phi = single("v4_average_ql_dispersion", name), np.full(len(genes), single("v4_dispersion", name))
    weights = None if data.weights is None else data.weights[genes]
    counts = data.counts[genes]
    found = adjusted_deviance(counts, mu, data.design, phi, average=average, weights=weights, as_in_r=True)
    table = numbers("ql_v4", name).loc[genes]
    assert relative(found.deviance, table["deviance_adj"]) < R_WEIGHTS
    assert relative(found.df, table["df_adj"]) < R_WEIGHTS


def test_samples_that_fit_by_themselves_add_nothing():
    design = np.column_stack([np.ones(4), [0.0, 0.0, 0.0, 1.0]])
    counts, mu = np.array([[3.0, 5.0, 4.0, 9.0]]), np.array([[4.0, 4.0, 4.0, 7.0]])
    alone = adjusted_deviance(counts, mu, design, np.array([0.1]))
    without = adjusted_deviance(counts[:, :3], mu[:, :3], design[:3, :1], np.array([0.1]))
    np.testing.assert_allclose([alone.deviance, alone.df], [without.deviance, without.df], rtol=1e-12)
    missing = adjusted_deviance(counts, np.full((1, 4), np.nan), design, np.array([0.1]))
    assert np.isnan(missing.deviance).all()
    assert np.isnan(missing.df).all()
