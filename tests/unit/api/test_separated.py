"""The flag of genes whose fold change is infinite, because a group has no count."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.summary import summarize
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    """Three groups; the genes g0 and g1 have no count, g2 and g3 none in group c, g4 none in b and c."""
    counts, sheet = study()
    counts.loc["g4"] = np.where(sheet["group"] == "a", 40, 0)
    counts.iloc[5:] += 1
    return cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)


def flagged(results):
    return list(results.table.index[results.table["separated"]])


def test_the_flag_follows_the_contrast(dds):
    assert flagged(dds.results(("group", "c", "a"))) == ["g2", "g3", "g4"]
    assert flagged(dds.results(("group", "b", "a"))) == ["g4"]
    # no count on either side: called unchanged, p = 1, which is not an infinite fold change
    both = dds.results(("group", "c", "b"))
    assert flagged(both) == ["g2", "g3"]
    assert both.table.loc["g4", "pvalue"] == 1.0


def test_nothing_is_flagged_where_every_group_has_counts(dds):
    counts = dds.counts() + 1
    results = cn.DESeqDataSet(counts, dds.samples, design="~ group").deseq(quiet=True).results()
    assert not results.table["separated"].any()
    assert summarize(results.table, results.info).separated == 0
    assert dds.results().table["separated"].any()


def test_the_flag_is_explained(dds):
    results = dds.results()
    assert "Wald p-value is unreliable" in results.descriptions()["separated"]
    summary = summarize(results.table, results.info)
    significant = (results.table["padj"] < 0.1) & results.table["separated"]
    assert summary.separated == significant.sum() > 0
    assert f"note: {summary.separated} significant genes without any count in a group" in str(summary)
    assert "test('lrt')" in str(summary)


def test_likelihood_ratio_tests_hold(dds):
    lrt = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group").deseq(test="LRT", reduced="~ 1", quiet=True)
    results = lrt.results()
    assert flagged(results) == ["g2", "g3", "g4"]
    assert "the p-value is valid" in results.descriptions()["separated"]
    summary = summarize(results.table, results.info)
    assert (results.table["padj"] < 0.1)[["g2", "g3", "g4"]].all()
    assert summary.separated == 0
    assert "note" not in str(summary)


@pytest.mark.parametrize("kind", ["expanded", "standard"])
def test_a_prior_does_not_hide_separated_genes(dds, kind):
    prior = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ group")
    prior.deseq(quiet=True, beta_prior=True, model_matrix_type=kind)
    for contrast in (("group", "c", "a"), ("group", "b", "a"), ("group", "c", "b")):
        found = prior.results(contrast)
        assert flagged(found) == flagged(dds.results(contrast))
        assert found.descriptions()["separated"].endswith("the maximum likelihood fold change is infinite")
        assert summarize(found.table, found.info).separated == 0
    if kind == "expanded":  # without the others a level has no maximum likelihood estimate at all
        assert not prior.results(name="groupc").table["separated"].any()


@pytest.mark.parametrize("type", ["apeglm", "ashr", "normal"])
def test_shrunken_tables_keep_the_flag(dds, type):
    found = cn.lfc_shrink(dds, coef="group_c_vs_a", type=type, quiet=True)
    assert flagged(found) == ["g2", "g3", "g4"]
    text = found.descriptions()["separated"]
    assert "the maximum likelihood fold change is infinite and its Wald p-value is unreliable" in text


@pytest.mark.parametrize("asked", [("group", "c", "a"), ("group", "c", "b"), [0, -1, 1]])
def test_tests_of_shrunken_fold_changes_keep_the_flag(dds, asked):
    found = cn.lfc_shrink(dds, contrast=asked, type="normal", lfc_threshold=0.5, quiet=True)
    assert flagged(found) == flagged(dds.results(asked))
    assert found.descriptions()["separated"].endswith("the maximum likelihood fold change is infinite")


def test_a_coefficient_that_stays_at_the_bound_is_no_estimate():
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True)
    before = dds.results().table
    assert "betaAtBound" not in dds.genes
    fit = dds._fitted().fit
    beta, n_iter = fit.beta.copy(), fit.n_iter.copy()
    full = int(np.flatnonzero((counts > 0).all(axis=1))[0])
    beta[full, -1], n_iter[full] = 30.0 * np.log(2.0), 100.0
    dds._state = replace(dds._fitted(), fit=replace(fit, beta=beta, n_iter=n_iter))
    assert list(np.flatnonzero(dds.genes["betaAtBound"])) == [full]
    found = dds.results()
    row = found.table.iloc[full]
    assert row["padj_reason"] == "at_bound"
    assert np.isnan(row["pvalue"])
    assert np.isnan(row["padj"])
    assert not row["separated"]
    summary = found.summary(file=io.StringIO())
    assert (summary.at_bound, summary.not_estimated) == (1, 0)
    assert "at the bound       : 1, " in str(summary)
    others = np.arange(len(before)) != full
    pd.testing.assert_series_equal(found.table["pvalue"][others], before["pvalue"][others])
    # a gene whose fold change is infinite is told as such
    beta[full], n_iter[full] = fit.beta[full], fit.n_iter[full]
    beta[2, -1], n_iter[2] = -30.0 * np.log(2.0), 100.0
    dds._state = replace(dds._fitted(), fit=replace(fit, beta=beta, n_iter=n_iter))
    assert list(np.flatnonzero(dds.genes["betaAtBound"])) == [2]
    row = dds.results().table.iloc[2]
    assert row["separated"]
    assert row["padj_reason"] == "tested"
