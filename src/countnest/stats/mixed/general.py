"""Linear mixed models of every gene with any random terms. G genes, n samples, p coefficients, t variance parameters.

Sources: Bates et al. (2015), doi:10.18637/jss.v067.i01, for the profiled likelihood; the derivatives are exact.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.errors import warn
from countnest.kernels.mixed.general.derivatives import new_sums
from countnest.kernels.mixed.general.fit import fit_general_chunk, prepare_chunk
from countnest.kernels.mixed.general.sweeps import new_work
from countnest.stats.mixed.components import Layout, layout_of
from countnest.stats.mixed.covariances import in_given_columns, is_singular
from countnest.stats.mixed.levels import observed
from countnest.stats.mixed.records import LinearMixedFits, MixedModel, Outcome
from countnest.stats.mixed.weights import log_determinant, normalized

__all__ = ["fit_general", "seconds_per_gene"]

# What a search takes: evaluations, and the time of a product.
EVALUATIONS = 25.0
SECONDS = 1e-9
# A longer estimate is announced.
LONG = 60.0


def fit_general(
    y: FloatArray, model: MixedModel, weights: FloatArray | None = None, *, reml: bool = True
) -> LinearMixedFits:
    """Return the fits of genes y (G, n), with variances of random effects at least zero.

    Parameters
    ----------
    weights
        (G, n) or (1, n) at least zero, inverse variances up to a factor by gene; None: all one.
    reml
        Whether the likelihood is the restricted one.

    Notes
    -----
    R counterpart: lme4::lmer, whose search ends a little before the optimum. The profiled deviance can have several
    minima; the search starts again where a variance is zero, and compares with fits that leave a term out.
    """
    layout = layout_of(model, standardized=True)
    (genes, n), p, t = y.shape, model.matrix.shape[1], model.n_parameters
    seconds = genes * seconds_per_gene(layout)
    if seconds > LONG:
        warn(
            f"the random terms link {layout.largest} random effects: expect about {seconds / 60:.0f} minutes for "
            f"{genes} genes. Fewer levels are faster, and nested factors instead of crossed."
        )
    own = np.ones((1, n)) if weights is None else normalized(weights)
    values, _ = observed(y, own)
    residual, start, count = np.zeros((genes, n)), np.zeros((genes, p)), np.zeros(genes, dtype=np.int64)
    outcome = np.zeros(genes, dtype=np.int64)
    structure = layout.structure
    prepare_chunk(as_float(values), own, structure.basis, residual, start, count, outcome)
    coefficients, theta, measure = np.zeros((genes, p)), np.zeros((genes, t)), np.zeros((genes, 2))
    df, squares = as_float(count - p if reml else count), as_float(np.einsum("gn,gn->g", values, own * values))
    memory = new_work(structure), new_sums(structure), np.zeros((2 * t + 4, t))
    fit_general_chunk(residual, own, squares, df, reml, structure, *memory, coefficients, theta, measure, outcome)
    return _fits(layout, model, own, reml, (start + coefficients, theta, measure, outcome))


def _fits(
    layout: Layout,
    model: MixedModel,
    weights: FloatArray,
    reml: bool,
    found: tuple[FloatArray, FloatArray, FloatArray, IntArray],
) -> LinearMixedFits:
    """Return the fits from what the search found: coefficients of the basis, theta, variance and deviance, outcomes."""
    coefficients, theta, measure, outcome = found
    lost = outcome >= Outcome.CONSTANT
    for values in (coefficients, theta, measure):
        values[lost] = np.nan
    criterion = measure[:, 1] - log_determinant(weights)
    if reml:
        criterion += 2.0 * np.linalg.slogdet(layout.triangle)[1]
    outcome[(outcome == Outcome.CONVERGED) & is_singular(theta, model)] = Outcome.SINGULAR
    return LinearMixedFits(
        as_float(np.einsum("gk,jk->gj", coefficients, np.linalg.inv(layout.triangle))),
        in_given_columns(theta, model, layout.scales),
        as_float(np.sqrt(measure[:, 0])),
        as_float(criterion),
        outcome,
        reml,
    )


def seconds_per_gene(layout: Layout) -> float:
    """Return roughly how long a gene takes, by the products of dense eliminations of the components."""
    ends = np.zeros(len(layout.structure.pointer) - 1)
    np.maximum.at(ends, layout.structure.component, layout.structure.place.max(axis=1) + 1.0)
    return float(EVALUATIONS * SECONDS * (ends**3).sum())
