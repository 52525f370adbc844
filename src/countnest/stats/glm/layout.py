"""A model matrix prepared for fitting: its cells, its QR decomposition, its working columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float, as_int
from countnest.kernels.algebra.elimination import Plan
from countnest.stats.glm.householder import householder_qr, inverse_triangle, ordered_product
from countnest.stats.glm.standard import Standard, standardize
from countnest.stats.glm.structure import plan_elimination

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A model matrix, prepared for fitting.

    It is of full column rank, unless `of_any_rank` made it.

    Attributes
    ----------
    matrix
        X, (n, p).
    plan
        Its distinct rows, the cells, and how its normal equations are worked out: `kernels.algebra.elimination`.
    of_sample
        (n,) the cell of each sample, numbered by appearance.
    cell_sizes
        (C,) number of samples of each cell.
    basis
        (n, p) orthonormal columns that span those of X, by Householder's QR decomposition X = QR.
    rows
        (n, p) X R^-1, equal to the basis but for rounding.
    triangle
        R, (p, p), upper triangular. Least squares coefficients of z are R^-1 basis'z.
    standard
        The working columns in which genes are fitted, where the bound and the ridge would show in coefficients of the
        columns as given; None where those are fitted.
    standardized
        The layout of the working columns.
    """

    matrix: FloatArray
    plan: Plan
    of_sample: IntArray
    cell_sizes: IntArray
    basis: FloatArray
    rows: FloatArray
    triangle: FloatArray
    standard: Standard | None = None
    standardized: Layout | None = None

    @classmethod
    def of(cls, matrix: FloatArray, *, as_given: bool = False) -> Layout:
        """Return the layout of X (n, p); with `as_given`, one whose columns are fitted as they are."""
        matrix = as_float(matrix)
        standard = None if as_given else standardize(matrix)
        if standard is None:
            return cls._plain(matrix)
        return replace(cls._plain(matrix), standard=standard, standardized=cls._plain(standard.matrix))

    @classmethod
    def _plain(cls, matrix: FloatArray) -> Layout:
        rows, of_sample, sizes = _distinct_rows(matrix)
        basis, triangle = householder_qr(matrix)
        return cls(
            matrix,
            plan_elimination(rows, of_sample),
            as_int(of_sample),
            as_int(sizes),
            as_float(basis),
            as_float(ordered_product(matrix, inverse_triangle(triangle))),
            as_float(triangle),
        )

    @classmethod
    def of_any_rank(cls, matrix: FloatArray) -> Layout:
        """Return the layout of X (n, p) whose columns may be dependent, for fits in which priors identify them.

        There is no QR decomposition of such a matrix: `basis` holds the transpose of the pseudo-inverse, `triangle` is
        the identity, so that least squares coefficients are those of smallest norm. `residual_df` has no meaning.
        """
        matrix = as_float(matrix)
        if np.linalg.matrix_rank(matrix) == matrix.shape[1]:
            return cls.of(matrix)
        rows, of_sample, sizes = _distinct_rows(matrix)
        return cls(
            matrix,
            plan_elimination(rows, of_sample),
            as_int(of_sample),
            as_int(sizes),
            as_float(np.linalg.pinv(matrix).T),
            matrix,
            np.eye(matrix.shape[1]),
        )

    @property
    def working(self) -> Layout:
        """The layout of the columns in which genes are fitted."""
        return self if self.standardized is None else self.standardized

    @property
    def ridge(self) -> FloatArray:
        """(p,) ridges of the coefficients of the working columns, as multiples of the usual one."""
        return np.ones(self.n_coefficients) if self.standard is None else self.standard.ridge

    def in_working_columns(self, beta: FloatArray) -> FloatArray:
        """Return coefficients (G, p) of the working columns, from those of the columns as given."""
        return beta if self.standard is None else self.standard.taken(beta)

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
        return self.cell_sizes[self.of_sample]


def _distinct_rows(matrix: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the distinct rows (C, p) in order of appearance, the row of each sample, and how often each occurs.

    Rows are the same when they agree to 15 significant digits.
    """
    keys = [tuple(f"{value:.15g}" for value in row) for row in matrix + 0.0]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    of_sample = np.array([index[key] for key in keys], dtype=np.int64)
    _, first, sizes = np.unique(of_sample, return_index=True, return_counts=True)
    return matrix[first], of_sample, sizes
