"""What linear models know of the samples beside the design: blocks, and models of their variances; checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet
from countnest.api.inputs import by_label
from countnest.arrays import IntArray
from countnest.errors import OptionError, warn
from countnest.options import check_option
from countnest.stats.voom.duplicates import is_spanned

__all__ = ["blocks_of", "groups_of"]


def groups_of(dds: CountDataSet, given: Any, name: str) -> tuple[IntArray, str]:  # noqa: ANN401 (checked here)
    """Return the group of each sample as a number from 0 (n,), and the name of the column, or of the argument."""
    sheet, samples = dds._data.sheet, dds._data.samples
    called = name
    if isinstance(given, str):
        check_option(name, given, [str(column) for column in sheet.columns])
        called, given = given, sheet[given]
    elif isinstance(given, pd.Series) and not isinstance(given.index, pd.RangeIndex):
        called = str(given.name) if given.name is not None else name
        given = by_label(given, samples, "sample", name, OptionError)
    codes = pd.factorize(np.asarray(given))[0] if np.ndim(given) == 1 else np.zeros(0)
    if len(codes) != len(samples) or (codes < 0).any():
        raise OptionError(f"{name}= must be one value for each of the {len(samples)} samples, none of them missing.")
    return codes.astype(np.int64), called


def blocks_of(dds: CountDataSet, given: Any) -> tuple[IntArray | None, str]:  # noqa: ANN401 (checked here)
    """Return the block of each sample (n,) with its name; None and '' where there are none, or none are needed.

    Raises
    ------
    OptionError
        There are fewer than two blocks, or none has two samples.
    """
    if given is None:
        return None, ""
    of_sample, name = groups_of(dds, given, "block")
    sizes = np.bincount(of_sample)
    if len(sizes) < 2:
        raise OptionError(f"block={name!r} has one block, so that no correlation can be estimated. Leave it out.")
    if sizes.max() < 2:
        raise OptionError(f"block={name!r} has a block for each sample, so that none are correlated. Leave it out.")
    if is_spanned(dds._design.matrix, of_sample):
        warn(
            f"the design holds the blocks of {name!r} fixed, so that nothing is left of their correlation: block= is "
            "not used. Leave it out, or leave the blocks out of the design."
        )
        return None, ""
    return of_sample, name
