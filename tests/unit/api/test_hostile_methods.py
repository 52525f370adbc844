"""Awkward input of edgeR's and limma's functions: what is wrong is said, and nothing is nonsense."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, DesignError, MissingStepError, NormalizationError, OptionError
from countnest.remedies import in_the_shell
from countnest.stats.edger.local_mean import local_means


def study(design="~ group", genes=40):
    rng = np.random.default_rng(5)
    counts = rng.negative_binomial(8.0, 8.0 / (8.0 + 100.0), (genes, 6))
    table = pd.DataFrame(counts, [f"g{i}" for i in range(genes)], [f"s{j}" for j in range(6)])
    sheet = pd.DataFrame({"group": ["A"] * 3 + ["B"] * 3, "batch": ["x", "y", "x"] * 2}, index=table.columns)
    reference = {"reference": {"group": "A"}} if "group" in design else {}
    return cn.DESeqDataSet(table, sheet, design=design, **reference)


def test_tests_of_edger_name_the_step_that_is_missing():
    dds = study()
    for function in (cn.glm_ql_ftest, cn.glm_treat):
        with pytest.raises(MissingStepError, match=r"no fit by edgeR's method yet: call cn\.glm_ql_fit\(dds\)"):
            function(dds)
    with pytest.raises(MissingStepError, match=r"call cn\.glm_fit\(dds\)"):
        cn.glm_lrt(dds)
    dds = cn.limma(dds, quiet=True)
    with pytest.raises(MissingStepError, match="no fit by edgeR's method yet"):
        cn.glm_lrt(dds, fit="limma")
    dds = cn.edger(dds, test="lrt", dispersion=0.1, quiet=True)
    with pytest.raises(OptionError, match=r"offers the test 'lrt', not 'ql': call cn\.glm_ql_fit\(dds\)"):
        cn.glm_ql_ftest(dds)
    with pytest.raises(OptionError, match="fit='limma' is not known; use one of 'edger'"):
        cn.glm_lrt(dds, fit="limma")
    with pytest.raises(ContrastError, match="threshold are of each row: leave out joint=True"):
        cn.glm_treat(dds, coef=["Intercept", "group_B_vs_A"])


def test_a_question_without_a_fit_of_deseq2_names_the_other_fits():
    dds = cn.limma(study(), quiet=True)
    with pytest.raises(MissingStepError, match="Or choose a fit that there is, fit='limma'"):
        dds.effect("group").test()
    with pytest.raises(MissingStepError, match=r"no size factors yet: .* Fits by other methods leave none"):
        cn.plot_quantiles(dds, fit="limma")
    with pytest.raises(OptionError, match="ids='symbol' is no column: nothing is known of the genes"):
        cn.camera(dds.effect("group"), {"set": ["g1"]}, fit="limma", ids="symbol")


def test_an_exact_test_needs_groups():
    with pytest.raises(DesignError, match="no factor, so that there are no groups"):
        cn.exact_test(study("~ 1"), dispersion=0.1)


def test_tables_take_whole_numbers_of_genes_and_probabilities():
    fit = cn.e_bayes(cn.lm_fit(cn.voom(study())))
    for number in (1.5, -1, 1e9, True, "3"):
        with pytest.raises(OptionError, match="must be a whole number of genes, or None"):
            cn.top_table(fit, number=number)
    for p_value in (0, -1, 2, np.nan):
        with pytest.raises(OptionError, match="p_value="):
            cn.top_table(fit, p_value=p_value)
    assert len(cn.top_table(fit, number=np.int64(3))) == 3
    assert cn.top_table(fit, number=0).empty


def test_contrasts_of_a_linear_model_are_not_text_and_not_empty():
    fit = cn.lm_fit(cn.voom(study()))
    for approx in (False, True):
        for empty in ({}, np.zeros((2, 0))):
            with pytest.raises(ContrastError, match="contrasts= is empty"):
                cn.contrasts_fit(fit, empty, approx=approx)
        with pytest.raises(ContrastError, match="contrasts='group_B_vs_A' is text; give weights"):
            cn.contrasts_fit(fit, "group_B_vs_A", approx=approx)


def test_covariates_that_are_to_be_removed_are_finite_and_by_sample():
    values = cn.voom(study())
    for bad in (np.full(6, np.nan), np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.inf]), np.ones(5), np.ones((3, 2))):
        with pytest.raises(OptionError, match="covariates= must be finite, with a row for each of the 6 samples"):
            cn.remove_batch_effect(values, covariates=bad)


def test_offsets_are_logarithms():
    counts = study().counts()
    for bad in (np.full(counts.shape, 1e4), np.full(counts.shape, -1e4)):
        with pytest.raises(NormalizationError, match="natural logs of library sizes"):
            cn.cpm(counts, offset=bad)


def test_statistics_that_are_all_equal_do_not_tell_sets_apart():
    statistic = pd.Series(1.0, [f"g{i}" for i in range(20)])
    assert cn.camera_pr(statistic, {"set": ["g1", "g2"]})["pvalue"].isna().all()


def test_local_means_between_two_equally_near_genes_are_theirs():
    found = local_means(np.array([1.0, 2.0]), np.array([[4.0], [8.0]]), 0.5)
    np.testing.assert_array_equal(found, [[4.0], [8.0]])


def test_blocks_given_by_sample_are_not_called_by_a_name():
    with pytest.raises(OptionError, match=r"^block= has one block"):
        cn.limma(study(), block=[1] * 6, quiet=True)


def test_the_shell_is_not_told_to_call_functions_where_there_are_no_replicates():
    dds = study()[:, ["s0", "s3"]]
    for function, words in ((cn.edger, "a dispersion of your own"), (cn.limma, "Fold changes alone")):
        with pytest.raises(DesignError, match=rf"{words}.*cn\.|cn\..*{words}"):
            function(dds, quiet=True)
        with in_the_shell(), pytest.raises(DesignError, match=words) as caught:
            function(dds, quiet=True)
        assert "cn." not in str(caught.value)
