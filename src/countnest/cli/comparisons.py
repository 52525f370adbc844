"""The comparisons of `--contrast`, one or several: their names of files, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import countnest as cn
from countnest.cli.request import Request
from countnest.containers.results import Results

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["Compared", "compare", "file_names"]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A comparison with its answer, and the names of the files for its table and its figure."""

    contrast: tuple[str, str, str] | None
    results: Results
    table: str
    figure: str


def file_names(number: int) -> list[tuple[str, str]]:
    """Return the names of table and figure of each comparison, numbered in the order of the options if several."""
    endings = [""] if number <= 1 else [f"_{place}" for place in range(1, number + 1)]
    return [(f"results{ending}.csv", f"ma{ending}.png") for ending in endings]


def compare(request: Request, dds: DESeqDataSet, contrasts: Sequence[tuple[str, str, str] | None]) -> list[Compared]:
    """Return the answers to all comparisons; None: what `--name` says, or the last coefficient."""
    return [
        Compared(contrast, _results(request, dds, contrast), *names)
        for contrast, names in zip(contrasts, file_names(len(contrasts)), strict=True)
    ]


def _results(request: Request, dds: DESeqDataSet, contrast: tuple[str, str, str] | None) -> Results:
    return cn.results(
        dds,
        contrast=contrast,
        name=request.name,
        alpha=request.alpha,
        lfc_threshold=request.lfc_threshold,
        alt_hypothesis=request.alt_hypothesis,
        independent_filtering=request.independent_filtering,
        cooks_cutoff=request.cooks_cutoff,
    )
