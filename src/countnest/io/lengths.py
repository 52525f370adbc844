"""Average transcript lengths that can be divided by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countnest.errors import CountsError, counted, listing

__all__ = ["CORRECTED", "usable_lengths"]

CORRECTED = "Average transcript lengths are corrected for, as normalization factors."


def usable_lengths(lengths: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return lengths, genes x samples, with others in place of zeros and missing ones, and a note on these.

    A length of 0, of transcripts shorter than the fragments, takes the geometric mean of the other samples of its gene,
    and 1 where all are 0.
    """
    values = lengths.to_numpy(dtype=np.float64)
    negative = np.isinf(values) | (values < 0)
    if negative.any():
        genes = lengths.index[negative.any(axis=1)]
        raise CountsError(f"average transcript lengths are negative or infinite in {listing(genes)}.")
    there = np.isfinite(values) & (values > 0)
    if there.all():
        return lengths.astype(np.float64), ()
    logs = np.log(np.where(there, values, 1.0))
    n_there = there.sum(axis=1, keepdims=True)
    means = np.exp(logs.sum(axis=1, keepdims=True) / np.maximum(n_there, 1))
    filled = np.where(there, values, means)
    genes = lengths.index[~there.all(axis=1)]
    note = (
        f"Average transcript lengths are 0 or missing in some samples of {counted(len(genes), 'gene')}, "
        f"{listing(genes)}: the geometric mean of the other samples takes their place, and 1 where there is none."
    )
    return pd.DataFrame(filled, index=lengths.index, columns=lengths.columns), (note,)
