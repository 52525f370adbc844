"""The document: what was simulated, advice, and tables for each question."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from mixed import agreement
from mixed.cache import Cache
from mixed.measures import NULL_LEVELS, Rates, limits, measure
from mixed.methods import METHODS
from mixed.reading import RECOMMENDED, Found, advice
from mixed.studies import LOST, NULL, QUESTIONS, VARIANCE, WITH_EFFECTS, Scenario
from rates.report import markdown, wrapped

__all__ = ["document", "fresh_cache"]

MADE = (
    "Made by `{command}`, of {genes:,} genes in a study. What follows is measured on simulated studies, whose truth is "
    "known. See [mixed models](mixed_models.md) for formulas and the plan of a study."
)
TERMS = {
    "Studies": "6, 12 or 24 families of two sibs, as tables say. `treat1` is given to whole families (A to C in the "
    "studies of 6, else A to D), `treat2` to one sib of each. "
    "In the unbalanced study of 24 families {lost} of the 48 samples are lost. "
    "Counts are negative binomial with means from 5 to 5,000, size factors, and dispersions around a trend "
    "(`cn.simulate.nested`).",
    "Variance of families": "of the natural log of expression: *zero*; *equal*, {variance} in all genes; or "
    "*exponential*, different between genes with the mean {variance}.",
    "Questions": "within families, the interaction `treat1:treat2`, of B with E (one row) or of any level (joint); "
    "between families, `treat1` averaged over `treat2`, B - A (one row) or any difference (joint).",
    "LMM": "`cn.lmm(dds, values=...)`, with *Kenward-Roger*, *Satterthwaite* or *containment* degrees of freedom, "
    "moderated tests by *strata*, *averaged* or by the rule of *dream*, or likelihood ratio tests (*LRT*).",
    "NB mixed": "negative binomial mixed models of the counts with Laplace's approximation, by restricted likelihood "
    "with t and F tests, or by likelihood with normal tests, as glmmTMB has them.",
    "Families fixed": "`~ family + treat1*treat2`: for questions within families only. The package refuses the others.",
    "duplicateCorrelation": "`cn.limma(dds, block='family')`, one correlation for all genes.",
}
NULL_TEXT = (
    "24 families and no effect at all: fractions of p-values below 0.05 and 0.001, in percent, of {tested} genes. "
    "Within the binomial 99.9 % limits are {limits}; **bold** is above them, *italic* below. "
    "By chance one number in 1,000 is outside. Methods see the same counts, so they are outside together."
)
SMALL_TEXT = (
    "As above, at 0.05, of the genes without the effect in question in studies that have effects: main effects and "
    "interactions change other genes, and treatments that the question is not about change some of these."
)
FDR_TEXT = (
    "False discovery proportion / power, in percent, at adjusted p-values below 0.05, over {studies} studies of "
    "{genes:,} genes for each scenario. **Bold**: above 5 % by more than two standard errors; - without any call."
)
AGREEMENT_TEXT = (
    "R's packages take too long for error rates. Where they fit the same model their numbers are the same, so "
    "their rates are those above: genes of a study with exponential variances, {versions}, absolute differences."
)


# First seed of the studies that nothing was chosen by.
FRESH = 101


def document(cache: Cache, scenarios: list[Scenario], command: str) -> str:
    """Write the whole document from the answers in the cache."""
    found = measured(cache, scenarios)
    about = {"command": command, "genes": cache.genes, "lost": LOST, "variance": VARIANCE}
    lines = ["# Mixed models: which method for which question", "", *wrapped(MADE.format(**about)), ""]
    told = advice(Found(found), Found(measured(fresh_cache(cache), scenarios)))
    lines += [*(line for text in told for line in wrapped(text)), "", "## What was simulated", ""]
    lines += [line for term, text in TERMS.items() for line in wrapped(f"- *{term}*: {text.format(**about)}")]
    nulls, others = ([each for each in group if each.slug in found] for group in (NULL, WITH_EFFECTS))
    tested = {rates.null for each in nulls for rates in found[each.slug].values()}
    about |= {
        "studies": numbers(cache.done(each) for each in others),
        "tested": numbers(tested),
        "limits": limits_text(max(tested, default=1)),
    }
    parts: list[tuple[str, str, list[Scenario], Cells]] = [
        ("Type I error", NULL_TEXT, nulls, null_cells),
        ("Type I error beside effects", SMALL_TEXT, others, small_cells),
        ("False discoveries and power", FDR_TEXT, others, power_cells),
    ]
    for title, text, group, cells in parts:
        lines += ["", f"## {title}", "", *wrapped(text.format(**about))]
        for question in QUESTIONS if group else ():
            lines += ["", f"### {title}: {question}", "", *rate_table(found, group, question, cells)]
    return "\n".join([*lines, *agreement_section(cache.folder)]) + "\n"


def measured(cache: Cache, scenarios: list[Scenario]) -> dict[str, dict[tuple[str, str], Rates]]:
    """Return the rates of the scenarios that have answers."""
    return {each.slug: rates for each in scenarios if (rates := measure(cache, each))}


def fresh_cache(cache: Cache) -> Cache:
    """Return the answers of the recommended methods to studies of seeds that nothing was chosen by."""
    return Cache(cache.folder / "fresh", cache.genes, cache.studies, FRESH, tuple(method for method, *_ in RECOMMENDED))


def numbers(found: Iterable[int]) -> str:
    """Write the range of numbers."""
    values = sorted(found) or [0]
    low, high = values[0], values[-1]
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def limits_text(genes: int) -> str:
    """Write the binomial limits in percent."""
    ends = {level: limits(genes, level) for level in NULL_LEVELS}
    return " and ".join(f"{100 * low / genes:.2f} to {100 * high / genes:.2f}" for low, high in ends.values())


Cells = Callable[[Rates], str]


def marked(rates: Rates, level: float, digits: int) -> str:
    """Write a fraction of small null p-values, with a mark if it is outside its limits."""
    mark = {1: "**", 0: "", -1: "*"}[rates.side(level)]
    return f"{mark}{100 * rates.type_one(level):.{digits}f}{mark}"


def null_cells(rates: Rates) -> str:
    """Write both fractions of small p-values."""
    return f"{marked(rates, 0.05, 2)} / {marked(rates, 0.001, 2)}"


def small_cells(rates: Rates) -> str:
    """Write the fraction of p-values below 0.05."""
    return marked(rates, 0.05, 1)


def power_cells(rates: Rates) -> str:
    """Write false discovery proportion and power."""
    fdp = "-" if np.isnan(rates.fdp) else f"{100 * rates.fdp:.1f}"
    return f"{f'**{fdp}**' if rates.is_high else fdp} / {100 * rates.power:.1f}"


def rate_table(found: dict, scenarios: list[Scenario], question: str, cells: Cells) -> list[str]:
    """Write a table with a row for each method that answers the question."""
    rows = []
    for method in METHODS:
        each = [found[scenario.slug].get((method, question)) for scenario in scenarios]
        if any(each):
            rows.append([method, *("" if rates is None else cells(rates) for rates in each)])
    return markdown(["method", *(scenario.title for scenario in scenarios)], rows)


def agreement_section(folder: Path) -> list[str]:
    """Write how far R's numbers are apart, if R was run."""
    there = agreement.tables(folder)
    if there is None:
        return []
    versions, rows = there
    name, seconds = versions.splitlines()
    linear, mixed = map(float, seconds.split())
    cost = (
        f"They took {linear / agreement.LINEAR_GENES * 1e3:.0f} ms a gene for lmer with its tests, and "
        f"{mixed / agreement.MIXED_GENES * 1e3:.0f} ms for both fits of glmmTMB."
    )
    text = wrapped(f"{AGREEMENT_TEXT.format(versions=name)} {cost}")
    return ["", "## Beside R", "", *text, "", *markdown(["what", "numbers", "median", "largest"], rows)]
