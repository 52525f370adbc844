"""The steps of an analysis: their order, what they keep and what they forget, what they say."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.errors import CountnestWarning, MissingStepError, NormalizationError, OptionError, listing
from countnest.stats.glm import quasinewton
from unit.api.simulated import study

BASE = ["baseMean", "baseVar", "allZero"]


@pytest.fixture
def dds():
    return cn.DESeqDataSet(*study(), design="~ batch + group")


@pytest.fixture(scope="module")
def fitted():
    """A fitted data set; tests do not change it."""
    return cn.DESeqDataSet(*study(), design="~ batch + group").deseq(quiet=True)


def numbers(dds):
    return {"genes": dds.genes, "mu": dds.mu(), "cooks": dds.cooks(), "table": dds.results().table}


def assert_same(found, expected):
    for name, table in numbers(expected).items():
        pd.testing.assert_frame_equal(numbers(found)[name], table, check_exact=True)
    pd.testing.assert_series_equal(found.size_factors, expected.size_factors, check_exact=True)
    for name in ("fit_type", "var_log_disp_ests", "disp_prior_var", "note", "coefficients"):
        assert getattr(found.dispersion_trend, name) == getattr(expected.dispersion_trend, name)
    np.testing.assert_array_equal(*(dds.dispersion_trend(np.geomspace(0.1, 1e5, 9)) for dds in (found, expected)))


# ---- steps one by one ----


@pytest.mark.parametrize("size_factor_type", ["ratio", "poscounts"])
@pytest.mark.parametrize("fit_type", ["parametric", "local", "mean"])
def test_steps_one_by_one_are_the_whole(dds, fit_type, size_factor_type):
    whole = cn.DESeqDataSet(*study(), design="~ batch + group")
    whole.deseq(fit_type=fit_type, size_factor_type=size_factor_type, use_t=True, minmu=2.0, quiet=True)
    dds.estimate_size_factors(type=size_factor_type)
    dds.estimate_dispersions(fit_type=fit_type, minmu=2.0, quiet=True)
    dds.nbinom_wald_test(use_t=True, minmu=2.0, quiet=True)
    assert_same(dds, whole)
    assert dds.dispersion_trend.fit_type == fit_type


def test_steps_of_a_likelihood_ratio_test(dds):
    whole = cn.DESeqDataSet(*study(), design="~ batch + group")
    whole.deseq(test="LRT", reduced="~ batch", quiet=True)
    dds.estimate_size_factors().estimate_dispersions(quiet=True).nbinom_lrt("~ batch", quiet=True)
    assert_same(dds, whole)


def test_functions_are_methods(fitted):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group")
    assert cn.DESeq(dds, quiet=True) is dds
    assert_same(dds, fitted)
    ask = {"alpha": 0.05, "lfc_threshold": 0.5, "alt_hypothesis": "greater", "cooks_cutoff": 3.0, "p_adjust": "BY"}
    found, expected = (function("group", "c", "b") for function in (
        lambda *triple: cn.results(dds, triple, **ask), lambda *triple: fitted.results(triple, **ask)
    ))  # fmt: skip
    pd.testing.assert_frame_equal(found.table, expected.table)
    named, listed = cn.results(dds, name="group_c_vs_a"), cn.results(dds, [["group_c_vs_a"], []], list_values=(2, -1))
    np.testing.assert_array_equal(listed.table["log2FoldChange"], 2 * named.table["log2FoldChange"])


@each(
    ("option", "value"),
    [("use_t", True), ("minmu", 20.0), ("fit_type", "mean"), ("size_factor_type", "poscounts"),
     ("test", "LRT"), ("min_replicates_for_replace", 3)],
)  # fmt: skip
def test_every_option_arrives(option, value):
    counts, sheet = study(n=12, levels=("a", "b"))
    counts.iloc[20, 3] = 60_000
    counts.iloc[:, 0] *= np.where(np.arange(len(counts)) % 2, 1, 0)  # zeros, so that poscounts differs from ratio
    usual, other = (cn.DESeqDataSet(counts, sheet, design="~ group") for _ in range(2))
    reduced = {"reduced": "~ 1"} if option == "test" else {}
    usual.deseq(quiet=True)
    cn.DESeq(other, **{option: value}, **reduced, quiet=True)
    differ = ~np.isclose(usual.results().table["pvalue"], other.results().table["pvalue"], rtol=1e-6, equal_nan=True)
    assert differ.any()


# ---- state ----

READERS = {
    "genes": lambda dds: dds.genes,
    "normalized counts": lambda dds: dds.counts(normalized=True),
    "dispersions": lambda dds: dds.dispersions,
    "trend": lambda dds: dds.dispersion_trend,
    "coefficients": lambda dds: dds.coef(),
    "standard errors": lambda dds: dds.coef(se=True),
    "cooks": lambda dds: dds.cooks(),
    "mu": lambda dds: dds.mu(),
    "results": lambda dds: dds.results(),
    "function": lambda dds: cn.results(dds),
    "Wald": lambda dds: dds.nbinom_wald_test(quiet=True),
    "LRT": lambda dds: dds.nbinom_lrt("~ batch", quiet=True),
    "estimate dispersions": lambda dds: dds.estimate_dispersions(quiet=True),
}
# What is ready after each step.
AFTER = {
    "nothing": set(),
    "size factors": {"genes", "normalized counts", "estimate dispersions"},
    "dispersions": {
        "genes", "normalized counts", "estimate dispersions", "dispersions", "trend", "mu", "Wald", "LRT",
    },
}  # fmt: skip


def after(step, dds):
    if step != "nothing":
        dds.estimate_size_factors()
    if step == "dispersions":
        dds.estimate_dispersions(quiet=True)
    return dds


@pytest.mark.parametrize("step", list(AFTER))
@pytest.mark.parametrize("reader", list(READERS))
def test_what_is_not_there_yet_names_the_step(dds, step, reader):
    after(step, dds)
    if reader in AFTER[step]:
        assert READERS[reader](dds) is not None
        return
    with pytest.raises(MissingStepError, match="deseq\\(\\)"):
        READERS[reader](dds)


def test_the_table_of_genes_grows_with_the_steps(dds):
    dds.estimate_size_factors()
    assert list(dds.genes.columns) == BASE
    dds.estimate_dispersions(quiet=True)
    dispersion_columns = [
        "dispGeneEst", "dispGeneIter", "dispFit", "dispersion", "dispIter", "dispOutlier", "dispMAP",
    ]  # fmt: skip
    assert list(dds.genes.columns) == BASE + dispersion_columns
    dds.nbinom_wald_test(quiet=True)
    names = dds.results_names()
    wald = [f"{kind}{name}" for kind in ("", "SE_", "WaldStatistic_", "WaldPvalue_") for name in names]
    assert list(dds.genes.columns)[10:] == [*wald, "betaConv", "betaIter", "deviance", "maxCooks"]
    dds.nbinom_lrt("~ batch", quiet=True)
    assert set(dds.genes.columns) >= {"LRTStatistic", "LRTPvalue", "fullBetaConv", "reducedBetaConv"}
    assert not any(column.startswith("Wald") for column in dds.genes.columns)


def test_size_factors_are_none_before_they_are_known(dds):
    assert dds.size_factors is None
    assert dds.normalization_factors is None
    dds.estimate_size_factors()
    assert list(dds.size_factors.index) == list(dds.samples.index)


@pytest.mark.parametrize("kind", ["size_factors", "normalization_factors"])
def test_setting_factors_discards_what_was_estimated(dds, kind):
    dds.deseq(quiet=True)
    given = np.linspace(0.5, 2.0, 12)
    factors = given if kind == "size_factors" else np.tile(given, (150, 1))
    setattr(dds, kind, factors)
    np.testing.assert_array_equal(getattr(dds, kind), factors)
    other = "size_factors" if kind == "normalization_factors" else "normalization_factors"
    assert getattr(dds, other) is None
    for reader in ("dispersions", "coefficients", "results"):
        with pytest.raises(MissingStepError):
            READERS[reader](dds)
    np.testing.assert_allclose(dds.counts(normalized=True), dds.counts() / factors, rtol=1e-15)
    dds.deseq(quiet=True)  # they are kept ...
    np.testing.assert_array_equal(getattr(dds, kind), factors)
    dds.estimate_size_factors()  # ... until others are asked for
    assert np.abs(dds.size_factors - given).max() > 0.1
    assert dds.normalization_factors is None


def test_bad_factors_leave_the_old_ones(dds):
    dds.size_factors = np.full(12, 2.0)
    for bad in (np.zeros(12), np.ones(11), ["a"] * 12, {"s0": 1.0}):
        with pytest.raises(NormalizationError):
            dds.size_factors = bad
    with pytest.raises(NormalizationError):
        dds.normalization_factors = np.ones((3, 12))
    np.testing.assert_array_equal(dds.size_factors, 2.0)


def test_size_factors_are_matched_by_label(dds):
    given = pd.Series(np.linspace(0.5, 2.0, 12), index=[f"s{j}" for j in range(12)])
    shuffled = given.sample(frac=1.0, random_state=1)
    for values in (shuffled, shuffled.to_dict()):
        dds.size_factors = values
        np.testing.assert_array_equal(dds.size_factors, given)
    matrix = pd.DataFrame(np.random.default_rng(1).uniform(0.5, 2.0, (150, 12)), dds.gene_names, given.index)
    dds.normalization_factors = matrix.sample(frac=1.0, random_state=2)[list(shuffled.index)]
    pd.testing.assert_frame_equal(dds.normalization_factors, matrix, check_names=False)


def test_new_dispersions_discard_the_model(dds):
    dds.deseq(quiet=True)
    dds.estimate_dispersions(fit_type="mean", quiet=True)
    assert dds.dispersion_trend.fit_type == "mean"
    with pytest.raises(MissingStepError, match="couldn't find results"):
        dds.results()


def test_new_size_factors_discard_the_dispersions(dds):
    dds.deseq(quiet=True)
    dds.estimate_size_factors(type="poscounts")
    with pytest.raises(MissingStepError, match="no dispersions yet"):
        dds.nbinom_wald_test(quiet=True)


def test_another_test_replaces_the_first(dds):
    dds.deseq(quiet=True)
    wald = dds.results()
    dds.nbinom_lrt("~ batch", quiet=True)
    assert dds.results().info.test == "LRT"
    dds.nbinom_wald_test(quiet=True)
    pd.testing.assert_frame_equal(dds.results().table, wald.table)


STEPS = ["normalize", "with_dispersions", "with_fit", "replace_outliers"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("state", ["new", "fitted"])
def test_a_failure_leaves_the_data_set_as_it_was(dds, monkeypatch, step, error, state):
    if state == "fitted":
        dds.deseq(quiet=True)
        before = numbers(dds)

    def fail(*_, **__):
        raise error(step)

    with monkeypatch.context() as patch:
        patch.setattr(f"countnest.api.{'dataset' if step == 'normalize' else 'deseq2'}.{step}", fail)
        with pytest.raises(error, match=step):
            dds.deseq(fit_type="mean", use_t=True, quiet=True)
    if state == "new":
        assert dds.size_factors is None
        with pytest.raises(MissingStepError):
            _ = dds.genes
        return
    for name, table in before.items():
        pd.testing.assert_frame_equal(numbers(dds)[name], table, check_exact=True)
    assert dds.dispersion_trend.fit_type == "parametric"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit_type": "parametrik"}, "fit_type='parametrik' is not known.*Did you mean 'parametric'"),
        ({"size_factor_type": "median"}, "size_factor_type='median' is not known"),
        ({"test": "wald"}, "test='wald' is not known.*Did you mean 'Wald'"),
        ({"min_replicates_for_replace": 2}, "min_replicates_for_replace=2 must be a number, 3 or more"),
        ({"min_replicates_for_replace": np.nan}, "min_replicates_for_replace=nan must be"),
        ({"minmu": 0}, "minmu=0 must be a number, greater than 0"),
        ({"minmu": np.inf}, "minmu=inf must be"),
        ({"minmu": "0.5"}, "minmu='0.5' must be"),
        ({"n_threads": 0}, "n_threads=0 must be a whole number"),
    ],
)
def test_options_are_checked_before_anything_is_done(dds, options, message, capsys):
    with pytest.raises(OptionError, match=message):
        dds.deseq(**options)
    assert dds.size_factors is None
    assert capsys.readouterr().err == ""


# ---- what it says ----


def test_quiet_prints_nothing(capsys):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group", quiet=True)
    dds.deseq(quiet=True, min_replicates_for_replace=4)
    dds.estimate_dispersions(quiet=True).nbinom_wald_test(quiet=True).nbinom_lrt("~ batch", quiet=True)
    dds.results()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_steps_are_announced_in_their_order(dds, capsys):
    dds.deseq()
    captured = capsys.readouterr()
    assert captured.out == ""
    wanted = [
        "estimating size factors",
        "estimating dispersions",
        "mean-dispersion relationship",
        "fitting model and testing",
    ]
    places = [captured.err.find(text) for text in wanted]
    assert -1 not in places
    assert places == sorted(places)


def test_given_factors_and_substituted_trends_are_reported(capsys):
    counts, sheet = study(n_genes=400)
    rng = np.random.default_rng(3)
    mean = np.exp(np.linspace(1.0, 8.0, 400))
    alpha = np.exp(-0.15 * (np.log(mean) - 5.5) ** 2)[:, None]  # a hill
    hill = rng.negative_binomial(1.0 / alpha, 1.0 / (1.0 + alpha * mean[:, None]), (400, 12))
    counts[:] = hill
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", size_factors=np.ones(12)).deseq()
    told = capsys.readouterr().err
    assert "using pre-existing size factors" in told
    assert "-- note: fit_type='parametric', but the dispersion trend was not well captured" in told
    assert "trend of the transformation" not in told
    assert dds.dispersion_trend.fit_type == "local"
    cn.vst(dds, nsub=300)
    assert "without the design; that of the analysis is another" in capsys.readouterr().err


def test_replaced_outliers_are_reported(capsys):
    counts, sheet = study(levels=("a", "b"))
    counts.iloc[20, 3] = 60_000
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(min_replicates_for_replace=4)
    n_replaced = int(dds.genes["replace"].sum())
    assert f"-- replacing outliers and refitting for {n_replaced} gene" in capsys.readouterr().err
    assert dds.counts().iloc[20, 3] == 60_000
    assert dds.counts(replaced=True).iloc[20, 3] < 30_000


def test_counts_that_were_not_replaced_are_reported(fitted):
    with pytest.warns(CountnestWarning, match="no outliers were replaced"):
        found = fitted.counts(replaced=True)
    pd.testing.assert_frame_equal(found, fitted.counts())


def test_genes_that_do_not_converge_are_counted_in_one_warning(monkeypatch):
    counts, sheet = study()
    counts.iloc[[7, 9]] = [3000, *[0] * 11]  # one group without counts: IRLS goes on and on
    search = quasinewton.search_rows

    def give_up(*arguments):
        found, success = search(*arguments)
        return found, np.zeros_like(success)

    monkeypatch.setattr("countnest.stats.glm.fit.search_rows", give_up)
    dds = cn.DESeqDataSet(counts, sheet, design="~ batch + group")
    with pytest.warns(CountnestWarning, match="did not converge in beta") as caught:
        dds.deseq(quiet=True)
    lost = dds.genes.index[dds.genes["betaConv"].eq(False).fillna(False)]
    assert {"g7", "g9"} <= set(lost)
    assert [str(warning.message) for warning in caught] == [
        f"{len(lost)} genes did not converge in beta: {listing(lost)}; labelled in genes['betaConv']."
    ]
    assert (dds.genes.loc[lost, "betaIter"] == 100).all()


# ---- what it leaves alone ----


def test_the_caller_keeps_the_tables(dds):
    counts, sheet = study()
    factors = pd.Series(np.linspace(0.5, 2.0, 12), index=sheet.index)
    kept = [frame.copy(deep=True) for frame in (counts, sheet, factors)]
    found = cn.DESeqDataSet(counts, sheet, design="~ batch + group", size_factors=factors)
    found.deseq(quiet=True, min_replicates_for_replace=4).results()
    pd.testing.assert_frame_equal(counts, kept[0])
    pd.testing.assert_frame_equal(sheet, kept[1])
    pd.testing.assert_series_equal(factors, kept[2])
    counts.iloc[:], factors.iloc[:] = 0, 7.0
    sheet["group"] = "gone"
    pd.testing.assert_frame_equal(found.counts(), dds.counts())
    pd.testing.assert_series_equal(found.size_factors.copy(), kept[2], check_names=False)


@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_the_caller_keeps_the_arrays(kind):
    counts, sheet = study()
    values = np.ascontiguousarray(counts, dtype=kind)
    factors = np.random.default_rng(1).uniform(0.5, 2.0, values.shape)
    before, before_factors = values.copy(), factors.copy()
    dds = cn.DESeqDataSet(values, sheet, design="~ group", normalization_factors=factors)
    dds.deseq(quiet=True, min_replicates_for_replace=4)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(factors, before_factors)
    values[:], factors[:] = 0, 1.0
    np.testing.assert_array_equal(dds.counts(), before)
    np.testing.assert_array_equal(dds.normalization_factors, before_factors)


COPIES = {
    "counts": lambda dds: dds.counts(),
    "normalized": lambda dds: dds.counts(normalized=True),
    "coef": lambda dds: dds.coef(),
    "se": lambda dds: dds.coef(se=True),
    "cooks": lambda dds: dds.cooks(),
    "mu": lambda dds: dds.mu(),
    "size factors": lambda dds: dds.size_factors.copy(),
    "dispersions": lambda dds: dds.dispersions.copy(),
    "mean": lambda dds: dds.genes["baseMean"],
    "table": lambda dds: dds.results().table["log2FoldChange"],
}


@pytest.mark.parametrize("which", list(COPIES))
def test_what_is_given_out_is_a_copy(fitted, which):
    expected = COPIES[which](fitted).copy()
    given = COPIES[which](fitted)
    given.iloc[:] = -1.0
    assert (COPIES[which](fitted).fillna(0) == expected.fillna(0)).all(axis=None)


def test_representation(dds):
    assert repr(dds).splitlines() == [
        "DESeqDataSet: 150 genes x 12 samples, design ~ batch + group, not fitted",
        "coefficients: Intercept, batch_y_vs_x, group_b_vs_a, group_c_vs_a",
        "reference levels: batch x, group a",
    ]
    assert "group, Wald" in repr(dds.deseq(quiet=True))
    assert "group, LRT" in repr(dds.nbinom_lrt("~ batch", quiet=True))
