"""Sums over the samples of a gene: all that a variance ratio is estimated from. n samples, p columns, t terms.

A is the matrix (n, p + 1) of the columns and, last, the response. The covariance of the response is proportional to
V = W^-1 + sum lambda_k K_k, with K_k = Z_k Z_k' of one random term. Wherever the likelihood needs V it is in one of the
quadratic forms A' V^-1 A, A' V^-1 K_k V^-1 A and A' V^-1 K_k V^-1 K_j V^-1 A, called N, N_k and N_kj here.

The eigenvalues of kernels that commute split the samples into levels, each with a matrix of its own: with one term and
weights every group is a level, and what is within groups is another one.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.triangles import add_scaled

__all__ = ["DERIVATIVES", "VALUE", "group_sums", "levels_forms"]

# What is evaluated. Not whole numbers or truth values: the compiler would make a version of all for each of them.
VALUE, DERIVATIVES = 0.0, 2.0


@kernel
def group_sums(
    augmented: FloatArray,
    weight: FloatArray,
    column: FloatArray,
    codes: IntArray,
    sizes_out: FloatArray,
    means_out: FloatArray,
    within_out: FloatArray,
) -> None:
    """Write the size z'Wz and the mean z'WA / z'Wz (p + 1,) of each group (q,), and A'WA within groups, packed.

    `codes` (n,) are the groups of the samples, and z is the random column (n,) in a group. Groups without weight have
    size and means of zero.
    """
    n, columns = augmented.shape
    for j in range(len(sizes_out)):
        sizes_out[j] = 0.0
        for k in range(columns):
            means_out[j, k] = 0.0
    for i in range(n):
        factor = weight[i] * column[i]
        sizes_out[codes[i]] += factor * column[i]
        for k in range(columns):
            means_out[codes[i], k] += factor * augmented[i, k]
    for j in range(len(sizes_out)):
        for k in range(columns):
            means_out[j, k] = means_out[j, k] / sizes_out[j] if sizes_out[j] > 0.0 else 0.0
    for k in range(len(within_out)):
        within_out[k] = 0.0
    for i in range(n):
        place, mean = 0, means_out[codes[i]]
        for k in range(columns):
            factor = weight[i] * (augmented[i, k] - column[i] * mean[k])
            for m in range(k + 1):
                within_out[place + m] += factor * (augmented[i, m] - column[i] * mean[m])
            place += k + 1


@kernel
def levels_forms(
    ratios: FloatArray,
    eigenvalues: FloatArray,
    multiplicity: FloatArray,
    matrices: FloatArray,
    order: float,
    forms_out: FloatArray,
    traces_out: FloatArray,
) -> float:
    """Write quadratic forms where the kernels commute, and return log |V W|; NaN where V is not positive definite.

    Parameters
    ----------
    ratios
        (t,) lambda.
    eigenvalues, multiplicity, matrices
        (m, t) of the kernels, (m,) and (m, packed) of the levels.
    order
        `VALUE`: N alone; `DERIVATIVES`: N_k and N_kj too.
    forms_out
        (1 + t + t (t + 1) / 2, packed) N, N_k and N_kj, j <= k.
    traces_out
        (t + t (t + 1) / 2,) tr V^-1 K_k and tr V^-1 K_k V^-1 K_j.
    """
    terms = len(ratios)
    clear(forms_out, traces_out)
    log_determinant = 0.0
    for level in range(len(multiplicity)):
        scale = 1.0
        for k in range(terms):
            scale += ratios[k] * eigenvalues[level, k]
        if not scale > 0.0:
            return math.nan
        log_determinant += multiplicity[level] * math.log(scale)
        w = 1.0 / scale
        add_scaled(forms_out[0], w, matrices[level])
        if order == VALUE:
            continue
        second = terms
        for k in range(terms):
            first = eigenvalues[level, k] * w
            if first == 0.0:
                second += k + 1
                continue
            traces_out[k] += multiplicity[level] * first
            add_scaled(forms_out[1 + k], first * w, matrices[level])
            for j in range(k + 1):
                both = first * eigenvalues[level, j] * w
                traces_out[second] += multiplicity[level] * both
                add_scaled(forms_out[1 + second], both * w, matrices[level])
                second += 1
    return log_determinant


@kernel
def clear(forms_out: FloatArray, traces_out: FloatArray) -> None:
    """Set all sums to zero."""
    for k in range(forms_out.shape[0]):
        for i in range(forms_out.shape[1]):
            forms_out[k, i] = 0.0
    for k in range(len(traces_out)):
        traces_out[k] = 0.0
