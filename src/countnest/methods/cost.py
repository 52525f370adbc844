"""A rough estimate of the time and memory of an analysis, before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from countnest.errors import counted
from countnest.memory import bytes_shown, physical_memory
from countnest.methods.chunks import CHUNK_SIZE
from countnest.stats.glm.layout import Layout

__all__ = ["Cost", "expected_cost", "physical_memory"]

# Seconds of one thread for a gene, for each of its samples, and for each operation in the plan of its normal equations:
# those of the whole analysis, fitted to its times within a factor of 1.5 (7 to 17,000 samples, 3 to 28 coefficients).
PER_GENE, PER_SAMPLE, PER_OPERATION = 2.9e-6, 0.63e-6, 0.019e-6
# Part of the operations that a reduced model adds: it is fitted once, the dispersions are not.
REDUCED = 0.2
# Arrays of the size of a chunk that a thread has at the same time, and numbers that are kept of every gene: some, and
# some for each coefficient.
ARRAYS, KEPT, KEPT_BY_COEFFICIENT = 14, 40, 8
# Seconds and share of the memory above which the cost is announced.
LONG, LARGE = 10.0, 0.25


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected cost of an analysis.

    Attributes
    ----------
    seconds
        On this many threads.
    n_threads
        As it says.
    n_bytes
        Of memory, at most at one time.
    memory
        Bytes of memory of the machine; None where it does not say.
    """

    seconds: float
    n_threads: int
    n_bytes: float
    memory: float | None = None

    @property
    def is_notable(self) -> bool:
        """Whether it takes more than 10 seconds, or more than a quarter of the memory."""
        return self.seconds > LONG or (self.memory is not None and self.n_bytes > LARGE * self.memory)

    def __str__(self) -> str:
        """Return 'about 2 min on 4 threads, and about 3.1 GB of memory'."""
        time = f"about {_duration(self.seconds)} on {counted(self.n_threads, 'thread')}"
        text = f"{time}, and about {bytes_shown(self.n_bytes)}"
        if self.memory is None or self.n_bytes <= LARGE * self.memory:
            return f"{text} of memory"
        return f"{text} of the {bytes_shown(self.memory)} of memory"


def expected_cost(n_genes: int, layouts: Sequence[Layout], n_threads: int, counts_bytes: float = 0.0) -> Cost:
    """Return the expected cost of an analysis of `n_genes` genes with counts.

    Parameters
    ----------
    n_genes
        Genes that are fitted.
    layouts
        Of the model matrix and, for a likelihood ratio test, of the reduced one.
    n_threads
        That work on it.
    counts_bytes
        Memory of the counts themselves, or of what is read of them at a time.
    """
    full, *reduced = layouts
    n = full.n_samples
    operations = len(full.plan.index) + REDUCED * sum(len(each.plan.index) for each in reduced)
    seconds = n_genes * (PER_GENE + PER_SAMPLE * n + PER_OPERATION * operations) / n_threads
    chunks = n_threads * ARRAYS * min(CHUNK_SIZE, n_genes * n)
    kept = n_genes * (KEPT + KEPT_BY_COEFFICIENT * full.n_coefficients)
    return Cost(seconds, n_threads, counts_bytes + 8.0 * (chunks + kept), physical_memory())


def _duration(seconds: float) -> str:
    """Return '14 s', '3 min' or '2.5 h'."""
    if seconds < 90.0:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"
