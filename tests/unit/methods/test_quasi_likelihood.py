"""Quasi-likelihood F tests on the dispersion trend: by hand, and what holds of them whatever the data."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats

import countnest as cn
from countnest.arrays import as_float
from countnest.containers.matrix import InMemory
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk
from countnest.methods.deseq2 import quasi
from countnest.remedies import in_the_shell
from countnest.simulate import groups
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import row_basis
from countnest.stats.inference.wald import wald_test
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.t_and_f import moderated_f

# Six genes by hand, with a prior of 5 degrees of freedom and variance 1.
COUNTS = [
    [10, 14, 12, 30, 41, 35],
    [100, 90, 130, 210, 480, 160],
    [0, 0, 0, 5, 9, 7],
    [1, 0, 2, 0, 3, 1],
    [52, 48, 55, 50, 61, 900],
    [1000, 1100, 950, 1300, 1250, 1400],
]
TREND, FACTORS = [0.15, 0.08, 0.6, 1.2, 0.1, 0.04], [1.0, 1.1, 0.9, 1.0, 1.2, 0.8]
DEVIANCE = [0.60693994, 5.68682555, 0.21005903, 3.6889927, 60.98071716, 3.39514171]
GAIN = [8.62338409, 14.0924505, 13.5601362, 0.0306925055, 50.8299324, 3.10456935]
DF = [4, 4, 2, 4, 4, 4]
POSTERIOR = [0.62299333, 1.18742506, 0.74429415, 0.96544363, 7.3311908, 0.93279352]
P_VALUE = [0.0047672, 0.00733229, 0.00370822, 0.86243581, 0.02721856, 0.10140117]

ALTERNATIVES = ("greaterAbs", "greaterAbs2014", "greater", "less", "lessAbs")


def study(n_genes=150):
    """Return counts with widely spread dispersions, and a sheet; two genes have no count, and two none in one group."""
    made = groups(genes=n_genes, sizes=(4, 4, 4), levels=("a", "b", "c"), fraction=0.3, dispersion_sd=0.9, rng=4)
    counts = made.counts.copy()
    counts.iloc[:2] = 0
    counts.iloc[2:4] += 40
    counts.iloc[2:4, 8:] = 0
    return counts, made.samples.assign(batch=np.tile(["x", "y"], 6))


def fitted(counts=None, sheet=None, **options):
    if counts is None:
        counts, sheet = study()
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group", **options).deseq(quiet=True, fit_type="mean")


@pytest.fixture(scope="module")
def dds():
    return fitted()


def test_six_genes_by_hand():
    layout = Layout.of(np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]]))
    chunk = GeneChunk(np.array(COUNTS, dtype=float), np.array([FACTORS]), None, {"dispersion": np.array(TREND)})
    full = quasi._full_chunk(chunk, layout=layout)
    np.testing.assert_allclose(full.deviance, DEVIANCE, rtol=2e-6)
    np.testing.assert_array_equal(full.df, DF)
    _, null = row_basis(np.array([[0.0, 1.0]]))
    chunk = GeneChunk(chunk.counts, chunk.size_factors, None, {**chunk.by_gene, "deviance": full.deviance})
    gain = quasi._gain_chunk(chunk, null=Layout.of(layout.matrix @ null, as_given=True))
    np.testing.assert_allclose(gain, GAIN, rtol=1e-6)
    prior = ScaledFPrior(5.0, 1.0)
    posterior = prior.posterior(full.deviance / full.df, full.df)
    np.testing.assert_allclose(posterior, POSTERIOR, rtol=1e-6)
    test = moderated_f(gain, 1, ModeratedVariances(posterior, full.df, prior))
    np.testing.assert_allclose(test.p_value, P_VALUE, rtol=2e-6)


def lowest_deviance(y, alpha, weights, offset, matrix):
    """Return the minimum of the deviance as its formula has it, by a general search."""

    def of(beta):
        mu = np.exp(matrix @ beta + offset)
        r = 1.0 / alpha
        unit = scipy.special.xlogy(y, y / mu) - (y + r) * np.log((y + r) / (mu + r))
        return 2.0 * (weights * unit).sum()

    start = np.linalg.lstsq(matrix, np.log(y + 0.5) - offset, rcond=None)[0]
    return scipy.optimize.minimize(of, start, method="BFGS", options={"gtol": 1e-7}).fun


def on_trend(made):
    """Return the fit of a data set, and its genes on the trend."""
    fit = made._fit()
    return fit, quasi.quasi_likelihood(fit.counts_used, fit.state, fit.layout, fit.engine)


@pytest.mark.parametrize("given", ["weights", "factors"])
def test_deviances_are_those_of_plain_fits_on_the_trend(given):
    counts, sheet = study(n_genes=80)
    rng, weights = np.random.default_rng(3), np.ones(counts.shape)
    if given == "weights":
        weights = rng.choice([0.0, 0.4, 1.0, 1.0, 1.0, 1.0], counts.shape)
        weights[:, 0] = 1.0  # the largest of each gene
        made = fitted(counts, sheet, weights=weights)
    else:
        made = fitted(counts, sheet, normalization_factors=rng.lognormal(0.0, 0.2, counts.shape))
    fit, genes = on_trend(made)
    offsets = np.log(np.broadcast_to(fit.state.factors, counts.shape))
    trend, matrix = made.genes["dispFit"].to_numpy(), fit.layout.matrix
    found = made.query("batch[y - x]").test("ql").table
    rows = [i for i in range(5, 80, 6) if (counts.to_numpy()[i] > 0).all() and np.isfinite(found["stat"].iloc[i])]
    assert len(rows) > 6
    for i in rows:
        given_to = counts.to_numpy()[i], trend[i], weights[i], offsets[i]
        full, null = lowest_deviance(*given_to, matrix), lowest_deviance(*given_to, matrix[:, [0, 2, 3]])
        assert genes.genes.by_gene["deviance"][i] == pytest.approx(full, rel=1e-5)
        assert genes.moderated.own_df[i] == pytest.approx(max(weights[i].sum() - 4.0, 0.0), rel=1e-9)
        assert found["stat"].iloc[i] * genes.moderated.variance[i] == pytest.approx(null - full, rel=1e-4, abs=1e-4)


def test_the_table_has_f_its_degrees_of_freedom_and_t_intervals(dds):
    found = dds.query("group[b - a]").test("ql", confint=0.9)
    assert found.info.test == "QL F"
    table = found.table
    tested = table["pvalue"].notna()
    np.testing.assert_allclose(
        table["pvalue"][tested], scipy.stats.f.sf(table["stat"], 1, table["df"])[tested], rtol=1e-9
    )
    reach = scipy.stats.t.ppf(0.95, table["df"]) * table["lfcSE"]
    np.testing.assert_allclose(table["ciUpper"] - table["log2FoldChange"], reach, rtol=1e-9)
    wald = dds.query("group[b - a]").test("wald").table
    pd.testing.assert_series_equal(table["log2FoldChange"], wald["log2FoldChange"])


def test_genes_of_an_empty_group_have_fewer_degrees_of_freedom_and_finite_tests(dds):
    table = dds.query("group[c - a]").test("ql").table
    empty, prior_df = table.iloc[2:4], table["df"].iloc[4:].max()
    assert empty["separated"].all()
    assert np.isfinite(empty["stat"]).all()
    assert (empty["pvalue"] < 1e-3).all()
    assert prior_df < 60
    np.testing.assert_allclose(empty["df"], prior_df - 3.0)  # four samples, less a coefficient
    assert table.iloc[:2]["pvalue"].isna().all()


def test_one_sided_tests_halve_the_two_sided_one(dds):
    query = dds.query("group[b - a]")
    two, greater, less = (query.test("ql", alt_hypothesis=side).table for side in ("greaterAbs", "greater", "less"))
    np.testing.assert_allclose(greater["pvalue"] + less["pvalue"], 1.0 + 0.0 * greater["pvalue"], rtol=1e-9)
    np.testing.assert_allclose(
        np.minimum(greater["pvalue"], less["pvalue"]) * 2.0, two["pvalue"], rtol=1e-6, atol=1e-12
    )
    up = two["log2FoldChange"] > 0.05
    assert (greater["pvalue"][up] < 0.5).all()
    assert (greater["stat"][up] > 0).all()
    assert (less["stat"] <= 0)[two["stat"].notna()].all()


def test_thresholds_are_near_those_of_t_tests(dds):
    query = dds.query("group[b - a]")
    plain = query.test("ql").table
    far = plain["log2FoldChange"].abs() > 0.1
    for alternative in ALTERNATIVES:
        found = query.test("ql", lfc_threshold=0.4, alt_hypothesis=alternative).table
        _, expected = wald_test(
            plain["log2FoldChange"].to_numpy(), plain["lfcSE"].to_numpy(), threshold=0.4, alternative=alternative,
            df=plain["df"].to_numpy(),
        )  # fmt: skip
        used = far & ~plain["separated"] & found["pvalue"].notna()
        assert np.corrcoef(found["pvalue"][used], expected[used])[0, 1] > 0.99, alternative
        assert np.median(np.abs(found["pvalue"][used] - expected[used])) < 0.02, alternative
        smaller = query.test("ql", lfc_threshold=0.2, alt_hypothesis=alternative).table["pvalue"]
        order = -1.0 if alternative == "lessAbs" else 1.0
        assert (order * (found["pvalue"] - smaller)[used] > -1e-9).all(), alternative


def test_an_average_over_the_null_interval_is_refused(dds):
    with pytest.raises(OptionError, match="greaterAbsUPSHOT"):
        dds.query("group[b - a]").test("ql", lfc_threshold=0.4, alt_hypothesis="greaterAbsUPSHOT")


def test_joint_tests_have_their_rank_and_do_not_depend_on_the_rows(dds):
    contrasts = np.array([[0, 0, 1, 0], [0, 0, 0, 1.0]])
    found = dds.contrast(contrasts).test("ql", joint=True)
    assert "2 df" in found.info.label
    table = found.table
    used = table["pvalue"].notna()
    np.testing.assert_allclose(table["pvalue"][used], scipy.stats.f.sf(table["stat"], 2, table["df"])[used], rtol=1e-8)
    other = dds.contrast([[0, 0, 1, -1], [0, 0, 2, 1], [0, 0, 0, 3]]).test("ql", joint=True).table
    np.testing.assert_allclose(other["stat"], table["stat"], rtol=1e-6)
    single = dds.contrast(contrasts[:1]).test("ql").table
    alone = dds.contrast([contrasts[0], 2.0 * contrasts[0]]).test("ql", joint=True).table
    np.testing.assert_allclose(alone["stat"], single["stat"], rtol=1e-6)


def test_stagewise_tests_and_filters_work(dds):
    parts = dds.effect("group").test("ql", stagewise=True).parts
    screen = dds.effect("group").test("ql", joint=True).table
    for part in parts.values():
        np.testing.assert_array_equal(part.table["padj_screen"], screen["padj"])
        assert (part.table["padj_stagewise"] < 0.1).any()
        assert part.info.independent_filtering


def test_null_model_is_named(dds):
    assert dds.query("group[b - a]").test("ql").info.reduced == "without 'group[b - a]'"


def test_an_analysis_can_be_made_for_it(dds, tmp_path):
    counts, sheet = study()
    made = cn.DESeqDataSet(counts, sheet, design="~ batch + group")
    cn.DESeq(made, test="QL", fit_type="mean", quiet=True)
    expected = dds.query("group[c - a]").test("ql").table
    pd.testing.assert_frame_equal(made.query("group[c - a]").test().table, expected)
    pd.testing.assert_frame_equal(made.results().table, expected)
    pd.testing.assert_frame_equal(dds.results(test="QL").table, expected)
    pd.testing.assert_frame_equal(made.results(test="Wald").table, dds.results().table)
    assert "QL F test p-value" in made.results().descriptions()["pvalue"]
    assert "the p-value is valid" in made.results().descriptions()["separated"]
    cn.save(made, tmp_path / "made.countnest")
    pd.testing.assert_frame_equal(cn.load(tmp_path / "made.countnest").results().table, expected)


def test_what_does_not_go_with_it_is_refused():
    counts, sheet = study()
    for options, message in (
        ({"reduced": "~ batch"}, r"reduced= is given but test='QL' has no use for it.*dds\.query\('joint"),
        ({"sharing": "gene_est_only"}, "test='QL' needs the trend"),
        ({"use_t": True}, "use_t=True is for Wald tests"),
        ({"beta_prior": True}, "test='QL' compares likelihoods"),
    ):
        with pytest.raises(OptionError, match=message):
            cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(test="QL", quiet=True, **options)
    with in_the_shell(), pytest.raises(OptionError, match=r"--reduced is given but --test QL .* --query 'joint"):
        cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(test="QL", quiet=True, reduced="~ batch")


def test_threads_and_the_order_of_genes_change_no_bit(dds):
    counts, sheet = study()
    expected = dds.query("group[b - a]").test("ql").table
    threads = cn.DESeqDataSet(counts, sheet, design="~ batch + group", n_threads=3).deseq(quiet=True, fit_type="mean")
    pd.testing.assert_frame_equal(threads.query("group[b - a]").test("ql").table, expected)
    # what comes before the test is given, so that the order of the genes matters to the test alone
    fit, ours = on_trend(dds)
    order = np.random.default_rng(3).permutation(len(counts))
    matrix = InMemory(as_float(counts.to_numpy()[order]))
    theirs = quasi.quasi_likelihood(matrix, in_order(fit.state, order), fit.layout, fit.engine)
    np.testing.assert_array_equal(theirs.moderated.variance, ours.moderated.variance[order])
    contrast = np.array([0.0, 0.0, 1.0, 0.0])
    for side in ("greaterAbs", "greater"):
        for one, other in zip(theirs.single(contrast, 0.0, side), ours.single(contrast, 0.0, side), strict=True):
            np.testing.assert_array_equal(one, other[order])


def in_order(record, order):
    """Return a record, and the records in it, with all arrays by gene in another order."""
    changed = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if is_dataclass(value):
            changed[each.name] = in_order(value, order)
        elif isinstance(value, np.ndarray) and len(value) == len(order):
            changed[each.name] = value[order]
    return replace(record, **changed)


def test_dispersions_without_a_trend_are_refused():
    counts, sheet = study()
    made = cn.DESeqDataSet(counts, sheet, design="~ batch + group", size_factors=np.ones(12))
    made.dispersions = np.full(len(counts), 0.1)
    made.nbinom_wald_test(quiet=True)
    with pytest.raises(OptionError, match="trend"):
        made.query("group[b - a]").test("ql")


def test_the_false_discovery_rate_is_held_where_the_wald_test_exceeds_it():
    false, called, small = {"wald": 0, "ql": 0}, {"wald": 0, "ql": 0}, {"wald": 0, "ql": 0}
    nulls = 0
    for seed in (1, 2):
        made = groups(genes=2500, sizes=(3, 3), dispersion_sd=0.8, rng=seed)
        dds = cn.DESeqDataSet(made.counts, made.samples, design=made.design, reference=made.reference)
        dds.deseq(quiet=True)
        null = made.truth["null_group"].to_numpy()
        nulls += null.sum()
        for kind in false:
            table = dds.query("group[B - A]").test(kind, alpha=0.1).table
            hits = (table["padj"] < 0.1).to_numpy()
            false[kind] += (hits & null).sum()
            called[kind] += hits.sum()
            small[kind] += (table["pvalue"].to_numpy()[null] < 0.001).sum()
    rate = {kind: false[kind] / called[kind] for kind in false}
    assert rate["ql"] < 0.12 < 0.15 < rate["wald"]
    assert called["ql"] > 0.5 * called["wald"]
    assert small["ql"] / nulls < 0.002 < 0.003 < small["wald"] / nulls
