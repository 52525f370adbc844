"""The command `countnest plot`: figures from a saved fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

import countnest as cn
from countnest.cli.comparisons import tables_of
from countnest.cli.notices import warnings_as_lines
from countnest.cli.plot_request import Kind, PlotRequest
from countnest.cli.saved import contrasts_of, how_of, open_saved
from countnest.cli.transformed import stabilized
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError, listing
from countnest.files import whole_file
from countnest.plots.saving import save_figure

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.plots.saving import Figure

__all__ = ["draw_saved"]


def draw_saved(request: PlotRequest) -> None:
    """Draw a figure of a saved fit into a file."""
    with warnings_as_lines():
        dds = open_saved(request.file)
        figure = _DRAWN[request.kind](request, dds)
        with whole_file(request.out) as draft:
            save_figure(figure, draft)
    click.echo(f"figure in {request.out}")


def _tables(request: PlotRequest, dds: DESeqDataSet) -> dict[str, Results]:
    """Return the tables of all questions, by label."""
    return tables_of(request, how_of(request, dds), dds, contrasts_of(request))


def _only(request: PlotRequest, dds: DESeqDataSet) -> Results:
    """Return the table of the only question."""
    tables = _tables(request, dds)
    if len(tables) > 1:
        raise OptionError(
            f"{request.kind} is of one table, and there are {len(tables)}: {listing(tables)}. Ask for one of them."
        )
    return next(iter(tables.values()))


def _groups(request: PlotRequest, dds: DESeqDataSet) -> list[str] | None:
    """Return the columns that make the groups: those given, or the factors of the design."""
    return list(request.by) or list(dds.design.levels) or None


def _volcano(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_volcano(_only(request, dds))


def _ma(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_ma(_only(request, dds))


def _pvalues(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_pvalues(_only(request, dds))


def _upset(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_upset(_tables(request, dds))


def _changes(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    assert request.gene is not None
    return cn.plot_changes(ResultsSet(_tables(request, dds)), request.gene)


def _counts(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    assert request.gene is not None
    return cn.plot_counts(dds, request.gene, list(request.by) or None)


def _pca(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_pca(stabilized(dds), dds.samples, _groups(request, dds))


def _distances(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_distances(stabilized(dds), dds.samples, _groups(request, dds))


def _heatmap(request: PlotRequest, dds: DESeqDataSet) -> Figure:
    """Draw the genes that vary most or, with a question, the first ones of its table."""
    asked = bool(request.contrast or request.name or request.query)
    by = _only(request, dds) if asked else None
    return cn.plot_heatmap(stabilized(dds), dds.samples, _groups(request, dds), by=by)


def _dispersion(_: PlotRequest, dds: DESeqDataSet) -> Figure:
    return cn.plot_dispersion(dds.genes, dds.dispersion_trend)


_DRAWN: Final[dict[Kind, Callable[[PlotRequest, DESeqDataSet], Figure]]] = {
    "volcano": _volcano,
    "ma": _ma,
    "pvalues": _pvalues,
    "upset": _upset,
    "changes": _changes,
    "counts": _counts,
    "pca": _pca,
    "distances": _distances,
    "heatmap": _heatmap,
    "dispersion": _dispersion,
}
