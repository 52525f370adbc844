"""Size factors by maximum likelihood, given what is expected of every gene and its dispersion.

Source: the likelihood is that of Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import NormalizationError
from countnest.kernels.negbin.density import nb_loglik_block
from countnest.parallel.run import Engine

__all__ = ["likeliest_size_factors"]

# Genes that fit worst, of which no sample's depth should depend.
TRIM = 0.05
# The search stops early enough to show its settings, so they are those of R's optim.
STEP = 1e-3
MEMORY, MAX_ITER = 5, 100
RELATIVE_GAIN = 1e7 * float(np.finfo(np.float64).eps)


def likeliest_size_factors(
    counts: FloatArray, expected: FloatArray, alpha: FloatArray, start: FloatArray, *, engine: Engine
) -> FloatArray:
    """Return the size factors (n,), of geometric mean 1, under which the counts are likeliest.

    The sum of the log-likelihoods is over the genes above their 5 % quantile, which changes with the size factors.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    expected
        (G, n) means at size factors of 1.
    alpha
        (G,) dispersions.
    start
        (n,) size factors to begin with.
    engine
        Threads and blocks.

    Raises
    ------
    NormalizationError
        If the search does not converge.
    """
    from scipy.optimize import minimize  # late: it takes a while to import

    loss = _Loss(counts, expected, alpha, engine)
    search = minimize(
        loss,
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

    def __init__(self, counts: FloatArray, expected: FloatArray, alpha: FloatArray, engine: Engine) -> None:
        self._counts, self._expected, self._alpha = counts, expected, alpha
        self._engine = engine

    def __call__(self, log_factors: FloatArray) -> tuple[float, FloatArray]:
        centered = log_factors - log_factors.mean()
        value = -_trimmed_sums(self._cells(centered).sum(axis=1, keepdims=True))[0]
        return float(value), (self._moved(centered, STEP) - self._moved(centered, -STEP)) / (2.0 * STEP)

    def _moved(self, centered: FloatArray, step: float) -> FloatArray:
        """Return the loss (n,) with each log size factor moved by `step`, and all centered again.

        Centering moves all samples alike, so two evaluations serve all n: at the moved sample, and at the others.
        """
        others = self._cells(centered - step / len(centered))
        own = self._cells(centered - step / len(centered) + step)
        return -_trimmed_sums(others.sum(axis=1, keepdims=True) - others + own)

    def _cells(self, log_factors: FloatArray) -> FloatArray:
        """Return the log-likelihood (G, n) of every count."""
        n_genes, n = self._counts.shape
        mu = self._expected * np.exp(log_factors)
        loglik = np.empty((n_genes, n))

        def task(block: slice) -> None:
            k = self._counts[block].reshape(-1, 1)
            alpha = np.repeat(self._alpha[block], n)
            nb_loglik_block(
                k, mu[block].reshape(-1, 1), np.ones((1, 1)), alpha, np.zeros(len(k)), loglik[block].reshape(-1)
            )

        self._engine.run(task, n_genes)
        return loglik


def _trimmed_sums(loglik: FloatArray) -> FloatArray:
    """Return the sum of each column of (G, m) over the genes above the column's quantile."""
    sums: FloatArray = np.where(loglik > np.quantile(loglik, TRIM, axis=0), loglik, 0.0).sum(axis=0)
    return sums
