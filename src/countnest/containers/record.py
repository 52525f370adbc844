"""The record of a table of results in the types of JSON: what is needed to make the table again."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from countnest.containers.info import ResultsInfo
from countnest.containers.methods_text import methods_text
from countnest.version import installed_version

__all__ = ["plain", "results_record"]

_DEPENDENCIES = ("numpy", "scipy", "pandas", "formulaic", "numba", "statsmodels")
# Of the record, those that have a place of their own.
_ELSEWHERE = ("hidden", "analysis", "version", "filter_num_rej")


def results_record(info: ResultsInfo) -> dict[str, Any]:
    """Return the record of a table, ready for JSON: missing numbers are None, infinite ones 'inf' and '-inf'."""
    hidden, analysis, text = info.hidden, info.analysis, methods_text(info)
    named = {each.name: getattr(info, each.name) for each in fields(info) if each.name not in _ELSEWHERE}
    record = {
        "countnest": info.version,
        "python": platform.python_version(),
        "dependencies": {name: installed_version(name) for name in _DEPENDENCIES},
        **named,
        "hidden": hidden and {**hidden.numbers(), "columns": hidden.columns.to_dict("list")},
        "data": analysis
        and {"genes": analysis.n_genes, "samples": analysis.samples, "counts_sha256": analysis.counts_sha256},
        "fit": None if analysis is None else analysis.details,
        "methods": text.paragraph,
        "references": text.references,
    }
    return {name: plain(value) for name, value in record.items()}


def plain(value: Any) -> Any:  # noqa: ANN401 (whatever a record holds)
    """Return `value` in the types that JSON knows; missing numbers are None, infinite ones 'inf' and '-inf'."""
    match value:
        case float() if math.isnan(value):
            return None
        case float() if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        case None | bool() | int() | float() | str():
            return value
        case np.generic() | np.ndarray() | pd.Series():
            return plain(value.tolist())
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
        case _:
            return str(value)
