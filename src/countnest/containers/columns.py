"""Objects with a table that can be read like it: by column, as a mapping, and with the methods of a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from countnest.counterparts import Answering, counterpart
from countnest.errors import OptionError, UnknownColumnError, listing, suggestion
from countnest.protected import protected

__all__ = ["Columns"]

_WHY = "a table of results holds what was found, and is not edited"
_ADVICE = (
    "take a copy to work with, res.table.copy(); a column of your own is set by res['name'] = values, annotation of "
    "the genes by dds.gene_info = frame."
)

# pandas takes a dict of columns for a table, and so `pd.DataFrame(results)` is one. Nothing is kept in the dict.
if TYPE_CHECKING:

    class _Mapping: ...

else:
    _Mapping = dict


class Columns(Answering, _Mapping):
    """An object that has a `table` and reads as a DataFrame does.

    ``self["padj"]`` and ``self.padj`` are columns, ``self[mask]`` rows; `len` is the number of rows, and iteration goes
    over the names of columns. Methods of a DataFrame are those of the table. It is a mapping of columns too, so that
    ``pd.DataFrame(self)`` is a copy of the table, and libraries for figures take it as data.

    Columns of your own can be set and deleted; the table refuses every other edit.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        table: pd.DataFrame

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.table)

    def __iter__(self) -> Iterator[Any]:
        """Return the names of the columns, as of a DataFrame."""
        return iter(self.table)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.table.columns.to_list())

    def __contains__(self, name: object) -> bool:
        """Return whether there is a column of this name."""
        return name in self.table

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 (as of a DataFrame)
        """Return a column by its name, several by a list, rows by truth values or a slice."""
        if isinstance(key, str) and key not in self.table:
            raise self._unknown_column(key)
        return self.table[key]

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401
        """Set a column of your own, last in the table."""
        self._require_own(key)
        self._hold(self.table.assign(**{key: value}))

    def __delitem__(self, key: Any) -> None:  # noqa: ANN401
        """Delete a column of your own."""
        self[key]  # which there must be
        self._require_own(key)
        self._hold(self.table.drop(columns=[key]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:  # noqa: ANN401
        """Return the values of the table."""
        return np.array(self.table, dtype=dtype)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(str(name) for name in self.table)})

    if not TYPE_CHECKING:  # type checkers know `table`; what else there is they cannot see

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            own = name.startswith("_") or hasattr(type(self), name)
            if not own and (name in self.table or hasattr(pd.DataFrame, name)):
                return getattr(self.table, name)
            return super().__getattr__(name)

    def _unknown_column(self, name: str) -> UnknownColumnError:
        if name in self.table.index:
            return UnknownColumnError(f"'{name}' is a gene, not a column: its row is res.table.loc['{name}'].")
        told = counterpart(name, type(self).__name__, self.table.columns.map(str))
        return UnknownColumnError(
            f"the table has no column '{name}'.{f' Here it is {told}.' if told else suggestion(name, self.table)} Its "
            f"columns are {listing(self.table, 30)}."
        )

    # ---- the methods of a dict ----

    def keys(self) -> pd.Index:
        """Return the names of the columns."""
        return self.table.columns

    def items(self) -> Iterator[tuple[Any, pd.Series[Any]]]:
        """Return names and columns."""
        return ((name, self.table.iloc[:, place]) for place, name in enumerate(self.table))

    def values(self) -> list[pd.Series[Any]]:
        """Return the columns; numbers are `to_numpy()`."""
        return [column for _, column in self.items()]

    def get(self, key: Any, default: Any = None) -> Any:  # noqa: ANN401
        """Return a column, or the default where there is none."""
        return self.table.get(key, default)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise OptionError(f"{_WHY}: {_ADVICE}")

    clear = fromkeys = pop = popitem = setdefault = update = __or__ = __ror__ = __ior__ = _refuse

    # ---- columns of one's own ----

    def _hold(self, table: pd.DataFrame) -> None:
        """Make a copy of a table the table of this object."""
        object.__setattr__(self, "table", protected(table.copy(), _ADVICE, _WHY))

    def _is_found(self, name: str) -> bool:
        """Return whether a column of this name is, or would be taken for, one of the analysis."""
        raise NotImplementedError

    def _require_own(self, key: object) -> None:
        if not isinstance(key, str):
            self._refuse()
        if self._is_found(key):
            raise OptionError(f"'{key}' is a column of the analysis. {_WHY.capitalize()}: {_ADVICE}")
