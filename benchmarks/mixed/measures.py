"""What is measured of the answers: small null p-values, false discoveries, power; pooled over the studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixed.cache import Cache
from mixed.methods import ALPHA
from mixed.studies import QUESTIONS, Scenario

__all__ = ["NULL_LEVELS", "Rates", "limits", "measure"]

NULL_LEVELS = (0.05, 0.001)
CONFIDENCE = 0.999


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a method for one question in a scenario, over all studies.

    Attributes
    ----------
    null
        Number of genes with a p-value where the null hypothesis is true.
    small
        How many of their p-values are below each of `NULL_LEVELS`.
    calls, false
        Number of adjusted p-values below 5 %, and how many of them are wrong.
    changed
        Number of genes where the null hypothesis is false.
    """

    null: int
    small: tuple[int, ...]
    calls: int
    false: int
    changed: int

    def type_one(self, level: float) -> float:
        """Return the fraction of null p-values below one of `NULL_LEVELS`."""
        return self.small[NULL_LEVELS.index(level)] / self.null

    def side(self, level: float) -> int:
        """Return 1 if that is above its binomial limits, -1 if below, 0 within."""
        low, high = limits(self.null, level)
        count = self.small[NULL_LEVELS.index(level)]
        return int(count > high) - int(count < low)

    @property
    def fdp(self) -> float:
        """False calls of all calls; nan without any."""
        return self.false / self.calls if self.calls else np.nan

    @property
    def power(self) -> float:
        """Right calls of all genes that differ; nan if none does."""
        return (self.calls - self.false) / self.changed if self.changed else np.nan

    @property
    def is_high(self) -> bool:
        """Whether the false discovery proportion is above 5 % by more than two standard errors."""
        return bool(self.calls) and self.fdp > ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / self.calls)


def limits(genes: int, level: float) -> tuple[int, int]:
    """Return the smallest and the largest number of p-values below a level that are within the binomial limits."""
    low, high = stats.binom.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], genes, level)
    return int(low), int(high)


def measure(cache: Cache, scenario: Scenario) -> dict[tuple[str, str], Rates]:
    """Measure the answers to a scenario that are in the cache, by method and question."""
    sums: dict[tuple[str, str], np.ndarray] = {}
    for seed in cache.seeds(scenario):
        answers = cache.answers(scenario, seed) if cache.is_done(scenario, seed) else {}
        null = cache.draw(scenario, seed).null if answers else None
        for method, answer in answers.items():
            for place, question in enumerate(QUESTIONS):
                p, called, is_null = answer.pvalue[place], answer.padj[place] < ALPHA, null[place]
                if not np.isnan(p).all():
                    there = p[is_null & ~np.isnan(p)]
                    small = [int((there < level).sum()) for level in NULL_LEVELS]
                    found = [len(there), *small, called.sum(), (called & is_null).sum(), (~is_null).sum()]
                    sums[method, question] = sums.get((method, question), 0) + np.array(found)
    return {key: Rates(int(n), tuple(map(int, small)), *map(int, rest)) for key, (n, *both) in sums.items()
            for small, rest in [(both[: len(NULL_LEVELS)], both[len(NULL_LEVELS) :])]}  # fmt: skip
