"""The verbs of DESeq2 as functions of a data set: each is the method of `DESeqDataSet`, under DESeq2's name.

>>> import countnest as cn
>>> dds = cn.DESeq(dds)  # doctest: +SKIP
>>> res = cn.results(dds, name="condition_treated_vs_untreated")  # doctest: +SKIP
"""

from __future__ import annotations

from countnest.api.dataset import DESeqDataSet

__all__ = [
    "DESeq",
    "estimate_dispersions",
    "estimate_size_factors",
    "nbinom_lrt",
    "nbinom_wald_test",
    "replace_outliers",
    "results",
]

DESeq = DESeqDataSet.deseq
estimate_dispersions = DESeqDataSet.estimate_dispersions
estimate_size_factors = DESeqDataSet.estimate_size_factors
nbinom_lrt = DESeqDataSet.nbinom_lrt
nbinom_wald_test = DESeqDataSet.nbinom_wald_test
replace_outliers = DESeqDataSet.replace_outliers
results = DESeqDataSet.results
