"""Penalised quasi-likelihood and negative binomial GLMs against MASS, and tests of mixed models of counts."""

import gzip
import json

import numpy as np
import pytest
from mixed_count_cases import FOLDER, cells, classic, epil, families, table, without_separated
from scipy.stats import chi2, f, t

from countnest.errors import ContrastError, DesignError, OptionError
from countnest.stats.mixed import pql
from countnest.stats.mixed.count_tests import count_contrast_tests, count_joint_tests, count_likelihood_ratio
from countnest.stats.mixed.glm_nb import glm_nb
from countnest.stats.mixed.grid import Question, fit_posterior
from countnest.stats.mixed.laplace import fit_counts, fixed_effects
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.pql import fit_pql
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects


def standard_errors(triangles):
    return np.sqrt(np.diagonal(square(triangles), axis1=1, axis2=2))


def quasi(counts, offset, model, dispersion):
    return fit_pql(counts, offset, model, fixed_effects(counts, offset, model.matrix, dispersion))


def test_a_single_response_is_fitted_as_by_mass():
    example, reference = cells(), classic()["glm_nb"]
    fits = glm_nb(example.counts, example.offset, example.model.matrix)
    np.testing.assert_allclose(fits.theta[0], reference["theta"], rtol=1e-7)
    np.testing.assert_allclose(fits.theta_se[0], reference["SE_theta"], rtol=1e-6)
    np.testing.assert_allclose(2.0 * fits.loglik[0], reference["twologlik"], rtol=1e-12)
    np.testing.assert_allclose(fits.coefficients[0], list(reference["coef"].values()), atol=1e-9)
    np.testing.assert_allclose(standard_errors(fits.covariance)[0], reference["se"], rtol=1e-7)
    assert fits.outcome[0] == Outcome.CONVERGED


def test_responses_without_overdispersion_are_poisson():
    counts = np.array([[5, 6, 5, 6, 5, 6, 9, 10, 9, 10, 9, 10], [0] * 12, [0, 40, 3, 1, 90, 2, 7, 30, 1, 0, 12, 60]])
    matrix = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)])
    fits = glm_nb(counts.astype(float), np.zeros((1, 12)), matrix)
    assert list(fits.outcome) == [Outcome.POISSON_LIMIT, Outcome.CONSTANT, Outcome.CONVERGED]
    assert fits.theta[0] == np.inf
    assert np.isnan(fits.theta_se[0])
    np.testing.assert_allclose(fits.coefficients[0], [np.log(5.5), np.log(9.5 / 5.5)], atol=1e-9)
    assert np.isnan(fits.theta[1])
    assert 0.2 < fits.theta[2] < 2.0


def test_cells_have_the_published_numbers():
    example, printed, reference = cells(), classic()["printed"], classic()["fits"]["cells_pql"]
    theta = glm_nb(example.counts, example.offset, example.model.matrix).theta
    fits = quasi(example.counts, example.offset, example.model, 1.0 / theta)
    intercept, target = fits.coefficients[0]
    se = standard_errors(fits.covariance)[0]
    assert f"{intercept:.7f}" == printed["intercept"]
    assert f"{target:.7f}" == printed["target"]
    np.testing.assert_allclose(se, [float(printed["se_int"]), float(printed["se_t"])], rtol=1e-5)
    np.testing.assert_allclose(fits.residual[0], float(printed["sd_resid"]), rtol=1e-6)
    # where nlme stopped; the optimum is 0.00971716
    np.testing.assert_allclose(fits.sigma[0], float(printed["sd_slide"]), rtol=5e-4)
    np.testing.assert_allclose(fits.effects[0], reference["ranef"], atol=1e-6)
    statistic = fits.coefficients[0] / se
    np.testing.assert_allclose(statistic, [float(printed["t_int"]), float(printed["t_t"])], rtol=1e-5)
    p_value = 2.0 * t.sf(statistic[1], printed["df_t"])
    np.testing.assert_allclose(p_value, reference["p"][1], rtol=1e-5)
    covariance = square(fits.covariance)[0]
    assert f"{covariance[0, 1] / (se[0] * se[1]):.2f}" == printed["cor"]


def test_seizures_are_those_of_glmmpql():
    example, reference = epil(), classic()["fits"]["epil_poisson_pql"]
    fits = quasi(example.counts, example.offset, example.model, 0.0)
    np.testing.assert_allclose(fits.coefficients[0], reference["fixef"], atol=1e-6)
    np.testing.assert_allclose(standard_errors(fits.covariance)[0], reference["se"], rtol=1e-6)
    np.testing.assert_allclose(fits.sigma[0], reference["sd"], atol=1e-6)
    np.testing.assert_allclose(fits.residual[0], reference["sigma"], atol=1e-6)
    np.testing.assert_allclose(fits.effects[0], reference["ranef"], atol=1e-6)


def test_families_are_those_of_glmmpql():
    rows = without_separated("glmmPQL")
    example = families(tuple(rows["gene"].drop_duplicates()))
    fits = quasi(example.counts, example.offset, example.model, 1.0 / rows["theta_given"].to_numpy()[::8])
    np.testing.assert_allclose(fits.coefficients, rows["estimate"].to_numpy().reshape(-1, 8), atol=1e-5)
    np.testing.assert_allclose(standard_errors(fits.covariance), rows["se"].to_numpy().reshape(-1, 8), rtol=1e-4)
    np.testing.assert_allclose(fits.sigma, rows["sd_family"].to_numpy()[::8], atol=2e-4)
    np.testing.assert_allclose(fits.residual, rows["sigma"].to_numpy()[::8], rtol=1e-5)
    assert set(fits.outcome) == {Outcome.CONVERGED, Outcome.SINGULAR}


def test_quasi_likelihood_leaves_out_genes_without_counts():
    example = families(tuple(table("counts")["gene"][:2]))
    counts = np.vstack([np.zeros(48), example.counts, np.full(48, np.nan)])
    fits = quasi(counts, example.offset, example.model, 0.1)
    alone = quasi(example.counts, example.offset, example.model, 0.1)
    assert (fits.outcome[0], fits.outcome[-1]) == (Outcome.CONSTANT, Outcome.NOT_FINITE)
    assert np.isnan(fits.coefficients[[0, -1]]).all()
    np.testing.assert_allclose(fits.coefficients[1:-1], alone.coefficients, rtol=1e-12)


def test_contrasts_are_tested_by_t():
    example = families(tuple(table("counts")["gene"][2:6]))
    fits = fit_counts(example.counts, example.offset, example.model)
    contrasts = np.eye(8)[[1, 5]]
    found = count_contrast_tests(fits, contrasts, np.array([20.0, np.inf]))
    np.testing.assert_allclose(found.estimates, fits.coefficients[:, [1, 5]], atol=1e-15)
    np.testing.assert_allclose(found.se, standard_errors(fits.covariance)[:, [1, 5]], rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 2.0 * t.sf(np.abs(found.statistic), found.df), rtol=1e-9)
    full = count_contrast_tests(fits, contrasts, 20.0, full=True)
    np.testing.assert_allclose(full.se, standard_errors(fits.full_covariance)[:, [1, 5]], rtol=1e-12)
    single = count_joint_tests(fits, contrasts[:1], 20.0)
    np.testing.assert_allclose(single.statistic, found.statistic[:, 0] ** 2, rtol=1e-10)
    with pytest.raises(ContrastError, match="3 weights do not fit 8 coefficients"):
        count_contrast_tests(fits, np.eye(3), 20.0)


def test_joint_tests_count_independent_contrasts():
    example = families(tuple(table("counts")["gene"][2:6]))
    fits = fit_counts(example.counts, example.offset, example.model)
    rows = np.eye(8)[5:]
    one, other = (count_joint_tests(fits, each, 20.0) for each in (rows, np.vstack([rows, rows[:1] - rows[1:2]])))
    np.testing.assert_allclose(one.statistic, other.statistic, rtol=1e-9)
    np.testing.assert_array_equal(other.df_tested, 3.0)
    np.testing.assert_allclose(one.p_value, f.sf(one.statistic, 3.0, 20.0), rtol=1e-9)
    covariance = square(fits.covariance)[0][5:, 5:]
    wald = fits.coefficients[0, 5:] @ np.linalg.solve(covariance, fits.coefficients[0, 5:]) / 3.0
    np.testing.assert_allclose(one.statistic[0], wald, rtol=1e-10)


def test_likelihood_ratios_are_those_of_glmmtmb():
    rows = without_separated("glmmTMB_fit")
    logliks = {model: part["logLik"].to_numpy() for model, part in rows.groupby("model")}
    genes = tuple(rows["gene"].drop_duplicates())
    full, reduced = families(genes), families(genes, 5)
    fits, fewer = (fit_counts(each.counts, each.offset, each.model, reml=False) for each in (full, reduced))
    found = count_likelihood_ratio(full.model, fits, reduced.model, fewer)
    expected = 2.0 * (logliks["nb2_ML"] - logliks["nb2_ML_reduced"])
    np.testing.assert_allclose(found.statistic, expected, atol=1e-6)
    np.testing.assert_allclose(found.p_value, chi2.sf(found.statistic, 3), rtol=1e-9)
    with pytest.raises(DesignError, match="must be a part of the full one"):
        count_likelihood_ratio(reduced.model, fewer, full.model, fits)
    restricted = fit_counts(full.counts[:1], full.offset, full.model)
    with pytest.raises(OptionError, match="cannot be compared"):
        count_likelihood_ratio(full.model, restricted, reduced.model, fewer)


def test_no_genes_are_no_error():
    example = families(tuple(table("counts")["gene"][:2]))
    for counts in (example.counts[:0], np.zeros((2, 48))):
        arguments = (counts, example.offset, example.model)
        for fits in (fit_counts(*arguments), fit_counts(*arguments, reml=False), quasi(*arguments, 0.1)):
            assert fits.coefficients.shape == (len(counts), 8)
            assert (fits.outcome == Outcome.CONSTANT).all()
        assert np.isnan(count_joint_tests(fit_counts(*arguments), np.eye(8)[5:], 20.0).p_value).all()
        known = fit_posterior(*arguments, Question(np.eye(8), joint=True), 0.1, 0.3)
        assert np.isnan(known.mean).all()
        assert np.isnan(known.joint).all()
        assert np.isnan(glm_nb(counts, example.offset, example.model.matrix).theta).all()


def several_terms(what):
    """Return counts (G, n) that glmmPQL has fitted with several random effects, their model, and its numbers."""
    whole = json.loads(gzip.decompress((FOLDER / "pql_terms.json.gz").read_bytes()))[what]
    samples = {name: np.array(values) for name, values in whole["samples"].items()}
    counts = np.array([gene["counts"] for gene in whole["genes"].values()], dtype=float)
    one = np.ones(counts.shape[1])
    if what == "nested":
        plots = np.char.add(samples["site"], samples["plot"])
        groups = [np.unique(each, return_inverse=True)[1].astype(np.int64) for each in (samples["site"], plots)]
        matrix = np.column_stack([one, samples["trt"] == "b", samples["cover"]])
        terms = tuple(RandomEffects(codes, one[:, np.newaxis]) for codes in groups)
    else:
        treated, time = samples["group"] == "trt", samples["time"].astype(float)
        matrix = np.column_stack([one, time, treated, time * treated])
        codes = np.unique(samples["subject"], return_inverse=True)[1].astype(np.int64)
        terms = (RandomEffects(codes, np.column_stack([one, time])),)
    return counts, MixedModel(matrix.astype(float), terms), whole


def test_several_random_effects_are_those_of_glmmpql():
    for what, atol in (("nested", 1e-7), ("slope", 1e-4)):  # nlme's search for slopes ends earlier
        counts, model, reference = several_terms(what)
        fits = quasi(counts, np.zeros((1, counts.shape[1])), model, 1.0 / reference["theta"])
        genes = list(reference["genes"].values())
        np.testing.assert_allclose(fits.coefficients, [gene["estimate"] for gene in genes], atol=atol)
        np.testing.assert_allclose(standard_errors(fits.covariance), [gene["se"] for gene in genes], atol=atol)
        np.testing.assert_allclose(fits.residual, [gene["sigma"] for gene in genes], atol=atol)
        assert fits.effects.shape[1] == sum(term.n_levels * term.n_columns for term in model.terms)
        for gene, sd in zip(fits.theta, reference.get("sd", {}).values(), strict=False):
            np.testing.assert_allclose(gene, sd, atol=1e-6)


def test_one_term_and_the_method_for_several_agree(monkeypatch):
    example = families(tuple(table("counts")["gene"][2:6]))
    own = quasi(example.counts, example.offset, example.model, 0.1)
    monkeypatch.setattr(pql, "_one_column", pql._any_terms)
    other = quasi(example.counts, example.offset, example.model, 0.1)
    for name in ("coefficients", "covariance", "theta", "residual", "effects"):
        np.testing.assert_allclose(getattr(other, name), getattr(own, name), rtol=1e-7, atol=1e-10)
