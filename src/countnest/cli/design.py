"""The command `countnest design`: read the sample sheet, describe the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

import countnest as cn
from countnest.cli.notices import warnings_as_lines
from countnest.design.build import build_design
from countnest.design.design import Design, check_residual_df
from countnest.design.random.checks import mixed_errors, mixed_warnings
from countnest.errors import DesignError, warn

__all__ = ["describe_design"]


def describe_design(
    samples: Path, formula: str, reference: Mapping[str, str], levels: Mapping[str, Sequence[str]]
) -> None:
    """Print the report of a design, which needs no counts."""
    with warnings_as_lines():
        design = build_design(formula, cn.read_samples(samples), reference=reference, levels=levels)
        click.echo(str(design.report()))
        for problem in _problems(design):  # only the report was requested, not a fit
            warn(problem)


def _problems(design: Design) -> list[str]:
    """Return why a design cannot be fitted, or what of it is known poorly, in sentences."""
    if design.random:
        return [str(error) for error in mixed_errors(design, "linear")] or mixed_warnings(design, "linear")
    try:
        check_residual_df(design)
    except DesignError as error:
        return [str(error)]
    return []
