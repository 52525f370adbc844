"""Covariances of coefficients, predicted means and residuals of a fitted analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.methods.deseq2.fitted import contrast_covariances, means_of
from countnest.methods.deseq2.inference import estimate
from countnest.methods.deseq2.stages import Fitted
from countnest.options import ResidualType
from countnest.parallel.run import Engine
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.predict import count_limits, mean_limits
from countnest.stats.glm.residual import (
    deviance_residuals,
    pearson_residuals,
    quantiles_at,
    raw_residuals,
    shares_within,
)

__all__ = ["NewCells", "Prediction", "coefficient_covariance", "predict_means", "residuals_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Means of k genes in m new cells, (k, m) each; the limits are None unless they were requested."""

    mean: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    count_low: FloatArray | None = None
    count_high: FloatArray | None = None


def coefficient_covariance(state: Fitted, layout: Layout, genes: IntArray, engine: Engine) -> FloatArray:
    """Return the covariances (k, p, p) of the coefficients of some genes (k,), log2; missing for those not fitted."""
    fit, p = state.fit, layout.n_coefficients
    if layout.is_intercept_only:  # its standard error has a closed form, without ridge and floor
        return (fit.se[genes, :, np.newaxis] / LN2) ** 2
    return contrast_covariances(np.eye(p), state, layout, engine, genes) / LN2**2


@dataclass(frozen=True, slots=True, eq=False)
class NewCells:
    """Cells to predict.

    Attributes
    ----------
    contrasts
        (m, p) their linear predictors as contrasts of the coefficients.
    size_factors
        (m,) at which to predict.
    level, count_level
        Of the confidence limits of the mean, and of the limits of a new count; None: none.
    """

    contrasts: FloatArray
    size_factors: FloatArray
    level: float | None = None
    count_level: float | None = None


def predict_means(state: Fitted, layout: Layout, genes: IntArray, new: NewCells, engine: Engine) -> Prediction:
    """Return the means of some genes (k,) in new cells."""
    size_factors = new.size_factors
    estimates = estimate(new.contrasts, state, layout, engine)
    predictor, se = estimates.lfc[genes] * LN2, estimates.se[genes] * LN2
    with np.errstate(over="ignore"):
        mean = np.exp(predictor) * size_factors
    low = high = count_low = count_high = None
    if new.level is not None:
        df = state.fit.df
        low, high = mean_limits(predictor, se, new.level, df[genes] if isinstance(df, np.ndarray) else df)
        low, high = low * size_factors, high * size_factors
    if new.count_level is not None:
        count_low, count_high = count_limits(mean, state.dispersions.final[genes], new.count_level)
    return Prediction(mean, low, high, count_low, count_high)


def residuals_of(
    state: Fitted,
    counts: FloatArray,
    layout: Layout,
    kind: ResidualType,
    rng: np.random.Generator | None,
    engine: Engine,
    rows: BoolArray | None = None,
) -> FloatArray:
    """Return residuals (m, n) of counts (G, n) about the fitted means; missing for genes that are not fitted.

    They are those of all genes, or of `rows` (G,), which have the same draws as among all.
    """
    mu, alpha = means_of(state, layout, engine, rows), state.dispersions.final
    chosen = slice(None) if rows is None else rows
    share = shares_within(counts.shape, rng)[chosen] if kind == "quantile" else None
    counts, alpha = counts[chosen], alpha[chosen]
    if kind == "raw":
        return raw_residuals(counts, mu)
    if kind == "pearson":
        return pearson_residuals(counts, mu, alpha)
    if kind == "deviance":
        return deviance_residuals(counts, mu, alpha)
    assert share is not None
    return quantiles_at(counts, mu, alpha, share)
