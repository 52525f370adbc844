"""The verbs of DESeq2 as functions of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from countnest.api.dataset import DESeqDataSet
from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.options import AltHypothesis, FitType, PAdjust, SizeFactorType, TestType

__all__ = ["DESeq", "results"]


def DESeq(
    dds: DESeqDataSet,
    *,
    test: TestType = "Wald",
    reduced: str | pd.DataFrame | FloatArray | None = None,
    fit_type: FitType = "parametric",
    size_factor_type: SizeFactorType = "ratio",
    min_replicates_for_replace: float = 7,
    use_t: bool = False,
    minmu: float = 0.5,
    n_threads: int | None = None,
    quiet: bool = False,
) -> DESeqDataSet:
    """Run the whole analysis on `dds` and return it: `DESeqDataSet.deseq` explains the arguments.

    Notes
    -----
    R counterpart: DESeq2::DESeq.
    """
    return dds.deseq(
        test=test,
        reduced=reduced,
        fit_type=fit_type,
        size_factor_type=size_factor_type,
        min_replicates_for_replace=min_replicates_for_replace,
        use_t=use_t,
        minmu=minmu,
        n_threads=n_threads,
        quiet=quiet,
    )


def results(
    dds: DESeqDataSet,
    contrast: object = None,
    *,
    name: str | None = None,
    list_values: Sequence[float] = (1.0, -1.0),
    test: TestType | None = None,
    alpha: float = 0.1,
    lfc_threshold: float = 0.0,
    alt_hypothesis: AltHypothesis = "greaterAbs",
    independent_filtering: bool = True,
    cooks_cutoff: float | bool | None = None,
    p_adjust: PAdjust = "BH",
) -> Results:
    """Return the table of genes for one comparison: `DESeqDataSet.results` explains the arguments.

    Notes
    -----
    R counterpart: DESeq2::results.
    """
    return dds.results(
        contrast,
        name=name,
        list_values=list_values,
        test=test,
        alpha=alpha,
        lfc_threshold=lfc_threshold,
        alt_hypothesis=alt_hypothesis,
        independent_filtering=independent_filtering,
        cooks_cutoff=cooks_cutoff,
        p_adjust=p_adjust,
    )
