"""Mixed models of counts by penalised quasi-likelihood, as a fit that answers queries. G genes, n samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from countnest.methods.mixed.model import mixed_model, models_block, recorded
from countnest.methods.mixed.protocol import MixedAccess
from countnest.options import AltHypothesis, OutlierRule
from countnest.parallel.run import Engine
from countnest.stats.mixed.count_records import QuasiFits
from countnest.stats.mixed.laplace import fixed_effects
from countnest.stats.mixed.pql import fit_pql
from countnest.stats.mixed.records import MixedModel

__all__ = ["QuasiMixedFit", "StoredQuasiMixed", "fit_all_quasi"]

TEXT = "fitting mixed models of counts"
NO_LIKELIHOOD = (
    "Penalised quasi-likelihood has no likelihood to compare: test with 't', or fit with "
    "cn.glmm(dds, method='laplace') for likelihood ratio tests."
)


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredQuasiMixed:
    """What a data set keeps of the fit.

    Attributes
    ----------
    factors
        (1, n) size factors or (G, n) normalization factors.
    base_mean
        (G,) means of the normalized counts.
    fits
        The models.
    df
        The rule for degrees of freedom.
    family
        'negative binomial' or 'Poisson'.
    """

    factors: FloatArray
    base_mean: FloatArray
    fits: QuasiFits
    df: str
    family: str

    def bind(self, data: CountData, design: Design, engine: Engine) -> QuasiMixedFit:
        """Return the fit of the data set with these counts."""
        return QuasiMixedFit(self, data, design, engine)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts."""
        (n_genes, n), p, model = data.shape, design.matrix.shape[1], mixed_model(design)
        fits, q = self.fits, sum(term.n_levels * term.n_columns for term in model.terms)
        shapes = {
            "coefficients": (fits.coefficients, (n_genes, p)),
            "covariances": (fits.covariance, (n_genes, p * (p + 1) // 2)),
            "random effects": (fits.effects, (n_genes, q)),
            "variance parameters": (fits.theta, (n_genes, model.n_parameters)),
            "mean counts": (self.base_mean, (n_genes,)),
            **{
                f"values of {name}": (getattr(fits, name), (n_genes,)) for name in ("residual", "dispersion", "outcome")
            },
        }
        wrong = [
            f"its {name} have the shape {found.shape}" for name, (found, size) in shapes.items() if found.shape != size
        ]
        if self.factors.shape not in ((1, n), (n_genes, n)):
            wrong.append(f"its factors have the shape {self.factors.shape}")
        if self.df not in TESTS:
            wrong.append(f"its degrees of freedom are by a rule that is not known, {self.df!r}")
        return wrong


@dataclass(frozen=True, slots=True, eq=False)
class QuasiMixedFit(UnshrunkenFit):
    """Mixed models of counts by penalised quasi-likelihood; see `methods.fit.Fit`.

    Attributes
    ----------
    stored
        What was estimated.
    data, design
        The counts and the design.
    engine
        Works on the genes.
    """

    stored: StoredQuasiMixed
    data: CountData
    design: Design
    engine: Engine

    @property
    def method(self) -> str:
        """'negative binomial mixed model', or Poisson's."""
        return f"{self.stored.family} mixed model"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """T or Wald tests, also against a threshold, and F tests of several rows."""
        row, joint = TESTS[self.stored.df]
        return {"t": TestKind(row, has_threshold=True, joint_label=joint)}

    @property
    def access(self) -> MixedAccess:
        """What the models tell of the genes: random effects, variances, fitted means, residuals."""
        from countnest.methods.mixed.count_access import CountAccess  # late: tests do without it

        model = mixed_model(self.design)
        return CountAccess(self, self.data.matrix, self.stored.factors, model, self.stored.fits)

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): how fits ended, dispersions, coefficients, log2."""
        return self.access.estimates(self.design.names)

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        fits = self.stored.fits
        columns = {
            "code": np.where(self.never_counted, np.nan, fits.outcome.astype(np.float64)),
            "dispersion": np.where(self.never_counted, np.nan, fits.dispersion),
            **standard_deviations(self.design, mixed_model(self.design), fits),
        }
        details = recorded(self.design, self.stored.factors, family=self.stored.family, df=self.stored.df)
        return FitNotes(
            estimate="penalised quasi-likelihood", columns=columns, not_offered={"lrt": NO_LIKELIHOOD}, details=details
        )

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Return whether the blocks have random intercepts, so that they may be compared."""
        return models_block(self.design, block)

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        del kind
        df = degrees_of_freedom(self.stored.df, self.design, contrasts)
        return row_answers(
            self.stored.fits, contrasts, df, threshold=threshold, alternative=alternative, unchanged=unchanged
        )

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        del kind
        return joint_answer(self.stored.fits, contrasts, degrees_of_freedom(self.stored.df, self.design, contrasts))

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose maximum likelihood estimate is infinite."""
        return separated_counts(self.data.matrix, self.stored.factors, self.design, contrasts, self.engine)

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return that no p-value is withheld."""
        del rule, cooks_cutoff
        return nothing_withheld(len(self.base_mean))


def fit_all_quasi(
    counts: CountMatrix, factors: FloatArray, model: MixedModel, dispersion: FloatArray | None, engine: Engine
) -> QuasiFits:
    """Return mixed models of the counts of all genes by penalised quasi-likelihood.

    Parameters
    ----------
    counts
        (G, n)
    factors
        (1, n) size factors or (G, n) normalization factors.
    dispersion
        Known ones (G,), or None: those of the negative binomial GLMs of the fixed part.
    """
    genes = Genes(counts, factors, by_gene={} if dispersion is None else {"dispersion": dispersion})
    return over_genes(_quasi_chunk, genes, engine=engine, text=TEXT, model=model)


def _quasi_chunk(chunk: GeneChunk, *, model: MixedModel) -> QuasiFits:
    offset = as_float(np.log(chunk.size_factors))
    known = as_float(chunk["dispersion"]) if "dispersion" in chunk.by_gene else None
    return fit_pql(chunk.counts, offset, model, fixed_effects(chunk.counts, offset, model.matrix, known))
