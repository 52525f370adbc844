"""Hidden factors: what many genes share beyond the design, found in the residuals and in the effects of a question.

The part of the factors that is orthogonal to the design are principal components of standardized residuals; how many
of them are more than noise is told by parallel analysis (Buja and Eyuboglu 1992, doi:10.1207/s15327906mbr2704_2). Their
part along a question follows from a robust regression of the effects of the genes on their loadings, because most genes
have no effect of their own (Wang, Zhao, Hastie and Owen 2017, doi:10.1214/16-AOS1511).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.stats.hidden.robust import bisquare_slopes

__all__ = ["FEWEST_DF", "FEWEST_GENES", "HiddenFactors", "HiddenOptions", "find_factors", "most_factors"]

# Residual degrees of freedom, and genes, that hidden factors need at least.
FEWEST_DF, FEWEST_GENES = 8, 200
# With fewer residual degrees of freedom parallel analysis finds at most two factors, otherwise three.
FEW_DF = 15
# A factor may be asked for by number for each four residual degrees of freedom.
DF_FOR_FACTOR = 4
# The eigenvalue of a factor is larger than that of noise by more than this.
ABOVE_NOISE = 1.1
# Repeats of the permutations, of which the largest eigenvalues are taken.
N_PERMUTATIONS = 3
# The smallest share of an eigenvalue that is taken for signal.
LEAST_SIGNAL = 0.3
# Variances below this are zero, such as of counts that are the same in all replicates.
LEAST_VARIANCE = 1e-12
# Entries of a factor, and parts of contrasts, below this are zero.
ZERO = 1e-9


@dataclass(frozen=True, slots=True)
class HiddenOptions:
    """How many hidden factors are taken out, and the seed of what is random in finding them.

    Attributes
    ----------
    n_factors
        How many; None: as many as parallel analysis finds.
    seed
        Of the permutations.
    """

    n_factors: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class HiddenFactors:
    """K hidden factors of n samples, and what their part along a question follows from; G genes, p coefficients.

    Attributes
    ----------
    matrix
        X, (n, p), the model matrix.
    scores
        W, (n, K): orthonormal, orthogonal to X.
    loadings
        L, (G, K), of standardized genes.
    effects
        (G, p) least squares coefficients of the standardized genes.
    reliability
        (K,) the share of signal in the eigenvalue of each factor. Loadings have noise, so that slopes of regressions on
        them are too small by this.
    eigenvalues, reference
        (n - p,) of the standardized residuals, descending, and of permuted ones.
    """

    matrix: FloatArray
    scores: FloatArray
    loadings: FloatArray
    effects: FloatArray
    reliability: FloatArray
    eigenvalues: FloatArray
    reference: FloatArray

    @property
    def n_factors(self) -> int:
        """K."""
        return int(self.scores.shape[1])

    def along(self, contrasts: FloatArray) -> FloatArray:
        """Return tau (k, K): what the factors, of unit length, add to each of the contrasts (k, p) by itself."""
        slopes = [bisquare_slopes(self.effects @ contrast, self.loadings) / self.reliability for contrast in contrasts]
        return as_float(np.array(slopes).reshape(len(contrasts), self.n_factors))

    def along_jointly(self, contrasts: FloatArray) -> FloatArray:
        """Return tau (k, K) for contrasts (k, p) that are tested together.

        As `along`, but a contrast that is a combination of earlier ones gets the same combination of theirs.
        """
        first = _independent(contrasts)
        combined = np.linalg.lstsq(contrasts[first].T, contrasts.T, rcond=None)[0].T
        combined[first] = np.eye(len(first))
        return as_float(combined @ self.along(contrasts[first]))

    def confounding(self, contrasts: FloatArray) -> FloatArray:
        """Return (K,) the length of each factor along the contrasts (k, p), over that orthogonal to the design.

        For two equal groups it is half of the difference between the groups, in standard deviations of the factor.
        """
        some = contrasts[_independent(contrasts)]
        tau, weights = self.along(some), np.linalg.pinv(self.matrix).T @ some.T
        along = np.linalg.solve(weights.T @ weights, tau)
        return as_float(np.sqrt(np.maximum(np.einsum("ik,ik->k", tau, along), 0.0)))

    def columns(self, contrasts: FloatArray) -> FloatArray:
        """Return K columns (n, K) for the design, with which the contrasts (k, p) are free of the factors.

        The contrasts give weight 0 to these columns, whose part orthogonal to the design has the mean square 1.
        """
        beta = np.linalg.lstsq(contrasts, self.along_jointly(contrasts), rcond=None)[0]
        return as_float(math.sqrt(len(self.scores)) * (self.scores + self.matrix @ beta))


def find_factors(values: FloatArray, matrix: FloatArray, n_factors: int | None = None, *, seed: int) -> HiddenFactors:
    """Return the hidden factors of genes.

    Parameters
    ----------
    values
        (G, n) of expressed genes, on a scale on which all have about the same variance, such as that of the variance
        stabilizing transformation.
    matrix
        X, (n, p), of full column rank, with n - p of 8 or more.
    n_factors
        How many; None: as many leading eigenvalues as are larger than those of permuted residuals, at most two with
        fewer than 15 residual degrees of freedom, otherwise three.
    seed
        Of the permutations.
    """
    n, p = matrix.shape
    basis, triangle = np.linalg.qr(matrix, mode="complete")
    free = basis[:, p:]
    residuals = values @ free
    variance = np.mean(residuals**2, axis=1)
    sd = np.sqrt(np.maximum(0.5 * (variance + np.median(variance)), LEAST_VARIANCE))[:, np.newaxis]
    residuals = residuals / sd
    eigenvalues, vectors = _components(residuals)
    reference = _of_noise(residuals, seed)
    k = _number_above(eigenvalues, reference) if n_factors is None else n_factors
    scores = free @ vectors[:, :k]
    signs = _signs(scores)
    noise = float(np.mean(eigenvalues[k:])) if k < n - p else 0.0
    return HiddenFactors(
        matrix=matrix,
        scores=as_float(scores * signs),
        loadings=as_float(residuals @ vectors[:, :k] * signs),
        effects=as_float(np.linalg.solve(triangle[:p], (values @ basis[:, :p] / sd).T).T),
        reliability=as_float(np.clip(1.0 - noise / np.maximum(eigenvalues[:k], LEAST_VARIANCE), LEAST_SIGNAL, 1.0)),
        eigenvalues=eigenvalues,
        reference=reference,
    )


def most_factors(residual_df: int) -> int:
    """Return how many factors may be asked for by number."""
    return residual_df // DF_FOR_FACTOR


def _components(residuals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the eigenvalues (m,), descending, and vectors (m, m) of the mean of u u' over residuals u, (G, m)."""
    values, vectors = np.linalg.eigh(residuals.T @ residuals / len(residuals))
    return as_float(values[::-1]), as_float(vectors[:, ::-1])


def _of_noise(residuals: FloatArray, seed: int) -> FloatArray:
    """Return the eigenvalues (m,) where genes share nothing: the largest of several permutations with random signs."""
    rng = np.random.default_rng(seed)
    largest = np.zeros(residuals.shape[1])
    for _ in range(N_PERMUTATIONS):
        permuted = rng.permuted(residuals, axis=1) * rng.choice([-1.0, 1.0], size=residuals.shape)
        largest = np.maximum(largest, _components(permuted)[0])
    return largest


def _number_above(eigenvalues: FloatArray, reference: FloatArray) -> int:
    """Return the number of leading eigenvalues that are above those of noise."""
    most = 2 if len(eigenvalues) < FEW_DF else 3
    above = eigenvalues[:most] > np.maximum(ABOVE_NOISE * reference[:most], LEAST_VARIANCE)
    return int(np.argmin(np.append(above, False)))


def _signs(scores: FloatArray) -> FloatArray:
    """Return (K,) signs with which the first entry of each factor that is not zero is positive."""
    first = np.argmax(np.abs(scores) > ZERO, axis=0)
    return np.where(scores[first, np.arange(scores.shape[1])] < 0, -1.0, 1.0)


def _independent(contrasts: FloatArray) -> list[int]:
    """Return the places of the contrasts (k, p) that are no combination of earlier ones."""
    found: list[int] = []
    basis = np.empty((0, contrasts.shape[1]))
    for place, contrast in enumerate(contrasts / np.linalg.norm(contrasts, axis=1, keepdims=True)):
        new = contrast - basis.T @ (basis @ contrast)
        new -= basis.T @ (basis @ new)
        length = np.linalg.norm(new)
        if length > ZERO:
            found.append(place)
            basis = np.vstack([basis, new / length])
    return found
