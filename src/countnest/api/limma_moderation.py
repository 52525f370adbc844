"""Contrasts and moderated statistics of linear models, with limma's names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from countnest.api.inputs import not_negative, positive_number, probability
from countnest.api.limma_inputs import given_contrasts, given_trend
from countnest.api.linear_model import LinearModel, Moderation
from countnest.errors import OptionError, kind_of
from countnest.methods.limma.steps import moderated
from countnest.options import check_flags
from countnest.signature import checked_arguments
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.moderated.log_odds import PROPORTION

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
    fit: LinearModel,
    *,
    trend: Any = False,  # noqa: ANN401 (a flag, or numbers by gene)
    robust: bool = False,
    proportion: float = PROPORTION,
    compat: Compat | None = None,
) -> LinearModel:
    """Return linear models with moderated variances, and with them t and F statistics and log odds.

    Parameters
    ----------
    fit
        What `lm_fit`, `voom_lm_fit` or `contrasts_fit` returned.
    trend
        Let the prior of the variances follow the mean values; or a covariate of yours, finite numbers by gene.
    robust
        Give genes with outlying variances fewer prior degrees of freedom.
    proportion
        Of the genes, assumed to be differentially expressed; it counts in the log odds alone.
    compat
        The release whose numbers are wanted. F tests are then approximate, as limma's; None: the newest, with F tests
        by each gene's own covariance.

    Raises
    ------
    OptionError
        No gene has residual degrees of freedom, or an option cannot be used.

    Notes
    -----
    R counterpart: limma::eBayes.
    """
    probability("proportion", proportion)
    return _moderate(fit, trend, robust, _Asked("e_bayes", None, compat, float(proportion)))


@checked_arguments
def treat(
    fit: LinearModel,
    lfc: float | None = None,
    *,
    fc: float | None = None,
    trend: Any = False,  # noqa: ANN401 (a flag, or numbers by gene)
    robust: bool = False,
    compat: Compat | None = None,
) -> LinearModel:
    """Return linear models with moderated tests of fold changes beyond a threshold.

    Parameters
    ----------
    fit, trend, robust, compat
        As of `e_bayes`.
    lfc, fc
        The threshold, log2, or as a fold change of at least 1; by default that of a change by a fifth.

    Notes
    -----
    R counterpart: limma::treat.
    """
    if lfc is not None and fc is not None:
        raise OptionError("give lfc= or fc=, not both: fc=2 is lfc=1.")
    threshold = TREAT_LFC if lfc is None else not_negative("lfc", lfc)
    if fc is not None:
        positive_number("fc", fc, least=1.0)
        threshold = float(np.log2(fc))
    return _moderate(fit, trend, robust, _Asked("treat", threshold, compat))


class _Asked(NamedTuple):
    """Which statistics are asked for, and by which function."""

    function: str
    threshold: float | None
    compat: Compat | None
    proportion: float = PROPORTION


def _moderate(fit: LinearModel, trend: Any, robust: bool, asked: _Asked) -> LinearModel:  # noqa: ANN401
    check_flags(robust=robust)
    _require(fit, asked.function)
    compat_level(asked.compat)
    covariate = given_trend(trend, fit.genes)
    if not (fit.fits.df > 0).any():
        raise OptionError("no gene has residual degrees of freedom: there are no replicates, and no variances.")
    variances = moderated(fit.fits, trend=covariate, robust=robust, compat=asked.compat)
    return replace(fit, moderation=Moderation(variances, asked.threshold, asked.compat, asked.proportion))


def _require(fit: object, function: str) -> None:
    if not isinstance(fit, LinearModel):
        raise OptionError(f"{function} needs what cn.lm_fit or cn.voom_lm_fit returned; got {kind_of(fit)}.")
