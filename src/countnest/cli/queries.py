"""The queries of `--query`: parsed before the fit, answered after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from countnest.api.query import BoundQuery
from countnest.cli.found import Answered
from countnest.cli.request import Asked, How
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import OptionError, StratumError
from countnest.queries.strata import refuse_between

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["answer_queries", "query_files", "read_queries"]


def read_queries(asked: Asked, dds: DESeqDataSet) -> list[BoundQuery]:
    """Return the queries, each of which can be answered; no fit is needed.

    Raises
    ------
    ContrastError
        A query cannot be read, or asks what the design cannot answer.
    StratumError
        A query compares blocks, and that was not allowed.
    OptionError
        A threshold was set for a joint test.
    """
    return [_read(asked, dds, text) for text in asked.query]


def answer_queries(asked: Asked, how: How, queries: Sequence[BoundQuery]) -> list[Answered]:
    """Return the answers; the data set of the queries is fitted."""
    return [
        Answered(text, query, _answer(asked, how, query), file)
        for text, query, file in zip(asked.query, queries, query_files(asked), strict=True)
    ]


def query_files(asked: Asked) -> list[str]:
    """Return the names of the files for the answers, numbered in the order of the options."""
    return [f"query_{place}.csv" for place in range(1, len(asked.query) + 1)]


def _read(asked: Asked, dds: DESeqDataSet, text: str) -> BoundQuery:
    query = dds.query(text)
    try:
        refuse_between(query.design, () if asked.allow_fixed_blocks else query.between())
    except StratumError as error:
        raise StratumError(f"{error}\n  in the query: {text.strip()}") from error
    threshold = asked.lfc_threshold > 0 or asked.alt_hypothesis != "greaterAbs"
    if threshold and query.is_joint and len(query) > 1:
        raise OptionError(
            "--lfc-threshold and --alt-hypothesis are for single comparisons; a joint test has no threshold. Leave "
            f"them out, or the joint().\n  in the query: {text.strip()}"
        )
    return query


def _answer(asked: Asked, how: How, query: BoundQuery) -> Results | ResultsSet:
    return query.test(how.query_kind, fit=how.fit, allow_fixed_blocks=asked.allow_fixed_blocks, **asked.testing())
