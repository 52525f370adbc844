"""PyDESeq2: Muzellec et al. (2023), doi:10.1093/bioinformatics/btad547."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

IMPORT = "pydeseq2"


def prepare(study: Any) -> Any:
    """Return the counts as a data frame of samples x genes, with the sample sheet and the matrix."""
    names = [f"g{i}" for i in range(len(study.counts))]
    return pd.DataFrame(study.counts.T, index=study.matrix.index, columns=names), study.samples, study.matrix


def analyse(given: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 fold changes and p-values of the last coefficient."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    counts, samples, matrix = given
    dds = DeseqDataSet(counts=counts, metadata=samples, design=matrix, n_cpus=threads, quiet=True)
    dds.deseq2()
    contrast = np.zeros(matrix.shape[1])
    contrast[-1] = 1.0
    answer = DeseqStats(dds, contrast=contrast, alpha=0.1, n_cpus=threads, quiet=True)
    answer.summary()
    table = answer.results_df
    return table["log2FoldChange"].to_numpy(), table["pvalue"].to_numpy()
