"""What linear mixed models tell of every gene: random effects, variances, fitted values, residuals.

G genes, of which m were fitted, n samples, p coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import OptionError
from countnest.methods.chunks import expand
from countnest.methods.fit import Fit, RowTests
from countnest.methods.mixed.model import criteria
from countnest.methods.mixed.protocol import cells_of
from countnest.options import ResidualType
from countnest.stats.mixed.covariances import gamma_of, unit_variances
from countnest.stats.mixed.effects import PredictedEffects, fitted_values, predicted_effects
from countnest.stats.mixed.records import LinearMixedFits, MixedModel
from countnest.stats.mixed.shares import Components, Shares
from countnest.stats.mixed.variances import (
    Signed,
    signed_components,
    variance_components,
    variance_shares,
)
from countnest.stats.mixed.weights import normalized

__all__ = ["LinearAccess"]


@dataclass(frozen=True, slots=True, eq=False)
class LinearAccess:
    """What linear mixed models tell; see `protocol.MixedAccess`.

    Attributes
    ----------
    fit
        The fit as one that answers queries.
    kept
        (G,) the genes that were fitted.
    values, weights
        (m, n) what was fitted, with its weights or None.
    model, fits
        The model, and its fits.
    """

    fit: Fit
    kept: BoolArray
    values: FloatArray
    weights: FloatArray | None
    model: MixedModel
    fits: LinearMixedFits

    @property
    def is_log(self) -> bool:
        """True: values are log2."""
        return True

    def effects(self) -> tuple[PredictedEffects, ...]:
        """Return best linear unbiased predictions.

        Raises
        ------
        OptionError
            If variances may be negative: they belong to no random effects.
        """
        found = self._effects()
        return tuple(PredictedEffects(self._whole(each.values), self._whole(each.covariances)) for each in found)

    def _whole(self, values: FloatArray) -> FloatArray:
        """Return values of the genes that were fitted at their places among all genes."""
        return expand(self.kept, values)

    def _effects(self) -> tuple[PredictedEffects, ...]:
        """Return the effects of the genes that were fitted."""
        if not self.fits.bounded:
            raise OptionError(
                "variances of this fit may be negative, so that they belong to no random effects. "
                "cn.variance_components has its variances and intraclass correlations; for random effects, and what is "
                "given them, fit with cn.lmm(dds, bounded=True), the default, or leave them out with random=False."
            )
        return predicted_effects(self.values, self.model, self.weights, self.fits)

    def coefficients(self) -> FloatArray:
        """Return the fixed coefficients (G, p)."""
        return self._whole(self.fits.coefficients)

    def estimates(self, names: Sequence[str]) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): how fits ended, residual standard deviations, likelihoods, coefficients."""
        fits, (n, p) = self.fits, self.model.matrix.shape
        found = {
            "code": as_float(fits.outcome),
            "sigma": fits.sigma,
            **criteria(-0.5 * fits.criterion, p + self.model.n_parameters + 1, n),
            **dict(zip(names, fits.coefficients.T, strict=True)),
        }
        return {name: self._whole(as_float(each)) for name, each in found.items()}

    def components(self) -> tuple[Components, ...]:
        """Return the standard deviations of the random effects of each term, where they are at least zero."""
        found = variance_components(self.model, self.fits)
        return tuple(Components(self._whole(each.sd), self._whole(each.correlation)) for each in found)

    def residual_sd(self) -> FloatArray:
        """Return the standard deviations (G,) of the residuals."""
        return self._whole(self.fits.sigma)

    def shares(self, level: float) -> Shares:
        """Return the shares of the variance, with intervals of this level."""
        found = variance_shares(self.values, self.model, self.weights, self.fits, level=level)
        return Shares(self._whole(found.share), self._whole(found.low), self._whole(found.high))

    def signed(self, level: float) -> Signed | None:
        """Return the variance of fits in which it may be negative; None for others."""
        if self.fits.bounded:
            return None
        found = signed_components(self.values, self.model, self.weights, self.fits, level=level)
        return Signed(*(self._whole(each) for each in (found.variance, found.correlation, found.low, found.high)))

    def fitted(self, *, random: bool) -> FloatArray:
        """Return fitted values (G, n), log2."""
        return self._whole(self._fitted(random=random))

    def _fitted(self, *, random: bool) -> FloatArray:
        model, fits = self.model, self.fits
        if random:
            return fitted_values(model, fits, self._effects())
        return as_float(np.einsum("gk,nk->gn", fits.coefficients, model.matrix))

    def residuals(self, kind: ResidualType, *, random: bool, rng: np.random.Generator | None = None) -> FloatArray:
        """Return residuals (G, n): "raw" ones, log2, or, whatever else is asked for, over their standard deviations.

        Those about the fixed part have the random effects in their standard deviation. Samples of weight zero have
        residuals of zero, but for raw ones.
        """
        del rng  # nothing is drawn: values are continuous
        found = as_float(self.values - self._fitted(random=random))
        if kind != "raw":
            found = found / self._sd(random=random)
        return self._whole(found)

    def _sd(self, *, random: bool) -> FloatArray:
        """Return the standard deviations (m, n) of values about their fitted values."""
        with np.errstate(divide="ignore"):
            own = np.ones((1, len(self.model.matrix))) if self.weights is None else 1.0 / normalized(self.weights)
        if not random:
            own = own + gamma_of(self.fits, self.model) @ unit_variances(self.model)
        return as_float(self.fits.sigma[:, np.newaxis] * np.sqrt(own))

    def cells(self, contrasts: FloatArray) -> RowTests:
        """Return the means of cells (k, p), log2, with standard errors and degrees of freedom."""
        return cells_of(self.fit, contrasts)
