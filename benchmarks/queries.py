"""Measure designs and questions: columns against R's, answers against DESeq2's, spellings, null rejections, time.

Usage: python benchmarks/queries.py [--write docs/queries.md]

Without --write the report is printed. The questions are those of tests/parity.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))

import numpy as np
import pandas as pd
import reference
import test_formulas
import test_queries
import test_query_numbers as asked
from comparison import SAME_ALGORITHM, SAME_OPTIMUM
from runs import Run

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.design.build import choose_coding
from countnest.errors import CountnestWarning, StratumError

COLUMNS = ("log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
TIMED_GENES, TIMED_QUERIES = 20_000, 20

HEAD = """# Designs and questions, measured

Made by `python benchmarks/queries.py --write docs/queries.md`. `tests/parity/test_formulas.py`, `test_queries.py` and
`test_query_numbers.py` assert the numbers that have no clock in them. `study48` has 24 families within the four levels
of `treat1`, and `treat2` within families; `study94` has 24 families within `father` x `mother`, and `treat2` x `treat3`
within families. The reference numbers are DESeq2's (1.47.1).
"""

TIMER = """
import os, sys, time, warnings
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import countnest as cn
warnings.simplefilter("ignore")
genes, queries = int(sys.argv[2]), int(sys.argv[3])
def fitted(n):
    study = cn.simulate.nested(genes=n, rng=1)
    dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
    start, worked = time.perf_counter(), time.process_time()
    cn.DESeq(dds, quiet=True)
    return dds, (time.perf_counter() - start, time.process_time() - worked)
def clock(ask):
    start, worked = time.perf_counter(), time.process_time()
    ask()
    print(time.perf_counter() - start, time.process_time() - worked)
def everything(dds):
    effects = dds.effect("treat2", by="treat1")
    pairwise = dds.interaction(treat2="reference", treat1="pairwise")
    deviation = dds.interaction(treat2="reference", treat1="deviation")
    helmert = dds.interaction(treat2="reference", treat1="helmert")
    average = dds.effect("treat2")
    more = [effects["A"] + effects["B"], effects["C"] + effects["D"]]
    rows = [query[i] for query in (effects, pairwise, deviation, helmert) for i in range(len(query))] + [average, *more]
    return rows[:queries]
for n in (600, genes):
    dds, seconds = fitted(n)
    if n == genes:
        print(len(everything(dds)), len(os.sched_getaffinity(0)))
        print(*seconds)
        break
    for query in everything(dds)[:2]:
        query.test()
    dds.effect("treat2", by="treat1").joint().test()
    dds.effect("treat2", by="treat1").joint().test(kind="lrt")
clock(lambda: [query.test() for query in everything(dds)])
clock(lambda: dds.interaction(treat2="reference", treat1="pairwise").test())
clock(lambda: dds.interaction(treat2="reference", treat1="reference").joint().test())
clock(lambda: dds.interaction(treat2="reference", treat1="reference").joint().test(kind="lrt"))
clock(lambda: dds.interaction(treat2="reference", treat1="reference").test(stagewise=True))
"""


def table(head: list[str], rows: list[list[object]]) -> list[str]:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def percent(share: float) -> str:
    """Return '99.93 %'."""
    return f"{100 * share:.2f} %"


def size(value: float) -> str:
    """Return '2.8e-06', or '0'."""
    return f"{value:.1e}" if value else "0"


# ---- designs ----


def formulas() -> list[str]:
    """Compare the model matrices of the formulas with R's."""
    entries = test_formulas.load("model_matrices.json.gz")
    sheet = pd.read_csv(test_formulas.FOLDER / "samples.csv")
    same, largest = 0, 0.0
    used = {"r": 0, "R's columns are dependent": 0, "R's columns span less than the formula says": 0}
    for entry in entries:
        ours, full_rank = test_formulas.code(entry["formula"], sheet)
        expected = test_formulas.values_of(entry)
        names_agree = ours.columns == tuple(entry["columns"])
        off = np.abs(ours.matrix - expected).max(initial=0.0) if names_agree else np.inf
        same += off <= test_formulas.IDENTICAL
        largest = max(largest, off)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CountnestWarning)
            _, coding, _ = choose_coding(ours, full_rank)
        dependent = entry["rank"] < len(entry["columns"])
        used["r" if coding == "r" else list(used)[1 if dependent else 2]] += 1
    rows = [
        [f"R's columns computed here: names, order, values ({len(entries):,} formulas)", f"{same:,} identical"],
        ["largest difference of a value", size(largest)],
        ["fitted with R's columns", used.pop("r")],
        *([f"fitted with columns of full rank, with a warning: {why}", number] for why, number in used.items()),
    ]
    return ["## Columns", "", *table(["1,376 random formulas", "number"], rows)]


def worked_vectors() -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Return study, question, vector and expected vector, for all spellings and codings."""
    sheet, names = test_queries.study48(), (*test_queries.SPELLINGS48, test_queries.RECODED48)
    designs = {name: test_queries.build(name, sheet) for name in names}
    codings = [designs[f] for f in (test_queries.NESTED48, test_queries.RECODED48, test_queries.SPELLINGS48[1])]
    for label, ask, nested, simple in test_queries.WITHIN48:
        for spelling in test_queries.SPELLINGS48:
            for coding, weights in zip(codings, (nested, nested, simple), strict=True):
                expected = np.zeros((len(weights), 28))
                expected[:, 24:] = weights
                yield "study48", label, ask(designs[spelling]).vector(coding), expected
    for label, ask, nested, simple in test_queries.BETWEEN48:
        n = {"treat1B": 1.0} | {f"treat1{g}:ind{i}": w for g, w in (("A", -1 / 6), ("B", 1 / 6)) for i in range(2, 7)}
        r = {f"family{i:02d}": -1 / 6 for i in range(2, 7)} | {f"family{i:02d}": 1 / 6 for i in range(7, 13)}
        for spelling in test_queries.SPELLINGS48:
            for coding, weights, added in zip(codings, (n, r, r), (nested, nested, simple), strict=True):
                expected = test_queries.in_order(coding, weights)
                expected[24:] = added
                yield "study48", label, ask(designs[spelling]).vector(coding), expected[None, :]
    sheet = test_queries.study94()
    formulas94 = (test_queries.SIMPLE94, test_queries.NESTED94, test_queries.RECODED94)
    designs = {f: test_queries.build(f, sheet) for f in formulas94}
    for label, ask, simple, nested in test_queries.QUERIES94:
        recoded = {recoded_name(name): weight for name, weight in nested.items()}
        for spelling in formulas94[:2]:
            for formula, weights in zip(formulas94, (simple, nested, recoded), strict=True):
                expected = test_queries.in_order(designs[formula], weights)
                yield "study94", label, ask(designs[spelling]).vector(designs[formula]), expected[None, :]


def recoded_name(name: str) -> str:
    """Return the hand-made column 'yes.no.EH' for 'fatheryes:motherno:treat2E:treat3H'."""
    father, mother, rest = name.replace("father", "").replace("mother", "").split(":", 2)
    return f"{father}.{mother}.{'EH' if ':' in rest else 'E'}"


def vectors() -> list[str]:
    """Compare the vectors of the worked-out questions."""
    found = [(study, label, np.abs(vector - expected).max()) for study, label, vector, expected in worked_vectors()]
    rows = []
    for study, spellings in (("study48", len(test_queries.SPELLINGS48)), ("study94", 2)):
        here = [(label, off) for name, label, off in found if name == study]
        questions = len(dict(here))
        rows.append([study, questions, spellings, 3, len(here), size(max(off for _, off in here))])
    head = ["study", "questions", "spellings of the model", "codings", "vectors", "largest difference"]
    text = [
        "## Vectors of the questions",
        "",
        "Against those worked out by hand. Weights within 1e-12 of a simple fraction are rounded to it.",
        "",
    ]
    return [*text, *table(head, rows)]


# ---- answers ----


def against_deseq2(runs: dict[str, Run], fits: dict[str, dict[str, object]]) -> list[str]:
    """Compare answers with DESeq2's tables."""
    rows, sets = [], []
    for name, run in runs.items():
        dds, truth = fits[name][asked.SPELLINGS[name][0]], run.truth
        found: dict[str, list] = {column: [] for column in COLUMNS}
        for each, (query, options) in asked.ASKED[name].items():
            ours, theirs = query(dds).test(**options).table, truth.tables[each]
            for column in COLUMNS:
                found[column].append(asked.column(column, ours, theirs))
            level = options.get("alpha", 0.1)
            sets.append(int(((ours["padj"] < level) != (theirs["padj"] < level)).sum()))
        for column, parts in found.items():
            beyond = sum(len(part.beyond) for part in parts) / sum(part.compared for part in parts)
            known = sorted(reference.movements(name))
            ordinary = [part.beyond.drop(index=known, errors="ignore") for part in parts]
            largest = max((float(part.max()) for part in ordinary if len(part)), default=0.0)
            missing = all(part.same_missing for part in parts)
            worst = max(part.largest for part in parts)
            rows.append([
                name, len(parts), column, size(worst), size(largest) if largest else "none", percent(beyond),
                "same" if missing else "differ",
            ])  # fmt: skip
        coefficients = truth.genes[truth.coefficients]
        off = [asked.distance_from_deseq2(query, coefficients) for _, query in asked.every_question(name, dds)]
        rows.append([
            name, len(off), "log2FoldChange of every worked-out question, against C beta of DESeq2",
            size(max(each.max() for each in off)), "", percent(np.mean([each > SAME_ALGORITHM.value for each in off])),
            "same",
        ])  # fmt: skip
    text = [
        "## Answers against DESeq2",
        "",
        "Relative differences; of p-values, of their logarithms. A fold change below a tenth of its standard error is",
        "taken relative to that. *Known for rounding*: the dispersion of these genes moves in DESeq2 itself when the",
        "samples come in another order (docs/parity.md).",
        "",
    ]
    head = ["study", "tables", "column", "largest difference", "largest beyond 1e-8, not known for rounding",
            "beyond 1e-8", "missing values"]  # fmt: skip
    total = f"Genes in one set of padj < alpha only, over {len(sets)} tables: {sum(sets)}."
    return [*text, *table(head, rows), total, ""]


def ratio(runs: dict[str, Run], fits: dict[str, dict[str, object]]) -> list[str]:
    """Compare likelihood ratio tests: with DESeq2, and from the null space with those of reduced formulas."""
    rows = []
    for name, run in runs.items():
        query, reduced = asked.RATIO[name]
        first = asked.SPELLINGS[name][0]
        truth = run.truth.tables["results_lrt"]
        formula = run.fitted(first, test="LRT", reduced=reduced[0]).results().table
        question = query(fits[name][first]).joint().test(kind="lrt").table
        rows.append([name, first, f"`{reduced[0]}`, DESeq2", "reduced formula", *ratio_columns(formula, truth)])
        rows.append([name, first, f"`{reduced[0]}`, DESeq2", "question", *ratio_columns(question, truth)])
        for spelling, dds in fits[name].items():
            question = query(dds).joint().test(kind="lrt").table
            for each in reduced:
                other = asked.ratio_table(dds, each)
                rows.append([name, spelling, f"`{each}`, here", "question", *ratio_columns(question, other)])
    head = ["study", "full model", "against", "asked by", "stat: largest", "beyond 1e-8", "beyond 1e-6",
            "p: largest", "sets at 0.1"]  # fmt: skip
    rows = [[row[0], f"`{row[1]}`" if len(row[1]) < 45 else "nested", *row[2:]] for row in rows]
    return ["## Likelihood ratio tests", "", "Relative differences, of p-values those of their logarithms.", "",
            *table(head, rows)]  # fmt: skip


def ratio_columns(ours: pd.DataFrame, theirs: pd.DataFrame) -> list[str]:
    """Return differences of two likelihood ratio tests."""
    near, far = (asked.column("stat", ours, theirs, target=target) for target in (SAME_ALGORITHM, SAME_OPTIMUM))
    p = asked.column("pvalue", ours, theirs)
    same = ((ours["padj"] < 0.1) == (theirs["padj"] < 0.1)).all()
    return [size(near.largest), percent(1 - asked.share_within(near)), percent(1 - asked.share_within(far)),
            size(p.largest), "identical" if same else "differ"]  # fmt: skip


def spellings(runs: dict[str, Run], fits: dict[str, dict[str, object]]) -> list[str]:
    """Compare the answers of other spellings of a model, with the ridge penalty of the fit and without."""
    text = [
        "## Spellings of one model",
        "",
        "Against the nested spelling: differences of fold changes in standard errors, the largest over the rows of a",
        "question. The ridge penalty of the fit, 1e-6 on the log2 scale as in DESeq2, acts on the coefficients, so on",
        "something else in each spelling; it may make a gene stop an iteration earlier. The second table has a penalty",
        "of 1e-12 instead: nothing else tells the spellings apart.",
        "",
    ]
    text += spelling_table(fits)
    with asked.without_ridge():
        bare = {name: {f: run.fitted(f) for f in asked.SPELLINGS[name]} for name, run in runs.items()}
        text += spelling_table(bare)
        off = []
        for name, of_spelling in bare.items():
            query, reduced = asked.RATIO[name]
            for dds in of_spelling.values():
                question = query(dds).joint().test(kind="lrt").table
                off += [asked.column("stat", question, asked.ratio_table(dds, each)).largest for each in reduced]
    last = "Without the penalty, likelihood ratio statistics of the questions and of the reduced formulas of the last"
    return [*text, last, f"section differ by {size(max(off))} at most, relative.", ""]


def spelling_table(fits: dict[str, dict[str, object]]) -> list[str]:
    """Compare every spelling with the nested one."""
    rows = []
    for name, formula, question in asked.RECODED:
        first, second = fits[name][asked.SPELLINGS[name][0]], fits[name][formula]
        one, other = (asked.QUESTIONS[name][question](dds).test() for dds in (first, second))
        off = asked.distance(one, other)
        pairs = [(a.table, b.table) for a, b in zip(asked.parts(one), asked.parts(other), strict=True)]
        se = max(asked.column("lfcSE", b, a).largest for a, b in pairs)
        sets = sum(int(((a["padj"] < 0.1) != (b["padj"] < 0.1)).sum()) for a, b in pairs)
        moved = int((first.genes["betaIter"] != second.genes["betaIter"]).sum())
        rows.append([f"`{formula}`", question, size(np.median(off)), size(np.quantile(off, 0.99)), size(off.max()),
                     percent(np.mean(off > 1e-6)), percent(np.mean(off > 1e-5)), size(se), moved, sets])  # fmt: skip
    head = ["model", "question", "median", "99 %", "largest", "beyond 1e-6", "beyond 1e-5", "lfcSE, largest relative",
            "genes with other iterations", "genes in one set at 0.1 only"]  # fmt: skip
    return table(head, rows)


# ---- under the null ----


def null_rejections(seeds: tuple[int, ...] = (1, 2, 3)) -> list[str]:
    """Count p < .05 where only families differ."""
    rates: dict[str, list[float]] = {}
    refused = []
    for seed in seeds:
        study = cn.simulate.nested(
            genes=2000, treat1_fraction=0.0, treat2_fraction=0.0, interaction_fraction=0.0, family_sd=0.35, rng=seed
        )
        dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
        cn.DESeq(dds, quiet=True)
        changes = dds.interaction(treat2="reference", treat1="reference")
        for label, row in zip(changes.labels, changes.test().parts.values(), strict=True):
            rates.setdefault(f"within: {label}", []).append(rejected(row))
        for kind in ("wald", "t", "lrt"):
            label = f"within: all three jointly, {kind}"
            rates.setdefault(label, []).append(rejected(changes.joint().test(kind)))
        rates.setdefault("within: treat2[E - None], averaged", []).append(rejected(dds.effect("treat2").test()))
        rates.setdefault("within: treat2[E - None], averaged, t", []).append(rejected(dds.effect("treat2").test("t")))
        between = dds.effect("treat1", levels=("B", "A"))
        refused.append(is_refused(between))
        forced = between.test(allow_fixed_blocks=True)
        rates.setdefault("between: treat1[B - A], forced with allow_fixed_blocks=True", []).append(rejected(forced))
    rows = [[label, *map(percent, found), percent(float(np.mean(found)))] for label, found in rates.items()]
    text = [
        "## Under the null",
        "",
        "2,000 simulated genes each, no effect, families differ with standard deviation 0.35 (natural log): the share",
        f"of genes with p < .05. The comparison between families is refused in {sum(refused)} of {len(seeds)} runs.",
        "",
    ]
    return [*text, *table(["question", *(f"seed {seed}" for seed in seeds), "mean"], rows)]


def rejected(results) -> float:
    """Return the share of the genes with a p-value that have p < .05."""
    p = results.table["pvalue"].dropna()
    return float((p < 0.05).mean())


def is_refused(query: BoundQuery) -> bool:
    """Return whether the question is refused."""
    try:
        query.test()
    except StratumError:
        return True
    return False


# ---- time ----


def times() -> list[str]:
    """Time questions after the fit, on one and two processors."""
    labels = [
        f"{TIMED_QUERIES} questions of one row, each asked and answered",
        "a question of six rows (pairwise interaction)",
        "a joint test of three rows, Wald",
        "a joint test of three rows, likelihood ratio",
        "three rows stage-wise",
    ]
    found = []
    for threads in (1, 2):
        command = [sys.executable, "-c", TIMER, str(threads), str(TIMED_GENES), str(TIMED_QUERIES)]
        quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        lines = subprocess.run(command, capture_output=True, text=True, check=True, env=quiet).stdout.splitlines()
        assert lines[0] == f"{TIMED_QUERIES} {threads}", "as many questions and processors as asked for"
        found.append([tuple(map(float, line.split())) for line in lines[1:]])
    cells = [[f"{seconds:.2f}" for run in found for seconds in run[i]] for i in range(len(labels) + 1)]
    rows = [[label, *row] for label, row in zip(["(the fit)", *labels], cells, strict=True)]
    each = [f"{seconds / TIMED_QUERIES:.3f}" for run in found for seconds in run[1]]
    rows.insert(2, ["the same, for each question", *each])
    head = [f"{TIMED_GENES:,} genes x 48 samples, 28 coefficients", "one thread: seconds", "of processor time",
            "two threads: seconds", "of processor time"]  # fmt: skip
    text = [
        "## Time",
        "",
        f"After the fit, on {platform.machine()}, Python {platform.python_version()}, one run each, on a",
        f"machine that was not idle: the load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.",
        "",
    ]
    return [*text, *table(head, rows)]


def report() -> str:
    """Return the measurements as Markdown."""
    runs = {name: Run(name) for name in asked.SPELLINGS}
    fits = {name: {f: run.fitted(f) for f in asked.SPELLINGS[name]} for name, run in runs.items()}
    sections = [formulas(), vectors(), against_deseq2(runs, fits), ratio(runs, fits), spellings(runs, fits),
                null_rejections(), times()]  # fmt: skip
    return "\n".join([HEAD, *(line for section in sections for line in section)]).rstrip() + "\n"


def main() -> None:
    """Print the report, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    text = report()
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
