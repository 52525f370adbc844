"""Comparisons of linear mixed models of the same values by their likelihoods. G genes, of which m were fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.design.design import Design
from countnest.errors import DesignError, OptionError, counted
from countnest.methods.chunks import expand
from countnest.methods.fit import Fit
from countnest.methods.mixed.model import mixed_model
from countnest.methods.mixed.protocol import comparison_of
from countnest.stats.mixed.comparisons import likelihood_ratio
from countnest.stats.mixed.ratios import Dropped, dropped_parts, without_term
from countnest.stats.mixed.records import JointMixedTests, LikelihoodRatio, LinearMixedFits, MixedModel
from countnest.stats.mixed.strata import strata_of, variance_f_test

__all__ = ["Compared", "LinearComparison"]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What likelihoods of linear mixed models are made of.

    Attributes
    ----------
    kept
        (G,) the genes that were fitted.
    values, weights
        (m, n) what was fitted, with its weights or None.
    scale
        What the values are, in words.
    fits
        The models.
    """

    kept: BoolArray
    values: FloatArray
    weights: FloatArray | None
    scale: str
    fits: LinearMixedFits


@dataclass(frozen=True, slots=True, eq=False)
class LinearComparison:
    """Linear mixed models that are compared; see `protocol.MixedComparison`.

    Attributes
    ----------
    own
        What was fitted, and the fits.
    design
        The design.
    refitted
        Fits a model to the values of all genes: by REML or not, with variances at least zero or free.
    bound
        Returns the fit of a design that answers queries.
    """

    own: Compared
    design: Design
    refitted: Callable[[MixedModel, bool], LinearMixedFits]
    bound: Callable[[Design, LinearMixedFits], Fit]

    @property
    def reml(self) -> bool:
        """Whether the likelihood is the restricted one."""
        return self.own.fits.reml

    def differences(self, other: Fit) -> list[str]:
        """List why likelihoods of another fit cannot be compared with these."""
        found = comparison_of(other)
        if not isinstance(found, LinearComparison):
            return [f"one is of log counts, the other is a {other.method}"]
        one, two = self.own, found.own
        if not np.array_equal(one.kept, two.kept):
            return [f"{counted(int((one.kept != two.kept).sum()), 'gene')} were fitted in one of them only"]
        words = []
        if not np.array_equal(one.values, two.values, equal_nan=True):
            both = f": {one.scale} and {two.scale}" if one.scale != two.scale else ""
            words.append(f"they were fitted to different values{both}")
        if not _same(one.weights, two.weights):
            words.append("they have different weights")
        if one.fits.bounded != two.fits.bounded:
            words.append("variances may be negative in one of them only (bounded=)")
        return words

    def of_design(self, design: Design, *, reml: bool) -> Fit:
        """Return the fit of another design to the same values."""
        return self.bound(design, self.refitted(mixed_model(design), reml))

    def dropped(self, design: Design) -> Dropped:
        """Return what another design leaves out."""
        return dropped_parts(mixed_model(self.design), mixed_model(design))

    def ratio(self, reduced: Fit, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests (G,) against a reduced fit."""
        other = comparison_of(reduced)
        assert isinstance(other, LinearComparison)  # it was asked for differences before
        models = mixed_model(self.design), mixed_model(other.design)
        return self._whole(likelihood_ratio(models[0], self.own.fits, models[1], other.own.fits, mixture=mixture))

    def without_term(self, place: int, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests (G,) that a random term has no variance."""
        model = mixed_model(self.design)
        reduced = without_term(model, place)
        fits = self.refitted(reduced, self.reml)
        return self._whole(likelihood_ratio(model, self.own.fits, reduced, fits, mixture=mixture))

    def variance_ratio(self) -> JointMixedTests:
        """Return the exact F tests (G,) that the random term has no variance.

        Raises
        ------
        OptionError
            If there are weights.
        DesignError
            If there are several terms, or groups of unequal sizes.
        """
        if self.own.weights is not None:
            raise OptionError("exact F tests are for values without weights: take the likelihood ratio, test='lrt'.")
        model = mixed_model(self.design)
        if len(model.terms) > 1 or model.n_parameters > 1:
            raise DesignError(
                "an exact F test of a variance needs a single random term with one column, such as (1 | family), and "
                "groups of the same size: take the likelihood ratio, test='lrt'."
            )
        found = variance_f_test(strata_of(self.own.values, model))
        kept = self.own.kept
        return JointMixedTests(
            expand(kept, found.statistic), expand(kept, found.df_tested), expand(kept, found.df),
            expand(kept, found.log_p),
        )  # fmt: skip

    def _whole(self, found: LikelihoodRatio) -> LikelihoodRatio:
        kept = self.own.kept
        return replace(found, statistic=expand(kept, found.statistic), log_p=expand(kept, found.log_p))


def _same(one: FloatArray | None, two: FloatArray | None) -> bool:
    """Return whether weights are the same; None are all one."""
    if one is None or two is None:
        return one is two
    return bool(np.array_equal(one, two))
