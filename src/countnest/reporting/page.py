"""The page of a report: a template, filled, with its scripts and data inside."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from countnest.containers.results import Results
from countnest.errors import counted
from countnest.queries.report import MOST_ROWS, Report
from countnest.reporting.content import Content
from countnest.reporting.figures import figure_items, gene_figure, quality_figures, question_figures
from countnest.reporting.packed import Json, as_json
from countnest.reporting.questions import histogram_of, words_of
from countnest.reporting.study import page_data
from countnest.version import installed_version

__all__ = ["page_of"]

_CLICK: Final = "A click on a point shows the counts of its gene; triangles and diamonds lie beyond the borders."
_QUALITY: Final = {
    "sizes": ("Library sizes", "Samples far from the others were sequenced more or less deeply, or differ in kind."),
    "pca": ("Principal components", "Of the 500 genes that vary most, {values}."),
    "distances": (
        "Distances between samples",
        "Of all genes, {values}; clustered. The mouse shows names.",
    ),
    "dispersions": ("Dispersions", "A click shows the counts of a gene; lower estimates lie at the border."),
}
_QUESTION: Final = {
    "ma": ("Changes and mean counts", _CLICK),
    "volcano": ("Changes and p-values", _CLICK),
    "pvalues": ("P-values", ""),
}


def page_of(content: Content) -> str:
    """Return the page as HTML. The same content gives the same page, but for the identifiers of figures."""
    from jinja2 import Environment
    from markupsafe import Markup

    figures = {f"{kind}-{place}": figure for place, results in enumerate(content.questions.values())
               for kind, figure in question_figures(results).items()}  # fmt: skip
    quality = quality_figures(content)
    data = page_data(content)
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_part("report.html"))
    n_left_out = len(content.counts) - len(data["genes"])
    page: str = template.render(
        title=content.title,
        version=installed_version(),
        size=f"{counted(len(content.counts), 'gene')} x {counted(len(content.samples), 'sample')}",
        formula=_formula(content),
        design=_design(content.design),
        quality=[_described(kind, _QUALITY[kind], kind, content.quality.values) for kind in quality],
        missing=_missing(content),
        questions=[_question(place, *item, figures) for place, item in enumerate(content.questions.items())],
        methods=_methods(content.questions),
        references=_references(content.questions),
        versions=_versions(next(iter(content.questions.values()))),
        left_out=f"They are {n_left_out:,} of {len(content.counts):,}." if n_left_out else "",
        style=Markup(_part("report.css")),
        data=Markup(as_json(data)),
        figures=Markup(as_json(figure_items({**quality, **figures, "gene-figure": gene_figure()}))),
        library=Markup(_library()),
        script=Markup(_part("report.js")),
    )
    return page


def _part(name: str) -> str:
    return resources.files("countnest.reporting").joinpath("template", name).read_text(encoding="utf-8")


def _library() -> str:
    """Return the script of Bokeh, which its package ships, after what it needs to be told."""
    from bokeh.resources import Resources

    return "\n".join([_part("before.js"), *Resources(mode="inline", components=["bokeh"]).js_raw])


def _described(kind: str, texts: tuple[str, str], target: str, values: str = "") -> Json:
    title, words = texts
    return {"kind": kind, "target": target, "title": title, "words": words.format(values=values)}


def _question(place: int, name: str, results: Results, figures: Mapping[str, Any]) -> Json:
    bars = histogram_of(results)
    kinds = [kind for kind in _QUESTION if f"{kind}-{place}" in figures]
    described = [_described(kind, _QUESTION[kind], f"{kind}-{place}") for kind in kinds]
    for each in described:
        if each["kind"] == "pvalues" and bars is not None:
            each["words"] = f"{bars.attrs['reading'][:1].upper()}{bars.attrs['reading'][1:]}."
    return {
        "name": name,
        "label": results.info.label,
        "figures": described,
        "summary": "\n".join(words_of(results)),
        "verdict": "" if bars is None else str(bars.attrs["verdict"]),
        "record": json.dumps(results.record(), indent=1, ensure_ascii=False),
    }


def _design(report: Report) -> Json:
    """Return the description of the design; the first rows of its tables, as when it is printed."""
    tables = []
    for name, table in report.tables.items():
        rows = table.head(MOST_ROWS).astype(str).to_numpy().tolist()
        more = max(len(table) - MOST_ROWS, 0)
        tables.append((name, {"head": list(map(str, table.columns)), "rows": rows, "more": more}))
    return {"title": report.title, "facts": report.facts, "notes": report.notes, "tables": tables}


def _formula(content: Content) -> str | None:
    return next((results.info.formula for results in content.questions.values()), None)


def _missing(content: Content) -> list[str]:
    """Say which figures of the samples are not there, and why."""
    quality, found = content.quality, []
    if quality.components is None:
        found.append("There are too few samples for principal components.")
    if quality.dispersions is None:
        found.append("The dispersions of DESeq2's method were not estimated, and are not drawn.")
    return found


def _methods(questions: Mapping[str, Results]) -> list[Json]:
    """Return each different paragraph once, with the names of its questions where there are several paragraphs."""
    names: dict[str, list[str]] = {}
    for name, results in questions.items():
        names.setdefault(results.methods().paragraph, []).append(name)
    return [
        {"paragraph": paragraph, "names": "; ".join(having) if len(names) > 1 else ""}
        for paragraph, having in names.items()
    ]


def _references(questions: Mapping[str, Results]) -> list[str]:
    """Return what the paragraphs cite, each once, by author."""
    return sorted({str(each) for results in questions.values() for each in results.methods().references})


def _versions(results: Results) -> str:
    record = results.record()
    libraries = [f"{name} {version}" for name, version in record["dependencies"].items()]
    return ", ".join([f"countnest {record['countnest']}", f"Python {platform.python_version()}", *libraries])
