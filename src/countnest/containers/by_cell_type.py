"""The answers to one question in several cell types, each from a fit of its own."""

from __future__ import annotations

import html
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd

from countnest.containers.methods_text import MethodsText
from countnest.containers.named_results import named_results
from countnest.containers.narrow import GeneTable
from countnest.containers.ranking import MissingGenes, RankBy, matrix_of
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.summary import decisive_column, level_of
from countnest.containers.table_file import write_json, write_table
from countnest.counterparts import Answering
from countnest.errors import ContrastError, OptionError, counted, listing, suggestion
from countnest.files import FilePath
from countnest.options import check_flags, check_option
from countnest.signature import checked_methods
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg

__all__ = ["PADJ_ALL", "Adjust", "CellTypeResults"]

Adjust = Literal["each", "all"]

PADJ_ALL = "padj_all"


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CellTypeResults(Answering):
    """The answers of `by_cell_type`, which read as a dict of cell types: `len`, iteration, `keys()`, ``["B"]``.

    Attributes
    ----------
    parts
        By cell type the table of results, or those of a question of several rows.
    fits
        By cell type the fitted data set, of which more can be asked.
    skipped
        By cell type why it was left out.
    column
        What the column of cell types is called.
    adjust
        Which adjusted p-values `significant`, `top` and `summary` go by: "each", padj, which controls the false
        discovery rate in every cell type; or "all", padj_all, which controls it over all of them together.
    notes
        By cell type what was warned of.
    """

    parts: Mapping[str, Results | ResultsSet]
    fits: Mapping[str, Any]
    skipped: Mapping[str, str]
    column: str
    adjust: Adjust
    notes: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __contains__(self, name: object) -> bool:
        return name in self.parts

    def __getitem__(self, name: str) -> Results | ResultsSet:
        """Return the results of one cell type."""
        if isinstance(name, str) and name in self.parts:
            return self.parts[name]
        if name in self.skipped:
            raise ContrastError(f"{name!r} was left out: {self.skipped[name]}.")
        raise ContrastError(
            f"{name!r} is not among the cell types.{suggestion(name, self.parts)} They are {listing(self.parts, 20)}."
        )

    def keys(self) -> KeysView[str]:
        """Return the cell types."""
        return self.parts.keys()

    def values(self) -> ValuesView[Results | ResultsSet]:
        """Return the results of each cell type."""
        return self.parts.values()

    def items(self) -> ItemsView[str, Results | ResultsSet]:
        """Return cell types and results."""
        return self.parts.items()

    def __array__(self, *_: object, **__: object) -> NoReturn:
        """Refuse to be a table, as which `pd.DataFrame` would take the names alone."""
        raise OptionError("several cell types are not a single table: take found.table, the long one, or found.wide().")

    @property
    def table(self) -> pd.DataFrame:
        """The long table: the rows of all cell types below each other, the cell type in the first column.

        After padj, which is adjusted in each cell type, stands padj_all: Benjamini and Hochberg's adjustment over the
        genes of all cell types that have a padj.
        """
        frames = []
        for name, part in self.parts.items():
            frame = part.table.copy()
            frame.insert(0, self.column, name)
            frames.append(frame)
        whole = pd.concat(frames)
        whole[self.column] = pd.Categorical(whole[self.column], categories=list(self.parts))
        if "contrast" in whole:
            labels = dict.fromkeys(label for frame in frames for label in frame["contrast"].cat.categories)
            whole["contrast"] = pd.Categorical(whole["contrast"], categories=list(labels))
        if "padj" in whole:
            whole.insert(list(whole).index("padj") + 1, PADJ_ALL, _adjusted_over_all(whole))
        return whole

    def top(self, n: int = 10) -> pd.DataFrame:
        """Return the first `n` genes of every cell type, by p-value, in the long form."""
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise OptionError(f"n={n!r} genes cannot be shown; give a whole number that is not negative.")
        return GeneTable(self._sorted(self.table).groupby(self._keys(), observed=True, sort=False).head(n))

    def significant(self, alpha: float | None = None) -> pd.DataFrame:
        """Return the significant genes of every cell type, the smallest p-value first, in the long form.

        Parameters
        ----------
        alpha
            Genes below this are significant, by the p-values that `adjust` names; None: the level of the analysis.
        """
        by, level = self._decisive(alpha)
        table = self.table
        return GeneTable(self._sorted(table[table[by] < level]))

    def summary(self, alpha: float | None = None) -> pd.DataFrame:
        """Return a row for each cell type: samples, genes tested, up and down, and why it was left out.

        A question of several rows has a row for each contrast, called 'cell type: contrast'.

        Parameters
        ----------
        alpha
            As in `significant`.
        """
        by, level = self._decisive(alpha)
        table, rows = self.table, {}
        for key, own in table.groupby(self._keys(), observed=True, sort=False):
            name = str(key[0])
            found = own[own[by] < level]
            change = found.get("log2FoldChange", pd.Series(np.nan, index=found.index))
            rows[": ".join(map(str, key))] = {
                "samples": self.fits[name].shape[1],
                "tested": int(own[by].notna().sum()),
                "significant": len(found),
                "up": int((change > 0).sum()),
                "down": int((change < 0).sum()),
                "left out": "",
            }
        nothing = {"samples": 0, "tested": 0, "significant": 0, "up": 0, "down": 0}
        rows |= {name: {**nothing, "left out": reason} for name, reason in self.skipped.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(self.column)

    def wide(self, value: str = "log2FoldChange") -> pd.DataFrame:
        """Return one column of the tables, genes x cell types; 'cell type: contrast' where there are several rows.

        Parameters
        ----------
        value
            The column, such as "log2FoldChange", "stat" or "padj".
        """
        tables = self._flat()
        known = next(iter(tables.values())).table
        check_option("value", value, [str(name) for name in known])
        return pd.DataFrame({name: part.table[value] for name, part in tables.items()}).loc[known.index]

    def to_decoupler(
        self, by: RankBy | None = None, *, ids: str | None = None, missing: MissingGenes = "drop"
    ) -> pd.DataFrame:
        """Return the scores of the genes, cell types x genes: ``decoupler.mt.ulm(found.to_decoupler(), net)``.

        Parameters
        ----------
        by, ids, missing
            As in `ResultsSet.to_decoupler`.
        """
        return matrix_of(self._flat(), by, ids, missing)

    def methods(self) -> dict[str, MethodsText]:
        """Return the methods paragraph of each cell type: they are analyses of their own."""
        return {name: part.methods() for name, part in self.parts.items()}

    def record(self) -> dict[str, Any]:
        """Return what is needed to make the tables of each cell type again, in the types of JSON."""
        return {name: part.record() for name, part in self.parts.items()}

    def to_csv(self, path: FilePath, *, record: bool = False) -> None:
        """Write the long table, as `Results.to_csv` does; with `record`, `record()` beside it, as JSON."""
        check_flags(record=record)
        write_table(self.table, path)
        if record:
            write_json(self.record(), f"{path}.json")

    def __repr__(self) -> str:
        return "\n".join([self._heading(), self.summary().to_string(), self._how_to_reach()])

    def _repr_html_(self) -> str:
        shown = self.summary().to_html(border=0)
        return f"<p>{html.escape(self._heading())}</p>{shown}<p>{html.escape(self._how_to_reach())}</p>"

    def _heading(self) -> str:
        by, level = self._decisive(None)
        over = "in each" if by != PADJ_ALL else "over all"
        left_out = f", {len(self.skipped)} left out" if self.skipped else ""
        label = next(iter(self._flat().values())).info.label
        asked = f": {label}" if isinstance(next(iter(self.parts.values())), Results) else ""
        return f"{counted(len(self), 'cell type')}{left_out}{asked}; significant: {by} < {level:g}, adjusted {over}"

    def _how_to_reach(self) -> str:
        first = next(iter(self.parts))
        return f"the table of one: [{first!r}]; its fit: .fits[{first!r}]; of all, one below the other: .table"

    def _flat(self) -> dict[str, Results]:
        return named_results(dict(self.parts))

    def _keys(self) -> list[str]:
        several = isinstance(next(iter(self.parts.values())), ResultsSet)
        return [self.column, "contrast"] if several else [self.column]

    def _decisive(self, alpha: float | None) -> tuple[str, float]:
        """Return the column that says which genes changed, and the level below which they did."""
        first = next(iter(self._flat().values()))
        own = decisive_column(first.table)
        level = level_of(first.table, first.info, alpha)
        return (PADJ_ALL if self.adjust == "all" and own == "padj" else own), level

    def _sorted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return rows by cell type, in their order, the smallest p-value first."""
        by = [name for name in (self._decisive(None)[0], "pvalue") if name in table]
        return table.sort_values([*self._keys(), *by], kind="stable")


def _adjusted_over_all(table: pd.DataFrame) -> np.ndarray:
    """Return p-values (rows,) adjusted over all rows that have an adjusted p-value of their own cell type."""
    found = np.full(len(table), np.nan)
    there = table["padj"].notna().to_numpy() & table["pvalue"].notna().to_numpy()
    if there.any():
        found[there] = benjamini_hochberg(table["pvalue"].to_numpy(dtype=np.float64)[there])
    return found
