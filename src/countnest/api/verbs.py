"""The verbs of DESeq2 as functions of a data set: each is the method of `DESeqDataSet`, under DESeq2's name.

>>> import countnest as cn
>>> dds = cn.DESeq(dds)  # doctest: +SKIP
>>> res = cn.results(dds, name="condition_treated_vs_untreated")  # doctest: +SKIP
"""

from __future__ import annotations

from countnest.api.dataset import DESeqDataSet

__all__ = ["DESeq", "results"]

DESeq = DESeqDataSet.deseq
results = DESeqDataSet.results
