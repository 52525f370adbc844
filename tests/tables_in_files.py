"""Tables in files of every kind, for tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse


def memory_mapped(values, folder):
    np.save(folder / "c.npy", values)
    return np.load(folder / "c.npy", mmap_mode="r")


def memory_mapped_by_columns(values, folder):
    np.save(folder / "f.npy", np.asfortranarray(values))
    return np.load(folder / "f.npy", mmap_mode="r")


def raw_file(values, folder):
    with (folder / "raw.bin").open("wb") as file:
        file.write(b"head" + values.astype(">i4").tobytes())
    return np.memmap(folder / "raw.bin", dtype=">i4", mode="r", offset=4, shape=values.shape)


def view(values, folder):
    rows, columns = values.shape
    around = np.full((rows + 5, 2 * columns + 3), 9.5, dtype=np.float32)
    around[2 : rows + 2, 1 : 2 * columns + 1 : 2] = values
    np.save(folder / "around.npy", around)
    return np.asarray(np.load(folder / "around.npy", mmap_mode="r"))[2 : rows + 2, 1 : 2 * columns + 1 : 2]


def hdf5(values, folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file["raw/counts"] = values.astype(np.uint32)
    return h5py.File(folder / "a.h5", "r")["raw/counts"]


def hdf5_in_pieces(values, folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "b.h5", "w") as file:
        file.create_dataset("counts", data=values, chunks=(4, 3), compression="gzip", shuffle=True)
    return h5py.File(folder / "b.h5", "r")["counts"]


def zarr_array(values, folder):
    zarr = pytest.importorskip("zarr")
    made = zarr.open_array(store=str(folder / "a.zarr"), mode="w", shape=values.shape, chunks=(3, 4), dtype="uint16")
    made[:] = values
    return zarr.open_array(store=str(folder / "a.zarr"), mode="r")


def zarr_in_a_group(values, folder):
    zarr = pytest.importorskip("zarr")
    store = str(folder / "g.zarr")
    made = zarr.open_array(
        store=store, path="layers/counts", mode="w", shape=values.shape, chunks=values.shape, dtype="float64"
    )
    made[:] = values
    return zarr.open_array(store=store, path="layers/counts", mode="r")


def _sparse_dataset(values, folder):
    anndata_io = pytest.importorskip("anndata.io")
    h5py = pytest.importorskip("h5py")
    path = folder / f"{values.format}.h5"
    with h5py.File(path, "w") as file:
        anndata_io.write_elem(file, "X", values)
    return anndata_io.sparse_dataset(h5py.File(path, "r")["X"])


def compressed_rows(values, folder):
    return _sparse_dataset(sparse.csr_matrix(values), folder)


def compressed_columns(values, folder):
    return _sparse_dataset(sparse.csc_matrix(values.astype(np.float32)), folder)


ARRAYS = (
    memory_mapped,
    memory_mapped_by_columns,
    raw_file,
    view,
    hdf5,
    hdf5_in_pieces,
    zarr_array,
    zarr_in_a_group,
    compressed_rows,
    compressed_columns,
)


def backed(values, folder, sheet, genes, convert=np.asarray, **options):
    """Return an AnnData object, samples x genes, that is backed by a file."""
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(X=convert(values), obs=sheet, var=pd.DataFrame(index=genes))
    path = folder / f"{convert.__name__}.h5ad"
    adata.write_h5ad(path, **options)
    return anndata.read_h5ad(path, backed="r")
