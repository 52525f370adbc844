"""edgeR's fits of all genes against R's numbers, given R's dispersions; and what holds of them whatever the data."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from edger_numbers import NAMES, case, numbers, relative, single

import countnest as cn
from cases import each
from countnest.methods.edger.fit import StoredEdgeR
from countnest.methods.edger.model import EdgeRInput
from countnest.methods.edger.steps import QuasiOptions, adjusted_quasi, fit_model, legacy_quasi
from countnest.parallel.run import Engine
from countnest.progress import Mute
from countnest.stats.edger.columns import Columns
from countnest.stats.moderated.tails import log_f_tail

R_TOLERANCE = 1e-8
# Of genes with infinite coefficients, deviances end with those of the iterations, which R stops early.
DEVIANCE = 5e-8
# R's weights of deviances are polynomials: of log10 p-values relative to 1 + |log10 p|, and of posterior variances.
V4_P, V4_VARIANCE, V4_DISPERSION = 1e-3, 2e-3, 5e-4
V4_P_GIVEN_VARIANCE = 3e-4
ENGINE = Engine(n_threads=1, progress=Mute())
RELEASE = "bioc3.20"


def data_set(name):
    """Return the kept genes of a case as a data set."""
    data = case(name)
    n_genes, n = data.counts.shape
    samples = [f"s{j}" for j in range(n)]
    design = pd.DataFrame(data.design, samples, [f"x{k}" for k in range(data.design.shape[1])])
    counts = pd.DataFrame(data.counts, [f"g{i}" for i in range(n_genes)], samples)
    sheet = pd.DataFrame({"id": samples}, index=samples)
    return cn.DESeqDataSet(counts, sheet, design=design, quiet=True, cells_ok=True)


class Fits:
    """The fits of a case with R's dispersions."""

    def __init__(self, name, compat=RELEASE):
        self.dds, data = data_set(name), case(name)
        matrix, dispersions = self.dds._data.matrix, numbers("dispersions", name)
        abundance = numbers("ql_v4", name)["ave_log_cpm"].to_numpy()
        columns = Columns.of(data.design)
        kept = data.counts.sum(axis=1) > 0
        given = EdgeRInput(data.factors, data.weights, kept, abundance, 0.125, compat)
        trended, common = dispersions["trended"].to_numpy(), np.full(len(kept), single("v4_dispersion", name))
        common_abundance = dispersions["ave_log_cpm"].to_numpy()
        options = QuasiOptions(robust=False, covariate=abundance)
        ratio = fit_model(matrix, given, columns, dispersions["tagwise"].to_numpy(), ENGINE)
        adjusted = adjusted_quasi(matrix, given, columns, common, options, ENGINE)
        options = QuasiOptions(robust=False, covariate=common_abundance)
        legacy = legacy_quasi(matrix, given, columns, trended, options, ENGINE)
        base_mean = data.counts.mean(axis=1)
        self.adjusted = self._bound(StoredEdgeR(given, base_mean, adjusted, ratio))
        self.legacy = self._bound(StoredEdgeR(given, base_mean, legacy, None))
        options = replace(options, robust=True)
        robust = legacy_quasi(matrix, given, columns, trended, options, ENGINE)
        self.robust = self._bound(StoredEdgeR(given, base_mean, robust, None))

    def _bound(self, stored):
        return stored.bind(self.dds._data, self.dds._design, ENGINE)


@pytest.fixture(scope="module")
def fits():
    return {name: Fits(name) for name in NAMES}


def last(name):
    return np.eye(case(name).design.shape[1])[-1:]


def last_two(name):
    p = case(name).design.shape[1]
    return np.eye(p)[-min(2, p - 1) :]


def difference(name):
    p = case(name).design.shape[1]
    return np.eye(p)[-1:] - np.eye(p)[-2:-1]


def row_test(fit, contrasts, kind, threshold=0.0):
    unchanged = np.zeros((len(fit.base_mean), len(contrasts)), dtype=bool)
    return fit.row_tests(contrasts, kind, threshold=threshold, alternative="greaterAbs", unchanged=unchanged)


def on_log10_scale(found, expected):
    """Return the largest difference of log10 p-values over 1 + |log10 p|."""
    found, expected = np.log10(found), np.log10(np.asarray(expected))
    return np.max(np.abs(found - expected) / (1 + np.abs(expected)))


@each("name", NAMES)
def test_likelihood_ratio_tests_are_those_of_r(fits, name):
    fit, table = fits[name].adjusted, numbers("lrt", name)
    genes = table.index
    assert relative(fit.stored.ratio.deviance[genes], table["deviance"]) < DEVIANCE
    found = row_test(fit, last(name), "lrt")
    np.testing.assert_allclose(found.lfc[genes, 0], table["logFC"], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.statistic[genes, 0], table["LR"], rtol=1e-8, atol=1e-10)
    assert relative(found.p_value[genes, 0], table["PValue"]) < R_TOLERANCE
    joint = fit.joint_test(last_two(name), "lrt")
    assert relative(joint.p_value[genes], table["P_joint"]) < R_TOLERANCE
    assert joint.df_tested == len(last_two(name))
    contrast = row_test(fit, difference(name), "lrt")
    assert relative(contrast.p_value[genes, 0], table["P_contrast"]) < R_TOLERANCE
    treat, worst = (row_test(fit, last(name), kind, 1.0).p_value[genes, 0] for kind in ("lrt", "lrt_worst"))
    assert relative(treat, table["P_treat"]) < R_TOLERANCE
    assert relative(worst, table["P_treat_worst"]) < R_TOLERANCE


@each("name", NAMES)
def test_legacy_quasi_likelihood_is_that_of_r(fits, name):
    fit, table = fits[name].legacy, numbers("ql_legacy", name)
    genes, moderated = table.index, fits[name].legacy.stored.quasi.moderated
    np.testing.assert_array_equal(moderated.own_df[genes], table["df_zeros"])
    assert relative(moderated.variance[genes], table["s2_post"]) < R_TOLERANCE
    found = row_test(fit, last(name), "ql")
    np.testing.assert_allclose(found.statistic[genes, 0], table["F"], rtol=1e-8, atol=1e-9)
    assert relative(found.p_value[genes, 0], table["PValue"]) < R_TOLERANCE
    assert relative(fit.joint_test(last_two(name), "ql").p_value[genes], table["P_joint"]) < R_TOLERANCE
    assert relative(row_test(fit, last(name), "ql", 1.0).p_value[genes, 0], table["P_treat"]) < R_TOLERANCE
    robust = fits[name].robust
    assert relative(robust.stored.quasi.moderated.variance[genes], table["s2_post_robust"]) < R_TOLERANCE
    assert relative(row_test(robust, last(name), "ql").p_value[genes, 0], table["PValue_robust"]) < R_TOLERANCE


@each("name", NAMES)
def test_quasi_likelihood_of_version_4_is_near_that_of_r(fits, name):
    fit, table = fits[name].adjusted, numbers("ql_v4", name)
    genes, quasi = table.index, fits[name].adjusted.stored.quasi
    assert relative(quasi.average, single("v4_average_ql_dispersion", name)) < V4_DISPERSION
    assert relative(quasi.moderated.variance[genes], table["s2_post"]) < V4_VARIANCE
    found = row_test(fit, last(name), "ql")
    p_value = found.p_value[genes, 0]
    assert on_log10_scale(p_value, table["PValue"]) < V4_P
    assert on_log10_scale(fit.joint_test(last_two(name), "ql").p_value[genes], table["P_joint"]) < V4_P
    contrast = row_test(fit, difference(name), "ql")
    assert on_log10_scale(contrast.p_value[genes, 0], table["P_contrast"]) < V4_VARIANCE
    # log p is in proportion to 1 / variance: it differs by what the variances differ by, and the rest agrees
    statistic = contrast.statistic[genes, 0] * quasi.moderated.variance[genes] / table["s2_post"]
    given_variance = np.exp(log_f_tail(np.maximum(statistic, 0.0), 1, contrast.df[genes]))
    assert on_log10_scale(given_variance, table["P_contrast"]) < V4_P_GIVEN_VARIANCE
    assert on_log10_scale(row_test(fit, last(name), "ql", 1.0).p_value[genes, 0], table["P_treat"]) < V4_P
    np.testing.assert_allclose(found.lfc[genes, 0], table["logFC"], atol=5e-5)


def test_exact_numbers_are_near_those_of_the_release(fits):
    exact, released = Fits("offsets", None), fits["offsets"]
    for kind in ("lrt", "ql"):
        found, expected = (row_test(each_.adjusted, last("offsets"), kind) for each_ in (exact, released))
        np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-3)
        assert not np.array_equal(found.p_value, expected.p_value)


@each("kind", ["lrt", "ql"])
def test_p_values_grow_with_the_threshold(fits, kind):
    fit, contrast = fits["offsets"].adjusted, last("offsets")
    by_threshold = [row_test(fit, contrast, kind, threshold).p_value for threshold in (0.0, 0.3, 1.0, 2.0)]
    for low, high in pairwise(by_threshold):
        small = low < 0.3  # likelihoods are not symmetric, which large p-values show
        assert (low[small] <= high[small]).all()


@each("kind", ["lrt", "ql"])
def test_one_sided_tests_halve_the_two_sided_ones(fits, kind):
    fit, contrast = fits["offsets"].adjusted, last("offsets")
    unchanged = np.zeros((len(fit.base_mean), 1), dtype=bool)
    up, down = (
        fit.row_tests(contrast, kind, threshold=0.0, alternative=side, unchanged=unchanged)
        for side in ("greater", "less")
    )
    both = row_test(fit, contrast, kind).p_value
    np.testing.assert_allclose(2 * np.minimum(up.p_value, down.p_value), both, rtol=1e-6)
    np.testing.assert_allclose(up.p_value + down.p_value, 1.0)


def test_the_coding_of_the_design_does_not_matter(fits):
    fit = Fits("offsets", None).adjusted
    again = data_set("offsets")
    coding = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    given = fit.stored.given
    model = fit_model(
        again._data.matrix, given, Columns.of(case("offsets").design @ coding), fit.stored.ratio.dispersion, ENGINE
    )
    np.testing.assert_allclose(model.deviance, fit.stored.ratio.deviance, rtol=1e-9)
    finite = np.abs(fit.stored.ratio.beta).max(axis=1) < 20
    np.testing.assert_allclose((model.beta @ coding.T)[finite], fit.stored.ratio.beta[finite], atol=1e-5)
    assert fits["offsets"].adjusted.stored.given.compat == RELEASE


@each("kind", ["lrt", "ql"])
def test_thresholds_beyond_all_ratios_of_counts_have_an_answer(fits, kind):
    fit, contrast = fits["offsets"].adjusted, last("offsets")
    unchanged = np.zeros((len(fit.base_mean), 1), dtype=bool)
    tested = np.isfinite(row_test(fit, contrast, kind).p_value)
    for side in ("greaterAbs", "lessAbs", "greater", "less"):
        for threshold in (100.0, 1e3, 1e5):
            found = fit.row_tests(contrast, kind, threshold=threshold, alternative=side, unchanged=unchanged).p_value
            assert (np.isfinite(found) == tested).all()
            if side != "lessAbs":
                assert np.median(found[tested]) > 1.0 - 1e-8
