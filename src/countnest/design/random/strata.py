"""Strata of a design with random terms: between the levels of a grouping factor, and within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import FloatArray
from countnest.centring import same_size
from countnest.design.random.groupings import Grouping, groupings

if TYPE_CHECKING:
    from countnest.design.design import Design

__all__ = ["ErrorStratum", "error_strata", "has_strata", "is_estimable_in", "shares_in_words", "stratum_shares"]

TOLERANCE = 1e-8
LARGEST = 2_000_000  # entries of the model matrix of the random effects; more would take minutes
PURE = 1.0 - 1e-6  # a larger share of the variance is all of it


@dataclass(frozen=True, slots=True, eq=False)
class ErrorStratum:
    """Differences between samples that share their sources of variation.

    Attributes
    ----------
    name
        'between family', 'within family', 'between site:plot within site'.
    df
        Residual degrees of freedom; NaN where several variances meet: of slopes, or of grouping factors that are
        crossed without balance.
    basis
        (n, c) orthonormal basis of the differences between groups; of those within all groups, the basis of what is
        not in it.
    is_innermost
        Whether the differences are those within all groups.
    """

    name: str
    df: float
    basis: FloatArray
    is_innermost: bool

    def of(self, values: FloatArray) -> FloatArray:
        """Return the part of some columns (n, q) that lies in the stratum."""
        within = self.basis @ (self.basis.T @ values)
        part: FloatArray = values - within if self.is_innermost else within
        return part


def has_strata(design: Design) -> bool:
    """Tell whether a design has random terms, and is small enough for its strata to be found."""
    return 0 < sum(term.columns.size * len(term.levels) for term in design.random) <= LARGEST


@lru_cache(maxsize=4)
def error_strata(design: Design) -> tuple[ErrorStratum, ...]:
    """Return the strata of a design with random terms, those between groups first.

    Notes
    -----
    The projections on what varies between the levels of each grouping factor commute where factors are nested, and
    where they are crossed with proportional numbers of samples. Their common eigenspaces are the strata (Nelder 1965,
    doi:10.1098/rspa.1965.0012), and a stratum of c dimensions has c minus the rank of the model matrix in it as
    residual degrees of freedom. R counterpart: the Error() strata of stats::aov.
    """
    found, matrix = groupings(design.random), same_size(design.matrix)[0]
    whole = _orthonormal(np.hstack([each.matrix for each in found]))
    pieces = _common(found, whole)
    names = [each.name for each in found]
    if pieces is None:
        between = [ErrorStratum(f"between {' and '.join(names)}", np.nan, whole, is_innermost=False)]
    else:
        between = [
            ErrorStratum(_name(found, members), _df(found, members, basis, matrix), basis, is_innermost=False)
            for members, basis in pieces
        ]
    finest = [each.name for each in found if not any(o is not each and o.is_within(each) for o in found)]
    within = ErrorStratum(f"within {' and '.join(finest)}", np.nan, whole, is_innermost=True)
    n, c = whole.shape
    df = n - c - _rank(within.of(matrix), matrix)
    return (*between, replace(within, df=float(df)))


def stratum_shares(design: Design, strata: Sequence[ErrorStratum], contrasts: FloatArray) -> FloatArray:
    """Return how much of the variance of contrasts (k, p) is from each of s strata, shape (k, s), rows of sum one.

    It is that of generalised least squares with variances of random effects equal to that of the residuals, columns of
    random effects scaled to a mean square of one. Zeros and ones do not depend on it.
    """
    effects = np.hstack([each.matrix for each in groupings(design.random)])
    effects = effects / np.sqrt(
        np.maximum((effects**2).sum(axis=0) / np.maximum((effects != 0).sum(axis=0), 1), 1e-300)
    )
    matrix = design.matrix
    inner = np.eye(effects.shape[1]) + effects.T @ effects
    inverse = matrix - effects @ np.linalg.solve(inner, effects.T @ matrix)  # V^-1 X
    weights = inverse @ np.linalg.solve(matrix.T @ inverse, contrasts.T)
    parts = [stratum.of(weights) for stratum in strata]
    variance = np.stack([(part**2).sum(axis=0) + ((effects.T @ part) ** 2).sum(axis=0) for part in parts], axis=1)
    shares: FloatArray = variance / variance.sum(axis=1, keepdims=True)
    return shares


def shares_in_words(strata: Sequence[ErrorStratum], shares: FloatArray) -> str:
    """Return the shares (s,) of a contrast in words: 'within family', or '75 % between family, 25 % within family'."""
    order = [int(place) for place in np.argsort(-shares, kind="stable") if shares[place] > 1.0 - PURE]
    if len(order) == 1:
        return strata[order[0]].name
    return ", ".join(f"{_percent(float(shares[place]))} {strata[place].name}" for place in order)


def _percent(share: float) -> str:
    if 0.01 <= share <= 0.99:
        return f"{100 * share:.0f} %"
    small = "under 0.1 %" if share < 0.001 else "over 99.9 %"
    return f"{100 * share:.1f} %" if 0.001 <= share <= 0.999 else small


def is_estimable_in(design: Design, stratum: ErrorStratum, contrasts: FloatArray) -> list[bool]:
    """Return which contrasts (k, p) the differences of one stratum determine."""
    working, change, _ = same_size(design.matrix)
    part = stratum.of(working)
    rows = contrasts @ change
    gap = np.abs(rows - rows @ np.linalg.pinv(part, rcond=TOLERANCE) @ part).max(axis=1, initial=0.0)
    return [bool(ok) for ok in gap < TOLERANCE * np.maximum(1.0, np.abs(rows).max(axis=1, initial=0.0))]


def _common(found: Sequence[Grouping], whole: FloatArray) -> list[tuple[frozenset[int], FloatArray]] | None:
    """Return the common eigenspaces of the projections, by the factors that contain them; None if there are none."""
    pieces: list[tuple[frozenset[int], FloatArray]] = [(frozenset(), whole)]
    for place, grouping in enumerate(found):
        own = _orthonormal(grouping.matrix)
        split: list[tuple[frozenset[int], FloatArray]] = []
        for members, basis in pieces:
            inside = own.T @ basis
            values, vectors = np.linalg.eigh(inside.T @ inside)
            is_in = values > 0.5
            if np.abs(values - is_in).max(initial=0.0) > TOLERANCE:
                return None
            split += [(members | {place}, basis @ vectors[:, is_in]), (members, basis @ vectors[:, ~is_in])]
        pieces = [(members, basis) for members, basis in split if basis.shape[1]]
    return pieces


def _df(found: Sequence[Grouping], members: frozenset[int], basis: FloatArray, matrix: FloatArray) -> float:
    """Return the residual degrees of freedom of the stratum with a basis (n, c)."""
    several = any(found[place].has_slopes for place in members)
    return np.nan if several else float(basis.shape[1] - _rank(basis.T @ matrix, matrix))


def _name(found: Sequence[Grouping], members: frozenset[int]) -> str:
    """Return the name of the stratum that lies in the spaces of some factors and in no others."""
    own = [found[place] for place in sorted(members)]
    top = [each for each in own if not any(other is not each and each.is_within(other) for other in own)]
    outside = [found[place] for place in range(len(found)) if place not in members]
    above = [other.name for other in outside if all(each.is_within(other) for each in top)]
    if len(top) > 1:  # the mean, and what else crossed factors share
        return f"common to {' and '.join(each.name for each in top)}"
    return f"between {top[0].name}{f' within {above[-1]}' if above else ''}"


def _orthonormal(matrix: FloatArray) -> FloatArray:
    """Return an orthonormal basis of the columns (n, q)."""
    left, values, _ = np.linalg.svd(matrix / np.maximum(np.abs(matrix).max(axis=0), 1e-300), full_matrices=False)
    basis: FloatArray = left[:, values > TOLERANCE * values[0]]
    return basis


def _rank(part: FloatArray, matrix: FloatArray) -> int:
    """Return the rank of a part of the columns of a matrix, in which rounding errors of the whole are nothing."""
    values = np.linalg.svd(part, compute_uv=False)
    return int((values > TOLERANCE * float(np.linalg.norm(matrix))).sum())
