"""Kernels that only other kernels call: they are compiled once, as a part of their callers.

numba makes a library of every function: it optimizes it with all that it calls, and makes machine code of that. A
kernel that is called by a kernel that is called by a kernel goes through this three times, and only the last result
runs. A part is neither optimized nor made into machine code by itself: what Python calls is, with all its parts.
"""

from __future__ import annotations

import functools
from typing import Any

import numba

__all__ = ["PRIVATE", "part_compiler"]

_numba: Any = numba.core  # without types

# What is used here of numba that is not public, in numba.core.
PRIVATE = (
    "codegen.JITCodeLibrary._finalize_dynamic_globals",
    "codegen.JITCodeLibrary._finalize_final_module",
    "codegen.JITCodeLibrary._finalized",
    "codegen.JITCodeLibrary._optimize_final_module",
    "compiler.Compiler.compile_extra",
    "cpu.CPUContext.get_executable",
    "cpu._dynfunc.make_function",
)


@functools.cache
def part_compiler() -> Any:  # noqa: ANN401 (numba has no types)
    """Return the class that compiles parts, for numba's option `pipeline_class`; numba has all names in `PRIVATE`."""

    class Library(_numba.codegen.JITCodeLibrary):  # type: ignore[misc]
        """What is linked into the callers, as it is."""

        def _optimize_final_module(self) -> None:
            """Leave this to the library of the kernel that Python calls."""

        def _finalize_final_module(self) -> None:
            """Make no machine code."""
            self._finalize_dynamic_globals()
            self._finalized = True

    class Compiler(_numba.compiler.Compiler):  # type: ignore[misc]
        """Compiles a function as far as its callers need it."""

        def compile_extra(self, func: Any) -> Any:  # noqa: ANN401
            context = self.state.targetctx
            context.get_executable = _not_executable
            self.state.library = Library(context.codegen(), func.__qualname__)
            return super().compile_extra(func)

    return Compiler


def _not_executable(library: Any, described: Any, environment: Any) -> Any:  # noqa: ANN401
    """Return what numba knows a compiled function by, without a pointer to machine code."""
    name = described.qualname.split(".")[-1]
    return _numba.cpu._dynfunc.make_function(described.lookup_module(), name, "", 0, environment, (library,))
