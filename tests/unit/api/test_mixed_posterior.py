"""Posterior distributions of mixed models of counts: what tables say, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import DesignError, OptionError
from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.grid import Question, lattices, posterior

FORMULA = "~ treat1 * treat2 + (1 | family)"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=120, families=6, rng=4)


def made(study, formula=FORMULA):
    return cn.DESeqDataSet(
        study.counts, study.samples, design=formula, reference={"treat1": "A", "treat2": "None"}, quiet=True
    )


@pytest.fixture(scope="module")
def fitted(study):
    dds = cn.glmm(made(study), dispersion="shrunken", quiet=True)
    return cn.glmm(dds, method="posterior", name="posterior", quiet=True)


def between(dds):
    return dds.effect("treat1", levels=("B", "A"))


def test_tables_have_the_numbers_of_the_arrays(study, fitted):
    found = between(fitted).test(fit="posterior", confint=0.9)
    stored = fitted._fits["posterior"]
    modes, query = stored.modes, between(fitted)
    assert stored.scale == pytest.approx(float(np.sqrt(np.mean(modes.fits.theta[modes.fits.outcome < 5, 0] ** 2))))
    nodes = lattices(modes.fits, modes.dispersion, stored.scale)
    offset = np.log(modes.factors)
    expected = posterior(
        study.counts.to_numpy(dtype=float), offset, mixed_model(fitted.design), nodes, Question(query.matrix, level=0.9)
    )
    per_log2 = np.log(2.0)
    for name, column in (("mean", "log2FoldChange"), ("sd", "lfcSE"), ("lower", "ciLower"), ("upper", "ciUpper")):
        np.testing.assert_allclose(found.table[column], getattr(expected, name)[:, 0] / per_log2, rtol=1e-12)
    np.testing.assert_array_equal(found.table["lfsr"], expected.lfsr[:, 0])
    np.testing.assert_allclose(found.table["pvalue"], 2.0 * expected.lfsr[:, 0], rtol=1e-12)
    assert "df" not in found.table


def test_tables_agree_with_t_tests_of_the_same_models(fitted):
    ours, t = (between(fitted).test(fit=fit).table for fit in ("posterior", "glmm"))
    assert np.abs(ours["log2FoldChange"] - t["log2FoldChange"]).median() < 0.05 * t["lfcSE"].median()
    assert np.corrcoef(np.log(ours["pvalue"]), np.log(t["pvalue"]))[0, 1] > 0.95
    assert ((ours["stat"] > 0) == (ours["log2FoldChange"] > 0)).all()
    order = ours.sort_values("lfsr")
    np.testing.assert_allclose(order["svalue"], order["lfsr"].expanding().mean(), rtol=1e-12)
    assert (ours["svalue"] <= ours["lfsr"]).all()


def test_the_table_says_what_it_holds(fitted):
    found = between(fitted).test(fit="posterior", confint=0.9)
    assert (found.info.method, found.info.test) == ("negative binomial mixed model", "posterior")
    texts = found.descriptions()
    assert texts["log2FoldChange"].startswith("log2 fold change (posterior mean)")
    assert texts["lfcSE"].startswith("posterior SD")
    assert texts["ciLower"].startswith("lower end of the 90 % posterior interval")
    assert texts["lfsr"].startswith("local false sign rate")
    assert texts["pvalue"].startswith("posterior tail p-value")
    assert "Wald" not in " ".join(texts.values())
    assert "a column of your own" not in texts.values()
    against = between(fitted).test(fit="posterior", lfc_threshold=0.5)
    assert "probability that not |log2 fold change| > 0.5" in against.descriptions()["lfsr"]


def test_thresholds_and_sides_are_probabilities_of_the_same_posterior(fitted):
    query = between(fitted)

    def asked(side, threshold=0.5):
        return query.test(fit="posterior", lfc_threshold=threshold, alt_hypothesis=side).table

    plain = query.test(fit="posterior").table
    above, below, small, both = (asked(side) for side in ("greater", "less", "lessAbs", "greaterAbs"))
    np.testing.assert_allclose(both["lfsr"], np.minimum(above["pvalue"], below["pvalue"]), rtol=1e-12)
    outside = (1.0 - above["pvalue"]) + (1.0 - below["pvalue"])
    np.testing.assert_allclose(small["pvalue"], outside, rtol=1e-9, atol=1e-12)
    assert (both["lfsr"] >= plain["lfsr"]).all()
    doubled = asked("greaterAbs2014")
    np.testing.assert_allclose(doubled["pvalue"], np.minimum(2.0 * both["lfsr"], 1.0), rtol=1e-12)
    assert (both["pvalue"] <= doubled["pvalue"] + 1e-15).all()
    right, left = asked("greater", 0.0), asked("less", 0.0)
    np.testing.assert_allclose(right["pvalue"] + left["pvalue"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.minimum(right["pvalue"], left["pvalue"]), plain["lfsr"], rtol=1e-12)
    with pytest.raises(OptionError, match="posterior probabilities"):
        asked("greaterAbsUPSHOT")


def test_joint_and_stagewise_questions_are_answered(fitted):
    query = fitted.interaction(treat1="reference", treat2="reference")
    joint, f = query.joint().test(fit="posterior"), query.joint().test(fit="glmm")
    assert joint.table["pvalue"].between(0.0, 1.0).all()
    assert np.corrcoef(np.log(joint.table["pvalue"]), np.log(f.table["pvalue"]))[0, 1] > 0.95
    assert joint.info.test == "posterior"
    staged = query.test(fit="posterior", stagewise=True)
    assert "padj_stagewise" in staged[0].table
    rows = query.test(fit="posterior")
    assert len(rows) == len(query)


def test_what_there_is_not_is_refused_and_named(study, fitted):
    query = between(fitted)
    for kind in ("t", "wald", "lrt"):
        with pytest.raises(OptionError, match=r"cn\.glmm\(dds\)"):
            query.test(kind, fit="posterior")
    with pytest.raises(OptionError, match="posterior probabilities"):
        query.test(fit="posterior", null="scaled")
    with pytest.raises(OptionError, match="no likelihood without reml"):
        cn.glmm(made(study), method="posterior", reml=False, quiet=True)
    with pytest.raises(OptionError, match="no degrees of freedom"):
        cn.glmm(made(study), method="posterior", df="residual", quiet=True)
    sheet = study.samples.assign(batch=[f"b{i % 6}" for i in range(len(study.samples))])
    dds = cn.DESeqDataSet(study.counts, sheet, design="~ treat1 + (1 | family) + (1 | batch)", quiet=True)
    with pytest.raises(DesignError, match="one random term with one column"):
        cn.glmm(dds, method="posterior", quiet=True)


def test_hard_genes_have_rows(study):
    counts = study.counts.copy()
    counts.iloc[0] = 0
    counts.iloc[1, 1:] = 0
    counts.iloc[2, (study.samples["treat1"] == "B").to_numpy()] = 0
    counts.iloc[3] = 7
    counts.iloc[4] = 10_000_000
    dds = cn.DESeqDataSet(
        counts, study.samples, design=FORMULA, reference={"treat1": "A", "treat2": "None"}, quiet=True
    )
    dds = cn.glmm(dds, method="posterior", quiet=True)
    found = between(dds).test(fit="glmm", confint=0.95).table
    assert np.isnan(found["pvalue"].iloc[0])
    assert found["padj_reason"].iloc[0] == "all_zero"
    assert found["separated"].iloc[2]
    rest = found.iloc[1:]
    assert np.isfinite(rest[["log2FoldChange", "lfcSE", "pvalue", "lfsr"]].to_numpy()).all()
    assert (rest["ciLower"] <= rest["log2FoldChange"]).all()
    assert (rest["log2FoldChange"] <= rest["ciUpper"]).all()


def test_known_dispersions_need_no_trend(study):
    for options in ({"dispersion": 0.1}, {"family": "poisson"}):
        dds = cn.glmm(made(study), method="posterior", quiet=True, **options)
        assert between(dds).test(fit="glmm").table["pvalue"].between(0.0, 1.0).all()


def test_threads_and_files_change_nothing(study, fitted, tmp_path):
    first = between(fitted).test(fit="posterior", confint=0.9).table
    again = cn.glmm(made(study), method="posterior", n_threads=2, quiet=True)
    pd.testing.assert_frame_equal(between(again).test(fit="glmm", confint=0.9).table, first)
    cn.save(fitted, tmp_path / "study.countnest")
    loaded = cn.load(tmp_path / "study.countnest")
    pd.testing.assert_frame_equal(between(loaded).test(fit="posterior", confint=0.9).table, first)
