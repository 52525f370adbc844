"""The answers to a query of several rows, each a table of results."""

from __future__ import annotations

import html
import sys
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

import numpy as np
import pandas as pd

from countnest.containers.methods_text import MethodsText, methods_text
from countnest.containers.narrow import GeneTable
from countnest.containers.ranking import MissingGenes, RankBy, matrix_of
from countnest.containers.results import Results, decisive
from countnest.containers.table_file import write_json, write_table
from countnest.counterparts import Answering
from countnest.errors import ContrastError, OptionError, counted, listing, suggestion
from countnest.files import FilePath
from countnest.options import check_flags
from countnest.signature import checked_methods

__all__ = ["ResultsSet"]


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResultsSet(Answering):
    """One `Results` for each row of a query, which reads as a dict of them: `len`, iteration, `keys()`, ``[label]``.

    ``rs["label"]`` and ``rs[0]`` are the results of one row, and `rs.table` is the long table of all.

    Attributes
    ----------
    parts
        The results by label, in the order of the query.
    """

    parts: dict[str, Results]

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __getitem__(self, label: str | int) -> Results:
        """Return the results of one row, by its place, its label or a part of it that no other label has."""
        if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
            return self._at(int(label))
        if not isinstance(label, str):
            raise ContrastError(f"{label!r} is neither a label nor a place; {self._how_to_reach()}.")
        matching = [name for name in self.parts if label == name] or [name for name in self.parts if label in name]
        if len(matching) == 1:
            return self.parts[matching[0]]
        if matching:
            raise ContrastError(f"'{label}' is part of several labels: {listing(matching, 20)}.")
        raise ContrastError(
            f"'{label}' is not among the contrasts.{suggestion(label, self.parts)} They are {listing(self.parts, 20)}."
        )

    def _at(self, place: int) -> Results:
        parts = list(self.parts.values())
        if not -len(parts) <= place < len(parts):
            raise ContrastError(
                f"there is no contrast {place}: the {counted(len(parts), 'contrast')} are counted from 0 to "
                f"{len(parts) - 1}. They are {listing(self.parts, 20)}."
            )
        return parts[place]

    def keys(self) -> KeysView[str]:
        """Return the labels."""
        return self.parts.keys()

    def values(self) -> ValuesView[Results]:
        """Return the results of each row."""
        return self.parts.values()

    def items(self) -> ItemsView[str, Results]:
        """Return labels and results."""
        return self.parts.items()

    def __array__(self, *_: object, **__: object) -> NoReturn:
        """Refuse to be a table, as which `pd.DataFrame` would take the labels alone."""
        raise OptionError("several contrasts are not a single table: take rs.table, the long one, or rs.wide().")

    def _repr_html_(self) -> str:
        """Return the counts as a small table."""
        decided = [decisive(part) for part in self.parts.values()]
        counts = pd.DataFrame(
            {
                "contrast": list(self.parts),
                "significant": [_count(part) for part in self.parts.values()],
                "by": [by for by, _ in decided],
                "alpha": [level for _, level in decided],
            }
        )
        how = html.escape(self._how_to_reach())
        return f"<p>{self._heading()}</p>{counts.to_html(index=False, border=0)}<p>{how}</p>"

    def top(self, n: int = 10) -> pd.DataFrame:
        """Return the first `n` genes of every contrast, in the long form."""
        return GeneTable(
            ResultsSet({label: Results(part.top(n), part.info) for label, part in self.parts.items()}).table
        )

    def __repr__(self) -> str:
        lines = [f"{label}: {_shown(part)}" for label, part in self.parts.items()]
        return "\n".join([self._heading(), *lines, self._how_to_reach()])

    def _how_to_reach(self) -> str:
        """Return the advice on selecting one table."""
        first = next(iter(self.parts))
        return f"the table of one: [{first!r}], a part of its label, or [0]; of all, one below the other: .table"

    def _heading(self) -> str:
        return f"{counted(len(self), 'contrast')} of {counted(len(self[0]), 'gene')}"

    @property
    def table(self) -> pd.DataFrame:
        """The long table: the rows of all contrasts below each other, with a column `contrast` in front."""
        frames = []
        for label, part in self.parts.items():
            frame = part.table.copy()
            frame.insert(0, "contrast", label)
            frames.append(frame)
        whole = pd.concat(frames)
        whole["contrast"] = pd.Categorical(whole["contrast"], categories=list(self.parts))
        return whole

    def wide(self) -> pd.DataFrame:
        """Return one row for each gene: baseMean, the columns of every contrast as 'column: contrast', annotation."""
        whole, known = self[0].table, list(self[0].info.annotation)
        shared = ["baseMean", *known]
        others = [part.table.drop(columns=shared).add_suffix(f": {label}") for label, part in self.parts.items()]
        return pd.concat([whole[["baseMean"]], *others, whole[known]], axis=1)

    def to_decoupler(
        self, by: RankBy | None = None, *, ids: str | None = None, missing: MissingGenes = "drop"
    ) -> pd.DataFrame:
        """Return the scores of the genes, contrasts x genes: ``decoupler.mt.ulm(rs.to_decoupler(), net)``.

        Parameters
        ----------
        by, ids
            As in `Results.ranked`.
        missing
            What becomes of genes that have no score in some of the contrasts: "drop" leaves them out, "zero" gives them
            0, no change. decoupler takes no missing values.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.simulate.groups(genes=100, sizes=(3, 3, 3), rng=1)
        >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", quiet=True).deseq(quiet=True)
        >>> dds.effect("group", levels="pairwise").test().to_decoupler().shape
        (3, 100)
        """
        return matrix_of(self.parts, by, ids, missing)

    def summary(self, alpha: float | None = None, *, file: TextIO | None = None) -> None:
        """Print the summary of every contrast."""
        for label, part in self.parts.items():
            print(f"\n{label}", end="", file=sys.stdout if file is None else file)
            part.summary(alpha, file=file)

    def methods(self) -> MethodsText:
        """Return a paragraph on all contrasts for the methods section of a paper, with the papers that it cites."""
        return methods_text(*(part.info for part in self.parts.values()))

    def record(self) -> dict[str, Any]:
        """Return what is needed to make each table again, `Results.record`, by its label, in the types of JSON."""
        return {label: part.record() for label, part in self.parts.items()}

    def to_csv(self, path: FilePath, *, record: bool = False) -> None:
        """Write the long table, as `Results.to_csv` does; with `record`, `record()` beside it, as JSON."""
        check_flags(record=record)
        write_table(self.table, path)
        if record:
            write_json(self.record(), f"{path}.json")


def _count(part: Results) -> int:
    """Return the number of genes of a part that changed."""
    by, level = decisive(part)
    return int((part.table[by] < level).sum())


def _shown(part: Results) -> str:
    by, level = decisive(part)
    return f"{counted(_count(part), 'gene')} with {by} < {level:g}"
