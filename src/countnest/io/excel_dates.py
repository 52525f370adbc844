"""Names of genes that Excel turned into dates: SEPT2 became 2-Sep.

Source: Ziemann, Eren and El-Osta (2016), doi:10.1186/s13059-016-1044-7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from countnest.containers.gene_info import symbols_of
from countnest.errors import counted, listing, warn

__all__ = ["warn_of_dates"]

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)"
_DATE = re.compile(
    rf"\d{{1,2}}[-/ ]{_MONTH}(?:[-/ ]\d{{2,4}})?|{_MONTH}[-/ ]\d{{2}}|\d{{4}}-\d{{2}}-\d{{2}}(?: 00:00:00)?",
    re.IGNORECASE,
)


def warn_of_dates(labels: Iterable[object], gene_info: pd.DataFrame | None = None) -> None:
    """Warn about labels and symbols of genes that are dates."""
    symbols = None if gene_info is None else symbols_of(gene_info)
    texts = [str(label) for label in labels] + ([] if symbols is None else [str(symbol) for symbol in symbols])
    dates = list(dict.fromkeys(text for text in texts if text[:1].isalnum() and _DATE.fullmatch(text)))
    if dates:
        warn(
            f"{counted(len(dates), 'name')} of genes {'is a date' if len(dates) == 1 else 'are dates'}: "
            f"{listing(dates)}. A spreadsheet makes them of names such as SEPT2, MARCH1 and DEC1 (SEPTIN2, MARCHF1 and "
            "DELEC1 today), and two genes may become the same. Take the names from the file before it was opened there."
        )
