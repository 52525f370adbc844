"""Predicted random effects of linear mixed models, and fitted values.

Source: Bates et al. (2015), doi:10.18637/jss.v067.i01. G genes, n samples, t variance parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.mixed.general.moments import predictions_chunk
from countnest.kernels.mixed.general.sweeps import new_work
from countnest.stats.mixed.components import layout_of
from countnest.stats.mixed.covariances import relative_covariances
from countnest.stats.mixed.general_parts import residuals_of_fixed
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome, fits_of
from countnest.stats.mixed.weights import normalized

__all__ = ["PredictedEffects", "fitted_values", "predicted_effects"]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedEffects:
    """The random effects of one term; NaN where a gene has no fit.

    Attributes
    ----------
    values
        (G, levels, k) best linear unbiased predictions.
    covariances
        (G, levels, k, k) their conditional covariances, given the variances and the fixed coefficients.
    """

    values: FloatArray
    covariances: FloatArray

    @property
    def sd(self) -> FloatArray:
        """(G, levels, k) conditional standard deviations."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.maximum(np.diagonal(self.covariances, axis1=2, axis2=3), 0.0))


def predicted_effects(
    y: FloatArray, model: MixedModel, weights: FloatArray | None, fits: LinearMixedFits
) -> tuple[PredictedEffects, ...]:
    """Return the random effects of each term of the model, for genes y (G, n) with weights (G, n) or (1, n).

    Notes
    -----
    They are for fits whose variances are at least zero. R counterpart: lme4::ranef(condVar = TRUE).
    """
    layout = layout_of(model, standardized=False)
    fitted = np.flatnonzero(fits.outcome < Outcome.CONSTANT)
    own, scaled = fits_of(fits, fitted), None if weights is None else normalized(weights)
    some = scaled if scaled is None or len(scaled) == 1 else scaled[fitted]
    residual, some = residuals_of_fixed(y[fitted], model, some, own)
    m, q, widest = len(layout.structure.pointer) - 1, layout.largest, max(term.n_columns for term in model.terms)
    score, inner = np.zeros((len(fitted), m, q)), np.zeros((len(fitted), m, q, widest))
    predictions_chunk(residual, some, layout.structure, new_work(layout.structure), as_float(own.theta), score, inner)
    found = []
    for term, places, relative in zip(model.terms, layout.places, relative_covariances(own.theta, model), strict=True):
        k = term.n_columns
        at = places[:, :1], places[:, 1:] + np.arange(k)
        values = np.full((len(y), term.n_levels, k), np.nan)
        covariances = np.full((len(y), term.n_levels, k, k), np.nan)
        values[fitted] = np.einsum("gij,glj->gli", relative, score[:, at[0], at[1]])
        prior = relative[:, np.newaxis]
        known = prior - prior @ inner[:, at[0], at[1], :k] @ prior
        covariances[fitted] = known * (own.sigma**2)[:, np.newaxis, np.newaxis, np.newaxis]
        found.append(PredictedEffects(values, covariances))
    return tuple(found)


def fitted_values(model: MixedModel, fits: LinearMixedFits, effects: tuple[PredictedEffects, ...]) -> FloatArray:
    """Return the fitted values (G, n), random effects included."""
    fitted = np.einsum("gk,nk->gn", fits.coefficients, model.matrix)
    for term, each in zip(model.terms, effects, strict=True):
        fitted += np.einsum("gnk,nk->gn", each.values[:, term.codes], term.columns)
    return as_float(fitted)
