"""Variances moderated by a prior that all genes teach.

Sources: Smyth (2004), doi:10.2202/1544-6115.1027; robust: Phipson et al. (2016), doi:10.1214/16-AOAS920. G genes.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.stats.moderated.likelihood import likelihood_prior
from countnest.stats.moderated.moments import moments_prior
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.robust import robust_moments_prior

__all__ = ["Estimator", "moderate_variances"]

Estimator = Literal["auto", "moments", "likelihood"]

# With fewer genes, or fewer than two with as many degrees of freedom, variances are left as they are.
MIN_GENES = 3
LEAST = 0.01


def moderate_variances(
    variance: FloatArray,
    df: FloatArray,
    *,
    covariate: FloatArray | None = None,
    robust: bool = False,
    estimator: Estimator = "auto",
) -> ModeratedVariances:
    """Return the posterior variances of genes, under a scaled-F prior that is estimated from them.

    Parameters
    ----------
    variance, df
        (G,) variances of the genes and their degrees of freedom. Genes without degrees of freedom get the variance of
        the prior; those with a missing variance stay missing and do not count.
    covariate
        (G,) what the variance of the prior follows, such as the mean log count; None: it is one number.
    robust
        Whether genes with outlying variances have fewer prior degrees of freedom.
    estimator
        "moments", which may find the variances all alike (infinite prior degrees of freedom); "likelihood", which
        allows for unequal degrees of freedom; "auto": moments where all genes with any have the same number.

    Notes
    -----
    R counterpart: limma::squeezeVar; moments are ``legacy = TRUE``, and all there is before version 3.61.
    """
    known = ~(np.isnan(df) | (np.isnan(variance) & (df > 0)))
    if covariate is not None:
        known &= ~np.isnan(covariate)
    cleared = np.where(df > 0, variance, 0.0)
    own_df = np.where(known, df, np.nan)
    part = cleared[known], df[known], None if covariate is None else covariate[known]
    prior = _prior(*part, robust=robust, estimator=estimator)
    prior = ScaledFPrior(*(_expanded(values, known) for values in (prior.df, prior.variance)))
    return ModeratedVariances(prior.posterior(cleared, own_df), own_df, prior)


def _prior(
    variance: FloatArray, df: FloatArray, covariate: FloatArray | None, *, robust: bool, estimator: Estimator
) -> ScaledFPrior:
    """Return the prior of genes of which no value is missing."""
    some = df[df > LEAST]
    if len(df) < MIN_GENES or len(some) < 2:
        return ScaledFPrior(0.0, np.nan)
    if estimator == "likelihood" or (estimator == "auto" and np.ptp(some) > 0):
        return likelihood_prior(variance, df, covariate, robust=robust)
    return (robust_moments_prior if robust else moments_prior)(variance, df, covariate)


def _expanded(values: float | FloatArray, known: BoolArray) -> float | FloatArray:
    if not isinstance(values, np.ndarray):
        return values
    whole = np.full(len(known), np.nan)
    whole[known] = values
    return whole
