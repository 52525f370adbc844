"""Filters and methods of adjustment, from the arguments of `results` to its table."""

import functools
import io

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.filter import independent_filtering
from countnest.stats.inference.qvalue import q_values
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    return cn.DESeqDataSet(*study(n_genes=300), design="~ batch + group").deseq(quiet=True)


def numbers(results, *columns):
    return [results.table[column].to_numpy() for column in columns]


@pytest.mark.parametrize("method", ["storey", "fdr_tsbh", "sidak", "hommel"])
def test_methods_by_name(dds, method):
    found = dds.results(p_adjust=method, independent_filtering=False, alpha=0.05)
    p, padj = numbers(found, "pvalue", "padj")
    np.testing.assert_array_equal(padj, adjust(p, method, alpha=0.05))
    assert found.info.p_adjust == method
    assert found.descriptions()["padj"] == f"{method} adjusted p-values"


def test_functions_are_recorded_by_name(dds):
    bootstrap = functools.partial(q_values, method="bootstrap")
    found = dds.results(p_adjust=bootstrap, independent_filtering=False)
    p, padj = numbers(found, "pvalue", "padj")
    np.testing.assert_array_equal(padj[~np.isnan(p)], bootstrap(p[~np.isnan(p)]))
    assert found.info.p_adjust == "q_values"


def test_queries_take_the_same_methods(dds):
    found = dds.effect("group", levels=("c", "a")).test(p_adjust="storey")
    assert found.info.p_adjust == "storey"
    p, mean, padj = numbers(found, "pvalue", "baseMean", "padj")
    np.testing.assert_array_equal(padj, independent_filtering(p, mean, 0.1, "storey").padj)


@pytest.mark.parametrize("kind", ["series", "shuffled", "dict", "array", "list"])
def test_another_filter_statistic(dds, kind):
    variance = dds.genes["baseVar"]
    given = {
        "series": variance,
        "shuffled": variance.sample(frac=1.0, random_state=1),
        "dict": variance.to_dict(),
        "array": variance.to_numpy(),
        "list": list(variance),
    }[kind]
    found = dds.results(filter=given)
    p, padj = numbers(found, "pvalue", "padj")
    expected = independent_filtering(p, variance.to_numpy(), 0.1)
    np.testing.assert_array_equal(padj, expected.padj)
    assert found.info.filter_threshold == expected.threshold
    assert found.info.filter_statistic == ("baseVar" if kind in ("series", "shuffled") else "filter")
    assert dds.results().info.filter_statistic == "baseMean"


def test_other_fractions(dds):
    found = dds.results(theta=[0.6, 0.0, 0.3])
    np.testing.assert_array_equal(found.info.filter_num_rej[0], [0.0, 0.3, 0.6])
    single = dds.results(theta=0.5)
    assert single.info.filter_theta == 0.5
    assert (single.table["padj"].isna() == (dds.genes["baseMean"] < single.info.filter_threshold)).all()


def half(p_values, statistic, alpha):
    """Leave out the lower half."""
    assert alpha == 0.1
    return adjust(np.where(statistic >= np.median(statistic), p_values, np.nan))


def test_a_function_filters_and_adjusts(dds):
    found = dds.results(filter_fun=half)
    (p,) = numbers(found, "pvalue")
    np.testing.assert_array_equal(found.table["padj"], half(p, dds.genes["baseMean"].to_numpy(), 0.1))
    assert (found.info.filter_fun, found.info.p_adjust) == ("half", "half")
    assert not found.info.independent_filtering
    left_out = found.table["pvalue"].notna() & found.table["padj"].isna()
    assert (found.table["padj_reason"][left_out] == "low_count").all()
    assert left_out.sum() > 100
    assert "(adjusted by half)" in str(found.summary(file=io.StringIO()))


def test_a_function_gets_the_given_statistic_and_its_record_is_kept(dds):
    def filtered(p_values, statistic, alpha):
        return independent_filtering(p_values, statistic, alpha, thetas=np.array([0.25]))

    found = dds.results(filter_fun=filtered, filter=dds.genes["baseVar"])
    assert found.info.filter_theta == 0.25
    assert found.info.filter_threshold == pytest.approx(dds.genes["baseVar"].quantile(0.25))
    assert (found.info.filter_fun, found.info.filter_statistic) == ("filtered", "baseVar")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p_adjust": "bh"}, "Did you mean 'BH'"),
        ({"p_adjust": "stories"}, "Did you mean 'storey'"),
        ({"p_adjust": 3}, "not known"),
        ({"theta": 1.5}, "numbers from 0 to 1"),
        ({"theta": []}, "numbers from 0 to 1"),
        ({"theta": "many"}, "numbers from 0 to 1"),
        ({"theta": np.nan}, "numbers from 0 to 1"),
        ({"theta": 0.1, "independent_filtering": False}, "require independent_filtering=True"),
        ({"filter": [1.0], "independent_filtering": False}, "require independent_filtering=True"),
        ({"filter": [1.0, 2.0]}, "for each of the 300 genes"),
        ({"filter": ["a"] * 300}, "must be numbers"),
        ({"filter": np.full(300, np.nan)}, "missing or infinite for 300 genes: 'g0'"),
        ({"filter": pd.Series({"g1": 1.0})}, "299 genes of the counts missing"),
        ({"filter_fun": "ihw"}, "must be a function"),
        ({"filter_fun": half, "theta": 0.1}, "leave out theta and p_adjust"),
        ({"filter_fun": half, "p_adjust": "BY"}, "leave out theta and p_adjust"),
    ],
)
def test_what_cannot_be_used(dds, arguments, words):
    with pytest.raises(OptionError, match=words):
        dds.results(**arguments)


def test_filter_labels_occur_once(dds):
    variance = dds.genes["baseVar"]
    with pytest.raises(OptionError, match="gene label more than once: 'g0'"):
        dds.results(filter=pd.concat([variance, variance.iloc[:1]]))


def test_the_average_over_the_null_interval_needs_the_normal_distribution(dds):
    found = dds.results(lfc_threshold=0.5, alt_hypothesis="greaterAbsUPSHOT")
    ends = dds.results(lfc_threshold=0.5)
    p, p_ends = numbers(found, "pvalue")[0], numbers(ends, "pvalue")[0]
    assert np.nanmin(p) < np.nanmin(p_ends)
    np.testing.assert_array_equal(*(result.table["stat"] for result in (found, ends)))
    asked = dds.effect("group", levels=("c", "a"))
    with pytest.raises(OptionError, match="kind='wald'"):
        asked.test("t", lfc_threshold=0.5, alt_hypothesis="greaterAbsUPSHOT")


def test_cautious_filtering_keeps_given_cutoffs_and_never_leaves_all_genes_out(dds):
    query = dds.effect("batch")
    mean = query.test("averaged").table["baseMean"]
    usual, given = query.test("averaged"), query.test("averaged", theta=[0.0])
    assert usual.info.filter_threshold == pytest.approx(50 / 12)
    assert given.info.filter_threshold == mean.min()
    counts, sheet = study(n_genes=300)
    few = (counts // 40).loc[lambda table: table.mean(axis=1) < 3]
    found = (
        cn.DESeqDataSet(few, sheet, design="~ batch + group", size_factors=np.ones(12))
        .deseq(quiet=True, test="averaged", fit_type="mean")
        .results()
    )
    assert 0 < found.table["baseMean"].max() < 50 / 12
    assert found.table["padj"].notna().sum() == found.table["pvalue"].notna().sum() > 50
