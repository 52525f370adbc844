"""Detection of single cells given as samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from countnest.containers.source import Dense, Sparse, Values
from countnest.errors import CountsError

__all__ = ["refuse_cells"]

# Cells: tables of so many samples of which more than this share of the counts are zeros. In bulk studies half of the
# counts of all annotated genes are, in single cells nine of ten.
MANY, ZEROS = 1000, 0.75
# Rows of a table, as it lies in the memory or in a file, in which zeros are counted.
LOOKED_AT = 64


def refuse_cells(values: Values, n_samples: int) -> None:
    """Raise `CountsError` for a table of single cells, before it takes the memory of a table with all its zeros."""
    if n_samples < MANY:
        return
    share = _share_of_zeros(values)
    if share > ZEROS:
        raise CountsError(
            f"counts has {n_samples:,} samples, and {100 * share:.0f} % of the counts are zero: these look like single "
            "cells. Cells of one individual are not replicates, and tests between cells have far too many false "
            "positives. Sum them by sample first: bulk = cn.pseudobulk(adata, by=['sample', 'cell_type']), which "
            "DESeqDataSet takes. "
            "If they really are samples, give cells_ok=True."
        )


def _share_of_zeros(values: Values) -> float:
    """Return the share of zeros; for a dense table, that in some of its rows."""
    if isinstance(values, Sparse):
        return 1.0 - values.file.shape[0] / (values.shape[0] * values.shape[1])
    if isinstance(values, sparse.csr_array):
        return 1.0 - np.count_nonzero(values.data) / (values.shape[0] * values.shape[1])
    array: Any = values.file.open() if isinstance(values, Dense) else values
    if isinstance(array, np.ndarray) and array.flags.f_contiguous:
        array = array.T
    n_rows, n_columns = array.shape
    places = np.linspace(0, n_rows - 1, min(LOOKED_AT, n_rows)).astype(np.int64).tolist()
    zeros = sum(int(np.count_nonzero(np.asarray(array[place]) == 0)) for place in places)
    return zeros / float(len(places) * n_columns)
