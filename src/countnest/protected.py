"""Tables, dicts and labels that refuse to be edited, and say what to do instead.

A user who writes `dds.samples["batch"] = ...` means the data set, but would edit a copy, and the edit would be lost; an
edit of the levels of a fitted design would change what its coefficients mean. Everything that is derived from such a
table or dict, `copy()` first of all, is a plain one; columns, and the parts that `loc` and its like give, share no
memory with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, NoReturn, TypeVar

import numpy as np
import pandas as pd

from countnest.errors import OptionError, counted

__all__ = [
    "ProtectedDict",
    "ProtectedFrame",
    "ProtectedSeries",
    "compares_read_only",
    "protected",
    "read_only",
    "set_state",
]

Table = TypeVar("Table", pd.DataFrame, "pd.Series[Any]")
Key = TypeVar("Key")
Value = TypeVar("Value")

_LOST = "this is a copy, and an edit of it would not reach the data set"


class _Places:
    """An indexer such as `loc` or `iat` that reads only."""

    def __init__(self, indexer: Any, refuse: Callable[[], NoReturn]) -> None:  # noqa: ANN401 (pandas' own classes)
        self._indexer, self._refuse = indexer, refuse

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        found = self._indexer[key]
        return found.copy() if isinstance(found, (pd.DataFrame, pd.Series)) else found

    def __setitem__(self, key: Any, value: Any) -> NoReturn:  # noqa: ANN401
        self._refuse()

    def __call__(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return self._indexer(*args, **options)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._indexer, name)


def _refusing(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return self._refuse() if self._advice else getattr(super(type(self), self), name)(*args, **options)

    method.__name__ = name
    return method


def _reading(name: str) -> property:
    def indexer(self: Any) -> _Places:  # noqa: ANN401
        return _Places(getattr(super(type(self), self), name), self._refuse)

    return property(indexer)


def _by_operator(self: object, other: object) -> Any:  # noqa: ANN401, ARG001 (the shape of the operator)
    """Leave `table *= 2` to `table = table * 2`, so that the attribute of a data set is set to the product."""
    return NotImplemented


# Everything that changes a table in place. pandas calls `_update_inplace` where a method is given inplace=True.
_WRITERS = ("__setitem__", "__delitem__", "insert", "pop", "update", "_update_inplace")
_INDEXERS = ("loc", "iloc", "at", "iat")
_OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
_PROTECTION: dict[str, Any] = {
    **{name: _refusing(name) for name in _WRITERS},
    **{name: _reading(name) for name in _INDEXERS},
    **{f"__i{name}__": _by_operator for name in _OPERATORS},
}


class _Protected:
    """The part that both kinds of table share."""

    _advice = ""  # without one, as while it is made and after unpickling, a table can be written to

    def _refuse(self) -> NoReturn:
        raise OptionError(self._advice)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401
        if not self._advice or name.startswith("_") or name == "attrs":  # pandas' own
            super().__setattr__(name, value)
        else:
            self._refuse()


class _AsPandas(type):
    """Metaclass of tables that pass for those of pandas, in errors and in pandas.testing."""

    def __init__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> None:
        super().__init__(name, bases, members)
        cls.__name__ = bases[-1].__name__

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__bases__[-1])


class ProtectedFrame(_Protected, pd.DataFrame, metaclass=_AsPandas):
    """A DataFrame that refuses to be edited."""

    @property
    def _constructor(self) -> Any:  # noqa: ANN401 (as pandas has it)
        return pd.DataFrame

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        return super().__getitem__(key).copy()

    def __repr__(self) -> str:
        """Return the text of a plain table; pandas would write out every label of one without columns."""
        if len(self.columns):
            return super().__repr__()
        return f"{counted(len(self), 'row')}, no columns"

    def _repr_html_(self) -> str | None:
        plain: Any = super()  # the stubs of pandas lack the method
        found: str | None = plain._repr_html_() if len(self.columns) else f"<p>{self!r}</p>"
        return found


class ProtectedSeries(_Protected, pd.Series, metaclass=_AsPandas):
    """A Series that refuses to be edited."""

    @property
    def _constructor(self) -> Any:  # noqa: ANN401
        return pd.Series


for _class in (ProtectedFrame, ProtectedSeries):
    for _name, _member in _PROTECTION.items():
        setattr(_class, _name, _member)


def protected(table: Table, advice: str, why: str = _LOST) -> Table:
    """Return the table as one that refuses to be edited, with a message that tells why and what to do instead."""
    kind: Any = ProtectedFrame if isinstance(table, pd.DataFrame) else ProtectedSeries
    shown = kind(table)
    shown.index = shown.index.copy()  # its name is its own
    object.__setattr__(shown, "_advice", f"{why}: {advice}")
    result: Table = shown
    return result


class ProtectedDict(dict[Key, Value]):
    """A dict that refuses to be edited; `advice` is the message. It can be pickled, which a read-only proxy cannot."""

    __slots__ = ("_advice",)

    def __init__(self, items: Mapping[Key, Value], advice: str) -> None:
        super().__init__(items)
        self._advice = advice

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise OptionError(self._advice)

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self), self._advice)


def set_state(record: Any, state: Sequence[object]) -> None:  # noqa: ANN401 (a dataclass)
    """Restore a frozen record with slots that is unpickled, and protect it again: its `__setstate__`."""
    for field, value in zip(fields(record), state, strict=True):
        object.__setattr__(record, field.name, value)
    record.__post_init__()


def read_only(labels: pd.Index) -> pd.Index:
    """Return labels whose `values` cannot be written to, where pandas can work with such labels.

    With pandas 3 this is so of all labels. Early versions of pandas 2 cannot compare read-only labels.
    """
    if labels.dtype != object or not labels.to_numpy().flags.writeable:
        return labels
    values = labels.to_numpy(copy=True)
    values.flags.writeable = False
    found: pd.Index = pd.Index(values, dtype=object, name=labels.name)
    return found if compares_read_only() else labels


@cache
def compares_read_only() -> bool:
    """Return whether this version of pandas can compare labels that are read-only."""
    values = np.array(["a"], dtype=object)
    values.flags.writeable = False
    try:
        return bool((pd.Index(values, dtype=object) == "a").all())
    except ValueError:
        return False
