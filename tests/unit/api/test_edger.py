"""edgeR's analysis of a data set: in one call and by steps, its tables, and what is said of what cannot be used."""

import numpy as np
import pandas as pd
import pytest
from edger_numbers import case, numbers, relative

import countnest as cn
from cases import each
from countnest.errors import ContrastError, DesignError, OptionError

R_TOLERANCE = 1e-8
RELEASE = "bioc3.20"


def data_set(name, **options):
    data = case(name)
    n_genes, n = data.counts.shape
    samples = [f"s{j}" for j in range(n)]
    counts = pd.DataFrame(data.counts, [f"g{i}" for i in range(n_genes)], samples)
    sheet = data.samples[["group"]].set_axis(samples, axis=0)
    every = 2 if name == "lowcount" else 1
    batch = pd.Series([str(1 + j // every % 2) for j in range(n)], samples)
    design = "~ group" if name == "oneway" else "~ b + group"
    return cn.DESeqDataSet(counts, sheet.assign(b=batch), design=design, quiet=True, cells_ok=True, **options)


@pytest.fixture(scope="module")
def oneway():
    return data_set("oneway")


@pytest.fixture(scope="module")
def analysed():
    return cn.edger(data_set("sparse"), filter=False, quiet=True)


def test_the_steps_give_the_numbers_of_r(oneway):
    dds, expected = oneway.copy(), numbers("lrt", "oneway")
    found = cn.estimate_disp(dds, compat=RELEASE)
    trends = numbers("dispersions", "oneway")
    assert relative(found.table["trended"], trends["trended"]) < R_TOLERANCE
    assert relative(found.table["tagwise"], trends["tagwise"]) < 1e-7
    assert cn.glm_fit(dds, found, compat=RELEASE) is dds
    table = cn.glm_lrt(dds)
    assert relative(table.pvalue, expected["PValue"]) < R_TOLERANCE
    np.testing.assert_allclose(table["log2FoldChange"], expected["logFC"], rtol=1e-8, atol=1e-10)
    assert relative(cn.glm_treat(dds, lfc=1).pvalue, expected["P_treat"]) < R_TOLERANCE
    assert relative(cn.glm_treat(dds, lfc=1, null="worst.case").pvalue, expected["P_treat_worst"]) < R_TOLERANCE
    legacy = cn.glm_ql_ftest(cn.glm_ql_fit(dds, found, legacy=True, compat=RELEASE))
    expected = numbers("ql_legacy", "oneway")
    assert relative(legacy.pvalue.iloc[expected.index], expected["PValue"]) < R_TOLERANCE


def test_one_call_is_all_steps(oneway):
    dds = cn.edger(oneway.copy(), test="lrt", filter=False, compat=RELEASE, quiet=True)
    expected = numbers("lrt", "oneway")
    table = dds.effect("group").test(fit="edger")
    assert relative(table.pvalue, expected["PValue"]) < R_TOLERANCE
    assert dds.fits == {"edger": "edgeR"}


def test_tables_say_the_method_the_release_and_the_kind_of_fold_change(oneway, analysed):
    table = analysed.effect("group", levels=("C", "A")).test(fit="edger")
    assert (table.info.method, table.info.test) == ("edgeR", "QL F")
    assert table.info.estimate == "shrunken by a prior count of 0.125"
    assert "newest" in table.info.compat
    assert "shrunken by a prior count" in str(table)
    assert "method: edgeR" in str(table)
    assert {"logCPM", "log2FoldChange", "df", "pvalue", "padj"} <= set(table.columns)
    named = cn.edger(oneway.copy(), filter=False, compat=RELEASE, prior_count=2, quiet=True)
    info = cn.glm_ql_ftest(named).info
    assert (info.compat, info.estimate) == (RELEASE, "shrunken by a prior count of 2")


def test_queries_of_all_kinds_are_answered(analysed):
    rows = analysed.effect("group")
    assert len(rows.test(fit="edger")) == 2
    joint = rows.joint().test(fit="edger")
    assert joint.info.test == "QL F"
    several = cn.glm_ql_ftest(analysed, coef=[2, 3])
    np.testing.assert_allclose(joint.pvalue, several.pvalue, rtol=1e-6)
    stages = rows.test(fit="edger", stagewise=True)
    assert "padj_stagewise" in stages[0].table
    beyond = analysed.effect("group", levels=("B", "A")).test(fit="edger", lfc_threshold=1.0)
    plain = analysed.effect("group", levels=("B", "A")).test(fit="edger")
    small = plain.pvalue < 0.3
    assert (beyond.pvalue[small] > plain.pvalue[small]).all()


def test_a_contrast_takes_precedence_over_coefficients(analysed):
    weights = np.eye(4)[3] - np.eye(4)[2]
    found = cn.glm_ql_ftest(analysed, coef=1, contrast=weights)
    expected = analysed.effect("group", levels=("C", "B")).test(fit="edger")
    np.testing.assert_allclose(found.pvalue, expected.pvalue, rtol=1e-6)


def test_genes_of_few_counts_are_left_out_before_the_fit():
    dds = data_set("lowcount")
    kept = cn.filter_by_expr(dds, min_count=3, min_total_count=5)
    cn.edger(dds, filter=kept, quiet=True)
    table = dds.effect("group").test(fit="edger")
    assert (table["padj_reason"][~kept] == "low_count").all()
    assert table.pvalue[kept].notna().all()
    assert table.padj[kept].notna().all()
    assert table.pvalue[~kept].isna().all()


def test_summaries_speak_of_outliers_only_where_they_are_sought():
    counts = cn.make_example_dataset(n=120, m=6, seed=4)
    counts.deseq(quiet=True)
    cn.edger(counts, quiet=True)
    query = counts.contrast(counts.results_names()[-1])
    told = str(query.test(fit="edger").summary())
    assert "outlier" not in told
    assert "Cook" not in told
    assert "low counts [1]" in told
    assert "[1] counts too low to detect a change, so the gene is left out of the fit: see filter=" in told
    plain, without = str(query.test().summary()), str(query.test(cooks_cutoff=False).summary())
    assert "outliers " in plain
    assert "low counts " in plain
    assert "outliers" not in without


def test_genes_without_counts_are_missing_and_move_no_others(oneway):
    counts = oneway.counts()
    counts.loc["none"] = 0
    with_none = cn.DESeqDataSet(counts, oneway.samples, design="~ group", quiet=True, cells_ok=True)
    plain, more = (
        cn.glm_treat(cn.edger(dds, test="lrt", filter=False, quiet=True), lfc=0.5) for dds in (oneway.copy(), with_none)
    )
    pd.testing.assert_series_equal(plain.pvalue, more.pvalue.drop("none"))
    assert more.padj_reason["none"] == "all_zero"
    assert np.isnan(more["log2FoldChange"]["none"])


@pytest.mark.filterwarnings("ignore:the normalization factors of the data set do not follow")
def test_weights_and_offsets_of_the_data_set_are_used(oneway):
    weights = np.ones(oneway.shape)
    weights[:, 0] = 0.01
    plain = cn.glm_ql_ftest(cn.glm_ql_fit(oneway.copy()))
    weighted = cn.glm_ql_ftest(cn.glm_ql_fit(data_set("oneway", weights=weights)))
    assert np.abs(plain.pvalue - weighted.pvalue).max() > 0.1
    by_gene = np.exp(np.random.default_rng(1).normal(0, 0.2, oneway.shape))
    offset = cn.glm_ql_ftest(cn.glm_ql_fit(data_set("oneway", normalization_factors=by_gene)))
    assert np.abs(plain["log2FoldChange"] - offset["log2FoldChange"]).max() > 0.1
    flat = data_set("oneway", normalization_factors=np.ones(oneway.shape))
    with pytest.raises(OptionError, match="positive"):
        cn.glm_ql_fit(data_set("oneway", weights=np.where(weights < 1, 0.0, 1.0)))
    assert not cn.glm_ql_ftest(cn.glm_ql_fit(flat)).pvalue.equals(plain.pvalue)


def test_given_dispersions_are_used(oneway):
    dds = oneway.copy()
    one, each_gene = (cn.glm_lrt(cn.glm_fit(dds, value)) for value in (0.2, pd.Series(0.2, dds.gene_names)))
    pd.testing.assert_series_equal(one.pvalue, each_gene.pvalue)
    assert list(dds._fit("edger").kinds) == ["lrt", "lrt_worst"]
    assert set(dds._fit("edger").stored.ratio.dispersion) == {0.2}


def test_shrunken_coefficients_and_exact_tests_are_tables_by_gene(oneway):
    found = cn.estimate_disp(oneway, compat=RELEASE)
    changes = cn.pred_fc(oneway, found, compat=RELEASE)
    expected = numbers("lrt", "oneway")["logFC"].to_numpy()
    np.testing.assert_allclose(changes.iloc[:, -1], expected, rtol=1e-8, atol=1e-9)
    table = cn.exact_test(oneway, dispersion=found)
    assert relative(table["pvalue"], numbers("exact", "oneway")["PValue_glm_tagwise"]) < R_TOLERANCE
    assert (table["padj"] >= table["pvalue"]).all()
    classic = cn.estimate_disp(oneway, classic=True, compat=RELEASE)
    assert relative(classic.table["tagwise"], numbers("exact", "oneway")["tagwise"]) < R_TOLERANCE
    table_of_classic = cn.exact_test(oneway, dispersion=classic)
    assert relative(table_of_classic["pvalue"], numbers("exact", "oneway")["PValue"]) < R_TOLERANCE
    turned = cn.exact_test(oneway, "group", ("trt", "ctl"), dispersion=found)
    np.testing.assert_allclose(turned["log2FoldChange"], -table["log2FoldChange"], atol=1e-12)


def test_a_file_holds_the_fit(analysed, tmp_path):
    cn.save(analysed, tmp_path / "study.countnest")
    again = cn.load(tmp_path / "study.countnest")
    tables = [dds.effect("group", levels=("B", "A")).test(fit="edger").table for dds in (analysed, again)]
    pd.testing.assert_frame_equal(*tables)


def test_the_order_of_genes_and_samples_does_not_matter(oneway):
    rng = np.random.default_rng(2)
    genes, samples = rng.permutation(oneway.gene_names), rng.permutation(oneway.samples.index)
    counts = oneway.counts().loc[genes, samples]
    mixed = cn.DESeqDataSet(counts, oneway.samples.loc[samples], design="~ group", quiet=True, cells_ok=True)
    plain, other = (cn.glm_ql_ftest(cn.edger(dds, filter=False, quiet=True)) for dds in (oneway.copy(), mixed))
    np.testing.assert_allclose(other.pvalue.loc[plain.table.index], plain.pvalue, rtol=1e-6)


@each(
    ("options", "error", "says"),
    [
        ({"compat": "bioc9.99"}, OptionError, "bioc3.20"),
        ({"test": "wald"}, OptionError, "lrt"),
        ({"filter": "yes"}, OptionError, "truth value"),
        ({"dispersion": -0.1}, OptionError, "not negative"),
        ({"dispersion": [0.1, 0.2]}, OptionError, "one for each"),
        ({"prior_count": 0}, OptionError, "prior_count"),
        ({"robust": "no"}, OptionError, "robust"),
    ],
)
def test_what_cannot_be_used_is_refused(oneway, options, error, says):
    with pytest.raises(error, match=says):
        cn.edger(oneway.copy(), quiet=True, **options)


def test_a_filter_that_leaves_nothing_says_which_threshold():
    counts = pd.DataFrame(np.tile([1, 2, 1, 1], (30, 1)), columns=list("abcd"))
    sheet = pd.DataFrame({"g": ["x", "x", "y", "y"]}, index=list("abcd"))
    dds = cn.DESeqDataSet(counts, sheet, design="~ g", quiet=True, cells_ok=True)
    with pytest.raises(OptionError, match="min_count"):
        cn.edger(dds, quiet=True)


def test_tests_that_the_fit_does_not_offer_are_refused(analysed):
    with pytest.raises(OptionError, match="ql"):
        cn.glm_lrt(analysed)
    with pytest.raises(OptionError, match="coef"):
        cn.glm_ql_ftest(analysed, coef="nothing")
    with pytest.raises(ContrastError, match="threshold"):
        analysed.effect("group").joint().test(fit="edger", lfc_threshold=1)
    other = cn.estimate_disp(data_set("oneway"))
    with pytest.raises(OptionError, match="nothing but groups"):
        cn.estimate_disp(data_set("sparse"), classic=True)
    with pytest.raises(OptionError, match="other genes"):
        cn.glm_fit(analysed.copy(), other)


def test_designs_without_residual_degrees_of_freedom_are_refused(oneway):
    sheet = pd.DataFrame({"id": [f"x{i}" for i in range(7)]}, index=oneway.samples.index)
    dds = cn.DESeqDataSet(oneway.counts(), sheet, design="~ id", quiet=True, cells_ok=True)
    with pytest.raises(DesignError, match="Replicates"):
        cn.edger(dds, quiet=True)
