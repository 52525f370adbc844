"""The figures of a report, made with Bokeh: their axes and tools; the page's script puts the points of genes in.

Points are drawn on canvases, so that tens of thousands of genes are quick in any browser, without WebGL.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from countnest.containers.results import Results
from countnest.plots.figure import BLUE, GREY, INK, ORANGE, PALETTE
from countnest.reporting.content import Content, Quality
from countnest.reporting.groups import grouped
from countnest.reporting.packed import Json
from countnest.reporting.questions import histogram_of, limits_of

__all__ = ["gene_figure", "quality_figures", "question_figures"]

Figure = Any  # bokeh's types are not known where it is not installed

_HEIGHT: Final = 380
_LIGHT: Final = "#D5D8DB"
_TAPPED: Final = "window.countnest.tapped(cb_obj);"
# Colours of the calls 0 to 3 of `questions.CALLS`.
CALL_COLOURS: Final = (GREY, ORANGE, BLUE, BLUE)
_MOST_COLOURS: Final = len(PALETTE)


def question_figures(results: Results) -> dict[str, Figure]:
    """Return the figures of a question, by kind: "ma" and "volcano" of one comparison, "pvalues" of a test."""
    found = {}
    if "log2FoldChange" in results.table:
        ma, across, top = limits_of(results)
        found["ma"] = _ma(results, ma)
        if "pvalue" in results.table or "svalue" in results.table:
            found["volcano"] = _volcano(results, across, top)
    bars = histogram_of(results)
    if bars is not None:
        found["pvalues"] = _histogram(bars)
    return found


def quality_figures(content: Content) -> dict[str, Figure]:
    """Return the figures of the samples and of the dispersions, by kind."""
    quality = content.quality
    found = {"sizes": _sizes(content)}
    if quality.components is not None:
        found["pca"] = _components(content, quality.components)
    if quality.distances is not None:
        found["distances"] = _distances(quality.distances)
    if quality.dispersions is not None:
        found["dispersions"] = _dispersions(quality)
    return found


def gene_figure() -> Figure:
    """Return the figure of the counts of one gene by groups of samples, without samples."""
    from bokeh.models import FixedTicker, HoverTool

    figure = _new("", "normalized count + 0.5", y_axis_type="log", x_range=(-0.6, 1.6), y_range=(0.4, 100.0))
    lines = _source(xs=[], ys=[])
    lines.name = "lines"
    figure.multi_line("xs", "ys", source=lines, color=GREY, line_width=1.0, alpha=0.8)
    means = _source(x=[], y=[], low=[], high=[], marker=[], size=[])
    means.name = "means"
    figure.segment("x", "low", "x", "high", source=means, line_color=INK, line_width=1.8)
    points = _source(x=[], y=[], colour=[], sample=[], count=[], raw=[])
    points.name = "points"
    dots = figure.scatter(
        "x", "y", source=points, size=9, fill_color="colour", line_color="white", line_width=0.7, alpha=0.9
    )
    figure.scatter(
        "x", "y", source=means, marker="marker", size="size", fill_color="white", line_color=INK, line_width=2.0
    )
    tips = [("sample", "@sample"), ("normalized", "@count{0,0.0}"), ("count", "@raw{0,0.[00]}")]
    figure.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    figure.xaxis.ticker = FixedTicker(ticks=[])
    figure.xgrid.grid_line_color = None
    return figure


# ---- of a question ----


def _ma(results: Results, limits: tuple[float, float]) -> Figure:
    across = _of_logarithms(results.table["baseMean"].to_numpy(dtype=np.float64))
    options = {"x_axis_type": "log", "x_range": across, "y_range": _wider(limits)}
    figure = _new("mean of normalized counts", _change(results), **options)
    _gene_points(figure, [("gene", "@name"), ("mean", "@true_x{0,0.0}"), ("log2FC", "@true_y{0.000}")])
    for height in (0.0, *_thresholds(results)):
        _line(figure, height, "width", dashed=height != 0.0)
    return figure


def _volcano(results: Results, across: tuple[float, float], top: float) -> Figure:
    what = "p-value" if "pvalue" in results.table else "s-value"
    figure = _new(_change(results), f"-log10 {what}", x_range=_wider(across), y_range=(-0.02 * top, 1.05 * top))
    _gene_points(figure, [("gene", "@name"), ("log2FC", "@true_x{0.000}"), (f"-log10 {what}", "@true_y{0.0}")])
    for place in (0.0, *_thresholds(results)):
        _line(figure, place, "height", dashed=place != 0.0)
    return figure


def _histogram(bars: pd.DataFrame) -> Figure:
    from bokeh.models import Legend

    tested, left_out = bars["tested"].to_numpy(), bars["left_out"].to_numpy()
    tallest = max(float((tested + left_out).max()), bars.attrs["expected"], 1.0)
    figure = _new("p-value", "genes", x_range=(-0.02, 1.02), y_range=(0.0, 1.05 * tallest))
    edges = {"left": bars["low"].to_numpy(), "right": bars["high"].to_numpy()}
    shown = figure.quad(bottom=0, top=tested, fill_color=BLUE, line_color="white", line_width=0.5, **edges)
    items = [(f"tested: {tested.sum():,}", [shown])]
    if left_out.any():
        top = figure.quad(
            bottom=tested, top=tested + left_out, fill_color=_LIGHT, line_color="white", line_width=0.5, **edges
        )
        items.append((f"filtered out: {left_out.sum():,}", [top]))
    ends = [0.0, 1.0]
    chance = figure.line(ends, [bars.attrs["expected"]] * 2, color=INK, line_width=1.5, line_dash="dashed")
    null = figure.line(ends, [bars.attrs["null"]] * 2, color=ORANGE, line_width=2.0)
    share = bars.attrs["verdict"].null_share
    items += [("no gene has an effect", [chance]), (f"pi0 = {share:.2f}", [null])]
    figure.add_layout(Legend(items=items, ncols=2, **_LEGEND), "above")
    return figure


def _change(results: Results) -> str:
    shrinkage = results.info.shrinkage
    return "log2 fold change" if shrinkage is None else f"log2 fold change (shrunken, {shrinkage})"


def _thresholds(results: Results) -> tuple[float, ...]:
    """Return the places of the threshold on the log2 fold change; none without."""
    threshold = results.info.lfc_threshold
    if threshold == 0:
        return ()
    sides = {"greater": (threshold,), "less": (-threshold,)}
    return sides.get(results.info.alt_hypothesis, (-threshold, threshold))


def _of_logarithms(values: np.ndarray, least: float = 0.0) -> tuple[float, float]:
    """Return limits of a logarithmic axis that hold all values above `least`."""
    there = values[np.isfinite(values) & (values > least)]
    if not there.size:
        return 0.1, 10.0
    low, high = float(there.min()), float(there.max())
    margin = max((high / low) ** 0.03, 1.1)
    return low / margin, high * margin


def _wider(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    margin = 0.03 * (high - low)
    return low - margin, high + margin


# ---- of the samples ----


def _sizes(content: Content) -> Figure:
    sizes = content.quality.sizes
    factor = "geometric mean of normalization factors" if content.quality.by_gene else "size factor"
    figure = _new("library size (counts)", factor)
    _sample_points(figure, content, sizes["library"].to_numpy(), sizes["factor"].to_numpy())
    figure.xaxis.formatter = _numbers("0.[0]a")
    return figure


def _components(content: Content, scores: pd.DataFrame) -> Figure:
    first, second = (f"PC{k + 1}: {100 * share:.0f} % of variance" for k, share in enumerate(_shares(scores)))
    figure = _new(first, second, match_aspect=True)
    _sample_points(figure, content, scores["PC1"].to_numpy(), scores["PC2"].to_numpy())
    return figure


def _shares(scores: pd.DataFrame) -> tuple[float, ...]:
    return tuple(scores.attrs["percent_var"])


def _sample_points(figure: Figure, content: Content, x: np.ndarray, y: np.ndarray) -> None:
    """Draw the samples, in the colours and with the markers of their groups."""
    from bokeh.models import HoverTool, Legend

    found = grouped(content.samples, content.groups)
    codes, items = np.array(found["codes"]), []
    for place, level in enumerate(found["levels"]):
        here = codes == place
        labels = content.samples.index[here].astype(str).tolist()
        source = _source(x=x[here], y=y[here], sample=labels, group=[level] * len(labels))
        drawn = figure.scatter(
            "x", "y", source=source, size=10, marker=_MARKERS[place // _MOST_COLOURS % len(_MARKERS)],
            fill_color=PALETTE[place % _MOST_COLOURS], line_color="white", line_width=0.7, alpha=0.9,
        )  # fmt: skip
        items.append((level, [drawn]))
    figure.add_tools(HoverTool(tooltips=[("sample", "@sample"), (found["name"], "@group")]))
    if len(items) <= _MOST_IN_LEGEND:
        figure.add_layout(Legend(items=items, ncols=1 if _is_long(found["levels"]) else 3, **_LEGEND), "above")


def _is_long(levels: list[str]) -> bool:
    return max(map(len, levels)) > 14


def _distances(distances: pd.DataFrame) -> Figure:
    from bokeh.models import ColorBar, HoverTool
    from bokeh.transform import linear_cmap

    names = distances.index.astype(str).tolist()
    figure = _new("", "", x_range=names, y_range=names[::-1], toolbar_location=None)
    values = distances.to_numpy().reshape(-1)
    source = _source(x=np.tile(names, len(names)).tolist(), y=np.repeat(names, len(names)).tolist(), d=values)
    colours = linear_cmap("d", "Viridis256", 0.0, float(values.max()) or 1.0)
    figure.rect("x", "y", 1, 1, source=source, fill_color=colours, line_color=None)
    figure.add_layout(ColorBar(color_mapper=colours["transform"], width=10, title="distance"), "right")
    figure.add_tools(HoverTool(tooltips=[("samples", "@x, @y"), ("distance", "@d{0.0}")]))
    figure.grid.grid_line_color = None
    figure.xaxis.major_label_orientation = "vertical"
    if len(names) > _MOST_NAMES:
        figure.axis.major_label_text_font_size = "0px"
        figure.axis.major_tick_line_color = None
    return figure


def _dispersions(quality: Quality) -> Figure:
    from bokeh.models import Legend

    table = quality.dispersions
    assert table is not None
    drawn = table[[name for name, _, _ in _DISPERSIONS if name in table]].to_numpy(dtype=np.float64)
    figure = _new(
        "mean of normalized counts", "dispersion", x_axis_type="log", y_axis_type="log",
        x_range=_of_logarithms(table["baseMean"].to_numpy(np.float64)), y_range=_of_logarithms(drawn, _FLOOR),
    )  # fmt: skip
    items = []
    for name, label, colour in _DISPERSIONS:
        if name in table:
            source = _source(x=[], y=[])
            source.name = name
            dots = figure.scatter("x", "y", source=source, size=3, fill_color=colour, line_color=None, alpha=0.6)
            items.append((label, [dots]))
    _mark(figure)
    figure.js_on_event("tap", _script(_TAPPED))
    figure.add_layout(Legend(items=items, ncols=3, **_LEGEND), "above")
    return figure


# ---- parts ----

_MARKERS: Final = ("circle", "square", "diamond", "triangle", "inverted_triangle", "star", "plus", "x")
_MOST_IN_LEGEND: Final = 14
_MOST_NAMES: Final = 24  # more would overlap; the mouse shows them
_LEGEND: Final = {"label_text_font_size": "12px", "border_line_color": None, "padding": 0, "margin": 4, "spacing": 2}
_FLOOR: Final = 1e-7  # the search for dispersions ends at 1e-8: such estimates are as good as zero
_DISPERSIONS: Final = (
    ("dispGeneEst", "gene-wise", GREY),
    ("dispersion", "final", BLUE),
    ("dispFit", "trend", ORANGE),
)


def _new(x_label: str, y_label: str, **options: Any) -> Figure:  # noqa: ANN401 (Bokeh's own)
    from bokeh.plotting import figure

    found = figure(
        height=_HEIGHT, sizing_mode="stretch_width", x_axis_label=x_label, y_axis_label=y_label, active_drag=None,
        tools="pan,box_zoom,wheel_zoom,reset,save", output_backend="canvas", min_border=10, **options,
    )  # fmt: skip
    found.toolbar.logo = None
    found.toolbar.autohide = True
    for axis in found.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = INK
        axis.axis_label_text_font_size = "13px"
        axis.major_label_text_font_size = "12px"
        axis.minor_tick_line_color = None
    found.outline_line_color = None
    found.grid.grid_line_color = "#ECEEF0"
    return found


def _gene_points(figure: Figure, tips: list[tuple[str, str]]) -> None:
    """Prepare points of genes, which the page's script puts in, and what a click on them does."""
    from bokeh.models import HoverTool
    from bokeh.transform import linear_cmap

    points = _source(x=[], y=[], call=[], marker=[], name=[], true_x=[], true_y=[])
    points.name = "points"
    colours = linear_cmap("call", list(CALL_COLOURS), -0.5, len(CALL_COLOURS) - 0.5)
    dots = figure.scatter(
        "x", "y", source=points, marker="marker", size=5, fill_color=colours, line_color=None, alpha=0.65
    )
    dots.selection_glyph = dots.nonselection_glyph = None
    _mark(figure)
    figure.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    figure.js_on_event("tap", _script(_TAPPED))


def _mark(figure: Figure) -> None:
    """Prepare the ring around the gene that was chosen."""
    mark = _source(x=[], y=[])
    mark.name = "mark"
    figure.scatter("x", "y", source=mark, size=15, fill_color=None, line_color=INK, line_width=2.5)


def _line(figure: Figure, place: float, dimension: str, *, dashed: bool) -> None:
    from bokeh.models import Span

    dash = "dashed" if dashed else "solid"
    figure.add_layout(Span(location=place, dimension=dimension, line_color=INK, line_width=1, line_dash=dash))


def _source(**columns: Any) -> Any:  # noqa: ANN401 (Bokeh's own)
    from bokeh.models import ColumnDataSource

    return ColumnDataSource(data=columns)


def _script(code: str) -> Any:  # noqa: ANN401 (Bokeh's own)
    from bokeh.models import CustomJS

    return CustomJS(code=code)


def _numbers(form: str) -> Any:  # noqa: ANN401 (Bokeh's own)
    from bokeh.models import NumeralTickFormatter

    return NumeralTickFormatter(format=form)


def figure_items(figures: dict[str, Figure]) -> dict[str, Json]:
    """Return figures in the form in which a page holds them."""
    from bokeh.embed import json_item

    return {name: dict(json_item(figure)) for name, figure in figures.items()}
