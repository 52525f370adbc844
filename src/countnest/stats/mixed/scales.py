"""Models whose random terms are on a scale that tests can take, whatever units and origin their variables have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import as_float
from countnest.stats.mixed.covariances import in_given_columns
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, RandomEffects

__all__ = ["of_usual_size", "standardized"]

# Columns of a random term whose singular values, over the root of n, lie outside are badly scaled.
WELL_SCALED = 0.01, 100.0


def standardized(model: MixedModel, fits: LinearMixedFits) -> tuple[MixedModel, LinearMixedFits]:
    """Return the same models with orthogonal columns of mean square one in random terms that are badly scaled.

    A slope of calendar years is an example: its variance can hardly be told from that of the intercept, which is the
    one in year zero, so that the information about them is singular to rounding. Models without such terms are
    returned as they are.
    """
    terms, inverses = [], []
    for term in model.terms:
        basis, triangle = np.linalg.qr(term.columns / np.sqrt(len(term.columns)))
        singular = np.linalg.svd(triangle, compute_uv=False)
        well = singular.min() >= WELL_SCALED[0] and singular.max() <= WELL_SCALED[1]
        columns = term.columns if well else as_float(basis * np.sqrt(len(basis)))
        terms.append(term if well else RandomEffects(term.codes, columns, term.label))
        inverses.append(np.eye(len(triangle)) if well else as_float(np.linalg.inv(triangle)))
    if all(new is old for new, old in zip(terms, model.terms, strict=True)):
        return model, fits
    if fits.bounded:
        theta = in_given_columns(fits.theta, model, tuple(inverses))
    else:
        theta = as_float(fits.theta / inverses[0][0, 0] ** 2)
    return MixedModel(model.matrix, tuple(terms)), replace(fits, theta=theta)


def of_usual_size(model: MixedModel) -> tuple[MixedModel, float]:
    """Return a model with its only random column divided by its root mean square, and that, where it is badly scaled.

    A dose in moles per litre is an example: the standard deviation of its slopes lies beyond what a search tries. Other
    models are returned as they are, with 1.
    """
    if len(model.terms) != 1 or model.terms[0].n_columns != 1:
        return model, 1.0
    term = model.terms[0]
    size = float(np.sqrt((term.columns**2).mean()))
    if WELL_SCALED[0] <= size <= WELL_SCALED[1]:
        return model, 1.0
    return MixedModel(model.matrix, (RandomEffects(term.codes, as_float(term.columns / size), term.label),)), size
