"""Removal of the fitted model from a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from countnest.api.dataset import require_data_set
from countnest.methods.deseq2.stages import Dispersed, Fitted
from countnest.methods.stage import at_stage
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["remove_results"]

Held = TypeVar("Held", bound="DESeqDataSet")


@checked_arguments
def remove_results(dds: Held) -> Held:
    """Remove the fitted model from a data set, and return it; factors and dispersions stay.

    The next `nbinom_wald_test` or `nbinom_lrt` fits it again; counts that were replaced as outliers stay replaced until
    `deseq` or `estimate_dispersions` starts from the original counts.

    Notes
    -----
    R counterpart: DESeq2::removeResults.
    """
    require_data_set(dds, "remove_results")
    if isinstance(dds._state, Fitted):
        dds._state = at_stage(Dispersed, dds._state)
    return dds
