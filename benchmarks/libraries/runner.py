"""Run one Python library on one problem: python -m libraries.runner LIBRARY PROBLEM_FOLDER OUT_FOLDER THREADS.

Writes OUT_FOLDER/answers.csv (log2 fold change and p-value of each gene) and timing.json. Exit code 3: not installed.
It runs under the interpreter of the library, and needs NumPy and pandas only.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

NOT_INSTALLED = 3
# Of the run before, in which code is loaded and compiled; it is not timed.
WARM_UP_GENES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Counts (G, n), int32 and row-major, the sample sheet, and the model matrix (n, p)."""

    counts: np.ndarray
    samples: pd.DataFrame
    matrix: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Study:
        """Read the study of a problem."""
        tables = [pd.read_csv(folder / name, index_col=0) for name in ("samples.csv", "matrix.csv")]
        return cls(np.ascontiguousarray(np.load(folder / "counts.npy")), *tables)

    def part(self, genes: int) -> Study:
        """Return evenly spaced genes of those with counts."""
        positive = np.flatnonzero(self.counts.any(axis=1))
        rows = positive[np.linspace(0, len(positive) - 1, min(genes, len(positive))).astype(int)]
        return replace(self, counts=self.counts[rows])


def peak_memory() -> float:
    """Return the peak memory of this process, MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage can still show what the parent used before it started this program
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it started and that have ended."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def measure(library: ModuleType, study: Study, threads: int) -> tuple[pd.DataFrame, dict[str, float | str]]:
    """Return the answers of a library, and what they took."""
    library.analyse(library.prepare(study.part(WARM_UP_GENES)), threads)
    given = library.prepare(study)
    before = peak_memory()
    wall, cpu = time.perf_counter(), cpu_seconds()
    lfc, pvalue = library.analyse(given, threads)
    timing: dict[str, float | str] = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": cpu_seconds() - cpu,
        "memory_mb": peak_memory(),
        "memory_before_mb": before,
        "version": f"{library.IMPORT} {version(library.IMPORT)}",
    }
    return pd.DataFrame({"log2FoldChange": np.asarray(lfc), "pvalue": np.asarray(pvalue)}), timing


def main(name: str, folder: str, out: str, threads: str) -> int:
    """Run the library and write what it found."""
    library = importlib.import_module(f"libraries.{name}")
    try:
        importlib.import_module(library.IMPORT)
    except ModuleNotFoundError as error:
        print(f"{library.IMPORT} is not installed: {error}", file=sys.stderr)
        return NOT_INSTALLED
    warnings.simplefilter("ignore")
    answers, timing = measure(library, Study.read(Path(folder)), int(threads))
    answers.to_csv(Path(out) / "answers.csv", index=False, float_format="%.12g")
    (Path(out) / "timing.json").write_text(json.dumps(timing), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
