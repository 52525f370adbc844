"""Posterior distributions of contrasts of negative binomial mixed models, by nested Laplace approximations.

Priors of the standard deviation of the random effects, half-normal, and of the dispersion, log-normal, are taken from
all genes; coefficients have flat ones. G genes, n samples, p coefficients, k contrasts, natural logarithms.

Source: Rue, Martino and Chopin (2009), doi:10.1111/j.1467-9868.2008.00700.x; local false sign rates: Stephens (2017),
doi:10.1093/biostatistics/kxw041.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.errors import OptionError
from countnest.kernels.mixed.counts.fit import RESTRICTED
from countnest.kernels.mixed.counts.grid import ABOVE, BELOW, LOWER, MEAN, N_COLUMNS, SD, UPPER, count_grid_chunk
from countnest.stats.glm.householder import inverse_triangle, ordered_product
from countnest.stats.mixed.count_problem import CountProblem, Settings
from countnest.stats.mixed.count_records import CountMixedFits, ShrunkenDispersion
from countnest.stats.mixed.laplace import SEPARATED_PRECISION, fit_with
from countnest.stats.mixed.records import MixedModel, Outcome

__all__ = ["CountPosterior", "fit_posterior", "sigma_scale"]

# Nodes of log alpha and of sigma, and how many standard errors they reach to either side of the mode.
N_ALPHA, N_SIGMA = 7, 9
REACH = np.array([4.0, 3.0])
UNFITTED = (Outcome.CONSTANT, Outcome.NOT_FINITE)
# Below this an average variance of random effects is zero to the search.
LEAST_SCALE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class CountPosterior:
    """Posterior distributions of k contrasts of G genes; NaN where `outcome` says that a gene has no fit.

    Attributes
    ----------
    mean, sd
        (G, k), natural log.
    lower, upper
        (G, k) ends of the central interval.
    lfsr
        (G, k) local false sign rates: the smaller one of the probabilities of the two signs.
    outcome
        (G,) how the search for the mode of sigma and dispersion ended.
    """

    mean: FloatArray
    sd: FloatArray
    lower: FloatArray
    upper: FloatArray
    lfsr: FloatArray
    outcome: IntArray

    @property
    def tail(self) -> FloatArray:
        """(G, k) twice the local false sign rate, which behaves as a p-value where priors are those of the genes."""
        return 2.0 * self.lfsr


def sigma_scale(fits: CountMixedFits) -> float:
    """Return the scale of the half-normal prior of sigma: the root of the mean square of the estimates.

    Genes that are separated or not fitted do not count.
    """
    sigma = fits.theta[:, 0]
    usable = np.isfinite(sigma) & np.isin(fits.outcome, [Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT])
    if not usable.any():
        raise OptionError("No gene has an estimate of the standard deviation of its random effects: fit more genes.")
    return max(float(np.sqrt(np.mean(sigma[usable] ** 2))), LEAST_SCALE)


def fit_posterior(
    counts: FloatArray,
    offset: FloatArray,
    model: MixedModel,
    contrasts: FloatArray,
    dispersion: ShrunkenDispersion | FloatArray | float,
    scale: float,
    *,
    level: float = 0.95,
) -> CountPosterior:
    """Return the posterior distributions of contrasts (k, p) of the coefficients.

    Parameters
    ----------
    counts, offset, model
        As those of `laplace.fit_counts`.
    dispersion
        With its prior; numbers, one or (G,), are known dispersions.
    scale
        Of the half-normal prior of sigma, see `sigma_scale`.
    level
        Probability of the interval.

    Raises
    ------
    OptionError
        If the scale is not positive, or the level not between 0 and 1.

    Notes
    -----
    Signs of separated genes rest on a weak normal prior of the coefficients; `outcome` names these genes.
    """
    if not scale > 0.0 or not 0.0 < level < 1.0:
        raise OptionError(f"scale={scale!r} must be positive, and level={level!r} between 0 and 1.")
    problem, known = CountProblem.of(model), not isinstance(dispersion, ShrunkenDispersion)
    start, prior = np.full((len(counts), 2), np.nan), np.zeros((len(counts), 4))
    prior[:, 2] = scale**-2
    if isinstance(dispersion, ShrunkenDispersion):
        prior[:, 0], prior[:, 1] = dispersion.log_trend, dispersion.prior_sd**-2
        start[:, 1] = np.exp(dispersion.log_trend)
    else:
        start[:, 1] = dispersion
    fits = fit_with(counts, offset, problem, Settings(start, prior, np.array([True, not known]), RESTRICTED))
    rows = np.flatnonzero(~np.isin(fits.outcome, UNFITTED))
    prior[fits.outcome == Outcome.SEPARATED, 3] = SEPARATED_PRECISION
    centre = np.column_stack([fits.theta, fits.dispersion])[rows]
    width = np.column_stack([fits.theta_se, fits.log_dispersion_se])[rows]
    widest = np.array([scale, 0.0 if known else 1.0 / np.sqrt(prior[0, 1])]) if len(prior) else np.ones(2)
    width = np.where(np.isfinite(width), np.minimum(width, widest), widest)
    found = np.empty((len(rows), len(contrasts), N_COLUMNS))
    turned = ordered_product(as_float(contrasts), inverse_triangle(problem.triangle))
    offsets = offset if len(offset) == 1 else offset[rows]
    count_grid_chunk(
        problem.sorted(counts[rows]), problem.sorted(offsets), as_float(centre), as_float(width), REACH,
        as_float(prior[rows]), as_float(turned), level, np.empty((1 if known else N_ALPHA, N_SIGMA)), problem.problem,
        found,
    )  # fmt: skip
    return _posterior(found, rows, fits.outcome)


def _posterior(found: FloatArray, rows: IntArray, outcome: IntArray) -> CountPosterior:
    """Return the record of all genes, of what was found for some of them."""
    whole = np.full((len(outcome), *found.shape[1:]), np.nan)
    whole[rows] = found
    lfsr = np.minimum(whole[..., BELOW], whole[..., ABOVE])
    mean, sd, lower, upper = (as_float(whole[..., column]) for column in (MEAN, SD, LOWER, UPPER))
    return CountPosterior(mean, sd, lower, upper, as_float(lfsr), outcome)
