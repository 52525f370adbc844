"""The mixed models of a data set, by the names of the fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countnest.errors import OptionError, listing
from countnest.methods.mixed.protocol import MixedAccess, access_to

if TYPE_CHECKING:
    from countnest.api.dataset import CountDataSet

__all__ = ["mixed_access"]


def mixed_access(dds: CountDataSet, function: str, name: str) -> MixedAccess:
    """Return what the mixed models of a data set tell, by the name of the fit.

    Raises
    ------
    OptionError
        There are no mixed models under this name.
    """
    own = dds._fit(name)
    found = access_to(own)
    if found is None:
        there = [other for other in dds._fits if access_to(dds._fit(other)) is not None]
        advice = f"take fit={listing(there)}" if there else "fit them with cn.lmm(dds)"
        raise OptionError(f"{function} is for mixed models, and '{name}' is a fit of {own.method}: {advice}.")
    return found
