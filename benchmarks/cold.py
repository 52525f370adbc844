"""The first result of each method: new processes, with an empty cache of compiled code and with a filled one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from report import markdown

START = """
import countnest as cn
study = cn.datasets.load("pasilla")
dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
"""
# Of each method, from the data set to the table.
METHODS = {
    "DESeq2": "cn.DESeq(dds, quiet=True); print(len(cn.results(dds, contrast=study.contrast).table))",
    "edgeR": "cn.edger(dds, quiet=True); print(len(cn.glm_ql_ftest(dds, contrast=study.contrast).table))",
    "edgeR before version 4": (
        "cn.edger(dds, legacy=True, quiet=True); print(len(cn.glm_ql_ftest(dds, contrast=study.contrast).table))"
    ),
    "limma": "cn.limma(dds, quiet=True); print(len(dds.contrast(study.contrast).test(fit='limma').table))",
}
IMPORT = "import time; start = time.perf_counter(); import countnest; print(time.perf_counter() - start)"


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a process took: by the clock, and of the processor."""

    clock: float
    processor: float


def seconds(code: str, cache: str) -> Seconds:
    """Return the seconds of a new process, with this cache of compiled code."""
    environment = {**os.environ, "COUNTNEST_CACHE_DIR": cache}
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    clock, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Seconds(clock, used)


def import_seconds(repeats: int = 5) -> float:
    """Return the median seconds of `import countnest` in new processes."""
    found = [subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True) for _ in range(repeats)]
    return statistics.median(float(done.stdout) for done in found)


def section() -> str:
    """Return the table."""
    rows = []
    for method, code in METHODS.items():
        with tempfile.TemporaryDirectory() as cache:
            for what in ("empty cache: all that it needs is compiled", "second process"):
                found = seconds(START + code, cache)
                rows.append([f"{method}, {what}", f"{found.clock:.1f}", f"{found.processor:.1f}"])
    rows.append(["`import countnest`", f"{import_seconds():.3f}", ""])
    about = "Pasilla, from the start of Python to the table of results, all threads, reading included."
    return "\n".join(["## First result", "", about, "", *markdown(["what", "seconds", "CPU (s)"], rows), ""])
