"""Few calls on low counts get a sentence in the summary; few calls alone do not, and neither do low counts alone."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.info import ResultsInfo
from countnest.containers.sparse_calls import sparse_lines
from countnest.containers.summary import summarize
from countnest.remedies import in_the_shell

SENTENCE = (
    "note: few genes are found, and most counts are low. Here the choice of the filter adds false ones:\n"
    "more than 10 % of the genes found may be false. independent_filtering=False is safer, and so is test='averaged'"
)


def said(n_called, means, **options):
    p_value = np.where(np.arange(len(means)) < len(means) - 50, 0.5, np.nan)
    lines = sparse_lines(np.asarray(means, dtype=float), p_value, n_called, 0.1, ResultsInfo(label="x", **options))
    return "\n".join(lines)


LOW = np.linspace(0.0, 50.0, 2050)  # of those with a p-value the upper quartile is 36.6
HIGH = np.linspace(0.0, 60.0, 2050)  # and here 43.9


def test_few_means_fewer_than_one_in_fifty_with_a_p_value():
    assert said(0, LOW) == ""
    assert said(1, LOW) == SENTENCE
    assert said(39, LOW) == SENTENCE
    assert said(40, LOW) == ""


def test_low_is_about_the_upper_quartile():
    assert said(5, HIGH) == ""
    table_of_all_genes = np.concatenate([np.full(1200, 0.1), np.full(850, 900.0)])  # the median is 0.1
    assert said(5, table_of_all_genes) == ""


def test_without_the_filter_or_with_the_cautious_one_there_is_nothing_to_say():
    assert said(5, LOW, test="averaged LRT") == ""
    assert said(5, LOW, independent_filtering=False) == ""
    assert said(5, LOW, filter_statistic="variance") == ""


def test_the_shell_gets_its_own_option():
    with in_the_shell():
        assert said(5, LOW).endswith(". --no-independent-filtering is safer, and so is --test averaged")


def test_fits_of_other_methods_are_not_sent_to_the_averaged_test():
    assert said(5, LOW, method="OLS").endswith(". independent_filtering=False is safer")


@pytest.fixture(scope="module")
def sparse():
    study = cn.simulate.groups(genes=2000, base=(0.3, 30.0), effect_sd=0.9, rng=3)
    return cn.DESeqDataSet(study.counts, study.samples, design=study.design, quiet=True).deseq(quiet=True)


def test_every_test_with_the_usual_filter_says_it_at_the_end_of_the_summary(sparse):
    tables = [sparse.results(), sparse.effect("group").test("lrt"), sparse.effect("group").test("ql")]
    for each in tables:
        assert 0 < len(each.significant()) < 39
        assert SENTENCE in str(summarize(each.table, each.info))
    assert SENTENCE not in str(summarize(tables[0].table, sparse.results(independent_filtering=False).info))
    assert "may be false" not in str(summarize(tables[0].table, tables[0].info, alpha=1e-300))


def test_the_level_is_that_of_the_summary(sparse):
    found = sparse.results()
    strict = summarize(found.table, found.info, alpha=0.05)
    assert strict.significant > 0
    assert "more than 5 % of the genes found may be false" in str(strict)


def test_s_values_and_stages_have_none(sparse):
    shrunken = cn.lfc_shrink(sparse, coef="group_B_vs_A", svalue=True)
    assert summarize(shrunken.table, shrunken.info).sparse_lines == ()
    stages = sparse.results().table.assign(padj_stagewise=pd.Series(0.001, index=sparse.gene_names[:3]))
    assert summarize(stages, sparse.results().info).sparse_lines == ()


def test_ordinary_counts_with_few_effects_get_no_sentence():
    study = cn.simulate.groups(genes=1500, fraction=0.01, effect_sd=2.0, rng=2)
    dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, quiet=True).deseq(quiet=True)
    found = dds.results()
    assert 0 < len(found.significant()) < 15
    assert summarize(found.table, found.info).sparse_lines == ()
