"""The decorator for compiled code, and its cache on disk; only `parts` and `vectors` call numba besides."""

from __future__ import annotations

import functools
import hashlib
import importlib
import logging
import operator
import pickle
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from countnest import cache, compilation
from countnest.kernels.compiler import parts

__all__ = ["cache_folder", "kernel", "kernels"]

_numba: Any = numba.core  # without types
_jit: Any = numba.njit  # which has more options than its types

Function = TypeVar("Function", bound=Callable[..., object])

# What the cache needs of numba that is not public, in numba.core.
PRIVATE = (
    "compiler.CompileResult._rebuild",
    "compiler.CompileResult._reduce",
    "dispatcher.Dispatcher.get_call_template",
    "dispatcher.Dispatcher.get_overload",
    "runtime.rtsys.initialize",
    "serialize.dumps",
    *parts.PRIVATE,
)

# No wrapper for callers in C.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

_logger = logging.getLogger("countnest")
_kernels: list[Any] = []


def kernel(function: Function) -> Function:
    """Compile `function` without the interpreter lock, cached on disk, with NumPy's rules for division by zero.

    Floating point is strict (no re-association): a gene's numbers depend on its data alone, not on the chunk or the
    thread that computed it.
    """
    compiled: Any = _jit(**OPTIONS)(function)
    if not hasattr(compiled, "signatures"):  # the plain function, where numba is told not to compile
        return function
    _kernels.append(compiled)
    if lacking() is None and hasattr(compiled, "_cache"):
        name = f"{function.__module__}.{function.__qualname__}"
        compiled._cache = KernelCache(name)
        _call_as_part(compiled, name)
    else:
        _keep_as_numba_does(compiled)
    return cast(Function, compiled)


def _call_as_part(compiled: Any, name: str) -> None:  # noqa: ANN401
    """Let other kernels call a version of a kernel that Python cannot call, and that takes less time to compile."""
    part: Any = _jit(**OPTIONS, no_cpython_wrapper=True, pipeline_class=parts.part_compiler())(compiled.py_func)
    part._cache = KernelCache(name, is_part=True)
    compiled.get_call_template, compiled.get_overload = part.get_call_template, part.get_overload
    _kernels.append(part)


@functools.cache
def lacking() -> str | None:
    """Return the first of the names in `PRIVATE` that this version of numba does not have; None: it has them all."""
    for name in PRIVATE:
        module, _, inner = name.partition(".")
        try:
            operator.attrgetter(inner)(importlib.import_module(f"numba.core.{module}"))
        except (AttributeError, ImportError):
            _logger.info(f"numba's own cache keeps the compiled kernels: this version has no numba.core.{name}")
            return name
    return None


def _keep_as_numba_does(compiled: Any) -> None:  # noqa: ANN401 (numba has no types)
    """Let numba keep a kernel, beside its source; it does not see changes of what the kernel calls in other files."""
    try:
        compiled.enable_caching()
    except (AttributeError, RuntimeError) as error:  # there is no folder that can be written
        _logger.info(f"compiled kernels are not kept for the next process: {error!r}")


def kernels() -> tuple[Any, ...]:
    """Return the kernels that have been defined so far; `signatures` of each are those compiled or loaded.

    What Python calls comes before what other kernels call.
    """
    return tuple(_kernels)


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder of the compiled kernels, or None, with a line in the log, if nothing can be kept.

    Its name identifies what the compiled code depends on: the sources of all kernels, for callees are compiled into
    their callers, and the versions of the compiler. numba's own cache looks at the file of the kernel alone, and keeps
    it beside the source.
    """
    if lacking() is not None:
        return None
    try:
        return cache.kernel_folder(_version_key(Path(__file__).parents[1]))
    except Exception as error:
        _logger.info(f"compiled kernels are not kept for the next process: {error!r}")
        return None


def _version_key(sources: Path) -> str:
    """Return 16 hexadecimal digits that identify the kernels, the compiler and its settings."""
    texts = [(path.relative_to(sources).as_posix(), path.read_bytes()) for path in sorted(sources.rglob("*.py"))]
    versions = (sys.implementation.cache_tag, numba.__version__, version("llvmlite"))
    settings = tuple(getattr(_numba.config, name) for name in ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT"))
    return hashlib.sha256(repr((texts, versions, settings)).encode()).hexdigest()[:16]


class KernelCache:
    """A file for each compiled signature, named by the kernel, its signature and the processor; in numba's protocol.

    Parts of other kernels, which Python cannot call, are not kept.

    There is no index that two processes could write at the same time; a file appears in one move. A file that cannot
    be read is as good as none, and the kernel is compiled.
    """

    def __init__(self, name: str, *, is_part: bool = False) -> None:
        self._name = name
        self._is_part = is_part
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def load_overload(self, sig: object, target_context: Any) -> Any:  # noqa: ANN401 (numba has no types)
        """Return the compiled function, or None.

        Where it is found, of numba's machinery only the memory of arrays is started: a kernel needs nothing else to
        run. What the compiler knows, which takes a tenth of a second to import, is called for when it compiles.
        """
        path = self._path(sig, target_context.codegen())
        found = None if path is None else self._read(path, target_context)
        if found is None:
            folder = cache_folder() if self._enabled else None
            compilation.missed(self._short_name, folder, cache.drawback(folder))
        return found

    def _read(self, path: Path, target_context: Any) -> Any:  # noqa: ANN401
        try:
            _numba.runtime.rtsys.initialize(target_context)
            return _numba.compiler.CompileResult._rebuild(target_context, *pickle.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except Exception as error:
            _logger.info(f"{self._name} is compiled again, because '{path}' cannot be read: {error!r}")
            return None

    def save_overload(self, sig: object, data: Any) -> None:  # noqa: ANN401
        """Write a compiled function to disk, if possible."""
        try:
            self._write(sig, data)
        finally:
            compilation.compiled()

    def _write(self, sig: object, data: Any) -> None:  # noqa: ANN401
        path = self._path(sig, data.codegen)
        if path is None or data.library.has_dynamic_globals:
            return
        try:
            cache.store(path, _numba.serialize.dumps(data._reduce()))
        except Exception as error:
            _logger.info(f"{self._name} is not kept for the next process: {error!r}")
            compilation.not_kept(getattr(error, "strerror", None) or str(error), cache.ADVICE)

    def _path(self, sig: object, codegen: Any) -> Path | None:  # noqa: ANN401
        folder = cache_folder() if self._enabled and not self._is_part else None
        if folder is None:
            return None
        key = hashlib.sha256(repr((str(sig), codegen.magic_tuple())).encode()).hexdigest()[:16]
        return folder / f"{self._short_name}-{key}.kernel"

    @property
    def _short_name(self) -> str:
        """Module and name, 'negbin.irls.nb_log_irls_chunk'."""
        return self._name.removeprefix("countnest.kernels.")

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Leave files alone."""
        self._enabled = False

    def flush(self) -> None:
        """Forget the files of this kernel."""
        folder = cache_folder()
        for path in () if folder is None else folder.glob(f"{self._short_name}-*.kernel"):
            path.unlink(missing_ok=True)
