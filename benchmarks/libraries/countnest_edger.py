"""countnest, edgeR's quasi-likelihood tests as of version 4."""

from __future__ import annotations

from typing import Any

import numpy as np

from libraries.countnest import IMPORT, prepare

__all__ = ["IMPORT", "analyse", "prepare"]


def analyse(given: Any, threads: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 fold changes and p-values of the last coefficient; `options` are those of `countnest.edger`."""
    import countnest as cn

    counts, samples, matrix = given
    dds = cn.DESeqDataSet(counts, samples, design=matrix)
    with_counts = counts.to_numpy().any(axis=1)
    cn.edger(dds, filter=with_counts, n_threads=threads, quiet=True, **options)
    table = cn.glm_ql_ftest(dds).table
    return table["log2FoldChange"].to_numpy(), table["pvalue"].to_numpy()
