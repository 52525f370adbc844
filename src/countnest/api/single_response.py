"""One response in place of a table of genes: a data set of it for mixed models, and negative binomial regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy.special import log_ndtr

from countnest.api.deseq2 import DESeqDataSet
from countnest.api.inputs import by_label, given_numbers
from countnest.arrays import FloatArray, as_float
from countnest.compilation import listening
from countnest.design.design import Design
from countnest.errors import DesignError, FormulaError, OptionError, SamplesError, kind_of, listing, warn
from countnest.options import ResidualType, check_flags, check_option
from countnest.progress import progress
from countnest.signature import checked_arguments
from countnest.stats.glm.residual import (
    deviance_residuals,
    pearson_residuals,
    quantile_residuals,
    raw_residuals,
    unit_deviances,
)
from countnest.stats.mixed.glm_nb import ThetaFits
from countnest.stats.mixed.glm_nb import glm_nb as fit_glm_nb
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import Outcome

__all__ = ["GlmNb", "glm_nb", "single_response"]

# Stands for a dispersion of zero, where formulas divide by it; counts of this dispersion are Poisson to ten digits.
NO_DISPERSION = 1e-12
# The exponential of a larger offset, or its inverse, is no number.
MOST_OFFSET = 700.0
NOT_ENDED = (Outcome.ITERATIONS_EXHAUSTED, Outcome.SEARCH_FAILED, Outcome.HESSIAN_INDEFINITE)


@checked_arguments
def single_response(
    formula: str,
    data: pd.DataFrame,
    *,
    offset: Any = None,  # noqa: ANN401 (a column, or numbers)
    reference: Mapping[str, str] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
    quiet: bool = False,
) -> DESeqDataSet:
    """Return a data set of one response, such as the counts of cells under a microscope, for mixed models.

    No other genes tell about sequencing depth or dispersion: size factors are one, or those of the offset. `glmm` and
    `lmm` fit it, and it is asked by queries, like a table of genes.

    Parameters
    ----------
    formula
        The response, a column of counts, and its model: "counts ~ treatment + (1 | slide)".
    data
        One row for each observation.
    offset
        Natural logarithm of the exposure, such as the area that was counted: a column of `data`, or numbers; a
        Series is matched by its labels.
    reference, levels
        As of `DESeqDataSet`.
    quiet
        Say nothing of reference levels.

    Raises
    ------
    FormulaError
        The formula has no response, or cannot be used.
    SamplesError
        `data` is no table, or lacks the response.
    CountsError
        The response is not made of counts.

    Notes
    -----
    For one response without random terms see `glm_nb`. R counterpart: the arguments of lme4::glmer, MASS::glmmPQL.

    Examples
    --------
    >>> import countnest as cn
    >>> cells = cn.datasets.cells()
    >>> dds = cn.single_response("counts ~ RNAi + experiment + (1 | slide)", cells, quiet=True)
    >>> dds.shape, float(dds.size_factors.max())
    ((1, 200), 1.0)
    """
    check_flags(quiet=quiet)
    if not isinstance(data, pd.DataFrame):
        raise SamplesError(f"data must be a DataFrame with one row for each observation; got {kind_of(data)}.")
    response, design = _parts(formula)
    if response not in data.columns:
        raise SamplesError(
            f"the response '{response}' is not a column of data, which has {listing(data.columns, 20)}. If it is an "
            "expression, compute it as a column first."
        )
    labels = pd.Index([str(label) for label in data.index])
    if not labels.is_unique:
        labels = pd.Index([str(place) for place in range(1, len(data) + 1)])
    samples = data.drop(columns=response).set_axis(labels)
    counts = pd.DataFrame([data[response].to_numpy()], index=[response], columns=labels)
    return DESeqDataSet(
        counts, samples, design=design, reference=reference, levels=levels, size_factors=_exposure(offset, data),
        orientation="genes_by_samples", cells_ok=True, quiet=quiet,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GlmNb:
    """A negative binomial regression of one response, of `glm_nb`.

    Attributes
    ----------
    formula
        What was fitted.
    coefficients
        A row for each coefficient: estimate, its standard error `se` given theta, `z`, and `pvalue` by the normal
        distribution; natural logarithms.
    covariance
        Coefficients x coefficients.
    theta, theta_se
        The variance of a count is mu + mu^2 / theta; the standard error. Infinite, and missing, where counts vary no
        more than those of a Poisson distribution; missing where theta was given.
    theta_given
        Whether theta was given, and not estimated.
    loglik, aic
        Log-likelihood, and Akaike's criterion, for which theta counts as a parameter unless it was given.
    deviance, null_deviance
        Of the model, and of a model with an intercept alone and the same theta.
    df_residual, df_null
        Their degrees of freedom.
    counts, fitted
        The response, and its fitted means, by observation.
    """

    formula: str
    coefficients: pd.DataFrame
    covariance: pd.DataFrame
    theta: float
    theta_se: float
    theta_given: bool
    loglik: float
    aic: float
    deviance: float
    null_deviance: float
    df_residual: int
    df_null: int
    counts: pd.Series[float]
    fitted: pd.Series[float]

    def residuals(self, type: ResidualType = "deviance", *, seed: int | None = 1) -> pd.Series[float]:
        """Return the residuals by observation.

        Parameters
        ----------
        type
            "raw": counts less fitted means. "pearson": divided by the standard deviation of the counts. "deviance":
            signed roots of the contributions to the deviance. "quantile": normal quantiles of the probability of the
            count, drawn at random within the step of the distribution, which are standard normal under the model.
        seed
            Of the draws of quantile residuals; None: the middle of each step.
        """
        check_option("type", type, ResidualType)
        y, mu = (as_float(values.to_numpy()[np.newaxis]) for values in (self.counts, self.fitted))
        alpha = np.array([1.0 / self.theta])
        if type == "raw":
            found = raw_residuals(y, mu)
        elif type == "quantile":
            found = quantile_residuals(y, mu, alpha, None if seed is None else np.random.default_rng(seed))
        else:
            own = pearson_residuals if type == "pearson" else deviance_residuals
            found = own(y, mu, np.maximum(alpha, NO_DISPERSION))
        return pd.Series(found[0], index=self.counts.index, name=type)

    def summary(self) -> str:
        """Return the fit as text: the coefficients, theta, and how well it fits."""
        family = "Poisson" if self.theta_given and np.isinf(self.theta) else "negative binomial"
        if self.theta_given:
            theta = f"{self.theta:.4g}, given"
        elif np.isinf(self.theta):
            theta = "infinite: the counts vary no more than those of a Poisson distribution"
        else:
            theta = f"{self.theta:.4g}, se {self.theta_se:.4g}"
        return "\n".join(
            [
                f"{family} regression: {self.formula}, {len(self.counts)} observations",
                self.coefficients.to_string(float_format=lambda value: f"{value:.4g}"),
                f"theta: {theta}",
                f"log-likelihood: {self.loglik:.2f}, AIC {self.aic:.2f}",
                f"deviance: {self.deviance:.2f} on {self.df_residual} degrees of freedom; intercept alone: "
                f"{self.null_deviance:.2f} on {self.df_null}",
            ]
        )

    __repr__ = summary


@checked_arguments
def glm_nb(
    formula: str,
    data: pd.DataFrame,
    *,
    offset: Any = None,  # noqa: ANN401 (a column, or numbers)
    theta: float | None = None,
    reference: Mapping[str, str] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
) -> GlmNb:
    """Fit a negative binomial regression with a log link to one response.

    Parameters
    ----------
    formula
        The response, a column of counts, and its model: "counts ~ treatment".
    data
        One row for each observation. The tests take the observations as independent.
    offset
        Natural logarithm of the exposure, such as the area that was counted: a column of `data`, or numbers; a
        Series is matched by its labels.
    theta
        The variance is mu + mu^2 / theta. None: estimated by maximum likelihood; np.inf: the Poisson distribution.
    reference, levels
        As of `DESeqDataSet`.

    Returns
    -------
    GlmNb
        With `coefficients`, `theta`, `residuals()`, `summary()`.

    Raises
    ------
    DesignError
        The formula has random terms, or its columns depend on each other.
    CountsError
        The response is not made of counts, or all of them are zero.

    Notes
    -----
    Source: Venables and Ripley (2002), Modern Applied Statistics with S, section 7.4. R counterpart: MASS::glm.nb.

    Examples
    --------
    >>> import countnest as cn
    >>> fit = cn.glm_nb("counts ~ RNAi", cn.datasets.cells())
    >>> fit.coefficients.round(4)
                            estimate      se        z  pvalue
    Intercept                 1.6174  0.0488  33.1614     0.0
    RNAi_Target_vs_Control    0.3988  0.0641   6.2247     0.0
    >>> round(fit.theta, 3), round(fit.theta_se, 3)
    (25.333, 11.809)
    """
    if theta is not None and not (isinstance(theta, (int, float)) and not isinstance(theta, bool) and theta > 0):
        raise OptionError(f"theta={theta!r} must be a number above 0, np.inf for the Poisson distribution, or None.")
    dds = single_response(formula, data, offset=offset, reference=reference, levels=levels, quiet=True)
    design = dds.design
    if design.random:
        raise DesignError(
            f"'{formula}' has random terms, which glm_nb does not fit. Fit cn.single_response(formula, data) with "
            "cn.glmm, by method='pql' or, the default, by restricted likelihood."
        )
    counts, factors = dds.counts().iloc[0].astype(float), dds.size_factors
    y, logs = as_float(counts.to_numpy()[np.newaxis]), as_float(np.log(np.asarray(factors))[np.newaxis])
    alpha = None if theta is None else as_float(np.array([1.0 / theta]))
    one = as_float(np.ones((len(counts), 1)))
    with listening(progress(quiet=False)):
        found = fit_glm_nb(y, logs, design.matrix, alpha)
        null = fit_glm_nb(y, logs, one, as_float(1.0 / found.theta))
    _check_outcome(int(found.outcome[0]), design)
    return _record(formula, design, counts, logs, found, null, given=theta is not None)


def _record(
    formula: str, design: Design, counts: pd.Series[float], logs: FloatArray, found: ThetaFits, null: ThetaFits, *,
    given: bool,
) -> GlmNb:  # fmt: skip
    """Return the record of a fit, and of one with an intercept alone."""
    names, n = pd.Index(design.names), len(counts)
    covariance = square(found.covariance)[0]
    se = np.sqrt(np.diagonal(covariance))
    z = found.coefficients[0] / se
    table = pd.DataFrame(
        {"estimate": found.coefficients[0], "se": se, "z": z, "pvalue": 2.0 * np.exp(log_ndtr(-np.abs(z)))}, index=names
    )
    y, alpha = as_float(counts.to_numpy()[np.newaxis]), np.maximum(1.0 / found.theta, NO_DISPERSION)
    mu = as_float(np.exp(logs + found.coefficients @ design.matrix.T))
    of_null = as_float(np.exp(logs + null.coefficients))
    p = len(names)
    return GlmNb(
        formula=" ".join(formula.split()), coefficients=table,
        covariance=pd.DataFrame(covariance, index=names, columns=names),
        theta=float(found.theta[0]), theta_se=np.nan if given else float(found.theta_se[0]), theta_given=given,
        loglik=float(found.loglik[0]), aic=float(2.0 * (p + (not given)) - 2.0 * found.loglik[0]),
        deviance=float(unit_deviances(y, mu, alpha).sum()),
        null_deviance=float(unit_deviances(y, of_null, alpha).sum()),
        df_residual=n - p, df_null=n - 1, counts=counts,
        fitted=pd.Series(mu[0], index=counts.index, name="fitted"),
    )  # fmt: skip


def _check_outcome(outcome: int, design: Design) -> None:
    """Warn where a fit is not what it seems."""
    if outcome == Outcome.SEPARATED:
        warn(
            f"some group of '{design.formula}' has no counts at all, so that a coefficient is minus or plus infinity; "
            "its estimate and standard error mean nothing."
        )
    elif outcome in NOT_ENDED:
        warn("the search for the maximum of the likelihood has not converged: look at the counts and the model.")
    elif outcome == Outcome.DISPERSION_BOUND:
        warn("theta is at its bound: the counts vary more than a negative binomial distribution can.")


def _parts(formula: str) -> tuple[str, str]:
    """Return the response of a formula, and the rest of it."""
    response, tilde, rest = formula.partition("~")
    name = response.strip()
    if not tilde or not name:
        raise FormulaError(
            f"the formula '{formula}' names no response: begin with a column of counts, as in 'counts ~ treatment'."
        )
    quoted = len(name) > 1 and name[0] == name[-1] == "`"
    return name[1:-1] if quoted else name, f"~{rest}"


def _exposure(offset: Any, data: pd.DataFrame) -> FloatArray:  # noqa: ANN401 (checked here)
    """Return the exponential of the offset (n,), ones where there is none."""
    if offset is None:
        return np.ones(len(data))
    if isinstance(offset, str):
        check_option("offset", offset, [str(column) for column in data.columns])
        offset = data[offset]
    if isinstance(offset, pd.Series):
        offset = _in_order(offset, data.index)
    values = given_numbers(np.asarray(offset), "offset", OptionError)
    if values.shape != (len(data),) or not np.isfinite(values).all():
        raise OptionError(f"offset= must be one finite number for each of {len(data)} observations.")
    largest = float(np.abs(values).max(initial=0.0))
    if largest > MOST_OFFSET:
        raise OptionError(
            f"offset= reaches {largest:.4g}, and its exponential is no number: it is the natural logarithm of how much "
            "was looked at."
        )
    return as_float(np.exp(values))


def _in_order(offset: pd.Series[Any], labels: pd.Index) -> pd.Series[Any]:
    """Return an offset in the order of the labels of the observations, or as it is where it has no labels."""
    names = labels.map(str)
    numbered = isinstance(offset.index, pd.RangeIndex) and set(offset.index.map(str)) != set(names)
    if numbered or offset.index.equals(labels):
        return offset
    return cast("pd.Series[Any]", by_label(offset, names, "observation", "offset", OptionError, of="data"))
