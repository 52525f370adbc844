"""The mixed model of a design, and the models without some comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.design.design import Design
from countnest.stats.mixed.records import MixedModel, RandomEffects

__all__ = ["criteria", "mixed_model", "models_block", "recorded", "without"]


def mixed_model(design: Design) -> MixedModel:
    """Return the model of a design: its model matrix and its random terms."""
    return MixedModel(
        design.matrix, tuple(RandomEffects(term.codes, term.columns, term.label) for term in design.random)
    )


def models_block(design: Design, block: tuple[str, ...]) -> bool:
    """Return whether the levels of a factor, with the factors that it is nested in, have random intercepts."""
    return any(block[-1] in term.factors and term.has_intercept for term in design.random)


def recorded(design: Design, factors: FloatArray | None, **named: object) -> dict[str, Any]:
    """Return what the record of a table says of a fit: size factors (1, n), or that factors (G, n) are by gene."""
    known: dict[str, Any] = {}
    if factors is not None:
        by_gene = len(factors) > 1
        known = {"size_factors": None if by_gene else factors[0].tolist(), "normalization_factors": by_gene}
    return {**known, **named, "random": [term.label for term in design.random]}


def without(model: MixedModel, contrasts: FloatArray) -> MixedModel:
    """Return the model in which contrasts (k, p) are zero: with the columns of the others only."""
    _, values, directions = np.linalg.svd(contrasts)
    rank = int((values > values.max(initial=0.0) * 1e-10).sum())
    return MixedModel(as_float(model.matrix @ directions[rank:].T), model.terms)


def criteria(loglik: FloatArray, parameters: int, samples: int) -> dict[str, FloatArray]:
    """Return log-likelihoods (G,) with Akaike's and the Bayesian information criterion, by the names of R."""
    return {
        "logLik": loglik,
        "AIC": as_float(2.0 * parameters - 2.0 * loglik),
        "BIC": as_float(np.log(samples) * parameters - 2.0 * loglik),
    }
