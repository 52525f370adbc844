"""Run a function over consecutive blocks of genes, on threads, with the same bits whatever the blocks and threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from countnest.errors import OptionError
from countnest.progress import Progress, SilentProgress

__all__ = ["Engine"]


@dataclass(frozen=True, slots=True)
class Engine:
    """How blocks of genes are worked on.

    Attributes
    ----------
    n_threads
        Number of threads; None: all processors that this process may use.
    block_size
        Genes in a block.
    progress
        Told of every finished block.
    """

    n_threads: int | None = None
    block_size: int = 512
    progress: Progress = field(default_factory=SilentProgress)

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value in (("n_threads", self.n_threads), ("block_size", self.block_size)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise OptionError(f"{name}={value!r} must be a whole number of 1 or more.")

    def run(self, task: Callable[[slice], None], n_genes: int, text: str | None = None) -> None:
        """Call `task(block)` for every block of `range(n_genes)`; tasks write into arrays of their caller.

        Parameters
        ----------
        task
            Writes the rows `block`; kernels in it release the interpreter lock.
        n_genes
            Number of rows.
        text
            What the progress bar says; None: no bar.
        """
        blocks = [slice(i, min(i + self.block_size, n_genes)) for i in range(0, n_genes, self.block_size)]
        if text is None:
            self._run(task, blocks, lambda _: None)
            return
        with self.progress.bar(n_genes, text) as advance:
            self._run(task, blocks, advance)

    def _run(self, task: Callable[[slice], None], blocks: list[slice], advance: Callable[[int], None]) -> None:
        n_threads = min(self.n_threads or _available_cpus(), len(blocks))
        if n_threads <= 1:
            for block in blocks:
                task(block)
                advance(block.stop - block.start)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            futures = {pool.submit(task, block): block for block in blocks}
            try:
                for future in as_completed(futures):
                    future.result()
                    advance(futures[future].stop - futures[future].start)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _available_cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
