"""Negative binomial GLMs whose iterations end where those of edgeR end, or at the optimum. G genes, n samples.

Source: McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.kernels.edger.deviance import CLAMPED, EXACT, UNCLAMPED, deviance_chunk
from countnest.kernels.edger.levenberg import levenberg_chunk
from countnest.kernels.edger.one_group import one_way_chunk
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.one_group import MAX_ITER as MAX_STEPS
from countnest.stats.edger.one_group import TOLERANCE
from countnest.stats.norm.prior_count import prior_counts

__all__ = [
    "GLMFit",
    "GLMInputs",
    "deviance_mode",
    "deviances",
    "fit_from",
    "fit_glm",
    "fit_levenberg",
    "gain_limit",
    "near_start",
    "shrunken_coefficients",
]

MAX_ITER = 250
# In place of the log rate of a group without counts, which is minus infinity.
NO_RATE = -1e8
PRIOR_COUNT = 0.125
# Fits of genes with smaller means do not start from other fits.
LEAST_NEAR = 0.5
# Iterations end where a step gains less deviance: at the optimum, for the last steps square the gain, and where those
# of edgeR end.
TIGHT_GAIN, GAIN = 1e-12, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class GLMInputs:
    """What genes are fitted to.

    Attributes
    ----------
    counts
        (G, n), not negative; fractions are allowed.
    factors
        (1, n) or (G, n) exponentials of the offsets, such as effective library sizes.
    weights
        (G, n) observation weights; (1, n) ones without.
    """

    counts: FloatArray
    factors: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, counts: FloatArray, factors: FloatArray, weights: FloatArray | None = None) -> GLMInputs:
        """Return the inputs, factors (n,), (1, n) or (G, n) and weights (G, n) or None in their form."""
        ones = np.ones((1, counts.shape[1]))
        return cls(as_float(counts), as_float(np.atleast_2d(factors)), ones if weights is None else as_float(weights))

    def at(self, genes: IntArray | slice, samples: IntArray | None = None) -> GLMInputs:
        """Return the inputs of some genes and samples."""

        def part(values: FloatArray) -> FloatArray:
            rows = values if len(values) == 1 else values[genes]
            return as_float(rows if samples is None else rows[:, samples])

        chosen = self.counts[genes]
        return GLMInputs(
            as_float(chosen if samples is None else chosen[:, samples]), part(self.factors), part(self.weights)
        )

    def with_prior(self, prior_count: float) -> GLMInputs:
        """Return the inputs with a prior count added, in proportion to the factors."""
        added, factors = prior_counts(self.factors, prior_count)
        return GLMInputs(as_float(self.counts + added), as_float(factors), self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class GLMFit:
    """A fit of every gene.

    Attributes
    ----------
    beta
        (G, p), natural log. Of a group without counts they are hugely negative; NaN for genes without counts.
    mu
        (G, n) means.
    deviance
        (G,)
    n_iter
        (G,) iterations; 0 where groups are fitted one by one.
    failed
        (G,) whether no damping was enough.
    """

    beta: FloatArray
    mu: FloatArray
    deviance: FloatArray
    n_iter: IntArray
    failed: BoolArray


def fit_glm(
    inputs: GLMInputs,
    columns: Columns,
    dispersion: float | FloatArray,
    *,
    start: FloatArray | None = None,
    level: Level | None = None,
) -> GLMFit:
    """Return the maximum likelihood fits; where the design is one of groups, they are fitted one by one.

    Parameters
    ----------
    dispersion
        One number, or (G,).
    start
        (G, p) starting values, natural log, NaN where there are none.
    level
        Whose iterations and deviances these are; None: exact ones.

    Notes
    -----
    R counterpart: edgeR::glmFit(prior.count = 0).
    """
    if columns.is_one_way:
        return _fit_groups(inputs, columns, dispersion, start, level or compat_level())
    return fit_levenberg(inputs, columns, dispersion, start=start, level=level)


def fit_levenberg(
    inputs: GLMInputs,
    columns: Columns,
    dispersion: float | FloatArray,
    *,
    start: FloatArray | None = None,
    level: Level | None = None,
    max_iter: int = MAX_ITER,
) -> GLMFit:
    """Return the maximum likelihood fits by damped scoring, whatever the design; parameters as those of `fit_glm`.

    Notes
    -----
    R counterpart: edgeR::mglmLevenberg.
    """
    alpha = _by_gene(dispersion, len(inputs.counts))
    return _levenberg(inputs, columns, alpha, start, deviance_mode(level), gain_limit(level), max_iter)


def _levenberg(
    inputs: GLMInputs,
    columns: Columns,
    alpha: FloatArray,
    start: FloatArray | None,
    mode: int,
    limit: float,
    max_iter: int,
) -> GLMFit:
    """Return the fits at dispersions (G,); exact ones are the same whatever the units of the columns."""
    if mode == EXACT and columns.working is not None:
        working, standard = columns.working
        start = None if start is None else standard.taken(start)
        fit = _levenberg(inputs, working, alpha, start, mode, limit, max_iter)
        return replace(fit, beta=standard.given_back(fit.beta))
    (n_genes, n), p = inputs.counts.shape, columns.matrix.shape[1]
    beta = np.full((n_genes, p), np.nan) if start is None else as_float(start.copy())
    mu, deviance = np.empty((n_genes, n)), np.empty(n_genes)
    n_iter, failed = np.empty(n_genes, dtype=np.int64), np.empty(n_genes)
    levenberg_chunk(
        inputs.counts, inputs.factors, inputs.weights, alpha,
        columns.plan.index, columns.plan.numbers, columns.level, mode, limit, max_iter,
        beta, mu, deviance, n_iter, failed,
    )  # fmt: skip
    return GLMFit(beta, mu, deviance, n_iter, failed > 0)


def fit_from(
    inputs: GLMInputs,
    columns: Columns,
    dispersion: float,
    start: FloatArray | None,
    level: Level,
    limit: float,
) -> tuple[FloatArray, FloatArray]:
    """Return the means (G, n) of fits, and where the next ones can start: coefficients, or log rates of groups.

    Parameters
    ----------
    start
        What another fit of these genes returned, or None.
    limit
        The gain of deviance that ends damped scoring.
    """
    alpha = _by_gene(dispersion, len(inputs.counts))
    if columns.is_one_way:
        rates, mu = _rates(inputs, columns, alpha, start)
        return mu, rates
    fit = _levenberg(inputs, columns, alpha, start, deviance_mode(level), limit, MAX_ITER)
    return fit.mu, fit.beta


def _rates(
    inputs: GLMInputs, columns: Columns, alpha: FloatArray, start: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the log rates (G, C) of groups, and the means (G, n)."""
    n_genes, n = inputs.counts.shape
    rates = np.full((n_genes, len(columns.rows)), np.nan) if start is None else as_float(start.copy())
    mu = np.empty((n_genes, n))
    one_way_chunk(
        inputs.counts, inputs.factors, inputs.weights, alpha,
        columns.samples, columns.first, TOLERANCE, MAX_STEPS, rates, mu,
    )  # fmt: skip
    return rates, mu


def _fit_groups(
    inputs: GLMInputs, columns: Columns, dispersion: float | FloatArray, start: FloatArray | None, level: Level
) -> GLMFit:
    n_genes = len(inputs.counts)
    alpha = _by_gene(dispersion, n_genes)
    rates, mu = _rates(inputs, columns, alpha, None if start is None else as_float(start @ columns.rows.T))
    empty = np.isneginf(rates).all(axis=1)
    finite = np.maximum(rates, NO_RATE)
    beta = np.linalg.solve(columns.rows, finite.T).T
    beta[empty] = np.nan
    deviance = deviances(inputs, mu, alpha, level)
    return GLMFit(as_float(beta), mu, deviance, np.zeros(n_genes, dtype=np.int64), np.zeros(n_genes, dtype=np.bool_))


def deviances(
    inputs: GLMInputs, mu: FloatArray, dispersion: float | FloatArray, level: Level | None = None
) -> FloatArray:
    """Return the deviances (G,) of means (G, n)."""
    n_genes = len(inputs.counts)
    found = np.empty(n_genes)
    alpha = _by_gene(dispersion, n_genes)
    deviance_chunk(inputs.counts, as_float(mu), inputs.weights, alpha, deviance_mode(level), found)
    return found


def deviance_mode(level: Level | None) -> int:
    """Return how unit deviances are computed, as `kernels.edger.deviance` has it."""
    if level is None or level.exact:
        return EXACT
    return CLAMPED if level.clamped_deviance else UNCLAMPED


def gain_limit(level: Level | None) -> float:
    """Return the gain of deviance that ends damped scoring."""
    return TIGHT_GAIN if level is None or level.exact else GAIN


def shrunken_coefficients(
    inputs: GLMInputs,
    columns: Columns,
    dispersion: float | FloatArray,
    *,
    prior_count: float = PRIOR_COUNT,
    start: FloatArray | None = None,
    level: Level | None = None,
) -> FloatArray:
    """Return coefficients (G, p), natural log, of counts with a prior count added, which keeps them finite.

    Parameters
    ----------
    start
        As of `fit_glm`.

    Notes
    -----
    R counterparts: edgeR::predFC, which returns base 2, and the coefficients of edgeR::glmFit.
    """
    return fit_glm(inputs.with_prior(prior_count), columns, dispersion, start=start, level=level).beta


def near_start(beta: FloatArray, factors: FloatArray, columns: Columns, level: Level | None) -> FloatArray | None:
    """Return the coefficients (G, p) from which fits of other dispersions or fewer columns can start.

    They are missing for genes with a mean near zero, of which others are far. None where fits end where those of edgeR
    end, and so depend on the start.
    """
    if level is not None and not level.exact:
        return None
    least = np.minimum.reduceat(factors[:, columns.samples], columns.first[:-1], axis=1)
    with np.errstate(invalid="ignore"):
        near = (least * np.exp(beta @ columns.rows.T) >= LEAST_NEAR).all(axis=1, keepdims=True)
    return np.where(near, beta, np.nan)


def _by_gene(dispersion: float | FloatArray, n_genes: int) -> FloatArray:
    return as_float(np.broadcast_to(np.asarray(dispersion, dtype=np.float64), n_genes).copy())
