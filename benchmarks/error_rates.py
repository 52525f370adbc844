"""Measure false discovery rates, power and null p-values on studies with known truth, beside R's packages.

Usage: python benchmarks/error_rates.py [--out docs/error_rates.md] [--cache FOLDER] [--skip-r]

Data sets and answers stay in the cache folder: what is there is not computed again, but for the methods of --again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rates.cache import Cache
from rates.here import METHODS
from rates.report import document
from rates.scenarios import SCENARIOS

STEPS = ("r", "countnest", "write")


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="file to write; without it the document is printed")
    parser.add_argument("--cache", type=Path, help="folder for data sets and answers; without it they are not kept")
    for name, default in {"--data-sets": 20, "--genes": 5000}.items():
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--step", nargs="+", choices=STEPS, default=STEPS, help="what to do; all by default")
    parser.add_argument("--again", nargs="+", choices=list(METHODS), default=(), help="methods to run again")
    parser.add_argument("--skip-r", action="store_true", help="do not run R's methods")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, folder: Path, command: str) -> None:
    """Do the steps, and print or write the document."""
    cache = Cache(folder, options.genes, options.data_sets)
    scenarios = [SCENARIOS[slug] for slug in options.scenarios]
    if "r" in options.step and not options.skip_r:
        cache.run_r(scenarios)
    if "countnest" in options.step:
        for line in cache.run_here(scenarios, set(options.again)):
            print(line, file=sys.stderr, flush=True)
    if "write" in options.step:
        text = document(cache, scenarios, command)
        options.out.write_text(text, encoding="utf-8") if options.out else print(text)


def main(arguments: list[str]) -> None:
    """Read the arguments and run."""
    options = parsed(arguments)
    command = "python benchmarks/error_rates.py" + (f" --out {options.out}" if options.out else "")
    if options.cache:
        run(options, options.cache, command)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder), command)


if __name__ == "__main__":
    main(sys.argv[1:])
