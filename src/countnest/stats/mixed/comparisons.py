"""Comparisons of linear mixed models by their likelihoods, and tests of variances of random effects. G genes."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import DesignError, OptionError
from countnest.stats.inference.lrt import is_nested
from countnest.stats.mixed.linear import fit_linear, fit_without_term
from countnest.stats.mixed.records import LikelihoodRatio, LinearMixedFits, MixedModel
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["likelihood_ratio", "variance_test"]


def likelihood_ratio(
    model: MixedModel, fits: LinearMixedFits, reduced_model: MixedModel, reduced_fits: LinearMixedFits
) -> LikelihoodRatio:
    """Return likelihood ratio tests of a model against one with fewer coefficients or random terms.

    Raises
    ------
    DesignError
        If the fixed part of the reduced model does not lie in that of the other, or it does not have fewer parameters.
    OptionError
        If likelihoods cannot be compared: one is restricted and the other is not, or both are and their fixed parts
        differ, as each of them is then the likelihood of other data.

    Notes
    -----
    The chi-square distribution is that of many groups. With few, p-values of fixed coefficients are too small: in a
    study of 24 families 8 to 12 % of true hypotheses have p < 0.05. A variance that is tested lies at its bound, which
    halves the p-value; see `variance_test`.

    R counterpart: anova of two fits by lme4::lmer, with refit = FALSE.
    """
    if fits.reml != reduced_fits.reml:
        raise OptionError("Only one of the two likelihoods is restricted (REML): fit both with reml=False.")
    if fits.reml and not np.array_equal(model.matrix, reduced_model.matrix):
        raise OptionError(
            "Restricted likelihoods (REML) of models with different fixed parts cannot be compared: "
            "fit both with reml=False."
        )
    df = model.matrix.shape[1] + model.n_parameters - reduced_model.matrix.shape[1] - reduced_model.n_parameters
    if df < 1 or not is_nested(reduced_model.matrix, model.matrix):
        raise DesignError("The reduced model must be a part of the full one, with fewer parameters: leave out terms.")
    statistic = as_float(np.maximum(reduced_fits.criterion - fits.criterion, 0.0))
    return LikelihoodRatio(statistic, df, log_f_tail(statistic / df, df, np.inf))


def variance_test(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    *,
    term: int = 0,
    halved: bool = True,
) -> LikelihoodRatio:
    """Return tests that the random effects of a term have no variance.

    Parameters
    ----------
    y, model, weights
        What `fits` were fitted to, by REML or not.
    term
        Place of the term in the model.
    halved
        Whether p-values are halved, and 1 where the estimate is zero: a variance cannot be negative, and without any
        half of the estimates are zero. Terms with several columns, and variances that are free, are tested with
        chi-square as it is.

    Notes
    -----
    Source of the mixture: Self and Liang (1987), doi:10.1080/01621459.1987.10478472.
    R counterpart: RLRsim and lmerTest::ranova, which has ``halved = False``.
    """
    terms = tuple(each for place, each in enumerate(model.terms) if place != term)
    if terms:
        reduced = fit_linear(y, MixedModel(model.matrix, terms), weights, reml=fits.reml)
    else:
        reduced = fit_without_term(y, model, weights, reml=fits.reml)
    k = model.terms[term].n_columns
    df = k * (k + 1) // 2
    statistic = as_float(np.maximum(reduced.criterion - fits.criterion, 0.0))
    log_p = log_f_tail(statistic / df, df, np.inf)
    if halved and k == 1 and fits.bounded:
        log_p = as_float(np.where(statistic > 0, log_p - np.log(2.0), log_p))
    return LikelihoodRatio(statistic, df, log_p)
