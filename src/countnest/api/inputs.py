"""Validation of user arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable
from typing import Any, cast

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.counts import CountData
from countnest.design.build import build_design
from countnest.design.design import Design
from countnest.design.random.refusal import refuse_random
from countnest.errors import (
    CountnestError,
    CountnestWarning,
    DesignError,
    NormalizationError,
    OptionError,
    counted,
    kind_of,
    listing,
    suggestion,
)
from countnest.options import TestType
from countnest.remedies import advised, given, option
from countnest.stats.inference.lrt import is_nested
from countnest.stats.norm.size_factors import Location, check_factors

__all__ = [
    "by_label",
    "chosen_samples",
    "gene_by_sample",
    "gene_dispersions",
    "given_control_genes",
    "given_geo_means",
    "given_lengths",
    "given_locfunc",
    "given_norm_matrix",
    "given_normalization_factors",
    "given_numbers",
    "given_size_factors",
    "given_weights",
    "not_negative",
    "positive_number",
    "probability",
    "reduced_design",
]


def positive_number(name: str, value: Any, *, least: float | None = None, infinite: bool = False) -> None:  # noqa: ANN401
    """Raise `OptionError` unless `value` is a positive number, at least `least`, finite if it must be."""
    usable = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    usable = usable and value > 0 and (infinite or math.isfinite(value)) and (least is None or value >= least)
    if not usable:
        wanted = "greater than 0" if least is None else f"{least:g} or more"
        number = (
            "number" if infinite else "finite number" if isinstance(value, float) and math.isinf(value) else "number"
        )
        raise OptionError(f"{given(name, value)} must be a {number}, {wanted}.")


def not_negative(name: str, value: Any) -> float:  # noqa: ANN401 (checked here)
    """Return a number, or raise `OptionError` unless it is finite and 0 or more."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise OptionError(f"{given(name, value)} must be a number, 0 or more.")
    return float(value)


def probability(name: str, value: Any) -> None:  # noqa: ANN401 (checked here)
    """Raise `OptionError` unless `value` is a number between 0 and 1, and neither of them."""
    positive_number(name, value)
    if value >= 1:
        raise OptionError(f"{given(name, value)} must lie between 0 and 1.")


def given_size_factors(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (Series, mapping, sequence)
    """Return size factors (1, n) in the order of the samples; a Series or dict is matched by label."""
    if isinstance(values, dict):
        values = pd.Series(values)
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = by_label(values, data.samples, "sample", "size factors")
    factors = given_numbers(values, "size factors")
    if factors.shape != (len(data.samples),):
        raise NormalizationError(
            f"size factors must be one number for each of the {len(data.samples)} samples; got shape {factors.shape}."
        )
    check_factors(factors, "size factors")
    return factors[np.newaxis, :]


def given_normalization_factors(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return normalization factors (G, n) in the order of genes and samples; a DataFrame is matched by label."""
    factors = gene_by_sample(values, data, "normalization factors")
    check_factors(factors, "normalization factors", list(data.genes))
    return factors


def given_norm_matrix(values: Any, data: CountData, what: str) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return positive numbers (G, n) to normalize by, in the order of genes and samples."""
    matrix = gene_by_sample(values, data, what)
    check_factors(matrix, what, list(data.genes))
    return matrix


def given_lengths(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return average transcript lengths (G, n), positive, in the order of genes and samples."""
    what = "average transcript lengths"
    matrix = gene_by_sample(values, data, what)
    zero = (matrix == 0).any(axis=1)
    if zero.any():
        raise NormalizationError(
            f"{what} are 0 in {counted(int(zero.sum()), 'gene')}: {listing(data.genes[zero])}; counts cannot be "
            "divided by them. There are two ways out: leave these genes out of counts and lengths, where "
            "(length > 0).all(axis=1) says which stay; or put lengths in place of the zeros, such as 1 where all "
            "samples of a gene have 0, and else the mean of its other samples."
        )
    check_factors(matrix, what, list(data.genes))
    return matrix


def given_control_genes(values: Any, genes: pd.Index) -> BoolArray:  # noqa: ANN401 (labels, mask or positions)
    """Return the mask (G,) of control genes, given by truth values, positions from 0, or labels."""
    if isinstance(values, pd.Series):
        if values.dtype == np.bool_ and not isinstance(values.index, pd.RangeIndex):
            values = by_label(values, genes, "gene", "control_genes")
        values = values.to_numpy()
    chosen = np.asarray([values] if isinstance(values, str) else values if hasattr(values, "dtype") else list(values))
    control = np.zeros(len(genes), dtype=np.bool_)
    if chosen.dtype == np.bool_:
        if chosen.shape != control.shape:
            raise NormalizationError(
                f"control_genes has {chosen.size} truth values; give one for each of the {len(genes)} genes."
            )
        control |= chosen
    elif chosen.size and np.issubdtype(chosen.dtype, np.integer):
        outside = chosen[(chosen < 0) | (chosen >= len(genes))]
        if outside.size:
            raise NormalizationError(
                f"control_genes: whole numbers are positions, from 0 to {len(genes) - 1}; "
                f"not among them are {listing(outside)}. Write labels that are numbers as text."
            )
        control[chosen] = True
    else:
        labels = pd.Index([str(label) for label in chosen.ravel()])
        unknown = labels[~labels.isin(genes)]
        if len(unknown):
            raise NormalizationError(
                f"control_genes: {counted(len(unknown), 'label')} not among the genes: {listing(unknown)}."
                f"{suggestion(unknown[0], genes)}"
            )
        control |= genes.isin(labels)
    if not control.any():
        raise NormalizationError("control_genes selects no gene; leave it out to use all.")
    return control


def given_geo_means(values: Any, genes: pd.Index) -> FloatArray:  # noqa: ANN401 (Series, sequence)
    """Return geometric means (G,), 0 for genes to leave out, in the order of the genes; a Series goes by label."""
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = by_label(values, genes, "gene", "geo_means")
    means = given_numbers(values, "geo_means")
    if means.shape != (len(genes),):
        raise NormalizationError(
            f"geo_means must be one number for each of the {len(genes)} genes; got shape {means.shape}."
        )
    bad = ~(np.isfinite(means) & (means >= 0.0))
    if bad.any():
        raise NormalizationError(
            f"geo_means must be finite and not negative; {bad.sum()} of {bad.size} are not, such as {means[bad][0]}, "
            f"in {listing(genes[bad])}. Give 0 for genes to leave out."
        )
    return means


def given_locfunc(function: Any) -> Location | None:  # noqa: ANN401 (checked here)
    """Return a function of log ratios, or None for the median."""
    if function is not None and not callable(function):
        raise OptionError(f"locfunc={function!r} must be a function of the log ratios of a sample, such as np.median.")
    return cast("Location | None", function)


def given_weights(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return observation weights (G, n); a DataFrame is matched by label."""
    try:
        weights = gene_by_sample(values, data, "weights")
    except NormalizationError as error:
        raise OptionError(str(error)) from error.__cause__
    bad = ~(np.isfinite(weights) & (weights >= 0.0))
    if bad.any():
        raise OptionError(
            f"weights must be finite and not negative; {bad.sum()} of {bad.size} are not, such as {weights[bad][0]}, "
            f"in {listing(data.genes[np.flatnonzero(bad.any(axis=1))])}."
        )
    return weights


def gene_dispersions(values: Any, data: CountData) -> FloatArray:  # noqa: ANN401 (Series, sequence)
    """Return dispersions (G,) in the order of the genes; a Series is matched by label.

    Genes without counts need none.
    """
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = by_label(values, data.genes, "gene", "dispersions")
    alpha = given_numbers(values, "dispersions")
    if alpha.shape != (len(data.genes),):
        raise OptionError(f"dispersions must be one number for each of the {len(data.genes)} genes; got {alpha.shape}.")
    bad = ~(np.isfinite(alpha) & (alpha > 0.0)) & data.counted
    if bad.any():
        raise OptionError(
            f"dispersions must be finite and greater than 0; {counted(int(bad.sum()), 'gene')} with counts have "
            f"others: {listing(data.genes[bad])}."
        )
    return alpha


def chosen_samples(chosen: Collection[object], samples: pd.Index) -> BoolArray:
    """Return the mask (n,) of the samples given by labels or truth values."""
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        raise OptionError(f"which_samples={chosen!r}: give labels of samples in a list, or a truth value for each.")
    values = list(chosen)
    if len(values) == len(samples) and all(isinstance(value, (bool, np.bool_)) for value in values):
        return np.array(values, dtype=np.bool_)
    unknown = [value for value in values if str(value) not in samples]
    if unknown:
        raise OptionError(f"there are no samples {listing(unknown)}; the samples are {listing(samples)}.")
    return np.asarray(samples.isin([str(value) for value in values]))


def gene_by_sample(values: Any, data: CountData, what: str) -> FloatArray:  # noqa: ANN401 (DataFrame, array)
    """Return numbers (G, n) in the order of genes and samples; a DataFrame is matched by label."""
    if isinstance(values, pd.DataFrame):
        if not isinstance(values.index, pd.RangeIndex):
            values = by_label(values, data.genes, "gene", what)
        if not isinstance(values.columns, pd.RangeIndex):
            values = by_label(values.T, data.samples, "sample", what).T
    numbers = given_numbers(values, what)
    if numbers.shape != data.shape:
        raise NormalizationError(
            f"{what} must have the shape of the counts, genes x samples {data.shape}; got {numbers.shape}."
        )
    return numbers


def by_label(
    values: Any,  # noqa: ANN401 (Series or DataFrame)
    labels: pd.Index,
    noun: str,
    owner: str,
    error: type[CountnestError] = NormalizationError,
    *,
    of: str = "the counts",
) -> Any:  # noqa: ANN401
    """Return the rows of `values` in the order of `labels`; labels that are left over are left out.

    Parameters
    ----------
    values
        A Series or DataFrame with labels, which are compared as text.
    labels
        Those that are wanted.
    noun, owner, of
        What a label names, what `values` are, and what `labels` are those of, for messages.
    error
        The class of the error.

    Raises
    ------
    CountnestError
        If labels are missing, or there more than once.
    """
    labelled = values.set_axis(values.index.map(str))
    repeated = labelled.index[labelled.index.duplicated()].unique()
    if len(repeated):
        raise error(f"{owner}: {counted(len(repeated), f'{noun} label')} more than once: {listing(repeated)}.")
    wanted = labels.map(str)
    missing = wanted[~wanted.isin(labelled.index)]
    if len(missing):
        raise error(f"{owner}: {counted(len(missing), noun)} of {of} missing: {listing(missing)}.")
    return labelled.loc[wanted]


def given_numbers(values: Any, what: str, error: type[CountnestError] = NormalizationError) -> FloatArray:  # noqa: ANN401
    """Return numbers as a new array; text that reads as numbers and truth values are refused like everything else."""
    try:
        found = np.asarray(values)
        if found.dtype.kind in "iuf" or (found.dtype.kind == "O" and not any(map(_is_no_number, found.ravel()))):
            return as_float(np.array(found, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as cause:
        raise error(f"{what} must be numbers: {cause}.") from cause
    kind = next((kind_of(item) for item in found.ravel() if _is_no_number(item)), f"type {found.dtype}")
    raise error(f"{what} must be numbers; got {kind}.")


def _is_no_number(value: object) -> bool:
    return isinstance(value, (str, bytes, bool, np.bool_))


def _joint_example(design: Design) -> str:
    """Return advice on joint queries, by the last factor of the formula."""
    factor = ["factor", *design.levels][-1]
    query = f"joint({factor}[reference])"
    return advised(f"a joint query, such as dds.query({query!r}).test().", f"a joint query, such as --query '{query}'.")


def reduced_design(
    test: TestType,
    reduced: str | pd.DataFrame | FloatArray | None,
    full: Design,
    numeric_ok: Collection[str] = (),
) -> Design | None:
    """Return the reduced design of a likelihood ratio test, checked to lie within the full one; None for other tests.

    Raises
    ------
    OptionError
        If `reduced` is missing, or given for another test.
    DesignError
        If the reduced model is not nested in the full one or has as many columns.
    """
    if test in ("averaged", "QL") and reduced is not None:
        raise OptionError(
            f"{option('reduced')} is given but {option('test', test)} has no use for it: its null model follows from "
            "the question. Leave it out, and ask for several coefficients at once with " + _joint_example(full)
        )
    if test != "LRT":
        if reduced is not None:
            raise OptionError(
                f"{option('reduced')} is given but {option('test', 'Wald')} has no use for it; use "
                f"{option('test', 'LRT')}."
            )
        return None
    if reduced is None:
        raise OptionError("likelihood ratio test requires a 'reduced' design: test='LRT', reduced='~ ...'.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # the full design has said it
        null = build_design(reduced, full.sheet, numeric_ok=numeric_ok, **full.level_options())
    refuse_random(null, "the test of 'reduced'")
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
