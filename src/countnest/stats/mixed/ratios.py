"""Likelihood ratios of nested mixed models: what the smaller one leaves out, and their distribution. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.errors import DesignError
from countnest.stats.inference.lrt import is_nested
from countnest.stats.mixed.records import LikelihoodRatio, MixedModel, RandomEffects
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["Dropped", "dropped_parts", "ratio_test", "without_term"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a reduced model leaves out: numbers of fixed coefficients, of variances, and of covariances."""

    fixed: int
    variances: int
    covariances: int

    @property
    def df(self) -> int:
        """Number of parameters."""
        return self.fixed + self.variances + self.covariances


def dropped_parts(model: MixedModel, reduced: MixedModel) -> Dropped:
    """Return what a reduced model leaves out.

    Raises
    ------
    DesignError
        If it is no part of the other model: columns of its fixed part do not lie in that of the other, or a random term
        not in one of the other's with the same groups; or if it has as many parameters.
    """
    if not is_nested(reduced.matrix, model.matrix):
        raise DesignError(
            "The reduced model must be a part of the full one, and has fixed coefficients that the full one lacks: "
            "leave terms out, and add none."
        )
    for term in reduced.terms:
        if not any(_contains(other, term) for other in model.terms):
            raise DesignError(
                f"The reduced model must be a part of the full one, which has no random term that contains "
                f"({term.label}): leave terms out, and add none."
            )
    columns, fewer = (sum(term.n_columns for term in each.terms) for each in (model, reduced))
    found = Dropped(
        fixed=model.matrix.shape[1] - reduced.matrix.shape[1],
        variances=columns - fewer,
        covariances=(model.n_parameters - columns) - (reduced.n_parameters - fewer),
    )
    if found.df < 1:
        raise DesignError("The reduced model must have fewer parameters than the full one: leave out terms.")
    return found


def _contains(term: RandomEffects, other: RandomEffects) -> bool:
    """Return whether a random term has the groups and the columns of another one."""
    return bool(np.array_equal(_partition(term.codes), _partition(other.codes))) and is_nested(
        other.columns, term.columns
    )


def _partition(codes: IntArray) -> IntArray:
    """Return codes in the order in which they first occur."""
    _, first, code = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code.ravel()]


def ratio_test(statistic: FloatArray, dropped: Dropped, *, mixture: bool = True) -> LikelihoodRatio:
    """Return the p-values of likelihood ratios (G,).

    Parameters
    ----------
    mixture
        Whether p-values know that variances cannot be negative: with m parameters tested, the mean of those of
        chi-square on m - 1 and m degrees of freedom. They are exact where one variance is tested, with its covariances
        with others or not, in many groups; and an upper bound, so cautious, where several are. Without, and where no
        variance is tested, they are those of chi-square on m.

    Notes
    -----
    Sources: Self and Liang (1987), doi:10.1080/01621459.1987.10478472; Stram and Lee (1994), doi:10.2307/2533455;
    Shapiro (1988), doi:10.2307/1403361, by whose weights no mixture for variances has a larger tail.
    """
    df = dropped.df
    statistic = as_float(np.maximum(statistic, 0.0))
    log_p = log_f_tail(statistic / df, df, np.inf)
    at_bound = mixture and dropped.variances > 0
    if at_bound and df > 1:
        with np.errstate(invalid="ignore"):  # genes without a fit
            log_p = as_float(np.logaddexp(log_p, log_f_tail(statistic / (df - 1), df - 1, np.inf)) - np.log(2.0))
    elif at_bound:
        log_p = as_float(np.where(statistic > 0, log_p - np.log(2.0), log_p))
    return LikelihoodRatio(statistic, df, log_p, at_bound)


def without_term(model: MixedModel, term: int) -> MixedModel:
    """Return a model without one of its random terms, by its place."""
    return MixedModel(model.matrix, tuple(each for place, each in enumerate(model.terms) if place != term))
