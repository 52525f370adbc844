"""The files that a run writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countnest.cli.folder import METHODS, RECORD, SAVED
from countnest.cli.found import Answered, Compared, file_names
from countnest.containers.table_file import write_table
from countnest.plots.dispersion import plot_dispersion
from countnest.plots.ma import plot_ma
from countnest.plots.saving import save_figure

if TYPE_CHECKING:
    from countnest.cli.fitted import FittedTables
    from countnest.options import Method

__all__ = ["planned_files", "write_outputs"]

_TABLE: Final = "fold changes and p-values by gene"
_FIGURE: Final = "fold changes against mean counts"
_FILES: Final = {
    "genes.csv.gz": "dispersions, coefficients and fit by gene",
    "size_factors.csv": "size factors by sample",
    "normalization_factors.csv.gz": "normalization factors by gene and sample, for transcript lengths",
    "normalized_counts.csv.gz": "counts divided by the size factors",
    "dispersion.png": "dispersions against mean counts",
    METHODS: "methods paragraphs",
    RECORD: "versions, design, options, thresholds",
    SAVED: "the fit, for countnest query and countnest plot",
}
# Files of DESeq2's method alone.
_DESEQ2: Final = ("dispersion.png",)


def planned_files(comparisons: Sequence[str], queries: Mapping[str, str], method: Method = "deseq2") -> dict[str, str]:
    """Return the names of all files that a run may write, with what they hold.

    Parameters
    ----------
    comparisons
        What is compared, in words.
    queries
        The names of the files of the answers, with the queries.
    method
        The method of the analysis.
    """
    about = [f": {text}" for text in comparisons] if len(comparisons) > 1 else [""] * len(comparisons)
    names = file_names(len(comparisons))
    tables = {table: _TABLE + text for (table, _), text in zip(names, about, strict=True)}
    figures = {figure: _FIGURE + text for (_, figure), text in zip(names, about, strict=True)}
    others = {name: text for name, text in _FILES.items() if method == "deseq2" or name not in _DESEQ2}
    return tables | figures | others | dict(queries)


def write_outputs(
    folder: Path,
    fitted: FittedTables,
    compared: Sequence[Compared],
    answers: Sequence[Answered],
    record: Mapping[str, Any],
) -> frozenset[str]:
    """Write every file into `folder`, and return their names; `record` is that of the run, without the names."""
    for each in compared:
        each.results.to_csv(folder / each.table)
        save_figure(plot_ma(each.results), folder / each.figure)
    write_table(fitted.genes.rename_axis("gene"), folder / "genes.csv.gz")
    for answered in answers:
        answered.answer.to_csv(folder / answered.file)
    _write_factors(folder, fitted)
    write_table(fitted.normalized.rename_axis("gene"), folder / "normalized_counts.csv.gz")
    if fitted.trend is not None:
        save_figure(plot_dispersion(fitted.genes, fitted.trend), folder / "dispersion.png")
    (folder / METHODS).write_text(_methods(compared, answers), encoding="utf-8")
    files = sorted({each.name for each in folder.iterdir()} | {RECORD})
    (folder / RECORD).write_text(
        json.dumps({**record, "files": files}, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    return frozenset(files)


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
