"""The fit of a run, by the method that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import countnest as cn
from countnest.cli.request import Request
from countnest.options import TestType

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["fit"]


def fit(request: Request, dds: DESeqDataSet) -> None:
    """Fit the data set by the method of the request; the fit is kept in the data set."""
    {"deseq2": _deseq2, "edger": _edger, "voom": _voom, "mixed": _mixed}[request.method](request, dds)


def _deseq2(request: Request, dds: DESeqDataSet) -> None:
    cn.DESeq(
        dds,
        test=cast("TestType", request.test),
        reduced=request.reduced,
        fit_type=request.fit_type,
        size_factor_type=request.size_factor_type,
        min_replicates_for_replace=request.min_replicates_for_replace,
        use_t=request.use_t,
        minmu=request.minmu,
        n_threads=request.threads,
        quiet=request.quiet,
    )


def _edger(request: Request, dds: DESeqDataSet) -> None:
    cn.edger(
        dds,
        test="lrt" if request.test == "LRT" else "ql",
        robust=request.robust,
        compat=request.compat,
        n_threads=request.threads,
        quiet=request.quiet,
    )


def _voom(request: Request, dds: DESeqDataSet) -> None:
    cn.limma(
        dds,
        robust=request.robust,
        compat=request.compat,
        block=request.block,
        quality_weights=request.quality_weights,
        quiet=request.quiet,
    )


def _mixed(request: Request, dds: DESeqDataSet) -> None:
    """Fit mixed models, of log counts or of counts; the rule for degrees of freedom is the default one of the model."""
    rule: dict[str, Any] = {} if request.df is None else {"df": request.df}
    if request.mixed_model == "glmm":
        cn.glmm(dds, n_threads=request.threads, quiet=request.quiet, **rule)
        return
    cn.lmm(dds, values=request.values, bounded=request.bounded, n_threads=request.threads, quiet=request.quiet, **rule)
