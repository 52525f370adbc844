"""One response: negative binomial regression as MASS has it, and mixed models of a data set of one gene."""

import importlib

import numpy as np
import pandas as pd
import pytest
from mixed_count_cases import classic
from scipy.stats import nbinom, norm, poisson

import countnest as cn
from countnest import compilation
from countnest.errors import (
    CountnestWarning,
    CountsError,
    DesignError,
    FormulaError,
    NormalizationError,
    OptionError,
    SamplesError,
)
from countnest.progress import TqdmProgress

single_response_module = importlib.import_module("countnest.api.single_response")


@pytest.fixture(scope="module")
def cells():
    return cn.datasets.cells()


@pytest.fixture(scope="module")
def slides(cells):
    dds = cn.single_response("counts ~ RNAi + (1 | slide)", cells, quiet=True)
    with pytest.warns(CountnestWarning, match="4 levels"):
        return cn.glmm(dds, method="pql", quiet=True)


def test_glm_nb_is_that_of_mass(cells):
    fit, reference = cn.glm_nb("counts ~ RNAi", cells), classic()["glm_nb"]
    np.testing.assert_allclose(fit.coefficients["estimate"], list(reference["coef"].values()), atol=1e-9)
    np.testing.assert_allclose(fit.coefficients["se"], reference["se"], rtol=1e-7)
    np.testing.assert_allclose(fit.coefficients["z"], reference["z"], rtol=1e-7)
    np.testing.assert_allclose(fit.coefficients["pvalue"], reference["p"], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.covariance)), reference["se"], rtol=1e-7)
    for name, value in {
        "theta": fit.theta, "SE_theta": fit.theta_se, "twologlik": 2 * fit.loglik, "aic": fit.aic,
        "deviance": fit.deviance, "null_deviance": fit.null_deviance,
    }.items():  # fmt: skip
        np.testing.assert_allclose(value, reference[name], rtol=1e-6)
    assert (fit.df_residual, fit.df_null) == (198, 199)


def test_glm_nb_reads_well(cells):
    text = repr(cn.glm_nb("counts  ~ RNAi", cells))
    for piece in (
        "negative binomial regression: counts ~ RNAi, 200 observations", "theta: 25.33, se 11.81", "AIC 955.32",
        "deviance: 187.72 on 198", "intercept alone: 226.99 on 199", "RNAi_Target_vs_Control",
    ):  # fmt: skip
        assert piece in text
    assert "Poisson regression" in repr(cn.glm_nb("counts ~ RNAi", cells, theta=np.inf))
    even = pd.DataFrame({"y": [5, 6] * 10, "x": ["a", "b"] * 10})
    assert "vary no more than those of a Poisson" in repr(cn.glm_nb("y ~ x", even))


def test_residuals_have_the_scale_that_they_promise(cells):
    fit = cn.glm_nb("counts ~ RNAi", cells)
    np.testing.assert_allclose((fit.residuals("deviance") ** 2).sum(), fit.deviance, rtol=1e-10)
    np.testing.assert_allclose(fit.residuals("raw"), cells["counts"] - fit.fitted, rtol=1e-12)
    variance = fit.fitted + fit.fitted**2 / fit.theta
    np.testing.assert_allclose(fit.residuals("pearson"), (cells["counts"] - fit.fitted) / np.sqrt(variance), rtol=1e-10)
    upper = nbinom.cdf(cells["counts"], fit.theta, fit.theta / (fit.theta + fit.fitted))
    lower = nbinom.cdf(cells["counts"] - 1, fit.theta, fit.theta / (fit.theta + fit.fitted))
    np.testing.assert_allclose(fit.residuals("quantile", seed=None), norm.ppf((lower + upper) / 2), atol=1e-9)
    drawn = norm.cdf(fit.residuals("quantile"))
    assert ((lower - 1e-9 <= drawn) & (drawn <= upper + 1e-9)).all()
    assert (fit.residuals("quantile") != fit.residuals("quantile", seed=2)).any()


def test_a_theta_that_is_infinite_is_the_poisson_distribution(cells):
    fit = cn.glm_nb("counts ~ RNAi", cells, theta=np.inf)
    np.testing.assert_allclose(np.exp(fit.coefficients["estimate"]), [5.04, 7.51 / 5.04], rtol=1e-9)
    np.testing.assert_allclose(fit.coefficients["se"], np.sqrt([1 / 504, 1 / 504 + 1 / 751]), rtol=1e-6)
    np.testing.assert_allclose(fit.loglik, poisson.logpmf(cells["counts"], fit.fitted).sum(), rtol=1e-9)
    np.testing.assert_allclose(fit.aic, 4 - 2 * fit.loglik)
    y, mu = cells["counts"], fit.fitted
    np.testing.assert_allclose(fit.deviance, 2 * (y * np.log(y / mu) - (y - mu)).sum(), rtol=1e-8)
    middle = (poisson.cdf(y, mu) + poisson.cdf(y - 1, mu)) / 2
    np.testing.assert_allclose(fit.residuals("quantile", seed=None), norm.ppf(middle), atol=1e-10)


def test_an_offset_is_matched_by_its_labels(cells):
    offset = pd.Series(np.linspace(-1.0, 1.0, 200), index=cells.index)
    expected = cn.glm_nb("counts ~ RNAi", cells, offset=offset.to_numpy()).loglik
    for same in (offset, offset[::-1], offset.reset_index(drop=True)):
        assert cn.glm_nb("counts ~ RNAi", cells, offset=same).loglik == expected
    with pytest.raises(OptionError, match="offset: 1 observation of data missing: 'c001'"):
        cn.glm_nb("counts ~ RNAi", cells, offset=offset[1:])
    with pytest.raises(OptionError, match="offset= reaches 800"):
        cn.glm_nb("counts ~ RNAi", cells, offset=800.0 * offset)


def test_an_exposure_is_an_offset(cells):
    area = np.where(np.arange(200) % 2 == 0, 1.0, 2.0)
    data = cells.assign(area=np.log(area))
    by_name, by_numbers = (cn.glm_nb("counts ~ RNAi", data, offset=each) for each in ("area", np.log(area)))
    pd.testing.assert_frame_equal(by_name.coefficients, by_numbers.coefficients)
    constant = cn.glm_nb("counts ~ RNAi", data, offset=np.full(200, np.log(2.0)))
    plain = cn.glm_nb("counts ~ RNAi", cells)
    shift = (plain.coefficients["estimate"] - constant.coefficients["estimate"]).to_numpy()
    np.testing.assert_allclose(shift, [np.log(2.0), 0.0], atol=1e-9)
    np.testing.assert_allclose([constant.deviance, constant.loglik], [plain.deviance, plain.loglik], rtol=1e-9)


def test_glmm_pql_has_the_published_numbers(slides):
    printed = classic()["printed"]
    found = slides.effect("RNAi").test(fit="glmm").table.iloc[0]
    assert f"{found['log2FoldChange'] * np.log(2):.7f}" == printed["target"]
    np.testing.assert_allclose(found["lfcSE"] * np.log(2), float(printed["se_t"]), rtol=1e-5)
    np.testing.assert_allclose(found["stat"], float(printed["t_t"]), rtol=1e-5)
    np.testing.assert_allclose(found["sdGroups"] * np.log(2), float(printed["sd_slide"]), rtol=5e-4)
    assert found["df"] == 2
    assert f"{found['pvalue']:.4f}" == printed["p_t"]
    assert found["padj"] == found["pvalue"]
    intercept = slides.contrast("Intercept").test(fit="glmm").table.iloc[0]
    assert intercept["df"] == printed["df_int"]
    np.testing.assert_allclose(intercept["stat"], float(printed["t_int"]), rtol=1e-5)


def test_one_response_has_linear_mixed_models(cells):
    """Those of log counts, with slides of equal size: a t test of the means of slides, as lmerTest's with 2 df."""
    dds = cn.single_response("counts ~ RNAi + (1 | slide)", cells, quiet=True)
    with pytest.warns(CountnestWarning, match="4 levels"):
        cn.lmm(dds, values=np.log2(dds.counts()), quiet=True)
    found = dds.effect("RNAi").test(fit="lmm").table.iloc[0]
    np.testing.assert_allclose(found["log2FoldChange"] * np.log(2), 0.3636338479835409, rtol=1e-9)
    np.testing.assert_allclose(found["lfcSE"] * np.log(2), 0.07880314014165661, rtol=1e-7)
    np.testing.assert_allclose([found["df"], found["pvalue"]], [2.0, 0.04389428199631504], rtol=1e-7)


def test_labels_that_are_no_labels_are_numbered(cells):
    data = pd.concat([cells.iloc[:50], cells.iloc[100:150], cells.iloc[:50]])
    assert list(cn.single_response("counts ~ RNAi", data, quiet=True).counts().columns[:2]) == ["1", "2"]
    plain = cn.single_response(
        "`a b` ~ RNAi", cells.rename(columns={"counts": "a b"}).reset_index(drop=True), quiet=True
    )
    assert (list(plain.gene_names), plain.counts().columns[0]) == (["a b"], "0")


def test_what_cannot_be_fitted_is_refused(cells):
    zero, missing = (
        cells.assign(counts=0),
        cells.assign(counts=cells["counts"].astype(float).where(cells.index != "c007")),
    )
    for call, error, words in (
        (lambda: cn.glm_nb("~ RNAi", cells), FormulaError, "names no response"),
        (lambda: cn.glm_nb("RNAi", cells), FormulaError, "names no response"),
        (lambda: cn.glm_nb("count ~ RNAi", cells), SamplesError, "'count' is not a column of data"),
        (lambda: cn.glm_nb("log(counts) ~ RNAi", cells), SamplesError, "compute it as a column first"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells.to_dict()), SamplesError, "must be a DataFrame"),
        (lambda: cn.glm_nb("counts ~ RNAi + (1 | slide)", cells), DesignError, r"cn\.single_response\(formula, data\)"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells, theta=0), OptionError, "theta=0 must be a number above 0"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells, theta=True), OptionError, "theta=True"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells, offset="are"), OptionError, "offset='are'"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells, offset=[0.0]), OptionError, "each of 200 observations"),
        (lambda: cn.glm_nb("counts ~ RNAi", zero), CountsError, "all counts are zero"),
        (lambda: cn.glm_nb("counts ~ RNAi", missing), CountsError, "c007"),
        (lambda: cn.glm_nb("counts ~ RNAi", cells.assign(counts=cells["counts"] / 3)), CountsError, "whole"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_a_group_without_counts_is_a_warning(cells):
    data = cells.assign(counts=cells["counts"].where(cells["RNAi"] == "Target", 0))
    with pytest.warns(CountnestWarning, match="no counts at all"):
        fit = cn.glm_nb("counts ~ RNAi", data)
    assert fit.coefficients["pvalue"].iloc[1] > 0.5


def test_a_single_gene_without_size_factors_is_refused_by_mixed_models(cells):
    samples = cells.drop(columns="counts")
    counts = pd.DataFrame([cells["counts"]], index=["counts"])
    dds = cn.DESeqDataSet(counts, samples, design="~ RNAi + (1 | slide)", quiet=True)
    for fit in (cn.lmm, cn.glmm):
        with pytest.warns(CountnestWarning, match="4 levels"), pytest.raises(NormalizationError, match="single gene"):
            fit(dds)


def test_compilation_is_announced_while_one_response_is_fitted(monkeypatch):
    heard = []
    fit = single_response_module.fit_glm_nb

    def fit_and_look(*arguments):
        heard.append(compilation._here.progress)
        return fit(*arguments)

    monkeypatch.setattr(single_response_module, "fit_glm_nb", fit_and_look)
    cn.glm_nb("counts ~ RNAi", cn.datasets.cells())
    assert [type(each) for each in heard] == [TqdmProgress, TqdmProgress]
    assert compilation._here.progress is None
