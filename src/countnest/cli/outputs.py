"""The files that a run leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from countnest.cli.queries import Answered
from countnest.cli.record import Run, run_record
from countnest.containers.results import Results
from countnest.containers.table_file import write_table
from countnest.plots import plot_dispersion, plot_ma

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["FILES", "write_outputs"]

FILES: Final = {
    "results.csv": "fold changes and p-values by gene",
    "genes.csv.gz": "dispersions, coefficients and fit by gene",
    "size_factors.csv": "size factors by sample",
    "normalized_counts.csv.gz": "counts divided by the size factors",
    "ma.png": "fold changes against mean counts",
    "dispersion.png": "dispersions against mean counts",
    "run.json": "versions, design, options, thresholds",
}

_DPI: Final = 200


def write_outputs(folder: Path, dds: DESeqDataSet, results: Results, answers: Sequence[Answered], run: Run) -> None:
    """Write every file into `folder`."""
    results.to_csv(folder / "results.csv")
    write_table(dds.genes.rename_axis("gene"), folder / "genes.csv.gz")
    for answered in answers:
        answered.answer.to_csv(folder / answered.file)
    factors = dds.size_factors
    assert factors is not None  # the shell takes no normalization factors
    write_table(factors.rename("size_factor").rename_axis("sample").to_frame(), folder / "size_factors.csv")
    write_table(dds.counts(normalized=True).rename_axis("gene"), folder / "normalized_counts.csv.gz")
    plot_ma(results).savefig(folder / "ma.png", dpi=_DPI)
    plot_dispersion(dds.genes, dds.dispersion_trend).savefig(folder / "dispersion.png", dpi=_DPI)
    record = run_record(dds, results, answers, run)
    (folder / "run.json").write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
