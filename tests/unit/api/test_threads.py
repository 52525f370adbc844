"""The number of threads belongs to the data set: everything that it does afterwards uses it."""

import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from countnest.methods import chunks
from countnest.parallel import run
from unit.api.simulated import study

FUNCTIONS = {
    "results": lambda dds: dds.results(),
    "results, model": lambda dds: dds.results(outliers="model"),
    "question": lambda dds: dds.effect("group").test(),
    "likelihood ratio": lambda dds: dds.effect("group").test("lrt"),
    "averaged": lambda dds: dds.effect("group").test("averaged", lfc_threshold=0.5, confint=0.9),
    "joint": lambda dds: dds.contrast([[0, 0, 1, 0], [0, 0, 0, 1]]).test(joint=True),
    "apeglm": lambda dds: cn.lfc_shrink(dds, quiet=True),
    "normal": lambda dds: cn.lfc_shrink(dds, contrast=("group", "b", "a"), type="normal", quiet=True),
    "vst": lambda dds: cn.vst(dds, nsub=100, quiet=True),
    "rlog": lambda dds: cn.rlog(dds, quiet=True),
    "cooks": lambda dds: dds.cooks(),
    "mu": lambda dds: dds.mu(),
    "covariance": lambda dds: cn.covariance(dds, list(dds.gene_names)),
    "predict": lambda dds: cn.predict(dds, dds.samples.iloc[-1:]),
    "residuals": lambda dds: cn.residuals(dds),
    "find_outliers": lambda dds: cn.find_outliers(dds),
    "next step": lambda dds: dds.estimate_dispersions(quiet=True),
}


@pytest.fixture
def used(monkeypatch):
    """Return a list of the numbers of threads that were at work, one for each piece of work of several blocks."""
    seen = []
    work, on_threads = run._work, run._on_threads

    def alone(*arguments):
        seen.append(1)
        return work(*arguments)

    def together(n_threads, *arguments):
        seen.append(n_threads)
        monkeypatch.setattr(run, "_work", work)
        try:
            return on_threads(n_threads, *arguments)
        finally:
            monkeypatch.setattr(run, "_work", alone)

    monkeypatch.setenv("COUNTNEST_NUM_THREADS", "7")  # for code that does not ask the data set
    monkeypatch.setattr(run, "_work", alone)
    monkeypatch.setattr(run, "_on_threads", together)
    monkeypatch.setattr(chunks, "FIRST_CHUNK_SIZE", 1)  # small studies are one block otherwise
    return seen


def test_everything_afterwards_has_the_threads_of_deseq(used):
    for n_threads in (1, 3):
        dds = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(n_threads=n_threads, quiet=True)
        assert max(used) == n_threads
        for name, function in FUNCTIONS.items():
            used.clear()
            function(dds)
            assert max(used, default=0) == n_threads, name


def test_threads_of_the_data_set_hold_from_the_start(used):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group", n_threads=3).deseq(quiet=True)
    dds.results()
    assert max(used) == 3
    used.clear()
    cn.lfc_shrink(dds, n_threads=2, quiet=True)  # a function that changes nothing keeps its threads to itself
    assert max(used) == 2
    assert dds.n_threads == 3


def test_the_last_step_decides_and_none_is_the_default(monkeypatch):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group")
    assert dds.n_threads is None
    assert dds.estimate_size_factors().estimate_dispersions(n_threads=2, quiet=True).n_threads == 2
    assert dds.nbinom_wald_test(quiet=True).n_threads == 2
    with pytest.raises(OptionError):
        dds.deseq(n_threads=3, fit_type="none", quiet=True)
    assert dds.n_threads == 2  # a step that fails changes nothing
    dds.n_threads = None
    monkeypatch.setenv("COUNTNEST_NUM_THREADS", "5")
    assert dds._engine_aside().threads == 5
    for value in (0, 1.5, "2"):
        with pytest.raises(OptionError, match="n_threads"):
            dds.n_threads = value
        with pytest.raises(OptionError, match="n_threads"):
            cn.DESeqDataSet(*study(), design="~ batch + group", n_threads=value)


def test_sums_of_replicates_inherit_them_and_files_do_not(tmp_path):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group", n_threads=3)
    sums = cn.collapse_replicates(dds, pd.Series([f"s{i}" for i in range(len(dds.samples))], index=dds.samples.index))
    assert sums.n_threads == 3
    cn.save(dds, tmp_path / "d.countnest")
    assert cn.load(tmp_path / "d.countnest").n_threads is None
