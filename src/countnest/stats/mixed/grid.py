"""Posterior distributions of contrasts of negative binomial mixed models, by nested Laplace approximations.

Priors of the standard deviation of the random effects, half-normal, and of the dispersion, log-normal, are taken from
all genes; coefficients have flat ones. The posterior of a contrast is a mixture of normal distributions over the nodes
of a lattice of the two. G genes, n samples, p coefficients, k contrasts, natural logarithms.

Source: Rue, Martino and Chopin (2009), doi:10.1111/j.1467-9868.2008.00700.x; local false sign rates: Stephens (2017),
doi:10.1093/biostatistics/kxw041.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import OptionError
from countnest.kernels.mixed.counts.grid import count_grid_chunk
from countnest.kernels.mixed.counts.mixture import ABOVE, BELOW, LOWER, MEAN, N_COLUMNS, SD, UPPER
from countnest.stats.glm.householder import inverse_triangle, ordered_product
from countnest.stats.inference.lrt import row_basis
from countnest.stats.mixed.count_ends import SEPARATED_PRECISION
from countnest.stats.mixed.count_problem import CountProblem
from countnest.stats.mixed.count_records import CountMixedFits, ShrunkenDispersion
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.records import MixedModel, Outcome

__all__ = ["CountPosterior", "Lattices", "Question", "fit_posterior", "lattices", "posterior", "sigma_scale"]

# The spacing of the nodes of sigma and of log alpha, in standard errors. Sums of a normal density over such nodes are
# exact to 1e-5. Where the mode of sigma is zero, half the lattice is missing and the density is less like a normal one:
# sigma has nodes closer by this factor.
SPACING, AT_ZERO = 1.3, 0.5
# Below this an average variance of random effects is zero to the search.
LEAST_SCALE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Lattices:
    """The lattices of sigma and log alpha of G genes, with their priors; NaN for genes without a fit.

    Attributes
    ----------
    centre
        (G, 2) sigma and alpha, from which a lattice is explored.
    step
        (G, 2) the spacings of sigma and of log alpha; a second spacing of 0: alpha is known.
    prior
        (G, 4) mean and precision of the log dispersion, precisions of sigma and of the coefficients.
    """

    centre: FloatArray
    step: FloatArray
    prior: FloatArray

    @property
    def fitted(self) -> BoolArray:
        """(G,) genes with a fit."""
        return np.asarray(np.isfinite(self.centre).all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of a posterior distribution.

    Attributes
    ----------
    contrasts
        (k, p) of the coefficients.
    threshold
        Probabilities of values below and above -threshold and threshold are wanted.
    level
        Probability of the central interval; None: no interval.
    joint
        Whether all contrasts are asked of at once as well.
    """

    contrasts: FloatArray
    threshold: float = 0.0
    level: float | None = None
    joint: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CountPosterior:
    """Posterior distributions of k contrasts of G genes; NaN where a gene has no fit.

    Attributes
    ----------
    mean, sd
        (G, k), natural log.
    below, above
        (G, k, 2) probabilities to be below, and above, -threshold and threshold.
    lower, upper
        (G, k) ends of the central interval; NaN without a level.
    joint
        (G,) probability that the contrasts are as far from their mean as zero is, or farther, by their conditional
        covariances, averaged over the nodes: chi-square tails. NaN where it was not asked for.
    """

    mean: FloatArray
    sd: FloatArray
    below: FloatArray
    above: FloatArray
    lower: FloatArray
    upper: FloatArray
    joint: FloatArray

    @property
    def lfsr(self) -> FloatArray:
        """(G, k) local false sign rates: the smaller one of the probabilities of the two signs.

        Against a threshold the probability that the larger side is not beyond it.
        """
        return as_float(np.minimum(self.below[..., 1], self.above[..., 0]))

    @property
    def tail(self) -> FloatArray:
        """(G, k) twice the local false sign rate, which behaves as a p-value where priors are those of the genes."""
        return as_float(np.minimum(2.0 * self.lfsr, 1.0))


def sigma_scale(fits: CountMixedFits) -> float:
    """Return the scale of the half-normal prior of sigma: the root of the mean square of the estimates.

    Genes that are separated or not fitted do not count.
    """
    sigma = fits.theta[:, 0]
    usable = np.isfinite(sigma) & np.isin(fits.outcome, [Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT])
    if not usable.any():
        raise OptionError("No gene has an estimate of the standard deviation of its random effects: fit more genes.")
    return max(float(np.sqrt(np.mean(sigma[usable] ** 2))), LEAST_SCALE)


def lattices(fits: CountMixedFits, dispersion: ShrunkenDispersion | FloatArray | float, scale: float) -> Lattices:
    """Return the lattices of genes.

    Parameters
    ----------
    fits
        By restricted likelihood, with the dispersions below.
    dispersion
        With its prior; numbers, one or (G,), are known dispersions.
    scale
        Of the half-normal prior of sigma, see `sigma_scale`.

    Raises
    ------
    OptionError
        If the scale is not positive.
    """
    if not scale > 0.0:
        raise OptionError(f"scale={scale!r} must be positive.")
    n_genes, sigma = len(fits.outcome), fits.theta[:, 0]
    prior, widest = np.zeros((n_genes, 4)), 0.0
    prior[:, 2] = scale**-2
    prior[fits.outcome == Outcome.SEPARATED, 3] = SEPARATED_PRECISION
    if isinstance(dispersion, ShrunkenDispersion):
        prior[:, 0], prior[:, 1], widest = dispersion.log_trend, dispersion.prior_sd**-2, dispersion.prior_sd
    with np.errstate(divide="ignore"):
        precision = np.where(np.isfinite(fits.theta_se[:, 0]), fits.theta_se[:, 0] ** -2, 0.0)
    whole = precision + scale**-2
    closer = np.where(sigma == 0.0, AT_ZERO, 1.0)
    width = np.where(np.isfinite(fits.log_dispersion_se), np.minimum(fits.log_dispersion_se, widest), widest)
    return Lattices(
        as_float(np.column_stack([sigma * precision / whole, fits.dispersion])),
        as_float(SPACING * np.column_stack([closer * whole**-0.5, width])),
        prior,
    )


def posterior(
    counts: FloatArray, offset: FloatArray, model: MixedModel, nodes: Lattices, question: Question
) -> CountPosterior:
    """Return the posterior distributions of contrasts.

    Parameters
    ----------
    counts, offset, model
        As those of `laplace.fit_counts`.
    nodes
        The lattices of the genes.
    question
        What is asked.
    """
    problem, rows = CountProblem.of(model), np.flatnonzero(nodes.fitted)
    basis = row_basis(question.contrasts)[0] if question.joint else question.contrasts[:0]
    every = np.vstack([basis, question.contrasts])
    turned = ordered_product(as_float(every), inverse_triangle(problem.triangle))
    found, joint = np.empty((len(rows), len(every), N_COLUMNS)), np.full(len(rows), np.nan)
    count_grid_chunk(
        problem.sorted(counts[rows]), problem.sorted(offset if len(offset) == 1 else offset[rows]),
        as_float(nodes.centre[rows]), as_float(nodes.step[rows]), as_float(nodes.prior[rows]), as_float(turned),
        len(basis), float(question.threshold), float(question.level or 0.0), problem.problem, found, joint,
    )  # fmt: skip
    whole, of_all = np.full((len(counts), *found.shape[1:]), np.nan), np.full(len(counts), np.nan)
    whole[rows], of_all[rows] = found, joint
    asked = whole[:, len(basis) :]
    mean, sd, lower, upper = (as_float(asked[..., column]) for column in (MEAN, SD, LOWER, UPPER))
    below, above = (as_float(asked[..., column : column + 2]) for column in (BELOW, ABOVE))
    return CountPosterior(mean, sd, below, above, lower, upper, of_all)


def fit_posterior(
    counts: FloatArray,
    offset: FloatArray,
    model: MixedModel,
    question: Question,
    dispersion: ShrunkenDispersion | FloatArray | float,
    scale: float,
) -> CountPosterior:
    """Fit the genes, and return the posterior distributions of contrasts: `fit_counts`, `lattices`, `posterior`.

    Notes
    -----
    Signs of separated genes rest on a weak normal prior of the coefficients; the outcome of a fit names these genes.
    """
    fits = fit_counts(counts, offset, model, dispersion=dispersion)
    return posterior(counts, offset, model, lattices(fits, dispersion, scale), question)
