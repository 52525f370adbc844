"""What mixed models tell of genes, and tests of models and variances, beside lme4 and lmerTest."""

import gzip
import json
import logging
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from tests.cases import each

import countnest as cn
from countnest.errors import DesignError, MissingStepError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore:the numeric variable 'Days':countnest.errors.CountnestWarning")

FILE = Path(__file__).parent / "data" / "mixed" / "values.json.gz"
# Values are divided by this, which keeps them below the logarithms of counts; coefficients and residuals are then, too.
SCALE = {"Reaction": 16.0, "Yield": 64.0, "diameter": 1.0}
# R's searches end at gradients of about 1e-6.
SEARCH = 2e-6


@cache
def reference():
    return json.loads(gzip.decompress(FILE.read_bytes()))


@cache
def as_study(name, response):
    """Return values, and counts that stand in for them, of a classic data set as one gene."""
    data = reference()["data"][name]
    sheet = pd.DataFrame({key: value for key, value in data.items() if key != response})
    sheet.index = [f"s{i:03d}" for i in range(len(sheet))]
    values = pd.DataFrame([data[response]], ["gene"], sheet.index, dtype=float) / SCALE[response]
    return values, sheet


def fitted(design, name="sleepstudy", response="Reaction", shift=0.0, **options):
    values, sheet = as_study(name, response)
    counts = pd.DataFrame([10 + np.arange(values.shape[1]) % 3], values.index, values.columns)
    dds = cn.DESeqDataSet(counts, sheet, design=design, size_factors=np.ones(len(sheet)), quiet=True)
    return cn.lmm(dds, values=values + shift, filter=False, quiet=True, **options)


@cache
def sleep(term="(Days | Subject)", fixed="~ Days", **options):
    return fitted(f"{fixed} + {term}", **options)


def weighted():
    weights = np.array([reference()["slope_weighted"]["w"]])
    return fitted("~ Days + (Days | Subject)", weights=weights)


@each(
    ("entry", "make"),
    [
        ("slope", sleep),
        ("slope_weighted", weighted),
        ("intercept", lambda: sleep("(1 | Subject)")),
    ],
)
def test_fitted_values_residuals_and_coefficients_are_those_of_lme4(entry, make):
    dds, expected, scale = make(), reference()[entry], SCALE["Reaction"]
    for random, name in ((True, "fitted"), (False, "fixed")):
        np.testing.assert_allclose(scale * dds.mu(fit="lmm", random=random).loc["gene"], expected[name], rtol=SEARCH)
    for kind, name in (("raw", "response"), ("pearson", "pearson"), ("quantile", "pearson")):
        found = cn.residuals(dds, kind, fit="lmm").loc["gene"] * (scale if kind == "raw" else 1.0)
        np.testing.assert_allclose(found, expected[name], rtol=SEARCH, atol=1e-4 if kind == "raw" else 2e-6)
    table = scale * cn.random_effects(dds, coef=True).loc["gene"]
    coefficients = expected["coef"]["Subject"]
    levels = expected["levels"]["Subject"]
    several = entry != "intercept"
    intercepts = table.xs("Intercept", level="coefficient") if several else table
    np.testing.assert_allclose(intercepts[levels], coefficients["(Intercept)"], rtol=SEARCH)
    if several:
        slopes = table.xs("Days", level="coefficient")
        np.testing.assert_allclose(slopes[levels], coefficients["Days"], rtol=2e-5)
    estimates = cn.gene_estimates(dds).loc["gene"]
    density = 178 * np.log(scale)
    for name, shift in (("logLik", density), ("AIC", -2 * density), ("BIC", -2 * density)):
        np.testing.assert_allclose(estimates[name], expected[name] + shift, rtol=1e-8)


def test_marginal_residuals_are_over_the_standard_deviation_of_a_sample():
    dds = sleep()
    raw = cn.residuals(dds, "raw", fit="lmm", random=False).loc["gene"]
    np.testing.assert_allclose(
        raw, as_study("sleepstudy", "Reaction")[0].loc["gene"] - dds.mu(fit="lmm", random=False).loc["gene"]
    )
    parts = cn.variance_components(dds)
    of_term, days = parts["Days | Subject"], dds.samples["Days"]
    sd, slope, cor = (of_term[name].loc["gene"] for name in ("sd Intercept", "sd Days", "cor Intercept Days"))
    variance = sd**2 + 2 * cor * sd * slope * days + (slope * days) ** 2 + parts["residual"]["sd"].loc["gene"] ** 2
    scaled = cn.residuals(dds, "pearson", fit="lmm", random=False).loc["gene"]
    np.testing.assert_allclose(scaled, raw / np.sqrt(variance), rtol=1e-9)


def test_the_means_of_cells_are_the_estimates_of_the_fixed_part_with_t_limits():
    dds = sleep()
    new = pd.DataFrame({"Days": [0, 5]}, ["first", "later"])
    found = cn.predict(dds, new, fit="lmm", genes="gene", interval=0.9)
    assert list(found["cell"]) == ["first", "later"]
    slope = dds.results(name="Days", fit="lmm").table.loc["gene"]
    np.testing.assert_allclose(np.diff(found["mean"]), 5 * slope["log2FoldChange"], rtol=1e-10)
    intercept = dds.results(name="Intercept", fit="lmm", confint=0.9).table.loc["gene"]
    expected = intercept[["log2FoldChange", "ciLower", "ciUpper"]].astype(float)
    np.testing.assert_allclose(found.loc[0, ["mean", "low", "high"]].astype(float), expected)
    with pytest.raises(OptionError, match="size_factors= are for counts"):
        cn.predict(dds, new, fit="lmm", size_factors=2.0)
    with pytest.raises(OptionError, match="count_interval= is for fits by DESeq2's method"):
        cn.predict(dds, new, fit="lmm", count_interval=0.9)


def statistics(found, gene="gene"):
    return found.table.loc[gene, ["stat", "pvalue"]].astype(float).to_numpy()


def test_tests_of_variances_are_those_of_ranova_and_halves_of_them():
    expected = reference()["ranova"]
    dds = sleep("(1 | Subject)")
    whole, half = (cn.variance_test(dds, mixture=mixture) for mixture in (False, True))
    np.testing.assert_allclose(statistics(whole), [expected["sleep"]["LRT"], expected["sleep"]["p"]], rtol=1e-7)
    np.testing.assert_allclose(statistics(half), [expected["sleep"]["LRT"], expected["sleep"]["p"] / 2], rtol=1e-7)
    assert whole.info.label == "variance of (1 | Subject): chi-square on 1 df"
    assert half.info.test == "restricted LRT"
    crossed = fitted("~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "diameter")
    for k, term in enumerate(("1 | plate", "1 | sample")):
        found = cn.variance_test(crossed, term=term, mixture=False)
        np.testing.assert_allclose(
            statistics(found), [expected["penicillin"]["LRT"][k], expected["penicillin"]["p"][k]], rtol=1e-6
        )
    with pytest.raises(OptionError, match="several random terms: give term="):
        cn.variance_test(crossed)


def test_an_exact_f_test_is_that_of_the_linear_model():
    dds = fitted("~ 1 + (1 | Batch)", "Dyestuff", "Yield", 0.25)
    found, expected = cn.variance_test(dds, test="f"), reference()["dyestuff_F"]
    np.testing.assert_allclose(statistics(found), [expected["F"], expected["p"]], rtol=1e-10)
    assert found.table.loc["gene", "df"] == expected["df"][1]
    assert found.info.label == "variance of (1 | Batch): exact F"
    with pytest.raises(DesignError, match="a single random term with one column"):
        cn.variance_test(sleep(), test="f")
    with pytest.raises(OptionError, match="without weights"):
        cn.variance_test(fitted("~ 1 + (1 | Batch)", "Dyestuff", "Yield", 0.25, weights=np.ones((1, 30))), test="f")


def test_fixed_effects_are_compared_by_maximum_likelihood(caplog):
    """The ratio of restricted likelihoods, 26.217, would be a test of nothing."""
    expected = reference()["anova"]["days"]
    dds = sleep()
    dds._quiet = False
    with caplog.at_level(logging.INFO, logger="countnest"):
        found = cn.likelihood_ratio(dds, "~ 1 + (Days | Subject)")
    assert "fitted again by maximum likelihood instead of REML, as the fixed parts of the models differ" in caplog.text
    np.testing.assert_allclose(statistics(found), [expected["chisq"], expected["p"]], rtol=1e-7)
    np.testing.assert_allclose(found.table.loc["gene", "stat"], 23.537, atol=5e-4)
    assert found.info.label == "'~ Days + (Days | Subject)' vs '~ 1 + (Days | Subject)': chi-square on 1 df"
    assert found.info.test == "LRT"
    smaller = sleep(fixed="~ 1")
    np.testing.assert_allclose(statistics(cn.likelihood_ratio(dds, smaller)), statistics(found), rtol=1e-9)
    ml = cn.likelihood_ratio(sleep(reml=False), sleep(fixed="~ 1", reml=False), refit=False)
    np.testing.assert_allclose(statistics(ml), statistics(found), rtol=1e-9)
    with pytest.raises(OptionError, match=r"the fixed parts of the models differ.*refit=True, or fit both with reml"):
        cn.likelihood_ratio(dds, smaller, refit=False)
    mixed = cn.likelihood_ratio(sleep(reml=False), smaller)
    np.testing.assert_allclose(statistics(mixed), statistics(found), rtol=1e-9)


def test_random_parts_are_compared_by_the_mixture_for_variances_at_their_bound():
    expected = reference()["anova"]
    found = cn.likelihood_ratio(sleep(), "~ Days + (1 | Subject)")
    statistic = expected["slope"]["chisq"]
    p_value = scipy.stats.chi2.sf(statistic, [1, 2]).mean()
    np.testing.assert_allclose(statistics(found), [statistic, p_value], rtol=1e-7)
    assert found.info.label.endswith("mixture of chi-square on 1 and 2 df")
    plain = cn.likelihood_ratio(sleep(), sleep("(1 | Subject)"), mixture=False)
    np.testing.assert_allclose(statistics(plain), [statistic, expected["slope"]["p"]], rtol=1e-7)
    correlation = cn.likelihood_ratio(sleep(), "~ Days + (Days || Subject)")
    np.testing.assert_allclose(
        statistics(correlation), [expected["correlation"]["chisq"], expected["correlation"]["p"]], rtol=1e-5
    )
    assert correlation.info.label.endswith(": chi-square on 1 df")
    none = cn.likelihood_ratio(sleep("(1 | Subject)"), "~ Days")
    np.testing.assert_allclose(statistics(none), statistics(cn.variance_test(sleep("(1 | Subject)"))), rtol=1e-10)


def test_tables_of_models_are_like_other_tables():
    study = cn.simulate.nested(genes=80, rng=2)
    dds = cn.DESeqDataSet(
        study.counts, study.samples, design="~ treat1*treat2 + (1 | family)", reference=study.reference, quiet=True
    )
    dds = cn.lmm(dds, filter=np.arange(80) != 7, quiet=True)
    for found in (cn.variance_test(dds), cn.likelihood_ratio(dds, "~ treat1 + treat2 + (1 | family)")):
        assert list(found.table)[:3] == ["baseMean", "code", "stat"]
        assert np.flatnonzero(found.table["pvalue"].isna()) == [7]
        assert found.table["padj_reason"].iloc[7] == "low_count"
        np.testing.assert_allclose(
            found.table["padj"].dropna(), scipy.stats.false_discovery_control(found.table["pvalue"].dropna())
        )
        assert "LRT" in found.descriptions()["pvalue"]
        assert "mixed model" in repr(found) or found.info.method == "linear mixed model"
        assert len(found.significant(0.1)) == (found.table["padj"] < 0.1).sum()
    exact = cn.variance_test(dds, test="f").table
    ratio = cn.variance_test(dds).table
    assert exact["stat"].corr(ratio["stat"], method="spearman") > 0.95
    asked = dds.interaction(treat1="reference", treat2="reference").joint().test("lrt", fit="lmm").table
    np.testing.assert_allclose(
        cn.likelihood_ratio(dds, "~ treat1 + treat2 + (1 | family)").table["stat"], asked["stat"], rtol=1e-6, atol=1e-8
    )


def test_variances_that_may_be_negative_have_a_sign_and_an_intraclass_correlation():
    study = cn.simulate.nested(genes=60, rng=3)
    dds = cn.DESeqDataSet(
        study.counts, study.samples, design="~ treat1*treat2 + (1 | family)", reference=study.reference, quiet=True
    )
    noise = np.random.default_rng(4).normal(size=study.counts.shape)
    for name, bounded in (("lmm", True), ("free", False)):
        cn.lmm(dds, values=noise, filter=False, bounded=bounded, name=name, quiet=True)
    free, held = cn.variance_components(dds, "free"), cn.variance_components(dds)
    family = free["1 | family"]
    assert list(family) == ["variance", "icc", "low", "high"]
    inside = family["variance"] > 1e-8
    assert 5 < (~inside).sum() < 50
    assert (held["1 | family"]["sd"][~inside] == 0).all()
    np.testing.assert_allclose(family["variance"][inside], held["1 | family"]["sd"][inside] ** 2, rtol=1e-5)
    whole = family["variance"] + free["residual"]["sd"] ** 2
    np.testing.assert_allclose(family["icc"], family["variance"] / whole, rtol=1e-10)
    # of pairs: r = (MSB - MSW) / (MSB + MSW), and Fisher's z of it has a variance of about 1 / 20
    z, reach = np.arctanh(family["icc"]), 1.959964 / np.sqrt(20)
    np.testing.assert_allclose(family["low"], np.tanh(z - reach), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(family["high"], np.tanh(z + reach), rtol=1e-5, atol=1e-7)
    assert family["low"].min() > -1
    assert family["high"].max() < 1
    with pytest.raises(OptionError, match=r"variances of this fit may be negative.*cn\.variance_components has"):
        cn.random_effects(dds, "free")
    with pytest.raises(OptionError, match="random=False"):
        cn.residuals(dds, fit="free")
    marginal = cn.residuals(dds, fit="free", random=False)
    assert abs(marginal.to_numpy().std() - 1.0) < 0.15
    two_sided = cn.variance_test(dds, "free")
    assert two_sided.info.label == "variance of (1 | family): chi-square on 1 df"
    assert (two_sided.table["stat"][~inside] > 0).any()


@each(
    ("call", "error", "words"),
    [
        (lambda: cn.likelihood_ratio(sleep(), 3), OptionError, "reduced= must be the formula"),
        (
            lambda: cn.likelihood_ratio(sleep(fixed="~ 1"), "~ Days + (Days | Subject)"),
            DesignError,
            "fixed coefficients",
        ),
        (
            lambda: cn.likelihood_ratio(sleep("(1 | Subject)"), "~ 1 + (Days | Subject)"),
            DesignError,
            r"contains \(Days",
        ),
        (lambda: cn.likelihood_ratio(sleep(), sleep()), DesignError, "fewer parameters"),
        (lambda: cn.likelihood_ratio(weighted(), sleep("(1 | Subject)")), OptionError, "different weights"),
        (lambda: cn.likelihood_ratio(sleep(), other_values()), OptionError, "fitted to different values"),
        (
            lambda: cn.likelihood_ratio(sleep("(1 | Subject)"), sleep("(1 | Subject)", fixed="~ 1", bounded=False)),
            OptionError,
            r"negative in one of them only \(bounded=\)",
        ),
        (
            lambda: cn.likelihood_ratio(sleep(), fitted("~ 1 + (1 | Batch)", "Dyestuff", "Yield", 0.25)),
            OptionError,
            "different samples",
        ),
        (lambda: cn.likelihood_ratio(sleep(), "~ Days", fit="none"), OptionError, "fit='none'"),
        (lambda: cn.variance_test(sleep(), test="wald"), OptionError, "test='wald'"),
        (lambda: cn.random_effects(sleep(), se=True, coef=True), OptionError, "leave one"),
        (lambda: cn.residuals(sleep(), fit="lmm", replaced=True), OptionError, "replaced=True is for fits by DESeq2"),
        (lambda: cn.residuals(sleep()), MissingStepError, "give fit='lmm'"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def other_values():
    return fitted("~ Days + (1 | Subject)", shift=1.0)


def test_other_methods_have_no_such_comparison():
    study = cn.simulate.nested(genes=200, rng=3)
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ treat1", quiet=True)
    dds = cn.limma(dds, quiet=True)
    for call in (cn.variance_test, lambda *given: cn.likelihood_ratio(given[0], "~ 1", fit=given[1])):
        with pytest.raises(OptionError, match=r"is for mixed models, and 'limma' is a fit of limma-voom: fit them"):
            call(dds, "limma")
