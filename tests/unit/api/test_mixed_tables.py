"""Numbers of mixed models that stand beside each other, and what tables say of them."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.special

import countnest as cn
from countnest.errors import ArgumentError, MissingStepError

FORMULA = "~ treat1 + treat2 + (1 | family)"


@cache
def study():
    return cn.simulate.nested(genes=40, families=6, rng=3)


def made(formula=FORMULA):
    found = study()
    return cn.DESeqDataSet(found.counts, found.samples, design=formula, reference=found.reference, quiet=True)


@cache
def fitted():
    dds = made()
    for name, options in {"reml": {}, "ml": {"reml": False}, "pql": {"method": "pql"}}.items():
        cn.glmm(dds, name=name, quiet=True, **options)
    return cn.lmm(dds, filter=False, quiet=True)


@cache
def slopes():
    """8 sites at 3 times, twice each."""
    sheet = pd.DataFrame(
        {"site": [f"site{i // 6}" for i in range(48)], "time": [0.5, 1.25, 2.0] * 16}, [f"s{i}" for i in range(48)]
    )
    rng = np.random.default_rng(1)
    change = np.repeat(rng.normal(size=(10, 8)), 6, axis=1) * sheet["time"].to_numpy()
    counts = pd.DataFrame(rng.poisson(200 * np.exp(0.3 * change)), [f"g{i}" for i in range(10)], sheet.index)
    dds = cn.DESeqDataSet(counts, sheet, design="~ time + (time | site)", quiet=True)
    return cn.lmm(cn.glmm(dds, quiet=True), filter=False, quiet=True)


def test_shares_of_terms_and_of_residuals_are_in_the_ratio_of_their_variances():
    for fit in fitted().fits:
        found = cn.variance_components(fitted(), fit)
        groups, residual = found["1 | family"], found["residual"]
        inside = groups["sd"] > 0.01
        assert inside.sum() > 5
        np.testing.assert_allclose(
            (groups["share"] / residual["share"])[inside],
            ((groups["sd"] / residual["sd"]) ** 2)[inside],
            rtol=1e-8,
            err_msg=fit,
        )


def test_residuals_of_quasi_likelihood_have_the_factor_in_their_standard_deviation():
    dds = fitted()
    found, fits = cn.variance_components(dds, "pql")["residual"]["sd"], dds._fits["pql"].fits
    mean = cn.gene_estimates(dds, fit="pql")["baseMean"]
    variance = scipy.special.polygamma(1, 1 / (fits.residual**2 * (1 / mean + fits.dispersion)))
    np.testing.assert_allclose((found * np.log(2)) ** 2, variance, rtol=1e-12)


def test_intraclass_correlations_have_intervals_inside_their_range():
    """Groups of three: r is above -1/2, and Fisher's z of both ends is as far away."""
    sheet = pd.DataFrame(
        {"group": [f"g{i // 3}" for i in range(24)], "treat": ["A"] * 12 + ["B"] * 12}, [f"s{i}" for i in range(24)]
    )
    rng = np.random.default_rng(1)
    counts = pd.DataFrame(rng.poisson(200, (60, 24)), [f"g{i}" for i in range(60)], sheet.index)
    dds = cn.DESeqDataSet(counts, sheet, design="~ treat + (1 | group)", quiet=True)
    noise = rng.normal(size=(60, 24)) + np.linspace(0, 6, 60)[:, None] * np.repeat(rng.normal(size=(60, 8)), 3, axis=1)
    cn.lmm(dds, values=noise, filter=False, bounded=False, quiet=True)
    found = cn.variance_components(dds, level=0.99)["1 | group"]
    assert ((found["low"] > -0.5) & (found["low"] < found["icc"]) & (found["icc"] < found["high"])).all()
    assert found["high"].max() < 1
    assert found["icc"].max() > 0.9
    assert found["icc"].min() < -0.1
    low, middle, high = (np.log((1 + 2 * found[each]) / (1 - found[each])) for each in ("low", "icc", "high"))
    np.testing.assert_allclose(high - middle, middle - low, rtol=1e-6)


def test_tables_of_likelihood_ratios_are_those_of_the_models_that_were_compared():
    dds, smaller = fitted(), "~ treat1 + (1 | family)"
    refitted, ml, reml = (
        cn.likelihood_ratio(dds, formula, fit=fit)
        for formula, fit in ((smaller, "reml"), (smaller, "ml"), ("~ treat1 + treat2", "reml"))
    )
    assert refitted.info.estimate == ml.info.estimate == "maximum likelihood, Laplace approximation"
    pd.testing.assert_frame_equal(refitted.table, ml.table)
    assert reml.info.estimate == "REML, Laplace approximation"
    assert not np.allclose(reml.table["sdGroups"], ml.table["sdGroups"])
    linear = cn.likelihood_ratio(dds, smaller)
    assert linear.info.estimate.startswith("maximum likelihood of")


def test_p_values_of_comparisons_say_their_distribution():
    dds = fitted()
    for fit in ("lmm", "reml", "ml"):
        for smaller, words in (("~ treat1 + (1 | family)", "chi-square on 1 df"), ("~ treat1", "1 and 2 df")):
            found = cn.likelihood_ratio(dds, smaller, fit=fit)
            said = found.descriptions()["pvalue"]
            assert words in said
            assert said.endswith(f"'{FORMULA}' vs '{smaller}'")
            assert found.info.label.startswith(f"'{FORMULA}' vs '{smaller}': ")
        said = cn.variance_test(dds, fit).descriptions()["pvalue"]
        assert "LRT p-value (mixture of chi-square on 0 and 1 df)" in said
        assert said.endswith(f"'{FORMULA}' with and without (1 | family)")


def test_columns_say_their_unit_and_whether_they_are_of_the_mode():
    dds = fitted().copy()
    assert cn.variance_test(dds, "reml").descriptions()["sdGroups"] == "standard deviation of the random effects, log2"
    cn.glmm(dds, method="posterior", name="posterior", quiet=True)
    query = dds.effect("treat1", levels=("B", "A"))
    ours, other = (query.test(fit=fit).descriptions() for fit in ("posterior", "reml"))
    for column in ("sdGroups", "dispersion", "code"):
        assert "at the posterior mode" in ours[column]
        assert "posterior" not in other[column]
    said = slopes().effect("time").test(fit="glmm").descriptions()
    assert said["sd time | site"] == "standard deviation of random effects, log2: time | site"


def test_fits_are_listed_with_how_they_were_estimated():
    found = fitted().fits
    assert found["reml"] == "negative binomial mixed model (REML, Laplace approximation)"
    assert len(set(found.values())) == len(found)


def test_records_name_a_rule_of_outliers_where_genes_were_checked():
    query = fitted().effect("treat1", levels=("B", "A"))
    plain = cn.DESeq(made("~ treat1 + treat2"), quiet=True)
    assert "outliers: cooks" in str(plain.results().info)
    for found in (query.test(fit="lmm"), query.test(fit="ml"), plain.results(cooks_cutoff=False)):
        assert "outliers" not in str(found.info)


def test_degrees_of_freedom_that_are_whole_but_for_rounding_are_whole():
    found = slopes().effect("time").test(fit="lmm")
    df = found.df.to_numpy()
    near = np.abs(df - np.rint(df)) < 1e-9
    assert near.sum() > 3
    np.testing.assert_array_equal(df[near], np.rint(df[near]))


def test_what_needs_a_fit_says_which_there_are():
    dds = fitted()
    new = pd.DataFrame({"treat1": ["A"], "treat2": ["None"]})
    for call in (dds.mu, lambda: cn.residuals(dds), lambda: cn.predict(dds, new)):
        with pytest.raises(MissingStepError, match=r"give fit=, one of 'reml', 'ml', 'pql', 'lmm'\."):
            call()
    for call in (dds.coef, lambda: dds.dispersions):
        with pytest.raises(MissingStepError, match=r"cn\.gene_estimates\(dds, fit=\.\.\.\)"):
            call()
    with pytest.raises(ArgumentError, match=r"cn\.gene_estimates\(dds, fit=\), which has the coefficients"):
        dds.coef(fit="lmm")
    with pytest.raises(MissingStepError, match=r"random terms, so fit a mixed model"):
        made().mu()
