"""The results of the comparisons of `--contrast`, and with those of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import countnest as cn
from countnest.api.query import bind
from countnest.api.results import only
from countnest.cli.found import Compared, endings
from countnest.cli.queries import answer_queries, read_queries
from countnest.cli.request import Asked, How
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.queries.contrasts import contrast_query

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["compare", "tables_of"]


def compare(
    asked: Asked, how: How, dds: DESeqDataSet, contrasts: Sequence[tuple[str, str, str] | None]
) -> list[Compared]:
    """Return the results of all comparisons; None: that of `--name`, or the last coefficient."""
    return [
        Compared(contrast, asked.name, _results(asked, how, dds, contrast), ending)
        for contrast, ending in zip(contrasts, endings(len(contrasts)), strict=True)
    ]


def tables_of(
    asked: Asked, how: How, dds: DESeqDataSet, contrasts: Sequence[tuple[str, str, str] | None]
) -> dict[str, Results]:
    """Return the tables of all comparisons and queries, by label."""
    queries = read_queries(asked, dds)
    tables = {each.results.info.label: each.results for each in compare(asked, how, dds, contrasts)}
    for answered in answer_queries(asked, how, queries):
        answer = answered.answer
        tables |= answer.parts if isinstance(answer, ResultsSet) else {answered.label: answer}
    return tables


def _results(asked: Asked, how: How, dds: DESeqDataSet, contrast: tuple[str, str, str] | None) -> Results:
    if how.fit is not None or how.kind is not None:
        query = bind(contrast_query(dds.design, contrast, asked.name), dds)
        return only(query.test(how.kind, fit=how.fit, **asked.testing()))
    return cn.results(dds, contrast=contrast, name=asked.name, **asked.testing())
