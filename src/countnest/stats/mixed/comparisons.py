"""Comparisons of linear mixed models by their likelihoods, and tests of variances of random effects. G genes."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.ratios import dropped_parts, ratio_test, without_term
from countnest.stats.mixed.records import LikelihoodRatio, LinearMixedFits, MixedModel

__all__ = ["likelihood_ratio", "variance_test"]


def likelihood_ratio(
    model: MixedModel,
    fits: LinearMixedFits,
    reduced_model: MixedModel,
    reduced_fits: LinearMixedFits,
    *,
    mixture: bool = True,
) -> LikelihoodRatio:
    """Return likelihood ratio tests of a model against one with fewer coefficients or random terms.

    Parameters
    ----------
    mixture
        See `ratios.ratio_test`; it does not matter where variances are free.

    Raises
    ------
    DesignError
        If the reduced model is no part of the other one, see `ratios.dropped_parts`.
    OptionError
        If likelihoods cannot be compared: one is restricted and the other is not, or both are and their fixed parts
        differ, as each of them is then the likelihood of other data.

    Notes
    -----
    The chi-square distribution is that of many groups. With few, p-values of fixed coefficients are too small: in a
    study of 24 families 8 to 12 % of true hypotheses have p < 0.05.

    R counterpart: anova of two fits by lme4::lmer, with refit = FALSE.
    """
    if fits.reml != reduced_fits.reml:
        raise OptionError("Only one of the two likelihoods is restricted (REML): fit both with reml=False.")
    if fits.reml and not np.array_equal(model.matrix, reduced_model.matrix):
        raise OptionError(
            "Restricted likelihoods (REML) of models with different fixed parts cannot be compared: "
            "fit both with reml=False."
        )
    dropped = dropped_parts(model, reduced_model)
    return ratio_test(as_float(reduced_fits.criterion - fits.criterion), dropped, mixture=mixture and fits.bounded)


def variance_test(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None,
    fits: LinearMixedFits,
    *,
    term: int = 0,
    mixture: bool = True,
) -> LikelihoodRatio:
    """Return tests that the random effects of a term have no variance.

    Parameters
    ----------
    y, model, weights
        What `fits` were fitted to, by REML or not.
    term
        Place of the term in the model.
    mixture
        Whether p-values know that a variance cannot be negative, see `ratios.ratio_test`: of a single one they are
        halved, and 1 where the estimate is zero, as half of the estimates are without any. Variances that are free are
        tested with chi-square as it is.

    Notes
    -----
    R counterpart: RLRsim and lmerTest::ranova, which has ``mixture = False``.
    """
    reduced = without_term(model, term)
    return likelihood_ratio(
        model, fits, reduced, fit_linear(y, reduced, weights, reml=fits.reml, bounded=fits.bounded), mixture=mixture
    )
