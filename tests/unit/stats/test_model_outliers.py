"""Outliers that the model finds where no cell has replicates: rates under the null, and spiked counts."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

import countnest as cn
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.outlier import model_outliers, prior_df, studentized_residuals

SPIKED = slice(0, None, 10)


def outliers(counts, sheet, design, reference):
    """Return what is found in the genes of a study that have a count, which genes these are, and their means."""
    dds = cn.DESeqDataSet(counts, sheet, design=design, reference=reference)
    dds.deseq(quiet=True, min_replicates_for_replace=np.inf)
    state = dds._analysis()
    rows = ~state.moments.all_zero
    found = model_outliers(
        counts.to_numpy(dtype=np.float64)[rows],
        state.fit.mu[rows],
        state.fit.hat[rows],
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


def test_the_p_value_is_that_of_the_largest_residual_times_the_samples():
    counts, mu, hat, alpha, layout, _ = normal_problem()
    residual, df = studentized_residuals(counts, mu, hat, alpha, layout.residual_df, prior_var=0.5)
    found = model_outliers(counts, mu, hat, alpha, layout, prior_var=0.5, level=0.3)
    size = np.abs(residual)
    np.testing.assert_array_equal(found.sample, size.argmax(axis=1))
    expected = np.minimum(2.0 * scipy.stats.t.sf(size.max(axis=1), df) * 12, 1.0)
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-12)
    np.testing.assert_array_equal(found.flagged, expected < 0.3)


def test_samples_that_fit_themselves_and_genes_without_fit_are_not_called():
    counts, mu, hat, alpha, layout, _ = normal_problem()
    hat[:, 0] = 1.0
    counts[:, 0] *= 1e3
    mu[3] = hat[3] = np.nan
    residual, _ = studentized_residuals(counts, mu, hat, alpha, layout.residual_df, prior_var=0.5)
    assert np.isnan(residual[:, 0]).all()
    found = model_outliers(counts, mu, hat, alpha, layout, prior_var=0.5)
    assert (found.sample[3], found.flagged[3]) == (-1, False)
    assert np.isnan(found.p_value[3])
    assert (np.delete(found.sample, 3) > 0).all()


@pytest.mark.parametrize("variance", [1e-3, 0.25, 1.0, 8.0, 50.0])
def test_prior_degrees_of_freedom(variance):
    assert scipy.special.polygamma(1, prior_df(variance) / 2.0) == pytest.approx(variance, rel=1e-9)
