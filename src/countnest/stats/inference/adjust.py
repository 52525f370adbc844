"""Adjusted p-values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.stats

from countnest.arrays import FloatArray
from countnest.errors import OptionError, listing, suggestion
from countnest.stats.inference.qvalue import q_values

__all__ = ["Adjustment", "adjust", "adjustment_name", "check_adjustment"]

# The name of a method, or a function that makes adjusted p-values (m,) of p-values (m,), none of them missing.
Adjustment = str | Callable[[FloatArray], FloatArray]

# What statsmodels calls the methods that R's p.adjust has.
STATSMODELS_NAMES = {
    "BY": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}
OWN_NAMES = ("BH", *STATSMODELS_NAMES, "none", "storey")


def adjust(p_values: FloatArray, method: Adjustment = "BH", *, alpha: float = 0.1) -> FloatArray:
    """Return adjusted p-values (G,); missing ones stay missing and do not count.

    Parameters
    ----------
    p_values
        (G,) p-values, NaN where there is none.
    method
        "BH" (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x), "BY", "holm", "hochberg", "hommel",
        "bonferroni" or "none", as in R; "storey" for q-values (see `qvalue`); a name that
        `statsmodels.stats.multitest.multipletests` knows, such as "fdr_tsbh"; or a function of the p-values that are
        not missing, (m,), which returns their adjusted values, (m,).
    alpha
        Level at which the two-stage methods count the hypotheses that are true; the others do not use it.

    Raises
    ------
    OptionError
        If the method is not known, or a function returns something else than one number for each p-value.

    Notes
    -----
    R counterpart: stats::p.adjust.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = _adjust_all(p_values[tested], method, alpha)
    return adjusted


def check_adjustment(method: object) -> None:
    """Raise `OptionError`, with suggestions, unless `method` is a function or the name of a method of adjustment."""
    if callable(method) or method in OWN_NAMES:
        return
    from statsmodels.stats.multitest import multitest_alias  # late: it takes a second to import

    if method not in list(multitest_alias):
        words = [*OWN_NAMES, *(name for name in multitest_alias if len(name) > 2)]
        raise OptionError(
            f"p_adjust={method!r} is not known; use one of {listing(OWN_NAMES, 20)}, a method of "
            "statsmodels.stats.multitest.multipletests such as 'fdr_tsbh', or a function of the p-values."
            f"{suggestion(method, words)}"
        )


def adjustment_name(method: object) -> str:
    """Return the name of a method of adjustment, or of a function."""
    if isinstance(method, str):
        return method
    if isinstance(method, partial):
        return adjustment_name(method.func)
    return str(getattr(method, "__name__", type(method).__name__))


def _adjust_all(p_values: FloatArray, method: Adjustment, alpha: float) -> FloatArray:
    if callable(method):
        return _checked(np.asarray(method(p_values.copy())), p_values, method)
    if method == "none":
        return p_values
    if method == "BH":
        adjusted: FloatArray = scipy.stats.false_discovery_control(p_values, method="bh")
        return adjusted
    if method == "storey":
        return q_values(p_values)
    check_adjustment(method)
    from statsmodels.stats.multitest import multipletests  # late: it takes a second to import

    found = multipletests(p_values, alpha=alpha, method=STATSMODELS_NAMES.get(method, method))
    return np.asarray(found[1], dtype=np.float64)


def _checked(adjusted: np.ndarray, p_values: FloatArray, method: object) -> FloatArray:
    if adjusted.shape != p_values.shape or adjusted.dtype.kind not in "iuf":
        raise OptionError(
            f"the function '{adjustment_name(method)}' must return a number for each of the {len(p_values)} p-values "
            f"that it is given; it returned shape {adjusted.shape} of type {adjusted.dtype}."
        )
    return adjusted.astype(np.float64)
