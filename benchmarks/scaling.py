"""How the time grows with genes, samples and coefficients: the runs, the figure and its text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import problems
from libraries import LIBRARIES

if TYPE_CHECKING:
    from compare import Bench

# Along each axis a quantity varies, the others stay: genes, samples, coefficients of blocked problems.
AXES = {
    "genes": [(genes, 24, 5) for genes in (1000, 4000, 16000, 64000)],
    "samples": [(4000, n, 5) for n in (8, 24, 96, 384)],
    "coefficients": [(4000, 96, p) for p in (2, 5, 9, 17, 25)],
}
RIVALS = ("deseq2",)
# Largest number of counts of a problem that the others are given.
RIVAL_COUNTS = 400_000


def points(axis: str) -> list[str]:
    """Return the names of the problems along an axis."""
    return ["x".join(map(str, size)) for size in AXES[axis]]


def times(table: pd.DataFrame, axis: str, library: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what varies along an axis, and the fewest CPU seconds of a library there."""
    place = list(AXES).index(axis)
    found = table[table["problem"].isin(points(axis)) & (table["library"] == library)]
    best = found.groupby("problem")["cpu_seconds"].min()
    values = np.array([int(name.split("x")[place]) for name in best.index])
    order = np.argsort(values)
    return values[order], best.to_numpy()[order]


def exponent(x: np.ndarray, seconds: np.ndarray) -> float:
    """Return b of seconds ~ x^b between the last two points, NaN with fewer."""
    if len(x) < 2:
        return np.nan
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(x[-1] / x[-2]))


def draw(table: pd.DataFrame, libraries: list[str], path: Path) -> None:
    """Draw CPU seconds against genes, samples and coefficients, on logarithmic scales."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(AXES), figsize=(10, 3.4), sharey=True, layout="constrained")
    fixed = {"genes": "24 samples, p = 5", "samples": "4,000 genes, p = 5", "coefficients": "4,000 genes, 96 samples"}
    for panel, axis in zip(panels, AXES, strict=True):
        for library, marker in zip(libraries, "osd^", strict=False):
            x, seconds = times(table, axis, library)
            panel.plot(x, seconds, marker=marker, markersize=4, label=LIBRARIES[library].title)
        panel.set(xscale="log", yscale="log", xlabel=axis, title=fixed[axis])
        ticks = [size[list(AXES).index(axis)] for size in AXES[axis]]
        panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("CPU seconds, one thread")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def section(bench: Bench, figure: Path, libraries: list[str]) -> str:
    """Make the runs, draw the figure, and return the text about it."""
    shown = ["countnest", *(library for library in RIVALS if library in libraries)]
    names = list(dict.fromkeys(name for axis in AXES for name in points(axis)))
    for name in names:
        genes, n, _ = problems.kind(name).shape
        for library in shown:
            if library == "countnest" or genes * n <= RIVAL_COUNTS:
                bench.run(name, library)
    table = bench.table(names)
    shown = [library for library in shown if (table["library"] == library).any()]
    draw(table, shown, figure)
    grown = {axis: exponent(*times(table, axis, "countnest")) for axis in AXES}
    said = ", ".join(f"{axis} {value:.1f}" for axis, value in grown.items())
    return "\n".join(
        [
            "## Size",
            "",
            f"![Seconds against genes, samples and coefficients]({figure.name})",
            "",
            "Simulated counts, `~ block + condition`: a coefficient for each block but the first, two cells in each.",
            "Between the last two points of each panel the seconds of countnest grow with these powers of the size:",
            f"{said}.",
            "",
        ]
    )
