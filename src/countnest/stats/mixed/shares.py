"""What variance components and shares of the variance consist of, in every kind of mixed model. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.stats.mixed.records import MixedModel

__all__ = ["Components", "Shares", "components_of", "share_intervals", "term_slopes"]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The random effects of one term: standard deviations (G, k), correlations (G, k, k), NaN at variance 0."""

    sd: FloatArray
    correlation: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Shares of the variance, with confidence intervals, (G, parts) each.

    The parts are the fixed effects, the terms of random effects in their order, and the residuals.
    """

    share: FloatArray
    low: FloatArray
    high: FloatArray


def components_of(relative: FloatArray, scale: FloatArray) -> Components:
    """Return the components of a term from its covariances (G, k, k) over the square of a scale (G,)."""
    sd = np.sqrt(np.diagonal(relative, axis1=1, axis2=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = relative / (sd[:, :, np.newaxis] * sd[:, np.newaxis, :])
    return Components(as_float(sd * scale[:, np.newaxis]), as_float(correlation))


def share_intervals(share: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of intervals of shares that reach so far, the reach turned to the scale of log odds."""
    inside = (share > 0) & (share < 1)
    whole = np.where(inside, share, 0.5)
    odds, step = scipy.special.logit(whole), reach / (whole * (1.0 - whole))
    low = np.where(inside, scipy.special.expit(odds - step), np.maximum(share - reach, 0.0))
    high = np.where(inside, scipy.special.expit(odds + step), np.minimum(share + reach, 1.0))
    return as_float(low), as_float(high)


def term_slopes(model: MixedModel) -> FloatArray:
    """Return the mean variance (terms, t) that one unit of each entry of LL' gives the samples, term by term."""
    found = np.zeros((len(model.terms), model.n_parameters))
    first = 0
    for row, term in enumerate(model.terms):
        square = term.columns.T @ term.columns / len(term.columns)
        for column in range(term.n_columns):
            for other in range(column, term.n_columns):
                found[row, first] = square[other, column] * (1.0 if other == column else 2.0)
                first += 1
    return found
