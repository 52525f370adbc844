"""Names of genes beside their points, moved apart so that they can be read; imported only by functions that draw."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.plots.figure import INK, figure_of, width_of

__all__ = ["row_names", "short_names", "write_names"]

# Where a name may stand: in these directions from its point, at these distances (points of 1/72 inch).
_DIRECTIONS = np.deg2rad(np.arange(0.0, 360.0, 30.0) + 15.0)
_DISTANCES = np.array([4.0, 9.0, 15.0, 22.0, 30.0, 40.0, 52.0, 66.0, 82.0, 100.0, 120.0, 142.0])
# From this distance on, a line joins the name and its point.
_JOINED = 8.0
_GAP = 1.5  # between two names, points
# What a place costs: another name or the frame in its way, a small or a large point behind it, a
# 72nd of an inch of the distance.
_BLOCKED, _HIDDEN, _FAR = 1000.0, 1.0, 0.25
_LARGE_HIDDEN = 40.0
_MOST = 4000  # of the points that names avoid
# Of names in front of rows: inches of a character, characters of a line, and the part of given axes that they may take.
_CHARACTER, _LINE, _SHARE = 0.078, (16, 52), 0.5


def short_names(names: Sequence[str], most: int) -> list[str]:
    """Return names of at most so many characters: of longer ones both ends, unless that would make two names one."""
    half = (most - 1) // 2
    short = [name if len(name) <= most else f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}" for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def row_names(names: Sequence[str], ax: Axes | None = None) -> tuple[list[str], float, int]:
    """Return the names of rows in lines, with the inches that they need and the most lines of one.

    Nothing is left out, as the names of comparisons often differ in the middle alone. Lines end at spaces, and within
    words that are longer than a line behind a bracket, a comma, a colon or an underscore.

    Parameters
    ----------
    names
        One for each row.
    ax
        Axes of a given size; None: the figure becomes as wide as is needed.
    """
    least, most = _LINE
    most = most if ax is None else int(np.clip(_SHARE * width_of(ax) / _CHARACTER, least, most))
    lines = [_lines(name, most) for name in names]
    longest = max((len(line) for each in lines for line in each), default=0)
    return ["\n".join(each) for each in lines], _CHARACTER * longest, max(map(len, lines), default=1)


def _lines(name: str, most: int) -> list[str]:
    """Return a name in lines of at most so many characters."""
    if len(name) <= most:
        return [name]
    lines = [""]
    for word in re.findall(r"\S+\s*", name.replace(" - ", " -\N{NO-BREAK SPACE}")):
        pieces = [word] if len(word.rstrip()) <= most else re.findall(r"[^\[(,:_]*[\[(,:_]?", word)
        for piece in (part[at : at + most] for part in pieces for at in range(0, len(part), most)):
            if lines[-1] and len((lines[-1] + piece).rstrip()) > most:
                lines.append("")
            lines[-1] += piece
    return [line.rstrip().replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def write_names(
    ax: Axes,
    names: Sequence[str],
    x: FloatArray,
    y: FloatArray,
    avoid: FloatArray,
    *,
    radius: float = 0.0,
    only_free: bool = False,
) -> None:
    """Write names beside points so that they do not overlap each other; to be called when the limits are set.

    Each name in turn takes the cheapest of a ring of places around its point: inside the axes, off the names before it,
    with few points behind it, near. A name that no free place is left for takes the least bad one, or is left out.

    Parameters
    ----------
    names
        The texts, n, the most important first.
    x, y
        (n,) where their points are drawn, in units of the data.
    avoid
        (m, 2) further points that should stay visible.
    radius
        Of the points, in points of 1/72 inch, where they are so large that a name over one cannot be read.
    only_free
        Leave out names that no free place is left for.
    """
    if not names:
        return
    texts = [_written(ax, name, (a, b)) for name, a, b in zip(names, x.tolist(), y.tolist(), strict=True)]
    figure = figure_of(ax)
    figure.draw_without_rendering()
    per_point = figure.dpi / 72.0
    own = ax.transData.transform(np.column_stack([x, y]))
    others = ax.transData.transform(avoid[:: 1 + len(avoid) // _MOST]) if len(avoid) else np.empty((0, 2))
    seen = np.concatenate([own, others])
    frame = as_float(np.asarray(ax.get_window_extent().extents))
    taken = np.empty((0, 4))
    hidden = _LARGE_HIDDEN if radius else _HIDDEN
    for text, centre in zip(texts, own, strict=True):
        size = as_float(np.asarray(text.get_window_extent().size))
        places = _places(size, per_point, radius)
        boxes = np.concatenate([centre + places - size / 2.0, centre + places + size / 2.0], axis=1)
        distances = np.repeat(_DISTANCES, len(_DIRECTIONS))
        cost = (
            _BLOCKED * (_overlaps(boxes, taken, _GAP * per_point).sum(axis=1) + _outside(boxes, frame))
            + hidden * _covered(boxes, seen, radius * per_point)
            + _FAR * distances
        )
        best = int(np.argmin(cost))
        if only_free and cost[best] >= _BLOCKED:
            text.remove()
            continue
        text.set_position((float(places[best, 0] / per_point), float(places[best, 1] / per_point)))
        if text.arrow_patch is not None:
            text.arrow_patch.set_visible(bool(distances[best] >= _JOINED))
        taken = np.vstack([taken, boxes[best]])


def _written(ax: Axes, name: str, at: tuple[float, float]) -> Annotation:
    line = {"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 0.0, "shrinkB": 1.5}
    return ax.annotate(
        name, at, xytext=(0.0, 0.0), textcoords="offset points", fontsize="x-small", color=INK, zorder=4,
        ha="center", va="center", arrowprops=line,
    )  # fmt: skip


def _places(size: FloatArray, per_point: float, radius: float) -> FloatArray:
    """Return the centres of the places, (k, 2) pixels from the point, so that the edge of the name has the distance."""
    direction = np.column_stack([np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)])
    ring = direction[None] * ((_DISTANCES[:, None, None] + 0.5 * radius) * per_point) + np.sign(direction) * size / 2.0
    return as_float(ring.reshape(-1, 2))


def _overlaps(boxes: FloatArray, taken: FloatArray, gap: float) -> BoolArray:
    """Return which boxes (k, 4) overlap which others (m, 4), as (k, m)."""
    low, high = boxes[:, None, :2] - gap, boxes[:, None, 2:] + gap
    return np.asarray(((low < taken[None, :, 2:]) & (high > taken[None, :, :2])).all(axis=2), dtype=np.bool_)


def _outside(boxes: FloatArray, frame: FloatArray) -> BoolArray:
    """Return which boxes (k, 4) leave the frame (4,)."""
    out = (boxes[:, :2] < frame[:2]).any(axis=1) | (boxes[:, 2:] > frame[2:]).any(axis=1)
    return np.asarray(out, dtype=np.bool_)


def _covered(boxes: FloatArray, seen: FloatArray, radius: float) -> FloatArray:
    """Return how many points (m, 2) lie in each box (k, 4), or nearer than their radius."""
    inside = (seen[None] > boxes[:, None, :2] - radius) & (seen[None] < boxes[:, None, 2:] + radius)
    return as_float(inside.all(axis=2).sum(axis=1))
