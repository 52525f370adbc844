"""Reading of what R saved with saveRDS: a SummarizedExperiment, a DESeqDataSet, a matrix of counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from countnest.containers.count_table import CountTable
from countnest.containers.given import file_remedy
from countnest.errors import FileError, OptionError, listing, suggestion
from countnest.files import FilePath
from countnest.io.excel_dates import warn_of_dates
from countnest.io.joined import rounded
from countnest.io.lengths import CORRECTED, usable_lengths
from countnest.io.optional import optional_library
from countnest.io.text import file_bytes, unpacked
from countnest.remedies import given, option
from countnest.signature import checked_arguments

__all__ = ["read_rds"]

_LENGTHS = "avgTxLength"  # the assay in which DESeq2 keeps what tximport gave
_OF_SPARSE = ("i", "p", "x", "Dim", "Dimnames")  # of a dgCMatrix


@checked_arguments
def read_rds(path: FilePath, *, layer: str | None = None) -> CountTable:
    """Read the counts of a SummarizedExperiment, a DESeqDataSet or a matrix that R saved with saveRDS.

    Parameters
    ----------
    path
        A file .rds.
    layer
        The assay that holds the counts; None: "counts", or the only one.

    Returns
    -------
    CountTable
        Counts, genes x samples; `samples` is colData, `gene_info` rowData.

    Raises
    ------
    FileError
        The file is missing, not one of saveRDS, or holds something else.
    OptionError
        rdata is not installed (``pip install 'countnest[rds]'``), or there is no such assay.

    Notes
    -----
    R counterpart: readRDS.

    Examples
    --------
    >>> record = read_rds("se.rds")  # doctest: +SKIP
    >>> dds = cn.DESeqDataSet(record, design="~ cell + dex")  # doctest: +SKIP
    """
    data = unpacked(file_bytes(path), path)
    library = optional_library("rdata", "rds", f"'{path}', a file of R,")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on classes of R that have no counterpart
            content = library.parser.parse_data(data).object
            parts = _parts_of_r(library, content)
    except Exception as error:  # of another library, whatever its kind
        raise FileError(f"'{path}' cannot be read: {error}. If so, {file_remedy('x.rds')}.") from error
    if not parts:
        raise FileError(
            f"'{path}' holds neither a SummarizedExperiment nor a matrix of numbers with names of rows and columns. "
            f"If so, {file_remedy('x.rds')}."
        )
    assays = parts["assays"]
    name = _assay(assays, layer)
    counts, notes = rounded(assays[name])
    lengths = None
    if _LENGTHS in assays and name == "counts":
        lengths, of_lengths = usable_lengths(assays[_LENGTHS])
        notes = (*notes, *of_lengths, CORRECTED)
    sheet, info = (_of_counts(parts.get(part), labels) for part, labels in _axes(counts))
    warn_of_dates(counts.index, info)
    return CountTable(
        counts=counts,
        source="R",
        gene_info=info,
        samples=sheet,
        lengths=lengths,
        notes=(f"Counts are those of the assay {name!r}.", *notes),
    )


def _axes(counts: pd.DataFrame) -> tuple[tuple[str, pd.Index], ...]:
    return ("colData", counts.columns), ("rowData", counts.index)


def _of_counts(table: pd.DataFrame | None, labels: pd.Index) -> pd.DataFrame | None:
    if table is None or not table.shape[1] or len(table) != len(labels):
        return None
    return table.set_axis(labels)


def _assay(assays: Mapping[str, pd.DataFrame], layer: str | None) -> str:
    if layer is not None and layer not in assays:
        raise OptionError(
            f"{given('layer', layer)} is not an assay of the file; its assays are {listing(assays)}."
            f"{suggestion(layer, assays)}"
        )
    if layer is not None:
        return layer
    if "counts" in assays or len(assays) == 1:
        return "counts" if "counts" in assays else next(iter(assays))
    raise OptionError(
        f"the file has several assays, {listing(assays)}, and none is called counts: give {option('layer')}."
    )


def _parts_of_r(library: Any, content: Any) -> dict[str, Any]:  # noqa: ANN401 (of a library without types)
    """Return the assays as tables, colData and rowData of an object of R; {} of anything else."""
    attributes = _attributes(content)
    if "assays" not in attributes:
        matrix = _frame(library.conversion.convert(content), None, None)
        return {} if matrix is None else {"assays": {"counts": matrix}}

    def converted(name: str) -> Any:  # noqa: ANN401
        return library.conversion.convert(attributes[name]) if name in attributes else None

    columns = _data_frame(converted("colData"))
    ranges = attributes.get("rowRanges")
    of_ranges = _attributes(ranges) if ranges is not None else {}
    rows = None
    for held in (attributes.get("elementMetadata"), of_ranges.get("elementMetadata")):
        rows = (
            rows
            if rows is not None and rows.shape[1]
            else _data_frame(None if held is None else library.conversion.convert(held))
        )
    genes = _names(converted("NAMES"))
    if genes is None and "ranges" in of_ranges:
        held = _attributes(of_ranges["ranges"]).get("NAMES")
        genes = _names(None if held is None else library.conversion.convert(held))
    data = converted("assays").data.listData
    names = None if columns is None else list(columns.index)
    tables = {str(name): _frame(values, genes, names) for name, values in data.items()}
    found = {name: table for name, table in tables.items() if table is not None}
    return {"assays": found, "colData": columns, "rowData": rows} if found else {}


def _attributes(value: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the attributes of an object as the library has parsed it."""
    found: dict[str, Any] = {}
    pairs = getattr(value, "attributes", None)
    while pairs is not None and pairs.tag is not None:
        tag = pairs.tag.referenced_object or pairs.tag
        found[tag.value.value.decode()] = pairs.value[0]
        pairs = pairs.value[1]
    return found


def _names(value: Any) -> list[str] | None:  # noqa: ANN401
    return [str(each) for each in value] if isinstance(value, np.ndarray) and value.ndim == 1 else None


def _data_frame(value: Any) -> pd.DataFrame | None:  # noqa: ANN401
    """Return a DFrame of R as a table; None if it is something else."""
    if not hasattr(value, "listData"):
        return None
    listed = value.listData if isinstance(value.listData, Mapping) else {}
    n_rows = int(value.nrows[0])
    columns = {str(name): held for name, held in listed.items() if np.ndim(held) == 1 and len(held) == n_rows}
    return pd.DataFrame(columns, index=_names(value.rownames) or range(n_rows))


def _frame(value: Any, genes: list[str] | None, names: list[str] | None) -> pd.DataFrame | None:  # noqa: ANN401
    """Return a matrix of R, sparse or not, as a table with labels; None if it is none, or has no labels."""
    own: list[list[str] | None] = [None, None]
    if all(hasattr(value, name) for name in _OF_SPARSE):
        array = sparse.csc_array((value.x, value.i, value.p), shape=tuple(value.Dim)).toarray()
        own = [_names(each) for each in value.Dimnames]
    elif np.ndim(value) == 2:
        array = np.asarray(value)
        held = [getattr(value, "coords", {}).get(dim) for dim in getattr(value, "dims", (None, None))]
        own = [None if each is None else [str(label) for label in each.values] for each in held]
    else:
        return None
    rows, columns = own[0] or genes, own[1] or names
    if array.dtype.kind not in "iuf" or rows is None or columns is None or (len(rows), len(columns)) != array.shape:
        return None
    return pd.DataFrame(array, index=pd.Index(rows), columns=pd.Index(columns))
