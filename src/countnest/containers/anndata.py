"""Reading an AnnData object without importing anndata, which stays optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from countnest.containers.source import source_of
from countnest.errors import CountsError, OptionError, listing, suggestion

__all__ = ["AnnDataLike", "AnnDataTable", "anndata_table", "is_anndata"]

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
    """What an AnnData object says about its counts: `values` is (n, G), samples by genes."""

    values: object  # ndarray or SciPy sparse, in memory; or a table in a file
    samples: pd.Index
    genes: pd.Index
    sheet: pd.DataFrame
    gene_info: pd.DataFrame
    other_layers: tuple[str, ...]


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
        raise OptionError(f"layer={layer!r} is not in the AnnData object; {known}.{suggestion(layer, layers)}")
    values = adata.X if layer is None else adata.layers[layer]
    if values is None:
        hint = f"name the layer that holds the counts with layer=: {listing(layers)}" if layers else "store counts in X"
        raise CountsError(f"the AnnData object has no X; {hint}.")
    return AnnDataTable(
        values=_readable(values),
        samples=adata.obs_names,
        genes=adata.var_names,
        sheet=pd.DataFrame(adata.obs),
        gene_info=pd.DataFrame(adata.var),
        other_layers=tuple(name for name in layers if name != layer),
    )


def _readable(values: object) -> object:
    """Return a table in a file, sparse or not, as it is, and an array that is lazy otherwise as one in memory."""
    if source_of(values) is not None:
        return values
    if hasattr(values, "to_memory"):
        values = values.to_memory()
    return values if sparse.issparse(values) else np.asarray(values)
