"""Measure false discovery rates, power and null p-values on simulated studies, beside R's DESeq2 on the same counts.

Usage: python benchmarks/error_rates.py [--out docs/error_rates.md] [--data-sets 20] [--genes 5000] [--skip-r]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import countnest as cn
from countnest.simulate import SimulatedStudy, groups, nested

LEVELS = (0.01, 0.05, 0.1)
NULL_LEVELS = (0.001, 0.01, 0.05)
GROUPS = {"fraction": 0.1, "effect_sd": 0.7}  # of the genes; natural log
NESTED = {"interaction_fraction": 0.1, "interaction_sd": 0.9}
THRESHOLD = 0.5  # log2
Measured = tuple[pd.DataFrame, pd.DataFrame, str]
HERE, THERE = "countnest", "DESeq2"
USE_T, TRUE_ALPHA = "Wald (use_t)", "Wald (true dispersion)"
GREATER, FORMER = (f"Wald (threshold {THRESHOLD}{word})" for word in ("", ", greaterAbs2014"))
IN_R = {"Wald": "Wald", "LRT": "LRT", "threshold": FORMER}  # names in the table that the R script writes

HEAD = """# Error rates

Made by `{command}`: {data_sets} simulated data sets of {genes:,} genes for each design{version}.
All rates are in percent: means over the data sets ± standard errors.

- *Simulation*: `countnest.simulate`, seeds 1 to {data_sets}. A fraction {fraction} of the genes differs between groups,
  by a normal log2 fold change of standard deviation {effect:.1f}; in the nested design {interaction_fraction} have
  interactions, of standard deviation {interaction:.1f}, and treatments and families have effects besides. Counts are
  negative binomial, with the default means, size factors, and dispersions around a trend.
- *Called*: padj < level, with `results(alpha=level)` and else the defaults. A gene without padj is not called.
- *FDR*: the mean of false calls / calls, 0 where there is no call. **Bold**: above its level by more than two standard
  errors; in tables of this size that happens by chance, too.
- *Power*: calls / genes that differ, however little; many of the differences are close to 0.
- *Null p*: how many p-values are below a number where the null hypothesis is true. Bold as for the FDR.
- *True dispersion*: the Wald test with the dispersions that the counts were drawn with, which no study knows.
"""

READING = """## Reading the tables

FDR above its level by more than two standard errors, in countnest:

{above}

Wald and likelihood ratio tests take the shrunken dispersion as if it were known, and compare with a normal or a
chi-square distribution. How far an estimate may be from the truth is not in the p-value; the test with the true
dispersion shows how much of an excess comes from that. `use_t`, and the F test of a joint query, compare with the
residual degrees of freedom, as if the dispersion came from the gene alone and the trend had added nothing. This errs on
the cautious side, and with few samples it costs most of the power. Here the dispersions follow a trend and no count is
an outlier, as the method has it; real studies may be less kind.
"""


@dataclass(frozen=True, slots=True)
class Design:
    """A kind of study and the question that is asked of it."""

    name: str
    question: str
    simulate: Callable[[int, int], SimulatedStudy]  # of a number of genes and a seed
    reduced: str  # of the likelihood ratio test
    contrast: tuple[str, ...]  # coefficients of the Wald test; the second, if there is one, is subtracted
    effect: str  # column of the truth: what the contrast is
    null: str  # column of the truth: the null hypothesis of likelihood ratio and joint tests
    threshold: float = 0.0  # also tested against this log2 fold change, unless 0


def two_groups(size: int, threshold: float = 0.0) -> Design:
    """Return the design of two groups of independent samples."""
    beyond = f" With the threshold: does it differ by a log2 fold change beyond ±{threshold}?" if threshold else ""
    return Design(
        f"{size} v {size}",
        f"`~ group`: does the gene differ between the groups?{beyond}",
        lambda genes, seed: groups(genes=genes, sizes=(size, size), rng=seed, **GROUPS),
        reduced="~ 1",
        contrast=("group_B_vs_A",),
        effect="group[B]",
        null="null_group",
        threshold=threshold,
    )


FAMILIES = Design(
    "Nested",
    "24 families of two, 48 samples; `~ treat1 + treat1:ind + treat1:treat2`: does treat1 change the response to "
    "treat2?\n*Wald* tests ask for the difference between B and A, the other tests for any between the four levels of "
    "treat1 (3 df).",
    lambda genes, seed: nested(genes=genes, rng=seed, **NESTED),
    reduced="~ treat1 + treat1:ind + treat2",
    contrast=("treat1B.treat2E", "treat1A.treat2E"),
    effect="treat1[B]:treat2[E]",
    null="null_interaction",
)
DESIGNS = (two_groups(3), two_groups(6, THRESHOLD), two_groups(12), FAMILIES)


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """P-values (G,), adjusted p-values (G,) at each level, nan where there are none, and true null hypotheses (G,)."""

    pvalue: np.ndarray
    padj: dict[float, np.ndarray]
    null: np.ndarray


def rates(tested: Tested) -> dict[str, float]:
    """Return false discovery proportion and power at each level, and the fractions of small null p-values.

    Without calls the false discovery proportion is 0; without a gene that differs the power is nan.
    """
    null, found = tested.null, {}
    for level, padj in tested.padj.items():
        called = padj < level
        found[f"FDR at {level}"] = (called & null).sum() / max(called.sum(), 1)
        found[f"power at {level}"] = np.nan if null.all() else (called & ~null).sum() / (~null).sum()
    p = tested.pvalue[null & ~np.isnan(tested.pvalue)]
    return found | {f"null p < {level}": (p < level).mean() if len(p) else np.nan for level in NULL_LEVELS}


def difference(ours: Tested, theirs: Tested) -> dict[str, float]:
    """Return what two programs disagree about: genes that one of them calls, missing p-values, logarithms of p."""
    found: dict[str, float] = {}
    for level, padj in ours.padj.items():
        found[f"called at {level}"] = (padj < level).sum()
        found[f"by one only at {level}"] = ((padj < level) != (theirs.padj[level] < level)).sum()
    missing = np.isnan(ours.pvalue) != np.isnan(theirs.pvalue)
    both = ~np.isnan(ours.pvalue + theirs.pvalue)
    one, two = (np.log(np.maximum(tested.pvalue[both], 1e-300)) for tested in (ours, theirs))
    apart = np.abs(one - two) / np.maximum(np.abs(two), 1.0)
    return found | {"p missing in one": missing.sum(), "log p": np.max(apart, initial=0.0)}


def nulls(study: SimulatedStudy, design: Design) -> dict[str, np.ndarray]:
    """Return for each method which genes have a true null hypothesis, shape (G,)."""
    effect = np.abs(study.truth[design.effect].to_numpy()) / np.log(2)
    single = dict.fromkeys(("Wald", USE_T, TRUE_ALPHA), effect == 0)
    beyond = dict.fromkeys((GREATER, FORMER), effect <= design.threshold)
    return single | beyond | dict.fromkeys(("LRT", "joint Wald", "joint F"), study.truth[design.null].to_numpy())


def here(study: SimulatedStudy, design: Design) -> dict[str, Tested]:
    """Test a study with countnest."""

    def fitted(**options) -> cn.DESeqDataSet:
        dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)
        return dds.deseq(quiet=True, **options)

    wald, t, lrt = fitted(), fitted(use_t=True), fitted(test="LRT", reduced=design.reduced)
    known = fitted(min_replicates_for_replace=np.inf)
    dispersions = replace(known._state.dispersions, final=study.truth["alpha"].to_numpy(copy=True))
    known._state = replace(known._state, dispersions=dispersions)
    known.nbinom_wald_test(quiet=True)

    contrast = [[name] for name in design.contrast] + [[]] * (2 - len(design.contrast))
    single = {"Wald": wald, USE_T: t, TRUE_ALPHA: known}
    ask = {method: partial(dds.results, contrast) for method, dds in single.items()} | {"LRT": lrt.results}
    if design is FAMILIES:
        joint = wald.interaction(treat2="reference", treat1="reference").joint()
        ask |= {"joint Wald": joint.test, "joint F": partial(joint.test, "t")}
    if design.threshold:
        beyond = partial(wald.results, contrast, lfc_threshold=design.threshold)
        ask |= {GREATER: beyond, FORMER: partial(beyond, alt_hypothesis="greaterAbs2014")}
    null, found = nulls(study, design), {}
    for method, question in ask.items():
        tables = {level: question(alpha=level).table for level in LEVELS}
        padj = {level: table["padj"].to_numpy(dtype=np.float64) for level, table in tables.items()}
        found[method] = Tested(tables[LEVELS[0]]["pvalue"].to_numpy(dtype=np.float64), padj, null[method])
    return found


def there(studies: dict[int, SimulatedStudy], design: Design) -> tuple[dict[int, dict[str, Tested]], str]:
    """Test studies with R's DESeq2, in one process; also return its version."""
    with tempfile.TemporaryDirectory() as folder:
        for seed, study in studies.items():
            Path(folder, str(seed)).mkdir()
            study.counts.to_csv(f"{folder}/{seed}/counts.csv")
            study.samples.to_csv(f"{folder}/{seed}/samples.csv")
        script = Path(__file__).with_name("error_rates_deseq2.R")
        question = [studies[1].design, design.reduced, ",".join(design.contrast), str(design.threshold)]
        command = ["Rscript", str(script), folder, *question, ",".join(map(str, LEVELS))]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"Rscript failed; --skip-r leaves DESeq2 out.\n{done.stderr}")
        labels = {seed: study.counts.index for seed, study in studies.items()}
        tables = {seed: pd.read_csv(f"{folder}/{seed}/answers.csv", index_col=0).loc[labels[seed]] for seed in studies}
    found: dict[int, dict[str, Tested]] = {seed: {} for seed in studies}
    for seed, table in tables.items():
        null = nulls(studies[seed], design)
        for name in (name for name in IN_R if f"{name}|pvalue" in table):
            padj = {level: table[f"{name}|{level}"].to_numpy() for level in LEVELS}
            found[seed][IN_R[name]] = Tested(table[f"{name}|pvalue"].to_numpy(), padj, null[IN_R[name]])
    return found, done.stdout.strip()


def measure(design: Design, data_sets: int, genes: int, skip_r: bool) -> Measured:
    """Return rates by program, method and seed; differences by method and seed, and DESeq2's version, if it ran."""
    print(design.name, file=sys.stderr, flush=True)
    studies = {seed: design.simulate(genes, seed) for seed in range(1, data_sets + 1)}
    ours = {seed: here(study, design) for seed, study in studies.items()}
    theirs, version = ({}, "") if skip_r else there(studies, design)
    rows, apart = {}, {}
    for program, answers in {HERE: ours, THERE: theirs}.items():
        for seed, by_method in answers.items():
            rows |= {(program, method, seed): rates(tested) for method, tested in by_method.items()}
    for seed, by_method in theirs.items():
        apart |= {(method, seed): difference(ours[seed][method], tested) for method, tested in by_method.items()}
    return pd.DataFrame.from_dict(rows, orient="index"), pd.DataFrame.from_dict(apart, orient="index"), version


def summary(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return means over the data sets, standard errors, and what is above its level by more than two of them."""
    by = rows.groupby(level=[0, 1], sort=False)
    mean, error = by.mean(), by.sem()
    level = pd.Series({name: np.inf if "power" in name else float(name.split()[-1]) for name in mean})
    return mean, error, (mean - 2 * error).gt(level)


def markdown(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Write a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def rate_table(rows: pd.DataFrame) -> list[str]:
    """Write the rates of one design, with a row for each program and method."""
    mean, error, above = summary(rows)

    def cell(key: tuple[str, str], name: str) -> str:
        text = f"{100 * mean.loc[key, name]:.2f}"
        spread = "" if np.isnan(error.loc[key, name]) else f" ± {100 * error.loc[key, name]:.2f}"
        return (f"**{text}**" if above.loc[key, name] else text) + spread

    return markdown(["program", "method", *mean], ([*key, *(cell(key, name) for name in mean)] for key in mean.index))


def excess(name: str, rows: pd.DataFrame) -> str:
    """Say in a line where the FDR is above its level with the methods of countnest, and how far."""
    mean, _, above = (part.loc[HERE].filter(like="FDR") for part in summary(rows))
    shown = (100 * mean).map("{:.1f} % ".format) + mean.columns.str.removeprefix("FDR ")
    parts = [f"{method}: {', '.join(shown.loc[method, above.loc[method]]) or 'no'}" for method in mean.index]
    return f"- {name}. {'; '.join(parts)}."


def agreement(found: dict[str, pd.DataFrame]) -> list[str]:
    """Write the differences between the programs, summed over data sets, of log p the largest."""
    rows = []
    for name, apart in found.items():
        for method, each in apart.groupby(level=0, sort=False):
            total = each.sum()
            sets = [f"{total[f'by one only at {at}']:.0f} of {total[f'called at {at}']:,.0f}" for at in LEVELS]
            rows.append([name, method, *sets, f"{total['p missing in one']:.0f}", f"{each['log p'].max():.1e}"])
    head = ["design", "method", *(f"called at {level}" for level in LEVELS)]
    return markdown([*head, "p missing in one", "largest relative difference of log p"], rows)


def document(found: dict[str, Measured], command: str, data_sets: int, genes: int) -> str:
    """Write the whole document from what `measure` gave for each design."""
    version = next(iter(found.values()))[2]
    about = {"command": command, "data_sets": data_sets, "genes": genes, **GROUPS, **NESTED}
    about["version"] = f",\nwith {version} on the same counts" if version else ""
    about |= {"effect": GROUPS["effect_sd"] / np.log(2), "interaction": NESTED["interaction_sd"] / np.log(2)}
    lines = [HEAD.format(**about)]
    for design in DESIGNS:
        lines += [f"## {design.name}", "", design.question, "", *rate_table(found[design.name][0]), ""]
    above = [excess(name, rows) for name, (rows, _, _) in found.items()]
    lines.append(READING.format(above="\n".join(above) if data_sets > 1 else "One data set does not tell."))
    if version:
        lines += ["## Beside DESeq2", "", "Genes that only one program calls, of those that countnest calls.", ""]
        lines += [*agreement({name: apart for name, (_, apart, _) in found.items()}), ""]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Read the arguments, and print or write the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="file to write; without it the document is printed")
    for name, default in {"--data-sets": 20, "--genes": 5000}.items():
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--skip-r", action="store_true", help="leave DESeq2 out")
    options = parser.parse_args(arguments)
    found = {design.name: measure(design, options.data_sets, options.genes, options.skip_r) for design in DESIGNS}
    text = document(found, " ".join(["python benchmarks/error_rates.py", *arguments]), options.data_sets, options.genes)
    options.out.write_text(text, encoding="utf-8") if options.out else print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
