"""The mixed models of a data set, by the names of the fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countnest.errors import MissingStepError, OptionError, listing
from countnest.methods.mixed.protocol import MixedAccess, access_to

if TYPE_CHECKING:
    from countnest.api.dataset import CountDataSet

__all__ = ["check_fit_chosen", "mixed_access"]


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
        there = _mixed(dds)
        advice = f"take fit={listing(there)}" if there else "fit them with cn.lmm(dds)"
        raise OptionError(f"{function} is for mixed models, and '{name}' is a fit of {own.method}: {advice}.")
    return found


def check_fit_chosen(dds: CountDataSet, function: str) -> None:
    """Raise `MissingStepError` where a function without fit= has mixed models to choose from, and no other fit.

    Parameters
    ----------
    dds
        A data set.
    function
        The function as users call it: 'dds.mu'.
    """
    there = _mixed(dds) if dds._design.random else []
    if there:
        raise MissingStepError(
            f"{function} needs the name of the fit, because designs with random terms have no analysis by DESeq2's "
            f"method: give fit={'' if len(there) == 1 else ', one of '}{listing(there)}."
        )


def _mixed(dds: CountDataSet) -> list[str]:
    """Return the names of the mixed models of a data set."""
    return [name for name in dds._fits if access_to(dds._fit(name)) is not None]
