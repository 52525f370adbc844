"""Tests within strata: each level of a layout, such as between and within families, has a mean square of its own.

In a balanced layout they are exact, and equal those of a mixed model whose variances may be negative. G genes,
n samples, p coefficients, k contrasts, m strata.

Sources: Nelder (1965), doi:10.1098/rspa.1965.0012; moderation: Smyth (2004), doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import ContrastError, DesignError
from countnest.stats.mixed.levels import LevelsModel, levels_model
from countnest.stats.mixed.linear import checked, usable
from countnest.stats.mixed.records import JointMixedTests, MixedModel, MixedTests, Outcome
from countnest.stats.moderated.joint import mean_squares as squares_and_rank
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.tails import log_f_tail

__all__ = ["Strata", "strata_joint_tests", "strata_of", "strata_tests", "variance_f_test"]

# A part of a contrast's variance that is rounding.
NO_PART = 1e-10
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Mean squares of the strata.

    Attributes
    ----------
    coefficients
        (G, p) by least squares.
    mean_squares
        (G, m) residual mean squares; NaN where a stratum has no degrees of freedom, and for genes without a fit.
    df
        (m,) their degrees of freedom.
    eigenvalues
        (m, t) of the kernels of the random terms; those of the first stratum, within all groups, are zero.
    shares
        (m, p, p): a contrast's variance is the sum over strata of its mean square times l' share l.
    balanced
        Whether least squares is the best that can be done, whatever the variances.
    labels
        (t,) the random terms, as messages name them.
    """

    coefficients: FloatArray
    mean_squares: FloatArray
    df: FloatArray
    eigenvalues: FloatArray
    shares: FloatArray
    balanced: bool
    labels: tuple[str, ...] = ()

    def parts(self, contrasts: FloatArray) -> FloatArray:
        """Return the part (m, k) of each stratum in the variances of contrasts (k, p), were all mean squares 1."""
        parts = np.einsum("ki,mij,kj->mk", contrasts, self.shares, contrasts)
        parts[parts < NO_PART * parts.sum(axis=0)] = 0.0
        return as_float(parts)

    def name(self, level: int) -> str:
        """Return a stratum in words."""
        terms = [f"({label})" for label, value in zip(self.labels, self.eigenvalues[level], strict=True) if value > 0]
        return f"between the levels of {' and '.join(terms)}" if terms else "within the levels"


def strata_of(y: FloatArray, model: MixedModel) -> Strata:
    """Return the strata of responses (G, n) without weights.

    Raises
    ------
    DesignError
        If the random terms have no common strata, as in layouts where groups of unequal sizes are nested or crossed.
    """
    y, _ = checked(y, model, None)
    levels = levels_model(model, weighted=False)
    if levels is None:
        raise DesignError(
            "The random terms have no strata in common: tests by strata need one term, or a balanced layout. "
            "Fit a mixed model and test with Kenward and Roger's degrees of freedom."
        )
    lost = usable(y, None) != Outcome.CONVERGED
    values = np.where(lost[:, np.newaxis], 0.0, y)
    n = len(model.matrix)
    explained = np.einsum("gn,np->gp", values, levels.columns) / n
    residuals = as_float(values - np.einsum("gp,np->gn", explained, levels.columns))
    squares, df, shares = _by_level(residuals, levels)
    back = np.linalg.inv(levels.triangle)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_squares = squares / df
    idempotent = [np.abs(each @ each - each).max(initial=0.0) < TOLERANCE for each in shares]
    return Strata(
        coefficients=as_float(np.where(lost[:, np.newaxis], np.nan, np.einsum("gp,kp->gk", explained, back))),
        mean_squares=as_float(np.where(lost[:, np.newaxis] | (df == 0), np.nan, mean_squares)),
        df=df,
        eigenvalues=levels.eigenvalues,
        shares=as_float(back @ shares @ back.T / n),
        balanced=all(idempotent),
        labels=tuple(term.label for term in model.terms),
    )


def _by_level(residuals: FloatArray, levels: LevelsModel) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return residual sums of squares (G, m), degrees of freedom (m,), and the part (m, p, p) of X'X / n in a level."""
    squares, df, shares = [], [], []
    columns = levels.levels_of(as_float(levels.columns.T))
    for value, column, dimension in zip(levels.levels_of(residuals), columns, levels.dimensions, strict=True):
        left, singular, _ = np.linalg.svd(column.T, full_matrices=False)
        basis = left[:, singular > TOLERANCE * np.sqrt(len(levels.columns))]
        rest = value - np.einsum("gr,cr->gc", np.einsum("gc,cr->gr", value, basis), basis)
        squares.append((rest**2).sum(axis=1))
        df.append(round(float(dimension)) - basis.shape[1])
        shares.append(column @ column.T / len(levels.columns))
    return as_float(np.column_stack(squares)), as_float(df), as_float(shares)


def strata_tests(
    strata: Strata,
    contrasts: FloatArray,
    *,
    moderated: bool = True,
    covariate: FloatArray | None = None,
    robust: bool = False,
) -> MixedTests:
    """Return t tests of contrasts (k, p), with the variances of each stratum moderated by themselves.

    A contrast within one stratum has its degrees of freedom and those of the prior; one that takes several strata has
    degrees of freedom by Satterthwaite's formula.

    Parameters
    ----------
    moderated, covariate, robust
        Whether variances are pulled towards a prior that all genes teach, and how; see
        `stats.moderated.squeeze.moderate_variances`.

    Raises
    ------
    DesignError
        If the layout is not balanced.
    """
    _require_balance(strata)
    contrasts = np.atleast_2d(as_float(contrasts))
    variances, df = _variances(strata, moderated=moderated, covariate=covariate, robust=robust)
    parts = strata.parts(contrasts)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(parts > 0, variances[:, :, np.newaxis] * parts, 0.0)
        variance = each.sum(axis=1)
        whole = variance**2 / np.where(parts > 0, each**2 / df[:, :, np.newaxis], 0.0).sum(axis=1)
        estimates = np.einsum("gp,kp->gk", strata.coefficients, contrasts)
        se = np.sqrt(variance)
        statistic = estimates / se
    return MixedTests(as_float(estimates), as_float(se), as_float(whole), statistic)


def strata_joint_tests(
    strata: Strata,
    contrasts: FloatArray,
    *,
    moderated: bool = True,
    covariate: FloatArray | None = None,
    robust: bool = False,
) -> JointMixedTests:
    """Return F tests that all contrasts (k, p) are zero, which must lie in one stratum; the rest is as `strata_tests`.

    Contrasts may depend on each other: as many degrees of freedom are tested as are independent.

    Raises
    ------
    ContrastError
        If contrasts take several strata, whose mean squares have no F test in common.
    DesignError
        If the layout is not balanced.

    Notes
    -----
    R counterpart: the moderated F of limma::eBayes, for means or differences of groups.
    """
    _require_balance(strata)
    contrasts = np.atleast_2d(as_float(contrasts))
    used = np.flatnonzero(strata.parts(contrasts).any(axis=1))
    if not len(used):
        raise ContrastError("All contrasts are zero: there is nothing to test.")
    if len(used) > 1:
        raise ContrastError(
            f"A joint test by strata needs rows that all lie in one stratum, and these lie in {len(used)}: "
            f"{'; '.join(strata.name(int(level)) for level in used)}. Test the rows of each stratum by "
            "themselves, or all of them by kind='t', whose degrees of freedom need no strata."
        )
    level = int(used[0])
    variances, df = _variances(strata, moderated=moderated, covariate=covariate, robust=robust)
    estimates = as_float(np.einsum("gp,kp->gk", strata.coefficients, contrasts))
    common = as_float(contrasts @ strata.shares[level] @ contrasts.T)
    squares, rank = squares_and_rank(estimates, as_float(np.sqrt(np.diag(common))), None, common)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = as_float(squares / variances[:, level])
    tested, left = np.full(len(statistic), float(rank)), as_float(df[:, level])
    return JointMixedTests(statistic, tested, left, log_f_tail(statistic, tested, left))


def _require_balance(strata: Strata) -> None:
    if not strata.balanced:
        raise DesignError(
            "Tests by strata need a balanced layout, in which each coefficient is estimated within one stratum: "
            "test with 'averaged', which moderates both variances in any layout and takes one random intercept and no "
            "weights, or with 't', by Kenward and Roger's degrees of freedom."
        )


def _variances(
    strata: Strata, *, moderated: bool, covariate: FloatArray | None, robust: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the mean squares (G, m), moderated or not, and their degrees of freedom (G, m)."""
    variances, df = strata.mean_squares, np.broadcast_to(strata.df, strata.mean_squares.shape)
    if not moderated:
        return variances, as_float(df)
    found = [
        moderate_variances(variances[:, level], as_float(df[:, level]), covariate=covariate, robust=robust)
        for level in range(variances.shape[1])
    ]
    return (
        as_float(np.column_stack([each.variance for each in found])),
        as_float(np.column_stack([each.df for each in found])),
    )


def variance_f_test(strata: Strata) -> JointMixedTests:
    """Return exact F tests that a single random term has no variance: the mean square between groups over that within.

    Raises
    ------
    DesignError
        If there are several terms, or groups of unequal sizes.
    """
    if strata.eigenvalues.shape != (2, 1):
        raise DesignError(
            "An exact F test of a variance needs a single random term with groups of equal sizes: use the likelihood "
            "ratio test of the variance."
        )
    within, between = strata.mean_squares[:, 0], strata.mean_squares[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = as_float(between / within)
    genes = len(statistic)
    tested, left = np.full(genes, strata.df[1]), np.full(genes, strata.df[0])
    return JointMixedTests(statistic, tested, left, log_f_tail(statistic, tested, left))
