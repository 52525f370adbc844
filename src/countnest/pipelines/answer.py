"""Answer questions about every gene: estimates, tests, and which p-values count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float, rows_of
from countnest.containers.fit import Analysis, ModelFit
from countnest.errors import MissingStepError, OptionError
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.pipelines.deseq import expand, t_df
from countnest.stats.glm.fit import LN2, contrast_covariance, contrast_variance, fit_nb_glm
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.outlier import ModelOutliers
from countnest.stats.glm.outlier import model_outliers as flag_by_model
from countnest.stats.inference.lrt import likelihood_ratio_test
from countnest.stats.inference.wald import joint_wald_test, wald_test

__all__ = [
    "Answer",
    "Estimates",
    "cooks_outliers",
    "estimate",
    "joint_test",
    "likelihood_ratio",
    "model_outliers",
    "row_basis",
    "single_tests",
]

# An outlier does not count in a two-group design when this many samples have a larger count.
LARGER_COUNTS = 3
# Singular values below this fraction of the largest are zero.
RANK_TOLERANCE = 1e-10
MIN_OUTLIER_DF = 2


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Contrasts of the coefficients: log2 fold changes and their standard errors, (G, k)."""

    lfc: FloatArray
    se: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One test for every gene, each (G,): log2 fold change, its standard error, statistic and p-value."""

    lfc: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray


def estimate(contrasts: FloatArray, state: Analysis, layout: Layout, engine: Engine) -> Estimates:
    """Return log2 fold changes C beta and their standard errors for contrasts (k, p)."""
    fit = _fit_of(state)
    rows = ~np.isnan(fit.beta[:, 0])
    beta = fit.beta[rows]
    lfc = beta @ contrasts.T / LN2
    se = np.empty_like(lfc)
    single = np.count_nonzero(contrasts, axis=1) == 1
    for i in np.flatnonzero(single):  # a coefficient: its standard error is at hand
        k = np.flatnonzero(contrasts[i])[0]
        lfc[:, i] = contrasts[i, k] * beta[:, k] / LN2
        se[:, i] = abs(contrasts[i, k]) * fit.se[rows, k] / LN2
    if not single.all():
        variance = contrast_variance(contrasts[~single], beta, **_fitted(state, rows, layout), engine=engine)
        se[:, ~single] = np.sqrt(variance) / LN2
    return Estimates(expand(rows, lfc), expand(rows, se))


def single_tests(
    estimates: Estimates,
    *,
    threshold: float = 0.0,
    alternative: AltHypothesis = "greaterAbs",
    df: float | FloatArray | None = None,
    zero: BoolArray | None = None,
) -> list[Answer]:
    """Return the Wald test of every contrast.

    Parameters
    ----------
    estimates
        Of k contrasts.
    threshold, alternative, df
        As in `stats.inference.wald.wald_test`; log2.
    zero
        (G, k) genes without any count in the samples that the contrast compares: no difference, p = 1.
    """
    answers = []
    for i in range(estimates.lfc.shape[1]):
        lfc, se = estimates.lfc[:, i], estimates.se[:, i]
        affected = np.zeros(len(lfc), dtype=np.bool_) if zero is None else zero[:, i] & ~np.isnan(lfc)
        lfc = np.where(affected, 0.0, lfc)
        statistic, p_value = wald_test(lfc, se, threshold=threshold, alternative=alternative, df=df)
        answers.append(
            Answer(lfc, se, np.where(affected, 0.0, statistic), np.where(affected, 1.0, p_value)),
        )
    return answers


def row_basis(contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal rows (r, p) that span those of `contrasts` (k, p), and of their null space (p, p - r)."""
    _, singular, rows = np.linalg.svd(contrasts)
    rank = int(np.count_nonzero(singular > RANK_TOLERANCE * singular[0]))
    return as_float(rows[:rank]), as_float(rows[rank:].T)


def joint_test(
    contrasts: FloatArray, state: Analysis, layout: Layout, *, df: float | FloatArray | None, engine: Engine
) -> tuple[FloatArray, FloatArray, int]:
    """Return statistic and p-value (G,) of the Wald test that all contrasts (k, p) are zero, and its df.

    Rows that depend on others add nothing. With `df`, the statistic is F, else chi-square.
    """
    basis, _ = row_basis(contrasts)
    fit = _fit_of(state)
    rows = ~np.isnan(fit.beta[:, 0])
    beta = fit.beta[rows]
    covariance = contrast_covariance(basis, beta, **_fitted(state, rows, layout), engine=engine)
    if isinstance(df, np.ndarray):
        df = df[rows]
    statistic, p_value = joint_wald_test(beta @ basis.T, covariance, df=df)
    return expand(rows, statistic), expand(rows, p_value), len(basis)


def likelihood_ratio(
    contrasts: FloatArray, counts: FloatArray, state: Analysis, layout: Layout, *, engine: Engine
) -> tuple[FloatArray, FloatArray, int]:
    """Return statistic and p-value (G,) of the likelihood ratio test that all contrasts (k, p) are zero, and its df.

    The null model has the columns X N, where N spans the null space of the contrasts; no reduced formula is needed.
    `counts` (G, n) are those that the model was fitted to.
    """
    basis, null = row_basis(contrasts)
    fit = _fit_of(state)
    rows = ~np.isnan(fit.beta[:, 0])
    null_layout = Layout.of(layout.matrix @ null)
    reduced = fit_nb_glm(
        counts[rows], **_fitted(state, rows, null_layout), engine=engine, text="fitting the null model"
    )
    statistic, p_value = likelihood_ratio_test(fit.loglik[rows], reduced.loglik, len(basis))
    return expand(rows, statistic), expand(rows, p_value), len(basis)


class _FittedTo(TypedDict):
    """What the genes of a fit were fitted with."""

    factors: FloatArray
    alpha: FloatArray
    layout: Layout
    weights: FloatArray | None
    min_mu: float


def _fitted(state: Analysis, rows: BoolArray, layout: Layout) -> _FittedTo:
    assert state.dispersions is not None
    return {
        "factors": rows_of(state.factors, rows),
        "alpha": state.dispersions.final[rows],
        "layout": layout,
        "weights": rows_of(state.weights, rows),
        "min_mu": _fit_of(state).min_mu,
    }


def _fit_of(state: Analysis) -> ModelFit:
    assert state.fit is not None
    return state.fit


def model_outliers(counts: FloatArray, state: Analysis, layout: Layout, *, level: float = 0.01) -> ModelOutliers:
    """Return the genes with a count that the model cannot explain; see `stats.glm.outlier`.

    Observation weights count instead of samples; genes that they leave fewer than two residual degrees of freedom are
    not looked at.

    Raises
    ------
    MissingStepError
        If the dispersions have no trend.
    OptionError
        If the design leaves fewer than two residual degrees of freedom.
    """
    fit, dispersions = _fit_of(state), state.dispersions
    if dispersions is None or dispersions.trend is None:
        raise MissingStepError(
            "the model-based rule for outliers needs a dispersion trend: call estimate_dispersions(), or deseq(), with "
            "sharing='MAP' or 'fit_only'."
        )
    if layout.residual_df < MIN_OUTLIER_DF:
        raise OptionError(
            f"the model-based rule for outliers needs {MIN_OUTLIER_DF} residual degrees of freedom; this design leaves "
            f"{layout.residual_df}."
        )
    rows = ~np.isnan(fit.beta[:, 0])
    weights = rows_of(state.weights, rows)
    df = np.asarray(t_df(layout, weights))
    found = flag_by_model(
        counts[rows], fit.mu[rows], fit.hat[rows], dispersions.fitted[rows], layout,
        prior_var=dispersions.trend.disp_prior_var, level=level, weights=weights,
        residual_df=as_float(np.where(df >= MIN_OUTLIER_DF, df, np.nan)),
    )  # fmt: skip
    flagged = np.zeros(len(rows), dtype=np.bool_)
    flagged[rows] = found.flagged
    sample = np.full(len(rows), -1)
    sample[rows] = found.sample
    return ModelOutliers(flagged, sample, expand(rows, found.p_value))


def cooks_outliers(fit: ModelFit, counts: FloatArray, cutoff: float, *, two_groups: bool) -> BoolArray:
    """Return the genes (G,) whose largest Cook's distance is beyond `cutoff`.

    In a design of one factor with two levels (`two_groups`) a gene is spared where three or more samples have larger
    counts than the sample with the largest distance: that sample is not extreme.
    """
    with np.errstate(invalid="ignore"):
        outlier = fit.max_cooks > cutoff
    if two_groups and outlier.any():
        rows = np.flatnonzero(outlier)
        suspect = counts[rows, np.argmax(fit.cooks[rows], axis=1)]
        larger = (counts[rows] > suspect[:, np.newaxis]).sum(axis=1)
        outlier[rows[larger >= LARGER_COUNTS]] = False
    return outlier
