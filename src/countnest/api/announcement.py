"""Notes on a new data set, its reference levels, orders of levels and changes to the design; and on its analysis."""

from __future__ import annotations

from countnest.design.design import Design
from countnest.design.levels.order import order_sentences
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.deseq2.steps import Model
from countnest.progress import Progress
from countnest.remedies import advised, option
from countnest.stats.inference.lrt import is_nested

__all__ = ["announce", "averaged_sentence"]

# Up to so many residual degrees of freedom the averaged test is mentioned after another one.
FEW_DF = 20


def announce(design: Design, progress: Progress) -> None:
    """Tell the reference levels, the orders of levels that mean something, and what was done to the design."""
    if design.levels:
        shown = ", ".join(f"{name} {levels[0]}" for name, levels in design.levels.items())
        progress.note(f"-- reference levels: {shown}")
    blocks = [block[-1] for block in design.nesting.blocks]
    for sentence in order_sentences(design.orders, blocks):
        progress.note(f"-- {sentence}")
    for note in design.notes:
        progress.note(note)


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
    return advised("dds.query('joint(...)').test('averaged')", "--query 'joint(...)' --query-test averaged")
