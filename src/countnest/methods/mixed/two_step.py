"""Two steps: statistics of all genes, and a mixture of genes with and without an effect over them. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import DesignError
from countnest.methods.chunks import expand
from countnest.stats.averaged.tails import normal_statistic
from countnest.stats.mixed.genome_wide import genome_wide
from countnest.stats.mixed.records import MixedModel
from countnest.stats.mixed.strata import strata_of
from countnest.stats.shrink.mixture import Posterior, ScaleMixture, posterior_of, scale_mixture, two_components

__all__ = ["SecondStep", "by_predicted_effects", "by_statistics", "moderated_kind", "normal_scores"]

SMALLEST = 5e-324  # p-values of 0 are taken for this


@dataclass(frozen=True, slots=True, eq=False)
class SecondStep:
    """Statistics (G,), the mixture over them, what it says of every gene, and effects (G,), log2."""

    statistic: FloatArray
    mixture: ScaleMixture
    posterior: Posterior
    effect: FloatArray


def moderated_kind(values: FloatArray, model: MixedModel, *, weighted: bool) -> str:
    """Return the moderated test that suits values (G, n): by strata where the layout is balanced, else dream's."""
    if weighted:
        return "dream"
    try:
        balanced = strata_of(values[:1], model).balanced
    except DesignError:
        return "dream"
    return "strata" if balanced else "dream"


def normal_scores(p_value: FloatArray, change: FloatArray) -> FloatArray:
    """Return standard normal statistics (G,) with these two-sided p-values and the signs of the changes."""
    with np.errstate(invalid="ignore"):
        half = np.log(np.maximum(p_value, SMALLEST)) - np.log(2.0)
    size = normal_statistic(as_float(np.where(np.isnan(half), np.nan, half)))
    return as_float(np.sign(change) * np.maximum(size, 0.0))


def by_statistics(
    p_value: FloatArray, change: FloatArray, statistic: FloatArray | None = None, df: FloatArray | None = None
) -> SecondStep:
    """Return the scale mixture over the statistics of tests, whose null distribution is that of the theory.

    Parameters
    ----------
    p_value, change
        (G,) two-sided p-values and log2 fold changes.
    statistic, df
        (G,) t statistics with a sign, and their degrees of freedom; None: normal scores of the p-values.

    Notes
    -----
    Normal scores of t statistics with few degrees of freedom are drawn together where they are large, as no mixture of
    normals is: too few genes would be taken for genes without effect. Effects are posterior means: changes, of which
    the part is kept that is no error.
    """
    z = normal_scores(p_value, change)
    if statistic is None or df is None:
        values, nu = z, np.full(len(z), np.inf)
    else:
        values, nu = as_float(np.where(np.isnan(p_value), np.nan, statistic)), df
    mixture = scale_mixture(values, nu)
    posterior = posterior_of(values, mixture, nu)
    return SecondStep(z, mixture, posterior, as_float(posterior.kept * change))


def by_predicted_effects(values: FloatArray, kept: BoolArray, model: MixedModel, contrast: FloatArray) -> SecondStep:
    """Return the mixture of two normals over the effects that one mixed model of all genes predicts.

    Parameters
    ----------
    values, kept
        (m, n) log counts of the genes `kept` (G,).
    model, contrast
        The model of a gene, and the comparison (p,) that is a random effect of the gene.
    """
    effects = expand(kept, genome_wide(values, model, contrast).effects)
    mixture = two_components(effects)
    return SecondStep(effects, mixture, posterior_of(effects, mixture), effects)
