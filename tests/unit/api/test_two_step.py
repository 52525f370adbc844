"""The two-step method on a data set: what is found, how honest it is, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, CountnestWarning, OptionError, StratumError

FORMULA = "~ treat1 * treat2 + (1 | family)"
WITHIN = {"treat1": ("B", "A"), "treat2": ("E", "None")}


def made(study, formula=FORMULA):
    return cn.DESeqDataSet(
        study.counts, study.samples, design=formula, reference={"treat1": "A", "treat2": "None"}, quiet=True
    )


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=1500, interaction_fraction=0.2, rng=3)


@pytest.fixture(scope="module")
def dds(study):
    return cn.lmm(made(study), values="vst", quiet=True)


@pytest.fixture(scope="module")
def query(dds):
    return dds.interaction(**WITHIN)


@pytest.fixture(scope="module")
def calibrated(query):
    return cn.two_step(query)


@pytest.fixture(scope="module")
def trabzuni(query):
    with pytest.warns(CountnestWarning, match="31 % by a Bayesian false discovery rate"):
        return cn.two_step(query, method="trabzuni")


def test_the_calibrated_method_keeps_its_false_discovery_rate_and_the_other_does_not(study, calibrated, trabzuni):
    null = (study.truth["treat1[B]:treat2[E]"] == 0).to_numpy()
    false = [null[(found.table["fdr"] < 0.05).to_numpy()].mean() for found in (calibrated, trabzuni)]
    assert false[0] < 0.09
    assert false[1] > 0.15
    assert calibrated.null_share == pytest.approx(null.mean(), abs=0.06)


def test_the_table_has_the_test_and_what_the_mixture_says(query, calibrated):
    test = query.test("strata", fit="lmm").table
    assert calibrated.test == "moderated t by strata"
    table = calibrated.table
    for name in ("baseMean", "log2FoldChange", "pvalue", "padj"):
        np.testing.assert_array_equal(table[name], test[name])
    known = test["pvalue"].notna()
    assert (table["probability"].notna() == known).all()
    np.testing.assert_allclose(table["probability"], 1 - table["lfdr"], atol=1e-12)
    order = table[known].sort_values("lfdr")
    np.testing.assert_allclose(order["fdr"], order["lfdr"].expanding().mean(), rtol=1e-9)
    assert (table["effect"].abs()[known] <= table["log2FoldChange"].abs()[known]).all()
    assert (np.sign(table["z"]) == np.sign(test["stat"]))[known].all()
    adjusted, own = (test["padj"] < 0.05), (table["fdr"] < 0.05)
    assert (adjusted & own).sum() > 0.9 * adjusted.sum() > 10


def test_predicted_effects_are_shrunken_estimates(query, trabzuni):
    change = query.test(fit="lmm").table["log2FoldChange"]
    table = trabzuni.table
    assert list(table)[:4] == ["baseMean", "effect", "probability", "lfdr"]
    known = change.notna() & table["effect"].notna()
    assert np.corrcoef(change[known], table["effect"][known])[0, 1] > 0.999
    assert table["effect"].abs().max() < change.abs().max()


def test_genes_are_sorted_shown_drawn_and_written(calibrated, trabzuni, tmp_path):
    for found in (calibrated, trabzuni):
        significant = found.significant(0.05)
        assert len(significant) == (found.table["fdr"] < 0.05).sum()
        assert significant["lfdr"].is_monotonic_increasing
        pd.testing.assert_frame_equal(pd.DataFrame(found.top(5)), pd.DataFrame(significant.head(5)))
        axes = found.plot().axes[0]
        assert axes.get_title(loc="left") == found.label
        assert any(f"{len(significant)}" in text.get_text() for text in axes.get_legend().get_texts())
        assert found.label in repr(found)
        assert f"{100 * found.null_share:.1f} %" in repr(found)
        found.to_csv(tmp_path / "found.csv")
        assert len(pd.read_csv(tmp_path / "found.csv")) == len(found)
    with pytest.raises(OptionError, match="not edited"):
        calibrated.table["lfdr"] = 0.0
    with pytest.raises(OptionError, match="fdr=2"):
        calibrated.significant(2)


def test_the_test_follows_the_study_and_can_be_chosen(study, query):
    assert cn.two_step(query, kind="dream").test == "moderated t (dream)"
    assert cn.two_step(query, kind="lrt").test == "LRT"
    weighted = cn.lmm(made(study), values="voom", name="weighted", quiet=True)
    assert cn.two_step(weighted.interaction(**WITHIN), fit="weighted").test == "moderated t (dream)"
    fewer = made(study)[:, 1:]
    assert cn.two_step(cn.lmm(fewer, quiet=True).interaction(**WITHIN)).test == "moderated t (dream)"


def test_other_fits_have_their_own_tests(study):
    fixed = cn.edger(made(study, "~ family + treat1:treat2"), quiet=True)
    found = cn.two_step(fixed.interaction(**WITHIN), fit="edger")
    assert found.test == "QL F"
    table = fixed.interaction(**WITHIN).test(fit="edger").table
    assert (np.sign(found.table["z"]) == np.sign(table["log2FoldChange"]))[table["pvalue"].notna()].all()
    with pytest.raises(OptionError, match="fit of edgeR"):
        cn.two_step(fixed.interaction(**WITHIN), fit="edger", method="trabzuni")
    with pytest.raises(StratumError, match="holds fixed"):
        cn.two_step(fixed.effect("treat1", levels=("B", "A")), fit="edger")


def test_posterior_probabilities_are_refused(study):
    few = cn.glmm(made(study)[:60], method="posterior", quiet=True)
    with pytest.raises(OptionError, match="posterior probabilities"):
        cn.two_step(few.interaction(**WITHIN), fit="glmm")


def test_what_is_no_single_comparison_is_refused(dds, query):
    with pytest.raises(ContrastError, match=r"has 3: .*query\[0\]"):
        cn.two_step(dds.effect("treat1"))
    for given in (dds, "treat1", query.test(fit="lmm")):
        with pytest.raises(OptionError, match="takes a comparison"):
            cn.two_step(given)
    other = dds.with_design("~ treat1 + (1 | family)")
    asked = other.effect("treat1", levels=("B", "A"))
    other.design = FORMULA
    with pytest.raises(ContrastError, match="make it again"):
        cn.two_step(asked)
    with pytest.raises(OptionError, match="method"):
        cn.two_step(query, method="blup")
    with pytest.raises(OptionError, match="has no test"):
        cn.two_step(query, method="trabzuni", kind="t")
    with pytest.raises(OptionError, match="offers the tests"):
        cn.two_step(query, kind="wald")


def test_weights_and_slopes_have_no_genome_wide_model(study):
    weighted = cn.lmm(made(study), values="voom", quiet=True)
    with pytest.raises(OptionError, match="has no weights"):
        cn.two_step(weighted.interaction(**WITHIN), method="trabzuni")
