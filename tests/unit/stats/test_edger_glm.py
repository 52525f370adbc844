"""GLM fits against edgeR's: where its iterations end, and at the optimum."""

import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, deviances, fit_glm, fit_levenberg, shrunken_coefficients
from countnest.stats.edger.levels import compat_level
from unit.stats.edger_cases import NAMES, case

AS_R = compat_level("bioc3.20")
# Of deviances, relative, and of shrunken coefficients, absolute.
DEVIANCE_TOLERANCE, COEFFICIENT_TOLERANCE = 1e-8, 1e-10
# A coefficient beyond this is on its way to infinity, and its last digits are noise.
INFINITE = 15.0


def inputs_of(name, rows=slice(None)):
    study = case(name)
    return GLMInputs.of(study.counts, study.factors, study.weights).at(rows)


def tagwise(name):
    return case(name).table("genes")[0]["tagwise"].to_numpy()


def test_iterations_end_where_those_of_edger_end():
    for name in NAMES:
        study = case(name)
        r, rows = study.table("coefficients")
        fit = fit_levenberg(
            inputs_of(name, rows), Columns.of(study.design), tagwise(name)[rows], level=AS_R, max_iter=200
        )
        np.testing.assert_array_equal(fit.n_iter, r["levenberg_iter"], err_msg=name)
        np.testing.assert_array_equal(fit.failed, r["levenberg_failed"] > 0)
        np.testing.assert_allclose(fit.deviance, r["levenberg_deviance"], rtol=DEVIANCE_TOLERANCE, atol=1e-10)


def test_coefficients_and_means_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        columns, p = Columns.of(study.design), study.design.shape[1]
        r, rows = study.table("coefficients")
        mle, shrunken, predicted = np.split(r.to_numpy()[:, 3:], 3, axis=1)
        inputs, alpha = inputs_of(name, rows), tagwise(name)[rows]
        found = fit_glm(inputs, columns, alpha, level=AS_R).beta
        finite = np.abs(mle - mle.mean()).max(axis=1) < INFINITE
        assert mle.shape[1] == p
        assert finite.mean() > 0.7
        np.testing.assert_allclose(found[finite], mle[finite], atol=COEFFICIENT_TOLERANCE)
        found = shrunken_coefficients(inputs, columns, alpha, level=AS_R)
        np.testing.assert_allclose(found, shrunken, atol=COEFFICIENT_TOLERANCE)
        unweighted = GLMInputs.of(inputs.counts, inputs.factors)  # as predFC of a data object
        found = shrunken_coefficients(unweighted, columns, alpha, prior_count=2.0, level=AS_R)
        np.testing.assert_allclose(found / np.log(2.0), predicted, atol=COEFFICIENT_TOLERANCE)
        r, rows = study.table("fitted")
        found = fit_glm(inputs_of(name, rows), columns, tagwise(name)[rows], level=AS_R).mu
        np.testing.assert_allclose(found, r, rtol=1e-7, atol=1e-7)


def test_the_score_vanishes_at_the_optimum():
    for name in NAMES:
        study = case(name)
        inputs, alpha = inputs_of(name), tagwise(name)
        fit = fit_levenberg(inputs, Columns.of(study.design), alpha)
        assert not fit.failed.any()
        share = inputs.weights / (1.0 + alpha[:, None] * fit.mu)
        score = (share * (study.counts - fit.mu)) @ study.design
        size = np.sqrt((share * fit.mu) @ study.design**2)  # standard deviations of the scores
        assert np.nanmax(np.abs(score) / (1.0 + size)) < 1e-6, name
        path = fit_levenberg(inputs, Columns.of(study.design), alpha, level=AS_R)
        assert np.all(deviances(inputs, fit.mu, alpha) <= deviances(inputs, path.mu, alpha) + 1e-9)


def test_groups_one_by_one_and_together_give_the_same_fit():
    study = case("oneway")
    inputs, columns, alpha = inputs_of("oneway"), Columns.of(study.design), tagwise("oneway")
    assert columns.is_one_way
    apart, together = fit_glm(inputs, columns, alpha), fit_levenberg(inputs, columns, alpha)
    np.testing.assert_allclose(apart.mu, together.mu, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(apart.deviance, together.deviance, rtol=1e-8, atol=1e-8)
    empty = (study.counts[:, study.design[:, 1] == 0] == 0).all(axis=1)
    assert empty.sum() > 5
    assert np.all(apart.mu[empty][:, study.design[:, 1] == 0] == 0.0)
    assert np.all(apart.beta[empty, 0] < -1e7)


def test_fits_do_not_depend_on_where_they_start_nor_on_the_coding_of_the_design():
    for name in ("oneway", "sparse", "weights"):
        study = case(name)
        inputs, alpha, p = inputs_of(name), tagwise(name), study.design.shape[1]
        fit = fit_glm(inputs, Columns.of(study.design), alpha)
        finite = np.isfinite(fit.beta).all(axis=1) & (np.abs(fit.beta - fit.beta[:, :1]).max(axis=1) < 1e3)
        start = np.where(finite[:, None], fit.beta + 0.3, np.nan)
        again = fit_glm(inputs, Columns.of(study.design), alpha, start=start)
        np.testing.assert_allclose(again.mu, fit.mu, rtol=1e-7, atol=1e-7)
        mixed = Columns.of(study.design @ (np.eye(p) + np.tri(p)))
        np.testing.assert_allclose(fit_glm(inputs, mixed, alpha).mu, fit.mu, rtol=1e-6, atol=1e-6)


def test_genes_without_counts_have_no_coefficients():
    for design in (np.ones((4, 1)), np.column_stack([np.ones(4), [0.0, 1.0, 2.0, 5.0]])):
        inputs = GLMInputs.of(np.array([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, 0.0, 9.0]]), np.ones(4))
        fit = fit_glm(inputs, Columns.of(design), 0.1)
        assert np.isnan(fit.beta[0]).all()
        assert np.all(fit.mu[0] == 0.0)
        assert fit.deviance[0] == 0.0
        assert np.isfinite(fit.beta[1]).all()
        assert np.isfinite(shrunken_coefficients(inputs, Columns.of(design), 0.1)).all()


def test_fits_are_the_same_whatever_genes_are_beside_them():
    study = case("sparse")
    columns, alpha = Columns.of(study.design), tagwise("sparse")
    whole = fit_levenberg(inputs_of("sparse"), columns, alpha)
    some = np.arange(3, 400, 11)
    part = fit_levenberg(inputs_of("sparse", some), columns, alpha[some])
    np.testing.assert_array_equal(part.beta, whole.beta[some])
    np.testing.assert_array_equal(part.deviance, whole.deviance[some])


def test_levels_are_known_by_name():
    assert compat_level().exact
    assert not compat_level("bioc3.22").exact
    assert compat_level("bioc3.22").adaptive_spans
    assert not AS_R.adaptive_spans
    with pytest.raises(OptionError, match=r"compat='3.20' is not known; use one of 'bioc3.16'"):
        compat_level("3.20")
