"""countnest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

IMPORT = "countnest"


def prepare(study: Any) -> Any:
    """Return the counts as a data frame, with the sample sheet and the matrix."""
    return pd.DataFrame(study.counts, columns=study.matrix.index), study.samples, study.matrix


def analyse(given: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 fold changes and p-values of the last coefficient."""
    import countnest as cn

    counts, samples, matrix = given
    dds = cn.DESeqDataSet(counts, samples, design=matrix)
    cn.DESeq(dds, n_threads=threads, quiet=True)
    table = cn.results(dds, name=dds.results_names()[-1]).table
    return table["log2FoldChange"].to_numpy(), table["pvalue"].to_numpy()
