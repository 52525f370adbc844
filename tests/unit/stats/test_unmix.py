"""Shares of pure components: exact mixtures, and R's numbers for noisy ones."""

import numpy as np
import pytest

import countnest.stats.unmix as module
from countnest.stats.unmix import mixing_shares, stabilized

SCALES = [{"alpha": 0.02}, {"shift": 0.5}]

PURE = np.array(
    [[20, 5, 300], [7, 90, 11], [130, 41, 2], [0, 64, 16], [250, 31, 77], [3, 500, 1], [48, 48, 12], [900, 8, 110],
     [15, 0, 62], [33, 210, 5], [71, 19, 380], [2, 6, 41]], dtype=np.float64,
)  # fmt: skip
NOISY = np.array(
    [[102, 21, 260, 140], [27, 60, 12, 55], [90, 66, 15, 19], [25, 33, 14, 45], [171, 120, 99, 50], [130, 260, 5, 240],
     [39, 55, 14, 33], [570, 430, 190, 61], [21, 9, 50, 35], [80, 130, 9, 100], [150, 50, 330, 210], [11, 6, 33, 27]],
    dtype=np.float64,
)  # fmt: skip
# DESeq2 1.38.3 for shift; for alpha, where that version had the bound 0, R's optim with the bound 1e-6 of later ones
IN_R = {
    ("alpha", 1): [[0.531499706382, 0.227997818722, 0.240502474896], [0.437169295494, 0.531680612577, 0.0311500919292],
                   [0.110221536967, 0.00780398803155, 0.881974475001], [9.930083e-07, 0.475766440829, 0.524232566163]],
    ("alpha", 2): [[0.523683396229, 0.237139696498, 0.239176907273], [0.425966749171, 0.542719249887, 0.0313140009415],
                   [0.110304749331, 0.00801590423618, 0.881679346432], [9.909422e-07, 0.491246147243, 0.508752861815]],
    ("shift", 1): [[0.531885658765, 0.228353810896, 0.239760530339], [0.420517808572, 0.547034235244, 0.0324479561832],
                   [0.104945905192, 0.0080336533907, 0.887020441417], [0, 0.475659537841, 0.524340462159]],
    ("shift", 2): [[0.526904049052, 0.245064887661, 0.228031063287], [0.41945690575, 0.546799997989, 0.0337430962613],
                   [0.106294320929, 0.00814776949426, 0.885557909576], [0, 0.487356188659, 0.512643811341]],
}  # fmt: skip


@pytest.mark.parametrize(("scale", "power"), list(IN_R))
def test_numbers_of_r(scale, power):
    value = {"alpha": 0.02, "shift": 0.5}[scale]
    found = mixing_shares(NOISY, PURE, **{scale: value}, power=power)
    np.testing.assert_allclose(found, IN_R[scale, power], rtol=0.0, atol=2e-8)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("scale", SCALES, ids=["alpha", "shift"])
def test_exact_mixtures_are_taken_apart(scale, power):
    amounts = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [1.5, 0.5, 2.0], [0.05, 0.9, 0.05]])
    found = mixing_shares(PURE @ amounts.T, PURE, **scale, power=power)
    np.testing.assert_allclose(found, amounts / amounts.sum(axis=1, keepdims=True), atol=2e-3)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("scale", SCALES, ids=["alpha", "shift"])
def test_least_squares_are_least(scale):
    found = mixing_shares(NOISY, PURE, **scale, power=2)
    rng = np.random.default_rng(1)

    def distance(shares, j):  # at the best total amount
        totals = np.linspace(0.5, 2.0, 400)
        mixed = stabilized(np.outer(PURE @ shares, totals), **scale)
        return ((mixed - stabilized(NOISY[:, j], **scale)[:, None]) ** 2).sum(axis=0).min()

    for j, shares in enumerate(found):
        others = np.abs(shares + rng.normal(0.0, 0.05, (50, 3)))
        least = min(distance(other / other.sum(), j) for other in others)
        assert distance(shares, j) < least + 1e-3


def test_scales():
    q = np.array([0.0, 1.0, 10.0, 1e4])
    np.testing.assert_allclose(stabilized(q, shift=0.5), np.log(q + 0.5))
    large = stabilized(np.array([1e8, 2e8]), alpha=0.02)
    np.testing.assert_allclose(large, np.log2([1e8, 2e8]), atol=1e-4)
    # the standard deviation of a negative binomial is about the same everywhere
    mu, step = np.array([20.0, 500.0, 2e4]), 1e-4
    slope = (stabilized(mu + step, alpha=0.1) - stabilized(mu - step, alpha=0.1)) / (2.0 * step)
    sd = slope * np.sqrt(mu + 0.1 * mu**2)
    np.testing.assert_allclose(sd, sd[0], rtol=1e-5)


def test_amounts_stay_in_their_box(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 2.0)
    found = mixing_shares(PURE @ np.array([[50.0], [1.0], [1.0]]), PURE, alpha=0.02, power=2)
    assert found[0, 0] < 0.95
