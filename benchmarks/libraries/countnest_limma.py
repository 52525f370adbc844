"""countnest, limma after voom, with the numbers of release 3.16 of Bioconductor."""

from __future__ import annotations

from typing import Any

import numpy as np

from libraries.countnest import IMPORT, prepare

__all__ = ["IMPORT", "analyse", "prepare"]


def analyse(given: Any, _threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 fold changes and p-values of the last coefficient."""
    import countnest as cn

    counts, samples, matrix = given
    dds = cn.DESeqDataSet(counts, samples, design=matrix)
    cn.limma(dds, filter=counts.to_numpy().any(axis=1), compat="bioc3.16", quiet=True)
    table = dds.contrast(dds.results_names()[-1]).test(fit="limma").table
    return table["log2FoldChange"].to_numpy(), table["pvalue"].to_numpy()
