"""Negative binomial mixed models of a study, with t and F tests by containment, or normal tests."""

from __future__ import annotations

import numpy as np
from scipy import stats

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.design.random.containment import containment_df
from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.laplace import CountMixedFits, fit_counts
from countnest.stats.mixed.records import Outcome

__all__ = ["adjusted", "count_tests", "fitted_counts"]

NO_TEST = (Outcome.SEPARATED, Outcome.CONSTANT, Outcome.NOT_FINITE)


def fitted_counts(dds: cn.DESeqDataSet, kept: np.ndarray, *, reml: bool) -> CountMixedFits:
    """Fit the genes (G,) that are kept."""
    factors = dds.estimate_size_factors().size_factors.to_numpy()
    counts = dds.counts().to_numpy(dtype=np.float64)[kept]
    return fit_counts(counts, np.log(factors)[np.newaxis], mixed_model(dds.design), reml=reml)


def count_tests(fits: CountMixedFits, query: BoundQuery, kept: np.ndarray) -> np.ndarray:
    """Return p-values (G,) of a query: by containment for fits by restricted likelihood, normal for others."""
    contrasts = query.matrix
    p = contrasts.shape[1]
    covariance = np.empty((len(fits.covariance), p, p))
    rows, columns = np.tril_indices(p)
    covariance[:, rows, columns] = covariance[:, columns, rows] = fits.covariance
    estimates = fits.coefficients @ contrasts.T
    variance = contrasts @ covariance @ contrasts.T
    tested = len(contrasts)
    usable = ~np.isin(fits.outcome, NO_TEST) & np.isfinite(variance).all(axis=(1, 2)) & np.isfinite(estimates).all(1)
    out = np.full(len(kept), np.nan)
    solved = np.linalg.solve(variance[usable], estimates[usable][:, :, np.newaxis])[:, :, 0]
    statistic = (solved * estimates[usable]).sum(axis=1) / tested
    df = containment_df(query.design, contrasts).min()
    found = stats.f.sf(statistic, tested, df) if fits.reml else stats.chi2.sf(statistic * tested, tested)
    out[np.flatnonzero(kept)[usable]] = found
    return out


def adjusted(p: np.ndarray) -> np.ndarray:
    """Adjust p-values (G,) by Benjamini and Hochberg; nan stays out."""
    out, there = np.full(len(p), np.nan), ~np.isnan(p)
    out[there] = stats.false_discovery_control(p[there]) if there.any() else 1.0
    return out
