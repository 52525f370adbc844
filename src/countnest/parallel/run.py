"""Run a function over consecutive chunks of genes, on threads, with the same bits whatever the chunks and threads."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock

from threadpoolctl import ThreadpoolController

from countnest.compilation import listening
from countnest.errors import OptionError
from countnest.progress import Progress, SilentProgress

__all__ = ["Engine", "default_threads"]

VARIABLE = "COUNTNEST_NUM_THREADS"
# Seconds that a chunk should take: Ctrl-C waits for the chunks that are being worked on, and the bar moves with them.
CHUNK_SECONDS = 0.1
# Genes in the first chunks, where nothing is known of what one takes.
FIRST_CHUNK = 8
# Seconds that Ctrl-C waits for the threads at most. One that compiles a kernel takes longer: it ends by itself, and
# nothing reads any more what it writes to.
PATIENCE = 1.0
# Seconds between two looks at Ctrl-C, where waiting cannot be interrupted.
_LOOK = 0.2
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Engine:
    """How chunks of genes are worked on.

    Attributes
    ----------
    n_threads
        Number of threads; None: $COUNTNEST_NUM_THREADS, or all processors that this process may use.
    chunk_size
        Genes in a chunk at most; fewer where they take long.
    progress
        Told of every finished chunk.

    Notes
    -----
    While several threads are at work, linear algebra in a task has one thread, so that no more are at work than the
    engine has.
    """

    n_threads: int | None = None
    chunk_size: int = 4096
    progress: Progress = field(default_factory=SilentProgress)

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value in (("n_threads", self.n_threads), ("chunk_size", self.chunk_size)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise OptionError(f"{name}={value!r} must be a whole number of 1 or more.")
        if self.n_threads is None:
            default_threads()  # what the environment says is checked now, too

    @property
    def threads(self) -> int:
        """Number of threads that work on many chunks."""
        return self.n_threads or default_threads()

    def run(
        self,
        task: Callable[[slice], None],
        n_genes: int,
        text: str | None = None,
        *,
        first: int = FIRST_CHUNK,
        smallest: int = 1,
        largest: int | None = None,
    ) -> None:
        """Call `task(chunk)` for chunks that cover `range(n_genes)`; tasks write into arrays of their caller.

        An error in a task ends the run once the chunks that are being worked on are done; so does Ctrl-C, which waits
        for them a second at most.

        Parameters
        ----------
        task
            Writes the rows `chunk`; kernels in it release the interpreter lock. It is not to depend on which rows form
            a chunk: they are chosen by the clock.
        n_genes
            Number of rows.
        text
            Label of the progress bar; None: no bar.
        first
            Rows in the first chunks, before it is known how long one takes.
        smallest
            Rows in a chunk at least, where so many are worked on together.
        largest
            Rows in a chunk at most, where fewer than `chunk_size` fit in the memory; None: `chunk_size`.
        """
        chunks = _Chunks(n_genes, first, smallest, min(self.chunk_size, largest or self.chunk_size))

        def told(chunk: slice) -> None:
            with listening(self.progress):
                task(chunk)

        if text is None:
            self._run(told, chunks, lambda _: None)
            return
        with self.progress.bar(n_genes, text) as advance:
            self._run(told, chunks, advance)

    def _run(self, task: Callable[[slice], None], chunks: _Chunks, advance: Callable[[int], None]) -> None:
        n_threads = min(self.threads, chunks.at_most)
        if n_threads <= 1:
            _work(task, chunks, advance)
            return
        with _blas().limit(limits=1, user_api="blas"):
            _on_threads(n_threads, task, chunks, advance)


def _on_threads(n_threads: int, task: Callable[[slice], None], chunks: _Chunks, advance: Callable[[int], None]) -> None:
    """Run the chunks on threads and report each one as it finishes. On Ctrl-C, wait at most one second."""
    done: SimpleQueue[int | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            _work(task, chunks, done.put)
        except BaseException as error:
            done.put(error)

    pool = ThreadPoolExecutor(n_threads)
    patience = None
    working = [pool.submit(work) for _ in range(n_threads)]
    try:
        left = chunks.n_genes
        while left:
            news = _next(done)
            if isinstance(news, BaseException):
                raise news
            left -= news
            advance(news)
    except KeyboardInterrupt:
        patience = PATIENCE
        raise
    finally:
        chunks.stop()
        at_work = wait(working, timeout=patience).not_done
        pool.shutdown(wait=not at_work)


def _work(task: Callable[[slice], None], chunks: _Chunks, advance: Callable[[int], None]) -> None:
    """Take chunk after chunk until none is left."""
    while (chunk := chunks.take()) is not None:
        start = time.perf_counter()
        task(chunk)
        chunks.took(chunk, time.perf_counter() - start)
        advance(chunk.stop - chunk.start)


@cache
def _blas() -> ThreadpoolController:
    """Return the handle on the threads of NumPy's and SciPy's linear algebra.

    Where engines are at work in several threads of a process, the first of them sets the number and puts it back.
    """
    return ThreadpoolController()


def _next(done: SimpleQueue[int | BaseException]) -> int | BaseException:
    """Return the next message of the threads; waiting can be interrupted by Ctrl-C on every system."""
    while True:
        try:
            return done.get(timeout=_LOOK)
        except Empty:
            pass


class _Chunks:
    """Consecutive chunks of `range(n_genes)`, of a size that takes `CHUNK_SECONDS`, handed out to any thread."""

    def __init__(self, n_genes: int, first: int, smallest: int, largest: int) -> None:
        self.n_genes = n_genes
        self._smallest, self._largest = smallest, largest
        self._size = min(largest, first)
        self._next = 0
        self._lock = Lock()

    @property
    def at_most(self) -> int:
        """Number of chunks, were they all as small as the first."""
        return math.ceil(self.n_genes / self._size)

    def take(self) -> slice | None:
        """Return the next chunk; None when all are taken."""
        with self._lock:
            if self._next >= self.n_genes:
                return None
            chunk = slice(self._next, min(self._next + self._size, self.n_genes))
            self._next = chunk.stop
            return chunk

    def took(self, chunk: slice, seconds: float) -> None:
        """Adapt the size of the next chunk to the time that one took.

        By at most a factor of two at a time: the first chunk may have waited for the compiler.
        """
        wanted = (chunk.stop - chunk.start) * CHUNK_SECONDS / max(seconds, 1e-9)
        with self._lock:
            size = min(max(wanted, self._size / 2.0), self._size * 2.0)
            self._size = min(max(int(size), self._smallest), self._largest)

    def stop(self) -> None:
        """Hand out no more chunks."""
        with self._lock:
            self._next = self.n_genes


def default_threads() -> int:
    """Return $COUNTNEST_NUM_THREADS or, without it, the number of processors that this process may use.

    Raises
    ------
    OptionError
        The variable is not a whole number of 1 or more.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if not chosen:
        return _available_cpus()
    if not (chosen.isascii() and chosen.isdigit() and int(chosen) >= 1):
        raise OptionError(
            f"{VARIABLE}={chosen!r}, the number of threads in the environment, must be a whole number of 1 or more."
        )
    return int(chosen)


def _available_cpus() -> int:
    """Return the number of processors that this process may use: its affinity, and the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # not in a container, or "max": no limit
        return count
