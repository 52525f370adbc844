"""Workers outside this process: those of the active joblib backend, such as a dask cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Pool", "active_pool"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers of a joblib backend.

    Attributes
    ----------
    n_workers
        How many jobs they do at the same time.
    streams
        Whether results can be had one by one, while the others are still being worked on.
    """

    n_workers: int
    streams: bool

    def map(self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """Yield `function(*job)` of all jobs in their order; jobs are made only as they are sent."""
        import joblib

        parallel = joblib.Parallel(return_as="generator" if self.streams else "list", batch_size=1)
        yield from parallel(joblib.delayed(function)(*job) for job in jobs)


def active_pool() -> Pool | None:
    """Return the workers that `joblib.parallel_config` makes active; None where it is not used.

    joblib is never imported here; a caller who configured a backend has imported it.
    """
    if "joblib" not in sys.modules:
        return None
    from joblib.parallel import get_active_backend

    backend, n_jobs = get_active_backend()
    n_workers = backend.effective_n_jobs(backend.default_n_jobs if n_jobs is None else n_jobs)
    if n_workers <= 1 and not getattr(backend, "uses_threads", False) and not _is_remote(backend):
        return None
    return Pool(n_workers, bool(getattr(backend, "supports_return_generator", False))) if n_workers >= 1 else None


def _is_remote(backend: object) -> bool:
    """Return whether the workers may be on another machine, so that even a single one is used."""
    return type(backend).__name__ == "DaskDistributedBackend"
