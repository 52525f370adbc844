"""One question in every cell type: pseudobulk sums, a fit for each type, and one table of all."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet
from countnest.api.deseq2 import DESeqDataSet
from countnest.api.inputs import probability
from countnest.api.pseudobulk import N_CELLS, pseudobulk
from countnest.arrays import BoolArray
from countnest.containers.anndata import AnnDataLike, is_anndata
from countnest.containers.by_cell_type import PADJ_ALL, Adjust, CellTypeResults
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.schema import column_of
from countnest.design.design import Design
from countnest.errors import (
    ContrastError,
    CountsError,
    DesignError,
    NormalizationError,
    OptionError,
    SamplesError,
    StratumError,
    counted,
    kind_of,
    listing,
    suggestion,
    warn,
)
from countnest.options import check_flags, check_option, names_given
from countnest.progress import progress
from countnest.signature import checked_arguments
from countnest.simulate.argument import whole_number
from countnest.stats.dispersion.trend import FewDispersionsError, FlatDispersionsError, TrendFitError

__all__ = ["CellTypeTest", "by_cell_type"]

CellTypeTest = Literal["Wald", "averaged", "QL"]
Question = str | Sequence[Any] | Callable[[Any], Results | ResultsSet] | None
Fitter = Callable[[Any], Any]

# What a cell type may lack; anything else is wrong with the call.
_LACKING = (
    ContrastError, CountsError, DesignError, FewDispersionsError, FlatDispersionsError, NormalizationError,
    SamplesError, StratumError, TrendFitError,
)  # fmt: skip


@checked_arguments
def by_cell_type(
    adata: AnnDataLike,
    cell_type: str,
    *,
    design: str,
    question: Question = None,
    sample: str | Sequence[str] | None = None,
    layer: str | None = None,
    min_cells: int = 10,
    groups: str | Sequence[str] | None = None,
    min_replicates: int = 2,
    adjust: Adjust = "each",
    alpha: float = 0.1,
    test: CellTypeTest = "Wald",
    fit: Fitter | None = None,
    reference: Mapping[str, str] | None = None,
    n_threads: int | None = None,
    quiet: bool = False,
) -> CellTypeResults:
    """Ask one question in every cell type: a fit for each, and one table of all.

    Parameters
    ----------
    adata
        Counts of cells, with `sample`; or without it sums by sample and cell type, as `pseudobulk` makes them.
    cell_type
        The column of `obs` that has the cell types, or whatever else the samples are split by.
    design
        The formula, the same for all cell types, without the cell type.
    question
        A contrast, as `results` takes it, such as ``("condition", "stim", "ctrl")``; a query as text, such as
        ``"condition[stim - ctrl]"``; or a function that is given the fitted data set and returns its results, such as
        ``lambda dds: dds.effect("condition").test()``. None: the last coefficient.
    sample
        The columns of `obs` that make a sample, such as "donor", or ["donor", "condition"] where donors have several:
        cells are summed by these and the cell type. None: the sums were made before.
    layer
        The layer that holds the raw counts; `X` when missing.
    min_cells
        Sums of fewer cells are left out, with `sample`.
    groups
        Columns of `obs`, of whose combinations each needs `min_replicates` samples in a cell type. None: the factor of
        the contrast, of which the two levels count, or else the last variable of the formula, if it is a factor.
    min_replicates
        Cell types with fewer samples in one of these groups are left out, and named in a warning.
    adjust
        By which p-values genes are significant: "each", padj, adjusted in each cell type as if it had been analysed
        alone; or "all", padj_all, adjusted over all cell types. Tables have both.
    alpha
        The false discovery rate for which independent filtering is tuned. A function as `question` has its own.
    test
        As in `DESeqDataSet.deseq`: "Wald", "averaged", which keeps the false discovery rate with few samples, or "QL".
    fit
        A function that fits a data set, in place of `deseq`: `cn.edger`, `cn.limma`, or
        ``lambda dds: dds.deseq(size_factor_type="poscounts", quiet=True)``.
    reference
        Reference levels, as in `DESeqDataSet`.
    n_threads, quiet
        As in `DESeqDataSet.deseq`; `quiet` is for what this function tells, a line for each cell type.

    Returns
    -------
    CellTypeResults
        The results by cell type; `table`, `summary()`, `significant()`, `wide()` of all; `fits`, the data sets; and
        `skipped`, the reason for each cell type that was left out.

    Raises
    ------
    OptionError
        `adata` is no AnnData object, or an argument cannot be used.
    SamplesError
        No cell type can be tested; the message has the reasons.
    ContrastError
        The question has a level that no sample has.

    Warns
    -----
    CountnestWarning
        Cell types are left out, or samples of too few cells; or the fits of some cell types warn.

    Notes
    -----
    Cell types share nothing: size factors, dispersions and filtering are those of each. padj_all adjusts the p-values
    of the genes that filtering left in each cell type.

    Sources: Squair et al. (2021), doi:10.1038/s41467-021-25960-2; Crowell et al. (2020),
    doi:10.1038/s41467-020-19894-4. R counterpart: muscat::pbDS, whose p_adj.loc is padj and p_adj.glb is padj_all.

    Examples
    --------
    >>> found = cn.by_cell_type(  # doctest: +SKIP
    ...     adata, "cell_type", sample="donor", design="~ condition", question=("condition", "stim", "ctrl")
    ... )
    >>> found.summary()  # doctest: +SKIP
    """
    check_option("adjust", adjust, Adjust)
    check_option("test", test, CellTypeTest)
    check_flags(quiet=quiet)
    probability("alpha", alpha)
    if fit is not None and not callable(fit):
        raise OptionError(f"fit={fit!r} cannot be used; give a function of a data set, such as cn.edger.")
    if fit is not None and test != "Wald":
        raise OptionError(f"test={test!r} is for deseq(), in whose place fit= stands: leave one of them out.")
    least = whole_number("min_replicates", min_replicates)
    bulk, skipped, layer = _sums(adata, cell_type, sample, layer, min_cells, quiet)
    whole = DESeqDataSet(
        bulk, design=design, reference=reference, layer=layer, cells_ok=N_CELLS in bulk.obs, n_threads=n_threads,
        quiet=quiet,
    )  # fmt: skip
    own_fit: Fitter = (lambda dds: dds.deseq(test=test, quiet=True)) if fit is None else _quiet(fit)
    plan = _Plan(whole, _Replicates.of(whole, groups, question, least), own_fit, question, alpha)
    _check_question(whole, question)
    parts, fits, notes = {}, {}, {}
    types = _types(bulk.obs[cell_type])
    for number, (name, mask) in enumerate(types.items(), start=1):
        progress(quiet).step(f"cell type {number} of {len(types)}: {name}, {counted(int(mask.sum()), 'sample')}")
        try:
            fits[name], parts[name], own = plan.answered(mask)
        except _LACKING as error:
            skipped[name] = str(error).rstrip(".")
            continue
        if own:
            notes[name] = own
    _tell(parts, skipped, notes)
    return CellTypeResults(parts, fits, skipped, cell_type, adjust, notes)


def _sums(
    adata: Any,  # noqa: ANN401 (checked here)
    cell_type: str,
    sample: str | Sequence[str] | None,
    layer: str | None,
    min_cells: int,
    quiet: bool,
) -> tuple[Any, dict[str, str], str | None]:
    """Return sums by sample and cell type, the cell types that have none, and the layer in which the sums are."""
    if not is_anndata(adata):
        raise OptionError(f"by_cell_type needs an AnnData object, of cells or of their sums; got {kind_of(adata)}.")
    if not isinstance(cell_type, str) or cell_type not in adata.obs:
        raise OptionError(
            f"cell_type={cell_type!r} is not a column of obs.{suggestion(cell_type, adata.obs)} Its columns are "
            f"{listing(adata.obs, 20)}."
        )
    if cell_type in ("contrast", PADJ_ALL) or column_of(cell_type) is not None:
        raise OptionError(
            f"cell_type={cell_type!r} is a column of the results, too: give the column of obs another name."
        )
    if sample is None:
        there = adata.obs[cell_type].notna().to_numpy()
        if not there.all():
            warn(f"{counted(int((~there).sum()), 'sample')} without a value of '{cell_type}' left out.")
        given: Any = adata
        return (given if there.all() else given[there]), {}, layer
    names = [name for name in names_given("sample", sample) if name != cell_type]
    bulk = pseudobulk(adata, [*names, cell_type], layer=layer, min_cells=min_cells, quiet=quiet)
    small = [name for name in _types(adata.obs[cell_type]) if name not in _types(bulk.obs[cell_type])]
    return bulk, {name: f"no sample has {counted(min_cells, 'cell')} of it" for name in small}, None


def _quiet(fit: Fitter) -> Fitter:
    """Return a function that fits, without its progress display if it has an argument for that."""
    try:
        has_quiet = "quiet" in inspect.signature(fit).parameters
    except (TypeError, ValueError):  # compiled functions
        return fit
    any_fit: Any = fit
    return partial(any_fit, quiet=True) if has_quiet else fit


def _is_factor(name: object, design: Design) -> bool:
    return isinstance(name, str) and name in design.levels


def _check_question(whole: CountDataSet, question: object) -> None:
    """Raise `ContrastError` for a level that no sample has, of whatever cell type."""
    if isinstance(question, str):
        whole.query(question)
    if not _names_levels(question, whole._design):
        return
    name, *asked = cast("Sequence[str]", question)
    known = whole._design.levels[name]
    for level in map(str, asked):
        if level not in known:
            raise ContrastError(
                f"question: '{level}' is not a level of '{name}'.{suggestion(level, known)} "
                f"Its levels are {listing(known)}."
            )


def _names_levels(question: object, design: Design) -> bool:
    """Return whether a question is a factor and two of its levels."""
    return isinstance(question, (tuple, list)) and len(question) == 3 and _is_factor(question[0], design)


def _types(column: pd.Series) -> dict[str, BoolArray]:
    """Return which rows have each cell type, by its name: in the order of categories, or of the names."""
    values = column.astype("category")
    masks = {str(each): np.asarray(values == each, dtype=np.bool_) for each in values.cat.categories}
    return {name: mask for name, mask in masks.items() if mask.any()}


@dataclass(frozen=True)
class _Replicates:
    """The groups of samples that need replicates."""

    columns: tuple[str, ...]
    wanted: tuple[tuple[str, ...], ...]
    least: int

    @classmethod
    def of(cls, whole: CountDataSet, groups: object, question: object, least: int) -> _Replicates:
        """Return the groups that are named, or those of the question, or those of the last variable."""
        sheet, design = whole._design.sheet, whole._design
        levels: tuple[str, ...] | None = None
        if groups is not None:
            names = names_given("groups", groups)
        elif isinstance(question, (tuple, list)) and _names_levels(question, design):
            names, levels = [question[0]], (str(question[1]), str(question[2]))
        else:
            names = [name for name in design.variables[-1:] if name in design.levels]
        for name in names:
            if name not in sheet:
                raise OptionError(f"groups: the sample sheet has no column '{name}'.{suggestion(name, sheet)}")
        if levels is not None:
            return cls(tuple(names), tuple((level,) for level in levels), least)
        seen = dict.fromkeys(zip(*(sheet[name].astype(str) for name in names), strict=True)) if names else {}
        return cls(tuple(names), tuple(sorted(seen)), least)

    def check(self, sheet: pd.DataFrame) -> None:
        """Raise `SamplesError` if a group has too few of these samples."""
        rows = list(zip(*(sheet[name].astype(str) for name in self.columns), strict=True)) if self.columns else []
        few = {group: rows.count(group) for group in self.wanted if rows.count(group) < self.least}
        if few:
            shown = ", ".join(
                f"{' '.join(f'{name} {level}' for name, level in zip(self.columns, group, strict=True))} has {number}"
                for group, number in few.items()
            )
            raise SamplesError(f"too few replicates: {shown}, and each needs {counted(self.least, 'sample')}")


@dataclass(frozen=True)
class _Plan:
    """What is done with each cell type."""

    whole: DESeqDataSet
    replicates: _Replicates
    fit: Fitter
    question: Question
    alpha: float

    def answered(self, mask: BoolArray) -> tuple[Any, Results | ResultsSet, tuple[str, ...]]:
        """Return the fitted data set of some samples, its answer, and what was warned of."""
        self.replicates.check(self.whole._design.sheet.loc[mask])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that levels without samples are dropped
            part = self.whole[:, mask]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted = self.fit(part)
            if not isinstance(fitted, CountDataSet):
                raise OptionError(f"the function fit= returned {kind_of(fitted)}; it has to return the data set.")
            answer = self._asked(fitted)
        return fitted, answer, tuple(dict.fromkeys(str(each.message) for each in caught))

    def _asked(self, dds: Any) -> Results | ResultsSet:  # noqa: ANN401 (a data set with any fit)
        if callable(self.question):
            answer = self.question(dds)
            if not isinstance(answer, (Results, ResultsSet)):
                raise OptionError(f"the function question= returned {kind_of(answer)}; it has to return results.")
            return answer
        name = list(dds.fits)[-1] if dds.fits else None
        if isinstance(self.question, str):
            found: Results | ResultsSet = dds.query(self.question).test(fit=name, alpha=self.alpha)
            return found
        only: Results = dds.results(self.question, fit=name, alpha=self.alpha)
        return only


def _tell(parts: Mapping[str, object], skipped: Mapping[str, str], notes: Mapping[str, Sequence[str]]) -> None:
    """Warn of cell types that were left out, and of what their fits warned of."""
    reasons = "; ".join(f"'{name}': {reason}" for name, reason in list(skipped.items())[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    if not parts:
        raise SamplesError(f"no cell type can be tested: {reasons}{more}.")
    if skipped:
        warn(f"{counted(len(skipped), 'cell type')} left out: {reasons}{more}.")
    if notes:
        name, own = next(iter(notes.items()))
        others = sum(map(len, notes.values())) - 1
        rest = f" There are {others} more in the notes of the results." if others else ""
        warn(f"cell type '{name}': {own[0]}{rest}")
