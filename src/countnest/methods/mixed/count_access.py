"""What mixed models of counts tell of every gene: random effects, variances, fitted means, residuals. G genes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError
from countnest.methods.fit import Fit, RowTests
from countnest.methods.mixed.model import criteria
from countnest.methods.mixed.protocol import cells_of
from countnest.options import ResidualType
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.residual import deviance_residuals, pearson_residuals, quantile_residuals, raw_residuals
from countnest.stats.mixed.count_records import CountMixedFits, QuasiFits
from countnest.stats.mixed.count_variances import count_shares, observation_variance
from countnest.stats.mixed.covariances import relative_covariances
from countnest.stats.mixed.effects import PredictedEffects
from countnest.stats.mixed.records import MixedModel
from countnest.stats.mixed.shares import Components, Shares, components_of

__all__ = ["CountAccess"]


@dataclass(frozen=True, slots=True, eq=False)
class CountAccess:
    """What mixed models of counts tell; see `protocol.MixedAccess`.

    Attributes
    ----------
    fit
        The fit as one that answers queries.
    counts
        (G, n)
    factors
        (1, n) size factors or (G, n) normalization factors.
    model, fits
        The model, and its fits.
    """

    fit: Fit
    counts: CountMatrix
    factors: FloatArray
    model: MixedModel
    fits: CountMixedFits | QuasiFits

    @property
    def is_log(self) -> bool:
        """False: fitted values are means of counts."""
        return False

    def effects(self) -> tuple[PredictedEffects, ...]:
        """Return the modes of the random effects, with their standard deviations given everything else."""
        fits = self.fits
        sd = np.full_like(fits.effects, np.nan) if isinstance(fits, QuasiFits) else fits.effect_sd
        found, first = [], 0
        for term in self.model.terms:
            last = first + term.n_levels * term.n_columns
            shape = (len(fits.effects), term.n_levels, term.n_columns)
            values, own = fits.effects[:, first:last].reshape(shape), sd[:, first:last].reshape(shape)
            variances = (own / LN2)[:, :, :, np.newaxis] ** 2 * np.eye(term.n_columns)
            found.append(PredictedEffects(as_float(values / LN2), as_float(variances)))
            first = last
        return tuple(found)

    def coefficients(self) -> FloatArray:
        """Return the fixed coefficients (G, p), log2."""
        return as_float(self.fits.coefficients / LN2)

    def estimates(self, names: Sequence[str]) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): how fits ended, dispersions, likelihoods, coefficients."""
        fits, (n, p) = self.fits, self.model.matrix.shape
        uncounted = self.fit.never_counted
        found = {
            "code": np.where(uncounted, np.nan, fits.outcome.astype(np.float64)),
            "dispersion": np.where(uncounted, np.nan, fits.dispersion),
        }
        if isinstance(fits, CountMixedFits):
            known = not np.isfinite(fits.log_dispersion_se).any()
            found |= criteria(fits.loglik, p + self.model.n_parameters + (0 if known else 1), n)
        coefficients = dict(zip(names, self.coefficients().T, strict=True))
        return {name: as_float(each) for name, each in (found | coefficients).items()}

    def components(self) -> tuple[Components, ...]:
        """Return the standard deviations of the random effects of each term, log2, and their correlations."""
        scale = np.full(len(self.fits.theta), 1.0 / LN2)
        return tuple(components_of(each, scale) for each in relative_covariances(self.fits.theta, self.model))

    def residual_sd(self) -> FloatArray:
        """Return the standard deviations (G,) of counts about their means, log2, by the trigamma function."""
        with np.errstate(divide="ignore"):
            found = observation_variance(self.fits, self.fit.base_mean)
        return as_float(np.where(np.isfinite(self.fits.theta[:, 0]), np.sqrt(found) / LN2, np.nan))

    def shares(self, level: float) -> Shares:
        """Return the shares of the variance on the log scale, with intervals of this level."""
        return count_shares(self.model, self.fits, self.fit.base_mean, level=level)

    def signed(self, level: float) -> None:
        """Return None: variances are at least zero."""
        del level

    def fitted(self, *, random: bool) -> FloatArray:
        """Return fitted means (G, n), with size factors."""
        predictor = np.einsum("gk,nk->gn", self.coefficients(), self.model.matrix)
        if random:
            for term, each in zip(self.model.terms, self.effects(), strict=True):
                predictor += np.einsum("gnk,nk->gn", each.values[:, term.codes], term.columns)
        with np.errstate(over="ignore"):
            return as_float(np.exp2(predictor) * self.factors)

    def residuals(self, kind: ResidualType, *, random: bool, rng: np.random.Generator | None) -> FloatArray:
        """Return residuals (G, n) of counts about their fitted means.

        Raises
        ------
        OptionError
            If residuals about the fixed part are to be over a standard deviation: about it counts are not negative
            binomial.
        """
        if kind != "raw" and not random:
            raise OptionError(
                f"type={kind!r} is about means that include the random effects, because counts are not negative "
                "binomial about those of the fixed part: take random=True, or type='raw'."
            )
        counts, mu, alpha = self.counts.whole(), self.fitted(random=random), self.fits.dispersion
        if kind == "raw":
            return raw_residuals(counts, mu)
        if kind == "quantile":
            return quantile_residuals(counts, mu, alpha, rng)
        found = pearson_residuals(counts, mu, alpha) if kind == "pearson" else deviance_residuals(counts, mu, alpha)
        return as_float(found / self.fits.residual[:, np.newaxis]) if isinstance(self.fits, QuasiFits) else found

    def cells(self, contrasts: FloatArray) -> RowTests:
        """Return the log2 means of cells (k, p), with standard errors and degrees of freedom."""
        return cells_of(self.fit, contrasts)
