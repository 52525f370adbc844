"""The summary of a table of results: numbers of genes that changed, and of those without an adjusted p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.info import ResultsInfo
from countnest.containers.null_scale import null_lines
from countnest.containers.sparse_calls import sparse_lines
from countnest.errors import OptionError, counted
from countnest.options import AltHypothesis, OutlierRule
from countnest.remedies import advised, option

__all__ = ["Decisive", "Summary", "decisive_column", "level_of", "numbers_of", "summarize"]

# The column that says which genes changed.
Decisive = Literal["padj", "svalue", "padj_stagewise"]

_VALUE_NAMES: dict[Decisive, str] = {
    "padj": "adjusted p-value",
    "svalue": "s-value",
    "padj_stagewise": "stage-wise adjusted p-value (padj_stagewise)",
}
# Why p-values of outliers are withheld, by the rule.
_OUTLIER_NOTES: dict[OutlierRule, str] = {
    "cooks": "one sample has undue influence on the fit (Cook's distance), so the p-value is withheld: see",
    "model": "a count is far from its fitted mean, or one sample has undue influence (Cook's distance), so the "
    "p-value is withheld: see find_outliers()",
}
# The level for s-values, as in DESeq2.
_SVALUE_ALPHA = 0.005


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of genes that changed, of outliers and of low counts in a table of results; `str()` gives the text.

    Attributes
    ----------
    n_genes, nonzero
        Genes in the table, and those of them with at least one count.
    significant, up, down
        Genes whose padj, s-value or padj_stagewise is below alpha; those with a log2 fold change above `lfc_threshold`,
        and below its negative; None for a joint test, which has several.
    outliers
        Genes whose p-value is withheld for an extreme count; in a table without padj_reason all genes with counts and
        without p-value. None for s-values.
    not_estimated
        Other genes with counts but no p-value, such as those whose observation weights do not suffice.
    at_bound
        Genes of which a coefficient sits at the bound of the search, so that it is not an estimate. Their p-values are
        withheld.
    low_counts
        Genes that were left out by independent filtering, or before the fit. None for s-values.
    alpha, tuned_alpha
        The level of this summary, and the one for which independent filtering was tuned.
    lfc_threshold, alt_hypothesis, filter_threshold, filter_statistic, filter_fun, outlier_rule
        As in `ResultsInfo`, where the last is called `outliers`.
    by
        What was compared with alpha: 'padj'; 'svalue'; or 'padj_stagewise' after stage-wise testing.
    separated
        Significant genes whose Wald test is unreliable, because a group has no counts.
    null_scale, null_lines
        The scale of the null, None where there is none and for s-values; and what is to be said of the null
        distribution and of hidden factors.
    sparse_lines
        What is to be said of few calls on low counts.
    intercept
        Whether the table is about the intercept, which is no change: a mean count, compared with 1.
    sought_outliers
        Whether genes were checked for outliers, which not every method does.
    sought_low_counts
        Whether genes with low counts could have been left out of the adjustment, or were left out before the fit.
    """

    n_genes: int
    nonzero: int
    significant: int
    up: int | None
    down: int | None
    outliers: int | None
    low_counts: int | None
    alpha: float
    tuned_alpha: float
    lfc_threshold: float
    alt_hypothesis: AltHypothesis
    independent_filtering: bool
    filter_threshold: float
    filter_statistic: str = "baseMean"
    filter_fun: str | None = None
    by: Decisive = "padj"
    separated: int = 0
    not_estimated: int = 0
    at_bound: int = 0
    outlier_rule: OutlierRule = "cooks"
    null_scale: float | None = None
    null_lines: tuple[str, ...] = ()
    sparse_lines: tuple[str, ...] = ()
    intercept: bool = False
    sought_outliers: bool = True
    sought_low_counts: bool = True

    def __str__(self) -> str:
        lines = [
            f"out of {self.nonzero} with nonzero total read count",
            f"{_VALUE_NAMES[self.by]} < {self.alpha:g}",
            *self._change_lines(),
        ]
        if self.intercept:
            lines.append(
                "note: this is the intercept, a log2 mean count and no change between samples: nothing is compared"
            )
        if self.outliers is None or self.low_counts is None:
            return "\n".join(lines)
        lines += [*self._missing_lines(self.outliers, self.low_counts), *self.null_lines, *self.sparse_lines]
        if self.separated:
            genes = counted(self.separated, "significant gene")
            lines += [
                f"note: {genes} without any count in a group (separated): the maximum likelihood fold change is",
                "infinite and the Wald test unreliable; use a likelihood ratio test: "
                + advised("dds.effect(...).test('averaged') or test('lrt')", "--test averaged"),
            ]
        if self.independent_filtering and self.alpha != self.tuned_alpha:
            lines.append(f"note: independent filtering was tuned for alpha={self.tuned_alpha:g}")
        if self.by == "padj_stagewise" and self.alpha != self.tuned_alpha:
            lines.append(f"note: genes were screened at alpha={self.tuned_alpha:g}, the level of stage-wise testing")
        return "\n".join(lines)

    def __repr__(self) -> str:
        found = f"{self.significant} significant" if self.up is None else f"{self.up} up, {self.down} down"
        return f"<Summary: {found} of {counted(self.nonzero, 'gene')}, {self.by} < {self.alpha:g}>"

    def _ipython_display_(self) -> None:
        """Show nothing more: `Results.summary` has printed the text."""

    def _change_lines(self) -> list[str]:
        if self.up is None or self.down is None:
            return [self._line("significant", self.significant)]
        threshold = f"{self.lfc_threshold:.2f}" if self.lfc_threshold > 0 else "0"
        below = f"-{threshold}" if self.lfc_threshold > 0 else "0"
        lines = [self._line(f"LFC > {threshold} (up)", self.up), self._line(f"LFC < {below} (down)", self.down)]
        if self.alt_hypothesis == "lessAbs":
            lines.append(self._line(f"|LFC| < {threshold}", self.significant))
        return lines

    def _missing_lines(self, outliers: int, low_counts: int) -> list[str]:
        """Return the numbers of genes without an adjusted p-value, by the reason; footnotes explain those above 0."""
        lines: list[str] = []
        notes: list[str] = []
        if self.sought_outliers:
            cutoff = f" {option('cooks_cutoff')}" if self.outlier_rule == "cooks" else ""
            notes += [_OUTLIER_NOTES[self.outlier_rule] + cutoff] if outliers else []
            lines.append(self._line("outliers [1]" if outliers else "outliers", outliers))
        if self.sought_low_counts:
            filtered = "low counts" if self.filter_statistic == "baseMean" else "filtered"
            notes += [self._filter_note()] if low_counts else []
            lines.append(self._line(f"{filtered} [{len(notes)}]" if low_counts else filtered, low_counts))
            lines += [self._filter_line()] if low_counts or self.filter_fun is not None else []
        return [
            *lines,
            *([self._line("not estimated", self.not_estimated)] if self.not_estimated else []),
            *([self._line("at the bound", self.at_bound)] if self.at_bound else []),
            *(f"[{number}] {note}" for number, note in enumerate(notes, 1)),
        ]

    @property
    def _left_out_before(self) -> bool:
        return bool(self.low_counts) and not self.independent_filtering

    def _filter_note(self) -> str:
        if self._left_out_before:
            return "counts too low to detect a change, so the gene is left out of the fit" + advised(
                ": see filter=", ""
            )
        if self.filter_statistic != "baseMean":
            return "below the cutoff of the filter statistic, so the gene is left out of the adjustment: see filter="
        return (
            "counts too low to detect a change, so the gene is left out of the adjustment: "
            f"see {advised('independent_filtering=', '--no-independent-filtering')}"
        )

    def _filter_line(self) -> str:
        if self.filter_fun is not None:
            return f"(adjusted by {self.filter_fun})"
        if self._left_out_before:
            return "(left out before the fit)"
        if self.filter_statistic == "baseMean":
            return f"(mean count < {_rounded(self.filter_threshold)})"
        return f"({self.filter_statistic} < {self.filter_threshold:.3g})"

    def _line(self, name: str, count: int) -> str:
        share = _two_digits(100.0 * count / self.nonzero) if self.nonzero else "0"
        return f"{name:<19}: {count}, {share}%"


def summarize(table: pd.DataFrame, info: ResultsInfo, alpha: float | None = None) -> Summary:
    """Count the genes of a table of results by what was found, without printing.

    Parameters
    ----------
    table, info
        As in `Results`.
    alpha
        The level for padj, by default the one of `info`; or for the s-values of a table without padj, by default 0.005.
    """
    by, level = decisive_column(table), level_of(table, info, alpha)
    mean, value = numbers_of(table, "baseMean"), numbers_of(table, by)
    p_value = None if by == "svalue" else numbers_of(table, "pvalue")
    joint = "log2FoldChange" not in table
    change = np.zeros(len(table)) if joint else numbers_of(table, "log2FoldChange")
    significant = value < level
    low_counts = None if p_value is None else _low_counts(table, p_value)
    outliers, not_estimated, at_bound = (None, 0, 0) if p_value is None else _without_p_value(table, p_value)
    return Summary(
        n_genes=len(table),
        nonzero=_count(mean > 0),
        significant=_count(significant),
        up=None if joint else _count(significant & (change > info.lfc_threshold)),
        down=None if joint else _count(significant & (change < -info.lfc_threshold)),
        outliers=outliers,
        low_counts=low_counts,
        alpha=level,
        tuned_alpha=info.alpha,
        lfc_threshold=info.lfc_threshold,
        alt_hypothesis=info.alt_hypothesis,
        independent_filtering=info.independent_filtering,
        filter_threshold=info.filter_threshold,
        filter_statistic=info.filter_statistic,
        filter_fun=info.filter_fun,
        by=by,
        separated=_count(significant & table["separated"].to_numpy(dtype=np.bool_))
        if "separated" in table and info.test == "Wald" and not info.shrunken_test
        else 0,
        not_estimated=not_estimated,
        at_bound=at_bound,
        outlier_rule=info.outliers,
        null_scale=None if p_value is None else info.null_scale,
        null_lines=() if p_value is None else tuple(null_lines(info)),
        sparse_lines=tuple(sparse_lines(mean, p_value, _count(significant), level, info))
        if by == "padj" and p_value is not None
        else (),
        intercept=info.label == "Intercept" and info.test == "Wald",
        sought_outliers=bool(outliers) or info.cooks_cutoff is not None or info.outliers != "cooks",
        sought_low_counts=bool(low_counts) or info.filter_fun is not None or not info.filtered_before,
    )


def _without_p_value(table: pd.DataFrame, p_value: FloatArray) -> tuple[int, int, int]:
    """Count the genes with counts but without a p-value: because of an outlier, for other reasons, at the bound."""
    missing = (numbers_of(table, "baseMean") > 0) & np.isnan(p_value)
    if "padj_reason" not in table:
        return _count(missing), 0, 0
    words = ("outlier", "at_bound", "low_count")
    outlier, at_bound, low = ((table["padj_reason"] == word).to_numpy(np.bool_) for word in words)
    return _count(missing & outlier), _count(missing & ~(outlier | at_bound | low)), _count(missing & at_bound)


def _low_counts(table: pd.DataFrame, p_value: FloatArray) -> int:
    """Count the genes that were left out of the adjustment, or before the fit, for their low counts."""
    found = ~np.isnan(p_value) & np.isnan(numbers_of(table, "padj"))
    if "padj_reason" in table:
        found |= np.isnan(p_value) & (table["padj_reason"] == "low_count").to_numpy(np.bool_)
    return _count(found)


def decisive_column(table: pd.DataFrame) -> Decisive:
    """Return the column that says which genes changed: padj, svalue where there is none, stage-wise p-values."""
    if "padj_stagewise" in table:
        return "padj_stagewise"
    return "svalue" if "svalue" in table and "padj" not in table else "padj"


def level_of(table: pd.DataFrame, info: ResultsInfo, alpha: float | None) -> float:
    """Return the level below which genes changed, checked; None: that of the table."""
    if alpha is None:
        alpha = _SVALUE_ALPHA if decisive_column(table) == "svalue" else info.alpha
    return _checked_alpha(alpha)


def numbers_of(table: pd.DataFrame, name: str) -> FloatArray:
    """Return a column of a table as numbers."""
    return table[name].to_numpy(dtype=np.float64)


def _count(mask: BoolArray) -> int:
    return int(np.count_nonzero(mask))


def _checked_alpha(alpha: float) -> float:
    number = isinstance(alpha, (int, float, np.integer, np.floating))
    if not number or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a level; give a number between 0 and 1.")
    return float(alpha)


def _rounded(value: float) -> str:
    return str(round(value)) if math.isfinite(value) else "0"


def _two_digits(value: float) -> str:
    """Return `value` with two significant digits, without an exponent: 7.8, 33, 0.0081, 100."""
    return np.format_float_positional(float(f"{value:.2g}"), trim="-")
