"""The data of a run: read from files, or shipped with the package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import countnest as cn
from countnest.cli.request import READING, Reading, Request
from countnest.containers.count_table import CountTable
from countnest.errors import SamplesError

if TYPE_CHECKING:
    import pandas as pd

    from countnest import DESeqDataSet

__all__ = ["Inputs", "data_set", "read_files", "read_inputs"]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The data and the comparisons to make; None: that of `--name`, or the last coefficient."""

    counts: pd.DataFrame | CountTable
    samples: pd.DataFrame | None
    design: str
    reference: dict[str, str]
    levels: dict[str, list[str]]
    contrasts: tuple[tuple[str, str, str] | None, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the reader of the counts."""
        return self.counts.notes if isinstance(self.counts, CountTable) else ()


def read_inputs(request: Request) -> Inputs:
    """Return the data that a run was given, and what it compares: nothing where queries alone are asked for."""
    if request.study is not None:
        return _study_inputs(request, request.study)
    assert request.design is not None
    counts = read_files(request)
    samples = None if request.samples is None else cn.read_samples(request.samples)
    if samples is None and (not isinstance(counts, CountTable) or counts.samples is None):
        raise SamplesError(f"'{request.counts[0]}' has no sample sheet. Give one: --samples.")
    contrasts = (request.contrast or (None,)) if request.compares else ()
    return Inputs(counts, samples, request.design, request.reference, request.levels, contrasts)


def read_files(request: Reading) -> pd.DataFrame | CountTable:
    """Return the counts in the files that were given."""
    first, *others = request.counts
    options: dict[str, Any] = {name: getattr(request, name) for name in READING}
    return cn.read_counts([first, *others] if others else first, **options)


def _study_inputs(request: Request, name: str) -> Inputs:
    """Return a shipped study, with the changes that the user requested."""
    study = cn.datasets.load(name)
    design = request.design or study.design
    chosen = request.contrast or request.name is not None or request.design is not None
    default = None if chosen else study.contrast
    contrasts = (request.contrast or (default,)) if request.compares else ()
    used = {
        variable: level
        for variable, level in study.reference.items()
        if _names(design, variable) and variable not in request.levels
    }
    return Inputs(study.counts, study.samples, design, {**used, **request.reference}, request.levels, contrasts)


def _names(formula: str, variable: str) -> bool:
    return re.search(rf"\b{re.escape(variable)}\b", formula) is not None


def data_set(request: Request, inputs: Inputs) -> DESeqDataSet:
    """Return the data set with its design, not fitted."""
    return cn.DESeqDataSet(
        inputs.counts,
        inputs.samples,
        design=inputs.design,
        reference=inputs.reference,
        levels=inputs.levels,
        orientation=request.orientation,
        quiet=True,  # messages come once the queries are parsed
    )
