"""Coefficients of highest likelihood, with no mean floored, whatever the fit that reports fold changes does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.kernels.negbin.inference import nb_log_mean_chunk
from countnest.stats.glm.fit import FADED, fit_nb_glm
from countnest.stats.glm.inputs import RIDGE_LOG2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["maximum_coefficients", "maximum_means"]

# Means below this add nothing to a likelihood that a test would feel; a weight is above zero with it.
LEAST_MEAN = 1e-7


def maximum_coefficients(
    beta: FloatArray | None,
    counts: FloatArray,
    inputs: NBInputs,
    layout: Layout,
    optimized: BoolArray | None = None,
) -> FloatArray:
    """Return the coefficients (G, p) of the working columns of highest likelihood, natural log.

    Estimates whose means were never floored are there already. The others go on to where no mean is floored and no
    ridge holds them back: of empty cells until they add nothing to the likelihood.

    Parameters
    ----------
    beta
        (G, p) estimates, of the columns as given; None: there are none.
    counts
        (G, n).
    inputs
        Size factors, dispersions, weights, and the floor of the means of the estimates.
    layout
        Of the model matrix.
    optimized
        (G,) whether the estimates come from the quasi-Newton search.
    """
    working, ridge = layout.working, FADED * RIDGE_LOG2 * layout.ridge
    free = NBInputs(inputs.size_factors, inputs.dispersion, inputs.given_weights, LEAST_MEAN)
    if beta is None:
        return fit_nb_glm(counts, free, working, ridge=ridge, only_means=True).beta
    found = layout.in_working_columns(beta).copy()
    again: BoolArray = np.any(maximum_means(found, inputs, layout) < inputs.min_mu, axis=1)
    if optimized is not None:
        again |= optimized
    if layout.is_intercept_only:  # whose estimates are means of normalized counts
        again[:] = True
    rows = np.flatnonzero(again)
    if len(rows):
        fit = fit_nb_glm(counts[rows], free.at(rows), working, ridge=ridge, start=found[rows], only_means=True)
        found[rows] = fit.beta
    return found


def maximum_means(beta: FloatArray, inputs: NBInputs, layout: Layout) -> FloatArray:
    """Return the means (G, n) of coefficients (G, p) of the working columns; not floored."""
    mu, plan = np.empty((len(beta), layout.n_samples)), layout.working.plan
    nb_log_mean_chunk(beta, inputs.size_factors, plan.index, plan.numbers, mu)
    return mu
