"""Shrunken log fold changes: any contrast as a coefficient, its posterior, and the rates of false signs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.design.build import build_design
from countnest.design.design import Design
from countnest.errors import CountnestError, CountnestWarning
from countnest.methods.chunks import GeneChunk, Genes, over_genes, without_counts
from countnest.methods.deseq2.stages import Dispersed, Estimates
from countnest.parallel.run import Engine
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.shrink.apeglm import ApeglmFit, prior_scale, shrink_coefficient, swap_in
from countnest.stats.shrink.ashr import adaptive_shrinkage

__all__ = ["ApeglmOptions", "ShrunkenChanges", "coefficient_for", "shrink_apeglm", "shrink_ashr"]

# So many changes of reference levels are tried before the contrast takes the place of one coefficient.
MAX_RECODINGS = 64
# Of the Cauchy prior where it is not adapted to the data, natural log: the default of apeglm.
FIXED_SCALE = 1.0
# Weights of coefficients that differ by less are the same.
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkenChanges:
    """Shrunken log2 fold changes.

    Attributes
    ----------
    lfc, se
        (G,) posterior modes (apeglm) or means (ashr), and posterior standard deviations, log2; NaN where there is none.
    rate
        (G,) probabilities that the fold change has the other sign or is smaller than the threshold.
    scale
        Of the Cauchy prior of apeglm, log2.
    failed
        (G,) fitted genes without a result; None where a result needs no search.
    """

    lfc: FloatArray
    se: FloatArray
    rate: FloatArray
    scale: float | None = None
    failed: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class ApeglmOptions:
    """Options of apeglm.

    Attributes
    ----------
    threshold
        Of `ShrunkenChanges.rate`, log2.
    converge
        See `stats.shrink.apeglm.shrink_coefficient`.
    adapt
        Whether the estimates give the scale of the prior; otherwise it is 1, natural log.
    """

    threshold: float = 0.0
    converge: bool = False
    adapt: bool = True


def shrink_apeglm(
    design: Design,
    contrast: FloatArray,
    estimates: Estimates,
    counts: CountMatrix,
    state: Dispersed,
    options: ApeglmOptions,
    engine: Engine,
) -> ShrunkenChanges:
    """Shrink one contrast of the coefficients under a Cauchy prior.

    Parameters
    ----------
    design, contrast
        The design, and the weights (p,) of its coefficients.
    estimates
        (G, 1) maximum likelihood estimates and standard errors of the contrast, which give the scale of the prior.
    counts
        (G, n) as observed: outliers that were replaced for the tests count here, for the prior has heavy tails.
    state
        Of the analysis, with dispersions.
    options
        How to shrink.
    engine
        Threads, chunks, progress.

    Notes
    -----
    R counterpart: DESeq2::lfcShrink(type = "apeglm", apeAdapt = adapt).
    """
    matrix, place = coefficient_for(design, contrast)
    alpha = state.dispersions.final
    genes = Genes(counts, state.factors, state.raw_weights, {"dispersion": alpha})
    rows = np.isfinite(alpha) & ~without_counts(genes, np.ones((1, counts.shape[1]), np.bool_), engine)[:, 0]
    scale = FIXED_SCALE
    if options.adapt:
        scale = prior_scale(estimates.lfc[:, 0] * LN2, estimates.se[:, 0] * LN2)
    fit = over_genes(
        _apeglm_chunk, genes.where(rows), layout=Layout.of(matrix), place=place, scale=scale, converge=options.converge,
        engine=engine, text="shrinking log fold changes (apeglm)",
    )  # fmt: skip
    rate = fit.false_sign_or_small(options.threshold * LN2)
    return ShrunkenChanges(fit.mode / LN2, fit.sd / LN2, rate, scale / LN2, rows & ~fit.found)


def _apeglm_chunk(chunk: GeneChunk, *, layout: Layout, place: int, scale: float, converge: bool) -> ApeglmFit:
    return shrink_coefficient(chunk.counts, chunk.inputs(), layout, place=place, scale=scale, converge=converge)


def shrink_ashr(lfc: FloatArray, se: FloatArray, *, threshold: float = 0.0) -> ShrunkenChanges:
    """Shrink log2 fold changes (G,) with standard errors under a mixture of normals; missing ones stay missing.

    Notes
    -----
    R counterpart: DESeq2::lfcShrink(type = "ashr").
    """
    fit = adaptive_shrinkage(lfc, se)
    return ShrunkenChanges(fit.mean, fit.sd, fit.false_sign_or_small(threshold))


# A contrast as a coefficient


def coefficient_for(design: Design, contrast: FloatArray) -> tuple[FloatArray, int]:
    """Return a model matrix (n, p) of the same model in which a contrast (p,) is one coefficient, and its place.

    The prior of apeglm is on coefficients, so the answer depends a little on what the other coefficients mean. A
    contrast that changed reference levels would make a coefficient is given those levels, as few of them changed as
    it needs: C against B, in a design with the reference A, is shrunken as in the same design with the reference B. A
    contrast that is never a coefficient takes the place of one, and the others stay.
    """
    if np.count_nonzero(contrast) == 1:
        place = int(np.flatnonzero(contrast)[0])
        matrix = design.matrix.copy()
        matrix[:, place] /= contrast[place]
        return as_float(matrix), place
    mirrored = None
    for matrix in itertools.islice(_recoded(design, contrast), MAX_RECODINGS):
        weights = _meaning(design.matrix, matrix)
        if weights is None:
            continue
        places = np.flatnonzero(np.abs(weights - contrast).max(axis=1) < TOLERANCE)
        if len(places):
            return matrix, int(places[0])
        places = np.flatnonzero(np.abs(weights + contrast).max(axis=1) < TOLERANCE)
        if len(places) and mirrored is None:
            mirrored = matrix.copy()
            mirrored[:, places[0]] *= -1.0
            mirrored_place = int(places[0])
    return swap_in(design.matrix, contrast) if mirrored is None else (mirrored, mirrored_place)


def _recoded(design: Design, contrast: FloatArray) -> Iterator[FloatArray]:
    """Yield the model matrices after changes of the reference levels of the factors concerned, fewest first."""
    if design.formula is None:
        return
    options = design.level_options()
    concerned = {name for place in np.flatnonzero(contrast) for name in design.terms[place]}
    factors = [name for name in design.levels if name in concerned]
    for number in range(1, len(factors) + 1):
        for chosen in itertools.combinations(factors, number):
            for levels in itertools.product(*(design.levels[name][1:] for name in chosen)):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", CountnestWarning)  # the design has said it
                        yield build_design(
                            design.formula,
                            design.sheet,
                            reference=options["reference"] | dict(zip(chosen, levels, strict=True)),
                            levels=options["levels"],
                            numeric_ok=design.numbers,
                        ).matrix
                except CountnestError:
                    continue


def _meaning(matrix: FloatArray, recoded: FloatArray) -> FloatArray | None:
    """Return the coefficients of a recoded matrix as contrasts (p, p) of the fitted ones; None for another model."""
    if matrix.shape != recoded.shape:
        return None
    weights: FloatArray = np.linalg.lstsq(recoded, matrix, rcond=None)[0].astype(np.float64)
    same = np.abs(recoded @ weights - matrix).max() < TOLERANCE * max(1.0, np.abs(matrix).max())
    return weights if same else None
