"""Linear mixed models of every gene. G genes, n samples, p coefficients, t variance parameters.

Source: Bates et al. (2015), doi:10.18637/jss.v067.i01, for the likelihood; that of levels is by eigenvalues, as in
Zhou and Stephens (2012), doi:10.1038/ng.2310.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float, as_int
from countnest.errors import DesignError, OptionError
from countnest.kernels.mixed.fit import mixed_chunk
from countnest.stats.mixed.general import fit_general
from countnest.stats.mixed.levels import LevelsModel, chunk_inputs, levels_model, memory_of_parts, observed
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome, RandomEffects
from countnest.stats.mixed.weights import log_determinant, normalized

__all__ = ["checked", "fit_linear"]

# Points at which the search begins, for a single ratio and for each of several: the profile can have two minima.
# Those below zero are parts of the lowest ratio.
LATTICE = np.concatenate([[0.0], 2.0 ** np.arange(-8.0, 13.0, 2.0)])
BELOW = np.array([-0.98, -0.9, -0.5])
COARSE = np.array([0.0, 0.0625, 0.5, 4.0])
# A variance below this fraction of the mean square is rounding.
CONSTANT = 1e-10
# A residual variance below this fraction of the mean square is rounding, too: the fixed columns explain a gene wholly.
EXPLAINED = 1e-24
UNFITTED = (Outcome.RANK_DEFICIENT, Outcome.CONSTANT, Outcome.NOT_FINITE)


def fit_linear(
    y: FloatArray,
    model: MixedModel,
    weights: FloatArray | None = None,
    *,
    reml: bool = True,
    bounded: bool = True,
) -> LinearMixedFits:
    """Fit a linear mixed model to every gene.

    Parameters
    ----------
    y
        (G, n) responses, such as log2 counts.
    model
        Without random terms it is the linear model, which serves for comparisons of likelihoods.
    weights
        (G, n), (1, n) or (n,) precision weights; the residual variance of an observation is sigma^2 over its weight,
        and a weight of zero leaves it out. Only their ratios within a gene count.
    reml
        Whether the restricted likelihood is maximised.
    bounded
        Whether variances of random effects are at least zero. One term with one column may do without the bound: a
        negative ratio is a negative correlation within groups, and balanced layouts then give exact tests.

    Raises
    ------
    DesignError
        If there are not more samples than coefficients, or as many groups as samples.
    OptionError
        If shapes do not agree, a weight is negative or not finite, or the bound cannot be left out.

    Notes
    -----
    A gene without a fit has a code in `outcome` and NaN elsewhere; there is no exception for a gene.

    R counterpart: lme4::lmer(y ~ ..., weights = weights, REML = reml), at the optimum to rounding.
    """
    y, scaled = checked(y, model, weights)
    if not model.terms:
        return replace(_fit_fixed(y, model, scaled, reml=reml), bounded=bounded)
    if scaled is not None:
        scaled = as_float(np.where(_explained(model, scaled > 0.0)[:, np.newaxis], 0.0, scaled))
    levels = levels_model(model, weighted=scaled is not None)
    if levels is None:
        if not bounded:
            raise OptionError(
                "Only a single random term with one column can have a negative variance (bounded=False): "
                "use bounded=True for this model."
            )
        return fit_general(y, model, scaled, reml=reml)
    return _fit_levels(y, levels, scaled, None, reml=reml, bounded=bounded)


def _explained(model: MixedModel, there: BoolArray) -> BoolArray:
    """Return for which rows of samples that are there, (G, n) or (1, n), the model's columns explain every sample."""
    effects = [(term.codes[:, np.newaxis] == np.arange(term.n_levels)) for term in model.terms]
    columns = [
        levels * column[:, np.newaxis]
        for term, levels in zip(model.terms, effects, strict=True)
        for column in term.columns.T
    ]
    whole = np.hstack([model.matrix, *columns])
    patterns, place = np.unique(there, axis=0, return_inverse=True)
    found = [not pattern.all() and bool(np.linalg.matrix_rank(whole[pattern]) == pattern.sum()) for pattern in patterns]
    return np.array(found)[place.reshape(-1)]


def _fit_fixed(y: FloatArray, model: MixedModel, weights: FloatArray | None, *, reml: bool) -> LinearMixedFits:
    """Return linear models without random terms: those of groups of two whose variance is zero."""
    pairs = RandomEffects(as_int(np.arange(y.shape[1]) // 2), np.ones((y.shape[1], 1)))
    levels = levels_model(MixedModel(model.matrix, (pairs,)), weighted=weights is not None)
    assert levels is not None
    found = _fit_levels(y, levels, weights, np.zeros((len(y), 1)), reml=reml, bounded=True)
    return replace(found, theta=np.zeros((len(y), 0)))


def checked(y: FloatArray, model: MixedModel, weights: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    """Return responses (G, n), and weights with mean one (G, n) or (1, n); see `fit_linear` for the errors."""
    y = np.atleast_2d(as_float(y))
    n, p = model.matrix.shape
    if y.shape[1] != n:
        raise OptionError(f"Responses of {y.shape[1]} samples do not fit a model matrix of {n} samples.")
    if n <= p:
        raise DesignError(f"{n} samples cannot tell {p} coefficients from noise: leave terms of the formula out.")
    for term in model.terms:
        if term.n_levels * term.n_columns >= n:
            raise DesignError(
                f"The random term ({term.label}) has {term.n_levels * term.n_columns} effects for {n} samples, which "
                "cannot be told from the residuals: it needs levels with several samples, and fewer columns."
            )
    if weights is None:
        return y, None
    scaled = normalized(weights)
    if scaled.shape not in ((1, n), y.shape):
        raise OptionError(f"Weights of shape {scaled.shape} do not fit responses of shape {y.shape}.")
    return y, scaled


def usable(y: FloatArray, weights: FloatArray | None) -> IntArray:
    """Return the outcome (G,) of genes that cannot be fitted, as far as values show it; 0 for others."""
    values, there = observed(y, weights)
    outcome = np.zeros(len(y), dtype=np.int64)
    finite = np.isfinite(values).all(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        number = np.maximum(there.sum(axis=1), 1)
        means = values.mean(axis=1, keepdims=True)
        variance = (np.where(there, values - means, 0.0) ** 2).sum(axis=1) / number
        square = (np.where(there, values, 0.0) ** 2).sum(axis=1) / number
    outcome[~(variance > CONSTANT * square)] = Outcome.CONSTANT
    outcome[~there.any(axis=1)] = Outcome.RANK_DEFICIENT
    outcome[~finite] = Outcome.NOT_FINITE
    return outcome


def _fit_levels(
    y: FloatArray,
    levels: LevelsModel,
    weights: FloatArray | None,
    given: FloatArray | None,
    *,
    reml: bool,
    bounded: bool,
) -> LinearMixedFits:
    """Return fits; variance ratios (G, t) that are given are not searched for."""
    genes, p = len(y), levels.columns.shape[1]
    outcome = usable(y, weights)
    values, there = observed(y, weights)
    samples = there.sum(axis=1)
    outcome[(outcome == Outcome.CONVERGED) & (samples <= p)] = Outcome.RANK_DEFICIENT
    values = as_float(np.where((outcome == Outcome.CONVERGED)[:, np.newaxis], values, 0.0))
    inputs = chunk_inputs(levels, values, weights)
    ratios = np.zeros((genes, levels.n_terms)) if given is None else as_float(given)
    own, results = np.zeros((genes, p)), np.zeros((2, genes))
    lattice = COARSE if levels.n_terms > 1 else (LATTICE if bounded else np.concatenate([BELOW, LATTICE]))
    if given is not None:
        lattice = np.zeros(0)
    rows, pairs = np.zeros((0, p)), np.zeros((0, 2), dtype=np.int64)
    none = memory_of_parts(0, levels.n_terms, 0)
    mixed_chunk(inputs, levels.triangle, reml, bounded, lattice, ratios, outcome, own, results, rows, pairs, *none)
    whole = results[1] <= EXPLAINED * (values**2).sum(axis=1)
    outcome[(outcome < Outcome.CONSTANT) & whole] = Outcome.CONSTANT
    lost = np.isin(outcome, UNFITTED)
    criterion = results[0] + (levels.log_triangle if reml else 0.0)
    if weights is not None:
        criterion = criterion - log_determinant(weights)
    df = np.maximum(samples - (p if reml else 0), 1)
    return LinearMixedFits(
        coefficients=_without(own, lost),
        theta=_without(np.sqrt(ratios) if bounded else ratios, lost),
        sigma=_without(np.sqrt(results[1] / df), lost),
        criterion=_without(criterion, lost),
        outcome=outcome,
        reml=reml,
        bounded=bounded,
    )


def _without(values: FloatArray, lost: BoolArray) -> FloatArray:
    return as_float(np.where(lost if values.ndim == 1 else lost[:, np.newaxis], np.nan, values))
