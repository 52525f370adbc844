"""Show that no number changed: digests of all columns of all tables, over the sixteen data sets of tests/parity.

usage: python benchmarks/same_bits.py --save FILE [--only NAME ...]
       python benchmarks/same_bits.py --compare FILE [--only NAME ...]

`--save` writes a SHA-256 for each column. `--compare` lists the columns that differ from those of the file, are new, or
are gone, and exits with 1 if there is any. The package is that of this tree, `src`, and only its public names are used:
save in one tree, compare in another, whose modules may not be the same. The last bit depends on libraries and
processor: a file made with others is refused. A table that cannot be had is recorded by the class of the error.
`analyses` has what is run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import reference

import analyses
import countnest as cn

LIBRARIES = ("numpy", "scipy", "pandas", "numba", "llvmlite", "statsmodels", "formulaic")
Digests = dict[str, dict[str, str]]


def versions() -> dict[str, str]:
    """Return what the last bit depends on besides the package."""
    from llvmlite.binding import get_host_cpu_name

    return {name: version(name) for name in LIBRARIES} | {"processor": f"{platform.machine()} {get_host_cpu_name()}"}


def digest(values: Any) -> str:
    """Return the SHA-256 of a column: of its type and bytes, or of its texts. All missing values are one."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    if array.dtype.kind in "biuf":
        content = f"{array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes()
    else:
        content = json.dumps([None if value is None or value is pd.NA else str(value) for value in array]).encode()
    return hashlib.sha256(content).hexdigest()


def columns(found: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns of what a call returned."""
    if isinstance(found, cn.ResultsSet):
        for label, part in found.items():
            yield from ((f"{label}: {name}", values) for name, values in columns(part))
        return
    table = getattr(found, "table", found)
    if isinstance(table, pd.Series):
        table = table.to_frame("values")
    if not isinstance(table, pd.DataFrame):
        yield "values", table
        return
    yield "columns", [str(name) for name in table.columns]
    yield "index", table.index
    yield from ((str(name), table[name]) for name in table.columns)


class Record:
    """The digests of one data set: by table, by column."""

    def __init__(self) -> None:
        self.digests: Digests = {}

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a call returns; or None, and record the class of its error."""
        try:
            return function(*arguments, **options)
        except Exception as error:  # a fault is a difference as well
            self.digests[name] = {"error": type(error).__name__}
            return None

    def take(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Record the table that a call returns, and return it."""
        shown = "".join(f", {key}={value!r}" for key, value in options.items() if key != "quiet")
        name = f"{name}{shown}"
        found = self.call(name, function, *arguments, **options)
        if found is not None:
            self.digests[name] = {column: digest(values) for column, values in columns(found)}
        return found


def differences(now: Mapping[str, Digests], stored: Mapping[str, Digests]) -> list[str]:
    """Return a line for each column that differs, is new, or is gone."""
    lines = []
    for name in now:
        for table in sorted({*now[name], *stored.get(name, {})}):
            here, there = now[name].get(table, {}), stored.get(name, {}).get(table, {})
            for column in sorted({*here, *there}):
                if here.get(column) != there.get(column):
                    what = "differs" if column in here and column in there else "new" if column in here else "gone"
                    lines.append(f"{what}: {name} | {table} | {column}")
    return lines


def main(words: list[str] | None = None) -> int:
    """Read the arguments; save or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--save", type=Path, metavar="FILE")
    what.add_argument("--compare", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=reference.NAMES, default=reference.NAMES, metavar="NAME")
    options = parser.parse_args(words)
    stored = {} if options.compare is None else json.loads(options.compare.read_text())
    if stored and stored["versions"] != versions():
        print(f"{options.compare} was made with {stored['versions']}, this is {versions()}: not to be compared.")
        return 2
    print(f"countnest in {Path(cn.__file__).parent}")
    now = {}
    for name in options.only:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = Record()
            analyses.analyse(name, record)
        now[name] = record.digests
        count = sum(len(table) for table in now[name].values())
        print(f"{name}: {count} columns, {time.perf_counter() - start:.0f} s", flush=True)
    if options.save is not None:
        options.save.write_text(json.dumps({"versions": versions(), "digests": now}, indent=0, sort_keys=True) + "\n")
        return 0
    lines = differences(now, stored["digests"])
    print("\n".join(lines) if lines else "no column differs")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
