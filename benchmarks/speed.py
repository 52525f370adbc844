"""Time countnest beside R's DESeq2 on the shipped studies, in one run, and the first result on a fresh install.

Usage: python benchmarks/speed.py [--write docs/performance.md] [--repeats 5]

Both sides do the whole analysis, DESeq() and results(), construction excluded, on one core. Compile time is left out of
the comparison and stated on its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUDIES = ("pasilla", "airway")

TIMER = """
import sys, time, countnest as cn
name, threads, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
study = cn.datasets.load(name)
def once():
    dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
    start = time.perf_counter()
    cn.DESeq(dds, n_threads=threads, quiet=True)
    cn.results(dds, contrast=study.contrast)
    return time.perf_counter() - start
once()
for _ in range(repeats):
    print(once())
"""


def single_core() -> dict[str, str]:
    """Return an environment in which linear algebra libraries use one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def lines(command: list[str]) -> list[str]:
    """Run a command and return what it prints."""
    done = subprocess.run(command, env=single_core(), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def ours(name: str, threads: int, repeats: int) -> float:
    """Return the median seconds of countnest."""
    return statistics.median(map(float, lines([sys.executable, "-c", TIMER, name, str(threads), str(repeats)])))


def theirs(name: str, repeats: int) -> tuple[float, str] | None:
    """Return the median seconds of DESeq2 and its version; None where R or DESeq2 is missing."""
    import countnest as cn

    study = cn.datasets.load(name)
    factor, reference = next(iter(study.reference.items()))
    script = [str(ROOT / "benchmarks/deseq2_time.R"), str(ROOT / "data"), name, study.design, factor, reference]
    try:
        *seconds, version = lines(["Rscript", *script, str(repeats)])
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"DESeq2 is left out: {error}", file=sys.stderr)
        return None
    return statistics.median(map(float, seconds)), version.strip()


def first_result(cache: str) -> float:
    """Return the seconds of `countnest run airway` in a new process, with this cache of compiled code."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "countnest", "run", "airway", "--out", f"{folder}/out", "--quiet"]
        start = time.perf_counter()
        subprocess.run(command, env={**os.environ, "COUNTNEST_CACHE_DIR": cache}, check=True, capture_output=True)
        return time.perf_counter() - start


def import_time() -> float:
    """Return the median seconds of `import countnest` in a new process."""
    code = "import time; t = time.perf_counter(); import countnest; print(time.perf_counter() - t)"
    return statistics.median(float(lines([sys.executable, "-c", code])[0]) for _ in range(5))


def report(repeats: int) -> str:
    """Return the measurements as Markdown."""
    text = [
        "# Performance",
        "",
        f"Made by `python benchmarks/speed.py` on {platform.machine()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}; medians of {repeats} repeats. Machines are noisy: the ratio of one run counts.",
        "",
        "## DESeq() and results(), compile time excluded",
        "",
        "| study | R DESeq2, one core (s) | countnest, one thread (s) | ratio | two threads (s) |",
        "|---|---|---|---|---|",
    ]
    version = "not installed"
    for name in STUDIES:
        rival, one, two = theirs(name, repeats), ours(name, 1, repeats), ours(name, 2, repeats)
        if rival is None:
            text.append(f"| {name} | - | {one:.2f} | - | {two:.2f} |")
            continue
        version = rival[1]
        text.append(f"| {name} | {rival[0]:.2f} | {one:.2f} | {rival[0] / one:.1f}x | {two:.2f} |")
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = first_result(cache), first_result(cache)
    text += [
        "",
        f"R side: {version}.",
        "",
        "## First result",
        "",
        "| what | seconds |",
        "|---|---|",
        f"| `countnest run airway`, fresh install: kernels compiled, all files written | {cold:.1f} |",
        f"| the same in a second process | {warm:.1f} |",
        f"| `import countnest` | {import_time():.3f} |",
        "",
    ]
    return "\n".join(text)


def main() -> None:
    """Print the report, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    text = report(arguments.repeats)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
