"""The columns of tables of results: what each holds, in which unit, and the codes of `padj_reason`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["COLUMNS", "JOINT_CHANGE", "REASONS", "SD_OF", "Column", "column_of"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of results.

    Attributes
    ----------
    meaning
        What it holds, in words; braces are filled from the record of a table: {label}, {tested}, {estimate}, {rows},
        {error}, {interval}, {statistic}, {test}, {adjustment}, {infinite}, {small}, {rate}, {of_modes},
        {fitted_by}; {row}, the part that the name of the column ends with; where the null distribution was
        scaled, {times}, {before}; and {null}, of p-values.
    unit
        'log2', 'counts' (normalized), 'probability', 'statistic', 'degrees of freedom', 'code', or 'true or false'.
    """

    meaning: str
    unit: str


# What the fold changes of the rows of a joint test are called, before the label of the row.
JOINT_CHANGE = "log2FoldChange."
# What the standard deviations of several random coefficients are called, before each: 'sd 1 | site'.
SD_OF = "sd "

# In the order in which tables have them.
COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "baseMean": Column("mean of normalized counts for all samples", "counts"),
        "logCPM": Column("average log2 counts per million", "log2"),
        "AveExpr": Column("mean of log2 counts per million", "log2"),
        "code": Column(
            "how the fit of the mixed model ended{of_modes}: 0 converged, 1 singular, others: see {fitted_by}", "code"
        ),
        "dispersion": Column(
            "dispersion of the mixed model{of_modes}: variance beyond Poisson over the square of the mean", "1"
        ),
        "sdGroups": Column("standard deviation of the random effects, log2{of_modes}", "log2"),
        SD_OF: Column("standard deviation of random effects, log2{of_modes}: {row}", "log2"),
        "log2FoldChange": Column("log2 fold change ({estimate}): {label}", "log2"),
        JOINT_CHANGE: Column("log2 fold change ({rows}): {row}", "log2"),
        "lfcMLE": Column("log2 fold change (MLE): {label}", "log2"),
        "lfcSE": Column("{error}{times}: {label}", "log2"),
        "ciLower": Column("lower end of the {interval}: {label}", "log2"),
        "ciUpper": Column("upper end of the {interval}: {label}", "log2"),
        "stat": Column("{statistic} statistic{before}: {tested}", "statistic"),
        "df": Column("degrees of freedom of the t distribution, or of the denominator of F", "degrees of freedom"),
        "pvalue": Column("{test} p-value{null}: {tested}", "probability"),
        "padj": Column("{adjustment} adjusted p-values", "probability"),
        "padj_screen": Column("{adjustment} adjusted p-values of the joint test, which screens genes", "probability"),
        "padj_stagewise": Column(
            "stage-wise adjusted p-values; missing for genes that the screen leaves out", "probability"
        ),
        "padj_reason": Column("tested, or why padj is missing", "code"),
        "separated": Column("whether a group has no count at all: {infinite}", "true or false"),
        "lfsr": Column("local false sign rate{rate}: {label}", "probability"),
        "svalue": Column("s-value (false sign{small}): {label}", "probability"),
    }
)

# What `padj_reason` says, by its code.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "tested": "the adjusted p-value is there",
        "all_zero": "no counts",
        "outlier": "one sample has undue influence on the fit, by Cook's distance, or a count is far from the model",
        "low_count": "left out by independent filtering, or before the fit",
        "not_estimated": "too few samples carry weight to fit the model",
        "at_bound": "a coefficient ended at the bound of the search",
    }
)


def column_of(name: str) -> Column | None:
    """Return the column of this name, also where it ends with the name of a part; None for one no analysis makes."""
    return COLUMNS.get(next((start for start in (JOINT_CHANGE, SD_OF) if name.startswith(start)), name))
