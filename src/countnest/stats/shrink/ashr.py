"""Adaptive shrinkage: estimates as draws around effects whose prior is a mixture of zero-centred normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import warn

__all__ = ["AshFit", "adaptive_shrinkage", "maximize_weights"]

# Of the interior-point method. The gap bounds how far the mean log-likelihood of a gene lies below its maximum.
GAP_SOUGHT = 1e-15
GAP_ALLOWED = 1e-10
MAX_ITER = 200
# Part of the way to the boundary that one step may go.
BOUNDARY = 0.995
# Products and values in a chunk of genes.
BLOCK_SUMS = 2**17
BLOCK_VALUES = 2**13
JITTER = 4.0 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True, eq=False)
class AshFit:
    """Posterior of every gene under the fitted prior; NaN for a gene without a finite estimate and positive finite SE.

    Attributes
    ----------
    estimate, se
        (G,) as given.
    mean, sd
        (G,) posterior means and standard deviations, on the scale of the estimates.
    lfsr
        (G,) local false sign rates, min(P(effect >= 0), P(effect <= 0)).
    weights, prior_sd
        (K,) weights and standard deviations of the components of the prior, standard deviations ascending; empty when
        no gene can be used.
    loglik
        Log-likelihood of the usable estimates under the prior.
    """

    estimate: FloatArray
    se: FloatArray
    mean: FloatArray
    sd: FloatArray
    lfsr: FloatArray
    weights: FloatArray
    prior_sd: FloatArray
    loglik: float

    def false_sign_or_small(self, threshold: float) -> FloatArray:
        """Return the posterior probabilities (G,) that an effect has the other sign or is below `threshold` >= 0.

        P(effect <= T) where the posterior mean is positive, P(effect >= -T) elsewhere. At T = 0 it is the local false
        sign rate.
        """
        usable = _usable(self.estimate, self.se)
        b, s = self.estimate[usable], self.se[usable]
        rate = np.full(len(self.estimate), np.nan)
        if usable.any():
            rate[usable] = _Posterior.of(b, s, self.weights, self.prior_sd).not_beyond(threshold)
        return rate


def adaptive_shrinkage(estimate: FloatArray, se: FloatArray) -> AshFit:
    """Fit the prior to all genes and return the posterior of each.

    estimate ~ N(effect, se^2); effect ~ sum_k w_k N(0, sd_k^2), sd_k on a geometric grid that the data span, w_k at
    maximum likelihood. There is no point mass at zero and no penalty on w.

    Parameters
    ----------
    estimate, se
        (G,) on one scale, which is also that of the result.

    Notes
    -----
    R counterpart: ashr::ash(mixcompdist = "normal", method = "shrink"), as called by DESeq2::lfcShrink(type = "ashr").
    The weights are the maximum to rounding; those of R stop a little before it, which moves a posterior mean by
    about 1e-4 of its standard error, seldom 1e-3.

    References
    ----------
    Stephens (2017), False discovery rates: a new deal, doi:10.1093/biostatistics/kxw041.
    """
    estimate, se = as_float(estimate), as_float(se)
    usable = _usable(estimate, se)
    mean, sd, lfsr = (np.full(len(estimate), np.nan) for _ in range(3))
    if not usable.any():
        return AshFit(estimate, se, mean, sd, lfsr, np.empty(0), np.empty(0), 0.0)
    b, s = estimate[usable], se[usable]
    prior_sd = _grid(b, s)
    likelihood, log_scale = _likelihood(b, s, prior_sd)
    weights = maximize_weights(likelihood)
    posterior = _Posterior.of(b, s, weights, prior_sd)
    mean[usable], sd[usable] = posterior.moments()
    lfsr[usable] = posterior.not_beyond(0.0)
    loglik = float((np.log((likelihood * weights).sum(axis=1)) + log_scale).sum())
    return AshFit(estimate, se, mean, sd, lfsr, weights, prior_sd, loglik)


def _usable(estimate: FloatArray, se: FloatArray) -> BoolArray:
    with np.errstate(invalid="ignore"):
        return np.isfinite(estimate) & np.isfinite(se) & (se > 0)


def _grid(b: FloatArray, s: FloatArray) -> FloatArray:
    """Return the standard deviations (K,) of the prior: by factors of sqrt(2) down from the largest effect in view."""
    smallest = s.min() / 10.0
    excess = np.max((b - s) * (b + s))
    largest = 2.0 * np.sqrt(excess) if excess > 0 else 8.0 * smallest
    n_steps = int(np.ceil(2.0 * np.log2(largest / smallest)))
    # With all excess far below the errors the steps are negative, and the grid goes up from `largest` to `smallest`.
    exponent = np.arange(min(-n_steps, 0), max(-n_steps, 0) + 1)
    return np.asarray(largest * np.sqrt(2.0) ** exponent)


def _likelihood(b: FloatArray, s: FloatArray, prior_sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the densities (G, K) of estimates under each component, divided by their row maxima, and log maxima."""
    variance = s[:, None] ** 2 + prior_sd**2
    log_density = -0.5 * (b[:, None] ** 2 / variance + np.log(2.0 * np.pi * variance))
    log_scale = log_density.max(axis=1)
    return np.exp(log_density - log_scale[:, None]), log_scale


def maximize_weights(likelihood: FloatArray) -> FloatArray:
    """Return the weights w (K,) on the simplex that maximize sum_i log(L w)_i for likelihoods L (G, K).

    Minimizes -mean(log(L w)) + sum(w) over w >= 0, which has the same solution because the first term changes by a
    known amount when w is scaled. At the optimum the slopes 1 - mean(L_ik / (L w)_i) are >= 0, and 0 where w_k > 0. The
    slopes and the weights are moved together by Newton steps on w_k slope_k = barrier, the barrier going to zero.

    References
    ----------
    Koenker and Mizera (2014), doi:10.1080/01621459.2013.869224; Wright (1997), doi:10.1137/1.9781611971453.
    """
    k = likelihood.shape[1]
    w = np.full(k, 1.0 / k)
    slope, hessian = _derivatives(likelihood, w)
    z = np.maximum(slope, 0.0) + 0.1
    best, best_gap = w, np.inf
    for _ in range(MAX_ITER):
        gap = max(float(w @ z), float(np.abs(slope - z).max()))
        # Rounding ends the decrease: then the last step but one is as good as it gets.
        if gap >= best_gap and best_gap <= GAP_ALLOWED / 10.0:
            break
        if gap < best_gap:
            best, best_gap = w, gap
        if gap <= GAP_SOUGHT:
            break
        dw, dz = _step(w, z, slope, hessian)
        length = min(1.0, BOUNDARY * min(_reach(w, dw), _reach(z, dz)))
        w, z = w + length * dw, z + length * dz
        slope, hessian = _derivatives(likelihood, w)
    if best_gap > GAP_ALLOWED:
        warn(
            f"The prior of the adaptive shrinkage is {best_gap:.1e} per gene below its maximum likelihood after "
            f"{MAX_ITER} iterations. Check the estimates and standard errors for extreme values."
        )
    return np.asarray(best / best.sum())


def _derivatives(likelihood: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the gradient (K,) and the Hessian (K, K) of -mean(log(L w)) + sum(w).

    Sums go by chunks of genes, small enough to stay in the cache and for the linear algebra to stay on one thread: at
    this size its threads cost more than they bring, and very much more on a busy machine.
    """
    n_genes, k = likelihood.shape
    size = max(1, min(BLOCK_SUMS // k**2, BLOCK_VALUES // k))
    first, second = np.zeros(k), np.zeros((k, k))
    for start in range(0, n_genes, size):
        block = likelihood[start : start + size]
        ratio = block / (block @ w)[:, None]
        first += ratio.sum(axis=0)
        second += ratio.T @ ratio
    return 1.0 - first / n_genes, second / n_genes


def _step(w: FloatArray, z: FloatArray, slope: FloatArray, hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the Newton step in weights and slopes, towards a barrier as small as the step without one allows."""
    root = np.sqrt(w)
    system = root[:, None] * hessian * root
    # Neighbouring components with narrow sds can be alike to the last bit, and then the system is singular.
    diagonal = np.arange(len(w))
    system[diagonal, diagonal] += z + JITTER * system[diagonal, diagonal].max()

    def newton(barrier: float) -> tuple[FloatArray, FloatArray]:
        dw = root * np.linalg.solve(system, root * (barrier / w - slope))
        return dw, barrier / w - z - z / w * dw

    product = w @ z
    dw, dz = newton(0.0)
    reached = (w + min(1.0, _reach(w, dw)) * dw) @ (z + min(1.0, _reach(z, dz)) * dz)
    return newton(float((reached / product) ** 3 * product / len(w)))


def _reach(value: FloatArray, change: FloatArray) -> float:
    """Return the longest step along `change` for which the positive `value` stays non-negative."""
    falling = change < 0
    return float(np.min(value[falling] / -change[falling])) if falling.any() else np.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Posterior:
    """Mixtures of normals, (G, K) each: weights, means and standard deviations of the components."""

    weights: FloatArray
    means: FloatArray
    sds: FloatArray

    @classmethod
    def of(cls, b: FloatArray, s: FloatArray, weights: FloatArray, prior_sd: FloatArray) -> _Posterior:
        joint = weights * _likelihood(b, s, prior_sd)[0]
        total = np.hypot(s[:, None], prior_sd)
        kept = prior_sd / total
        return cls(joint / joint.sum(axis=1, keepdims=True), kept**2 * b[:, None], kept * s[:, None])

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return the means and standard deviations (G,)."""
        mean = (self.weights * self.means).sum(axis=1)
        variance = (self.weights * (self.sds**2 + (self.means - mean[:, None]) ** 2)).sum(axis=1)
        return mean, np.sqrt(variance)

    def not_beyond(self, threshold: float) -> FloatArray:
        """Return the probability (G,) that the effect is not beyond `threshold` on the side of the mean.

        The means of a gene's components share the sign of the estimate, so that both sides have one formula, without
        the cancellation of 1 - cdf.
        """
        return np.asarray((self.weights * ndtr((threshold - np.abs(self.means)) / self.sds)).sum(axis=1))
