"""The results of a task on chunks of genes, joined into one result for all genes."""

from __future__ import annotations

from dataclasses import fields, replace
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Collected"]

Result = TypeVar("Result")
# The value of genes that are in no chunk, by kind of number: floats, truth values, signed and unsigned whole numbers.
MISSING: dict[str, float | bool | int] = {"f": np.nan, "b": False, "i": -1, "u": 0}


class Collected(Generic[Result]):
    """The results of chunks: arrays, or records of arrays, with a row for each gene of the chunk.

    Fields of records that are not arrays must be the same in all chunks.
    """

    def __init__(self, n_genes: int) -> None:
        self._n_genes = n_genes
        self._lock = Lock()
        self._whole: Any = None

    def put(self, rows: slice | npt.NDArray[np.int64], result: Result) -> None:
        """Write the result of a chunk at the rows of its genes; called from any thread."""
        parts = _arrays(result)
        with self._lock:
            if self._whole is None:
                whole = {name: self._blank(part) for name, part in parts.items()}
                self._whole = whole[""] if isinstance(result, np.ndarray) else replace(result, **whole)  # type: ignore[type-var]
        for name, values in _arrays(self._whole).items():
            values[rows] = parts[name]

    @property
    def result(self) -> Result:
        """The result (G, ...) for all genes: NaN, False or -1 for those that are in no chunk."""
        whole: Result = self._whole
        return whole

    def _blank(self, part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.full((self._n_genes, *part.shape[1:]), MISSING[part.dtype.kind], part.dtype)


def _arrays(result: Any) -> dict[str, npt.NDArray[Any]]:  # noqa: ANN401 (an array or any record)
    """Return the arrays of a record by field; an array alone has no name."""
    if isinstance(result, np.ndarray):
        return {"": result}
    named = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}
