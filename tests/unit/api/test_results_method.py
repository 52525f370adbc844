"""From a fitted data set to a table: the ways to ask, the options, and why a p-value is missing."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from cases import each
from countnest.errors import ContrastError, DesignError, OptionError
from countnest.stats.inference.adjust import adjust
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    """Three groups in two batches; not changed by the tests."""
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)


@pytest.fixture(scope="module")
def lrt():
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(test="LRT", reduced="~ batch", quiet=True)


def assert_same_change(found, expected, columns=("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")):
    for column in columns:
        np.testing.assert_allclose(found.table[column], expected.table[column], rtol=1e-9, err_msg=column)


# ---- the ways to ask ----


def test_a_level_against_the_reference(dds):
    named = dds.results(name="group_c_vs_a")
    for contrast in (
        [0, 0, 0, 1],
        np.array([0.0, 0.0, 0.0, 1.0]),
        (["group_c_vs_a"], []),
        [["group_c_vs_a"]],
        pd.Series({"group_c_vs_a": 1.0}),
    ):
        assert_same_change(dds.results(contrast), named)
    triple = dds.results(("group", "c", "a"))
    counted = dds.counts().to_numpy()[:, dds.samples["group"].isin(["a", "c"])].any(axis=1)
    assert counted.sum() == 148
    assert_same_change(triple, named)
    assert triple.info.label == "group c vs a"


def test_two_levels_that_are_not_the_reference(dds):
    triple = dds.results(("group", "c", "b"))
    weights = [0, 0, -1, 1]
    assert_same_change(dds.results(weights), triple)
    assert_same_change(dds.results((["group_c_vs_a"], ["group_b_vs_a"])), triple)
    beta, dispersion = dds.coef().to_numpy(), dds.dispersions.to_numpy()
    np.testing.assert_allclose(triple.table["log2FoldChange"], beta @ weights, rtol=1e-12)
    np.testing.assert_allclose(triple.table["stat"], triple.table["log2FoldChange"] / triple.table["lfcSE"], rtol=1e-12)
    # the standard error, from the covariance of the coefficients
    X = dds.design.matrix
    mu = np.maximum(dds.mu().to_numpy(), 0.5)
    for g in (10, 50, 100):
        w = mu[g] / (1.0 + dispersion[g] * mu[g])
        covariance = np.linalg.inv(X.T @ (w[:, None] * X))
        expected = np.sqrt(weights @ covariance @ np.array(weights)) / np.log(2.0)
        assert triple.table["lfcSE"].iloc[g] == pytest.approx(expected, rel=1e-4)


def test_a_comparison_turned_round_changes_its_sign(dds):
    one, other = dds.results(("group", "b", "c")).table, dds.results(("group", "c", "b")).table
    for column in ("log2FoldChange", "stat"):
        np.testing.assert_allclose(one[column], -other[column], rtol=1e-12)
    for column in ("lfcSE", "pvalue", "padj"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-12)


def test_single_coefficients_scale(dds):
    one, three = dds.results([0, 1, 0, 0]).table, dds.results([0, -3, 0, 0]).table
    np.testing.assert_allclose(three["log2FoldChange"], -3 * one["log2FoldChange"], rtol=1e-12)
    np.testing.assert_allclose(three["lfcSE"], 3 * one["lfcSE"], rtol=1e-12)
    np.testing.assert_allclose(three["pvalue"], one["pvalue"], rtol=1e-12)


def test_list_values_weigh_the_lists(dds):
    found = dds.results((["group_b_vs_a", "group_c_vs_a"], ["batch_y_vs_x"]), list_values=(0.5, -0.25))
    assert_same_change(found, dds.results([0, -0.25, 0.5, 0.5]))


def test_without_a_query_the_last_coefficient(dds):
    assert_same_change(dds.results(), dds.results(name="group_c_vs_a"))
    assert dds.results().info.label == "group c vs a"


def test_thresholds_are_tested_where_no_group_has_a_count():
    # results(dds, contrast = c("group", "C", "B"), lfcThreshold =, altHypothesis =) in R, dispersions 0.1
    counts = pd.DataFrame([[40, 55, 61] + [0] * 6, [5, 2, 1] + [0] * 6, [20, 31, 25, 40, 28, 33, 61, 49, 70]])
    sheet = pd.DataFrame({"group": list("AAABBBCCC")})
    of_r = {
        ("greaterAbs", 0.0): ((0.0, 2.016377695), (1.0, 0.04376049603), (1.0, 0.09035266019)),
        ("lessAbs", 1.0): ((0.5858171423, 0.402380936), (0.2789992014, 0.343701849), (0.2896755743, 0.3506734911)),
        ("greater", 0.0): ((0.0, 2.016377695), (0.5, 0.02188024801), (0.5, 0.0451763301)),
        ("greater", 1.0): ((0.0, 0.0), (0.7210007986, 0.656298151), (0.7103244257, 0.6493265089)),
        ("less", 0.0): ((0.0, 0.0), (0.5, 0.978119752), (0.5, 0.9548236699)),
        ("less", 1.0): ((0.0, 0.0), (0.7210007986, 0.9999953993), (0.7103244257, 0.9978006219)),
    }
    for use_t in (False, True):
        dds = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.ones(9))
        dds.dispersions = np.full(3, 0.1)
        dds.nbinom_wald_test(use_t=use_t, quiet=True)
        for (alternative, threshold), (stat, *p_values) in of_r.items():
            options = {"lfc_threshold": threshold, "alt_hypothesis": alternative}
            for ask in (("group", "C", "B"), [0, -1, 1], (["group_C_vs_A"], ["group_B_vs_A"])):
                table = dds.results(ask, **options).table
                assert list(table["log2FoldChange"].iloc[:2]) == [0.0, 0.0]
                np.testing.assert_allclose(table["lfcSE"], [1.707017306, 1.707017306, 0.4134352171], rtol=1e-8)
                np.testing.assert_allclose(table["stat"].abs(), np.take(stat, [0, 0, 1]), rtol=1e-8)
                np.testing.assert_allclose(table["pvalue"], np.take(p_values[use_t], [0, 0, 1]), rtol=1e-8)
            asked = dds.query("group[C - B]").test(**options).table
            pd.testing.assert_frame_equal(asked[table.columns], dds.results(("group", "C", "B"), **options).table)
        # DESeq2 has these since 1.44 and 1.50: nothing is less like a large change than none
        for alternative in ("greaterAbs", "greaterAbs2014", *([] if use_t else ["greaterAbsUPSHOT"])):
            table = dds.results(("group", "C", "B"), lfc_threshold=1.0, alt_hypothesis=alternative).table
            np.testing.assert_allclose(table["pvalue"].iloc[:2], 1.0, rtol=1e-14)
            assert (table["pvalue"] <= 1.0).all()
            assert list(table["stat"].iloc[:2]) == [0.0, 0.0]


def test_groups_without_counts_do_not_differ():
    counts, sheet = study()
    counts.iloc[5] = [9] * 4 + [0] * 8  # counts in group a alone
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    row = dds.results(("group", "c", "b")).table.loc["g5"]
    assert (row["log2FoldChange"], row["stat"], row["pvalue"]) == (0.0, 0.0, 1.0)
    assert row["lfcSE"] > 0
    assert dds.results(("group", "b", "a")).table.loc["g5", "pvalue"] < 0.05
    for weights in ([0, -1, 1], (["group_c_vs_a"], ["group_b_vs_a"])):  # of the samples of b and c
        assert dds.results(weights).table.loc["g5", "pvalue"] == 1.0
    assert dds.results([1, -1, 1]).table.loc["g5", "pvalue"] < 1.0  # of all samples


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ({"contrast": ("group", "c", "d")}, "'d' is not a level of 'group'"),
        ({"contrast": ("grp", "c", "b")}, "'grp' is not in the design"),
        ({"contrast": [1, 0]}, "one element for every element"),
        ({"name": "group_c"}, "'group_c' is not a coefficient"),
        ({"name": "group_c_vs_a", "contrast": ("group", "c", "a")}, "either 'contrast' or 'name'"),
    ],
)
def test_queries_without_an_answer(dds, ask, message):
    with pytest.raises(ContrastError, match=message):
        dds.results(**ask)


# ---- options ----


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"alpha": 0.0}, OptionError, "alpha=0.0 must be a number, greater than 0"),
        ({"alpha": 1.0}, OptionError, "alpha=1.0 must lie between 0 and 1"),
        ({"alpha": np.nan}, OptionError, "alpha=nan"),
        ({"alpha": "0.1"}, OptionError, "alpha='0.1'"),
        ({"alpha": True}, OptionError, "alpha=True"),
        ({"lfc_threshold": -1.0}, OptionError, "lfc_threshold=-1.0 must be a number"),
        ({"lfc_threshold": np.nan}, OptionError, "lfc_threshold=nan"),
        ({"lfc_threshold": np.inf}, OptionError, "lfc_threshold=inf"),
        ({"alt_hypothesis": "lessAbs"}, OptionError, "lessAbs.*set the argument lfc_threshold"),
        ({"alt_hypothesis": "two.sided"}, OptionError, "alt_hypothesis='two.sided' is not known"),
        ({"alt_hypothesis": "lesser"}, OptionError, "Did you mean 'less'"),
        ({"p_adjust": "bh"}, OptionError, "p_adjust='bh' is not known.*Did you mean 'BH'"),
        ({"cooks_cutoff": -1.0}, OptionError, "cooks_cutoff=-1.0"),
        ({"cooks_cutoff": "no"}, OptionError, "cooks_cutoff='no'"),
        ({"test": "wald"}, OptionError, "test='wald' is not known"),
        ({"test": "LRT"}, ContrastError, "test='LRT' needs a likelihood ratio fit"),
    ],
)
def test_options_are_checked(dds, options, error, message):
    with pytest.raises(error, match=message):
        dds.results(**options)


@pytest.mark.parametrize("options", [{"lfc_threshold": 1.0}, {"alt_hypothesis": "greater"}])
def test_thresholds_are_for_wald_tests(lrt, options):
    with pytest.raises(ContrastError, match="must be Wald, averaged or QL tests"):
        lrt.results(**options)
    assert lrt.results(test="Wald", **options).info.test == "Wald"


@pytest.mark.parametrize("alternative", ["greaterAbs", "greaterAbs2014", "lessAbs", "greater", "less"])
def test_thresholds_are_log2(dds, alternative):
    found = dds.results(lfc_threshold=0.5, alt_hypothesis=alternative)
    lfc, se = found.table["log2FoldChange"].to_numpy(), found.table["lfcSE"].to_numpy()
    sf = scipy.stats.norm.sf
    expected = {
        "greaterAbs": sf((np.abs(lfc) - 0.5) / se) + sf((np.abs(lfc) + 0.5) / se),
        "greaterAbs2014": np.minimum(1.0, 2.0 * sf((np.abs(lfc) - 0.5) / se)),
        "lessAbs": np.maximum(sf((0.5 - lfc) / se), sf((0.5 + lfc) / se)),
        "greater": sf((lfc - 0.5) / se),
        "less": sf((-0.5 - lfc) / se),
    }[alternative]
    np.testing.assert_allclose(found.table["pvalue"], expected, rtol=1e-10)
    assert (found.info.lfc_threshold, found.info.alt_hypothesis) == (0.5, alternative)


def test_p_values_are_adjusted_by_the_given_method(dds):
    for method in ("BH", "holm", "none"):
        found = dds.results(p_adjust=method, independent_filtering=False)
        np.testing.assert_array_equal(found.table["padj"], adjust(found.table["pvalue"].to_numpy(), method))
        assert found.info.p_adjust == method
    assert not found.info.independent_filtering
    assert found.info.filter_theta is None


def test_use_t_compares_with_residual_degrees_of_freedom():
    counts, sheet = study()
    normal, t = (
        cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(use_t=use_t, quiet=True)
        for use_t in (False, True)
    )
    z, table = normal.results().table, t.results().table
    np.testing.assert_array_equal(z["stat"], table["stat"])
    np.testing.assert_allclose(table["pvalue"], 2.0 * scipy.stats.t.sf(table["stat"].abs(), 12 - 4), rtol=1e-12)
    np.testing.assert_allclose(t.genes["WaldPvalue_group_c_vs_a"], table["pvalue"], rtol=1e-12)
    above = t.results(lfc_threshold=1.0, alt_hypothesis="greater").table
    expected = scipy.stats.t.sf((above["log2FoldChange"] - 1.0) / above["lfcSE"], 8)
    np.testing.assert_allclose(above["pvalue"], expected, rtol=1e-12)


# ---- why padj is missing ----


def two_groups(n_per_group=6):
    counts, sheet = study(n_genes=300, n=2 * n_per_group, levels=("a", "b"))
    counts.iloc[20, 1] = 80_000
    counts.iloc[21] = 0
    counts.iloc[21, 2] = 900
    return counts, sheet


def test_every_reason():
    counts, sheet = two_groups()
    rng = np.random.default_rng(5)
    counts.iloc[100:200] = rng.poisson(0.6, (100, 12))
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    found = dds.results()
    table, reason = found.table, found.table["padj_reason"]
    assert list(reason.cat.categories) == ["tested", "all_zero", "outlier", "low_count"]
    empty = ~counts.any(axis=1)
    outlier = (dds.genes["maxCooks"] > found.info.cooks_cutoff).fillna(False)
    low = ~empty & ~outlier & (table["baseMean"] < found.info.filter_threshold)
    assert outlier[["g20", "g21"]].all()
    assert min(empty.sum(), outlier.sum(), low.sum()) > 0
    expected = np.select([empty, outlier, low], ["all_zero", "outlier", "low_count"], "tested")
    np.testing.assert_array_equal(reason, expected)
    np.testing.assert_array_equal(table["padj"].isna(), reason != "tested")
    np.testing.assert_array_equal(table["pvalue"].isna(), reason.isin(["all_zero", "outlier"]))
    np.testing.assert_array_equal(table["log2FoldChange"].isna(), empty)
    assert found.info.cooks_cutoff == pytest.approx(scipy.stats.f.ppf(0.99, 2, 10), rel=1e-12)
    np.testing.assert_allclose(table["padj"], adjust(table["pvalue"].where(~low).to_numpy()), rtol=1e-12)


@pytest.mark.parametrize("cutoff", [False, np.inf])
def test_outliers_can_be_kept(cutoff):
    dds = cn.DESeqDataSet(*two_groups(), design="~ group").deseq(quiet=True)
    found = dds.results(cooks_cutoff=cutoff)
    assert not (found.table["padj_reason"] == "outlier").any()
    assert found.info.cooks_cutoff is None
    assert found.table.loc["g20", "pvalue"] > 0
    pd.testing.assert_frame_equal(dds.results(cooks_cutoff=True).table, dds.results().table)
    lower = dds.results(cooks_cutoff=1.0).table["padj_reason"] == "outlier"
    assert lower.sum() > (dds.results().table["padj_reason"] == "outlier").sum()


def test_in_two_groups_a_count_that_others_exceed_is_no_outlier():
    counts, sheet = two_groups()
    counts.iloc[22] = [0, 3000, 0, 1, 0, 2, 9000, 8000, 9500, 8700, 9100, 8800]  # far from its group, not from all
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    found = dds.results()
    assert dds.genes.loc["g22", "maxCooks"] > found.info.cooks_cutoff
    assert found.table.loc["g22", "padj_reason"] == "tested"
    assert found.table.loc["g20", "padj_reason"] == "outlier"
    # the rule is for two groups alone
    both = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True).results()
    assert both.info.cooks_cutoff == pytest.approx(scipy.stats.f.ppf(0.99, 3, 9), rel=1e-12)


def test_replaced_outliers_are_tested_and_emptied_genes_do_not_change():
    counts, sheet = two_groups(8)
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    assert dds.genes["replace"][["g20", "g21"]].all()
    table = dds.results(independent_filtering=False).table
    assert not (table["padj_reason"] == "outlier").any()
    assert table.loc["g20", "padj_reason"] == "tested"
    assert table.loc["g20", "baseMean"] < 20_000
    emptied = table.loc["g21"]
    columns = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"]
    assert emptied[columns].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    assert emptied["padj_reason"] == "tested"
    assert dds.coef().loc["g21"].isna().all()
    np.testing.assert_array_equal(dds.counts(replaced=True).loc["g21"], 0)
    # g0 never had a count
    assert table.loc["g0", columns[1:]].isna().all()
    assert table.loc["g0", "padj_reason"] == "all_zero"


def test_replaced_genes_are_fitted_as_if_their_counts_had_been_so():
    counts, sheet = two_groups(8)
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(minmu=30.0, use_t=True, quiet=True)
    dds.deseq(minmu=30.0, use_t=True, min_replicates_for_replace=4, quiet=True)
    replaced = dds.counts(replaced=True)
    assert (replaced != dds.counts()).any(axis=1)["g20"]
    other = cn.DESeqDataSet(replaced.astype(int), sheet, design="~ batch + group", size_factors=dds.size_factors)
    other.estimate_dispersions(minmu=30.0, quiet=True)
    own = ["baseMean", "baseVar", "dispGeneEst", "dispGeneIter"]
    pd.testing.assert_series_equal(dds.genes.loc["g20", own], other.genes.loc["g20", own])
    table = dds.results(independent_filtering=False).table
    p_values = 2.0 * scipy.stats.t.sf(table["stat"].abs(), 16 - 3)
    emptied = dds.counts().any(axis=1) & ~replaced.any(axis=1)
    np.testing.assert_allclose(table["pvalue"][~emptied], p_values[~emptied], rtol=1e-10)


def test_counts_of_small_groups_are_not_replaced():
    counts, sheet = two_groups(8)
    sheet["group"] = np.where(np.arange(16) < 4, "a", "b")
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    assert dds.genes["replace"][["g20", "g21"]].all()  # outliers in a group of four
    pd.testing.assert_frame_equal(dds.counts(replaced=True).iloc[:, :4], dds.counts().iloc[:, :4])
    table = dds.results().table
    assert (table.loc[["g20", "g21"], "padj_reason"] == "outlier").all()
    assert table.loc["g20", "baseMean"] > 1000.0
    # what is replaced no longer counts as a distance
    others = dds.cooks().iloc[:, :4].max(axis=1)
    np.testing.assert_array_equal(dds.genes["maxCooks"], others)
    assert (dds.cooks().iloc[:, 4:].max(axis=1) > others).any()


def test_infinite_min_replicates_replace_nothing():
    dds = cn.DESeqDataSet(*two_groups(8), design="~ group")
    dds.deseq(min_replicates_for_replace=np.inf, quiet=True)
    assert "replace" not in dds.genes
    assert (dds.results().table.loc[["g20", "g21"], "padj_reason"] == "outlier").all()


# ---- likelihood ratio test ----


def test_likelihood_ratio_test_compares_deviances(lrt):
    reduced = cn.DESeqDataSet(*study(), design="~ batch", size_factors=lrt.size_factors)
    genes, table = lrt.genes, lrt.results().table
    assert lrt.results().info.reduced == "~ batch"
    expected = scipy.stats.chi2.sf(table["stat"], 2)
    np.testing.assert_allclose(table["pvalue"], expected, rtol=1e-12)
    np.testing.assert_array_equal(genes["LRTPvalue"], table["pvalue"])
    # the reduced model at the dispersions of the full one, by hand
    X = reduced.design.matrix
    f, counts = lrt.size_factors.to_numpy(), lrt.counts().to_numpy()
    for g in (10, 60, 140):
        alpha = genes["dispersion"].iloc[g]
        r = 1.0 / alpha

        def loss(beta, y=counts[g], r=r):
            mu = f * np.exp(X @ beta)
            return -scipy.stats.nbinom.logpmf(y, r, r / (r + mu)).sum()

        best = scipy.optimize.minimize(loss, [np.log(counts[g].mean() + 1.0), 0.0], tol=1e-10)
        assert table["stat"].iloc[g] == pytest.approx(2.0 * best.fun - genes["deviance"].iloc[g], abs=1e-4)


def test_a_likelihood_ratio_fit_still_answers_with_fold_changes(lrt, dds):
    for contrast in (("group", "b", "a"), ("group", "c", "b")):
        found, wald = lrt.results(contrast), dds.results(contrast)
        np.testing.assert_array_equal(found.table["log2FoldChange"], wald.table["log2FoldChange"])
        assert_same_change(lrt.results(contrast, test="Wald"), wald)
        np.testing.assert_array_equal(found.table["pvalue"], lrt.results().table["pvalue"])


@each(
    ("full", "options", "error", "message"),
    [
        ("~ group", {"test": "LRT"}, OptionError, "requires a 'reduced' design"),
        ("~ group", {"reduced": "~ 1"}, OptionError, "reduced= is given but test='Wald'"),
        ("~ group", {"test": "LRT", "reduced": "~ batch"}, DesignError, "not nested.*not in the full formula: 'batch'"),
        ("~ batch", {"test": "LRT", "reduced": "~ batch + group"}, DesignError, "'group'"),
        ("~ group", {"test": "LRT", "reduced": "~ group"}, DesignError, "less than one degree of freedom"),
        ("~ group", {"test": "LRT", "reduced": "~ 0 + group"}, DesignError, "less than one degree of freedom"),
        ("~ group", {"test": "LRT", "reduced": "~ nothing"}, DesignError, "'nothing'"),
    ],
    ids=["missing", "not used", "not nested", "reversed", "the same", "recoded", "unknown"],
)
def test_reduced_models_that_cannot_be_tested(full, options, error, message):
    dds = cn.DESeqDataSet(*study(), design=full)
    with pytest.raises(error, match=message):
        dds.deseq(**options, quiet=True)
    assert dds.size_factors is None


def test_reduced_models_may_be_written_otherwise():
    counts, sheet = study()
    full = cn.DESeqDataSet(counts, sheet, design="~ batch + group")
    full.deseq(test="LRT", reduced="~ 0 + batch", quiet=True)
    named = full.results().table["pvalue"]
    full.nbinom_lrt(pd.DataFrame({"one": 1.0, "y": (sheet["batch"] == "y").astype(float)}), quiet=True)
    np.testing.assert_allclose(full.results().table["pvalue"], named, rtol=1e-4)
    assert full.results().info.reduced is None


def test_designs_without_residual_degrees_of_freedom():
    counts, sheet = study(n=6)
    sheet["each"] = [f"e{j}" for j in range(6)]
    dds = cn.DESeqDataSet(counts, sheet, design="~ each")
    for step in (dds.deseq, dds.estimate_size_factors().estimate_dispersions):
        with pytest.raises(DesignError, match="same number of samples and coefficients"):
            step(quiet=True)
