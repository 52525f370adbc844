"""The table of genes that answers one question, with the record of how it was made."""

from __future__ import annotations

import html
import math
import sys
from dataclasses import dataclass, field, fields
from typing import Literal, TextIO, get_args

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.containers.columns import Columns
from countnest.containers.gene_info import symbol_column
from countnest.containers.narrow import GeneTable, as_text
from countnest.containers.table_file import write_table
from countnest.display import facts_as_html, facts_as_text, first_of
from countnest.errors import OptionError, counted, listing
from countnest.files import FilePath
from countnest.options import AltHypothesis, OutlierRule, ShrinkType, check_option
from countnest.remedies import advised, option
from countnest.signature import checked_methods
from countnest.version import installed_version

__all__ = ["FOUND", "JOINT_CHANGE", "Results", "ResultsInfo", "Summary", "TopBy", "decisive", "summarize"]

TopBy = Literal["padj", "padj_stagewise", "pvalue", "svalue", "stat", "log2FoldChange", "baseMean"]

# The column that says which genes changed.
Decisive = Literal["padj", "svalue", "padj_stagewise"]

# What the fold changes of the rows of a joint test are called, before the label of the row.
JOINT_CHANGE = "log2FoldChange."

# Columns that an analysis can have, besides the fold changes of joint tests.
FOUND = frozenset(
    {
        "baseMean", "log2FoldChange", "lfcMLE", "lfcSE", "ciLower", "ciUpper", "stat", "df", "pvalue", "padj",
        "padj_screen", "padj_stagewise", "padj_reason", "separated", "svalue",
    }
)  # fmt: skip

_SHOWN_ROWS = 10
# What the fold changes are, by how they were shrunken.
_ESTIMATES = {None: "MLE", "apeglm": "MAP, apeglm", "ashr": "posterior mean, ashr", "normal": "MAP, normal"}
_VALUE_NAMES: dict[Decisive, str] = {
    "padj": "adjusted p-value",
    "svalue": "s-value",
    "padj_stagewise": "stage-wise adjusted p-value (padj_stagewise)",
}
# Why p-values of outliers are withheld, by the rule.
_OUTLIER_NOTES: dict[OutlierRule, str] = {
    "cooks": "[1] one sample decides too much (Cook's distance), so the p-value is withheld: see",
    "model": "[1] a count is far from what the model expects, or one sample decides too much (Cook's distance), so the "
    "p-value is withheld: see find_outliers()",
}
# The level for s-values, as in DESeq2.
_SVALUE_ALPHA = 0.005


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class ResultsInfo:
    """What was asked and done to make a table of results.

    Attributes
    ----------
    label
        The comparison in words: 'dex trt vs untrt'.
    method
        The method of the fit that was asked: 'DESeq2'.
    test
        'Wald' or 'LRT', or what the kind of test of another method is called.
    formula, reduced
        The full formula, and the reduced one of a likelihood ratio test; None for a design given as a matrix.
    alpha
        The false discovery rate for which independent filtering was tuned.
    lfc_threshold, alt_hypothesis
        The threshold on the log2 fold change and the side of it that was tested.
    independent_filtering
        Whether genes of low mean count were left out of the adjustment.
    filter_statistic
        What genes were filtered by: 'baseMean', or the name of the statistic that was given.
    filter_threshold, filter_theta
        The smallest filter statistic that was kept, by default a mean of normalized counts; and the quantile that it
        is.
    filter_num_rej
        The quantiles that were tried and the number of rejections at each.
    cooks_cutoff
        The Cook's distance above which a p-value was withheld; None: no gene was checked.
    outliers
        By which rule p-values were withheld: 'cooks', or 'model' for the model-based rule as well.
    p_adjust
        The method of adjustment, or the name of the function that adjusted.
    filter_fun
        The name of the function that took the place of filtering and adjustment; None without one.
    shrinkage
        How the fold changes were shrunken; None: they are maximum likelihood estimates.
    prior_scale
        The scale of the Cauchy prior of apeglm, log2; None without one.
    shrunken_test
        Whether the p-values are those of the shrunken fold changes, and not of the maximum likelihood estimates.
    confint
        The level of the intervals of the fold changes, the columns ciLower and ciUpper; None: there are none.
    annotation
        The last columns of the table, which say what is known of the genes besides their counts.
    version
        The version of countnest.
    """

    label: str
    method: str = "DESeq2"
    test: str = "Wald"
    formula: str | None = None
    reduced: str | None = None
    alpha: float = 0.1
    lfc_threshold: float = 0.0
    alt_hypothesis: AltHypothesis = "greaterAbs"
    independent_filtering: bool = True
    filter_threshold: float = 0.0
    filter_theta: float | None = None
    filter_num_rej: tuple[FloatArray, FloatArray | IntArray] | None = None
    cooks_cutoff: float | None = None
    outliers: OutlierRule = "cooks"
    p_adjust: str = "BH"
    filter_statistic: str = "baseMean"
    filter_fun: str | None = None
    shrinkage: ShrinkType | None = None
    prior_scale: float | None = None
    shrunken_test: bool = False
    confint: float | None = None
    annotation: tuple[str, ...] = ()
    version: str = field(default_factory=installed_version)

    def __repr__(self) -> str:
        return facts_as_text(*self._described())

    def _repr_html_(self) -> str:
        return facts_as_html(*self._described())

    def _described(self) -> tuple[str, dict[str, str]]:
        """Return the record as a title and a line for each field that says something, quantiles by their number."""
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "label"}
        if self.filter_num_rej is not None:
            shown["filter_num_rej"] = f"rejections at {counted(len(self.filter_num_rej[0]), 'quantile')}"
        facts = {name: _fact(value) for name, value in shown.items() if value is not None and value != ()}
        return f"ResultsInfo: {self.label}", facts


def _fact(value: object) -> str:
    if isinstance(value, tuple):
        return first_of(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Summary:
    """How many genes a table of results calls up, down, outlying and too low; `str()` gives the text.

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
        Genes with a p-value but no padj: left out by independent filtering. None for s-values.
    alpha, tuned_alpha
        The level of this summary, and the one for which independent filtering was tuned.
    lfc_threshold, alt_hypothesis, filter_threshold, filter_statistic, filter_fun, outlier_rule
        As in `ResultsInfo`, where the last is called `outliers`.
    by
        What was compared with alpha: 'padj'; 'svalue'; or 'padj_stagewise' after stage-wise testing.
    separated
        Significant genes whose Wald test is not to be trusted, as a group has no count at all.
    intercept
        Whether the table is about the intercept, which is no change: a mean count, compared with 1.
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
    intercept: bool = False

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
        lines += [
            self._line("outliers [1]", self.outliers),
            self._line("low counts [2]" if self.filter_statistic == "baseMean" else "filtered [2]", self.low_counts),
            self._filter_line(),
            *([self._line("not estimated", self.not_estimated)] if self.not_estimated else []),
            *([self._line("at the bound", self.at_bound)] if self.at_bound else []),
            _OUTLIER_NOTES[self.outlier_rule] + (f" {option('cooks_cutoff')}" if self.outlier_rule == "cooks" else ""),
            "[2] too few counts to find a change, so the gene is not adjusted for: "
            f"see {advised('independent_filtering=', '--no-independent-filtering')}"
            if self.filter_statistic == "baseMean"
            else "[2] left out by the filter statistic, so the gene is not adjusted for: see filter=",
        ]
        if self.separated:
            genes = counted(self.separated, "significant gene")
            lines += [
                f"note: {genes} without any count in a group (separated): the maximum likelihood fold change is",
                "infinite and the Wald test not to be trusted; ask for the likelihood ratio test: "
                + advised("dds.effect(...).test('lrt')", "a --query with --query-test lrt"),
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

    def _filter_line(self) -> str:
        if self.filter_fun is not None:
            return f"(adjusted by {self.filter_fun})"
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
    by, level = _decisive(table), _level(table, info, alpha)
    mean, value = _column(table, "baseMean"), _column(table, by)
    p_value = None if by == "svalue" else _column(table, "pvalue")
    joint = "log2FoldChange" not in table
    change = np.zeros(len(table)) if joint else _column(table, "log2FoldChange")
    significant = value < level
    outliers, not_estimated, at_bound = (None, 0, 0) if p_value is None else _without_p_value(table, p_value)
    return Summary(
        n_genes=len(table),
        nonzero=_count(mean > 0),
        significant=_count(significant),
        up=None if joint else _count(significant & (change > info.lfc_threshold)),
        down=None if joint else _count(significant & (change < -info.lfc_threshold)),
        outliers=outliers,
        low_counts=None if p_value is None else _count(~np.isnan(p_value) & np.isnan(_column(table, "padj"))),
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
        intercept=info.label == "Intercept" and info.test == "Wald",
    )


def _without_p_value(table: pd.DataFrame, p_value: FloatArray) -> tuple[int, int, int]:
    """Return how many genes with counts have no p-value: because of an outlier, for other reasons, at the bound."""
    missing = (_column(table, "baseMean") > 0) & np.isnan(p_value)
    if "padj_reason" not in table:
        return _count(missing), 0, 0
    outlier, at_bound = ((table["padj_reason"] == word).to_numpy(np.bool_) for word in ("outlier", "at_bound"))
    return _count(missing & outlier), _count(missing & ~outlier & ~at_bound), _count(missing & at_bound)


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Results(Columns):
    """The answer to one question: a table with one row for each gene, and the record of what was done.

    It reads as its table does: ``res["padj"]`` and ``res.padj`` are columns, ``res[res.padj < 0.05]`` rows, `len(res)`
    is the number of genes, iteration goes over the names of the columns, `res.sort_values("stat")` and every other
    method of a DataFrame is that of the table, and ``pd.DataFrame(res)`` is a copy of it. ``res["name"] = values`` sets
    a column of your own; all other edits are refused, since the summary and the significant genes follow the table.

    R counterpart: DESeq2::DESeqResults

    Attributes
    ----------
    table
        By gene: baseMean, log2FoldChange, lfcSE, stat, pvalue, padj, padj_reason (tested, all_zero, outlier,
        low_count, not_estimated, at_bound), separated (a group without any count, so that the maximum likelihood fold
        change is infinite). What is known of the genes, such as symbols, comes last. `descriptions()` says what each
        column holds.
    info
        The record of what was done.
    """

    table: pd.DataFrame
    info: ResultsInfo

    def __post_init__(self) -> None:
        """Hold a copy of the table that refuses to be edited."""
        self._hold(self.table)

    def __reduce__(self) -> tuple[type[Results], tuple[pd.DataFrame, ResultsInfo]]:
        return type(self), (self.table.copy(), self.info)

    def copy(self) -> Results:
        """Return a copy with a table of its own; ``res.table.copy()`` is a plain DataFrame."""
        return Results(self.table, self.info)

    def __repr__(self) -> str:
        return "\n".join([*self._headings(), as_text(self._printed(), _SHOWN_ROWS)])

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._headings())
        return f"<p>{lines}</p>{self._printed().to_html(max_rows=_SHOWN_ROWS, float_format='{:.6g}'.format, border=0)}"

    def summary(self, alpha: float | None = None, *, file: TextIO | None = None) -> Summary:
        """Print how many genes changed, and why others have no padj.

        R counterpart: DESeq2::summary.DESeqResults

        Parameters
        ----------
        alpha
            The level for padj, by default the one that `results()` was called with; for s-values by default 0.005.
        file
            Where to print; by default the standard output.

        Returns
        -------
        Summary
            The same numbers as a record. `summarize(res.table, res.info)` makes it without printing.
        """
        summary = summarize(self.table, self.info, alpha)
        print(f"\n{summary}\n", file=sys.stdout if file is None else file)
        return summary

    def top(self, n: int = 10, by: TopBy | None = None) -> pd.DataFrame:
        """Return the `n` first genes: smallest p-values (ties: largest absolute statistic) or largest absolute values.

        Genes without a value come last. Symbols are the first column where there are any.

        Parameters
        ----------
        n
            How many genes.
        by
            The column that decides: 'padj', 'pvalue' or 'svalue' (smallest first), 'stat', 'log2FoldChange' or
            'baseMean' (largest absolute value first). None: 'padj', or 'svalue' where a table has no padj, or
            'padj_stagewise' where genes were tested stage-wise.
        """
        by = _decisive(self.table) if by is None else by
        check_option("by", by, get_args(TopBy))
        if by not in self.table:
            raise OptionError(f"by='{by}': the table has no such column; it has {listing(self.table.columns, 20)}.")
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise OptionError(f"n={n!r} genes cannot be shown; give a whole number that is not negative.")
        return GeneTable(_symbols_first(self.table, self.info).iloc[self._order(by)[:n]])

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first `n` genes as they stand in the table, as of a DataFrame; the best ones are `top(n)`."""
        return GeneTable(_symbols_first(self.table, self.info).head(n))

    def significant(self, alpha: float | None = None, lfc: float = 0.0) -> pd.DataFrame:
        """Return the significant genes, in the order of `top`.

        Parameters
        ----------
        alpha
            Genes with padj < `alpha`, by default that of `results()`. In a table without padj, those with an s-value <
            `alpha`, by default 0.005; after stage-wise testing, those with padj_stagewise < `alpha`.
        lfc
            Of these, genes whose absolute log2 fold change is above this. It is a filter on the estimate: nothing says
            that the false discovery rate holds for changes of this size. `results(lfc_threshold=)` tests for them.
        """
        by, level = _decisive(self.table), _level(self.table, self.info, alpha)
        table = _symbols_first(self.table, self.info).iloc[self._order(by)]
        table = table[table[by] < level]
        if _checked_lfc(lfc, self.table) > 0:
            table = table[table["log2FoldChange"].abs() > lfc]
        return GeneTable(table)

    def to_csv(self, path: FilePath) -> None:
        """Write the table, genes in the first column and missing values as NA, whole or not at all.

        Parameters
        ----------
        path
            The file. A name that ends with .csv gets commas; .tsv, .tab and .txt get tabs; with .gz, .bz2 or .xz after
            it, the file is compressed.

        Raises
        ------
        FileError
            The file cannot be written, or its name has another ending.
        """
        write_table(self.table, path)

    def descriptions(self) -> dict[str, str]:
        """Return what each column of the table holds, in words."""
        info = self.info
        label = info.label
        tested = label if info.test != "LRT" else f"'{info.formula or 'full'}' vs '{info.reduced or 'reduced'}'"
        test = "LRT" if info.test == "LRT" else f"{info.test} test"
        texts = {
            "baseMean": "mean of normalized counts for all samples",
            "log2FoldChange": f"log2 fold change ({_ESTIMATES[info.shrinkage]}): {label}",
            "lfcMLE": f"log2 fold change (MLE): {label}",
            "lfcSE": f"{'standard error' if info.shrinkage is None else 'posterior SD'}: {label}",
            "ciLower": f"lower end of the {_interval(info)}: {label}",
            "ciUpper": f"upper end of the {_interval(info)}: {label}",
            "stat": f"{info.test} statistic: {tested}",
            "df": "degrees of freedom of the t distribution, or of the denominator of F",
            "pvalue": f"{test} p-value: {tested}",
            "padj": f"{info.p_adjust} adjusted p-values",
            "padj_screen": f"{info.p_adjust} adjusted p-values of the joint test, which screens genes",
            "padj_stagewise": "stage-wise adjusted p-values; missing for genes that the screen leaves out",
            "padj_reason": "tested, or why padj is missing",
            "separated": f"whether a group has no count at all: {_infinite(info)}",
            "svalue": f"s-value (false sign{_or_small(info.lfc_threshold)}): {label}",
        }
        texts |= {
            f"{JOINT_CHANGE}{row}": f"log2 fold change (MLE): {row}"
            for row in (str(name).removeprefix(JOINT_CHANGE) for name in self.table.columns)
        }
        texts |= dict.fromkeys(info.annotation, "annotation of the gene")
        return {str(name): texts[str(name)] for name in self.table.columns if str(name) in texts}

    def _is_found(self, name: str) -> bool:
        return name in FOUND or name.startswith(JOINT_CHANGE) or name in self.info.annotation

    def _printed(self) -> pd.DataFrame:
        """Return the table as it is printed: with symbols, without other annotation."""
        return _symbols_first(self.table, self.info, others=False)

    def _headings(self) -> list[str]:
        texts = self.descriptions()
        lines = [texts[name] for name in ("log2FoldChange", "pvalue") if name in texts]
        if self.info.lfc_threshold > 0:
            lines.append(f"log2 fold change threshold: {self.info.lfc_threshold:g} ({self.info.alt_hypothesis})")
        if "padj_stagewise" in self.table:
            lines.append("stage-wise testing: padj_stagewise says which genes changed")
        hidden = [name for name in self.table if name not in self._printed()]
        more = f"; in the table as well: {', '.join(map(str, hidden))}" if hidden else ""
        return [*lines, f"{counted(len(self), 'gene')}{more}"]

    def _order(self, by: TopBy) -> IntArray:
        """Return the rows in the order of `top`: the last key of lexsort counts most."""
        if by == "svalue":
            return np.argsort(_column(self.table, by), kind="stable")
        if by not in ("padj", "padj_stagewise", "pvalue"):
            return np.argsort(-np.abs(_column(self.table, by)), kind="stable")
        tie_breakers = [-np.abs(_column(self.table, "stat"))] if "stat" in self.table else []
        keys = [*tie_breakers, _column(self.table, "pvalue")]
        if by != "pvalue":
            keys.append(_column(self.table, by))
        return np.lexsort(keys)


def decisive(results: Results, alpha: float | None = None) -> tuple[Decisive, float]:
    """Return the column that says which genes changed, and the level below which they did; `alpha` is checked."""
    return _decisive(results.table), _level(results.table, results.info, alpha)


def _decisive(table: pd.DataFrame) -> Decisive:
    """Return the column that says which genes changed: padj, svalue where there is none, stage-wise p-values."""
    if "padj_stagewise" in table:
        return "padj_stagewise"
    return "svalue" if "svalue" in table and "padj" not in table else "padj"


def _level(table: pd.DataFrame, info: ResultsInfo, alpha: float | None) -> float:
    if alpha is None:
        alpha = _SVALUE_ALPHA if _decisive(table) == "svalue" else info.alpha
    return _checked_alpha(alpha)


def _symbols_first(table: pd.DataFrame, info: ResultsInfo, *, others: bool = True) -> pd.DataFrame:
    """Return a table with its symbols in front, and with the `others` of its annotation or without them."""
    if not info.annotation:
        return table
    symbol = symbol_column(info.annotation)
    first = [symbol] if symbol in table else []
    left_out = [*first, *(() if others else info.annotation)]
    return table[[*first, *(name for name in table if name not in left_out)]]


def _interval(info: ResultsInfo) -> str:
    """Return what the interval of a fold change is, such as '95 % confidence interval'."""
    shrunken = "posterior interval (normal approximation)"
    return f"{100 * (info.confint or 0):g} % {'confidence interval' if info.shrinkage is None else shrunken}"


def _or_small(threshold: float) -> str:
    return f" or |log2 fold change| < {threshold:g}" if threshold > 0 else ""


def _infinite(info: ResultsInfo) -> str:
    """Return what is infinite where a group has no count, and what the p-value is worth."""
    change = f"the {'' if info.shrinkage is None else 'maximum likelihood '}fold change is infinite"
    if info.shrunken_test:
        return change
    if info.test == "LRT":
        return f"{change}, and the p-value holds"
    likelihood = advised("test('lrt')", "--query-test lrt")
    return f"{change} and its Wald p-value is not to be trusted; ask for the likelihood ratio test, {likelihood}"


def _column(table: pd.DataFrame, name: str) -> FloatArray:
    return table[name].to_numpy(dtype=np.float64)


def _count(mask: BoolArray) -> int:
    return int(np.count_nonzero(mask))


def _checked_alpha(alpha: float) -> float:
    number = isinstance(alpha, (int, float, np.integer, np.floating))
    if not number or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a level; give a number between 0 and 1.")
    return float(alpha)


def _checked_lfc(lfc: float, table: pd.DataFrame) -> float:
    number = isinstance(lfc, (int, float, np.integer, np.floating)) and not isinstance(lfc, bool)
    if not number or not 0.0 <= lfc < math.inf:
        raise OptionError(f"lfc={lfc!r} is not an absolute log2 fold change; give a number, 0 or more.")
    if lfc > 0 and "log2FoldChange" not in table:
        raise OptionError("a joint test has several fold changes for each gene, so lfc= cannot choose; leave it out.")
    return float(lfc)


def _rounded(value: float) -> str:
    return str(round(value)) if math.isfinite(value) else "0"


def _two_digits(value: float) -> str:
    """Return `value` with two significant digits, without an exponent: 7.8, 33, 0.0081, 100."""
    return np.format_float_positional(float(f"{value:.2g}"), trim="-")
