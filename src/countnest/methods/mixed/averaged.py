"""Answers of linear mixed models with both variances moderated, averaged over their ratios. G genes, k contrasts."""

from __future__ import annotations

from functools import partial

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.methods.chunks import expand
from countnest.methods.fit import JointTest, RowTests
from countnest.options import AltHypothesis
from countnest.stats.averaged.tails import chi2_statistic, normal_statistic
from countnest.stats.mixed.averaged import AveragedVariances

__all__ = ["averaged_joint", "averaged_rows"]

SMALLEST = 5e-324  # p-values of 0 are taken for this, to have a statistic


def averaged_rows(
    found: AveragedVariances,
    kept: BoolArray,
    contrasts: FloatArray,
    unchanged: BoolArray,
    threshold: float,
    alternative: AltHypothesis,
) -> RowTests:
    """Return tests of each of the contrasts (k, p); `kept` (G,) are the genes that were fitted.

    Statistics are normal quantiles of the p-values, with the sign of the fold change.
    """
    lfc, se = (expand(kept, each) for each in found.estimates(contrasts))
    p_value = expand(kept, found.rows(contrasts, threshold, alternative))
    empty = unchanged & ~np.isnan(p_value)
    p_value = as_float(np.where(empty, 0.0 if alternative == "lessAbs" else 1.0, p_value))
    lfc = as_float(np.where(empty, 0.0, lfc))
    with np.errstate(invalid="ignore"):
        log_p = np.log(np.maximum(p_value, SMALLEST)) - (np.log(2.0) if alternative.startswith("greaterAbs") else 0.0)
    side = -1.0 if alternative == "less" else np.sign(lfc) if alternative.startswith("greaterAbs") else 1.0
    statistic = as_float(side * np.maximum(normal_statistic(as_float(log_p)), 0.0) + 0.0)
    return RowTests(lfc, se, statistic, p_value, reach=partial(_reach, found, kept, contrasts))


def averaged_joint(found: AveragedVariances, kept: BoolArray, contrasts: FloatArray) -> JointTest:
    """Return the test that all contrasts (k, p) are zero; the statistic is the chi-square quantile of the p-value."""
    p_value, rank = found.joint(contrasts)
    with np.errstate(invalid="ignore"):
        statistic = chi2_statistic(rank, as_float(np.log(np.maximum(p_value, SMALLEST))))
    lfc, _ = found.estimates(contrasts)
    return JointTest(expand(kept, lfc), expand(kept, statistic), expand(kept, p_value), rank)


def _reach(found: AveragedVariances, kept: BoolArray, contrasts: FloatArray, level: float) -> FloatArray:
    return expand(kept, found.reach(contrasts, level))
