"""Linear mixed models of log counts, as a fit that answers queries. G genes, n samples, p coefficients, k contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.containers.counts import CountData
from countnest.design.design import Design
from countnest.design.random.containment import containment_df
from countnest.errors import OptionError
from countnest.methods.chunks import GeneChunk, Genes, expand, over_genes
from countnest.methods.fit import (
    FitNotes,
    JointTest,
    RowTests,
    TestKind,
    UnshrunkenFit,
    Withheld,
    nothing_withheld,
    register_fit,
)
from countnest.methods.mixed.averaged import averaged_joint, averaged_rows
from countnest.methods.mixed.linear_kinds import DF_NAMES, kinds_of
from countnest.methods.mixed.model import mixed_model, models_block, recorded, without
from countnest.methods.mixed.protocol import MixedAccess, MixedComparison
from countnest.options import AltHypothesis, OutlierRule
from countnest.parallel.run import Engine
from countnest.stats.mixed.averaged import AveragedVariances, averaged_variances, require_one_ratio
from countnest.stats.mixed.comparisons import likelihood_ratio
from countnest.stats.mixed.dream import moderated_joint_tests, moderated_tests
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import JointMixedTests, LikelihoodRatio, LinearMixedFits, MixedModel, MixedTests
from countnest.stats.mixed.strata import Strata, strata_joint_tests, strata_of, strata_tests
from countnest.stats.mixed.tests import DegreesOfFreedom, contrast_tests, joint_tests, residual_df
from countnest.stats.moderated.t_and_f import t_tests_of_rows

__all__ = ["LinearData", "LinearMixedFit", "StoredLinearMixed"]

TEXT = "fitting linear mixed models"


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredLinearMixed:
    """What a data set keeps of the fit.

    Attributes
    ----------
    kept, base_mean
        (G,) the genes that were fitted, and the means of the normalized counts of all genes.
    values, weights
        (m, n) what was fitted, of the m genes that were, with its weights; None: all are one.
    fits
        The models.
    df
        The rule for degrees of freedom.
    scale
        What the values are, in words: 'log2 normalized counts'.
    factors
        (1, n) size factors or (G, n) normalization factors of the values; None: they were given, or have effective
        library sizes instead.
    """

    kept: BoolArray
    base_mean: FloatArray
    values: FloatArray
    weights: FloatArray | None
    fits: LinearMixedFits
    df: str
    scale: str
    factors: FloatArray | None = None

    def bind(self, data: CountData, design: Design, engine: Engine) -> LinearMixedFit:
        """Return the fit of the data set with these counts."""
        return LinearMixedFit(self, data, design, engine)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts."""
        (n_genes, n), p, m = data.shape, design.matrix.shape[1], int(self.kept.sum())
        t = mixed_model(design).n_parameters
        fits = self.fits
        shapes = {
            "mask of genes": (self.kept, (n_genes,)),
            "mean counts": (self.base_mean, (n_genes,)),
            "values": (self.values, (m, n)),
            "coefficients": (fits.coefficients, (m, p)),
            "variance parameters": (fits.theta, (m, t)),
            **{f"values of {name}": (getattr(fits, name), (m,)) for name in ("sigma", "criterion", "outcome")},
        }
        if self.weights is not None:
            shapes["weights"] = (self.weights, (m, n))
        wrong = [
            f"its {name} have the shape {found.shape}" for name, (found, size) in shapes.items() if found.shape != size
        ]
        if self.df not in DF_NAMES:
            wrong.append(f"its degrees of freedom are by a rule that is not known, {self.df!r}")
        return wrong


@dataclass(frozen=True, slots=True, eq=False)
class LinearMixedFit(UnshrunkenFit):
    """Linear mixed models of log counts; see `methods.fit.Fit`.

    Attributes
    ----------
    stored
        What was estimated.
    data, design
        The counts and the design.
    engine
        Works on the genes.
    """

    stored: StoredLinearMixed
    data: CountData
    design: Design
    engine: Engine

    @property
    def method(self) -> str:
        """'linear mixed model'."""
        return "linear mixed model"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """T tests, also against a threshold, F tests of several rows, likelihood ratio tests, and moderated tests."""
        return kinds_of(self.stored.df)

    @property
    def _is_normal(self) -> bool:
        """Whether tests have infinite degrees of freedom."""
        return self.stored.df == "infinite"

    @property
    def model(self) -> MixedModel:
        """The model matrix and the random terms."""
        return mixed_model(self.design)

    @property
    def access(self) -> MixedAccess:
        """What the models tell of the genes: random effects, variances, fitted values, residuals."""
        from countnest.methods.mixed.linear_access import LinearAccess  # late: tests do without it

        stored = self.stored
        return LinearAccess(self, stored.kept, stored.values, stored.weights, self.model, stored.fits)

    @property
    def comparison(self) -> MixedComparison:
        """The models as ones that are compared with others of the same values."""
        from countnest.methods.mixed.linear_comparison import Compared, LinearComparison  # late: as `access`

        stored = self.stored
        own = Compared(stored.kept, stored.values, stored.weights, stored.scale, stored.fits)
        return LinearComparison(own, self.design, self._refitted, self._with)

    def _refitted(self, model: MixedModel, reml: bool) -> LinearMixedFits:
        return self._genes.fit(model, reml=reml, bounded=self.stored.fits.bounded)

    def _with(self, design: Design, fits: LinearMixedFits) -> LinearMixedFit:
        return LinearMixedFit(replace(self.stored, fits=fits), self.data, design, self.engine)

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): how fits ended, standard deviations and likelihoods, coefficients, log2."""
        return self.access.estimates(self.design.names)

    @property
    def _genes(self) -> LinearData:
        return LinearData(self.stored.values, self.stored.weights, self.model, self.engine)

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        stored, fits = self.stored, self.stored.fits
        details = recorded(
            self.design, stored.factors, genes_fitted=int(stored.kept.sum()), values=stored.scale,
            weights=stored.weights is not None, reml=fits.reml, bounded=fits.bounded, df=stored.df,
        )  # fmt: skip
        columns = {"code": expand(stored.kept, fits.outcome.astype(np.float64))}
        estimate = f"{'REML' if fits.reml else 'maximum likelihood'} of {stored.scale}"
        return FitNotes(estimate=estimate, columns=columns, details=details)

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Return whether the blocks have random intercepts, so that they may be compared."""
        return models_block(self.design, block)

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        if kind == "averaged":
            return averaged_rows(self._averaged(), self.stored.kept, contrasts, unchanged, threshold, alternative)
        found = self._tests(contrasts, kind)
        if kind == "lrt":
            return self._whole(found, *self._ratios(contrasts), 1.0, unchanged, None)
        statistic, p_value = t_tests_of_rows(found.estimates, found.se, found.df, threshold, alternative)
        df = None if kind == "t" and self._is_normal else found.df
        return self._whole(found, statistic, p_value, 0.0 if alternative == "lessAbs" else 1.0, unchanged, df)

    def _tests(self, contrasts: FloatArray, kind: str) -> MixedTests:
        """Return the tests of the contrasts, of the genes that were fitted."""
        if kind == "strata":
            return strata_tests(self._strata(), contrasts)
        genes, fits = self._genes, self.stored.fits
        if kind == "dream":
            found = genes.contrast_tests(fits, contrasts, "satterthwaite")
            return moderated_tests(found, fits.sigma, genes.residual_df(fits))
        return genes.contrast_tests(fits, contrasts, self._rule(contrasts))

    def _strata(self) -> Strata:
        if self.stored.weights is not None:
            raise OptionError("tests by strata, and averaged ones, are for values without weights: fit values='log2'.")
        return strata_of(self.stored.values, self.model)

    def _averaged(self) -> AveragedVariances:
        require_one_ratio(self.model)
        return averaged_variances(self.stored.values, self.model, self._strata())

    def _rule(self, contrasts: FloatArray) -> DegreesOfFreedom | FloatArray:
        """Return the rule for degrees of freedom, or the degrees of freedom (k,) of contrasts where it gives them."""
        if self.stored.df == "containment":
            return containment_df(self.design, contrasts)
        return cast("DegreesOfFreedom", self.stored.df)

    def _whole(
        self,
        found: MixedTests,
        statistic: FloatArray,
        p_value: FloatArray,
        of_unchanged: float,
        unchanged: BoolArray,
        df: FloatArray | None,
    ) -> RowTests:
        """Return the tests of all genes; those without counts in what a row compares have no change."""
        kept = self.stored.kept
        lfc, se, stat, p = (expand(kept, each) for each in (found.estimates, found.se, statistic, p_value))
        empty = unchanged & ~np.isnan(stat)
        return RowTests(
            np.where(empty, 0.0, lfc), se, np.where(empty, 0.0, stat), np.where(empty, of_unchanged, p),
            df=None if df is None else expand(kept, df),
        )  # fmt: skip

    def _ratios(self, contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return likelihood ratio statistics and p-values (m, k) of single contrasts."""
        found = [self._ratio(contrast[np.newaxis]) for contrast in contrasts]
        return np.column_stack([each.statistic for each in found]), np.column_stack([each.p_value for each in found])

    def _ratio(self, contrasts: FloatArray) -> LikelihoodRatio:
        """Return the likelihood ratio test that all contrasts are zero, of fits by maximum likelihood."""
        stored, full = self.stored, self.model
        null = without(full, contrasts)
        larger, smaller = (self._genes.fit(model, reml=False, bounded=stored.fits.bounded) for model in (full, null))
        return likelihood_ratio(full, larger, null, smaller)

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        stored = self.stored
        if kind == "averaged":
            return averaged_joint(self._averaged(), stored.kept, contrasts)
        lfc = expand(stored.kept, stored.fits.coefficients @ contrasts.T)
        if kind == "lrt":
            ratio = self._ratio(contrasts)
            return JointTest(lfc, expand(stored.kept, ratio.statistic), expand(stored.kept, ratio.p_value), ratio.df)
        found = self._joint_tests(contrasts, kind)
        statistic, p_value, df_left = (expand(stored.kept, each) for each in (found.statistic, found.p_value, found.df))
        rank = int(np.linalg.matrix_rank(contrasts))
        if self._is_normal:
            return JointTest(lfc, statistic * rank, p_value, rank)
        return JointTest(lfc, statistic, p_value, rank, df_left)

    def _joint_tests(self, contrasts: FloatArray, kind: str) -> JointMixedTests:
        """Return the F test of all contrasts, of the genes that were fitted."""
        if kind == "strata":
            return strata_joint_tests(self._strata(), contrasts)
        genes, fits = self._genes, self.stored.fits
        if kind == "dream":
            found = genes.joint_tests(fits, contrasts, "satterthwaite")
            return moderated_joint_tests(found, fits.sigma, genes.residual_df(fits))
        rule = self._rule(contrasts)
        return genes.joint_tests(fits, contrasts, rule if isinstance(rule, str) else as_float(np.min(rule)))

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return that no estimate is infinite: a constant is added to all counts."""
        return np.zeros((len(self.base_mean), len(contrasts)), dtype=np.bool_)

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes that were not fitted for their low counts; no p-value is withheld."""
        del rule, cooks_cutoff
        none = nothing_withheld(len(self.base_mean))
        return Withheld(none.outlier, none.at_bound, none.emptied, filtered=~self.stored.kept)


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
