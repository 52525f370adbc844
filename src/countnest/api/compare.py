"""Two or more analyses of the same question, side by side."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from countnest.api.agreement import Comparison, call_words
from countnest.api.same_question import Genes, Given, given_table, notes_on, require_same_question, with_names
from countnest.arrays import BoolArray
from countnest.containers.results import Results
from countnest.containers.table_file import write_table
from countnest.errors import OptionError, kind_of, listing, suggestion
from countnest.files import FilePath
from countnest.options import check_option
from countnest.signature import checked_arguments, checked_methods
from countnest.stats.agreement import call_agreement, change_agreement, rank_agreement, ranks_by_p, score_difference

if TYPE_CHECKING:
    from countnest.plots.agreement import Figure, Panel

__all__ = ["ComparisonSet", "compare"]


@checked_arguments
def compare(*tables: Any, alpha: float | None = None, genes: Genes = "same") -> Comparison | ComparisonSet:  # noqa: ANN401
    """Compare tables of results that answer the same question: calls, ranks and fold changes.

    Parameters
    ----------
    tables
        Two or more tables of results, or one dict of tables by the names that they are to have. By default they are
        called by their method and test. DataFrames with the columns log2FoldChange, pvalue and padj, or with those of
        edgeR or limma in R, are taken too; their fold changes must be log2.
    alpha
        The level below which genes are called, by padj; in tables without padj by s-value, in stage-wise ones by
        padj_stagewise. None: the level that the tables were made for.
    genes
        "same": all tables must be of the same genes, in any order, but for genes that were not tested; "common":
        genes that are not in all of them are left out.

    Returns
    -------
    Comparison or ComparisonSet
        Of two tables; or of more, every two of them.

    Raises
    ------
    ContrastError, OptionError
        The tables answer different questions: other levels or contrasts, another threshold, other genes, another base
        of the logarithms; or they were made for different levels and `alpha` is not given.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("airway")
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
    >>> dds = cn.edger(cn.limma(dds, quiet=True), quiet=True)
    >>> dex = dds.effect("dex")
    >>> found = cn.compare(dex.test(fit="edger", alpha=0.05), dex.test(fit="limma", alpha=0.05))
    >>> found.names
    ('edgeR QL F', 'limma-voom moderated t')
    >>> bool(found.calls.jaccard > 0.9), bool(found.changes.pearson > 0.99)
    (True, True)
    """
    check_option("genes", genes, Genes)
    named: Mapping[Any, Any] = {}
    if len(tables) == 1 and isinstance(tables[0], dict) and not isinstance(tables[0], Results):
        named, tables = tables[0], tuple(tables[0].values())
    if len(tables) < 2:
        what = kind_of(tables[0]) if tables else "nothing"
        raise OptionError(f"compare() needs two tables of results at least, or a dict of them; got {what}.")
    if not all(isinstance(name, str) for name in named):
        raise OptionError(f"the names of the tables must be text; got {listing(named)}.")
    given = [given_table(table, name) for table, name in zip(tables, named or [None] * len(tables), strict=True)]
    given = require_same_question(with_names(given), genes)
    levels = _levels(given, alpha)
    parts = {
        (given[i].name, given[j].name): _compared((given[i], given[j]), (levels[i], levels[j]))
        for i, j in combinations(range(len(given)), 2)
    }
    if len(parts) == 1:
        return next(iter(parts.values()))
    called = pd.DataFrame(
        {each.name: each.called(level) for each, level in zip(given, levels, strict=True)}, given[0].table.index
    )
    return ComparisonSet(parts, called)


def _levels(given: list[Given], alpha: float | None) -> list[float]:
    """Return the level of each table, of which those of adjusted p-values must be the same if `alpha` is not given."""
    own = {each.name: each.level(None) for each in given if each.info is not None and each.by != "svalue"}
    if alpha is None and len(set(own.values())) > 1:
        pairs = ", ".join(f"{name}: {level:g}" for name, level in own.items())
        raise OptionError(f"the tables were made for different levels, {pairs}; choose one, alpha=0.05.")
    common = next(iter(own.values()), None)
    return [
        each.level(common if alpha is None and each.info is None and each.by != "svalue" else alpha) for each in given
    ]


def _compared(given: tuple[Given, Given], levels: tuple[float, float]) -> Comparison:
    """Compare two tables of the same genes in the same order."""
    first, second = given
    names = (first.name, second.name)
    tested = (first.tested, second.tested)
    called = (first.called(levels[0]), second.called(levels[1]))
    p_values = (first.p_value, second.p_value)
    both_p: BoolArray = ~np.isnan(p_values[0]) & ~np.isnan(p_values[1])
    statistics = None
    if first.statistic is not None and second.statistic is not None:
        statistics = (first.statistic, second.statistic)
    changes = None
    if not first.is_joint:
        pair = (first.change, second.change)
        changes = change_agreement(pair, both_p & ~first.separated & ~second.separated, called)
    reasons = {
        name: {str(reason): int(n) for reason, n in each.reasons()[there & ~here].value_counts().items() if n}
        for name, each, here, there in zip(names, given, tested, tested[::-1], strict=True)
    }
    return Comparison(
        label=first.label or second.label or "fold changes",
        names=names,
        by=(first.by, second.by),
        levels=levels,
        kinds=(first.kind_of_change, second.kind_of_change),
        tested=(_count(tested[0] & tested[1]), _count(tested[0] & ~tested[1]), _count(tested[1] & ~tested[0])),
        reasons=reasons,
        calls=call_agreement(called, tested[0] | tested[1]),
        ranks=rank_agreement(p_values, statistics),
        changes=changes,
        notes=notes_on(given, levels),
        table=_by_gene(given, called, tested),
    )


def _count(mask: BoolArray) -> int:
    return int(np.count_nonzero(mask))


def _by_gene(
    given: tuple[Given, Given], called: tuple[BoolArray, BoolArray], tested: tuple[BoolArray, BoolArray]
) -> pd.DataFrame:
    """Return the table by gene."""
    first, second = given
    p_values = (first.p_value, second.p_value)
    columns: dict[str, Any] = {}
    if "baseMean" in first.table:
        columns["baseMean"] = first.table["baseMean"]
    if not first.is_joint:
        columns |= {f"log2FoldChange: {each.name}": each.change for each in given}
        columns["change_difference"] = second.change - first.change
    columns |= {f"pvalue: {each.name}": each.p_value for each in given}
    columns |= {f"rank: {each.name}": ranks for each, ranks in zip(given, ranks_by_p(p_values), strict=True)}
    columns["rank_difference"] = score_difference(p_values)
    columns |= {f"{each.by}: {each.name}": each.table[each.by] for each in given}
    columns |= {f"padj_reason: {each.name}": each.reasons() for each in given}
    words = call_words((first.name, second.name))
    masks = [called[0] & called[1], called[0], called[1], tested[0] | tested[1]]
    columns["called"] = pd.Categorical(np.select(masks, words[:4], words[4]), categories=words)
    annotation = () if first.info is None else first.info.annotation
    columns |= {name: first.table[name] for name in annotation}
    return pd.DataFrame(columns, index=first.table.index)


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComparisonSet:
    """Every two of several tables of results of the same question, compared.

    ``found["a", "b"]`` is the `Comparison` of two of them, iteration goes over the pairs of names.

    Attributes
    ----------
    parts
        The comparisons by pairs of names.
    called
        Truth values, genes x tables: which genes are called.
    """

    parts: dict[tuple[str, str], Comparison]
    called: pd.DataFrame

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.parts)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.parts)

    def __getitem__(self, names: tuple[str, str]) -> Comparison:
        """Return the comparison of two tables, in the order in which they were given."""
        known = list(self.called)
        pair = names if isinstance(names, tuple) and len(names) == 2 else None
        for name in pair or ():
            if name not in known:
                raise OptionError(
                    f"no table is called {name!r}.{suggestion(name, known)} They are {listing(known, 20)}."
                )
        if pair is None or pair[0] == pair[1]:
            raise OptionError(f"{names!r} are not two tables; give two names: {listing(known, 20)}.")
        return self.parts[pair if pair in self.parts else (pair[1], pair[0])]

    @property
    def table(self) -> pd.DataFrame:
        """By pair of tables: calls of both and of one, Jaccard index, correlations, differences of fold changes."""
        rows = []
        for part in self.parts.values():
            row: dict[str, float] = {
                "both": part.calls.both, "only_first": part.calls.only_first, "only_second": part.calls.only_second,
                "jaccard": part.calls.jaccard, "spearman_pvalue": part.ranks.p_values,
                **{f"first_{n}": common for n, common in part.ranks.overlap.items()},
            }  # fmt: skip
            if part.changes is not None:
                row |= {
                    "pearson_change": part.changes.pearson,
                    "median_size_of_difference": part.changes.median_absolute_difference,
                    "sign_changes": part.changes.sign_changes,
                }
            rows.append(row)
        return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(list(self.parts), names=["first", "second"]))

    @property
    def n_called(self) -> pd.Series[int]:
        """By table: how many genes are called."""
        return self.called.sum().rename("called")

    def matrix(self, column: str = "jaccard") -> pd.DataFrame:
        """Return one of the numbers of `table` that do not depend on the order, tables x tables.

        Parameters
        ----------
        column
            "jaccard", "spearman_pvalue", "pearson_change", "both", "sign_changes", "median_size_of_difference" or
            "first_10" and the like.
        """
        found = self.table
        check_option("column", column, [str(name) for name in found if not str(name).startswith("only_")])
        names = list(self.called)
        square = pd.DataFrame(np.nan, index=names, columns=names)
        for (first, second), value in zip(self.parts, found[column], strict=True):
            square.loc[first, second] = square.loc[second, first] = value
        return square

    def plot(self, panel: Panel | None = None) -> Figure:
        """Draw every pair, as `Comparison.plot` does, in a figure with a panel for each."""
        from countnest.plots.figure import NotebookFigure

        n = len(self.parts)
        columns = min(n, 3)
        rows = -(-n // columns)
        figure = NotebookFigure(figsize=(5.6 * columns, 7.0 * rows), dpi=150, layout="constrained")
        for place, part in enumerate(self.parts.values(), start=1):
            part.plot(panel, ax=figure.add_subplot(rows, columns, place))
        return figure

    def summary(self, *, file: TextIO | None = None) -> None:
        """Print every comparison."""
        for part in self.parts.values():
            print(f"\n{part}", file=sys.stdout if file is None else file)

    def to_csv(self, path: FilePath) -> None:
        """Write the table by pair, as `Results.to_csv` does."""
        write_table(self.table.reset_index().set_index("first"), path)

    def __repr__(self) -> str:
        calls = "\n".join(f"{name}: {number}" for name, number in self.n_called.items())
        index = self.matrix().to_string(float_format="{:.3f}".format)
        return f"genes called\n{calls}\n\nJaccard index of the calls\n{index}"

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(f"{name}: {number}") for name, number in self.n_called.items())
        return f"<p>genes called<br>{lines}</p>{self.table.to_html(float_format='{:.3g}'.format, border=0)}"
