"""The results of the comparisons of `--contrast`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import countnest as cn
from countnest.api.query import bind
from countnest.api.results import only
from countnest.cli.found import Compared, file_names
from countnest.cli.request import Asked, How
from countnest.containers.results import Results
from countnest.queries.contrasts import contrast_query

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["compare"]


def compare(
    asked: Asked, how: How, dds: DESeqDataSet, contrasts: Sequence[tuple[str, str, str] | None]
) -> list[Compared]:
    """Return the results of all comparisons; None: that of `--name`, or the last coefficient."""
    return [
        Compared(contrast, _results(asked, how, dds, contrast), *names)
        for contrast, names in zip(contrasts, file_names(len(contrasts)), strict=True)
    ]


def _results(asked: Asked, how: How, dds: DESeqDataSet, contrast: tuple[str, str, str] | None) -> Results:
    if how.fit is not None or how.kind is not None:
        query = bind(contrast_query(dds.design, contrast, asked.name), dds)
        return only(query.test(how.kind, fit=how.fit, **asked.testing()))
    return cn.results(dds, contrast=contrast, name=asked.name, **asked.testing())
