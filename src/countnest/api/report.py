"""`report`: the results of an analysis as one HTML page."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.report_questions import answered
from countnest.arrays import FloatArray, as_float
from countnest.containers.results import Results
from countnest.design.design import Design
from countnest.errors import FileError, NormalizationError, OptionError, suggestion
from countnest.files import FilePath, check_path, whole_file
from countnest.io.optional import optional_library
from countnest.options import names_given
from countnest.remedies import advised
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet
    from countnest.reporting.content import Content

__all__ = ["report"]

_ENDINGS = (".html", ".htm")
_FEWEST = 2  # samples of a group by default, as a median


@checked_arguments
def report(
    dds: DESeqDataSet,
    questions: object = None,
    path: FilePath = "report.html",
    *,
    title: str | None = None,
    group: str | Sequence[str] | None = None,
    fit: str | None = None,
    alpha: float = 0.1,
) -> None:
    """Write one HTML page with the design, quality control, and the results of questions, to send to colleagues.

    Each question has an MA plot, a volcano plot, a histogram of its p-values with a verdict, and a table that can be
    searched. A click on a gene in any of them shows its counts by groups of samples. The page has the methods with
    their citations, versions and records, and makes CSV files of its tables. It needs no network, and no other file.

    Parameters
    ----------
    dds
        The fitted data set.
    questions
        What was asked: a table of results, the results of a query, a query, a contrast as a tuple, text (a coefficient
        or a query), a list of these, or a dict of them by the names that they have in the page. None: the comparison
        of `dds.results()`.
    path
        The file; its name ends with .html. It is written whole or not at all.
    title
        The title of the page.
    group
        The column, or columns, of the sample sheet by which samples are grouped and coloured; by default the factors of
        the design without its blocks, or fewer of them, so that groups have several samples. Readers of the page can
        choose others.
    fit
        The name of the fit that answers contrasts and queries, one of `dds.fits`; None: that of the last analysis.
    alpha
        The false discovery rate for contrasts and queries; a table that is given has its own.

    Raises
    ------
    OptionError
        bokeh is not installed (``pip install 'countnest[report]'``); a question is none, or a table is of other genes;
        or the sample sheet has no column `group`.
    ContrastError, StratumError, MissingStepError
        A question that the design cannot answer, named; or the data set is not fitted. Nothing is written.
    FileError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import countnest as cn
    >>> dds = cn.make_example_dataset(n=100, m=6, seed=1, beta_sd=1).deseq(quiet=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cn.report(dds, {"B against A": ("condition", "B", "A")}, f"{folder}/report.html")

    Notes
    -----
    R counterpart: ReportingTools::publish and regionReport::DESeq2Report make reports of DESeq2's results.
    """
    require_data_set(dds, "report")
    _check_ending(path)
    if title is not None and not isinstance(title, str):
        raise OptionError(f"title={title!r} must be text.")
    for library in ("bokeh", "jinja2"):
        optional_library(library, "report", "a report")
    groups = _default_groups(dds.design) if group is None else _checked_groups(dds, group)
    found = answered(dds, questions, fit, alpha)
    from countnest.reporting.page import page_of  # late: it draws

    page = page_of(_content(dds, found, groups, fit, title))
    with whole_file(path) as draft:
        draft.write_bytes(page.encode("utf-8", "replace"))


def _check_ending(path: FilePath) -> None:
    check_path(path)
    if Path(path).suffix.lower() not in _ENDINGS:
        raise FileError(f"A report is a page of HTML; give a name that ends with .html, not '{path}'.")
    folder = Path(path).expanduser().resolve().parent
    if not folder.is_dir():
        raise FileError(f"Cannot write '{path}': its folder does not exist. Make the folder first.")


def _checked_groups(dds: DESeqDataSet, group: str | Sequence[str]) -> tuple[str, ...]:
    names = tuple(names_given("group", group))
    for name in names:
        if name not in dds.samples:
            raise OptionError(
                f"{advised('group', '--by')}: the sample sheet has no column '{name}'.{suggestion(name, dds.samples)}"
            )
    return names


def _default_groups(design: Design) -> tuple[str, ...]:
    """Return the factors of a design that are no blocks; the last of them, where groups of all had single samples."""
    blocks = set(_block_factors(design))
    names = [name for name in design.levels if name not in blocks]
    while len(names) > 1 and design.sheet.groupby(names, observed=True).size().median() < _FEWEST:
        names = names[1:]
    return tuple(names)


def _block_factors(design: Design) -> list[str]:
    """Return the factors whose levels are blocks, nested or random."""
    nested = [block[-1] for block in design.nesting.blocks if block]
    return [*nested, *(name for term in design.random for name in term.factors)]


def _content(
    dds: DESeqDataSet, found: dict[str, Results], groups: tuple[str, ...], fit: str | None, title: str | None
) -> Content:
    from countnest.api.report_means import group_means
    from countnest.api.report_quality import quality_of
    from countnest.reporting.content import Content

    dds = _normalized(dds)
    factors, by_gene = _factors(dds)
    return Content(
        title="Differential expression" if title is None else title,
        questions=found,
        counts=dds.counts(),
        factors=factors,
        gene_info=dds.gene_info,
        samples=dds.samples,
        groups=groups,
        means=group_means(dds, groups, fit),
        joined=next(iter(_block_factors(dds.design)), None),
        design=dds.design.report(),
        quality=quality_of(dds, factors, by_gene=by_gene),
    )


def _normalized(dds: DESeqDataSet) -> DESeqDataSet:
    """Return the data set, or a copy of it, with size or normalization factors."""
    if dds.size_factors is not None or dds.normalization_factors is not None:
        return dds
    try:
        return copy.copy(dds).estimate_size_factors()
    except NormalizationError:  # every gene has a zero
        return copy.copy(dds).estimate_size_factors(type="poscounts")


def _factors(dds: CountDataSet) -> tuple[FloatArray, bool]:
    """Return size factors (n,) or normalization factors (G, n), and whether they are by gene."""
    by_sample, by_gene = dds.size_factors, dds.normalization_factors
    if by_gene is not None:
        return as_float(by_gene), True
    assert by_sample is not None
    return as_float(by_sample.to_numpy()), False
