"""Dispersions of groups of samples, by the likelihood of counts given the sums of their groups. G genes, n samples.

Sources: Robinson and Smyth (2007), doi:10.1093/bioinformatics/btm453; (2008), doi:10.1093/biostatistics/kxm030.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.special

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.dispersion import DispersionInputs, Dispersions, dispersions_of_profile, genes_that_count
from countnest.stats.edger.glm import GLMInputs
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.profile import dispersion_grid
from countnest.stats.edger.pseudo import equalized_counts
from countnest.stats.moderated.search import find_minimum

__all__ = ["classic_dispersions", "conditional_likelihood"]

# The dispersion of the first pseudo-counts; the search for the common one, by its share phi / (1 + phi).
FIRST, SHARES, TOLERANCE = 0.01, (1e-4, 100.0 / 101.0), 1e-6


def classic_dispersions(
    counts: FloatArray,
    library: FloatArray,
    groups: Sequence[BoolArray],
    *,
    robust: bool = False,
    level: Level | None = None,
) -> Dispersions:
    """Return common, trended and tagwise dispersions of groups of samples.

    Parameters
    ----------
    counts
        (G, n).
    library
        (n,) effective library sizes.
    groups
        Masks (n,) of the groups, one or more; each sample is in one of them.
    robust
        Whether genes with outlying dispersions have fewer prior degrees of freedom.
    level
        Whose behaviour this is; None: the newest, with exact numbers.

    Notes
    -----
    R counterpart: edgeR::estimateDisp without a design.
    """
    columns = Columns.of(np.column_stack(groups).astype(np.float64))
    study = DispersionInputs(GLMInputs.of(counts, library), columns, library)
    genes = genes_that_count(study.inputs, columns)
    own = as_float(counts[genes])

    def equalized(dispersion: float) -> FloatArray:
        return equalized_counts(own, library, np.full(len(own), dispersion), groups)

    pseudo = equalized(FIRST)

    def loss(share: float) -> float:
        return -float(conditional_likelihood(pseudo, groups, share / (1.0 - share)).sum())

    share = find_minimum(loss, *SHARES, TOLERANCE)
    pseudo = equalized(share / (1.0 - share))
    profile = np.column_stack([conditional_likelihood(pseudo, groups, float(each)) for each in dispersion_grid()])
    return dispersions_of_profile(
        as_float(profile), genes, study, trend=True, robust=robust, level=level or compat_level()
    )


def conditional_likelihood(pseudo: FloatArray, groups: Sequence[BoolArray], dispersion: float) -> FloatArray:
    """Return the log-likelihoods (G,) of pseudo-counts (G, n) given the sums of their groups, but for constants."""
    gammaln, size = scipy.special.gammaln, 1.0 / dispersion
    found = np.zeros(len(pseudo))
    for group in groups:
        y, n = pseudo[:, group], int(np.count_nonzero(group))
        found += gammaln(y + size).sum(axis=1) - n * gammaln(size)
        found += gammaln(n * size) - gammaln(y.sum(axis=1) + n * size)
    return found
