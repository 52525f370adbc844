"""Contrasts and moderated statistics of linear models, with limma's names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from countnest.api.inputs import not_negative
from countnest.api.limma_inputs import given_contrasts
from countnest.api.linear_model import LinearModel, Moderation
from countnest.errors import OptionError, kind_of
from countnest.methods.limma.steps import moderated
from countnest.options import check_flags
from countnest.signature import checked_arguments
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.linear.contrasts import contrast_fits

__all__ = ["contrasts_fit", "e_bayes", "treat"]

# The fold change that `treat` tests against by default, log2.
TREAT_LFC = float(np.log2(1.2))


@checked_arguments
def contrasts_fit(fit: LinearModel, contrasts: Any, *, approx: bool = False) -> LinearModel:  # noqa: ANN401
    """Return contrasts of the coefficients of linear models.

    Parameters
    ----------
    fit
        What `lm_fit` or `voom_lm_fit` returned.
    contrasts
        Coefficients x contrasts, a DataFrame or array; or a dict of labels, each with weights of coefficients, by name
        or in their order.
    approx
        Compute standard errors as limma does, which is exact only where weights do not vary.

    Notes
    -----
    R counterpart: limma::contrasts.fit.
    """
    check_flags(approx=approx)
    _require(fit, "contrasts_fit")
    if fit.estimates is not fit.fits.coefficients:
        raise OptionError("this fit has contrasts already: ask contrasts of the fit that lm_fit returned.")
    matrix, labels = given_contrasts(contrasts, fit.names)
    found = contrast_fits(fit.fits, matrix, approximate=approx, joint=False)
    return replace(
        fit, names=labels, contrasts=matrix, estimates=found.estimates, unscaled=found.stdev_unscaled,
        common=found.common, approximate=approx, moderation=None,
    )  # fmt: skip


@checked_arguments
def e_bayes(
    fit: LinearModel, *, trend: bool = False, robust: bool = False, compat: Compat | None = None
) -> LinearModel:
    """Return linear models with moderated variances, and with them t and F statistics and log odds.

    Parameters
    ----------
    fit
        What `lm_fit`, `voom_lm_fit` or `contrasts_fit` returned.
    trend
        Let the prior of the variances follow the mean values.
    robust
        Give genes with outlying variances fewer prior degrees of freedom.
    compat
        The release whose numbers are wanted. F tests are then approximate, as limma's; None: the newest, with F tests
        by each gene's own covariance.

    Raises
    ------
    OptionError
        No gene has residual degrees of freedom.

    Notes
    -----
    R counterpart: limma::eBayes.
    """
    return _moderate(fit, "e_bayes", trend, robust, compat, None)


@checked_arguments
def treat(
    fit: LinearModel,
    lfc: float = TREAT_LFC,
    *,
    trend: bool = False,
    robust: bool = False,
    compat: Compat | None = None,
) -> LinearModel:
    """Return linear models with moderated tests of fold changes beyond a threshold.

    Parameters
    ----------
    fit, trend, robust, compat
        As of `e_bayes`.
    lfc
        The threshold, log2; by default that of a change by a fifth.

    Notes
    -----
    R counterpart: limma::treat.
    """
    return _moderate(fit, "treat", trend, robust, compat, not_negative("lfc", lfc))


def _moderate(
    fit: LinearModel, function: str, trend: bool, robust: bool, compat: Compat | None, threshold: float | None
) -> LinearModel:
    check_flags(trend=trend, robust=robust)
    _require(fit, function)
    compat_level(compat)
    if not (fit.fits.df > 0).any():
        raise OptionError("no gene has residual degrees of freedom: there are no replicates, and no variances.")
    variances = moderated(fit.fits, trend=trend, robust=robust, compat=compat)
    return replace(fit, moderation=Moderation(variances, threshold, compat))


def _require(fit: object, function: str) -> None:
    if not isinstance(fit, LinearModel):
        raise OptionError(f"{function} needs what cn.lm_fit or cn.voom_lm_fit returned; got {kind_of(fit)}.")
