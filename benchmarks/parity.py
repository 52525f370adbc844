"""Compare countnest with DESeq2 on sixteen data sets, gene by gene.

usage: python benchmarks/parity.py [--write docs/parity.md] [NAME ...]

Without --write the tables are printed. The comparisons are those of tests/parity.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))

import quantities
import reference
from comparison import FLOORS, Comparison
from quantities import Quantity

Found = list[tuple[Quantity, Comparison]]

HEAD = """# Parity with DESeq2

Made by `python benchmarks/parity.py --write docs/parity.md` from the reference numbers in `tests/parity/data`
(DESeq2 {version}). `tests/parity` asserts every line of it.

A difference is `|here - DESeq2| / max(|DESeq2|, floor)`, the largest over all genes that have a number on both sides.
Floors: {floors}; none elsewhere. **Bold** is beyond the target, with the number of genes.
NA patterns are compared first.

*Quasi-Newton rows* are the genes whose IRLS did not converge in DESeq2 (`betaIter` = 100), so that a bounded
quasi-Newton search with numerical derivatives decided; their fold changes are compared as absolute differences.
`dispGeneEst` is compared where it is above 1e-6; below, only that both sides are below. A filter threshold is taken
from the NA pattern of DESeq2's `padj`. The four studies were fitted with a model matrix and without replacement of
outliers, the twelve cases with the formula and every default.
"""

COLUMNS = ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")


def measured(name: str) -> Found:
    """Fit one data set and compare everything."""
    run = quantities.Run(name)
    return [(quantity, quantity.measure(run)) for quantity in quantities.quantities(name)]


def number(value: float) -> str:
    """Write a difference with two digits."""
    return "0" if value == 0 else f"{value:.1e}"


def cell(found: Iterable[Comparison], *, worst: bool = False) -> str:
    """Write the largest difference, bold with the number of genes outside when beyond the target."""
    found = list(found)
    if not any(one.compared for one in found):
        return "-" if all(one.same_missing for one in found) else "**NA pattern**"
    top = max(found, key=lambda one: one.largest)
    text = number(top.largest)
    if worst and top.worst:
        text += f" ({top.worst})"
    outside = len(set().union(*(set(one.outside.index) for one in found)))
    if outside:
        text = f"**{text}, {outside} genes**"
    return text if all(one.same_missing for one in found) else f"{text} **NA pattern**"


def agreement(found: Iterable[Comparison]) -> str:
    """Write whether classes, sets or missing values are identical."""
    different = sum(len(one.outside) + len(one.missing_here) + len(one.missing_there) for one in found)
    return "identical" if different == 0 else f"**{different} differ**"


def row(cells: Iterable[object]) -> str:
    """Write one row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def table(head: list[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Write a Markdown table."""
    return [row(head), row(["---"] * len(head)), *(row(cells) for cells in rows)]


def summary(found: dict[str, Found]) -> list[str]:
    """Write the table of the largest differences by data set."""
    groups = {
        "size factors": ["size factors"],
        "baseMean": ["baseMean"],
        "dispGeneEst": ["dispGeneEst"],
        "dispFit": ["dispFit", "other trends"],
        "dispersion": ["dispersion"],
        "log2FoldChange": ["coefficients", "log2FoldChange"],
        "lfcSE": ["standard errors", "lfcSE"],
        "stat": ["stat"],
        "pvalue": ["pvalue"],
        "quasi-Newton LFC (absolute)": ["coefficients (quasi-Newton)", "log2FoldChange (quasi-Newton)"],
        "padj": ["padj"],
        "cooks": ["cooks"],
        "LRT": ["LRT"],
    }
    lines = []
    for name in reference.NAMES:
        if name in quantities.SKIPPED:
            lines.append([name, f"skipped: {quantities.SKIPPED[name]}", *[""] * (len(groups) + 2)])
        elif name in found:
            cells = [cell(one for kind, one in found[name] if kind.group in group) for group in groups.values()]
            sets = agreement(one for kind, one in found[name] if kind.group in ("padj < alpha", "filter threshold"))
            missing = sum(not one.same_missing for _, one in found[name])
            lines.append([name, *cells, sets, "identical" if missing == 0 else f"**{missing} quantities differ**"])
    head = ["data set", *groups, "padj < alpha and filter threshold", "NA patterns"]
    return table(head, lines)


def details(found: Found) -> list[str]:
    """Write the tables of one data set: one row for each quantity, one for each results table."""
    single = [one for quantity, one in found if ": " not in quantity.name or quantity.group in ("LRT", "other trends")]
    rows = (
        [
            one.quantity,
            f"{one.tolerance.value:g} {one.scale}",
            one.compared,
            number(one.largest),
            one.worst or "-",
            len(one.outside) or "-",
            "same" if one.same_missing else f"**{len(one.missing_here)} here, {len(one.missing_there)} there**",
        ]
        for one in single
    )
    lines = table(["quantity", "target", "genes", "largest", "worst gene", "outside", "NA pattern"], rows)
    by_table: dict[str, dict[str, Comparison]] = {}
    for quantity, one in found:
        name, separator, column = quantity.name.partition(": ")
        if separator and quantity.group not in ("LRT", "other trends"):
            by_table.setdefault(name, {})[column] = one
    lines += ["", "Results tables (worst gene in brackets; IRLS rows, and all rows for padj):", ""]
    rows = []
    for name, columns in by_table.items():
        quasi_newton = [one for column, one in columns.items() if "quasi-Newton" in column]
        sets = agreement(one for column, one in columns.items() if column.startswith("padj <"))
        threshold = agreement(one for column, one in columns.items() if column == "filter threshold")
        cells = [cell([columns[column]], worst=True) if column in columns else "" for column in COLUMNS]
        rows.append([f"`{name}`", *cells, cell(quasi_newton, worst=True), sets, threshold])
    head = ["table", *COLUMNS, "quasi-Newton rows", "padj < alpha", "threshold"]
    return [*lines, *table(head, rows)]


def shortfalls(found: dict[str, Found]) -> list[str]:
    """List each quantity beyond its target, with the genes."""
    lines = [f"- {name}: {one.message()}" for name, every in found.items() for _, one in every if not one.passed]
    loosened = [
        f"- {name}: {one.quantity} is held to {one.tolerance.value:g} ({one.tolerance.name}): {one.reason}"
        for name, every in found.items()
        for _, one in every
        if one.reason
    ]
    return [
        *(lines or ["None."]),
        *(["", "Held to a looser target, with the reason:", "", *loosened] if loosened else []),
    ]


def document(names: Iterable[str]) -> str:
    """Fit the data sets and return the whole document."""
    found = {}
    for name in names:
        if name not in quantities.SKIPPED:
            print(name, file=sys.stderr, flush=True)
            found[name] = measured(name)
    version = reference.load("pasilla").info["package"]
    floors = ", ".join(f"{name} {value:g}" for name, value in FLOORS.items())
    lines = [HEAD.format(version=version, floors=floors), "## Largest differences", "", *summary(found)]
    lines += ["", "## Beyond the target", "", *shortfalls(found), "", "## Every data set"]
    for name, every in found.items():
        truth = reference.load(name)
        shape = f"{len(truth.counts):,} genes x {len(truth.samples)} samples, {len(truth.coefficients)} coefficients"
        lines += ["", f"### {name}", "", f"`{truth.formula}`; {shape}.", "", *details(every)]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, suffix=path.suffix) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def main() -> None:
    """Read the arguments, and print or write the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these data sets")
    parser.add_argument("--write", type=Path, metavar="PATH")
    options = parser.parse_args()
    if unknown := set(options.names) - set(reference.NAMES):
        parser.error(f"unknown data sets: {', '.join(sorted(unknown))}; known: {', '.join(reference.NAMES)}")
    text = document(options.names or reference.NAMES)
    if options.write is None:
        print(text)
    else:
        write(options.write, text)


if __name__ == "__main__":
    main()
