"""Tables of moderated statistics, and log counts without batch effects for figures."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from countnest.api.inputs import given_numbers, not_negative, probability
from countnest.api.limma_inputs import given_values, places_of
from countnest.api.linear_model import LinearModel, VoomCounts
from countnest.api.sample_models import groups_of
from countnest.arrays import FloatArray
from countnest.errors import MissingStepError, OptionError, kind_of, listing
from countnest.options import check_option
from countnest.signature import checked_arguments
from countnest.stats.inference.adjust import Adjustment, adjust, check_adjustment
from countnest.stats.inference.interval import confidence_interval
from countnest.stats.linear.least_squares import independent_columns
from countnest.stats.voom.array_weights import sum_to_zero
from countnest.stats.voom.batch import without_batches

__all__ = ["decide_tests", "remove_batch_effect", "top_table"]

SortBy = Literal["B", "p", "logFC", "AveExpr", "t", "F", "none"]
Together = Literal["separate", "global"]


@checked_arguments
def top_table(
    fit: LinearModel,
    coef: Any = None,  # noqa: ANN401 (name or place, one or several)
    *,
    number: int | None = 10,
    sort_by: SortBy | None = None,
    p_adjust: Adjustment = "BH",
    p_value: float = 1.0,
    lfc: float = 0.0,
    confint: Any = None,  # noqa: ANN401 (a level, or a flag)
) -> pd.DataFrame:
    """Return a table of the genes with the clearest changes, with limma's names of columns.

    Parameters
    ----------
    fit
        What `e_bayes` or `treat` returned.
    coef
        A coefficient or contrast, by name or place, for t tests; several for F tests. None: all but the intercept.
    number
        Of genes at most; None: all.
    sort_by
        "B", "p", "logFC", "AveExpr", "t", "F" or "none"; None: by "B", by "F" for several coefficients, and by "p"
        after `treat`.
    p_adjust
        Method of adjustment, of all genes.
    p_value, lfc
        Keep genes with an adjusted p-value of at most, and a log2 fold change of at least, in one of the coefficients.
    confint
        Level of confidence intervals of one coefficient, the columns CI.L and CI.R; True: 0.95.

    Returns
    -------
    pandas.DataFrame
        By gene: what is known of the genes, such as symbols; logFC or a column for each coefficient, AveExpr, t or F,
        P.Value, adj.P.Val, and B for one coefficient after `e_bayes`.

    Notes
    -----
    R counterpart: limma::topTable, topTableF and topTreat.
    """
    _require_statistics(fit, "top_table")
    check_adjustment(p_adjust)
    if sort_by is not None:
        check_option("sort_by", sort_by, SortBy)
    not_negative("lfc", lfc)
    if p_value != 1.0:
        probability("p_value", p_value)
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 0):
        raise OptionError(f"number={number!r} must be a whole number of genes, or None for all of them.")
    if isinstance(confint, bool):
        confint = 0.95 if confint else None
    places = places_of(coef, fit)
    if len(places) > 1 and confint is not None:
        raise OptionError("confint= is of one coefficient; choose it by coef=.")
    table = _of_several(fit, places) if len(places) > 1 else _of_one(fit, places[0], confint)
    table["adj.P.Val"] = adjust(table["P.Value"].to_numpy(dtype=np.float64), p_adjust)
    change = np.abs(fit.estimates[:, places]).max(axis=1)
    table = table[(table["adj.P.Val"] <= p_value).to_numpy() & (change >= lfc)] if p_value < 1 or lfc > 0 else table
    table = _sorted(table, sort_by or ("F" if "F" in table else "B" if "B" in table else "p"))
    table = table if number is None else table.head(number)
    if fit.gene_info is None:
        return table
    known = fit.gene_info.loc[table.index, [name for name in fit.gene_info if name not in table]]
    return pd.concat([known, table], axis=1)


def _require_statistics(fit: object, function: str) -> None:
    if not isinstance(fit, LinearModel):
        raise OptionError(f"{function} needs what cn.e_bayes or cn.treat returned; got {kind_of(fit)}.")
    if fit.moderation is None:
        raise MissingStepError("there are no statistics yet: call cn.e_bayes(fit) first.")


@checked_arguments
def decide_tests(
    fit: LinearModel,
    *,
    method: Together = "separate",
    p_adjust: Adjustment = "BH",
    p_value: float = 0.05,
    lfc: float = 0.0,
) -> pd.DataFrame:
    """Return which changes are significant, and in which direction, for all coefficients or contrasts of a fit.

    Parameters
    ----------
    fit
        What `e_bayes` or `treat` returned.
    method
        "separate": p-values of each coefficient are adjusted by themselves; "global": those of all of them together,
        so that the cutoff is the same for all.
    p_adjust
        Method of adjustment.
    p_value, lfc
        A change is significant with an adjusted p-value below `p_value`, and a log2 fold change of at least `lfc`.

    Returns
    -------
    pandas.DataFrame
        Genes x coefficients: 1 up, -1 down, 0 neither.

    Notes
    -----
    R counterpart: limma::decideTests.
    """
    _require_statistics(fit, "decide_tests")
    check_option("method", method, Together)
    check_adjustment(p_adjust)
    probability("p_value", p_value)
    not_negative("lfc", lfc)
    raw = fit.p_value.to_numpy(dtype=np.float64)
    if method == "global":
        adjusted = adjust(raw.ravel(), p_adjust).reshape(raw.shape)
    else:
        adjusted = np.column_stack([adjust(column, p_adjust) for column in raw.T])
    called = (adjusted < p_value) & (np.abs(fit.estimates) >= lfc)
    signs = np.where(called, np.sign(np.nan_to_num(fit.estimates)), 0.0).astype(np.int64)
    return pd.DataFrame(signs, index=fit.genes, columns=list(fit.names))


def _of_one(fit: LinearModel, k: int, confint: float | None) -> pd.DataFrame:
    assert fit.moderation is not None
    test, variances = fit.test(k), fit.moderation.variances
    columns = {"logFC": fit.estimates[:, k]}
    if confint is not None:
        probability("confint", confint)
        se = fit.unscaled[:, k] * np.sqrt(variances.variance)
        columns["CI.L"], columns["CI.R"] = confidence_interval(fit.estimates[:, k], se, float(confint), variances.df)
    columns |= {"AveExpr": fit.fits.mean, "t": fit.t.to_numpy()[:, k]}
    columns |= {"P.Value": test.p_value, "adj.P.Val": test.p_value}
    if fit.moderation.threshold is None:
        columns["B"] = fit.odds(k)
    return pd.DataFrame(columns, index=fit.genes)


def _of_several(fit: LinearModel, places: list[int]) -> pd.DataFrame:
    statistic, p_value = fit.joint(places)
    table = pd.DataFrame(fit.estimates[:, places], index=fit.genes, columns=[fit.names[k] for k in places])
    return table.assign(**{"AveExpr": fit.fits.mean, "F": statistic, "P.Value": p_value, "adj.P.Val": p_value})


def _sorted(table: pd.DataFrame, by: str) -> pd.DataFrame:
    if by == "none":
        return table
    name = {"p": "P.Value"}.get(by, by)
    if name not in table:
        raise OptionError(f"sort_by={by!r} is no column of this table; its columns are {', '.join(table.columns)}.")
    values = table[name].to_numpy(dtype=np.float64)
    key = values if by == "p" else -np.abs(values) if by in ("logFC", "t") else -values
    return table.iloc[np.argsort(key, kind="stable")]


@checked_arguments
def remove_batch_effect(
    values: Any,  # noqa: ANN401 (VoomCounts, DataFrame, array)
    batch: Any = None,  # noqa: ANN401 (Series, sequence)
    *,
    batch2: Any = None,  # noqa: ANN401
    covariates: Any = None,  # noqa: ANN401 (DataFrame, array)
    design: Any = None,  # noqa: ANN401 (data set, DataFrame, array)
    weights: Any = None,  # noqa: ANN401
) -> pd.DataFrame:
    """Return log values without the effects of batches, for figures such as `plot_pca`.

    For tests, put the batch into the design instead: here its degrees of freedom would not be counted.

    Parameters
    ----------
    values
        What `voom` returned, or a table of log values, genes x samples.
    batch, batch2
        Batches, by sample, or the column of the sample sheet of `voom` that has them.
    covariates
        Numbers whose effects are to go, samples x covariates.
    design
        What is to stay, without the batches: a data set, such as ``dds.with_design("~ group")``, or a model matrix.
        None: the mean of each gene alone, so that differences between groups go as far as batches go with them.
    weights
        Of the fit, as of `lm_fit`: None: those of `voom`; of a table, such as ``v.E``, all one.

    Returns
    -------
    pandas.DataFrame
        Genes x samples.

    Raises
    ------
    OptionError
        Nothing is to be removed: none of it is given, or the design holds all of it.

    Notes
    -----
    R counterpart: limma::removeBatchEffect.
    """
    if batch is None and batch2 is None and covariates is None:
        raise OptionError("give batch=, batch2= or covariates=: what is to be removed.")
    if design is None:
        design = _intercept(values)
    given = given_values(values, design, weights)
    n = len(given.samples)
    removed: dict[str, FloatArray] = {}
    for name, each in (("batch", batch), ("batch2", batch2)):
        if each is not None:
            removed[name] = sum_to_zero(groups_of(each, given.samples, name, given.sheet)[0])
    if covariates is not None:
        numbers = given_numbers(covariates, "covariates", OptionError)
        if len(np.atleast_1d(numbers)) != n or not np.isfinite(numbers).all():
            raise OptionError(
                f"covariates= must be finite, with a row for each of the {n} samples; got the shape {numbers.shape}."
            )
        numbers = numbers.reshape(n, -1)
        removed["covariates"] = numbers - numbers.mean(axis=0)
    for name, columns in removed.items():
        if len(independent_columns(np.column_stack([given.design, columns]))) == given.design.shape[1]:
            raise OptionError(
                f"the design, of {listing(given.names)}, holds all that {name}= is to remove, so that nothing would "
                "change. design= must hold what is to stay and not the batches, such as dds.with_design('~ group')."
            )
    found = without_batches(given.values, given.design, np.hstack(list(removed.values())), given.weights)
    return pd.DataFrame(found, given.genes, given.samples)


def _intercept(values: Any) -> Any:  # noqa: ANN401 (checked by `given_values`)
    """Return the design of nothing but a mean, with the labels of the samples if there are any."""
    table = values.E if isinstance(values, VoomCounts) else values
    if np.ndim(table) != 2:
        return None
    samples = table.columns if isinstance(table, pd.DataFrame) else pd.RangeIndex(np.shape(table)[1])
    return pd.DataFrame({"Intercept": np.ones(len(samples))}, index=samples)
