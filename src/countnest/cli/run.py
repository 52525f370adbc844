"""The command `countnest run`: read, fit, test, write, report."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

import countnest as cn
from countnest.api.announcement import announce
from countnest.api.results import require_one_comparison
from countnest.cli.comparisons import compare
from countnest.cli.fitted import by_gene
from countnest.cli.fitting import fit
from countnest.cli.folder import SAVED, check_names, check_out, earlier_files
from countnest.cli.inputs import Inputs, data_set, read_inputs
from countnest.cli.notices import warnings_as_lines
from countnest.cli.outputs import Found, planned_files, write_outputs
from countnest.cli.queries import answer_queries, query_files, read_queries
from countnest.cli.record import Run, run_record
from countnest.cli.request import Request
from countnest.cli.telling import tell_design, tell_files, tell_query, tell_results
from countnest.files import whole_folder
from countnest.methods.hidden import check_number
from countnest.progress import progress
from countnest.queries.contrasts import contrast_query
from countnest.queries.query import Query, stack
from countnest.stats.glm.layout import Layout
from countnest.stats.hidden.factors import HiddenOptions

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["run_request"]


def run_request(request: Request) -> None:
    """Run an analysis and write its files."""
    started = datetime.now(UTC)
    with warnings_as_lines():
        check_out(request.folder, _planned(request), request.force)
        inputs = read_inputs(request)
        dds = data_set(request, inputs)
        for contrast in inputs.contrasts:  # a comparison that cannot be made stops here
            contrast_query(dds.design, contrast, request.name)
        queries = read_queries(request, dds)  # and so does a query
        _check_hidden_factors(request, dds, inputs)
        announce(dds.design, progress(request.quiet), inputs.notes)
        fit(request, dds)
        compared = compare(request, request.how, dds, inputs.contrasts)
        answers = answer_queries(request, request.how, queries)
        check_names(request.folder, _planned(request))  # files that have appeared since
        with whole_folder(request.folder, earlier_files(request.folder)) as folder:
            if request.save:
                cn.save(dds, folder / SAVED)
            if request.r_script is not None:
                _write_script(dds, inputs, queries, request)
            record = run_record(dds, compared, answers, Run(request, inputs.design, started, inputs.notes))
            found = Found(dds, by_gene(dds, request.fit), compared, answers)
            record = write_outputs(folder, found, record, request.wanted)
    if request.as_json:
        click.echo(json.dumps({"folder": str(request.folder), **record}, indent=2, allow_nan=False))
        return
    tell_design(dds, [*inputs.notes, *dds.design.notes] if request.quiet else ())  # else the progress has told them
    for each in compared:
        tell_results(each.results)
    for answered in answers:
        tell_query(answered)
    labels = [each.results.info.label for each in compared]
    _tell_files(request, _planned(request, labels), record["files"])


def _write_script(dds: DESeqDataSet, inputs: Inputs, queries: Sequence[Query], request: Request) -> None:
    """Write the folder of an R script that makes the tests of all questions, row by row."""
    assert request.r_script is not None
    compared = [contrast_query(dds.design, contrast, request.name) for contrast in inputs.contrasts]
    dds.to_r(request.r_script, stack([*compared, *queries]), fit=request.fit)


def _check_hidden_factors(request: Request, dds: DESeqDataSet, inputs: Inputs) -> None:
    """Raise where hidden factors cannot be taken out of the comparisons; no fit is needed."""
    if request.hidden_factors is None:
        return
    if inputs.contrasts == (None,) and request.name is None:
        require_one_comparison(dds.design)
    number = None if request.hidden_factors == "auto" else request.hidden_factors
    check_number(HiddenOptions(number, request.hidden_seed), Layout.of(dds.design.matrix))


def _planned(request: Request, labels: list[str] | None = None) -> dict[str, str]:
    """Return the names of the files that a run may write, with what they hold; `labels` are those of comparisons."""
    number = max(1, len(request.contrast)) if request.compares else 0
    queries = dict(zip(query_files(request), (text.strip() for text in request.query), strict=True))
    return planned_files([""] * number if labels is None else labels, queries, request.wanted)


def _tell_files(request: Request, planned: Mapping[str, str], written: Collection[str]) -> None:
    tell_files(request.folder, planned, written)
    if request.r_script is not None:
        click.echo(f"R script in {request.r_script}")
