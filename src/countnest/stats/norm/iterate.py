"""Size factors by maximum likelihood, given the expected counts of every gene and its dispersion.

Source: the likelihood is that of Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import NormalizationError
from countnest.kernels.negbin.density import nb_loglik_chunk

__all__ = ["count_logliks", "ml_size_factors"]

# Genes that fit worst, of which no sample's depth should depend.
TRIM = 0.05
# The search stops early enough to show its settings, so they are those of R's optim.
STEP = 1e-3
MEMORY, MAX_ITER = 5, 100
RELATIVE_GAIN = 1e7 * float(np.finfo(np.float64).eps)


def count_logliks(counts: FloatArray, mu: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return the log-likelihoods (G, n) of single counts (G, n) with means (G, n) and dispersions (G,)."""
    loglik, alpha = np.empty(counts.shape), np.repeat(dispersion, counts.shape[1])
    one_by_one = counts.reshape(-1, 1), mu.reshape(-1, 1), np.ones((1, 1)), alpha, np.zeros(counts.size)
    nb_loglik_chunk(*one_by_one, loglik.reshape(-1))
    return loglik


def ml_size_factors(logliks: Callable[[FloatArray], FloatArray], start: FloatArray) -> FloatArray:
    """Return the size factors (n,), of geometric mean 1, under which the counts are likeliest.

    The sum of the log-likelihoods is over the genes above their 5 % quantile, which changes with the size factors.

    Parameters
    ----------
    logliks
        Returns the log-likelihoods (G, n) of all counts at size factors (n,).
    start
        (n,) size factors to begin with.

    Raises
    ------
    NormalizationError
        If the search does not converge.
    """
    from scipy.optimize import minimize  # late: it takes a while to import

    search = minimize(
        _Loss(logliks),
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        options={"maxcor": MEMORY, "ftol": RELATIVE_GAIN, "gtol": 0.0, "maxiter": MAX_ITER},
    )
    if not search.success:
        raise NormalizationError(
            "the search for size factors of type='iterate' did not converge. Use type='ratio', or 'poscounts' where "
            "every gene has a zero."
        )
    return as_float(np.exp(search.x - search.x.mean()))


class _Loss:
    """Minus the trimmed log-likelihood as a function of log size factors (n,), with its central differences."""

    def __init__(self, logliks: Callable[[FloatArray], FloatArray]) -> None:
        self._logliks = logliks

    def __call__(self, log_factors: FloatArray) -> tuple[float, FloatArray]:
        centered = log_factors - log_factors.mean()
        value = -_trimmed_sums(self._logliks(np.exp(centered)).sum(axis=1, keepdims=True))[0]
        return float(value), (self._moved(centered, STEP) - self._moved(centered, -STEP)) / (2.0 * STEP)

    def _moved(self, centered: FloatArray, step: float) -> FloatArray:
        """Return the loss (n,) with each log size factor moved by `step`, and all centered again.

        Centering moves all samples alike, so two evaluations serve all n: at the moved sample, and at the others.
        """
        others = self._logliks(np.exp(centered - step / len(centered)))
        own = self._logliks(np.exp(centered - step / len(centered) + step))
        return -_trimmed_sums(others.sum(axis=1, keepdims=True) - others + own)


def _trimmed_sums(loglik: FloatArray) -> FloatArray:
    """Return the sum of each column of (G, m) over the genes above the column's quantile."""
    sums: FloatArray = np.where(loglik > np.quantile(loglik, TRIM, axis=0), loglik, 0.0).sum(axis=0)
    return sums
