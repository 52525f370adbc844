"""Access to the fitted model: covariances, fitted and predicted means, residuals."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from countnest.api.access import covariance, predict, residuals
from countnest.errors import ContrastError, MissingStepError, OptionError, SamplesError
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    """Three groups in two batches; not changed by the tests."""
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)


@pytest.fixture(scope="module")
def nested():
    """Families within groups, two treatments in each."""
    data = cn.simulate.nested(genes=60, families=3, treat1=("A", "B"), rng=2)
    return cn.DESeqDataSet(data.counts, data.samples, design=data.design, reference=data.reference).deseq(quiet=True)


# ---- covariance ----


def test_standard_errors_are_on_the_diagonal(dds):
    tables = covariance(dds, list(dds.gene_names))
    assert tables.index.names == ["gene", "coefficient"]
    found = np.sqrt(np.einsum("gii->gi", tables.to_numpy().reshape(150, 4, 4)))
    np.testing.assert_allclose(found, dds.coef(se=True), rtol=1e-12)
    assert np.isnan(found[:2]).all()
    pd.testing.assert_frame_equal(covariance(dds, "g7"), tables.loc["g7"], check_names=False)


def test_covariances_give_the_standard_errors_of_contrasts(dds):
    weights = np.array([0.0, 0.5, -1.0, 1.0])
    se = dds.results(list(weights)).table["lfcSE"]
    for gene in ("g3", "g30", "g100"):
        table = covariance(dds, gene)
        assert np.sqrt(weights @ table.to_numpy() @ weights) == pytest.approx(se[gene], rel=1e-12)
        assert list(table.index) == list(table.columns) == dds.results_names()


def test_one_coefficient():
    dds = cn.DESeqDataSet(*study(), design="~ 1")
    with pytest.warns(cn.CountnestWarning, match="just an intercept"):
        dds.deseq(quiet=True)
    np.testing.assert_allclose(covariance(dds, ["g5", "g6"])["Intercept"] ** 0.5, dds.coef(se=True)["Intercept"][5:7])


def test_unknown_genes(dds):
    with pytest.raises(OptionError, match=r"no gene 'g77x'\. Did you mean 'g77'"):
        covariance(dds, "g77x")
    with pytest.raises(OptionError, match="no gene 'a', 'b'"):
        predict(dds, dds.samples[:1], genes=["g1", "a", "b"])
    assert list(predict(dds, dds.samples[:2], genes="g1")["gene"]) == ["g1", "g1"]


def test_the_data_set_must_be_fitted():
    dds = cn.DESeqDataSet(*study(), design="~ batch + group")
    for ask in (lambda: covariance(dds, "g1"), lambda: dds.cooks(), lambda: predict(dds, dds.samples)):
        with pytest.raises(MissingStepError, match="run deseq"):
            ask()
    with pytest.raises(MissingStepError, match="run deseq"):
        residuals(dds)


# ---- means ----


def test_fitted_means(dds):
    pd.testing.assert_frame_equal(dds.mu(normalized=True), dds.mu() / dds.size_factors)
    log_means = dds.coef().to_numpy() @ dds.design.matrix.T
    np.testing.assert_allclose(np.log2(dds.mu(normalized=True)), log_means, rtol=1e-9, atol=1e-9)


def test_the_samples_of_the_data_set_are_predicted_as_fitted(dds, nested):
    for each in (dds, nested):
        found = predict(each, each.samples, size_factors=each.size_factors, interval=None)
        assert list(found.columns) == ["gene", "cell", "mean"]
        wide = found["mean"].to_numpy().reshape(each.mu().shape)
        np.testing.assert_allclose(wide, each.mu(), rtol=1e-12)
        assert list(found["gene"][:: len(each.samples)]) == list(each.gene_names)
        assert list(found["cell"][: len(each.samples)]) == list(each.samples.index)


def test_intervals_come_from_the_query_of_the_cell(dds):
    cell = pd.DataFrame({"batch": ["y"], "group": ["b"]}, index=["new"])
    found = predict(dds, cell, size_factors=2.5, interval=0.9, genes=["g50", "g10"])
    assert list(found["gene"]) == ["g50", "g10"]
    assert set(found["cell"]) == {"new"}
    table = dds.cell(batch="y", group="b").test().table.loc[["g50", "g10"]]
    change, width = table["log2FoldChange"].to_numpy(), scipy.stats.norm.ppf(0.95) * table["lfcSE"].to_numpy()
    np.testing.assert_allclose(found["mean"], 2.5 * 2.0**change, rtol=1e-12)
    np.testing.assert_allclose(found["low"], 2.5 * 2.0 ** (change - width), rtol=1e-12)
    np.testing.assert_allclose(found["high"], 2.5 * 2.0 ** (change + width), rtol=1e-12)


def test_t_intervals_after_t_tests():
    normal, t = (
        cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True, use_t=use) for use in (False, True)
    )
    cell = pd.DataFrame({"batch": ["y"], "group": ["b"]})
    widths = [np.log(found["high"] / found["mean"]) for found in (predict(normal, cell), predict(t, cell))]
    ratio = scipy.stats.t.ppf(0.975, 8) / scipy.stats.norm.ppf(0.975)
    np.testing.assert_allclose(widths[1] / widths[0], np.where(np.isnan(widths[0]), np.nan, ratio), rtol=1e-12)


def test_count_intervals_are_quantiles(dds):
    cell = pd.DataFrame({"batch": ["y"], "group": ["b"]})
    found = predict(dds, cell, count_interval=0.8, genes=["g20", "g30"])
    size = 1.0 / dds.dispersions[["g20", "g30"]].to_numpy()
    model = scipy.stats.nbinom(size, size / (size + found["mean"].to_numpy()))
    np.testing.assert_array_equal(found["count_low"], model.ppf(0.1))
    np.testing.assert_array_equal(found["count_high"], model.ppf(0.9))


def test_genes_without_counts_are_missing(dds):
    found = predict(dds, dds.samples[:1], count_interval=0.9).set_index("gene")
    assert found.loc[["g0", "g1"], ["mean", "low", "high", "count_low", "count_high"]].isna().all(axis=None)
    assert found.loc["g2":, "mean"].notna().all()


def test_size_factors_by_label_and_place(dds):
    cells = pd.DataFrame({"batch": ["x", "y"], "group": ["a", "a"]}, index=["one", "two"])
    by_label = predict(dds, cells, size_factors=pd.Series({"two": 2.0, "one": 3.0}), interval=None)
    by_place = predict(dds, cells, size_factors=[3.0, 2.0], interval=None)
    pd.testing.assert_frame_equal(by_label, by_place)
    with pytest.raises(OptionError, match="1 cell of new_samples missing: 'two'"):
        predict(dds, cells, size_factors=pd.Series({"one": 3.0}))
    for wrong in (0.0, [1.0, np.nan], [1.0, 1.0, 1.0]):
        with pytest.raises(OptionError, match="each of the 2 cells"):
            predict(dds, cells, size_factors=wrong)


def test_expressions_use_what_they_learnt():
    counts, sheet = study()
    sheet = sheet.assign(age=np.linspace(20.0, 75.0, 12), site=np.tile([1, 2, 3], 4).astype(str))
    dds = cn.DESeqDataSet(counts, sheet, design="~ scale(age) + site").deseq(quiet=True)
    found = predict(dds, pd.DataFrame({"age": [47.5], "site": [1]}), interval=None).set_index("gene")["mean"]
    # at the mean age of the samples, not of the new ones, scale(age) is 0; numbers name levels as text does
    np.testing.assert_allclose(np.log2(found), dds.coef()["Intercept"], rtol=1e-9, atol=1e-9)


def test_designs_that_are_matrices(dds):
    counts, sheet = study()
    matrix = pd.DataFrame(dds.design.matrix, columns=list("abcd"), index=sheet.index)
    plain = cn.DESeqDataSet(counts, sheet, design=matrix).deseq(quiet=True)
    expected = predict(dds, sheet)
    pd.testing.assert_frame_equal(predict(plain, matrix), expected, rtol=1e-9)
    with pytest.raises(ContrastError, match=r"given as a matrix.* lacks 'c', 'd'\. With same_as"):
        predict(plain, matrix[["a", "b"]])
    meant = cn.DESeqDataSet(counts, sheet, design=matrix, same_as="~ batch + group").deseq(quiet=True)
    pd.testing.assert_frame_equal(predict(meant, sheet), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"batch": ["x"]}, "lack the variable 'group'"),
        ({"batch": ["x"], "group": ["d"]}, "'d' is not a level of 'group'.* The levels are 'a', 'b', 'c'"),
        ({"batch": [None], "group": ["a"]}, "missing values in 'batch'"),
    ],
)
def test_cells_that_make_no_sense(dds, cells, message):
    with pytest.raises(ContrastError, match=message):
        predict(dds, pd.DataFrame(cells))


def test_numbers_that_are_none():
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet.assign(age=np.linspace(-1.0, 1.0, 12)), design="~ age").deseq(quiet=True)
    with pytest.raises(ContrastError, match="must hold numbers in 'age'"):
        predict(dds, pd.DataFrame({"age": ["old"]}))
    with pytest.raises(ContrastError, match="infinite numbers in 'age'"):
        predict(dds, pd.DataFrame({"age": [np.inf]}))


def test_cells_that_no_sample_tells():
    counts, sheet = study()
    keep = ~((sheet["batch"] == "y") & (sheet["group"] == "c"))
    dds = cn.DESeqDataSet(counts.loc[:, keep], sheet[keep], design="~ batch * group").deseq(quiet=True)
    cells = pd.DataFrame({"batch": ["x", "y"], "group": ["c", "c"]}, index=["fine", "empty"])
    assert predict(dds, cells[:1])["mean"].notna().sum() > 100
    with pytest.raises(ContrastError, match=r"cells 'empty' cannot be estimated.*'~ batch \* group'"):
        predict(dds, cells)


def test_arguments_of_predict(dds):
    with pytest.raises(SamplesError, match="DataFrame with one row"):
        predict(dds, dds.samples[:0])
    with pytest.raises(OptionError, match=r"interval=1\.5"):
        predict(dds, dds.samples, interval=1.5)
    with pytest.raises(OptionError, match="count_interval=-1"):
        predict(dds, dds.samples, count_interval=-1)


# ---- residuals ----


def test_residuals(dds):
    counts, mu, alpha = dds.counts(), dds.mu(), dds.dispersions
    pd.testing.assert_frame_equal(residuals(dds, "raw"), counts - mu)
    expected = (counts - mu) / (mu + mu.pow(2).mul(alpha, axis=0)) ** 0.5
    pd.testing.assert_frame_equal(residuals(dds, "pearson"), expected)
    deviance = residuals(dds)
    assert np.corrcoef(deviance.to_numpy()[2:].ravel(), expected.to_numpy()[2:].ravel())[0, 1] > 0.9
    assert deviance.iloc[:2].isna().all(axis=None)


def test_quantile_residuals_depend_on_the_seed_alone(dds):
    one, again, other = (residuals(dds, "quantile", seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)
    assert residuals(dds, "quantile", seed=None).iloc[2:].notna().all(axis=None)


def test_residuals_of_replaced_counts():
    counts, sheet = study(n=16, levels=("a", "b"), seed=3)
    counts.iloc[40, 2] = 200_000
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    assert dds._fitted().replacement is not None
    assert residuals(dds, "pearson").iloc[40, 2] > 20
    assert abs(residuals(dds, "pearson", replaced=True).iloc[40, 2]) < 5


def test_unknown_kinds_of_residuals(dds):
    with pytest.raises(OptionError, match=r"type='devance' is not known.*Did you mean 'deviance'"):
        residuals(dds, "devance")


# ---- outliers ----


@pytest.fixture(scope="module")
def nested_with_outlier():
    made = cn.simulate.nested(genes=400, rng=3)
    counts = made.counts.copy()
    gene = counts.mean(axis=1).sort_values().index[300]
    counts.loc[gene, counts.columns[5]] *= 60
    dds = cn.DESeqDataSet(counts, made.samples, design=made.design, reference=made.reference)
    return dds.deseq(quiet=True), gene


def test_outliers_without_replicates_are_found(nested_with_outlier):
    dds, gene = nested_with_outlier
    found = cn.find_outliers(dds)
    assert found.index[0] == gene
    assert found.loc[gene, "sample"] == dds.counts().columns[5]
    assert found.loc[gene, "count"] > 1.5 * found.loc[gene, "fitted"]
    assert (found["pvalue"] < 0.01).all()
    assert len(found) < 0.03 * 400


def test_their_p_values_are_withheld_on_demand(nested_with_outlier):
    dds, gene = nested_with_outlier
    usual, without = dds.results(), dds.results(outliers="model")
    assert usual.info.outliers == "cooks"
    assert without.info.outliers == "model"
    assert (usual.table["padj_reason"] != "outlier").all()
    flagged = without.table.index[without.table["padj_reason"] == "outlier"]
    assert set(flagged) == set(cn.find_outliers(dds).index)
    assert without.table.loc[flagged, "pvalue"].isna().all()
    asked = dds.effect("treat2", by="treat1").test(outliers="model")
    assert asked[0].table.loc[gene, "padj_reason"] == "outlier"


def test_the_rule_needs_a_trend_and_degrees_of_freedom():
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(sharing="gene_est_only", quiet=True)
    with pytest.raises(MissingStepError, match="dispersion trend"):
        dds.results(outliers="model")
    few = cn.DESeqDataSet(counts.iloc[:, [0, 1, -1]], sheet.iloc[[0, 1, -1]], design="~ group").deseq(quiet=True)
    with pytest.raises(OptionError, match="2 residual degrees of freedom"):
        few.results(outliers="model")
    with pytest.raises(OptionError, match="outliers='wild' is not known"):
        few.results(outliers="wild")
