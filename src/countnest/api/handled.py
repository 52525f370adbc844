"""A data set, handled as people handle a table: size, copies."""

from __future__ import annotations

import copy
from typing import Self

import pandas as pd

from countnest.api.held import HeldData
from countnest.counterparts import checked_methods

__all__ = ["HandledData"]


@checked_methods
class HandledData(HeldData):
    """A data set with a size, of which parts and copies can be taken; `AskedData` adds the questions."""

    __iter__ = None  # neither genes nor samples go without saying

    def __len__(self) -> int:
        """Return the number of genes."""
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples."""
        return self._data.shape

    def copy(self) -> Self:
        """Return an independent copy: steps and settings of one do not change the other.

        What both hold is never written to, so that the copy takes no memory for the counts.
        """
        return copy.copy(self)

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        for name, value in vars(self).items():  # tables and options are the only values that are ever written to
            new.__dict__[name] = copy.deepcopy(value) if isinstance(value, (dict, pd.DataFrame)) else value
        return new
