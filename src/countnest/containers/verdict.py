"""What a list of p-values is worth: how many would be there by chance, and how many of the list may be false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from countnest.arrays import BoolArray
from countnest.errors import OptionError, counted
from countnest.remedies import advised
from countnest.stats.inference.qvalue import share_of_true_nulls

__all__ = ["Verdict", "verdict_of"]

# Correlations between genes alone put so many of all genes below 0.05 in nine studies of ten without any effect.
CORRELATED = (0.02, 0.12)
# Of so few p-values the share of true nulls is not known.
FEWEST = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """A list of genes with a p-value below a level, before and after adjustment; `str()` gives the text.

    Attributes
    ----------
    alpha
        The level.
    tested
        Genes with a p-value that was adjusted.
    observed, expected
        Genes with p < alpha, and their expected number if no gene had an effect.
    null_share
        Estimated share of genes without an effect, pi0; 1 of fewer than 100 genes.
    false_share
        The estimated share of false findings among the genes with p < alpha; 0 if there are none.
    called
        Genes with an adjusted p-value below alpha.
    smallest, needed
        The smallest p-value; and alpha over the number of tests, which a single finding has to be below in the
        procedure of Benjamini and Hochberg.
    smallest_adjusted
        The smallest adjusted p-value.
    df, needed_t
        The median degrees of freedom of t tests, and the absolute t statistic that `needed` asks for; None where the
        table has no degrees of freedom or several fold changes for each gene.
    """

    alpha: float
    tested: int
    observed: int
    expected: float
    null_share: float
    false_share: float
    called: int
    smallest: float
    needed: float
    smallest_adjusted: float
    df: float | None = None
    needed_t: float | None = None

    def __str__(self) -> str:
        level, low, high = f"{self.alpha:g}", *(100 * share for share in CORRELATED)
        asked = "" if self.needed_t is None else f", |t| > {self.needed_t:.1f} with {self.df:.3g} degrees of freedom"
        correlated = (
            f"correlated genes alone may give {low:.0f} to {high:.0f} % of p-values below 0.05 in a single study"
        )
        return "\n".join(
            [
                f"{counted(self.tested, 'gene')} tested",
                f"p < {level}: {self.observed}; expected without any effect: {round(self.expected)}",
                f"genes without an effect (pi0): {100 * self.null_share:.0f} %",
                f"false among those with p < {level}: about {100 * self.false_share:.0f} %",
                f"adjusted p < {level}: {self.called}; smallest: {self.smallest_adjusted:.2g}",
                f"a single finding needs p < {self.needed:.1g}{asked}; smallest p: {self.smallest:.1g}",
                f"note: {correlated}",
            ]
        )

    __repr__ = __str__


def _median_df(table: pd.DataFrame, is_tested: BoolArray) -> float | None:
    """Return the median degrees of freedom of t tests; None of other tests."""
    if not {"df", "log2FoldChange"} <= set(table.columns):
        return None
    return float(table["df"][is_tested].median())


def verdict_of(table: pd.DataFrame, alpha: float = 0.05) -> Verdict:
    """Return what the p-values of a table of results are worth as a list.

    Parameters
    ----------
    table
        With the columns pvalue and padj, as in `Results`.
    alpha
        The level for p-values and for adjusted ones, between 0 and 1.

    Raises
    ------
    OptionError
        The table has no p-values, or none that were adjusted.
    """
    if not {"pvalue", "padj"} <= set(table.columns):
        raise OptionError(
            "a verdict is about p-values, and the table has no columns pvalue and padj: "
            + advised("take a table of tests, from test() or results().", "take a table of tests.")
        )
    adjusted = table["padj"].to_numpy(np.float64)
    is_tested = ~np.isnan(adjusted)
    p_value, adjusted = table["pvalue"].to_numpy(np.float64)[is_tested], adjusted[is_tested]
    if not len(p_value):
        raise OptionError("a verdict is about p-values, and no gene of the table has an adjusted one: see padj_reason.")
    m, observed = len(p_value), int((p_value < alpha).sum())
    share = share_of_true_nulls(p_value) if m >= FEWEST else 1.0
    df, needed = _median_df(table, is_tested), alpha / m
    return Verdict(
        alpha=alpha,
        tested=m,
        observed=observed,
        expected=alpha * m,
        null_share=share,
        false_share=min(1.0, share * alpha * m / observed) if observed else 0.0,
        called=int((adjusted < alpha).sum()),
        smallest=float(p_value.min()),
        needed=needed,
        smallest_adjusted=float(adjusted.min()),
        df=df,
        needed_t=None if df is None else float(-stdtrit(df, needed / 2.0)),
    )
