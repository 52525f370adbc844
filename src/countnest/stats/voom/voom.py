"""voom: log counts per million with precision weights from the trend of their variance in the mean.

Source: Law et al. (2014), doi:10.1186/gb-2014-15-2-r29. G genes, n samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.linear.curve import curve_weights_chunk
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.fits import LinearFits
from countnest.stats.linear.least_squares import lm_fit
from countnest.stats.moderated.prior import averaged
from countnest.stats.moderated.smoother import smooth

__all__ = ["SPAN", "VarianceCurve", "Voom", "log_cpm", "mean_log_count", "variance_curve", "voom", "voom_span"]

# Of the local regression, where the span is not chosen by the number of genes.
SPAN = 0.5
MILLION = 1e6
# Up to this number of genes, all of them take part in the local regression where the span is chosen by it.
FEW_GENES = 50


@dataclass(frozen=True, slots=True, eq=False)
class VarianceCurve:
    """Square roots of residual standard deviations (m,) of m genes at their mean log2 counts, and the smooth curve.

    Without replicates there is none: all three are empty, and weights are one.
    """

    mean: FloatArray
    root: FloatArray
    smoothed: FloatArray

    def weights(self, fitted: FloatArray, library: FloatArray) -> FloatArray:
        """Return the weights (G, n) of values with fitted log2 counts per million (G, n) in libraries (n,)."""
        if not len(self.mean):
            return np.ones_like(fitted)
        x, y = averaged(self.mean, self.smoothed)
        starts = np.searchsorted(x, np.linspace(x[0], x[-1], len(x), endpoint=False), side="right") - 1
        found = np.empty_like(fitted)
        depth = as_float(np.log2((library + 1.0) / MILLION))
        curve_weights_chunk(as_float(fitted), depth, as_float(x), as_float(y), starts.astype(np.int64), found)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Voom:
    """Log2 counts per million with their precision weights, (G, n) each, and the curve that weights are read from."""

    values: FloatArray
    weights: FloatArray
    curve: VarianceCurve


def log_cpm(counts: FloatArray, library: FloatArray) -> FloatArray:
    """Return log2 counts per million (G, n), half a count added, for effective library sizes (n,)."""
    return as_float(np.log2((counts + 0.5) / (library + 1.0) * MILLION))


def mean_log_count(mean: FloatArray, library: FloatArray) -> FloatArray:
    """Return mean log2 counts (G,) of genes with these mean log2 counts per million."""
    return as_float(mean + np.mean(np.log2(library + 1.0)) - np.log2(MILLION))


def voom_span(n_genes: int) -> float:
    """Return the span of the local regression that is chosen by the number of genes."""
    return float(min(0.3 + 0.7 * (FEW_GENES / n_genes) ** (1.0 / 3.0), 1.0))


def variance_curve(counts: FloatArray, library: FloatArray, fits: LinearFits, span: float) -> VarianceCurve:
    """Return the trend of the residual standard deviations of fits to log counts; genes without counts have no part."""
    used = counts.any(axis=1) & ~np.isnan(fits.sigma)
    if not used.any():
        return VarianceCurve(np.empty(0), np.empty(0), np.empty(0))
    mean, root = mean_log_count(fits.mean[used], library), np.sqrt(fits.sigma[used])
    return VarianceCurve(mean, root, smooth(mean, root, fraction=span))


def voom(
    counts: FloatArray,
    design: FloatArray,
    library: FloatArray,
    *,
    weights: FloatArray | None = None,
    blocks: Blocks | None = None,
    span: float = SPAN,
) -> Voom:
    """Return log counts with precision weights.

    Parameters
    ----------
    counts
        (G, n)
    design
        (n, p)
    library
        (n,) effective library sizes.
    weights
        (G, n), or (1, n), of the fit that the curve is read from; None: all one.
    blocks
        Samples with correlated residuals in that fit; None: independent ones.
    span
        Fraction of the genes in each neighbourhood of the local regression.

    Notes
    -----
    R counterpart: limma::voom.
    """
    values = log_cpm(counts, library)
    fits = lm_fit(values, design, weights, blocks)
    curve = variance_curve(counts, library, fits, span)
    return Voom(values, curve.weights(fits.fitted(design), library), curve)
