"""Tables of results that are compared: what each of them holds, and whether they answer the same question."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.signed import signed_statistics
from countnest.containers.summary import decisive_column, level_of, numbers_of
from countnest.errors import ContrastError, OptionError, counted, kind_of, listing
from countnest.stats.agreement import pearson

__all__ = ["Genes", "Given", "given_table", "notes_on", "require_same_question", "with_names"]

Genes = Literal["same", "common"]

# Names of columns of edgeR, limma and PyDESeq2's like, and what they are here.
_COLUMNS_OF_R = {
    "logFC": "log2FoldChange", "PValue": "pvalue", "P.Value": "pvalue", "FDR": "padj", "adj.P.Val": "padj",
    "t": "stat", "F": "stat", "LR": "stat",
}  # fmt: skip
_LEVEL = 0.1
# How two scales are recognised: correlation of the fold changes, and how close the ratio of their spreads is.
_SAME_UP_TO_SCALE, _CLOSE = 0.98, 0.03
_BASES = {math.log(2.0): "natural logarithms", math.log10(2.0): "logarithms to base 10"}


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One of the tables that are compared.

    Attributes
    ----------
    name
        What it is called.
    table
        With the columns of results.
    info
        The record of how it was made; None for a DataFrame.
    """

    name: str
    table: pd.DataFrame
    info: ResultsInfo | None

    @property
    def label(self) -> str | None:
        """The comparison in words; None where it is not known."""
        return None if self.info is None else self.info.label

    @property
    def is_joint(self) -> bool:
        """Whether it is of a joint test, with several fold changes."""
        return "log2FoldChange" not in self.table

    @property
    def by(self) -> str:
        """The column that decides which genes are called."""
        return decisive_column(self.table)

    @property
    def kind_of_change(self) -> str | None:
        """What kind of fold change it has; None where it is not known."""
        return None if self.info is None else self.info.words()["estimate"]

    @property
    def p_value(self) -> FloatArray:
        """(G,) p-values, or s-values where there are none."""
        return numbers_of(self.table, "pvalue" if "pvalue" in self.table else self.by)

    @property
    def change(self) -> FloatArray:
        """(G,) log2 fold changes; of a table that is not of a joint test."""
        return numbers_of(self.table, "log2FoldChange")

    @property
    def tested(self) -> BoolArray:
        """(G,) genes that have the adjusted p-value, or s-value, that decides.

        After stage-wise testing, those that the screen could test.
        """
        by = "padj_screen" if self.by == "padj_stagewise" and "padj_screen" in self.table else self.by
        return ~np.isnan(numbers_of(self.table, by))

    @property
    def separated(self) -> BoolArray:
        """(G,) genes whose maximum likelihood estimate is infinite."""
        if "separated" not in self.table:
            return np.zeros(len(self.table), dtype=np.bool_)
        return self.table["separated"].to_numpy(dtype=np.bool_)

    @property
    def statistic(self) -> FloatArray | None:
        """(G,) statistics, with the sign of the fold change unless they are of joint tests; None: there are none."""
        if "stat" not in self.table:
            return None
        if self.is_joint:
            return numbers_of(self.table, "stat")
        return signed_statistics(self.table, None if self.info is None else self.info.test)

    def level(self, alpha: float | None) -> float:
        """Return the level below which genes are called; None: that of the table."""
        info = ResultsInfo(label="", alpha=_LEVEL) if self.info is None else self.info
        return level_of(self.table, info, alpha)

    def called(self, alpha: float) -> BoolArray:
        """Return the genes (G,) that are called at a level."""
        return numbers_of(self.table, self.by) < alpha

    def reasons(self) -> pd.Series:
        """Return by gene why its adjusted p-value is there or missing."""
        if "padj_reason" in self.table:
            return self.table["padj_reason"].astype(str)
        return pd.Series(np.where(self.tested, "tested", "no value"), self.table.index)

    def of_genes(self, genes: pd.Index) -> Given:
        """Return the part for some genes, in their order."""
        return self if self.table.index.equals(genes) else Given(self.name, self.table.loc[genes], self.info)


def given_table(value: object, name: str | None) -> Given:
    """Return a table that is compared, checked; `name` None: it is called by its method and test."""
    if isinstance(value, ResultsSet):
        raise OptionError(
            f"compare() is of one comparison at a time, and this ResultsSet has {len(value)}: {listing(value)}. Give "
            "the table of one, such as found[0]."
        )
    if isinstance(value, Results):
        table, info = value.table, value.info
        own = f"{info.method} {info.test}" + (f", {info.shrinkage}" if info.shrinkage else "")
    elif isinstance(value, pd.DataFrame):
        table, info, own = _with_our_columns(value), None, "table"
    else:
        raise OptionError(f"compare() takes tables of results, or DataFrames; got {kind_of(value)}.")
    if not table.index.is_unique:
        repeated = table.index[table.index.duplicated()].unique()
        raise OptionError(
            f"{counted(len(repeated), 'gene label')} stand more than once in the table '{name or own}': "
            f"{listing(repeated)}. Make them unique."
        )
    return Given(own if name is None else name, table, info)


def _with_our_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a DataFrame with the names of our columns, in which those of edgeR and limma are translated."""
    new = {old: ours for old, ours in _COLUMNS_OF_R.items() if old in frame and ours not in frame}
    table = frame.rename(columns=new)
    missing = [name for name in ("log2FoldChange", "pvalue", "padj") if name not in table]
    if missing:
        raise OptionError(
            f"the DataFrame has no column {listing(missing)}; its columns are {listing(frame.columns, 20)}. Rename "
            "those that hold these values."
        )
    return table


def with_names(given: list[Given]) -> list[Given]:
    """Return tables with different names: those that share one are numbered."""
    names = [each.name for each in given]
    found = []
    for place, each in enumerate(given):
        number = names[: place + 1].count(each.name)
        name = f"{each.name} ({number})" if names.count(each.name) > 1 else each.name
        found.append(Given(name, each.table, each.info))
    return found


def require_same_question(given: list[Given], genes: Genes) -> list[Given]:
    """Raise where tables answer different questions; return them with the same genes in the same order."""
    for first, second in pairwise(given):
        _require_same_comparison(first, second)
        _require_same_hypothesis(first, second)
    shared = _shared_genes(given, genes)
    found = [each.of_genes(shared) for each in given]
    for first, second in pairwise(found):
        _require_same_base(first, second)
    return found


def _require_same_comparison(first: Given, second: Given) -> None:
    pair = f"'{first.label}' ({first.name}) and '{second.label}' ({second.name})"
    if first.is_joint != second.is_joint:
        joint, other = (first, second) if first.is_joint else (second, first)
        raise ContrastError(
            f"the tables answer different questions: '{joint.name}' is of a joint test of several rows, '{other.name}' "
            "of one comparison. Test both jointly, or neither."
        )
    if first.info is None or second.info is None:
        return
    same = _same_contrasts(first.info, second.info)
    if same is None:
        same = _plain(first.info.label) == _plain(second.info.label)
    elif not same and _are_opposite(first.info, second.info):
        raise ContrastError(f"the tables compare the same levels in opposite directions: {pair}. Turn one of them.")
    if not same:
        raise ContrastError(f"the tables answer different questions: they compare {pair}.")


def _same_contrasts(first: ResultsInfo, second: ResultsInfo) -> bool | None:
    """Return whether the same hypothesis about the coefficients was tested; None: this cannot be told from them."""
    one, other = first.contrasts, second.contrasts
    if one is None or other is None or first.coefficients != second.coefficients:
        return None
    if len(one) == len(other) == 1:
        return bool(np.allclose(one, other, rtol=0.0, atol=1e-9))
    ranks = {int(np.linalg.matrix_rank(each)) for each in (one, other, np.vstack([one, other]))}
    return len(ranks) == 1


def _are_opposite(first: ResultsInfo, second: ResultsInfo) -> bool:
    one, other = first.contrasts, second.contrasts
    assert one is not None
    assert other is not None
    return len(one) == len(other) == 1 and bool(np.allclose(one, -other, rtol=0.0, atol=1e-9))


def _plain(label: str) -> str:
    """Return a label in the form 'dex trt vs untrt', from 'dex[trt - untrt]' and 'dex_trt_vs_untrt' too."""
    levels = re.fullmatch(r"\s*([^\[\]]+)\[\s*(\S+)\s+-\s+(\S+)\s*\]\s*", label)
    text = f"{levels[1]} {levels[2]} vs {levels[3]}" if levels else label
    return " ".join(text.replace("_", " ").split())


def _require_same_hypothesis(first: Given, second: Given) -> None:
    if first.info is None or second.info is None:
        return
    one, other = (f"{each.lfc_threshold:g} ({each.alt_hypothesis})" for each in (first.info, second.info))
    if one != other:
        raise OptionError(
            f"the tables answer different questions: the log2 fold changes of '{first.name}' are tested against {one}, "
            f"those of '{second.name}' against {other}."
        )


def _shared_genes(given: list[Given], genes: Genes) -> pd.Index:
    """Return the labels of the genes that are compared, in the order of the first table.

    Genes that a table tested must be in all others. Those that it did not test, as edgeR's filter leaves out, are
    often left out of tables of the same analysis in R.
    """
    shared = given[0].table.index
    for each in given[1:]:
        shared = shared[shared.isin(each.table.index)]
    if not len(shared):
        raise OptionError(
            f"the tables have no gene in common: the labels of '{given[0].name}' are like "
            f"{listing(given[0].table.index, 2)}, those of '{given[1].name}' like {listing(given[1].table.index, 2)}."
        )
    lacking = {each.name: int(np.count_nonzero(each.tested & ~each.table.index.isin(shared))) for each in given}
    if genes == "same" and any(lacking.values()):
        more = ", ".join(f"'{name}' tested {counted(n, 'gene')} more" for name, n in lacking.items() if n)
        raise OptionError(
            f"the tables are of different genes: {len(shared)} are in all of them, and {more}. To compare those in all "
            "of them: genes='common'. Adjusted p-values stay those of each table."
        )
    return shared


def _require_same_base(first: Given, second: Given) -> None:
    """Raise where the fold changes of a DataFrame look like those of another base of logarithms.

    Tables of results are always log2.
    """
    if first.is_joint or (first.info is not None and second.info is not None):
        return
    x, y = (numbers_of(each.table, "log2FoldChange") for each in (first, second))
    used = np.isfinite(x) & np.isfinite(y) & first.tested & second.tested
    x, y = x[used], y[used]
    if len(x) < 3 or not pearson(x, y) > _SAME_UP_TO_SCALE:
        return
    ratio = float(np.std(y) / np.std(x))
    for factor, base in _BASES.items():
        for other, scale in ((second, factor), (first, 1.0 / factor)):
            if abs(ratio / scale - 1.0) < _CLOSE:
                raise OptionError(
                    f"the fold changes of '{other.name}' look like {base}: they are {factor:.3f} times those of the "
                    "other table. Turn them into log2 first."
                )


def notes_on(given: tuple[Given, Given], levels: tuple[float, float]) -> tuple[str, ...]:
    """Return what is to be kept in mind when two tables are compared, a sentence each."""
    first, second = given
    notes = []
    unknown = [f"'{each.name}'" for each in given if each.info is None]
    if unknown:
        notes.append(f"no record says which question {' and '.join(unknown)} answers; that it is the same was assumed.")
    kinds = [each.kind_of_change for each in given]
    if not first.is_joint and kinds[0] != kinds[1] and None not in kinds:
        notes.append(
            f"fold changes are of different kinds ({first.name}: {kinds[0]}; {second.name}: {kinds[1]}); where counts "
            "are low they differ even if the methods agree."
        )
    formulas = [None if each.info is None else each.info.formula for each in given]
    if None not in formulas and formulas[0] != formulas[1]:
        notes.append(f"the models differ: '{formulas[0]}' ({first.name}), '{formulas[1]}' ({second.name}).")
    if levels[0] != levels[1]:
        notes.append(f"calls are at different levels: {levels[0]:g} ({first.name}), {levels[1]:g} ({second.name}).")
    return tuple(notes)
