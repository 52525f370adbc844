"""The same bits from threads, from processes and from a dask cluster."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.stored import Stored
from countnest.errors import CountnestWarning
from countnest.methods.chunks import Genes
from countnest.options import ShrinkType
from countnest.parallel.pool import active_pool

joblib = pytest.importorskip("joblib")

N = 16


@pytest.fixture(scope="module")
def study():
    """Return counts with outliers, and the sample sheet."""
    example = cn.make_example_dataset(400, N, beta_sd=1.0, seed=5)
    counts = example.counts()
    rng = np.random.default_rng(1)
    for gene in range(0, 60, 3):
        counts.iloc[gene, rng.integers(N)] += 20_000
    counts.iloc[7] = 0
    dose = np.linspace(0.0, 0.1, N)  # so small that its coefficients would be beyond the bound
    counts.iloc[10] = np.round(5.0 * np.exp(45.0 * dose)).astype(np.int64)
    counts.iloc[13] = [400, 1, *[0] * (N - 2)]  # a gene that IRLS loses
    return counts, example.samples.assign(dose=dose)


def tables(counts, sheet):
    """Return everything that depends on counts, from the counts to shrunken fold changes."""
    dds = cn.DESeqDataSet(counts, sheet, design="~ dose + condition").deseq(quiet=True)
    assert dds.genes["betaIter"].iloc[13] == 100
    lrt = cn.DESeqDataSet(counts, sheet, design="~ condition").deseq(quiet=True, test="LRT", reduced="~ 1")
    assert lrt._fitted().replacement is not None
    sparse = cn.DESeqDataSet(counts, sheet, design="~ condition").deseq(quiet=True, min_replicates_for_replace=np.inf)
    assert sparse._fitted().fit.optimized.any()
    prior = cn.DESeqDataSet(counts, sheet, design="~ condition").deseq(quiet=True, beta_prior=True)
    kind: ShrinkType = "apeglm"
    return {
        "genes": dds.genes,
        "size factors": dds.size_factors.to_frame(),
        "cooks": dds.cooks(),
        "mu": dds.mu(),
        "results": dds.results().table,
        "model outliers": dds.results(outliers="model").table,
        "query": dds.query("condition[B - A]").test(kind="lrt").table,
        "averaged": dds.query("condition[B - A]").test("averaged", confint=0.9).table,
        "averaged, threshold": dds.query("condition[B - A]").test("averaged", lfc_threshold=0.5).table,
        "averaged, joint": dds.contrast([[0, 1, 0], [0, 0, 1]]).test("averaged", joint=True).table,
        "averaged, sparse": sparse.results(test="averaged").table,
        "found": cn.find_outliers(dds),
        "shrunken": cn.lfc_shrink(dds, coef="condition_B_vs_A", type=kind, quiet=True).table,
        "lrt": lrt.results().table,
        "prior": prior.results().table,
        "sparse": sparse.query("condition[B - A]").test(kind="lrt").table,
    }


@pytest.fixture(scope="module")
def expected(study):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        return tables(*study)


def assert_the_same(found, expected):
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, check_exact=True, obj=name)


@pytest.mark.filterwarnings("ignore::countnest.CountnestWarning")
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib(study, expected, backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert active_pool().n_workers == 2
        assert_the_same(tables(*study), expected)


@pytest.fixture(scope="module")
def in_a_file(study, tmp_path_factory):
    """Return the same counts as a memory-mapped array, with labels."""
    counts, _ = study
    path = tmp_path_factory.mktemp("counts") / "counts.npy"
    np.save(path, counts.to_numpy(np.uint32))
    return pd.DataFrame(np.load(path, mmap_mode="r"), index=counts.index, columns=counts.columns, copy=False)


def test_counts_in_a_file_do_not_travel(study, in_a_file):
    data = cn.DESeqDataSet(in_a_file, study[1], design="~ condition")._data
    assert isinstance(data.matrix, Stored)
    sent = pickle.dumps(Genes(data.matrix, np.ones((1, N))).part(slice(100, 200)))
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).counts.whole(), in_a_file.iloc[100:200])


@pytest.mark.filterwarnings("ignore")
def test_dask(study, in_a_file, expected):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert active_pool().n_workers == 2
        assert_the_same(tables(in_a_file, study[1]), expected)


def test_without_a_backend_there_is_no_pool():
    assert active_pool() is None
    with joblib.parallel_config(n_jobs=1):
        assert active_pool() is None
