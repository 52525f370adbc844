"""A small cache of costly values, each made once whichever thread asks first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The most recently requested values.

    A thread that requests a value which another thread is making waits for it; other threads continue.

    Parameters
    ----------
    limit
        How many are kept. Values that are still referenced elsewhere live longer.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made by `make()` where it is not there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
            self._entries.move_to_end(key)
            gone = [self._entries.popitem(last=False) for _ in range(len(self._entries) - self._limit)]
        del gone  # outside the lock, for what ends with them may take long
        return entry.made_by(make)


class _Entry(Generic[Value]):
    """A value that was requested, made or being made."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: tuple[Value] | None = None

    def made_by(self, make: Callable[[], Value]) -> Value:
        with self._lock:
            if self._made is None:
                self._made = (make(),)
            return self._made[0]
