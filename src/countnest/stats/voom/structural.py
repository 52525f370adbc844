"""voom and the linear model in one step, with zeros that the design explains left out of the variances.

A count of zero in samples whose fitted mean is zero is fitted exactly, whatever the noise: it adds nothing to what is
known of the variance, and would make it look small.

Sources: Lun and Smyth (2017), doi:10.1515/sagmb-2017-0010; Law et al. (2014), doi:10.1186/gb-2014-15-2-r29. G genes, n
samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.glm import GLMInputs, fit_glm
from countnest.stats.edger.levels import compat_level
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.fits import LinearFits
from countnest.stats.linear.least_squares import lm_fit
from countnest.stats.moderated.smoother import smooth, weighted_lowess
from countnest.stats.voom.array_weights import array_weights
from countnest.stats.voom.duplicates import block_correlation
from countnest.stats.voom.voom import SPAN, VarianceCurve, Voom, log_cpm, mean_log_count

__all__ = ["SampleModel", "VoomFits", "exact_zeros", "voom_lm_fit"]

# Counts and means below this are zero.
NO_COUNT = 1e-4
# Means of Poisson models that go to zero are followed as far as in this release.
AS_IN_R = "bioc3.20"
# Passes of the local regression where genes have different degrees of freedom.
PASSES = 4


@dataclass(frozen=True, slots=True, eq=False)
class SampleModel:
    """What is estimated of the samples beside the curve.

    Attributes
    ----------
    columns
        (n, m) of the log variances of samples, see `array_weights.variance_columns`; None: all are alike.
    of_sample
        (n,) blocks of samples whose residuals are correlated, as numbers from 0; None: there are none.
    span
        Fraction of the genes in each neighbourhood of the local regression.
    exact_zeros
        Whether zeros that the design explains are left out of the variances.
    """

    columns: FloatArray | None = None
    of_sample: IntArray | None = None
    span: float = SPAN
    exact_zeros: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class VoomFits:
    """Linear models of log counts with their weights, sample weights (n,) and the correlation within blocks.

    Sample weights and correlation are None where they were not asked for. Precision weights include sample weights.
    """

    voom: Voom
    fits: LinearFits
    sample_weights: FloatArray | None
    correlation: float | None


def exact_zeros(counts: FloatArray, design: FloatArray, library: FloatArray) -> BoolArray:
    """Return which counts (G, n) are zeros whose mean in a Poisson model is zero.

    Genes with no more zeros than samples of the smallest group have none.
    """
    basis = np.linalg.qr(design / np.abs(design).max(axis=0))[0]
    smallest = 1.0 / (basis * basis).sum(axis=1).max()
    zero = counts < NO_COUNT
    found = np.zeros(counts.shape, dtype=np.bool_)
    rows = np.flatnonzero(zero.sum(axis=1) > max(2.0, smallest) - NO_COUNT)
    if len(rows):
        inputs = GLMInputs.of(counts[rows], library)
        fit = fit_glm(inputs, Columns.of(design), 0.0, level=compat_level(AS_IN_R))
        found[rows] = zero[rows] & (fit.mu < NO_COUNT)
    return found


def voom_lm_fit(
    counts: FloatArray, design: FloatArray, library: FloatArray, model: SampleModel | None = None
) -> VoomFits:
    """Return linear models of log counts with precision weights.

    Parameters
    ----------
    counts
        (G, n)
    design
        (n, p)
    library
        (n,) effective library sizes.
    model
        Sample weights, blocks, span; None: neither, and the usual one.

    Notes
    -----
    Without exact zeros, and without blocks, it is `voom` or `voom_with_quality_weights`, and then `lm_fit`.

    R counterpart: edgeR::voomLmFit.
    """
    model = model or SampleModel()
    values, zeros = log_cpm(counts, library), np.zeros(counts.shape, dtype=np.bool_)
    if model.exact_zeros:
        zeros = exact_zeros(counts, design, library)
    genes = _Genes(counts, values, zeros, design, library, model.span)
    fits = genes.fit(None, None)
    mean = mean_log_count(fits.mean, library)
    curve = genes.curve(fits, mean)
    weights = curve.weights(fits.fitted(design), library)
    own: FloatArray | None = None
    rho: float | None = None
    if model.columns is not None or model.of_sample is not None:
        own, rho = genes.samples(weights, model)
        fits = genes.fit(None if own is None else own[np.newaxis], _blocks(model, rho))
        curve = genes.curve(fits, mean)
        weights = curve.weights(fits.fitted(design), library)
        own, rho = genes.samples(weights, model)
    weights = weights if own is None else weights * own
    fits = replace(genes.fit(weights, _blocks(model, rho)), mean=as_float(genes.values.mean(axis=1)))
    return VoomFits(Voom(genes.values, weights, curve), fits, own, rho)


def _blocks(model: SampleModel, rho: float | None) -> Blocks | None:
    return None if model.of_sample is None or rho is None else Blocks(model.of_sample, rho)


@dataclass(frozen=True, slots=True, eq=False)
class _Genes:
    """Counts and log counts (G, n), of which some are exact zeros (G, n)."""

    counts: FloatArray
    values: FloatArray
    zeros: BoolArray
    design: FloatArray
    library: FloatArray
    span: float

    @property
    def masked(self) -> FloatArray:
        """(G, n) log counts, NaN where they are exact zeros."""
        return np.where(self.zeros, np.nan, self.values) if self.zeros.any() else self.values

    def fit(self, weights: FloatArray | None, blocks: Blocks | None) -> LinearFits:
        """Return the fits: coefficients of all values; variances and means without exact zeros."""
        fits = lm_fit(self.values, self.design, weights, blocks)
        rows = np.flatnonzero(self.zeros.any(axis=1))
        if not len(rows):
            return fits
        own = weights if weights is None or len(weights) == 1 else weights[rows]
        part = lm_fit(self.masked[rows], self.design, own, blocks)
        sigma, df, mean = fits.sigma.copy(), fits.df.copy(), fits.mean.copy()
        sigma[rows], df[rows], mean[rows] = part.sigma, part.df, part.mean
        return replace(fits, sigma=sigma, df=df, mean=mean)

    def curve(self, fits: LinearFits, mean: FloatArray) -> VarianceCurve:
        """Return the trend of residual standard deviations in mean log counts (G,)."""
        used = self.counts.any(axis=1) & (fits.df > 0)
        mean, root, df = mean[used], np.sqrt(fits.sigma[used]), fits.df[used]
        if not len(mean):
            return VarianceCurve(mean, mean, mean)
        if self.zeros.any():
            smoothed = weighted_lowess(mean, root, df, span=self.span, iterations=PASSES)
        else:
            smoothed = smooth(mean, root, fraction=self.span)
        return VarianceCurve(mean, root, smoothed)

    def samples(self, weights: FloatArray, model: SampleModel) -> tuple[FloatArray | None, float | None]:
        """Return sample weights (n,) and the correlation within blocks, where they are asked for."""
        own = None
        if model.columns is not None:
            own = array_weights(self.masked, self.design, weights, model.columns)
        if model.of_sample is None:
            return own, None
        total = weights if own is None else weights * own
        return own, block_correlation(self.masked, self.design, model.of_sample, total).consensus
