"""Hidden factors taken out of comparisons, and the scaled null: answers, records, what is refused."""

import io

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from countnest.containers.summary import summarize
from countnest.errors import ContrastError, CountnestWarning, DesignError, OptionError
from countnest.simulate import HiddenFactor
from countnest.stats.hidden.scale import null_scale
from unit.api.simulated import study as small_study
from unit.methods.ols import fit_ols

C_VS_A = ("group", "C", "A")
# Answers that are worked out by another parametrization of the same model.
SAME = 1e-3


def make(study, samples=None, design="~ group", **options):
    samples = study.samples if samples is None else samples
    dds = cn.DESeqDataSet(study.counts, samples, design=design, reference=study.reference, quiet=True, **options)
    return dds.deseq(quiet=True, min_replicates_for_replace=np.inf)


@pytest.fixture(scope="module")
def study():
    factors = [HiddenFactor(sd=0.5, correlation=0.3), HiddenFactor("continuous", sd=0.4, correlation=0.1)]
    return cn.simulate.groups(genes=900, sizes=(6, 6, 6), base=(20, 2000), hidden=factors, rng=3)


@pytest.fixture(scope="module")
def dds(study):
    return make(study)


@pytest.fixture(scope="module")
def overlapping():
    """Return a study whose groups partly coincide with a hidden batch, and its data set."""
    factor = HiddenFactor(sd=0.5, correlation=0.5)
    study = cn.simulate.groups(genes=2000, sizes=(10, 10), base=(20, 2000), hidden=factor, rng=5)
    return study, make(study)


def by_hand(study, results):
    """Return a data set with the factors of results as columns of its design."""
    columns = results.info.hidden.columns
    return make(study, study.samples.join(columns), "~ group + " + " + ".join(columns))


def check_same(results, other):
    table, expected = results.table, other.table
    for name in ("log2FoldChange", "lfcSE"):
        if name in table:
            np.testing.assert_allclose(table[name], expected[name], rtol=SAME, atol=SAME)
    np.testing.assert_allclose(np.log(table["pvalue"]), np.log(expected["pvalue"]), rtol=SAME, atol=SAME)


def test_answers_are_those_of_a_design_with_the_factors_as_columns(study, dds):
    found = dds.results(C_VS_A, hidden_factors="auto")
    assert (found.info.hidden.n_factors, found.info.hidden.found) == (2, True)
    assert found.info.formula == "~ group + hidden1 + hidden2"
    other = by_hand(study, found)
    row, expected = dds.contrast("group_C_vs_A"), other.contrast("group_C_vs_A")
    check_same(found, other.results(name="group_C_vs_A"))
    check_same(dds.results(C_VS_A, hidden_factors="auto", lfc_threshold=0.3), other.results(C_VS_A, lfc_threshold=0.3))
    for kind in ("t", "lrt", "averaged", "ql"):
        check_same(row.test(kind, hidden_factors=2), expected.test(kind))


def test_so_are_joint_answers(study, dds):
    query = dds.effect("group").joint()
    for kind in ("wald", "lrt", "averaged", "ql"):
        found = query.test(kind, hidden_factors=2)
        other = by_hand(study, found)
        names = {label: f"group_{label}_vs_A" for label in "BC"}
        check_same(found, other.contrast(names).test(kind, joint=True))
    assert found.info.hidden.tau.shape == (2, 2)


def test_rows_are_answered_as_if_each_were_asked_alone(dds):
    query = dds.effect("group", levels="pairwise")
    together, stages = (query.test(hidden_factors=2, **options) for options in ({}, {"stagewise": True}))
    for place, part in enumerate(together.values()):
        alone = query[place].test(hidden_factors=2)
        for found in (part, stages[place]):
            np.testing.assert_allclose(found.table["stat"], alone.table["stat"], rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(found.info.hidden.tau, alone.info.hidden.tau)


def test_the_data_set_is_not_changed(study):
    dds = make(study)
    before, names, fits = dds.results().table, dds.results_names(), dds.fits
    dds.results(C_VS_A, hidden_factors=1)
    pd.testing.assert_frame_equal(dds.results().table, before)
    assert (dds.results_names(), dds.fits) == (names, fits)


def test_the_repair_works_where_groups_and_factor_overlap(overlapping):
    study, dds = overlapping
    null = study.truth["null_group"].to_numpy()
    plain, scaled = dds.results(), dds.results(null="scaled")
    with pytest.warns(CountnestWarning, match=r"confounded with 'group B vs A': .* differ in it by \d\.\d of its"):
        out = dds.results(hidden_factors="auto")

    def share_of_false(results):
        called = results.table["padj"].to_numpy() < 0.1
        return null[called].mean(), (called & ~null).sum()

    (before, _), (after, power), (_, weak) = map(share_of_false, (plain, out, scaled))
    assert before > 0.4
    assert after < 0.2
    assert power > weak + 3
    assert plain.info.null_scale > 1.3
    assert out.info.null_scale < 1.1
    assert out.info.hidden.confounding[0] > 0.5


def test_counts_in_files_give_the_same_bits(study, dds, tmp_path):
    np.save(tmp_path / "counts.npy", study.counts.to_numpy())
    stored = np.load(tmp_path / "counts.npy", mmap_mode="r")
    other = cn.DESeqDataSet(stored, study.samples, design="~ group", orientation="genes_by_samples", quiet=True)
    other.deseq(quiet=True, min_replicates_for_replace=np.inf)
    one, two = (each.results(C_VS_A, hidden_factors="auto").table["pvalue"] for each in (dds, other))
    np.testing.assert_array_equal(one, two)


def test_families_are_no_obstacle():
    """A nested design: 20 residual degrees of freedom, an interaction, and a batch that goes along with it."""
    factor = HiddenFactor(sd=0.5, correlation=0.3)
    study = cn.simulate.nested(genes=1500, hidden=factor, rng=1)
    dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference, quiet=True)
    query = dds.deseq(quiet=True).query("treat2[E - None] : treat1[B - A]")
    null = study.truth["treat1[B]:treat2[E]"].to_numpy() == 0
    plain, out = query.test(), query.test(hidden_factors="auto")
    false = [null[(each.table["padj"] < 0.1).to_numpy()].mean() for each in (plain, out)]
    assert false[1] < min(0.18, false[0])
    assert out.info.null_scale < 1.1 < plain.info.null_scale
    assert out.info.hidden.n_factors == 1


def test_where_nothing_is_hidden_nothing_changes():
    study = cn.simulate.groups(genes=600, sizes=(6, 6), base=(20, 2000), rng=3)
    dds = make(study)
    plain, found = dds.results(), dds.results(hidden_factors="auto")
    pd.testing.assert_frame_equal(found.table, plain.table)
    record = found.info.hidden
    assert (record.n_factors, record.columns.shape, record.tau.shape) == (0, (12, 0), (0, 1))
    assert found.info.formula == "~ group"
    assert "hidden factors: none found (by parallel analysis" in str(summarize(found.table, found.info))
    assert repr(record).startswith("hidden factors of 12 samples\nnumber: 0, by parallel analysis\n")


def test_records_say_what_was_found(dds):
    found = dds.results(C_VS_A, hidden_factors=1, hidden_seed=7)
    record = found.info.hidden
    assert (record.n_factors, record.found, record.seed) == (1, False, 7)
    assert len(record.eigenvalues) == len(record.reference) == 15
    assert list(record.columns.index) == list(dds.samples.index)
    assert record.tau.shape == (1, 1)
    summary = str(summarize(found.table, found.info))
    assert "hidden factors: 1 taken out (as given), eigenvalues " in summary
    assert "hidden factors taken out: 1\n" in repr(found)
    assert "number: 1, as given\n" in repr(record)
    assert "hidden: 1, as given" in repr(found.info)
    found.summary(file=io.StringIO())


def test_names_of_variables_are_not_taken(study, dds):
    columns = dds.results(("group", "B", "A"), hidden_factors=1).info.hidden.columns
    again = make(study, study.samples.join(columns), "~ group + hidden1")
    info = again.results(("group", "B", "A"), hidden_factors=2).info
    assert info.formula == "~ group + hidden1 + hidden2 + hidden3"
    assert list(info.hidden.columns) == ["hidden2", "hidden3"]


def test_fits_under_names_and_with_options_keep_them(study):
    kept = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True)
    kept.deseq(quiet=True, fit_type="mean", use_t=True).keep_fit("t").deseq(quiet=True, fit_type="local")
    named, last = (kept.contrast("group_C_vs_A").test(fit=fit, hidden_factors=1) for fit in ("t", None))
    assert set(named.table["df"].dropna()) == {18 - 4}
    assert "df" not in last.table
    assert not np.allclose(named.table["lfcSE"], last.table["lfcSE"], rtol=1e-3)


def test_outliers_are_judged_with_the_replicates_of_the_design(study):
    counts = study.counts.copy()
    counts.iloc[5, 0] = 400_000
    for replicates, reason in ((np.inf, "outlier"), (6, "tested")):
        dds = cn.DESeqDataSet(counts, study.samples, design="~ group", quiet=True)
        dds.deseq(quiet=True, min_replicates_for_replace=replicates)
        for options in ({}, {"hidden_factors": 1}):
            found = dds.results(C_VS_A, **options)
            assert found.table["padj_reason"].iloc[5] == reason
            assert found.info.cooks_cutoff == dds.results().info.cooks_cutoff


def test_weights_and_normalization_factors_are_respected(study):
    """A count of weight 0 does not matter, neither to the factors nor to the fit."""
    weights = np.ones(study.counts.shape)
    weights[5, 0] = weights[40, 7] = 0.0
    tables = []
    for count in (1, 300):
        counts = study.counts.copy()
        counts.iloc[5, 0] = counts.iloc[40, 7] = count
        dds = cn.DESeqDataSet(
            counts, study.samples, design="~ group", weights=weights, quiet=True,
            normalization_factors=np.tile(study.size_factors, (len(counts), 1)),
        ).deseq(quiet=True)  # fmt: skip
        tables.append(dds.results(C_VS_A, hidden_factors=1).table)
    others = np.delete(np.arange(len(tables[0])), [5, 40])
    for name in ("log2FoldChange", "lfcSE"):
        one, two = (table[name].to_numpy()[others] for table in tables)
        np.testing.assert_allclose(one, two, rtol=1e-2, atol=1e-3)


@pytest.mark.filterwarnings("ignore::countnest.errors.CountnestWarning")  # about the numbers
def test_numbers_of_any_unit_give_the_same(study):
    years = 1950.5 + np.arange(18) % 7
    tables = []
    for age in (years - 1950.0, years, years / 1e6):
        dds = make(study, study.samples.assign(age=age), "~ age + group")
        tables.append(dds.results(C_VS_A, hidden_factors=2).table)
    for other in tables[1:]:
        np.testing.assert_allclose(other["stat"], tables[0]["stat"], rtol=1e-3, atol=1e-3)


def test_a_scaled_null_divides_z_values_and_widens_errors(overlapping):
    _, dds = overlapping
    plain, scaled = (dds.results(confint=0.9, null=null) for null in ("theoretical", "scaled"))
    mean, p = (plain.table[name].to_numpy() for name in ("baseMean", "pvalue"))
    divisor = null_scale(p, mean).value / 1.1
    assert divisor > 1.1
    assert scaled.info.null_divisor == pytest.approx(divisor)
    assert (scaled.info.null_scale, plain.info.null_divisor) == (plain.info.null_scale, None)
    z = scipy.stats.norm.isf(p / 2.0) / divisor
    np.testing.assert_allclose(scaled.table["pvalue"], 2.0 * scipy.stats.norm.sf(z), rtol=1e-9)
    for name, factor in (("lfcSE", divisor), ("stat", 1.0), ("log2FoldChange", 1.0)):
        np.testing.assert_allclose(scaled.table[name], factor * plain.table[name])
    width, widened = (each.table["ciUpper"] - each.table["ciLower"] for each in (plain, scaled))
    np.testing.assert_allclose(widened, divisor * width)
    # a Wald test: the p-value is that of the fold change over the widened error
    ratio = scaled.table["log2FoldChange"] / scaled.table["lfcSE"]
    np.testing.assert_allclose(scaled.table["pvalue"], 2.0 * scipy.stats.norm.sf(np.abs(ratio)), rtol=1e-9)
    plain, scaled = (
        dds.effect("group").test("averaged", confint=0.9, null=null).table for null in ("theoretical", "scaled")
    )
    width, widened = (each["ciUpper"] - each["ciLower"] for each in (plain, scaled))
    ratio = widened / width
    np.testing.assert_allclose(ratio, ratio.iloc[0])
    assert ratio.iloc[0] > 1.1


def test_tables_of_a_scaled_null_say_so(overlapping):
    _, dds = overlapping
    scaled = dds.results(null="scaled")
    divisor = scaled.info.null_divisor
    meanings = scaled.descriptions()
    assert meanings["lfcSE"].startswith(f"standard error (times {divisor:.3g}): ")
    assert meanings["stat"].startswith("Wald statistic (before scaling): ")
    assert meanings["pvalue"].startswith("Wald test p-value (scaled null): ")
    assert f"z-values are divided by {divisor:.2f}," in str(summarize(scaled.table, scaled.info))
    assert f", p-values scaled by {divisor:.2f}\n" in repr(scaled)


def test_a_scaled_null_comes_after_hidden_factors_and_before_adjustment(dds):
    out, both = (dds.results(C_VS_A, hidden_factors=1, null=null) for null in ("theoretical", "scaled"))
    assert both.info.null_scale == out.info.null_scale
    joint = dds.effect("group").test(joint=True, null="scaled", p_adjust="bonferroni", independent_filtering=False)
    tested = joint.table["padj"].notna()
    np.testing.assert_allclose(joint.table["padj"], np.minimum(1.0, tested.sum() * joint.table["pvalue"]))


def test_every_method_has_the_scaled_null(overlapping):
    study, dds = overlapping
    other = make(study).add_fit("ols", fit_ols(study.counts.to_numpy(dtype=float), dds.design))
    plain, scaled = (other.effect("group")[0].test(fit="ols", null=null) for null in ("theoretical", "scaled"))
    assert scaled.info.null_divisor > 1.0
    assert (scaled.table["pvalue"] >= plain.table["pvalue"]).all()


def refused(ask, error, *texts):
    with pytest.raises(error) as caught:
        ask()
    for text in texts:
        assert text in str(caught.value)


def test_what_hidden_factors_cannot_do_is_refused(study, dds):
    row = dds.effect("group")[0]
    few = cn.DESeqDataSet(*small_study(), design="~ batch + group", quiet=True).deseq(quiet=True, fit_type="mean")
    seven = dds[:, np.r_[0:3, 6:9, 12:16]].deseq(quiet=True)
    lrt = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True)
    lrt.deseq(quiet=True, test="LRT", reduced="~ 1")
    prior = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True)
    prior.deseq(quiet=True, beta_prior=True)
    alone = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True)
    alone.deseq(quiet=True, sharing="gene_est_only")
    ols = make(study).add_fit("ols", fit_ols(study.counts.to_numpy(dtype=float), dds.design))
    cases = [
        (
            lambda: seven.results(C_VS_A, hidden_factors="auto"),
            DesignError,
            "need 8 residual",
            "leaves 7 (10 samples, 3",
        ),
        (lambda: few.results(("group", "b", "a"), hidden_factors=1), OptionError, "are too few"),
        (lambda: dds.results(hidden_factors=1), ContrastError, "say which", "'group_B_vs_A', 'group_C_vs_A'"),
        (lambda: dds.results(name="Intercept", hidden_factors=1), ContrastError, "'Intercept'", "this is a mean"),
        (lambda: dds.means("group").test(hidden_factors=1), ContrastError, "mean | group=A", "this is a mean"),
        (lambda: lrt.results(C_VS_A, hidden_factors=1), OptionError, "of the whole fit", ".test('lrt', hidden_factors"),
        (lambda: prior.results(C_VS_A, hidden_factors=1), OptionError, "DESeq2 with shrunken coefficients"),
        (lambda: alone.results(C_VS_A, hidden_factors=1), OptionError, "a dispersion trend is needed"),
        (lambda: ols.effect("group").test(fit="ols", hidden_factors=1), OptionError, "a fit by OLS cannot be made"),
        (
            lambda: row.test(hidden_factors=4),
            OptionError,
            r"hidden_factors=4: with 15 residual degrees of freedom at most 3",
        ),
        (lambda: row.test(hidden_factors=0), OptionError, "hidden_factors=0 cannot be used"),
        (lambda: row.test(hidden_factors=True), OptionError, "hidden_factors=True cannot be used"),
        (lambda: row.test(hidden_factors="all"), OptionError, "give 'auto', or how many"),
        (lambda: row.test(hidden_factors=1.5), OptionError, "a whole number"),
        (lambda: row.test(hidden_seed=-1), OptionError, "hidden_seed=-1"),
        (lambda: row.test(null="empirical"), OptionError, "null='empirical' is not known"),
    ]
    for ask, error, *texts in cases:
        refused(ask, error, *texts)


def test_where_there_is_no_scale_nothing_is_scaled(dds):
    row = dds.effect("group")[0]
    few = dds[:150].deseq(quiet=True, fit_type="mean")
    for ask, text in (
        (lambda: row.test(null="scaled", lfc_threshold=1), "null='scaled' is for two-sided tests of zero"),
        (lambda: row.test(null="scaled", alt_hypothesis="less"), "of one side"),
        (lambda: dds.results(name="Intercept", null="scaled"), "this is a mean"),
        (lambda: few.results(null="scaled"), "null='scaled' needs 200 genes with a mean count above 5"),
    ):
        refused(ask, OptionError, text)


@pytest.mark.filterwarnings("ignore:a hidden factor is confounded")
def test_shrinkage_takes_such_tables_as_they_are(overlapping):
    _, dds = overlapping
    for options in ({"hidden_factors": 1}, {"null": "scaled"}):
        results = dds.results(**options)
        shrunken = cn.lfc_shrink(dds, type="ashr", res=results, quiet=True)
        sizes, before = (each.table["log2FoldChange"].abs() for each in (shrunken, results))
        assert (sizes < before).all()
        assert (shrunken.table["padj"].dropna() == results.table["padj"].dropna()).all()
        text = "type='ashr' shrinks them, from res alone"
        refused(lambda res=results: cn.lfc_shrink(dds, res=res, quiet=True), OptionError, text)
