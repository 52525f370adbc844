"""Common, trended and tagwise dispersions, as edgeR estimates them. G genes, n samples.

Sources: McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042; Chen, Lun and Smyth (2014),
doi:10.1007/978-3-319-07212-8_3; robust: Phipson et al. (2016), doi:10.1214/16-AOAS920.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.errors import CountsError, DesignError
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, fit_glm
from countnest.stats.edger.interpolant import maximizing_points
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.local_mean import local_means, trend_span
from countnest.stats.edger.profile import CENTRE, LOG_GRID, ProfileSum, adjusted_profile, dispersion_grid
from countnest.stats.edger.zeros import exact_zeros, zeros_residual_df
from countnest.stats.moderated.search import find_minimum
from countnest.stats.moderated.squeeze import Estimator, moderate_variances
from countnest.stats.norm.abundance import ave_log_cpm

__all__ = [
    "DispersionInputs",
    "Dispersions",
    "common_dispersion",
    "dispersions_of_profile",
    "estimate_dispersions",
    "genes_that_count",
]

# Genes with fewer counts in all samples do not take part.
MIN_COUNTS = 5.0
# A prior of more samples than this leaves the trend.
INFINITE_PRIOR = 1e6
# Of the search for the common dispersion by its fourth root: the largest, and the tolerance.
LARGEST, ROOT_TOLERANCE = 4.0, 1e-5
# From twice this many genes on, the common dispersion comes from about this many, evenly spaced by abundance.
MANY_GENES = 10000


class DispersionInputs(NamedTuple):
    """Counts and what they are fitted to, the design, and effective library sizes (n,)."""

    inputs: GLMInputs
    columns: Columns
    library: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Dispersions:
    """Dispersions of every gene.

    Attributes
    ----------
    common
        Of all genes together.
    trended
        (G,) along the average abundance.
    tagwise
        (G,) of each gene, with the trend as its prior.
    prior_df
        Prior degrees of freedom: one number, or (G,) of robust estimates.
    abundance
        (G,) average log2 counts per million.
    span
        Fraction of the genes in each neighbourhood of the trend.
    used
        (G,) which genes have counts enough to take part.
    """

    common: float
    trended: FloatArray
    tagwise: FloatArray
    prior_df: float | FloatArray
    abundance: FloatArray
    span: float
    used: BoolArray


def estimate_dispersions(
    inputs: GLMInputs,
    columns: Columns,
    library: FloatArray,
    *,
    trend: bool = True,
    robust: bool = False,
    level: Level | None = None,
) -> Dispersions:
    """Return the dispersions of genes in a design, by adjusted profile likelihood and empirical Bayes.

    Parameters
    ----------
    library
        (n,) effective library sizes, of the average abundances.
    trend
        Whether the prior of a gene follows its abundance; otherwise it is the common dispersion.
    robust
        Whether genes with outlying dispersions have fewer prior degrees of freedom.
    level
        Whose behaviour this is; None: the newest, with exact numbers.

    Raises
    ------
    CountsError
        If no gene has counts enough.
    DesignError
        If the design has as many columns as there are samples.

    Notes
    -----
    R counterpart: edgeR::estimateDisp with a design.
    """
    level = level or compat_level()
    study = DispersionInputs(inputs, columns, library)
    genes = genes_that_count(inputs, columns)
    profile = adjusted_profile(inputs.at(genes), columns, dispersion_grid(), level)
    return dispersions_of_profile(profile, genes, study, trend=trend, robust=robust, level=level)


def dispersions_of_profile(
    profile: FloatArray,
    genes: IntArray,
    study: DispersionInputs,
    *,
    trend: bool,
    robust: bool,
    level: Level,
) -> Dispersions:
    """Return the dispersions of log-likelihoods (m, K) on the grid, of the m `genes` that take part."""
    inputs, columns = study.inputs, study.columns
    n_genes = len(inputs.counts)
    common = float(_maximizing(profile.sum(axis=0, keepdims=True))[0])
    abundance = ave_log_cpm(inputs.counts, study.library, common, weights=_weights(inputs))
    at = abundance[genes]
    span = trend_span(len(genes), adaptive=level.adaptive_spans)
    shared = local_means(at, profile, span) if trend else _means(profile)
    of_used = _maximizing(shared)
    trended = np.full(n_genes, of_used[int(np.argmin(at))])
    trended[genes] = of_used
    found = _prior_df(inputs.at(genes), columns, of_used, at, robust=robust, level=level)
    prior_samples = np.broadcast_to(found / columns.residual_df, len(genes))
    own = profile + np.minimum(prior_samples, INFINITE_PRIOR)[:, np.newaxis] * shared
    tagwise = trended.copy()
    tagwise[genes] = np.where(prior_samples > INFINITE_PRIOR, of_used, _maximizing(own))
    used = np.zeros(n_genes, dtype=np.bool_)
    used[genes] = True
    prior_df: float | FloatArray = found if isinstance(found, float) else as_float(np.full(n_genes, np.inf))
    if isinstance(prior_df, np.ndarray):
        prior_df[genes] = found
    return Dispersions(common, trended, tagwise, prior_df, abundance, span, used)


def _means(profile: FloatArray) -> FloatArray:
    return as_float(np.broadcast_to(profile.mean(axis=0), profile.shape).copy())


def _prior_df(
    inputs: GLMInputs,
    columns: Columns,
    dispersion: FloatArray,
    abundance: FloatArray,
    *,
    robust: bool,
    level: Level,
) -> float | FloatArray:
    """Return the prior degrees of freedom of the deviances at the trend: one number, or (m,) if robust."""
    fit = fit_glm(inputs, columns, dispersion, level=level)
    df = zeros_residual_df(exact_zeros(inputs.counts, fit.mu), columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(df > 0, np.maximum(fit.deviance / df, 0.0), 0.0)
    estimator: Estimator = "auto" if level.likelihood_prior else "moments"
    found = moderate_variances(variance, df, covariate=abundance, robust=robust, estimator=estimator)
    if robust:
        return as_float(np.broadcast_to(found.prior.df, len(df)).copy())
    return float(np.max(found.prior.df))


def common_dispersion(
    inputs: GLMInputs, columns: Columns, abundance: FloatArray, *, level: Level | None = None
) -> float:
    """Return the dispersion at which all genes together have the largest adjusted profile likelihood.

    Parameters
    ----------
    abundance
        (G,) average log2 counts per million; of very many genes, some evenly spaced by abundance are enough.

    Raises
    ------
    CountsError
        If no gene has counts enough.

    Notes
    -----
    R counterpart: edgeR::estimateGLMCommonDisp, by the method of Cox and Reid.
    """
    level = level or compat_level()
    genes = genes_that_count(inputs, columns)
    if len(genes) >= 2 * MANY_GENES:
        step = len(genes) // MANY_GENES
        genes = genes[np.argsort(abundance[genes], kind="stable")][step // 2 :: step]
    total = ProfileSum(inputs.at(genes), columns, level)
    root = find_minimum(lambda u: -total(u**4), 0.0, float(LARGEST**0.25), ROOT_TOLERANCE)
    return root**4


def genes_that_count(inputs: GLMInputs, columns: Columns) -> IntArray:
    """Return the genes with counts enough to take part; errors as those of `estimate_dispersions`."""
    if columns.residual_df < 1:
        raise DesignError(
            "there are as many coefficients as samples, so there are no residual degrees of freedom and dispersions "
            "cannot be estimated. Add replicates, take terms out of the design, or give dispersions."
        )
    genes = np.flatnonzero(inputs.counts.sum(axis=1) >= MIN_COUNTS).astype(np.int64)
    if not len(genes):
        raise CountsError(
            f"no gene has {MIN_COUNTS:g} counts in all samples together, so no dispersion can be estimated."
        )
    return genes


def _maximizing(profile: FloatArray) -> FloatArray:
    """Return the dispersions (m,) at the maxima of log-likelihoods (m, K) on the grid."""
    return as_float(CENTRE * 2.0 ** maximizing_points(LOG_GRID, profile))


def _weights(inputs: GLMInputs) -> FloatArray | None:
    return inputs.weights if len(inputs.weights) > 1 else None
