"""Outlier counts in designs without replicated cells, by their studentized residuals.

Cook's distances are compared with a cutoff only for samples of cells with three or more. In nested, paired and
continuous designs there are none, and an extreme count decides a gene unnoticed.

Sources: Williams (1987), doi:10.2307/2347550: likelihood residuals; Smyth (2004), doi:10.2202/1544-6115.1027: scales
moderated towards a common one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.glm.residual import deviance_residuals, pearson_residuals

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["ModelOutliers", "flag_outliers", "prior_df", "studentized_residuals"]

# A sample that fits itself to this degree has no residual but what the search left of it.
LARGEST_LEVERAGE = 0.99
# Residuals that the design correlates to this degree tell of either sample.
TIED = 0.9
NEWTON_MAX = 50
NEWTON_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class ModelOutliers:
    """The sample of every gene that fits worst, each (G,).

    Attributes
    ----------
    flagged
        Genes with a sample beyond the level.
    sample
        Place of the sample; -1 for genes that are not fitted.
    p_value
        Two-sided p-value of the largest studentized residual times the number of samples (Bonferroni), at most 1.
    """

    flagged: BoolArray
    sample: IntArray
    p_value: FloatArray


def flag_outliers(
    residual: FloatArray, df: FloatArray, layout: Layout, *, weights: FloatArray | None = None, level: float = 0.01
) -> ModelOutliers:
    """Return the genes with a count that the model cannot explain.

    Parameters
    ----------
    residual, df
        `studentized_residuals` (G, n) and their degrees of freedom.
    layout
        Of the model matrix, with two residual degrees of freedom or more.
    weights
        (1, n) or (G, n) observation weights of the fit; samples of weight zero are not looked at. None: all one.
    level
        Probability that a gene without an outlier is flagged.

    Notes
    -----
    The studentized residuals are compared with t on as many degrees of freedom as their scale has. Where two samples
    share what is left over, as the two sibs of a family do, one high count and one low count explain the data equally
    well: the high one is reported, as counts go astray upwards more often. The gene is flagged either way.
    """
    missing = np.isnan(residual)
    residual = np.where(missing, 0.0, residual)
    size = np.abs(residual)
    looked_at = residual.shape[1] if weights is None else np.count_nonzero(weights, axis=1)
    p_value = np.minimum(2.0 * scipy.special.stdtr(df, -size.max(axis=1)) * looked_at, 1.0)
    sample = _named(residual, np.argmax(size, axis=1), layout)
    nothing = missing.all(axis=1)
    p_value = np.where(nothing, np.nan, p_value)
    return ModelOutliers(p_value < level, np.where(nothing, -1, sample), p_value)


def _named(residual: FloatArray, worst: IntArray, layout: Layout) -> IntArray:
    """Return the sample (G,) to name: the worst, or one tied to it that is high where the worst is low."""
    unexplained = np.eye(layout.n_samples) - layout.basis @ layout.basis.T
    share = np.maximum(unexplained.diagonal(), 1.0 - LARGEST_LEVERAGE)
    tied = np.abs(unexplained) >= TIED * np.sqrt(np.outer(share, share))
    low = np.take_along_axis(residual, worst[:, np.newaxis], axis=1)[:, 0] < 0
    partners = np.where(tied[worst], residual, -np.inf)
    return np.where(low & (partners.max(axis=1) > 0), np.argmax(partners, axis=1), worst)


def studentized_residuals(
    counts: FloatArray,
    mu: FloatArray,
    hat: FloatArray,
    alpha: FloatArray,
    residual_df: float | FloatArray,
    *,
    prior_var: float,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return externally studentized likelihood residuals (G, n) and their degrees of freedom, one number or (G,).

    Parameters
    ----------
    counts, mu, hat
        (G, n) counts, fitted means and hat values.
    alpha
        (G,) dispersions of the trend. The gene's own would be inflated by the very count that is looked for.
    residual_df
        Residual degrees of freedom, one number or (G,), NaN for genes that are not looked at.
    prior_var
        Variance of the log dispersions around the trend, without that of their estimates.
    weights
        (1, n) or (G, n) observation weights of the fit; None: all one.

    Notes
    -----
    With deviance residuals d and Pearson residuals r, deleting sample j lowers the deviance D of its gene by about
    g_j^2 = d_j^2 + r_j^2 h_j / (1 - h_j). The scale of the others is (d0 + D - g_j^2) / (d0 + n - p - 1): that of the
    trend, 1, on d0 prior degrees of freedom, and what the other samples say. It is not taken below 1, as the deviance
    of small counts is less than its degrees of freedom. Observation weights multiply d^2 and r^2, and their sum takes
    the place of n.
    """
    d, r = deviance_residuals(counts, mu, alpha), pearson_residuals(counts, mu, alpha)
    v = np.ones((1, counts.shape[1])) if weights is None else weights
    own = np.minimum(hat, LARGEST_LEVERAGE)
    likelihood = v * (d**2 + r**2 * own / (1.0 - own))
    df = as_float(prior_df(prior_var) + residual_df - 1.0)
    others = np.maximum((v * d**2).sum(axis=1, keepdims=True) - likelihood, 0.0)
    scale = np.maximum((prior_df(prior_var) + others) / df.reshape(-1, 1), 1.0)
    unknown = (hat > LARGEST_LEVERAGE) | (v == 0.0)
    return np.where(unknown, np.nan, np.sign(d) * np.sqrt(likelihood / scale)), df


def prior_df(prior_var: float) -> float:
    """Return the degrees of freedom of a scaled chi-square whose logarithm has a variance: 2 trigamma^-1(variance)."""
    half = 0.5 + 1.0 / prior_var
    for _ in range(NEWTON_MAX):  # Newton's method for 1 / trigamma, which is nearly linear
        value = float(scipy.special.polygamma(1, half))
        step = value * (1.0 - value / prior_var) / float(scipy.special.polygamma(2, half))
        half += step
        if abs(step) < NEWTON_TOLERANCE * half:
            break
    return 2.0 * half
