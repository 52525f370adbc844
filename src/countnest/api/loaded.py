"""Checks that the parts of a file belong together: labels and tables to the counts, estimates to both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.errors import FileError
from countnest.files import FilePath
from countnest.methods.deseq2.fit import StoredDESeq2Fit
from countnest.methods.deseq2.validity import wrong_in
from countnest.methods.fit import STORED
from countnest.methods.stage import Normalized

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["check_parts", "check_state"]

OPTIONS = {"design", "reference", "levels", "blocks", "numeric_ok", "same_as"}
LATER = {"levels"}  # files of earlier versions lack them


def check_parts(data: Mapping[str, object], options: Mapping[str, object], path: FilePath) -> None:
    """Raise `FileError` unless labels and tables have the size of the counts."""
    counts = data["counts"]
    if not isinstance(counts, np.ndarray) or counts.ndim != 2:
        raise _misfit(path, "its counts are no table")
    n_genes, n = counts.shape
    for name, kind, rows in (
        ("genes", pd.Index, n_genes),
        ("gene_info", pd.DataFrame, n_genes),
        ("samples", pd.Index, n),
        ("sheet", pd.DataFrame, n),
    ):
        held = data.get(name)
        optional = held is None and name == "gene_info"
        if not optional and not (isinstance(held, kind) and len(held) == rows):
            raise _misfit(path, f"'{name}' does not belong to counts of {n_genes} genes and {n} samples")
    if set(options) | LATER != OPTIONS:
        raise _misfit(path, f"its options are {sorted(options)}")


def check_state(dds: DESeqDataSet, path: FilePath) -> None:
    """Raise `FileError` unless what was given and estimated belongs to the counts."""
    shape, state = dds._data.shape, dds._state
    given = shape if dds._given_by_gene is True else (1, shape[1])
    for name, expected in (("_given", given), ("_weights", shape), ("_lengths", shape)):
        values = getattr(dds, name)
        fits = isinstance(values, np.ndarray) and values.dtype == np.float64 and values.shape == expected
        if values is not None and not (fits and np.isfinite(values).all() and (values >= 0).all()):
            raise _misfit(path, f"'{name}' does not belong to counts of the shape {shape}")
    flags = (dds._given_by_gene, dds._factors_estimated)
    if not all(isinstance(flag, bool) for flag in flags) or not isinstance(dds._numeric_ok, tuple):
        raise _misfit(path, "its options are of another type")
    if state is not None:
        _check_analysis(dds, state, path)
    _check_fits(dds, path)


def _check_fits(dds: DESeqDataSet, path: FilePath) -> None:
    """Check the fits that were kept or added."""
    if not isinstance(dds._fits, dict) or not all(isinstance(name, str) for name in dds._fits):
        raise _misfit(path, "its fits are of another type")
    for name, fit in dds._fits.items():
        if not isinstance(fit, (StoredDESeq2Fit, *STORED)):
            raise _misfit(path, f"the fit '{name}' is of another type")
        wrong = fit.misfits(dds._data, dds._design)
        if wrong:
            raise _misfit(path, f"the fit '{name}': {wrong[0]}")


def _check_analysis(dds: DESeqDataSet, state: object, path: FilePath) -> None:
    if not isinstance(state, Normalized):
        raise _misfit(path, "its estimates are of another type")
    wrong = wrong_in(state, dds._data, dds._design, dds._engine_aside())
    if wrong:
        raise _misfit(path, wrong[0])


def _misfit(path: FilePath, why: str) -> FileError:
    return FileError(f"'{path}' does not hold a data set: {why}. Save the data set again.")
