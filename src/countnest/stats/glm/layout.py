"""What the fits need to know of a model matrix: its cells and its QR decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.cells import Cells
from countnest.stats.glm.householder import householder_qr, inverse_triangle, ordered_product

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A model matrix of full column rank, prepared for fitting.

    Attributes
    ----------
    matrix
        X, (n, p).
    cells
        Its distinct rows, see `kernels.cells.Cells`.
    cell_sizes
        (C,) number of samples of each cell.
    basis
        (n, p) orthonormal columns that span those of X, by Householder's QR decomposition X = QR.
    rows
        (n, p) X R^-1, equal to the basis but for rounding.
    triangle
        R, (p, p), upper triangular.
    """

    matrix: FloatArray
    cells: Cells
    cell_sizes: IntArray
    basis: FloatArray
    rows: FloatArray
    triangle: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray) -> Layout:
        """Return the layout of X (n, p)."""
        matrix = as_float(matrix)
        rows, of_sample, sizes = _distinct_rows(matrix)
        basis, triangle = householder_qr(matrix)
        return cls(
            matrix,
            _compress(rows, of_sample),
            as_int(sizes),
            as_float(basis),
            as_float(ordered_product(matrix, inverse_triangle(triangle))),
            as_float(triangle),
        )

    @property
    def n_samples(self) -> int:
        """Number of samples, n."""
        return len(self.matrix)

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients, p."""
        return len(self.triangle)

    @property
    def n_cells(self) -> int:
        """Number of distinct rows, C."""
        return len(self.cell_sizes)

    @property
    def residual_df(self) -> int:
        """Residual degrees of freedom, n - p."""
        return self.n_samples - self.n_coefficients

    @property
    def is_intercept_only(self) -> bool:
        """Whether X is one column of ones."""
        return self.n_coefficients == 1 and bool((self.matrix == 1.0).all())

    @property
    def samples_per_cell(self) -> IntArray:
        """(n,) size of the cell of each sample."""
        return self.cell_sizes[self.cells.of_sample]


def _distinct_rows(matrix: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the distinct rows (C, p) in order of appearance, the row of each sample, and how often each occurs.

    Rows are the same when they agree to 15 significant digits.
    """
    keys = [tuple(f"{value:.15g}" for value in row) for row in matrix + 0.0]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    of_sample = np.array([index[key] for key in keys], dtype=np.int64)
    _, first, sizes = np.unique(of_sample, return_index=True, return_counts=True)
    return matrix[first], of_sample, sizes


def _compress(rows: FloatArray, of_sample: IntArray) -> Cells:
    cell, column = np.nonzero(rows)
    start = np.searchsorted(cell, np.arange(len(rows) + 1))
    square = rows.shape[0] == rows.shape[1]
    log_det = np.linalg.slogdet(rows)[1] if square else np.nan
    return Cells(
        as_int(of_sample), as_int(start), as_int(column), as_float(rows[cell, column]), np.array([float(log_det)])
    )
