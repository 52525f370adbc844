"""What the numbers say, in sentences made from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rates.here import AVERAGED, LEVELS, TRUE, TRUE_LRT
from rates.measures import Measured, summary
from rates.scenarios import SCENARIOS
from rates.targets import FIRST_NULL, OTHERS, held, methods_of, powers

__all__ = ["reading"]

BESIDE = ("Wald", "QL F", *OTHERS)
FDR = [f"FDR at {level}" for level in LEVELS]
KEEPS = (
    "A method *keeps* its level here if it is at most two standard errors above it, or above the test with the true "
    "dispersions. By chance a rate that is at its level is counted as above it once in 40 times. The hidden batch is "
    "not counted: there no test without the batch keeps its level, and an item below has its rates."
)
EXPLAINED = (
    "Wald and likelihood ratio tests take the shrunken dispersion as if it were known, and compare with a normal or a "
    "chi-square distribution; how far an estimate may be from the truth is not in the p-value. The averaged test asks "
    "at every dispersion that the data leave possible. *Wald (t)* compares with the residual degrees of freedom, as if "
    "the dispersion came from the gene alone: with few samples this costs most of the power."
)


def reading(found: Mapping[str, Measured]) -> list[str]:
    """Write the section."""
    parts = [*of_levels(found), *of_small_p(found), *of_power(found), *of_cohort(found), *of_other_seeds(found)]
    return ["## What the tables say", "", KEEPS, "", *parts, "", EXPLAINED]


def title(slug: str) -> str:
    """Return the heading of a scenario."""
    return SCENARIOS[slug].title


def with_method(found: Mapping[str, Measured], method: str) -> dict[str, Measured]:
    """Return the scenarios in which a method was run, without a hidden batch and other seeds: they have their lines."""
    run = {slug: each for slug, each in found.items() if method in methods_of(each.rates)}
    return {slug: each for slug, each in run.items() if slug != "cohort" and not slug.endswith("-fresh")}


def misses(measured: Measured, method: str) -> list[str]:
    """Return where a method is above its level and above the test with the true dispersions, in words."""
    kept = [held(measured.rates, name, method) for name in FDR]
    return [f"{100 * each.mean:.1f} % at {each.level}" for each in kept if each is not None and not each.holds]


def of_levels(found: Mapping[str, Measured]) -> list[str]:
    """Say which methods keep the false discovery rate, in how many scenarios."""
    lines = []
    for method in (AVERAGED, *BESIDE):
        run = with_method(found, method)
        beyond = {slug: words for slug, each in run.items() if (words := misses(each, method))}
        count = f"{len(run) - len(beyond)} of {len(run)} scenarios"
        text = f"- *{method}* keeps the false discovery rate at all three levels in {count}."
        if beyond and (method == AVERAGED or len(beyond) <= 5):
            text += f" Above it: {'; '.join(f'{title(slug)}, {listed(words)}' for slug, words in beyond.items())}."
        elif beyond:
            text += largest(run, method)
        open_ones = [words for slug, each in run.items() if (words := unsettled(slug, each, method))]
        if method == AVERAGED and open_ones:
            text += f" Within its error, but a quarter above the level or more: {'; '.join(open_ones)}."
        lines += [text] if run else []
    return lines


def unsettled(slug: str, measured: Measured, method: str) -> str:
    """Return where a method is within two standard errors of a level, and a quarter above it all the same, in words."""
    kept = [each for name in FDR if (each := held(measured.rates, name, method)) is not None]
    beyond = [each for each in kept if each.within and each.mean > 1.25 * each.level]
    words = [f"{100 * each.mean:.1f} ± {100 * each.error:.1f} % at {each.level}" for each in beyond]
    return f"{title(slug)}, {listed(words)}" if words else ""


def listed(words: list[str]) -> str:
    """Return words with commas and an 'and'."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def largest(run: Mapping[str, Measured], method: str) -> str:
    """Say where the false discovery rate at 0.05 is largest."""
    rates = {slug: summary(each.rates).mean.loc[method, "FDR at 0.05"] for slug, each in run.items()}
    first = sorted(rates, key=lambda slug: -rates[slug])[:4]
    return f" Highest at 0.05: {listed([f'{100 * rates[slug]:.1f} % ({title(slug)})' for slug in first])}."


def of_small_p(found: Mapping[str, Measured]) -> list[str]:
    """Say where small p-values of the averaged test are too frequent."""
    run = with_method(found, AVERAGED)
    if not run:
        return []
    kept = {slug: held(each.rates, FIRST_NULL) for slug, each in run.items()}
    beyond = [f"{title(slug)} ({100 * each.mean:.2f} %)" for slug, each in kept.items() if each and not each.holds]
    count = f"{len(run) - len(beyond)} of {len(run)} scenarios"
    text = f"- Its p-values below 0.001, where the null hypothesis is true, are not too many in {count}"
    return [f"{text}; they are in {listed(beyond)}." if beyond else f"{text}."]


def of_power(found: Mapping[str, Measured]) -> list[str]:
    """Compare the power of the averaged test with those of edgeR and limma where these hold their levels."""
    lines = []
    for other in OTHERS:
        compared = {slug: powers(each.rates, other) for slug, each in found.items() if slug != "cohort"}
        every = [(slug, each) for slug, differences in compared.items() for each in differences]
        if not every:
            continue
        less = [f"{title(slug)} at {each.level} ({100 * each.difference:.1f})" for slug, each in every if each.less]
        more = sum(each.difference - 2 * each.error > 0 for _, each in every)
        text = (
            f"- Its power beside *{other}*, in the {len(every)} pairs of a scenario and a level that this one holds: "
        )
        text += f"more in {more}, less in {len(less)}"
        text += f", in percent points: {listed(less)}." if less else "."
        shown = [each for slug in ("3v3", "6v6", "12v12") if (each := relative(found, slug, other))]
        lines.append(f"{text} At 0.05: {listed(shown)}." if shown else text)
    return lines


def relative(found: Mapping[str, Measured], slug: str, other: str) -> str:
    """Say how the power at 0.05 compares in a scenario."""
    if slug not in found or not {AVERAGED, other} <= methods_of(found[slug].rates):
        return ""
    mean = summary(found[slug].rates).mean
    one, two = (100 * mean.loc[method, "power at 0.05"] for method in (AVERAGED, other))
    return f"{one:.1f} % beside {two:.1f} % ({title(slug)})"


def of_cohort(found: Mapping[str, Measured]) -> list[str]:
    """Say what a hidden batch does, and what helps."""
    if "cohort" not in found:
        return []
    mean = 100 * summary(found["cohort"].rates).mean[["FDR at 0.05", "power at 0.05"]]
    shown = [f"{method} {rate:.1f} % (power {power:.1f} %)" for method, (rate, power) in rows_of(mean).items()]
    return [f"- With a hidden batch the false discovery rate at 0.05 is: {', '.join(shown)}."]


def of_other_seeds(found: Mapping[str, Measured]) -> list[str]:
    """Say what the false discovery rates of the averaged test are in data sets that no choice was made on."""
    shown = []
    for slug, measured in found.items():
        kept = [each for name in FDR if (each := held(measured.rates, name)) is not None]
        if slug.endswith("-fresh") and kept:
            shown.append(
                f"{title(slug)}, {listed([f'{100 * each.mean:.1f} ± {100 * each.error:.1f} %' for each in kept])}"
            )
    if not shown:
        return []
    text = "- Its filter and its prior were chosen with some of these data sets in view. In others the *averaged LRT*"
    return [f"{text} has these false discovery rates at the three levels: {'; '.join(shown)}."]


def rows_of(mean: object) -> dict[str, tuple[float, float]]:
    """Return the rows of a table of two columns by method, but for tests that know the dispersions."""
    rows = {method: tuple(row) for method, row in mean.iterrows() if method not in (TRUE, TRUE_LRT, "LRT")}
    return {method: row for method, row in rows.items() if not np.isnan(row[0])}
