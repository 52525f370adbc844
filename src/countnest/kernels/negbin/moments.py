"""Means by linear projection, and the rough dispersions that start the iterations."""

from __future__ import annotations

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

__all__ = ["projected_mean_chunk", "rough_dispersion_chunk"]


@kernel
def project_row(y: FloatArray, f: FloatArray, basis: FloatArray, rows: FloatArray, mean_out: FloatArray) -> None:
    """Write the projection of y / f on the columns of the model matrix into `mean_out` (n,).

    `basis` (n, p) is orthonormal and `rows` is X R^-1 (n, p), the same but for rounding. Sums run in the order of R's
    reference linear algebra, so that the means agree to the last bit and so do the dispersions that start from them.
    """
    n, p = basis.shape
    for j in range(n):
        mean_out[j] = 0.0
    for k in range(p):
        coefficient = 0.0
        for j in range(n):
            coefficient += basis[j, k] * (y[j] / f[j])
        for j in range(n):
            mean_out[j] += rows[j, k] * coefficient


@kernel
def projected_mean_chunk(
    counts: FloatArray, factors: FloatArray, basis: FloatArray, rows: FloatArray, mu_out: FloatArray
) -> None:
    """Write the linear fit of the normalized counts, times the factors, into `mu_out` (G, n)."""
    shared = factors.shape[0] == 1
    for g in range(counts.shape[0]):
        f = factors[0] if shared else factors[g]
        project_row(counts[g], f, basis, rows, mu_out[g])
        for j in range(counts.shape[1]):
            mu_out[g, j] *= f[j]


@kernel
def rough_dispersion_chunk(
    counts: FloatArray,
    factors: FloatArray,
    basis: FloatArray,
    rows: FloatArray,
    mean: FloatArray,
    dispersion_out: FloatArray,
) -> None:
    """Write max(0, sum(((N - M)^2 - M) / M^2) / (n - p)), M = max(1, projection of N), into `dispersion_out` (G,).

    `mean` (n,) is work space.
    """
    shared = factors.shape[0] == 1
    n, p = basis.shape
    for g in range(counts.shape[0]):
        f = factors[0] if shared else factors[g]
        project_row(counts[g], f, basis, rows, mean)
        total = 0.0
        rest = 0.0
        for j in range(n):
            m = max(1.0, mean[j])
            distance = counts[g, j] / f[j] - m
            term = (distance * distance - m) / (m * m)
            partial = total + term
            rest += (total - partial) + term if abs(total) >= abs(term) else (term - partial) + total
            total = partial
        dispersion_out[g] = max(0.0, (total + rest) / (n - p))  # summed with compensation (Neumaier)
