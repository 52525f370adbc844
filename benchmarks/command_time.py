"""Seconds of the processor that `countnest run` takes, by part: a process of its own for each run.

usage: python benchmarks/command_time.py [ROOT ...] [--repeat N] [--empty] [--options "airway --test averaged"]

Prints a Markdown table with a column for each checkout (this one if none is named): the fewest of several runs, of all
threads, user and system together. The checkouts take turns, so that other work on the machine lengthens all of them.
`--empty` adds a run with an empty cache of compiled code.

A part is what its functions take (`PARTS`) without the parts that they call. Imports are the loading of modules,
wherever they are imported. The last row is the whole, as many times the sum of imports and analysis.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve()
IMPORTS = "imports"
ANALYSIS = "analysis"
# Functions, by their modules, that a part consists of. Those that a checkout does not have are passed over.
PARTS = {
    "reading": {
        "countnest.datasets.registry": ["load"],
        "countnest.io.tables": ["read_counts", "read_samples"],
        "countnest.api.deseq2": ["DESeqDataSet.__init__"],
    },
    ANALYSIS: {
        "countnest.api.functions": ["DESeq", "results"],
        "countnest.api.edger": ["edger"],
        "countnest.api.limma": ["limma"],
        "countnest.methods.answer": ["answer"],
    },
    "tables": {"countnest.cli.fitted": ["by_gene"], "countnest.containers.table_file": ["write_table"]},
    "figures": {
        "countnest.plots.ma": ["plot_ma"],
        "countnest.plots.dispersion": ["plot_dispersion"],
        "matplotlib.figure": ["Figure.savefig"],
    },
    "record": {"countnest.cli.record": ["run_record"], "countnest.containers.results": ["Results.methods"]},
}
START, REST, END = "start of Python", "rest", "end of Python"
ORDER = (START, IMPORTS, "reading", ANALYSIS, "tables", "figures", "record", REST, END)


class Clock:
    """Seconds of the processor, of which the part that runs gets all."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(ORDER, 0.0)
        self.seconds[START] = time.process_time()
        self.running = [REST]
        self.since = time.process_time()

    def turn(self) -> None:
        """Give the seconds until now to the part that runs."""
        now = time.process_time()
        self.seconds[self.running[-1]] += now - self.since
        self.since = now

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return a function that does the same, and whose seconds are those of a part."""

        @wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.turn()
            self.running.append(part)
            try:
                return function(*arguments, **named)
            finally:
                self.turn()
                self.running.pop()

        return counted


def watch(clock: Clock) -> None:
    """Time the loading of every module, and the functions of the parts as soon as their module is loaded."""
    import _frozen_importlib  # type: ignore[import-not-found]

    load = clock.timed(_frozen_importlib._find_and_load, IMPORTS)

    def loaded(name: str, importer: Any) -> ModuleType:
        module: ModuleType = load(name, importer)
        for part, homes in PARTS.items():
            for path in homes.get(name, ()):
                *above, last = path.split(".")
                holder = getattr(module, above[0], None) if above else module
                if hasattr(holder, last):
                    setattr(holder, last, clock.timed(getattr(holder, last), part))
        return module

    _frozen_importlib._find_and_load = loaded


def run_here(out: str, arguments: list[str]) -> None:
    """Run the command in this process, and write the seconds of its parts."""
    clock = Clock()
    atexit.register(lambda: (clock.turn(), Path(out).write_text(json.dumps(clock.seconds))))
    watch(clock)
    from countnest.cli.main import main

    main(arguments)


def run(root: Path, words: list[str], kept: str, cache: str | None = None) -> dict[str, float]:
    """Return the seconds of each part of one run of a checkout; Python's own compiled files are in the folder `kept`.

    An installed package has them.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seconds.json"
        environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONPYCACHEPREFIX": kept}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if cache is not None:
            environment["COUNTNEST_CACHE_DIR"] = cache
        command = [sys.executable, str(HERE), "--here", str(out), "run", *words, "--out", f"{folder}/results"]
        before = os.times()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        parts: dict[str, float] = json.loads(out.read_text())
    return {**parts, END: max(0.0, used - sum(parts.values()))}


def fewest(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the run that took the fewest seconds."""
    return min(runs, key=lambda parts: sum(parts.values()))


def table(names: list[str], found: list[dict[str, float]]) -> str:
    """Return the table of parts, with the whole."""
    rows = [[part, *(f"{parts[part]:.2f}" for parts in found)] for part in ORDER]
    rows.append(["together", *(f"{sum(parts.values()):.2f}" for parts in found)])
    times = [sum(parts.values()) / (parts[IMPORTS] + parts[ANALYSIS]) for parts in found]
    rows.append(["times imports and analysis", *(f"{each:.2f}" for each in times)])
    lines = [["CPU seconds", *names], ["---"] * (len(names) + 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Measure the checkouts, and print the table."""
    if sys.argv[1:2] == ["--here"]:
        run_here(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="*", type=Path, default=[HERE.parents[1]])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--options", default="airway")
    given = parser.parse_args()
    roots, words = [root.resolve() for root in given.roots], given.options.split()
    names = [root.name for root in roots]
    with tempfile.TemporaryDirectory() as kept:
        for root in roots:
            run(root, words, kept)  # fills the caches
        turns = [[run(root, words, kept) for root in roots] for _ in range(given.repeat)]
        found = [fewest([turn[place] for turn in turns]) for place in range(len(roots))]
        for root in roots if given.empty else ():
            with tempfile.TemporaryDirectory() as cache:
                names.append(f"{root.name}, empty cache")
                found.append(run(root, words, kept, cache))
    print(table(names, found))


if __name__ == "__main__":
    main()
