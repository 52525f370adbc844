"""Comparisons of mixed models of the same counts by their likelihoods. G genes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.matrix import CountMatrix
from countnest.design.design import Design
from countnest.errors import OptionError
from countnest.methods.fit import Fit
from countnest.methods.mixed.model import mixed_model
from countnest.methods.mixed.protocol import comparison_of
from countnest.stats.mixed.count_records import CountMixedFits, ShrunkenDispersion
from countnest.stats.mixed.count_tests import count_likelihood_ratio
from countnest.stats.mixed.ratios import Dropped, dropped_parts, without_term
from countnest.stats.mixed.records import JointMixedTests, LikelihoodRatio, MixedModel

__all__ = ["ComparedCounts", "CountComparison"]


@dataclass(frozen=True, slots=True, eq=False)
class ComparedCounts:
    """What likelihoods of mixed models of counts are made of.

    Attributes
    ----------
    counts
        (G, n)
    factors
        (1, n) size factors or (G, n) normalization factors.
    dispersion
        (G,) given ones, those with a prior, or None: estimated.
    integral, family
        How random effects were integrated out, and the distribution of the counts, in words.
    fits
        The models.
    """

    counts: CountMatrix
    factors: FloatArray
    dispersion: FloatArray | ShrunkenDispersion | None
    integral: str
    family: str
    fits: CountMixedFits


@dataclass(frozen=True, slots=True, eq=False)
class CountComparison:
    """Mixed models of counts that are compared; see `protocol.MixedComparison`.

    Attributes
    ----------
    own
        What was fitted, and the fits.
    design
        The design.
    refitted
        Fits a model to the counts of all genes: by REML or not.
    bound
        Returns the fit of a design that answers queries.
    """

    own: ComparedCounts
    design: Design
    refitted: Callable[[MixedModel, bool], CountMixedFits]
    bound: Callable[[Design, CountMixedFits], Fit]

    @property
    def reml(self) -> bool:
        """Whether the likelihood is the restricted one."""
        return self.own.fits.reml

    def differences(self, other: Fit) -> list[str]:
        """List why likelihoods of another fit cannot be compared with these."""
        found = comparison_of(other)
        if not isinstance(found, CountComparison):
            return [f"one is of counts, the other is a {other.method}"]
        one, two = self.own, found.own
        words = []
        if one.family != two.family:
            words.append(f"counts are {one.family} in one of them and {two.family} in the other")
        elif not _same_dispersion(one.dispersion, two.dispersion):
            words.append("their dispersions are known in different ways (dispersion=)")
        if one.integral != two.integral:
            words.append(f"one is by {one.integral}, the other by {two.integral} (method=)")
        if not np.array_equal(one.factors, two.factors):
            words.append("they have different size factors")
        if one.counts is not two.counts and not np.array_equal(one.counts.whole(), two.counts.whole()):
            words.append("they were fitted to different counts")
        return words

    def of_design(self, design: Design, *, reml: bool) -> Fit:
        """Return the fit of another design to the same counts."""
        return self.bound(design, self.refitted(mixed_model(design), reml))

    def dropped(self, design: Design) -> Dropped:
        """Return what another design leaves out."""
        return dropped_parts(mixed_model(self.design), mixed_model(design))

    def ratio(self, reduced: Fit, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests (G,) against a reduced fit."""
        other = comparison_of(reduced)
        assert isinstance(other, CountComparison)  # it was asked for differences before
        models = mixed_model(self.design), mixed_model(other.design)
        return count_likelihood_ratio(models[0], self.own.fits, models[1], other.own.fits, mixture=mixture)

    def without_term(self, place: int, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests (G,) that a random term has no variance."""
        model = mixed_model(self.design)
        reduced = without_term(model, place)
        return count_likelihood_ratio(model, self.own.fits, reduced, self.refitted(reduced, self.reml), mixture=mixture)

    def variance_ratio(self) -> JointMixedTests:
        """Raise `OptionError`: counts have no exact F test."""
        raise OptionError(
            "exact F tests of variances are for linear mixed models, cn.lmm: take the likelihood ratio, test='lrt'."
        )


def _same_dispersion(
    one: FloatArray | ShrunkenDispersion | None, other: FloatArray | ShrunkenDispersion | None
) -> bool:
    """Return whether the same is known of dispersions before the fit."""
    if isinstance(one, ShrunkenDispersion) and isinstance(other, ShrunkenDispersion):
        return one.prior_sd == other.prior_sd and np.array_equal(one.log_trend, other.log_trend)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=True))
    return one is other
