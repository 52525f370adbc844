"""Queries in terms of coefficients: names, sums of names, weights, matrices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.errors import ContrastError, listing
from countnest.options import is_number
from countnest.queries.contrasts import coefficient_place, contrast_query, refuse_list_values
from countnest.queries.estimable import functional
from countnest.queries.query import Query
from countnest.queries.rows import Row
from countnest.queries.weights import mistaken_numbers

__all__ = ["coefficients"]

NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+")
PART = r"(?:`[^`]+`|[^\W\d][\w.]*|\.[^\W\d][\w.]*)(?:\[[^\]]*\])?"
NAME = re.compile(rf"{PART}(?::{PART})*")


def coefficients(design: Design, given: object, list_values: Sequence[float] = (1.0, -1.0)) -> Query:
    """Return the query given by weights of coefficients.

    Parameters
    ----------
    design
        The design, with p coefficients.
    given
        A name or an expression of names such as ``"treat1B.treat2E - treat1A.treat2E"``; three strings (factor, level,
        level) or one or two lists of names as for ``results``; p numbers; k x p numbers, or a data frame of them with
        names, which are tested jointly; a dict of weights by name; or a dict of any of these by label. Names may be
        written as in the results, as in R's model matrix or as in Python's formulas.
    list_values
        Weights of the names of the first and the second list.

    Returns
    -------
    Query
        Its rows name no cells.

    Raises
    ------
    ContrastError
        Unknown names, wrong lengths, weights that are all zero, an expression that cannot be parsed.

    Notes
    -----
    R counterpart: the argument contrast of DESeq2::results, and limma::makeContrasts.
    """
    if isinstance(given, (str, pd.DataFrame)):
        refuse_list_values(list_values)
    if isinstance(given, str):
        return _query(design, _expression(design, given)[None, :], [given])
    if isinstance(given, Mapping):
        return _of_dict(design, given, list_values)
    if isinstance(given, pd.DataFrame):
        matrix, labels = _framed(design, given)
        return _query(design, matrix, labels).joint()
    values = _array(given)
    if values is not None and values.ndim == 2:
        matrix = _oriented(design, values)
        return _query(design, matrix, [f"row {i + 1}" for i in range(len(matrix))]).joint()
    contrast = contrast_query(design, given, None, list_values)
    return _query(design, contrast.matrix, contrast.labels)


def _query(design: Design, matrix: FloatArray, labels: Sequence[str]) -> Query:
    """Return the query of some contrasts, shape (k, p), checked."""
    if not np.all(np.isfinite(matrix)):
        raise ContrastError("the contrast has missing or infinite elements.")
    zero = [label for label, row in zip(labels, matrix, strict=True) if not np.any(row)]
    if zero or not len(matrix):
        raise ContrastError(f"the contrast {listing(zero)} has only zeros; at least one element should differ from 0.")
    return Query(design, functional(design, matrix), tuple(Row(label) for label in labels))


def _of_dict(design: Design, given: Mapping[Any, Any], list_values: Sequence[float]) -> Query:
    """Return the query of a dict of weights by name, or of contrasts by label."""
    if given and all(is_number(weight) for weight in given.values()):
        vector = np.zeros(len(design.names))
        for name, weight in given.items():
            vector[coefficient_place(design, str(name))] += float(weight)
        label = " ".join(f"{weight:+.6g}*{name}" for name, weight in given.items())
        return _query(design, vector[None, :], [label])
    queries = [coefficients(design, value, list_values) for value in given.values()]
    matrices = [query.matrix for query in queries]
    labels = [
        str(label) if len(query) == 1 else f"{label}: {part}"
        for label, query in zip(given, queries, strict=True)
        for part in query.labels
    ]
    return _query(design, np.concatenate([*matrices, np.empty((0, len(design.names)))]), labels)


def _array(given: object) -> FloatArray | None:
    """Return numbers as an array; None if they are not numbers."""
    if isinstance(given, pd.Series) or mistaken_numbers(given):
        return None
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _oriented(design: Design, values: FloatArray) -> FloatArray:
    """Return a matrix with one row for each contrast; R uses one column for each."""
    p = len(design.names)
    if values.shape[1] == p:
        return values
    if values.shape[0] == p:
        return values.T
    raise ContrastError(
        f"the matrix of contrasts has shape {values.shape}; it must have one column for each of the {p} "
        f"coefficients: {listing(design.names, 20)}."
    )


def _framed(design: Design, frame: pd.DataFrame) -> tuple[FloatArray, list[str]]:
    """Return the contrasts of a data frame whose columns, or rows, are coefficients."""
    if frame.columns.inferred_type != "string":  # numbered columns: as an array
        matrix = _oriented(design, _frame_numbers(frame))
        return matrix, [f"row {i + 1}" for i in range(len(matrix))]
    try:
        places = [coefficient_place(design, str(name)) for name in frame.columns]
    except ContrastError:
        if frame.index.inferred_type != "string":
            raise
        frame = frame.T
        places = [coefficient_place(design, str(name)) for name in frame.columns]
    matrix = np.zeros((len(frame), len(design.names)))
    matrix[:, places] = _frame_numbers(frame)
    return matrix, [str(label) for label in frame.index]


def _frame_numbers(frame: pd.DataFrame) -> FloatArray:
    try:
        if not mistaken_numbers(frame):
            return frame.to_numpy(dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ContrastError("a data frame of contrasts must contain only numbers.")


def _expression(design: Design, text: str) -> FloatArray:
    """Return the weights, shape (p,), of an expression of names."""
    constant, vector = _Arithmetic(design, text).read()
    if constant:
        raise ContrastError(f"the contrast '{text}' adds the number {constant:g}; only coefficients can be added.")
    return vector


# A constant and weights of the coefficients.
Linear = tuple[float, FloatArray]


class _Arithmetic:
    """A parser of sums of names with weights: ``a - 0.5 * (b + c)``."""

    def __init__(self, design: Design, text: str) -> None:
        self.design, self.text, self.at = design, text, 0
        known = dict.fromkeys((*design.names, *design.columns))
        self.known = sorted(known, key=len, reverse=True)

    def read(self) -> Linear:
        """Return the value of the whole text."""
        found = self._sum()
        if self._peek():
            self._fail("'+', '-', '*' or '/' expected here")
        return found

    def _fail(self, problem: str) -> None:
        raise ContrastError(
            f"the contrast cannot be read: {problem}.\n  {self.text}\n  {' ' * self.at}^\nThe coefficients are "
            f"{listing(self.design.names, 20)}."
        )

    def _peek(self) -> str:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _start(self) -> int:
        self._peek()
        return self.at

    def _sum(self) -> Linear:
        constant, vector = self._product()
        while self._peek() in ("+", "-"):
            sign = 1.0 if self._take() == "+" else -1.0
            more, weights = self._product()
            constant, vector = constant + sign * more, vector + sign * weights
        return constant, vector

    def _take(self) -> str:
        character = self._peek()
        self.at += 1
        return character

    def _product(self) -> Linear:
        left = self._signed()
        while self._peek() in ("*", "/"):
            operator, place = self._take(), self._start()
            right = self._signed()
            if operator == "*" and right[1].any() and left[1].any():
                self.at = place
                self._fail("two coefficients cannot be multiplied; write an interaction with ':' and without spaces")
            if operator == "/" and (right[1].any() or not right[0]):
                self.at = place
                self._fail("only a number other than 0 can be a divisor")
            if operator == "/":
                left = left[0] / right[0], left[1] / right[0]
            else:
                left = left[0] * right[0], left[0] * right[1] + right[0] * left[1]
        return left

    def _signed(self) -> Linear:
        if self._peek() in ("+", "-"):
            sign = 1.0 if self._take() == "+" else -1.0
            constant, vector = self._signed()
            return sign * constant, sign * vector
        return self._atom()

    def _atom(self) -> Linear:
        rest = self.text[self.at :] if self._peek() else ""
        name = next((name for name in self.known if rest.startswith(name) and _ends(rest, name)), None)
        number = NUMBER.match(rest)
        match = NAME.match(rest)
        zero = np.zeros(len(self.design.names))
        if name is None and number:
            self.at += number.end()
            return float(number[0]), zero
        if name is None and rest.startswith("("):
            self.at += 1
            inner = self._sum()
            if self._take() != ")":
                self.at -= 1
                self._fail("')' expected here")
            return inner
        if name is None and match is None:
            self._fail("a coefficient or a number expected here")
        found = name or (match[0] if match else "")
        try:
            place = coefficient_place(self.design, found.replace("`", ""))
        except ContrastError as error:
            raise ContrastError(f"{error}\n  {self.text}\n  {' ' * self.at}^") from None
        self.at += len(found)
        zero[place] = 1.0
        return 0.0, zero


def _ends(text: str, name: str) -> bool:
    """Tell whether the text starts with the whole name, not with a longer one."""
    after = text[len(name) : len(name) + 1]
    return not (after.isalnum() or after in ("_", ".", ":", "[")) or not after
