"""The averaged test in models of all kinds, what it must not depend on, and where it is near what other tests give."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from matplotlib.figure import Figure

import countnest as cn
from cases import each
from countnest import simulate
from unit.api.simulated import study
from unit.api.test_averaged_questions import C_AGAINST_A, fitted

NUMBERS = ["log2FoldChange", "lfcSE", "stat", "pvalue"]


@pytest.fixture(scope="module")
def dds():
    return fitted(*study(n_genes=300))


@pytest.fixture(scope="module")
def table(dds):
    return dds.contrast(C_AGAINST_A).test("averaged").table


def assert_same(found, expected, rtol):
    """Compare fold changes and tests; p-values as logarithms, because small ones are far tails."""
    known = expected["pvalue"].notna()
    assert (found["pvalue"].notna() == known).all()
    np.testing.assert_allclose(np.log(found["pvalue"][known]), np.log(expected["pvalue"][known]), rtol=rtol, atol=rtol)
    usual = known & ~expected["separated"]  # how far an infinite fold change went depends on the model
    for name in ("log2FoldChange", "lfcSE"):
        np.testing.assert_allclose(found[name][usual], expected[name][usual], rtol=rtol, atol=rtol)


# ---- what must not matter ----


def reordered(record, order):
    """Return a record with all arrays by gene, also those of records in it, in another order."""
    changed = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray) and len(value) == len(order):
            changed[field.name] = value[order]
        elif is_dataclass(value) and not callable(value):
            changed[field.name] = reordered(value, order)
    return replace(record, **changed)


def test_the_order_of_the_genes_does_not_matter_to_the_test(dds, table):
    """The same bits, given the same estimates; sums over genes in the dispersion trend move its last bits."""
    order = np.random.default_rng(2).permutation(len(table))
    contrasts = np.array([C_AGAINST_A, [0.0, 0.0, 1.0, 0.0]])
    fit = dds._fit()
    other = fitted(dds.counts().iloc[order], dds.samples)._fit()
    other = replace(other, state=reordered(fit.state, order))
    unchanged = np.zeros((len(order), 2), dtype=bool)
    for threshold in (0.0, 0.5):
        one, two = (
            each.row_tests(contrasts, "averaged", threshold=threshold, alternative="greaterAbs", unchanged=unchanged)
            for each in (fit, other)
        )
        for name in ("lfc", "se", "statistic", "p_value"):
            np.testing.assert_array_equal(getattr(two, name), getattr(one, name)[order])
        np.testing.assert_array_equal(two.reach(0.9), one.reach(0.9)[order])
    joint = [each.joint_test(contrasts, "averaged").p_value for each in (fit, other)]
    np.testing.assert_array_equal(joint[1], joint[0][order])


@each(
    "spelling",
    [
        {"design": "~ 0 + batch + group"},
        {"design": "~ group + batch"},
        {"reference": {"group": "b", "batch": "y"}},
    ],
)
def test_the_spelling_of_the_model_does_not_matter(dds, table, spelling):
    options = {"design": "~ batch + group", **spelling}
    other = cn.DESeqDataSet(dds.counts(), dds.samples, quiet=True, **options).deseq(quiet=True)
    # IRLS ends where the deviance moves by less than 1e-8, and line searches of dispersions where they gain 1e-6
    assert_same(other.query("group[c - a]").test("averaged").table, table, 1e-3)
    joint = [each.effect("group").test("averaged", joint=True).table["pvalue"].dropna() for each in (dds, other)]
    np.testing.assert_allclose(np.log(joint[1]), np.log(joint[0]), rtol=1e-3, atol=1e-3)


def test_units_of_a_number_do_not_matter():
    counts, sheet = study(n_genes=200)
    dose = np.random.default_rng(3).uniform(0.0, 2.0, len(sheet))
    one, other = (
        fitted(counts, sheet.assign(dose=values), "~ batch + dose").results(name="dose", test="averaged", confint=0.9)
        for values in (dose, 1e-5 * dose)
    )
    np.testing.assert_allclose(np.log(other.table["pvalue"]), np.log(one.table["pvalue"]), rtol=1e-3, atol=1e-3)
    for name in ("log2FoldChange", "lfcSE", "ciLower", "ciUpper"):
        np.testing.assert_allclose(1e-5 * other.table[name], one.table[name], rtol=1e-2, atol=1e-3)


def test_samples_of_weight_zero_are_no_samples():
    counts, sheet = study(n_genes=200)
    counts.iloc[:2] = 9
    kept = np.arange(12) != 3
    weights = np.where(kept, 1.0, 0.0) * np.ones(counts.shape)
    factors = np.ones(counts.shape)
    options = {"fit_type": "mean", "sharing": "fit_only"}
    whole = fitted(counts, sheet, normalization_factors=factors, weights=weights, **options)
    rest = fitted(counts.loc[:, kept], sheet[kept], normalization_factors=factors[:, kept], **options)
    found, expected = (each.contrast(C_AGAINST_A).test("averaged").table for each in (whole, rest))
    # searches start from moments of other samples
    assert_same(found, expected, 2e-2)


def test_weights_count(dds, table):
    rng = np.random.default_rng(8)
    weights = np.where(rng.random(dds.counts().shape) < 0.2, rng.choice([0.0, 0.3], dds.counts().shape), 1.0)
    found = fitted(dds.counts(), dds.samples, weights=weights).contrast(C_AGAINST_A).test("averaged").table
    lrt = fitted(dds.counts(), dds.samples, weights=weights).contrast(C_AGAINST_A).test("lrt").table
    known = found["pvalue"].notna()
    assert known.sum() >= 290
    assert scipy.stats.spearmanr(found["pvalue"][known], lrt["pvalue"][known]).statistic > 0.98
    assert (found["lfcSE"][known] > 1.02 * table["lfcSE"][known]).mean() > 0.5
    ones = fitted(dds.counts(), dds.samples, weights=np.ones(weights.shape))
    pd.testing.assert_frame_equal(ones.contrast(C_AGAINST_A).test("averaged").table, table, check_exact=True)


def test_normalization_factors_of_equal_rows_are_size_factors(dds, table):
    factors = np.repeat(dds.size_factors.to_numpy()[None], len(table), axis=0)
    found = fitted(dds.counts(), dds.samples, normalization_factors=factors).contrast(C_AGAINST_A).test("averaged")
    assert_same(found.table, table, 1e-6)
    own = factors * np.exp(np.random.default_rng(4).normal(0.0, 0.3, factors.shape))
    other = fitted(dds.counts(), dds.samples, normalization_factors=own)
    found, lrt = (other.contrast(C_AGAINST_A).test(kind).table["pvalue"].dropna() for kind in ("averaged", "lrt"))
    assert scipy.stats.spearmanr(found, lrt).statistic > 0.98


# ---- models ----


@pytest.mark.filterwarnings("ignore:the design is ~ 1")
def test_models_without_a_null_coefficient():
    counts, sheet = study(n_genes=100)
    dds = fitted(counts, sheet, "~ 1")
    found = dds.contrast([1.0]).test("averaged", cooks_cutoff=False).table.dropna(subset="pvalue")
    assert (np.sign(found["stat"]) == np.sign(found["log2FoldChange"])).all()
    assert found["pvalue"].between(0.0, 1.0).all()
    # against the mean count itself there is nothing to find
    middle = found["log2FoldChange"].median()
    beyond = dds.contrast([1.0]).test("averaged", lfc_threshold=middle, cooks_cutoff=False).table["pvalue"].dropna()
    nearest = (found["log2FoldChange"] - middle).abs().idxmin()
    assert beyond[nearest] == pytest.approx(0.5, abs=0.2)
    assert (beyond < 1e-3).sum() > 10


def test_nested_models():
    nested = simulate.nested(genes=300)
    dds = cn.DESeqDataSet(
        nested.counts, nested.samples, design="~ family + treat1*treat2", reference={"treat2": "None"}, quiet=True
    ).deseq(quiet=True)
    one = dds.query("treat2[E - None] : treat1[B - A]")
    averaged, lrt = (one.test(kind).table["pvalue"].dropna() for kind in ("averaged", "lrt"))
    assert scipy.stats.spearmanr(averaged, lrt).statistic > 0.97
    jointly = dds.query("joint(treat2[E - None] : treat1[reference])")
    averaged, lrt = (jointly.test(kind) for kind in ("averaged", "lrt"))
    assert averaged.info.label == lrt.info.label
    p = [each.table["pvalue"].dropna() for each in (averaged, lrt)]
    assert scipy.stats.spearmanr(*p).statistic > 0.97
    staged = dds.query("treat2[E - None] | treat1").test("averaged", stagewise=True)
    for part in staged.values():
        passed = part.table["padj_stagewise"] < 0.1
        assert passed.sum() > 0
        assert (part.table["padj_screen"][passed] < 0.1).all()
        assert part.info.test == "averaged LRT"


def test_well_known_dispersions_give_the_likelihood_ratio_test():
    """With 120 samples the posterior of a dispersion has a standard deviation of an eighth."""
    found = simulate.groups(genes=300, sizes=(60, 60), fraction=0.2, rng=3)
    dds = cn.DESeqDataSet(found.counts, found.samples, design="~ group", quiet=True).deseq(quiet=True)
    averaged, lrt = (dds.effect("group").test(kind).table for kind in ("averaged", "lrt"))
    root = np.sqrt(lrt["stat"])
    usual = root < 4.0
    assert usual.sum() > 200
    np.testing.assert_allclose(averaged["stat"].abs()[usual], root[usual], rtol=0.1, atol=0.02)
    assert np.median(averaged["stat"].abs()[usual] / root[usual]) == pytest.approx(1.0, abs=0.03)


def test_few_samples_keep_the_level():
    """Without any effect, and with widely spread dispersions; the others take dispersions as known."""
    found = simulate.groups(genes=4000, sizes=(3, 3), fraction=0.0, dispersion_sd=1.2, rng=12)
    dds = cn.DESeqDataSet(found.counts, found.samples, design="~ group", quiet=True).deseq(quiet=True)
    averaged, wald, lrt = (
        dds.effect("group").test(kind, cooks_cutoff=False).table["pvalue"] for kind in ("averaged", "wald", "lrt")
    )
    for level in (0.05, 0.01, 0.001):
        deviation = np.sqrt(level * (1.0 - level) / len(averaged))
        assert abs((averaged < level).mean() - level) < 3.0 * deviation
    assert (wald < 0.001).mean() > 2.0 * (averaged < 0.001).mean()
    assert (lrt < 0.001).mean() > 2.0 * (averaged < 0.001).mean()


def test_one_sided_tests_and_thresholds_keep_the_level():
    """All genes sit on the threshold."""
    rng = np.random.default_rng(5)
    base, n = np.exp(rng.uniform(2.5, 7.0, 3000)), 4
    mu = base[:, None] * np.where(np.arange(2 * n) < n, 1.0, 2.0)
    alpha = (0.05 + 1.0 / base)[:, None] * np.exp(rng.normal(0.0, 0.4, (3000, 1)))
    counts = rng.negative_binomial(1.0 / alpha, 1.0 / (1.0 + alpha * mu))
    sheet = pd.DataFrame({"group": np.repeat(["a", "b"], n)}, index=[f"s{j}" for j in range(2 * n)])
    counts = pd.DataFrame(counts, index=[f"g{i}" for i in range(3000)], columns=sheet.index)
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.ones(2 * n), quiet=True).deseq(quiet=True)
    for alternative in ("greater", "greaterAbs"):
        p = dds.effect("group").test("averaged", lfc_threshold=1.0, alt_hypothesis=alternative, cooks_cutoff=False)
        p = p.table["pvalue"]
        for level in (0.05, 0.01):
            deviation = np.sqrt(level * (1.0 - level) / len(p))
            assert abs((p < level).mean() - level) < 4.0 * deviation
    within = dds.effect("group").test("averaged", confint=0.95, cooks_cutoff=False).table
    covered = ((within["ciLower"] < 1.0) & (within["ciUpper"] > 1.0)).mean()
    assert covered == pytest.approx(0.95, abs=4.0 * np.sqrt(0.05 * 0.95 / 3000))


# ---- what is around a table ----


def test_a_file_keeps_the_test(tmp_path):
    dds = fitted(*study(), test="averaged")
    cn.save(dds, tmp_path / "d.countnest")
    again = cn.load(tmp_path / "d.countnest")
    for ask in (
        lambda each: each.results(confint=0.9),
        lambda each: each.effect("group").test(joint=True),
        lambda each: each.results(lfc_threshold=0.5),
    ):
        one, other = ask(dds), ask(again)
        pd.testing.assert_frame_equal(other.table, one.table, check_exact=True)
        assert other.info.test == one.info.test == "averaged LRT"


def test_tables_say_what_they_have(dds):
    found = dds.results(("group", "c", "a"), test="averaged", confint=0.9)
    meaning = found.descriptions()
    assert meaning["log2FoldChange"] == "log2 fold change (MLE): group c vs a"
    assert meaning["stat"] == "averaged LRT statistic: group c vs a"
    assert meaning["pvalue"] == "averaged LRT p-value: group c vs a"
    assert meaning["ciLower"] == "lower end of the 90 % confidence interval: group c vs a"
    text = str(found)
    assert "averaged LRT p-value: group c vs a" in text
    assert "Wald" not in text + str(found.summary())
    assert "Wald" not in " ".join(meaning.values())
    threshold = dds.results(("group", "c", "a"), test="averaged", lfc_threshold=1.0)
    assert (threshold.info.lfc_threshold, threshold.info.alt_hypothesis) == (1.0, "greaterAbs")


def test_figures_take_its_tables(dds):
    found = dds.effect("group").test("averaged")
    assert isinstance(cn.plot_ma(found[0]), Figure)
    assert isinstance(cn.plot_ma(dds.results(test="averaged", lfc_threshold=1.0)), Figure)


def test_fold_changes_can_be_shrunken_afterwards():
    dds = fitted(*study(), test="averaged")
    shrunken = cn.lfc_shrink(dds, coef="group_c_vs_a", type="apeglm", quiet=True)
    assert (shrunken.table["pvalue"].dropna() == dds.results(name="group_c_vs_a").table["pvalue"].dropna()).all()
