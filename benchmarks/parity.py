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

import catalogue
import derived
import numpy as np
import quantities
import reference
import runs
from comparison import AMPLIFIED, FLOORS, MOVED_TREND, SE_FRACTION, Comparison
from quantities import KINDS, Quantity

from countnest.kernels.r_search.apeglm import NEAR_MODE

Found = list[tuple[Quantity, Comparison]]

HEAD = """# Parity with DESeq2

Made by `python benchmarks/parity.py --write docs/parity.md` from the reference numbers in `tests/parity/data`
(DESeq2 {version}). `tests/parity` asserts it, but for what the end of "Beyond the target" lists.

A difference is `|here - DESeq2| / max(|DESeq2|, floor)`, the largest over all genes that have a number on both sides.
The floor is {se:g} of its standard error for a log fold change, so {stat:g} for a Wald statistic; {cooks:g} for a
Cook's distance; none elsewhere. P-values are compared by their logarithms: `|log here - log DESeq2| /
max(|log DESeq2|, 1)`. Where values are missing is compared first. **Bold** is beyond the target.

The four studies were fitted with a model matrix and without replacement of outliers, the twelve cases with the formula
and every default. `dispGeneEst` is compared where it is above 1e-6 on either side. A filter threshold is taken from the
missing values of DESeq2's `padj`; the size of padj is compared with the kind of the gene that it stems from in the
Benjamini-Hochberg adjustment.

Three kinds of genes are told apart:

- *ordinary* genes;
- genes *decided by rounding*: their dispersion moves in DESeq2 itself when nothing changes but the order of the
  samples (`tests/parity/rounding.R`: {orders} orders). The line search compares log posteriors that agree to
  the last bit, and the means that go into them come from sums. They are held to {rounding:g}. Where the trend moves by
  more than {moves:g} with them, the ordinary genes are held to {moved:g};
- *quasi-Newton* genes: their IRLS did not converge in DESeq2 (`betaIter` is 100), and R's `optim` decided. Over a range
  of coefficients their likelihoods agree to ten digits. Fold changes are compared as absolute differences, and held to
  {flat:g}; their Cook's distances, squared residuals over a robust variance, to {amplified:g}. Genes fitted again after
  replacement of outliers count here for Cook's distances, which come from their first fit. Where `optim` stopped more
  than 0.0006 standard errors short of the maximum, the search goes on here (docs/r_differences.md): among these data
  sets for Cook's distances of 18 genes of replace_batch_32, and for nothing else.

Genes fitted again have normal p-values in DESeq2 with `useT`, and p-values from the t distribution here
(docs/r_differences.md): their p-values in `results_useT`, and its padj where there are such genes, are not compared.
"""

SHRUNKEN = """Shrunken fold changes and their posterior standard deviations, the larger difference of both; s-values for
a threshold of 1 and transformed counts (1,000 genes) as absolute differences; size factors with `type="iterate"`.

- *apeglm*: by default the search for the posterior mode takes R's steps and ends where R's ends, unless Newton's method
  would go on from there by more than {near} posterior standard deviations; then it goes on to the highest mode. The
  next table tells how far from it the ends are. `converge=True` always goes on. Where the search ends is decided by the
  ninth digit of the dispersion in designs with many coefficients: with DESeq2's own dispersions the worst differences
  are 2.5e-5 (study48) and 2.2e-4 (nested_unbalanced_22) of a standard error.
- *ashr*: the weights of the mixture maximise the likelihood here. R's fall short of the maximum: the likelihood here is
  higher in all fifteen data sets, and the posterior formulas agree to rounding with R's weights. In sparse_poscounts_30
  two components explain the data almost equally well. Genes without counts are missing here
  (docs/r_differences.md).
- *normal*: `tests/parity/test_normal_prior.py` has more, `beta_prior=True` included.
"""

ENDS = """Where the search of apeglm ends, in posterior standard deviations from the highest mode, genes of every kind.
With large counts the search ends before the mode: when the objective changes by less than a hundred-millionth of its
size. Where the maximum of the likelihood is far from zero and poorly determined, the posterior has two modes, and the
search, R's too, may end at the lower one. Only such genes are farther than {near} from the highest mode: in
two_group_12 they have one count near a million among small ones, in airway two of the four are separated, and in
sparse_poscounts_30 the prior is narrow, and the standard deviation at the mode near zero a thousandth.
"""

ELSEWHERE = (
    ("apeglm of a contrast, and after the relevelling that makes it a coefficient", "unit/api/test_shrinkage", "1e-6"),
    ("results after `save` and `load`", "unit/api/test_saving", "every bit"),
    ("`beta_prior=True`, standard and expanded, `add_mle`, refits, thresholds", "parity/test_normal_prior", "1e-8"),
    ("options of the size factors, normalization matrices, transcript lengths", "unit/api/test_normalization", "1e-12"),
    ("transformations with every trend, frozen, with factors (1)", "unit/api/test_transformations", "1e-8"),
    ("`greaterAbsUPSHOT`, against its integral", "unit/stats/test_wald", "1e-12"),
    ("sets of genes called in simulations: [error_rates.md](error_rates.md)", "benchmarks/error_rates.py", "identical"),
)
NOTE = """(1) With a local trend 4e-8, as the trend itself; but for genes on which the IRLS of rlog does not converge in
R (docs/r_differences.md)."""

JUMPING = """In some data sets the gene-wise dispersion of a gene jumps with the order of the samples, from near the
floor to an ordinary value or back. That moves the trend and with it every gene, in DESeq2 too. There the gene-wise
dispersion of this gene is taken from DESeq2, in all tables but this one, which has the ordinary genes without that:
"""

AT_BOUNDS = """The search of these quasi-Newton genes meets the bounds, +-30, where R's L-BFGS-B (the method of 1995)
truncates the subspace step and SciPy's (version 3.0) projects it onto the box. The log-likelihoods agree to 1e-5.
Other genes are here with adjusted p-values that stem from such a gene, or were ranked beside it."""

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


def genes_beyond(every: Found, kind: str, groups: Iterable[str]) -> str:
    """Name the genes of a kind beyond the target, with their largest difference in some groups."""
    worst: dict[str, float] = {}
    for quantity, one in every:
        if quantity.kind == kind and quantity.group in groups:
            for gene, value in one.beyond.items():
                worst[str(gene)] = max(value, worst.get(str(gene), 0.0))
    ranked = sorted(worst.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{gene} {value:.1e}" for gene, value in ranked)


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


def shortfalls(found: dict[str, Found]) -> list[str]:
    """List what is beyond the target, with the genes and the reason."""
    lines = ["Genes decided by rounding, with the largest relative difference of a dispersion:", ""]
    dispersions = ("dispGeneEst", "dispersion")
    named = {name: genes_beyond(every, "rounding", dispersions) for name, every in found.items()}
    lines += [f"- {name}: {genes}" for name, genes in named.items() if genes] or ["- none"]
    lines += ["", "Quasi-Newton genes, with the largest absolute difference of a log fold change:", ""]
    named = {name: genes_beyond(every, "quasi-Newton", FLAT_LFC) for name, every in found.items()}
    lines += [f"- {name}: {genes}" for name, genes in named.items() if genes] or ["- none"]
    lines += ["", "Ordinary genes held to a looser tolerance:", ""]
    lines += [
        f"- {name}: {one.message(beyond=True)}. Held to {one.tolerance.value:g}: {one.reason}"
        for name, every in found.items()
        for quantity, one in every
        if quantity.kind == "ordinary" and one.passed and len(one.beyond)
    ] or ["- none"]
    lines += ["", "Outside the tolerance that is asserted:", ""]
    failed = [line for name, every in found.items() for line in failures(name, every)]
    if any("(quasi-Newton)" in line for line in failed):
        lines += [AT_BOUNDS, ""]
    lines += failed or ["- none"]
    return lines


def details(found: Found) -> list[str]:
    """Write the tables of one data set: one row for each quantity, one for each results table."""
    rows = (
        [
            one.quantity,
            quantity.kind,
            f"{one.target.value:g}",
            f"{one.tolerance.value:g} {one.scale}",
            one.compared,
            number(one.largest),
            one.worst or "-",
            len(one.beyond) or "-",
            "same" if one.same_missing else f"**{len(one.missing_here)} here, {len(one.missing_there)} there**",
        ]
        for quantity, one in found
        if ": " not in quantity.name
    )
    head = ["quantity", "genes", "target", "asserted", "number", "largest", "worst", "beyond target", "missing values"]
    lines = table(head, rows)
    by_table: dict[str, list[tuple[Quantity, Comparison]]] = {}
    for quantity, one in found:
        name, separator, _ = quantity.name.partition(": ")
        if separator:
            by_table.setdefault(name, []).append((quantity, one))
    rows = []
    for name, ones in by_table.items():

        def pick(kind: str, columns: Iterable[str], ones: Found = ones, name: str = name) -> str:
            wanted = {f"{name}: {column}" for column in columns}
            return cell((o for q, o in ones if q.kind == kind and q.name in wanted), worst=kind == "ordinary")

        cells = [pick("ordinary", [column]) for column in COLUMNS]
        cells += [pick(kind, COLUMNS) for kind in ("rounding", "quasi-Newton")]
        sets = agreement(one for quantity, one in ones if quantity.group == "padj < alpha")
        threshold = agreement(one for quantity, one in ones if quantity.group == "filter threshold")
        rows.append([f"`{name}`", *cells, sets, threshold])
    head = ["table", *COLUMNS, "decided by rounding", "quasi-Newton", "padj < alpha", "threshold"]
    return [*lines, "", *table(head, rows)]


def document(names: Iterable[str]) -> str:
    """Fit the data sets and return the whole document."""
    found, jumping, ended = {}, {}, {}
    for name in names:
        print(name, file=sys.stderr, flush=True)
        run = runs.Run(name)
        found[name] = measured(run)
        if "shrink_apeglm" in run.truth.tables:
            ended[name] = ends(run)
        if genes := reference.jumping_genes(name):
            jumping[f"{name} ({', '.join(genes)})"] = measured(runs.Run(name, end_to_end=True))
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
