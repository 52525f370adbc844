"""What is found when two tables of results of the same question are compared."""

from __future__ import annotations

import html
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

import numpy as np
import pandas as pd

from countnest.containers.gene_info import symbol_column
from countnest.containers.narrow import GeneTable
from countnest.containers.table_file import write_table
from countnest.errors import OptionError, counted
from countnest.files import FilePath
from countnest.options import check_option
from countnest.protected import protected
from countnest.signature import checked_methods
from countnest.stats.agreement import CallAgreement, ChangeAgreement, RankAgreement

if TYPE_CHECKING:
    from countnest.plots.agreement import Axes, Figure, Panel

__all__ = ["Comparison", "call_words"]

DiffersBy = Literal["rank", "change"]

_ADVICE = "take a copy to work with, found.table.copy()."
_WIDTH = 88
_WHY = "the table of a comparison holds what was found, and is not edited"


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Two tables of results of the same question, compared gene by gene.

    Attributes
    ----------
    label
        The question in words.
    names
        What the two tables are called: the first and the second.
    by, levels
        By which column genes are called in each table, 'padj' as a rule, and the level below which they are.
    kinds
        What kind of fold change each table has; None where it is not known.
    tested
        Numbers of genes with an adjusted p-value in both tables, in the first only, in the second only.
    reasons
        By the name of a table: why it has no adjusted p-value for genes that the other one has tested, and for how
        many (`padj_reason`).
    calls, ranks, changes
        How far calls, the order of genes, and fold changes agree; `changes` is None for joint tests.
    notes
        What is to be kept in mind, a sentence each.
    table
        By gene: baseMean; `log2FoldChange`, `pvalue`, `rank` by p-value among the genes that have one in both tables,
        `padj` and `padj_reason` of each table, as 'column: name';
        `change_difference`, the second fold change less the first, log2; `rank_difference`, by how much further ahead
        the second table has the gene, in normal scores of the ranks by p-value; `called` ('both', 'only' and a name,
        'neither', 'not tested'); annotation.
    """

    label: str
    names: tuple[str, str]
    by: tuple[str, str]
    levels: tuple[float, float]
    kinds: tuple[str | None, str | None]
    tested: tuple[int, int, int]
    reasons: Mapping[str, Mapping[str, int]]
    calls: CallAgreement
    ranks: RankAgreement
    changes: ChangeAgreement | None
    notes: tuple[str, ...]
    table: pd.DataFrame

    def __post_init__(self) -> None:
        """Hold a copy of the table that refuses to be edited."""
        object.__setattr__(self, "table", protected(self.table.copy(), _ADVICE, _WHY))

    def __repr__(self) -> str:
        numbers = [*self._call_lines(), *self._rank_lines(), *self._change_lines(), *self._notes()]
        return "\n".join(_wrapped(line) for line in [*self._headings(), "", *numbers])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def __len__(self) -> int:
        """Return the number of genes."""
        return len(self.table)

    def summary(self, n: int = 10, *, file: TextIO | None = None) -> None:
        """Print how far the tables agree, and the `n` genes that differ most.

        Parameters
        ----------
        n
            How many genes.
        file
            Where to print; by default the standard output.
        """
        genes = self.most_different(n)
        lines = [str(self)]
        if len(genes):
            lines += ["", "genes whose ranks differ most:", str(_numbered(genes, self.names))]
        print("\n" + "\n".join(lines), file=sys.stdout if file is None else file)

    def most_different(self, n: int = 10, by: DiffersBy = "rank") -> pd.DataFrame:
        """Return the `n` genes that differ most among those that at least one of the tables calls.

        Parameters
        ----------
        n
            How many genes.
        by
            "rank": by the order of p-values, `rank_difference`; "change": by the fold change, `change_difference`.
        """
        check_option("by", by, DiffersBy)
        column = f"{by}_difference"
        if column not in self.table:
            raise OptionError("a joint test has several fold changes for each gene; the genes are ordered by='rank'.")
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise OptionError(f"n={n!r} genes cannot be shown; give a whole number that is not negative.")
        called = self.table["called"].isin(call_words(self.names)[:3]) & self.table[column].notna()
        found = self.table[called]
        order = np.argsort(-found[column].abs().to_numpy(), kind="stable")[:n]
        return GeneTable(_short(found, self.names).iloc[order])

    def only(self, name: str) -> pd.DataFrame:
        """Return the genes that one of the two tables calls and the other does not, the rows of `table`.

        Parameters
        ----------
        name
            Of the table that calls them, one of `names`. Why the other one does not is in its `padj_reason`, where it
            did not test a gene.
        """
        check_option("name", name, self.names)
        return self.table[self.table["called"] == f"only {name}"].copy()

    def tested_by_one(self) -> pd.DataFrame:
        """Return the genes that only one of the tables tested: which, and why the other has no adjusted p-value."""
        rows = []
        for tested, other in (self.names, self.names[::-1]):
            reason = self.table[f"padj_reason: {other}"]
            only = (self.table[f"padj_reason: {tested}"] == "tested") & (reason != "tested")
            rows.append(pd.DataFrame({"tested_by": tested, "other": other, "reason": reason[only].astype(str)}))
        return pd.concat(rows)

    def to_csv(self, path: FilePath) -> None:
        """Write the table by gene, as `Results.to_csv` does."""
        write_table(self.table, path)

    def plot(self, panel: Panel | None = None, *, ax: Axes | None = None, label: int = 0) -> Figure:
        """Draw one analysis against the other, with genes coloured by who calls them.

        Parameters
        ----------
        panel
            "changes": log2 fold changes; those beyond the 99.9 % quantile are triangles at the border. "pvalues":
            -log10 of the p-values, on a scale of square roots: which genes differ in the calls. None: fold changes, of
            joint tests p-values.
        ax
            Axes to draw into; by default those of a new figure.
        label
            How many of the genes that differ most, in what is drawn, are named; by symbols where there are any.

        Returns
        -------
        Figure
            The figure: ``found.plot().savefig("compared.png")``.

        Raises
        ------
        OptionError
            Fold changes of a joint test, of which there are several.
        """
        from countnest.plots.agreement import Panel, Points, draw_agreement

        panel = ("pvalues" if self.changes is None else "changes") if panel is None else panel
        check_option("panel", panel, Panel)
        if panel == "changes" and self.changes is None:
            raise OptionError("a joint test has several fold changes for each gene; panel='pvalues' can be drawn.")
        column = "log2FoldChange" if panel == "changes" else "pvalue"
        x, y = (self.table[f"{column}: {name}"].to_numpy(dtype=np.float64) for name in self.names)
        keys = ("both", "only first", "only second", "neither", "not tested")
        words = zip(keys, call_words(self.names), strict=True)
        calls = {key: (self.table["called"] == word).to_numpy(np.bool_) for key, word in words}
        labels = self._labels(label, "change" if panel == "changes" else "rank")
        points = Points(x, y, self.names, calls, labels, is_clipped=panel == "changes")
        return draw_agreement(points, panel, self.label, ax)

    def _labels(self, n: int, by: DiffersBy) -> dict[int, str]:
        """Return the texts of the genes that differ most, by their places."""
        genes = self.most_different(n, by).index
        symbol = symbol_column(tuple(map(str, self.table.columns)))
        texts = self.table[symbol] if symbol is not None else self.table.index.to_series()
        return {
            int(place): str(texts.iloc[place] or gene)
            for place, gene in zip(self.table.index.get_indexer(genes), genes, strict=True)
        }

    def _headings(self) -> list[str]:
        """Return the question, the tables, and how many genes were tested."""
        lines = [self.label]
        for place, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            change = f"; fold changes: {kind}" if kind is not None and self.changes is not None else ""
            lines.append(f"{place + 1}: {name}, {self.by[place]} < {self.levels[place]:g}{change}")
        lines.append(f"{counted(len(self), 'gene')}, {self.tested[0]} of them tested by both")
        for name, other, number in zip(self.names, self.names[::-1], self.tested[1:], strict=True):
            if number:
                why = ", ".join(f"{reason} {count}" for reason, count in self.reasons[other].items())
                lines.append(f"tested by {name} only: {number} ({other}: {why})")
        return lines

    def _call_lines(self) -> list[str]:
        found = self.calls
        numbers = (found.both, found.only_first, found.only_second, found.neither)
        called: dict[str, int] = {}
        for word, number in zip(call_words(self.names)[:4], numbers, strict=True):
            called[word] = number
            for name, other in (self.names, self.names[::-1]):
                reasons = self.only(name)[f"padj_reason: {other}"]
                untested = int((reasons != "tested").sum())
                if word == f"only {name}" and untested:
                    called[f"  not tested by {other}"] = untested
        return [*_aligned({"genes called by": "", **called}), f"Jaccard index of the calls: {_rounded(found.jaccard)}"]

    def _rank_lines(self) -> list[str]:
        found = self.ranks
        statistics = "" if np.isnan(found.statistics) else f", of statistics {_rounded(found.statistics)}"
        lines = [
            f"ranks of {counted(found.n_genes, 'gene')}: Spearman of p-values {_rounded(found.p_values)}{statistics}"
        ]
        if found.overlap:
            shared = ", ".join(f"{common} of the first {n}" for n, common in found.overlap.items())
            lines.append(f"in common by p-value: {shared}")
        return lines

    def _change_lines(self) -> list[str]:
        found = self.changes
        if found is None:
            return []
        return [
            f"fold changes of {counted(found.n_genes, 'gene')}: Pearson {_rounded(found.pearson)}, Spearman "
            f"{_rounded(found.spearman)}, slope {_rounded(found.slope)}",
            f"difference (log2): median {_rounded(found.median_difference)}, median size "
            f"{_rounded(found.median_absolute_difference)}",
            f"genes called by one at least, with opposite signs: {found.sign_changes}",
        ]

    def _notes(self) -> list[str]:
        return [f"note: {note}" for note in self.notes]


def call_words(names: tuple[str, str]) -> tuple[str, str, str, str, str]:
    """Return what the column `called` says of a gene."""
    return "both", f"only {names[0]}", f"only {names[1]}", "neither", "not tested"


def _rounded(value: float) -> str:
    """Return a number with three digits."""
    return f"{value:.3g}"


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _aligned(facts: Mapping[str, object]) -> list[str]:
    width = max(map(len, facts))
    return [f"{what:<{width}} {value:>8}".rstrip() for what, value in facts.items()]


def _short(table: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """Return the columns that tell how genes differ, symbols in front."""
    symbol = symbol_column(tuple(map(str, table.columns)))
    of_both = [f"{column}: {name}" for column in ("log2FoldChange", "pvalue", "rank") for name in names]
    columns = [*([symbol] if symbol is not None else []), *of_both, "change_difference", "rank_difference", "called"]
    return table[[name for name in columns if name in table]]


def _numbered(table: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """Return the most important columns, with numbers in place of the names of the two tables."""
    words = {"log2FoldChange": "change", "pvalue": "pvalue", "rank": "rank"}
    new = {f"{old}: {name}": f"{word} {k}" for old, word in words.items() for k, name in enumerate(names, start=1)}
    called = {word: f"only {k}" for k, word in enumerate(call_words(names)[1:3], start=1)}
    shown = table.rename(columns=new).drop(columns=["change_difference", "rank_difference"], errors="ignore")
    return GeneTable(shown.assign(called=shown["called"].astype(str).replace(called)))
