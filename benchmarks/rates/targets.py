"""Whether the averaged test holds what it promises, scenario by scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rates.here import AVERAGED, LEVELS, TRUE, TRUE_LRT
from rates.measures import Measured, summary
from rates.scenarios import SCENARIOS

__all__ = ["FIRST_NULL", "OTHERS", "Held", "Powers", "held", "powers", "target_table"]

OTHERS = ("edgeR QL", "limma voom")
FIRST_NULL = "null p < 0.001"
NAMES = [*(f"FDR at {level}" for level in LEVELS), FIRST_NULL]
TARGETED = (AVERAGED, f"{AVERAGED}, hidden factors")
TEXT = (
    f"The {AVERAGED}. Rates in **bold** are above the level by more than two standard errors, and above those of the "
    "LRT with the true dispersions (in tests of thresholds, of that Wald test) by more than two as well; *as true*: "
    "above the level, and not above that test. Power: the difference in percent points at the three levels, in "
    "**bold** if less by more than two standard errors; *above*: the other method is above that level itself."
)


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a rate is within two standard errors of its level, or of the test that knows the dispersions.

    Attributes
    ----------
    mean, error
        The rate, and its standard error.
    level
        What it should be at most.
    true
        The rate of the test with the true dispersions; nan if there is none.
    within, as_true
        Within two standard errors of the level; of that test, by the differences in each data set.
    """

    mean: float
    error: float
    level: float
    true: float
    within: bool
    as_true: bool

    @property
    def holds(self) -> bool:
        """Return whether either is so."""
        return self.within or self.as_true

    def __str__(self) -> str:
        text = f"{100 * self.mean:.2f} ± {100 * self.error:.2f}"
        if self.within:
            return text
        return f"{text}, as true ({100 * self.true:.2f})" if self.as_true else f"**{text}**"


@dataclass(frozen=True, slots=True)
class Powers:
    """The power of a method less that of another one, at a level that the other one holds."""

    level: float
    difference: float
    error: float

    @property
    def less(self) -> bool:
        """Return whether the power is less by more than two standard errors."""
        return self.difference + 2 * self.error < 0

    def __str__(self) -> str:
        text = f"{100 * self.difference:+.1f} ± {100 * self.error:.1f}"
        return f"**{text}**" if self.less else text


def methods_of(rows: pd.DataFrame) -> set[str]:
    """Return the methods that were run."""
    return set(rows.index.get_level_values(0))


def held(rows: pd.DataFrame, name: str, method: str = AVERAGED) -> Held | None:
    """Return whether a method holds a rate, such as 'FDR at 0.05'; None if it was not run."""
    run = methods_of(rows)
    if method not in run:
        return None
    own, level = rows.loc[method, name].dropna(), float(name.split()[-1])
    mean, error = own.mean(), error_of(own)
    known = next((each for each in (TRUE_LRT, TRUE) if each in run), None)
    if known is None:
        return Held(mean, error, level, np.nan, within=mean - 2 * error <= level, as_true=False)
    apart = (own - rows.loc[known, name]).dropna()
    true, as_true = rows.loc[known, name].mean(), apart.mean() <= 2 * error_of(apart)
    return Held(mean, error, level, true, within=mean - 2 * error <= level, as_true=bool(as_true))


def error_of(values: pd.Series) -> float:
    """Return the standard error of the mean; 0 of a single value."""
    return float(values.sem()) if len(values) > 1 else 0.0


def powers(rows: pd.DataFrame, other: str, method: str = AVERAGED) -> list[Powers]:
    """Return the differences in power at each level that the other method holds."""
    if not {method, other} <= methods_of(rows):
        return []
    above, found = summary(rows).above, []
    for level in (level for level in LEVELS if not above.loc[other, f"FDR at {level}"]):
        name = f"power at {level}"
        apart = (rows.loc[method, name] - rows.loc[other, name]).dropna()
        found.append(Powers(level, float(apart.mean()), error_of(apart)))
    return found


def target_table(found: Mapping[str, Measured]) -> list[str]:
    """Write for each scenario whether the targets hold; where hidden factors were taken out, for that test too."""
    rows = []
    for slug, measured in found.items():
        rows += [row for method in TARGETED for row in target_row(slug, measured, method)]
    if not rows:
        return []
    head = ["scenario", *NAMES, *(f"power less that of {other}" for other in OTHERS)]
    table = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return ["## Targets, scenario by scenario", "", TEXT, "", *table]


def target_row(slug: str, measured: Measured, method: str) -> list[list[str]]:
    """Return the row of a method in a scenario; none if it was not run."""
    rates = [held(measured.rates, name, method) for name in NAMES]
    if rates[0] is None:
        return []
    title = SCENARIOS[slug].title + method.removeprefix(AVERAGED)
    return [[title, *map(str, rates), *(power_cell(measured.rates, other, method) for other in OTHERS)]]


def power_cell(rows: pd.DataFrame, other: str, method: str) -> str:
    """Return the differences in power from another method, for the table."""
    by_level = {each.level: str(each) for each in powers(rows, other, method)}
    return "; ".join(by_level.get(level, "above") for level in LEVELS) if other in methods_of(rows) else ""
