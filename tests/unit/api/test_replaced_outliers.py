"""Outliers that were replaced: what later steps and shrunken fold changes make of them, with R's numbers."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.removal import remove_results
from countnest.api.shrinkage import lfc_shrink
from countnest.errors import CountnestWarning, OptionError

SHOWN = ["g2", "g3", "g10", "g20", "g30", "g40"]
NA = np.nan
ENDS = ["ciLower", "ciUpper"]
COLUMNS = ["log2FoldChange", "lfcSE", "stat", "pvalue"]
# DESeq2 1.38.3 for these counts, rows SHOWN. DESeq(test = "LRT", reduced = ~ 1):
LRT = [
    [0.0299407240861293, 0.245338573993146, 0.0149190682162157, 0.9027852627458252],
    [0.5585078366690271, 0.245347316262890, 5.1560908329030894, 0.0231649803893541],
    [NA, NA, NA, NA],
    [0.0, 0.0, 0.0, 1.0],
    [-0.1953846319483713, 0.246836049328485, 0.6261007706335135, 0.4287891945604934],
    [-0.3128897831625153, 0.282659145007922, 1.2231786822705430, 0.2687377352428270],
]
# lfcShrink(DESeq(dds), type = "normal", lfcThreshold = 0.25) with coef = 2, and contrast = c("condition", "B", "A"):
SHRUNKEN = {
    "coef": [
        [0.0269594727880682, 0.220920278594870, 0.0, 1.0],
        [-4.7149309516134501, 0.217876788526223, -20.4929170372642382, NA],
        [NA, NA, NA, NA],
        [0.0, 0.0, 0.0, 1.0],
        [3.7001659870675798, 0.220782279908345, 15.6270058833520249, NA],
        [-0.2728577573685083, 0.246493865839538, -0.0927315464450064, 0.926116834544113],
    ],
    "contrast": [
        [0.0283717987314715, 0.232490004961407, 0.0, 1.0],
        [-4.9586374571183534, 0.229082117216132, -20.55436502132508, NA],
        [NA, NA, NA, NA],
        [0.0, 0.0, 0.0, 1.0],
        [3.8961183038196334, 0.232411522731539, 15.68819936708259, NA],
        [-0.2915069680694483, 0.263340511761115, -0.15761710111318, 0.874758527280935],
    ],
}
ASKED = {"coef": {"coef": "condition_B_vs_A"}, "contrast": {"contrast": ("condition", "B", "A")}}


def study():
    """Return counts of 60 genes in two groups of eight, all of them replaceable; three counts are outliers.

    The outlier of g20 is its only count; g10 has none.
    """
    i, j = np.arange(1, 61)[:, None], np.arange(1, 17)
    counts = ((20 + i * 37 % 400) * (40 + (i * i * 7 + j * j * 13 + i * j * 29) % 121)) // 100
    counts[:12, 8:] = counts[:12, 8:] * (120 + 20 * i[:12]) // 100
    counts[[9, 19]] = 0
    counts[2, 1], counts[19, 4], counts[29, 11] = 60000, 9000, 50000
    labels = [f"s{one}" for one in j]
    sheet = pd.DataFrame({"condition": np.repeat(["A", "B"], 8)}, index=labels)
    return pd.DataFrame(counts, index=[f"g{one}" for one in i[:, 0]], columns=labels), sheet


def fitted(**options):
    return cn.DESeqDataSet(*study(), design="~ condition").deseq(quiet=True, **options)


@pytest.fixture(scope="module")
def dds():
    return fitted()


def assert_same(one, other):
    """Both data sets know the same of their genes, and give the same results."""
    pd.testing.assert_frame_equal(one.results().table, other.results().table)
    pd.testing.assert_frame_equal(one.results(cooks_cutoff=1.0).table, other.results(cooks_cutoff=1.0).table)
    pd.testing.assert_frame_equal(one.cooks(), other.cooks(), rtol=1e-12)
    for name in ("maxCooks", "replace", "dispersion", "baseMean"):
        pd.testing.assert_series_equal(one.genes[name], other.genes[name], rtol=1e-12)


# ---- steps after the replacement ----


def test_a_second_fit_is_the_first(dds):
    again = fitted().nbinom_wald_test(quiet=True)
    assert again.genes["maxCooks"].isna().all()
    assert (again.cooks().loc[["g3", "g30"]].max(axis=1) > 80).all()
    assert_same(again, dds)
    removed = remove_results(fitted())
    assert removed.genes["replace"].sum() == 3
    assert_same(removed.nbinom_wald_test(quiet=True), dds)


def test_a_likelihood_ratio_test_after_the_replacement():
    later = fitted().nbinom_lrt("~ 1", quiet=True)
    assert_same(later, fitted(test="LRT", reduced="~ 1"))
    np.testing.assert_allclose(later.results().table.loc[SHOWN, COLUMNS], LRT, rtol=1e-8, atol=1e-8)


def test_samples_that_cannot_be_replaced_still_count():
    """Eleven samples of one group, five of the other: only outliers of the first are replaced."""
    counts, sheet = study()
    sheet["condition"] = np.repeat(["A", "B"], [11, 5])
    dds = cn.DESeqDataSet(counts, sheet, design="~ condition").deseq(quiet=True)
    cooks = dds.cooks()
    most = cooks.loc[dds.genes.index != "g20", sheet.index[11:]].max(axis=1)
    np.testing.assert_allclose(dds.genes["maxCooks"][most.index], most)
    assert dds.results().table.loc[["g3", "g30"], "padj_reason"].tolist() == ["tested", "outlier"]
    again = dds.nbinom_wald_test(quiet=True)
    np.testing.assert_allclose(again.genes["maxCooks"][most.index], most)
    pd.testing.assert_frame_equal(again.cooks(), cooks)
    assert again.results().table.loc[["g3", "g30"], "padj_reason"].tolist() == ["tested", "outlier"]


def test_replaced_counts_stay_at_hand_without_results():
    dds = fitted()
    replaced = dds.counts(replaced=True)
    assert replaced.loc["g3", "s2"] < 1000
    pd.testing.assert_frame_equal(remove_results(dds).counts(replaced=True), replaced)
    dds.estimate_dispersions(quiet=True)
    with pytest.warns(CountnestWarning, match="no outliers were replaced yet"):
        pd.testing.assert_frame_equal(dds.counts(replaced=True), dds.counts())
    with pytest.warns(CountnestWarning, match="no outliers were replaced"):
        fitted(min_replicates_for_replace=np.inf).counts(replaced=True)


# ---- shrunken fold changes, tested against a threshold ----


@pytest.mark.parametrize("asked", ASKED)
def test_outliers_of_the_observed_counts_are_withheld(dds, asked):
    res = dds.results(alt_hypothesis="greaterAbs2014")  # what R called greaterAbs up to 1.42
    found = lfc_shrink(dds, **ASKED[asked], type="normal", lfc_threshold=0.25, res=res, quiet=True)
    np.testing.assert_allclose(found.table.loc[SHOWN, COLUMNS], SHRUNKEN[asked], rtol=1e-8, atol=1e-8)
    assert found.table.loc[["g3", "g30"], "padj_reason"].tolist() == ["outlier", "outlier"]
    assert found.table["padj"].isna().sum() == 4
    assert (res.table.loc[["g3", "g30"], "padj_reason"] == "tested").all()


def test_the_model_based_rule_looks_at_the_observed_counts(dds):
    res = dds.results(outliers="model", cooks_cutoff=False)
    found = lfc_shrink(dds, type="normal", lfc_threshold=0.25, res=res, quiet=True)
    assert (res.table["padj_reason"] == "outlier").sum() == 0
    assert found.table.index[found.table["padj_reason"] == "outlier"].tolist() == ["g3", "g30"]
    assert (found.info.outliers, found.info.cooks_cutoff) == ("model", None)


def test_options_of_the_results_are_kept(dds):
    res = dds.results(alpha=0.05, p_adjust="holm", cooks_cutoff=1e6, theta=[0.0, 0.3, 0.6], alt_hypothesis="greater")
    found = lfc_shrink(dds, type="normal", lfc_threshold=0.1, res=res, quiet=True)
    for name in ("alpha", "p_adjust", "cooks_cutoff", "independent_filtering", "alt_hypothesis", "outliers"):
        assert getattr(found.info, name) == getattr(res.info, name), name
    np.testing.assert_array_equal(found.info.filter_num_rej[0], [0.0, 0.3, 0.6])
    assert found.table["pvalue"].notna().sum() == 59
    kept = found.table["padj"].notna()
    m = kept.sum()
    assert found.table["padj"][kept].min() == pytest.approx(min(1.0, m * found.table["pvalue"][kept].min()), rel=1e-12)
    plain = dds.results(independent_filtering=False, p_adjust="none")
    found = lfc_shrink(dds, type="normal", lfc_threshold=0.1, res=plain, quiet=True)
    assert not found.info.independent_filtering
    pd.testing.assert_series_equal(found.table["padj"], found.table["pvalue"], check_names=False)


def test_functions_are_not_kept_and_that_is_said(dds):
    def cautious(p_values):
        return np.minimum(2.0 * p_values, 1.0)

    for arguments, named in (
        ({"p_adjust": cautious}, "'cautious'"),
        ({"filter_fun": lambda p, *_: p}, "'<lambda>'"),
        ({"filter": dds.genes["baseVar"]}, "'baseVar'"),
    ):
        res = dds.results(**arguments)
        with pytest.warns(CountnestWarning, match=f"holds the name of {named}.*adjusted by BH, and genes filtered"):
            found = lfc_shrink(dds, type="normal", lfc_threshold=0.1, res=res, quiet=True)
        assert (found.info.p_adjust, found.info.filter_statistic) == ("BH", "baseMean")
        assert found.info.filter_fun is None


# ---- fold changes that have a prior already ----


@pytest.mark.parametrize("type", ["apeglm", "ashr", "normal"])
def test_a_second_shrinkage_is_refused(dds, type):
    shrunken = fitted(beta_prior=True)
    for arguments in ({}, {"res": dds.results()}):
        with pytest.raises(OptionError, match="normal prior already"):
            lfc_shrink(shrunken, type=type, quiet=True, **arguments)


def test_intervals_of_genes_that_lost_all_counts_are_their_fold_change_of_zero():
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet, design="~ condition").deseq(quiet=True, fit_type="mean")
    for kind in ("wald", "t", "averaged", "ql"):
        table = dds.effect("condition").test(kind, confint=0.9).table
        assert list(table.loc["g20", ["log2FoldChange", *ENDS, "pvalue"]]) == [0.0, 0.0, 0.0, 1.0], kind
        assert table.loc["g10", ENDS].isna().all(), kind
