"""A data set from transcript quantification, summarised to genes by tximport.

Source: Soneson, Love and Robinson (2015), doi:10.12688/f1000research.7563.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countnest.api.deseq2 import DESeqDataSet
from countnest.arrays import FloatArray
from countnest.containers.count_table import CountsFromAbundance
from countnest.containers.given import refused_kind
from countnest.errors import CountsError, OptionError
from countnest.options import check_option
from countnest.signature import checked_arguments

__all__ = ["dataset_from_tximport"]


@checked_arguments
def dataset_from_tximport(
    counts: pd.DataFrame | FloatArray,
    length: pd.DataFrame | FloatArray | None,
    samples: pd.DataFrame,
    design: str | pd.DataFrame | FloatArray = "~ 1",
    *,
    counts_from_abundance: CountsFromAbundance = "no",
    **options: Any,  # noqa: ANN401 (those of DESeqDataSet)
) -> DESeqDataSet:
    """Return a data set of estimated counts, corrected for average transcript lengths.

    Parameters
    ----------
    counts
        Estimated counts, genes x samples (`txi$counts`); they are rounded, halves to the even number.
    length
        Average transcript lengths, genes x samples (`txi$length`), all greater than 0. They are used when
        `counts_from_abundance` is "no"; None is then not enough.
    samples, design
        As in `DESeqDataSet`.
    counts_from_abundance
        How tximport made the counts (`txi$countsFromAbundance`). "no": they depend on transcript lengths, which are
        corrected for. "scaledTPM" and "lengthScaledTPM": they do not, or not any more.
    **options
        Further arguments of `DESeqDataSet`.

    Raises
    ------
    OptionError
        If `counts_from_abundance` is another word; if lengths are needed and missing.
    NormalizationError
        If a length is missing, not finite or not greater than 0.

    Notes
    -----
    R counterpart: DESeq2::DESeqDataSetFromTximport.
    """
    check_option("counts_from_abundance", counts_from_abundance, CountsFromAbundance)
    if counts_from_abundance == "no" and length is None:
        raise OptionError(
            "the lengths are missing: counts_from_abundance='no' says that the counts depend on transcript lengths. "
            "Give length=, txi$length, or say how tximport made the counts."
        )
    lengths = length if counts_from_abundance == "no" else None
    return DESeqDataSet(_rounded(counts), samples, design, avg_tx_length=lengths, **options)


def _rounded(counts: Any) -> pd.DataFrame | FloatArray:  # noqa: ANN401 (checked here)
    if not isinstance(counts, (pd.DataFrame, np.ndarray)):
        raise CountsError(
            f"{refused_kind(counts, 'counts')}. It is txi$counts that is wanted, as a DataFrame or array."
        )
    try:
        rounded: pd.DataFrame | FloatArray = np.rint(counts)
    except TypeError as error:
        raise CountsError("counts must be numbers; put labels into the index and drop other columns.") from error
    return rounded
