"""Statistics with the direction of the change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, as_float

__all__ = ["signed_statistics"]

# Tests whose statistics have the sign of the effect.
_SIGNED = ("Wald", "averaged LRT")


def signed_statistics(table: pd.DataFrame, test: str | None) -> FloatArray:
    """Return the statistics (G,) of a table of one comparison with the sign of the fold change.

    Statistics without a sign, as of likelihood ratio and F tests, become signed roots. `test` is the name of the test;
    None: not known, so that the values tell whether they have a sign.
    """
    values = table["stat"].to_numpy(dtype=np.float64)
    if test in _SIGNED or (test is not None and "t" in test.split()) or (values < 0).any():
        return values
    sign = np.sign(table["log2FoldChange"].to_numpy(dtype=np.float64))
    return as_float(sign * np.sqrt(values))
