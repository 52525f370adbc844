"""Scale mixtures over the statistics of all genes: which of them have an effect. G genes, K components.

Sources: Efron (2008), doi:10.1214/07-STS236, for two groups and local false discovery rates; Stephens (2017),
doi:10.1093/biostatistics/kxw041, for scale mixtures with a theoretical null and its penalty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import OptionError
from countnest.stats.shrink.ashr import maximize_weights
from countnest.stats.shrink.svalue import s_values

__all__ = ["Posterior", "ScaleMixture", "posterior_of", "scale_mixture", "two_components"]

# Standard deviations of effects, in standard errors: by factors of sqrt(2), from hardly seen to beyond all.
SMALLEST, LARGEST, FACTOR = 0.5, 9.0, np.sqrt(2.0)
# Genes without effect that the null component is given beforehand, so that few genes do not make it vanish.
PENALTY = 10.0
# The two components begin as genes within and beyond the bulk.
MAD_TO_SD = 1.4826
START_RATIO, START_SHARE = 3.0, 0.1
# Of the search for them: it ends when the mean log-likelihood of a gene gains less.
MAX_ITER, LEAST_GAIN = 5000, 1e-13
FEWEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class ScaleMixture:
    """A mixture of normal or t distributions around zero that differ in scale.

    Attributes
    ----------
    weights, scales
        (K,) of the components; scales as observed, with the error of the statistics.
    is_null
        (K,) the components of genes without effect.
    df
        Degrees of freedom of t statistics, of most genes; infinite: normal.
    """

    weights: FloatArray
    scales: FloatArray
    is_null: BoolArray
    df: float = np.inf

    @property
    def null_share(self) -> float:
        """The share of genes without effect."""
        return float(self.weights[self.is_null].sum())

    def densities(self, z: FloatArray) -> FloatArray:
        """Return the weighted densities (m, K) of the components at points (m,), of t statistics as normal scores."""
        points = as_float(z)
        if np.isinf(self.df):
            return as_float(self.weights * np.exp(_log_density(points, self.scales, self.df)) / np.sqrt(2.0 * np.pi))
        t = -np.sign(points) * scipy.special.stdtrit(self.df, scipy.special.ndtr(-np.abs(points)))
        ratio = _log_density(as_float(t), np.append(self.scales, 1.0), self.df)
        normal = np.exp(-0.5 * points[:, np.newaxis] ** 2) / np.sqrt(2.0 * np.pi)
        return as_float(self.weights * normal * np.exp(ratio[:, :-1] - ratio[:, -1:]))

    def probabilities(self, x: FloatArray, df: FloatArray | float) -> FloatArray:
        """Return the posterior probabilities (m, K) of the components of statistics (m,); NaN of missing ones."""
        with np.errstate(divide="ignore"):
            log_joint = np.log(self.weights) + _log_density(as_float(x), self.scales, df)
        joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        return as_float(joint / joint.sum(axis=1, keepdims=True))


def _log_density(x: FloatArray, scales: FloatArray, df: FloatArray | float) -> FloatArray:
    """Return log densities (m, K) of statistics (m,) under each scale, up to a constant of the degrees of freedom."""
    squares = (x[:, np.newaxis] / scales) ** 2
    nu = np.broadcast_to(np.asarray(df, dtype=np.float64), x.shape)[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        kernel = np.where(np.isinf(nu), -0.5 * squares, -0.5 * (nu + 1.0) * np.log1p(squares / nu))
    return as_float(kernel - np.log(scales))


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What a mixture says of every gene, (G,) each; NaN for genes without a statistic.

    Attributes
    ----------
    probability
        That the gene has an effect.
    lfdr
        Local false discovery rates: that it has none.
    fdr
        Bayesian false discovery rates: the mean of `lfdr` over the gene and those with a smaller one.
    kept
        Which part of the statistic is effect: the posterior mean over the statistic.
    """

    probability: FloatArray
    lfdr: FloatArray
    fdr: FloatArray
    kept: FloatArray


def posterior_of(x: FloatArray, mixture: ScaleMixture, df: FloatArray | float = np.inf) -> Posterior:
    """Return what a mixture says of genes with statistics and degrees of freedom (G,); errors have the null's scale."""
    each = mixture.probabilities(x, df)
    lfdr = each[:, mixture.is_null].sum(axis=1)
    probability = each[:, ~mixture.is_null].sum(axis=1)
    error = mixture.scales[mixture.is_null].max()
    kept = (each * (1.0 - (error / mixture.scales) ** 2)).sum(axis=1)
    return Posterior(as_float(probability), as_float(lfdr), s_values(as_float(lfdr)), as_float(kept))


def scale_mixture(x: FloatArray, df: FloatArray | float = np.inf) -> ScaleMixture:
    """Return the mixture of statistics (G,) whose distribution without effect is known: normal, or t with `df`.

    Effects are normal, in units of the standard error, with standard deviations on a grid, from none to beyond the
    largest statistic. Then statistics are those of the null times a factor, whatever the error of their variance. The
    weights are those of maximum likelihood, with a penalty that is worth nine genes without effect. Missing values do
    not count.

    Raises
    ------
    OptionError
        If there are fewer than ten statistics.

    Notes
    -----
    R counterpart: ashr::ash(x, 1, mixcompdist = "normal", method = "fdr") where statistics are normal, on its own grid.
    """
    known = np.isfinite(x)
    values, nu = _known(x), np.broadcast_to(np.asarray(df, dtype=np.float64), x.shape)[known]
    steps = np.ceil(np.log(max(LARGEST, float(np.abs(values).max())) / SMALLEST) / np.log(FACTOR))
    scales = as_float(np.hypot(1.0, np.concatenate([[0.0], SMALLEST * FACTOR ** np.arange(steps + 1.0)])))
    log_density = _log_density(values, scales, as_float(nu))
    likelihood = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    null = np.zeros((int(PENALTY) - 1, len(scales)))
    null[:, 0] = 1.0  # a gene that is known to be of the null adds log w_0, as the penalty does
    weights = maximize_weights(as_float(np.vstack([likelihood, null])))
    return ScaleMixture(weights, scales, np.arange(len(scales)) == 0, float(np.median(nu)))


def two_components(x: FloatArray) -> ScaleMixture:
    """Return the mixture of two normals, whose narrower one is the null, of statistics (G,) by the EM algorithm.

    Raises
    ------
    OptionError
        If there are fewer than ten statistics, or half of them are zero.
    """
    known = _known(x)
    narrow = MAD_TO_SD * float(np.median(np.abs(known)))
    if not narrow > 0.0:
        raise OptionError("Half of the predicted effects are zero: there is no mixture to find among them.")
    squares = known**2
    share, variances = START_SHARE, np.array([narrow, START_RATIO * narrow]) ** 2
    before = -np.inf
    for _ in range(MAX_ITER):
        weights = np.array([1.0 - share, share])
        log_density = np.log(weights / np.sqrt(variances)) - 0.5 * squares[:, np.newaxis] / variances
        largest = log_density.max(axis=1, keepdims=True)
        joint = np.exp(log_density - largest)
        total = joint.sum(axis=1, keepdims=True)
        value = float(np.mean(np.log(total) + largest))
        if value - before < LEAST_GAIN:
            break
        before, each = value, joint / total
        share = float(each[:, 1].mean())
        variances = (each * squares[:, np.newaxis]).sum(axis=0) / each.sum(axis=0)
    order = np.argsort(variances, kind="stable")
    return ScaleMixture(
        as_float(np.array([1.0 - share, share])[order]), as_float(np.sqrt(variances[order])), np.array([True, False])
    )


def _known(x: FloatArray) -> FloatArray:
    known = as_float(x[np.isfinite(x)])
    if len(known) < FEWEST:
        raise OptionError(
            f"A mixture over genes needs {FEWEST} of them at least, and {len(known)} have a statistic: fit more genes."
        )
    return known
