"""The steps of limma's method for counts. G genes, n samples, p coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.linear.fits import LinearFits
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.squeeze import Estimator, moderate_variances
from countnest.stats.voom.structural import SampleModel, VoomFits, voom_lm_fit
from countnest.stats.voom.voom import SPAN, voom_span

__all__ = ["LimmaOptions", "chosen_span", "fit_counts", "moderated"]


@dataclass(frozen=True, slots=True, eq=False)
class LimmaOptions:
    """Options of an analysis.

    Attributes
    ----------
    samples
        Sample weights, blocks, exact zeros, and the span of the variance curve.
    block
        What the blocks are called; '' where there are none.
    trend
        Whether the prior of the variances follows the mean log counts; or what it follows instead, by gene.
    robust
        Whether genes with outlying variances have fewer prior degrees of freedom.
    approximate
        Whether standard errors of contrasts are limma's approximate ones.
    compat
        The release whose behaviour it is; None: the newest.
    """

    samples: SampleModel
    block: str = ""
    trend: bool | FloatArray = False
    robust: bool = False
    approximate: bool = False
    compat: Compat | None = None


def chosen_span(given: float | None, n_genes: int, compat: Compat | None) -> float:
    """Return the span of the variance curve: the given one, or that of the release."""
    if given is not None:
        return given
    return voom_span(n_genes) if compat_level(compat).adaptive_spans else SPAN


def fit_counts(counts: FloatArray, design: FloatArray, library: FloatArray, options: LimmaOptions) -> VoomFits:
    """Return the linear models of counts (G, n), for effective library sizes (n,)."""
    return voom_lm_fit(counts, design, library, options.samples)


def moderated(
    fits: LinearFits, *, trend: bool | FloatArray, robust: bool, compat: Compat | None = None
) -> ModeratedVariances:
    """Return the moderated variances of linear models, the prior of which may follow the mean, or a covariate (G,).

    Notes
    -----
    R counterpart: limma::eBayes, its s2.post, s2.prior and df.prior.
    """
    estimator: Estimator = "auto" if compat_level(compat).likelihood_prior else "moments"
    variance = np.where(fits.df > 0, fits.sigma**2, 0.0)
    covariate = trend if isinstance(trend, np.ndarray) else fits.mean if trend else None
    found = moderate_variances(variance, fits.df, covariate=covariate, robust=robust, estimator=estimator)
    return replace(found, own_df=np.where(np.isnan(found.own_df), 0.0, found.own_df))
