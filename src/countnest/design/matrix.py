"""A design that is given as a model matrix."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.design.coding import CodedMatrix
from countnest.design.design import Design
from countnest.design.name import refuse_duplicates, result_name
from countnest.design.nesting import Nesting
from countnest.design.rank import check_rank, zero_columns
from countnest.errors import DesignError, counted, kind_of, listing

__all__ = ["design_of_matrix", "no_design"]


def no_design(design: object, advice: str = "") -> DesignError:
    """Return the error about what is neither a formula nor a model matrix."""
    return DesignError(
        f"a design is a formula such as '~ batch + condition', or a model matrix; got {kind_of(design)}.{advice}"
    )


def design_of_matrix(design: object, sheet: pd.DataFrame) -> Design:
    """Return the design that a model matrix describes, all-zero columns dropped.

    Parameters
    ----------
    design
        Shape (n, q): a data frame whose rows are matched to the samples by label, or an array.
    sheet
        The sample sheet, n rows.

    Raises
    ------
    RankError
        The columns are linearly dependent.
    DesignError
        The matrix does not fit the samples or is not finite.
    """
    values, columns = _matrix_values(design, sheet)
    full = _coded(as_float(values), columns)
    kept = np.flatnonzero(~zero_columns(full.matrix))
    coded = full.take(kept)
    dropped = tuple(name for name in columns if name not in coded.columns)
    if not coded.columns:
        raise DesignError("the model matrix has no column that is not zero.")
    refuse_duplicates(coded.names)
    check_rank(coded.matrix, coded.columns)
    notes = (f"Columns that are zero in all samples were dropped: {listing(dropped)}.",) if dropped else ()
    return Design(
        matrix=as_float(coded.matrix),
        names=coded.names,
        columns=coded.columns,
        formula=None,
        variables=(),
        levels={},
        intercept=() in coded.terms,
        sheet=sheet.copy(),
        dropped=dropped,
        terms=coded.terms,
        coding="matrix",
        notes=notes,
        full=full,
        kept=tuple(int(place) for place in kept),
        coder=None,
        nesting=Nesting(),
    )


def _coded(values: FloatArray, columns: tuple[str, ...]) -> CodedMatrix:
    """Return a matrix with the names of its columns; each is a term of its own but for the intercept."""
    names = tuple(result_name(name) for name in columns)
    ones = [name == "Intercept" and bool(np.all(values[:, i] == 1)) for i, name in enumerate(names)]
    terms = tuple(() if one else (name,) for name, one in zip(columns, ones, strict=True))
    return CodedMatrix(values, columns, names, terms, cells=((),) * len(columns))


def _matrix_values(design: object, sheet: pd.DataFrame) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the values of a given model matrix, rows in the order of the samples, and its column names."""
    if isinstance(design, pd.DataFrame):
        rows = _matched_rows(design, sheet)
        columns = tuple(str(column) for column in design.columns)
        values = rows.to_numpy()
    else:
        values = _array(design)
        columns = tuple(f"V{i + 1}" for i in range(values.shape[-1] if values.ndim else 0))
    if values.ndim != 2 or values.shape[0] != len(sheet):
        raise DesignError(
            f"the model matrix must have one row for each of the {len(sheet)} samples; it has shape {values.shape}."
        )
    return _finite(values, columns), columns


def _array(design: object) -> npt.NDArray[Any]:
    """Return an array, or rows in a list, as an array."""
    try:
        values = np.asarray(design)
    except ValueError as error:  # rows of different lengths
        raise no_design(design, " All its rows have the same length.") from error
    if values.ndim != 2 and not isinstance(design, np.ndarray):
        raise no_design(design)
    return values


def _matched_rows(design: pd.DataFrame, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a model matrix in the order of the samples."""
    if isinstance(design.index, pd.RangeIndex):
        return design
    if not design.index.is_unique:
        doubled = design.index[design.index.duplicated()].unique()
        raise DesignError(f"the model matrix has duplicate row labels: {listing(doubled)}.")
    missing, unknown = sheet.index.difference(design.index), design.index.difference(sheet.index)
    if len(missing):
        raise DesignError(f"the model matrix lacks rows for {counted(len(missing), 'sample')}: {listing(missing)}.")
    if len(unknown):
        raise DesignError(
            f"the model matrix has {counted(len(unknown), 'row')} not in the sample sheet: {listing(unknown)}; leave "
            "them out."
        )
    return design.loc[sheet.index]


def _finite(values: npt.NDArray[Any], columns: tuple[str, ...]) -> FloatArray:
    """Return the values as float64; name the columns that are not finite numbers."""
    bad = []
    numbers = np.full(values.shape, np.nan)
    for place, name in enumerate(columns):
        column = values[:, place].tolist()
        if all(isinstance(value, Real) for value in column):
            numbers[:, place] = column
        if not np.isfinite(numbers[:, place]).all():
            bad.append(name)
    if bad:
        raise DesignError(f"the model matrix has values that are not finite numbers, in the columns {listing(bad)}.")
    return as_float(numbers)
