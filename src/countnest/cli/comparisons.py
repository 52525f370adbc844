"""The results of the comparisons of `--contrast`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import countnest as cn
from countnest.api.query import bind
from countnest.api.results import only
from countnest.cli.found import Compared, file_names
from countnest.cli.request import Request
from countnest.containers.results import Results
from countnest.queries.contrasts import contrast_query

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["compare"]


def compare(request: Request, dds: DESeqDataSet, contrasts: Sequence[tuple[str, str, str] | None]) -> list[Compared]:
    """Return the results of all comparisons; None: that of `--name`, or the last coefficient."""
    return [
        Compared(contrast, _results(request, dds, contrast), *names)
        for contrast, names in zip(contrasts, file_names(len(contrasts)), strict=True)
    ]


def _results(request: Request, dds: DESeqDataSet, contrast: tuple[str, str, str] | None) -> Results:
    if request.fit is not None:
        query = bind(contrast_query(dds.design, contrast, request.name), dds)
        return only(
            query.test(
                fit=request.fit,
                alpha=request.alpha,
                lfc_threshold=request.lfc_threshold,
                alt_hypothesis=request.alt_hypothesis,
                hidden_factors=request.hidden_factors,
                hidden_seed=request.hidden_seed,
                null=request.null,
            )
        )
    return cn.results(
        dds,
        contrast=contrast,
        name=request.name,
        alpha=request.alpha,
        lfc_threshold=request.lfc_threshold,
        alt_hypothesis=request.alt_hypothesis,
        independent_filtering=request.independent_filtering,
        cooks_cutoff=request.cooks_cutoff,
        hidden_factors=request.hidden_factors,
        hidden_seed=request.hidden_seed,
        null=request.null,
    )
