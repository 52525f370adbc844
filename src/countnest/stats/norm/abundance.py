"""Counts per million, and average abundances of genes. G genes, n samples.

Prior counts keep logarithms finite. They are proportional to the library sizes, so that samples stay comparable.

Source: Chen, Lun and Smyth (2016), doi:10.12688/f1000research.8987.2.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.stats.edger.one_group import fit_one_group
from countnest.stats.norm.prior_count import prior_counts

__all__ = ["ave_log_cpm", "cpm", "log_cpm", "rpkm"]

MILLION = 1e6
LN2 = float(np.log(2.0))
DISPERSION = 0.05


def cpm(counts: FloatArray, library: FloatArray) -> FloatArray:
    """Return counts (G, n) per million of the effective library sizes, (n,) or (G, n).

    Notes
    -----
    R counterpart: edgeR::cpm.
    """
    per_million: FloatArray = counts / library * MILLION
    return per_million


def log_cpm(counts: FloatArray, library: FloatArray, prior_count: float = 2.0) -> FloatArray:
    """Return log2 counts per million, with prior counts.

    Notes
    -----
    R counterpart: edgeR::cpm(log = TRUE).
    """
    added, with_prior = prior_counts(library, prior_count)
    logs: FloatArray = (np.log(counts + added) - np.log(with_prior) + np.log(MILLION)) / LN2
    return logs


def rpkm(
    counts: FloatArray, library: FloatArray, length: FloatArray, *, log: bool = False, prior_count: float = 2.0
) -> FloatArray:
    """Return counts per million and kilobase of the lengths (G,), log2 of it on request.

    Notes
    -----
    R counterpart: edgeR::rpkm.
    """
    kilobases = length[:, np.newaxis] / 1000.0
    if log:
        return log_cpm(counts, library, prior_count) - np.log2(kilobases)
    return cpm(counts, library) / kilobases


def ave_log_cpm(
    counts: FloatArray,
    library: FloatArray,
    dispersion: float | FloatArray = DISPERSION,
    *,
    prior_count: float = 2.0,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Return the average log2 counts per million (G,): the rate of all samples as one group, with prior counts.

    Parameters
    ----------
    counts, library
        (G, n), and (n,) or (G, n) effective library sizes.
    dispersion
        One number, or (G,).
    weights
        (G, n) observation weights.

    Notes
    -----
    R counterpart: edgeR::aveLogCPM.
    """
    added, with_prior = prior_counts(library, prior_count)
    rate = fit_one_group(counts + added, with_prior, dispersion, weights)
    average: FloatArray = (rate + np.log(MILLION)) / LN2
    return average
