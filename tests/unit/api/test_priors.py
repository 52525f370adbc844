"""`beta_prior=True`: what the data set shows, and the ways to ask it."""

import numpy as np
import pytest

import countnest as cn
from countnest.errors import ContrastError, DesignError, OptionError
from unit.api.simulated import study

WIDE = ["Intercept", "batchx", "batchy", "groupa", "groupb", "groupc"]
NARROW = ["Intercept", "batch_y_vs_x", "group_b_vs_a", "group_c_vs_a"]


def fitted(**options):
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True, **options)


@pytest.fixture(scope="module")
def without():
    return fitted()


@pytest.fixture(scope="module")
def wide():
    return fitted(beta_prior=True)


@pytest.fixture(scope="module")
def narrow():
    return fitted(beta_prior=True, model_matrix_type="standard")


def test_names_and_coefficients(wide, narrow, without):
    for dds, names in ((wide, WIDE), (narrow, NARROW)):
        assert dds.results_names() == names
        assert list(dds.coef().columns) == list(dds.coef(se=True).columns) == names
        assert not np.allclose(dds.coef().iloc[5:, -1], without.coef().iloc[5:, -1], rtol=1e-3)
    assert without.results_names() == NARROW


def test_genes_show_both_estimates(wide, narrow, without):
    for dds, names in ((wide, WIDE), (narrow, NARROW)):
        genes, plain = dds.genes, without.genes
        at = list(genes.columns).index("Intercept")
        shown = [*names, *(f"SE_{name}" for name in names), *(f"MLE_{name}" for name in NARROW)]
        assert list(genes.columns[at : at + len(shown)]) == shown
        for name in names:
            np.testing.assert_array_equal(genes[name], dds.coef()[name])
            np.testing.assert_allclose(genes[f"WaldStatistic_{name}"], genes[name] / genes[f"SE_{name}"])
        for name in NARROW:
            np.testing.assert_array_equal(genes[f"MLE_{name}"], plain[name])
        assert (genes["deviance"].dropna() >= plain["deviance"].dropna() - 1e-6).all()  # likelihood has its maximum
    np.testing.assert_array_equal(wide.mu(), without.mu())
    np.testing.assert_array_equal(wide.cooks(), without.cooks())


def test_the_default_comparison(wide, narrow):
    assert wide.results().info.label == narrow.results().info.label == "group c vs a"
    for dds, asked in ((wide, {"contrast": ("group", "c", "a")}), (narrow, {"name": "group_c_vs_a"})):
        np.testing.assert_array_equal(dds.results().table["pvalue"], dds.results(**asked).table["pvalue"])
    number = cn.DESeqDataSet(*study(), design="~ group")
    assert number.deseq(quiet=True, beta_prior=True).results().info.label == "group c vs a"


def test_ways_to_ask(wide):
    triple = wide.results(("group", "c", "b")).table
    listed = wide.results((["groupc"], ["groupb"])).table
    numbers = wide.results([0, 0, 0, 0, -1, 1]).table
    for column in ("log2FoldChange", "lfcSE", "stat", "pvalue"):
        np.testing.assert_array_equal(listed[column], numbers[column])
        np.testing.assert_allclose(triple[column].iloc[4:], listed[column].iloc[4:], rtol=1e-12)
    coef = wide.coef()
    np.testing.assert_allclose(
        listed["log2FoldChange"].iloc[4:], (coef["groupc"] - coef["groupb"]).iloc[4:], atol=1e-12
    )
    named = wide.results(name="groupb").table
    np.testing.assert_array_equal(named["log2FoldChange"], coef["groupb"])
    with pytest.raises(ContrastError, match="group_c_vs_a"):
        wide.results(name="group_c_vs_a")


def test_genes_without_counts_in_either_group_do_not_change():
    counts, sheet = study()
    counts.loc["g7", sheet["group"] != "a"] = 0
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True, beta_prior=True)
    results = dds.results(("group", "c", "b"), add_mle=True)
    assert list(results.descriptions()) == list(results.table)
    found = results.table.loc["g7"]
    assert (found["log2FoldChange"], found["lfcMLE"], found["stat"], found["pvalue"]) == (0.0, 0.0, 0.0, 1.0)
    assert dds.results(("group", "c", "a")).table.loc["g7", "log2FoldChange"] < -0.5


def test_estimates_without_prior_beside_them(wide, narrow, without):
    for levels in (("c", "a"), ("c", "b"), ("a", "b")):
        expected = without.results(("group", *levels)).table["log2FoldChange"]
        for dds in (wide, narrow):
            found = dds.results(("group", *levels), add_mle=True).table
            assert list(found.columns[:4]) == ["baseMean", "log2FoldChange", "lfcMLE", "lfcSE"]
            np.testing.assert_allclose(found["lfcMLE"], expected, atol=1e-10)
    found = wide.results((["groupc"], ["groupa", "groupb"]), list_values=(1, -0.5), add_mle=True).table
    expected = without.results([0, 0, -0.5, 1]).table["log2FoldChange"]
    np.testing.assert_allclose(found["lfcMLE"].iloc[4:], expected.iloc[4:], atol=1e-10)
    with pytest.raises(ContrastError, match="'groupb' has no maximum likelihood estimate"):
        wide.results(name="groupb", add_mle=True)
    with pytest.raises(OptionError, match="add_mle=True is for fits with beta_prior=True"):
        without.results(add_mle=True)


def test_the_table_says_that_it_is_shrunken(wide, without):
    assert wide.results().info.shrinkage == "normal"
    assert without.results().info.shrinkage is None


def test_step_by_step_is_the_same(wide):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group").estimate_size_factors()
    dds.estimate_dispersions(quiet=True).nbinom_wald_test(beta_prior=True, quiet=True)
    np.testing.assert_array_equal(dds.coef(), wide.coef())
    dds.nbinom_wald_test(quiet=True)
    assert dds.results_names() == NARROW


def test_t_tests(wide):
    dds = fitted(beta_prior=True, use_t=True)
    np.testing.assert_array_equal(dds.coef(), wide.coef())
    here, there = (each.results(independent_filtering=False).table["pvalue"].dropna() for each in (dds, wide))
    assert (here > there - 1e-15).all()
    assert not here.equals(there)


def with_outlier():
    counts, sheet = study(n=24)
    counts.iloc[20, 3] = 100 * counts.iloc[20].max() + 1000
    return counts, sheet


@pytest.mark.parametrize("kind", ["standard", "expanded"])
def test_genes_with_outliers_are_fitted_again_with_the_same_priors(kind):
    counts, sheet = with_outlier()
    options = {"quiet": True, "beta_prior": True, "model_matrix_type": kind}
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(**options)
    kept = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(min_replicates_for_replace=np.inf, **options)
    flagged = dds.genes["replace"].fillna(False).to_numpy(dtype=bool)
    assert flagged[20]
    assert not flagged.all()
    np.testing.assert_array_equal(dds.coef()[~flagged], kept.coef()[~flagged])
    assert (np.abs(dds.coef()[flagged] - kept.coef()[flagged]).max(axis=1) > 1e-3).all()
    np.testing.assert_array_equal(dds._fitted().fit.prior.variance, kept._fitted().fit.prior.variance)
    kept.replace_outliers(quiet=True)
    np.testing.assert_array_equal(kept.coef(), dds.coef())


def test_a_gene_of_outliers_alone():
    counts, sheet = with_outlier()
    counts.iloc[30] = 0
    counts.iloc[30, 5] = 900
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, beta_prior=True)
    assert dds.coef().iloc[30].isna().all()
    found = dds.results(add_mle=True).table.iloc[30]
    assert (found["log2FoldChange"], found["lfcMLE"], found["lfcSE"], found["pvalue"]) == (0.0, 0.0, 0.0, 1.0)


def test_gene_wise_dispersions_have_no_trend():
    dds = fitted(beta_prior=True, sharing="gene_est_only")
    assert np.isfinite(dds._fitted().fit.prior.variance).all()
    assert dds.coef().iloc[5:].notna().all(axis=None)


def test_queries_are_answered_without_priors(wide, without):
    here, there = (each.query("group[c - a]").test().table for each in (wide, without))
    np.testing.assert_array_equal(here["log2FoldChange"], there["log2FoldChange"])


def test_intercept_only():
    with pytest.warns(cn.CountnestWarning, match="nothing to compare"):
        dds = cn.DESeqDataSet(*study(), design="~ 1").deseq(quiet=True, beta_prior=True)
    with pytest.warns(cn.CountnestWarning, match="nothing to compare"):
        plain = cn.DESeqDataSet(*study(), design="~ 1").deseq(quiet=True)
    np.testing.assert_array_equal(dds.coef(), plain.coef())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model_matrix_type": "expanded"}, OptionError, "needs beta_prior=True"),
        ({"beta_prior": True, "model_matrix_type": "wide"}, OptionError, "model_matrix_type='wide'"),
        ({"beta_prior": 1}, OptionError, "beta_prior=1 must be True or False"),
        ({"beta_prior": True, "test": "LRT", "reduced": "~ batch"}, OptionError, "use beta_prior=False"),
    ],
)
def test_arguments_that_do_not_go_together(options, error, message):
    with pytest.raises(error, match=message):
        fitted(**options)


@pytest.mark.parametrize(
    ("design", "message"),
    [("~ batch * group", "interactions, here 'batch:group'"), ("~ 0 + group", "need an intercept")],
)
def test_designs_without_priors(design, message):
    dds = cn.DESeqDataSet(*study(), design=design)
    with pytest.raises(DesignError, match=message):
        dds.deseq(quiet=True, beta_prior=True)


def test_thresholds(wide):
    with pytest.raises(OptionError, match="lessAbs' needs estimates without prior"):
        wide.results(lfc_threshold=1.0, alt_hypothesis="lessAbs")
    free, held = wide.results(), wide.results(lfc_threshold=0.5)
    tested = free.table["pvalue"].notna() & held.table["pvalue"].notna()
    assert (held.table["pvalue"][tested] >= free.table["pvalue"][tested]).all()
