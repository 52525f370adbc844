"""What is measured of an answer: false discoveries, power, small p-values, coverage; their means over data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rates.cache import HERE, Cache
from rates.data import Data
from rates.here import COVERAGES, LEVELS, Answer
from rates.scenarios import Scenario

__all__ = ["NULL_LEVELS", "Measured", "Summary", "coverage", "difference", "measure", "rates", "summary"]

NULL_LEVELS = (0.001, 0.01, 0.05)
DESEQ2 = "DESeq2"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured in a scenario.

    Attributes
    ----------
    rates
        A row for each method and seed: false discovery proportion and power at each level, small null p-values, and
        the coverage of intervals.
    apart
        A row for each method and seed: where countnest and DESeq2 disagree.
    """

    rates: pd.DataFrame
    apart: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Means over the data sets, standard errors, and what is above its level by more than two of them, by method."""

    mean: pd.DataFrame
    error: pd.DataFrame
    above: pd.DataFrame
    data_sets: pd.Series


def measure(cache: Cache, scenario: Scenario) -> Measured:
    """Measure all answers of a scenario that are in the cache."""
    rows, apart = {}, {}
    for seed in cache.seeds(scenario):
        answers = cache.answers(scenario, seed)
        data = cache.draw(scenario, seed) if answers else None
        for (program, method), answer in answers.items():
            if program != DESEQ2:
                rows[method, seed] = rates(answer, data) | coverage(answer, data)
            elif (HERE, method) in answers:
                apart[method, seed] = difference(answers[HERE, method], answer)
    return Measured(*(pd.DataFrame.from_dict(found, orient="index") for found in (rows, apart)))


def rates(answer: Answer, data: Data) -> dict[str, float]:
    """Return false discovery proportion and power at each level, and the fractions of small p-values that are uniform.

    Without calls the false discovery proportion is 0; without a gene that differs the power is nan.
    """
    null, found = data.null, {}
    for level, padj in zip(LEVELS, answer.padj, strict=True):
        called = padj < level
        found[f"FDR at {level}"] = (called & null).sum() / max(called.sum(), 1)
        found[f"power at {level}"] = np.nan if null.all() else (called & ~null).sum() / (~null).sum()
    p = answer.pvalue[data.uniform & ~np.isnan(answer.pvalue)]
    return found | {f"null p < {level}": (p < level).mean() if len(p) else np.nan for level in NULL_LEVELS}


def coverage(answer: Answer, data: Data) -> dict[str, float]:
    """Return the fractions of the intervals that hold the true effect; nothing where there are no intervals."""
    if answer.low is None or answer.high is None:
        return {}
    found = {}
    for level, low, high in zip(COVERAGES, answer.low, answer.high, strict=True):
        there = ~np.isnan(low + high)
        held = (low <= data.effect) & (data.effect <= high)
        found[f"coverage of {level}"] = held[there].mean() if there.any() else np.nan
    return found


def difference(ours: Answer, theirs: Answer) -> dict[str, float]:
    """Return what two programs disagree about: genes that one of them calls, missing p-values, logarithms of p."""
    found: dict[str, float] = {}
    for level, one, two in zip(LEVELS, ours.padj, theirs.padj, strict=True):
        found[f"called at {level}"] = (one < level).sum()
        found[f"by one only at {level}"] = ((one < level) != (two < level)).sum()
    missing = np.isnan(ours.pvalue) != np.isnan(theirs.pvalue)
    both = ~np.isnan(ours.pvalue + theirs.pvalue)
    logs = [np.log(np.maximum(each.pvalue[both], 1e-300)) for each in (ours, theirs)]
    apart = np.abs(logs[0] - logs[1]) / np.maximum(np.abs(logs[1]), 1.0)
    return found | {"p missing in one": missing.sum(), "log p": np.max(apart, initial=0.0)}


def summary(rows: pd.DataFrame) -> Summary:
    """Return means over the data sets with their errors, by method."""
    by = rows.groupby(level=0, sort=False)
    mean, error = by.mean(), by.sem()
    level = pd.Series({name: float(name.split()[-1]) if name[0] in "Fn" else np.inf for name in mean})
    return Summary(mean, error, (mean - 2 * error).gt(level), by.size())
