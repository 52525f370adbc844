"""Whose behaviour an analysis by edgeR's or limma's method has: that of a release of Bioconductor, or exact numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from countnest.options import check_option

__all__ = ["Compat", "Level", "compat_level"]

Compat = Literal["bioc3.16", "bioc3.20", "bioc3.22"]


@dataclass(frozen=True, slots=True)
class Level:
    """What differs between releases.

    Attributes
    ----------
    name
        Of the release.
    exact
        Iterations go on to the optimum, and deviances are exact for small dispersions. Otherwise both are edgeR's, to
        the last digits that it computes.
    quasi_v4
        Whether quasi-likelihood is that of version 4 by default: with deviances adjusted for bias.
    likelihood_prior
        Whether priors of variances allow for unequal degrees of freedom: by likelihood, not by moments.
    adaptive_spans
        Whether the neighbourhoods of the dispersion trend and of voom follow the newer rule, min(0.3 + 0.7 (50 /
        n)^(1/3), 1).
    stored_trend
        Whether quasi-likelihood of version 4 takes its dispersion from a trend that was estimated before.
    largest_dispersion
        Of quasi-likelihood of version 4.
    clamped_deviance
        Whether unit deviances below 0, by rounding, are 0.
    half_floor
        Whether pivots without information count half in adjusted profile likelihoods.
    """

    name: Compat
    exact: bool = False
    quasi_v4: bool = True
    likelihood_prior: bool = True
    adaptive_spans: bool = True
    stored_trend: bool = False
    largest_dispersion: float = 4.0
    clamped_deviance: bool = True
    half_floor: bool = False


_NEWEST = Level("bioc3.22")
_MIDDLE = replace(_NEWEST, name="bioc3.20", adaptive_spans=False, stored_trend=True, largest_dispersion=float("inf"))
_OLDEST = replace(
    _MIDDLE, name="bioc3.16", quasi_v4=False, likelihood_prior=False, clamped_deviance=False, half_floor=True
)
_LEVELS = {level.name: level for level in (_OLDEST, _MIDDLE, _NEWEST)}


def compat_level(compat: str | None = None) -> Level:
    """Return the level of a release by its name; None: the newest, with exact numbers.

    Raises
    ------
    OptionError
        If the release is not one of those known.
    """
    if compat is None:
        return replace(_NEWEST, exact=True)
    check_option("compat", compat, get_args(Compat))
    return _LEVELS[compat]  # type: ignore[index]
