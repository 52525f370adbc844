"""Principal components of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.errors import OptionError

__all__ = ["PrincipalComponents", "most_variable", "principal_components"]

# Loadings that differ by less, relative to the largest, count as equal, so that rounding does not choose the sign.
_TIED = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalComponents:
    """The principal components of n samples; k = min(m genes, n - 1) of them.

    Attributes
    ----------
    scores : (n, k)
        Where the samples lie, in the units of the values.
    loadings : (m, k)
        The direction of each component, of length 1.
    share : (k,)
        The share of the variance of these genes, from 0 to 1, in decreasing order.
    """

    scores: FloatArray
    loadings: FloatArray
    share: FloatArray


def most_variable(values: FloatArray, n_genes: int) -> IntArray:
    """Return the rows of `values` (G, n) with the largest variance, the largest first; of equal ones, the first."""
    variance = values.var(axis=1, ddof=1)
    return np.argsort(-variance, kind="stable")[:n_genes].astype(np.int64)


def principal_components(values: FloatArray) -> PrincipalComponents:
    """Return the principal components of the columns of `values` (m, n), genes centred and not scaled.

    The sign of a component is arbitrary; here its largest loading in absolute value is positive. The n-th component,
    which centring leaves without variance, is left out.

    Raises
    ------
    OptionError
        If no gene varies.

    Notes
    -----
    R counterpart: stats::prcomp(t(values)).

    References
    ----------
    Hotelling (1933), Journal of Educational Psychology 24:417, doi:10.1037/h0071325.
    """
    n_genes, n = values.shape
    if not np.ptp(values, axis=1).any():
        raise OptionError("no gene varies between the samples, and there are no principal components.")
    centred = (values - values.mean(axis=1, keepdims=True)).T
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    share = singular**2 / np.sum(singular**2)
    k = min(n_genes, n - 1)
    sign = _sign(right[:k].T)
    return PrincipalComponents(left[:, :k] * singular[:k] * sign, right[:k].T * sign, share[:k])


def _sign(loadings: FloatArray) -> FloatArray:
    """Return 1 or -1 by column: what makes the largest loading positive, the first of those that are equally large."""
    size = np.abs(loadings)
    largest = np.argmax(size >= (1.0 - _TIED) * size.max(axis=0), axis=0)
    return np.where(np.take_along_axis(loadings, largest[np.newaxis], axis=0)[0] < 0, -1.0, 1.0)
