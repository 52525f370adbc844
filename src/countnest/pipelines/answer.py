"""Answer one comparison for every gene: estimate, test, and which p-values count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.fit import ModelFit
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.pipelines.deseq import expand, rows_of
from countnest.stats.glm.fit import LN2, contrast_variance
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import likelihood_ratio_test
from countnest.stats.inference.wald import wald_test

__all__ = ["Answer", "answer", "cooks_outliers", "estimate_contrast"]

# An outlier does not count in a two-group design when this many samples have a larger count.
LARGER_COUNTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One comparison, each (G,): log2 fold change, its standard error, statistic and p-value."""

    lfc: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray


def estimate_contrast(
    vector: FloatArray, fit: ModelFit, dispersion: FloatArray, factors: FloatArray, layout: Layout, engine: Engine
) -> tuple[FloatArray, FloatArray]:
    """Return log2 fold changes c'beta and their standard errors (G,) for a contrast (p,)."""
    used = np.flatnonzero(vector)
    if len(used) == 1:
        weight, k = vector[used[0]], used[0]
        return weight * fit.beta[:, k] / LN2, abs(weight) * fit.se[:, k] / LN2
    rows = ~np.isnan(fit.beta[:, 0])
    beta = fit.beta[rows]
    variance = contrast_variance(
        vector, beta, rows_of(factors, rows), dispersion[rows], layout, min_mu=fit.min_mu, engine=engine
    )
    return expand(rows, beta @ vector / LN2), expand(rows, np.sqrt(variance[:, 0]) / LN2)


def answer(
    vector: FloatArray,
    fit: ModelFit,
    dispersion: FloatArray,
    factors: FloatArray,
    layout: Layout,
    *,
    likelihood_ratio: bool,
    threshold: float,
    alternative: AltHypothesis,
    zero: BoolArray | None,
    engine: Engine,
) -> Answer:
    """Estimate and test a contrast (p,) of the log2 coefficients.

    Parameters
    ----------
    vector
        Contrast (p,).
    fit, dispersion, factors, layout
        The fitted model; dispersion (G,), factors (1, n) or (G, n).
    likelihood_ratio
        Test the reduced model instead of the contrast; the contrast is then only estimated.
    threshold, alternative
        Of the Wald test, log2.
    zero
        (G,) genes without any count in the samples that the contrast compares: no difference, p = 1.
    engine
        Threads and blocks.
    """
    lfc, se = estimate_contrast(vector, fit, dispersion, factors, layout, engine)
    if zero is not None:
        lfc = np.where(zero & ~np.isnan(lfc), 0.0, lfc)
    if likelihood_ratio and fit.reduced is not None:
        return Answer(lfc, se, *likelihood_ratio_test(fit.loglik, fit.reduced.loglik, fit.reduced.df))
    statistic, p_value = wald_test(lfc, se, threshold=threshold, alternative=alternative, df=fit.df)
    if zero is not None:
        affected = zero & ~np.isnan(lfc)
        statistic, p_value = np.where(affected, 0.0, statistic), np.where(affected, 1.0, p_value)
    return Answer(lfc, se, statistic, p_value)


def cooks_outliers(fit: ModelFit, counts: FloatArray, cutoff: float, *, two_groups: bool) -> BoolArray:
    """Return the genes (G,) whose largest Cook's distance is beyond `cutoff`.

    In a design of one factor with two levels (`two_groups`) a gene is spared where three or more samples have larger
    counts than the sample with the largest distance: that sample is not extreme.
    """
    with np.errstate(invalid="ignore"):
        outlier = fit.max_cooks > cutoff
    if two_groups and outlier.any():
        rows = np.flatnonzero(outlier)
        suspect = counts[rows, np.argmax(fit.cooks[rows], axis=1)]
        larger = (counts[rows] > suspect[:, None]).sum(axis=1)
        outlier[rows[larger >= LARGER_COUNTS]] = False
    return outlier
