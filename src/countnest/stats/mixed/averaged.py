"""Tests with both variances of a mixed model moderated: averages over what genes say of their ratio.

One random term with one column. The residual variance has a scaled-F prior, estimated from what varies within groups.
The ratio of the variance between groups to it has a prior of its own, a distribution on a grid, at the maximum of the
likelihood of all genes. Given the ratio, coefficients have t distributions, which are averaged with the posterior
weights of the ratios. G genes, n samples, p coefficients, K ratios.

Sources: Smyth (2004), doi:10.2202/1544-6115.1027, for the residual variance; for the prior of the ratio Kiefer and
Wolfowitz (1956), doi:10.1214/aoms/1177728066, and Koenker and Mizera (2014), doi:10.1080/01621459.2013.869224.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from countnest.arrays import FloatArray, as_float
from countnest.errors import ContrastError, DesignError
from countnest.options import AltHypothesis
from countnest.stats.mixed.records import MixedModel
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.t_and_f import t_tests_of_rows
from countnest.stats.moderated.tails import log_f_tail
from countnest.stats.shrink.ashr import maximize_weights

if TYPE_CHECKING:
    from countnest.stats.mixed.strata import Strata

__all__ = ["AveragedVariances", "averaged_variances", "require_one_ratio"]

# Ratios, times the mean size of a group: zero, and by factors of sqrt(2).
RATIOS = np.concatenate([[0.0], 2.0 ** np.arange(-4.0, 10.5, 0.5)])
NEWTON_STEPS, ENOUGH = 60, 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class AveragedVariances:
    """Genes with the posterior weights of their variance ratios; NaN for genes that cannot be fitted.

    Attributes
    ----------
    coefficients
        (K, G, p) at every ratio.
    variances
        (G, K) moderated residual variances.
    unscaled
        (K, p, p) covariances of the coefficients, were the residual variance 1.
    weights
        (G, K) posterior weights.
    df
        (G,) degrees of freedom of the moderated variances.
    ratios, prior
        (K,) variance between groups over that within, and their prior.
    """

    coefficients: FloatArray
    variances: FloatArray
    unscaled: FloatArray
    weights: FloatArray
    df: FloatArray
    ratios: FloatArray
    prior: FloatArray

    def estimates(self, contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return averaged estimates of contrasts (k, p) and their standard errors, (G, k) each."""
        each = np.einsum("Kgp,kp->gkK", self.coefficients, contrasts)
        mean = np.einsum("gkK,gK->gk", each, self.weights)
        own = self._squares(contrasts) + (each - mean[:, :, np.newaxis]) ** 2
        return as_float(mean), as_float(np.sqrt(np.einsum("gkK,gK->gk", own, self.weights)))

    def rows(self, contrasts: FloatArray, threshold: float, alternative: AltHypothesis) -> FloatArray:
        """Return averaged p-values (G, k) of t tests of contrasts (k, p)."""
        plain, squares = threshold == 0.0 and alternative.startswith("greaterAbs"), self._squares(contrasts)
        found = []
        for k, contrast in enumerate(contrasts):
            each = as_float(np.einsum("Kgp,p->gK", self.coefficients, contrast))
            se = as_float(np.sqrt(squares[:, k]))
            if plain:
                p_value = 2.0 * _lower_tail(-np.abs(each / se), self.df[:, np.newaxis])
            else:
                _, p_value = t_tests_of_rows(each, se, self.df, threshold, alternative)
            found.append((p_value * self.weights).sum(axis=1))
        return as_float(np.minimum(np.column_stack(found), 1.0))

    def joint(self, contrasts: FloatArray) -> tuple[FloatArray, int]:
        """Return averaged p-values (G,) of F tests that contrasts (k, p) are zero, and their rank."""
        _, values, directions = np.linalg.svd(contrasts)
        rank = int((values > 1e-10 * values.max(initial=0.0)).sum())
        if not rank:
            raise ContrastError("All contrasts are zero: there is nothing to test.")
        own = directions[:rank]
        each = np.einsum("Kgp,kp->Kgk", self.coefficients, own)
        inverse = np.linalg.inv(own @ self.unscaled @ own.T)
        squares = np.einsum("Kgi,Kij,Kgj->gK", each, inverse, each) / (rank * self.variances)
        p_value = np.exp(log_f_tail(squares, float(rank), self.df[:, np.newaxis]))
        return as_float(np.minimum((p_value * self.weights).sum(axis=1), 1.0)), rank

    def reach(self, contrasts: FloatArray, level: float) -> FloatArray:
        """Return half the lengths (G, k) of intervals of a level, beyond which the averaged tails have the rest."""
        se = np.sqrt(self._squares(contrasts))
        df = self.df[:, np.newaxis, np.newaxis]
        length = as_float(scipy.special.stdtrit(df, 0.5 * (1.0 + level))[:, :, 0] * se.min(axis=2))
        for _ in range(NEWTON_STEPS):  # the tails are convex, so that steps from within never go too far
            ratio = length[:, :, np.newaxis] / se
            tail = 2.0 * np.einsum("gkK,gK->gk", _lower_tail(-ratio, df), self.weights)
            slope = 2.0 * np.einsum("gkK,gK->gk", _t_density(ratio, df) / se, self.weights)
            step = (tail - (1.0 - level)) / slope
            length = as_float(length + step)
            if not np.any(step > ENOUGH * length):
                break
        return length

    def _squares(self, contrasts: FloatArray) -> FloatArray:
        """Return the squares (G, k, K) of standard errors at every ratio."""
        parts = np.einsum("ki,Kij,kj->kK", contrasts, self.unscaled, contrasts)
        return as_float(self.variances[:, np.newaxis, :] * parts)


def averaged_variances(y: FloatArray, model: MixedModel, strata: Strata) -> AveragedVariances:
    """Return what responses (G, n) without weights say of the variances of their genes.

    Parameters
    ----------
    strata
        Of the responses; those within the groups tell the prior of the residual variance, in any layout.

    Raises
    ------
    DesignError
        If there is not one random term with one column, or nothing varies within its groups.
    """
    require_one_ratio(model)
    if not strata.df[0] > 0:
        raise DesignError(
            "Within the groups nothing varies but what the coefficients explain, so that no residual variance is seen "
            "apart from that between groups: test by kind='t'."
        )
    lost = np.isnan(strata.mean_squares[:, 0])
    d0, s0 = _prior(strata)
    fitted = np.where(lost[:, np.newaxis], 0.0, strata.coefficients) @ model.matrix.T
    values = np.where(lost[:, np.newaxis], 0.0, y) - fitted
    shifts, squares, unscaled, logs, ratios = _at_ratios(as_float(values), model)
    left = float(model.matrix.shape[0] - model.matrix.shape[1])
    if np.isinf(d0):
        variances, log_likelihood = np.full_like(squares, s0), -0.5 * (logs + squares / s0)
    else:
        variances = (d0 * s0 + squares) / (d0 + left)
        log_likelihood = -0.5 * (logs + (d0 + left) * np.log(variances))
    scaled = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    # a gene is added at each ratio, so that a few genes do not exclude what others have
    prior = maximize_weights(as_float(np.vstack([scaled[~lost], np.eye(len(ratios))])))
    weights = scaled * prior
    weights[lost] = np.nan
    return AveragedVariances(
        as_float(shifts + strata.coefficients), as_float(variances), unscaled,
        as_float(weights / weights.sum(axis=1, keepdims=True)), np.full(len(y), d0 + left), ratios, prior,
    )  # fmt: skip


def require_one_ratio(model: MixedModel) -> None:
    """Raise `DesignError` for a model with several variances of random effects."""
    if len(model.terms) != 1 or model.terms[0].n_columns != 1:
        raise DesignError(
            "Averages over the ratio of two variances need one random term with one column: test by 'dream', which "
            "moderates the residual variance alone."
        )


def _prior(strata: Strata) -> tuple[float, float]:
    """Return degrees of freedom and variance of the prior of residual variances; zeros where genes are too few."""
    squares = as_float(strata.mean_squares[:, 0])
    prior = moderate_variances(squares, np.full(len(squares), strata.df[0])).prior
    df, variance = (float(np.nanmax(np.append(each, 0.0))) for each in (prior.df, prior.variance))
    return df, variance


def _at_ratios(
    residuals: FloatArray, model: MixedModel
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return fits at each ratio.

    They are shifts of the coefficients of least squares (K, G, p), generalized residual sums of squares (G, K),
    unscaled covariances (K, p, p), log-determinants (K,), and the ratios (K,).
    """
    term, matrix = model.terms[0], model.matrix
    column = term.columns[:, 0]
    groups = np.zeros((term.n_levels, len(column)))
    groups[term.codes, np.arange(len(column))] = column
    sizes = as_float((groups**2).sum(axis=1))
    of_columns, of_values = groups @ matrix, residuals @ groups.T
    ratios = as_float(RATIOS / sizes[sizes > 0].mean())
    plain, whole = as_float((residuals**2).sum(axis=1)), matrix.T @ matrix
    shifts, squares, unscaled, logs = [], [], [], []
    for ratio in ratios:
        shrunken = ratio / (1.0 + ratio * sizes)
        inner = whole - of_columns.T @ (shrunken[:, np.newaxis] * of_columns)
        inverse = np.linalg.inv(inner)
        # residuals of least squares have no products with the columns themselves
        products = -(of_values * shrunken) @ of_columns
        shift = products @ inverse
        shifts.append(shift)
        squares.append(plain - (of_values**2 * shrunken).sum(axis=1) - (shift * products).sum(axis=1))
        unscaled.append(inverse)
        logs.append(np.log1p(ratio * sizes).sum() + np.linalg.slogdet(inner)[1])
    return (
        as_float(np.array(shifts)), as_float(np.array(squares).T), as_float(np.array(unscaled)),
        as_float(np.array(logs)), ratios,
    )  # fmt: skip


def _lower_tail(x: FloatArray, df: FloatArray) -> FloatArray:
    """Return P(T < x) of t distributions; infinite degrees of freedom: normal."""
    if np.isinf(df).all():
        return as_float(scipy.special.ndtr(x))
    return as_float(scipy.special.stdtr(df, x))


def _t_density(x: FloatArray, df: FloatArray) -> FloatArray:
    """Return densities of t distributions."""
    if np.isinf(df).all():
        return as_float(np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi))
    constant = scipy.special.gammaln(0.5 * (df + 1.0)) - scipy.special.gammaln(0.5 * df) - 0.5 * np.log(df * np.pi)
    return as_float(np.exp(constant - 0.5 * (df + 1.0) * np.log1p(x**2 / df)))
