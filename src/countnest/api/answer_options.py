"""Validation of the options of tests and of the adjustment of p-values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from countnest.api.inputs import by_label, given_numbers, not_negative, positive_number, probability
from countnest.arrays import FloatArray
from countnest.errors import OptionError, counted, listing
from countnest.methods.adjustment import MEAN, Adjuster
from countnest.methods.answer_options import AnswerOptions, OnBlocks
from countnest.options import AltHypothesis, NullKind, OutlierRule, check_flags, check_option
from countnest.stats.hidden.factors import HiddenOptions
from countnest.stats.inference.adjust import Adjustment, check_adjustment
from countnest.stats.inference.filter import FilterFunction

__all__ = ["answer_options"]


def answer_options(
    genes: pd.Index,
    *,
    kind: str | None = None,
    of_fit: bool = False,
    joint: bool = False,
    stagewise: bool = False,
    on_blocks: OnBlocks = "refuse",
    alpha: float = 0.1,
    lfc_threshold: float = 0.0,
    alt_hypothesis: AltHypothesis = "greaterAbs",
    independent_filtering: bool = True,
    cooks_cutoff: float | bool | None = None,
    outliers: OutlierRule = "cooks",
    p_adjust: Adjustment = "BH",
    filter: object = None,
    theta: object = None,
    filter_fun: FilterFunction | None = None,
    confint: float | None = None,
    null: NullKind = "theoretical",
    hidden: tuple[object, object] = (None, 1),
) -> AnswerOptions:
    """Return checked options; the arguments are those of `DESeqDataSet.results` and of `Query.test`.

    A filter statistic is matched to the labels `genes`; `hidden` is the number of hidden factors with its seed.
    """
    probability("alpha", alpha)
    if confint is not None:
        probability("confint", confint)
    _check_words(alt_hypothesis, outliers, null)
    check_flags(independent_filtering=independent_filtering, joint=joint, stagewise=stagewise)
    _check_adjustment(p_adjust, independent_filtering, filter, theta, filter_fun)
    thetas = _thetas(theta)
    if not_negative("lfc_threshold", lfc_threshold) == 0 and alt_hypothesis == "lessAbs":
        raise OptionError("when testing alt_hypothesis='lessAbs', set the argument lfc_threshold to a positive value.")
    if cooks_cutoff is not None and not isinstance(cooks_cutoff, (bool, np.bool_)):
        positive_number("cooks_cutoff", cooks_cutoff, infinite=True)
    statistic, name = (None, MEAN) if filter is None else _statistic(filter, genes)
    adjuster = Adjuster(float(alpha), p_adjust, independent_filtering, statistic, name, thetas, filter_fun)
    return AnswerOptions(
        kind=kind,
        of_fit=of_fit,
        joint=joint,
        stagewise=stagewise,
        lfc_threshold=float(lfc_threshold),
        alt_hypothesis=alt_hypothesis,
        adjuster=adjuster,
        outliers=outliers,
        cooks_cutoff=cooks_cutoff,
        confint=confint,
        null=null,
        hidden=_hidden(*hidden),
        on_blocks=on_blocks,
    )


def _hidden(number: object, seed: object) -> HiddenOptions | None:
    """Return how many hidden factors are taken out, a number or "auto"; None: none are asked for."""
    if not _is_whole(seed) or seed < 0:
        raise OptionError(f"hidden_seed={seed!r} must be a whole number, 0 or more.")
    if number is None:
        return None
    if isinstance(number, str) and number == "auto":
        return HiddenOptions(None, int(seed))
    if not _is_whole(number) or number < 1:
        raise OptionError(
            f"hidden_factors={number!r} cannot be used; give 'auto', or how many factors: a whole number, 1 or more."
        )
    return HiddenOptions(int(number), int(seed))


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _check_words(alt_hypothesis: object, outliers: object, null: object) -> None:
    """Raise `OptionError` for a word that is not known."""
    check_option("alt_hypothesis", alt_hypothesis, AltHypothesis)
    check_option("outliers", outliers, OutlierRule)
    check_option("null", null, NullKind)


def _check_adjustment(
    method: Adjustment, independent_filtering: bool, filter: object, theta: object, function: FilterFunction | None
) -> None:
    """Raise `OptionError` where a value cannot be used, or two exclude each other."""
    check_adjustment(method)
    if function is not None:
        if not callable(function):
            raise OptionError(
                f"filter_fun={function!r} must be a function of p-values, filter statistics and alpha that "
                "returns adjusted p-values."
            )
        if theta is not None or method != "BH":
            raise OptionError("filter_fun makes the adjusted p-values itself; leave out theta and p_adjust.")
    elif not independent_filtering and (filter is not None or theta is not None):
        raise OptionError("filter and theta require independent_filtering=True or filter_fun.")


def _thetas(values: Any) -> FloatArray | None:  # noqa: ANN401 (a number or a sequence of them)
    """Return fractions of genes, ascending and distinct."""
    if values is None:
        return None
    try:
        thetas = np.unique(np.atleast_1d(given_numbers(values, "theta", OptionError)))
    except OptionError:
        thetas = np.empty(0)
    if not thetas.size or not bool(((thetas >= 0) & (thetas <= 1)).all()):
        raise OptionError(
            f"theta={values!r} must be fractions of genes to leave out, numbers from 0 to 1, such as "
            "np.linspace(0, 0.95, 50)."
        )
    return thetas


def _statistic(values: Any, genes: pd.Index) -> tuple[FloatArray, str]:  # noqa: ANN401 (Series, mapping, array)
    """Return a filter statistic (G,) in the order of the genes, and its name; a Series or dict is matched by label."""
    if isinstance(values, Mapping):
        values = pd.Series(values)
    name = "filter"
    if isinstance(values, pd.Series):
        name = name if values.name is None else str(values.name)
        if not isinstance(values.index, pd.RangeIndex):
            values = by_label(values, genes, "gene", "filter", OptionError)
    numbers = given_numbers(values, "filter", OptionError)
    if numbers.shape != (len(genes),):
        raise OptionError(f"filter must be one number for each of the {len(genes)} genes; got shape {numbers.shape}.")
    unusable = genes[~np.isfinite(numbers)]
    if len(unusable):
        raise OptionError(
            f"filter is missing or infinite for {counted(len(unusable), 'gene')}: {listing(unusable)}. "
            "Give every gene a number; genes with small numbers are left out first."
        )
    return numbers, name
