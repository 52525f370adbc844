"""The counts, the samples and the genes of a report, in the form in which a page holds them."""

from __future__ import annotations

from typing import Final

import numpy as np

from countnest.arrays import BoolArray, FloatArray
from countnest.containers.gene_info import symbol_column
from countnest.reporting.content import Content, Quality
from countnest.reporting.groups import grouped
from countnest.reporting.packed import Json, packed, packed_column, smallest_type
from countnest.reporting.questions import question_data

__all__ = ["page_data"]

# Columns with more different values are not offered as groups.
_MOST_GROUPS: Final = 60


def page_data(content: Content) -> Json:
    """Return all that the page's script works with; genes without counts are left out.

    Returns
    -------
    dict
        genes, annotation and symbol (the name of the column with symbols, or None), samples (labels), sheet, groups
        (each with name, levels and codes), means (mean, low, high of the first groups, or None), joined, counts,
        factors, questions, dispersions.
    """
    values = content.counts.to_numpy(dtype=np.float64)
    there: BoolArray = np.count_nonzero(values, axis=1) > 0
    genes = content.counts.index[there]
    info = content.gene_info[there]
    groups = [grouped(content.samples, content.groups), *_other_groups(content)]
    return {
        "title": content.title,
        "genes": list(map(str, genes)),
        "annotation": [{"name": str(name), **packed_column(info[name])} for name in info.columns],
        "symbol": symbol_column(info.columns),
        "samples": list(map(str, content.samples.index)),
        "sheet": [{"name": str(name), **packed_column(column)} for name, column in content.samples.items()],
        "groups": groups,
        "means": _means(content.means, there),
        "joined": content.joined,
        "counts": packed(smallest_type(values[there])),
        "factors": packed(_factors(content.factors, there)),
        "questions": [
            {"name": name, **question_data(results, genes)} for name, results in content.questions.items()
        ],
        "dispersions": _dispersions(content.quality, there),
    }  # fmt: skip


def _other_groups(content: Content) -> list[Json]:
    """Return the groups by each single column of the sample sheet that has few values."""
    others = [str(name) for name in content.samples if (str(name),) != tuple(content.groups)]
    return [
        grouped(content.samples, [name])
        for name in others
        if 1 < content.samples[name].nunique(dropna=False) <= _MOST_GROUPS
    ]


def _factors(factors: FloatArray, there: BoolArray) -> np.ndarray:
    """Return size factors as they are, and normalization factors of the genes that the page has as float32."""
    return factors if factors.ndim == 1 else factors[there].astype(np.float32)


def _means(means: FloatArray | None, there: BoolArray) -> Json | None:
    """Return means of the model and their limits, of the genes that the page has, as float32 by name."""
    if means is None:
        return None
    limits = np.finfo(np.float32)
    held = np.clip(means[:, there], None, limits.max).astype(np.float32)
    return {name: packed(values) for name, values in zip(("mean", "low", "high"), held, strict=True)}


def _dispersions(quality: Quality, there: BoolArray) -> Json | None:
    """Return mean counts and dispersions as float32, by name."""
    if quality.dispersions is None:
        return None
    table = quality.dispersions[there]
    return {str(name): packed(table[name].to_numpy(np.float64).astype(np.float32)) for name in table}
