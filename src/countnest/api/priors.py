"""Fits with normal priors on the coefficients: their options, and their columns of the table of genes."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from countnest.api.tables import gene_table
from countnest.design.design import Design
from countnest.design.prior_design import prior_design
from countnest.errors import OptionError
from countnest.methods.deseq2.beta_prior import PriorModel
from countnest.methods.deseq2.prior_fit import PriorFit
from countnest.options import ModelMatrixType, TestType, check_flags, check_option
from countnest.stats.glm.inputs import LN2

__all__ = ["make_prior", "prior_gene_table"]


def make_prior(
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
    if test != "Wald":
        raise OptionError(
            f"test={test!r} compares likelihoods, which have no prior: use beta_prior=False, and lfc_shrink() for fold "
            "changes."
        )
    return PriorModel.of(prior_design(design, model_matrix_type or "expanded"))


def prior_gene_table(found: PriorFit) -> pd.DataFrame:
    """Return the table of genes with the shrunken coefficients, and those without priors as MLE_ columns after them."""
    state, prior = found.base.state, found.fit
    fit, genes = state.fit, found.base.data.genes
    shrunken = replace(
        fit, beta=prior.beta, se=prior.se, loglik=prior.loglik, n_iter=prior.n_iter, converged=prior.converged
    )
    table = gene_table(replace(state, fit=shrunken), genes, found.names)
    place = list(table.columns).index(f"SE_{found.names[-1]}") + 1
    for k, name in enumerate(found.base.design.names):
        table.insert(place + k, f"MLE_{name}", fit.beta[:, k] / LN2)
    return table
