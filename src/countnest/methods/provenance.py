"""The record of the data and of the fit behind a table of results."""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import numpy as np

from countnest.containers.analysis import AnalysisRecord
from countnest.containers.counts import CountData
from countnest.containers.matrix import InMemory
from countnest.methods.fit import Fit, notes_of

__all__ = ["analysis_of", "checksum"]

# Counts do not change, so that they are summed once.
_KNOWN: WeakKeyDictionary[CountData, str] = WeakKeyDictionary()


def analysis_of(fit: Fit, data: CountData) -> AnalysisRecord:
    """Return the record of a fit and of its data."""
    return AnalysisRecord(
        n_genes=len(data.genes),
        samples=tuple(map(str, data.samples)),
        counts_sha256=checksum(data),
        details=notes_of(fit).details,
    )


def checksum(data: CountData) -> str | None:
    """Return the SHA-256 of counts in memory as little-endian doubles, gene by gene; None for counts in a file."""
    if not isinstance(data.matrix, InMemory):
        return None
    if data not in _KNOWN:
        values = np.ascontiguousarray(data.matrix.values, dtype="<f8")
        _KNOWN[data] = hashlib.sha256(values.data).hexdigest()
    return _KNOWN[data]
