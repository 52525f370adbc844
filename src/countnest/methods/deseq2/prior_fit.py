"""Fits with normal priors on the coefficients, which answer queries in R's forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.design.prior_design import PriorDesign, expanded_design, prior_design, standard_design
from countnest.errors import ContrastError, OptionError
from countnest.methods.deseq2.beta_prior import (
    PriorModel,
    estimate_with_prior,
    fit_beta_prior,
    refuse_less_abs,
    refuse_prior,
)
from countnest.methods.deseq2.inference import single_tests
from countnest.methods.deseq2.stages import BetaPrior
from countnest.methods.fit import FitNotes, JointTest, RowTests, TestKind, Withheld
from countnest.options import AltHypothesis, OutlierRule, ShrinkType
from countnest.queries.contrasts import contrast_query, default_contrast
from countnest.queries.query import Query
from countnest.stats.glm.inputs import LN2

if TYPE_CHECKING:
    from countnest.methods.deseq2.fit import DESeq2Fit

__all__ = ["PriorFit", "prior_fit", "shrunken_fit"]

# A contrast has the same meaning in both matrices when its weights agree within this.
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class PriorFit:
    """A DESeq2 fit whose q coefficients have normal priors; see `methods.fit.Fit`. Its contrasts are (k, q).

    Attributes
    ----------
    base
        The fit without priors, p coefficients.
    prior
        The design with priors.
    fit
        What was fitted to it.
    as_observed
        Whether it was fitted to the counts as observed, though outliers were replaced for the fit without priors.
    df
        Degrees of freedom of t tests; None: normal.
    """

    base: DESeq2Fit
    prior: PriorDesign
    fit: BetaPrior
    as_observed: bool = False
    df: float | FloatArray | None = None

    @property
    def method(self) -> str:
        """'DESeq2'."""
        return self.base.method

    @property
    def shrinkage(self) -> ShrinkType | None:
        """'normal'."""
        return "normal"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """Wald tests of single rows."""
        return {"wald": TestKind("Wald", has_threshold=True, is_joint=False)}

    @property
    def notes(self) -> FitNotes:
        """Those of the fit without priors."""
        return self.base.notes

    @property
    def base_mean(self) -> FloatArray:
        """(G,) means of the normalized counts."""
        return self.base.base_mean

    @property
    def never_counted(self) -> BoolArray:
        """(G,) genes without any count."""
        return self.base.never_counted

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the q coefficients."""
        return self.prior.design.names

    @property
    def model(self) -> PriorModel:
        """The model of the q coefficients."""
        return PriorModel.of(self.prior)

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Do as the fit without priors does."""
        return self.base.models_block(block)

    def row_tests(
        self, contrasts: FloatArray, _kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, q) of shrunken coefficients."""
        refuse_less_abs(alternative)
        estimates = estimate_with_prior(contrasts, self.fit, self.base.state, self.model, self.base.engine)
        return single_tests(estimates, threshold=threshold, alternative=alternative, df=self.df, unchanged=unchanged)

    def joint_test(self, _contrasts: FloatArray, _kind: str) -> JointTest:
        """Raise `OptionError`: shrunken fold changes are tested one at a time."""
        raise OptionError("fold changes with priors are not tested jointly; fit without beta_prior=True.")

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return the mask (G, k) of genes and contrasts whose estimate without priors is infinite."""
        found = np.zeros((len(self.base_mean), len(contrasts)), dtype=np.bool_)
        for i, contrast in enumerate(contrasts):
            weights = self.without_prior(contrast)
            if weights is not None:
                found[:, i] = self.base.separated(weights[np.newaxis, :])[:, 0]
        return found

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes whose p-values are withheld."""
        return self.base.withheld_of(rule, cooks_cutoff, as_observed=self.as_observed)

    def query(self, contrast: object, name: str | None, list_values: Sequence[float]) -> Query:
        """Return the query of the q coefficients that a contrast in one of R's forms stands for.

        By default it compares the last level of the last variable with the first where every level has a coefficient,
        and is the last coefficient elsewhere.
        """
        design = self.prior.design
        if contrast is not None or name is not None:
            return contrast_query(design, contrast, name, list_values)
        last = design.variables[-1] if design.variables else ""
        if not self.fit.expanded or last not in design.levels:
            return default_contrast(design)
        return contrast_query(design, (last, design.levels[last][-1], design.levels[last][0]))

    def without_prior(self, contrast: FloatArray) -> FloatArray | None:
        """Return the weights (p,) that mean the same without priors; None where only the priors give an answer."""
        if not self.fit.expanded:
            return contrast
        meaning = np.linalg.lstsq(self.base.design.matrix, self.prior.design.matrix, rcond=None)[0]
        weights = as_float(np.linalg.lstsq(meaning.T, contrast, rcond=None)[0])
        return weights if np.abs(weights @ meaning - contrast).max() < TOLERANCE else None

    def maximum_likelihood(self, query: Query) -> FloatArray:
        """Return the log2 fold changes (G,) of a query of one row without priors."""
        weights = self.without_prior(query.matrix[0])
        if weights is None:
            raise ContrastError(
                f"add_mle=True: '{query.labels[0]}' has no maximum likelihood estimate, because the levels of a factor "
                "do not cancel out and only the prior gives it a value. Ask for a comparison: contrast=(factor, "
                "numerator level, denominator level)."
            )
        return as_float(self.base.model.beta @ weights / LN2)


def prior_fit(base: DESeq2Fit) -> PriorFit | None:
    """Return the fit with priors that was made beside a fit; None without."""
    fit = base.model.prior
    if fit is None:
        return None
    design = prior_design(base.design, "expanded" if fit.expanded else "standard")
    return PriorFit(base, design, fit, df=base.model.df)


def shrunken_fit(base: DESeq2Fit, *, expanded: bool) -> PriorFit:
    """Return a fit with priors made for one query, of the counts as observed.

    Parameters
    ----------
    base
        A fit without priors.
    expanded
        Whether every level of a factor has a coefficient, as a contrast of two levels needs it.

    Notes
    -----
    R counterpart: DESeq2::lfcShrink(type = "normal").
    """
    refuse_prior(base.model)
    design = expanded_design(base.design) if expanded else standard_design(base.design)
    fit = fit_beta_prior(base.state, base.data.matrix, PriorModel.of(design), base.engine)
    return PriorFit(base, design, fit, as_observed=True)
