"""Which values the records of an analysis can have, so that nothing else is taken from a file."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.fit import Analysis, Dispersions, ModelFit

__all__ = ["impossible"]


def impossible(state: Analysis) -> list[str]:
    """Return what no analysis leaves behind: '' for none, or sentences without an end.

    Parameters
    ----------
    state
        The analysis; its fields are of their types and shapes.

    Notes
    -----
    A value may be missing where a gene is not fitted. That estimates are those of the counts is not checked, which
    would take the analysis again.
    """
    found: list[str] = []
    if state.dispersions is not None:
        found += _of_dispersions(state.dispersions)
    if state.fit is not None:
        found += _of_fit(state.fit)
    return found


def _of_dispersions(found: Dispersions) -> Iterator[str]:
    for name in ("genewise", "fitted", "map", "final"):
        values: FloatArray = getattr(found, name)
        if ((values <= 0) | np.isinf(values)).any():
            yield f"its dispersions ({name}) are not above zero"
    if not 0 <= found.min_mu < math.inf:
        yield "the floor of its means (min_mu) is no number of 0 or more"
    if found.trend is None:
        return
    for name in ("var_log_disp_ests", "disp_prior_var"):
        value = getattr(found.trend, name)
        if value < 0 or math.isinf(value):
            yield f"the width of its prior ({name}) is below zero or infinite"
    for name, value in (found.trend.coefficients or {}).items():
        if not 0 <= value < math.inf:
            yield f"a coefficient of its dispersion trend ({name}) is no number of 0 or more"


def _of_fit(fit: ModelFit) -> Iterator[str]:
    if fit.test == "LRT" and fit.reduced is None:
        yield "its likelihood ratio test lacks the reduced model"
    if not 0 <= fit.min_mu < math.inf:
        yield "the floor of its means (min_mu) is no number of 0 or more"
    for part, beta, se in (("", fit.beta, fit.se), *((" with priors", p.beta, p.se) for p in (fit.prior,) if p)):
        if np.isinf(beta).any():
            yield f"its coefficients{part} are infinite"
        if (se < 0).any():
            yield f"its standard errors{part} are below zero"
    if (fit.max_cooks < 0).any() or (fit.highest_cooks < 0).any():
        yield "its Cook's distances are below zero"
