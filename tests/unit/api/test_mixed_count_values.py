"""What mixed models of counts tell of genes, and tests of models and variances, beside glmmTMB."""

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from tests.cases import each

import countnest as cn
from countnest.errors import DesignError, OptionError

FILE = Path(__file__).parent / "data" / "mixed" / "counts.json.gz"
FORMULA = "~ treat1 + treat2 + (1 | family)"
LN2 = np.log(2.0)


@cache
def reference():
    return json.loads(gzip.decompress(FILE.read_bytes()))


def study(formula=FORMULA):
    data = reference()["counts"]
    sheet = pd.DataFrame({name: data[name] for name in ("family", "treat1", "treat2")})
    sheet.index = [f"s{i:02d}" for i in range(len(sheet))]
    counts = pd.DataFrame(data["counts"], data["genes"], sheet.index)
    return cn.DESeqDataSet(
        counts, sheet, design=formula, reference={"treat2": "None"} if "treat2" in formula else None,
        size_factors=data["size_factors"], quiet=True,
    )  # fmt: skip


@cache
def fitted(formula=FORMULA, **options):
    return cn.glmm(study(formula), quiet=True, **options)


def expected(name):
    return np.array([fit[name] for fit in reference()["fits"]])


def test_fitted_means_residuals_and_effects_are_those_of_glmmtmb():
    dds = fitted(reml=False)
    for random, name in ((True, "fitted"), (False, "fixed")):
        mu = dds.mu(fit="glmm", random=random)
        np.testing.assert_allclose(mu, expected(name), rtol=2e-5)
        raw = cn.residuals(dds, "raw", fit="glmm", random=random)
        np.testing.assert_allclose(raw, dds.counts() - mu)
    np.testing.assert_allclose(dds.mu(fit="glmm", normalized=True) * dds.size_factors, dds.mu(fit="glmm"))
    np.testing.assert_allclose(cn.residuals(dds, "pearson", fit="glmm"), expected("pearson"), rtol=2e-4, atol=2e-5)
    effects = cn.random_effects(dds, "glmm")
    np.testing.assert_allclose(effects[reference()["fits"][0]["levels"]], expected("ranef") / LN2, rtol=1e-4, atol=2e-5)
    own = cn.random_effects(dds, "glmm", coef=True).sub(cn.gene_estimates(dds)["Intercept"], axis=0)
    np.testing.assert_allclose(own, effects, atol=1e-12)
    assert (cn.random_effects(dds, "glmm", se=True) > 0).all(axis=None)
    estimates = cn.gene_estimates(dds)
    for column, name in (("logLik", "logLik"), ("AIC", "AIC"), ("BIC", "BIC")):
        np.testing.assert_allclose(estimates[column], expected(name), atol=2e-6)
    np.testing.assert_allclose(estimates["dispersion"], expected("alpha"), rtol=1e-4)


def test_deviance_and_quantile_residuals_are_those_of_the_distribution_of_the_counts():
    dds = fitted()
    mu, alpha, counts = dds.mu(fit="glmm"), cn.gene_estimates(dds)["dispersion"].to_numpy()[:, None], dds.counts()
    pearson, deviance, quantile = (cn.residuals(dds, kind, fit="glmm") for kind in ("pearson", "deviance", "quantile"))
    np.testing.assert_allclose(pearson, (counts - mu) / np.sqrt(mu + alpha * mu**2))
    for other in (deviance, quantile):
        assert np.corrcoef(other.to_numpy().ravel(), pearson.to_numpy().ravel())[0, 1] > 0.97
    below, up_to = (scipy.stats.nbinom.cdf(counts - lower, 1 / alpha, 1 / (1 + alpha * mu)) for lower in (1, 0))
    inside = scipy.special.ndtr(quantile.to_numpy())
    assert ((inside >= below - 1e-9) & (inside <= up_to + 1e-9)).all()
    assert cn.residuals(dds, "quantile", fit="glmm", seed=2).equals(cn.residuals(dds, "quantile", fit="glmm", seed=2))
    poisson = fitted(family="poisson")
    mu = poisson.mu(fit="glmm").to_numpy()
    squares = 2 * (scipy.special.xlogy(counts, counts / mu) - (counts - mu))
    np.testing.assert_allclose(cn.residuals(poisson, fit="glmm") ** 2, squares, rtol=1e-6, atol=1e-8)
    with pytest.raises(OptionError, match=r"type='pearson' is about means that include the random effects"):
        cn.residuals(dds, "pearson", fit="glmm", random=False)


def test_shares_of_the_variance_are_those_of_nakagawa_and_others():
    dds = fitted()
    found = cn.variance_components(dds, "glmm")
    sd = found["1 | family"]["sd"].to_numpy() * LN2
    alpha, mean = cn.gene_estimates(dds)["dispersion"], cn.gene_estimates(dds)["baseMean"]
    of_counts = scipy.special.polygamma(1, 1.0 / (1.0 / mean + alpha))
    np.testing.assert_allclose((found["residual"]["sd"] * LN2) ** 2, of_counts)
    np.testing.assert_allclose(of_counts, 1.0 / mean + alpha, rtol=0.05)  # the delta method of the same paper
    predictor = np.log2(dds.mu(fit="glmm", random=False, normalized=True))
    fixed = predictor.var(axis=1, ddof=1) * LN2**2
    total = fixed + sd**2 + of_counts
    for part, own in (("fixed", fixed), ("1 | family", sd**2), ("residual", of_counts)):
        np.testing.assert_allclose(found[part]["share"], own / total, rtol=1e-6, atol=1e-9)
        assert ((found[part]["low"] < found[part]["share"]) & (found[part]["share"] < found[part]["high"])).all()


def test_intervals_of_shares_are_by_the_delta_method():
    """Beside linear models of log counts, whose intervals have the covariances in them, in large counts."""
    dds = cn.lmm(fitted(), filter=False, quiet=True)
    linear, counts = (cn.variance_components(dds, name)["1 | family"] for name in ("lmm", "glmm"))
    lengths = [each["high"] - each["low"] for each in (linear, counts)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=0.35)
    quasi = cn.variance_components(fitted(method="pql"), "glmm")
    assert quasi.xs("low", axis=1, level="value").isna().all(axis=None)
    np.testing.assert_allclose(quasi.xs("share", axis=1, level="value").sum(axis=1), 1.0)


def test_a_variance_of_zero_has_an_interval():
    study_ = cn.simulate.nested(genes=60, rng=3)
    shuffled = study_.samples.copy()
    rng = np.random.default_rng(1)
    for level in ("None", "E"):  # families of sibs who are none
        own = (shuffled["treat2"] == level).to_numpy()
        for _, rows in shuffled[own].groupby("treat1", observed=True):
            shuffled.loc[rows.index, "family"] = rng.permutation(rows["family"].to_numpy())
    dds = cn.DESeqDataSet(study_.counts, shuffled, design=FORMULA, reference=study_.reference, quiet=True)
    found = cn.variance_components(cn.glmm(dds, quiet=True), "glmm")["1 | family"]
    zero = found["sd"] == 0
    assert 10 < zero.sum() < 50
    assert (found.loc[zero, ["share", "low"]] == 0).all(axis=None)
    assert found.loc[zero, "high"].between(0.01, 0.95).all()


def test_likelihood_ratios_are_those_of_glmmtmb():
    dds = fitted(reml=False)
    fixed = cn.likelihood_ratio(dds, "~ treat1 + (1 | family)", fit="glmm").table
    np.testing.assert_allclose(fixed["stat"], expected("lrt"), atol=1e-6)
    np.testing.assert_allclose(fixed["pvalue"], scipy.stats.chi2.sf(expected("lrt"), 1), rtol=1e-5)
    refitted = cn.likelihood_ratio(fitted(), fitted("~ treat1 + (1 | family)"), fit="glmm")
    np.testing.assert_allclose(refitted.table["stat"], fixed["stat"], atol=1e-9)
    for found in (cn.variance_test(dds, "glmm"), cn.likelihood_ratio(dds, "~ treat1 + treat2", fit="glmm")):
        np.testing.assert_allclose(found.table["stat"], expected("lrt_random"), atol=1e-6)
        np.testing.assert_allclose(found.table["pvalue"], scipy.stats.chi2.sf(expected("lrt_random"), 1) / 2, rtol=1e-5)
    restricted = cn.variance_test(fitted(), "glmm")
    with_term, without = expected("reml").T
    np.testing.assert_allclose(restricted.table["stat"], 2 * (with_term - without), atol=2e-5)
    assert restricted.info.test == "restricted LRT"


def test_cells_have_means_of_counts():
    dds = fitted()
    new = pd.DataFrame({"treat1": ["A", "B"], "treat2": ["None", "E"]}, ["first", "second"])
    found = cn.predict(dds, new, fit="glmm", size_factors=[1.0, 2.0], genes=list(dds.gene_names))
    assert ((found["low"] < found["mean"]) & (found["mean"] < found["high"])).all()
    cells = dds.mu(fit="glmm", random=False, normalized=True)
    sheet = dds.samples
    for cell, treat1, treat2, factor in (("first", "A", "None", 1.0), ("second", "B", "E", 2.0)):
        sample = sheet.index[(sheet["treat1"] == treat1) & (sheet["treat2"] == treat2)][0]
        np.testing.assert_allclose(found.loc[found["cell"] == cell, "mean"], factor * cells[sample], rtol=1e-9)


@each(
    ("call", "error", "words"),
    [
        (lambda: cn.variance_test(fitted(), "glmm", test="f"), OptionError, r"linear mixed models, cn\.lmm"),
        (
            lambda: cn.likelihood_ratio(fitted(), fitted("~ treat1 + (1 | family)", family="poisson"), fit="glmm"),
            OptionError,
            "negative binomial in one of them and Poisson in the other",
        ),
        (
            lambda: cn.likelihood_ratio(fitted(), fitted("~ treat1 + (1 | family)", dispersion=0.1), fit="glmm"),
            OptionError,
            r"known in different ways \(dispersion=\)",
        ),
        (
            lambda: cn.likelihood_ratio(fitted(), fitted("~ treat1 + (1 | family)", method="laplace4"), fit="glmm"),
            OptionError,
            r"next order \(method=\)",
        ),
        (lambda: cn.likelihood_ratio(fitted(), "~ treat1*treat2 + (1 | family)", fit="glmm"), DesignError, "part of"),
        (lambda: cn.variance_test(fitted(method="pql"), "glmm"), OptionError, "quasi-likelihood has no likelihood"),
        (
            lambda: cn.likelihood_ratio(
                cn.lmm(study(), filter=False, quiet=True), fitted(), fit="lmm", reduced_fit="glmm"
            ),
            OptionError,
            "one is of log counts, the other is a negative binomial mixed model",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
