"""Data sets in files: saved with all estimates, and loaded again."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from countnest.api.dataset import require_data_set
from countnest.api.deseq2 import DESeqDataSet
from countnest.api.loaded import check_parts, check_state
from countnest.api.redesign import usable_options
from countnest.errors import CountnestWarning, FileError, listing
from countnest.files import FilePath
from countnest.io.archive import UNREADABLE, read_archive, write_archive
from countnest.methods import fit
from countnest.methods.deseq2.fit import StoredDESeq2Fit
from countnest.methods.deseq2.stages import Dispersed, Fitted
from countnest.methods.edger.fit import StoredEdgeR
from countnest.methods.limma.fit import StoredLimmaFit
from countnest.methods.mixed.counts import StoredCountMixed
from countnest.methods.mixed.linear import StoredLinearMixed
from countnest.methods.mixed.posterior import StoredPosterior
from countnest.methods.mixed.quasi import StoredQuasiMixed
from countnest.methods.stage import Normalized
from countnest.signature import checked_arguments

__all__ = ["load", "save"]

# Records that a file of a data set can hold, with the types of their fields.
RECORDS = (
    Normalized,
    Dispersed,
    Fitted,
    StoredDESeq2Fit,
    StoredEdgeR,
    StoredLimmaFit,
    StoredLinearMixed,
    StoredCountMixed,
    StoredQuasiMixed,
    StoredPosterior,
)
# Attributes of a data set that a file holds as they are; data, design and layout are built again from these.
HELD = ("_numeric_ok", "_weights", "_given", "_given_by_gene", "_factors_estimated", "_lengths", "_state", "_fits")
# The model matrix that a formula gives may differ in the last bits where it was computed by another version of NumPy.
TOLERANCE = 1e-9
CONTENT = {"data", "options", "matrix", "names", "state", "truth"}


@checked_arguments
def save(dds: DESeqDataSet, path: FilePath) -> None:
    """Save a data set with everything that was estimated.

    Parameters
    ----------
    dds
        A data set, fitted or not.
    path
        The file; it appears whole or not at all. The ending is up to you, such as `.countnest`.

    Raises
    ------
    FileError
        The file cannot be written; or the data set has something that a file cannot hold, such as a dispersion trend
        that is a function of yours.

    Notes
    -----
    Tables made after loading are the same to the last bit. The `truth` of an example data set is saved with it. The
    file holds no code. R counterpart: base::saveRDS.

    Examples
    --------
    >>> save(dds, "airway.countnest")  # doctest: +SKIP
    >>> dds = load("airway.countnest")  # doctest: +SKIP
    """
    require_data_set(dds, "save")
    data, options = dds._data, dds._design_options
    empty = data.samples[np.flatnonzero(data.counts.max(axis=0) == 0)]
    if len(empty):  # a part of a data set can be so, but none can be made of it
        raise FileError(f"a data set without any count in {listing(empty)} cannot be saved; choose more genes.")
    content = {
        "data": {name: getattr(data, name) for name in ("counts", "genes", "samples", "sheet", "gene_info")},
        "options": options,
        "matrix": dds.design.matrix,
        "names": dds.design.names,
        "state": {name: getattr(dds, name) for name in HELD},
    }
    if dds.truth is not None:
        content["truth"] = dds.truth
    write_archive(content, path, (*RECORDS, *fit.STORED))


@checked_arguments
def load(path: FilePath) -> DESeqDataSet:
    """Return the data set that `save` wrote.

    Raises
    ------
    FileError
        There is no such file, it is of another kind, damaged or incomplete, or of a newer format; it would take more
        memory than a file of its size can be worth; or its estimates are not those of its counts.

    Notes
    -----
    R counterpart: base::readRDS.
    """
    content = read_archive(path, (*RECORDS, *fit.STORED))
    _refuse_unknown(content.keys() - CONTENT, path)
    try:
        dds = _rebuilt(content, path)
        _set_state(dds, content["state"], path)
    except FileError:
        raise
    except UNREADABLE as error:
        raise FileError(f"'{path}' does not hold a data set: {error}") from error
    return dds


def _rebuilt(content: dict[str, object], path: FilePath) -> DESeqDataSet:
    """Return the data set with its design, without what was estimated."""
    data, options, truth = content["data"], content["options"], content.get("truth")
    assert isinstance(data, dict)
    assert isinstance(options, dict)
    check_parts(data, options, path)
    counts = pd.DataFrame(data["counts"], index=data["genes"], columns=data["samples"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # they were given when the data set was made
        dds = DESeqDataSet(
            counts, data["sheet"], orientation="genes_by_samples", gene_info=data.get("gene_info"), cells_ok=True,
            quiet=True, **usable_options(options, data["sheet"]),
        )  # fmt: skip
        dds._design_options = options
    if isinstance(truth, pd.DataFrame):
        dds.truth = truth
    matrix = np.asarray(content["matrix"])
    same = dds.design.names == content["names"] and dds.design.matrix.shape == matrix.shape
    if not same or not np.allclose(dds.design.matrix, matrix, rtol=TOLERANCE, atol=TOLERANCE):
        raise FileError(
            f"the design of '{path}' is coded otherwise by this version of countnest, so that its coefficients would "
            "mean something else. Load it with the version that wrote it, or fit the counts again."
        )
    return dds


def _set_state(dds: DESeqDataSet, state: object, path: FilePath) -> None:
    """Put what was estimated in its place; an attribute that the file lacks stays as it is in a new data set."""
    assert isinstance(state, dict)
    _refuse_unknown(state.keys() - set(HELD), path)
    for name, value in state.items():
        setattr(dds, name, value)
    check_state(dds, path)


def _refuse_unknown(names: set[str], path: FilePath) -> None:
    if names:
        raise FileError(
            f"'{path}' holds {', '.join(sorted(names))}, which this version of countnest does not know. Load it with "
            "the version that wrote it."
        )
