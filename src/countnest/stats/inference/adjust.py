"""Adjusted p-values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from countnest.arrays import FloatArray
from countnest.errors import OptionError, called, listing, suggestion
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg
from countnest.stats.inference.qvalue import q_values

__all__ = ["Adjustment", "adjust", "adjustment_name", "check_adjusted", "check_adjustment", "is_adjustment"]

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
# Adjusted p-values of a function may exceed 1 by this.
ROUNDING = 1e-8
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
        If the method is not known; or a function fails, or returns something else than one number from 0 to 1 for each
        p-value.

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
    if not is_adjustment(method):
        from statsmodels.stats.multitest import multitest_alias

        words = [*OWN_NAMES, *(name for name in multitest_alias if len(name) > 2)]
        raise OptionError(
            f"p_adjust={method!r} is not known; use one of {listing(OWN_NAMES, 20)}, a method of "
            "statsmodels.stats.multitest.multipletests such as 'fdr_tsbh', or a function of the p-values."
            f"{suggestion(method, words)}"
        )


def is_adjustment(method: object) -> bool:
    """Return whether `method` is a function or the name of a method of adjustment."""
    if callable(method) or not isinstance(method, str):
        return callable(method)
    if method in OWN_NAMES:
        return True
    from statsmodels.stats.multitest import multitest_alias  # late: it takes a second to import

    return method in list(multitest_alias)


def check_adjusted(adjusted: np.ndarray, function: object) -> None:
    """Raise `OptionError` unless what a function returned lies between 0 and 1, but for rounding, or is missing."""
    outside = adjusted[(adjusted < 0.0) | (adjusted > 1.0 + ROUNDING)]
    if outside.size:
        raise OptionError(
            f"the function '{adjustment_name(function)}' must return adjusted p-values, numbers from 0 to 1; "
            f"{outside.size} of {adjusted.size} are not, such as {outside[0]:g}."
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
        return _checked(np.asarray(called(method, "p_adjust", p_values.copy())), p_values, method)
    if method == "none":
        return p_values
    if method == "BH":
        return benjamini_hochberg(p_values)
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
    lost = int(np.isnan(adjusted).sum())
    if lost:
        raise OptionError(
            f"the function '{adjustment_name(method)}' returned NaN for {lost} of the {len(p_values)} p-values that it "
            "was given, none of which is missing; return a number for each."
        )
    check_adjusted(adjusted, method)
    return adjusted.astype(np.float64)
