"""What a command prints: designs, results, answers to queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from countnest.cli.found import Answered
from countnest.cli.text import gene_table, level_text, row_sentences, wrapped
from countnest.containers.null_scale import null_heading
from countnest.containers.results import Results
from countnest.containers.summary import summarize
from countnest.design.levels.order import order_sentences
from countnest.errors import counted

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["TOP", "tell_design", "tell_files", "tell_query", "tell_results", "tell_top"]

TOP = 10
_NAME_WIDTH = 25  # at least, in lists of files


def tell_design(dds: DESeqDataSet, notes: Sequence[str]) -> None:
    """Print the design, the reference levels, and notes."""
    design = dds.design
    click.echo(f"\ndesign: {design.formula}")
    click.echo(f"reference levels: {level_text(design.levels)}")
    for sentence in order_sentences(design.orders, [block[-1] for block in design.nesting.blocks]):
        click.echo(sentence)
    for note in notes:
        click.echo(f"note: {note}")


def tell_files(folder: Path, planned: Mapping[str, str], written: Collection[str]) -> None:
    """Print the names of the files that were written, in the order of those planned, with what they hold."""
    click.echo(f"results in {folder}")
    names = [name for name in planned if name in written]
    width = max(_NAME_WIDTH, *(len(name) + 1 for name in names))
    for name in names:
        click.echo(f"  {name:<{width}}{planned[name]}")


def tell_results(results: Results, top: int = TOP) -> None:
    """Print what a table holds, the numbers of genes, and the first genes."""
    description = results.descriptions()
    click.echo(f"{description['log2FoldChange']}\n{description['pvalue']}\n")
    click.echo(f"{summarize(results.table, results.info)}\n")
    _tell_genes(results, top)


def tell_top(answered: Answered, top: int) -> None:
    """Print the first genes of each table of an answer."""
    for label, part in zip(answered.query.labels, answered.parts, strict=not answered.joint):
        if not answered.joint and len(answered.parts) > 1:
            click.echo(f"{label}")
        _tell_genes(part, top)


def _tell_genes(results: Results, top: int) -> None:
    if top:
        click.echo(f"{gene_table(results.top(top))}\n")


def tell_query(answered: Answered) -> None:
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
