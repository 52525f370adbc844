"""The arguments of limma's steps: values, designs, weights and contrasts, checked and as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet
from countnest.api.inputs import by_label, given_numbers
from countnest.api.linear_model import LinearModel, VoomCounts
from countnest.arrays import BoolArray, FloatArray
from countnest.design.random.refusal import one_correlation, refuse_random
from countnest.errors import ContrastError, DesignError, OptionError, counted, kind_of, listing, warn
from countnest.stats.linear.least_squares import independent_columns

__all__ = ["Values", "given_contrasts", "given_trend", "given_value_weights", "given_values", "places_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values (G, n), NaN where missing, and a design (n, p), with their labels.

    Weights are (G, n) or (1, n). They, sample weights, the sample sheet and what is known of the genes
    are None where there are none.
    """

    values: FloatArray
    genes: pd.Index
    samples: pd.Index
    design: FloatArray
    names: tuple[str, ...]
    weights: FloatArray | None
    sample_weights: pd.Series[float] | None = None
    sheet: pd.DataFrame | None = None
    gene_info: pd.DataFrame | None = None


def given_values(values: Any, design: Any, weights: Any) -> Values:  # noqa: ANN401 (checked here)
    """Return log counts of voom, or a table of values, genes x samples, with a design and weights."""
    sheet = design._data.sheet if isinstance(design, CountDataSet) else None
    if isinstance(values, VoomCounts):
        sheet = values.samples if sheet is None else sheet
        frame, own = values.E, values.weights.to_numpy(dtype=np.float64)
        design = values.design if design is None else design
        sample_weights, gene_info = values.sample_weights, values.gene_info
    else:
        frame = values if isinstance(values, pd.DataFrame) else pd.DataFrame(_table(values))
        own, sample_weights, gene_info = None, None, None
    numbers = given_numbers(frame, "values", OptionError)
    if np.isinf(numbers).any():
        raise OptionError("values must be finite, or NaN where they are missing: log counts, not counts of zero.")
    matrix, names = given_design(design, frame.columns)
    if weights is not None:
        own = given_value_weights(weights, frame.index, frame.columns)
    if sheet is not None and not isinstance(frame.columns, pd.RangeIndex):
        sheet = by_label(sheet, frame.columns, "sample", "design", DesignError)
    return Values(numbers, frame.index, frame.columns, matrix, names, own, sample_weights, sheet, gene_info)


def _table(values: Any) -> FloatArray:  # noqa: ANN401 (checked here)
    if not isinstance(values, np.ndarray) or values.ndim != 2:
        raise OptionError(
            f"values must be what cn.voom returned, or a table of log values, genes x samples; got {kind_of(values)}."
        )
    return values


def given_design(design: Any, samples: pd.Index) -> tuple[FloatArray, tuple[str, ...]]:  # noqa: ANN401
    """Return a model matrix (n, p) of full rank with the names of its columns; of a data set, that of its design."""
    if isinstance(design, CountDataSet):
        refuse_random(design._design, "limma", one_correlation(design._design))
        design = pd.DataFrame(design._design.matrix, design._data.samples, list(design._design.names))
    if design is None:
        raise OptionError("design= is needed: a data set, or a model matrix with a row for each sample.")
    if isinstance(design, pd.DataFrame):
        if not isinstance(design.index, pd.RangeIndex) and not isinstance(samples, pd.RangeIndex):
            design = by_label(design, samples, "sample", "design", DesignError)
        names = tuple(map(str, design.columns))
    else:
        names = tuple(f"x{k}" for k in range(1, np.shape(design)[-1] + 1)) if np.ndim(design) == 2 else ()
    matrix = given_numbers(design, "design", DesignError)
    if matrix.ndim != 2 or len(matrix) != len(samples) or not np.isfinite(matrix).all():
        raise DesignError(
            f"design= must be finite, with a row for each of the {len(samples)} samples; got the shape {matrix.shape}."
        )
    kept = independent_columns(matrix)
    if len(kept) < len(names):
        dropped = [name for k, name in enumerate(names) if k not in kept]
        warn(f"columns of the design that are combinations of earlier ones are dropped: {listing(dropped)}.")
    return matrix[:, kept], tuple(names[k] for k in kept)


def given_value_weights(weights: Any, genes: pd.Index, samples: pd.Index) -> FloatArray:  # noqa: ANN401
    """Return weights (G, n), or (1, n) by sample, not negative; a value of weight 0 counts as missing."""
    if isinstance(weights, pd.DataFrame) and not isinstance(weights.index, pd.RangeIndex):
        weights = by_label(weights, genes, "gene", "weights", OptionError)
    elif isinstance(weights, pd.Series) and not isinstance(weights.index, pd.RangeIndex):
        weights = by_label(weights, samples, "sample", "weights", OptionError)
    numbers = np.atleast_2d(given_numbers(weights, "weights", OptionError))
    if numbers.shape not in ((1, len(samples)), (len(genes), len(samples))):
        raise OptionError(
            f"weights must be one for each of the {len(samples)} samples, or genes x samples; got {numbers.shape}."
        )
    bad = ~(np.isfinite(numbers) & (numbers >= 0))
    if bad.any():
        raise OptionError(
            f"weights must be finite and not negative; {bad.sum()} of {bad.size} are not, such as {numbers[bad][0]}. "
            "A weight of 0 leaves a value out."
        )
    return numbers


def given_trend(trend: Any, genes: pd.Index, used: BoolArray | None = None) -> bool | FloatArray:  # noqa: ANN401
    """Return whether the prior follows the mean values, or the covariate (m,) that it follows instead.

    The covariate is by gene, of which only those `used` (G,) count; None: all.
    """
    if isinstance(trend, (bool, np.bool_)):
        return bool(trend)
    if trend is None or np.ndim(trend) == 0:
        raise OptionError(f"trend={trend!r} must be True or False, or numbers by gene which the prior is to follow.")
    if isinstance(trend, pd.Series) and not isinstance(trend.index, pd.RangeIndex):
        trend = by_label(trend, genes, "gene", "trend", OptionError)
    numbers = given_numbers(trend, "trend", OptionError)
    if numbers.shape != (len(genes),):
        raise OptionError(f"trend= must be one number for each of the {len(genes)} genes; got {numbers.shape}.")
    kept = np.ones(len(genes), dtype=np.bool_) if used is None else used
    wrong = genes[kept & ~np.isfinite(numbers)]
    if len(wrong):
        raise OptionError(f"trend= must be finite, and is not for {counted(len(wrong), 'gene')}: {listing(wrong)}.")
    return numbers[kept]


def given_contrasts(contrasts: Any, names: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:  # noqa: ANN401
    """Return contrasts (k, p) with their labels.

    They are given as coefficients x contrasts, or as a dict of labels, each with weights of coefficients by name or in
    their order.
    """
    if isinstance(contrasts, str):
        raise ContrastError(
            f"contrasts={contrasts!r} is text; give weights of coefficients, {{'label': {{{names[-1]!r}: 1}}}}; "
            "queries of what cn.limma fitted take text: dds.contrast(...).test(fit='limma')."
        )
    if isinstance(contrasts, Mapping):
        contrasts = pd.DataFrame({label: _weights_of(own, names) for label, own in contrasts.items()})
    if isinstance(contrasts, pd.DataFrame):
        unknown = contrasts.index.map(str).difference(list(names))
        if len(unknown):
            raise ContrastError(f"{counted(len(unknown), 'coefficient')} not in the fit: {listing(unknown)}.")
        labels = tuple(map(str, contrasts.columns))
        matrix = contrasts.reindex(list(names)).fillna(0.0).to_numpy(dtype=np.float64).T
    else:
        matrix = np.atleast_2d(given_numbers(contrasts, "contrasts", ContrastError).T)
        labels = tuple(f"contrast{k}" for k in range(1, len(matrix) + 1))
    if not len(matrix):
        raise ContrastError("contrasts= is empty; give one or more, such as {'label': {" + repr(names[-1]) + ": 1}}.")
    if matrix.shape[1] != len(names) or not np.isfinite(matrix).all() or not (matrix != 0).any(axis=1).all():
        raise ContrastError(
            f"contrasts must have a row for each of the {len(names)} coefficients {listing(names)}, and a column that "
            "is not all zero for each contrast."
        )
    return matrix, labels


def _weights_of(given: Any, names: tuple[str, ...]) -> pd.Series[float]:  # noqa: ANN401 (checked here)
    if isinstance(given, Mapping):
        return pd.Series(dict(given), dtype=np.float64)
    if np.ndim(given) != 1 or len(given) != len(names):
        raise ContrastError(f"a contrast must have a weight for each of the {len(names)} coefficients; got {given!r}.")
    return pd.Series(given, list(names), dtype=np.float64)


def places_of(coef: Any, fit: LinearModel) -> list[int]:  # noqa: ANN401 (checked here)
    """Return the places of coefficients, given by name or place, one or several; None: all but the intercept."""
    if coef is None:
        every = [k for k, name in enumerate(fit.names) if name not in ("Intercept", "(Intercept)")]
        return every or [0]
    asked = [coef] if isinstance(coef, (str, int, np.integer)) else list(coef)
    found = [fit.names.index(each) if each in fit.names else each for each in asked]
    bad = [each for each in found if isinstance(each, (bool, str)) or each not in range(len(fit.names))]
    if bad or not found:
        raise ContrastError(f"coef={coef!r} is not in the fit; its coefficients are {listing(fit.names, 20)}.")
    return [int(each) for each in found]
