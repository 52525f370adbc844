"""Advice after an analysis: the test that suits few samples."""

from __future__ import annotations

import shlex

from countnest.design.design import Design
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.deseq2.steps import Model
from countnest.remedies import advised, option
from countnest.stats.inference.lrt import is_nested

__all__ = ["averaged_sentence"]

# Up to so many residual degrees of freedom the averaged test is mentioned after another one.
FEW_DF = 20


def averaged_sentence(design: Design, model: Model, state: Fitted) -> str | None:
    """Return the sentence that names the averaged test after an analysis that takes dispersions as known.

    None where that makes little difference, with many samples; where another choice was made, a t distribution or
    priors of the coefficients; and where the test cannot be made, without a trend of the dispersions.
    """
    df = model.layout.residual_df
    usual = model.test in ("Wald", "LRT") and not model.use_t and model.prior is None
    if not usual or df > FEW_DF or model.layout.is_intercept_only or state.dispersions.trend is None:
        return None
    name = "likelihood ratio" if model.test == "LRT" else "Wald"
    return (
        f"with few samples ({df} residual degrees of freedom) {name} tests often exceed their false discovery "
        f"rate, because they take dispersions as known; {_call_of_averaged(design, model)} keeps it"
    )


def _call_of_averaged(design: Design, model: Model) -> str:
    """Return the call that asks what an analysis asks, by the averaged test."""
    averaged = option("test", "averaged")
    if model.reduced is None:
        return advised(f"results({averaged})", averaged)
    reduced, full = model.reduced.matrix, model.layout.matrix
    dropped = [name for i, name in enumerate(design.names) if not is_nested(full[:, [i]], reduced)]
    if len(dropped) == 1:
        return advised(f"results(name={dropped[0]!r}, {averaged})", f"--name {dropped[0]} {averaged}")
    query = _joint_query({design.terms[design.names.index(name)] for name in dropped}, design)
    if query is None:
        return advised("a joint query with test('averaged')", "a joint --query with --query-test averaged")
    return advised(f"dds.query({query!r}).test('averaged')", f"--query {shlex.quote(query)} --query-test averaged")


def _joint_query(terms: set[tuple[str, ...]], design: Design) -> str | None:
    """Return the query that asks for all coefficients of one factor, which has no interactions; None for others."""
    (term, *others) = terms
    is_factor = len(term) == 1 and term[0] in design.levels and not others
    if not is_factor or sum(term[0] in each for each in set(design.terms)) > 1:
        return None
    return f"joint({term[0]}[reference])"
