"""Bars that show columns of the sample sheet in colours, beside a heat map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.plots.sheet import MISSING, factor_of, is_number

__all__ = ["Bar", "bars_of"]

# Levels beyond the colours of the palette get lighter, then darker ones.
_TINTS: Final = (0.0, 0.55, -0.45)
# Of a factor with more levels than there are colours, so many are explained.
_EXPLAINED: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """The colours of one column.

    Attributes
    ----------
    name
        The name of the column.
    colours : (n, 3)
        By sample: red, green, blue.
    keys
        What the colours mean: text and colour.
    """

    name: str
    colours: FloatArray
    keys: tuple[tuple[str, tuple[float, float, float]], ...]


def bars_of(columns: pd.DataFrame) -> list[Bar]:
    """Return the bars of all columns; as long as there are colours, no two levels have the same."""
    bars, used = [], 0
    for number, name in enumerate(columns.columns):
        column = columns.iloc[:, number]
        if is_number(column):
            bars.append(_numbers(str(name), column))
        else:
            bars.append(_levels(str(name), column, used))
            used += len(bars[-1].keys)
    return bars


def _palette() -> FloatArray:
    """Return the colours of levels, (k, 3)."""
    from matplotlib.colors import to_rgb

    from countnest.plots.figure import PALETTE

    pure = np.array([to_rgb(colour) for colour in PALETTE])
    return np.concatenate([pure + tint * (1.0 - pure) if tint >= 0 else (1.0 + tint) * pure for tint in _TINTS])


def _levels(name: str, column: pd.Series, used: int) -> Bar:
    """Return the bar of a factor; `used` colours belong to others already."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    from countnest.plots.figure import GREY

    factor = factor_of(column)
    levels, palette = [str(level) for level in factor.cat.categories], _palette()
    missing = [level for level in levels if level == MISSING and column.isna().any()]
    n = len(levels) - len(missing)
    explained = levels
    if n > len(palette):
        colours = mpl.colormaps["viridis"](np.linspace(0.0, 1.0, n))[:, :3]
        explained = [levels[k] for k in np.linspace(0, n - 1, _EXPLAINED).round().astype(int)] + missing
    else:
        colours = palette[(used + np.arange(n)) % len(palette)]
    every = np.vstack([colours, *(to_rgb(GREY) for _ in missing)]) if len(levels) else np.empty((0, 3))
    keys = [(level, _triple(every[levels.index(level)])) for level in explained]
    if n > len(palette):
        keys[1] = (f"... {n} levels ...", keys[1][1])
    return Bar(name, as_float(every[factor.cat.codes.to_numpy()]), tuple(keys))


def _numbers(name: str, column: pd.Series) -> Bar:
    """Return the bar of a column of numbers, on a continuous scale; those that are missing or infinite are grey."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    from countnest.plots.figure import GREY

    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    there = np.isfinite(values)
    low, high = (values[there].min(), values[there].max()) if there.any() else (0.0, 0.0)
    scale = mpl.colormaps["viridis"]
    part = np.where(there, (values - low) / (high - low), 0.0) if high > low else np.where(there, 0.5, 0.0)
    colours = np.where(there[:, None], scale(part)[:, :3], to_rgb(GREY))
    shown = np.unique(values[there])
    if len(shown) > _EXPLAINED:
        shown = np.linspace(low, high, _EXPLAINED)
    places = (shown - low) / (high - low) if high > low else np.full(len(shown), 0.5)
    keys = [(f"{value:.4g}", _triple(scale(place))) for value, place in zip(shown, places, strict=True)]
    if not there.all():
        keys.append((MISSING, to_rgb(GREY)))
    return Bar(name, as_float(colours), tuple(keys))


def _triple(colour: FloatArray | tuple[float, ...]) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])
