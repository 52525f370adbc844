"""Tests of coefficients of mixed models of counts. G genes, p coefficients, k contrasts, natural logarithms.

Degrees of freedom are given, those of containment as a rule: z tests, which have infinitely many, are too liberal for
questions between groups unless there are many groups.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import ContrastError, OptionError
from countnest.stats.mixed.count_records import CountMixedFits, QuasiFits
from countnest.stats.mixed.parts import independent, square
from countnest.stats.mixed.ratios import dropped_parts, ratio_test
from countnest.stats.mixed.records import JointMixedTests, LikelihoodRatio, MixedModel, MixedTests
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["count_contrast_tests", "count_joint_tests", "count_likelihood_ratio"]


def count_contrast_tests(
    fits: CountMixedFits | QuasiFits, contrasts: FloatArray, df: float | FloatArray, *, full: bool = False
) -> MixedTests:
    """Return t tests of contrasts (k, p), each by itself.

    Parameters
    ----------
    df
        Numbers that broadcast to (G, k); infinity: z tests.
    full
        Whether standard errors have the uncertainty of sigma and dispersion, as those of glmmTMB; not by
        quasi-likelihood.
    """
    contrasts = _checked(fits, contrasts)
    covariance = _covariance(fits, full=full)
    estimates = as_float(np.einsum("gp,kp->gk", fits.coefficients, contrasts))
    se = as_float(np.sqrt(np.einsum("ki,gij,kj->gk", contrasts, covariance, contrasts)))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = estimates / se
    found = as_float(np.broadcast_to(np.asarray(df, dtype=np.float64), se.shape))
    return MixedTests(estimates, se, found, statistic)


def count_joint_tests(
    fits: CountMixedFits | QuasiFits, contrasts: FloatArray, df: float | FloatArray, *, full: bool = False
) -> JointMixedTests:
    """Return F tests of all contrasts (k, p) at once, as many as are independent; `df` broadcasts to (G,)."""
    rows = independent(_checked(fits, contrasts))
    covariance = _covariance(fits, full=full)
    estimates = np.einsum("gp,kp->gk", fits.coefficients, rows)
    matrices = np.einsum("ki,gij,mj->gkm", rows, covariance, rows)
    statistic, usable = np.full(len(estimates), np.nan), np.isfinite(matrices).all(axis=(1, 2))
    solved = np.linalg.solve(matrices[usable], estimates[usable][:, :, np.newaxis])[:, :, 0]
    statistic[usable] = (solved * estimates[usable]).sum(axis=1) / len(rows)
    number = np.where(usable, float(len(rows)), np.nan)
    found = as_float(np.broadcast_to(np.asarray(df, dtype=np.float64), statistic.shape))
    return JointMixedTests(statistic, number, found, log_f_tail(statistic, number, found))


def count_likelihood_ratio(
    model: MixedModel,
    fits: CountMixedFits,
    reduced_model: MixedModel,
    reduced_fits: CountMixedFits,
    *,
    mixture: bool = True,
) -> LikelihoodRatio:
    """Return likelihood ratio tests of a model against one with fewer coefficients or random terms.

    Parameters
    ----------
    mixture
        Whether p-values know that variances cannot be negative, see `ratios.ratio_test`.

    Raises
    ------
    OptionError
        If likelihoods cannot be compared: one is restricted and the other is not, or both are and their fixed parts
        differ, as each of them is then the likelihood of other data.
    DesignError
        If the reduced model is not a part of the other one.

    Notes
    -----
    The chi-square distribution is that of many groups; with few of them p-values are too small.
    R counterpart: anova of two fits by glmmTMB::glmmTMB.
    """
    same_fixed = np.array_equal(model.matrix, reduced_model.matrix)
    if fits.reml != reduced_fits.reml or (fits.reml and not same_fixed):
        raise OptionError(
            "Restricted likelihoods (REML) of models with different fixed parts cannot be compared: "
            "fit both with reml=False."
        )
    dropped = dropped_parts(model, reduced_model)
    return ratio_test(as_float(2.0 * (fits.loglik - reduced_fits.loglik)), dropped, mixture=mixture)


def _covariance(fits: CountMixedFits | QuasiFits, *, full: bool) -> FloatArray:
    """Return the covariances (G, p, p) of the coefficients."""
    return square(fits.full_covariance if full and isinstance(fits, CountMixedFits) else fits.covariance)


def _checked(fits: CountMixedFits | QuasiFits, contrasts: FloatArray) -> FloatArray:
    """Return contrasts (k, p), one to a row."""
    contrasts = np.atleast_2d(as_float(contrasts))
    p = fits.coefficients.shape[1]
    if contrasts.shape[1] != p:
        raise ContrastError(f"Contrasts of {contrasts.shape[1]} weights do not fit {p} coefficients.")
    return contrasts
