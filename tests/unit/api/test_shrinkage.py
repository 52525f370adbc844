"""The function `lfc_shrink`: what is shrunken, what is kept, and what is refused."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.shrinkage import lfc_shrink
from countnest.errors import ContrastError, CountnestWarning, MissingStepError, OptionError, StratumError
from countnest.methods.deseq2 import shrinkage
from unit.api.simulated import study

COLUMNS = ["baseMean", "log2FoldChange", "lfcSE"]


@pytest.fixture(scope="module")
def data():
    return study()


@pytest.fixture(scope="module")
def dds(data):
    return fitted(*data)


def fitted(counts, sheet, design="~ batch + group", **options):
    return cn.DESeqDataSet(counts, sheet, design=design, **options).deseq(quiet=True)


def shrink(dds, **arguments):
    return lfc_shrink(dds, quiet=True, **arguments)


def same(left, right, *, rtol=1e-12, columns=None):
    for name in columns or left.table.columns:
        np.testing.assert_allclose(
            left.table[name].astype(float), right.table[name].astype(float), rtol=rtol, atol=rtol, err_msg=name
        )


# ---- the table ----


def test_columns_and_record(dds):
    res = dds.results(name="group_c_vs_a")
    found = shrink(dds, coef="group_c_vs_a")
    assert list(found.table.columns[:6]) == [*COLUMNS, "pvalue", "padj", "padj_reason"]
    assert "stat" not in found.table
    kept = [name for name in res.table.columns if name not in ("log2FoldChange", "lfcSE", "stat")]
    pd.testing.assert_frame_equal(found.table[kept], res.table[kept])
    assert res.info.shrinkage is None
    assert found.info.shrinkage == "apeglm"
    assert 1e-3 < found.info.prior_scale < 2
    assert found.info.label == res.info.label
    assert found.descriptions()["log2FoldChange"] == "log2 fold change (MAP, apeglm): group c vs a"
    assert "MAP, apeglm" in repr(found)
    assert found.summary().significant == res.summary().significant
    missing = res.table["log2FoldChange"].isna()
    assert missing.sum() == 2
    assert (found.table["log2FoldChange"].isna() == missing).all()
    nonzero = res.table["log2FoldChange"][~missing]
    assert (np.sign(found.table["log2FoldChange"][~missing]) == np.sign(nonzero))[nonzero.abs() > 0.1].all()
    assert np.median(np.abs(found.table["log2FoldChange"][~missing]) / np.abs(nonzero)) < 1


def test_the_default_is_the_last_coefficient(dds):
    same(shrink(dds), shrink(dds, coef="group_c_vs_a"), columns=COLUMNS)


def test_a_number_does_not_say_which_coefficient(dds):
    cases = {
        2: "from 1, as in R, it is 'batch_y_vs_x'; from 0, as in Python, it is 'group_b_vs_a'",
        0: "from 1, as in R, it is none; from 0, as in Python, it is 'Intercept'",
        4: "it is 'group_c_vs_a'; from 0, as in Python, it is none. Give the name",
        np.int64(-1): "it is none.*it is none",
    }
    for coef, words in cases.items():
        with pytest.raises(ContrastError, match=words):
            shrink(dds, coef=coef)


def test_a_prior_that_is_not_adapted(dds):
    adapted, found = (shrink(dds, coef="batch_y_vs_x", adapt=adapt) for adapt in (True, False))
    assert found.info.prior_scale == pytest.approx(1 / np.log(2), rel=1e-15)
    assert adapted.info.prior_scale < 0.5
    narrow, wide = (each.table["log2FoldChange"].abs() for each in (adapted, found))
    assert (narrow.dropna() <= wide.dropna() + 0.01).all()  # a wide prior shrinks less
    assert narrow.mean() < 0.8 * wide.mean()
    with pytest.raises(OptionError, match="adapt=False is about the prior of type='apeglm'"):
        shrink(dds, type="ashr", adapt=False)


def test_names_in_other_spellings(dds):
    same(shrink(dds, coef="groupc"), shrink(dds, coef="group_c_vs_a"), columns=COLUMNS)


def test_threads_do_not_matter(dds):
    same(shrink(dds, n_threads=1), shrink(dds, n_threads=3), rtol=0.0, columns=COLUMNS)


def test_converged_modes(dds):
    early, late = shrink(dds), shrink(dds, converge=True)
    distance = (early.table["log2FoldChange"] - late.table["log2FoldChange"]).abs() / late.table["lfcSE"]
    assert 0 < distance.median() < 0.02


def test_svalues(dds):
    found = shrink(dds, svalue=True)
    assert list(found.table.columns) == [*COLUMNS, "svalue"]
    same(found, shrink(dds), columns=COLUMNS)
    order = (found.table["log2FoldChange"].abs() / found.table["lfcSE"]).sort_values(ascending=False).dropna().index
    s = found.table["svalue"][order].to_numpy()
    assert (np.diff(s) >= 0).all()
    assert 0 < s[-1] < 0.5
    assert found.descriptions()["svalue"] == "s-value (false sign): group c vs a"
    assert "s-value" in str(found.summary())


def test_svalues_of_false_sign_or_small(dds):
    plain, small = shrink(dds, svalue=True), shrink(dds, lfc_threshold=1)
    assert list(small.table.columns) == [*COLUMNS, "svalue"]
    assert (small.table["svalue"] > plain.table["svalue"])[plain.table["svalue"].notna()].all()
    assert small.info.lfc_threshold == 1.0
    assert small.descriptions()["svalue"] == "s-value (false sign or |log2 fold change| < 1): group c vs a"


# ---- results that are given ----


def test_results_are_kept_with_their_threshold(dds):
    res = dds.results(name="group_c_vs_a", lfc_threshold=0.5, alt_hypothesis="greater")
    before = res.table.copy()
    found = shrink(dds, res=res)
    pd.testing.assert_frame_equal(res.table, before)
    assert (found.info.lfc_threshold, found.info.alt_hypothesis) == (0.5, "greater")
    pd.testing.assert_series_equal(found.table["pvalue"], res.table["pvalue"])
    pd.testing.assert_series_equal(found.table["padj"], res.table["padj"])
    same(found, shrink(dds), columns=COLUMNS)


def test_svalues_take_the_threshold_of_the_results(dds):
    res = dds.results(name="group_c_vs_a", lfc_threshold=0.5)
    same(shrink(dds, res=res, svalue=True), shrink(dds, lfc_threshold=0.5))
    same(shrink(dds, res=res, svalue=True, lfc_threshold=0), shrink(dds, svalue=True))
    assert shrink(dds, res=res, svalue=True).info.lfc_threshold == 0.5


def test_results_of_another_comparison(dds):
    res = dds.results(name="group_b_vs_a")
    for asked in ({}, {"coef": "group_c_vs_a"}, {"contrast": ("group", "a", "b")}, {"query": "group[c - b]"}):
        with pytest.raises(ContrastError, match="res is about 'group b vs a'"):
            shrink(dds, res=res, **asked)
    shrink(dds, res=res, coef="group_b_vs_a")
    shrink(dds, res=res, contrast=("group", "b", "a"))
    shrink(dds, res=res, query="group[b - a]")


def test_results_of_other_tests_keep_their_p_values(dds):
    own = shrink(dds, coef="group_c_vs_a")
    for test in ("averaged", "QL"):
        res = dds.results(name="group_c_vs_a", test=test)
        for options in ({"coef": "group_c_vs_a"}, {"query": "group[c - a]"}):
            found = shrink(dds, res=res, **options)
            same(found, own, columns=COLUMNS)
            pd.testing.assert_frame_equal(found.table[["pvalue", "padj"]], res.table[["pvalue", "padj"]])
        with pytest.raises(ContrastError, match="res is about 'group c vs a'"):
            shrink(dds, res=res, coef="group_b_vs_a")


def test_results_that_cannot_be_shrunken(dds):
    with pytest.raises(OptionError, match="already shrunken"):
        shrink(dds, res=shrink(dds))
    with pytest.raises(OptionError, match="not a Results"):
        shrink(dds, res=dds.results().table)
    with pytest.raises(OptionError, match="no column 'log2FoldChange'"):
        shrink(dds, res=dds.effect("group", levels="reference").joint().test())
    res = dds.results()
    with pytest.raises(OptionError, match="in their order"):
        shrink(dds, res=cn.Results(res.top(20), res.info))


# ---- contrasts and queries ----


def test_a_difference_of_levels_is_relevelling(data, dds):
    counts, sheet = data
    other = fitted(counts, sheet, reference={"group": "b"})
    for arguments in ({}, {"svalue": True}, {"converge": True}):
        expected = shrink(other, coef="group_c_vs_b", **arguments)
        found = shrink(dds, contrast=("group", "c", "b"), **arguments)
        np.testing.assert_allclose(found.info.prior_scale, expected.info.prior_scale, rtol=1e-6)
        columns = [name for name in found.table.columns if name not in ("padj_reason", "separated")]
        same(found, expected, rtol=1e-6, columns=[name for name in columns if name not in ("pvalue", "padj")])


def test_the_same_contrast_in_other_forms(dds):
    expected = shrink(dds, contrast=("group", "c", "b"))
    for asked in (
        {"contrast": (["group_c_vs_a"], ["group_b_vs_a"])},
        {"contrast": [0, 0, -1, 1]},
        {"query": "group[c - b]"},
        {"query": dds.effect("group", levels=("c", "b"))},
    ):
        same(shrink(dds, **asked), expected, columns=COLUMNS)


def test_an_effect_within_a_level_is_relevelling(data):
    counts, sheet = data
    dds = fitted(counts, sheet, "~ batch * group")
    other = fitted(counts, sheet, "~ batch * group", reference={"batch": "y", "group": "b"})
    found = shrink(dds, query="group[c - b] | batch=y")
    same(found, shrink(other, coef="group_c_vs_b"), rtol=1e-6, columns=COLUMNS)


def test_a_contrast_that_is_never_a_coefficient(dds):
    found = shrink(dds, contrast=[0, 0, 0.5, 0.5])
    assert found.table["log2FoldChange"].notna().sum() == 148
    # R's search ends near the mode, nearer from one side than from the other: they differ by a hundredth at most. The
    # modes themselves are the same
    back = shrink(dds, contrast=[0, 0, -0.5, -0.5])
    np.testing.assert_allclose(found.table["log2FoldChange"], -back.table["log2FoldChange"], atol=0.01)
    found, back = (shrink(dds, contrast=[0, 0, sign, sign], converge=True) for sign in (0.5, -0.5))
    np.testing.assert_allclose(found.table["log2FoldChange"], -back.table["log2FoldChange"], rtol=1e-9)


def test_a_scaled_coefficient_is_scaled(dds):
    """Half of a coefficient has half of the estimate and of its error; the scale of its prior is half, too."""
    one, half = shrink(dds, coef="batch_y_vs_x", converge=True), shrink(dds, contrast=[0, 0.5, 0, 0], converge=True)
    assert one.info.prior_scale < 1.4
    # the scale is searched to about six digits, and the estimates follow it
    np.testing.assert_allclose(half.info.prior_scale / one.info.prior_scale, 0.5, rtol=1e-5)
    np.testing.assert_allclose(half.table["log2FoldChange"], 0.5 * one.table["log2FoldChange"], rtol=2e-5)


def test_a_matrix_as_design(data, dds):
    counts, sheet = data
    matrix = pd.DataFrame(dds.design.matrix, index=sheet.index, columns=["one", "y", "b", "c"])
    other = fitted(counts, sheet, matrix)
    same(shrink(other, coef="c"), shrink(dds), columns=COLUMNS)
    found, expected = shrink(other, contrast=[0, 0, -1, 1]), shrink(dds, contrast=("group", "c", "b"))
    distance = (found.table["log2FoldChange"] - expected.table["log2FoldChange"]).abs() / expected.table["lfcSE"]
    assert distance.max() < 0.2


# ---- after other fits ----


def test_after_a_likelihood_ratio_test(data, dds):
    counts, sheet = data
    lrt = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(test="LRT", reduced="~ batch", quiet=True)
    found = shrink(lrt, coef="group_c_vs_a")
    same(found, shrink(dds), rtol=1e-9, columns=COLUMNS)
    pd.testing.assert_series_equal(found.table["pvalue"], lrt.results(name="group_c_vs_a").table["pvalue"])


def test_observed_counts_and_not_the_replaced_ones():
    rng = np.random.default_rng(11)
    sheet = pd.DataFrame({"group": np.repeat(["a", "b"], 8)}, index=[f"s{j}" for j in range(16)])
    counts = pd.DataFrame(rng.poisson(100, (120, 16)), index=[f"g{i}" for i in range(120)], columns=sheet.index)
    counts.iloc[0] = 0
    counts.iloc[0, 3] = 500
    counts.iloc[1, 12] = 30_000
    dds = fitted(counts, sheet, "~ group")
    found, res = shrink(dds).table, dds.results().table
    assert res.loc["g0", ["log2FoldChange", "pvalue"]].tolist() == [0.0, 1.0]
    assert found.loc["g0", "log2FoldChange"] < 0
    assert found.loc["g0", "lfcSE"] > 0
    assert np.isfinite(found.loc["g1", "log2FoldChange"])


def test_ashr(dds):
    res = dds.results(contrast=("group", "c", "b"))
    alone = shrink(dds, type="ashr", res=res)
    same(alone, shrink(dds, type="ashr", contrast=("group", "c", "b")), columns=COLUMNS)
    assert alone.info.shrinkage == "ashr"
    assert alone.info.prior_scale is None
    assert alone.descriptions()["log2FoldChange"] == "log2 fold change (posterior mean, ashr): group c vs b"
    assert list(shrink(dds, type="ashr", res=res, lfc_threshold=1).table.columns) == [*COLUMNS, "svalue"]


# ---- what is refused ----


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"coef": "Intercept"}, ContrastError, "'Intercept' is a mean"),
        ({"coef": "group_d_vs_a"}, ContrastError, "Did you mean 'group_"),
        ({"coef": 4}, ContrastError, "from 1, as in R, it is 'group_c_vs_a'"),
        ({"coef": True}, ContrastError, "is not the name of a coefficient"),
        ({"coef": 1, "contrast": ("group", "c", "b")}, OptionError, "coef and contrast are given"),
        ({"coef": 1, "query": "group[c - b]"}, OptionError, "coef and query are given"),
        ({"contrast": [0, 0, 1]}, ContrastError, "4 numbers"),
        ({"query": 3}, OptionError, "not a query"),
        ({"query": "group[pairwise]"}, ContrastError, "has 3 rows"),
        ({"lfc_threshold": -1}, OptionError, "0 or more"),
        ({"lfc_threshold": np.inf}, OptionError, "0 or more"),
        ({"type": "apgelm"}, OptionError, "'apeglm'"),
        ({"n_threads": 0}, OptionError, "n_threads"),
    ],
)
def test_bad_arguments(dds, arguments, error, message):
    with pytest.raises(error, match=message):
        shrink(dds, **arguments)


def test_means_are_not_shrunken(dds):
    with pytest.raises(ContrastError, match="is a mean, not a difference"):
        shrink(dds, query=dds.cell(group="b"))


def test_a_query_of_another_data_set(data, dds):
    other = fitted(*data)
    with pytest.raises(ContrastError, match="another data set"):
        shrink(dds, query=other.query("group[c - b]"))


def test_not_fitted(data):
    with pytest.raises(MissingStepError):
        shrink(cn.DESeqDataSet(*data, design="~ batch + group"))


def test_blocks_are_not_compared():
    """Families are nested in lines, so lines are compared between families; drugs are compared within them."""
    counts, _ = study(n=16, levels=("a", "b"))
    sheet = pd.DataFrame(
        {
            "line": np.repeat(["p", "q"], 8),
            "family": np.tile(np.repeat(["1", "2", "3", "4"], 2), 2),
            "drug": np.tile(["no", "yes"], 8),
        },
        index=counts.columns,
    )
    dds = fitted(counts, sheet, "~ line + line:family + line:drug", reference={"drug": "no"})
    asked = dds.effect("line", levels=("q", "p"))
    with pytest.raises(StratumError):
        shrink(dds, query=asked)
    forced = asked.test(allow_fixed_blocks=True)
    same(shrink(dds, query=asked, res=forced), forced, columns=["baseMean", "pvalue", "padj"])
    within = shrink(dds, query="drug[yes - no] | line=q")
    assert within.table["log2FoldChange"].notna().sum() == 148


def test_genes_that_do_not_converge_are_named(monkeypatch):
    search = shrinkage.shrink_coefficient

    def give_up(counts, *arguments, **options):
        found = search(counts, *arguments, **options)
        lost = np.arange(len(counts)) < 7
        mode = np.where(lost, np.nan, found.mode)
        return dataclasses.replace(found, mode=mode, found=~lost)

    monkeypatch.setattr(shrinkage, "shrink_coefficient", give_up)
    dds = cn.DESeqDataSet(*study(), design="~ group").deseq(quiet=True)
    with pytest.warns(CountnestWarning, match="7 genes did not converge: 'g2', 'g3', 'g4', 'g5', 'g6' and 2 more"):
        table = cn.lfc_shrink(dds, quiet=True).table
    assert list(table.index[table["log2FoldChange"].isna()]) == [f"g{i}" for i in range(9)]
