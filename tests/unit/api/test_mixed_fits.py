"""Mixed models of a data set: what is kept, how queries are answered, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn
from countnest.errors import ContrastError, DesignError, OptionError
from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.tests import contrast_tests

FORMULA = "~ treat1 * treat2 + (1 | family)"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=150, families=4, rng=4)


def made(study, formula=FORMULA):
    return cn.DESeqDataSet(
        study.counts, study.samples, design=formula, reference={"treat1": "A", "treat2": "None"}, quiet=True
    )


@pytest.fixture(scope="module")
def fitted(study):
    dds = cn.lmm(made(study), filter=False, quiet=True)
    return cn.glmm(dds, quiet=True)


def test_linear_tests_are_those_of_the_arrays(study, fitted):
    query = fitted.effect("treat1", levels="reference")
    found = query.test(fit="lmm")
    counts, factors = study.counts.to_numpy(), fitted.size_factors.to_numpy()
    y = np.log2(counts / factors + 0.5)
    model = mixed_model(fitted.design)
    expected = contrast_tests(y, model, None, fit_linear(y, model), query.matrix)
    for k, each in enumerate(found):
        table = found[each].table if isinstance(each, str) else each.table
        np.testing.assert_allclose(table["log2FoldChange"], expected.estimates[:, k], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(table["lfcSE"], expected.se[:, k], rtol=1e-8)
        np.testing.assert_allclose(table["df"], expected.df[:, k], rtol=1e-6)
        np.testing.assert_allclose(table["pvalue"], expected.p_value[:, k], rtol=1e-6)


@pytest.mark.parametrize("fit", ["lmm", "glmm"])
def test_questions_within_and_between_families_are_answered(fitted, fit):
    between = fitted.effect("treat1", levels="reference").test(fit=fit)
    within = fitted.interaction(treat1="reference", treat2="reference").joint().test(fit=fit)
    first = between[0]
    assert "mixed model" in first.info.method
    assert first.table["pvalue"].between(0, 1).all()
    assert set(within.table["df"].round(6)) <= {12.0} or fit == "lmm"
    assert (first.table["df"] > 0).all()
    assert first.table["code"].isin([0, 1, 6]).all()


@pytest.mark.parametrize("fit", ["lmm", "glmm"])
def test_likelihood_ratios_of_one_row_are_the_joint_test_of_it(fitted, fit):
    query = fitted.query("treat2[E - None] : treat1[B - A]")
    row = query.test("lrt", fit=fit).table
    whole = fitted.interaction(treat1="reference", treat2="reference").joint().test("lrt", fit=fit).table
    assert (row["stat"] >= 0).all()
    assert (whole["stat"] >= row["stat"] - 1e-6).all()  # it tests this row among others


def test_thresholds_leave_fewer_genes(fitted):
    query = fitted.query("treat2[E - None]")
    for fit in ("lmm", "glmm"):
        plain, beyond = (query.test(fit=fit, lfc_threshold=each).table["pvalue"] for each in (0.0, 0.5))
        assert (beyond >= plain - 1e-12).all()


def test_moderated_tests_have_more_degrees_of_freedom(fitted):
    query = fitted.effect("treat1", levels=("B", "A"))
    plain, strata, dream = (query.test(kind, fit="lmm").table for kind in ("t", "strata", "dream"))
    assert (strata["df"] > plain["df"].min()).all()
    assert (dream["df"] > 12).all()
    np.testing.assert_allclose(strata["log2FoldChange"], plain["log2FoldChange"], rtol=1e-8)


def test_moderated_tests_answer_several_rows_jointly(fitted):
    query = fitted.interaction(treat1="reference", treat2="reference")
    plain = query.joint().test(fit="lmm").table
    for kind, name in (("strata", "moderated F by strata"), ("dream", "moderated F (dream)")):
        found = query.joint().test(kind, fit="lmm")
        assert found.info.test == name
        assert (found.table["df"] > plain["df"].min()).all()
        np.testing.assert_allclose(found.table.filter(like="log2FoldChange."), plain.filter(like="log2FoldChange."))
        stages = query.test(kind, fit="lmm", stagewise=True)[0].table
        np.testing.assert_array_equal(stages["padj_screen"], found.table["padj"])


def test_averages_over_the_ratio_of_variances_answer_queries(study):
    fewer = made(study)[:, np.delete(np.arange(len(study.samples)), [0, 7, 11])]
    fitted = cn.lmm(fewer, values="vst", filter=False, quiet=True)
    query = fitted.effect("treat1", levels="reference")
    plain, found = query.test(fit="lmm")[0].table, query.test("averaged", fit="lmm", confint=0.9)[0]
    table = found.table
    assert found.info.test == "averaged moderated t"
    assert np.corrcoef(plain["log2FoldChange"], table["log2FoldChange"])[0, 1] > 0.99
    np.testing.assert_allclose(2 * scipy.stats.norm.sf(table["stat"].abs()), table["pvalue"], rtol=1e-9)
    assert (np.sign(table["stat"]) == np.sign(table["log2FoldChange"])).all()
    inside = (table["ciLower"] < 0) & (table["ciUpper"] > 0)
    assert (inside == (table["pvalue"] > 0.1)).mean() > 0.98
    assert query.joint().test("averaged", fit="lmm").info.test == "averaged moderated F"
    sides = [
        query[0].test("averaged", fit="lmm", lfc_threshold=0.5, alt_hypothesis=side).table
        for side in ("greater", "less", "lessAbs", "greaterAbs")
    ]
    assert ((sides[0]["pvalue"] + sides[1]["pvalue"]) > 1 - 1e-9).all()
    assert (sides[3]["pvalue"] >= table["pvalue"] - 1e-12).all()
    assert (sides[0]["stat"] >= 0).all()
    assert (sides[1]["stat"] <= 0).all()
    assert sides[2]["pvalue"].between(0, 1).all()


def test_averages_need_values_without_weights_and_one_random_intercept(study):
    dds = cn.lmm(made(study), values="voom", quiet=True)
    with pytest.raises(OptionError, match="without weights"):
        dds.effect("treat1", levels=("B", "A")).test("averaged", fit="lmm")
    counts, samples = study.counts, study.samples.assign(batch=np.arange(len(study.samples)) % 5)
    crossed = cn.DESeqDataSet(counts, samples, design="~ treat1 + (1 | family) + (1 | batch)", quiet=True)
    crossed = cn.lmm(crossed[:40], filter=False, quiet=True)
    with pytest.raises(DesignError, match="need one random term with one column: test by 'dream'"):
        crossed.effect("treat1", levels=("B", "A")).test("averaged", fit="lmm")


def test_rows_of_several_strata_are_refused(fitted):
    rows = fitted.effect("treat1", levels=("B", "A"), by="treat2")
    with pytest.raises(ContrastError, match=r"between the levels of \(1 \| family\)"):
        rows.joint().test("strata", fit="lmm")


def test_fits_are_the_same_from_a_file_and_on_any_number_of_threads(fitted, study, tmp_path):
    path = tmp_path / "mixed.countnest"
    cn.save(fitted, path)
    again = cn.load(path)
    alone = cn.lmm(made(study), filter=False, n_threads=1, quiet=True)
    alone = cn.glmm(alone, n_threads=1, quiet=True)
    for fit in ("lmm", "glmm"):
        expected = fitted.effect("treat1", levels=("B", "A")).test(fit=fit).table
        for other in (again, alone):
            pd.testing.assert_frame_equal(other.effect("treat1", levels=("B", "A")).test(fit=fit).table, expected)


def test_values_of_the_user_with_weights_one_are_fitted_as_such(fitted, study):
    y = np.log2(study.counts / fitted.size_factors + 0.5)
    dds = cn.lmm(made(study), values=y, weights=np.ones(y.shape), filter=False, quiet=True)
    query = dds.effect("treat1", levels=("B", "A"))
    expected = fitted.effect("treat1", levels=("B", "A")).test(fit="lmm").table
    np.testing.assert_allclose(query.test(fit="lmm").table["pvalue"], expected["pvalue"], rtol=1e-6)


@pytest.mark.parametrize("values", ["vst", "voom"])
def test_other_log_counts_give_similar_fold_changes(fitted, study, values):
    dds = cn.lmm(made(study), values=values, filter=False, quiet=True)
    large = fitted.effect("treat2", levels=("E", "None")).test(fit="lmm").table
    other = dds.effect("treat2", levels=("E", "None")).test(fit="lmm").table
    rows = large["baseMean"] > 100
    assert np.corrcoef(large["log2FoldChange"][rows], other["log2FoldChange"][rows])[0, 1] > 0.95


def test_dispersions_can_be_shrunken_or_given(fitted, study):
    free = fitted.effect("treat1", levels=("B", "A")).test(fit="glmm").table
    given = cn.glmm(made(study), dispersion=0.1, quiet=True).effect("treat1", levels=("B", "A")).test(fit="glmm").table
    assert np.allclose(given["dispersion"], 0.1)
    shrunken = cn.glmm(made(study), dispersion="shrunken", quiet=True)
    table = shrunken.effect("treat1", levels=("B", "A")).test(fit="glmm").table
    spread = [np.log(each["dispersion"][each["dispersion"] > 1e-4]).std() for each in (table, free)]
    assert spread[0] < spread[1]


def test_tests_that_rest_on_infinite_degrees_of_freedom_are_called_wald(study):
    dds = cn.glmm(made(study), df="infinite", quiet=True)
    found = dds.effect("treat1", levels=("B", "A")).test(fit="glmm")
    assert found.info.test == "Wald"
    assert "df" not in found.table


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda dds: cn.lmm(dds.with_design("~ treat1")), DesignError, "no random term"),
        (lambda dds: cn.lmm(dds, values=dds.counts()), OptionError, "values are counts"),
        (lambda dds: cn.lmm(dds, values="log"), OptionError, "log2"),
        (lambda dds: cn.lmm(dds, values=3), OptionError, "genes x samples"),
        (lambda dds: cn.lmm(dds, weights=np.ones((150, 32))), OptionError, "weights="),
        (lambda dds: cn.lmm(dds, df="kr"), OptionError, "kenward-roger"),
        (lambda dds: cn.glmm(dds, method="agq", reml=True), OptionError, "no restricted likelihood"),
        (lambda dds: cn.glmm(dds, family="poisson", dispersion=0.1), OptionError, "leave dispersion= out"),
        (lambda dds: cn.glmm(dds, dispersion=-1.0), OptionError, "not negative"),
        (lambda dds: cn.glmm(dds, dispersion=[0.1, 0.2]), OptionError, "one for each of 150 genes"),
        (lambda dds: cn.glmm(dds.with_design("~ treat1 + (treat2 | family)"), method="agq"), DesignError, "one"),
    ],
)
@pytest.mark.filterwarnings("ignore::countnest.errors.CountnestWarning")
def test_what_cannot_be_fitted_is_refused(study, call, error, words):
    with pytest.raises(error, match=words):
        call(made(study))


def test_tests_by_strata_need_values_without_weights(study):
    dds = cn.lmm(made(study), values="voom", filter=False, quiet=True)
    with pytest.raises(OptionError, match="without weights"):
        dds.effect("treat1", levels=("B", "A")).test("strata", fit="lmm")


def test_observation_weights_are_not_used_and_that_is_said(study):
    dds = made(study)
    weighted = cn.DESeqDataSet(
        study.counts, study.samples, design=FORMULA, reference={"treat1": "A", "treat2": "None"},
        weights=np.full(study.counts.shape, 0.5), quiet=True,
    )  # fmt: skip
    for fit, name in ((cn.lmm, "lmm"), (cn.glmm, "glmm")):
        with pytest.warns(cn.errors.CountnestWarning, match=f"{name} does not use the observation weights"):
            fit(weighted, quiet=True)
        fit(dds, quiet=True)
