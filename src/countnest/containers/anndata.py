"""Reading of AnnData objects without importing anndata, which is optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from countnest.containers.source import source_of
from countnest.errors import CountsError, OptionError, listing, suggestion, warn
from countnest.remedies import given, option

__all__ = ["AnnDataLike", "AnnDataTable", "anndata_table", "is_anndata", "warn_of_other_counts", "where_counts_are"]

_FIRST = 100  # samples that are looked at to tell counts from other values
_NAMES = {"counts", "count", "raw_counts", "raw"}
_ATTRIBUTES = ("obs", "var", "obs_names", "var_names", "layers")


class AnnDataLike(Protocol):
    """The part of an AnnData object that is read here."""

    X: object
    layers: Mapping[str, object]
    obs: pd.DataFrame
    obs_names: pd.Index
    var: pd.DataFrame
    var_names: pd.Index


class AnnDataTable(NamedTuple):
    """Counts of an AnnData object with their annotation; `values` is (n, G), samples by genes."""

    values: object  # ndarray or SciPy sparse, in memory; or a table in a file
    samples: pd.Index
    genes: pd.Index
    sheet: pd.DataFrame
    gene_info: pd.DataFrame


def is_anndata(value: object) -> TypeGuard[AnnDataLike]:
    """Return whether `value` looks like an AnnData object: `obs`, `var`, their names, and layers."""
    if isinstance(value, (pd.DataFrame, np.ndarray)):
        return False
    return all(hasattr(value, name) for name in _ATTRIBUTES)


def anndata_table(adata: AnnDataLike, layer: str | None = None) -> AnnDataTable:
    """Return the counts of `X`, or of `layer`, with the labels, sample sheet and annotation around them.

    Parameters
    ----------
    adata
        An AnnData object (samples in `obs`, genes in `var`), in memory or backed by a file.
    layer
        The layer that holds the counts; `X` when missing.

    Raises
    ------
    OptionError
        The layer does not exist.
    CountsError
        There is no `X`.
    """
    layers = tuple(str(name) for name in adata.layers)
    if layer is not None and layer not in layers:
        known = f"its layers are {listing(layers)}" if layers else "it has no layers"
        raise OptionError(f"{given('layer', layer)} is not in the AnnData object; {known}.{suggestion(layer, layers)}")
    values = adata.X if layer is None else adata.layers[layer]
    if values is None:
        hint = where_counts_are(adata, None) or " Store counts in X."
        raise CountsError(f"the AnnData object has no X.{hint}")
    return AnnDataTable(
        values=_readable(values),
        samples=adata.obs_names,
        genes=adata.var_names,
        sheet=pd.DataFrame(adata.obs),
        gene_info=pd.DataFrame(adata.var),
    )


def _readable(values: object) -> object:
    """Return a table in a file, sparse or not, unchanged, and any other lazy array in memory."""
    if source_of(values) is not None:
        return values
    if hasattr(values, "to_memory"):
        values = values.to_memory()
    return values if sparse.issparse(values) else np.asarray(values)


def where_counts_are(adata: AnnDataLike, layer: str | None) -> str:
    """Return ' ...', a sentence on where else an AnnData object has whole numbers; '' if nowhere.

    `layer` is where they were looked for; None: `X`.
    """
    places: dict[str, object] = {str(name): adata.layers[name] for name in adata.layers if str(name) != layer}
    found = [name for name, values in places.items() if _are_whole(values)]
    if found:
        return f" Whole numbers are in the layer {listing(found)}: give {option('layer', found[0])}."
    if layer is not None and _are_whole(adata.X):
        return " Whole numbers are in X: leave out layer."
    raw = getattr(adata, "raw", None)
    if raw is not None and _are_whole(raw.X):
        return " Whole numbers are in raw: give adata.raw.to_adata()."
    looked = [*(["the other layers"] if places else []), *(["raw"] if raw is not None else [])]
    return f" There are no whole numbers in {' and '.join(looked)} either." if looked else ""


def warn_of_other_counts(adata: AnnDataLike) -> None:
    """Warn if `X` and a layer named counts both hold whole numbers, and these differ."""
    for name in adata.layers:
        if str(name).lower() not in _NAMES or not (_are_whole(adata.X, 0) and _are_whole(adata.layers[name])):
            continue
        here, there = (_first(values) for values in (adata.X, adata.layers[name]))
        if not np.array_equal(here, there):
            warn(
                f"the AnnData object has whole numbers in X and others in the layer {name!r}: those of X are taken. "
                f"Give {option('layer', name)} for the others."
            )


def _first(values: Any) -> npt.NDArray[Any]:  # noqa: ANN401 (a table of any kind, in memory or in a file)
    """Return the values of the first samples."""
    first: Any = _readable(values[:_FIRST])
    return np.asarray(first.toarray() if hasattr(first, "toarray") else first)


def _are_whole(values: Any, least: int = 1) -> bool:  # noqa: ANN401
    """Return whether the first samples hold whole numbers, none negative, some above `least`."""
    if values is None:
        return False
    numbers = _first(values)
    if numbers.dtype.kind not in "iuf":
        return False
    return bool(np.all((np.floor(numbers) == numbers) & (numbers >= 0)) and np.any(numbers > least))
