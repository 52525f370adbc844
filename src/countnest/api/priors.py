"""What a fit with normal priors shows: its comparisons, and its columns of the table of genes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from countnest.api.tables import gene_table
from countnest.arrays import FloatArray, as_float
from countnest.design.design import Design
from countnest.design.prior_design import PriorDesign, prior_design
from countnest.errors import ContrastError, OptionError
from countnest.methods.deseq2.answer import Estimates
from countnest.methods.deseq2.beta_prior import PriorModel, estimate_with_prior
from countnest.methods.deseq2.stages import BetaPrior, Fitted
from countnest.options import ModelMatrixType, TestType, check_flags, check_option
from countnest.parallel.run import Engine
from countnest.queries.contrasts import Contrast, resolve_contrast
from countnest.stats.glm.inputs import LN2

__all__ = ["Shown", "chosen_prior", "prior_gene_table", "shown"]

# A comparison has the same meaning in both matrices when its weights agree within this.
TOLERANCE = 1e-8


def chosen_prior(
    design: Design, test: TestType, beta_prior: bool, model_matrix_type: ModelMatrixType | None
) -> PriorModel | None:
    """Return the model whose coefficients get priors; None without.

    Raises
    ------
    OptionError
        If the arguments do not go together.
    DesignError
        If the design does not admit priors.
    """
    if model_matrix_type is not None:
        check_option("model_matrix_type", model_matrix_type, ModelMatrixType)
    check_flags(beta_prior=beta_prior)
    if not beta_prior:
        if model_matrix_type == "expanded":
            raise OptionError(
                "model_matrix_type='expanded' needs beta_prior=True: without a prior the coefficients of its dependent "
                "columns cannot be told apart."
            )
        return None
    if test == "LRT":
        raise OptionError(
            "test='LRT' compares likelihoods, which have no prior: use beta_prior=False, and lfc_shrink() for fold "
            "changes."
        )
    return PriorModel.of(prior_design(design, model_matrix_type or "expanded"))


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A fit with priors, as it answers.

    Attributes
    ----------
    design
        The design without priors, p coefficients.
    prior
        The design with priors, q coefficients.
    fit
        What was fitted to it.
    """

    design: Design
    prior: PriorDesign
    fit: BetaPrior

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the q coefficients."""
        return self.prior.design.names

    @property
    def model(self) -> PriorModel:
        """The model of the q coefficients."""
        return PriorModel.of(self.prior)

    def contrast(self, contrast: object, name: str | None, list_values: Sequence[float]) -> Contrast:
        """Return a comparison in the q coefficients.

        By default it is the last level of the last variable against the first where every level has a coefficient,
        and the last coefficient elsewhere.
        """
        design = self.prior.design
        if contrast is not None or name is not None:
            return resolve_contrast(design, contrast, name, list_values)
        last = design.variables[-1] if design.variables else ""
        if not self.fit.expanded or last not in design.levels:
            return resolve_contrast(design)
        return resolve_contrast(design, (last, design.levels[last][-1], design.levels[last][0]))

    def estimate(self, vector: FloatArray, state: Fitted, engine: Engine) -> Estimates:
        """Return shrunken fold changes and standard errors (G, 1) of a comparison (q,)."""
        return estimate_with_prior(vector[np.newaxis, :], self.fit, state, self.model, engine)

    def without_prior(self, asked: Contrast) -> FloatArray | None:
        """Return the weights (p,) that ask the same without priors; None where only the priors give an answer."""
        if not self.fit.expanded:
            return asked.vector
        meaning = np.linalg.lstsq(self.design.matrix, self.prior.design.matrix, rcond=None)[0]
        weights = as_float(np.linalg.lstsq(meaning.T, asked.vector, rcond=None)[0])
        return weights if np.abs(weights @ meaning - asked.vector).max() < TOLERANCE else None

    def maximum_likelihood(self, asked: Contrast, beta: FloatArray) -> FloatArray:
        """Return the log2 fold changes (G,) of a comparison without priors, from coefficients (G, p), natural log."""
        weights = self.without_prior(asked)
        if weights is None:
            raise ContrastError(
                f"add_mle=True: '{asked.label}' has no maximum likelihood estimate, because the levels of a factor do "
                "not cancel out and only the prior gives it a value. Ask for a comparison: contrast=(factor, numerator "
                "level, denominator level)."
            )
        return as_float(beta @ weights / LN2)


def shown(design: Design, prior: BetaPrior | None) -> Shown | None:
    """Return how a fit of this design answers where it has priors; None without."""
    if prior is None:
        return None
    return Shown(design, prior_design(design, "expanded" if prior.expanded else "standard"), prior)


def prior_gene_table(state: Fitted, genes: pd.Index, found: Shown) -> pd.DataFrame:
    """Return the table of genes with the shrunken coefficients, and those without priors as MLE_ columns after them."""
    fit, prior = state.fit, found.fit
    shrunken = replace(
        fit, beta=prior.beta, se=prior.se, loglik=prior.loglik, n_iter=prior.n_iter, converged=prior.converged
    )
    table = gene_table(replace(state, fit=shrunken), genes, found.names)
    place = list(table.columns).index(f"SE_{found.names[-1]}") + 1
    for k, name in enumerate(found.design.names):
        table.insert(place + k, f"MLE_{name}", fit.beta[:, k] / LN2)
    return table
