"""Time countnest beside other libraries on the same problems, check that the answers agree, and write the tables.

Usage: python benchmarks/compare.py [--problems pasilla airway ...] [--alone large largest] [--libraries countnest ...]
    [--threads 1 2] [--repeat N] [--genes N] [--rival-python PATH] [--python LIBRARY=PATH ...] [--runs FILE]
    [--extra cold roofline scaling large] [--large-runs FILE] [--write docs/performance.md]

Every run is a process of its own; repeats are interleaved. What is not installed is left out with a message. Runs that
are in the file of --runs are not made again, and new ones are added to it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

import cold
import large
import problems
import report
import scaling
from libraries import LIBRARIES
from libraries.runner import NOT_INSTALLED

HERE = Path(__file__).resolve().parent
DEFAULT = ("pasilla", "airway", "factorial", "nested")
THREAD_VARIABLES = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "COUNTNEST"))
KEY = ("problem", "genes", "library", "threads", "repeat")
EARLIER = " Runs of a file (`--runs`) are among them, which were made before."
Run = dict[str, Any]


def limited(threads: int) -> dict[str, str]:
    """Return an environment that limits linear algebra and compiled code to so many threads."""
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


@dataclass(slots=True)
class Bench:
    """Runs libraries, and keeps what was measured.

    Attributes
    ----------
    pythons
        Interpreters of the libraries that do not run in this one.
    file
        Where runs are kept; None: nowhere.
    timeout
        Seconds after which a run is given up.
    runs
        What was measured, one record for each run.
    missing
        Libraries that are not installed, or problems that they did not finish, and why.
    """

    pythons: dict[str, str]
    file: Path | None = None
    timeout: float = 3600.0
    runs: list[Run] = field(default_factory=list)
    missing: dict[tuple[str, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the runs that there are."""
        if self.file is not None and self.file.exists():
            self.runs = json.loads(self.file.read_text(encoding="utf-8"))

    def command(self, library: str) -> list[str]:
        """Return how to start the runner of a library."""
        host = LIBRARIES[library].host
        if host == "R":
            return ["Rscript", str(HERE / "libraries" / "runner.R"), library]
        python = sys.executable if host == "here" else self.pythons.get(library, sys.executable)
        return [python, "-m", "libraries.runner", library]

    def run(self, problem: str, library: str, *, threads: int = 1, repeat: int = 0, genes: int | None = None) -> None:
        """Run a library once on a problem, unless it was, or cannot be."""
        folder = problems.prepare(problem, genes)
        key: Run = dict(zip(KEY, (problem, problems.shape(folder)[0], library, threads, repeat), strict=True))
        known = any(all(run[name] == key[name] for name in KEY) for run in self.runs)
        if known or (library,) in self.missing or (library, problem) in self.missing:
            return
        out = folder / f"{library}-{threads}"
        out.mkdir(exist_ok=True)
        load = os.getloadavg()[0]
        command = [*self.command(library), str(folder), str(out), str(threads)]
        try:
            done = subprocess.run(
                command, cwd=HERE, env=limited(threads), capture_output=True, text=True, timeout=self.timeout
            )
        except FileNotFoundError as error:
            self.miss((library,), f"{error.filename} is not installed")
            return
        except subprocess.TimeoutExpired:
            self.miss((library, problem), f"not finished after {self.timeout:.0f} seconds")
            return
        if done.returncode:
            what = (library,) if done.returncode == NOT_INSTALLED else (library, problem)
            self.miss(what, (done.stderr.strip().splitlines() or ["it failed"])[-1])
            return
        timing = json.loads((out / "timing.json").read_text(encoding="utf-8"))
        self.runs.append({**key, **timing, "load": load, "answers": str(out / "answers.csv")})
        print(f"{problem} {library}, {threads} thread(s): {timing['seconds']:.2f} s", file=sys.stderr, flush=True)
        if self.file is not None:
            self.file.write_text(json.dumps(self.runs, indent=1), encoding="utf-8")

    def miss(self, what: tuple[str, ...], why: str) -> None:
        """Note that a library, or a library on a problem, is left out."""
        self.missing[what] = why
        print(f"{' on '.join(what)} is left out: {why}", file=sys.stderr, flush=True)

    def table(self, names: Iterable[str], genes: int | None = None) -> pd.DataFrame:
        """Return the runs on some problems as a table."""
        sizes = {name: problems.shape(problems.prepare(name, genes))[0] for name in names}
        wanted = [run for run in self.runs if sizes.get(run["problem"]) == run["genes"]]
        return pd.DataFrame(wanted, columns=list(wanted[0]) if wanted else [*KEY])


def compare(bench: Bench, options: argparse.Namespace) -> None:
    """Make all runs of the comparison."""
    wanted = dict.fromkeys(options.problems, options.libraries) | {name: ["countnest"] for name in options.alone}
    for repeat, (name, libraries), threads in product(range(options.repeat), wanted.items(), options.threads):
        for library in libraries:
            if threads == 1 or LIBRARIES[library].threaded:
                bench.run(name, library, threads=threads, repeat=repeat, genes=options.genes)


def document(bench: Bench, options: argparse.Namespace, command: str) -> str:
    """Return the whole text, and draw the figure beside the file that is written."""
    names = [*options.problems, *options.alone]
    table = bench.table(names, options.genes)
    parts = [report.head(command, table, EARLIER if options.runs else "")]
    sizes = {name: problems.shape(problems.prepare(name, options.genes)) for name in names}
    for threads in options.threads:
        parts.append(report.comparison(table, threads, sizes))
    parts.append(report.left_out(bench.missing))
    if "scaling" in options.extra:
        figure = options.write.with_suffix(".png") if options.write else Path(tempfile.gettempdir()) / "performance.png"
        parts.append(scaling.section(bench, figure, options.libraries))
    if "large" in options.extra:
        parts.append(large.section(large.run_all(max(options.threads), options.large_runs, [])))
    if "roofline" in options.extra:
        wanted = [] if options.genes is None else ["--genes", str(options.genes)]
        command_line = [sys.executable, str(HERE / "roofline.py"), *options.problems, *wanted]
        done = subprocess.run(command_line, env=limited(1), stdout=subprocess.PIPE, text=True, check=True)
        parts.append(done.stdout.rstrip("\n") + "\n")
    if "cold" in options.extra:
        parts.append(cold.section())
    return "\n".join(part for part in parts if part)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", default=list(DEFAULT), help="or genes x samples x coefficients")
    parser.add_argument("--alone", nargs="+", default=[], help="problems that countnest has to itself")
    parser.add_argument("--libraries", nargs="+", default=list(LIBRARIES), choices=list(LIBRARIES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--genes", type=int, help="only so many genes of each problem")
    parser.add_argument("--rival-python", default=sys.executable, help="interpreter of the other Python libraries")
    parser.add_argument("--python", nargs="+", default=[], metavar="LIBRARY=PATH", help="interpreter of one of them")
    parser.add_argument("--runs", type=Path, help="file of runs")
    parser.add_argument("--large-runs", type=Path, help="file of the runs of large studies")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds of a run")
    parser.add_argument("--extra", nargs="*", default=["cold", "roofline", "scaling"])
    parser.add_argument("--write", type=Path, help="file to write; without it the text is printed")
    return parser.parse_args(arguments)


def shown(arguments: Sequence[str]) -> str:
    """Return the command without what concerns this machine only: interpreters and the file of runs."""
    parts: list[list[str]] = []
    for word in arguments:
        parts += [[word]] if word.startswith("--") or not parts else []
        parts[-1] += [] if word.startswith("--") else [word]
    private = ("--rival-python", "--python", "--runs", "--large-runs")
    kept = [word for part in parts if part[0] not in private for word in part]
    return " ".join(["python benchmarks/compare.py", *kept])


def main(arguments: Sequence[str]) -> None:
    """Make the runs, and print or write the document."""
    options = parsed(arguments)
    pythons = dict.fromkeys(LIBRARIES, options.rival_python) | dict(each.split("=", 1) for each in options.python)
    bench = Bench(pythons, options.runs, options.timeout)
    compare(bench, options)
    text = document(bench, options, shown(arguments))
    options.write.write_text(text, encoding="utf-8") if options.write else print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
