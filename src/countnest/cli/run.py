"""The command `countnest run`: read, fit, test, write, report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

import countnest as cn
from countnest.api.announcement import announce
from countnest.api.results import require_one_comparison
from countnest.cli.comparisons import compare
from countnest.cli.fitted import by_gene
from countnest.cli.folder import check_names, check_out, earlier_files
from countnest.cli.found import Answered, Compared
from countnest.cli.notices import warnings_as_lines
from countnest.cli.outputs import planned_files, write_outputs
from countnest.cli.queries import answer_queries, query_files, read_queries
from countnest.cli.record import Run, run_record
from countnest.cli.request import READING, Request
from countnest.cli.text import gene_table, level_text, row_sentences, wrapped
from countnest.containers.count_table import CountTable
from countnest.containers.null_scale import null_heading
from countnest.containers.results import Results
from countnest.containers.summary import summarize
from countnest.design.levels.order import order_sentences
from countnest.errors import SamplesError, counted
from countnest.files import whole_folder
from countnest.methods.hidden import check_number
from countnest.progress import progress
from countnest.queries.contrasts import contrast_query
from countnest.stats.glm.layout import Layout
from countnest.stats.hidden.factors import HiddenOptions

if TYPE_CHECKING:
    import pandas as pd

    from countnest import DESeqDataSet

__all__ = ["run_request"]

_TOP = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """The data and the comparisons to make."""

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


def run_request(request: Request) -> None:
    """Run an analysis and write its files."""
    started = datetime.now(UTC)
    with warnings_as_lines():
        check_out(request.folder, _planned(request), request.force)
        inputs = _inputs(request)
        dds = _data_set(request, inputs)
        for contrast in inputs.contrasts:  # a comparison that cannot be made stops here
            contrast_query(dds.design, contrast, request.name)
        queries = read_queries(request, dds)  # and so does a query
        _check_hidden_factors(request, dds, inputs)
        announce(dds.design, progress(request.quiet), inputs.notes)
        _fit(request, dds)
        compared = compare(request, dds, inputs.contrasts)
        answers = answer_queries(request, queries)
        check_names(request.folder, _planned(request))  # files that have appeared since
        with whole_folder(request.folder, earlier_files(request.folder)) as folder:
            record = run_record(dds, compared, answers, Run(request, inputs.design, started, inputs.notes))
            write_outputs(folder, by_gene(dds, request.fit), compared, answers, record)
    _tell_design(request, dds, inputs.notes)
    for each in compared:
        _tell_results(each.results)
    for answered in answers:
        _tell_query(answered)
    _tell_files(request, compared, answers)


def _check_hidden_factors(request: Request, dds: DESeqDataSet, inputs: _Inputs) -> None:
    """Raise where hidden factors cannot be taken out of the comparisons; no fit is needed."""
    if request.hidden_factors is None:
        return
    if inputs.contrasts == (None,) and request.name is None:
        require_one_comparison(dds.design)
    number = None if request.hidden_factors == "auto" else request.hidden_factors
    check_number(HiddenOptions(number, request.hidden_seed), Layout.of(dds.design.matrix))


def _planned(request: Request) -> dict[str, str]:
    """Return the names of the files that a run will write."""
    return planned_files(
        [""] * max(1, len(request.contrast)),
        dict(zip(query_files(request), request.query, strict=True)),
        request.method,
    )


def _inputs(request: Request) -> _Inputs:
    if request.study is not None:
        return _study_inputs(request, request.study)
    assert request.design is not None
    counts = _read(request)
    samples = None if request.samples is None else cn.read_samples(request.samples)
    if samples is None and (not isinstance(counts, CountTable) or counts.samples is None):
        raise SamplesError(f"'{request.counts[0]}' has no sample sheet. Give one: --samples.")
    contrasts = request.contrast or (None,)
    return _Inputs(counts, samples, request.design, request.reference, request.levels, contrasts)


def _read(request: Request) -> pd.DataFrame | CountTable:
    """Return the counts in the files that were given."""
    first, *others = request.counts
    options: dict[str, Any] = {name: getattr(request, name) for name in READING}
    return cn.read_counts([first, *others] if others else first, **options)


def _study_inputs(request: Request, name: str) -> _Inputs:
    """Return a shipped study, with the changes that the user requested."""
    study = cn.datasets.load(name)
    design = request.design or study.design
    chosen = request.contrast or request.name is not None or request.design is not None
    contrasts = (request.contrast or (None,)) if chosen else (study.contrast,)
    used = {
        variable: level
        for variable, level in study.reference.items()
        if _names(design, variable) and variable not in request.levels
    }
    return _Inputs(study.counts, study.samples, design, {**used, **request.reference}, request.levels, contrasts)


def _names(formula: str, variable: str) -> bool:
    return re.search(rf"\b{re.escape(variable)}\b", formula) is not None


def _data_set(request: Request, inputs: _Inputs) -> DESeqDataSet:
    return cn.DESeqDataSet(
        inputs.counts,
        inputs.samples,
        design=inputs.design,
        reference=inputs.reference,
        levels=inputs.levels,
        orientation=request.orientation,
        quiet=True,  # messages come once the queries are parsed
    )


def _fit(request: Request, dds: DESeqDataSet) -> None:
    if request.method == "edger":
        test: Literal["ql", "lrt"] = "lrt" if request.test == "LRT" else "ql"
        cn.edger(
            dds, test=test, robust=request.robust, compat=request.compat, n_threads=request.threads,
            quiet=request.quiet,
        )  # fmt: skip
        return
    if request.method == "voom":
        cn.limma(
            dds, robust=request.robust, compat=request.compat, block=request.block,
            quality_weights=request.quality_weights, quiet=request.quiet,
        )  # fmt: skip
        return
    assert request.test is not None
    cn.DESeq(
        dds,
        test=request.test,
        reduced=request.reduced,
        fit_type=request.fit_type,
        size_factor_type=request.size_factor_type,
        min_replicates_for_replace=request.min_replicates_for_replace,
        use_t=request.use_t,
        minmu=request.minmu,
        n_threads=request.threads,
        quiet=request.quiet,
    )


def _tell_design(request: Request, dds: DESeqDataSet, notes: Sequence[str]) -> None:
    """Print the design, the reference levels, and the notes that the progress display has not shown."""
    design = dds.design
    click.echo(f"\ndesign: {design.formula}")
    click.echo(f"reference levels: {level_text(design.levels)}")
    for sentence in order_sentences(design.orders, [block[-1] for block in design.nesting.blocks]):
        click.echo(sentence)
    for note in [*notes, *design.notes] if request.quiet else ():
        click.echo(f"note: {note}")


def _tell_results(results: Results) -> None:
    description = results.descriptions()
    click.echo(f"{description['log2FoldChange']}\n{description['pvalue']}\n")
    click.echo(f"{summarize(results.table, results.info)}\n")
    click.echo(f"{gene_table(results.top(_TOP))}\n")


def _tell_query(answered: Answered) -> None:
    """Print how a query was understood, and how many genes are significant."""
    query, alpha = answered.query, answered.parts[0].info.alpha
    found = [f"{counted(count, 'gene')} with padj < {alpha:g}" for count in answered.significant]
    click.echo(f"query: {answered.text.strip()}")
    for sentence in query.order_sentences:
        click.echo(f"  {sentence}")
    scales = [null_heading(part.info) for part in answered.parts]
    if answered.joint:
        click.echo(f"  {query.explain().splitlines()[0]}")
        click.echo(wrapped("", query.labels, "; ", 2))
        click.echo("\n".join(f"  {line}" for line in (found[0], *scales[0])) + "\n")
        return
    for place, count in enumerate(found):
        click.echo(f"  {query.labels[place]}: {count}")
        click.echo("".join(f"    {line}\n" for line in scales[place]), nl=False)
        click.echo("\n".join(row_sentences(query[place])))
    click.echo("")


def _tell_files(request: Request, compared: Sequence[Compared], answers: Sequence[Answered]) -> None:
    labels = [each.results.info.label for each in compared]
    queries = {answered.file: answered.text.strip() for answered in answers}
    files = planned_files(labels, queries, request.method)
    click.echo(f"results in {request.folder}")
    for name, text in files.items():
        click.echo(f"  {name:<25}{text}")
