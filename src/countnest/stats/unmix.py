"""Shares of pure components in mixed samples, by least absolute or squared distance on a variance stabilized scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.minimize import minimize_in_box
from countnest.stats.transform.vst import stabilize_constant

__all__ = ["mixing_shares", "stabilized"]

# Box of the amounts of each component. Off zero, the slope of the negative binomial scale is finite.
LARGEST = 100.0
SMALLEST_BY_ALPHA = 1e-6
# Half width of the central differences, as in R's optim: absolute distances have kinks, where a search with another
# gradient ends elsewhere.
DIFFERENCE = 1e-3


def mixing_shares(
    mixed: FloatArray, pure: FloatArray, *, alpha: float | None = None, shift: float | None = None, power: int = 1
) -> FloatArray:
    """Return the shares (n, k) of components (G, k) in samples (G, n), rows summing to 1.

    For every sample y the amounts a >= 0 (k,) minimise the sum over genes of |v(y) - v(pure a)|^power, where v is
    `stabilized`; the shares are the amounts divided by their sum.

    Parameters
    ----------
    mixed, pure
        Normalized counts, or other quantities that add up in a mixture; not negative.
    alpha, shift
        One of them: the scale, as in `stabilized`.
    power
        1 or 2.

    Notes
    -----
    R counterpart: DESeq2::unmix.
    """
    lowest = 0.0 if alpha is None else SMALLEST_BY_ALPHA
    wanted = stabilized(mixed, alpha=alpha, shift=shift)
    amounts = np.empty((mixed.shape[1], pure.shape[1]))
    for j, target in enumerate(wanted.T):

        def distance(amount: FloatArray, target: FloatArray = target) -> float:
            return float((np.abs(target - stabilized(pure @ amount, alpha=alpha, shift=shift)) ** power).sum())

        amounts[j] = _least(distance, pure.shape[1], lowest)
    shares: FloatArray = amounts / amounts.sum(axis=1, keepdims=True)
    return shares


def stabilized(values: FloatArray, *, alpha: float | None = None, shift: float | None = None) -> FloatArray:
    """Return quantities on a scale of about constant variance, log2 or natural log for large ones.

    With `alpha`, the dispersion of a negative binomial: `stats.transform.vst.stabilize_constant`; with `shift`:
    log(q + shift).
    """
    if alpha is not None:
        return stabilize_constant(values, alpha)
    assert shift is not None
    return np.log(values + shift)


def _least(distance: Callable[[FloatArray], float], k: int, lowest: float) -> FloatArray:
    """Return the amounts (k,) of least distance, searched from 1 in each component."""
    middle, half = 0.5 * (LARGEST + lowest), 0.5 * (LARGEST - lowest)

    def objective(place: FloatArray) -> tuple[float, FloatArray]:
        amount = np.clip(place + middle, lowest, LARGEST)
        gradient = np.empty(k)
        for i in range(k):
            above, below = amount.copy(), amount.copy()
            above[i] = min(amount[i] + DIFFERENCE, LARGEST)
            below[i] = max(amount[i] - DIFFERENCE, lowest)
            gradient[i] = (distance(above) - distance(below)) / (above[i] - below[i])
        return distance(amount), gradient

    return np.clip(minimize_in_box(objective, np.ones(k) - middle, half).x + middle, lowest, LARGEST)
