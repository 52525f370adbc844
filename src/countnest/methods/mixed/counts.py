"""Mixed models of counts, as a fit that answers queries. G genes, n samples, p coefficients, k contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.counts import CountData
from countnest.containers.matrix import CountMatrix
from countnest.design.design import Design
from countnest.methods.chunks import GeneChunk, Genes, over_genes
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
from countnest.methods.mixed.count_answers import (
    TESTS,
    degrees_of_freedom,
    joint_answer,
    row_answers,
    separated_counts,
    standard_deviations,
)
from countnest.methods.mixed.model import mixed_model, models_block, recorded, without
from countnest.methods.mixed.protocol import MixedAccess, MixedComparison
from countnest.options import AltHypothesis, OutlierRule
from countnest.parallel.run import Engine
from countnest.stats.glm.inputs import LN2
from countnest.stats.mixed.count_records import CountMixedFits, ShrunkenDispersion
from countnest.stats.mixed.count_tests import count_likelihood_ratio
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.records import LikelihoodRatio, MixedModel

__all__ = ["INTEGRALS", "CountMethod", "CountMixedFit", "StoredCountMixed", "fit_all_counts"]

CountMethod = Literal["laplace", "laplace4", "agq"]
TEXT = "fitting mixed models of counts"


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredCountMixed:
    """What a data set keeps of the fit.

    Attributes
    ----------
    factors
        (1, n) size factors or (G, n) normalization factors.
    base_mean
        (G,) means of the normalized counts.
    fits
        The models.
    given, log_trend, prior_sd
        (G,) dispersions that were given; (G,) and a number, the prior of shrunken ones. None: they were estimated.
    df
        The rule for degrees of freedom.
    integral
        How random effects were integrated out.
    family
        'negative binomial' or 'Poisson'.
    """

    factors: FloatArray
    base_mean: FloatArray
    fits: CountMixedFits
    given: FloatArray | None
    log_trend: FloatArray | None
    prior_sd: float | None
    df: str
    integral: str
    family: str

    def bind(self, data: CountData, design: Design, engine: Engine) -> CountMixedFit:
        """Return the fit of the data set with these counts."""
        return CountMixedFit(self, data, design, engine)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts."""
        (n_genes, n), p = data.shape, design.matrix.shape[1]
        fits = self.fits
        q = sum(len(term.levels) * len(term.names) for term in design.random)
        shapes = {
            "coefficients": (fits.coefficients, (n_genes, p)),
            "covariances": (fits.covariance, (n_genes, p * (p + 1) // 2)),
            "random effects": (fits.effects, (n_genes, q)),
            "mean counts": (self.base_mean, (n_genes,)),
            "values of theta": (fits.theta, (n_genes, mixed_model(design).n_parameters)),
            **{f"values of {name}": (getattr(fits, name), (n_genes,)) for name in ("dispersion", "outcome")},
        }
        wrong = [
            f"its {name} have the shape {found.shape}" for name, (found, size) in shapes.items() if found.shape != size
        ]
        if self.factors.shape not in ((1, n), (n_genes, n)):
            wrong.append(f"its factors have the shape {self.factors.shape}")
        if self.df not in TESTS:
            wrong.append(f"its degrees of freedom are by a rule that is not known, {self.df!r}")
        return wrong

    @property
    def dispersion(self) -> FloatArray | ShrunkenDispersion | None:
        """What is known of the dispersions before the fit."""
        if self.log_trend is not None and self.prior_sd is not None:
            return ShrunkenDispersion(self.log_trend, self.prior_sd)
        return self.given


@dataclass(frozen=True, slots=True, eq=False)
class CountMixedFit(UnshrunkenFit):
    """Mixed models of counts; see `methods.fit.Fit`.

    Attributes
    ----------
    stored
        What was estimated.
    data, design
        The counts and the design.
    engine
        Works on the genes.
    """

    stored: StoredCountMixed
    data: CountData
    design: Design
    engine: Engine

    @property
    def method(self) -> str:
        """'negative binomial mixed model', or Poisson's."""
        return f"{self.stored.family} mixed model"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """T or Wald tests, also against a threshold, F tests of several rows, and likelihood ratio tests."""
        row, joint = TESTS[self.stored.df]
        return {"t": TestKind(row, has_threshold=True, joint_label=joint), "lrt": TestKind("LRT", null="")}

    @property
    def model(self) -> MixedModel:
        """The model matrix and the random term."""
        return mixed_model(self.design)

    @property
    def access(self) -> MixedAccess:
        """What the models tell of the genes: random effects, variances, fitted means, residuals."""
        from countnest.methods.mixed.count_access import CountAccess  # late: tests do without it

        return CountAccess(self, self.data.matrix, self.stored.factors, self.model, self.stored.fits)

    @property
    def comparison(self) -> MixedComparison:
        """The models as ones that are compared with others of the same counts."""
        from countnest.methods.mixed.count_comparison import ComparedCounts, CountComparison  # late: as `access`

        stored = self.stored
        own = ComparedCounts(
            self.data.matrix, stored.factors, stored.dispersion, stored.integral, stored.family, stored.fits
        )
        return CountComparison(own, self.design, self._refitted, self._with)

    def _refitted(self, model: MixedModel, reml: bool) -> CountMixedFits:
        stored = self.stored
        method = _method_of(stored.integral)
        return fit_all_counts(
            self.data.matrix, stored.factors, model, stored.dispersion, self.engine, reml=reml, method=method
        )

    def _with(self, design: Design, fits: CountMixedFits) -> CountMixedFit:
        return CountMixedFit(replace(self.stored, fits=fits), self.data, design, self.engine)

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): how fits ended, dispersions, likelihoods, coefficients, log2."""
        return self.access.estimates(self.design.names)

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        stored, fits = self.stored, self.stored.fits
        columns = {
            "code": np.where(self.never_counted, np.nan, fits.outcome.astype(np.float64)),
            "dispersion": fits.dispersion,
            **standard_deviations(self.design, self.model, fits),
        }
        details = recorded(
            self.design, stored.factors, family=stored.family, dispersions=self._how_dispersed,
            dispersion_prior_sd=stored.prior_sd, reml=fits.reml, integral=stored.integral, df=stored.df,
        )  # fmt: skip
        estimate = f"{'REML' if fits.reml else 'maximum likelihood'}, {stored.integral}"
        return FitNotes(estimate=estimate, columns=columns, details=details)

    @property
    def _how_dispersed(self) -> str | None:
        """How dispersions were found, in words; None: Poisson counts have none."""
        if self.stored.family == "Poisson":
            return None
        if self.stored.given is not None:
            return "given"
        shrunken = self.stored.prior_sd is not None
        return "shrunken towards a trend over the mean" if shrunken else "estimated gene by gene"

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Return whether the blocks have random intercepts, so that they may be compared."""
        return models_block(self.design, block)

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        found = row_answers(
            self.stored.fits, contrasts, self._df(contrasts), threshold=threshold, alternative=alternative,
            unchanged=unchanged,
        )  # fmt: skip
        if kind != "lrt":
            return found
        ratios = [self._ratio(contrast[np.newaxis]) for contrast in contrasts]
        statistic, p_value = (
            np.column_stack([getattr(each, name) for each in ratios]) for name in ("statistic", "p_value")
        )
        empty = unchanged & ~np.isnan(found.se)
        return RowTests(found.lfc, found.se, np.where(empty, 0.0, statistic), np.where(empty, 1.0, p_value))

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        if kind != "lrt":
            return joint_answer(self.stored.fits, contrasts, self._df(contrasts))
        ratio = self._ratio(contrasts)
        lfc = as_float(self.stored.fits.coefficients @ contrasts.T / LN2)
        return JointTest(lfc, ratio.statistic, ratio.p_value, ratio.df)

    def _df(self, contrasts: FloatArray) -> FloatArray:
        """Return the degrees of freedom (k,) of contrasts."""
        return degrees_of_freedom(self.stored.df, self.design, contrasts)

    def _ratio(self, contrasts: FloatArray) -> LikelihoodRatio:
        """Return likelihood ratio tests that all contrasts are zero, of fits by maximum likelihood."""
        full = self.model
        null = without(full, contrasts)
        larger, smaller = (self._refitted(model, False) for model in (full, null))
        return count_likelihood_ratio(full, larger, null, smaller)

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose maximum likelihood estimate is infinite."""
        return separated_counts(self.data.matrix, self.stored.factors, self.design, contrasts, self.engine)

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return that no p-value is withheld."""
        del rule, cooks_cutoff
        return nothing_withheld(len(self.base_mean))


# How tables call the ways to integrate random effects out.
INTEGRALS: Mapping[CountMethod, str] = {
    "laplace": "Laplace approximation",
    "laplace4": "Laplace approximation of the next order",
    "agq": "adaptive quadrature",
}


def _method_of(integral: str) -> CountMethod:
    return next(method for method, text in INTEGRALS.items() if text == integral)


def fit_all_counts(
    counts: CountMatrix,
    factors: FloatArray,
    model: MixedModel,
    dispersion: FloatArray | ShrunkenDispersion | None,
    engine: Engine,
    *,
    reml: bool,
    method: CountMethod,
) -> CountMixedFits:
    """Return mixed models of the counts of all genes.

    Parameters
    ----------
    counts
        (G, n)
    factors
        (1, n) size factors or (G, n) normalization factors.
    dispersion
        Given ones (G,), those with a prior, or None: estimated.
    """
    arrays, prior_sd = {}, None
    if isinstance(dispersion, ShrunkenDispersion):
        arrays, prior_sd = {"log_trend": dispersion.log_trend}, dispersion.prior_sd
    elif dispersion is not None:
        arrays = {"dispersion": dispersion}
    genes = Genes(counts, factors, by_gene=arrays)
    return over_genes(
        _count_chunk, genes, engine=engine, text=TEXT, model=model, prior_sd=prior_sd, reml=reml, method=method
    )


def _count_chunk(
    chunk: GeneChunk, *, model: MixedModel, prior_sd: float | None, reml: bool, method: CountMethod
) -> CountMixedFits:
    dispersion: FloatArray | ShrunkenDispersion | None = None
    if prior_sd is not None:
        dispersion = ShrunkenDispersion(as_float(chunk["log_trend"]), prior_sd)
    elif "dispersion" in chunk.by_gene:
        dispersion = as_float(chunk["dispersion"])
    offset = as_float(np.log(chunk.size_factors))
    return fit_counts(chunk.counts, offset, model, reml=reml, method=method, dispersion=dispersion)
