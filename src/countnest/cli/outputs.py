"""The files that a run writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import countnest as cn
from countnest.cli.folder import METHODS, RECORD, SAVED
from countnest.cli.found import Answered, Compared, endings
from countnest.cli.request import Wanted
from countnest.cli.transformed import stabilized
from countnest.containers.results import Results
from countnest.containers.table_file import write_table
from countnest.plots.dispersion import plot_dispersion
from countnest.plots.ma import plot_ma
from countnest.plots.p_values import plot_pvalues
from countnest.plots.pca import plot_pca
from countnest.plots.saving import save_figure
from countnest.plots.volcano import plot_volcano

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.cli.fitted import FittedTables
    from countnest.plots.saving import Figure

__all__ = ["Found", "files_of", "planned_files", "write_outputs"]

_TABLE: Final = "fold changes and p-values by gene"
_FILES: Final = {
    "genes.csv.gz": "dispersions, coefficients and fit by gene",
    "size_factors.csv": "size factors by sample",
    "normalization_factors.csv.gz": "normalization factors by gene and sample, for transcript lengths",
    "normalized_counts.csv.gz": "counts divided by the size factors",
    METHODS: "methods paragraphs",
    RECORD: "versions, design, options, thresholds",
    SAVED: "the fit, for countnest query, plot and report",
}


def planned_files(comparisons: Sequence[str], queries: Mapping[str, str], wanted: Wanted) -> dict[str, str]:
    """Return the names of all files that a run may write, with what they hold.

    Parameters
    ----------
    comparisons
        What is compared, in words.
    queries
        The names of the files of the answers, with the queries.
    wanted
        What the run writes.
    """
    about = [f": {text}" for text in comparisons] if len(comparisons) > 1 else [""] * len(comparisons)
    of_each = [
        {name: what + text for name, what in files_of(ending, wanted).items()}
        for ending, text in zip(endings(len(comparisons)), about, strict=True)
    ]
    found = {name: what for files in of_each for name, what in files.items()} | _FILES
    if wanted.method == "deseq2":
        found[f"dispersion.{wanted.figures}"] = "dispersions against mean counts"
    if wanted.vst:
        found["vst.csv.gz"] = "variance stabilized counts"
        found |= dict.fromkeys(("pca.csv", f"pca.{wanted.figures}"), "principal components of the samples")
    return found | dict(queries)


def files_of(ending: str, wanted: Wanted) -> dict[str, str]:
    """Return the names of the files of a comparison, with what they hold."""
    found = {
        f"results{ending}.csv": _TABLE,
        f"ma{ending}.{wanted.figures}": "fold changes against mean counts",
    }
    if wanted.all_figures:
        found[f"volcano{ending}.{wanted.figures}"] = "p-values against fold changes"
        found[f"pvalues{ending}.{wanted.figures}"] = "histogram of p-values"
    if wanted.shrink is not None:
        found[f"shrunken{ending}.csv"] = f"shrunken fold changes by gene, {wanted.shrink}"
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a run has found: the fitted data set, with the tables of its fit, the comparisons and the answers."""

    dds: DESeqDataSet
    fitted: FittedTables
    compared: Sequence[Compared]
    answers: Sequence[Answered]


def write_outputs(folder: Path, found: Found, record: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Write every file into `folder`, and return the record of the run with the names of the files."""
    fitted = found.fitted
    for each in found.compared:
        _write_compared(folder, found.dds, each, wanted)
    write_table(fitted.genes.rename_axis("gene"), folder / "genes.csv.gz")
    for answered in found.answers:
        answered.answer.to_csv(folder / answered.file)
    _write_factors(folder, fitted)
    write_table(fitted.normalized.rename_axis("gene"), folder / "normalized_counts.csv.gz")
    if fitted.trend is not None:
        save_figure(plot_dispersion(fitted.genes, fitted.trend), folder / f"dispersion.{wanted.figures}")
    if wanted.vst:
        _write_transformed(folder, found.dds, wanted)
    (folder / METHODS).write_text(_methods(found.compared, found.answers), encoding="utf-8")
    files = sorted({each.name for each in folder.iterdir()} | {RECORD})
    whole = {**record, "files": files}
    (folder / RECORD).write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return whole


def _write_compared(folder: Path, dds: DESeqDataSet, compared: Compared, wanted: Wanted) -> None:
    """Write the tables and the figures of a comparison, whose names are those of `files_of`."""
    results = compared.results
    results.to_csv(folder / compared.table)
    drawn: dict[str, Callable[[Results], Figure]] = {"ma": plot_ma}
    if wanted.all_figures:
        drawn |= {"volcano": plot_volcano, "pvalues": plot_pvalues}
    for name, draw in drawn.items():
        save_figure(draw(results), folder / f"{name}{compared.ending}.{wanted.figures}")
    if wanted.shrink is not None:
        asked: dict[str, Any] = (
            {} if wanted.shrink == "ashr" else {"contrast": compared.contrast, "coef": compared.name}
        )
        shrunken = cn.lfc_shrink(dds, res=results, type=wanted.shrink, quiet=True, **asked)
        shrunken.to_csv(folder / f"shrunken{compared.ending}.csv")


def _write_transformed(folder: Path, dds: DESeqDataSet, wanted: Wanted) -> None:
    """Write variance stabilized counts, and the samples along their principal components."""
    values, groups = stabilized(dds), list(dds.design.levels) or None
    write_table(values.table.rename_axis("gene"), folder / "vst.csv.gz")
    components = plot_pca(values, dds.samples, groups, return_data=True)
    write_table(components.rename_axis("sample"), folder / "pca.csv")
    save_figure(plot_pca(values, dds.samples, groups), folder / f"pca.{wanted.figures}")


def _write_factors(folder: Path, fitted: FittedTables) -> None:
    """Write size factors, or normalization factors, of which there is one for each gene and sample."""
    if fitted.normalization_factors is not None:
        write_table(fitted.normalization_factors.rename_axis("gene"), folder / "normalization_factors.csv.gz")
        return
    assert fitted.size_factors is not None
    write_table(fitted.size_factors.rename("size_factor").rename_axis("sample").to_frame(), folder / "size_factors.csv")


def _methods(compared: Sequence[Compared], answers: Sequence[Answered]) -> str:
    """Return the methods paragraphs of comparisons and queries, under the names of their files where there are several.

    Rows of a query are tested in the same way: the paragraph is that of the first.
    """
    found = {each.table: each.results for each in compared} | {each.file: each.parts[0] for each in answers}
    several = len(found) > 1
    return "\n".join((f"{file}\n\n" if several else "") + f"{results.methods()}\n" for file, results in found.items())
