"""Values of linear mixed models with weights: fits and tests over all genes. G genes, n samples, p coefficients."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from countnest.arrays import FloatArray, IntArray, as_float
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.parallel.run import Engine
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import JointMixedTests, LinearMixedFits, MixedModel, MixedTests
from countnest.stats.mixed.tests import DegreesOfFreedom, contrast_tests, joint_tests, residual_df

__all__ = ["TEXT", "LinearData"]

TEXT = "fitting linear mixed models"


class LinearData:
    """Values (G, n) of a linear mixed model with their weights, and the engine that works on the genes.

    Parameters
    ----------
    values, weights
        (G, n) each; weights may be None.
    model
        The model matrix and the random terms.
    engine
        Threads and progress.
    """

    def __init__(self, values: FloatArray, weights: FloatArray | None, model: MixedModel, engine: Engine) -> None:
        self.values, self.weights, self.model, self._engine = values, weights, model, engine

    def _genes(self, fits: LinearMixedFits | None = None) -> Genes:
        arrays = {"values": self.values}
        if self.weights is not None:
            arrays["weights"] = self.weights
        by_gene = {**arrays, **({} if fits is None else _arrays(fits))}
        return Genes(None, np.ones((1, self.values.shape[1])), by_gene=by_gene)

    def fit(self, model: MixedModel, *, reml: bool, bounded: bool) -> LinearMixedFits:
        """Return the fits of a model, this one or another, to all genes."""
        return over_genes(
            _fit_chunk, self._genes(), engine=self._engine, text=TEXT, model=model, reml=reml, bounded=bounded
        )

    def contrast_tests(
        self, fits: LinearMixedFits, contrasts: FloatArray, df: DegreesOfFreedom | FloatArray
    ) -> MixedTests:
        """Return t tests of contrasts (k, p)."""
        genes, kind = self._genes(fits), (fits.reml, fits.bounded)
        return over_genes(
            _test_chunk, genes, engine=self._engine, model=self.model, kind=kind, contrasts=contrasts, df=df
        )

    def joint_tests(
        self, fits: LinearMixedFits, contrasts: FloatArray, df: DegreesOfFreedom | FloatArray
    ) -> JointMixedTests:
        """Return F tests that all contrasts (k, p) are zero."""
        genes, kind = self._genes(fits), (fits.reml, fits.bounded)
        return over_genes(
            _joint_chunk, genes, engine=self._engine, model=self.model, kind=kind, contrasts=contrasts, df=df
        )

    def residual_df(self, fits: LinearMixedFits) -> FloatArray:
        """Return the degrees of freedom (G,) of the residuals."""
        genes, kind = self._genes(fits), (fits.reml, fits.bounded)
        return over_genes(_df_chunk, genes, engine=self._engine, model=self.model, kind=kind)


def _arrays(fits: LinearMixedFits) -> dict[str, FloatArray | IntArray]:
    named = {field.name: getattr(fits, field.name) for field in fields(fits)}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def _given(chunk: GeneChunk) -> tuple[FloatArray, FloatArray | None]:
    weights = chunk.by_gene.get("weights")
    return as_float(chunk["values"]), None if weights is None else as_float(weights)


def _fits(chunk: GeneChunk, kind: tuple[bool, bool]) -> LinearMixedFits:
    reml, bounded = kind
    return LinearMixedFits(
        chunk["coefficients"], chunk["theta"], chunk["sigma"], chunk["criterion"], chunk["outcome"], reml, bounded
    )


def _fit_chunk(chunk: GeneChunk, *, model: MixedModel, reml: bool, bounded: bool) -> LinearMixedFits:
    values, weights = _given(chunk)
    return fit_linear(values, model, weights, reml=reml, bounded=bounded)


def _test_chunk(
    chunk: GeneChunk,
    *,
    model: MixedModel,
    kind: tuple[bool, bool],
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray,
) -> MixedTests:
    values, weights = _given(chunk)
    return contrast_tests(values, model, weights, _fits(chunk, kind), contrasts, df)


def _joint_chunk(
    chunk: GeneChunk,
    *,
    model: MixedModel,
    kind: tuple[bool, bool],
    contrasts: FloatArray,
    df: DegreesOfFreedom | FloatArray,
) -> JointMixedTests:
    values, weights = _given(chunk)
    return joint_tests(values, model, weights, _fits(chunk, kind), contrasts, df)


def _df_chunk(chunk: GeneChunk, *, model: MixedModel, kind: tuple[bool, bool]) -> FloatArray:
    values, weights = _given(chunk)
    return residual_df(values, model, weights, _fits(chunk, kind))
