"""Approximate posterior estimation of one coefficient of the negative binomial GLM, under a Cauchy prior.

Source: Zhu, Ibrahim and Love (2018), Heavy-tailed prior distributions for sequence count data: removing the noise and
preserving large differences, doi:10.1093/bioinformatics/bty895.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.kernels.negbin.irls import nb_log_start_chunk
from countnest.kernels.r_search.apeglm import nb_cauchy_chunk
from countnest.stats.glm.inputs import NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["ApeglmFit", "prior_scale", "shrink_coefficient", "swap_in"]

# Standard deviation (natural log) of the normal prior of the coefficients that are not shrunken.
OTHERS_SD = 15.0
# Where the prior variance is sought, and how near: the fourth root of the machine's precision, as R's uniroot stops.
# The scale that comes out is right to three or four digits, and R's digits follow from the very last iterate.
VARIANCE_RANGE = (1e-6, 400.0)
VARIANCE_TOLERANCE = float(np.finfo(np.float64).eps ** 0.25)
LARGEST_SCALE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ApeglmFit:
    """Posterior of one coefficient; natural log.

    Attributes
    ----------
    mode, sd
        (G,) posterior mode, and standard deviation by the curvature there; NaN where they were not found.
    scale
        Of the Cauchy prior.
    found
        (G,) whether the search ended at a mode at which the posterior is curved.
    """

    mode: FloatArray
    sd: FloatArray
    scale: float
    found: BoolArray

    @property
    def lfsr(self) -> FloatArray:
        """Local false sign rates (G,), by a normal approximation of the posterior."""
        return self.false_sign_or_small(0.0)

    def false_sign_or_small(self, threshold: float) -> FloatArray:
        """Return the probabilities (G,) that the coefficient has the other sign or is smaller than `threshold` >= 0."""
        return np.asarray(ndtr((threshold - np.abs(self.mode)) / self.sd))


def prior_scale(estimate: FloatArray, se: FloatArray) -> float:
    """Return the scale of the Cauchy prior: the spread of the true coefficients, at most 1.

    With the prior variance A, estimate^2 - se^2 has the mean A and, were they normal, the information
    1 / (2 (A + se^2)^2); A is the mean so weighted that agrees with itself (Efron and Morris 1975,
    doi:10.1080/01621459.1975.10479864).

    Parameters
    ----------
    estimate, se
        (G,) maximum likelihood estimates and standard errors of the coefficient, natural log; NaN where missing.

    Returns
    -------
    float
        NaN when no gene has both.
    """
    known = np.isfinite(estimate) & np.isfinite(se)
    if not known.any():
        return float("nan")
    variance = se[known] ** 2
    excess = estimate[known] ** 2 - variance

    def lack(a: float) -> float:
        information = 0.5 / (a + variance) ** 2
        return float((information * excess).sum() / information.sum() - a)

    low, high = VARIANCE_RANGE
    if lack(low) < 0:
        a = low
    elif lack(high) > 0:
        a = high
    else:
        a = _root(lack, low, high, VARIANCE_TOLERANCE)
    return min(float(np.sqrt(a)), LARGEST_SCALE)


def _root(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return a zero of `function` between `low` and `high`, where its signs differ, to a rough `tolerance`.

    Brent (1973), Algorithms for Minimization without Derivatives, ch. 4, as R has it: a step is compared with the last
    one, not with the one before that. `scipy.optimize.brentq` takes other steps, and with this tolerance the last
    iterate shows it.

    Notes
    -----
    R counterpart: stats::uniroot.
    """
    before, at_before = low, function(low)
    here, at_here = high, function(high)
    across, at_across = before, at_before  # the other end of the interval
    while True:
        last_step = here - before
        if abs(at_across) < abs(at_here):
            before, here, across = here, across, here
            at_before, at_here, at_across = at_here, at_across, at_here
        least = 2.0 * np.finfo(np.float64).eps * abs(here) + tolerance / 2.0
        width = across - here
        step = width / 2.0
        if abs(step) <= least or at_here == 0.0:
            return here
        if abs(last_step) >= least and abs(at_before) > abs(at_here):
            ratio = at_here / at_before
            if before == across:  # two points: a line
                p, q = width * ratio, 1.0 - ratio
            else:  # three points: a parabola lying on its side
                u, v = at_before / at_across, at_here / at_across
                p = ratio * (width * u * (u - v) - (here - before) * (v - 1.0))
                q = (u - 1.0) * (v - 1.0) * (ratio - 1.0)
            p, q = (p, -q) if p > 0.0 else (-p, q)
            if p < 0.75 * width * q - abs(least * q) / 2.0 and p < abs(last_step * q / 2.0):
                step = p / q
        if abs(step) < least:
            step = least if step > 0.0 else -least
        before, at_before = here, at_here
        here += step
        at_here = function(here)
        if (at_here > 0.0) == (at_across > 0.0):
            across, at_across = before, at_before


def shrink_coefficient(
    counts: FloatArray, inputs: NBInputs, layout: Layout, *, place: int, scale: float, converge: bool = False
) -> ApeglmFit:
    """Return the posterior of one coefficient under a Cauchy prior, the others under N(0, 15^2).

    Parameters
    ----------
    counts
        (G, n).
    inputs
        Size factors, dispersions and weights.
    layout
        Of the model matrix.
    place
        Which of the p coefficients.
    scale
        Of the Cauchy prior, natural log.
    converge
        Search to rounding, for the highest mode, with the curvature there. Otherwise the search ends where R's does, if
        that is near a mode.

    Notes
    -----
    R counterpart: apeglm::apeglm(method = "nbinomCR"), whose search ends when the objective, divided by its value at
    zero, changes by less than 1e-7: the larger the counts, the farther before the mode. From where two such searches
    end more than 0.01 apart, another one goes on. Where the maximum of the likelihood is far from zero and poorly
    determined, the posterior has a second mode near zero; the search ends at the one that it meets, not the higher one.
    Where the prior is narrow, R's differences of the gradient do not see all of its curvature. All of this is kept, so
    that the numbers are R's; `converge` gives those of the model. But where the search fails, or ends more than 0.3
    posterior standard deviations before the mode that is ahead, the result here is that of `converge`.
    """
    n_genes, p = len(counts), layout.n_coefficients
    beta, variance = np.empty((n_genes, p)), np.empty(n_genes)
    reached = np.empty(n_genes, dtype=np.int64)

    def search(genes: slice | IntArray, early: bool) -> None:
        k, some = counts[genes], inputs.at(genes)
        b, var, end = beta[genes], variance[genes], reached[genes]
        if not early:
            nb_log_start_chunk(k, some.size_factors, layout.basis, layout.triangle, b)
        nb_cauchy_chunk(
            k, np.log(some.size_factors), some.weights, some.dispersion, layout.plan, place, scale,
            OTHERS_SD**-2, early, b, var, end,
        )  # fmt: skip
        beta[genes], variance[genes], reached[genes] = b, var, end

    search(slice(0, n_genes), not converge)
    found = (reached == 1) & np.isfinite(variance)
    lost = np.flatnonzero(~found)
    if not converge and len(lost):
        search(lost, False)
        found[lost] = (reached[lost] == 1) & np.isfinite(variance[lost])
    mode = np.where(found, beta[:, place], np.nan)
    sd = np.sqrt(np.where(found, variance, np.nan))
    return ApeglmFit(mode, sd, scale, found)


def swap_in(matrix: FloatArray, contrast: FloatArray) -> tuple[FloatArray, int]:
    """Return a model matrix with the same column space in which a contrast is one coefficient, and its place.

    The contrast takes the place of the coefficient of the largest weight, of several the last; the other coefficients
    keep their meaning.

    Parameters
    ----------
    matrix
        X, (n, p).
    contrast
        c, (p,).
    """
    size = np.abs(contrast)
    place = len(size) - 1 - int(np.argmax(size[::-1]))
    coefficients = np.eye(len(contrast))
    coefficients[place] = contrast
    return as_float(matrix @ np.linalg.inv(coefficients)), place
