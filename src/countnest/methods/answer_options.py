"""Options of tests and of the adjustment of p-values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from countnest.methods.adjustment import Adjuster
from countnest.options import AltHypothesis, NullKind, OutlierRule
from countnest.stats.hidden.factors import HiddenOptions

__all__ = ["AnswerOptions", "OnBlocks"]

# What a query that compares blocks gets, where the fit holds the blocks fixed.
OnBlocks = Literal["refuse", "warn", "answer"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnswerOptions:
    """Options of tests and of the adjustment of p-values; the values have been checked.

    Attributes
    ----------
    kind
        The kind of test, one of the fit's; None: its first.
    of_fit
        Whether a test of the whole fit may be given for the row, as `results` does after a likelihood ratio test.
    joint
        Test all rows at once.
    stagewise
        Screen genes on the joint test, then confirm rows within them.
    lfc_threshold, alt_hypothesis
        The fold change (log2) to test against, and the side.
    adjuster
        How p-values are filtered and adjusted.
    outliers, cooks_cutoff
        The rule for outliers, and the Cook's distance above which p-values are withheld: None or True for the usual
        one, False for none.
    confint
        The level of confidence intervals; None: none.
    hidden
        Hidden factors that are taken out; None: none.
    null
        "scaled": p-values by a null distribution with the scale that all of them show.
    on_blocks
        What happens to a query that compares blocks which the fit holds fixed.
    """

    kind: str | None = None
    of_fit: bool = False
    joint: bool = False
    stagewise: bool = False
    lfc_threshold: float = 0.0
    alt_hypothesis: AltHypothesis = "greaterAbs"
    adjuster: Adjuster = field(default_factory=Adjuster)
    outliers: OutlierRule = "cooks"
    cooks_cutoff: float | bool | None = None
    confint: float | None = None
    hidden: HiddenOptions | None = None
    null: NullKind = "theoretical"
    on_blocks: OnBlocks = "refuse"

    @property
    def is_two_sided(self) -> bool:
        """Whether zero is tested against both sides, so that p-values of genes without effect are uniform."""
        return self.lfc_threshold == 0 and self.alt_hypothesis not in ("less", "greater")

    @property
    def has_threshold(self) -> bool:
        """Whether it is a test against a fold change other than zero, or of one side."""
        return self.lfc_threshold > 0 or self.alt_hypothesis != "greaterAbs"
