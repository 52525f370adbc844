"""Checks of random terms before any gene is fitted: what cannot be estimated, and what is known poorly."""

from __future__ import annotations

from typing import Literal

import numpy as np

from countnest.arrays import BoolArray
from countnest.centring import same_size
from countnest.design.design import Design, check_varying
from countnest.design.random.term import RandomTerm
from countnest.errors import ConfoundedDesignError, DesignError, counted, listing, warn
from countnest.remedies import advised

__all__ = ["MixedKind", "check_mixed", "mixed_errors", "mixed_warnings", "refuse_confounded"]

MixedKind = Literal["linear", "counts"]
"""Linear mixed models of log counts, or those of counts: negative binomial, Poisson."""

FEW_LEVELS = 5  # fewer than these tell little about a variance
TOLERANCE = 1e-10  # of the square of a column, what is left of one that lies in the span of others


def check_mixed(design: Design, kind: MixedKind) -> None:
    """Raise `DesignError` unless a design can be fitted with its random terms; warn of what is known poorly.

    Parameters
    ----------
    design
        A design with random terms.
    kind
        What is fitted: 'linear' models of log counts, which have a residual variance, or models of 'counts', which
        have a dispersion.

    Raises
    ------
    ConfoundedDesignError
        The fixed part leaves nothing of a random term, or two random terms are the same.
    DesignError
        There are no random terms, or as many random effects as samples.

    Warns
    -----
    CountnestWarning
        A grouping factor with few levels, a slope without variation within groups, random effects that cannot be told
        from the dispersion.
    """
    check_varying(design)
    errors = mixed_errors(design, kind)
    if errors:
        raise errors[0]
    for message in mixed_warnings(design, kind):
        warn(message)


def mixed_errors(design: Design, kind: MixedKind) -> list[DesignError]:
    """Return what makes a design impossible to fit with its random terms, as the errors to raise."""
    if not design.random:
        return [
            DesignError(
                f"the design '{design.formula or 'of a matrix'}' has no random term, which a mixed model needs. Add "
                "one for the groups of samples, such as '+ (1 | family)'; without groups, use "
                + advised("cn.DESeq, cn.edger or cn.limma.", "--method deseq2, edger or voom.")
            )
        ]
    n, found = len(design.matrix), confounding(design)
    if kind == "linear":
        too_many = [_too_many(term, n) for term in design.random if _n_effects(term) >= n]
        found += too_many or ([_nothing_left(design)] if not found and _explains_all(design) else [])
    return found


def _explains_all(design: Design) -> bool:
    """Tell whether the fixed part and the random effects together fit the samples whatever their values."""
    n, p = design.matrix.shape
    if p + sum(_n_effects(term) for term in design.random) < n:
        return False
    effects = [np.equal.outer(term.codes, np.arange(len(term.levels))) for term in design.random]
    blocks = [
        which * column[:, np.newaxis]
        for which, term in zip(effects, design.random, strict=True)
        for column in np.linalg.qr(term.columns)[0].T
    ]
    return bool(np.linalg.matrix_rank(same_size(np.hstack([design.matrix, *blocks]))[0]) == n)


def _nothing_left(design: Design) -> DesignError:
    terms = " and ".join(f"'({term.label})'" for term in design.random)
    return DesignError(
        f"the fixed part of '{design.formula or 'the matrix'}' and {terms} explain every sample, whatever its value: "
        "nothing is left to estimate the variance of the residuals from. Leave a term out, or group samples that "
        "belong together."
    )


def refuse_confounded(design: Design) -> None:
    """Raise `ConfoundedDesignError` if some random term is spanned by the fixed part, or by another random term."""
    errors = confounding(design)
    if errors:
        raise errors[0]


def confounding(design: Design) -> list[DesignError]:
    """Return the errors about random terms of which the fixed part, or another term, leaves nothing."""
    found: list[DesignError] = []
    for place, term in enumerate(design.random):
        spanned = _spanned(design, term)
        if spanned.any():
            found.append(_leaves_nothing(design, term, spanned))
        same = [other for other in design.random[:place] if _is_same(term, other)]
        if same:
            found.append(
                ConfoundedDesignError(
                    f"the random terms '({same[0].label})' and '({term.label})' are the same: '{same[0].group}' and "
                    f"'{term.group}' make the same groups of samples. Leave one of them out."
                )
            )
    return found


def _leaves_nothing(design: Design, term: RandomTerm, spanned: BoolArray) -> ConfoundedDesignError:
    names = [name for name, inside in zip(term.names, spanned, strict=True) if inside]
    what = "" if spanned.all() else f" the coefficients {listing(names)} of"
    return ConfoundedDesignError(
        f"the fixed part of '{design.formula or 'the matrix'}' leaves nothing of{what} the random term "
        f"'({term.label})': it has a coefficient for each level of '{term.group}'. Leave '{term.group}' out of the "
        "fixed part, or the random term."
    )


def _spanned(design: Design, term: RandomTerm) -> BoolArray:
    """Return for each of the k columns whether its effects, one for each level, lie in the span of the fixed part."""
    basis = np.linalg.qr(same_size(design.matrix)[0])[0]
    found = np.zeros(term.columns.shape[1], dtype=np.bool_)
    for place, column in enumerate(term.columns.T):
        scaled = column / np.abs(column).max()
        inside = np.zeros((len(term.levels), basis.shape[1]))
        np.add.at(inside, term.codes, basis * scaled[:, np.newaxis])
        length = np.bincount(term.codes, scaled**2)
        found[place] = bool((length - (inside**2).sum(axis=1) < TOLERANCE * length.max()).all())
    return found


def _is_same(one: RandomTerm, other: RandomTerm) -> bool:
    """Tell whether two terms have the same groups and share a coefficient."""
    pairs = np.unique(np.stack([one.codes, other.codes]), axis=1).shape[1]
    return pairs == len(one.levels) == len(other.levels) and bool(set(one.names) & set(other.names))


def _n_effects(term: RandomTerm) -> int:
    return len(term.levels) * len(term.names)


def _too_many(term: RandomTerm, n: int) -> DesignError:
    effects = _n_effects(term)
    if term.columns.shape[1] == 1:
        return DesignError(
            f"the random term '({term.label})' has {counted(effects, 'level')} of '{term.group}' in {n} samples: its "
            "variance cannot be told from that of the residuals. Leave the term out, or group samples that belong "
            "together."
        )
    return DesignError(
        f"the random term '({term.label})' has {effects} random effects ({len(term.levels)} levels of '{term.group}', "
        f"{term.columns.shape[1]} each) in {n} samples: their variances cannot be told from that of the residuals. Use "
        f"'(1 | {term.group})', or '(1 | {term.group})' with a slope of its own, '(0 + x | {term.group})'."
    )


def mixed_warnings(design: Design, kind: MixedKind) -> list[str]:
    """Return what is known poorly in a mixed model of a design, in sentences."""
    found = []
    n, fewer = len(design.matrix), all(_n_effects(term) < len(design.matrix) for term in design.random)
    if kind == "counts" and fewer and _explains_all(design):
        found.append(
            "the fixed part and the random terms explain every sample, so that the variance of the groups is "
            "confounded with the dispersion, and comparisons within groups may have no degrees of freedom."
        )
    for term in design.random:
        levels = len(term.levels)
        if kind == "counts" and _n_effects(term) >= n:
            found.append(
                f"the random term '({term.label})' has as many random effects as there are samples, so that its "
                "variance is confounded with the dispersion."
            )
        if levels < FEW_LEVELS:
            found.append(
                f"'{term.group}' has {levels} levels: the variance of '({term.label})' is poorly known, and "
                f"comparisons between the levels of '{term.group}' rest on few degrees of freedom."
            )
        constant = _constant_slopes(term)
        if constant:
            found.append(
                f"{listing(constant)} of the random term '({term.label})' does not vary within any level of "
                f"'{term.group}', so that its variance cannot be told from that of the intercept."
            )
    return found


def _constant_slopes(term: RandomTerm) -> list[str]:
    """Return the names of columns, other than the intercept, that are constant within every level."""
    same = np.ones(term.columns.shape[1], dtype=np.bool_)
    for level in range(len(term.levels)):
        same &= np.ptp(term.columns[term.codes == level], axis=0) == 0
    overall = np.ptp(term.columns, axis=0) == 0
    return [name for name, within, whole in zip(term.names, same, overall, strict=True) if within and not whole]
