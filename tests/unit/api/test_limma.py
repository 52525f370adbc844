"""limma's analysis of a data set in one call: R's numbers, the tables of all methods, files, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.multitest

import countnest as cn
from countnest.errors import CountnestWarning, DesignError, OptionError
from countnest.stats.linear.least_squares import lm_fit
from unit.stats.limma_reference import case

RNG = np.random.default_rng(6)
SHEET = pd.DataFrame(
    {
        "group": np.repeat(["a", "b", "c"], 4),
        "patient": np.tile(["p1", "p2", "p3", "p4"], 3),
        "batch": np.tile(["x", "y"], 6),
    },
    index=[f"s{k}" for k in range(12)],
)


def counts(n_genes=300):
    """Return counts with patients that differ, a gene of low counts and one without any."""
    mean = (
        np.exp(RNG.normal(4.5, 1.0, (n_genes, 1))) * np.exp(RNG.normal(0.0, 0.3, (n_genes, 4)))[:, np.tile(range(4), 3)]
    )
    mean[:30, 4:8] *= 3.0
    found = RNG.negative_binomial(10, 10 / (10 + mean))
    found[-2:] = 0
    found[-2, 0] = 1
    return pd.DataFrame(found, index=[f"g{k}" for k in range(n_genes)], columns=SHEET.index)


@pytest.fixture(scope="module")
def dds():
    made = cn.DESeqDataSet(counts(), SHEET, design="~ batch + group", quiet=True)
    return cn.limma(made, quiet=True)


def test_the_numbers_of_an_analysis_are_those_of_r():
    study = cn.datasets.load("airway")
    made = cn.DESeqDataSet(study.counts, study.samples, "~ cell + dex", reference={"dex": "untrt"}, quiet=True)
    reference = case("airway")
    expected, rows = reference.table("voom")
    for suffix, options in (("00", {}), ("11", {"trend": True, "robust": True})):
        cn.limma(made, compat="bioc3.20", quiet=True, **options)
        table = made.contrast("dex_trt_vs_untrt").test(fit="limma").table
        part = table[table["pvalue"].notna()].iloc[rows]
        np.testing.assert_allclose(part["log2FoldChange"], expected["logFC"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(part["stat"], expected[f"t_{suffix}"], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(part["pvalue"], expected[f"p_{suffix}"], rtol=1e-9)
    assert "hidden_factors" not in str(made.contrast("dex_trt_vs_untrt").test(fit="limma").summary())
    treat = made.contrast("dex_trt_vs_untrt").test(fit="limma", lfc_threshold=0.5).table
    assert treat["pvalue"].notna().sum() == reference.info["genes"]


def test_p_values_of_all_fitted_genes_are_adjusted(dds):
    found = dds.effect("group", levels=("b", "a")).test(fit="limma")
    table = found.table
    fitted = table["pvalue"].notna()
    expected = statsmodels.stats.multitest.multipletests(table["pvalue"][fitted], method="fdr_bh")[1]
    np.testing.assert_allclose(table["padj"][fitted], expected)
    assert table["padj_reason"].iloc[-2:].tolist() == ["low_count", "all_zero"]
    assert (found.info.compat, found.info.estimate) == ("the newest release", "least squares of log counts")
    assert table["AveExpr"].notna().equals(fitted)
    fit = dds._fit("limma")
    np.testing.assert_allclose(fit.log_counts.mean(axis=1), table["AveExpr"][fitted])
    assert fit.stored.weights.shape == fit.log_counts.shape
    summary = found.summary()
    assert (summary.low_counts, summary.not_estimated) == ((~fitted).sum() - 1, 0)
    assert "left out before the fit" in str(summary)
    assert (found.info.method, found.info.test, found.info.independent_filtering) == (
        "limma-voom",
        "moderated t",
        False,
    )
    assert (table["padj"][:30] < 0.1).sum() > 15


def test_it_answers_as_other_fits_do(dds):
    query = dds.effect("group")
    joint = query.joint().test(fit="limma")
    assert joint.info.test == "moderated F"
    staged = query.test(fit="limma", stagewise=True, confint=0.95)
    for table in (each.table for each in staged.values()):
        assert {"padj_stagewise", "ciLower", "df"} <= set(table.columns)
    one = query[0].test(fit="limma").table
    square = dds.contrast([[0, 0, 1, 0], [0, 0, 2, 0]]).joint().test(fit="limma").table
    np.testing.assert_allclose(square["stat"], one["stat"] ** 2)
    np.testing.assert_allclose(square["pvalue"], one["pvalue"])
    far = query[0].test(fit="limma", lfc_threshold=0.5).table["pvalue"]
    assert (far.dropna() >= one["pvalue"].dropna() - 1e-12).all()
    for side, sign in (("greater", 1), ("less", -1)):
        own = query[0].test(fit="limma", alt_hypothesis=side).table
        assert ((own["pvalue"] < 0.5) == (sign * own["log2FoldChange"] > 0))[one["pvalue"].notna()].all()


def test_contrasts_do_not_depend_on_the_coding_unless_they_are_approximate(dds):
    other = cn.DESeqDataSet(dds.counts(), SHEET, "~ batch + group", reference={"group": "c"}, quiet=True)
    cn.limma(other, quiet=True)
    asked = {"variable": "group", "levels": ("b", "a")}
    one, two = (each.effect(**asked).test(fit="limma").table for each in (dds, other))
    np.testing.assert_allclose(one["pvalue"], two["pvalue"], rtol=1e-8)
    cn.limma(other, approx_contrasts=True, name="approximate", quiet=True)
    rough = other.effect(**asked).test(fit="approximate").table
    assert np.nanmax(np.abs(rough["lfcSE"] / two["lfcSE"] - 1)) > 1e-4
    assert other.fits == {"limma": "limma-voom", "approximate": "limma-voom"}


def test_blocks_and_sample_weights(dds, capsys):
    cn.limma(dds, name="blocks", block="patient", quality_weights=True, structural_zeros=True, robust=True, trend=True)
    assert "correlation within blocks" in capsys.readouterr().err
    stored = dds._fits["blocks"]
    assert stored.correlation > 0.1
    assert stored.sample_weights.shape == (12,)
    plain, within = (dds.effect("group")[0].test(fit=name).table for name in ("limma", "blocks"))
    assert within["lfcSE"].median() < plain["lfcSE"].median()
    cn.limma(dds, name="series", block=SHEET["patient"].iloc[::-1], quiet=True)
    assert dds._fits["series"].block == "patient"
    assert dds._fit("blocks").models_block(("group", "patient"))
    assert not dds._fit("limma").models_block(("group", "patient"))


def test_a_saved_fit_answers_alike(dds, tmp_path):
    cn.limma(dds, name="robust", robust=True, trend=True, block="patient", quality_weights=True, quiet=True)
    cn.save(dds, tmp_path / "fits")
    again = cn.load(tmp_path / "fits")
    for name in ("limma", "robust"):
        one, two = (each.effect("group").joint().test(fit=name).table for each in (dds, again))
        pd.testing.assert_frame_equal(one, two)
    stored = dds._fits["limma"]
    other = cn.DESeqDataSet(dds.counts().iloc[:200], SHEET, design="~ group", quiet=True)
    with pytest.raises(OptionError, match="does not belong"):
        other.add_fit("limma", stored)


def test_gene_sets_are_tested_on_its_log_counts(dds):
    sets = {"changed": [f"g{k}" for k in range(25)], "others": [f"g{k}" for k in range(40, 90)]}
    query = dds.effect("group", levels=("b", "a"))
    cn.limma(dds, name="paired", block="patient", quiet=True)
    for name in ("limma", "paired"):
        table = cn.camera(query, sets, fit=name)
        assert table["pvalue"]["changed"] < 0.001 < table["pvalue"]["others"]
        assert cn.fry(query, sets, fit=name)["pvalue"]["changed"] < 0.01
    fit = dds._fit("paired")
    data = fit.gene_set_data(query.matrix[0]).data
    again = lm_fit(data.values, data.design, data.weights, data.blocks)
    np.testing.assert_allclose(again.coefficients, fit.stored.fits.coefficients)
    np.testing.assert_allclose(again.sigma, fit.stored.fits.sigma)


def test_releases_differ_in_the_span(dds):
    cn.limma(dds, name="older", compat="bioc3.20", quiet=True)
    cn.limma(dds, name="given", span=0.5, compat="bioc3.22", quiet=True)
    older, given, newest = (dds._fits[name].fits.sigma for name in ("older", "given", "limma"))
    np.testing.assert_array_equal(older, given)
    assert np.abs(newest / older - 1).max() > 1e-6
    cn.limma(dds, name="oldest", compat="bioc3.16", filter=False, quiet=True)
    assert dds._fits["oldest"].kept.sum() == 299


def test_what_cannot_be_used_is_refused(dds):
    for options, message in (
        ({"block": "group of"}, "block='group of' is not known"),
        ({"block": ["p"] * 12}, "one block"),
        ({"block": list("abcdefghijkl")}, "a block for each sample"),
        ({"block": ["p"] * 11}, "one value for each"),
        ({"block": [None, "p", "q"] * 4}, "missing for 4 samples: 's0', 's3', 's6', 's9'"),
        ({"quality_weights": ["p"] * 12}, "quality_weights= is the same for all samples"),
        ({"quality_weights": None}, "quality_weights=None must be True or False"),
        ({"trend": np.ones(3)}, "one number for each of the 300 genes"),
        ({"compat": "bioc9"}, "compat='bioc9'"),
        ({"filter": [True, False]}, "one truth value for each"),
        ({"filter": np.zeros(300, dtype=bool)}, "no gene is left"),
        ({"norm_factors": "tmm"}, "Did you mean 'TMM'"),
        ({"span": -1}, "span=-1"),
        ({"trend": "no"}, "trend='no'"),
        ({"name": "deseq2"}, "cannot name a fit"),
    ):
        with pytest.raises(OptionError, match=message):
            cn.limma(dds, quiet=True, **options)
    with pytest.raises(DesignError, match="Did you mean 'batch'"):
        cn.limma(dds, quality_weights="~ batches")
    with pytest.raises(OptionError, match="needs a DESeqDataSet"):
        cn.limma(counts())
    low = cn.DESeqDataSet(np.minimum(dds.counts(), 1), SHEET, design="~ group", quiet=True)
    with pytest.raises(OptionError, match=r"min_count=10.*min_total_count=15"):
        cn.limma(low)
    no_replicates = cn.DESeqDataSet(dds.counts().iloc[:, [0, 4]], SHEET.iloc[[0, 4]], design="~ group", quiet=True)
    with pytest.raises(DesignError, match=r"nothing tested\. Replicates are needed.*cn\.lm_fit\(cn\.voom\(dds\)\)"):
        cn.limma(no_replicates)
    with pytest.warns(CountnestWarning, match="no replicates"):
        assert cn.lm_fit(cn.voom(no_replicates)).coefficients.notna().all(axis=None)
    four = cn.DESeqDataSet(dds.counts().iloc[:, [0, 1, 4, 5]], SHEET.iloc[[0, 1, 4, 5]], design="~ group", quiet=True)
    with pytest.raises(OptionError, match="With 2 coefficients it takes 5 samples"):
        cn.limma(four, block="patient", quiet=True)
    with pytest.warns(CountnestWarning, match=r"3 samples less 2 coefficients leave 1\. All of them are 1"):
        few = cn.limma(four[:, :3], quality_weights=True, quiet=True)
    np.testing.assert_array_equal(few._fits["limma"].sample_weights, 1.0)


def test_one_gene_is_tested_by_its_own_variance(dds):
    alone = cn.limma(dds[["g0"]], filter=False, quiet=True)
    table = alone.effect("group", levels=("b", "a")).test(fit="limma").table
    assert 0 < table["pvalue"].iloc[0] < 1
    assert table["df"].iloc[0] == 8


def test_what_is_not_used_gets_a_warning():
    table = counts()
    with pytest.warns(CountnestWarning, match="does not use the observation weights"):
        cn.limma(cn.DESeqDataSet(table, SHEET, design="~ group", weights=np.ones(table.shape), quiet=True), quiet=True)
    fixed = cn.DESeqDataSet(table, SHEET, design="~ patient + group", quiet=True)
    with pytest.warns(CountnestWarning, match="holds the blocks of 'patient' fixed"):
        cn.limma(fixed, block="patient", quiet=True)
    assert fixed._fits["limma"].correlation is None


def test_factors_may_be_given(dds):
    given = cn.calc_norm_factors(dds[dds._fits["limma"].kept])
    cn.limma(dds, name="given", norm_factors=given, quiet=True)
    np.testing.assert_allclose(dds._fits["given"].library, dds._fits["limma"].library)
    cn.limma(dds, name="none", norm_factors="none", filter=cn.filter_by_expr(dds), quiet=True)
    kept = dds._fits["none"].kept
    np.testing.assert_allclose(dds._fits["none"].library, dds.counts()[kept].sum())
