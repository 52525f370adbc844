"""The histogram of p-values, with what chance alone would give, and its reading in words."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.containers.summary import level_of
from countnest.containers.verdict import FEWEST, Verdict, verdict_of
from countnest.errors import OptionError, kind_of
from countnest.options import check_flags
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_pvalues"]

_BINS: Final = (2, 1000)
# Parts of the histogram, and by how many standard errors their heights must differ to be worth a word.
_LOW, _MIDDLE, _HIGH = (0.0, 0.1), (0.3, 0.7), (0.9, 1.0)
_LEFT, _RIGHT = (0.1, 0.55), (0.55, 1.0)  # the floor beside the peak of small p-values
_ERRORS: Final = 4.0
_RATIO: Final = 1.15
_SPREAD: Final = "the test is cautious, or a hidden factor or swapped samples spread the groups"
_OF_THRESHOLD: Final = "a test against a threshold: level only for changes of its size"
_SHORT_LINE = 64  # characters of a line in the figure


@overload
def plot_pvalues(
    results: Results,
    *,
    alpha: float | None = ...,
    bins: int = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_pvalues(
    results: Results,
    *,
    alpha: float | None = ...,
    bins: int = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_pvalues(
    results: Results,
    *,
    alpha: float | None = 0.05,
    bins: int = 40,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw the histogram of the p-values, with the levels expected by chance and its reading in words.

    Where no gene has an effect, p-values are uniform: the dashed line. Effects add small ones above a level floor,
    whose height is the estimated share of genes without an effect, pi0: the solid line. A histogram that rises towards
    1, or has a hump in the middle, is not as the model says: a hidden factor, or a test that is cautious. Genes with a
    p-value that independent filtering left out of the adjustment lie in grey on top.

    Parameters
    ----------
    results
        A table of tests, of one comparison or a joint one.
    alpha
        The level of the text, by default 0.05; None: that of `results()`.
    bins
        The number of bars, from 2 to 1000.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_pvalues(res).savefig("pvalues.png")`. With `return_data`, a table by bar with the columns low,
        high (its ends), tested and left_out (numbers of genes); its `.attrs` hold the `verdict` of `Results.verdict`,
        the levels `expected` and `null` (genes in a bar, without any effect and for pi0) and the `reading`, a text.

    Raises
    ------
    OptionError
        The table has no adjusted p-values, `bins` is no such number, or `alpha` is no level.

    Examples
    --------
    >>> import countnest as cn
    >>> res = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1, beta_sd=1), quiet=True).results()
    >>> bars = cn.plot_pvalues(res, bins=20, return_data=True)
    >>> int(bars["tested"].sum()) == bars.attrs["verdict"].tested
    True
    >>> cn.plot_pvalues(res).savefig("pvalues.pdf")

    References
    ----------
    Storey and Tibshirani (2003), doi:10.1073/pnas.1530509100.
    """
    check_flags(return_data=return_data)
    if not isinstance(results, Results):
        raise OptionError(f"plot_pvalues needs the Results of one test; got {kind_of(results)}.")
    whole = isinstance(bins, (int, np.integer)) and not isinstance(bins, bool)
    if not whole or not _BINS[0] <= bins <= _BINS[1]:
        raise OptionError(f"bins={bins!r} cannot be used; give a whole number from {_BINS[0]} to {_BINS[1]}.")
    data = _data(results, level_of(results.table, results.info, alpha), int(bins))
    return data if return_data else _drawn(data, results.info.label, ax)


def _data(results: Results, alpha: float, bins: int) -> pd.DataFrame:
    """Return the bars, with the verdict, the levels and the reading in `.attrs`."""
    verdict = verdict_of(results.table, alpha)
    p_value = results.table["pvalue"].to_numpy(np.float64)
    is_tested = results.table["padj"].notna().to_numpy(np.bool_)
    tested, edges = np.histogram(p_value[is_tested], bins, (0.0, 1.0))
    left_out, _ = np.histogram(p_value[~is_tested & ~np.isnan(p_value)], bins, (0.0, 1.0))
    data = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "tested": tested, "left_out": left_out})
    data.attrs = {
        "verdict": verdict,
        "expected": verdict.tested / bins,
        "null": verdict.null_share * verdict.tested / bins,
        "reading": _OF_THRESHOLD if results.info.lfc_threshold else _reading(p_value[is_tested], verdict.called),
    }
    return data


def _reading(p_value: FloatArray, called: int) -> str:
    """Return what the shape of the histogram says, where so many adjusted p-values are small."""
    if len(p_value) < FEWEST:
        return "too few genes to read the shape"
    low, middle, high = (_height(p_value, part) for part in (_LOW, _MIDDLE, _HIGH))
    if _is_higher(high, middle):
        if _is_higher(low, middle):
            return "many near 0 and near 1: a test of one side, or few counts; see the genes near 1"
        return f"more and more towards 1: {_SPREAD}"
    if _is_higher(middle, low):
        return f"fewer near 0 than in the middle: {_SPREAD}"
    if _is_higher(low, middle):
        return "many near 0 above a level floor: real effects, as it should be"
    if _is_higher(_height(p_value, _RIGHT), _height(p_value, _LEFT)):
        return ("beside the peak at 0 more and more" if called else "rising") + f" towards 1: {_SPREAD}"
    return "level but for a few small ones: few effects" if called else "level: no sign of effects"


def _height(p_value: FloatArray, part: tuple[float, float]) -> tuple[float, float]:
    """Return the density of p-values in a part, 1 if they are uniform, and its standard error."""
    low, high = part
    count = int(np.count_nonzero((p_value >= low) & (p_value <= high)))
    scale = 1.0 / (len(p_value) * (high - low))
    return count * scale, float(np.sqrt(count + 1)) * scale


def _is_higher(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] > _RATIO * other[0] and one[0] - other[0] > _ERRORS * float(np.hypot(one[1], other[1]))


def _words(verdict: Verdict, reading: str) -> str:
    """Return the verdict in the few lines that a figure has place for."""
    return "\n".join(
        [
            f"genes with p < {verdict.alpha:g}: {verdict.observed:,}; by chance: {round(verdict.expected):,}",
            f"genes without an effect (pi0): {100 * verdict.null_share:.0f} %",
            f"adjusted p < {verdict.alpha:g}: {verdict.called:,}",
            fill(reading, _SHORT_LINE),
        ]
    )


def _drawn(data: pd.DataFrame, title: str, ax: Axes | None) -> Figure:
    from countnest.plots.figure import BLUE, INK, ORANGE, caption, figure_of, frame, legend_above, new_axes

    ax = new_axes() if ax is None else ax
    verdict, low = data.attrs["verdict"], data["low"].to_numpy()
    width = 1.0 / len(data)
    left_out = int(data["left_out"].sum())
    ax.bar(low, data["tested"], width, align="edge", color=BLUE, label=f"tested: {verdict.tested:,}")
    if left_out:
        words = f"filtered out: {left_out:,}"
        ax.bar(low, data["left_out"], width, align="edge", bottom=data["tested"], color="#D5D8DB", label=words)
    for bar in ax.patches:
        bar.set(linewidth=0.4, edgecolor="white")
    ax.axhline(data.attrs["expected"], color=INK, linewidth=1.2, linestyle=(0, (5, 3)), label="no gene has an effect")
    ax.axhline(data.attrs["null"], color=ORANGE, linewidth=1.4, label=f"pi0 = {verdict.null_share:.2f}")
    heights = (data["tested"] + data["left_out"]).to_numpy()
    tallest = float(heights.max())
    is_in_the_way = float(heights[len(heights) // 2 :].max()) > 0.7 * tallest  # the text, at the right
    ax.set_xlim(-0.01, 1.01)
    ax.set_ylim(0.0, (1.4 if is_in_the_way else 1.05) * max(tallest, data.attrs["expected"]))
    ax.set_xlabel("p-value", color=INK)
    ax.set_ylabel("genes", color=INK)
    frame(ax, "y")
    caption(ax, title)
    legend_above(ax, columns=4)
    ax.text(
        0.98, 0.97, _words(verdict, data.attrs["reading"]), transform=ax.transAxes, ha="right", va="top", color=INK,
        fontsize="small", linespacing=1.4, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2.0},
    )  # fmt: skip
    return figure_of(ax)
