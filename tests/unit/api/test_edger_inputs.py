"""What edgeR's method says of designs without replicates, dispersions, factors and filters that cannot be meant."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning, CountsError, DesignError, OptionError

SAMPLES = pd.DataFrame({"group": list("aabbaabb")}, index=[f"s{j}" for j in range(8)])
LIBRARY = np.array([1.0, 3.0, 1.5, 4.0, 0.8, 2.0, 1.2, 5.0])


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(4)
    mean = np.exp(rng.normal(4.0, 1.0, (200, 1))) * LIBRARY
    return pd.DataFrame(rng.negative_binomial(10, 10 / (10 + mean)), [f"g{i}" for i in range(200)], SAMPLES.index)


def data_set(counts, **options):
    return cn.DESeqDataSet(counts, SAMPLES.loc[counts.columns], design="~ group", quiet=True, cells_ok=True, **options)


def test_without_replicates_it_says_what_can_be_done(counts):
    alone = data_set(counts[["s0", "s2"]])
    for ask in (
        lambda: cn.edger(alone, quiet=True),
        lambda: cn.edger(alone, dispersion=0.1, quiet=True),
        lambda: cn.edger(alone, test="lrt", quiet=True),
        lambda: cn.glm_fit(alone),
        lambda: cn.estimate_disp(alone),
        lambda: cn.pred_fc(alone),
        lambda: cn.exact_test(alone),
    ):
        with pytest.raises(DesignError, match=r"nothing is left to estimate.*dispersion of your own.*test='lrt'"):
            ask()


def test_with_dispersions_of_ones_own_no_replicates_are_needed(counts):
    alone = data_set(counts[["s0", "s2"]])
    found = cn.glm_lrt(cn.edger(alone, test="lrt", filter=False, dispersion=0.1, quiet=True))
    assert found.pvalue.notna().all()
    exact = cn.exact_test(alone, dispersion=0.1)
    assert np.corrcoef(np.log(exact["pvalue"]), np.log(found.pvalue))[0, 1] > 0.95
    changes = cn.pred_fc(alone, 0.1)
    np.testing.assert_allclose(changes.iloc[:, -1], found["log2FoldChange"], rtol=1e-10)


def test_dispersions_above_the_largest_are_said(counts):
    dds = data_set(counts)
    with pytest.warns(CountnestWarning, match=r"200 genes with a dispersion above 4.*test='lrt', use"):
        cn.edger(dds, dispersion=9.0, filter=False, quiet=True)
    largest = dds._fit("edger").stored.quasi
    assert largest.model.dispersion[0] * largest.average == pytest.approx(4.0)
    cn.edger(dds, dispersion=9.0, filter=False, compat="bioc3.20", quiet=True)
    as_given = dds._fit("edger").stored.quasi
    assert as_given.model.dispersion[0] * as_given.average == pytest.approx(9.0)


def test_factors_that_leave_out_the_depth_are_said(counts):
    n = np.ones(counts.shape)
    for factors in (n, np.log(1e6 * LIBRARY) * n):
        with pytest.warns(CountnestWarning, match=r"do not follow the library sizes: .* a factor of [56]\."):
            cn.glm_ql_fit(data_set(counts, normalization_factors=factors), quiet=True)
    noise = np.exp(np.random.default_rng(1).normal(0, 0.2, counts.shape))
    cn.glm_ql_fit(data_set(counts, normalization_factors=noise * LIBRARY), quiet=True)  # warnings are errors


def test_size_factors_in_place_of_normalization_factors_are_said(counts):
    dds, library = data_set(counts), counts.sum()
    for factors in (LIBRARY, library, pd.Series(100.0, SAMPLES.index)):
        with pytest.warns(CountnestWarning, match=r"norm_factors are multiplied with the library sizes.*divide them"):
            cn.edger(dds, norm_factors=factors, quiet=True)
    cn.edger(dds, norm_factors=LIBRARY / library * library.mean(), quiet=True)  # as the message says


def test_a_filter_of_ones_own_that_keeps_nothing_is_refused(counts):
    for function in (cn.edger, cn.limma):
        with pytest.raises(OptionError, match="filter= keeps none that has counts"):
            function(data_set(counts), filter=np.zeros(200, dtype=bool), quiet=True)


def test_counts_that_are_not_whole_are_refused_with_the_way_out(counts):
    with pytest.raises(CountsError, match=r"Round estimated counts, whatever the method, e\.g\. counts\.round\(\)"):
        data_set(counts + 0.25)
    cn.edger(data_set((counts + 0.25).round()), quiet=True)


def test_releases_that_are_not_known_are_refused_by_every_function(counts):
    dds = data_set(counts)
    v = cn.voom(dds)
    query, sets = cn.limma(dds, quiet=True).effect("group"), {"some": counts.index[:9]}
    asked = [getattr(cn, name) for name in (
        "edger", "glm_fit", "glm_ql_fit", "estimate_disp", "pred_fc", "exact_test", "limma", "voom",
        "voom_with_quality_weights", "voom_lm_fit",
    )]  # fmt: skip
    calls = [lambda function=each: function(dds, compat="bioc3.99") for each in asked]
    calls += [
        lambda: cn.e_bayes(cn.lm_fit(v), compat="bioc3.99"),
        lambda: cn.camera(query, sets, fit="limma", compat="bioc3.99"),
        lambda: cn.fry(query, sets, fit="limma", compat="bioc3.99"),
    ]
    for call in calls:
        with pytest.raises(OptionError, match=r"compat='bioc3\.99' is not known; use one of 'bioc3\.16'"):
            call()


def test_columns_that_nesting_leaves_over_are_dropped_and_named_and_confounded_terms_refused(counts):
    sheet = SAMPLES.assign(group=list("xyxyxyxy"), family=list("11223344"), line=list("aaaabbbb"))
    nested = cn.DESeqDataSet(counts, sheet, design="~ family + line*group", quiet=True)
    assert nested.design.dropped == ("lineb",)
    for fit, name in ((cn.edger, "edger"), (cn.limma, "limma")):
        fit(nested, quiet=True)
        found = nested.interaction(group=("y", "x"), line=("b", "a")).test(fit=name)
        assert found.pvalue.notna().sum() > 100
    with pytest.raises(DesignError, match="'again' is confounded with 'group'"):
        cn.DESeqDataSet(counts, sheet.assign(again=sheet["group"]), design="~ group + again", quiet=True)
