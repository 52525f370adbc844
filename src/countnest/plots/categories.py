"""Names of groups below an axis, which do not overlap, and colours of groups; imported only by functions that draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from countnest.arrays import FloatArray
from countnest.plots.figure import PALETTE, width_of

__all__ = ["GroupAxis", "colour_of", "legend_shape", "shortened"]

# Inches: of a character, between two names, of a group whose name is slanted, of a figure.
_CHARACTER, _BETWEEN, _SLANTED = 0.088, 0.22, 0.42
_LETTER, _KEY = 0.064, 0.45  # of a legend: a character, and a key with its spaces
_MORE = 0.3  # legends may end this far beyond the axes
_NARROWEST, _WIDEST, _UPRIGHT_MOST = 4.4, 16.0, 9.0
_LONGEST = 40  # characters of a name
# A name that is slanted by 45 degrees reaches down by this part of its length, in small letters.
_DOWN = 0.62


@dataclass(frozen=True, slots=True)
class GroupAxis:
    """Names of groups and how they are written: level, as long as they fit, or slanted.

    Attributes
    ----------
    names
        One for each group; lines are separated by newlines.
    least
        The width of the narrowest group, in inches.
    """

    names: Sequence[str]
    least: float = 0.6

    @property
    def needed(self) -> float:
        """The width in inches of a group with a level name."""
        longest = max((len(line) for name in self.names for line in name.split("\n")), default=0)
        return max(self.least, _CHARACTER * longest + _BETWEEN)

    def is_level(self, width: float | None = None) -> bool:
        """Return whether the names fit level into axes of a width in inches; None: of a new figure."""
        return len(self.names) * self.needed <= (_UPRIGHT_MOST if width is None else width)

    def size(self, height: float = 4.6) -> tuple[float, float]:
        """Return width and height in inches of a new figure."""
        if self.is_level():
            return max(_NARROWEST, len(self.names) * self.needed + 1.0), height
        width = max(_NARROWEST, len(self.names) * max(_SLANTED, self.least) + 1.0 + self.depth)
        return min(width, _WIDEST), height - 0.4 + self.depth

    @property
    def depth(self) -> float:
        """How far slanted names reach down, and to the left, in inches."""
        return _DOWN * _CHARACTER * max(len(name) for name in self._slanted())

    def write(self, ax: Axes, places: FloatArray, *, is_new: bool) -> None:
        """Write the names below their places; `is_new`: into a figure of this size."""
        if self.is_level(None if is_new else width_of(ax)):
            ax.set_xticks(places, list(self.names))
        else:
            self.write_slanted(ax, places)

    def write_slanted(self, ax: Axes, places: FloatArray) -> None:
        """Write the names slanted."""
        ax.set_xticks(places, self._slanted(), rotation=45.0, ha="right", rotation_mode="anchor", fontsize="small")

    def _slanted(self) -> list[str]:
        return shortened([name.replace("\n", ", ") for name in self.names])


def shortened(names: Sequence[str], most: int = _LONGEST) -> list[str]:
    """Return names with the middle of long ones left out, as long as they still differ."""
    head = most * 2 // 3
    short = [name if len(name) <= most else f"{name[:head]}…{name[-(most - head - 1) :]}" for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def colour_of(place: int) -> str:
    """Return the colour of a group, from the palette of Okabe and Ito; they repeat after six."""
    return PALETTE[place % len(PALETTE)]


def legend_shape(ax: Axes, width: float | None = None) -> tuple[int, int]:
    """Return columns and rows of a legend above the axes that is no wider than they are, or than so many inches."""
    width = width_of(ax) if width is None else width
    widths = np.array([_LETTER * len(str(text)) + _KEY for text in ax.get_legend_handles_labels()[1]])
    for columns in range(len(widths), 1, -1):
        if sum(part.max() for part in np.array_split(widths, columns)) <= width + _MORE:
            return columns, -(-len(widths) // columns)
    return 1, len(widths)
