"""The arguments of `countnest plot`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from countnest.cli.request import SavedRequest

__all__ = ["GeneKind", "GroupKind", "Kind", "PlotRequest", "QuestionKind"]

Kind = Literal["volcano", "ma", "pvalues", "upset", "changes", "counts", "pca", "distances", "heatmap", "dispersion"]
# Those of questions, and of genes.
QuestionKind = Literal["volcano", "ma", "pvalues", "upset", "changes", "heatmap"]
GeneKind = Literal["changes", "counts"]
# Those of groups of samples.
GroupKind = Literal["counts", "pca", "distances", "heatmap"]


@dataclass(frozen=True, kw_only=True)
class PlotRequest(SavedRequest):
    """What is drawn of a saved fit, as it was given; None: not given."""

    kind: Kind
    gene: str | None
    by: tuple[str, ...]
    out: Path
