"""Outliers that the model finds where no cell has replicates: rates under the null, and spiked counts."""

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
import statsmodels.api as sm

import countnest as cn
from countnest.errors import OptionError
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.irls import hat_values
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.means import fitted_means
from countnest.stats.glm.outlier import flag_outliers, prior_df, studentized_residuals

SPIKED = slice(0, None, 10)


def flagged(counts, mu, hat, trend, layout, *, prior_var, residual_df=None, weights=None, level=0.01):
    """Return the outliers of counts about fitted means, given the dispersions of the trend."""
    rest = layout.residual_df if residual_df is None else residual_df
    residual, df = studentized_residuals(counts, mu, hat, trend, rest, prior_var=prior_var, weights=weights)
    return flag_outliers(residual, df, layout, weights=weights, level=level)


def outliers(counts, sheet, design, reference):
    """Return what is found in the genes of a study that have a count, which genes these are, and their means."""
    dds = cn.DESeqDataSet(counts, sheet, design=design, reference=reference)
    dds.deseq(quiet=True, min_replicates_for_replace=np.inf)
    state = dds._fitted()
    rows = ~state.moments.all_zero
    k, beta = counts.to_numpy(dtype=np.float64)[rows], state.fit.beta[rows]
    inputs = NBInputs(state.factors, state.dispersions.final[rows])
    found = flagged(
        k,
        fitted_means(beta, state.factors, dds._layout),
        hat_values(k, inputs, dds._layout, beta, state.fit.optimized[rows]),
        state.dispersions.fitted[rows],
        dds._layout,
        prior_var=state.dispersions.trend.disp_prior_var,
    )
    return found, rows


def spiked(counts, factor, seed):
    """Return counts with one sample of every tenth gene multiplied, and the sample for every gene."""
    sample = np.random.default_rng(seed).integers(0, counts.shape[1], len(counts))
    changed = counts.copy()
    values = changed.to_numpy().copy()
    genes = np.arange(len(counts))[SPIKED]
    values[genes, sample[genes]] = np.maximum(values[genes, sample[genes]], 1) * factor
    changed.loc[:, :] = values
    return changed, sample


@pytest.mark.filterwarnings("ignore::countnest.CountnestWarning")
@pytest.mark.parametrize("options", [{}, {"sibs": 2, "families": 3}], ids=["pairs", "sibs"])
def test_nested_families(options):
    study = cn.simulate.nested(genes=600, rng=11, **options)
    found, rows = outliers(study.counts, study.samples, study.design, study.reference)
    assert found.flagged.mean() <= 0.01
    counts, sample = spiked(study.counts, 50, seed=12)
    found, rows = outliers(counts, study.samples, study.design, study.reference)
    is_spiked = np.zeros(len(counts), dtype=bool)
    is_spiked[SPIKED] = True
    expressed = study.counts.to_numpy()[rows].mean(axis=1) > 10
    wanted = is_spiked[rows] & expressed
    assert found.flagged[wanted].mean() > 0.85
    assert found.flagged[~is_spiked[rows]].mean() <= 0.01
    right = found.sample == sample[rows]
    assert right[found.flagged & wanted].mean() > 0.95


@pytest.mark.filterwarnings("ignore::countnest.CountnestWarning")
def test_a_continuous_covariate():
    study = cn.simulate.nested(genes=400, treat1=("A", "B"), families=5, family_sd=0.0, rng=13)
    sheet = study.samples.assign(age=np.random.default_rng(2).normal(size=len(study.samples)))
    found, rows = outliers(study.counts, sheet, "~ age", {})
    assert found.flagged.mean() <= 0.01
    counts, sample = spiked(study.counts, 50, seed=14)
    found, rows = outliers(counts, sheet, "~ age", {})
    expressed = (study.counts.to_numpy()[rows].mean(axis=1) > 10) & (np.flatnonzero(rows) % 10 == 0)
    assert found.flagged[expressed].mean() > 0.85
    assert (found.sample == sample[rows])[found.flagged & expressed].mean() > 0.95


def normal_problem(n=12, p=3, genes=40, seed=5):
    """Return a problem that is normal on the log scale: large counts, small dispersion, exact fits."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])
    layout = Layout.of(matrix)
    alpha = np.full(genes, 1e-4)
    log_counts = np.log(1e9) + rng.normal(0.0, 1e-2, (genes, n))
    hat_matrix = matrix @ np.linalg.solve(matrix.T @ matrix, matrix.T)
    mu = np.exp(log_counts @ hat_matrix)
    return np.exp(log_counts), mu, np.tile(hat_matrix.diagonal(), (genes, 1)), alpha, layout, log_counts


def test_near_the_normal_model_the_residuals_are_those_of_a_deleted_sample():
    counts, mu, hat, alpha, layout, log_counts = normal_problem()
    found, df = studentized_residuals(counts, mu, hat, alpha, layout.residual_df, prior_var=0.5)
    prior = prior_df(0.5)
    assert df == pytest.approx(prior + 12 - 3 - 1)
    g, j = 7, 4
    kept = np.arange(12) != j
    X = layout.matrix
    beta, rest, *_ = np.linalg.lstsq(X[kept], log_counts[g, kept], rcond=None)
    spread = 1.0 + X[j] @ np.linalg.solve(X[kept].T @ X[kept], X[j])
    scale = max((prior + rest[0] / 1e-4) / df, 1.0)
    expected = (log_counts[g, j] - X[j] @ beta) / np.sqrt(spread * 1e-4 * scale)
    assert found[g, j] == pytest.approx(expected, rel=0.02)


def test_without_a_prior_it_is_the_outlier_test_of_linear_models():
    # noise of a tenth of a percent, three times that of the model: the genes themselves tell their spread
    *_, layout, log_counts = normal_problem()
    log_counts = np.log(1e9) + 0.1 * (log_counts - np.log(1e9))
    fits = [sm.OLS(y, layout.matrix).fit() for y in log_counts]
    mu = np.exp([fit.fittedvalues for fit in fits])
    hat = np.array([fit.get_influence().hat_matrix_diag for fit in fits])
    alpha = np.full(len(mu), 1e-6 / 9.0)
    found = flagged(np.exp(log_counts), mu, hat, alpha, layout, prior_var=1e8, level=0.3)
    tables = [fit.outlier_test(method="bonferroni") for fit in fits]
    np.testing.assert_array_equal(found.sample, [np.abs(table[:, 0]).argmax() for table in tables])
    expected = np.array([table[:, 2].min() for table in tables])
    np.testing.assert_allclose(found.p_value, expected, rtol=0.02)  # deviances are not quite squares
    np.testing.assert_array_equal(found.flagged, expected < 0.3)
    assert 0 < found.flagged.sum() < len(mu)


def test_samples_that_fit_themselves_and_genes_without_fit_are_not_called():
    counts, mu, hat, alpha, layout, _ = normal_problem()
    hat[:, 0] = 1.0
    counts[:, 0] *= 1e3
    mu[3] = hat[3] = np.nan
    residual, _ = studentized_residuals(counts, mu, hat, alpha, layout.residual_df, prior_var=0.5)
    assert np.isnan(residual[:, 0]).all()
    found = flagged(counts, mu, hat, alpha, layout, prior_var=0.5)
    assert (found.sample[3], found.flagged[3]) == (-1, False)
    assert np.isnan(found.p_value[3])
    assert (np.delete(found.sample, 3) > 0).all()


@pytest.mark.parametrize("variance", [1e-3, 0.25, 1.0, 8.0, 50.0])
def test_prior_degrees_of_freedom(variance):
    assert scipy.special.polygamma(1, prior_df(variance) / 2.0) == pytest.approx(variance, rel=1e-9)


# ---- observation weights ----


def test_samples_of_weight_zero_are_as_if_they_were_not_there():
    rng = np.random.default_rng(8)
    n, genes = 12, 30
    matrix = np.column_stack([np.ones(n), np.tile([0.0, 1.0], n // 2), np.linspace(-1.0, 1.0, n)])
    layout, alpha = Layout.of(matrix), np.full(genes, 0.02)
    counts = rng.negative_binomial(50.0, 50.0 / 250.0, (genes, n)).astype(np.float64)
    counts[::7, 4] = 1e3
    counts[:, [1, 6]] = 9e6
    weights = np.ones((genes, n))
    weights[:, [1, 6]] = 0.0
    kept = np.flatnonzero(weights[0])
    fit = fit_nb_glm(counts, NBInputs(np.ones((1, n)), alpha, weights), layout)
    found = flagged(
        counts, fit.mu, fit.hat, alpha, layout, prior_var=0.5, weights=weights, residual_df=np.full(genes, 7.0)
    )
    expected = flagged(
        counts[:, kept], fit.mu[:, kept], fit.hat[:, kept], alpha, Layout.of(matrix[kept]), prior_var=0.5
    )
    assert expected.flagged.sum() >= 5
    np.testing.assert_array_equal(found.flagged, expected.flagged)
    np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-12)
    np.testing.assert_array_equal(found.sample[::7], 4)
    np.testing.assert_array_equal(found.sample, kept[expected.sample])


def test_a_weight_is_a_share_of_a_sample():
    counts, mu, hat, alpha, *_ = normal_problem()
    weights = np.full(counts.shape, 0.5)
    found, df = studentized_residuals(counts, mu, hat, alpha, np.full(40, 3.0), prior_var=0.5, weights=weights)
    plain, _ = studentized_residuals(counts, mu, hat, 2.0 * alpha, 3.0, prior_var=0.5)
    np.testing.assert_allclose(df, prior_df(0.5) + 2.0)
    np.testing.assert_allclose(found, plain, rtol=1e-3)  # counts are large: half the weight is twice the dispersion


def test_results_heed_observation_weights():
    rng = np.random.default_rng(3)
    n, genes = 10, 200
    sheet = pd.DataFrame({"age": rng.normal(size=n)}, index=[f"s{j}" for j in range(n)])
    mean = np.exp(rng.uniform(4.0, 7.0, genes))
    counts = rng.negative_binomial(10.0, 10.0 / (10.0 + mean[:, None]), (genes, n))
    counts[:20, 3] = 0  # drop-outs, known as such
    counts[20:30, 5] = 60 * mean[20:30]
    weights = np.ones(counts.shape)
    weights[:20, 3] = 0.0
    weights[40:45, 3:] = 0.0  # three samples for two coefficients
    labels = [f"g{i}" for i in range(genes)]
    table = pd.DataFrame(counts, index=labels, columns=sheet.index)
    dds = cn.DESeqDataSet(table, sheet, design="~ age", weights=weights).deseq(quiet=True)
    found = cn.find_outliers(dds)
    assert set(labels[20:30]) <= set(found.index)
    assert not set(labels[:20]) & set(found.index[found["sample"] == "s3"])
    assert not set(labels[40:45]) & set(found.index)
    reasons = dds.results(outliers="model").table["padj_reason"]
    assert (reasons[20:30] == "outlier").all()
    assert (reasons[40:45] != "outlier").all()
    assert (reasons[:20] == "outlier").sum() <= 1
    for level in (0.0, 1.0, 2.0):
        with pytest.raises(OptionError, match="level="):
            cn.find_outliers(dds, level=level)
