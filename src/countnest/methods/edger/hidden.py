"""Hidden factors of a fit by edgeR's method: the values they are found in, and the analysis with them. G genes."""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError
from countnest.methods.edger.analysis import analyse
from countnest.methods.edger.model import EdgeRAnalysis
from countnest.methods.hidden import MIN_MEAN
from countnest.parallel.run import Engine
from countnest.stats.edger.columns import Columns
from countnest.stats.transform.vst import stabilize_constant

__all__ = ["analysed_again", "stabilized"]

# Counts of a smaller dispersion are stabilized as if they had this one.
LEAST_DISPERSION = 1e-6


def analysed_again(counts: CountMatrix, before: EdgeRAnalysis, matrix: FloatArray, engine: Engine) -> EdgeRAnalysis:
    """Return an analysis made again with another model matrix (n, p): dispersions, models, quasi-dispersions.

    Raises
    ------
    OptionError
        The options of the analysis are not known.
    """
    if before.library is None or before.options is None:
        raise OptionError("this fit cannot be made again with hidden factors, because it was not made by cn.edger.")
    return analyse(counts, before.given, Columns.of(matrix), before.library, before.options, engine)


def stabilized(counts: CountMatrix, found: EdgeRAnalysis) -> FloatArray:
    """Return variance stabilized counts (m, n) of expressed genes, for the median of the dispersions of all genes."""
    model = found.ratio if found.quasi is None else found.quasi.model
    assert model is not None
    kept = found.given.kept
    dispersion = max(float(np.median(model.dispersion[kept])), LEAST_DISPERSION)
    rows = np.flatnonzero(kept & (found.base_mean > MIN_MEAN))
    logs = np.log(rows_of(found.given.factors, rows))
    relative = np.exp(logs - logs.mean(axis=1, keepdims=True))
    return stabilize_constant(as_float(counts.read(rows) / relative), dispersion)
