"""Questions to mixed models of two studies beside R: see stats/data/mixed_studies."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.stats.mixed.parts import square

FILE = Path(__file__).parents[1] / "stats" / "data" / "mixed_studies" / "reference.json.gz"
LN2 = np.log(2.0)


@pytest.fixture(scope="module")
def reference():
    return json.loads(gzip.decompress(FILE.read_bytes()))


def data_set(counts, genes, sheet, factors, design, reference):
    samples = [f"s{i:02d}" for i in range(len(factors))]
    return cn.DESeqDataSet(
        pd.DataFrame(counts, genes, samples), pd.DataFrame(sheet, samples), design=design, reference=reference,
        size_factors=np.array(factors), quiet=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def study94(reference):
    """94 samples of 48 families, four factors: R's numbers and the data set with its fits."""
    part = reference["study94"]
    dds = data_set(
        part["counts"], part["genes"], part["samples"], part["size_factors"],
        "~ father*mother*treat2*treat3 + (1 | family)",
        {"father": "no", "mother": "no", "treat2": "None", "treat3": "None"},
    )  # fmt: skip
    for df in ("kenward-roger", "satterthwaite"):
        cn.lmm(dds, df=df, filter=False, name=df, quiet=True)
    for reml in (True, False):
        cn.glmm(dds, reml=reml, name="nb2_REML" if reml else "nb2_ML", quiet=True)
    return part, dds


@pytest.fixture(scope="module")
def families48(reference):
    """24 families of two: R's numbers and the data set with its fits."""
    part = reference["families48"]
    genes = [f"g{i:02d}" for i in range(40)]
    dds = data_set(
        part["counts"], genes, part["design"], part["size_factors"], "~ treat1*treat2 + (1 | family)",
        {"treat1": "A", "treat2": "None"},
    )  # fmt: skip
    for df in ("satterthwaite", "containment"):
        cn.lmm(dds, df=df, filter=False, name=df, quiet=True)
    return part, dds


def numbers(part, genes, key):
    """R's numbers of some genes, genes x rows."""
    return np.array([part[gene][key] for gene in genes], dtype=float)


def column(found, name):
    """A column of all rows of an answer, genes x rows."""
    return np.column_stack([each.table[name] for each in found.values()])


def averaged(dds):
    """The averaged contrasts of R by name."""
    whole = {f"{name} averaged": dds.effect(name) for name in ("father", "mother", "treat2", "treat3")}
    return whole | {"father x treat2 averaged": dds.interaction(father="reference", treat2="reference")}


def test_averaged_effects_are_the_contrasts_by_hand(study94):
    part, dds = study94
    np.testing.assert_array_equal(dds.design.matrix, np.array(part["matrix"]))
    for name, query in averaged(dds).items():
        np.testing.assert_allclose(query.matrix[0], part["contrasts"][name], atol=1e-12)


def test_linear_tests_of_coefficients_and_averages_are_those_of_lmertest_and_pbkrtest(study94):
    part, dds = study94
    genes, places = part["genes"], {term: place for place, term in enumerate(part["terms"])}
    expected = {key: numbers(part["tests"], genes, key) for key in part["tests"][genes[0]]}
    interior = np.array(part["fit"]["theta1"]) > 0.03  # below, numerical derivatives cross the boundary
    asked = averaged(dds) | dict(zip(part["columns"], map(dds.contrast, dds.results_names()), strict=True))
    for term, query in asked.items():
        place = places[term]
        kr, satterthwaite = (query.test(fit=fit).table for fit in ("kenward-roger", "satterthwaite"))
        np.testing.assert_allclose(kr["log2FoldChange"], expected["estimate"][:, place], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(kr["lfcSE"], expected["se_kr"][:, place], rtol=1e-7)
        np.testing.assert_allclose(kr["df"], expected["df_kr"][:, place], rtol=1e-6)
        np.testing.assert_allclose(kr["pvalue"], expected["p_kr"][:, place], rtol=1e-5)
        np.testing.assert_allclose(satterthwaite["lfcSE"], expected["se"][:, place], rtol=1e-7)
        df = expected["df_satterthwaite"][:, place]
        np.testing.assert_allclose(satterthwaite["df"][interior], df[interior], rtol=2e-6)


def test_singular_fits_are_those_of_lmer(study94):
    part, dds = study94
    fits = dds._fits["kenward-roger"].fits
    singular = np.array(part["fit"]["singular"]) == 1
    assert singular.sum() == 6
    np.testing.assert_array_equal(fits.outcome == 1, singular)
    np.testing.assert_array_equal(fits.theta[singular], 0.0)
    np.testing.assert_allclose(fits.theta[:, 0], part["fit"]["theta1"], atol=2e-6)
    np.testing.assert_allclose(fits.sigma, part["fit"]["sigma"], rtol=1e-6)
    gain = fits.criterion - np.array(part["fit"]["criterion"])
    assert np.abs(gain).max() < 1e-7


def test_the_interaction_of_four_is_tested_by_likelihoods_as_in_r(study94):
    part, dds = study94
    pairs = {name: "reference" for name in ("father", "mother", "treat2", "treat3")}
    for fit in ("kenward-roger", "satterthwaite"):
        table = dds.interaction(**pairs).test("lrt", fit=fit).table
        np.testing.assert_allclose(table["stat"], part["fit"]["lrt_chisq"], atol=1e-7)
        np.testing.assert_allclose(table["pvalue"], part["fit"]["lrt_p"], rtol=1e-4)


@each("name", ["nb2_ML", "nb2_REML"])
def test_models_of_counts_are_those_of_glmmtmb(study94, name):
    part, dds = study94
    known = part["glmmTMB"][name]
    genes = [gene for gene in known if known[gene]["boundary"] == 0 and known[gene]["max_gradient"] < 1e-5]
    assert len(genes) >= 10
    places, fits = [part["genes"].index(gene) for gene in known], dds._fits[name].fits
    gain = fits.loglik[places] - [known[gene]["logLik"] for gene in known]
    assert gain.min() > -1e-6
    places = [part["genes"].index(gene) for gene in genes]
    np.testing.assert_allclose(fits.loglik[places], [known[gene]["logLik"] for gene in genes], atol=1e-6)
    np.testing.assert_allclose(fits.coefficients[places], numbers(known, genes, "estimate"), atol=5e-5)
    whole = np.sqrt(np.diagonal(square(fits.full_covariance[places]), axis1=1, axis2=2))
    np.testing.assert_allclose(whole, numbers(known, genes, "se"), rtol=1e-3)
    np.testing.assert_allclose(fits.theta[places, 0], numbers(known, genes, "sd_family"), atol=1e-4)
    alpha = 1.0 / numbers(known, genes, "size")
    np.testing.assert_allclose(fits.dispersion[places], alpha, rtol=1e-3)


def test_means_of_cells_are_the_contrasts_by_hand(study94):
    """Of glmmTMB by ML, whose standard errors include those of the variance parameters."""
    part, dds = study94
    queries = [dds.means(["father", "treat2"]), dds.cell(father="yes", mother="no", treat2="E", treat3="H")]
    for fit, name, tolerance in (("lmm", "kenward-roger", 1e-6), ("glmm", "nb2_ML", 5e-5)):
        genes = list(part["means"][fit])
        places = [part["genes"].index(gene) for gene in genes]
        answers = [query.test(fit=name) for query in queries]
        tables = [*answers[0].values(), answers[1]]
        assert part["means"][fit][genes[0]]["row"] == [
            "mean no None", "mean no E", "mean yes None", "mean yes E", "cell yes no E H",
        ]  # fmt: skip
        estimate, se = (
            np.column_stack([each.table[key].iloc[places] for each in tables]) for key in ("log2FoldChange", "lfcSE")
        )
        np.testing.assert_allclose(estimate, numbers(part["means"][fit], genes, "estimate"), rtol=tolerance)
        r = numbers(part["means"][fit], genes, "se")
        if fit == "lmm":
            np.testing.assert_allclose(se, r, rtol=1e-7)
            df = np.column_stack([each.table["df"].iloc[places] for each in tables])
            np.testing.assert_allclose(df, numbers(part["means"][fit], genes, "df"), rtol=1e-6)
        else:
            assert (se < r * (1.0 + 1e-4)).all()
            np.testing.assert_allclose(se, r, rtol=0.05)


def test_linear_models_of_families_of_two_are_those_of_lmer_and_lme(families48):
    part, dds = families48
    expected = part["lmer"]
    singular = np.array([each["singular"] for each in expected])
    for place, name in enumerate(dds.results_names()):
        query = dds.contrast(name)
        table, by_groups = (query.test(fit=fit).table for fit in ("satterthwaite", "containment"))
        r = {key: np.array([each[key][place] for each in expected]) for key in ("fixef", "se", "df", "p")}
        np.testing.assert_allclose(table["log2FoldChange"], r["fixef"], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(table["lfcSE"], r["se"], rtol=1e-7)
        small = np.array([each["theta"] for each in expected]) < 0.03
        np.testing.assert_allclose(table["df"][~small], r["df"][~small], rtol=2e-6)
        np.testing.assert_allclose(table["pvalue"][~small], r["p"][~small], rtol=1e-5)
        np.testing.assert_array_equal(by_groups["df"], [each["nlme_df"][place] for each in expected])
        p = np.array([each["nlme_p"][place] for each in expected])
        np.testing.assert_allclose(by_groups["pvalue"][~singular], p[~singular], rtol=1e-3)


def test_joint_tests_of_averaged_effects_are_the_anova_of_type_three(families48):
    part, dds = families48
    queries = [dds.effect("treat1"), dds.effect("treat2"), dds.interaction(treat1="reference", treat2="reference")]
    usable = np.array([each["theta"] > 0.03 for each in part["lmer"]])
    for place, query in enumerate(queries):
        table = query.joint().test(fit="satterthwaite").table
        r = {key: np.array([each["anova3"][key][place] for each in part["lmer"]]) for key in ("DenDF", "F", "p")}
        statistic = table["stat"] ** 2 if len(query) == 1 else table["stat"]
        np.testing.assert_allclose(statistic, r["F"], rtol=1e-4)  # anova's lmer ends where a plain search ends
        np.testing.assert_allclose(table["df"][usable], r["DenDF"][usable], rtol=1e-4)
        np.testing.assert_allclose(table["pvalue"][usable], r["p"][usable], rtol=1e-3)


def test_counts_of_families_of_two_are_those_of_glmmtmb(families48):
    part, dds = families48
    dds = cn.glmm(dds[:20], reml=False, quiet=True)
    fits, r = dds._fits["glmm"].fits, part["glmmTMB_nb2"]
    gain = fits.loglik - [each["logLik"] for each in r]
    assert gain.min() > -1e-6
    free = np.array([each["sd"] > 1e-2 and each["alpha"] > 1e-3 for each in r]) & (gain < 1e-6)
    assert free.sum() >= 12
    np.testing.assert_allclose(fits.coefficients[free], np.array([each["fixef"] for each in r])[free], atol=5e-5)
    np.testing.assert_allclose(fits.theta[free, 0], np.array([each["sd"] for each in r])[free], atol=1e-4)
    np.testing.assert_allclose(fits.dispersion[free], np.array([each["alpha"] for each in r])[free], rtol=1e-3)
    whole = np.sqrt(np.diagonal(square(fits.full_covariance[free]), axis1=1, axis2=2))
    np.testing.assert_allclose(whole, np.array([each["se"] for each in r])[free], rtol=1e-3)


def test_quasi_likelihood_is_that_of_glmmpql(families48):
    part, dds = families48
    r = part["glmmPQL_theta_known"]
    dds = cn.glmm(dds[:20], method="pql", dispersion=[1.0 / each["theta"] for each in r], quiet=True)
    fits = dds._fits["glmm"].fits
    np.testing.assert_allclose(fits.coefficients, [each["fixef"] for each in r], atol=2e-5)
    np.testing.assert_allclose(fits.sigma, [each["sd"][0] for each in r], atol=2e-4)
    np.testing.assert_allclose(fits.residual, [each["sd"][1] for each in r], atol=2e-4)
    se = np.sqrt(np.diagonal(square(fits.covariance), axis1=1, axis2=2))
    r_tables = np.array([each["tTable"] for each in r])
    np.testing.assert_allclose(se, r_tables[:, :, 1], rtol=1e-4)
    table = dds.contrast("treat1_B_vs_A").test(fit="glmm").table
    np.testing.assert_allclose(table["pvalue"], r_tables[:, 1, 4], rtol=1e-3)
