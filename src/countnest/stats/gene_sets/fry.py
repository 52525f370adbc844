"""fry: is a set of genes changed? By rotations of the residuals, without simulation. G genes, S sets, d residual df.

Sources: Wu et al. (2010), doi:10.1093/bioinformatics/btq401; Giner and Smyth (2016), doi:10.12688/f1000research.9005.1,
in whose code fry is described.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.stats.gene_sets.effects import GeneEffects
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.tails import log_t_tail

__all__ = ["RotationTests", "rotation_tests"]

# The share of the degrees of freedom that a variance without its largest part keeps.
KEPT = 0.92
N_NODES = 128


@dataclass(frozen=True, slots=True, eq=False)
class RotationTests:
    """Tests of S sets.

    Attributes
    ----------
    up
        (S,) whether the mean effect of the genes is above zero.
    p_value
        (S,) that the genes change in one direction; NaN for sets without genes.
    mixed
        (S,) that they change, whatever the direction.
    """

    up: BoolArray
    p_value: FloatArray
    mixed: FloatArray


def rotation_tests(effects: GeneEffects, sets: Sequence[IntArray], *, standardize: bool = True) -> RotationTests:
    """Test whether the genes of sets change.

    Parameters
    ----------
    effects
        Of all genes.
    sets
        The genes of each set, by their places.
    standardize
        Whether genes are divided by their moderated standard deviations, so that all count the same.

    Notes
    -----
    R counterpart: limma::fry. Numbers depend on the order of the samples, because the largest coordinate of each gene
    is left out of its variance.
    """
    coordinates = np.column_stack([effects.effect, effects.residual])
    if standardize:
        coordinates = coordinates / np.sqrt(_variances(coordinates, effects))[:, np.newaxis]
    found = [_directional(coordinates[members]) if len(members) else np.nan for members in sets]
    t = np.array(found, dtype=np.float64)
    p_value = 2.0 * np.exp(log_t_tail(np.abs(t), float(effects.df)))
    mixed = [_mixed(coordinates[members]) if len(members) > 1 else p for members, p in zip(sets, p_value, strict=True)]
    return RotationTests(t > 0, as_float(p_value), as_float(mixed))


def _variances(coordinates: FloatArray, effects: GeneEffects) -> FloatArray:
    """Return moderated variances (G,) of the coordinates (G, d + 1), without the largest of each gene."""
    n_genes, size = coordinates.shape
    squares = coordinates * coordinates
    robust = (squares.sum(axis=1) - squares.max(axis=1)) / (size - _mean_largest(size))
    d = np.full(n_genes, float(effects.df))
    prior = moderate_variances(effects.variance, d, estimator="moments").prior
    return prior.posterior(as_float(robust), KEPT * d)


def _mean_largest(size: int) -> float:
    """Return the mean of the largest of some independent chi-square variables on one degree of freedom."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    q = 0.5 * (nodes + 1.0)
    values = size * q ** (size - 1) * 2.0 * scipy.special.gammaincinv(0.5, q)
    return float(0.5 * weights @ values)


def _directional(coordinates: FloatArray) -> float:
    """Return the t statistic of the mean of a set."""
    effect, *residual = coordinates.mean(axis=0)
    return float(effect / np.sqrt(np.mean(np.square(residual))))


def _mixed(coordinates: FloatArray) -> float:
    """Return the p-value of the sum of squares of the effects of a set (m, d + 1), at least two genes.

    In rotations of the residuals it is a mean of the squared singular values a, with weights of a Dirichlet
    distribution; after division by its range it is taken for a beta distribution of the same mean and variance.
    """
    a = np.linalg.svd(coordinates, compute_uv=False) ** 2
    k = len(a)
    length = a[0] - a[-1]
    if length <= 0.0:
        return 1.0
    observed = (coordinates[:, 0] @ coordinates[:, 0] - a[-1]) / length
    mean = (a.mean() - a[-1]) / length
    single = (k - 1.0) / k**2 / (0.5 * k + 1.0)
    covariance = np.full((k, k), -single / (k - 1.0))
    np.fill_diagonal(covariance, single)
    variance = a @ covariance @ a / length**2
    both = mean * (1.0 - mean) / variance - 1.0
    alpha, beta = mean * both, (1.0 - mean) * both
    return float(scipy.special.betainc(beta, alpha, min(max(1.0 - observed, 0.0), 1.0)))
