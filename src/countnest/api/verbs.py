"""The verbs of DESeq2 as functions of a data set: each is the method of `DESeqDataSet`, under DESeq2's name.

>>> import countnest as cn
>>> dds = cn.DESeq(dds)  # doctest: +SKIP
>>> res = cn.results(dds, name="condition_treated_vs_untreated")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from countnest.api.dataset import require_data_set
from countnest.api.deseq2 import DESeqDataSet
from countnest.signature import checked_arguments

__all__ = [
    "DESeq",
    "estimate_dispersions",
    "estimate_size_factors",
    "nbinom_lrt",
    "nbinom_wald_test",
    "replace_outliers",
    "results",
]

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def _verb(
    method: Callable[Concatenate[DESeqDataSet, Arguments], Returned], name: str | None = None
) -> Callable[Concatenate[DESeqDataSet, Arguments], Returned]:
    """Return a method as a function that says so where its first argument is no data set."""
    called = name or method.__name__
    plain: Callable[Concatenate[DESeqDataSet, Arguments], Returned] = getattr(method, "__wrapped__", method)
    checked = checked_arguments(plain, called)

    @wraps(method)
    def verb(dds: DESeqDataSet | None = None, /, *args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        require_data_set(dds, called)
        assert dds is not None
        return checked(dds, *args, **options)

    verb.__module__, verb.__name__, verb.__qualname__ = __name__, called, called
    return verb


DESeq = _verb(DESeqDataSet.deseq, "DESeq")
estimate_dispersions = _verb(DESeqDataSet.estimate_dispersions)
estimate_size_factors = _verb(DESeqDataSet.estimate_size_factors)
nbinom_lrt = _verb(DESeqDataSet.nbinom_lrt)
nbinom_wald_test = _verb(DESeqDataSet.nbinom_wald_test)
replace_outliers = _verb(DESeqDataSet.replace_outliers)
results = _verb(DESeqDataSet.results)
