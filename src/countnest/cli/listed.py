"""`countnest run --contrasts`: every comparison that a file lists, each in its own model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

import countnest as cn
from countnest.api.announcement import announce
from countnest.api.results import only
from countnest.cli.comparisons import compare
from countnest.cli.fitted import by_gene
from countnest.cli.fitting import fit
from countnest.cli.folder import check_names, check_out, earlier_files
from countnest.cli.inputs import Inputs, read_files
from countnest.cli.listed_models import ListedModel, joined
from countnest.cli.listed_outputs import Found, files_of, write_found, write_run
from countnest.cli.notices import warnings_as_lines
from countnest.cli.record import Run, run_record
from countnest.cli.request import Request
from countnest.cli.telling import tell_files, tell_results
from countnest.cli.text import level_text
from countnest.containers.count_table import CountTable
from countnest.containers.results import Results
from countnest.errors import FileError, SamplesError, listing
from countnest.files import whole_folder
from countnest.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from countnest import DESeqDataSet, ListedContrast

__all__ = ["run_listed"]

_FILE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*")


def run_listed(request: Request) -> None:
    """Fit each model, make its comparisons, and write the files."""
    assert request.contrasts is not None
    started = datetime.now(UTC)
    with warnings_as_lines():
        inputs, samples = _inputs(request)
        listed = cn.read_contrasts(request.contrasts, samples)
        _check_ids(request, listed)
        planned = files_of([each.id for each in listed], request)
        check_out(request.folder, planned, request.force)
        models = _models(request, inputs, samples, listed)
        found: list[Found] = []
        with whole_folder(request.folder, earlier_files(request.folder)) as folder:
            for model in models:
                dds = model.dds
                announce(dds.design, progress(request.quiet), () if found else inputs.notes)
                with warnings_as_lines(_start(model.listed)):
                    fit(request, dds)
                    results = {each.id: _answer(request, dds, each) for each in model.listed}
                record = run_record(dds, [], [], Run(request, _formula(dds), started, inputs.notes))
                found.append(Found(model.listed, results, dds.design.levels, record))
                place = len(found) if len(models) > 1 else None
                write_found(folder, dds, found[-1], by_gene(dds, request.fit), request, place)
            check_names(request.folder, planned)  # files that have appeared since
            written = write_run(folder, found)
    click.echo("")
    for each in found:
        _tell(each)
    tell_files(request.folder, planned, written)


def _inputs(request: Request) -> tuple[Inputs, pd.DataFrame]:
    """Return the counts and the samples."""
    if request.study is not None:
        study = cn.datasets.load(request.study)
        return Inputs(study.counts, None, "", request.reference, request.levels, ()), study.samples
    counts = read_files(request)
    own = counts.samples if isinstance(counts, CountTable) else None
    samples = own if request.samples is None else cn.read_samples(request.samples)
    if samples is None:
        raise SamplesError(f"'{request.counts[0]}' has no sample sheet. Give one: --samples.")
    return Inputs(counts, None, "", request.reference, request.levels, ()), samples


def _check_ids(request: Request, listed: Sequence[ListedContrast]) -> None:
    """Raise if a contrast cannot give its name to files."""
    for each in listed:
        if _FILE_NAME.fullmatch(each.id) is None:
            raise FileError(
                f"'{request.contrasts}', contrast '{each.id}': files of results are named by the id, which may have "
                "letters, digits, '_', '.', '+' and '-', and begins with a letter, a digit or '_'. Change it."
            )


def _models(
    request: Request, inputs: Inputs, samples: pd.DataFrame, listed: Sequence[ListedContrast]
) -> list[ListedModel]:
    """Return the models that are needed, each with all of its comparisons, in the order of the file; all are checked.

    What a model is decides, not how the file writes it.
    """
    groups: dict[tuple[str, bool, tuple[str, ...]], list[ListedContrast]] = {}
    for each in listed:
        key = (each.design, each.formula is None, tuple(each.kept(samples)))
        groups.setdefault(key, []).append(each)
    models = []
    for group in groups.values():
        with warnings_as_lines(_start(group)):
            models.append(ListedModel(tuple(group), _data_set(request, inputs, samples, group[0])))
    models = joined(models, listed)
    for model in models:
        _check_contrasts(request, model)
    return models


def _start(listed: Sequence[ListedContrast]) -> str:
    """Return what a warning begins with: the contrasts that it is about."""
    return f"{'contrast' if len(listed) == 1 else 'contrasts'} {listing(each.id for each in listed)}: "


def _data_set(request: Request, inputs: Inputs, samples: pd.DataFrame, first: ListedContrast) -> DESeqDataSet:
    """Return the data set of a model, not fitted, coded for the first of its contrasts."""
    coding, kept = first.coding(samples), first.kept(samples)
    options = {
        name: coding.get(name, {}) | {key: value for key, value in given.items() if _names(first.design, key)}
        for name, given in (("reference", request.reference), ("levels", request.levels))
    }
    dds = cn.DESeqDataSet(
        inputs.counts, samples, design=first.design, orientation=request.orientation, quiet=True, **options
    )
    return dds[:, kept] if len(kept) < len(samples) else dds


def _check_contrasts(request: Request, model: ListedModel) -> None:
    """Raise if a comparison cannot be made in its model."""
    for each in model.listed:
        try:
            model.dds.contrast(each.contrast)
        except cn.CountnestError as error:
            raise type(error)(f"'{request.contrasts}', contrast '{each.id}': {error}") from error


def _formula(dds: DESeqDataSet) -> str:
    assert dds.design.formula is not None
    return dds.design.formula


def _names(formula: str, variable: str) -> bool:
    return re.search(rf"\b{re.escape(variable)}\b", formula) is not None


def _answer(request: Request, dds: DESeqDataSet, each: ListedContrast) -> Results:
    """Return the table of a comparison."""
    asked = each.contrast
    if not isinstance(asked, str):
        return compare(request, request.how, dds, [asked])[0].results
    kind = request.how.kind or request.how.query_kind
    return only(dds.contrast(asked).test(kind, fit=request.fit, **request.testing()))


def _tell(found: Found) -> None:
    for line in _lines(found):
        click.echo(line)
    for name, results in found.results.items():
        click.echo(f"contrast: {name}")
        tell_results(results)


def _lines(found: Found) -> Iterator[str]:
    yield f"design: {found.listed[0].design}"
    yield f"reference levels: {level_text(found.levels)}"
