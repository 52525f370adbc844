"""Dispersions that are not shrunken, given, or drawn to a given trend; outliers by other rules."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import MissingStepError, OptionError
from unit.api.simulated import study


def data_set(**options):
    return cn.DESeqDataSet(*study(), design="~ batch + group", **options)


@pytest.fixture(scope="module")
def usual():
    return data_set().deseq(quiet=True)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_a_function_is_taken_as_the_trend(usual, factor):
    fitted = usual.dispersion_trend
    dds = data_set().deseq(fit_type=lambda mean: factor * fitted(mean), quiet=True)
    np.testing.assert_allclose(dds.genes["dispFit"], factor * usual.genes["dispFit"], rtol=1e-14)
    assert dds.dispersion_trend.fit_type == "custom"
    assert dds.dispersion_trend.coefficients is None
    if factor == 1.0:
        pd.testing.assert_frame_equal(dds.genes, usual.genes, check_exact=True)


def test_the_trend_of_another_data_set(usual):
    counts, sheet = study()
    half = counts.iloc[::2]
    dds = cn.DESeqDataSet(half, sheet, design="~ batch + group", size_factors=usual.size_factors)
    dds.deseq(fit_type=usual.dispersion_trend, quiet=True)
    np.testing.assert_allclose(dds.genes["dispFit"], usual.genes["dispFit"].iloc[::2], rtol=1e-14)


def test_a_single_gene_is_its_own_trend(capsys):
    # DESeq2 has the same numbers for this gene, and the same note
    counts = pd.DataFrame([[20, 35, 11, 60, 44, 29]], index=["g"], columns=[f"s{j}" for j in range(6)])
    sheet = pd.DataFrame({"condition": list("AAABBB")}, index=counts.columns)
    of_r = {"dispGeneEst": 0.173070805727, "dispFit": 0.173070805727, "dispersion": 0.173051284408}
    of_r["WaldStatistic_condition_B_vs_A"] = 1.88594873664
    for fit_type in ("parametric", "local", "mean"):
        dds = cn.DESeqDataSet(counts, sheet, design="~ condition", size_factors=np.ones(6))
        dds.deseq(fit_type=fit_type)
        noted = "a local regression fit was automatically substituted" in capsys.readouterr().err
        assert noted == (fit_type == "parametric")
        np.testing.assert_allclose(dds.genes.loc["g", list(of_r)].astype(float), list(of_r.values()), rtol=1e-9)
        assert repr(dds).startswith("DESeqDataSet: 1 gene x 6 samples")
        rlog = cn.rlog(dds, blind=False, quiet=True).table.loc["g"]
        np.testing.assert_allclose(rlog, [4.623145, 5.035617, 4.271657, 5.49679, 5.224609, 4.88872], rtol=2e-7)


def test_one_number_for_all_genes():
    dds = data_set().deseq(fit_type=lambda _: 0.2, quiet=True)
    fitted = dds.genes["dispFit"].dropna()
    assert (fitted == 0.2).all()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda mean: -mean, "positive dispersions"),
        (lambda mean: mean[:3], "as many dispersions"),
        (lambda mean: mean * np.nan, "positive dispersions"),
        (lambda _: "much", "as many dispersions"),
    ],
)
def test_a_bad_trend_is_refused(function, words):
    dds = data_set()
    with pytest.raises(OptionError, match=words):
        dds.deseq(fit_type=function, quiet=True)


def test_gene_wise_dispersions_are_final(usual):
    dds = data_set().deseq(sharing="gene_est_only", min_replicates_for_replace=np.inf, quiet=True)
    pd.testing.assert_series_equal(dds.genes["dispersion"], usual.genes["dispGeneEst"], check_names=False)
    assert dds.genes["dispFit"].isna().all()
    with pytest.raises(MissingStepError, match="no dispersion trend"):
        _ = dds.dispersion_trend
    assert dds.results().table["pvalue"].notna().any()


def test_the_trend_is_final(usual):
    dds = data_set().deseq(sharing="fit_only", quiet=True)
    pd.testing.assert_series_equal(dds.genes["dispersion"], usual.genes["dispFit"], check_names=False)


def test_counts_without_extra_variation_have_no_trend_but_can_be_tested():
    counts = 50 + np.random.default_rng(3).integers(0, 2, (60, 6))
    sheet = pd.DataFrame({"group": list("aaabbb")})
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.ones(6))
    with pytest.raises(cn.CountnestError, match="sharing='gene_est_only'"):
        dds.deseq(quiet=True)
    dds.deseq(sharing="gene_est_only", quiet=True)
    assert dds.results().table["pvalue"].notna().all()


def test_given_dispersions(usual):
    dds = data_set(size_factors=usual.size_factors)
    dds.dispersions = usual.dispersions
    assert dds.genes["dispGeneEst"].isna().all()
    dds.nbinom_wald_test(quiet=True)
    pd.testing.assert_frame_equal(dds.coef(), usual.coef(), check_exact=True)
    dds.dispersions = usual.dispersions.iloc[::-1] * 2.0  # by label; the fit is gone
    pd.testing.assert_series_equal(dds.dispersions.copy(), usual.dispersions * 2.0)
    with pytest.raises(MissingStepError):
        dds.results()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda alpha: -alpha, "greater than 0"),
        (lambda alpha: alpha.to_numpy()[1:], "one number for each"),
        (lambda alpha: alpha.to_numpy() * np.nan, "greater than 0"),
    ],
)
def test_bad_dispersions_are_refused(usual, values, words):
    dds = data_set(size_factors=usual.size_factors)
    with pytest.raises(OptionError, match=words):
        dds.dispersions = values(usual.dispersions)


@pytest.fixture(scope="module")
def outlying():
    counts, sheet = study()
    counts = counts.copy()
    counts.iloc[7, 2] = 50_000
    counts.iloc[9, 10] = 80_000
    return cn.DESeqDataSet(counts, sheet, design="~ group")


def test_outliers_are_replaced_on_demand(outlying):
    at_once = outlying.deseq(min_replicates_for_replace=3, quiet=True)
    expected, replaced = at_once.genes, at_once.counts(replaced=True)
    outlying.deseq(min_replicates_for_replace=np.inf, quiet=True)
    before = outlying.genes["baseMean"]
    assert "baseMeanBeforeReplace" not in outlying.genes
    outlying.replace_outliers(min_replicates=3, quiet=True)
    pd.testing.assert_frame_equal(outlying.genes, expected, check_exact=True)
    pd.testing.assert_frame_equal(outlying.counts(replaced=True), replaced)
    pd.testing.assert_series_equal(outlying.genes["baseMeanBeforeReplace"], before, check_names=False)
    assert outlying.genes["baseMean"].iloc[7] < before.iloc[7]


@pytest.mark.parametrize("kind", ["labels", "truth values"])
def test_only_the_chosen_samples_are_replaced(outlying, kind):
    outlying.deseq(min_replicates_for_replace=np.inf, quiet=True)
    samples = outlying.samples.index
    chosen = [samples[2]] if kind == "labels" else np.arange(len(samples)) == 2
    outlying.replace_outliers(which_samples=chosen, quiet=True)
    changed = outlying.counts(replaced=True) != outlying.counts()
    assert changed.iloc[7, 2]
    assert changed.to_numpy().sum(axis=0)[np.arange(len(samples)) != 2].sum() == 0
    assert outlying.genes["replace"].iloc[9]  # an outlier in another sample is flagged all the same


def test_the_rule_of_replacement(outlying):
    outlying.deseq(min_replicates_for_replace=np.inf, quiet=True)
    outlying.replace_outliers(min_replicates=3, cooks_cutoff=1e9, quiet=True)
    assert outlying.genes.get("replace") is None
    outlying.replace_outliers(min_replicates=3, trim=0.4, quiet=True)
    assert outlying.genes["replace"].any()
    with pytest.raises(OptionError, match="replaced already"):
        outlying.replace_outliers(min_replicates=3, quiet=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_replicates": 2}, "3 or more"),
        ({"trim": 0.5}, "below 0.5"),
        ({"cooks_cutoff": 0.0}, "greater than 0"),
        ({"which_samples": ["absent"]}, "no samples 'absent'"),
    ],
)
def test_bad_rules_are_refused(outlying, options, words):
    outlying.deseq(min_replicates_for_replace=np.inf, quiet=True)
    with pytest.raises(OptionError, match=words):
        outlying.replace_outliers(quiet=True, **options)
    with pytest.raises(MissingStepError):
        data_set().replace_outliers()
