"""Which genes have counts enough for an analysis. G genes, n samples.

Source: Chen, Lun and Smyth (2016), doi:10.12688/f1000research.8987.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray

__all__ = ["FilterRule", "filter_by_expr", "smallest_group", "smallest_group_of_design"]

# Rounding may take this off a number of samples, or of counts.
ROUNDING = 1e-14
DEPENDENT = 1e-7


@dataclass(frozen=True, slots=True)
class FilterRule:
    """What a gene needs to be kept.

    Attributes
    ----------
    min_count
        In a sample of median library size, in as many samples as the smallest group has.
    min_total_count
        In all samples together.
    large_n, min_prop
        Of a smallest group beyond `large_n` samples, the fraction `min_prop` of those beyond is enough.
    """

    min_count: float = 10.0
    min_total_count: float = 15.0
    large_n: float = 10.0
    min_prop: float = 0.7


def filter_by_expr(
    counts: FloatArray, library: FloatArray, group_size: float, rule: FilterRule | None = None
) -> BoolArray:
    """Return which genes (G,) to keep.

    Parameters
    ----------
    counts
        (G, n).
    library
        (n,) effective library sizes.
    group_size
        Number of samples in the smallest group, see `smallest_group` and `smallest_group_of_design`.

    Notes
    -----
    R counterpart: edgeR::filterByExpr.
    """
    rule = rule or FilterRule()
    enough = group_size
    if enough > rule.large_n:
        enough = rule.large_n + (group_size - rule.large_n) * rule.min_prop
    cutoff = rule.min_count / float(np.median(library)) * 1e6
    n_above = (counts / library * 1e6 >= cutoff).sum(axis=1)
    keep: BoolArray = (n_above >= enough - ROUNDING) & (counts.sum(axis=1) >= rule.min_total_count - ROUNDING)
    return keep


def smallest_group(codes: IntArray) -> float:
    """Return the number of samples in the smallest group, of the groups (n,) that have any."""
    sizes = np.bincount(codes)
    return float(sizes[sizes > 0].min())


def smallest_group_of_design(matrix: FloatArray) -> float:
    """Return one over the largest leverage of the samples, in the design (n, p) with an intercept.

    In a design of groups it is the number of samples in the smallest one.
    """
    with_intercept = np.column_stack([np.ones(len(matrix)), matrix])
    left, values, _ = np.linalg.svd(with_intercept / np.maximum(np.abs(with_intercept).max(axis=0), 1e-300))
    basis = left[:, : int((values > DEPENDENT * values[0]).sum())]
    return float(1.0 / (basis**2).sum(axis=1).max())
