"""Selection of genes and samples, by the rules of pandas and AnnData."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from countnest.arrays import BoolArray, IntArray
from countnest.containers.counts import CountData
from countnest.containers.matrix import Chosen, CountMatrix, InMemory
from countnest.errors import CountnestError, CountsError, SamplesError, counted, kind_of, listing, suggestion

__all__ = ["Noun", "chosen_places", "select"]

Noun = Literal["gene", "sample"]

_ERRORS: dict[Noun, type[CountnestError]] = {"gene": CountsError, "sample": SamplesError}
_KINDS = "a label, a list of labels, positions from 0, a slice of either, or one truth value for each"


def chosen_places(chosen: Any, labels: pd.Index, noun: Noun) -> IntArray | None:  # noqa: ANN401 (checked here)
    """Return the positions of the chosen genes or samples in the order they are named; None for all of them.

    Parameters
    ----------
    chosen
        A label or a list of labels; whole numbers, which are positions from 0, or from the end if they are negative; a
        slice of positions, or of labels, then with its last one; truth values, one for each: an array or a list by
        position, a Series by label. Anything that iterates over one of these, such as an Index, will do.
    labels
        The labels, as text.
    noun
        What a label names.

    Raises
    ------
    CountsError or SamplesError
        A label that is not there, a position outside, a repeated one, a wrong number of truth values, or none that is
        true.
    """
    error = _ERRORS[noun]
    if isinstance(chosen, slice):
        found = np.arange(len(labels))[_slice_of_places(chosen, labels, noun)]
        return None if len(found) == len(labels) and chosen.step in (None, 1) else _some(found, noun)
    if isinstance(chosen, (str, int, np.integer)) and not isinstance(chosen, bool):
        chosen = [chosen]
    elif isinstance(chosen, (set, frozenset, dict)) or not pd.api.types.is_list_like(chosen):
        raise error(f"{noun}s are chosen by {_KINDS}; got {kind_of(chosen)}.")
    if isinstance(chosen, pd.Series) and pd.api.types.is_bool_dtype(chosen.dtype):
        chosen = _by_label(chosen, labels, noun)
    values = pd.array(list(chosen), dtype=object).to_numpy()
    kind = pd.api.types.infer_dtype(values, skipna=False) if len(values) else "empty"
    if kind == "boolean":
        found = np.flatnonzero(_mask(values.astype(np.bool_), labels, noun))
    elif kind == "integer":
        found = _positions(values.astype(np.int64), labels, noun)
    elif kind in ("string", "empty"):
        found = _labelled(pd.Index(values, dtype=object), labels, noun)
    else:
        raise error(f"{noun}s are chosen by {_KINDS}; got {kind} values, such as {values[0]!r}.")
    if len(np.unique(found)) < len(found):
        names = labels[found]
        raise error(
            f"{counted(int(names.duplicated().sum()), noun)} chosen more than once: "
            f"{listing(names[names.duplicated()].unique())}. Labels must stay unique."
        )
    return _some(found, noun)


def _some(found: IntArray, noun: Noun) -> IntArray:
    if not len(found):
        raise _ERRORS[noun](f"no {noun} is chosen; a data set needs one at least.")
    return found.astype(np.int64)


def _slice_of_places(chosen: slice, labels: pd.Index, noun: Noun) -> slice:
    """Return a slice of positions; one of labels includes its last one, as in pandas."""
    ends = [chosen.start, chosen.stop]
    if not any(isinstance(end, str) for end in ends):
        if all(end is None or isinstance(end, (int, np.integer)) for end in (*ends, chosen.step)) and chosen.step != 0:
            return chosen
        raise _ERRORS[noun](f"{chosen!r} is no slice of {noun}s; give whole numbers, or two labels.")
    places = [None if end is None else int(_labelled(pd.Index([end]), labels, noun)[0]) for end in ends]
    return slice(places[0], None if places[1] is None else places[1] + 1, chosen.step)


def _by_label(chosen: pd.Series[Any], labels: pd.Index, noun: Noun) -> Any:  # noqa: ANN401 (truth values)
    """Return the booleans of a Series in the order of the labels; with a default index, by position."""
    if isinstance(chosen.index, pd.RangeIndex):
        return chosen
    own = chosen.index.map(str)
    missing = labels[~labels.isin(own)]
    if len(missing) or not own.is_unique:
        what = "has labels more than once" if not len(missing) else f"lacks {counted(len(missing), noun)}"
        raise _ERRORS[noun](
            f"the truth values that choose {noun}s are a Series whose index {what}"
            f"{': ' if len(missing) else ''}{listing(missing)}. Give one for each of the {len(labels)} {noun}s."
        )
    return chosen.set_axis(own).loc[labels]


def _mask(values: BoolArray, labels: pd.Index, noun: Noun) -> BoolArray:
    if len(values) != len(labels):
        raise _ERRORS[noun](
            f"{len(values)} truth values cannot choose among {counted(len(labels), noun)}; give one each."
        )
    return values


def _positions(values: IntArray, labels: pd.Index, noun: Noun) -> IntArray:
    outside = values[(values < -len(labels)) | (values >= len(labels))]
    if len(outside):
        raise _ERRORS[noun](
            f"whole numbers are positions, from 0 to {len(labels) - 1}; not among them: {listing(outside)}. Write "
            "labels that are numbers as text."
        )
    return values % len(labels)


def _labelled(chosen: pd.Index, labels: pd.Index, noun: Noun) -> IntArray:
    found = labels.get_indexer(chosen)
    unknown = chosen[found < 0]
    if len(unknown):
        raise _ERRORS[noun](
            f"{counted(len(unknown), noun)} not in the data set: {listing(unknown)}.{suggestion(unknown[0], labels)}"
        )
    return found.astype(np.int64)


def select(data: CountData, genes: IntArray | None, samples: IntArray | None) -> CountData:
    """Return the counts of some genes and samples, at these positions in this order; None: all of them.

    Counts in a file stay there.
    """
    matrix = _selected(data.matrix, genes, samples)
    labels = data.genes if genes is None else data.genes[genes]
    sheet = data.sheet if samples is None else data.sheet.iloc[samples]
    return replace(
        data,
        matrix=matrix,
        counted=_counted(data, genes) if samples is None else _has_counts(matrix),
        genes=labels,
        samples=data.samples if samples is None else data.samples[samples],
        sheet=sheet,
        gene_info=data.gene_info if genes is None else data.gene_info.iloc[genes],
    )


def _counted(data: CountData, genes: IntArray | None) -> BoolArray:
    return data.counted if genes is None else data.counted[genes]


def _selected(matrix: CountMatrix, genes: IntArray | None, samples: IntArray | None) -> CountMatrix:
    if isinstance(matrix, InMemory):
        values = matrix.values if genes is None else matrix.values[genes]
        return InMemory(values if samples is None else np.ascontiguousarray(values[:, samples]))
    return Chosen(matrix, genes, samples)


def _has_counts(matrix: CountMatrix) -> BoolArray:
    """Return the mask of genes with a count, reading chunk by chunk."""
    n_genes, n = matrix.shape
    step = max(1, matrix.gathered_cells // n)
    found = np.zeros(n_genes, dtype=np.bool_)
    for start in range(0, n_genes, step):
        rows = slice(start, min(start + step, n_genes))
        found[rows] = (matrix.read(rows) > 0).any(axis=1)
    return found
