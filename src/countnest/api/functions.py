"""The steps of DESeq2 as functions of a data set: each is the method of `DESeqDataSet`, under DESeq2's name.

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


def _as_function(
    method: Callable[Concatenate[DESeqDataSet, Arguments], Returned], name: str | None = None
) -> Callable[Concatenate[DESeqDataSet, Arguments], Returned]:
    """Return a method as a function that raises `OptionError` if its first argument is not a data set."""
    called = name or method.__name__
    plain: Callable[Concatenate[DESeqDataSet, Arguments], Returned] = getattr(method, "__wrapped__", method)
    checked = checked_arguments(plain, called)

    @wraps(method)
    def function(dds: DESeqDataSet | None = None, /, *args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        require_data_set(dds, called)
        assert dds is not None
        return checked(dds, *args, **options)

    function.__module__, function.__name__, function.__qualname__ = __name__, called, called
    return function


DESeq = _as_function(DESeqDataSet.deseq, "DESeq")
estimate_dispersions = _as_function(DESeqDataSet.estimate_dispersions)
estimate_size_factors = _as_function(DESeqDataSet.estimate_size_factors)
nbinom_lrt = _as_function(DESeqDataSet.nbinom_lrt)
nbinom_wald_test = _as_function(DESeqDataSet.nbinom_wald_test)
replace_outliers = _as_function(DESeqDataSet.replace_outliers)
results = _as_function(DESeqDataSet.results)
