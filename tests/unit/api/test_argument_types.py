"""Truth values and numbers as arguments: text, numbers and None for the ones, text and truth values for the others."""

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.errors import ContrastError, CountnestError, OptionError
from unit.api.simulated import study


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study(n=6, levels=("a", "b"))
    return cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)


# What the public functions need besides the argument that is tried.
NEEDED = {
    "by_cell_type": {"adata": None, "cell_type": "x", "design": "~ 1"},
    "nbinom_lrt": {"reduced": "~ 1"},
    "collapse_replicates": {"groupby": ["x", "y", "z", "u", "v", "w"]},
    "likelihood_ratio": {"reduced": "~ 1"},
    "plot_changes": {"found": None, "gene": "g5"},
    "plot_counts": {"gene": "g5"},
    "plot_distances": {"transformed": None},
    "plot_dispersion": {"genes": None},
    "plot_heatmap": {"transformed": None},
    "plot_interaction": {"gene": "g5"},
    "plot_ma": {"results": None},
    "plot_pvalues": {"results": None},
    "plot_residuals": {"column": "group"},
    "plot_upset": {"found": None},
    "plot_volcano": {"results": None},
    "pseudobulk": {"adata": None, "by": "x"},
    "single_response": {"formula": "y ~ x", "data": None},
    "cpm": {"counts": np.ones((3, 2))},
    "rpkm": {"counts": np.ones((3, 2)), "gene_length": [1, 2, 3]},
    "contrasts_fit": {"fit": None, "contrasts": None},
    "e_bayes": {"fit": None},
    "treat": {"fit": None},
    "camera": {"query": None, "sets": None},
    "camera_pr": {"statistic": None, "sets": None},
    "fry": {"query": None, "sets": None},
}


def calls_with_truth_values(dds):
    """Yield a name, a function and the names of its truth values, for all that is public."""
    for name in cn.__all__:
        function = getattr(cn, name)
        if inspect.isfunction(function) and name != "plot_pca":
            first = (dds,) * (next(iter(inspect.signature(function).parameters), "") in ("dds", "self"))
            yield name, partial(function, *first, **NEEDED.get(name, {})), flags(function)
    for name, method in inspect.getmembers(cn.DESeqDataSet, inspect.isfunction):
        if not name.startswith("_"):
            yield name, partial(getattr(dds, name), **NEEDED.get(name, {})), flags(method)
    yield "test", dds.effect("group").test, flags(BoundQuery.test)
    yield "nested", cn.simulate.nested, flags(cn.simulate.nested)
    yield "plot_pca", partial(cn.plot_pca, dds.counts()), flags(cn.plot_pca)


def flags(function):
    return [p.name for p in inspect.signature(function).parameters.values() if "bool" in str(p.annotation)]


def test_truth_values_are_true_or_false_and_nothing_else(dds):
    tried = set()
    for name, function, names in calls_with_truth_values(dds):
        for flag in names:
            # a number, or nothing, or a truth value
            if flag in ("cooks_cutoff", "legacy") or (name, flag) in (("glmm", "reml"), ("plot_size_factors", "label")):
                continue
            for value in ("no", "False", 1, 0, 0.0, None, [True], np.array([False])):
                with pytest.raises(OptionError, match=f"{flag}=.* must be True or False"):
                    function(**{flag: value})
            tried.add((name, flag))
    assert len(tried) > 40
    assert {("results", "independent_filtering"), ("vst", "blind"), ("test", "joint"), ("DESeq", "quiet")} <= tried


def test_truth_values_of_numpy_are_truth_values(dds):
    plain = dds.results(independent_filtering=False, cooks_cutoff=False).table
    pd.testing.assert_frame_equal(dds.results(independent_filtering=np.False_, cooks_cutoff=np.False_).table, plain)
    pd.testing.assert_frame_equal(dds.results(cooks_cutoff=np.True_).table, dds.results().table)
    pd.testing.assert_frame_equal(dds.counts(normalized=np.True_), dds.counts(normalized=True))


def test_a_cutoff_is_a_number_or_a_truth_value(dds):
    for value in ("no", "off", [True], -1, 0):
        with pytest.raises(OptionError, match=r"cooks_cutoff=.* must be a number"):
            dds.results(cooks_cutoff=value)


# ---- numbers ----

HUGE = 10**400


@pytest.mark.parametrize("given", [["1"] * 6, [True] * 6, "1", [None, *["a"] * 5], np.array([True] * 6), [b"1"] * 6])
def test_text_and_truth_values_are_no_numbers(dds, given):
    counts, sheet = study(n=6, levels=("a", "b"))
    for ask in (
        lambda: cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=given),
        lambda: dds.results(theta=given),
        lambda: dds.results(filter=given),
        lambda: cn.predict(dds, dds.samples, size_factors=given),
        lambda: cn.make_example_dataset(m=6, size_factors=given),
    ):
        with pytest.raises(CountnestError, match=r"must be (numbers|fractions|one|a number|positive)"):
            ask()


def test_numbers_are_no_text_and_no_truth_values(dds):
    for name in ("alpha", "lfc_threshold"):
        for value in ("0.05", True, None, [0.05], np.True_):
            with pytest.raises(OptionError, match=f"{name}="):
                dds.results(**{name: value})
    for value in ("2", True, 2.0, 0):
        with pytest.raises(OptionError, match="n_threads="):
            dds.estimate_dispersions(n_threads=value)
    for value in ("7", True, None):
        with pytest.raises(OptionError, match="min_replicates_for_replace="):
            dds.deseq(min_replicates_for_replace=value, quiet=True)


# ---- names and words ----

NO_NAMES = (None, 3, 3.5, True, b"a", {1: 2}, [["a"]], np.array([1, 2]), pd.Series([1, 2]), object(), len)


def test_what_is_no_name_and_no_word_gets_an_error_of_the_package(dds):
    counts, sheet = study(n=6, levels=("a", "b"))
    question = dds.effect("group")
    asked = {
        "query": dds.query,
        "effect": dds.effect,
        "across": question.across,
        "name": lambda it: dds.results(name="" if it is None else it),
        "gene": lambda it: cn.plot_counts(dds, it),
        "genes": lambda it: cn.covariance(dds, it),
        "kind": lambda it: question.test(kind="" if it is None else it),  # None: the kind of the fit
        "test": lambda it: cn.DESeqDataSet(counts, sheet, design="~ group").deseq(test=it, quiet=True),
        "p_adjust": lambda it: dds.results(p_adjust="" if it is len else it),
        "alpha": lambda it: dds.results(alpha=it),
        "to_r": question.to_r,
        "within": lambda it: cn.renest(sheet, "group", within=it),
        "numeric_ok": lambda it: cn.DESeqDataSet(counts, sheet, design="~ group", numeric_ok=it),
    }
    for ask in asked.values():
        for value in NO_NAMES:
            with pytest.raises(CountnestError):
                ask(value)
    for value in NO_NAMES[1:]:  # None: no groups, no blocks, all samples
        for ask in (
            lambda it: dds.effect("group", by=it),
            lambda it: cn.plot_counts(dds, "g5", intgroup=it),
            lambda it: cn.DESeqDataSet(counts, sheet, design="~ group", blocks=it),
            lambda it: dds.replace_outliers(which_samples=it),
        ):
            with pytest.raises(CountnestError):
                ask(value)


# ---- contrasts ----


def test_text_is_no_contrast(dds):
    for contrast in ([0, "1"], (0, b"1"), np.array(["0", "1"], dtype=object)[::-1], pd.Series([0, "1"])):
        for ask in (lambda it: dds.results(contrast=it), dds.contrast):
            with pytest.raises(ContrastError):
                ask(contrast)
    with pytest.raises(ContrastError, match="it has text as an element"):
        dds.results(contrast=[0, "1"])
    with pytest.raises(ContrastError, match="only numbers"):
        dds.contrast(pd.DataFrame([[0, "1"]], columns=dds.results_names()))


def test_truth_values_are_no_contrast(dds):
    for contrast in ([False, True], np.array([False, True]), pd.Series([False, True]), (0, True), [np.False_, 1.0]):
        with pytest.raises(ContrastError, match="True or False"):
            dds.results(contrast=contrast)
        with pytest.raises(ContrastError, match="True or False"):
            dds.contrast(contrast)
    named = pd.Series([False, True], index=dds.results_names())
    for ask in (lambda: dds.results(contrast=named), lambda: dds.contrast(named)):
        with pytest.raises(ContrastError, match="is not a finite number"):
            ask()
    for matrix in (np.array([[False, True]]), pd.DataFrame([[False, True]], columns=dds.results_names())):
        with pytest.raises(ContrastError, match=r"True or False|only numbers"):
            dds.contrast(matrix)
    with pytest.raises(ContrastError, match="two numbers"):
        dds.results(contrast=(["Intercept"], ["group_b_vs_a"]), list_values=(True, -1))
    for ask in (
        lambda: dds.effect("group", levels={"b": True, "a": -1}),
        lambda: dds.effect("group") * True,
        lambda: dds.effect("group") / True,
    ):
        with pytest.raises(ContrastError, match="finite number"):
            ask()


def test_contrasts_that_overflow(dds):
    for size in (1e308, 1e200, -1e155, 1e-200, 5e-324, HUGE):
        for contrast in ([0, size], [size, -size], pd.Series([0, size], dtype=object)):
            with pytest.raises(ContrastError, match=r"is out of range|cannot be understood|not a finite"):
                dds.results(contrast=contrast)
            with pytest.raises(ContrastError, match=r"is out of range|cannot be understood|not a finite"):
                dds.contrast(contrast)
    for ask in (
        lambda: dds.results(contrast=(["group_b_vs_a"], ["Intercept"]), list_values=(1e308, -1e308)),
        lambda: dds.effect("group") * 1e308,
        lambda: dds.effect("group") * 1e90 * 1e90,
        lambda: dds.effect("group") / 1e-308,
        lambda: dds.effect("group", levels={"b": 1e308, "a": -1e308}),
        lambda: dds.contrast(pd.DataFrame([[0, 1e308]], columns=dds.results_names())),
        lambda: dds.contrast({"group_b_vs_a": 1e308}),
    ):
        with pytest.raises(ContrastError, match="is out of range"):
            ask()
    for value in (np.inf, np.nan, HUGE):
        for ask in (
            lambda value=value: dds.effect("group") * value,
            lambda value=value: dds.effect("group", levels={"b": value, "a": -1}),
        ):
            with pytest.raises(ContrastError, match="finite number"):
                ask()


def test_large_and_small_contrasts_that_can_be_computed_with(dds):
    plain = dds.results(contrast=[0, 1]).table
    for size in (1e99, 1e-99):
        table = dds.results(contrast=[0, size]).table
        np.testing.assert_allclose(table["log2FoldChange"] / size, plain["log2FoldChange"], rtol=1e-12)
        np.testing.assert_allclose(table["pvalue"], plain["pvalue"], rtol=1e-9)


def test_slopes_that_overflow():
    counts, sheet = study(n=6, levels=("a", "b"))
    sheet = sheet.assign(dose=[0.0, 1.5, 0.5, 2.5, 1.0, 2.0])
    dds = cn.DESeqDataSet(counts, sheet, design="~ dose").deseq(quiet=True)
    for ask in (
        lambda: dds.effect("dose", per=1e308),
        lambda: dds.effect("dose", from_=0, to=1e308),
        lambda: dds.effect("dose", from_=-1e308, to=1e308),
        lambda: dds.effect("dose", per=True),
        lambda: dds.effect("dose", from_=False, to=True),
        lambda: dds.cell(dose=1e308),
        lambda: dds.query("slope(dose)") * 1e308,
    ):
        with pytest.raises(ContrastError, match=r"is out of range|per=|not a value"):
            ask()
