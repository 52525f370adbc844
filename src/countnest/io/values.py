"""Values as JSON and arrays, and back: numbers, text, lists, dicts, tables and records, but no code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.errors import FileError, listing

__all__ = ["ARRAY_KINDS", "Decoder", "Encoder", "record_types"]

# Kinds of NumPy arrays: logical values, whole numbers with and without sign, other numbers, text; dates, time spans.
NUMBERS, TIMES = "biuf", "mM"
ARRAY_KINDS = NUMBERS + "U"
NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def record_types(roots: Iterable[type]) -> dict[str, type]:
    """Return dataclasses and all dataclasses that their fields can hold, by name.

    Raises
    ------
    ValueError
        Two different records have the same name.
    """
    found: dict[str, type] = {}
    open_: list[Any] = list(roots)
    while open_:
        kind = open_.pop()
        open_ += get_args(kind)
        if isinstance(kind, type) and is_dataclass(kind) and found.get(kind.__name__) is not kind:
            if kind.__name__ in found:
                raise ValueError(f"two records have the name '{kind.__name__}'; give each a name of its own.")
            found[kind.__name__] = kind
            open_ += get_type_hints(kind).values()
    return found


class Encoder:
    """Values as JSON, and the arrays that it refers to by their number. An array that occurs twice is kept once.

    Parameters
    ----------
    records
        The records that may be encoded, by name.
    """

    def __init__(self, records: Mapping[str, type]) -> None:
        self.arrays: list[npt.NDArray[Any]] = []
        self._records = records
        self._numbers: dict[int, int] = {}

    def encode(self, value: Any, where: str) -> Any:  # noqa: ANN401 (values of many types, JSON)
        """Return a value as JSON; `where` names it in errors.

        Raises
        ------
        FileError
            The value is, or holds, something that a file cannot hold, such as a function.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"number": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray) and value.dtype.kind in ARRAY_KINDS:
            if id(value) not in self._numbers:
                self._numbers[id(value)] = len(self.arrays)
                self.arrays.append(value)  # which also keeps its id from being used again
            return {"array": self._numbers[id(value)]}
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}
        if isinstance(value, Mapping):
            return {"dict": [[self.encode(k, where), self.encode(v, f"{where}[{k!r}]")] for k, v in value.items()]}
        if isinstance(value, pd.DataFrame):
            columns = [_column_parts(value.iloc[:, i], f"{where}[{name!r}]") for i, name in enumerate(value.columns)]
            return {"frame": self.encode({"columns": value.columns, "index": value.index, "values": columns}, where)}
        if isinstance(value, pd.RangeIndex):  # kept apart: it means that there are no labels
            parts = {"name": value.name, "range": [value.start, value.stop, value.step]}
            return {"index": self.encode(parts, where)}
        if isinstance(value, pd.Index):
            parts = {"name": value.name, "values": _column_parts(pd.Series(value, dtype=value.dtype), where)}
            return {"index": self.encode(parts, where)}
        name = type(value).__name__
        if is_dataclass(value) and self._records.get(name) is type(value):
            held = {
                field.name: self.encode(getattr(value, field.name), f"{where}.{field.name}") for field in fields(value)
            }
            return {"record": name, "fields": held}
        raise _unsaved(value, where)


def _unsaved(value: object, where: str) -> FileError:
    if "trend" in where.split("."):
        return FileError(
            "the data set cannot be saved: the dispersion trend is a function of yours (fit_type=), and a file holds "
            "no code. Use fit_type='parametric', 'local' or 'mean'; or save counts and results as tables, and run the "
            "analysis again."
        )
    if callable(value):
        return FileError(
            f"the data set cannot be saved: {where} is a function that you gave ({type(value).__name__}), and a file "
            "holds no code. Save counts and results as tables, and run the analysis again."
        )
    return FileError(
        f"the data set cannot be saved: {where} is of type {type(value).__name__}, which a file cannot hold."
    )


def _column_parts(column: pd.Series[Any], where: str) -> dict[str, Any]:
    """Return a column as arrays, lists, numbers and text."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories
        categories = _column_parts(pd.Series(levels, dtype=levels.dtype), where)
        codes = column.cat.codes.to_numpy()
        return {"type": "categories", "codes": codes, "categories": categories, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, np.dtype) and dtype.kind in NUMBERS:
        return {"type": "numbers", "values": column.to_numpy()}
    if isinstance(dtype, np.dtype) and dtype.kind in TIMES:
        return {"type": "times", "values": column.to_numpy().view(np.int64), "dtype": dtype.str}
    if isinstance(dtype, np.dtype) or pd.api.types.is_string_dtype(dtype):
        return {"type": "values", "values": [_cell(value, where) for value in column], "dtype": str(dtype)}
    if getattr(dtype, "kind", "O") in NUMBERS and hasattr(dtype, "numpy_dtype"):
        values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return {"type": "masked", "values": values, "missing": column.isna().to_numpy(np.bool_), "dtype": str(dtype)}
    raise FileError(
        f"the data set cannot be saved: {where} is of type {dtype}; make it text or numbers, or drop the column."
    )


def _cell(value: Any, where: str) -> Any:  # noqa: ANN401 (an element of an object column)
    """Return a cell of a table as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if value is pd.NA or value is pd.NaT:
        return ("NA",)
    raise FileError(
        f"the data set cannot be saved: {where} holds a value of type {type(value).__name__}; make it text or "
        "numbers, or drop the column."
    )


class Decoder:
    """JSON and arrays as values.

    Parameters
    ----------
    records
        The records that may be built, by name.
    array
        Returns an array by its number.
    most_cells
        Cells that all tables may have together.
    """

    def __init__(self, records: Mapping[str, type], array: Callable[[int], npt.NDArray[Any]], most_cells: int) -> None:
        self._records, self._array = records, array
        self._cells_left = most_cells

    def decode(self, tree: Any) -> Any:  # noqa: ANN401 (JSON, values of many types)
        """Return the value.

        Raises
        ------
        UnknownRecordError
            A record is not among those that may be built, or its fields are others.
        TypeError, ValueError, LookupError
            The JSON is not what an `Encoder` made.
        """
        if not isinstance(tree, dict):
            return tree
        if "record" in tree:
            return self._record(tree["record"], tree["fields"])
        ((kind, held),) = tree.items()
        if kind == "number":
            return NON_FINITE[held]
        if kind == "array":
            if not isinstance(held, int):  # '1' and '01' would be two copies of one array
                raise TypeError(f"{held!r} is not an array")
            return self._array(held)
        if kind in ("list", "tuple"):
            items = [self.decode(item) for item in held]
            return items if kind == "list" else tuple(items)
        if kind == "dict":
            return {self.decode(key): self.decode(value) for key, value in held}
        parts = self.decode(held)
        if kind == "index" and "range" in parts:
            start, stop, step = parts["range"]
            return pd.RangeIndex(start, stop, step, name=parts["name"])
        if kind == "index":
            column = self._column(parts["values"])
            return pd.Index(column, dtype=column.dtype, name=parts["name"])
        if kind == "frame":
            return self._frame(parts["columns"], parts["index"], parts["values"])
        raise ValueError(f"'{kind}' is not known")

    def _frame(self, names: pd.Index, index: pd.Index, held: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        values = [self._column(column) for column in held]
        if any(len(column) != len(index) for column in values):
            raise ValueError("columns of a table have different lengths")
        columns = [pd.Series(column, index=index, dtype=column.dtype) for column in values]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
        return frame.set_axis(names, axis=1)

    def _column(self, held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (an array of NumPy or pandas)
        kind, values = held["type"], held["codes" if held["type"] == "categories" else "values"]
        self._cells_left -= len(values)
        if self._cells_left < 0:
            raise ValueError("tables with more cells than the file has bytes")
        if kind == "categories":
            categories = self._column(held["categories"])
            levels = pd.Index(categories, dtype=categories.dtype)
            return pd.Categorical.from_codes(values, categories=levels, ordered=held["ordered"])
        if kind == "numbers":
            return values
        if kind == "times" and np.dtype(held["dtype"]).kind in TIMES:
            return values.view(held["dtype"])
        if kind == "masked" and hasattr(pd.api.types.pandas_dtype(held["dtype"]), "numpy_dtype"):
            found: Any = pd.Series(values, dtype=held["dtype"]).array
            found[held["missing"]] = pd.NA
            return found
        if kind == "values" and (held["dtype"] == "object" or held["dtype"].startswith("str")):
            cells = np.empty(len(values), dtype=object)
            cells[:] = [pd.NA if isinstance(value, tuple) else value for value in values]
            return cells if held["dtype"] == "object" else pd.Series(cells, dtype=held["dtype"]).array
        raise ValueError(f"'{kind}' of type {held.get('dtype')} is not a column")

    def _record(self, name: str, held: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one of the records)
        """Return a record; fields that the file lacks have their defaults."""
        kind: Any = self._records.get(name)
        known = {field.name: field for field in fields(kind)} if kind else {}
        unknown = [f"{name}.{field}" for field in held if field not in known] if kind else [name]
        lacking = [
            f"{name}.{field.name}"
            for field in known.values()
            if field.name not in held and field.default is MISSING and field.default_factory is MISSING
        ]
        if unknown or lacking:
            raise UnknownRecordError(f"{'holds ' + listing(unknown) if unknown else 'lacks ' + listing(lacking)}")
        values = {field: self.decode(value) for field, value in held.items()}
        hints = get_type_hints(kind)
        wrong = [f"{name}.{field}" for field, value in values.items() if not _is_of_type(value, hints[field])]
        if wrong:
            raise TypeError(f"{listing(wrong)}: another type")
        return kind(**values)


class UnknownRecordError(Exception):
    """A record of another version of the package."""


def _is_of_type(value: object, hint: Any) -> bool:  # noqa: ANN401 (any annotation)
    """Return whether a value is of an annotated type: a class, a literal, an array of numbers, or a union of these.

    A whole number is a float, a logical value is not, and a function never comes from a file.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_of_type(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and value.dtype == np.dtype(get_args(parts[1])[0])
    if origin is Callable or hint is Callable:
        return False
    if hint is None:
        return value is None
    if hint in (int, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, origin or hint)
