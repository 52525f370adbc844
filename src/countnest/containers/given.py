"""Advice on objects given instead of a table, such as the path of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from countnest.errors import counted, kind_of
from countnest.remedies import advised, option

__all__ = ["file_remedy", "mixed_up", "refused_kind"]

Wanted = Literal["counts", "samples"]

_FROM_R = (
    "only R reads it: there, write.csv(counts(dds), 'counts.csv') and write.csv(colData(dds), 'samples.csv'); here, "
    "cn.read_counts('counts.csv') and cn.read_samples('samples.csv')"
)
_READS = "it holds reads, which must be counted first, for example by featureCounts, htseq-count or STAR"
# What reads a file, by the end of its name; {path} is the path in quotes.
_READERS: dict[str, str] = {
    ".h5ad": "read it with cn.read_counts({path}) or anndata.read_h5ad({path}), and give what that returns",
    ".zarr": "read it with anndata.read_zarr({path}), and give what that returns",
    ".loom": "read it with anndata.io.read_loom({path}), and give what that returns",
    ".h5mu": "read it with mudata.read_h5mu({path}), and give one of its modalities",
    ".h5": "read a file of Cell Ranger with scanpy.read_10x_h5({path}), or take the array from h5py.File({path})",
    ".hdf5": "take the array from h5py.File({path})",
    ".xlsx": "read it with cn.read_counts({path}) or pd.read_excel({path}, index_col=0), or save it in Excel as 'CSV "
    "UTF-8'",
    ".rds": _FROM_R,
    ".mtx": "read its folder with scanpy.read_10x_mtx(...), or the matrix alone with scipy.io.mmread({path})",
    ".npy": "read it with np.load({path})",
    ".npz": "read it with scipy.sparse.load_npz({path})",
    ".parquet": "read it with cn.read_counts({path})",
    ".feather": "read it with pd.read_feather({path}), and set the labels as its index",
    ".pkl": "read it with pd.read_pickle({path})",
    ".gct": "read it with pd.read_csv({path}, sep='\\t', skiprows=2, index_col=0)",
    ".sf": "it is of one sample: cn.read_counts reads those of all samples, with the genes of the transcripts; or "
    "collect them by tximport, and use cn.dataset_from_tximport",
    ".bam": _READS,
    ".fastq": _READS,
    ".countnest": "it holds a data set: cn.load({path})",
}
# What to do with it in the shell; of other kinds the counts are written as text by a program that reads them.
_IN_THE_SHELL: dict[str, str] = {
    ".xlsx": "save it in Excel as 'CSV UTF-8'",
    ".rds": "only R reads it: there, write.csv(counts(dds), 'counts.csv') and write.csv(colData(dds), 'samples.csv'); "
    "then give these, --counts counts.csv --samples samples.csv",
    ".mtx": "give its folder, which has the files of genes and barcodes too",
    ".gct": "delete its first two lines",
    ".sf": "it is of one sample: give the files of all samples, --counts, and the genes of the transcripts, "
    "--transcripts",
    ".bam": _READS,
    ".fastq": _READS,
    ".countnest": "it holds a data set: ask it by countnest query",
}
_AS_TEXT = "write its counts as a comma-separated table with a program that reads it, and give that"
_ALIKE = {
    ".xls": ".xlsx", ".xlsm": ".xlsx", ".xlsb": ".xlsx", ".ods": ".xlsx", ".pickle": ".pkl", ".sam": ".bam",
    ".cram": ".bam", ".fq": ".fastq",
}  # fmt: skip
_PACKED = (".gz", ".bz2", ".xz", ".zst")


def file_remedy(path: str | os.PathLike[str]) -> str | None:
    """Return advice on reading a file whose name shows that it is not a text table; None for any other name."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in _PACKED]
    suffix = suffixes[-1] if suffixes else ""
    kind = _ALIKE.get(suffix, suffix)
    kind = ".rds" if kind in (".rda", ".rdata") else kind
    if kind not in _READERS:
        return None
    return advised(_READERS[kind].format(path=repr(os.fspath(path))), _IN_THE_SHELL.get(kind, _AS_TEXT))


def refused_kind(value: object, wanted: Wanted) -> str:
    """Describe an object given instead of a table, with advice, without the final full stop."""
    if isinstance(value, (str, os.PathLike)):
        return _of_path(value, wanted)
    if (
        isinstance(value, (Sequence, set, frozenset))
        and value
        and all(isinstance(v, (str, os.PathLike)) for v in value)
    ):
        return _of_paths([os.fspath(path) for path in value], wanted)
    what = f"{wanted} is of type {type(value).__name__}"
    if hasattr(value, "to_pandas"):
        return f"{what}; convert it with to_pandas(), and set the labels as its index"
    if isinstance(value, pd.Series):
        return f"{what}, one column; give a DataFrame, {wanted}.to_frame()"
    if isinstance(value, Mapping):
        return f"{what}; give pd.DataFrame(...) of it, with the labels in the index"
    if wanted == "counts":
        kinds = "give a pandas DataFrame, a NumPy array, a SciPy sparse matrix or an AnnData object"
        return f"{what}; {kinds}"
    return f"{what}; give a pandas DataFrame with one row for each sample, its labels in the index"


def _of_path(path: str | os.PathLike[str], wanted: Wanted) -> str:
    text = os.fspath(path)
    if text.lstrip().startswith("~") and not text.lstrip().startswith(("~/", "~\\")):
        return (
            f"{wanted} is the formula {text!r}; the design comes third: DESeqDataSet(counts, samples, design={text!r})"
        )
    what = f"{wanted} is the path {text!r}, not a table"
    remedy = file_remedy(path)
    if remedy is not None:
        return f"{what}; {remedy}"
    if Path(path).expanduser().is_dir():
        return (
            f"{what}, and that of a folder: read its files first, such as those of Cell Ranger by scanpy.read_10x_mtx"
        )
    return f"{what}; read the file with cn.read_{wanted}({text!r}), and give what that returns"


def _of_paths(paths: list[str], wanted: Wanted) -> str:
    what = f"{wanted} is {kind_of(paths)} of {counted(len(paths), 'path')}, not a table"
    remedy = file_remedy(paths[0])
    if remedy is not None:
        return f"{what}; of each, such as {paths[0]!r}: {remedy}"
    if wanted == "samples":
        return f"{what}; read the file with cn.read_samples({paths[0]!r}), and give what that returns"
    return (
        f"{what}; read the files of a program together, cn.read_counts(paths), those of htseq-count also with "
        "cn.dataset_from_htseq; join tables: pd.concat([cn.read_counts(path) for path in paths], axis=1)"
    )


def mixed_up(counts: object, samples: object) -> str | None:
    """Return the problem if counts and sample sheet are swapped, or are the same table; otherwise None."""
    if not isinstance(counts, pd.DataFrame) or not isinstance(samples, pd.DataFrame):
        return None
    columns, labels, names = _labels(counts.columns), _labels(samples.index), _labels(samples.columns)
    is_sheet = len(counts) > 0 and all(str(label) in names for label in counts.index)
    if is_sheet and labels.isdisjoint(_labels(counts.index) | columns):
        places = advised("DESeqDataSet(counts, samples, ...)", "--counts takes the counts, --samples the sheet")
        return f"the sample sheet was given as counts, and the counts as sample sheet: {places}."
    if names <= columns and _mostly(columns, names) and _mostly(labels, _labels(counts.index)):
        return (
            "the sample sheet has the rows and the columns of the counts, so one table was given twice, or another one "
            f"of the same kind. Give {option('counts')} the counts, genes by samples or samples by genes, and "
            f"{option('samples')} a table with one row for each sample and columns that describe it."
        )
    return None


def _labels(axis: pd.Index) -> set[str]:
    return {str(label) for label in axis}


def _mostly(some: set[str], others: set[str]) -> bool:
    """Return whether more than half of some labels are among others."""
    return 2 * len(some & others) > len(some)
