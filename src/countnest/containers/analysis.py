"""What a table of results records of the data and of the fit behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AnalysisRecord"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnalysisRecord:
    """The data and the fit behind a table of results.

    Attributes
    ----------
    n_genes, samples
        The number of genes, and the labels of the samples in the order of the counts.
    counts_sha256
        The SHA-256 of the counts as 64-bit little-endian floats, gene by gene; None for counts that stay in a file.
    details
        What the fit was made with, by name: numbers, text, and lists of them. Empty for a fit that says nothing.
    """

    n_genes: int
    samples: tuple[str, ...]
    counts_sha256: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
