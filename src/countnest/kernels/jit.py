"""The one decorator for compiled code; nothing else in the package calls numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["kernel"]

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile `function` without the interpreter lock, cached on disk, with NumPy's rules for division by zero.

    Floating point is strict (no re-association): a gene's numbers depend on its data alone, not on the block or the
    thread that computed it.
    """
    return cast(Function, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
