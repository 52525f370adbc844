"""Every question that a data set takes, of every kind of mixed model: an answer, or a refusal that says what helps."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.errors import ContrastError, DesignError, MissingStepError, OptionError
from countnest.methods.chunks import expand

LINEAR = {
    "log2": {},
    "vst": {"values": "vst"},
    "voom": {"values": "voom"},
    "free": {"bounded": False},
    "ml": {"reml": False},
    "satterthwaite": {"df": "satterthwaite"},
    "containment": {"df": "containment"},
    "residual": {"df": "residual"},
    "infinite": {"df": "infinite"},
}
COUNTS = {
    "nb": {},
    "nb_ml": {"reml": False},
    "nb_next": {"method": "laplace4"},
    "nb_agq": {"method": "agq"},
    "poisson": {"family": "poisson"},
    "nb_residual": {"df": "residual"},
    "nb_infinite": {"df": "infinite"},
    "nb_shrunken": {"dispersion": "shrunken"},
}
FITS = [*LINEAR, *COUNTS]


@pytest.fixture(scope="module")
def dds():
    """24 genes, one without counts and one that is constant, with all kinds of fit."""
    study = cn.simulate.nested(genes=24, families=4, rng=4)
    counts = study.counts.copy()
    counts.iloc[5] = 0
    counts.iloc[6] = 7
    made = cn.DESeqDataSet(
        counts, study.samples, design="~ treat1*treat2 + (1 | family)", reference=study.reference, quiet=True
    )
    for name, options in LINEAR.items():
        cn.lmm(made, filter=False, name=name, quiet=True, **options)
    for name, options in COUNTS.items():
        cn.glmm(made, name=name, quiet=True, **options)
    return made


def pair(dds):
    return dds.effect("treat1", levels=("B", "A"))


def estimates(dds, fit, weights):
    """Contrasts of the coefficients that the data set keeps, log2; NaN where a gene has no fit."""
    stored = dds._fits[fit]
    values = stored.fits.coefficients @ np.asarray(weights, dtype=float)
    return values / np.log(2) if fit in COUNTS else expand(stored.kept, values)


def columns(found):
    """The fold changes of all rows of an answer, genes x rows."""
    return np.column_stack([part.table["log2FoldChange"] for part in found.values()])


@each("fit", FITS)
def test_queries_of_cells_are_contrasts_of_the_coefficients(dds, fit):
    questions = [
        dds.effect("treat1"), dds.effect("treat2", by="treat1"), dds.means(["treat1", "treat2"]),
        dds.interaction(treat1="reference", treat2="reference"), dds.effect("treat1", levels="pairwise"),
    ]  # fmt: skip
    rows = dds._data.counted
    for query in questions:
        found = columns(query.test(fit=fit))
        expected = np.column_stack([estimates(dds, fit, row) for row in query.matrix])
        np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-9, atol=1e-12)
    cell = dds.cell(treat1="B", treat2="E")
    difference = (cell - dds.cell(treat1="A", treat2="None")).test(fit=fit).table["log2FoldChange"]
    expected = estimates(dds, fit, cell.matrix[0]) - estimates(dds, fit, np.eye(8)[0])
    np.testing.assert_allclose(difference[rows], expected[rows], rtol=1e-8, atol=1e-10)


@each("fit", FITS)
def test_the_same_question_in_other_words_has_the_same_answer(dds, fit):
    names = dds.results_names()
    expected = dds.effect("treat1", levels=("B", "A"), at={"treat2": "None"}).test(fit=fit).table
    compared = ["log2FoldChange", "lfcSE", "pvalue", "code"]
    in_words = [
        dds.query("treat1[B - A] | treat2=None").test(fit=fit), dds.contrast(names[1]).test(fit=fit),
        dds.contrast(("treat1", "B", "A")).test(fit=fit), dds.contrast(np.eye(8)[1]).test(fit=fit),
        dds.contrast({names[1]: 1.0}).test(fit=fit), dds.contrast([[names[1]], []]).test(fit=fit),
        dds.results(name=names[1], fit=fit), dds.results(contrast=("treat1", "B", "A"), fit=fit),
    ]  # fmt: skip
    for found in in_words:
        pd.testing.assert_frame_equal(found.table[compared], expected[compared], rtol=1e-9)


@each("fit", FITS)
def test_joint_tests_take_rows_that_depend_on_each_other(dds, fit):
    whole = dds.effect("treat1").joint().test(fit=fit).table
    more = dds.effect("treat1", levels="pairwise").joint().test(fit=fit).table
    np.testing.assert_allclose(more["pvalue"], whole["pvalue"], rtol=1e-6, atol=1e-14)
    stages = dds.effect("treat1").test(fit=fit, stagewise=True)
    assert {"padj_screen", "padj_stagewise"} <= set(stages[0].table)


@each("fit", FITS)
def test_intervals_and_thresholds_agree_with_the_tests(dds, fit):
    for kind, each_kind in dds._fit(fit).kinds.items():
        if fit == "voom" and kind in ("strata", "averaged"):
            with pytest.raises(OptionError, match="without weights"):
                pair(dds).test(kind, fit=fit)
            continue
        table = pair(dds).test(kind, fit=fit, confint=0.9).table.dropna()
        if kind != "lrt":
            outside = (table["ciLower"] > 0) | (table["ciUpper"] < 0)
            assert (outside == (table["pvalue"] < 0.1)).all()
        if not each_kind.has_threshold:
            for options in ({"lfc_threshold": 0.5}, {"alt_hypothesis": "greater"}):
                with pytest.raises(ContrastError, match=r"threshold must be t tests: use test\('t', \.\.\.\)"):
                    pair(dds).test(kind, fit=fit, **options)
            continue
        sides = {
            side: pair(dds).test(kind, fit=fit, lfc_threshold=0.3, alt_hypothesis=side).table["pvalue"]
            for side in ("greaterAbs", "lessAbs", "greater", "less")
        }
        within = (table["ciLower"] > -0.3) & (table["ciUpper"] < 0.3)  # two tests of one side at 0.05
        assert (within == (sides["lessAbs"][table.index] < 0.05)).all()
        assert (np.minimum(sides["greater"], sides["less"]).dropna() <= sides["greaterAbs"].dropna()).all()


@each("fit", FITS)
def test_tables_of_several_rows_can_be_used_as_others(dds, fit):
    found = dds.effect("treat1").test(fit=fit)
    assert found.wide().shape[0] == 24
    assert len(found.table) == 72
    found.summary(file=io.StringIO())
    res = pair(dds).test(fit=fit)
    assert res.verdict() is not None
    assert "mixed model" in repr(res.info)
    assert len(cn.compare({"one": res, "other": res}).table)
    sets = {"first": list(dds.gene_names[8:16]), "second": list(dds.gene_names[16:])}
    assert list(cn.camera_pr(res, sets).index.sort_values()) == ["first", "second"]
    copies = (pickle.loads(pickle.dumps(res)), pair(pickle.loads(pickle.dumps(dds))).test(fit=fit))
    for copy in copies:
        pd.testing.assert_frame_equal(copy.table, res.table)


def test_files_hold_all_kinds_of_fit(dds, tmp_path):
    cn.save(dds, tmp_path / "all.countnest")
    again = cn.load(tmp_path / "all.countnest")
    assert again.fits == dds.fits
    for fit in FITS:
        pd.testing.assert_frame_equal(pair(again).test(fit=fit).table, pair(dds).test(fit=fit).table)


@each("fit", ["infinite", "nb_infinite"])
def test_infinite_degrees_of_freedom_are_wald_tests(dds, fit):
    row, joint = pair(dds).test(fit=fit), dds.effect("treat1").joint().test(fit=fit)
    assert (row.info.test, joint.info.test) == ("Wald", "Wald")
    assert "df" not in row.table
    assert (joint.table["stat"].dropna() >= 0).all()


@each(
    ("call", "error", "words"),
    [
        (lambda dds, fit: pair(dds).test("wald", fit=fit), OptionError, "offers the tests 't', 'lrt'"),
        (lambda dds, fit: pair(dds).test("ql", fit=fit), OptionError, "offers the tests 't', 'lrt'"),
        (lambda dds, fit: pair(dds).test(fit=fit, hidden_factors=1), OptionError, "cannot be made again with hidden"),
        (lambda dds, fit: pair(dds).test(fit=fit, null="scaled"), OptionError, "needs 200 genes"),
        (lambda dds, fit: cn.camera(pair(dds), {"a": ["g00001"]}, fit=fit), OptionError, r"cn\.camera_pr\(query\.test"),
        (lambda dds, fit: cn.fry(pair(dds), {"a": ["g00001"]}, fit=fit), OptionError, r"cn\.camera_pr\(query\.test"),
        (lambda dds, _: pair(dds).to_r(), DesignError, "has fixed effects only"),
        (lambda dds, _: cn.covariance(dds, "g00001"), MissingStepError, "random terms, so that there is no fit by"),
        (lambda dds, _: cn.find_outliers(dds), MissingStepError, "random terms, so that there is no fit by"),
        (lambda dds, _: cn.plot_dispersion(dds), OptionError, "needs the table of the genes"),
    ],
)
def test_what_mixed_models_do_not_answer_is_refused_with_what_does(dds, call, error, words):
    for fit in ("log2", "voom", "nb", "poisson"):
        with pytest.raises(error, match=words):
            call(dds, fit)


@each("fit", ["log2", "voom", "free", "nb", "poisson"])
def test_fold_changes_are_shrunken_by_ashr_from_a_table_alone(dds, fit):
    res = pair(dds).test(fit=fit)
    found = cn.lfc_shrink(dds, res=res, type="ashr", quiet=True)
    assert found.info.shrinkage == "ashr"
    there = res.table["lfcSE"].notna()
    assert (found.table["log2FoldChange"].abs() <= res.table["log2FoldChange"].abs())[there].all()
    pd.testing.assert_series_equal(found.table["padj"], res.table["padj"])
    assert "svalue" in cn.lfc_shrink(dds, res=res, type="ashr", svalue=True, quiet=True).table
    assert "ciLower" in cn.lfc_shrink(dds, res=res, type="ashr", confint=0.9, quiet=True).table
    for options in ({}, {"type": "normal"}, {"res": res}, {"type": "ashr"}, {"type": "ashr", "coef": "Intercept"}):
        with pytest.raises(OptionError, match=r"has random terms. Of mixed models type='ashr' shrinks a table"):
            cn.lfc_shrink(dds, quiet=True, **options)


def test_the_interaction_plot_draws_means_of_mixed_models_with_their_intervals(dds):
    for fit in ("log2", "nb", "poisson"):
        drawn = cn.plot_interaction(dds, "g00003", fit=fit).axes[0]
        means = np.concatenate([each.get_offsets()[:, 1] for each in drawn.collections if len(each.get_offsets()) == 4])
        query = dds.means(["treat2", "treat1"]).test(fit=fit)
        values = np.array([part.table.loc["g00003", "log2FoldChange"] for part in query.values()])
        expected = values if fit == "log2" else np.log2(2.0**values + 0.5)
        np.testing.assert_allclose(means, expected, rtol=1e-9)
    for fit in ("voom", "vst"):
        with pytest.raises(OptionError, match=r"on another scale: take a fit .* by cn\.lmm with values='log2'"):
            cn.plot_interaction(dds, "g00003", fit=fit)
