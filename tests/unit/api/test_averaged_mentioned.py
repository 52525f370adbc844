"""An analysis that takes dispersions as known mentions the averaged test, where there are few samples, and once."""

import numpy as np
import pytest

import countnest as cn
from countnest.remedies import in_the_shell

WALD = "with few samples (4 residual degrees of freedom) Wald tests often exceed their false discovery rate"
LRT = WALD.replace("Wald", "likelihood ratio")


def drawn(sizes=(3, 3), design="~ group"):
    study = cn.simulate.groups(genes=120, sizes=sizes, rng=1)
    samples = study.samples.assign(batch=np.resize(["x", "y"], len(study.samples)))
    return cn.DESeqDataSet(study.counts, samples, design=design, reference=study.reference, quiet=True)


@pytest.fixture
def told(capsys):
    """Return a function that gives the notes on the averaged test since the last call."""

    def notes():
        return [line for line in capsys.readouterr().err.splitlines() if "averaged" in line]

    return notes


def test_once_for_a_data_set(told):
    dds = drawn()
    cn.DESeq(dds)
    (line,) = told()
    assert line.startswith(f"-- note: {WALD}")
    assert line.endswith("; results(test='averaged') keeps it")
    cn.DESeq(dds)
    dds.nbinom_wald_test()
    cn.DESeq(dds.copy())
    dds.results()
    assert told() == []
    cn.DESeq(drawn())
    assert len(told()) == 1


def test_the_steps_one_by_one_mention_it_too(told):
    dds = drawn().estimate_size_factors().estimate_dispersions()
    assert told() == []
    dds.nbinom_wald_test()
    assert len(told()) == 1


def test_a_quiet_call_shows_nothing(told):
    cn.DESeq(drawn(), quiet=True)
    assert told() == []


def test_the_call_asks_what_the_likelihood_ratio_test_asks(told):
    dds = drawn(design="~ batch + group")
    cn.DESeq(dds, test="LRT", reduced="~ group")
    (line,) = told()
    assert line.startswith(f"-- note: {LRT.replace('4', '3')}")
    call = line.split("; ")[1].removesuffix(" keeps it")
    assert call == "results(name='batch_y_vs_x', test='averaged')"
    found = eval(f"dds.{call}", {"dds": dds})
    assert found.info.label == "batch y vs x"
    with in_the_shell():
        cn.DESeq(drawn(design="~ batch + group"), test="LRT", reduced="~ group")
    assert told()[0].endswith("; --name batch_y_vs_x --test averaged keeps it")


def test_several_coefficients_take_a_joint_query(told):
    dds = drawn((2, 2, 2), design="~ group")
    cn.DESeq(dds, test="LRT", reduced="~ 1")
    call = told()[0].split("; ")[1].removesuffix(" keeps it")
    assert call == "dds.query('joint(group[reference])').test('averaged')"
    found = eval(call, {"dds": dds})
    assert found.info.test == "averaged LRT"
    with in_the_shell():
        cn.DESeq(drawn((2, 2, 2)), test="LRT", reduced="~ 1")
    assert told()[0].endswith("; --query 'joint(group[reference])' --query-test averaged keeps it")


def test_a_joint_query_that_takes_more_is_not_spelled_out(told):
    cn.DESeq(drawn(design="~ batch + group"), test="LRT", reduced="~ 1")
    assert told()[0].endswith("; a joint query with test('averaged') keeps it")


def test_the_shell_gets_its_own_option(told):
    with in_the_shell():
        cn.DESeq(drawn())
    assert told()[0].endswith("; --test averaged keeps it")


def test_it_is_not_mentioned_where_it_does_not_help(told):
    cn.DESeq(drawn((12, 11)))  # 21 residual degrees of freedom
    cn.DESeq(drawn(), test="averaged")
    cn.DESeq(drawn(), use_t=True)
    cn.DESeq(drawn(), beta_prior=True)
    cn.DESeq(drawn(), sharing="gene_est_only")
    given = drawn().estimate_size_factors()
    given.dispersions = np.full(len(given), 0.1)
    given.nbinom_wald_test()
    assert told() == []
    cn.DESeq(drawn((11, 11)))
    assert len(told()) == 1


def test_the_numbers_are_those_of_the_test_that_was_run():
    plain, averaged = drawn(), drawn()
    cn.DESeq(plain, quiet=True)
    cn.DESeq(averaged, test="averaged", quiet=True)
    assert plain.results().info.test == "Wald"
    assert plain.results().table.equals(averaged.results(test="Wald").table)
