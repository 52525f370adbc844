"""Variance stabilized counts, for figures of the samples and for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import countnest as cn
from countnest.errors import OptionError

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.containers.transformed import Transformed

__all__ = ["stabilized"]


def stabilized(dds: DESeqDataSet) -> Transformed:
    """Return variance stabilized counts: by the trend of some genes or, where there are few genes, of all."""
    try:
        return cn.vst(dds, quiet=True)
    except OptionError:  # fewer genes than `vst` estimates the trend from
        return cn.variance_stabilizing_transformation(dds, quiet=True)
