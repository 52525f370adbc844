"""Compare countnest with DESeq2 on sixteen data sets, gene by gene.

usage: python benchmarks/parity.py [--write docs/parity.md] [NAME ...]

With --write the worst cases are written to this file, and every quantity, every table and every gene beyond the target
to CSV files in a folder beside it, docs/parity. Without it the worst cases are printed. The comparisons are those of
tests/parity.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))

import catalogue
import derived
import numpy as np
import quantities
import reference
import runs
from comparison import AMPLIFIED, FLOORS, MOVED_TREND, SE_FRACTION, Comparison
from quantities import KINDS, Quantity

from countnest.kernels.r_search.apeglm import NEAR_MODE
from parity_text import AT_BOUNDS, ELSEWHERE, ENDS, HEAD, JUMPING, NOTE, SHRUNKEN

Found = list[tuple[Quantity, Comparison]]

GROUPS = {
    "size factors": ["size factors"],
    "baseMean": ["baseMean"],
    "dispGeneEst": ["dispGeneEst"],
    "dispFit": ["dispFit"],
    "dispersion": ["dispersion"],
    "log2FoldChange": ["coefficients", "log2FoldChange"],
    "lfcSE": ["standard errors", "lfcSE"],
    "stat": ["stat"],
    "pvalue": ["pvalue"],
    "padj": ["padj"],
    "cooks": ["cooks"],
    "LRT": ["LRT"],
    "local and mean trend": ["other trends"],
}
DERIVED = {
    "apeglm": ["apeglm"],
    "s-value": ["s-value"],
    "ashr": ["ashr"],
    "normal": ["normal"],
    "vst, rlog": ["vst, rlog"],
    "iterate": ["iterate"],
}
ENDS_HEAD = ["data set", "genes", "gone on", *(f"{who}, {what}" for who in ("here", "DESeq2") for what in
             ("> 0.1", f"> {NEAR_MODE}", "farthest")), "here from DESeq2"]  # fmt: skip
# A gene has gone on to the mode if it is there, and this far from R, in posterior standard deviations.
MOVED = 1e-3
FLAT_LFC = ["coefficients (quasi-Newton)", "log2FoldChange (quasi-Newton)"]
SETS = ("padj < alpha", "filter threshold", "classes", "missing")
COLUMNS = ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")


def measured(run: runs.Run) -> Found:
    """Fit one data set and compare everything."""
    return [(quantity, quantity.measure(run)) for quantity in catalogue.quantities(run.truth.name)]


def number(value: float) -> str:
    """Write a difference with two digits."""
    return "0" if value == 0 else f"{value:.1e}"


def cell(found: Iterable[Comparison], *, worst: bool = False) -> str:
    """Write the largest difference, bold where it is beyond the target."""
    found = list(found)
    if not found:
        return "-"
    top = max(found, key=lambda one: one.largest)
    text = number(top.largest) + (f" {top.worst}" if worst and top.worst else "")
    if any(len(one.beyond) for one in found):
        text = f"**{text}**"
    return text if all(one.same_missing for one in found) else f"{text} **missing values differ**"


def agreement(found: Iterable[Comparison]) -> str:
    """Write whether classes, sets or missing values are identical."""
    different = sum(len(one.beyond) + len(one.missing_here) + len(one.missing_there) for one in found)
    return "identical" if different == 0 else f"**{different} differ**"


def table(head: list[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Write a Markdown table."""
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows)]


def summary(found: dict[str, Found], kind: str) -> list[str]:
    """Write the largest differences of one kind of genes by data set."""
    lines = []
    for name, every in found.items():
        ones = [(quantity, one) for quantity, one in every if quantity.kind == kind]
        if not ones:
            continue
        cells = [cell(one for quantity, one in ones if quantity.group in group) for group in GROUPS.values()]
        if kind == "quasi-Newton":
            rest = ["standard errors", "lfcSE", "stat", "pvalue", "padj", "LRT", "cooks"]
            cells = [cell(one for quantity, one in ones if quantity.group in FLAT_LFC)]
            cells += [
                cell(one for quantity, one in ones if quantity.group in GROUPS.get(key, [key])) for key in rest[1:]
            ]
        if kind == "ordinary":
            cells.append(agreement(one for quantity, one in every if quantity.group in SETS))
            cells.append(agreement([one for _, one in every if not one.same_missing]))
        lines.append([name, *cells])
    heads = {
        "ordinary": [*GROUPS, "sets, classes, thresholds", "missing values"],
        "rounding": list(GROUPS),
        "quasi-Newton": ["log2FoldChange (absolute)", "lfcSE", "stat", "pvalue", "padj", "LRT", "cooks"],
    }
    return table(["data set", *heads[kind]], lines)


def made_from(found: dict[str, Found]) -> list[str]:
    """Write the largest differences of what is made from the fits, ordinary genes."""
    lines = []
    for name, every in found.items():
        ones = [(quantity, one) for quantity, one in every if quantity.kind == "ordinary"]
        cells = [cell(one for quantity, one in ones if quantity.group in group) for group in DERIVED.values()]
        if set(cells) != {"-"}:
            lines.append([name, *cells])
    return table(["data set", *DERIVED], lines)


def ends(run: runs.Run) -> list[object]:
    """Return how many genes apeglm shrinks, how many go on to the mode, and how far from it and from R they end."""
    here, mode = (derived.shrunken(run, "apeglm", **options) for options in ({}, {"converge": True}))
    there = run.truth.tables["shrink_apeglm"]
    lfc, end, highest = (frame["log2FoldChange"] for frame in (there, here, mode))
    known = (lfc.notna() & highest.notna()).to_numpy() & (there["lfcSE"] > 0).to_numpy()
    far = [(np.abs(one - highest) / mode["lfcSE"])[known] for one in (end, lfc)]
    cells: list[object] = [known.sum(), ((end == highest) & ((end - lfc).abs() > MOVED * mode["lfcSE"]))[known].sum()]
    for one in far:
        cells += [*((one > limit).sum() for limit in (0.1, NEAR_MODE)), f"{one.max():.2g}"]
    return [*cells, f"{(np.abs(end - lfc) / mode['lfcSE'])[known].max():.1e}"]


def genes_beyond(found: dict[str, Found], kind: str, groups: Iterable[str]) -> list[list[str]]:
    """Return data set, kind, gene and largest difference in some groups, of the genes of a kind beyond the target."""
    rows = []
    for name, every in found.items():
        worst: dict[str, float] = {}
        for quantity, one in every:
            if quantity.kind == kind and quantity.group in groups:
                for gene, value in one.beyond.items():
                    worst[str(gene)] = max(value, worst.get(str(gene), 0.0))
        ranked = sorted(worst.items(), key=lambda pair: -pair[1])
        rows += [[name, kind, gene, f"{value:.1e}"] for gene, value in ranked]
    return rows


def most_of_each(rows: list[list[str]]) -> list[str]:
    """Write how many genes of each data set there are, and the first, which is the worst."""
    by_name: dict[str, list[list[str]]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).append(row)
    return table(
        ["data set", "genes", "largest", "worst"],
        ([name, len(ones), ones[0][3], ones[0][2]] for name, ones in by_name.items()),
    )


def looser(found: dict[str, Found]) -> list[str]:
    """Write the ordinary genes that are held to a looser tolerance: the worst case of each reason and tolerance."""
    worst: dict[tuple[str, float], tuple[float, str, str]] = {}
    counts: Counter[tuple[str, float]] = Counter()
    for name, every in found.items():
        for quantity, one in every:
            if quantity.kind == "ordinary" and one.passed and len(one.beyond):
                key = one.reason, one.tolerance.value
                counts[key] += len(one.beyond)
                worst[key] = max(worst.get(key, (0.0, "", "")), (one.largest, name, f"{one.quantity}, {one.worst}"))
    rows = [
        [reason, f"{held:g}", counts[reason, held], number(largest), name, where]
        for (reason, held), (largest, name, where) in worst.items()
    ]
    return table(["reason", "held to", "numbers beyond the target", "largest", "data set", "worst"], rows)


def failures(name: str, every: Found) -> list[str]:
    """Write what is outside the asserted tolerance: genes over all quantities, and missing values one by one."""
    lines = []
    for kind in KINDS:
        ones = [one for quantity, one in every if quantity.kind == kind and len(one.outside)]
        if not ones:
            continue
        worst: dict[str, float] = {}
        for one in ones:
            for label, value in one.outside.items():
                worst[str(label)] = max(value, worst.get(str(label), 0.0))
        ranked = sorted(worst.items(), key=lambda pair: -pair[1])
        labels = ", ".join(f"{label} {value:.1e}" for label, value in ranked[:20])
        more = f" and {len(ranked) - 20} more" if len(ranked) > 20 else ""
        what = ", ".join(sorted({one.quantity.split(": ")[-1] for one in ones}))
        lines.append(f"- {name} ({kind}): {labels}{more} in {what}")
    lines += [f"- {name}: {one.message()}" for _, one in every if not one.same_missing]
    return lines


def shortfalls(found: dict[str, Found], genes: list[list[str]]) -> list[str]:
    """Write what is beyond the target: how many genes, the worst of them, and the reason."""
    lines = []
    for title, kind in (
        ("Genes decided by rounding, with the largest relative difference of a dispersion:", "rounding"),
        ("Quasi-Newton genes, with the largest absolute difference of a log fold change:", "quasi-Newton"),
    ):
        some = [row for row in genes if row[1] == kind]
        lines += [title, "", *(most_of_each(some) if some else ["- none"]), ""]
    lines += ["Ordinary genes held to a looser tolerance:", "", *looser(found), ""]
    lines += ["Outside the tolerance that is asserted:", ""]
    failed = [line for name, every in found.items() for line in failures(name, every)]
    if any("(quasi-Newton)" in line for line in failed):
        lines += [AT_BOUNDS, ""]
    lines += failed or ["- none"]
    return lines


QUANTITIES_HEAD = ["data set", "quantity", "genes", "target", "asserted", "number", "largest", "worst",
                   "beyond target", "missing values"]  # fmt: skip
TABLES_HEAD = ["data set", "table", *COLUMNS, "decided by rounding", "quasi-Newton", "padj < alpha", "threshold"]
GENES_HEAD = ["data set", "decided by", "gene", "largest"]


def quantity_rows(name: str, found: Found) -> list[list[object]]:
    """Return a row for each quantity of a data set."""
    return [
        [
            name,
            one.quantity,
            quantity.kind,
            f"{one.target.value:g}",
            f"{one.tolerance.value:g} {one.scale}",
            one.compared,
            number(one.largest),
            one.worst or "-",
            len(one.beyond) or "-",
            "same" if one.same_missing else f"{len(one.missing_here)} here, {len(one.missing_there)} there",
        ]
        for quantity, one in found
        if ": " not in quantity.name
    ]


def table_rows(data_set: str, found: Found) -> list[list[object]]:
    """Return a row for each table of results of a data set."""
    by_table: dict[str, list[tuple[Quantity, Comparison]]] = {}
    for quantity, one in found:
        name, separator, _ = quantity.name.partition(": ")
        if separator:
            by_table.setdefault(name, []).append((quantity, one))
    rows: list[list[object]] = []
    for name, ones in by_table.items():

        def pick(kind: str, columns: Iterable[str], ones: Found = ones, name: str = name) -> str:
            wanted = {f"{name}: {column}" for column in columns}
            return cell((o for q, o in ones if q.kind == kind and q.name in wanted), worst=kind == "ordinary")

        cells = [pick("ordinary", [column]) for column in COLUMNS]
        cells += [pick(kind, COLUMNS) for kind in ("rounding", "quasi-Newton")]
        cells += [agreement(one for quantity, one in ones if quantity.group == group) for group in SETS[:2]]
        rows.append([data_set, name, *(text.replace("**", "") for text in cells)])
    return rows


def data_sets(names: Iterable[str]) -> list[str]:
    """Write the data sets with their designs and sizes."""
    rows = []
    for name in names:
        truth = reference.load(name)
        rows.append([name, f"`{truth.formula}`", f"{len(truth.counts):,}", len(truth.samples), len(truth.coefficients)])
    return table(["data set", "design", "genes", "samples", "coefficients"], rows)


def document(names: Iterable[str]) -> tuple[str, dict[str, list[list[object]]]]:
    """Fit the data sets; return the document, and the rows of the CSV files by their names."""
    found, jumping, ended = {}, {}, {}
    for name in names:
        print(name, file=sys.stderr, flush=True)
        run = runs.Run(name)
        found[name] = measured(run)
        if "shrink_apeglm" in run.truth.tables:
            ended[name] = ends(run)
        if genes := reference.jumping_genes(name):
            jumping[f"{name} ({', '.join(genes)})"] = measured(runs.Run(name, as_given=True))
    orders = {record["orders"] for record in reference.rounding().values() if isinstance(record, dict)}
    head = HEAD.format(
        version=reference.load("pasilla").info["package"],
        se=SE_FRACTION,
        stat=FLOORS["stat"],
        cooks=FLOORS["cooks"],
        rounding=KINDS["rounding"][0].value,
        flat=KINDS["quasi-Newton"][0].value,
        moves=quantities.TREND_MOVES,
        moved=MOVED_TREND.value,
        amplified=AMPLIFIED.value,
        orders=f"{min(orders)} to {max(orders)}",
    )
    lines = [head, "## Ordinary genes", "", *summary(found, "ordinary")]
    lines += [
        "",
        "## Shrinkage, transformations, iterated size factors",
        "",
        SHRUNKEN.format(near=NEAR_MODE),
        *made_from(found),
    ]
    lines += ["", ENDS.format(near=NEAR_MODE), *table(ENDS_HEAD, ([name, *cells] for name, cells in ended.items()))]
    lines += ["", "## Checked in other tests", "", *table(["what", "where", "agrees to"], ELSEWHERE), "", NOTE]
    lines += ["", "## Genes decided by rounding", "", *summary(found, "rounding")]
    if jumping:
        lines += ["", JUMPING, *summary(jumping, "ordinary")]
    lines += ["", "## Quasi-Newton genes", "", *summary(found, "quasi-Newton")]
    genes = [
        *genes_beyond(found, "rounding", ("dispGeneEst", "dispersion")),
        *genes_beyond(found, "quasi-Newton", FLAT_LFC),
    ]
    lines += ["", "## Beyond the target", "", *shortfalls(found, genes), "", "## Data sets", "", *data_sets(found)]
    files = {
        "quantities": [QUANTITIES_HEAD, *(row for name, every in found.items() for row in quantity_rows(name, every))],
        "tables": [TABLES_HEAD, *(row for name, every in found.items() for row in table_rows(name, every))],
        "genes": [GENES_HEAD, *genes],
    }
    return "\n".join(lines) + "\n", files


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
    text, files = document(options.names or reference.NAMES)
    if options.write is None:
        print(text)
        return
    write(options.write, text)
    folder = options.write.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        content = io.StringIO()
        csv.writer(content, lineterminator="\n").writerows(rows)
        write(folder / f"{name}.csv", content.getvalue())


if __name__ == "__main__":
    main()
