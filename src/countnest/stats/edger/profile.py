"""Adjusted profile likelihoods of dispersions. G genes, n samples, K dispersions.

Source: McCarthy, Chen and Smyth (2012), doi:10.1093/nar/gks042.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, as_float
from countnest.kernels.edger.profile import profile_chunk
from countnest.stats.edger.columns import Columns, without_samples
from countnest.stats.edger.glm import GAIN, GLMInputs, fit_from, fit_glm
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.moments import HALF_LOG_2PI, stirling_remainder
from countnest.stats.edger.zeros import exact_zeros, patterns

__all__ = ["CENTRE", "LOG_GRID", "ProfileSum", "adjusted_profile", "count_terms", "dispersion_grid"]

# Where exact zeros are looked for.
DISPERSION = 0.05
# Powers of two times the last number are the grid.
LOG_GRID = np.linspace(-10.0, 10.0, 21)
CENTRE = 0.1
# Fits at a grid of dispersions start near their end: a gain below this is enough for the likelihood.
GRID_GAIN = 1e-9
# Genes whose fits at all dispersions are made before those of the next genes.
BLOCK = 1024


def dispersion_grid(log_grid: FloatArray = LOG_GRID) -> FloatArray:
    """Return dispersions, 0.1 times powers of two."""
    return as_float(CENTRE * 2.0**log_grid)


def adjusted_profile(
    inputs: GLMInputs, columns: Columns, dispersions: FloatArray, level: Level | None = None
) -> FloatArray:
    """Return the adjusted profile log-likelihoods (G, K) of some dispersions.

    Samples without counts in groups without counts are left out, with the columns that they alone have; where no
    residual degrees of freedom remain the likelihood is 0 everywhere.
    """
    level = level or compat_level()
    unweighted = GLMInputs(inputs.counts, inputs.factors, np.ones((1, inputs.counts.shape[1])))
    zeros = exact_zeros(inputs.counts, fit_glm(unweighted, columns, DISPERSION, level=level).mu)
    profile = np.zeros((len(inputs.counts), len(dispersions)))
    for genes, pattern in patterns(zeros):
        if not pattern.any():
            profile[genes] = profile_on(inputs.at(genes), columns, dispersions, level)
            continue
        rest = without_samples(columns, pattern)
        if rest is not None:
            kept = np.flatnonzero(~pattern).astype(np.int64)
            profile[genes] = profile_on(inputs.at(genes, kept), rest, dispersions, level)
    return profile


def profile_on(inputs: GLMInputs, columns: Columns, dispersions: FloatArray, level: Level) -> FloatArray:
    """Return the adjusted profile log-likelihoods (G, K) with all samples and columns.

    Each fit starts from the one at the dispersion before; where deviances are exact, from where it is heading.
    """
    profile = np.empty((len(dispersions), len(inputs.counts)))
    for begin in range(0, len(inputs.counts), BLOCK):
        some = slice(begin, begin + BLOCK)
        _profile_of_block(inputs.at(some), columns, dispersions, level, profile[:, some])
    return profile.T


def _profile_of_block(
    inputs: GLMInputs, columns: Columns, dispersions: FloatArray, level: Level, profile_out: FloatArray
) -> None:
    """Write the adjusted profile log-likelihoods of some genes into `profile_out` (K, G)."""
    terms = count_terms(inputs.counts * inputs.weights)
    limit = GRID_GAIN if level.exact else GAIN
    before: FloatArray | None = None
    start: FloatArray | None = None
    for dispersion, out in zip(dispersions, profile_out, strict=True):
        mu, found = fit_from(inputs, columns, dispersion, start, level, limit)
        _write_profile(inputs, mu, terms, dispersion, columns, level, out)
        start = found
        if level.exact and before is not None:
            with np.errstate(invalid="ignore"):  # groups without counts
                start = 2.0 * found - before
        before = found


def _write_profile(
    inputs: GLMInputs,
    mu: FloatArray,
    terms: FloatArray,
    dispersion: float,
    columns: Columns,
    level: Level,
    profile_out: FloatArray,
) -> None:
    """Write the adjusted log-likelihoods of means (G, n) into `profile_out` (G,)."""
    plan = columns.searched(as_given=not level.exact).plan
    profile_chunk(
        inputs.counts, mu, inputs.weights, terms, dispersion, plan.index, plan.numbers,
        0.5 if level.half_floor else 1.0, profile_out,
    )  # fmt: skip


def count_terms(counts: FloatArray) -> FloatArray:
    """Return y log(y + 1) - y - log y! of counts y (G, n), what their likelihoods have whatever the dispersion."""
    one = counts + 1.0
    return as_float(1.0 - HALF_LOG_2PI - stirling_remainder(one) - 0.5 * np.log(one))


class ProfileSum:
    """The sum over genes of the adjusted profile log-likelihoods of a dispersion; all samples and columns count.

    Where deviances are exact, fits start from those at the dispersion before; elsewhere they start afresh, as R's.
    """

    def __init__(self, inputs: GLMInputs, columns: Columns, level: Level) -> None:
        self.inputs, self.columns, self.level = inputs, columns, level
        self.terms = count_terms(inputs.counts * inputs.weights)
        self.start: FloatArray | None = None

    def __call__(self, dispersion: float) -> float:
        """Return the sum at a dispersion."""
        inputs, level, found = self.inputs, self.level, np.empty(len(self.inputs.counts))
        mu, start = fit_from(inputs, self.columns, dispersion, self.start, level, GRID_GAIN if level.exact else GAIN)
        _write_profile(inputs, mu, self.terms, dispersion, self.columns, level, found)
        self.start = start if level.exact else None
        return float(found.sum())
