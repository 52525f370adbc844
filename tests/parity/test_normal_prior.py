"""Normal priors against DESeq2: `beta_prior=True`, and shrunken fold changes.

data/beta_prior.csv.gz is made by beta_prior.R. Rounding decides the dispersion of a few genes (`quantities` tells
more), and with it their fold changes; so every gene whose dispersion agrees within 1e-9 is held to 1e-8, the others to
1e-5.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference import movements

import countnest as cn
from cases import each
from countnest.design.prior_design import expanded_design, standard_design
from countnest.methods.answer import unchanged_genes
from countnest.methods.deseq2.prior_fit import shrunken_fit
from countnest.queries.contrasts import contrast_query

FILE = Path(__file__).parent / "data" / "beta_prior.csv.gz"
CB = ("condition", "C", "B")
LISTS = (["conditionC"], ["conditionA", "conditionB"])
HALF = {"lfc_threshold": 0.5, "alt_hypothesis": "greaterAbs2014"}
AGE = "-0.9 0.18 1.59 -1.13 -0.08 0.13 0.71 -0.24 1.98 -0.14 0.42 0.98 -0.39 -1.04 1.78 -2.31 0.88 0.04 1.01 0.43 2.09"
TABLES = {
    "expanded": ("expanded", {}),
    "expanded_CB": ("expanded", {"contrast": CB}),
    "expanded_CB_half": ("expanded", {"contrast": CB, **HALF}),
    "expanded_list": ("expanded", {"contrast": LISTS, "list_values": (1.0, -0.5)}),
    "standard": ("standard", {}),
    "standard_CB": ("standard", {"contrast": CB}),
    "standard_CB_half": ("standard", {"contrast": CB, **HALF}),
    "number": ("number", {"add_mle": True}),
    "number_name": ("number", {"name": "age"}),
}
SHRUNKEN = {
    "shrunken_coef": (standard_design, {"name": "condition_C_vs_A"}, 0.0),
    "shrunken_CB": (expanded_design, {"contrast": CB}, 0.0),
    "shrunken_CB_half": (expanded_design, {"contrast": CB}, 0.5),
    "shrunken_list": (expanded_design, {"contrast": LISTS}, 0.0),
}


@cache
def truth():
    return pd.read_csv(FILE, index_col=0)


def table(name):
    """Return one table of the file."""
    columns = [column for column in truth() if column.rpartition(".")[0] == name]
    return truth()[columns].rename(columns=lambda column: column.rpartition(".")[2])


@cache
def fitted(model):
    counts = truth()[[column for column in truth() if column.startswith("counts.")]]
    sheet = pd.DataFrame(
        {"condition": np.repeat(["A", "B", "C"], 7), "age": [float(age) for age in AGE.split()]}, index=counts.columns
    )
    dds = cn.DESeqDataSet(counts, sheet, design="~ age + condition" if model == "number" else "~ condition")
    kind = "standard" if model == "standard" else "expanded"
    prior = {} if model == "without" else {"beta_prior": True, "model_matrix_type": kind}
    return dds.deseq(quiet=True, **prior)


def assert_same(found, expected):
    """Compare column by column: missing values, then sizes; p-values by their logarithms."""
    for column in expected:
        here, there = found[column].to_numpy(dtype=float), expected[column].to_numpy(dtype=float)
        np.testing.assert_array_equal(np.isnan(here), np.isnan(there), err_msg=column)
        assert not np.isnan(there).all(), f"{column}: nothing is compared"
        if column in ("pvalue", "padj"):
            here, there = np.log(here), np.log(there)
        np.testing.assert_allclose(here, there, rtol=1e-8, atol=1e-8, err_msg=column)


def assert_close(found, expected):
    """Compare where rounding has decided something."""
    np.testing.assert_allclose(found[expected.columns], expected, rtol=1e-5, atol=1e-6)


def differ(here, there):
    """Return where dispersions are not the same."""
    return ((here / there - 1.0).abs() > 1e-9).to_numpy()


@each("name", TABLES)
def test_results_with_priors(name):
    model, arguments = TABLES[name]
    expected = table(name)
    assert len(expected.columns) in (5, 6)
    dds = fitted(model)
    found = dds.results(**arguments).table
    shown = [column for column in found if column in expected]
    assert shown == list(expected)
    if "lfcMLE" in expected:  # without prior the estimate of a group without counts is the end of a search
        mle = expected.pop("lfcMLE")
        finite = mle.abs() < 5
        assert finite.sum() > 200
        np.testing.assert_allclose(found["lfcMLE"][finite], mle[finite], atol=1e-8)
    by_rounding = np.zeros(len(found), dtype=bool)
    if model == "number":
        by_rounding = differ(dds.dispersions, truth()["dispersion"])
        assert by_rounding.sum() <= 1
    assert_same(found[~by_rounding], expected[~by_rounding])
    assert_close(found[by_rounding], expected[by_rounding])


def test_outliers_are_replaced_and_their_genes_fitted_again():
    assert fitted("expanded").genes["replace"].sum() > 5
    assert fitted("number").counts(replaced=False).equals(fitted("expanded").counts())


def shrunken(dds, make_design, asked, threshold):
    base = dds._last_fit()
    fit = shrunken_fit(base, expanded=make_design is expanded_design)
    query = contrast_query(fit.prior.design, **asked)
    found = fit.row_tests(
        query.matrix, "wald", threshold=threshold, alternative="greaterAbs2014",
        unchanged=unchanged_genes(query, base.data, base.engine),
    )  # fmt: skip
    columns = {"log2FoldChange": found.lfc, "lfcSE": found.se, "stat": found.statistic, "pvalue": found.p_value}
    columns = {name: values[:, 0] for name, values in columns.items()}
    return pd.DataFrame(columns, index=dds.gene_names)


@pytest.mark.parametrize("name", SHRUNKEN)
def test_shrunken_fold_changes(name):
    dds = fitted("without")
    expected = table(name).drop(columns="padj", errors="ignore")
    assert len(expected.columns) == (4 if name.endswith("half") else 2)
    found = shrunken(dds, *SHRUNKEN[name])
    replacement = dds._fitted().replacement
    assert replacement.emptied.sum() == 1
    assert (expected["log2FoldChange"][replacement.emptied] == 0.0).all()  # R writes a result of no change there
    if "pvalue" in expected:  # the original counts are shrunken, outliers too, and their p-values withheld
        withheld = expected["pvalue"].isna() & expected["log2FoldChange"].notna()
        assert (withheld == replacement.refitted).all()
        found.loc[withheld, "pvalue"] = np.nan
    assert_same(found[~replacement.emptied], expected[~replacement.emptied])


@pytest.mark.parametrize("name", ["pasilla", "airway"])
def test_studies(run_of, name):
    run = run_of(name)
    dds, reference = run.wald, run.truth
    expected = reference.tables["shrink_normal"][["log2FoldChange", "lfcSE"]]
    found = shrunken(dds, standard_design, {"name": dds.results_names()[-1]}, 0.0)
    by_rounding = differ(dds.dispersions, reference.genes["dispersion"])
    assert set(dds.gene_names[by_rounding]) <= set(movements(name))
    assert_same(found[~by_rounding], expected[~by_rounding])
    assert_close(found[by_rounding], expected[by_rounding])
