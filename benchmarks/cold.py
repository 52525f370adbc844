"""The first result on a fresh install: new processes, with an empty cache of compiled code and with a filled one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from report import markdown

FIRST_RESULT = """
import countnest as cn
study = cn.datasets.load("airway")
dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
cn.DESeq(dds, quiet=True)
print(len(cn.results(dds, contrast=study.contrast).table))
"""
IMPORT = "import time; start = time.perf_counter(); import countnest; print(time.perf_counter() - start)"


def seconds(code: str, cache: str) -> float:
    """Return the seconds of a new process, with this cache of compiled code."""
    start = time.perf_counter()
    environment = {**os.environ, "COUNTNEST_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def import_seconds(repeats: int = 5) -> float:
    """Return the median seconds of `import countnest` in new processes."""
    found = [subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True) for _ in range(repeats)]
    return statistics.median(float(done.stdout) for done in found)


def section() -> str:
    """Return the table."""
    with tempfile.TemporaryDirectory() as cache:
        first, second = seconds(FIRST_RESULT, cache), seconds(FIRST_RESULT, cache)
    rows = [
        ["airway in a new process, empty cache: all kernels are compiled", f"{first:.1f}"],
        ["the same in a second process", f"{second:.1f}"],
        ["`import countnest`", f"{import_seconds():.3f}"],
    ]
    about = "From the start of Python to the table of results, by the clock, all threads, reading included."
    return "\n".join(["## First result", "", about, "", *markdown(["what", "seconds"], rows), ""])
