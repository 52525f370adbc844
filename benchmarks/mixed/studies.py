"""Studies of families, drawn for a seed, and the questions that are asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.simulate import NestedStudy, nested

__all__ = ["LOST", "NULL", "QUESTIONS", "SCENARIOS", "SPREADS", "VARIANCE", "WITH_EFFECTS", "Scenario", "Study"]

QUESTIONS = ("within, one row", "within, joint", "between, one row", "between, joint")
# Mean variance of the families, natural log.
VARIANCE = 0.06
SPREADS = ("zero", "equal", "exponential")
# Levels of treat1, and families in each, by the number of families.
LAYOUTS = {6: ("ABC", 2), 12: ("ABCD", 3), 24: ("ABCD", 6)}
# Samples that are lost in the unbalanced study of 48.
LOST = 12
NO_EFFECTS = dict.fromkeys(("treat1_fraction", "treat2_fraction", "interaction_fraction"), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Counts, sample sheet, reference levels, and which null hypotheses are true, (questions, G)."""

    counts: pd.DataFrame
    samples: pd.DataFrame
    reference: Mapping[str, str]
    null: np.ndarray


@dataclass(frozen=True, slots=True)
class Scenario:
    """How studies are drawn.

    Attributes
    ----------
    families
        Their number, two sibs each.
    spread
        How the variance of families varies between genes, see `SPREADS`.
    lost
        Number of samples that are lost; each family keeps one.
    effects
        Whether treatments change expression.
    """

    families: int
    spread: str
    lost: int = 0
    effects: bool = True

    @property
    def slug(self) -> str:
        """Name of the folder."""
        lost, effects = f"lost{self.lost}" if self.lost else "", "" if self.effects else "null"
        return "-".join(part for part in (str(self.families), self.spread, lost, effects) if part)

    @property
    def title(self) -> str:
        """How tables name it."""
        return f"{self.families}, {self.spread}" + (", unbalanced" if self.lost else "")

    @property
    def studies(self) -> int:
        """Return the number of studies at most."""
        return 2 if self.effects else 3

    def draw(self, genes: int, seed: int) -> Study:
        """Draw a study."""
        levels, size = LAYOUTS[self.families]
        effects = {} if self.effects else NO_EFFECTS
        study = nested(
            genes=genes, treat1=tuple(levels), families=size, lost=self.lost, family_sd=1.0, rng=seed, **effects
        )
        rng = np.random.default_rng((seed, 6))
        return Study(self._counts(study, rng), study.samples, study.reference, null_hypotheses(study.truth, levels))

    def _counts(self, study: NestedStudy, rng: np.random.Generator) -> pd.DataFrame:
        """Draw counts with the variances of families that the scenario wants, from a study where all are one."""
        genes = len(study.counts)
        variance = {"zero": np.zeros(genes), "equal": np.full(genes, VARIANCE)}
        sd = np.sqrt(variance.get(self.spread, rng.exponential(VARIANCE, genes)))
        families = study.family_effects[study.samples["family"]].to_numpy()
        log_mean = study.log_means.to_numpy() + (sd[:, np.newaxis] - 1.0) * families
        mean = np.exp(log_mean) * study.size_factors.to_numpy()
        size = 1.0 / study.truth["alpha"].to_numpy()[:, np.newaxis]
        drawn = rng.negative_binomial(size, size / (size + mean))
        return pd.DataFrame(drawn, index=study.counts.index, columns=study.counts.columns)


def null_hypotheses(truth: pd.DataFrame, levels: str) -> np.ndarray:
    """Return which null hypotheses are true, (questions, G): B - A, and all differences between levels of treat1."""
    within = truth[[f"treat1[{level}]:treat2[E]" for level in levels[1:]]].to_numpy()
    between = truth[[f"treat1[{level}]" for level in levels[1:]]].to_numpy() + within / 2
    return np.array([found for each in (within, between) for found in (each[:, 0] == 0, (each == 0).all(axis=1))])


NULL = tuple(
    Scenario(24, spread, lost, effects=False)
    for spread, lost in (*((each, 0) for each in SPREADS), ("exponential", LOST))
)
WITH_EFFECTS = (
    *(Scenario(families, spread) for families in LAYOUTS for spread in SPREADS),
    Scenario(24, "exponential", LOST),
)
SCENARIOS = {each.slug: each for each in (*NULL, *WITH_EFFECTS)}
