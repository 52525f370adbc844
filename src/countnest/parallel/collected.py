"""The results of a task on chunks of genes, joined into one record of all genes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Collected"]

Result = TypeVar("Result")
# What genes have that are in no chunk, by kind of number: floats, truth values, signed and unsigned whole numbers.
MISSING: dict[str, float | bool | int] = {"f": np.nan, "b": False, "i": -1, "u": 0}


class Collected(Generic[Result]):
    """Results of chunks, an array or a record of arrays with a row for each gene of the chunk.

    Fields that are no arrays must be the same in all chunks.
    """

    def __init__(self, n_genes: int) -> None:
        self._n_genes = n_genes
        self._lock = Lock()
        self._whole: Any = None

    def put(self, rows: slice | npt.NDArray[np.int64], result: Result) -> None:
        """Write the result of a chunk at the rows of its genes; called from any thread."""
        with self._lock:
            if self._whole is None:
                self._whole = _each_array(result, self._blank)
        for whole, part in zip(_arrays(self._whole), _arrays(result), strict=True):
            whole[rows] = part

    @property
    def result(self) -> Result:
        """The result (G, ...) for all genes: NaN, False or -1 for those that are in no chunk."""
        whole: Result = self._whole
        return whole

    def _blank(self, part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.full((self._n_genes, *part.shape[1:]), MISSING[part.dtype.kind], part.dtype)


def _each_array(result: Any, change: Any) -> Any:  # noqa: ANN401 (an array or any record)
    """Return an array, or a record with each of its arrays, after a change."""
    if isinstance(result, np.ndarray):
        return change(result)
    if is_dataclass(result) and not isinstance(result, type):
        values = {field.name: getattr(result, field.name) for field in fields(result)}
        return type(result)(**{name: _each_array(value, change) for name, value in values.items()})
    return result


def _arrays(result: Any) -> list[npt.NDArray[Any]]:  # noqa: ANN401
    if isinstance(result, np.ndarray):
        return [result]
    return [value for field in fields(result) if isinstance(value := getattr(result, field.name), np.ndarray)]
