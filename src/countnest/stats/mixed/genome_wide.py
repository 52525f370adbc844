"""One mixed model for all genes together, in which an effect is random between genes. G genes, n samples.

After Trabzuni and Thomson (2014), doi:10.1093/bioinformatics/btu088, as far as its abstract says: a mixed model of the
whole genome, whose predicted effects are given to a finite mixture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.errors import OptionError
from countnest.stats.mixed.linear import checked, usable
from countnest.stats.mixed.records import MixedModel, Outcome

__all__ = ["GenomeWide", "genome_wide"]

MAX_ITER, HALVINGS = 500, 40
# The search ends where the deviance of a gene, per sample, falls by less.
LEAST_GAIN = 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class GenomeWide:
    """The mixed model of all genes.

    Attributes
    ----------
    effects
        (G,) predicted effects (BLUPs), in the units of the values; NaN for genes without a fit.
    variances
        (t + 2,) of the effect between genes, of each random term, and of the residuals: the same for all genes.
    criterion
        Minus twice the restricted log-likelihood, up to a constant, over the number of genes.
    """

    effects: FloatArray
    variances: FloatArray
    criterion: float


def genome_wide(values: FloatArray, model: MixedModel, contrast: FloatArray) -> GenomeWide:
    """Fit one mixed model to all genes, in which one contrast is a random effect of the gene.

    The mean of the genes in each sample is taken away first. The other coefficients are fixed, for each gene; the
    contrast, the random terms and the residuals have variances that all genes share. Then the likelihood needs only the
    n x n matrix of the products between samples, averaged over genes, whatever the number of genes.

    Parameters
    ----------
    values
        (G, n) log counts.
    model
        The model matrix, and random terms with one column each.
    contrast
        (p,) of the coefficients.

    Raises
    ------
    OptionError
        If a random term has several columns, or no gene can be used.
    """
    if any(term.n_columns > 1 for term in model.terms):
        raise OptionError(
            "The genome-wide mixed model has one variance for each random term, and none for a term with several "
            "columns: use method='calibrated'."
        )
    values, _ = checked(values, model, None)
    known = usable(values, None) == Outcome.CONVERGED
    if not known.any():
        raise OptionError("No gene can be used: all are constant, or have missing values.")
    basis, column = _remaining(model.matrix, as_float(contrast))
    centred = as_float((values[known] - values[known].mean(axis=0)) @ basis)
    kernels = [np.outer(column, column), *((basis.T @ term.matrix) @ (basis.T @ term.matrix).T for term in model.terms)]
    kernels.append(np.eye(len(column)))
    variances, criterion = _restricted(as_float(centred.T @ centred / len(centred)), as_float(np.array(kernels)))
    whole = np.einsum("k,kij->ij", variances, kernels)
    effects = np.full(len(values), np.nan)
    effects[known] = variances[0] * (centred @ np.linalg.solve(whole, column))
    return GenomeWide(effects, variances, criterion)


def _remaining(matrix: FloatArray, contrast: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a basis (n, m) of what the other coefficients leave, and in it the column (m,) of a contrast of one."""
    _, _, directions = np.linalg.svd(contrast[np.newaxis])
    others = matrix @ directions[1:].T
    whole, _ = np.linalg.qr(others, mode="complete")
    basis = as_float(whole[:, others.shape[1] :])
    return basis, as_float(basis.T @ (matrix @ contrast) / (contrast @ contrast))


def _restricted(products: FloatArray, kernels: FloatArray) -> tuple[FloatArray, float]:
    """Return the variances (K,) >= 0 that minimise log|V| + tr(V^-1 T), V = sum v_k kernel_k, and the minimum.

    Fisher scoring, in the variances that are above zero or would rise from there.
    """
    size = len(products)
    scale = np.trace(products) / size
    variances = scale / (len(kernels) * np.trace(kernels, axis1=1, axis2=2) / size)
    value, gradient, information = _criterion(variances, products, kernels)
    for _ in range(MAX_ITER):
        free = (variances > 0.0) | (gradient < 0.0)
        step = np.zeros(len(kernels))
        step[free] = -np.linalg.lstsq(information[np.ix_(free, free)], gradient[free], rcond=None)[0]
        length, gain = 1.0, 0.0
        for _ in range(HALVINGS):
            moved = np.maximum(variances + length * step, 0.0)
            if moved[-1] > 0.0:
                found = _criterion(moved, products, kernels)
                gain = value - found[0]
                if gain > 0.0:
                    variances, (value, gradient, information) = as_float(moved), found
                    break
            length *= 0.5
        if gain <= LEAST_GAIN * size:
            break
    return as_float(variances), value


def _criterion(
    variances: FloatArray, products: FloatArray, kernels: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return the criterion, its gradient (K,), and its expected second derivatives (K, K)."""
    whole = np.einsum("k,kij->ij", variances, kernels)
    inverse = np.linalg.inv(whole)
    turned = np.einsum("ij,kjl->kil", inverse, kernels)
    explained = inverse @ products
    value = float(np.linalg.slogdet(whole)[1] + np.trace(explained))
    gradient = np.trace(turned, axis1=1, axis2=2) - np.einsum("kij,ji->k", turned, explained)
    return value, as_float(gradient), as_float(np.einsum("kij,lji->kl", turned, turned))
