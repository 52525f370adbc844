"""Inputs of negative binomial GLMs besides counts and design: size factors, dispersions, weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray, IntArray, rows_of

__all__ = ["LN2", "RIDGE_LOG2", "NBInputs"]

LN2 = float(np.log(2.0))
# Prior precision of every coefficient: 1e-6 on the log2 scale.
RIDGE_LOG2 = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class NBInputs:
    """Known parameters of the negative binomial models of G genes in n samples.

    Attributes
    ----------
    size_factors
        (1, n) size factors or (G, n) normalization factors.
    dispersion
        (G,).
    given_weights
        (1, n) or (G, n) observation weights; None: all one.
    min_mu
        Floor of the means in working weights, standard errors and hat values.
    """

    size_factors: FloatArray
    dispersion: FloatArray
    given_weights: FloatArray | None = None
    min_mu: float = 0.5

    @property
    def weights(self) -> FloatArray:
        """(1, n) or (G, n) observation weights."""
        return np.ones((1, self.size_factors.shape[1])) if self.given_weights is None else self.given_weights

    def at(self, genes: IntArray | slice) -> NBInputs:
        """Return the inputs of some genes."""
        return replace(
            self,
            size_factors=rows_of(self.size_factors, genes),
            dispersion=self.dispersion[genes],
            given_weights=rows_of(self.given_weights, genes),
        )
