"""The null distribution of a table of results in words: its scale, and what was done about it."""

from __future__ import annotations

from countnest.containers.info import ResultsInfo
from countnest.errors import counted
from countnest.remedies import advised, option
from countnest.stats.hidden.factors import FEWEST_DF

__all__ = ["null_heading", "null_lines"]

# Scales up to here are as chance makes them, or as cautious tests do; up to the last they deserve a look.
CAUTIOUS, FINE, DOUBTFUL = 0.9, 1.1, 1.2


def null_lines(info: ResultsInfo) -> list[str]:
    """Return the scale of the null and its reading, and the hidden factors, as lines of a summary."""
    hidden = [] if info.hidden is None else info.hidden.lines()
    if info.null_scale is None or info.null_genes is None:
        return hidden
    first = f"scale of the null: {info.null_scale:.2f} ({counted(info.null_genes, 'gene')}; 1 in theory)"
    if info.null_divisor == 1.0:
        return [*hidden, f"{first}: nothing to scale"]
    if info.null_divisor is not None:
        return [
            *hidden,
            f"{first}: z-values are divided by {info.null_divisor:.2f},",
            "and standard errors multiplied by it, so that p-values have the scale that a tenth of real effects makes",
        ]
    if info.null_scale <= FINE:
        spread = "cautious, as where a hidden factor spreads the samples of a group"
        return [*hidden, f"{first}: {spread if info.null_scale < CAUTIOUS else 'fine'}"]
    if info.null_scale <= DOUBTFUL:
        return [*hidden, f"{first}: many real effects, or a weak hidden factor"]
    return [*hidden, f"{first}: a hidden factor, or very many real effects;", *_advice(info.hidden_df)]


def null_heading(info: ResultsInfo) -> list[str]:
    """Return the null distribution as lines above a table, each short."""
    lines = [] if info.hidden is None else [f"hidden factors taken out: {info.hidden.n_factors}"]
    if info.null_scale is None:
        return lines
    where = advised(": see summary()", "")
    is_large = info.null_scale > DOUBTFUL and info.null_divisor is None
    reading = f", a hidden factor or very many real effects{where}" if is_large else ""
    scaled = "" if info.null_divisor is None else f", p-values scaled by {info.null_divisor:.2f}"
    return [*lines, f"scale of the null: {info.null_scale:.2f}{reading}{scaled}"]


def _advice(hidden_df: int | None) -> list[str]:
    """Return what can be done; hidden factors are advised only where they can be taken out."""
    figure = advised("look at plot_pca(vst(dds))", "look at the principal components of the samples")
    first = f"p-values alone cannot tell which: {figure};"
    last = f"{option('null', 'scaled')} widens the null distribution"
    if hidden_df is None:
        return [first, last]
    if hidden_df < FEWEST_DF:
        needed = f"hidden factors can be taken out with {FEWEST_DF} residual degrees of freedom"
        return [first, f"{needed}, {hidden_df} are too few;", last]
    return [first, f"{option('hidden_factors', 'auto')} takes hidden factors out, {last}"]
