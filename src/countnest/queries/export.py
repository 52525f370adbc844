"""Contrasts in another coding of the same model, and as R code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.design.design import Design
from countnest.design.names import make_names
from countnest.design.random.refusal import refuse_random
from countnest.errors import ContrastError
from countnest.options import check_option

__all__ = ["Program", "matrix_lines", "r_code", "recode"]

Program = Literal["DESeq2", "edgeR", "limma"]


def recode(design: Design, weights: FloatArray, coding: object) -> FloatArray:
    """Return contrasts as contrasts of another coding of the same model.

    With X and X2 the two model matrices and C the contrasts in X, C2 = C pinv(X) X2.

    Parameters
    ----------
    design
        The design, matrix (n, p).
    weights
        The weights of the samples in the contrasts, C pinv(X), shape (k, n).
    coding
        A design or model matrix of shape (n, p) with the same samples and the same column space; the rows of a data
        frame with labels are matched to the samples.

    Raises
    ------
    ContrastError
        The other matrix is a different model.
    """
    other = _values(design, coding)
    ranks = [int(np.linalg.matrix_rank(each)) for each in (design.matrix, other, np.hstack([design.matrix, other]))]
    if len(set(ranks)) > 1 or ranks[1] < other.shape[1]:
        raise ContrastError(
            "the other coding is a different model: "
            f"the ranks of the two matrices and of both together are {ranks[0]}, {ranks[1]} and {ranks[2]}"
            + (f", and its {other.shape[1]} columns are not independent" if ranks[1] < other.shape[1] else "")
            + "."
        )
    return as_float(weights @ other)


def _values(design: Design, coding: Any) -> FloatArray:  # noqa: ANN401 (design, data frame, array)
    """Return the other model matrix, rows in the order of the samples."""
    if isinstance(coding, Design):
        coding = pd.DataFrame(coding.matrix, index=coding.sheet.index)
    if isinstance(coding, pd.DataFrame):
        if not isinstance(coding.index, pd.RangeIndex):
            if set(coding.index) != set(design.sheet.index) or not coding.index.is_unique:
                raise ContrastError("the rows of the other coding are not the samples of this design.")
            coding = coding.loc[design.sheet.index]
        coding = coding.to_numpy()
    try:
        values = np.array(coding, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContrastError(f"coding={coding!r} is not 'own', a design or a model matrix.") from error
    if values.ndim != 2 or len(values) != len(design.sheet) or not np.all(np.isfinite(values)):
        raise ContrastError(f"the other coding must have numbers for each of {len(design.sheet)} samples.")
    return values


def r_code(design: Design, labels: Sequence[str], matrix: FloatArray, program: Program, *, joint: bool) -> str:
    """Return R code for the contrasts, shape (k, p), in DESeq2, edgeR or limma.

    Coefficients are set by name, so that the code stops if the names differ in R.
    """
    check_option("program", program, Program)
    refuse_random(design, f"{program}'s analysis")
    names = _r_names(design, program)
    plain = program == "DESeq2" and not joint and not _is_given(design)
    lines = [*([] if plain else _preamble(design)), *matrix_lines(names, labels, matrix)]
    return "\n".join([*lines, *_call_lines(design, program, len(labels), joint=joint)])


def _r_names(design: Design, program: Program) -> tuple[str, ...]:
    """Return the names of the coefficients in R."""
    if program != "DESeq2":
        return design.columns
    if _is_given(design):  # DESeq2 keeps the names of the columns then
        return tuple("Intercept" if name == "(Intercept)" else make_names(name) for name in design.columns)
    return design.names


def _is_given(design: Design) -> bool:
    """Tell whether DESeq2 needs the model matrix, because it would refuse or recode the formula."""
    return bool(design.dropped) or design.coding != "r"


def _preamble(design: Design) -> list[str]:
    if design.formula is None:
        return ["# X: the model matrix"]
    lines = [f"X <- model.matrix({design.formula}, coldata)  # reference levels: {_references(design)}"]
    if design.coding == "formulaic":
        lines = ["# X: the model matrix of countnest, in a file; R codes this formula differently"]
    if design.dropped:
        lines.append(f"X <- X[, {_vector([_quoted(name) for name in design.columns])}]")
    return lines


def _references(design: Design) -> str:
    return ", ".join(f"{name} {levels[0]}" for name, levels in design.levels.items()) or "none"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _vector(items: Sequence[str], width: int = 110) -> str:
    """Return ``c(...)``, wrapped into lines."""
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) > width:
            lines.append(line)
            line = ""
        line += ("" if not line else " ") + item + ","
    return "c(" + "\n  ".join([*lines, line]).rstrip(",") + ")"


def matrix_lines(names: Sequence[str], labels: Sequence[str], matrix: FloatArray) -> list[str]:
    """Return the lines that make the matrix L, one column for each contrast."""
    lines = [
        f"coefficients <- {_vector([_quoted(name) for name in names])}",
        f"L <- matrix(0, {len(names)}, {len(labels)}, dimnames = list(coefficients, "
        f"{_vector([_quoted(label) for label in labels])}))",
    ]
    for column, row in enumerate(matrix, start=1):
        places = np.flatnonzero(row).tolist()
        chosen, weights = [_quoted(names[i]) for i in places], [f"{row[i]:.17g}" for i in places]
        lines.append(f"L[{_vector(chosen)}, {column}] <- {_vector(weights)}")
    return lines


def _call_lines(design: Design, program: Program, k: int, *, joint: bool) -> list[str]:
    """Return the lines that fit the model and test the columns of L."""
    if program == "DESeq2" and joint:
        return [
            "null <- X %*% MASS::Null(L)  # the model in which all these differences are zero",
            'dds <- DESeq(dds, test = "LRT", full = X, reduced = null)',
            "results(dds)",
        ]
    if program == "DESeq2":
        given = ", full = X, betaPrior = FALSE" if _is_given(design) else ""
        fit = [f"dds <- DESeq(dds{given})", "stopifnot(identical(resultsNames(dds), coefficients))"]
        one, each = "results(dds, contrast = L[, 1])", "results(dds, contrast = L[, i])"
    elif program == "edgeR":
        fit = ["fit <- glmQLFit(y, X)"]
        one, each = "topTags(glmQLFTest(fit, contrast = L), n = Inf)", "glmQLFTest(fit, contrast = L[, i])"
    else:
        fit = ["fit <- eBayes(contrasts.fit(lmFit(v, X), contrasts = L))"]
        one = "topTable(fit, coef = NULL, number = Inf)  # F test of all columns of L"
        each = "topTable(fit, coef = i, number = Inf)"
    if joint or (k == 1 and program != "limma"):
        return [*fit, one]
    return [*fit, f"tables <- lapply(seq_len(ncol(L)), function(i) {each})"]
