"""Shares of pure samples in mixed ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countnest.api.inputs import by_label, positive_number
from countnest.arrays import FloatArray
from countnest.errors import CountsError, OptionError, listing, warn
from countnest.signature import checked_arguments
from countnest.stats.unmix import mixing_shares, stabilized

__all__ = ["unmix"]

HIGH_CORRELATION = 0.99


@checked_arguments
def unmix(
    x: pd.DataFrame | FloatArray,
    pure: pd.DataFrame | FloatArray,
    *,
    alpha: float | None = None,
    shift: float | None = None,
    power: int = 1,
) -> pd.DataFrame:
    """Return the shares of pure components, such as tissues, in mixed samples; those of a sample sum to 1.

    Each sample is compared with mixtures of the components on a scale of about constant variance, so that genes with
    high counts do not decide alone.

    Parameters
    ----------
    x
        Normalized counts, or TPM, of the mixed samples, genes x samples: `dds.counts(normalized=True)`.
    pure
        The same of the components, genes x components. Tables are matched by the labels of their genes.
    alpha
        For normalized counts: their dispersion, such as the first coefficient of a parametric trend,
        ``dds.dispersion_trend.coefficients["asymptDisp"]``.
    shift
        For TPM: the number that is added before the logarithm. One of `alpha` and `shift` must be given.
    power
        1: least absolute distances; 2: least squares.

    Returns
    -------
    DataFrame
        Samples x components.

    Raises
    ------
    CountsError
        The tables do not fit, a value is negative or missing, or a sample has no shares: it is zero in all genes, or
        has nothing of any component.
    OptionError
        Not exactly one of `alpha` and `shift` is given, or a number is outside its domain.

    Warns
    -----
    CountnestWarning
        Components are so much alike (correlation above 0.99 on the scale of the comparison) that their shares can
        hardly be told apart.

    Notes
    -----
    R counterpart: DESeq2::unmix.
    """
    if (alpha is None) == (shift is None):
        raise OptionError("give one of alpha, for normalized counts, and shift, for TPM.")
    for name, value in (("alpha", alpha), ("shift", shift)):
        if value is not None:
            positive_number(name, value)
    if power not in (1, 2):
        raise OptionError(f"power={power!r} must be 1 or 2.")
    mixed, components = _table(x, "x", "sample"), _table(pure, "pure", "component")
    if isinstance(x, pd.DataFrame) and isinstance(pure, pd.DataFrame):
        by_label(mixed, components.index, "gene", "x", CountsError, of="pure")
        components = by_label(components, mixed.index, "gene", "pure", CountsError, of="x")
    if len(mixed) != len(components):
        raise CountsError(f"x has {len(mixed)} genes and pure has {len(components)}; give the same genes in both.")
    empty = mixed.columns[mixed.to_numpy().max(axis=0) == 0]
    if len(empty):
        raise CountsError(f"x is zero in all genes of {listing(empty)}: such samples have no shares; leave them out.")
    scale: dict[str, Any] = {"alpha": alpha, "shift": shift}
    _warn_of_likeness(components, stabilized(components.to_numpy(), **scale))
    with np.errstate(invalid="ignore"):  # amounts that are all zero have no shares
        shares = mixing_shares(mixed.to_numpy(), components.to_numpy(), **scale, power=power)
    lost = mixed.columns[np.isnan(shares[:, 0])]
    if len(lost):
        raise CountsError(
            f"no component of pure has any part in {listing(lost)}: such samples consist of something else. Add it to "
            "pure, or leave them out."
        )
    return pd.DataFrame(shares, index=mixed.columns, columns=components.columns)


def _table(values: pd.DataFrame | FloatArray, name: str, noun: str) -> pd.DataFrame:
    """Return a table of floats, checked; the columns of an array are numbered."""
    try:
        table = pd.DataFrame(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise CountsError(f"{name} must be a table of numbers, genes x {noun}s: {error}.") from error
    if table.empty:
        raise CountsError(f"{name} must be a table of numbers, genes x {noun}s; its shape is {table.shape}.")
    numbers = table.to_numpy()
    bad = table.index[(~np.isfinite(numbers) | (numbers < 0)).any(axis=1)]
    if len(bad):
        raise CountsError(f"{name} has negative, missing or infinite values, in the genes {listing(bad)}.")
    if not isinstance(values, pd.DataFrame):
        table.columns = pd.Index([f"{noun}{i}" for i in range(1, table.shape[1] + 1)])
    return table


def _warn_of_likeness(components: pd.DataFrame, values: FloatArray) -> None:
    if values.shape[1] < 2:
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.triu(np.corrcoef(values, rowvar=False) > HIGH_CORRELATION, 1)
    pairs = [f"{components.columns[i]} and {components.columns[j]}" for i, j in np.argwhere(alike)]
    if pairs:
        warn(
            f"components of pure are highly correlated (above {HIGH_CORRELATION:g}): {listing(pairs)}; their shares "
            "can hardly be told apart. Look at the correlations, and merge what cannot be separated."
        )
