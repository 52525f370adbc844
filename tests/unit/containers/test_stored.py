"""Counts in files: every kind and orientation reads as the array in memory does."""

import copy
import gc
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import tables_in_files as files
from countnest.containers import source, stored
from countnest.containers.counts import count_data
from countnest.containers.matrix import Chosen, InMemory
from countnest.containers.stored import Stored
from countnest.errors import CountsError
from countnest.methods.chunks import Genes, over_genes
from countnest.parallel.run import Engine

N_GENES, N = 61, 12
RNG = np.random.default_rng(5)
VALUES = RNG.poisson(RNG.gamma(0.3, 30.0, (N_GENES, 1)), (N_GENES, N))
VALUES[7] = 0
VALUES[11, 3] = 60_000
GENES = pd.Index([f"g{i}" for i in range(N_GENES)])
SHEET = pd.DataFrame({"group": list("ab") * (N // 2)}, index=[f"s{j}" for j in range(N)])
CONVERSIONS = (np.asarray, sparse.csr_matrix, sparse.csc_matrix)
READS = (
    (slice(0, N_GENES), None),
    (slice(13, 29), None),
    (slice(5, 5), None),
    (slice(0, N_GENES), slice(0, N)),
    (slice(3, 50), slice(4, 7)),
    (slice(3, 50), slice(10, 12)),
    (slice(8, 30), np.arange(N) % 5 == 1),
    (np.array([0, 7, 8, 9, 22, 60]), None),
    (np.array([7, 8, 9]), slice(2, 12)),
    (np.array([1, 30, 59]), slice(0, 3)),
    (np.array([1, 30, 59]), np.arange(N) % 3 == 0),
    (np.array([], dtype=np.int64), None),
)


@pytest.fixture(params=["large slabs", "small slabs", "copies"])
def sizes(request, monkeypatch):
    """Slabs that hold everything, slabs of a few genes, and no slab that is small enough."""
    if request.param != "large slabs":
        monkeypatch.setattr(source, "PIECES", 500)
        monkeypatch.setattr(source, "STRETCHES", 700)
        monkeypatch.setattr(stored, "BAND", 2000)
    if request.param == "copies":
        monkeypatch.setattr(source, "TOO_MANY", 1)


def made(kind, folder, turned=False, values=VALUES):
    return count_data(kind(values.T if turned else values, folder), SHEET, genes=GENES).matrix


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("turned", [False, True], ids=["by genes", "by samples"])
@pytest.mark.parametrize("kind", files.ARRAYS)
def test_every_kind_reads_as_the_array(kind, turned, tmp_path):
    counts = made(kind, tmp_path, turned)
    array = InMemory(VALUES.astype(np.float64))
    assert isinstance(counts, Stored)
    assert counts.shape == array.shape
    for genes, samples in READS:
        found = counts.read(genes, samples)
        np.testing.assert_array_equal(found, array.read(genes, samples), strict=True)
        assert found.flags.c_contiguous
        assert found.flags.writeable
    np.testing.assert_array_equal(counts.whole(), array.whole(), strict=True)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("convert", CONVERSIONS)
def test_anndata_that_is_backed(convert, tmp_path):
    adata = files.backed(VALUES.T, tmp_path, SHEET, GENES, convert)
    data = count_data(adata)
    adata.file.close()
    assert isinstance(data.matrix, Stored)
    assert list(data.genes) == list(GENES)
    assert list(data.samples) == list(SHEET.index)
    np.testing.assert_array_equal(data.matrix.read(slice(9, 40)), VALUES[9:40])
    np.testing.assert_array_equal(data.counted, VALUES.any(axis=1))


def test_a_layer_that_is_in_a_file(tmp_path):
    anndata = pytest.importorskip("anndata")
    layers = {"raw": files.hdf5_in_pieces(VALUES.T, tmp_path)}
    adata = anndata.AnnData(X=VALUES.T / 3, obs=SHEET, var=pd.DataFrame(index=GENES), layers=layers)
    data = count_data(adata, layer="raw")
    assert isinstance(data.matrix, Stored)
    np.testing.assert_array_equal(data.counts, VALUES)


def test_a_table_over_a_file_brings_its_labels(tmp_path):
    frame = pd.DataFrame(files.memory_mapped(VALUES, tmp_path), index=GENES, columns=SHEET.index, copy=False)
    data = count_data(frame, SHEET.iloc[::-1])
    assert list(data.samples) == list(SHEET.index)
    np.testing.assert_array_equal(data.counts, VALUES)


@pytest.mark.parametrize("kind", ["copy on write", "backwards", "masked", "no file"])
def test_what_is_not_in_a_file_is_read_into_memory(kind, tmp_path):
    mapped = files.memory_mapped(VALUES[::-1] if kind == "backwards" else VALUES, tmp_path)
    if kind == "copy on write":
        mapped = np.load(tmp_path / "c.npy", mmap_mode="c")
        mapped[0, 0] += 1
    elif kind == "no file":
        with (tmp_path / "c.npy").open("rb") as file:
            unnamed = os.fdopen(os.dup(file.fileno()), "rb")
            mapped = np.memmap(unnamed, dtype=VALUES.dtype, mode="r", shape=VALUES.shape, offset=128)
            unnamed.close()
    given = {"backwards": mapped[::-1], "masked": np.ma.masked_array(mapped)}.get(kind, mapped)
    data = count_data(given, SHEET)
    assert isinstance(data.matrix, InMemory)
    np.testing.assert_array_equal(data.counts, np.asarray(given))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", files.ARRAYS)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-3.0, "1 count is negative, in 1 gene ('g40') and 1 sample ('s2'); for example gene 'g40', sample 's2': -3.0"),
        (0.5, "1 count is not whole, in 1 gene ('g40') and 1 sample ('s2'); for example gene 'g40', sample 's2': 0.5"),
        (np.nan, "1 count is missing (NaN), in 1 gene ('g40') and 1 sample ('s2')"),
    ],
)
def test_bad_values_are_named(kind, turned, value, words, tmp_path, monkeypatch):
    if kind in (files.raw_file, files.hdf5, files.zarr_array) and value != -3.0:
        pytest.skip("a type of whole numbers")
    if kind in (files.hdf5, files.zarr_array):
        pytest.skip("a type of positive numbers")
    monkeypatch.setattr(stored, "BAND", 2000)
    spoilt = VALUES.astype(np.float64)
    spoilt[40, 2] = value
    with pytest.raises(CountsError, match=re.escape(words)):
        made(kind, tmp_path, turned, spoilt)


def test_shapes_and_types_are_checked_as_those_of_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["flat"], file["text"] = np.arange(4), np.array([["a"]], dtype="S1")
        with pytest.raises(CountsError, match=re.escape("not empty; its shape is (4,)")):
            count_data(file["flat"], SHEET)
        with pytest.raises(CountsError, match="counts must be numbers"):
            count_data(file["text"], SHEET)


def test_a_working_copy_holds_what_the_file_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "BAND", 2000)
    for kind, largest in ((np.uint16, 65_535), (np.uint32, 2**32 - 1), (np.float32, 2**24), (np.float64, 2.0**52)):
        values = VALUES.astype(kind)
        values[-1, -1] = largest
        (folder := tmp_path / np.dtype(kind).name).mkdir()
        np.testing.assert_array_equal(made(files.compressed_rows, folder, turned=True, values=values).whole(), values)


def test_entries_that_stand_twice_are_added(tmp_path):
    h5py, anndata_io = pytest.importorskip("h5py"), pytest.importorskip("anndata.io")
    data = np.array([200, 100, 1, 2, 3], dtype=np.uint8)
    twice = sparse.csr_matrix((data, np.array([2, 2, 0, 1, 1]), np.array([0, 3, 5])), shape=(2, 3))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        anndata_io.write_elem(file, "X", twice)
    values = anndata_io.sparse_dataset(h5py.File(tmp_path / "x.h5", "r")["X"])
    for orientation in ("samples_by_genes", "genes_by_samples"):
        sheet = pd.DataFrame(index=range(2 if orientation == "samples_by_genes" else 3))
        found = count_data(values, sheet, orientation=orientation).counts
        np.testing.assert_array_equal(found, count_data(twice, sheet, orientation=orientation).counts)
    assert found.max() == 300


def test_a_working_copy_is_announced_and_goes_with_the_counts(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with caplog.at_level(logging.INFO, logger="countnest"):
        counts = made(files.compressed_rows, tmp_path, turned=True)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert f"stored by samples: they are copied, by genes, to {tmp_path / 'temporary'}" in caplog.text
    (folder,) = (tmp_path / "temporary").iterdir()
    part, another = counts.part(np.arange(3, 9)), copy.deepcopy(counts)
    sent = pickle.loads(pickle.dumps(counts))
    del sent, counts
    gc.collect()
    np.testing.assert_array_equal(another.whole(), VALUES)
    del another
    gc.collect()
    np.testing.assert_array_equal(part.whole(), VALUES[3:9])
    assert folder.exists()
    del part
    gc.collect()
    assert not folder.exists()


def test_a_working_copy_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(CountsError, match=r"takes 1 MB of the disk .* Set \$TMPDIR .* as CSC"):
        made(files.compressed_rows, tmp_path, turned=True)
    gc.collect()
    assert not list(tmp_path.glob("countnest-*"))


def test_all_at_once_only_where_the_memory_holds_them(tmp_path, monkeypatch):
    counts = made(files.memory_mapped, tmp_path)
    monkeypatch.setattr(stored, "available_memory", lambda: 8.0 * VALUES.size)
    np.testing.assert_array_equal(counts.whole(), VALUES)
    monkeypatch.setattr(stored, "available_memory", lambda: 8.0 * VALUES.size - 1)
    with pytest.raises(CountsError, match=r"c.npy.*all of them at once take 1 MB .* need all of them"):
        counts.whole()
    monkeypatch.setattr(stored, "available_memory", lambda: None)
    np.testing.assert_array_equal(counts.whole(), VALUES)


@pytest.mark.parametrize("kind", [files.memory_mapped, files.hdf5, files.zarr_array, files.compressed_rows])
def test_a_file_that_has_gone_or_changed(kind, tmp_path):
    sent = pickle.dumps(made(kind, tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    kind(VALUES[:10].copy(), other)
    names = {path.name for path in other.iterdir()}
    for name in names:
        (tmp_path / name).rename(tmp_path / f"old {name}")
    stored._STORED = type(stored._STORED)(2)
    for _ in range(2):  # the second time as the first
        with pytest.raises(CountsError, match=r"which cannot be read: .* must not be changed or moved"):
            pickle.loads(sent).read(slice(0, 1))
    if kind is files.compressed_rows:
        return  # of another length, which its three arrays show
    for name in names:
        (other / name).rename(tmp_path / name)
    with pytest.raises(CountsError, match=r"which cannot be read: it (now holds an array of shape|is shorter)"):
        pickle.loads(sent).read(slice(0, 1))


def test_a_slab_is_read_once_by_all_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PIECES", 8 * 4 * N)
    read = []
    original = source._OpenDense.slab

    def slab(self, genes, samples):
        read.append(genes.start)
        return original(self, genes, samples)

    monkeypatch.setattr(source._OpenDense, "slab", slab)
    counts = made(files.hdf5_in_pieces, tmp_path)
    everything = list(range(0, N_GENES, 4))
    assert read == everything  # when counts are checked
    read.clear()
    start, found = threading.Barrier(4, timeout=60), {}

    def work(number):
        found[number] = []
        for gene in range(N_GENES):
            start.wait()
            found[number].append(counts.read(slice(gene, gene + 1)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found.values():
        np.testing.assert_array_equal(np.concatenate(each), VALUES)
    assert read == everything


def test_few_samples_are_read_alone(tmp_path, monkeypatch):
    read = []
    original = source._OpenDense.slab

    def slab(self, genes, samples):
        read.append((samples.start, samples.stop))
        return original(self, genes, samples)

    monkeypatch.setattr(source._OpenDense, "slab", slab)
    counts = made(files.hdf5_in_pieces, tmp_path)
    read.clear()
    counts.read(slice(0, 9), slice(4, 5))
    counts.read(slice(9, 20), slice(4, 5))
    counts.read(np.array([3, 5]), slice(3, 7))
    counts.read(slice(0, 9), slice(1, 8))
    assert read == [(3, 6), (3, 9)]  # whole pieces; from half of the samples on, the slab that is there


def test_selected_genes_are_small_to_send(tmp_path):
    counts = made(files.memory_mapped, tmp_path)
    part = counts.part(np.arange(10, 50))
    assert isinstance(part, Chosen)
    assert part.genes == slice(10, 50)
    assert part.shape == (40, N)
    assert len(pickle.dumps(part)) < 1000
    np.testing.assert_array_equal(part.read(slice(3, 8), slice(2, 5)), VALUES[13:18, 2:5])
    np.testing.assert_array_equal(part.read(np.array([0, 4, 39])), VALUES[[10, 14, 49]])
    np.testing.assert_array_equal(part.part(np.array([1, 3])).whole(), VALUES[[11, 13]])
    np.testing.assert_array_equal(counts.part(np.array([2, 60])).whole(), VALUES[[2, 60]])


def _sums(chunk):
    return np.column_stack([chunk.counts.sum(axis=1), chunk.counts.max(axis=1)])


@pytest.mark.parametrize("kind", files.ARRAYS)
def test_chunks_on_threads(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PIECES", 500)
    monkeypatch.setattr(source, "STRETCHES", 500)
    genes = Genes(made(kind, tmp_path, turned=True), np.ones((1, N)))
    found = over_genes(_sums, genes, engine=Engine(n_threads=2, chunk_size=3))
    np.testing.assert_array_equal(found, np.column_stack([VALUES.sum(axis=1), VALUES.max(axis=1)]))


ELSEWHERE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    sent = pickle.load(file)
for name, part in sent.items():
    print(name, *part.whole().sum(axis=1).astype(int))
"""


def test_another_process_reads_the_files(tmp_path):
    kept, sent = [], {}
    for kind in files.ARRAYS:
        for turned in (False, True):
            folder = tmp_path / f"{kind.__name__}{turned}"
            folder.mkdir()
            kept.append(made(kind, folder, turned))
            sent[f"{kind.__name__}{turned}"] = kept[-1].part(np.arange(20, 27))
    (tmp_path / "sent.pickle").write_bytes(pickle.dumps(sent))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(stored.__file__).parents[2]), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, tmp_path / "sent.pickle"],
        env=environment, capture_output=True, text=True, check=True, cwd=tmp_path / "memory_mappedTrue",
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert len(lines) == len(sent)
    assert run.stderr == ""
    for name, line in zip(sent, lines, strict=True):
        assert line.split() == [name, *map(str, VALUES[20:27].sum(axis=1))]
    for counts in kept:  # the other process has removed nothing
        np.testing.assert_array_equal(counts.whole(), VALUES)


def test_zarr_of_a_relative_path(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    files.zarr_array(VALUES, tmp_path)
    monkeypatch.chdir(tmp_path)
    given = zarr.open_array(store="a.zarr", mode="r")
    counts = count_data(given, SHEET, genes=GENES).matrix
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(counts)).whole(), VALUES)


def test_zarr_in_memory():
    zarr = pytest.importorskip("zarr")
    store = pytest.importorskip("zarr.storage").MemoryStore()
    made_here = zarr.open_array(store=store, mode="w", shape=VALUES.shape, chunks=(5, 5), dtype="int32")
    made_here[:] = VALUES
    np.testing.assert_array_equal(count_data(made_here, SHEET).counts, VALUES)


PEAK = """
import resource, sys
import h5py, numpy as np, pandas as pd, scipy.sparse
from countnest.containers.counts import count_data
from countnest.parallel.run import Engine
from countnest.methods.chunks import Genes, over_genes

def total(chunk):
    return chunk.counts.sum(axis=1)

with h5py.File(sys.argv[1], "r") as file:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = count_data(file["x"], pd.DataFrame(index=range(1000))).matrix
    sums = over_genes(total, Genes(counts, np.ones((1, 1000))), engine=Engine(n_threads=2))
    few = counts.read(slice(0, 40_000), slice(0, 5))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, int(sums.sum()), int(few.sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kilobytes are those of Linux")
def test_memory_stays_that_of_the_slabs(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = (np.arange(40_000 * 1000, dtype=np.uint32) % 997).astype(np.uint16).reshape(40_000, 1000)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=(250, 250))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(stored.__file__).parents[2]), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "x.h5"], env=environment, capture_output=True, text=True, check=True
    )
    peak, total, few = map(int, run.stdout.split())
    assert (total, few) == (values.sum(), values[:, :5].sum())
    assert peak < 220_000  # kilobytes; the array in memory has 320 MB
