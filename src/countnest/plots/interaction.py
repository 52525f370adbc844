"""The interaction plot: one gene, sample by sample and as means of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.gene_info import called, gene_by_name
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.design.design import Design
from countnest.design.levels.order import as_factor
from countnest.errors import OptionError, kind_of, listing, suggestion
from countnest.options import names_given
from countnest.plots.counts import DesignedStudy
from countnest.queries.rows import NamedCell
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FittedStudy", "MeansQuery", "plot_interaction"]

# Added to counts and means before the logarithm, so that zeros have a place.
_OFFSET: Final = 0.5
_NORMAL_95: Final = 1.959964
# Methods whose means are logarithms of mean normalized counts.
_OF_COUNTS: Final = ("DESeq2", "negative binomial mixed model", "Poisson mixed model")
# Empty space between two levels of `by`, in steps between two levels of `x`.
_GAP: Final = 1.1


class MeansQuery(Protocol):
    """The part of a query for means of cells that the interaction plot uses."""

    @property
    def cells(self) -> Sequence[Sequence[NamedCell]]:
        """The cell of each row."""

    def test(self, *, fit: str | None, allow_fixed_blocks: bool, confint: float | None) -> Results | ResultsSet:
        """Return the mean of every gene and its standard error, log2, as fold change and lfcSE."""


class FittedStudy(DesignedStudy, Protocol):
    """The part of a fitted data set that the interaction plot uses."""

    def counts(self, *, normalized: bool) -> pd.DataFrame:
        """Return the counts, genes x samples."""

    def means(self, by: Sequence[str]) -> MeansQuery:
        """Ask for the log2 mean of each cell of some factors."""


@dataclass(frozen=True, slots=True, eq=False)
class _Gene:
    """The data of one gene that are drawn.

    Attributes
    ----------
    samples
        One row for each sample: `x` and `by`, the numbers of their levels; `block`; `value`.
    means
        One row for each cell: `x`, `by`, `mean`, `low`, `high`; without an interval where all counts are zero.
    x_levels, by_levels
        The labels of the levels.
    """

    samples: pd.DataFrame
    means: pd.DataFrame
    x_levels: list[str]
    by_levels: list[str]

    def places(self, table: pd.DataFrame) -> FloatArray:
        """Return the positions of the rows of a table on the x axis."""
        return (table["x"] + table["by"] * self.step).to_numpy(dtype=np.float64)

    @property
    def step(self) -> float:
        """The distance from one level of `by` to the next."""
        return len(self.x_levels) - 1 + _GAP


@checked_arguments
def plot_interaction(
    dds: FittedStudy,
    gene: str,
    x: str | None = None,
    by: str | None = None,
    block: str | Sequence[str] | None = None,
    *,
    fit: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the counts of one gene over the levels of one factor, side by side for the levels of another.

    A point is the normalized count of a sample; a thin line connects the samples of a block, such as a family. Thick
    points are the means of the fitted model with their 95 % intervals; the slopes of the thick lines are the effects of
    `x`, and an interaction is a difference of slopes. The intervals are about the mean of these particular blocks: they
    hold the scatter within blocks, not between them. Those of mixed models are about the mean of all blocks.

    Parameters
    ----------
    dds
        The fitted data set.
    gene
        The label of the gene, or a symbol that no other gene has.
    x
        The factor on the x axis. None: the design has one or two factors, or one interaction of two, besides its
        blocks and groups; on the axis is the one that varies within them, otherwise the last, and `by` is the other.
    by
        The factor whose levels stand side by side; None, with `x`: all samples together.
    block
        The column, or columns, of the sample sheet that tell the blocks; by default the blocks of the design, or the
        groups of its first random term.
    fit
        The name of the fit whose means are drawn, of normalized counts or their logarithms: "glmm", or "lmm" of
        ``values="log2"``; None: the fit by DESeq2's method.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure
        The figure: `plot_interaction(dds, "g00042").savefig("g00042.png")`.

    Raises
    ------
    OptionError
        The data set has no such gene, or several of this symbol; the sample sheet has no such column; or the design
        has more factors than can be drawn, or none, and no `x` was given.
    ContrastError
        `x` or `by` is not a factor of the design.
    """
    from countnest.plots.figure import caption, figure_of, legend_above, new_axes

    if not callable(getattr(dds, "means", None)):
        raise OptionError(f"plot_interaction needs a fitted DESeqDataSet; got {kind_of(dds)}.")
    gene = gene_by_name(gene, dds.gene_info.index, dds.gene_info)
    if x is None:
        x, by = _axes_of(dds.design, by)
    drawn = _gene(dds, gene, (x, by), block, fit)
    ax = new_axes(width=max(6.8, 0.55 * len(drawn.means))) if ax is None else ax
    _draw_blocks(ax, drawn, block if isinstance(block, str) else "block")
    _draw_samples(ax, drawn, x)
    _draw_means(ax, drawn)
    _style(ax, drawn, x, by)
    caption(ax, called(dds.gene_info, gene))
    legend_above(ax, columns=len(drawn.x_levels) + 2)
    return figure_of(ax)


def _axes_of(design: Design, by: str | None) -> tuple[str, str | None]:
    """Return the factors to draw of a design, on the x axis and side by side; `by` is the second if it was given."""
    blocks = [*design.nesting.blocks, *(term.factors for term in design.random)]
    groups = {name for block in design.nesting.blocks for name in block[-1:]} | {
        name for term in design.random for name in term.factors
    }
    factors = [name for name in design.levels if name not in groups]
    pairs = [term for term in design.full.terms if len(term) == 2 and set(term) <= set(factors)]
    if len(factors) > 2 and len(pairs) == 1:
        factors = list(pairs[0])
    if by is not None and by not in factors:
        return factors[-1] if factors else by, by  # the question about means refuses it
    factors = [name for name in factors if name != by]
    if not 1 <= len(factors) <= (2 if by is None else 1):
        which = listing(factors) if factors else "none"
        raise OptionError(
            f"give x=, and by= or by=None: the design '{design.formula}' has the factors {which} to draw."
        )
    if len(factors) == 1:
        return factors[0], by
    own = [name for name in factors if any(_varies_within(design.sheet, name, block) for block in blocks)]
    x = own[0] if len(own) == 1 else factors[1]
    return x, factors[0] if x == factors[1] else factors[1]


def _varies_within(sheet: pd.DataFrame, name: str, block: Sequence[str]) -> bool:
    """Return whether a factor has several levels within some block."""
    both = [*dict.fromkeys([*block, name])]
    return name not in block and len(sheet[both].drop_duplicates()) > len(sheet[list(block)].drop_duplicates())


def _gene(
    dds: FittedStudy, gene: str, axes: tuple[str, str | None], block: str | Sequence[str] | None, fit: str | None
) -> _Gene:
    """Return the data to draw: positions of samples and cells, values on the scale of the plot."""
    x, by = axes
    query = dds.means([x] if by is None else [by, x])  # refuses what is no factor of the design
    normalized = dds.counts(normalized=True)
    sheet = dds.samples
    counts = normalized.loc[gene].to_numpy(dtype=np.float64)
    x_levels, x_codes = _levels(sheet[x])
    by_levels, by_codes = _levels(sheet[by]) if by is not None else ([""], np.zeros(len(sheet), dtype=np.int64))
    samples = pd.DataFrame(
        {"x": x_codes, "by": by_codes, "block": _blocks(dds, sheet, block), "value": _on_scale(counts)}
    )
    answer = query.test(fit=fit, allow_fixed_blocks=True, confint=None if fit is None else 0.95)
    parts = list(answer.parts.values()) if isinstance(answer, ResultsSet) else [answer]
    rows = []
    for part, (cell,) in zip(parts, query.cells, strict=True):
        levels = dict(cell.levels)
        place = x_levels.index(levels[x]), by_levels.index(levels[by]) if by is not None else 0
        inside = (samples["x"] == place[0]) & (samples["by"] == place[1])
        rows.append((*place, *_interval(part, gene, counts[inside.to_numpy()])))
    means = pd.DataFrame(rows, columns=["x", "by", "mean", "low", "high"])
    return _Gene(samples, means, x_levels, by_levels)


def _levels(column: pd.Series) -> tuple[list[str], IntArray]:
    """Return the levels of a factor, as the sample sheet has them, and the place of each sample's level among them."""
    factor = as_factor(column)
    return [str(level) for level in factor.cat.categories], factor.cat.codes.to_numpy().astype(np.int64)


def _blocks(dds: FittedStudy, sheet: pd.DataFrame, block: str | Sequence[str] | None) -> list[str | None]:
    """Return a label for the block of each sample; None in a study without blocks."""
    if block is None:
        blocks = [*dds.design.nesting.blocks, *(term.factors for term in dds.design.random)]
        names = list(blocks[0]) if blocks else []
    else:
        names = names_given("block", block)
    for name in names:
        if name not in sheet:
            raise OptionError(f"block: the sample sheet has no column '{name}'.{suggestion(name, sheet.columns)}")
    if not names:
        return [None] * len(sheet)
    return ["\t".join(map(str, row)) for row in sheet[names].itertuples(index=False)]


def _interval(part: Results, gene: str, counts: FloatArray) -> tuple[float, float, float]:
    """Return mean and limits of one cell on the scale of the plot; no limits where all counts are zero."""
    if not counts.any():
        return float(_on_scale(np.zeros(1))[0]), np.nan, np.nan
    mean, se = (float(part.table.loc[gene, name]) for name in ("log2FoldChange", "lfcSE"))  # type: ignore[arg-type]
    ends = np.array([mean, mean - _NORMAL_95 * se, mean + _NORMAL_95 * se])
    if "ciLower" in part.table:
        ends[1:] = part.table.loc[gene, ["ciLower", "ciUpper"]].to_numpy(dtype=np.float64)
    if _is_of_counts(part.info):
        with np.errstate(over="ignore"):
            ends = _on_scale(np.exp2(ends))
    return float(ends[0]), float(ends[1]), float(ends[2])


def _is_of_counts(info: ResultsInfo) -> bool:
    """Return whether means are logarithms of mean counts, not means of logarithms; refuse those on another scale."""
    if info.method in _OF_COUNTS:
        return True
    if (info.estimate or "").endswith("of log2 normalized counts"):
        return False
    raise OptionError(
        f"plot_interaction draws normalized counts, and means of a fit by {info.method} "
        f"({info.estimate or 'of log2 counts per million'}) are on another scale: take a fit by DESeq2's method, by "
        "cn.glmm, or by cn.lmm with values='log2'."
    )


def _on_scale(counts: FloatArray) -> FloatArray:
    values: FloatArray = np.log2(counts + _OFFSET)
    return values


def _draw_blocks(ax: Axes, drawn: _Gene, name: str) -> None:
    """Connect the samples of each block; the mean where a block has several in a cell."""
    from countnest.plots.figure import GREY

    label: str | None = f"samples of one {name}"
    known = drawn.samples.dropna(subset=["block"])
    for _, members in known.groupby(["by", "block"], sort=False):
        line = members.groupby("x", as_index=False)[["by", "value"]].mean()
        if len(line) > 1:
            ax.plot(drawn.places(line), line["value"], color=GREY, linewidth=0.8, alpha=0.8, zorder=2.0, label=label)
            label = None


def _draw_samples(ax: Axes, drawn: _Gene, x: str) -> None:
    from countnest.plots.figure import points

    for place, level in enumerate(drawn.x_levels):
        here = drawn.samples[drawn.samples["x"] == place]
        points(
            ax, drawn.places(here), here["value"].to_numpy(), colour=_colour(place), size=16.0, alpha=0.55, zorder=2.2,
            label=f"{x} {level}",
        )  # fmt: skip


def _draw_means(ax: Axes, drawn: _Gene) -> None:
    from countnest.plots.figure import INK

    for _, cells in drawn.means.groupby("by", sort=False):
        ordered = cells.sort_values("x")
        ax.plot(drawn.places(ordered), ordered["mean"], color=INK, linewidth=1.8, zorder=2.6)
    for place in range(len(drawn.x_levels)):
        here = drawn.means[drawn.means["x"] == place]
        where, mean = drawn.places(here), here["mean"].to_numpy()
        known = here["low"].notna().to_numpy()
        ax.vlines(where[known], here["low"][known], here["high"][known], color=INK, linewidth=1.8, zorder=2.6)
        ax.scatter(where, mean, s=52.0, color=_colour(place), edgecolors=INK, linewidths=1.4, zorder=2.8)
    ax.plot(
        [], [], color=INK, linewidth=1.8, marker="o", markersize=7.0, markerfacecolor="white", markeredgewidth=1.4,
        label="mean, 95 % interval",
    )  # fmt: skip


def _colour(place: int) -> str:
    """Return the colour of a level, from the palette of Okabe and Ito."""
    from countnest.plots.figure import PALETTE

    return PALETTE[place % len(PALETTE)]


def _style(ax: Axes, drawn: _Gene, x: str, by: str | None) -> None:
    """Label both factors below the axis, shade every other level of `by`, and draw the frame."""
    from countnest.plots.figure import INK, frame

    groups, steps = np.arange(len(drawn.by_levels)), np.arange(len(drawn.x_levels))
    centres = groups * drawn.step + (len(steps) - 1) / 2
    low, high = _limits(drawn)
    ax.set_ylim(low, high)
    ax.set_xlim(-_GAP / 2, centres[-1] + drawn.step / 2)
    for centre in centres[1::2]:
        ax.axvspan(centre - drawn.step / 2, centre + drawn.step / 2, color="#F4F5F6", zorder=0.0, linewidth=0)
    present = _present(drawn)
    ax.set_xticks([g * drawn.step + s for g in groups for s in steps if present[g, s]])
    ax.set_xticklabels([drawn.x_levels[s] for g in groups for s in steps if present[g, s]])
    if by is not None:
        ax.xaxis.remove_overlapping_locs = False
        ax.set_xticks(centres, [f"{by} {level}" for level in drawn.by_levels], minor=True, fontweight="bold")
        ax.tick_params(axis="x", which="minor", length=0.0, pad=20.0)
    ax.set_xlabel(x, color=INK)
    ax.set_ylabel(f"log2(normalized count + {_OFFSET:g})", color=INK)
    frame(ax, "y")


def _present(drawn: _Gene) -> BoolArray:
    """Return the combinations of `by` and `x` that have samples."""
    found = np.zeros((len(drawn.by_levels), len(drawn.x_levels)), dtype=np.bool_)
    found[drawn.samples["by"], drawn.samples["x"]] = True
    return found


def _limits(drawn: _Gene) -> tuple[float, float]:
    """Return limits with every point and mean inside; an interval may reach one doubling beyond them."""
    values = np.concatenate([drawn.samples["value"], drawn.means["mean"]])
    ends = drawn.means[["low", "high"]].to_numpy(dtype=np.float64)
    ends = np.clip(ends[np.isfinite(ends)], values.min() - 1.0, values.max() + 1.0)
    low, high = np.concatenate([values, ends]).min(), np.concatenate([values, ends]).max()
    margin = max(0.05 * (high - low), 0.1)
    return float(low - margin), float(high + margin)
