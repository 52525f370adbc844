"""Arguments of the verbs, checked at the door."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float
from countnest.containers.counts import CountData
from countnest.design.model import Design, build_design
from countnest.errors import CountnestWarning, DesignError, NormalizationError, OptionError, listing
from countnest.options import TestType
from countnest.stats.inference.lrt import is_nested
from countnest.stats.norm.size_factors import check_factors

__all__ = ["given_normalization_factors", "given_size_factors", "positive_number", "reduced_design"]


def positive_number(name: str, value: Any, *, least: float | None = None, infinite: bool = False) -> None:  # noqa: ANN401
    """Raise `OptionError` unless `value` is a positive number, at least `least`, finite if it must be."""
    usable = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    usable = usable and value > 0 and (infinite or math.isfinite(value)) and (least is None or value >= least)
    if not usable:
        wanted = "greater than 0" if least is None else f"{least:g} or more"
        raise OptionError(f"{name}={value!r} must be a number, {wanted}.")


def given_size_factors(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (Series, mapping, sequence)
    """Return size factors (1, n) in the order of the samples; a Series or dict is matched by label."""
    if isinstance(values, dict):
        values = pd.Series(values)
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = _by_label(values, data.samples, "samples")
    factors = _numbers(values, "size factors")
    if factors.shape != (len(data.samples),):
        raise NormalizationError(
            f"size factors must be one number for each of the {len(data.samples)} samples; got shape {factors.shape}."
        )
    check_factors(factors, "size factors")
    return factors[np.newaxis, :]


def given_normalization_factors(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return normalization factors (G, n) in the order of genes and samples; a DataFrame is matched by label."""
    if isinstance(values, pd.DataFrame):
        if not isinstance(values.index, pd.RangeIndex):
            values = _by_label(values, data.genes, "genes")
        if not isinstance(values.columns, pd.RangeIndex):
            values = _by_label(values.T, data.samples, "samples").T
    factors = _numbers(values, "normalization factors")
    if factors.shape != data.counts.shape:
        raise NormalizationError(
            f"normalization factors must have the shape of the counts, genes x samples {data.counts.shape}; "
            f"got {factors.shape}."
        )
    check_factors(factors, "normalization factors")
    return factors


def _by_label(values: Any, labels: pd.Index, what: str) -> Any:  # noqa: ANN401 (Series or DataFrame)
    values = values.copy()
    values.index = values.index.map(str)
    if values.index.has_duplicates:
        raise NormalizationError(
            f"the factors have duplicate {what}: {listing(values.index[values.index.duplicated()])}."
        )
    missing = labels.difference(values.index)
    if len(missing):
        raise NormalizationError(f"the factors lack {len(missing)} {what} of the counts: {listing(missing)}.")
    return values.loc[labels]


def _numbers(values: Any, what: str) -> FloatArray:  # noqa: ANN401
    try:
        return as_float(np.array(values, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise NormalizationError(f"{what} must be numbers: {error}.") from error


def reduced_design(
    test: TestType,
    reduced: str | pd.DataFrame | FloatArray | None,
    full: Design,
    numeric_ok: Collection[str] = (),
) -> Design | None:
    """Return the reduced design of a likelihood ratio test, checked to lie within the full one; None for Wald tests.

    Raises
    ------
    OptionError
        If `reduced` is missing, or given for a Wald test.
    DesignError
        If the reduced model is not nested in the full one or has as many columns.
    """
    if test == "Wald":
        if reduced is not None:
            raise OptionError("'reduced' is given but test='Wald' has no use for it; use test='LRT'.")
        return None
    if reduced is None:
        raise OptionError("likelihood ratio test requires a 'reduced' design: test='LRT', reduced='~ ...'.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # the full design has said it
        null = build_design(reduced, full.sheet, numeric_ok=numeric_ok)
    if not is_nested(null.matrix, full.matrix):
        extra = [name for name in null.variables if name not in full.variables]
        named = f"; the following variables in the reduced formula are not in the full formula: {listing(extra)}"
        raise DesignError(
            f"the reduced model is not nested in the full model, so their likelihoods cannot be compared"
            f"{named if extra else ''}. Leave terms out of the full formula."
        )
    if null.matrix.shape[1] >= full.matrix.shape[1]:
        raise DesignError(
            "less than one degree of freedom, perhaps full and reduced models are not in the correct order: the "
            f"reduced model has {null.matrix.shape[1]} columns, the full one {full.matrix.shape[1]}."
        )
    return null
