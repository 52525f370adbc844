"""The averaged likelihood ratio test of six genes, worked by hand, number by number."""

import numpy as np
import pytest
import scipy.stats

from cases import each
from countnest.kernels.negbin.nodes import nb_node_variance_chunk
from countnest.stats.averaged.grid import Nodes
from countnest.stats.averaged.nodes import node_logliks, node_ratios, node_variances
from countnest.stats.averaged.prior import fit_prior, posterior, start_prior
from countnest.stats.averaged.tails import averaged, chi2_log_tail
from countnest.stats.glm.fit import maximum_coefficients, maximum_means
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from unit.kernels import twins

X = np.column_stack([np.ones(6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
FACTORS = np.array([1.0, 1.1, 0.9, 1.0, 1.2, 0.8])
COUNTS = np.array(
    [
        [10, 14, 12, 30, 41, 35],
        [100, 90, 130, 210, 480, 160],
        [0, 0, 0, 5, 9, 7],  # an empty cell: its coefficient depends on the ridge, its test does not
        [1, 0, 2, 0, 3, 1],
        [52, 48, 55, 50, 61, 900],
        [1000, 1100, 950, 1300, 1250, 1400],
    ],
    dtype=float,
)
TREND = np.array([0.15, 0.08, 0.6, 1.2, 0.1, 0.04])
FINAL = np.array([0.12, 0.1, 0.5, 1.2, 1.5, 0.03])
PRIOR_VARIANCE = 0.25
NODES, FULL, WEIGHTS = Nodes(), Layout.of(X), np.ones((1, 6))
NULL = Layout.of(X[:, :1], as_given=True)
WITHOUT_EMPTY = np.array([0, 1, 3, 4, 5])
AT_TREND = np.flatnonzero(NODES.delta == 0.0)[0]

# Every row: one number for each gene.
NUMBERS = {
    "beta": (1.09317405, 0.912710333, 22.8301792, 0.206369097, 2.05656486, 0.29117547),
    "LR, final dispersion": (10.1569585, 11.4113678, 14.6894667, 0.0306925055, 3.62607697, 4.10445616),
    "LR, trend": (8.62339316, 14.0924458, 13.5601385, 0.0306925055, 50.832162, 3.10456946),
    "LR, first node": (34.7808968, 207.614359, 28.6320136, 0.128256052, 632.956463, 83.3522651),
    "LR, last node": (0.342592123, 0.452006643, 1.37934098, 0.000777054979, 1.64700718, 0.0961301731),
    "L, trend less last": (7.94795292, 5.21399033, 5.27146284, 5.16271655, -21.4955008, 5.9259134),
    "L, trend less first": (-1.72782059, 37.7264284, -1.31336358, 0.038478299, 615.590561, 49.0914458),
    "posterior mean": (-0.512865217, 0.225627941, -0.369088693, -0.14627688, 1.76701855, -0.0291933322),
    "posterior sd": (0.630354762, 0.48963118, 0.657978932, 0.642909336, 0.369460278, 0.5131793),
    "p": (0.00345997795, 0.00483428447, 0.000473797068, 0.851354975, 0.00641692223, 0.0916920811),
    "p, exact determinants": (
        0.003462512391, 0.004833803193, 0.0004739921552, 0.8513589846, 0.006416233692, 0.09168590624,
    ),
    "p, final dispersion": (0.00143757596, 0.000729960704, 0.000126752722, 0.860928168, 0.0568807464, 0.0427703447),
    "p, three rounds of EM": (0.00236221261, 0.0102506241, 0.000757462453, 0.841693986, 0.0185893019, 0.0747005671),
    "variance, trend": (0.13739159, 0.0576870275, 1.11493505, 1.38623473, 0.0739213774, 0.0272473886),
    "p, Wald": (0.00328240645, 0.00434630314, 7.07947812e-17, 0.856544516, 0.00391992471, 0.091434548),
    "p, Wald, threshold": (0.0147718841, 0.0248909129, 8.28373063e-17, 0.863417972, 0.00700261244, 0.637613263),
}  # fmt: skip
PRIOR_AFTER_THREE = {"mean": 0.144354079, "sd": 1.10478616}
# Rows where the coefficient of the gene with an empty cell counts.
OF_COEFFICIENTS = ("beta", "p, Wald", "p, Wald, threshold")


def fitted(design):
    """Return coefficients and means, next to no ridge, no floor, iterated until nothing moves."""
    start = [twins.start(y, FACTORS, design) for y in COUNTS]
    fits = [
        twins.irls(y, FACTORS, design, alpha, beta, 1e-10, min_mu=1e-12, tol=1e-13)
        for y, alpha, beta in zip(COUNTS, FINAL, start, strict=True)
    ]
    return np.array([one["beta"] for one in fits]), np.array([one["mu"] for one in fits])


def p_values(loglik, ratio, prior):
    return np.exp(averaged(posterior(loglik, prior[None], NODES), chi2_log_tail(1, ratio)))


def moments(weights):
    mean = weights @ NODES.delta
    return mean, np.sqrt(weights @ NODES.delta**2 - mean**2)


@pytest.fixture(scope="module")
def found():
    """Every row as the functions of the package give it."""
    beta, mu = fitted(X)
    _, null_mu = fitted(X[:, :1])
    log_alpha = NODES.log_dispersions(TREND)
    ratio = node_ratios(COUNTS, mu, null_mu, WEIGHTS, log_alpha)
    final = node_ratios(COUNTS, mu, null_mu, WEIGHTS, np.log(FINAL)[:, None])
    loglik = node_logliks(COUNTS, mu, WEIGHTS, log_alpha, FULL, every=4)
    start = start_prior(PRIOR_VARIANCE, NODES)
    mean, sd = moments(posterior(loglik, start[None], NODES))
    variance = np.empty((6, 1, len(NODES.delta)))
    nb_node_variance_chunk(
        X[3:4] - X[:1], beta, FACTORS[None], WEIGHTS, log_alpha, FULL.plan.index, FULL.plan.numbers, np.zeros(2), 0.5,
        variance,
    )  # fmt: skip
    weights, se, change = posterior(loglik, start[None], NODES), np.sqrt(variance[:, 0]), beta[:, 1:]
    threshold = 0.5 * np.log(2.0)
    tail = scipy.stats.norm.sf
    wald = [
        (weights * (tail((np.abs(change) - t) / se) + tail((np.abs(change) + t) / se))).sum(axis=1)
        for t in (0.0, threshold)
    ]
    exact = node_logliks(COUNTS, mu, WEIGHTS, log_alpha, FULL, every=1)
    return {
        "beta": change[:, 0],
        "LR, final dispersion": final[:, 0],
        "LR, trend": ratio[:, AT_TREND],
        "LR, first node": ratio[:, 0],
        "LR, last node": ratio[:, -1],
        "L, trend less last": loglik[:, AT_TREND] - loglik[:, -1],
        "L, trend less first": loglik[:, AT_TREND] - loglik[:, 0],
        "posterior mean": mean,
        "posterior sd": sd,
        "p": p_values(loglik, ratio, start),
        "p, exact determinants": p_values(exact, ratio, start),
        "p, final dispersion": np.exp(chi2_log_tail(1, final[:, 0])),
        "p, three rounds of EM": p_values(loglik, ratio, fit_prior(loglik, start, max_rounds=3)),
        "variance, trend": se[:, AT_TREND] ** 2,
        "p, Wald": wald[0],
        "p, Wald, threshold": wald[1],
    }


@each("row", NUMBERS)
def test_every_number_of_the_example(found, row):
    assert len(NODES.delta) == 33
    genes = WITHOUT_EMPTY if row in OF_COEFFICIENTS else slice(None)
    np.testing.assert_allclose(found[row][genes], np.array(NUMBERS[row])[genes], rtol=1e-6, atol=1e-9)


def test_the_prior_after_three_rounds_of_em():
    _, mu = fitted(X)
    loglik = node_logliks(COUNTS, mu, WEIGHTS, NODES.log_dispersions(TREND), FULL, every=4)
    mean, sd = moments(fit_prior(loglik, start_prior(PRIOR_VARIANCE, NODES), max_rounds=3))
    assert mean == pytest.approx(PRIOR_AFTER_THREE["mean"], abs=1e-6)
    assert sd == pytest.approx(PRIOR_AFTER_THREE["sd"], abs=1e-6)


def test_fits_of_the_analysis_give_the_same_test():
    """Their means are floored and have a ridge: from there the test goes on to the maximum."""
    inputs = NBInputs(FACTORS[None], FINAL)
    rough = np.array([twins.irls(y, FACTORS, X, a, twins.start(y, FACTORS, X), 2e-6)["beta"]
                      for y, a in zip(COUNTS, FINAL, strict=True)])  # fmt: skip
    mu = maximum_means(maximum_coefficients(rough, COUNTS, inputs, FULL), inputs, FULL)
    null_mu = maximum_means(maximum_coefficients(None, COUNTS, inputs, NULL), inputs, NULL)
    log_alpha = NODES.log_dispersions(TREND)
    ratio = node_ratios(COUNTS, mu, null_mu, WEIGHTS, log_alpha)
    loglik = node_logliks(COUNTS, mu, WEIGHTS, log_alpha, FULL)
    # two cells, two columns: all determinants are exact
    found = p_values(loglik, ratio, start_prior(PRIOR_VARIANCE, NODES))
    np.testing.assert_allclose(found, NUMBERS["p, exact determinants"], rtol=2e-6)


def test_variances_are_those_of_the_example_but_for_the_ridge():
    beta, _ = fitted(X)
    inputs = NBInputs(FACTORS[None], FINAL)
    variance = node_variances(X[3:4] - X[:1], beta, inputs, NODES.log_dispersions(TREND), FULL)
    np.testing.assert_allclose(variance[:, 0, AT_TREND], NUMBERS["variance, trend"], rtol=2e-5)


def test_interpolated_determinants_move_no_p_value_by_a_thousandth(found):
    np.testing.assert_allclose(found["p"], found["p, exact determinants"], rtol=1e-3)
    assert (found["p"] != found["p, exact determinants"]).all()


def test_half_as_many_nodes_give_the_same_p_values(found):
    _, mu = fitted(X)
    _, null_mu = fitted(X[:, :1])
    wide = Nodes(0.5)
    log_alpha = wide.log_dispersions(TREND)
    loglik = node_logliks(COUNTS, mu, WEIGHTS, log_alpha, FULL, every=1)
    weights = posterior(loglik, start_prior(PRIOR_VARIANCE, wide)[None], wide)
    p = np.exp(averaged(weights, chi2_log_tail(1, node_ratios(COUNTS, mu, null_mu, WEIGHTS, log_alpha))))
    outlier = np.arange(6) == 4  # its dispersion is known better, far from the trend
    np.testing.assert_allclose(p[~outlier], np.array(found["p, exact determinants"])[~outlier], rtol=1e-4)
    np.testing.assert_allclose(p[outlier], found["p, exact determinants"][outlier], rtol=1e-2)
