"""Rows of docs/r_differences.md on edgeR and limma: what is not copied, or kept on purpose."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ArgumentError
from countnest.stats.norm.filter import smallest_group_of_design

SAMPLES = pd.DataFrame({"group": np.repeat(["a", "b"], 4)}, index=[f"s{j}" for j in range(8)])
N_GENES = 250


def counts_of(values):
    """Return counts with a gene of few counts and one without any."""
    values[-2:] = 0
    values[-2, 0] = 1
    return pd.DataFrame(values, [f"g{i}" for i in range(N_GENES)], SAMPLES.index)


def rng(seed=8):
    return np.random.default_rng(seed)


MEANS = np.exp(rng().normal(4.0, 1.0, (N_GENES, 1))) * np.ones((1, 8))
COUNTS = counts_of(rng().negative_binomial(10, 10 / (10 + MEANS)))


def data_set(counts=COUNTS, **options):
    return cn.DESeqDataSet(counts, SAMPLES, design="~ group", quiet=True, **options)


def test_other_regions_of_the_exact_test_are_not_offered():
    with pytest.raises(ArgumentError, match="'doubletail'"):
        cn.exact_test(data_set(), rejection_region="smallp")


def test_an_exact_test_without_dispersion_works():
    table = cn.exact_test(data_set(), dispersion=0.0, norm_factors=np.linspace(0.2, 2.0, 8))
    counted = COUNTS.any(axis=1)
    assert table["pvalue"][counted].between(0, 1).all()


def test_average_log_counts_with_offsets_are_those_of_every_gene():
    library = COUNTS.sum()
    offset = pd.DataFrame(np.log(library.to_numpy()) * np.ones(COUNTS.shape), COUNTS.index, COUNTS.columns)
    plain = cn.ave_log_cpm(COUNTS)
    np.testing.assert_allclose(cn.ave_log_cpm(COUNTS, offset=offset), plain, rtol=1e-10)
    offset.iloc[0] += np.log(2.0)
    other = cn.ave_log_cpm(COUNTS, offset=offset)
    np.testing.assert_allclose(other.iloc[1:], plain.iloc[1:], rtol=1e-10)
    assert other.iloc[0] == pytest.approx(plain.iloc[0] - 1.0, abs=0.05)


def test_the_covariate_of_an_analysis_is_that_of_library_sizes():
    noise = np.exp(rng().normal(0, 0.3, COUNTS.shape)) * COUNTS.sum().to_numpy()
    plain, offset = (
        cn.glm_ql_ftest(cn.glm_ql_fit(data_set(**options), norm_factors="none", quiet=True))["logCPM"]
        for options in ({}, {"normalization_factors": noise})
    )
    pd.testing.assert_series_equal(plain, offset)


def test_dispersions_without_a_trend_are_estimated_beside_genes_of_few_counts():
    found = cn.estimate_disp(data_set(), trend=False)
    counted = COUNTS.any(axis=1)
    assert found.table["tagwise"][counted].notna().all()
    np.testing.assert_allclose(found.table["trended"][counted], found.common)


def test_quasi_likelihood_does_not_depend_on_whether_dispersions_were_estimated():
    dds = data_set()
    same = {}
    for release in (None, "bioc3.20"):
        tables = [
            cn.glm_ql_ftest(cn.glm_ql_fit(dds, given, compat=release, quiet=True)).pvalue
            for given in (None, cn.estimate_disp(dds, compat=release))
        ]
        same[release] = np.nanmax(np.abs(tables[0] - tables[1])) < 1e-12
    assert same == {None: True, "bioc3.20": False}


def test_shrunken_coefficients_use_observation_weights():
    weights = np.ones(COUNTS.shape)
    weights[:, 7] = 0.01
    plain, weighted, without = (
        cn.pred_fc(each, 0.1).iloc[:-2, 1]
        for each in (
            data_set(),
            data_set(weights=weights),
            cn.DESeqDataSet(COUNTS.iloc[:, :7], SAMPLES.iloc[:7], design="~ group", quiet=True),
        )
    )
    assert (weighted - without).abs().median() < 0.2 * (plain - without).abs().median()


def test_genes_without_counts_are_missing_everywhere():
    dds = data_set()
    last = COUNTS.index[-1]
    assert cn.pred_fc(dds, 0.1).loc[last].isna().all()
    assert cn.exact_test(dds, dispersion=0.1).loc[last].isna().all()
    for table in (
        cn.glm_lrt(cn.glm_fit(dds, 0.1, quiet=True)).table,
        cn.limma(dds, filter=False, quiet=True).effect("group").test(fit="limma").table,
    ):
        assert table.loc[last, ["log2FoldChange", "pvalue"]].isna().all()
        assert table.loc[last, "padj_reason"] == "all_zero"


def test_f_tests_have_no_more_degrees_of_freedom_than_all_genes_as_t_tests():
    four = np.tile([1.2e5, 0.9e5, 1.1e5, 0.8e5], (N_GENES, 1))
    values = np.hstack([rng(seed).permuted(four, axis=1) for seed in (1, 2)])
    dds = data_set(counts_of(values))  # all variances are about the same: the prior has infinite degrees of freedom
    contrasts = {"a": [1, 0], "b": [0, 1]}
    for release in (None, "bioc3.20"):
        cn.limma(dds, compat=release, quiet=True)
        joint, single = (
            dds.contrast(asked).test(fit="limma", joint=together).table["df"].max()
            for asked, together in ((contrasts, True), ([0, 1], False))
        )
        assert single <= 6 * N_GENES
        assert (joint <= single) == (release is None)


def test_intervals_in_a_short_table_are_those_of_its_genes():
    fit = cn.e_bayes(cn.lm_fit(cn.voom(data_set()[cn.filter_by_expr(data_set())])))
    whole, short = (
        cn.top_table(fit, "group_b_vs_a", number=None, confint=0.95, **options) for options in ({}, {"lfc": 0.5})
    )
    assert 0 < len(short) < len(whole)
    pd.testing.assert_frame_equal(short, whole.loc[short.index])
    assert (short["CI.L"] < short["logFC"]).all()
    assert (short["logFC"] < short["CI.R"]).all()


def test_weights_of_samples_depend_on_the_order_of_genes_only_with_precision_weights():
    values = np.log2(COUNTS.iloc[:-2] + 0.5)
    precision = pd.DataFrame(np.exp(rng().normal(0, 0.5, values.shape)), values.index, values.columns)
    turned = values.index[::-1]
    for weights, alike in ((None, True), (precision, False)):
        found = [
            cn.array_weights(values.loc[order], data_set(), weights=None if weights is None else weights.loc[order])
            for order in (values.index, turned)
        ]
        assert np.allclose(*found, rtol=1e-9) == alike


def test_the_filter_adds_an_intercept_to_a_design():
    dose = np.array([[1.0], [1.0], [1.0], [2.0], [2.0], [2.0], [2.0], [2.0]])
    assert smallest_group_of_design(dose) == pytest.approx(smallest_group_of_design(np.hstack([np.ones((8, 1)), dose])))


def test_one_gene_with_other_degrees_of_freedom_changes_the_prior_unless_it_is_by_moments():
    sd = np.sqrt(5 / rng(1).chisquare(5, (N_GENES, 1)))
    values = pd.DataFrame(rng(2).normal(0, sd, (N_GENES, 8)), columns=SAMPLES.index)
    holed = values.copy()
    holed.iloc[0, 0] = np.nan
    changes = {}
    for release in ("bioc3.16", "bioc3.20"):
        fits = [cn.e_bayes(cn.lm_fit(each, data_set()), compat=release) for each in (values, holed)]
        one, two = (fit.df_prior.iloc[1] for fit in fits)
        changes[release] = abs(two / one - 1)
    assert changes["bioc3.16"] < 0.05
    assert changes["bioc3.20"] > changes["bioc3.16"]


def test_a_trend_after_voom_is_allowed_with_a_note(capsys):
    cn.limma(data_set(), trend=True)
    assert "the weights of voom follow the mean counts already" in capsys.readouterr().err
