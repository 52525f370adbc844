"""Arguments that the functions refuse, each with a message that says what to give instead."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.errors import (
    ContrastError,
    CountsError,
    DesignError,
    FileError,
    NormalizationError,
    OptionError,
    SamplesError,
)
from unit.api.simulated import study


def data_set(design="~ group", **options):
    counts, sheet = study(n=6)
    return cn.DESeqDataSet(counts, sheet, design=design, **options)


@pytest.fixture(scope="module")
def dds():
    return data_set().deseq(quiet=True)


@pytest.fixture(scope="module")
def res(dds):
    return dds.results()


# ---- the first argument ----

FUNCTIONS = {
    "DESeq": cn.DESeq,
    "results": cn.results,
    "estimate_size_factors": cn.estimate_size_factors,
    "estimate_dispersions": cn.estimate_dispersions,
    "nbinom_wald_test": cn.nbinom_wald_test,
    "nbinom_lrt": lambda it: cn.nbinom_lrt(it, "~ 1"),
    "replace_outliers": cn.replace_outliers,
    "remove_results": cn.remove_results,
    "lfc_shrink": cn.lfc_shrink,
    "vst": cn.vst,
    "variance_stabilizing_transformation": cn.variance_stabilizing_transformation,
    "rlog": cn.rlog,
    "norm_transform": cn.norm_transform,
    "fpm": cn.fpm,
    "fpkm": cn.fpkm,
    "covariance": lambda it: cn.covariance(it, "g5"),
    "residuals": cn.residuals,
    "predict": lambda it: cn.predict(it, pd.DataFrame({"group": ["a"]})),
    "find_outliers": cn.find_outliers,
    "collapse_replicates": lambda it: cn.collapse_replicates(it, "group"),
    "save": lambda it: cn.save(it, "nowhere"),
    "plot_counts": lambda it: cn.plot_counts(it, "g5"),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_functions_need_a_data_set(name, res):
    for it, kind in ((study()[0], "a DataFrame"), (res, "a Results"), (None, "None"), (3, "an int")):
        with pytest.raises(OptionError, match=f"^{name} needs a DESeqDataSet; got {kind}"):
            FUNCTIONS[name](it)


def test_what_to_give_instead(res):
    with pytest.raises(OptionError, match=r"Make one with cn.DESeqDataSet\(counts, samples, design=...\)"):
        cn.vst(study()[0])
    with pytest.raises(OptionError, match="Give the data set that it was made of"):
        cn.lfc_shrink(res)
    with pytest.raises(
        OptionError, match=r"plot_dispersion needs the table of the genes, dds.genes; got a DESeqDataSet"
    ):
        cn.plot_dispersion(data_set())
    with pytest.raises(OptionError, match="plot_interaction needs a fitted DESeqDataSet; got a Results"):
        cn.plot_interaction(res, "g5")


def test_functions_are_the_methods():
    assert cn.DESeq.__doc__ == cn.DESeqDataSet.deseq.__doc__
    made = cn.DESeq(data_set(), quiet=True)
    assert isinstance(made, cn.DESeqDataSet)
    pd.testing.assert_frame_equal(cn.results(made).table, made.results().table)


# ---- options that exclude each other, or have no effect ----


def test_two_kinds_of_factors():
    counts, _ = study(n=6)
    with pytest.raises(NormalizationError, match="both given, but only one of them can be used"):
        data_set(size_factors=np.ones(6), normalization_factors=np.ones(counts.shape))


def test_likelihood_ratio_tests_have_no_t():
    with pytest.raises(OptionError, match="use_t=True is for Wald tests"):
        data_set().deseq(test="LRT", reduced="~ 1", use_t=True, quiet=True)


# ---- values ----


def fails(*_):
    raise ZeroDivisionError("none")


OF_FITTED = [
    (lambda dds: cn.covariance(dds, 3), OptionError, "gene=3 must be the label of a gene"),
    (lambda dds: cn.predict(dds, dds.samples, genes=3), OptionError, "genes=3 must be the label of a gene"),
    (lambda dds: dds.replace_outliers(trim="a"), OptionError, "trim='a' must be a number, 0 or more"),
    (lambda dds: dds.replace_outliers(trim=0.5), OptionError, "0 or more and below 0.5"),
    (lambda dds: cn.residuals(dds, "quantile", seed="a"), OptionError, "seed='a' must be a whole number"),
    (lambda dds: cn.residuals(dds, "quantile", seed=-1), OptionError, "seed=-1 must be a whole number"),
    (lambda dds: cn.predict(dds, dds.samples, size_factors="a"), OptionError, "size_factors must be numbers"),
    (lambda dds: cn.predict(dds, dds.samples.iloc[[0, 0, 1]]), SamplesError, "row labels more than once, 's0'"),
    (lambda dds: dds.results(name=1), ContrastError, "1 is not the name of a coefficient"),
    (
        lambda dds: dds.results(contrast=(["group_b_vs_a"], []), list_values="ab"),
        ContrastError,
        "list_values='ab' must be two numbers",
    ),
    (lambda dds: dds.results(lfc_threshold=-1), OptionError, "lfc_threshold=-1 must be a number, 0 or more"),
    (lambda dds: dds.results(lfc_threshold=np.inf), OptionError, "lfc_threshold=inf must be a number, 0 or more"),
    (lambda dds: dds.results(p_adjust=fails), OptionError, "p_adjust: the function 'fails' failed"),
    (lambda dds: dds.results(filter_fun=lambda p: p), OptionError, "filter_fun: the function '<lambda>' failed"),
    (lambda dds: dds.results().top("a"), OptionError, "n='a' genes cannot be shown"),
    (lambda dds: dds.results().top(2.5), OptionError, "n=2.5 genes cannot be shown"),
    (lambda dds: dds.results().significant("a"), OptionError, "alpha='a' is not a level"),
    (lambda dds: dds.results().summary(alpha="a"), OptionError, "alpha='a' is not a level"),
    (lambda dds: dds.results().to_csv(None), FileError, "A path is needed, .*; got None"),
    (lambda dds: cn.save(dds, None), FileError, "A path is needed, .*; got None"),
    (lambda dds: cn.norm_transform(dds, f=lambda x: x.astype(str)), OptionError, "f must return an array of numbers"),
    (lambda dds: cn.norm_transform(dds, f=fails), OptionError, "f: the function 'fails' failed: ZeroDivisionError"),
]


@pytest.mark.parametrize(("ask", "error", "message"), OF_FITTED)
def test_values_of_a_fitted_data_set(dds, ask, error, message):
    with pytest.raises(error, match=message):
        ask(dds)


OTHERS = [
    (
        lambda: data_set().estimate_size_factors(locfunc=lambda _: "a"),
        NormalizationError,
        "locfunc.* must return a number",
    ),
    (lambda: data_set().estimate_size_factors(locfunc=fails), OptionError, "locfunc: the function 'fails' failed"),
    (lambda: data_set().deseq(minmu=np.inf, quiet=True), OptionError, "minmu=inf must be a finite number"),
    (lambda: cn.make_example_dataset(size_factors="a"), OptionError, "size_factors must be numbers"),
    (lambda: cn.make_example_dataset(disp_mean_rel=lambda _: "a"), OptionError, "function must return numbers"),
    (lambda: cn.load(None), FileError, "A path is needed, .*; got None"),
    (lambda: cn.load(3), FileError, "A path is needed, .*; got 3, of type int"),
    (lambda: cn.read_counts(None), FileError, "A path is needed"),
]


@each(("ask", "error", "message"), OTHERS)
def test_values_of_other_functions(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


# ---- data ----


def test_one_sample():
    counts, sheet = study(n=6)
    dds = cn.DESeqDataSet(counts.iloc[:, :1], sheet.iloc[:1], design="~ 1").estimate_size_factors()
    assert list(dds.size_factors) == [1.0]
    assert dds.genes["baseVar"].isna().all()
    with pytest.raises(DesignError, match=r"\(1 sample, 1 coefficient\)"):
        dds.estimate_dispersions(quiet=True)


@pytest.mark.parametrize("labels", [["s0", "s0", "s2", "s3", "s4", "s5"], ["a", "a", "b", "c", "d", "e"], ["a"] * 6])
def test_repeated_samples_are_named_as_the_cause(labels):
    counts, sheet = study(n=6)
    for table in (counts.set_axis(labels, axis=1), counts.set_axis(labels, axis=1).T):
        with pytest.raises(CountsError, match=f"1 sample label more than once: '{labels[0]}'"):
            cn.DESeqDataSet(table, sheet, design="~ group")


def test_collapsing_of_different_samples():
    with pytest.raises(SamplesError, match=r"replicates of 2 samples \('x', 'y'\) differ in 'group'"):
        cn.collapse_replicates(data_set(), ["x", "y", "x", "y", "x", "y"])


# ---- what it says of itself ----


def test_the_text_tells_what_is_peculiar():
    counts, sheet = study(n=6)
    plain = data_set().deseq(quiet=True)
    assert "\nwith: " not in repr(plain)
    dds = data_set(weights=np.ones(counts.shape), normalization_factors=np.ones(counts.shape))
    assert repr(dds).endswith("\nwith: observation weights, normalization factors")
    dds.dispersions = np.full(len(counts), 0.1)
    assert repr(dds).endswith("normalization factors, given dispersions")
    counts, sheet = study(n=16, levels=("a", "b"))
    counts.iloc[30, 2] = 10**6
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, beta_prior=True)
    n = int(dds.genes["replace"].sum())
    assert n >= 1
    assert repr(dds).endswith(f"\nwith: beta prior, outliers replaced in {n} gene{'s' * (n > 1)}")
