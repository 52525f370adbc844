"""The files of `countnest run --contrasts`, named by the ids of contrasts: as those of other runs, or as nf-core does.

Source of the names: the module deseq2/differential of nf-core.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

import countnest as cn
from countnest.cli.folder import METHODS, RECORD, SAVED
from countnest.cli.request import Request
from countnest.containers.record import results_record
from countnest.containers.results import Results
from countnest.containers.table_file import write_table
from countnest.plots.dispersion import plot_dispersion
from countnest.plots.ma import plot_ma
from countnest.plots.saving import save_figure
from countnest.version import installed_version

if TYPE_CHECKING:
    from countnest import DESeqDataSet, ListedContrast
    from countnest.cli.fitted import FittedTables

__all__ = ["Found", "files_of", "write_found", "write_run"]

_VERSIONS: Final = "versions.yml"
# Of each contrast, and of each model: what a file holds.
_CONTRAST: Final = {"results.csv": "fold changes and p-values by gene", "ma.png": "fold changes against mean counts"}
_MODEL: Final = {
    "genes.csv.gz": "dispersions, coefficients and fit by gene",
    "size_factors.csv": "size factors by sample",
    "normalization_factors.csv.gz": "normalization factors by gene and sample",
    "normalized_counts.csv.gz": "counts divided by the factors",
    "dispersion.png": "dispersions against mean counts",
    SAVED: "the fit, for countnest query, plot and report",
}
_NF_CORE: Final = {
    "deseq2.results.tsv": "fold changes and p-values by gene",
    "deseq2.dispersion.png": "dispersions against mean counts",
    "deseq2.sizefactors.tsv": "size factors by sample",
    "normalised_counts.tsv": "counts divided by the size factors",
    "vst.tsv": "variance stabilized counts",
    "deseq2.model.txt": "the formula of the model",
}
_RUN: Final = {METHODS: "methods paragraphs of the comparisons", RECORD: "versions, designs, options, thresholds"}
# As many genes of at least this mean count does the fast transformation need.
_VST_GENES: Final = 1000
_VST_MEAN: Final = 5.0
_COLUMNS: Final = ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
# What the records of all models share.
_SHARED: Final = ("countnest", "python", "platform", "dependencies", "started", "seconds", "inputs", "options")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The comparisons of a model: as they were listed, and their results by id; levels and record of the model."""

    listed: tuple[ListedContrast, ...]
    results: Mapping[str, Results]
    levels: Mapping[str, Sequence[str]]
    record: Mapping[str, Any]


def files_of(ids: Sequence[str], request: Request) -> dict[str, str]:
    """Return the names of all files that a run may write, with what they hold."""
    nf_core = request.layout == "nf-core"
    of_contrast = _NF_CORE if nf_core else _CONTRAST
    of_model = {SAVED: _MODEL[SAVED]} if nf_core else _MODEL
    named = {f"{name}.{file}": text for name in ids for file, text in of_contrast.items()}
    models = {f"model_{place}.{file}": text for place in range(1, len(ids) + 1) for file, text in of_model.items()}
    return named | of_model | models | ({_VERSIONS: "versions of the software"} if nf_core else {}) | _RUN


def write_found(
    folder: Path, dds: DESeqDataSet, found: Found, fitted: FittedTables, request: Request, place: int | None
) -> None:
    """Write the files of a model and of its comparisons.

    Parameters
    ----------
    folder
        Where they go.
    dds
        The data set with the fit.
    found
        The comparisons.
    fitted
        The tables of the fit.
    request
        The arguments of the command.
    place
        The place of the model among several; None: it is the only one.
    """
    start = "" if place is None else f"model_{place}."
    if request.save:
        cn.save(dds, folder / f"{start}{SAVED}")
    if request.layout == "nf-core":
        _write_nf_core(folder, found, fitted, _Module(_stabilized(dds, fitted, request), _size_factors(dds)))
        return
    for name, results in found.results.items():
        results.to_csv(folder / f"{name}.results.csv")
        save_figure(plot_ma(results), folder / f"{name}.ma.png")
    write_table(fitted.genes.rename_axis("gene"), folder / f"{start}genes.csv.gz")
    write_table(fitted.normalized.rename_axis("gene"), folder / f"{start}normalized_counts.csv.gz")
    if fitted.normalization_factors is not None:
        factors = fitted.normalization_factors.rename_axis("gene")
        write_table(factors, folder / f"{start}normalization_factors.csv.gz")
    if fitted.size_factors is not None:
        write_table(_by_sample(fitted.size_factors, "size_factor"), folder / f"{start}size_factors.csv")
    if fitted.trend is not None:
        save_figure(plot_dispersion(fitted.genes, fitted.trend), folder / f"{start}dispersion.png")


@dataclass(frozen=True, slots=True, eq=False)
class _Module:
    """What the module of nf-core writes besides: variance stabilized counts, and size factors by sample."""

    stabilized: pd.DataFrame
    size_factors: pd.Series[float]


def _size_factors(dds: DESeqDataSet) -> pd.Series[float]:
    """Return size factors; with transcript lengths those of the counts over the lengths, as the module has them."""
    if dds.size_factors is not None:
        return dds.size_factors
    assert dds._lengths is not None
    factors = cn.estimate_size_factors_for_matrix(dds.counts() / dds._lengths)
    return pd.Series(np.asarray(factors), dds.samples.index)


def _write_nf_core(folder: Path, found: Found, fitted: FittedTables, module: _Module) -> None:
    """Write the files of each comparison, and for each those of the model, under the names that nf-core expects."""
    for each in found.listed:
        start = folder / each.id
        table = found.results[each.id].table
        columns = [name for name in _COLUMNS if name in table]
        _write_genes(table[columns], Path(f"{start}.deseq2.results.tsv"))
        _write_genes(fitted.normalized, Path(f"{start}.normalised_counts.tsv"))
        _write_genes(module.stabilized, Path(f"{start}.vst.tsv"))
        write_table(_by_sample(module.size_factors, "sizeFactor"), Path(f"{start}.deseq2.sizefactors.tsv"))
        Path(f"{start}.deseq2.model.txt").write_text(f"{each.design}\n", encoding="utf-8")
        save_figure(plot_dispersion(fitted.genes, fitted.trend), Path(f"{start}.deseq2.dispersion.png"))
    versions = f'"countnest":\n    python: {platform.python_version()}\n    countnest: {installed_version()}\n'
    (folder / _VERSIONS).write_text(versions, encoding="utf-8")


def _stabilized(dds: DESeqDataSet, fitted: FittedTables, request: Request) -> pd.DataFrame:
    """Return variance stabilized counts; the trend is that of all genes where there are too few for a part of them."""
    enough = int((fitted.normalized.mean(axis=1) > _VST_MEAN).sum()) >= _VST_GENES
    transform = cn.vst if enough else cn.variance_stabilizing_transformation
    return transform(dds, fit_type=request.fit_type, n_threads=request.threads, quiet=request.quiet).table


def _write_genes(table: pd.DataFrame, path: Path) -> None:
    write_table(table.rename_axis("gene_id"), path)


def _by_sample(factors: pd.Series[float], name: str) -> pd.DataFrame:
    return factors.rename(name).rename_axis("sample").to_frame()


def write_run(folder: Path, models: Sequence[Found]) -> frozenset[str]:
    """Write the methods paragraphs and the record of the run; return the names of all files."""
    results = {name: each for found in models for name, each in found.results.items()}
    texts = [f"{name}\n\n{each.methods()}\n" for name, each in results.items()]
    (folder / METHODS).write_text("\n".join(texts), encoding="utf-8")
    files = sorted({each.name for each in folder.iterdir()} | {RECORD})
    record = {
        **{name: models[-1].record[name] for name in _SHARED},
        "design": [found.record["design"]["formula"] for found in models],
        "models": [_model(found) for found in models],
        "files": files,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return frozenset(files)


def _model(found: Found) -> dict[str, Any]:
    """Return the record of a model: its design and trend, and the record of each comparison."""
    comparisons = [
        {"id": each.id, "contrast": each.contrast, "record": results_record(found.results[each.id].info)}
        for each in found.listed
    ]
    own = {name: found.record[name] for name in ("design", "dispersion_trend")}
    return {**own, "comparisons": comparisons}
