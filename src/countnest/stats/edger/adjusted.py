"""Deviances and their degrees of freedom, adjusted for small counts and for leverages. G genes, n samples.

Source: Chen et al. (2025), doi:10.1093/nar/gkaf018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.edger.deviance import CLAMPED, EXACT, deviance_chunk
from countnest.kernels.edger.leverage import leverage_chunk
from countnest.stats.edger.deviance import unit_deviances
from countnest.stats.edger.weights import unit_weights

__all__ = ["Adjusted", "adjusted_deviance"]

# Samples whose leverage is closer to 1 than this fit by themselves, and genes of fewer degrees of freedom have none.
LEAST_FREE, LEAST_DF = 1e-4, 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Adjusted deviances and their degrees of freedom, (G,) each."""

    deviance: FloatArray
    df: FloatArray

    @property
    def variance(self) -> FloatArray:
        """(G,) their ratios, the quasi-dispersions; 0 where there are no degrees of freedom."""
        some = self.df >= LEAST_DF
        return np.where(some, self.deviance / np.where(some, self.df, 1.0), 0.0)


def adjusted_deviance(
    counts: FloatArray,
    mu: FloatArray,
    design: FloatArray,
    dispersion: FloatArray,
    *,
    average: float = 1.0,
    weights: FloatArray | None = None,
    as_in_r: bool = False,
) -> Adjusted:
    """Return the adjusted deviances of fitted genes.

    Parameters
    ----------
    counts, mu
        (G, n) counts and fitted means; missing means give missing deviances.
    design
        (n, p) the model matrix.
    dispersion
        (G,) negative binomial dispersions before they are divided by `average`.
    average
        The average quasi-dispersion, at least 1, by which the variance of all counts is larger.
    weights
        (G, n) observation weights; None: all one.
    as_in_r
        Whether unit deviances are those of R; see `unit_deviances`.

    Notes
    -----
    R counterpart: deviance.adj and df.residual.adj of edgeR::glmQLFit.
    """
    relative = (1.0 if weights is None else weights) / average
    working = dispersion[:, np.newaxis] * relative
    missing = np.isnan(mu)
    known = np.where(missing, 0.0, mu)
    alpha, kappa = unit_weights(known * relative, dispersion[:, np.newaxis])
    leverage = np.empty(mu.shape)
    leverage_chunk(as_float(design.T), as_float(known / (1.0 + known * working)), leverage)
    free = 1.0 - leverage
    used = free >= LEAST_FREE
    share = np.where(used, alpha if weights is None else alpha * weights, 0.0)
    if weights is None:
        total = np.empty(len(mu))
        mode = CLAMPED if as_in_r else EXACT
        deviance_chunk(as_float(counts), as_float(known), share, as_float(working[:, 0]), mode, total)
    else:  # whose working dispersions are not the same in all samples
        total = (unit_deviances(counts, mu, working, as_in_r=as_in_r) * share).sum(axis=1)
    df = np.where(used, free * kappa, 0.0).sum(axis=1)
    none = missing.any(axis=1)
    return Adjusted(*(np.where(none, np.nan, each) for each in (total, df)))
