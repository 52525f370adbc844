"""Negative binomial mixed models of a study, with t and F tests by containment, or normal tests."""

from __future__ import annotations

import numpy as np
from scipy import stats

import countnest as cn
from countnest.api.query import BoundQuery
from countnest.design.random.containment import containment_df
from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.count_records import CountMixedFits
from countnest.stats.mixed.count_tests import count_contrast_tests, count_joint_tests
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.records import Outcome

__all__ = ["adjusted", "count_tests", "fitted_counts", "row_estimates"]


def fitted_counts(dds: cn.DESeqDataSet, kept: np.ndarray, *, reml: bool) -> CountMixedFits:
    """Fit the genes (G,) that are kept."""
    factors = dds.estimate_size_factors().size_factors.to_numpy()
    counts = dds.counts().to_numpy(dtype=np.float64)[kept]
    return fit_counts(counts, np.log(factors)[np.newaxis], mixed_model(dds.design), reml=reml)


def count_tests(fits: CountMixedFits, query: BoundQuery, kept: np.ndarray) -> np.ndarray:
    """Return p-values (G,) of a query: by containment for fits by restricted likelihood, normal for others.

    Genes with a separated coefficient have none.
    """
    contrasts = query.matrix
    df = containment_df(query.design, contrasts).min() if fits.reml else np.inf
    test = count_joint_tests if len(contrasts) > 1 else count_contrast_tests
    out = np.full(len(kept), np.nan)
    p = test(fits, contrasts, np.array(df)).p_value.ravel()
    out[kept] = np.where(fits.outcome == Outcome.SEPARATED, np.nan, p)
    return out


def row_estimates(fits: CountMixedFits, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return estimates (G,) and standard errors of a contrast (p,), those with the uncertainty of the variances."""
    found = count_contrast_tests(fits, contrast[np.newaxis], np.array(np.inf), full=True)
    return found.estimates[:, 0], found.se[:, 0]


def adjusted(p: np.ndarray) -> np.ndarray:
    """Adjust p-values (G,) by Benjamini and Hochberg; nan stays out."""
    out, there = np.full(len(p), np.nan), ~np.isnan(p)
    out[there] = stats.false_discovery_control(p[there]) if there.any() else 1.0
    return out
