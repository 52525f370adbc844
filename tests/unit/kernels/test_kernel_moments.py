import numpy as np
import pytest

from countnest.kernels.negbin.moments import projected_mean_chunk, rough_dispersion_chunk
from unit.kernels import twins


@pytest.fixture(params=list(twins.DESIGNS))
def X(request):
    return twins.DESIGNS[request.param]


@pytest.fixture(params=["size factors", "normalization factors"])
def data(request, X):
    """Counts (G, n) and factors (1, n) or (G, n)."""
    counts, f, _, _ = twins.simulate(X, 30, seed=31, low=0.3, high=500.0)
    if request.param == "size factors":
        return counts, f[None]
    return counts, f * np.random.default_rng(1).uniform(0.5, 2.0, counts.shape)


def bases(X):
    """Return Q and X R^-1, equal but for rounding."""
    basis, triangle = np.linalg.qr(X)
    return np.ascontiguousarray(basis), np.ascontiguousarray(X @ np.linalg.inv(triangle))


def test_projected_mean(X, data):
    counts, factors = data
    mu = np.full_like(counts, np.nan)
    projected_mean_chunk(counts, factors, *bases(X), mu)
    for g, (y, f) in enumerate(zip(counts, np.broadcast_to(factors, counts.shape), strict=True)):
        np.testing.assert_allclose(mu[g], twins.projection(y, f, X) * f, rtol=1e-9, atol=1e-11 * y.max())


def test_projected_means_of_groups_are_their_averages():
    X = twins.one_way()
    counts, f, _, _ = twins.simulate(X, 5, seed=32)
    mu = np.empty_like(counts)
    projected_mean_chunk(counts, f[None], *bases(X), mu)
    group = np.arange(len(X)) % 3
    for k in range(3):
        average = (counts / f)[:, group == k].mean(axis=1)
        np.testing.assert_allclose((mu / f)[:, group == k], np.repeat(average[:, None], 3, axis=1), rtol=1e-12)


def test_rough_dispersion(X, data):
    counts, factors = data
    found = np.full(len(counts), np.nan)
    rough_dispersion_chunk(counts, factors, *bases(X), np.empty(len(X)), found)
    rows = zip(counts, np.broadcast_to(factors, counts.shape), strict=True)
    np.testing.assert_allclose(found, [twins.rough_dispersion(y, f, X) for y, f in rows], rtol=1e-9, atol=1e-12)
    assert (found > 0).any()


def test_rough_dispersion_is_not_negative():
    X = twins.two_way()
    counts = np.full((1, len(X)), 40.0)
    found = np.full(1, np.nan)
    rough_dispersion_chunk(counts, np.ones((1, len(X))), *bases(X), np.empty(len(X)), found)
    assert found[0] == 0.0
