"""The table of genes: all estimates by gene, under DESeq2's column names."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.arrays import BooleanArray

from countnest.arrays import FloatArray
from countnest.methods.deseq2.stages import Dispersed, Dispersions, Fitted, ModelFit
from countnest.methods.stage import Normalized
from countnest.stats.glm.fit import at_bound
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.lrt import likelihood_ratio_test
from countnest.stats.inference.wald import wald_test

__all__ = ["gene_table"]

Columns = dict[str, object]


def gene_table(
    state: Normalized, genes: pd.Index, names: tuple[str, ...], *, layout: Layout | None = None
) -> pd.DataFrame:
    """Return a DataFrame by gene with DESeq2's column names, as far as the analysis has come; coefficients in log2.

    With the `layout` of the fit it says which genes have a coefficient at the bound of the search, where one has.
    """
    columns: Columns = {
        "baseMean": state.moments.mean,
        "baseVar": state.moments.variance,
        "allZero": state.moments.all_zero,
    }
    if state.moments.weights_fail is not None:
        columns["weightsFail"] = state.moments.weights_fail
    if isinstance(state, Dispersed):
        columns |= _dispersion_columns(state.dispersions)
    if isinstance(state, Fitted):
        columns |= _fit_columns(state.fit, names)
        if layout is not None and (bounded := at_bound(state.fit.beta, state.fit.n_iter, layout)).any():
            columns["betaAtBound"] = bounded
    if isinstance(state, Dispersed) and state.replacement is not None:
        never_counted = state.moments.all_zero & ~state.replacement.emptied
        columns["replace"] = BooleanArray(state.replacement.flagged.copy(), never_counted)
        columns["baseMeanBeforeReplace"] = state.replacement.mean_before
    return pd.DataFrame(columns, index=genes)


def _dispersion_columns(dispersions: Dispersions) -> Columns:
    return {
        "dispGeneEst": dispersions.genewise,
        "dispGeneIter": dispersions.genewise_iter,
        "dispFit": dispersions.fitted,
        "dispersion": dispersions.final,
        "dispIter": dispersions.map_iter,
        "dispOutlier": _flags(dispersions.outlier),
        "dispMAP": dispersions.map,
    }


def _fit_columns(fit: ModelFit, names: tuple[str, ...]) -> Columns:
    columns: Columns = {name: fit.beta[:, k] / LN2 for k, name in enumerate(names)}
    columns |= {f"SE_{name}": fit.se[:, k] / LN2 for k, name in enumerate(names)}
    columns |= _wald_columns(fit, names) if fit.reduced is None else _lrt_columns(fit)
    columns |= {"betaIter": fit.n_iter, "deviance": -2.0 * fit.loglik, "maxCooks": fit.max_cooks}
    if fit.df is not None:
        columns["tDegreesFreedom"] = np.where(np.isnan(fit.loglik), np.nan, fit.df)
    return columns


def _wald_columns(fit: ModelFit, names: tuple[str, ...]) -> Columns:
    tests = [wald_test(fit.beta[:, k], fit.se[:, k], df=fit.df) for k in range(len(names))]
    columns: Columns = {f"WaldStatistic_{name}": test[0] for name, test in zip(names, tests, strict=True)}
    columns |= {f"WaldPvalue_{name}": test[1] for name, test in zip(names, tests, strict=True)}
    return columns | {"betaConv": _flags(fit.converged)}


def _lrt_columns(fit: ModelFit) -> Columns:
    assert fit.reduced is not None
    statistic, p_value = likelihood_ratio_test(fit.loglik, fit.reduced.loglik, fit.reduced.df)
    return {
        "LRTStatistic": statistic,
        "LRTPvalue": p_value,
        "fullBetaConv": _flags(fit.converged),
        "reducedBetaConv": _flags(fit.reduced.converged),
    }


def _flags(values: FloatArray) -> BooleanArray:
    """Return 0, 1 and NaN as nullable booleans."""
    missing = np.isnan(values)
    return BooleanArray(np.where(missing, 0.0, values).astype(np.bool_), missing)
