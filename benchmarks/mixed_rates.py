"""Measure error rates and power of mixed models and their alternatives on studies of families with known truth.

Usage: python benchmarks/mixed_rates.py [--out docs/mixed_rates.md] [--cache FOLDER] [--skip-r]

Answers stay in the cache folder: what is there is not computed again, but for the methods of --again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mixed import agreement
from mixed.cache import Cache
from mixed.methods import METHODS
from mixed.report import document, fresh_cache
from mixed.studies import NULL, SCENARIOS

STEPS = ("countnest", "fresh", "r", "write")


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="file to write; without it the document is printed")
    parser.add_argument("--cache", type=Path, help="folder for answers; without it they are not kept")
    for name, default in {"--studies": 3, "--genes": 2000}.items():
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--step", nargs="+", choices=STEPS, default=STEPS, help="what to do; all by default")
    parser.add_argument("--again", nargs="+", choices=list(METHODS), default=(), help="methods to run again")
    parser.add_argument("--skip-r", action="store_true", help="do not run lmerTest, pbkrtest and glmmTMB")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, folder: Path, command: str) -> None:
    """Do the steps, and print or write the document."""
    cache = Cache(folder, options.genes, options.studies)
    scenarios = [SCENARIOS[slug] for slug in options.scenarios]
    if "countnest" in options.step:
        for line in cache.run(scenarios, set(options.again)):
            print(line, file=sys.stderr, flush=True)
    if "fresh" in options.step:
        for line in fresh_cache(cache).run([each for each in NULL if each in scenarios], set()):
            print(f"other seeds: {line}", file=sys.stderr, flush=True)
    if "r" in options.step and not options.skip_r:
        agreement.run(folder)
    if "write" in options.step:
        text = document(cache, scenarios, command)
        options.out.write_text(text, encoding="utf-8") if options.out else print(text)


def main(arguments: list[str]) -> None:
    """Read the arguments and run."""
    options = parsed(arguments)
    command = "python benchmarks/mixed_rates.py" + (f" --out {options.out}" if options.out else "")
    if options.cache:
        run(options, options.cache, command)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder), command)


if __name__ == "__main__":
    main(sys.argv[1:])
