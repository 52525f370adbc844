"""The refusal of designs with random terms by methods that have fixed effects only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from countnest.errors import DesignError, listing
from countnest.remedies import advised

if TYPE_CHECKING:
    from countnest.design.design import Design

__all__ = ["FITTED_BY", "needs_mixed", "no_such_fit", "one_correlation", "refuse_random"]

# Functions that make fits of their names.
FITTED_BY = ("edger", "limma", "lmm", "glmm")


def refuse_random(design: Design, method: str, instead: str = "") -> None:
    """Raise `DesignError` if a design has random terms, which a method cannot fit.

    Parameters
    ----------
    design
        The design.
    method
        The method, as users call it: 'DESeq'.
    instead
        What else this method offers for groups of samples, a sentence.
    """
    if not design.random:
        return
    from countnest.design.random.writing import groups_as_fixed

    labels = listing(f"({term.label})" for term in design.random)
    fixed = groups_as_fixed(design)
    blocks = f"; or hold the groups fixed, dds.design = {fixed!r}, to compare within them" if fixed else ""
    raise DesignError(
        f"{method} has fixed effects only, and the design '{design.formula}' has the random {_terms(design)} {labels}. "
        + advised(
            f"Fit a mixed model: cn.lmm(dds) of log counts, or cn.glmm(dds) of counts{blocks}.",
            "Fit a mixed model, --method mixed"
            + (f"; or hold the groups fixed, --design {fixed!r}, to compare within them" if fixed else "")
            + ".",
        )
        + (f" {instead}" if instead else "")
    )


def needs_mixed(design: Design, fits: Sequence[str]) -> str:
    """Return what is missing where a design with random terms has these fits by name; '' for other designs."""
    if not design.random:
        return ""
    has = f"the design '{design.formula or 'of a matrix'}' has random terms"
    if fits:
        return f"{has}, so that there is no fit by DESeq2's method." + advised(
            " Queries are answered by the fits that there are: "
            f"test(fit=...) with {listing(fits)}; cn.gene_estimates(dds, fit=...) has their coefficients.",
            f" What there is: {listing(fits)}.",
        )
    return f"there is no fit yet: {has}, so fit a mixed model, cn.lmm(dds) of log counts or cn.glmm(dds) of counts."


def no_such_fit(name: str, fits: Iterable[str]) -> str:
    """Return that a data set with some `fits` has none of the name that a function in `FITTED_BY` gives."""
    return (
        f"fit={name!r} is not known; this data set has {listing(fits)}. cn.{name}(dds) makes it in the data set that "
        f"it is given, and returns that: of another = cn.{name}(dds.with_design(...)), another has it, and dds has not."
    )


def one_correlation(design: Design) -> str:
    """Return what linear models with moderated variances offer for a design with random terms; '' for nothing."""
    single = [term.group for term in design.random if len(term.factors) == 1]
    if not single:
        return ""
    return (
        "limma has one correlation within blocks, the same for all genes: "
        f"dds.design = {design.fixed_formula!r}, and then block={single[0]!r}."
    )


def _terms(design: Design) -> str:
    return "term" if len(design.random) == 1 else "terms"
