"""Data sets whose design has random terms: what they answer, keep and refuse."""

import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.api.redesign import is_same_model
from countnest.design.random.term import same_terms
from countnest.errors import CountnestWarning, DesignError, StratumError

MIXED = "~ treat1*treat2 + (1|family)"


def family_study(n_genes=40):
    """24 families of two, treat1 between them and treat2 within."""
    n = 48
    sheet = pd.DataFrame(
        {
            "family": [f"fam{i // 2 + 1}" for i in range(n)],
            "treat1": np.repeat(list("ABCD"), 12),
            "treat2": ["None", "E"] * 24,
        },
        index=[f"s{i + 1}" for i in range(n)],
    )
    rng = np.random.default_rng(3)
    counts = rng.negative_binomial(4, 0.02, (n_genes, n))
    return pd.DataFrame(counts, [f"g{i}" for i in range(n_genes)], sheet.index), sheet


@pytest.fixture(scope="module")
def dds():
    counts, sheet = family_study()
    return cn.DESeqDataSet(counts, sheet, design=MIXED, reference={"treat2": "None"}, quiet=True)


def test_it_shows_its_random_terms(dds):
    assert f"design {MIXED}" in repr(dds)
    assert "1 | family (24 levels)" in repr(dds.design)


def test_queries_are_about_the_fixed_part(dds):
    assert dds.effect("treat2").matrix.tolist() == [[0, 0, 0, 0, 1, 0.25, 0.25, 0.25]]
    assert dds.interaction(treat1="reference", treat2="reference").matrix[:, 5:].tolist() == np.eye(3).tolist()
    assert dds.effect("treat1", levels=("B", "A")).stratum == "none"
    assert len(dds.means(by=["treat1", "treat2"])) == 8
    text = dds.effect("treat1", levels=("B", "A"), at={"treat2": "E"}).explain()
    assert "in a mixed model 75 % between family, 25 % within family; 12 of 48 samples count." in text
    assert "in a mixed model within family; 24 of 48" in dds.query("treat2[E - None] : treat1[B - A]").explain()
    with pytest.raises(DesignError, match="edgeR's analysis has fixed effects only"):
        dds.effect("treat2").to_r("edgeR")


@each(
    "call",
    [
        cn.DESeq,
        cn.estimate_dispersions,
        cn.nbinom_wald_test,
        lambda dds: cn.nbinom_lrt(dds, "~ treat1 + (1|family)"),
        lambda dds: cn.DESeq(dds, test="LRT", reduced="~ treat1"),
        cn.edger,
        cn.estimate_disp,
        cn.limma,
        cn.voom,
        cn.voom_lm_fit,
        lambda dds: cn.lm_fit(pd.DataFrame(np.ones((2, 48)), columns=dds.samples.index), dds),
        lambda dds: cn.variance_stabilizing_transformation(dds, blind=False),
        lambda dds: cn.rlog(dds, blind=False),
    ],
)
def test_methods_with_fixed_effects_refuse_and_name_the_call(dds, call):
    with pytest.raises(DesignError, match=r"cn\.lmm\(dds\) of log counts, or cn\.glmm\(dds\) of counts"):
        call(dds.copy())


def test_limma_names_its_blocks(dds):
    with pytest.raises(DesignError, match=r"dds\.design = '~ treat1\*treat2', and then block='family'"):
        cn.limma(dds)


def test_a_reduced_model_without_random_terms_too(dds):
    with pytest.raises(DesignError, match="the test of 'reduced' has fixed effects only"):
        cn.nbinom_lrt(dds.with_design("~ treat1*treat2"), "~ treat1 + (1|family)")


def test_steps_without_a_design_do_not_mind(dds):
    counts, sheet = family_study()
    plain = cn.DESeqDataSet(counts, sheet, design="~ treat1", quiet=True)
    own, other = dds.copy(), plain
    assert np.array_equal(own.estimate_size_factors().size_factors, other.estimate_size_factors().size_factors)
    blind = [cn.variance_stabilizing_transformation(each).table for each in (own, other)]
    assert blind[0].equals(blind[1])


def test_parts_have_the_groups_that_are_left(dds):
    with pytest.warns(CountnestWarning, match="no sample has treat1"):
        part = dds[:5, dds.samples.index[:24]]
    (term,) = part.design.random
    assert (len(term.levels), term.codes.max()) == (12, 11)
    with pytest.raises(DesignError, match=r"cannot be used with 2 of the 48 samples.*needs two levels of 'family'"):
        dds.with_design("~ treat2 + (1|family)")[:, dds.samples.index[:2]]


def test_another_design_and_back(dds):
    fixed = dds.with_design("~ family + treat1*treat2")
    assert fixed.design.random == ()
    assert dds.design.formula == MIXED
    again = fixed.with_design(MIXED)
    assert is_same_model(again.design, dds.design)
    assert not is_same_model(fixed.with_design("~ treat1*treat2 + (treat2||family)").design, dds.design)


def test_another_sheet_changes_the_groups():
    counts, sheet = family_study()
    own = cn.DESeqDataSet(counts, sheet, design=MIXED, reference={"treat2": "None"}, quiet=True)
    own.estimate_size_factors()
    own.samples = sheet.assign(family=[f"fam{(i // 2) % 12 + 1}" for i in range(48)])
    assert len(own.design.random[0].levels) == 12
    assert own.size_factors is not None


def test_a_file_holds_it(dds, tmp_path):
    cn.save(dds, tmp_path / "mixed.countnest")
    again = cn.load(tmp_path / "mixed.countnest")
    assert again.design.formula == MIXED
    assert same_terms(again.design.random, dds.design.random)


@each(
    ("formula", "mixed"),
    [
        ("~ family + treat1*treat2", "~ treat1*treat2 + (1 | family)"),
        ("~ treat1 + treat1:ind + treat1:treat2", "~ treat1 + treat1:treat2 + (1 | treat1:ind)"),
    ],
)
def test_the_refusal_of_a_comparison_between_blocks_ends_with_the_call_that_answers(formula, mixed):
    counts, sheet = family_study()
    sheet = sheet.assign(ind=[f"i{(i // 2) % 6 + 1}" for i in range(48)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        fixed = cn.DESeqDataSet(counts, sheet, design=formula, reference={"treat2": "None"}, quiet=True)
        fixed.deseq(quiet=True)
    with pytest.raises(StratumError) as caught:
        fixed.effect("treat1").test()
    call = f"cn.lmm(dds.with_design('{mixed}'))"
    assert call in str(caught.value)
    answering = fixed.with_design(mixed)
    assert answering.effect("treat1").stratum == "none"
    assert len(answering.design.random[0].levels) == 24
