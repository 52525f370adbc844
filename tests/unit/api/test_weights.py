"""Observation weights, from the arguments to the tables."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from countnest.errors import CountnestWarning, OptionError
from unit.api.simulated import study


def weighted(weights, design="~ batch + group", **options):
    counts, sheet = study()
    return cn.DESeqDataSet(counts, sheet, design=design, weights=weights).deseq(quiet=True, **options)


@pytest.fixture(scope="module")
def weights():
    counts, _ = study()
    rng = np.random.default_rng(8)
    values = np.where(rng.random(counts.shape) < 0.2, rng.uniform(0.02, 0.5, counts.shape), 1.0)
    return pd.DataFrame(values, index=counts.index, columns=counts.columns)


def test_weights_of_one_change_nothing():
    counts, sheet = study()
    plain = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True)
    ones = weighted(np.ones(counts.shape))
    pd.testing.assert_frame_equal(ones.genes.drop(columns="weightsFail"), plain.genes.copy(), check_exact=True)


def test_only_ratios_within_a_gene_matter_to_the_fit(weights):
    scale = np.random.default_rng(2).uniform(0.1, 5.0, (len(weights), 1))
    one, other = weighted(weights, fit_type="mean"), weighted(weights * scale, fit_type="mean")
    # the start of the search depends on the moments, which are those of the weights as given
    np.testing.assert_allclose(other.genes["baseMean"], one.genes["baseMean"] * scale[:, 0], rtol=1e-12)
    np.testing.assert_allclose(other.genes["dispersion"], one.genes["dispersion"], rtol=0.05)


def test_weights_are_matched_by_label(weights):
    shuffled = weights.sample(frac=1.0, random_state=1).sample(frac=1.0, axis=1, random_state=2)
    pd.testing.assert_frame_equal(weighted(shuffled).genes, weighted(weights).genes, check_exact=True)


def test_a_sample_without_weight_is_no_sample():
    counts, sheet = study()
    kept = counts.columns != counts.columns[3]
    factors = np.ones(len(kept))
    rest = cn.DESeqDataSet(counts.loc[:, kept], sheet[kept], design="~ batch + group", size_factors=factors[kept])
    alpha = np.full(len(counts), 0.1)
    rest.dispersions = alpha
    rest.nbinom_wald_test(quiet=True)
    weights = np.where(kept, 1.0, 0.0) * np.ones(counts.shape)
    whole = cn.DESeqDataSet(counts, sheet, design="~ batch + group", size_factors=factors, weights=weights)
    whole.dispersions = alpha
    whole.nbinom_wald_test(quiet=True)
    # the two start from different values, and stop when the deviance moves by less than 1e-8
    close = rest.genes["betaConv"].fillna(False).to_numpy(dtype=bool)
    assert close.mean() > 0.9
    distance = np.abs(whole.coef() - rest.coef()) / rest.coef(se=True)
    assert distance[close].max(axis=None) < 1e-3
    contrast = np.array([0.0, 1.0, -1.0, 0.5])
    ours, theirs = (dds.results(contrast).table["lfcSE"] for dds in (whole, rest))
    np.testing.assert_allclose(ours[close], theirs[close], rtol=1e-3)


def test_t_tests_count_weights_for_samples(weights):
    dds = weighted(weights, use_t=True)
    scaled = weights.div(weights.max(axis=1), axis=0)
    table = dds.results(cooks_cutoff=False).table
    expected = 2 * scipy.stats.t.sf(table["stat"].abs(), scaled.sum(axis=1) - dds.coef().shape[1])
    np.testing.assert_allclose(table["pvalue"], expected, rtol=1e-12)


def test_genes_whose_weights_do_not_suffice_are_flagged(weights):
    poor = weights.copy()
    groups = study()[1]["group"]
    poor.iloc[4, np.flatnonzero(groups == groups.iloc[-1])] = 0.0
    with pytest.warns(CountnestWarning, match="degenerate design matrix, for 1 gene"):
        dds = weighted(poor)
    genes = dds.genes
    assert list(np.flatnonzero(genes["weightsFail"])) == [4]
    assert np.isnan(genes["dispersion"].iloc[4])
    table = dds.results().table
    assert table["padj_reason"].iloc[4] == "not_estimated"
    assert table["baseMean"].iloc[4] > 0
    others = np.arange(len(genes)) != 4
    assert table.loc[others & (table["baseMean"] > 0), "log2FoldChange"].notna().all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda w: -w, OptionError, "not negative"),
        (lambda w: w.where(w < 1, np.nan), OptionError, "finite"),
        (
            lambda w: w.mul(np.where(w.index == "g7", -1.0, 1.0) / w.max(axis=1), axis=0),
            OptionError,
            r"such as -[01]\.\d+, in 'g7'\.",
        ),
        (lambda w: w.iloc[:-1], OptionError, "weights"),
        (lambda w: w.to_numpy()[:, 1:], OptionError, "shape of the counts"),
        (lambda w: w.astype(str) + "x", OptionError, "must be numbers"),
    ],
)
def test_bad_weights_are_refused(weights, change, error, words):
    counts, sheet = study()
    with pytest.raises(error, match=words):
        cn.DESeqDataSet(counts, sheet, design="~ group", weights=change(weights))


# ---- genes that weights leave nothing of ----


def test_a_gene_whose_counts_have_weight_zero_is_one_without_counts():
    counts, sheet = study()
    counts.iloc[5:8] = 0
    counts.iloc[5:8, 3] = [9, 80, 700]
    weights = np.ones(counts.shape)
    weights[:, 3] = 0.0
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group", weights=weights).deseq(quiet=True)
    table = dds.results().table
    assert (table["padj_reason"].iloc[5:8] == "all_zero").all()
    assert table[["log2FoldChange", "pvalue"]].iloc[5:8].isna().all(axis=None)
    assert not dds.genes["weightsFail"].iloc[5:8].any()
    assert dds.results().summary().nonzero == int((counts.iloc[:, np.arange(12) != 3].sum(axis=1) > 0).sum())
    transformed = cn.rlog(dds, blind=False, quiet=True).table
    assert np.isfinite(transformed.to_numpy()).all()
    assert (transformed.iloc[5:8] == 0).all(axis=None)
    dds.dispersions = np.full(len(counts), 0.1)
    assert dds.nbinom_wald_test(quiet=True).results().table["pvalue"].iloc[5:8].isna().all()


def test_an_outlier_that_leaves_only_counts_without_weight_is_replaced_by_nothing():
    counts, sheet = study(n=16, levels=("a", "b"))
    counts.iloc[5] = 0
    counts.iloc[5, [0, 3]] = [5000, 60]
    weights = np.ones(counts.shape)
    weights[5, 3] = 0.0
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", weights=weights).deseq(quiet=True)
    assert dds.genes["replace"].iloc[5]
    row = dds.results().table.iloc[5]
    assert (row["baseMean"], row["log2FoldChange"], row["pvalue"]) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("some", [slice(None), slice(8, 12)])
def test_weights_that_leave_no_gene(some):
    counts, sheet = study()
    weights = np.ones(counts.shape)
    weights[:, some] = 0.0
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", weights=weights)
    for act in (dds.deseq, lambda **o: cn.rlog(dds, blind=False, **o)):
        with (
            pytest.warns(CountnestWarning, match="won't allow parameter estimation"),
            pytest.raises(OptionError, match="the observation weights leave no gene to fit"),
        ):
            act(quiet=True)
