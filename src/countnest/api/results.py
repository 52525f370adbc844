"""Results in R's forms: a contrast becomes a query of one row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.containers.results import Results
from countnest.design.design import Design
from countnest.errors import ContrastError, OptionError, listing
from countnest.methods.answer import answer
from countnest.methods.answer_options import AnswerOptions
from countnest.methods.deseq2.fit import KINDS, REDUCED, DESeq2Fit
from countnest.methods.deseq2.prior_fit import PriorFit, prior_fit
from countnest.methods.fit import Fit
from countnest.options import TestType, check_flags, check_option
from countnest.queries.contrasts import contrast_query
from countnest.queries.query import Query
from countnest.remedies import advised, option

__all__ = ["kind_of_test", "only", "query_of_results", "refuse_mle", "require_one_comparison", "results_of"]


def results_of(
    fit: DESeq2Fit,
    options: AnswerOptions,
    *,
    contrast: object,
    name: str | None,
    list_values: Sequence[float],
    add_mle: bool = False,
) -> Results:
    """Return the results of one contrast; the arguments are those of `DESeqDataSet.results`."""
    check_flags(add_mle=add_mle)
    prior = prior_fit(fit)
    if prior is not None:
        query = prior.query(contrast, name, list_values)
        found = only(answer(query, prior, fit.data, fit.engine, options))
        return _with_mle(found, prior, query) if add_mle else found
    if add_mle:
        raise OptionError(
            "add_mle=True is for fits with beta_prior=True; without a prior the fold changes are maximum likelihood "
            "estimates already."
        )
    query = query_of_results(fit.design, options, contrast, name, list_values)
    return only(answer(query, fit, fit.data, fit.engine, options))


def query_of_results(
    design: Design, options: AnswerOptions, contrast: object, name: str | None, list_values: Sequence[float]
) -> Query:
    """Return the query of one row that a contrast in one of R's forms is."""
    if options.hidden is not None and contrast is None and name is None:
        require_one_comparison(design)
    return contrast_query(design, contrast, name, list_values)


def refuse_mle(fit: Fit, *, add_mle: bool) -> None:
    """Raise `OptionError` for `add_mle` with a fit by another method than DESeq2's, which has no priors."""
    check_flags(add_mle=add_mle)
    if add_mle:
        raise OptionError(f"add_mle=True is for DESeq2's fits with beta_prior=True; this one is by {fit.method}.")


def require_one_comparison(design: Design) -> None:
    """Raise `ContrastError` where it does not go without saying which comparison hidden factors are taken out of."""
    names = [name for name in design.names if name != "Intercept"]
    if len(names) > 1:
        raise ContrastError(
            "hidden factors are taken out of one comparison, and this design has several: say which, by "
            + advised(
                "contrast= or name=, or ask with dds.effect(...).test(hidden_factors=...)", "--contrast or --name"
            )
            + f". The coefficients are {listing(names, 20)}."
        )


def kind_of_test(fit: Fit, test: TestType | None) -> str | None:
    """Return the kind of test that `results` makes: the requested one, or the one that was run; None: its default."""
    if test is not None:
        check_option("test", test, TestType)
    if not isinstance(fit, DESeq2Fit):
        return None if test is None else KINDS.get(test, test.lower())
    test = test or fit.model.test
    if test in KINDS and test != "Wald" and prior_fit(fit) is not None:
        raise OptionError(
            f"{option('test', test)} compares likelihoods, which have no prior, and the analysis was run with "
            f"{option('beta_prior', True)}. Run it without, or ask with dds.effect(...).test({KINDS[test]!r}), which "
            "leaves the prior out."
        )
    if test == "LRT" and fit.model.reduced is None:
        raise ContrastError("test='LRT' needs a likelihood ratio fit: run deseq(test='LRT', reduced=...) first.")
    return KINDS.get(test, REDUCED)


def only(found: object) -> Results:
    """Return the results of a query of one row."""
    if not isinstance(found, Results):
        raise TypeError(f"results of one row are needed, and these are {type(found).__name__}")
    return found


def _with_mle(results: Results, prior: PriorFit, query: Query) -> Results:
    """Return results of shrunken fold changes with those of maximum likelihood, as the column lfcMLE."""
    mle = prior.maximum_likelihood(query)
    table = results.table.copy()
    unchanged = table["log2FoldChange"].to_numpy() == 0.0  # by the rule for genes without counts
    table.insert(list(table.columns).index("log2FoldChange") + 1, "lfcMLE", np.where(unchanged, 0.0, mle))
    return Results(table, results.info)
