"""Fit the negative binomial GLM of every gene: IRLS, and a quasi-Newton search for the genes that it loses.

Where a quasi-Newton search stops short of the maximum, Newton's method goes on. Columns of numbers whose units or
origin would let the bound and the ridge decide are fitted as working columns (`standard`); coefficients are those of
the columns as given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.kernels.negbin.density import nb_loglik_chunk
from countnest.kernels.negbin.inference import nb_log_mean_chunk
from countnest.stats.glm.inputs import LN2, RIDGE_LOG2, NBInputs
from countnest.stats.glm.irls import MAX_ITER, fit_irls, hat_values, least_squares_start
from countnest.stats.glm.means import fitted_means
from countnest.stats.glm.newton import distance_to_maximum, maximize
from countnest.stats.glm.quasinewton import search_rows
from countnest.stats.glm.separation import separated
from countnest.stats.glm.variance import contrast_variance

if TYPE_CHECKING:
    from countnest.stats.glm.layout import Layout

Array = TypeVar("Array", FloatArray, BoolArray)

__all__ = [
    "NBFit",
    "at_bound",
    "fit_nb_glm",
    "highest_loglik",
    "maximum_coefficients",
    "maximum_means",
]

LARGE_LOG2_BETA = 30.0
# A search has stopped short where Newton's method would go on by more than this fraction of a standard error. IRLS ends
# up to 0.003 of one from its own limit, and is left there, as in R.
STOPPED_SHORT = 6e-4
# Of a coefficient of the search, log2; and how near to it is at it.
BOUND_LOG2, AT_BOUND = 30.0, 1e-9
# Of the ridge, where a search is taken on. A prior is more than that, and stays.
FADED = 1e-8
# Means below this add nothing to a likelihood that a test would feel; a weight is above zero with it.
LEAST_MEAN = 1e-7


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
    inputs: NBInputs,
    layout: Layout,
    *,
    ridge: FloatArray | None = None,
    start: FloatArray | None = None,
    only_means: bool = False,
) -> NBFit:
    """Fit log(mu / size factor) = X beta for every gene, with a ridge on the coefficients.

    Parameters
    ----------
    counts
        (G, n), every row with a positive count.
    inputs
        Size factors, dispersions, weights and the floor of the means.
    layout
        Of the model matrix.
    ridge
        (p,) precisions of the normal priors of the log2 coefficients; None: 1e-6 for each.
    start
        (G, p) starting values, natural log; None: least squares.
    only_means
        Leave out standard errors, hat values and log-likelihoods: they are not to be used then.

    Notes
    -----
    R counterpart: the fits inside DESeq2::nbinomWaldTest.
    """
    if layout.is_intercept_only and ridge is None:
        return _fit_intercept(counts, inputs)
    if ridge is None:
        if layout.standard is not None:
            return _fit_working(counts, inputs, layout, start, only_means)
        ridge = np.full(layout.n_coefficients, RIDGE_LOG2)
    if start is None:
        start = least_squares_start(counts, inputs.size_factors, layout)
    found = fit_irls(counts, inputs, layout, start, ridge, only_means=only_means)
    fit = NBFit(
        found.beta, found.se, found.mu, found.hat, found.loglik,
        converged=found.n_iter < MAX_ITER, n_iter=found.n_iter, optimized=np.zeros(len(counts), dtype=np.bool_),
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        lost = (fit.n_iter >= MAX_ITER) | ~np.isfinite(fit.beta).all(axis=1) | ~(fit.se > 0).all(axis=1)
    return _refit_unconverged(fit, lost, counts, inputs, layout, ridge) if lost.any() else fit


def _refit_unconverged(
    fit: NBFit, lost: BoolArray, counts: FloatArray, inputs: NBInputs, layout: Layout, ridge: FloatArray
) -> NBFit:
    """Return `fit` with the `lost` rows fitted by the quasi-Newton search; their hat values stay as IRLS left them."""
    rows = np.flatnonzero(lost)
    k, some = counts[rows], inputs.at(rows)
    start = fit.beta[rows] / LN2
    usable = np.isfinite(start).all(axis=1) & (np.abs(start) < LARGE_LOG2_BETA).all(axis=1)
    # The other rows start from least squares in natural logs, read as if they were log2: the search has a rough
    # bottom, and where it stops depends on where it starts.
    start[~usable] = least_squares_start(k, some.size_factors, layout)[~usable]
    log2_beta, success = search_rows(start, k, some, layout, 1.0 / np.sqrt(ridge))
    beta = log2_beta * LN2
    success |= _go_on(beta, k, some, layout, ridge)
    mu = fitted_means(beta, some.size_factors, layout)
    variance = contrast_variance(np.eye(beta.shape[1]), beta, some, layout, ridge=ridge)
    loglik = np.empty(len(rows))
    nb_loglik_chunk(k, mu, some.weights, some.dispersion, np.full(len(rows), some.min_mu), loglik)
    return replace(
        fit,
        beta=_scatter(fit.beta, rows, beta),
        se=_scatter(fit.se, rows, np.sqrt(variance)),
        mu=_scatter(fit.mu, rows, mu),
        loglik=_scatter(fit.loglik, rows, loglik),
        converged=_scatter(fit.converged, rows, success),
        optimized=lost,
    )


def _go_on(beta: FloatArray, counts: FloatArray, inputs: NBInputs, layout: Layout, ridge: FloatArray) -> BoolArray:
    """Take searches that stopped short of the maximum, of coefficients (G, p), on to it; return which arrived there.

    The bound is none then, and next to no ridge: what the counts determine is to be the same in every spelling of a
    model, also beside coefficients that they do not. At the bound a gene stays, as in R, if an estimate is infinite.
    """
    moved = np.zeros(len(beta), dtype=np.bool_)
    ridge = np.where(ridge <= RIDGE_LOG2, FADED, 1.0) * ridge / LN2**2
    short = np.flatnonzero(distance_to_maximum(beta, counts, inputs, layout, ridge) > STOPPED_SHORT)
    bound: BoolArray = np.any(np.abs(np.abs(beta[short]) / LN2 - BOUND_LOG2) < AT_BOUND, axis=1)
    if bound.any():
        at = short[bound]
        every = np.eye(beta.shape[1])
        bound[bound] = separated(counts[at], every, layout, inputs.at(at).weights).any(axis=1)
    short = short[~bound]
    if len(short):
        beta[short], moved[short] = maximize(beta[short], counts[short], inputs.at(short), layout, ridge)
    return moved


def highest_loglik(start: FloatArray, counts: FloatArray, inputs: NBInputs, layout: Layout) -> FloatArray:
    """Return the maxima (G,) of the log-likelihoods, reached from coefficients (G, p); no mean is floored.

    Other arguments are those of `fit_nb_glm`.
    """
    ridge = FADED * RIDGE_LOG2 * layout.ridge / LN2**2
    beta, _ = maximize(layout.in_working_columns(start), counts, inputs, layout.working, ridge)
    mu = fitted_means(beta, inputs.size_factors, layout.working)
    loglik = np.empty(len(start))
    nb_loglik_chunk(counts, mu, inputs.weights, inputs.dispersion, np.zeros(len(start)), loglik)
    return loglik


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


def _fit_working(
    counts: FloatArray, inputs: NBInputs, layout: Layout, start: FloatArray | None, only_means: bool
) -> NBFit:
    """Return the fits in working columns, with coefficients and standard errors of the columns as given.

    Means, standard errors and hat values follow from these, so that they are the same when they are computed again.
    """
    own = layout.standard
    assert own is not None
    fit = fit_nb_glm(
        counts, inputs, layout.working, ridge=RIDGE_LOG2 * layout.ridge,
        start=None if start is None else own.taken(start), only_means=only_means,
    )  # fmt: skip
    beta = own.given_back(fit.beta)
    mu = fitted_means(beta, inputs.size_factors, layout)
    if only_means:
        return replace(fit, beta=beta, mu=mu)
    variance = contrast_variance(np.eye(layout.n_coefficients), beta, inputs, layout)
    hat = hat_values(counts, inputs, layout, beta, fit.optimized)
    return replace(fit, beta=beta, se=np.sqrt(variance), mu=mu, hat=hat)


def _scatter(whole: Array, rows: IntArray, part: Array) -> Array:
    whole[rows] = part
    return whole


def _fit_intercept(counts: FloatArray, inputs: NBInputs) -> NBFit:
    """Return the fits of the one-column design in closed form: means of normalized counts, no ridge, no floor."""
    n_genes, weights, alpha = len(counts), inputs.weights, inputs.dispersion
    normalized = counts / inputs.size_factors
    if inputs.given_weights is None:
        beta = np.log(normalized.mean(axis=1))
    else:
        beta = np.log((weights * normalized).sum(axis=1) / weights.sum(axis=1))
    mu = inputs.size_factors * np.exp(beta)[:, None]
    weight = weights * (mu / (1.0 + alpha[:, None] * mu))
    information = weight.sum(axis=1)
    loglik = np.empty(n_genes)
    nb_loglik_chunk(counts, mu, weights, alpha, np.zeros(n_genes), loglik)
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


def at_bound(beta: FloatArray, n_iter: FloatArray | IntArray, layout: Layout) -> BoolArray:
    """Return the genes (G,) of which a coefficient (G, p), natural log, sits at the bound of the quasi-Newton search.

    `n_iter` (G,) are the iterations of the fit; genes that are not fitted are missing in both.
    """
    found = np.zeros(len(beta), dtype=np.bool_)
    lost = np.flatnonzero(n_iter >= MAX_ITER)
    own = np.abs(layout.in_working_columns(beta[lost])) / LN2
    found[lost] = (np.abs(own - BOUND_LOG2) < AT_BOUND).any(axis=1)
    return found
