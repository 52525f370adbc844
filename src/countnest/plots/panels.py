"""Samples, blocks and means of one gene in panels side by side; imported only when the interaction plot is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.plots.categories import GroupAxis, colour_of, legend_shape
from countnest.plots.figure import GREY, INK, caption, figure_of, frame, legend_above, new_axes, points
from countnest.plots.gene import OFFSET, DrawnGene

__all__ = ["draw_gene"]

# Empty space between two levels of `by`, in steps between two levels of `x`.
_GAP: Final = 1.1
# Samples stand left of their level, and means right of it, in steps, so that both are seen.
_SHIFT: Final = 0.09


@dataclass(frozen=True, slots=True)
class _Panels:
    """Where the levels stand: one panel for each level of `by`, in it those of `x`."""

    drawn: DrawnGene

    @property
    def step(self) -> float:
        """The distance from one panel to the next."""
        return len(self.drawn.found.x_levels) - 1 + _GAP

    def places(self, table: pd.DataFrame) -> FloatArray:
        """Return the positions of the rows of a table on the x axis."""
        return (table["x"] + table["by"] * self.step).to_numpy(dtype=np.float64)

    @property
    def centres(self) -> FloatArray:
        """The middles of the panels."""
        found = self.drawn.found
        return as_float(np.arange(len(found.by_levels)) * self.step + (len(found.x_levels) - 1) / 2)

    @property
    def present(self) -> BoolArray:
        """The combinations of `by` and `x` that are drawn."""
        found = self.drawn.found
        there = np.zeros((len(found.by_levels), len(found.x_levels)), dtype=np.bool_)
        for table in (self.drawn.samples, self.drawn.means):
            there[table["by"], table["x"]] = True
        return there


def draw_gene(drawn: DrawnGene, ax: Axes | None) -> Figure:
    """Draw samples, the lines of their blocks, and the means of the model with their intervals."""
    panels = _Panels(drawn)
    is_new = ax is None
    ax = new_axes(*_size(panels)) if ax is None else ax
    _draw_blocks(ax, panels, drawn.found.block_name)
    _draw_samples(ax, panels)
    _draw_means(ax, panels)
    _limit(ax, panels)
    _name_groups(ax, panels, is_new=is_new)
    ax.set_xlabel(drawn.found.axes.x, color=INK)
    ax.set_ylabel(f"log2(normalized count + {OFFSET:g})", color=INK)
    frame(ax, "y")
    columns, rows = legend_shape(ax)
    caption(ax, drawn.title, pad=8.0 + 14.0 * rows)
    legend_above(ax, columns=columns)
    return figure_of(ax)


def _axis(panels: _Panels) -> GroupAxis:
    """Return the names of all cells, each as a group of its own."""
    found = panels.drawn.found
    several = len(found.by_levels) > 1 or found.axes.by
    names = [
        f"{level}, {x}" if several else x
        for place, level in enumerate(found.by_levels)
        for k, x in enumerate(found.x_levels)
        if panels.present[place, k]
    ]
    return GroupAxis(names, 0.42)


def _size(panels: _Panels) -> tuple[float, float]:
    """Return width and height in inches of a new figure."""
    found = panels.drawn.found
    width = max(6.8, 0.55 * len(found.cells), 0.4 * panels.step * len(found.by_levels))
    width = min(width, 16.0)
    return (width, 4.8) if all(_names_fit(panels, width - 1.0)) else (width, 4.4 + _axis(panels).depth)


def _names_fit(panels: _Panels, width: float) -> tuple[bool, bool]:
    """Return whether the levels of `x` and those of `by` can be written level into axes of a width in inches."""
    found = panels.drawn.found
    step = width / (panels.step * len(found.by_levels))
    longest_x = max(len(level) for level in found.x_levels)
    longest_by = max((len(level) for level in found.by_levels), default=0)
    fits = 0.088 * longest_x + 0.12 <= step or len(found.x_levels) == 1
    return fits, 0.1 * longest_by + 0.1 <= step * panels.step


def _name_groups(ax: Axes, panels: _Panels, *, is_new: bool) -> None:
    """Write the levels below the axis, those of `by` below those of `x`; slanted together where they are long."""
    found = panels.drawn.found
    width = float(ax.get_position().width * figure_of(ax).get_figwidth()) if not is_new else _size(panels)[0] - 1.0
    places = np.array(
        [g * panels.step + s for g, s in np.ndindex(*panels.present.shape) if panels.present[g, s]], dtype=np.float64
    )
    x_fits, by_fits = _names_fit(panels, width)
    if not (x_fits and by_fits):
        _axis(panels).write_slanted(ax, places)
        return
    ax.set_xticks(places, [found.x_levels[s] for _, s in np.argwhere(panels.present)])
    if found.axes.by:
        ax.xaxis.remove_overlapping_locs = False
        ax.set_xticks(panels.centres, found.by_levels, minor=True, fontweight="bold")
        ax.tick_params(axis="x", which="minor", length=0.0, pad=20.0)


def _draw_blocks(ax: Axes, panels: _Panels, name: str) -> None:
    """Connect the samples of each block; the mean where a block has several in a cell."""
    label: str | None = f"samples of one {name}"
    known = panels.drawn.samples.dropna(subset=["block"])
    for _, members in known.groupby(["by", "block"], sort=False):
        line = members.groupby("x", as_index=False)[["by", "value"]].mean()
        if len(line) > 1:
            ax.plot(
                panels.places(line) - _SHIFT,
                line["value"],
                color=GREY,
                linewidth=0.8,
                alpha=0.8,
                zorder=2.0,
                label=label,
            )
            label = None


def _draw_samples(ax: Axes, panels: _Panels) -> None:
    samples, found = panels.drawn.samples, panels.drawn.found
    for place, level in enumerate(found.x_levels):
        here = samples[samples["x"] == place]
        points(
            ax, panels.places(here) - _SHIFT, here["value"].to_numpy(), colour=colour_of(place), size=16.0, alpha=0.55,
            zorder=2.2, label=f"{found.axes.x} {level}" if found.axes.by else None,
        )  # fmt: skip


def _draw_means(ax: Axes, panels: _Panels) -> None:
    """Draw the means of the model and their intervals; the legend says where it has none."""
    means = panels.drawn.means
    if not panels.drawn.is_fitted:
        why = "no counts in these cells" if (means["mean"] == np.log2(OFFSET)).all() else "not fitted: no means"
        ax.plot([], [], linestyle="none", label=why)
        return
    for _, cells in means.groupby("by", sort=False):
        ordered = cells.sort_values("x")
        ax.plot(panels.places(ordered) + _SHIFT, ordered["mean"], color=INK, linewidth=1.8, zorder=2.6)
    for place in range(len(panels.drawn.found.x_levels)):
        here = means[means["x"] == place]
        where, mean = panels.places(here) + _SHIFT, here["mean"].to_numpy()
        known = here["low"].notna().to_numpy()
        ax.vlines(where[known], here["low"][known], here["high"][known], color=INK, linewidth=1.8, zorder=2.6)
        ax.scatter(where, mean, s=52.0, color=colour_of(place), edgecolors=INK, linewidths=1.4, zorder=2.8)
    ax.plot(
        [], [], color=INK, linewidth=1.8, marker="o", markersize=7.0, markerfacecolor="white", markeredgewidth=1.4,
        label="mean, 95 % interval",
    )  # fmt: skip


def _limit(ax: Axes, panels: _Panels) -> None:
    """Set the limits, and shade every other panel."""
    centres = panels.centres
    ax.set_ylim(*_limits(panels.drawn))
    ax.set_xlim(-_GAP / 2, centres[-1] + panels.step / 2)
    for centre in centres[1::2]:
        ax.axvspan(centre - panels.step / 2, centre + panels.step / 2, color="#F4F5F6", zorder=0.0, linewidth=0)


def _limits(drawn: DrawnGene) -> tuple[float, float]:
    """Return limits with every point and mean inside; an interval may reach one doubling beyond them."""
    values = np.concatenate([drawn.samples["value"], drawn.means["mean"].dropna()])
    ends = drawn.means[["low", "high"]].to_numpy(dtype=np.float64)
    ends = np.clip(ends[np.isfinite(ends)], values.min() - 1.0, values.max() + 1.0)
    low, high = np.concatenate([values, ends]).min(), np.concatenate([values, ends]).max()
    margin = max(0.05 * (high - low), 0.1) if high > low else 1.0
    return float(low - margin), float(high + margin)
