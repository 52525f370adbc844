"""Counts as they would be in libraries of one size: quantiles of a negative binomial distribution moved to another.

Source: Robinson and Smyth (2008), doi:10.1093/biostatistics/kxm030. G genes, n samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray
from countnest.stats.edger.one_group import fit_one_group

__all__ = ["common_library", "equalized_counts", "moved_quantiles", "with_common_library"]

# Means below the first are this much larger.
NO_MEAN, ADDED = 1e-14, 0.25


def common_library(library: FloatArray) -> float:
    """Return the geometric mean of library sizes (n,)."""
    return float(np.exp(np.log(library).mean()))


def equalized_counts(
    counts: FloatArray, library: FloatArray, dispersion: FloatArray, groups: Sequence[BoolArray]
) -> FloatArray:
    """Return pseudo-counts (G, n), at least zero.

    Parameters
    ----------
    library
        (n,) effective library sizes; that of pseudo-counts is their geometric mean.
    dispersion
        (G,).
    groups
        Masks (n,) of samples that have one rate; each sample is in one of them.

    Notes
    -----
    R counterpart: edgeR::equalizeLibSizes.
    """
    found, common = np.empty(counts.shape), common_library(library)
    for group in groups:
        found[:, group] = with_common_library(counts[:, group], library[group], dispersion, common)
    return np.maximum(found, 0.0)


def with_common_library(counts: FloatArray, library: FloatArray, dispersion: FloatArray, common: float) -> FloatArray:
    """Return pseudo-counts (G, n) of samples with one rate, in libraries of size `common`; some are a little negative.

    Other arguments are those of `equalized_counts`.
    """
    rate = np.exp(fit_one_group(counts, library, dispersion))[:, np.newaxis]
    return moved_quantiles(counts, rate * library, rate * common, dispersion[:, np.newaxis])


def moved_quantiles(y: FloatArray, mean: FloatArray, to: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return the quantiles (G, n) of distributions with means `to` where `y` are those of distributions with `mean`.

    They are averages of those of the normal and of the gamma distribution with the variances mean + dispersion mean^2.

    Notes
    -----
    R counterpart: edgeR::q2qnbinom.
    """
    mean, to = (np.where(each < NO_MEAN, each + ADDED, each) for each in np.broadcast_arrays(mean, to))
    ratio, ratio_to = 1.0 + dispersion * mean, 1.0 + dispersion * to
    normal = to + np.sqrt(to * ratio_to / (mean * ratio)) * (y - mean)
    shape, shape_to = mean / ratio, to / ratio_to
    below = scipy.special.gammainc(shape, np.maximum(y, 0.0) / ratio)
    above = scipy.special.gammaincc(shape, np.maximum(y, 0.0) / ratio)
    inverse = np.where(
        y >= mean, scipy.special.gammainccinv(shape_to, above), scipy.special.gammaincinv(shape_to, below)
    )
    return np.asarray(0.5 * (normal + ratio_to * inverse))
