"""The profiled likelihood of variance ratios, with derivatives, from quadratic forms. p columns, t terms.

With the Cholesky factor L of N (p + 1, p + 1) and B_k = L^-1 N_k L^-T, the first p rows and columns belong to the
coefficients and the last to the residual sum of squares r2 = y'Py, where P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1.

Source: Bates et al. (2015), doi:10.18637/jss.v067.i01, for the criterion.
"""

from __future__ import annotations

import math

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.triangles import factorise, invert

__all__ = ["criterion", "moments"]

LOG_2PI = math.log(2.0 * math.pi)


@kernel
def criterion(log_determinant: float, form: FloatArray, p: int, n: float, reml: bool, factor_out: FloatArray) -> float:
    """Return minus twice the profiled log-likelihood, of weights without their own term; NaN: not positive definite.

    The Cholesky factor of `form`, N, goes into `factor_out`.
    """
    for i in range(len(form)):
        factor_out[i] = form[i]
    if not factorise(factor_out, p + 1):
        return math.nan
    root = factor_out[len(form) - 1]
    df = n - p if reml else n
    value = log_determinant + df * (1.0 + LOG_2PI + 2.0 * math.log(root) - math.log(df))
    if reml:
        for i in range(p):
            value += 2.0 * math.log(factor_out[i * (i + 1) // 2 + i])
    return value


@kernel
def moments(
    factor: FloatArray,
    forms: FloatArray,
    traces: FloatArray,
    p: int,
    first_out: FloatArray,
    second_out: FloatArray,
    work: FloatArray,
) -> None:
    """Write traces and quadratic forms of the response, of which derivatives consist.

    Parameters
    ----------
    factor, forms, traces
        From `criterion` and `levels_forms` or `chain_forms`.
    first_out
        (3, t) tr V^-1 K_k, tr P K_k and y'P K_k P y / r2.
    second_out
        (3, t, t) tr V^-1 K_k V^-1 K_j, tr P K_k P K_j and y'P K_k P K_j P y / r2.
    work
        (2 + t, p + 1, p + 1) memory.
    """
    terms = first_out.shape[1]
    inverse = work[0].reshape((p + 1) * (p + 1))[: len(factor)]
    invert(factor, p + 1, inverse)
    for k in range(terms):
        congruence(inverse, forms[1 + k], work[1], work[2 + k])
        trace = 0.0
        for i in range(p):
            trace += work[2 + k, i, i]
        first_out[0, k] = traces[k]
        first_out[1, k] = traces[k] - trace
        first_out[2, k] = work[2 + k, p, p]
    place = terms
    for k in range(terms):
        for j in range(k + 1):
            of_coefficients, of_response = diagonal_of(inverse, forms[1 + place], p)
            product, along = 0.0, 0.0
            for i in range(p):
                for m in range(p):
                    product += work[2 + k, i, m] * work[2 + j, i, m]
                along += work[2 + k, p, i] * work[2 + j, p, i]
            values = (traces[place], traces[place] - 2.0 * of_coefficients + product, of_response - along)
            for i in range(3):
                second_out[i, k, j] = values[i]
                second_out[i, j, k] = values[i]
            place += 1


@kernel
def congruence(inverse: FloatArray, form: FloatArray, half: FloatArray, result_out: FloatArray) -> None:
    """Write L^-1 F L^-T of a packed matrix F, with `half` (columns, columns) as memory."""
    columns = len(half)
    for i in range(columns):  # L^-1 F
        row = i * (i + 1) // 2
        for j in range(columns):
            half[i, j] = 0.0
        for k in range(i + 1):
            other = k * (k + 1) // 2
            for j in range(k + 1):
                half[i, j] += inverse[row + k] * form[other + j]
            for j in range(k + 1, columns):
                half[i, j] += inverse[row + k] * form[j * (j + 1) // 2 + k]
    for i in range(columns):
        for j in range(i + 1):
            row = j * (j + 1) // 2
            entry = 0.0
            for k in range(j + 1):
                entry += half[i, k] * inverse[row + k]
            result_out[i, j] = entry
            result_out[j, i] = entry


@kernel
def diagonal_of(inverse: FloatArray, form: FloatArray, p: int) -> tuple[float, float]:
    """Return the sum of the first p diagonal entries of L^-1 F L^-T, and the last one."""
    total, last = 0.0, 0.0
    for i in range(p + 1):
        row = i * (i + 1) // 2
        entry = 0.0
        for k in range(i + 1):
            other = k * (k + 1) // 2
            along = 0.5 * inverse[row + k] * form[other + k]
            for j in range(k):
                along += inverse[row + j] * form[other + j]
            entry += 2.0 * inverse[row + k] * along
        if i < p:
            total += entry
        else:
            last = entry
    return total, last
