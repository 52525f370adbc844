"""Fits with normal priors: the maximum, its standard errors, and what does not depend on the coding."""

import numpy as np
import pytest

import countnest as cn
from countnest.containers.matrix import InMemory
from countnest.design.prior_design import expanded_design, prior_design, standard_design
from countnest.errors import OptionError
from countnest.methods.deseq2.beta_prior import (
    PriorModel,
    estimate_with_prior,
    fit_beta_prior,
    prior_variances,
)
from countnest.methods.deseq2.prior_fit import shrunken_fit
from countnest.parallel.run import Engine
from countnest.queries.contrasts import contrast_query
from unit.api.simulated import study

LN2 = np.log(2.0)


@pytest.fixture(scope="module")
def dds():
    """Three groups in two batches; not changed by the tests."""
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)


@pytest.fixture(scope="module", params=["standard", "expanded"])
def fitted(request, dds):
    """Return the model, what was fitted, counts, size factors and dispersions of the genes with counts."""
    state, counts = dds._fitted(), dds.counts().to_numpy(dtype=float)
    model = PriorModel.of(prior_design(dds.design, request.param))
    prior = fit_beta_prior(state, InMemory(counts), model, Engine())
    rows = ~state.moments.all_zero
    return model, prior, counts[rows], state.factors, state.dispersions.final[rows], rows


def test_it_is_the_maximum_of_the_posterior(fitted):
    model, prior, counts, factors, alpha, rows = fitted
    assert (prior.converged[rows] == 1).all()
    X, beta = model.layout.matrix, prior.beta[rows]
    mu = factors * np.exp(beta @ X.T)
    likelihood = ((counts - mu) / (1.0 + alpha[:, None] * mu)) @ X
    ridge = 1.0 / (prior.variance * LN2**2)
    # in standard deviations of the posterior, about; the weights of the fit have a floor of 0.5 under the means
    score = (likelihood - ridge * beta) * prior.se[rows]
    large = (mu > 0.5).all(axis=1)
    assert large.sum() > 100
    assert np.abs(score[large]).max() < 1e-3


def test_standard_errors(fitted):
    model, prior, counts, factors, alpha, rows = fitted
    X, ridge = model.layout.matrix, np.diag(1.0 / (prior.variance * LN2**2))
    for g in range(0, len(counts), 17):
        mu = np.maximum(factors[0] * np.exp(X @ prior.beta[rows][g]), 0.5)
        information = X.T @ (X * (mu / (1.0 + alpha[g] * mu))[:, None])
        inverse = np.linalg.inv(information + ridge)
        expected = np.sqrt(np.diag(inverse @ information @ inverse))
        np.testing.assert_allclose(prior.se[rows][g], expected, rtol=1e-5)


def test_genes_without_counts_are_missing(fitted):
    _, prior, *_, rows = fitted
    assert not rows.all()
    for values in (prior.beta[:, 0], prior.se[:, 0], prior.loglik, prior.n_iter, prior.converged):
        np.testing.assert_array_equal(np.isnan(values), ~rows)


def test_contrasts_of_shrunken_coefficients(fitted, dds):
    model, prior, *_, rows = fitted
    q = model.layout.n_coefficients
    contrasts = np.vstack([np.eye(q), np.eye(q)[1] - np.eye(q)[2], -2.0 * np.eye(q)[1]])
    found = estimate_with_prior(contrasts, prior, dds._fitted(), model, Engine())
    np.testing.assert_array_equal(found.lfc[:, :q], prior.beta / LN2)
    np.testing.assert_array_equal(found.se[:, :q], prior.se / LN2)
    np.testing.assert_allclose(found.lfc[:, q], found.lfc[:, 1] - found.lfc[:, 2], atol=1e-14)
    np.testing.assert_allclose(found.se[:, -1], 2.0 * found.se[:, 1], rtol=1e-14)
    assert (found.se[rows, q] > 0).all()


def test_levels_with_the_same_prior_sum_to_zero(dds):
    model = PriorModel.of(expanded_design(dds.design))
    prior = fit_beta_prior(dds._fitted(), dds._data.matrix, model, Engine())
    assert prior.expanded
    beta = prior.beta[prior.converged == 1]
    assert np.abs(beta[:, 1:3].sum(axis=1)).max() < 1e-3  # batches
    assert np.abs(beta[:, 3:].sum(axis=1)).max() < 1e-3  # groups


def test_variances_are_averages_over_comparisons(dds):
    rng = np.random.default_rng(5)
    beta, weights = rng.normal(size=(200, 4)) * [3.0, 0.5, 1.0, 2.0], rng.uniform(0.5, 2.0, 200)
    narrow = prior_variances(beta, weights, PriorModel.of(standard_design(dds.design)))
    wide = prior_variances(beta, weights, PriorModel.of(expanded_design(dds.design)))
    difference = beta.copy()
    difference[:, 3] -= difference[:, 2]
    between = prior_variances(difference, weights, PriorModel.of(standard_design(dds.design)))[3]
    assert narrow[0] == wide[0] == 1e6
    np.testing.assert_allclose(wide[1:3], narrow[1])
    np.testing.assert_allclose(wide[3:], np.mean([narrow[2], narrow[3], between]))


def shrunken(dds, make_design, threshold=0.0, **asked):
    fit = shrunken_fit(dds._last_fit(), expanded=make_design is expanded_design)
    matrix = contrast_query(fit.prior.design, **asked).matrix
    none = np.zeros((len(dds.gene_names), 1), dtype=bool)
    return fit.row_tests(matrix, "wald", threshold=threshold, alternative="greaterAbs", unchanged=none)


def test_shrunken_comparisons_do_not_depend_on_the_reference_level(dds):
    other = cn.DESeqDataSet(*study(), design="~ batch + group", reference={"group": "c"}).deseq(quiet=True)
    for levels in (("c", "b"), ("b", "a")):
        here, there = (shrunken(each, expanded_design, contrast=("group", *levels)) for each in (dds, other))
        np.testing.assert_allclose(here.lfc, there.lfc, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(here.se, there.se, rtol=1e-4)


def test_coefficients_shrink(dds):
    state = dds._fitted()
    model = PriorModel.of(standard_design(dds.design))
    prior = fit_beta_prior(state, dds._data.matrix, model, Engine())
    here, there = ((beta[:, 1:] ** 2 / prior.variance[1:]).sum(axis=1) for beta in (prior.beta, state.fit.beta))
    fitted = ~np.isnan(here)
    assert (here < there)[fitted].all()
    assert (here[2:4] < 0.8 * there[2:4]).all()  # no counts in the last group


def test_thresholds(dds):
    free, held = (shrunken(dds, expanded_design, t, contrast=("group", "c", "a")) for t in (0.0, 0.5))
    np.testing.assert_array_equal(free.lfc, held.lfc)
    tested = ~np.isnan(free.p_value)
    assert (held.p_value[tested] >= free.p_value[tested]).all()


def test_refusals(dds):
    none = np.zeros((len(dds.gene_names), 1), dtype=bool)
    fit, contrasts = shrunken_fit(dds._last_fit(), expanded=False), np.array([[0.0, 0.0, 0.0, 1.0]])
    with pytest.raises(OptionError, match="lessAbs' needs estimates without prior"):
        fit.row_tests(contrasts, "wald", threshold=1.0, alternative="lessAbs", unchanged=none)
    shrunk = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True, beta_prior=True)
    with pytest.raises(OptionError, match="have a normal prior already"):
        shrunken_fit(shrunk._last_fit(), expanded=False)
    with pytest.raises(OptionError, match="not tested jointly"):
        fit.joint_test(contrasts, "wald")
