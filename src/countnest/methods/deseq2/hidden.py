"""Hidden factors of a DESeq2 fit, and the fit made again with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import FloatArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.errors import OptionError, counted
from countnest.methods.deseq2.analysis import original_moments, replace_outliers, with_dispersions, with_fit
from countnest.methods.deseq2.fitted import means_of
from countnest.methods.deseq2.outliers import ReplacementRule
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.deseq2.steps import Model
from countnest.methods.deseq2.transform import variance_stabilized
from countnest.methods.hidden import MIN_MEAN, check_number, check_size, extended_matrix
from countnest.methods.normalized import with_weights
from countnest.methods.stage import Normalized, at_stage
from countnest.options import TestType
from countnest.parallel.kept import Kept
from countnest.parallel.run import Engine
from countnest.remedies import option
from countnest.stats.dispersion.trend import CustomTrend
from countnest.stats.glm.layout import Layout
from countnest.stats.hidden.factors import HiddenFactors, HiddenOptions, find_factors

__all__ = ["Extended", "extended_by_factors"]


@dataclass(frozen=True, slots=True, eq=False)
class Extended:
    """Hidden factors, and the model fitted again with them as further columns; None where there are none.

    `source` is the state that they were found in.
    """

    source: Fitted
    factors: HiddenFactors
    state: Fitted | None
    layout: Layout | None


# The last one: further questions of the same fit need no other.
_KEPT: Kept[Extended] = Kept(1)


def extended_by_factors(
    state: Fitted, counts: CountMatrix, layout: Layout, asked: HiddenOptions, engine: Engine
) -> Extended:
    """Return the hidden factors of a fitted state and the state fitted again with them.

    Dispersions, their trend, the model and replaced outliers are all those of the extended design, with the options of
    the fit; size factors stay. Samples whose counts could be replaced stay those of the design without the factors.

    Parameters
    ----------
    state
        The fit.
    counts
        (G, n) as observed.
    layout
        Of the model matrix.
    asked
        How many factors.
    engine
        Threads, chunks, progress.

    Raises
    ------
    DesignError, OptionError
        Too few residual degrees of freedom, or expressed genes; too many factors; no dispersion trend.
    """
    check_number(asked, layout)
    key = (id(state), asked)  # a state is that of the same counts for ever, and what is kept holds it
    return _KEPT.get(key, lambda: _extended(state, counts, layout, asked, engine))


def _extended(state: Fitted, counts: CountMatrix, layout: Layout, asked: HiddenOptions, engine: Engine) -> Extended:
    values = _stabilized(state, counts, layout, engine)
    factors = find_factors(values, layout.working.matrix, asked.n_factors, seed=asked.seed)
    k = factors.n_factors
    if not k:
        engine.progress.announce("no hidden factor was found")
        return Extended(state, factors, None, None)
    engine.progress.announce(f"fitting the model again with {counted(k, 'hidden factor')}")
    extended = Layout.of(extended_matrix(layout, factors))
    return Extended(state, factors, _fitted_again(state, counts, extended, engine), extended)


def _stabilized(state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine) -> FloatArray:
    """Return variance stabilized counts of the fit, of expressed genes.

    Counts of an observation weight below 1 are drawn towards their fitted means by it.
    """
    trend = state.dispersions.trend
    if trend is None:
        raise OptionError(
            "hidden factors are found in variance stabilized counts, for which a dispersion trend is needed: fit with "
            f"sharing='MAP' or 'fit_only', without dispersions of your own, or leave out {option('hidden_factors')}"
        )
    rows = state.rows & (state.moments.mean > MIN_MEAN)
    check_size(int(np.count_nonzero(rows)), MIN_MEAN)
    used, factors = state.counts_used(counts).read(np.flatnonzero(rows)), rows_of(state.factors, rows)
    if state.weights is not None:
        weights = np.minimum(state.weights[rows], 1.0)
        used = as_float(weights * used + (1.0 - weights) * means_of(state, layout, engine, rows))
    return variance_stabilized(used, factors, trend)


def _fitted_again(state: Fitted, counts: CountMatrix, layout: Layout, engine: Engine) -> Fitted:
    """Return the state fitted to another design with the same options, without priors and reduced model."""
    before, fit = state.dispersions, state.fit
    assert before.trend is not None
    assert before.sharing != "given"
    trend = before.trend.trend
    normalized = at_stage(Normalized, state, moments=original_moments(state, counts, engine))
    if state.raw_weights is not None:
        normalized = with_weights(normalized, counts, state.raw_weights, layout, engine)
    dispersed = with_dispersions(
        normalized, counts, layout, fit_type=trend.function if isinstance(trend, CustomTrend) else trend.fit_type,
        sharing=before.sharing, min_mu=before.min_mu, engine=engine,
    )  # fmt: skip
    test: TestType = "averaged" if fit.test == "averaged" else "Wald"
    model = Model(layout, test=test, use_t=fit.df is not None, min_mu=fit.min_mu)
    found = with_fit(dispersed, counts, model, engine)
    if state.replacement is None:
        return found
    rule = ReplacementRule(samples=state.replacement.replaceable)
    return replace_outliers(found, counts, model, rule, engine)
