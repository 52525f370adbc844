"""Variances and covariances of contrasts of the coefficients, recomputed from the coefficients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.negbin.inference import nb_log_covariance_chunk, nb_log_variance_chunk
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

__all__ = ["contrast_covariance", "contrast_variance"]


def contrast_variance(
    contrasts: FloatArray, beta: FloatArray, inputs: NBInputs, layout: Layout, *, ridge: FloatArray | None = None
) -> FloatArray:
    """Return the variances (G, k) of c'beta for contrasts (k, p), natural log.

    The covariance of beta is A^-1 X'WX A^-1, A = X'WX + ridge, at the means that beta (G, p) gives, floored at
    `inputs.min_mu`. `ridge` is that of `stats.glm.fit.fit_nb_glm`.
    """
    contrasts = as_float(np.atleast_2d(contrasts))
    variance = np.empty((len(beta), len(contrasts)))
    _compute(nb_log_variance_chunk, contrasts, beta, inputs, layout, ridge, variance)
    return variance


def contrast_covariance(
    contrasts: FloatArray, beta: FloatArray, inputs: NBInputs, layout: Layout, *, ridge: FloatArray | None = None
) -> FloatArray:
    """Return the covariances (G, k, k) of C beta for contrasts C (k, p), natural log; see `contrast_variance`."""
    contrasts = as_float(np.atleast_2d(contrasts))
    covariance = np.empty((len(beta), len(contrasts), len(contrasts)))
    _compute(nb_log_covariance_chunk, contrasts, beta, inputs, layout, ridge, covariance)
    return covariance


def _compute(
    kernel: Callable[..., None],
    contrasts: FloatArray,
    beta: FloatArray,
    inputs: NBInputs,
    layout: Layout,
    ridge: FloatArray | None,
    out: FloatArray,
) -> None:
    """Call a kernel that writes variances or covariances of contrasts of `beta` into `out`."""
    precision = (RIDGE_LOG2 * layout.ridge if ridge is None else ridge) / LN2**2
    plan = layout.plan
    if ridge is None and layout.standard is not None:
        contrasts, beta, plan = layout.standard.contrasts(contrasts), layout.standard.taken(beta), layout.working.plan
    kernel(
        contrasts, beta, inputs.size_factors, inputs.weights, inputs.dispersion, plan.index, plan.numbers,
        precision, inputs.min_mu, out,
    )  # fmt: skip
