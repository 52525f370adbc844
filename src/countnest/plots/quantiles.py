"""Residuals against normal quantiles: of one gene, sample by sample, or of many genes, a line for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from countnest.arrays import FloatArray, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_gene_quantiles", "draw_sample_quantiles", "gene_quantiles", "sample_quantiles"]

_LEVEL: Final = 0.95
_DRAWS: Final = 1000
# Quantiles of a sample are drawn at so many heights, more densely in the tails.
_HEIGHTS: Final = 101
# Samples are named whose quantiles differ by more than this from the median of all samples, within so many deviations.
_FAR: Final = 0.25
_WITHIN: Final = 2.0
_NAMED: Final = 6


def gene_quantiles(residuals: pd.Series, leverage: FloatArray | None, design: FloatArray) -> pd.DataFrame:
    """Return the residuals of a gene against normal quantiles, with what chance gives.

    Parameters
    ----------
    residuals
        (n,) by sample, over their standard deviations.
    leverage
        (n,) hat values of the design (n, p), which samples with residuals share; None: residuals are independent.
    design
        (n, p) of full column rank.

    Returns
    -------
    DataFrame
        From the lowest residual to the highest: sample, normal, residual, low, high.
    """
    n = len(residuals)
    draws = np.random.default_rng(1).standard_normal((_DRAWS, n))
    if leverage is not None:
        basis = np.linalg.qr(design)[0]
        draws = (draws - (draws @ basis) @ basis.T) / np.sqrt(1.0 - leverage)
    own = residuals.notna().to_numpy(np.bool_)
    draws = np.sort(draws[:, own], axis=1)
    size = int(own.sum())
    found = residuals[own].sort_values(kind="stable")
    low, high = np.quantile(draws, [0.5 - _LEVEL / 2.0, 0.5 + _LEVEL / 2.0], axis=0) if size else np.empty((2, 0))
    normal = ndtri((np.arange(1, size + 1) - 0.375) / (size + 0.25))
    columns = {"sample": found.index, "normal": normal, "residual": found.to_numpy(), "low": low, "high": high}
    return pd.DataFrame(columns)


def sample_quantiles(residuals: pd.DataFrame) -> pd.DataFrame:
    """Return quantiles over genes of the residuals of every sample, with what chance gives for independent genes.

    Parameters
    ----------
    residuals
        (m, n) of m genes, over their standard deviations; missing for samples that have none.

    Returns
    -------
    DataFrame
        For each sample in turn, from the lowest quantile to the highest: sample, normal, residual, low, high.
    """
    found = residuals.dropna(axis=1, how="all").dropna()
    m = len(found)
    reach = float(ndtri(1.0 - 0.5 / max(m, 2)))
    normal = np.linspace(-reach, reach, _HEIGHTS)
    share = as_float(ndtr(normal))
    error = np.sqrt(share * (1.0 - share) / max(m, 1)) / (np.exp(-(normal**2) / 2.0) / np.sqrt(2.0 * np.pi))
    half = float(ndtri(0.5 + _LEVEL / 2.0)) * error
    values = (
        np.quantile(found.to_numpy(np.float64), share, axis=0) if m else np.full((_HEIGHTS, found.shape[1]), np.nan)
    )
    samples = found.shape[1]
    columns = {
        "sample": np.repeat(found.columns.to_numpy(), _HEIGHTS),
        "normal": np.tile(normal, samples),
        "residual": values.T.ravel(),
        "low": np.tile(normal - half, samples),
        "high": np.tile(normal + half, samples),
    }
    return pd.DataFrame(columns)


def draw_gene_quantiles(data: pd.DataFrame, title: str, ax: Axes | None) -> Figure:
    """Draw what `gene_quantiles` returned; samples outside the band are named."""
    from countnest.plots.categories import legend_shape
    from countnest.plots.figure import BLUE, GREY, ORANGE, caption, figure_of, legend_above, new_axes
    from countnest.plots.labels import write_names

    ax = new_axes(5.6, 5.2) if ax is None else ax
    x, y, low, high = data[["normal", "residual", "low", "high"]].to_numpy(np.float64).T
    ax.fill_between(x, low, high, color=GREY, alpha=0.25, linewidth=0, label="95 % of what chance gives", zorder=1.2)
    beyond = (y < low) | (y > high)
    for which, colour, text in ((~beyond, BLUE, "samples"), (beyond, ORANGE, "outside")):
        if which.any():
            label = f"{text}: {which.sum()}"
            ax.scatter(x[which], y[which], s=24.0, color=colour, linewidths=0, zorder=2.4, label=label)
    _line_and_limits(ax, x, np.concatenate([y, low, high]))
    _style(ax)
    columns, rows = legend_shape(ax)
    caption(ax, title, pad=8.0 + 14.0 * rows)
    legend_above(ax, columns=columns)
    names = data["sample"].astype(str).to_numpy()
    write_names(ax, names[beyond].tolist(), x[beyond], y[beyond], np.column_stack([x, y]))
    return figure_of(ax)


def draw_sample_quantiles(data: pd.DataFrame, title: str, ax: Axes | None) -> Figure:
    """Draw what `sample_quantiles` returned, a line for each sample; those far from the others are named."""
    from countnest.plots.categories import colour_of, legend_shape
    from countnest.plots.figure import GREY, caption, figure_of, legend_above, new_axes

    ax = new_axes(6.2, 5.4) if ax is None else ax
    by_sample = {str(sample): part for sample, part in data.groupby("sample", sort=False)}
    first = next(iter(by_sample.values()), data)
    normal = first["normal"].to_numpy(np.float64)
    ax.fill_between(
        normal, first["low"], first["high"], color=GREY, alpha=0.45, linewidth=0, zorder=1.6,
        label="95 % of what chance gives",
    )  # fmt: skip
    far = _far(by_sample)
    label: str | None = f"samples: {len(by_sample)}"
    for sample, part in by_sample.items():
        place = far.index(sample) if sample in far else None
        colour, width = (GREY, 0.8) if place is None else (colour_of(place), 1.6)
        text = label if place is None else sample
        x, y, layer = part["normal"], part["residual"], 2.0 + (place is not None)
        ax.plot(x, y, color=colour, linewidth=width, zorder=layer, label=text)
        label = label if place is not None else None
    _line_and_limits(ax, normal, data["residual"].to_numpy(np.float64))
    _style(ax)
    columns, rows = legend_shape(ax)
    caption(ax, title, pad=8.0 + 14.0 * rows)
    legend_above(ax, columns=columns)
    return figure_of(ax)


def _far(by_sample: dict[str, pd.DataFrame]) -> list[str]:
    """Return the samples whose quantiles differ most from those of the others, the first of those that do by much."""
    samples = list(by_sample)
    if not samples:
        return []
    inside = np.stack([part.loc[part["normal"].abs() <= _WITHIN, "residual"] for part in by_sample.values()])
    distance = np.abs(inside - np.median(inside, axis=0)).max(axis=1)
    ranked = sorted(np.flatnonzero(distance > _FAR).tolist(), key=lambda place: -distance[place])
    return [samples[place] for place in ranked[:_NAMED]]


def _line_and_limits(ax: Axes, x: FloatArray, y: FloatArray) -> None:
    from countnest.plots.figure import INK

    there = y[np.isfinite(y)]
    reach = float(np.abs(x).max(initial=1.0)) * 1.08
    top = max(reach, float(np.abs(there).max(initial=0.0)) * 1.05)
    dashes = (0, (5, 3))
    ax.plot([-top, top], [-top, top], color=INK, linewidth=0.9, linestyle=dashes, zorder=2.2, label="as the model says")
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-top, top)


def _style(ax: Axes) -> None:
    from countnest.plots.figure import INK, frame

    ax.set_xlabel("normal quantile", color=INK)
    ax.set_ylabel("residual, in standard deviations", color=INK)
    frame(ax)
