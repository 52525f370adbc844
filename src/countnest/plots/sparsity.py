"""The plot of sparsity: the share of the counts of a gene that one sample has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError
from countnest.signature import checked_arguments
from countnest.stats.transform.rlog import SPARSE_SHARE, SPARSE_SUM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_sparsity"]


@checked_arguments
def plot_sparsity(counts: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Draw, for every gene, the share of its counts that lies in one sample, against their sum.

    Many genes with a large sum and a share near 1 have counts in one sample and hardly any elsewhere. A negative
    binomial distribution does not describe them, and the regularized logarithm (`rlog`) does not suit them; those that
    `rlog` would warn of are coloured. No share is below the dashed line, where all samples are equal. Genes without
    counts are left out.

    R counterpart: DESeq2::plotSparsity

    Parameters
    ----------
    counts
        Normalized counts, genes x samples, as from `dds.counts(normalized=True)`.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure
        The figure: `plot_sparsity(dds.counts(normalized=True)).savefig("sparsity.png")`.

    Raises
    ------
    OptionError
        `counts` has no samples, or values that are missing, negative or not numbers.
    """
    from countnest.plots.figure import BLUE, INK, ORANGE, caption, figure_of, legend_above, new_axes, points, style

    values = _checked(counts)
    total = values.sum(axis=1)
    values, total = values[total > 0], total[total > 0]
    share = values.max(axis=1) / total
    sparse = (total > SPARSE_SUM) & (share > SPARSE_SHARE) & (values.shape[1] > 1)
    ax = new_axes() if ax is None else ax
    text = f"over {100 * SPARSE_SHARE:g} % in one sample and sum above {SPARSE_SUM:g}: {sparse.sum():,}"
    points(ax, total[~sparse], share[~sparse], colour=BLUE, size=5.0, alpha=0.3, zorder=2.0)
    points(ax, total[sparse], share[sparse], colour=ORANGE, size=9.0, alpha=0.8, zorder=2.2, label=text)
    even = 1.0 / values.shape[1]
    ax.axhline(even, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=3, label="equal in all samples")
    ax.set_ylim(-0.03, 1.03)
    style(ax, "largest count / sum")
    ax.set_xlabel("sum of counts over samples", color=INK)
    caption(ax, "Share of the counts in one sample")
    legend_above(ax, columns=2)
    return figure_of(ax)


def _checked(counts: pd.DataFrame) -> FloatArray:
    """Return the counts as an array, genes x samples."""
    if not isinstance(counts, pd.DataFrame):
        raise OptionError(
            f"counts must be a DataFrame, genes x samples, not {type(counts).__name__}; "
            "give dds.counts(normalized=True)."
        )
    if counts.shape[1] == 0:
        raise OptionError("counts has no samples.")
    try:
        values = as_float(counts.to_numpy())
    except (TypeError, ValueError):
        raise OptionError("counts has values that are not numbers; give dds.counts(normalized=True).") from None
    if not (np.isfinite(values) & (values >= 0)).all():
        raise OptionError("counts has missing, infinite or negative values; give dds.counts(normalized=True).")
    return values
