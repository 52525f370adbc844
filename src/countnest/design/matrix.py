"""Model matrices given by users."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.design.encoding import CodedMatrix
from countnest.design.names import result_name
from countnest.errors import DesignError, counted, kind_of, listing

__all__ = ["no_design", "read_matrix"]


def no_design(design: object, advice: str = "") -> DesignError:
    """Return the error for an object that is neither a formula nor a model matrix."""
    return DesignError(
        f"a design is a formula such as '~ batch + condition', or a model matrix; got {kind_of(design)}.{advice}"
    )


def read_matrix(design: object, sheet: pd.DataFrame) -> CodedMatrix:
    """Return the columns of a given model matrix; each column but the intercept is a term.

    Parameters
    ----------
    design
        Shape (n, q): a data frame whose rows are matched to the samples by label, or an array.
    sheet
        The sample sheet, n rows.

    Raises
    ------
    DesignError
        The matrix does not fit the samples or is not finite.
    """
    values, columns = _matrix_values(design, sheet)
    names = tuple(result_name(name) for name in columns)
    ones = [name == "Intercept" and bool(np.all(values[:, i] == 1)) for i, name in enumerate(names)]
    terms = tuple(() if one else (name,) for name, one in zip(columns, ones, strict=True))
    return CodedMatrix(as_float(values), columns, names, terms, cells=((),) * len(columns))


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
    """Return an array or a list of rows as an array."""
    try:
        values = np.asarray(design)
    except ValueError as error:  # rows of different lengths
        raise no_design(design, " All rows must have the same length.") from error
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
    """Return the values as float64; raise `DesignError` naming columns that are not finite numbers."""
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
