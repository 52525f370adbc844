"""Questions to the averaged likelihood ratio test: thresholds, sides, several rows, intervals, special genes."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from cases import each
from countnest import simulate
from countnest.errors import ContrastError, OptionError
from countnest.methods.deseq2.averaged import averaging
from countnest.stats.averaged.prior import FEW_GENES
from unit.api.simulated import study

C_AGAINST_A = [0.0, 0.0, 0.0, 1.0]
ALTERNATIVES = ("greaterAbs", "greaterAbs2014", "greater", "less", "lessAbs")


def fitted(counts, sheet, design="~ batch + group", **options):
    inputs = {name: options.pop(name) for name in ("weights", "normalization_factors") if name in options}
    return cn.DESeqDataSet(counts, sheet, design=design, quiet=True, **inputs).deseq(quiet=True, **options)


def posterior_of(dds):
    """Return the averaged test of the last analysis of a data set, ready for questions."""
    fit = dds._fit()
    return averaging(fit.counts_used, fit.state, fit.layout, fit.engine)


@pytest.fixture(scope="module")
def dds():
    """Three groups; g0 and g1 have no count, g2 and g3 none in group c, g4 none in b and c."""
    counts, sheet = study(n_genes=300)
    counts.loc["g4"] = np.where(sheet["group"] == "a", 40, 0)
    return fitted(counts, sheet)


@pytest.fixture(scope="module")
def query(dds):
    return dds.contrast(C_AGAINST_A)


@pytest.fixture(scope="module")
def table(query):
    return query.test("averaged").table


def asked(query, threshold, alternative):
    return query.test("averaged", lfc_threshold=threshold, alt_hypothesis=alternative).table


# ---- which question ----


def test_results_and_queries_give_the_same_table(dds, query, table):
    found = dds.results(("group", "c", "a"), test="averaged")
    pd.testing.assert_frame_equal(found.table, table, check_exact=True)
    pd.testing.assert_frame_equal(dds.results(C_AGAINST_A, test="averaged").table, table, check_exact=True)
    pd.testing.assert_frame_equal(dds.effect("group").test("averaged")[1].table, table, check_exact=True)
    assert found.info.test == query.test("averaged").info.test == "averaged LRT"
    assert found.info.reduced == "without 'group c vs a'"


def test_the_test_of_the_analysis_is_the_default(dds, table):
    again = fitted(dds.counts(), dds.samples, test="averaged")
    pd.testing.assert_frame_equal(again.results(("group", "c", "a")).table, table, check_exact=True)
    assert again.results().info.test == "averaged LRT"
    pd.testing.assert_frame_equal(again.contrast(C_AGAINST_A).test().table, table, check_exact=True)
    wald = again.results(("group", "c", "a"), test="Wald")
    pd.testing.assert_frame_equal(wald.table, dds.results(("group", "c", "a")).table, check_exact=True)


def test_a_likelihood_ratio_fit_answers_too(dds, table):
    lrt = fitted(dds.counts(), dds.samples, test="LRT", reduced="~ batch")
    found = lrt.results(("group", "c", "a"), test="averaged")
    pd.testing.assert_frame_equal(found.table, table, check_exact=True)
    assert lrt.results().info.test == "LRT"


def test_fold_changes_are_those_of_maximum_likelihood(query, table):
    wald = query.test("wald").table
    np.testing.assert_array_equal(table["log2FoldChange"], wald["log2FoldChange"])
    np.testing.assert_array_equal(table["baseMean"], wald["baseMean"])


def test_the_statistic_has_the_p_value_and_the_sign_of_the_change(table):
    known = table.dropna(subset="pvalue")
    np.testing.assert_allclose(2.0 * scipy.stats.norm.sf(known["stat"].abs()), known["pvalue"], rtol=1e-9)
    np.testing.assert_array_equal(np.sign(known["stat"]), np.sign(known["log2FoldChange"]))


def test_one_row_tested_jointly_is_one_row(dds, table):
    twice = dds.contrast([C_AGAINST_A, [0.0, 0.0, 0.0, -2.0]]).test("averaged", joint=True)
    assert twice.info.label.endswith("1 df")
    np.testing.assert_array_equal(twice.table["pvalue"], table["pvalue"])
    np.testing.assert_allclose(twice.table["stat"], table["stat"] ** 2, rtol=1e-12)


def test_the_scale_of_a_contrast_does_not_matter(dds, table):
    for scale in (3.0, -0.01):
        found = dds.contrast(scale * np.array(C_AGAINST_A)).test("averaged").table
        np.testing.assert_allclose(found["pvalue"], table["pvalue"], rtol=1e-9)
        np.testing.assert_allclose(found["stat"], np.sign(scale) * table["stat"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["lfcSE"], abs(scale) * table["lfcSE"], rtol=1e-12)


def test_joint_tests_do_not_depend_on_how_their_rows_are_written(dds):
    rows = np.array([[0.0, 0.0, 1.0, 0.0], C_AGAINST_A])
    one = dds.contrast(rows).test("averaged", joint=True).table
    other = dds.contrast(np.array([[1.0, 1.0], [-3.0, 0.5]]) @ rows).test("averaged", joint=True).table
    effect = dds.effect("group").test("averaged", joint=True).table
    known = np.log(one["pvalue"])
    for found in (other, effect):
        np.testing.assert_allclose(np.log(found["pvalue"]), known, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(scipy.stats.chi2.sf(one["stat"], 2), one["pvalue"], rtol=1e-9)


# ---- thresholds and sides ----


@each("alternative", ["greaterAbs", "greaterAbs2014"])
def test_thresholds_near_zero_give_the_test_of_zero(query, table, alternative):
    for threshold, allowed in ((1e-8, 1e-6), (1e-4, 1e-2)):
        found = asked(query, threshold, alternative)
        np.testing.assert_allclose(found["pvalue"], table["pvalue"], rtol=allowed)


def test_the_two_sides_are_complementary(query, table):
    greater, less = (asked(query, 0.0, side)["pvalue"] for side in ("greater", "less"))
    np.testing.assert_allclose(greater + less, np.where(np.isnan(table["pvalue"]), np.nan, 1.0), rtol=1e-12)
    up = table["log2FoldChange"] > 0
    np.testing.assert_allclose(np.where(up, greater, less), table["pvalue"] / 2.0, rtol=1e-6, atol=1e-12)


def test_thresholds_lie_between_their_sides(query):
    """Beyond either side; not within both."""
    threshold = 0.7
    above, below, beyond, within = (
        asked(query, threshold, side)["pvalue"].dropna() for side in ("greater", "less", "greaterAbs", "lessAbs")
    )
    # the tail beyond the near threshold, and that beyond the far one
    np.testing.assert_allclose(beyond, 1.0 - (above - below).abs(), rtol=1e-6, atol=1e-12)
    doubled = asked(query, threshold, "greaterAbs2014")["pvalue"].dropna()
    np.testing.assert_allclose(doubled, np.minimum(2.0 * np.minimum(above, below), 1.0), rtol=1e-9)
    np.testing.assert_allclose(within, 1.0 - np.minimum(above, below), rtol=1e-9, atol=1e-12)
    for p in (above, below, beyond, within, doubled):
        assert ((p >= 0.0) & (p <= 1.0)).all()


@each("alternative", ALTERNATIVES)
def test_thresholds_are_near_those_of_wald_tests(query, alternative):
    averaged, wald = (
        query.test(kind, lfc_threshold=1.0, alt_hypothesis=alternative).table for kind in ("averaged", "wald")
    )
    known = averaged["pvalue"].notna() & ~averaged["separated"]
    found, expected = averaged["pvalue"][known], wald["pvalue"][known]
    assert scipy.stats.spearmanr(found, expected).statistic > 0.99
    assert np.abs(found - expected).max() < 0.15
    assert (averaged["stat"][known] == 0.0).sum() > 0


@each("alternative", ALTERNATIVES)
def test_larger_thresholds_are_passed_by_fewer_genes(query, alternative):
    p = [asked(query, threshold, alternative)["pvalue"].dropna() for threshold in (0.1, 0.5, 1.0, 3.0)]
    side = -1.0 if alternative == "lessAbs" else 1.0
    for smaller, larger in itertools.pairwise(p):
        assert (side * (larger - smaller) >= -1e-3).all()


# ---- intervals ----


def test_intervals_hold_their_coverage_on_average_over_the_dispersions(dds, query):
    found = query.test("averaged", confint=0.95).table
    known = found["pvalue"].notna().to_numpy()
    half = (found["ciUpper"] - found["ciLower"]).to_numpy() / 2.0
    np.testing.assert_allclose(found["ciUpper"] + found["ciLower"], 2.0 * found["log2FoldChange"], rtol=1e-9)
    posterior = posterior_of(dds)
    # at every node of its own: the averaged variance with all weight at one node
    nodes = len(posterior.nodes.delta)
    tail = np.zeros(known.sum())
    for k in range(nodes):
        single = np.zeros((len(found), nodes))
        single[:, k] = 1.0
        at_node = replace(posterior, genes=posterior.genes.with_arrays(posterior=single))
        se = np.sqrt(at_node.variances(np.array([C_AGAINST_A]))[known, 0]) / np.log(2.0)
        tail += posterior.genes.by_gene["posterior"][known, k] * scipy.stats.norm.sf(half[known] / se)
    np.testing.assert_allclose(tail, 0.025, rtol=1e-9)


def test_intervals_are_wider_than_normal_ones(query):
    for level in (0.95, 0.999):
        found = query.test("averaged", confint=level).table.dropna(subset="pvalue")
        normal = scipy.stats.norm.isf(0.5 * (1.0 - level)) * found["lfcSE"]
        assert ((found["ciUpper"] - found["ciLower"]) / 2.0 > normal * (1.0 - 1e-9)).all()
    wide, narrow = (query.test("averaged", confint=level).table for level in (0.99, 0.5))
    assert (wide["ciLower"] <= narrow["ciLower"]).sum() == narrow["ciLower"].notna().sum() > 200
    # of averages over few dispersions the tails are those of a normal mixture: longer far out
    far = query.test("averaged", confint=1.0 - 1e-9).table
    half = (far["ciUpper"] - far["ciLower"]) / 2.0 / far["lfcSE"]
    assert half.median() > 1.05 * scipy.stats.norm.isf(0.5e-9)


# ---- special genes ----


def test_genes_without_counts_are_missing(query):
    for alternative in ALTERNATIVES:
        found = query.test("averaged", lfc_threshold=0.5, alt_hypothesis=alternative, confint=0.9).table.iloc[:2]
        assert (found["padj_reason"] == "all_zero").all()
        numbers = ["log2FoldChange", "lfcSE", "ciLower", "ciUpper", "stat", "pvalue", "padj"]
        assert found[numbers].isna().all(axis=None)


def test_separated_genes_have_sensible_tests(table, query):
    rows = table.loc[["g2", "g3"]]
    assert rows["separated"].all()
    assert (rows["log2FoldChange"] < -3.0).all()
    assert (rows["stat"] < -4.0).all()
    assert np.isfinite(rows["stat"]).all()
    lrt = query.test("lrt").table.loc[["g2", "g3"], "pvalue"]
    np.testing.assert_allclose(np.log(rows["pvalue"]), np.log(lrt), rtol=0.6)
    # far beyond any threshold that their counts can tell
    beyond = asked(query, 0.5, "greaterAbs").loc[["g2", "g3"], "pvalue"]
    assert (beyond < 1e-4).all()
    assert (beyond > rows["pvalue"]).all()
    assert (asked(query, 0.5, "lessAbs").loc[["g2", "g3"], "pvalue"] > 0.999).all()
    found = query.test("averaged")
    assert found.descriptions()["separated"].endswith("the fold change is infinite, and the p-value is valid")
    assert found.summary().separated == 0


@each("alternative", ALTERNATIVES)
def test_genes_without_counts_in_what_is_compared_say_nothing(dds, alternative):
    threshold = 0.5 if alternative == "lessAbs" else 0.0
    row = asked(dds.query("group[c - b]"), threshold, alternative).loc["g4"]
    assert (row["log2FoldChange"], row["stat"], row["pvalue"]) == (0.0, 0.0, 1.0)
    assert not row["separated"]
    assert row["padj_reason"] == "tested"


def test_outliers_are_withheld_by_the_rule_of_cook(dds):
    counts = dds.counts()
    counts.loc["g50"] = 30
    counts.loc["g50", "s1"] = 30_000
    found = fitted(counts, dds.samples, "~ group")
    row = found.results(test="averaged").table.loc["g50"]
    assert row["padj_reason"] == "outlier"
    assert np.isnan(row["pvalue"])
    assert np.isnan(row["padj"])
    for kept in ({"cooks_cutoff": False}, {"cooks_cutoff": np.inf}):
        assert np.isfinite(found.results(test="averaged", **kept).table.loc["g50", "pvalue"])
    wald = found.results()
    assert wald.summary().outliers == found.results(test="averaged").summary().outliers == 1


def test_genes_that_replacement_emptied():
    counts, sheet = study(n_genes=200, n=16, levels=("a", "b"))
    counts.iloc[5] = 0
    counts.iloc[5, 3] = 5000
    counts.iloc[6, 2] = 80_000
    dds = fitted(counts, sheet, "~ group")
    assert list(dds.genes.index[dds.genes["replace"].fillna(False).astype(bool)]) == ["g5", "g6"]
    for alternative in ALTERNATIVES:
        row = dds.effect("group").test("averaged", lfc_threshold=0.5, alt_hypothesis=alternative, confint=0.9)
        row = row.table.iloc[5]
        assert (row["log2FoldChange"], row["lfcSE"], row["stat"], row["pvalue"]) == (0.0, 0.0, 0.0, 1.0)
        assert (row["ciLower"], row["ciUpper"]) == (0.0, 0.0)
    replaced = dds.effect("group").test("averaged").table.iloc[6]
    assert replaced["baseMean"] < 2000.0
    assert 0.01 < replaced["pvalue"] < 1.0
    assert dds.effect("group").test("averaged", joint=True).table["pvalue"].iloc[5] == 1.0


def test_filtering_is_that_of_its_own_p_values(query):
    found = query.test("averaged")
    table, info = found.table, found.info
    plain = query.test("averaged", independent_filtering=False).table
    np.testing.assert_array_equal(plain["pvalue"], table["pvalue"])
    known = plain["pvalue"].notna()
    np.testing.assert_allclose(plain["padj"][known], scipy.stats.false_discovery_control(plain["pvalue"][known]))
    low = table["padj_reason"] == "low_count"
    np.testing.assert_array_equal(low, known & (table["baseMean"] < info.filter_threshold))
    others = query.test("averaged", p_adjust="holm", independent_filtering=False).table
    assert (others["padj"][known] >= plain["padj"][known]).all()


# ---- few genes ----


def with_an_outlier(n_genes):
    """Return a data set, of which the first gene is a dispersion outlier with a change, to be tested at any size."""
    found = simulate.groups(genes=n_genes, sizes=(4, 4), fraction=0.0, dispersion_sd=0.1, base=(200.0, 2000.0), rng=5)
    counts = found.counts.copy()
    counts.iloc[0] = [40, 50, 45, 55, 60, 60, 70, 500]
    dds = cn.DESeqDataSet(counts, found.samples, design="~ group", quiet=True).deseq(quiet=True, fit_type="mean")
    assert dds.genes["dispOutlier"].iloc[0]
    assert dds.genes["dispersion"].iloc[0] < np.exp(3.5) * dds.genes["dispFit"].iloc[0]
    return dds.effect("group")


def test_few_genes_are_cautious_about_dispersion_outliers():
    options = {"cooks_cutoff": False}
    query = with_an_outlier(FEW_GENES - 1)
    averaged, lrt = (query.test(kind, **options).table["pvalue"] for kind in ("averaged", "lrt"))
    assert averaged.iloc[0] == pytest.approx(lrt.iloc[0], rel=1e-3)
    query = with_an_outlier(4 * FEW_GENES)
    averaged, lrt = (query.test(kind, **options).table["pvalue"] for kind in ("averaged", "lrt"))
    assert averaged.iloc[0] != pytest.approx(lrt.iloc[0], rel=1e-2)


@each("n_genes", [2, 30, 200, 600])
def test_any_number_of_genes_can_be_tested(n_genes):
    counts, sheet = study(n_genes=610)
    dds = fitted(counts.iloc[5 : 5 + n_genes], sheet, fit_type="mean", sharing="fit_only")
    found = dds.contrast(C_AGAINST_A).test("averaged").table
    assert found["pvalue"].between(0.0, 1.0).all()
    assert len(found) == n_genes


def test_dispersions_beyond_the_nodes_are_not_taken_for_smaller_ones(dds):
    counts = dds.counts()
    counts.loc["g50"] = 30
    counts.loc["g50", "s1"] = 30_000
    found = fitted(counts, dds.samples, "~ group")
    row = found.genes.loc["g50"]
    assert row["dispOutlier"]
    assert row["dispersion"] > np.exp(3.5) * row["dispFit"]
    averaged, lrt = (
        found.effect("group").test(kind, cooks_cutoff=False)[1].table["pvalue"] for kind in ("averaged", "lrt")
    )
    assert averaged["g50"] == pytest.approx(lrt["g50"], rel=1e-6)
    sides = [
        found.contrast([0.0, 0.0, 1.0])
        .test("averaged", alt_hypothesis=side, cooks_cutoff=False)
        .table.loc["g50", "pvalue"]
        for side in ("greater", "less")
    ]
    assert sides[1] == pytest.approx(lrt["g50"] / 2.0, rel=1e-3)
    assert sides[0] > 0.999


# ---- what is refused ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test": "averaged", "reduced": "~ batch"}, "reduced= is given but test='averaged' has no use for it"),
        ({"test": "averaged", "beta_prior": True}, "test='averaged' compares likelihoods, which have no prior"),
        ({"test": "averaged", "use_t": True}, "use_t=True is for Wald tests"),
        ({"test": "averaged", "sharing": "gene_est_only"}, "needs the trend of the dispersions"),
        ({"test": "average"}, "Did you mean 'averaged'"),
    ],
)
def test_analyses_that_do_not_go_together(options, words):
    with pytest.raises(OptionError, match=words):
        fitted(*study(n_genes=20), **options)


def test_dispersions_without_a_trend_are_refused():
    counts, sheet = study()
    gene_wise = fitted(counts, sheet, sharing="gene_est_only")
    given = cn.DESeqDataSet(counts, sheet, design="~ batch + group", quiet=True).estimate_size_factors()
    given.dispersions = np.full(len(counts), 0.1)
    given.nbinom_wald_test(quiet=True)
    for dds in (gene_wise, given):
        for ask in (lambda dds=dds: dds.results(test="averaged"), lambda dds=dds: dds.effect("group").test("averaged")):
            with pytest.raises(OptionError, match=r"have none: they are gene-wise or given\. Call estimate_disp"):
                ask()


def test_trends_of_all_kinds_will_do():
    counts, sheet = study()
    kinds = [{}, {"fit_type": "local"}, {"fit_type": "mean"}, {"sharing": "fit_only"}]
    usual, *others = (fitted(counts, sheet, **kind).results(test="averaged").table["pvalue"] for kind in kinds)
    for found in others:
        assert scipy.stats.spearmanr(found, usual, nan_policy="omit").statistic > 0.97


def test_questions_that_do_not_go_together(dds, query):
    with pytest.raises(OptionError, match="greaterAbsUPSHOT' is defined for Wald tests"):
        asked(query, 1.0, "greaterAbsUPSHOT")
    for options in ({"joint": True}, {"stagewise": True}):
        with pytest.raises(ContrastError, match="threshold"):
            dds.effect("group").test("averaged", lfc_threshold=1.0, **options)
    with pytest.raises(OptionError, match="confint"):
        dds.effect("group").test("averaged", joint=True, confint=0.9)
    shrunken = fitted(dds.counts(), dds.samples, beta_prior=True)
    for test, kind in (("averaged", "averaged"), ("QL", "ql")):
        with pytest.raises(OptionError, match=rf"no prior, and the analysis .*dds\.effect\(\.\.\.\)\.test\('{kind}'\)"):
            shrunken.results(test=test)
    pd.testing.assert_frame_equal(
        shrunken.contrast(C_AGAINST_A).test("averaged").table, query.test("averaged").table, check_exact=True
    )
