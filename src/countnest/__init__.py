"""countnest: differential expression of count data, with DESeq2's method and numbers.

>>> import countnest as cn
>>> study = cn.datasets.load("airway")
>>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
>>> dds = cn.DESeq(dds)  # doctest: +SKIP
>>> res = cn.results(dds, contrast=("dex", "trt", "untrt"))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countnest import datasets, errors, plots, simulate
    from countnest.api.access import covariance, find_outliers, predict, residuals
    from countnest.api.dataset import DESeqDataSet
    from countnest.api.examples import make_example_dataset
    from countnest.api.htseq import dataset_from_htseq
    from countnest.api.normalization import estimate_size_factors_for_matrix
    from countnest.api.removal import remove_results
    from countnest.api.replicates import collapse_replicates
    from countnest.api.saving import load, save
    from countnest.api.shrinkage import lfc_shrink
    from countnest.api.transformations import fpkm, fpm, norm_transform, rlog, variance_stabilizing_transformation, vst
    from countnest.api.tximport import dataset_from_tximport
    from countnest.api.unmixing import unmix
    from countnest.api.verbs import (
        DESeq,
        estimate_dispersions,
        estimate_size_factors,
        nbinom_lrt,
        nbinom_wald_test,
        replace_outliers,
        results,
    )
    from countnest.api.warming import warm
    from countnest.containers.result_set import ResultsSet
    from countnest.containers.results import Results
    from countnest.containers.transformed import Transformed
    from countnest.design.identifier import renest
    from countnest.errors import CountnestError, CountnestWarning
    from countnest.io.tables import read_counts, read_samples
    from countnest.plots.counts import plot_counts
    from countnest.plots.dispersion import plot_dispersion
    from countnest.plots.interaction import plot_interaction
    from countnest.plots.ma import plot_ma
    from countnest.plots.pca import plot_pca
    from countnest.plots.sparsity import plot_sparsity
    from countnest.version import __version__

__all__ = [
    "CountnestError",
    "CountnestWarning",
    "DESeq",
    "DESeqDataSet",
    "Results",
    "ResultsSet",
    "Transformed",
    "__version__",
    "collapse_replicates",
    "covariance",
    "dataset_from_htseq",
    "dataset_from_tximport",
    "datasets",
    "errors",
    "estimate_dispersions",
    "estimate_size_factors",
    "estimate_size_factors_for_matrix",
    "find_outliers",
    "fpkm",
    "fpm",
    "lfc_shrink",
    "load",
    "make_example_dataset",
    "nbinom_lrt",
    "nbinom_wald_test",
    "norm_transform",
    "plot_counts",
    "plot_dispersion",
    "plot_interaction",
    "plot_ma",
    "plot_pca",
    "plot_sparsity",
    "plots",
    "predict",
    "read_counts",
    "read_samples",
    "remove_results",
    "renest",
    "replace_outliers",
    "residuals",
    "results",
    "rlog",
    "save",
    "simulate",
    "unmix",
    "variance_stabilizing_transformation",
    "vst",
    "warm",
]

# Where the public names live. They are imported when they are first used, so that `import countnest` is quick.
_HOMES = {
    "CountnestError": "countnest.errors",
    "CountnestWarning": "countnest.errors",
    "DESeq": "countnest.api.verbs",
    "DESeqDataSet": "countnest.api.dataset",
    "Results": "countnest.containers.results",
    "ResultsSet": "countnest.containers.result_set",
    "Transformed": "countnest.containers.transformed",
    "__version__": "countnest.version",
    "collapse_replicates": "countnest.api.replicates",
    "covariance": "countnest.api.access",
    "dataset_from_htseq": "countnest.api.htseq",
    "dataset_from_tximport": "countnest.api.tximport",
    "estimate_dispersions": "countnest.api.verbs",
    "estimate_size_factors": "countnest.api.verbs",
    "estimate_size_factors_for_matrix": "countnest.api.normalization",
    "find_outliers": "countnest.api.access",
    "fpkm": "countnest.api.transformations",
    "fpm": "countnest.api.transformations",
    "lfc_shrink": "countnest.api.shrinkage",
    "load": "countnest.api.saving",
    "make_example_dataset": "countnest.api.examples",
    "nbinom_lrt": "countnest.api.verbs",
    "nbinom_wald_test": "countnest.api.verbs",
    "norm_transform": "countnest.api.transformations",
    "plot_counts": "countnest.plots.counts",
    "plot_dispersion": "countnest.plots.dispersion",
    "plot_interaction": "countnest.plots.interaction",
    "plot_ma": "countnest.plots.ma",
    "plot_pca": "countnest.plots.pca",
    "plot_sparsity": "countnest.plots.sparsity",
    "predict": "countnest.api.access",
    "read_counts": "countnest.io.tables",
    "read_samples": "countnest.io.tables",
    "remove_results": "countnest.api.removal",
    "renest": "countnest.design.identifier",
    "replace_outliers": "countnest.api.verbs",
    "residuals": "countnest.api.access",
    "results": "countnest.api.verbs",
    "rlog": "countnest.api.transformations",
    "save": "countnest.api.saving",
    "unmix": "countnest.api.unmixing",
    "variance_stabilizing_transformation": "countnest.api.transformations",
    "vst": "countnest.api.transformations",
    "warm": "countnest.api.warming",
}
_MODULES = ("datasets", "errors", "plots", "simulate")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"countnest.{name}")
    if name in _HOMES:
        value: object = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'countnest' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
