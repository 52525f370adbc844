"""Model matrices for normal priors: the design itself, or one with a column for every level of a factor.

With a column for every level the prior treats all levels alike, including the reference level, so that shrunken
comparisons do not depend on the reference. The columns are dependent; the prior identifies the coefficients.

Source: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8, "Expanded design matrices".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.design.design import Design
from countnest.design.names import refuse_duplicates, result_name, written_levels
from countnest.errors import DesignError, listing
from countnest.options import ModelMatrixType

__all__ = ["PriorDesign", "expanded_design", "prior_design", "standard_design"]

Term = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PriorDesign:
    """A model matrix whose coefficients get normal priors.

    Attributes
    ----------
    design
        The design with the q columns of this matrix and their names; everything else is unchanged.
    spread
        For each of the q columns the contrasts (m, p) of the original coefficients whose estimates determine the width
        of its prior; without rows for the intercept, which has no prior.
    expanded
        Whether every level of a factor has a column.
    """

    design: Design
    spread: tuple[FloatArray, ...]
    expanded: bool


def prior_design(design: Design, kind: ModelMatrixType) -> PriorDesign:
    """Return `standard_design` or `expanded_design`."""
    return expanded_design(design) if kind == "expanded" else standard_design(design)


def standard_design(design: Design) -> PriorDesign:
    """Return the design with a separate prior for every coefficient but the intercept.

    Raises
    ------
    DesignError
        If the design is a formula with interactions or without intercept.

    Notes
    -----
    R counterpart: DESeq2::nbinomWaldTest(modelMatrixType = "standard").
    """
    _require_priors_possible(design)
    identity = np.eye(len(design.names))
    spread = tuple(
        identity[:0] if term == () else identity[place : place + 1] for place, term in enumerate(design.terms)
    )
    return PriorDesign(design, spread, expanded=False)


def expanded_design(design: Design) -> PriorDesign:
    """Return the design with an intercept and a column for every level of a factor.

    Parameters
    ----------
    design
        A design with a formula, an intercept, and no interactions.

    Returns
    -------
    PriorDesign
        Columns 'Intercept', 'conditionA', 'conditionB', ..., and numbers unchanged. All levels of a factor share one
        prior, from all pairwise comparisons of the levels.

    Raises
    ------
    DesignError
        If the design is a matrix, or its formula has interactions or no intercept, or a level has no coefficient.

    Notes
    -----
    R counterpart: DESeq2::nbinomWaldTest(modelMatrixType = "expanded").
    """
    _require_main_effects(design)
    found: list[tuple[FloatArray, str, str, Term, FloatArray]] = []
    identity = np.eye(len(design.names))
    for term in dict.fromkeys(design.terms):
        places = [place for place, other in enumerate(design.terms) if other == term]
        levels = design.levels.get(term[0]) if term else None
        if levels is None:
            for i in places:
                name, spread = design.columns[i], identity[:0] if term == () else identity[i : i + 1]
                found.append((design.matrix[:, i], name, name, term, spread))
        else:
            codes, spread = design.codes(term[0]), _comparisons(identity[places])
            for code, texts in enumerate(zip(levels, written_levels(term[0], levels), strict=True)):
                level, written = (f"{term[0]}{text}" for text in texts)
                found.append((as_float(codes == code), level, written, term, spread))
    columns, names, shown, terms, spreads = zip(*found, strict=True)
    result_names = tuple(result_name(name) for name in shown)
    refuse_duplicates(result_names)
    wide = replace(design, matrix=as_float(np.stack(columns, axis=1)), names=result_names, columns=names, terms=terms)
    return PriorDesign(wide, spreads, expanded=True)


def _comparisons(against_reference: FloatArray) -> FloatArray:
    """Return all pairwise comparisons of levels, from those with the reference level (m, p)."""
    later = [second - first for first, second in itertools.combinations(against_reference, 2)]
    return np.stack([*against_reference, *later])


def _require_main_effects(design: Design) -> None:
    if design.formula is None:
        raise DesignError(
            "a column for every level of a factor needs a formula, but the design is a model matrix. Use priors "
            "on its coefficients: lfc_shrink(coef=...), or model_matrix_type='standard'."
        )
    _require_priors_possible(design)
    missing = [
        name
        for name, levels in design.levels.items()
        if sum(term == (name,) for term in design.terms) < len(levels) - 1
    ]
    if missing:
        raise DesignError(
            f"some levels of {listing(missing)} have no coefficient in the design '{design.formula}', so that a prior "
            "that treats all levels alike cannot be estimated. Use priors on the coefficients: "
            "lfc_shrink(coef=...), or model_matrix_type='standard'."
        )


def _require_priors_possible(design: Design) -> None:
    """Raise `DesignError` for a formula with interactions or without an intercept: normal priors do not suit them."""
    crossed = list(dict.fromkeys(":".join(term) for term in design.terms if len(term) > 1))
    if design.formula is not None and crossed:
        raise DesignError(
            f"normal priors are not implemented for designs with interactions, here {listing(crossed)}: one width "
            "would not suit main effects and interactions. Use lfc_shrink(type='apeglm') or type='ashr'; or code the "
            "groups as one factor."
        )
    if design.formula is not None and not design.intercept:
        raise DesignError(
            f"normal priors need an intercept, and the design '{design.formula}' has none: without it the prior would "
            "shrink the levels towards zero counts and not towards each other. Leave out '0 +'."
        )
