"""The answers of a run, with the names of their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from countnest.containers.results import Results

if TYPE_CHECKING:
    from countnest.api.query import BoundQuery
    from countnest.containers.result_set import ResultsSet

__all__ = ["Answered", "Compared", "endings"]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A comparison, a contrast or a coefficient, with its answer, and what names of its files end with: '' or '_1'."""

    contrast: tuple[str, str, str] | None
    name: str | None
    results: Results
    ending: str

    @property
    def table(self) -> str:
        """The name of the file for its table."""
        return f"results{self.ending}.csv"


def endings(number: int) -> list[str]:
    """Return what the names of the files of comparisons end with: a number, in their order, if there are several."""
    return [""] if number == 1 else [f"_{place}" for place in range(1, number + 1)]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A query, as it was given and as it was understood, with its answer and the name of the file for it."""

    text: str
    query: BoundQuery
    answer: Results | ResultsSet
    file: str

    @property
    def parts(self) -> list[Results]:
        """The tables of the answer: one for each row of the query, or one for all rows jointly."""
        return [self.answer] if isinstance(self.answer, Results) else list(self.answer.parts.values())

    @property
    def joint(self) -> bool:
        """Whether several rows were tested at once."""
        return self.query.is_joint and len(self.query) > 1

    @property
    def label(self) -> str:
        """What names an answer of one table: the row that was tested, or the query of a joint test."""
        return self.text.strip() if self.joint else self.parts[0].info.label

    @property
    def significant(self) -> list[int]:
        """The number of genes with padj < alpha in each table."""
        return [int((part.table["padj"] < part.info.alpha).sum()) for part in self.parts]
