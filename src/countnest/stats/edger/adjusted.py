"""Deviances and their degrees of freedom, adjusted for small counts and for leverages. G genes, n samples.

Source: Chen et al. (2025), doi:10.1093/nar/gkaf018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.edger.adjusted import adjusted_chunk
from countnest.kernels.edger.deviance import CLAMPED, EXACT
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.weights import unit_weights

__all__ = ["Adjusted", "adjusted_deviance"]

# Genes of fewer degrees of freedom have none.
LEAST_DF = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Adjusted deviances and their degrees of freedom, (G,) each."""

    deviance: FloatArray
    df: FloatArray

    @property
    def variance(self) -> FloatArray:
        """(G,) their ratios, the quasi-dispersions; 0 where there are no degrees of freedom."""
        some = self.df >= LEAST_DF
        return np.where(some, self.deviance / np.where(some, self.df, 1.0), 0.0)


def adjusted_deviance(
    counts: FloatArray,
    mu: FloatArray,
    columns: Columns,
    dispersion: FloatArray,
    *,
    average: float = 1.0,
    weights: FloatArray | None = None,
    as_in_r: bool = False,
) -> Adjusted:
    """Return the adjusted deviances of fitted genes.

    Parameters
    ----------
    counts, mu
        (G, n) counts and fitted means; missing means give missing deviances.
    columns
        The model matrix.
    dispersion
        (G,) negative binomial dispersions before they are divided by `average`.
    average
        The average quasi-dispersion, at least 1, by which the variance of all counts is larger.
    weights
        (G, n) observation weights; None: all one.
    as_in_r
        Whether unit deviances are those of R; see `unit_deviances`.

    Notes
    -----
    R counterpart: deviance.adj and df.residual.adj of edgeR::glmQLFit.
    """
    relative = np.full((1, counts.shape[1]), 1.0 / average) if weights is None else as_float(weights / average)
    alpha, kappa = unit_weights(mu * relative, dispersion[:, np.newaxis])
    deviance, df = np.empty((2, len(mu)))
    adjusted_chunk(
        as_float(counts), as_float(mu), alpha, kappa, relative, as_float(dispersion), average,
        columns.plan.index, columns.plan.numbers, as_float(columns.matrix.T), CLAMPED if as_in_r else EXACT,
        deviance, df,
    )  # fmt: skip
    return Adjusted(deviance, df)
