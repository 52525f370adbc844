"""What mixed models tell of every gene, whatever was fitted: random effects, fitted values, residuals.

G genes, n samples, p coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from countnest.arrays import FloatArray
from countnest.methods.fit import Fit, RowTests, notes_of
from countnest.options import ResidualType

if TYPE_CHECKING:
    from countnest.design.design import Design
    from countnest.stats.mixed.effects import PredictedEffects
    from countnest.stats.mixed.ratios import Dropped
    from countnest.stats.mixed.records import JointMixedTests, LikelihoodRatio
    from countnest.stats.mixed.shares import Components, Shares
    from countnest.stats.mixed.variances import Signed

__all__ = ["MixedAccess", "MixedComparison", "access_to", "cells_of", "comparison_of", "mixed_name"]


class MixedAccess(Protocol):
    """What every kind of mixed model tells of its genes; effects are log2."""

    @property
    def is_log(self) -> bool:
        """Whether fitted values are logarithms, log2."""
        ...

    def effects(self) -> tuple[PredictedEffects, ...]:
        """Return the predicted random effects of each term, NaN for genes that were not fitted."""
        ...

    def coefficients(self) -> FloatArray:
        """Return the fixed coefficients (G, p), log2."""
        ...

    def estimates(self, names: Sequence[str]) -> dict[str, FloatArray]:
        """Return estimates by gene (G,), with the coefficients under their names last, log2."""
        ...

    def components(self) -> tuple[Components, ...]:
        """Return the standard deviations of the random effects of each term, log2."""
        ...

    def residual_sd(self) -> FloatArray:
        """Return the standard deviations (G,) of the residuals, log2."""
        ...

    def shares(self, level: float) -> Shares:
        """Return the shares of the variance, with intervals of this level."""
        ...

    def signed(self, level: float) -> Signed | None:
        """Return the variance of fits in which it may be negative; None for others."""
        ...

    def fitted(self, *, random: bool) -> FloatArray:
        """Return fitted values (G, n), in the units of what was fitted, with the random effects or at zero of them."""
        ...

    def residuals(self, kind: ResidualType, *, random: bool, rng: np.random.Generator | None) -> FloatArray:
        """Return residuals (G, n) about the fitted values."""
        ...

    def cells(self, contrasts: FloatArray) -> RowTests:
        """Return the linear predictors of cells (k, p), log2, with standard errors and degrees of freedom."""
        ...


class MixedComparison(Protocol):
    """A mixed model that is compared with others of the same values, whatever was fitted."""

    @property
    def reml(self) -> bool:
        """Whether its likelihood is the restricted one."""
        ...

    @property
    def design(self) -> Design:
        """The design."""
        ...

    def differences(self, other: Fit) -> list[str]:
        """List in words why likelihoods of another fit cannot be compared with these; none: they can."""
        ...

    def of_design(self, design: Design, *, reml: bool) -> Fit:
        """Return the fit of another design to the same values, by the same method."""
        ...

    def dropped(self, design: Design) -> Dropped:
        """Return what another design leaves out; raise `DesignError` where it is no part of this one."""
        ...

    def ratio(self, reduced: Fit, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests against a reduced fit, of all genes."""
        ...

    def without_term(self, place: int, *, mixture: bool) -> LikelihoodRatio:
        """Return the likelihood ratio tests that a random term has no variance, of all genes."""
        ...

    def variance_ratio(self) -> JointMixedTests:
        """Return the exact F tests that the random term has no variance, of all genes."""
        ...


def comparison_of(fit: Fit) -> MixedComparison | None:
    """Return a fit as one that is compared with others, its attribute `comparison`; None: it is no mixed model."""
    found: MixedComparison | None = getattr(fit, "comparison", None)
    return found


def access_to(fit: Fit) -> MixedAccess | None:
    """Return what a fit tells of its genes, its attribute `access`; None: it is no mixed model."""
    found: MixedAccess | None = getattr(fit, "access", None)
    return found


def mixed_name(fit: Fit) -> str:
    """Return the method of a fit, of mixed models with how they were estimated: 'linear mixed model (REML of ...)'."""
    estimate = notes_of(fit).estimate if access_to(fit) is not None else None
    return f"{fit.method} ({estimate})" if estimate else fit.method


def cells_of(fit: Fit, contrasts: FloatArray) -> RowTests:
    """Return estimates of cells (k, p), with standard errors and degrees of freedom."""
    none = np.zeros((len(fit.base_mean), len(contrasts)), dtype=np.bool_)
    return fit.row_tests(contrasts, "t", threshold=0.0, alternative="greaterAbs", unchanged=none)
