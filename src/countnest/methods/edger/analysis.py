"""edgeR's analysis in its order: abundances, dispersions, models. G genes, n samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from countnest.arrays import FloatArray, as_float, rows_of
from countnest.containers.matrix import CountMatrix
from countnest.errors import counted, warn
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.edger.model import EdgeRAnalysis, EdgeRInput, EdgeROptions, inputs_of
from countnest.methods.edger.steps import QuasiOptions, adjusted_quasi, fit_model, legacy_quasi
from countnest.parallel.run import Engine
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.dispersion import (
    DispersionInputs,
    Dispersions,
    common_dispersion,
    dispersions_of_profile,
    genes_that_count,
)
from countnest.stats.edger.glm import GLMInputs
from countnest.stats.edger.levels import Level, compat_level
from countnest.stats.edger.profile import adjusted_profile, dispersion_grid
from countnest.stats.edger.quasi import highest_genes, share_of_highest
from countnest.stats.norm.abundance import DISPERSION, ave_log_cpm

__all__ = ["analyse", "dispersions_of"]

# Of the genes with a trend of dispersions: the share of highest abundance whose mean is the dispersion of all.
TREND_SHARE = 0.1
DISPERSION_TEXT = "estimating dispersions"


def analyse(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    library: FloatArray,
    options: EdgeROptions,
    engine: Engine,
    estimated: Dispersions | None = None,
) -> EdgeRAnalysis:
    """Return the models of all kept genes that the test needs.

    Parameters
    ----------
    counts
        (G, n).
    given
        What genes are fitted to; its abundances are made here.
    library
        (n,) effective library sizes, of the abundances.
    estimated
        Dispersions of the kept genes that were estimated before; None: they are estimated where they are needed.
    """
    level = compat_level(given.compat)
    legacy = not level.quasi_v4 if options.legacy is None else options.legacy
    needed = legacy or options.test == "lrt" or options.estimates_first
    if estimated is None and options.dispersion is None and needed:
        estimated = dispersions_of(counts, given, columns, library, options, engine)
    given = replace(given, abundance=_abundances(counts, given, library, _known(estimated, options, level, legacy)))
    ratio = None
    of_gene = options.dispersion if estimated is None else expand(given.kept, estimated.tagwise)
    if of_gene is not None:
        ratio = fit_model(counts, given, columns, of_gene, engine)
    quasi = None
    if legacy or options.test == "ql":
        moderation = QuasiOptions(options.robust, given.abundance if options.abundance_trend else None)
        if legacy:
            trend = options.dispersion if estimated is None else expand(given.kept, estimated.trended)
            assert trend is not None
            quasi = legacy_quasi(counts, given, columns, trend, moderation, engine)
        else:
            common = _dispersion_of_all(counts, given, columns, estimated, options.dispersion)
            quasi = adjusted_quasi(counts, given, columns, common, moderation, engine)
    means = _base_means(counts, given, engine)
    return EdgeRAnalysis(given, means, quasi, ratio, options.test, library, options)


def dispersions_of(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    library: FloatArray,
    options: EdgeROptions,
    engine: Engine,
) -> Dispersions:
    """Return the common, trended and tagwise dispersions of the kept genes; arguments as those of `analyse`."""
    level, inputs = compat_level(given.compat), _inputs(counts, given)
    some = genes_that_count(inputs, columns)
    rows = np.zeros(len(given.kept), dtype=np.bool_)
    rows[np.flatnonzero(given.kept)[some]] = True
    genes = Genes(counts, given.factors, given.weights).where(rows)
    profile = over_genes(_profile_chunk, genes, columns=columns, level=level, engine=engine, text=DISPERSION_TEXT)
    study = DispersionInputs(inputs, columns, library)
    return dispersions_of_profile(profile[rows], some, study, trend=options.trend, robust=options.robust, level=level)


def _profile_chunk(chunk: GeneChunk, *, columns: Columns, level: Level) -> FloatArray:
    return adjusted_profile(inputs_of(chunk), columns, dispersion_grid(), level)


def _known(estimated: Dispersions | None, options: EdgeROptions, level: Level, legacy: bool) -> float:
    """Return the dispersion of average abundances: the common one, where the release uses it."""
    if estimated is None or (options.test == "ql" and not legacy and not level.stored_trend):
        return DISPERSION
    return estimated.common


def _inputs(counts: CountMatrix, given: EdgeRInput) -> GLMInputs:
    """Return what the kept genes are fitted to."""
    rows = np.flatnonzero(given.kept).astype(np.int64)
    weights = None if given.weights is None else given.weights[rows]
    factors = rows_of(given.factors, rows)
    return GLMInputs.of(counts.read(rows), factors, weights)


def _abundances(counts: CountMatrix, given: EdgeRInput, library: FloatArray, dispersion: float) -> FloatArray:
    inputs = _inputs(counts, given)
    weights = None if given.weights is None else inputs.weights
    return expand(given.kept, ave_log_cpm(inputs.counts, library, dispersion, weights=weights))


def _dispersion_of_all(
    counts: CountMatrix,
    given: EdgeRInput,
    columns: Columns,
    estimated: Dispersions | None,
    dispersion: FloatArray | None,
) -> FloatArray:
    """Return the dispersions (G,) of quasi-likelihood, one for all genes unless they are given."""
    level = compat_level(given.compat)
    if dispersion is not None:
        _warn_of_large(int(np.count_nonzero(dispersion[given.kept] > level.largest_dispersion)), level)
        return np.minimum(dispersion, level.largest_dispersion)
    abundance = given.abundance[given.kept]
    if estimated is not None and level.stored_trend:
        common = float(estimated.trended[highest_genes(abundance, TREND_SHARE)].mean())
    else:
        genes = highest_genes(abundance, share_of_highest(len(abundance), columns.residual_df))
        common = common_dispersion(_inputs(counts, given).at(genes), columns, abundance[genes], level=level)
    _warn_of_large(len(abundance) if common > level.largest_dispersion else 0, level)
    return np.full(len(given.kept), min(common, level.largest_dispersion))


def _warn_of_large(n_genes: int, level: Level) -> None:
    """Warn of genes whose dispersion is above the largest that quasi-likelihood uses."""
    if n_genes:
        warn(
            f"{counted(n_genes, 'gene')} with a dispersion above {level.largest_dispersion:g}, the largest that "
            "quasi-likelihood uses, as in R: they have that one. Counts that vary so much are rarely replicates; look "
            "at the samples. Likelihood ratio tests, test='lrt', use dispersions as they are."
        )


def _base_means(counts: CountMatrix, given: EdgeRInput, engine: Engine) -> FloatArray:
    return over_genes(_base_mean_chunk, Genes(counts, given.factors), engine=engine)


def _base_mean_chunk(chunk: GeneChunk) -> FloatArray:
    logs = np.log(chunk.size_factors)
    relative = np.exp(logs - logs.mean(axis=1, keepdims=True))
    return as_float((chunk.counts / relative).mean(axis=1))
