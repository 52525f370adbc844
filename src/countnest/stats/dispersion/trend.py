"""The dispersion trend: dispersion as a function of the mean normalized count.

Sources: Anders and Huber (2010), doi:10.1186/gb-2010-11-10-r106; Love, Huber and Anders (2014),
doi:10.1186/s13059-014-0550-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import CountnestError, OptionError
from countnest.options import FitType
from countnest.remedies import advised, option
from countnest.stats.dispersion.local import LocalCurve, TiedPointsError, fit_local_curve

__all__ = [
    "CustomTrend",
    "DispersionTrend",
    "FewDispersionsError",
    "FlatDispersionsError",
    "LocalTrend",
    "MeanTrend",
    "ParametricTrend",
    "Trend",
    "TrendFitError",
    "TrendFunction",
    "fit_trend",
    "log_residual_variance",
]

# A trend given by the user: dispersions (G,) at means (G,).
TrendFunction = Callable[[FloatArray], FloatArray]

# Gene-wise estimates at or below this are at the floor and tell nothing of the trend.
FLOOR = 1e-6
MIN_LOCAL = 1e-7
# Fewer points than this leave a local quadratic undetermined; one alone is a constant.
MIN_LOCAL_GENES = 10
MEAN_TRIM = 0.001
MAD_CONSISTENCY = 1.4826

# Parametric fit: residual ratios kept, convergence of the coefficients and of the inner fit.
RATIO_LOW, RATIO_HIGH = 1e-4, 15.0
# Means that differ by no more than this fraction do not tell the two coefficients apart.
SAME_MEAN = 1e-11
START = (0.1, 1.0)
OUTER_TOLERANCE, OUTER_MAX = 1e-6, 10
INNER_TOLERANCE, INNER_MAX = 1e-8, 25


class TrendFitError(CountnestError):
    """The parametric trend does not describe these dispersions."""


class FlatDispersionsError(CountnestError):
    """No gene-wise dispersion is above the floor, so there is nothing to fit a trend to."""


class FewDispersionsError(CountnestError):
    """Too few gene-wise dispersions are above the floor for a local regression."""


@dataclass(frozen=True, slots=True)
class ParametricTrend:
    """alpha(mean) = extra_poisson / mean + asymptotic."""

    asymptotic: float
    extra_poisson: float
    fit_type: FitType = "parametric"

    @property
    def coefficients(self) -> dict[str, float]:
        """The two coefficients under DESeq2's names."""
        return {"asymptDisp": self.asymptotic, "extraPois": self.extra_poisson}

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,)."""
        return self.asymptotic + self.extra_poisson / mean


@dataclass(frozen=True, slots=True)
class LocalTrend:
    """log alpha is a local regression on log mean."""

    curve: LocalCurve
    fit_type: FitType = "local"

    @property
    def coefficients(self) -> None:
        """None: a local fit has no coefficients."""
        return

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,)."""
        return np.exp(self.curve(np.log(mean)))


@dataclass(frozen=True, slots=True)
class MeanTrend:
    """The same dispersion at every mean."""

    value: float
    fit_type: FitType = "mean"

    @property
    def coefficients(self) -> dict[str, float]:
        """The constant."""
        return {"mean": self.value}

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,)."""
        return np.full(len(mean), self.value)


@dataclass(frozen=True, slots=True)
class CustomTrend:
    """A trend that was given: a function of means (G,) that returns dispersions (G,), or one for all."""

    function: TrendFunction
    fit_type: str = "custom"

    @property
    def coefficients(self) -> None:
        """None: nothing was fitted."""
        return

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,).

        Raises
        ------
        OptionError
            If the function gives something else than positive numbers.
        """
        try:
            values = np.broadcast_to(np.asarray(self.function(mean), dtype=np.float64), mean.shape)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"the function given as trend must turn means ({len(mean)},) into as many dispersions: {error}."
            ) from error
        bad = ~(np.isfinite(values) & (values > 0.0))
        if bad.any():
            raise OptionError(
                f"the function given as trend must give positive dispersions; for a mean of {mean[bad][0]:g} it gives "
                f"{values[bad][0]}."
            )
        return as_float(values.copy())


Trend = ParametricTrend | LocalTrend | MeanTrend | CustomTrend


@dataclass(frozen=True, slots=True)
class DispersionTrend:
    """The trend of dispersion over the mean, and the prior around it.

    Attributes
    ----------
    trend
        Callable: dispersions at means of normalized counts.
    var_log_disp_ests
        Robust variance of log gene-wise dispersions around the trend.
    disp_prior_var
        The same without the sampling variance: the variance of the prior.
    note
        A sentence where a local regression replaced the parametric curve.
    """

    trend: Trend
    var_log_disp_ests: float
    disp_prior_var: float
    note: str | None = None

    @property
    def fit_type(self) -> str:
        """What was fitted in the end: "parametric", "local" or "mean"; "custom" where a function was given."""
        return self.trend.fit_type

    @property
    def coefficients(self) -> dict[str, float] | None:
        """Coefficients under DESeq2's names; None for a local fit."""
        return self.trend.coefficients

    def __call__(self, mean: FloatArray) -> FloatArray:
        """Return dispersions (G,) at means (G,)."""
        return self.trend(mean)


def fit_trend(mean: FloatArray, alpha: FloatArray, fit_type: FitType | TrendFunction) -> tuple[Trend, str | None]:
    """Fit the trend of gene-wise dispersions (G,) over means of normalized counts (G,).

    Returns the trend, and a sentence where a local regression replaces the parametric curve. A function is taken as
    the trend.

    Raises
    ------
    FlatDispersionsError
        If no dispersion is above the floor.
    FewDispersionsError
        If two to nine are, and a local regression is requested or is the fallback.

    Notes
    -----
    R counterpart: DESeq2::estimateDispersionsFit.
    """
    if callable(fit_type):
        return CustomTrend(fit_type), None
    used = alpha > FLOOR
    if not used.any():
        raise FlatDispersionsError(
            "all gene-wise dispersion estimates are within 2 orders of magnitude from the minimum value, so a trend "
            "cannot be fitted. The counts vary no more than Poisson variables do: check that they are raw counts of "
            "biological replicates; "
            + advised(
                "sharing='gene_est_only' takes the gene-wise estimates as final.",
                "In Python, sharing='gene_est_only' takes the gene-wise estimates as final.",
            )
        )
    if fit_type == "mean":
        return _fit_mean(alpha), None
    if fit_type == "local":
        return _fit_local(mean[used], alpha[used]), None
    try:
        return _fit_parametric(mean[used], alpha[used]), None
    except TrendFitError:
        other = advised("'mean'", "mean")
        return _fit_local(mean[used], alpha[used]), (
            f"-- note: {option('fit_type', 'parametric')}, but the dispersion trend was not well captured by the "
            "function: y = a/x + b, and a local regression fit was automatically substituted. "
            f"Give {option('fit_type', 'local')} or {other} to avoid this note."
        )


def _fit_parametric(mean: FloatArray, alpha: FloatArray) -> ParametricTrend:
    """Fit by gamma regression, dropping poorly fitting genes in every round."""
    coefficients = np.array(START)
    for _ in range(OUTER_MAX + 1):
        ratio = alpha / (coefficients[0] + coefficients[1] / mean)
        good = (ratio > RATIO_LOW) & (ratio < RATIO_HIGH)
        if not good.any():
            raise TrendFitError("no gene is near the parametric trend")
        if np.ptp(mean[good]) <= SAME_MEAN * mean[good].max():
            raise TrendFitError("genes of one mean do not determine a curve over the mean")
        previous = coefficients
        coefficients, converged = _gamma_identity(1.0 / mean[good], alpha[good], previous)
        if not (coefficients > 0).all():
            raise TrendFitError("a coefficient of the parametric trend is not positive")
        if np.sum(np.log(coefficients / previous) ** 2) < OUTER_TOLERANCE and converged:
            return ParametricTrend(float(coefficients[0]), float(coefficients[1]))
    raise TrendFitError("the parametric trend did not converge")


def _gamma_identity(x: FloatArray, y: FloatArray, start: FloatArray) -> tuple[FloatArray, bool]:
    """Fit the gamma GLM y ~ 1 + x with identity link; return coefficients and whether it converged.

    The steps, the halving where a mean is not positive and the stopping rule are those of R's glm, because the rounds
    around it stop early enough to show them.
    """
    design = np.column_stack([np.ones_like(x), x])
    coefficients = start
    mu = design @ coefficients
    deviance = _gamma_deviance(y, mu)
    for _ in range(INNER_MAX):
        proposal: FloatArray = as_float(np.linalg.lstsq(design / mu[:, None], y / mu, rcond=None)[0])
        mu = design @ proposal
        halvings = 0
        while not (mu > 0).all():
            if halvings == INNER_MAX:
                raise TrendFitError("the parametric trend has means that are not positive")
            proposal = (proposal + coefficients) / 2.0
            mu = design @ proposal
            halvings += 1
        coefficients = proposal
        previous, deviance = deviance, _gamma_deviance(y, mu)
        if abs(deviance - previous) / (abs(deviance) + 0.1) < INNER_TOLERANCE:
            return coefficients, True
    return coefficients, False


def _gamma_deviance(y: FloatArray, mu: FloatArray) -> float:
    return float(-2.0 * np.sum(np.log(y / mu) - (y - mu) / mu))


def _fit_local(mean: FloatArray, alpha: FloatArray) -> LocalTrend:
    usable = alpha >= MIN_LOCAL
    if 1 < usable.sum() < MIN_LOCAL_GENES:
        raise FewDispersionsError(
            f"only {usable.sum()} genes have a dispersion above the floor, too few for a trend over the mean; use "
            f"{option('fit_type', 'mean')}."
        )
    try:
        return LocalTrend(fit_local_curve(np.log(mean[usable]), np.log(alpha[usable]), mean[usable]))
    except TiedPointsError as error:
        raise FewDispersionsError(
            f"too many genes have the same mean count for a trend over the mean ({error}); use "
            f"{option('fit_type', 'mean')}."
        ) from error


def _fit_mean(alpha: FloatArray) -> MeanTrend:
    values = np.sort(alpha[alpha > MIN_LOCAL])
    drop = int(np.floor(MEAN_TRIM * len(values)))
    return MeanTrend(float(values[drop : len(values) - drop].mean()))


def log_residual_variance(alpha: FloatArray, fitted: FloatArray) -> float:
    """Return the squared, normally scaled median absolute deviation of log alpha - log fitted.

    Notes
    -----
    R counterpart: attr(dispersionFunction(dds), "varLogDispEsts").
    """
    used: BoolArray = alpha >= FLOOR
    if not used.any():
        return float("nan")
    residual = np.log(alpha[used]) - np.log(fitted[used])
    return float((MAD_CONSISTENCY * np.median(np.abs(residual - np.median(residual)))) ** 2)
