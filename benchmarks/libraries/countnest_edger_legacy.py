"""countnest, edgeR's quasi-likelihood tests before version 4, on the trend of the dispersions."""

from __future__ import annotations

from typing import Any

import numpy as np

from libraries import countnest_edger
from libraries.countnest import IMPORT, prepare

__all__ = ["IMPORT", "analyse", "prepare"]


def analyse(given: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 fold changes and p-values of the last coefficient."""
    return countnest_edger.analyse(given, threads, compat="bioc3.16")
