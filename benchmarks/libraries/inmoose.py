"""The deseq2 module of InMoose: Colange et al. (2025), doi:10.1038/s41598-025-03376-y."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

IMPORT = "inmoose"


def prepare(study: Any) -> Any:
    """Return the counts as a data frame of samples x genes, the columns of the matrix, and a formula of them."""
    names = [f"g{i}" for i in range(len(study.counts))]
    counts = pd.DataFrame(study.counts.T.astype(np.int64), index=study.matrix.index, columns=names)
    columns = study.matrix.set_axis([f"c{k}" for k in range(study.matrix.shape[1])], axis=1)
    intercept = bool((columns["c0"] == 1.0).all())
    return counts, columns, " + ".join(["~ 1" if intercept else "~ 0 + c0", *columns.columns[1:]])


def analyse(given: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """Return log2 fold changes and p-values of the last coefficient."""
    from inmoose.deseq2 import DESeq, DESeqDataSet

    logging.disable(logging.WARNING)
    counts, columns, formula = given
    dds = DESeq(DESeqDataSet(counts, columns, formula), quiet=True)
    table = dds.results(name=dds.resultsNames()[-1])
    return table["log2FoldChange"].to_numpy(), table["pvalue"].to_numpy()
