"""The command `countnest design`: read the sample sheet, describe the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

import countnest as cn
from countnest.cli.notices import warnings_as_lines
from countnest.design.build import build_design
from countnest.design.design import check_residual_df
from countnest.design.random.refusal import refuse_random
from countnest.errors import DesignError, warn

__all__ = ["describe_design"]


def describe_design(
    samples: Path, formula: str, reference: Mapping[str, str], levels: Mapping[str, Sequence[str]]
) -> None:
    """Print the report of a design, which needs no counts."""
    with warnings_as_lines():
        design = build_design(formula, cn.read_samples(samples), reference=reference, levels=levels)
        click.echo(str(design.report()))
        try:
            refuse_random(design, "The command")
            check_residual_df(design)
        except DesignError as error:  # only the report was requested, not a fit
            warn(str(error))
