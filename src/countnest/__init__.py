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
    from countnest.api.dataset import DESeqDataSet
    from countnest.api.verbs import DESeq, results
    from countnest.containers.result_set import ResultsSet
    from countnest.containers.results import Results
    from countnest.design.identifier import renest
    from countnest.errors import CountnestError, CountnestWarning
    from countnest.io.tables import read_counts, read_samples
    from countnest.plots.dispersion import plot_dispersion
    from countnest.plots.interaction import plot_interaction
    from countnest.plots.ma import plot_ma
    from countnest.version import __version__

__all__ = [
    "CountnestError",
    "CountnestWarning",
    "DESeq",
    "DESeqDataSet",
    "Results",
    "ResultsSet",
    "__version__",
    "datasets",
    "errors",
    "plot_dispersion",
    "plot_interaction",
    "plot_ma",
    "plots",
    "read_counts",
    "read_samples",
    "renest",
    "results",
    "simulate",
]

# Where the public names live. They are imported when they are first used, so that `import countnest` is quick.
_HOMES = {
    "CountnestError": "countnest.errors",
    "CountnestWarning": "countnest.errors",
    "DESeq": "countnest.api.verbs",
    "DESeqDataSet": "countnest.api.dataset",
    "Results": "countnest.containers.results",
    "ResultsSet": "countnest.containers.result_set",
    "__version__": "countnest.version",
    "plot_dispersion": "countnest.plots.dispersion",
    "plot_interaction": "countnest.plots.interaction",
    "plot_ma": "countnest.plots.ma",
    "read_counts": "countnest.io.tables",
    "read_samples": "countnest.io.tables",
    "renest": "countnest.design.identifier",
    "results": "countnest.api.verbs",
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
