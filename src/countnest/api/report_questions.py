"""The questions of a report: whatever was given for them, as tables of results by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from countnest.api.query import BoundQuery
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.errors import CountnestError, OptionError, counted, kind_of, listing

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["answered"]

_KINDS = (
    "give a table of results, a query, a contrast as a tuple such as ('dex', 'trt', 'untrt'), a text such as "
    "'dex[trt - untrt]', a list of these, or a dict of them by name"
)
_Answer = Results | ResultsSet


def answered(dds: DESeqDataSet, questions: object, fit: str | None, alpha: float) -> dict[str, Results]:
    """Return the tables of results of some questions, by name.

    Parameters
    ----------
    dds
        The data set that answers contrasts and queries, and of which tables are.
    questions
        Any form that `report` takes.
    fit, alpha
        The fit that answers, and the false discovery rate.

    Raises
    ------
    CountnestError
        A question cannot be answered; the message names it, and the class is that of the reason.
    """
    found: dict[str, Results] = {}
    for name, question in _named(questions):
        try:
            answer = _answer(dds, question, fit, alpha)
            parts = list(_parts(name, answer))
            for _, results in parts:
                _check_genes(dds, results)
        except CountnestError as error:
            raise type(error)(f"the question {_shown(name, question)}: {error}") from error
        for own, results in parts:
            found[_free(own, found)] = results
    if not found:
        raise OptionError(f"there are no questions; {_KINDS}.")
    return found


def _named(questions: object) -> Iterator[tuple[str | None, object]]:
    """Yield each question with its name; None where it is to be named after its answer."""
    if isinstance(questions, Mapping) and not isinstance(questions, (Results, ResultsSet)):
        for name, question in questions.items():
            if not isinstance(name, str) or not name.strip():
                raise OptionError(f"questions: {name!r} cannot be the name of a question; give text.")
            yield name, question
    elif isinstance(questions, list) or _are_answers(questions):
        for question in questions:
            yield None, question
    else:
        yield None, questions


def _are_answers(questions: object) -> TypeGuard[tuple[object, ...]]:
    """Return whether a tuple is several questions, of tables or queries, rather than one contrast."""
    return isinstance(questions, tuple) and any(
        isinstance(each, (Results, ResultsSet, BoundQuery)) for each in questions
    )


def _answer(dds: DESeqDataSet, question: object, fit: str | None, alpha: float) -> _Answer:
    options: dict[str, Any] = {"fit": fit, "alpha": alpha}
    match question:
        case Results() | ResultsSet():
            return question
        case BoundQuery():
            return question.test(**options)
        case None:
            return dds.results(**options)
        case tuple() | np.ndarray():
            return dds.results(question, **options)
        case str() if question in dds.results_names():
            return dds.results(name=question, **options)
        case str():
            return dds.query(question).test(**options)
        case _:
            raise OptionError(f"{kind_of(question)} is no question; {_KINDS}.")


def _parts(name: str | None, answer: _Answer) -> Iterator[tuple[str, Results]]:
    """Yield the tables of an answer with their names."""
    if isinstance(answer, Results):
        yield name or answer.info.label, answer
        return
    for label, part in answer.items():
        yield (f"{name}: {label}" if name and len(answer) > 1 else name or label), part


def _check_genes(dds: DESeqDataSet, results: Results) -> None:
    """Raise `OptionError` where a table has genes that the data set lacks."""
    index = results.table.index
    unknown = index[~index.isin(dds.gene_names)]
    if len(unknown):
        raise OptionError(
            f"its table has {counted(len(unknown), 'gene')} that the data set lacks: {listing(unknown)}. Give the data "
            "set that it was made of."
        )


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return the name, with a number after it where it is taken."""
    if name not in taken:
        return name
    return next(each for each in (f"{name} ({k})" for k in range(2, len(taken) + 3)) if each not in taken)


def _shown(name: str | None, question: object) -> str:
    """Return how a message calls a question."""
    if name is not None:
        return f"'{name}'"
    if isinstance(question, Results):
        return f"'{question.info.label}'"
    if isinstance(question, (str, tuple)) and not _are_answers(question):
        return repr(question)
    return "of the default comparison" if question is None else f"given as {kind_of(question)}"
