"""An analysis of counts that stay in a file is that of the array, to the last bit."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
import tables_in_files as files
from countnest.containers import source, stored
from countnest.containers.stored import Stored
from countnest.errors import CountsError
from countnest.methods import chunks

N_GENES, N = 120, 16


@pytest.fixture(scope="module")
def study():
    """Counts with empty genes and outliers, and the sheet."""
    rng = np.random.default_rng(3)
    base = np.exp(rng.uniform(1.0, 7.0, N_GENES))[:, np.newaxis]
    mu = base * np.where(rng.random((N_GENES, 1)) < 0.3, np.repeat([1.0, 3.0], N // 2), 1.0) * rng.uniform(0.7, 1.5, N)
    values = rng.negative_binomial(5.0, 5.0 / (5.0 + mu))
    values[:3] = 0
    values[10:14, 2] += 40_000
    sheet = pd.DataFrame(
        {"batch": np.tile(["x", "y"], N // 2), "group": np.repeat(["a", "b"], N // 2)},
        index=[f"s{j}" for j in range(N)],
    )
    return values, sheet


def fitted(counts, study, n_threads=1):
    dds = cn.DESeqDataSet(counts, study[1], design="~ batch + group")
    return dds.deseq(min_replicates_for_replace=3, n_threads=n_threads, quiet=True)


@pytest.fixture(scope="module")
def expected(study):
    dds = fitted(study[0], study)
    assert "outliers replaced in" in repr(dds)
    return dds


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.results().table, expected.results().table, check_exact=True)
    pd.testing.assert_frame_equal(found.genes, expected.genes, check_exact=True)
    pd.testing.assert_series_equal(found.size_factors, expected.size_factors, check_exact=True)
    for replaced in (False, True):
        tables = (dds.counts(normalized=True, replaced=replaced) for dds in (found, expected))
        pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.parametrize("turned", [False, True], ids=["by genes", "by samples"])
@pytest.mark.parametrize("kind", files.ARRAYS)
def test_the_numbers_are_those_of_the_array(kind, turned, study, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PIECES", 1500)
    monkeypatch.setattr(source, "STRETCHES", 1500)
    monkeypatch.setattr(stored, "BAND", 3000)
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 7 * N)
    monkeypatch.setattr(Stored, "gathered_cells", 4 * N_GENES)  # some samples at a time
    values = study[0].T if turned else study[0]
    found = fitted(kind(values, tmp_path), study, n_threads=2)
    assert isinstance(found._data.matrix, Stored)
    assert_same(found, expected)


def test_too_large_for_the_memory(study, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "available_memory", lambda: 1000.0)
    dds = fitted(files.memory_mapped(study[0], tmp_path), study)
    pd.testing.assert_frame_equal(dds.results().table, expected.results().table, check_exact=True)
    for ask in (dds.counts, lambda: cn.save(dds, tmp_path / "saved.countnest")):
        with pytest.raises(CountsError, match=r"c\.npy.* all of them at once"):
            ask()
    assert not (tmp_path / "saved.countnest").exists()


def test_saved_counts_need_the_file_no_more(study, expected, tmp_path):
    dds = fitted(files.memory_mapped(study[0], tmp_path), study)
    cn.save(dds, tmp_path / "saved.countnest")
    (tmp_path / "c.npy").rename(tmp_path / "gone.npy")
    assert_same(cn.load(tmp_path / "saved.countnest"), expected)


@pytest.mark.parametrize("kind", [files.memory_mapped, files.hdf5_in_pieces, files.zarr_array, files.compressed_rows])
def test_workers_read_the_file(kind, study, expected, tmp_path):
    joblib = pytest.importorskip("joblib")
    dds = cn.DESeqDataSet(kind(study[0].T, tmp_path), study[1], design="~ batch + group")
    with joblib.parallel_config(backend="loky", n_jobs=2):
        dds.deseq(min_replicates_for_replace=3, n_threads=1, quiet=True)
    assert_same(dds, expected)
