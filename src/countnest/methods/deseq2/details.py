"""What the records of tables say of a fit of DESeq2."""

from __future__ import annotations

from typing import Any

import numpy as np

from countnest.methods.deseq2.stages import Fitted

__all__ = ["details_of"]


def details_of(state: Fitted) -> dict[str, Any]:
    """Return what the steps of an analysis were made with, by name."""
    dispersions, fit, replacement = state.dispersions, state.fit, state.replacement
    trend = dispersions.trend
    factors = None if state.by_gene else state.factors[0].tolist()
    return {
        "size_factors": factors,
        "normalization_factors": state.by_gene,
        "size_factor_type": state.kind or "given",
        "dispersions": dispersions.sharing,
        "dispersion_trend": None if trend is None else trend.fit_type,
        "trend_coefficients": None if trend is None else trend.coefficients,
        "dispersion_prior_variance": None if trend is None else trend.disp_prior_var,
        "dispersion_min_mu": dispersions.min_mu,
        "fit_min_mu": fit.min_mu,
        "fitted_for": fit.test,
        "t_distribution": fit.df is not None,
        "observation_weights": state.weights is not None,
        "outliers_replaced": 0 if replacement is None else int(np.count_nonzero(replacement.flagged)),
    }
