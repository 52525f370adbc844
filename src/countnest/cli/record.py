"""The record of a run: everything that is needed to repeat and to cite it."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from countnest.cli.checks import FIXED, LACKING, not_of_model
from countnest.cli.found import Answered, Compared
from countnest.cli.outputs import files_of
from countnest.cli.request import READING, Request
from countnest.containers.info import ResultsInfo
from countnest.containers.record import plain, results_record
from countnest.containers.results import Results
from countnest.containers.summary import summarize
from countnest.version import installed_version

if TYPE_CHECKING:
    from countnest import DESeqDataSet

__all__ = ["DEPENDENCIES", "Run", "answer_record", "run_record"]

DEPENDENCIES = (
    "numpy",
    "scipy",
    "pandas",
    "formulaic",
    "numba",
    "statsmodels",
    "threadpoolctl",
    "matplotlib",
    "tqdm",
    "click",
    "orjson",
    "isal",
)

_INPUTS = ("study", "counts", "samples", "contrasts", *READING)
_DESIGN = ("design", "reference", "levels")
_ELSEWHERE = (*_DESIGN, "contrast", "name", "query", "test", "reduced", "out", "save", "as_json", "force", "quiet")
_NOT_OPTIONS = (*_INPUTS, *_ELSEWHERE)


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A request, the design that it led to, the time when it began, and what the reader of the counts noted."""

    request: Request
    design: str
    started: datetime
    notes: tuple[str, ...] = ()


def run_record(
    dds: DESeqDataSet, compared: Sequence[Compared], answers: Sequence[Answered], run: Run
) -> dict[str, Any]:
    """Return the record of a run, ready for JSON: missing numbers are None, infinite ones 'inf'.

    With several comparisons, the first one is also given where a single one would be; without any, nothing is there.
    """
    comparisons = [_compared(each, dds, run) for each in compared]
    first = comparisons[0] if comparisons else dict.fromkeys(("comparison", "thresholds", "null", "numbers"))
    record = {
        "countnest": installed_version(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "dependencies": {name: installed_version(name) for name in DEPENDENCIES},
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - run.started).total_seconds(), 2),
        "inputs": _inputs(run),
        "design": _design(dds, run.design),
        "options": _options(run.request),
        "comparison": first["comparison"],
        "dispersion_trend": _trend(dds) if run.request.fit is None else None,
        "thresholds": first["thresholds"],
        "null": first["null"],
        "numbers": first["numbers"],
        "comparisons": comparisons,
        "queries": [_query(answered, run.request) for answered in answers],
    }
    return {name: plain(value) for name, value in record.items()}


def answer_record(results: Results, top: int) -> dict[str, Any]:
    """Return a table in short, ready for JSON: what was tested, how many genes changed, and the first of them."""
    info, first = results.info, results.top(top)
    record = {
        "label": info.label,
        "method": info.method,
        "test": info.test,
        "thresholds": _thresholds(info),
        "null": _null(info),
        "numbers": _numbers(results),
        "top": [{"gene": str(gene), **row} for gene, row in zip(first.index, first.to_dict("records"), strict=True)],
    }
    return {name: plain(value) for name, value in record.items()}


def _inputs(run: Run) -> dict[str, Any]:
    """Return what was read, and the notes of the reader; one file by its name alone."""
    given = {name: getattr(run.request, name) for name in _INPUTS}
    counts = [str(path) for path in run.request.counts]
    given["counts"] = counts if len(counts) > 1 else next(iter(counts), None)
    notes = {"notes": list(run.notes)} if run.notes else {}
    return {name: value for name, value in given.items() if value is not None} | notes


def _design(dds: DESeqDataSet, formula: str) -> dict[str, Any]:
    design = dds.design
    return {
        "formula": formula,
        "columns": dds.results_names(),
        "reference_levels": {variable: levels[0] for variable, levels in design.levels.items()},
        "levels": design.levels,
        "orders": {name: {"levels": found.levels, "source": found.source} for name, found in design.orders.items()},
        "dropped": design.dropped,
        "notes": design.notes,
    }


def _options(request: Request) -> dict[str, Any]:
    fields = [field.name for field in dataclasses.fields(request)]
    left_out = (*_NOT_OPTIONS, *LACKING[request.method], *not_of_model(request))
    return {name: getattr(request, name) for name in fields if name not in left_out} | FIXED.get(request.method, {})


def _compared(compared: Compared, dds: DESeqDataSet, run: Run) -> dict[str, Any]:
    info = compared.results.info
    comparison = {"contrast": compared.contrast, "name": compared.name}
    return {
        "files": list(files_of(compared.ending, run.request.wanted)),
        "comparison": {
            "label": info.label,
            **comparison,
            "method": info.method,
            "test": info.test,
            "reduced": info.reduced,
            "compat": info.compat,
            "estimate": info.estimate,
        },
        "thresholds": _thresholds(info),
        "null": _null(info),
        "numbers": {"samples": len(dds.samples), **_numbers(compared.results)},
        "record": results_record(info),
    }


def _trend(dds: DESeqDataSet) -> dict[str, Any]:
    names = ("fit_type", "coefficients", "var_log_disp_ests", "disp_prior_var", "note")
    return {name: getattr(dds.dispersion_trend, name) for name in names}


def _thresholds(info: ResultsInfo) -> dict[str, Any]:
    names = ("alpha", "lfc_threshold", "alt_hypothesis", "filter_threshold", "filter_theta", "cooks_cutoff", "p_adjust")
    return {name: getattr(info, name) for name in names}


def _null(info: ResultsInfo) -> dict[str, Any]:
    """Return the scale of the null, what p-values were scaled by, and the hidden factors that were taken out."""
    hidden = info.hidden
    return {
        "scale": info.null_scale,
        "genes": info.null_genes,
        "divisor": info.null_divisor,
        "hidden": hidden and {**hidden.numbers(), "columns": hidden.columns.to_dict("list")},
    }


def _numbers(results: Results) -> dict[str, int]:
    summary = summarize(results.table, results.info)
    names = ("nonzero", "significant", "up", "down", "outliers", "low_counts")
    return {"genes": summary.n_genes, **{name: getattr(summary, name) for name in names}}


def _query(answered: Answered, request: Request) -> dict[str, Any]:
    """Return a query and its result; the vectors are in the order of the columns of the design."""
    query = answered.query
    return {
        "text": answered.text,
        "file": answered.file,
        "test": request.how.query_kind or answered.parts[0].info.test,
        "joint": answered.joint,
        "labels": query.labels,
        "vectors": query.vector(),
        "strata": query.strata,
        "significant": answered.significant,
        "null": [_null(part.info) for part in answered.parts],
        "filter_thresholds": [part.info.filter_threshold for part in answered.parts],
    }
