"""The table of genes that answers one query, with the record of how it was made."""

from __future__ import annotations

import html
import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, TextIO, get_args

import numpy as np
import pandas as pd

from countnest.arrays import IntArray
from countnest.containers.columns import Columns
from countnest.containers.gene_info import symbol_column
from countnest.containers.info import ResultsInfo
from countnest.containers.methods_text import MethodsText, methods_text
from countnest.containers.narrow import GeneTable, as_text
from countnest.containers.null_scale import null_heading
from countnest.containers.ranking import RankBy, matrix_of, ranked_genes
from countnest.containers.record import results_record
from countnest.containers.schema import JOINT_CHANGE, SD_OF, column_of
from countnest.containers.summary import Decisive, Summary, decisive_column, level_of, numbers_of, summarize
from countnest.containers.table_file import write_json, write_table
from countnest.containers.verdict import Verdict, verdict_of
from countnest.errors import OptionError, counted, listing
from countnest.files import FilePath
from countnest.options import check_flags, check_option
from countnest.signature import checked_methods

__all__ = ["Results", "TopBy", "decisive"]

TopBy = Literal["padj", "padj_stagewise", "pvalue", "svalue", "stat", "log2FoldChange", "baseMean"]

_SHOWN_ROWS = 10


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Results(Columns):
    """The answer to one query: a table with one row for each gene, and the record of what was done.

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

    def verdict(self, alpha: float | None = 0.05) -> Verdict:
        """Return what the list of genes with p < `alpha` is worth, before and after adjustment.

        Many p-values below 0.05 and none after adjustment is no contradiction: of 16,000 genes without an effect 800
        have one. The verdict has the observed and the expected number, the estimated share of genes without an effect,
        the share of false findings that the list implies, and how small a p-value has to be for a single finding.

        Parameters
        ----------
        alpha
            The level for p-values, and for adjusted ones; None: that of `results()`.

        Returns
        -------
        Verdict
            The numbers as a record, which prints as a text.

        Raises
        ------
        OptionError
            The table has no adjusted p-values, or `alpha` is no level.

        Notes
        -----
        The share of genes without an effect is that of Storey and Tibshirani (2003), doi:10.1073/pnas.1530509100. R
        counterpart of it: qvalue::pi0est.
        """
        return verdict_of(self.table, level_of(self.table, self.info, alpha))

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
        by = decisive_column(self.table) if by is None else by
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
        by, level = decisive_column(self.table), level_of(self.table, self.info, alpha)
        table = _symbols_first(self.table, self.info).iloc[self._order(by)]
        table = table[table[by] < level]
        if _checked_lfc(lfc, self.table) > 0:
            table = table[table["log2FoldChange"].abs() > lfc]
        return GeneTable(table)

    def ranked(self, by: RankBy | None = None, *, ids: str | None = None) -> pd.Series[float]:
        """Return all genes ranked from up to down, for gene set enrichment: ``gseapy.prerank(res.ranked(), sets)``.

        Parameters
        ----------
        by
            What ranks: "stat", with the sign of the change; "log2FoldChange", of which shrunken ones are preferable; or
            "pvalue", -log10 of it with the sign of the change. None: "stat", or "log2FoldChange" in a table without.
        ids
            The column of the table that has the identifiers of the gene sets, such as symbols; None: the labels of the
            genes. Of several genes with one identifier the one with the highest mean count stays.

        Returns
        -------
        pandas.Series
            By gene, the largest first. Genes without a p-value take no part, such as those with an outlier.

        Raises
        ------
        OptionError
            There is no such column, or the test is one of several rows, whose statistic has no direction.

        Notes
        -----
        p-values of zero count as the smallest number above zero.

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.DESeq(cn.make_example_dataset(200, 6, beta_sd=1.0), quiet=True)
        >>> ranked = cn.results(dds).ranked()
        >>> bool(ranked.is_monotonic_decreasing), bool(ranked.index.is_unique)
        (True, True)
        """
        return ranked_genes(self, by, ids)

    def to_decoupler(self, by: RankBy | None = None, *, ids: str | None = None) -> pd.DataFrame:
        """Return the scores of the genes as one row, for decoupler: ``decoupler.mt.ulm(res.to_decoupler(), net)``.

        Parameters
        ----------
        by, ids
            As in `ranked`.

        Returns
        -------
        pandas.DataFrame
            One row, named after the comparison, with a column for each gene that has a score, in the order of the
            table. `ResultsSet.to_decoupler` has a row for each comparison.

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.DESeq(cn.make_example_dataset(200, 6, beta_sd=1.0), quiet=True)
        >>> cn.results(dds).to_decoupler().index.to_list()
        ['condition B vs A']
        """
        return matrix_of({self.info.label: self}, by, ids, "drop")

    def methods(self) -> MethodsText:
        """Return a paragraph for the methods section of a paper, with the papers that it cites.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> reference = {"condition": "untreated"}
        >>> dds = cn.DESeqDataSet(study.counts[:500], study.samples, design="~ condition", reference=reference)
        >>> print(cn.results(cn.DESeq(dds, quiet=True)).methods())  # doctest: +ELLIPSIS
        Differential expression was analysed with countnest ..., from the counts of 500 genes in 7 samples. ...
        """
        return methods_text(self.info)

    def record(self) -> dict[str, Any]:
        """Return what is needed to make the table again, in the types of JSON.

        The comparison with its weights by coefficient, the design, the test and its options, the thresholds that were
        found, what the fit was made with, versions, the labels of the samples, and the SHA-256 of the counts as 64-bit
        little-endian floats, gene by gene.
        """
        return results_record(self.info)

    def to_csv(self, path: FilePath, *, record: bool = False) -> None:
        """Write the table, genes in the first column and missing values as NA, whole or not at all.

        Parameters
        ----------
        path
            The file. A name that ends with .csv gets commas; .tsv, .tab and .txt get tabs; with .gz, .bz2 or .xz after
            it, the file is compressed.
        record
            Whether `record()` is written beside it, as JSON, into the file with `.json` after its name.

        Raises
        ------
        FileError
            The file cannot be written, or its name has another ending.
        """
        check_flags(record=record)
        write_table(self.table, path)
        if record:
            write_json(self.record(), f"{path}.json")

    def descriptions(self) -> dict[str, str]:
        """Return a description of each column of the table."""
        found = {}
        for name in map(str, self.table.columns):
            column = column_of(name)
            if name in self.info.annotation:
                found[name] = "annotation of the gene"
            elif column is not None:
                part = name.removeprefix(JOINT_CHANGE).removeprefix(SD_OF)
                found[name] = column.meaning.format(**self.info.words(), row=part)
            else:
                found[name] = "a column of your own"
        return found

    def _is_found(self, name: str) -> bool:
        return column_of(name) is not None or name in self.info.annotation

    def _printed(self) -> pd.DataFrame:
        """Return the table as it is printed: with symbols, without other annotation."""
        return _symbols_first(self.table, self.info, others=False)

    def _headings(self) -> list[str]:
        texts = self.descriptions()
        lines = [texts[name] for name in ("log2FoldChange", "pvalue") if name in texts]
        if self.info.compat is not None:
            lines.append(f"method: {self.info.method}, as in {self.info.compat}")
        if self.info.lfc_threshold > 0:
            lines.append(f"log2 fold change threshold: {self.info.lfc_threshold:g} ({self.info.alt_hypothesis})")
        if "padj_stagewise" in self.table:
            lines.append("stage-wise testing: padj_stagewise says which genes changed")
        if "pvalue" in self.table:
            lines += null_heading(self.info)
        hidden = [name for name in self.table if name not in self._printed()]
        more = f"; in the table as well: {', '.join(map(str, hidden))}" if hidden else ""
        return [*lines, f"{counted(len(self), 'gene')}{more}"]

    def _order(self, by: TopBy) -> IntArray:
        """Return the rows in the order of `top`: the last key of lexsort counts most."""
        if by == "svalue":
            return np.argsort(numbers_of(self.table, by), kind="stable")
        if by not in ("padj", "padj_stagewise", "pvalue"):
            return np.argsort(-np.abs(numbers_of(self.table, by)), kind="stable")
        tie_breakers = [-np.abs(numbers_of(self.table, "stat"))] if "stat" in self.table else []
        keys = [*tie_breakers, numbers_of(self.table, "pvalue")]
        if by != "pvalue":
            keys.append(numbers_of(self.table, by))
        return np.lexsort(keys)


def decisive(results: Results, alpha: float | None = None) -> tuple[Decisive, float]:
    """Return the column that says which genes changed, and the level below which they did; `alpha` is checked."""
    return decisive_column(results.table), level_of(results.table, results.info, alpha)


def _symbols_first(table: pd.DataFrame, info: ResultsInfo, *, others: bool = True) -> pd.DataFrame:
    """Return a table with its symbols in front, and with the `others` of its annotation or without them."""
    if not info.annotation:
        return table
    symbol = symbol_column(info.annotation)
    first = [symbol] if symbol in table else []
    left_out = [*first, *(() if others else info.annotation)]
    return table[[*first, *(name for name in table if name not in left_out)]]


def _checked_lfc(lfc: float, table: pd.DataFrame) -> float:
    number = isinstance(lfc, (int, float, np.integer, np.floating)) and not isinstance(lfc, bool)
    if not number or not 0.0 <= lfc < math.inf:
        raise OptionError(f"lfc={lfc!r} is not an absolute log2 fold change; give a number, 0 or more.")
    if lfc > 0 and "log2FoldChange" not in table:
        raise OptionError("a joint test has several fold changes for each gene, so lfc= cannot choose; leave it out.")
    return float(lfc)
