"""edgePython: edgeR's quasi-likelihood tests in Python."""

from __future__ import annotations

from typing import Any

import numpy as np

IMPORT = "edgepython"


def prepare(study: Any) -> Any:
    """Return the counts and the matrix as arrays."""
    return study.counts.astype(np.float64), study.matrix.to_numpy()


def analyse(given: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """Return log2 fold changes and p-values of the last coefficient, of all genes that have counts."""
    import edgepython as ep

    counts, matrix = given
    kept = counts.any(axis=1)
    y = ep.calc_norm_factors(ep.make_dgelist(counts=counts[kept]))
    fit = ep.glm_ql_fit(ep.estimate_disp(y, matrix), matrix)
    table = ep.glm_ql_ftest(fit, coef=matrix.shape[1] - 1)["table"]
    found = np.full((2, len(counts)), np.nan)
    found[:, kept] = table["logFC"], table["PValue"]
    return found[0], found[1]
