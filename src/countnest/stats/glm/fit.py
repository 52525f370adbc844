"""Fit the negative binomial GLM of every gene: IRLS, and a quasi-Newton search for the genes that it loses.

Where a quasi-Newton search stops short of the maximum, Newton's method goes on. Columns of numbers whose units or
origin would let the bound and the ridge decide are fitted as working columns (`standard`); coefficients are those of
the columns as given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, rows_of
from countnest.kernels.negbin.density import nb_loglik_block
from countnest.kernels.negbin.inference import (
    nb_log_covariance_block,
    nb_log_hat_block,
    nb_log_inference_block,
    nb_log_mean_block,
    nb_log_variance_block,
)
from countnest.kernels.negbin.irls import nb_log_irls_block, nb_log_start_block
from countnest.parallel.run import INSIDE, Engine
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.newton import distance_to_maximum, maximize
from countnest.stats.glm.quasinewton import minimize_rows
from countnest.stats.glm.separation import separated
from countnest.stats.glm.weight import unit_weights

Array = TypeVar("Array", FloatArray, BoolArray)

__all__ = [
    "LN2",
    "NBFit",
    "at_bound",
    "contrast_covariance",
    "contrast_variance",
    "fit_nb_glm",
    "fitted_means",
    "hat_values",
    "highest_loglik",
]

LN2 = float(np.log(2.0))
# Prior precision of every coefficient: 1e-6 on the log2 scale.
RIDGE_LOG2 = 1e-6
TOLERANCE = 1e-8
MAX_ITER = 100
LARGE_LOG2_BETA = 30.0
# A search has stopped short where Newton's method would go on by more than this fraction of a standard error. IRLS ends
# up to 0.003 of one from its own limit, and is left there, as in R.
STOPPED_SHORT = 6e-4
# Of a coefficient of the search, log2; and how near to it is at it.
BOUND_LOG2, AT_BOUND = 30.0, 1e-9
# Of the ridge, where a search is taken on. A prior is more than that, and stays.
FADED = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class NBFit:
    """Fitted negative binomial GLMs.

    Attributes
    ----------
    beta, se
        (G, p) coefficients and standard errors, natural log.
    mu
        (G, n) fitted means, size factors included, not floored.
    hat
        (G, n) diagonals of the hat matrices.
    loglik
        (G,) log-likelihoods.
    converged
        (G,) whether the fit converged.
    n_iter
        (G,) IRLS iterations; the maximum where IRLS was given up.
    optimized
        (G,) whether the coefficients come from the quasi-Newton search, so that hat values are those IRLS left.
    """

    beta: FloatArray
    se: FloatArray
    mu: FloatArray
    hat: FloatArray
    loglik: FloatArray
    converged: BoolArray
    n_iter: IntArray
    optimized: BoolArray


def fit_nb_glm(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    alpha: FloatArray,
    *,
    weights: FloatArray | None = None,
    ridge: FloatArray | None = None,
    start: FloatArray | None = None,
    min_mu: float = 0.5,
    only_means: bool = False,
    engine: Engine,
    text: str | None = None,
) -> NBFit:
    """Fit log(mu / factor) = X beta for every gene, with a ridge on the coefficients.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    factors
        (1, n) size factors or (G, n) normalization factors.
    layout
        Of the model matrix.
    alpha
        (G,) dispersions.
    weights
        (1, n) or (G, n) observation weights; None: all one.
    ridge
        (p,) precisions of the normal priors of the log2 coefficients; None: 1e-6 for each.
    start
        (G, p) starting values, natural log; None: least squares.
    min_mu
        Floor of the means in weights, standard errors and hat values.
    only_means
        Leave out standard errors, hat values and log-likelihoods: they are not to be used then.
    engine
        Threads, blocks, progress.
    text
        Of the progress bar.

    Notes
    -----
    R counterpart: the fits inside DESeq2::nbinomWaldTest.
    """
    if weights is None:
        weights = unit_weights(layout.n_samples)
    if layout.is_intercept_only and ridge is None:
        return _fit_intercept(counts, factors, alpha, weights)
    if ridge is None:
        if layout.standard is not None:
            return _fit_working(counts, factors, layout, alpha, weights, start, min_mu, only_means, engine, text)
        ridge = np.full(layout.n_coefficients, RIDGE_LOG2)
    problem = _Problem(counts, factors, weights, layout, alpha, ridge, min_mu)
    fit = _fit_irls(problem, _starts(problem) if start is None else start, only_means, engine, text)
    with np.errstate(invalid="ignore"):
        lost = (fit.n_iter >= MAX_ITER) | ~np.isfinite(fit.beta).all(axis=1) | ~(fit.se > 0).all(axis=1)
    return _rescue(fit, lost, problem, engine) if lost.any() else fit


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The arguments of `fit_nb_glm`."""

    counts: FloatArray
    factors: FloatArray
    weights: FloatArray
    layout: Layout
    alpha: FloatArray
    ridge: FloatArray
    min_mu: float

    def rows(self, rows: IntArray) -> _Problem:
        """Return the problem of some genes."""
        return replace(
            self,
            counts=self.counts[rows],
            factors=rows_of(self.factors, rows),
            weights=rows_of(self.weights, rows),
            alpha=self.alpha[rows],
        )


def _starts(problem: _Problem) -> FloatArray:
    """Return the least squares starts (G, p)."""
    layout = problem.layout
    beta = np.empty((len(problem.counts), layout.n_coefficients))
    nb_log_start_block(problem.counts, problem.factors, layout.basis, layout.triangle, beta)
    return beta


def _fit_irls(problem: _Problem, start: FloatArray, only_means: bool, engine: Engine, text: str | None) -> NBFit:
    counts, layout, alpha = problem.counts, problem.layout, problem.alpha
    n_genes, n = counts.shape
    log_factors = np.log(problem.factors)
    ridge = problem.ridge / LN2**2
    beta = start.copy()
    variance = np.empty_like(beta)
    mu = np.empty((n_genes, n))
    hat = np.empty((1, n)) if only_means else np.empty((n_genes, n))
    loglik, n_iter = np.empty(n_genes), np.empty(n_genes, dtype=np.int64)

    def task(block: slice) -> None:
        nb_log_irls_block(
            counts[block], rows_of(problem.factors, block), rows_of(log_factors, block),
            rows_of(problem.weights, block), alpha[block],
            layout.plan.index, layout.plan.numbers, ridge, problem.min_mu, TOLERANCE, MAX_ITER,
            beta[block], mu[block], n_iter[block],
        )  # fmt: skip
        nb_log_inference_block(
            counts[block], rows_of(problem.factors, block), rows_of(problem.weights, block), alpha[block], beta[block],
            layout.plan.index, layout.plan.numbers, ridge, only_means,
            mu[block], variance[block], hat if only_means else hat[block], loglik[block],
        )  # fmt: skip

    engine.run(task, n_genes, text)
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.maximum(variance, 0.0))
    return NBFit(beta, se, mu, hat, loglik, n_iter < MAX_ITER, n_iter, np.zeros(n_genes, dtype=np.bool_))


def _rescue(fit: NBFit, lost: BoolArray, whole: _Problem, engine: Engine) -> NBFit:
    """Return `fit` with the `lost` rows fitted by the quasi-Newton search; their hat values stay as IRLS left them."""
    rows = np.flatnonzero(lost)
    problem = whole.rows(rows)
    layout = problem.layout
    start = fit.beta[rows] / LN2
    usable = np.isfinite(start).all(axis=1) & (np.abs(start) < LARGE_LOG2_BETA).all(axis=1)
    # The other rows start from least squares in natural logs, read as if they were log2: the search has a rough
    # bottom, and where it stops depends on where it starts.
    start[~usable] = _starts(problem)[~usable]
    log2_beta, success = minimize_rows(
        start, problem.counts, problem.factors, problem.weights, problem.alpha, layout, 1.0 / np.sqrt(problem.ridge),
        engine,
    )  # fmt: skip
    beta = log2_beta * LN2
    success |= _go_on(beta, problem)
    mu = fitted_means(beta, problem.factors, layout, engine=engine)
    variance = contrast_variance(
        np.eye(beta.shape[1]), beta, problem.factors, problem.alpha, layout,
        weights=problem.weights, ridge=problem.ridge, min_mu=problem.min_mu, engine=engine,
    )  # fmt: skip
    loglik = np.empty(len(rows))
    floor = np.full(len(rows), problem.min_mu)
    nb_loglik_block(problem.counts, mu, problem.weights, problem.alpha, floor, loglik)
    return replace(
        fit,
        beta=_scatter(fit.beta, rows, beta),
        se=_scatter(fit.se, rows, np.sqrt(variance)),
        mu=_scatter(fit.mu, rows, mu),
        loglik=_scatter(fit.loglik, rows, loglik),
        converged=_scatter(fit.converged, rows, success),
        optimized=lost,
    )


def _go_on(beta: FloatArray, problem: _Problem) -> BoolArray:
    """Take searches that stopped short of the maximum, of coefficients (G, p), on to it; return which arrived there.

    The bound is none then, and next to no ridge: what the counts determine is to be the same in every spelling of a
    model, also beside coefficients that they do not. At the bound a gene stays, as in R, if an estimate is infinite.
    """
    moved = np.zeros(len(beta), dtype=np.bool_)
    layout = problem.layout
    ridge = np.where(problem.ridge <= RIDGE_LOG2, FADED, 1.0) * problem.ridge / LN2**2
    distance = distance_to_maximum(beta, problem.counts, problem.factors, problem.weights, problem.alpha, layout, ridge)
    short = np.flatnonzero(distance > STOPPED_SHORT)
    bound: BoolArray = np.any(np.abs(np.abs(beta[short]) / LN2 - BOUND_LOG2) < AT_BOUND, axis=1)
    if bound.any():
        part = problem.rows(short[bound])
        bound[bound] = separated(part.counts, np.eye(beta.shape[1]), layout, part.weights).any(axis=1)
    short = short[~bound]
    if len(short):
        part = problem.rows(short)
        beta[short], moved[short] = maximize(
            beta[short], part.counts, part.factors, part.weights, part.alpha, layout, ridge
        )
    return moved


def highest_loglik(
    start: FloatArray,
    layout: Layout,
    counts: FloatArray,
    factors: FloatArray,
    alpha: FloatArray,
    weights: FloatArray | None,
) -> FloatArray:
    """Return the maxima (G,) of the log-likelihoods, reached from coefficients (G, p); no mean is floored.

    Other arguments are those of `fit_nb_glm`.
    """
    v = unit_weights(layout.n_samples) if weights is None else weights
    ridge = FADED * RIDGE_LOG2 * layout.ridge / LN2**2
    beta, _ = maximize(_in_working_columns(start, layout), counts, factors, v, alpha, layout.working, ridge)
    mu = fitted_means(beta, factors, layout.working, engine=INSIDE)
    loglik = np.empty(len(start))
    nb_loglik_block(counts, mu, v, alpha, np.zeros(len(start)), loglik)
    return loglik


def _fit_working(
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    alpha: FloatArray,
    weights: FloatArray,
    start: FloatArray | None,
    min_mu: float,
    only_means: bool,
    engine: Engine,
    text: str | None,
) -> NBFit:
    """Return the fits in working columns, with coefficients and standard errors of the columns as given.

    Means, standard errors and hat values follow from these, so that they are the same when they are computed again.
    """
    own = layout.standard
    assert own is not None
    fit = fit_nb_glm(
        counts, factors, layout.working, alpha, weights=weights, ridge=RIDGE_LOG2 * layout.ridge,
        start=None if start is None else own.taken(start), min_mu=min_mu, only_means=only_means, engine=engine,
        text=text,
    )  # fmt: skip
    beta = own.given_back(fit.beta)
    mu = fitted_means(beta, factors, layout, engine=engine)
    if only_means:
        return replace(fit, beta=beta, mu=mu)
    variance = contrast_variance(
        np.eye(layout.n_coefficients), beta, factors, alpha, layout, weights=weights, min_mu=min_mu, engine=engine
    )
    hat = hat_values(beta, fit.optimized, counts, factors, layout, alpha, weights=weights, min_mu=min_mu, engine=engine)
    return replace(fit, beta=beta, se=np.sqrt(variance), mu=mu, hat=hat)


def _scatter(whole: Array, rows: IntArray, part: Array) -> Array:
    whole[rows] = part
    return whole


def _fit_intercept(counts: FloatArray, factors: FloatArray, alpha: FloatArray, weights: FloatArray) -> NBFit:
    """Return the fits of the one-column design in closed form: means of normalized counts, no ridge, no floor."""
    n_genes = len(counts)
    normalized = counts / factors
    if len(weights) != 1:
        beta = np.log((weights * normalized).sum(axis=1) / weights.sum(axis=1))
    else:
        beta = np.log(normalized.mean(axis=1))
    mu = factors * np.exp(beta)[:, None]
    weight = weights * (mu / (1.0 + alpha[:, None] * mu))
    information = weight.sum(axis=1)
    loglik = np.empty(n_genes)
    nb_loglik_block(counts, mu, weights, alpha, np.zeros(n_genes), loglik)
    return NBFit(
        beta=beta[:, None],
        se=np.sqrt(1.0 / information)[:, None],
        mu=mu,
        hat=weight / information[:, None],
        loglik=loglik,
        converged=np.ones(n_genes, dtype=np.bool_),
        n_iter=np.ones(n_genes, dtype=np.int64),
        optimized=np.zeros(n_genes, dtype=np.bool_),
    )


def fitted_means(beta: FloatArray, factors: FloatArray, layout: Layout, *, engine: Engine) -> FloatArray:
    """Return the means (G, n) that coefficients (G, p), natural log, give at factors (1, n) or (G, n); not floored.

    To the last bit those of the fit that the coefficients come from.
    """
    if layout.is_intercept_only:
        return factors * np.exp(beta)
    mu = np.empty((len(beta), layout.n_samples))
    beta, plan = _in_working_columns(beta, layout), layout.working.plan

    def task(block: slice) -> None:
        nb_log_mean_block(beta[block], rows_of(factors, block), plan.index, plan.numbers, mu[block])

    engine.run(task, len(beta))
    return mu


def at_bound(beta: FloatArray, n_iter: FloatArray | IntArray, layout: Layout) -> BoolArray:
    """Return the genes (G,) of which a coefficient (G, p), natural log, sits at the bound of the quasi-Newton search.

    `n_iter` (G,) are the iterations of the fit; genes that are not fitted are missing in both.
    """
    found = np.zeros(len(beta), dtype=np.bool_)
    lost = np.flatnonzero(n_iter >= MAX_ITER)
    own = np.abs(_in_working_columns(beta[lost], layout)) / LN2
    found[lost] = (np.abs(own - BOUND_LOG2) < AT_BOUND).any(axis=1)
    return found


def _in_working_columns(beta: FloatArray, layout: Layout) -> FloatArray:
    """Return coefficients (G, p) of the columns that are fitted, from those of the columns as given."""
    return beta if layout.standard is None else layout.standard.taken(beta)


def hat_values(
    beta: FloatArray,
    optimized: BoolArray,
    counts: FloatArray,
    factors: FloatArray,
    layout: Layout,
    alpha: FloatArray,
    *,
    weights: FloatArray | None = None,
    min_mu: float = 0.5,
    engine: Engine,
) -> FloatArray:
    """Return the diagonals (G, n) of the hat matrices of a fit without priors, to the last bit as it had them.

    Those of `optimized` genes (G,) are as IRLS left them, which is run for these genes again. Other arguments are those
    of `fit_nb_glm`.
    """
    v = unit_weights(layout.n_samples) if weights is None else weights
    if layout.is_intercept_only:
        mu = fitted_means(beta, factors, layout, engine=engine)
        weight = v * (mu / (1.0 + alpha[:, None] * mu))
        return as_float(weight / weight.sum(axis=1)[:, None])
    hat = np.empty((len(beta), layout.n_samples))
    ridge = RIDGE_LOG2 * layout.ridge / LN2**2
    beta, plan = _in_working_columns(beta, layout), layout.working.plan

    def task(block: slice) -> None:
        nb_log_hat_block(
            beta[block], rows_of(factors, block), rows_of(v, block), alpha[block], plan.index, plan.numbers, ridge,
            min_mu, hat[block],
        )  # fmt: skip

    engine.run(task, len(beta))
    if optimized.any():
        problem = _Problem(counts, factors, v, layout.working, alpha, RIDGE_LOG2 * layout.ridge, min_mu)
        lost = problem.rows(np.flatnonzero(optimized))
        hat[optimized] = _fit_irls(lost, _starts(lost), False, engine, None).hat
    return hat


def contrast_variance(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    ridge: FloatArray | None = None,
    min_mu: float = 0.5,
    engine: Engine,
) -> FloatArray:
    """Return the variances (G, k) of c'beta for contrasts (k, p), natural log.

    The covariance of beta is A^-1 X'WX A^-1, A = X'WX + ridge, at the means that beta (G, p) gives, floored at
    `min_mu`; it is recomputed and not kept. `weights` and `ridge` are those of `fit_nb_glm`.
    """
    contrasts = as_float(np.atleast_2d(contrasts))
    variance = np.empty((len(beta), len(contrasts)))
    _by_block(nb_log_variance_block, contrasts, beta, factors, alpha, layout, weights, ridge, min_mu, engine, variance)
    return variance


def contrast_covariance(
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    *,
    weights: FloatArray | None = None,
    ridge: FloatArray | None = None,
    min_mu: float = 0.5,
    engine: Engine,
) -> FloatArray:
    """Return the covariances (G, k, k) of C beta for contrasts C (k, p), natural log; see `contrast_variance`."""
    contrasts = as_float(np.atleast_2d(contrasts))
    covariance = np.empty((len(beta), len(contrasts), len(contrasts)))
    _by_block(
        nb_log_covariance_block, contrasts, beta, factors, alpha, layout, weights, ridge, min_mu, engine, covariance
    )
    return covariance


def _by_block(
    kernel: Callable[..., None],
    contrasts: FloatArray,
    beta: FloatArray,
    factors: FloatArray,
    alpha: FloatArray,
    layout: Layout,
    weights: FloatArray | None,
    ridge: FloatArray | None,
    min_mu: float,
    engine: Engine,
    out: FloatArray,
) -> None:
    """Let a kernel write what it computes of contrasts of `beta`, block by block, into `out`."""
    v = unit_weights(layout.n_samples) if weights is None else weights
    precision = (RIDGE_LOG2 * layout.ridge if ridge is None else ridge) / LN2**2
    plan = layout.plan
    if ridge is None and layout.standard is not None:
        contrasts, beta, plan = layout.standard.contrasts(contrasts), layout.standard.taken(beta), layout.working.plan

    def task(block: slice) -> None:
        kernel(
            contrasts, beta[block], rows_of(factors, block), rows_of(v, block), alpha[block], plan.index, plan.numbers,
            precision, min_mu, out[block],
        )  # fmt: skip

    engine.run(task, len(beta))
