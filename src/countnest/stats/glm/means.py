"""Means of fitted negative binomial GLMs, computed again from their coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.negbin.inference import nb_log_mean_chunk

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["fitted_means"]


def fitted_means(beta: FloatArray, size_factors: FloatArray, layout: Layout) -> FloatArray:
    """Return the means (G, n) of coefficients (G, p), natural log; not floored.

    To the last bit those of the fit that the coefficients come from. `size_factors` are (1, n) or (G, n).
    """
    if layout.is_intercept_only:
        return size_factors * np.exp(beta)
    mu = np.empty((len(beta), layout.n_samples))
    plan = layout.working.plan
    nb_log_mean_chunk(layout.in_working_columns(beta), size_factors, plan.index, plan.numbers, mu)
    return mu
