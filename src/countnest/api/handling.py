"""Data sets handled like tables: size, copies, subsets, a new design, a new sample sheet."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import pandas as pd

from countnest.api.announcement import announce
from countnest.api.redesign import checked_design, is_same_model, lost, options_of_part, redesigned
from countnest.arrays import FloatArray, IntArray, rows_of
from countnest.containers.counts import CountData, matched_sheet
from countnest.containers.gene_info import symbol_hint
from countnest.containers.selection import Noun, chosen_places, select
from countnest.counterparts import unknown_name
from countnest.design.design import Design
from countnest.errors import CountsError, DesignError, OptionError, SamplesError, UnknownNameError, counted, warn
from countnest.progress import progress
from countnest.protected import protected
from countnest.signature import checked_methods
from countnest.stats.glm.layout import Layout

__all__ = ["Handling"]

OTHER_MODEL = "this is another model: dispersions and the fit are dropped; size factors stay."

# What was told once already in this session.
_TOLD: set[str] = set()


@checked_methods
class Handling:
    """The part of `CountDataSet` for size, copies, subsets, and a new design or sheet."""

    if TYPE_CHECKING:  # what it needs of the data set
        _data: CountData
        _design: Design
        _layout: Layout
        _design_options: dict[str, Any]
        _fits: dict[str, Any]
        _given: FloatArray | None
        _given_by_gene: bool
        _factors_estimated: bool
        _quiet: bool
        truth: pd.DataFrame | None

        def _drop(self) -> None: ...
        def _factors(self) -> tuple[FloatArray | None, bool]: ...
        def _has_estimates(self) -> bool: ...
        def _is_untouched(self) -> bool: ...

    __iter__ = None  # neither genes nor samples go without saying

    # ---- size, copies, parts ----

    def __len__(self) -> int:
        """Return the number of genes."""
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples.

        Notes
        -----
        R counterpart: dim(dds).
        """
        return self._data.shape

    def copy(self) -> Self:
        """Return an independent copy: steps and settings of one do not change the other.

        What both hold is never written to, so that the copy takes no memory for the counts.
        """
        return copy.copy(self)

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        for name, value in vars(self).items():  # tables and options are the only values that are ever written to
            new.__dict__[name] = copy.deepcopy(value) if isinstance(value, (dict, pd.DataFrame)) else value
        return new

    def __getitem__(self, key: Any) -> Self:  # noqa: ANN401 (labels, truth values, positions, slices)
        """Return a data set of some genes, ``dds[genes]``, and of some samples, ``dds[genes, samples]``.

        Parameters
        ----------
        key
            Genes; or a pair, genes and samples, either of which may be ``:`` for all. They are chosen as in pandas and
            AnnData: by a label or a list of labels; truth values, a Series of which is matched by label; whole numbers,
            which are positions; or a slice of positions or of labels, the latter with its last one. They stand in the
            order in which they are named.

        Returns
        -------
        DESeqDataSet
            A new one; `dds` is not changed. What follows from the genes and samples that were left out is not taken
            along:

            - With some of the genes, size or normalization factors stay. Dispersions and the fit are dropped: each
              gene's dispersion borrows from all genes. The results of some genes of the whole analysis are
              ``res.table.loc[genes]``.
            - With some of the samples, everything that was estimated is dropped, also size factors, unless these were
              given. Weights and transcript lengths stay. The design is built again with the same formula and options; a
              warning says which levels or cells have no sample any more.

        Raises
        ------
        CountsError, SamplesError
            A gene or sample that is not there, is chosen twice, or none is chosen.
        DesignError
            The samples that are left do not suffice for the design.

        Notes
        -----
        R counterpart: dds[genes, samples], which keeps everything that was estimated.

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.make_example_dataset(n=100, m=6)
        >>> dds[["gene3", "gene1"], 1:].shape
        (2, 5)
        >>> dds[dds.counts().sum(axis=1) >= 10].shape
        (91, 6)
        """
        if isinstance(key, tuple) and len(key) != 2:
            raise OptionError(
                f"dds[genes] or dds[genes, samples] chooses; got {len(key)} things. Give several labels as a list."
            )
        genes, samples = key if isinstance(key, tuple) else (key, slice(None))
        rows, columns = self._chosen(genes, "gene"), self._chosen(samples, "sample")
        new = self.copy()
        if rows is not None:
            new._keep_genes(rows)
        if columns is not None:
            new._keep_samples(columns)
        return new

    def _chosen(self, key: Any, noun: Noun) -> IntArray | None:  # noqa: ANN401 (checked there)
        """Return the positions of genes or samples that a key names; advise on symbols and names of the other axis."""
        genes, samples = self._data.genes, self._data.samples
        try:
            return chosen_places(key, genes if noun == "gene" else samples, noun)
        except (CountsError, SamplesError) as error:
            if noun == "gene":
                is_other, advice = _names(key, samples, "sample"), "Samples are chosen by dds[:, samples]."
            else:
                is_other, advice = _names(key, genes, "gene"), "Genes are chosen by dds[genes]."
            hint = f" {advice}" if is_other else symbol_hint(_listed(key), genes, self._data.gene_info)
            raise type(error)(f"{error}{hint}") from None

    def _keep_genes(self, places: IntArray) -> None:
        """Leave out the other genes, and what was estimated with them."""
        if self._has_estimates():
            _tell_once(
                "a data set of some of the genes keeps the size factors; dispersions and the fit, which borrow from "
                "all genes, are dropped. The results of these genes in the whole analysis are res.table.loc[genes]."
            )
        self._keep_factors()
        self._data = select(self._data, places, None)
        for name in ("_given", "_weights", "_lengths"):
            values = getattr(self, name)
            whole = name == "_given" and not self._given_by_gene
            setattr(self, name, values if whole else rows_of(values, places))
        if self.truth is not None:
            self.truth = self.truth.iloc[places]

    def _keep_samples(self, places: IntArray) -> None:
        """Leave out the other samples, build the design again, and drop what was estimated."""
        n = len(self._data.samples)
        if not self._is_untouched():
            _tell_once(
                "a data set of some of the samples is not analysed yet: everything that was estimated is dropped; size "
                "factors that were given stay."
            )
        given = None if self._factors_estimated else self._given
        data = select(self._data, None, places)
        try:
            self._put_data(data, places)
        except (DesignError, SamplesError) as error:
            raise type(error)(
                f"the design '{self._design.formula or 'of a matrix'}' cannot be used with {len(places)} of the "
                f"{counted(n, 'sample')}: {error} Set one that can: new = dds.copy(); new.design = '~ ...'; then "
                "new[:, samples]."
            ) from error
        self._given = None if given is None else np.ascontiguousarray(given[:, places])
        for name in ("_weights", "_lengths"):
            values: FloatArray | None = getattr(self, name)
            setattr(self, name, None if values is None else np.ascontiguousarray(values[:, places]))

    def _put_data(self, data: CountData, rows: IntArray) -> None:
        """Take the counts and the sheet of other samples, whose design has these rows; nothing is estimated of them."""
        options = options_of_part(self._design_options, self._design, rows, data.sheet)
        design = redesigned(options, data.sheet, (self._design_options, self._data.sheet))
        changes = lost(self._design, design)
        if changes:
            warn(f"{'; '.join(changes)}. The design '{design.formula or 'of a matrix'}' was built again.")
        self._design_options = options
        self._data = data
        self._put_design(design)
        self._drop()
        self._given, self._factors_estimated = None, False

    def _put_design(self, design: Design) -> None:
        self._design, self._layout = design, Layout.of(design.matrix)

    def _keep_factors(self) -> None:
        """Leave of the analysis the factors only, as if they had been estimated before."""
        if self._given is None:
            self._factors_estimated = True
        self._given, self._given_by_gene = self._factors()
        self._drop()

    # ---- the design and the samples ----

    @property
    def design(self) -> Design:
        """The design: formula, model matrix, levels, notes.

        It can be set: a formula, or a model matrix. Dispersions and the fit are then dropped, for they belong to the
        old design; size factors stay. Reference levels, orders of levels, blocks and the like are those that the data
        set was made with.

        Notes
        -----
        R counterpart: design(dds), which as it is set leaves the old estimates in place.

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.make_example_dataset(n=100, m=6)
        >>> dds.design = "~ 1"
        >>> dds.results_names()
        ['Intercept']
        """
        return self._design

    @design.setter
    def design(self, design: str | pd.DataFrame | FloatArray) -> None:
        self._redesign(design)

    def with_design(self, design: str | pd.DataFrame | FloatArray) -> Self:
        """Return a copy with another design, as `design` is set; the data set stays as it is.

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.make_example_dataset(n=100, m=6)
        >>> dds.with_design("~ 1").results_names()
        ['Intercept']
        """
        new = self.copy()
        new._fits = {}
        fits = f": {', '.join(self._fits)}" if self._fits else ""
        note = f"the copy has the size factors, not the dispersions and the fits, which stay in the original{fits}."
        new._redesign(design, note if self._has_estimates() else None)
        return new

    def _redesign(self, design: str | pd.DataFrame | FloatArray, note: str | None = OTHER_MODEL) -> None:
        """Build another design and take it; `note` is what is said where something had been estimated."""
        options = {**self._design_options, "design": copy.deepcopy(checked_design(design)), "same_as": None}
        built = redesigned(options, self._data.sheet)
        self._design_options = options
        self._take_design(built, note)

    def _take_design(self, design: Design, note: str | None = OTHER_MODEL) -> None:
        """Take another design of the same samples, and say what it is and what it costs."""
        is_fitted = self._has_estimates() or note not in (None, OTHER_MODEL)
        self._put_design(design)
        self._keep_factors()
        announce(design, progress(self._quiet))
        if is_fitted and note:
            progress(self._quiet).note(note)

    @property
    def samples(self) -> pd.DataFrame:
        """The sample sheet, factors of the design as categoricals: in their known order, else the reference first.

        It is a copy that refuses to be edited: what was written to it would not reach the data set. Take a `copy()` of
        it to work with. ``dds.samples = frame`` sets the sheet: its rows are matched by label, each sample needs one,
        and the design is built again. Where the design stays the same, as with a new column that it does not use, so
        does everything that was estimated; otherwise dispersions and the fit are dropped, and size factors stay. A
        warning says which levels or cells have no sample any more, and which reference levels are others.

        Notes
        -----
        R counterpart: colData(dds).

        Examples
        --------
        >>> import countnest as cn
        >>> dds = cn.make_example_dataset(n=100, m=4)
        >>> dds.samples = dds.samples.assign(day=["mon", "tue", "mon", "tue"])
        >>> dds.design = "~ day + condition"
        """
        return protected(
            self._design.sheet.copy(),
            "take a copy to work with, dds.samples.copy(), or set the sheet, dds.samples = frame, such as "
            "dds.samples = dds.samples.assign(batch=[...]).",
        )

    @samples.setter
    def samples(self, frame: pd.DataFrame) -> None:
        sheet = self._as_given(matched_sheet(frame, self._data.samples))
        design = redesigned(self._design_options, sheet, (self._design_options, self._data.sheet))
        same = is_same_model(design, self._design)
        changes = [] if same else lost(self._design, design)
        if changes:
            warn(f"{'; '.join(changes)}. The design '{design.formula or 'of a matrix'}' was built again.")
        self._data = replace(self._data, sheet=sheet)
        if same:
            self._design = design
        else:
            self._take_design(design)

    def _as_given(self, sheet: pd.DataFrame) -> pd.DataFrame:
        """Return a sheet whose columns are as they were given, where they come from `samples` unchanged."""
        given, shown = self._data.sheet, self._design.sheet
        same = [name for name in sheet if name in given and name in shown and sheet[name].equals(shown[name])]
        return sheet.assign(**{str(name): given[name] for name in same if isinstance(name, str)})

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401
        cls = type(self)
        known = inspect.getattr_static(cls, name, None)
        declared = any(name in inspect.get_annotations(each) for each in cls.__mro__)
        if not name.startswith("_") and not declared and getattr(known, "fset", None) is None:
            _refuse_setting(cls, name, known)
        super().__setattr__(name, value)


def _refuse_setting(cls: type, name: str, known: object) -> NoReturn:
    """Raise `UnknownNameError` for an attribute that a data set does not have, or that cannot be set."""
    if known is None:
        raise unknown_name("DESeqDataSet", "a data set", name, dir(cls))
    settable = [each for each in dir(cls) if getattr(inspect.getattr_static(cls, each), "fset", None) is not None]
    what = "follows from the data and the analysis" if isinstance(known, property) else "is a method"
    raise UnknownNameError(f"dds.{name} cannot be set: it {what}. What can be set is {', '.join(settable)}.")


def _names(key: Any, labels: pd.Index, noun: Noun) -> bool:  # noqa: ANN401
    """Tell whether a key chooses genes, or samples."""
    try:
        chosen_places(key, labels, noun)
    except (CountsError, SamplesError):
        return False
    return True


def _listed(key: object) -> list[str]:
    """Return the labels of a key."""
    named = [key] if isinstance(key, str) else key if isinstance(key, Iterable) else []
    return [each for each in named if isinstance(each, str)]


def _tell_once(text: str) -> None:
    if text not in _TOLD:
        _TOLD.add(text)
        progress(quiet=False).note(text)
