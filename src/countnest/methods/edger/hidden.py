"""Hidden factors of a fit by edgeR's method, and the fit made again with them. G genes, n samples, p coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray, as_float, rows_of
from countnest.errors import OptionError
from countnest.methods.edger.analysis import analyse
from countnest.methods.hidden import MIN_MEAN, HiddenFit, extended_design, fitted_again
from countnest.stats.edger.columns import Columns
from countnest.stats.hidden.factors import HiddenOptions
from countnest.stats.transform.vst import stabilize_constant

if TYPE_CHECKING:
    from countnest.methods.edger.fit import EdgeRFit

__all__ = ["with_factors"]

# Counts of a smaller dispersion are stabilized as if they had this one.
LEAST_DISPERSION = 1e-6


def with_factors(fit: EdgeRFit, asked: HiddenOptions) -> HiddenFit:
    """Return the fit made again with hidden factors as further columns: dispersions, models and quasi-dispersions.

    Raises
    ------
    DesignError, OptionError
        Too few residual degrees of freedom, or expressed genes; too many factors; a fit whose options are not known.
    """
    stored, library, options = fit.stored, fit.stored.library, fit.stored.options
    if library is None or options is None:
        raise OptionError("this fit cannot be made again with hidden factors, because it was not made by cn.edger.")

    def again(matrix: FloatArray) -> EdgeRFit:
        found = analyse(fit.data.matrix, stored.given, Columns.of(matrix), library, options, fit.engine)
        return found.bind(fit.data, extended_design(fit.design, matrix), fit.engine)

    return fitted_again(fit, stored, asked, lambda: _stabilized(fit), again, fit.engine.progress)


def _stabilized(fit: EdgeRFit) -> FloatArray:
    """Return variance stabilized counts of expressed genes, for a dispersion that is the median of all genes."""
    stored = fit.stored
    model = stored.ratio if stored.quasi is None else stored.quasi.model
    assert model is not None
    kept = stored.given.kept
    dispersion = max(float(np.median(model.dispersion[kept])), LEAST_DISPERSION)
    rows = np.flatnonzero(kept & (stored.base_mean > MIN_MEAN))
    logs = np.log(rows_of(stored.given.factors, rows))
    relative = np.exp(logs - logs.mean(axis=1, keepdims=True))
    return stabilize_constant(as_float(fit.data.matrix.read(rows) / relative), dispersion)
