"""Columns of the sample sheet in figures of samples: matched with the samples, as levels or as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray
from countnest.design.levels.order import as_factor
from countnest.errors import OptionError, SamplesError, counted, kind_of, listing, suggestion
from countnest.options import names_given
from countnest.plots.counts import grouping_columns

__all__ = ["MISSING", "factor_of", "is_number", "named_samples", "sheet_columns"]

# The level of samples whose value is missing.
MISSING = "NA"


def sheet_columns(samples: pd.DataFrame | None, intgroup: str | Sequence[str] | None, labels: pd.Index) -> pd.DataFrame:
    """Return columns of the sample sheet in the order of the samples `labels`; no columns without `intgroup`.

    Raises
    ------
    OptionError
        There is no sample sheet, or it has no such column.
    SamplesError
        The sample sheet lacks samples, or holds one twice.
    """
    if intgroup is None or not names_given("intgroup", intgroup):
        return pd.DataFrame(index=labels)
    if samples is None:
        raise OptionError(f"intgroup={intgroup!r} needs the sample sheet; give samples=dds.samples.")
    if not isinstance(samples, pd.DataFrame):
        raise OptionError(f"samples must be the sample sheet, such as dds.samples; got {kind_of(samples)}.")
    names = grouping_columns(intgroup, samples)
    missing = labels[~labels.isin(samples.index)]
    if len(missing):
        raise SamplesError(
            f"the sample sheet lacks {counted(len(missing), 'sample')} of the transformed counts: {listing(missing)}."
        )
    twice = samples.index[samples.index.duplicated() & samples.index.isin(labels)].unique()
    if len(twice):
        raise SamplesError(f"the sample sheet holds more than once: {listing(twice)}. Give one row for each sample.")
    return samples.loc[labels, names]


def is_number(column: pd.Series) -> bool:
    """Return whether a column is drawn on a continuous scale: numbers, and no truth values."""
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def factor_of(column: pd.Series) -> pd.Series:
    """Return a column as a factor of the levels that occur, as text; missing values form the last level."""
    factor = as_factor(column)
    factor = factor.cat.rename_categories([str(level) for level in factor.cat.categories])
    if factor.isna().any():
        if MISSING not in factor.cat.categories:
            factor = factor.cat.add_categories([MISSING])
        factor = factor.fillna(MISSING)
    return factor


def named_samples(label: bool | Iterable[str], samples: pd.Index) -> BoolArray:
    """Return which samples are named in a figure, (n,): all, none, or those given.

    Raises
    ------
    OptionError
        There is no such sample, or `label` is neither a truth value nor names.
    """
    if isinstance(label, (bool, np.bool_)):
        return np.full(len(samples), bool(label))
    names = [label] if isinstance(label, str) else list(label) if isinstance(label, Iterable) else [label]
    for name in names:
        if not isinstance(name, str) or name not in samples:
            raise OptionError(
                f"label={label!r} must be True or False, or name samples; there is no sample {name!r}."
                f"{suggestion(name, samples)}"
            )
    return np.asarray(samples.isin(names), dtype=np.bool_)
