"""A model does not depend on the units and the origin of its columns; what nearly depends on another is told."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning

GENES, TRUE = 300, 30
DOSE = np.repeat([0.0, 1.0, 3.0, 10.0], 4)  # micromolar
GROUP = np.tile(["a", "b"], 8)
YEARS = np.arange(2001, 2021)
STATISTICS = ["stat", "pvalue", "padj"]


def draw(number, second=None, seed=1):
    """Return counts whose first genes follow a number by 1.5 to 3 over its range, the next ones a second column."""
    rng = np.random.default_rng(seed)
    n = len(number)
    base = np.exp2(rng.uniform(5.0, 10.0, GENES))
    change = np.zeros((GENES, n))
    signs = rng.choice([-1.0, 1.0], (2, TRUE, 1))
    change[:TRUE] = signs[0] * rng.uniform(1.5, 3.0, (TRUE, 1)) * (number - number.mean()) / np.ptp(number)
    if second is not None:
        change[TRUE : 2 * TRUE] = 1.5 * signs[1] * second
    mean = base[:, None] * np.exp2(change) * np.exp(rng.normal(0.0, 0.2, n))
    counts = rng.negative_binomial(20.0, 20.0 / (20.0 + mean))
    return pd.DataFrame(counts, index=[f"g{i}" for i in range(GENES)], columns=[f"s{j}" for j in range(n)])


def fitted(counts, design, **columns):
    sheet = pd.DataFrame(columns, index=counts.columns)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=CountnestWarning, message=".*(integer|larger than 5|reference).*")
        return cn.DESeqDataSet(counts, sheet, design=design).deseq(quiet=True)


def found(table, genes=slice(0, TRUE)):
    return int((table["padj"].iloc[genes] < 0.1).sum())


def assert_alike(table, expected, rtol=1e-6, atol=1e-7):
    for name in STATISTICS:
        np.testing.assert_allclose(table[name], expected[name], rtol=rtol, atol=atol, err_msg=name)
    assert (table["padj_reason"] == expected["padj_reason"]).all()


def test_a_dose_is_fitted_alike_in_all_units():
    counts = draw(DOSE)
    first = fitted(counts, "~ dose", dose=DOSE)
    expected = first.results(name="dose").table
    assert found(expected) == TRUE
    for unit in (1e-9, 1e-6, 1e-3, 1e3):  # kM, M, mM, nM
        dds = fitted(counts, "~ dose", dose=unit * DOSE)
        table = dds.results(name="dose").table
        assert_alike(table, expected)
        np.testing.assert_allclose(unit * table["log2FoldChange"], expected["log2FoldChange"], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(unit * table["lfcSE"], expected["lfcSE"], rtol=1e-6)
        np.testing.assert_allclose(dds.cooks(), first.cooks(), rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(dds.mu(), first.mu(), rtol=1e-6)
        means = [
            cn.predict(each, pd.DataFrame({"dose": [dose]}, index=["new"]))[["mean", "low", "high"]]
            for each, dose in ((dds, unit * 5.0), (first, 5.0))
        ]
        np.testing.assert_allclose(*means, rtol=1e-6)
        assert "betaAtBound" not in dds.genes


def test_slopes_of_groups_and_their_joint_tests_are_alike_in_all_units():
    second = (GROUP == "b") * (DOSE - DOSE.mean()) / 10.0
    counts = draw(DOSE, second)
    tables = []
    for unit in (1.0, 1e-3, 1e-6):
        dds = fitted(counts, "~ group * dose", dose=unit * DOSE, group=GROUP)
        tables.append(dds.results(name="groupb.dose").table)
        names = dds.results_names()
        both = dds.contrast(np.eye(len(names))[[names.index("group_b_vs_a"), names.index("groupb.dose")]]).joint()
        tables[-1] = tables[-1].join(both.test().table[["stat"]].add_suffix("_wald"))
        tables[-1] = tables[-1].join(both.test("lrt").table[["stat"]].add_suffix("_lrt"))
    assert found(tables[0], slice(TRUE, 2 * TRUE)) > 0.6 * TRUE
    for table in tables[1:]:
        assert_alike(table, tables[0])
        for name in ("stat_wald", "stat_lrt"):
            np.testing.assert_allclose(table[name], tables[0][name], rtol=1e-5, atol=1e-6)


def test_a_nuisance_fraction_leaves_the_other_factor_as_it_is_in_percent():
    percent = np.random.default_rng(3).uniform(0.0, 2.0, 16)
    counts = draw(percent, GROUP == "b")
    tables = [
        fitted(counts, "~ share + group", share=unit * percent, group=GROUP).results(contrast=("group", "b", "a")).table
        for unit in (1.0, 0.01)
    ]
    assert found(tables[0], slice(TRUE, 2 * TRUE)) == TRUE
    assert found(tables[0]) <= 2
    assert_alike(tables[1], tables[0], rtol=1e-4, atol=1e-5)


def test_a_calendar_year_is_one_since_2000():
    group = np.tile(["a", "b"], 10)
    counts = draw(YEARS.astype(float), group == "b")
    first, *others = (
        fitted(counts, "~ group + year", year=YEARS - origin, group=group).results(name="year").table
        for origin in (2000, 0, -700_000)
    )
    assert found(first) == TRUE
    assert not (first["padj_reason"] == "outlier").any()
    for table in others:
        assert_alike(table, first, rtol=1e-4, atol=1e-4)


def test_an_age_is_fitted_alike_in_years_and_days():
    age = np.random.default_rng(5).uniform(20.0, 80.0, 16)
    counts = draw(age)
    years, days = (fitted(counts, "~ age", age=unit * age).results(name="age").table for unit in (1.0, 365.25))
    assert found(years) == TRUE
    assert_alike(days, years, rtol=1e-5, atol=1e-6)


def test_outliers_are_replaced_alike_in_all_units():
    dose = np.repeat([0.0, 10.0], 8)
    counts = draw(dose)
    counts.iloc[40:60, 3] += 50_000
    first, second = (fitted(counts, "~ dose", dose=unit * dose) for unit in (1.0, 1e-6))
    assert first.genes["replace"].sum() >= 10
    pd.testing.assert_series_equal(first.genes["replace"], second.genes["replace"])
    assert_alike(second.results(name="dose").table, first.results(name="dose").table)
    np.testing.assert_allclose(first.cooks(), second.cooks(), rtol=1e-5, atol=1e-8)


def test_a_gene_beyond_the_bound_is_found_where_the_others_stay():
    # 2 per unit of quality, from 7 to 9, and an intercept beyond the bound
    quality = np.random.default_rng(2).uniform(7.0, 9.0, 16)
    counts = draw(quality)
    counts.iloc[0] = np.round(np.exp2(8.0 + 6.0 * (quality - 8.0))).astype(int)
    near = fitted(counts, "~ quality", quality=quality - 8.0).genes
    far = fitted(counts, "~ quality", quality=quality).genes
    assert far.loc["g0", "Intercept"] < -30.0
    np.testing.assert_allclose(far["quality"], near["quality"], rtol=1e-4, atol=1e-4)


def test_nearly_collinear_columns_are_reported_when_the_design_is_made():
    counts = draw(DOSE)
    rng = np.random.default_rng(1)
    noisy = (GROUP == "b") + 1e-6 * rng.normal(size=16)
    match = r"'groupb', 'noisy' .*nearly collinear.* condition number .*e\+06"
    for unit in (1.0, 1e6):
        sheet = pd.DataFrame({"group": GROUP, "noisy": unit * noisy}, index=counts.columns)
        with pytest.warns(CountnestWarning) as caught:
            cn.DESeqDataSet(counts, sheet, design="~ group + noisy")
        assert any(re.search(match, str(each.message)) for each in caught)
    matrix = pd.DataFrame({"one": 1.0, "b": GROUP == "b", "noisy": noisy}, index=counts.columns).astype(float)
    with pytest.warns(CountnestWarning, match="'b', 'noisy' of the design are nearly collinear"):
        cn.DESeqDataSet(counts, pd.DataFrame(index=counts.columns), design=matrix)


def test_other_units_and_origins_are_no_collinearity():
    counts = draw(YEARS.astype(float))
    group = np.tile(["a", "b"], 10)
    age = np.random.default_rng(1).uniform(20.0, 80.0, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=CountnestWarning, message=".*(integer|larger than 5).*")
        for design, columns in (
            ("~ group * year", {"year": YEARS}),
            ("~ 0 + group + group:year", {"year": 1e-6 * YEARS}),
            ("~ age + I(age**2)", {"age": age}),
            ("~ group + age", {"age": 1e9 * age}),
        ):
            sheet = pd.DataFrame({"group": group, **columns}, index=counts.columns)
            cn.DESeqDataSet(counts, sheet, design=design)


@pytest.mark.parametrize("spacing", [1.0, 3600.0])
def test_a_time_is_fitted_alike_from_any_origin(spacing):
    time = spacing * np.arange(16.0)
    counts = draw(time, (GROUP == "b") - 0.5)
    first, unix = (fitted(counts, "~ group + t", group=GROUP, t=start + time) for start in (0.0, 1.7e9))
    tables = [dds.results(name="t").table for dds in (first, unix)]
    assert found(tables[0]) == found(tables[1]) == TRUE
    np.testing.assert_allclose(tables[1]["lfcSE"], tables[0]["lfcSE"], rtol=1e-6)
    np.testing.assert_allclose(tables[1]["stat"], tables[0]["stat"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(unix.mu(), first.mu(), rtol=1e-5)
    asked = [dds.query("group[b - a]").test().table["stat"] for dds in (first, unix)]
    np.testing.assert_allclose(asked[1], asked[0], rtol=1e-5, atol=1e-5)
    means = [
        cn.predict(dds, pd.DataFrame({"t": [start + 5.0], "group": ["a"]}, index=["new"]))[["mean", "low", "high"]]
        for dds, start in ((first, 0.0), (unix, 1.7e9))
    ]
    np.testing.assert_allclose(*means, rtol=1e-5)
    assert "betaAtBound" not in unix.genes
