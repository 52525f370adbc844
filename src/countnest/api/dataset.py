"""The data set, whatever the method: counts, samples, a design, size factors, and fits under names."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any, Self

import pandas as pd

from countnest.api.announcement import announce
from countnest.api.given_counts import given_data, lengths_of, notes_of
from countnest.api.handling import Handling
from countnest.api.inputs import (
    given_normalization_factors,
    given_size_factors,
    given_weights,
)
from countnest.api.query import QueryMethods
from countnest.arrays import FloatArray
from countnest.containers.gene_info import matched_info
from countnest.counterparts import Answering
from countnest.design.build import build_design
from countnest.design.levels.text import level_text
from countnest.design.random.refusal import FITTED_BY, needs_mixed, no_such_fit
from countnest.display import Described, first_of
from countnest.errors import (
    MissingStepError,
    NormalizationError,
    OptionError,
    counted,
    kind_of,
    listing,
    warn,
)
from countnest.methods.fit import FIT_MEMBERS, Fit, StoredFit
from countnest.methods.mixed.protocol import mixed_name
from countnest.methods.normalization import Normalization
from countnest.methods.normalized import normalize, with_weights
from countnest.methods.stage import Normalized
from countnest.options import (
    Orientation,
    SizeFactorType,
    check_flags,
    check_option,
)
from countnest.parallel.run import Engine
from countnest.progress import progress
from countnest.protected import protected
from countnest.signature import checked_methods
from countnest.stats.glm.layout import Layout

__all__ = ["SETTABLE", "CountDataSet", "require_data_set"]

# What to do instead of an edit of a copy.
SETTABLE = "take a copy to work with, dds.{0}.copy(), or set the whole of it, dds.{0} = {1}."
_NO_FACTORS = " Fits by other methods leave none; their estimates by gene are cn.gene_estimates(dds, fit=)."


@checked_methods
class CountDataSet(Described, Handling, QueryMethods, Answering):
    """Counts, samples, a design, size factors and fits, whatever the method: the base of `DESeqDataSet`.

    Attributes and methods that begin with an underscore are internal to `countnest.api`; a method returns the record
    that its name says, or raises `MissingStepError` naming the missing step.
    """

    _quiet = False  # whether it says nothing of its design
    _last = ""  # the name of the fit of the last analysis

    truth: pd.DataFrame | None
    """Of simulated data, by gene: trueIntercept and trueBeta, log2, and trueDisp; None of real data."""

    def __init__(
        self,
        counts: Any,  # noqa: ANN401 (any of five kinds of table; count_data tells them apart)
        samples: pd.DataFrame | None = None,
        design: str | pd.DataFrame | FloatArray = "~ 1",
        *,
        reference: Mapping[str, str] | None = None,
        levels: Mapping[str, Sequence[Any]] | None = None,
        blocks: Collection[str] | None = None,
        numeric_ok: Collection[str] = (),
        same_as: str | None = None,
        size_factors: Any = None,  # noqa: ANN401
        normalization_factors: Any = None,  # noqa: ANN401
        avg_tx_length: Any = None,  # noqa: ANN401
        weights: Any = None,  # noqa: ANN401
        orientation: Orientation | None = None,
        layer: str | None = None,
        gene_info: pd.DataFrame | pd.Series | None = None,
        cells_ok: bool = False,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> None:
        check_flags(quiet=quiet)
        self._quiet = quiet
        self._last_engine = Engine(n_threads=n_threads, progress=progress(quiet=False))
        self._data = given_data(counts, samples, orientation, gene_info, layer, cells_ok)
        self._design = build_design(
            design,
            self._data.sheet,
            reference=reference,
            levels=levels,
            numeric_ok=numeric_ok,
            blocks=blocks,
            same_as=same_as,
        )
        # what the design was built with: another one can be built alike, for other samples or from a file
        self._design_options: dict[str, Any] = {
            "design": copy.deepcopy(design),
            "reference": None if reference is None else dict(reference),
            "levels": None if levels is None else {name: list(map(level_text, own)) for name, own in levels.items()},
            "blocks": None if blocks is None else tuple(blocks),
            "numeric_ok": tuple(numeric_ok),
            "same_as": same_as,
        }
        self._layout = Layout.of(self._design.matrix)
        self._numeric_ok = tuple(numeric_ok)
        self._weights = None if weights is None else given_weights(weights, self._data)
        self._given: FloatArray | None = None
        self._given_by_gene = normalization_factors is not None
        self._factors_estimated = False  # whether those that are kept were estimated, not given
        self._state: Normalized | None = None
        self._fits: dict[str, StoredFit] = {}
        self._told: frozenset[str] = frozenset()  # the advice that was given: once for a data set is enough
        self.truth = None
        self._lengths = lengths_of(counts, avg_tx_length, self._data)
        if self._lengths is not None:
            _refuse_both(size_factors, normalization_factors)
        if size_factors is not None and normalization_factors is not None:
            raise NormalizationError(
                "size_factors and normalization_factors are both given, but only one of them can be used: "
                "normalization factors include the size factors. Leave one out."
            )
        if normalization_factors is not None:
            self._given = given_normalization_factors(normalization_factors, self._data)
        elif size_factors is not None:
            self._given = given_size_factors(size_factors, self._data)
        announce(self._design, progress(quiet), notes_of(counts))

    def _described(self) -> tuple[str, dict[str, str]]:
        """Describe the data set in a line and a few facts."""
        n_genes, n = self._data.shape
        design = self._design.formula or f"matrix of {counted(len(self._design.names), 'column')}"
        references = [f"{name} {levels[0]}" for name, levels in self._design.levels.items()]
        facts = {
            "coefficients": first_of(self._coefficients()),
            "reference levels": first_of(references),
            "gene_info": first_of(self._data.gene_info),
            "fits": ", ".join(f"{name} ({method})" for name, method in self.fits.items()) if self._fits else "",
            "with": ", ".join(self._peculiarities()),
        }
        size = f"{counted(n_genes, 'gene')} x {counted(n, 'sample')}"
        title = f"{type(self).__name__}: {size}, design {design}, {self._status()}"
        return title, {what: value for what, value in facts.items() if value}

    def _status(self) -> str:
        """Return the stage of the analysis."""
        return f"fitted by {' and '.join(dict.fromkeys(self.fits.values()))}" if self._fits else "not fitted"

    def _coefficients(self) -> tuple[str, ...]:
        """Return the names of the coefficients."""
        return self._design.names

    def _peculiarities(self) -> list[str]:
        """List the features of this analysis that are not the default."""
        found = {
            "observation weights": self._weights is not None,
            "average transcript lengths": self._lengths is not None,
            "normalization factors": self._factors()[1],
        }
        return [what for what, there in found.items() if there]

    # ---- what it holds ----

    @property
    def n_threads(self) -> int | None:
        """Number of threads of everything that the data set does; it can be set, and a step that is given one sets it.

        None: the environment variable COUNTNEST_NUM_THREADS or, without it, all processors that this process may use.
        Saved files do not hold it.
        """
        return self._last_engine.n_threads

    @n_threads.setter
    def n_threads(self, value: int | None) -> None:
        self._last_engine = replace(self._last_engine, n_threads=value)

    @property
    def gene_names(self) -> pd.Index:
        """Labels of the genes."""
        return self._data.genes.copy()

    @property
    def gene_info(self) -> pd.DataFrame:
        """Annotation of the genes, such as symbols: one row for each gene; no columns if there is none.

        It comes with the counts: columns beside them that describe the genes, or the `var` of an AnnData object. What
        is set, a DataFrame or a Series of symbols, is matched by the labels of the genes and takes its place; None
        removes it. Results carry it, and figures show the symbols.

        Notes
        -----
        R counterpart: rowData(dds), before the analysis.
        """
        return protected(self._data.gene_info.copy(), SETTABLE.format("gene_info", "frame"))

    @gene_info.setter
    def gene_info(self, given: pd.DataFrame | pd.Series | None) -> None:
        self._data = replace(self._data, gene_info=matched_info(given, None, self._data.genes))

    @property
    def size_factors(self) -> pd.Series[float] | None:
        """Size factors of the samples; None before they are estimated and where normalization factors replace them."""
        factors, by_gene = self._factors()
        if factors is None or by_gene:
            return None
        found = pd.Series(factors[0].copy(), index=self._data.samples, name="sizeFactor")
        return protected(found, SETTABLE.format("size_factors", "values"))

    @size_factors.setter
    def size_factors(self, values: Any) -> None:  # noqa: ANN401
        self._put_factors(given_size_factors(values, self._data), by_gene=False)

    @property
    def normalization_factors(self) -> pd.DataFrame | None:
        """Normalization factors, genes x samples; None before they are estimated and where size factors are used."""
        factors, by_gene = self._factors()
        if factors is None or not by_gene:
            return None
        return protected(self._frame(factors.copy()), SETTABLE.format("normalization_factors", "values"))

    @normalization_factors.setter
    def normalization_factors(self, values: Any) -> None:  # noqa: ANN401
        self._put_factors(given_normalization_factors(values, self._data), by_gene=True)

    # ---- its fits ----

    @property
    def fits(self) -> dict[str, str]:
        """The fits that queries can be answered from, each with its method; mixed models with how they were estimated.

        A query is answered from the last analysis, or from one of these by ``query.test(fit="name")``. A new design,
        new size factors, and a choice of genes or samples drop them all.
        """
        return {name: mixed_name(self._fit(name)) for name in self._fits}

    def add_fit(self, name: str, fit: StoredFit) -> Self:
        """Add a fit of any method under a name; see `methods.fit.StoredFit` for what it has to offer."""
        if not isinstance(name, str) or not name or name == self._last:
            raise OptionError(f"name={name!r} cannot name a fit; give text, other than '{self._last}'.")
        methods = all(callable(getattr(fit, each, None)) for each in ("bind", "misfits"))
        if not (is_dataclass(fit) and methods) or isinstance(fit, type):
            raise OptionError(
                "fit= must be a dataclass with the methods bind(data, design, engine) and misfits(data, design), see "
                f"countnest.methods.fit.StoredFit; got {kind_of(fit)}."
            )
        wrong = fit.misfits(self._data, self._design)
        if wrong:
            raise OptionError(f"the fit '{name}' does not belong to this data set: {wrong[0]}.")
        bound = fit.bind(self._data, self._design, self._engine_aside())
        lacking = [each for each in FIT_MEMBERS if not hasattr(bound, each)]
        if lacking:
            raise OptionError(f"bind() of fit= returned {kind_of(bound)}, which lacks {listing(lacking, 20)}.")
        self._fits = {**self._fits, name: fit}
        return self

    def remove_fit(self, name: str) -> Self:
        """Remove a fit that was kept or added."""
        check_option("name", name, self._fits)
        self._fits = {other: fit for other, fit in self._fits.items() if other != name}
        return self

    # ---- inside ----

    def _engine(self, n_threads: int | None, quiet: bool) -> Engine:
        """Return the engine that works on chunks of genes, with `n_threads` or the threads of the data set."""
        check_flags(quiet=quiet)
        threads = self.n_threads if n_threads is None else n_threads
        return replace(self._last_engine, n_threads=threads, progress=progress(quiet))

    def _engine_aside(self) -> Engine:
        """Return the engine of calls without a display: it announces the compiler, unless the last step was quiet."""
        return replace(self._last_engine, progress=self._last_engine.progress.aside())

    def _keep(self, state: Normalized, engine: Engine) -> None:
        """Put what a step found in its place; the data set goes on with the threads of the step, and as quietly."""
        self._state, self._last_engine = state, engine

    def _put_factors(self, factors: FloatArray, *, by_gene: bool) -> None:
        self._given, self._given_by_gene, self._factors_estimated = factors, by_gene, False
        self._drop()

    def _drop(self) -> None:
        """Drop everything that was estimated, and all fits."""
        if self._fits:
            progress(self._quiet).note(f"the fits that were kept are dropped: {', '.join(self._fits)}.")
        self._state, self._fits = None, {}

    def _factors(self) -> tuple[FloatArray | None, bool]:
        """Return the factors in use, and whether they are normalization factors."""
        if self._state is None:
            return self._given, self._given_by_gene
        return self._state.factors, self._state.by_gene

    def _normalization(self) -> Normalization:
        """Return what is given for the estimation of factors."""
        return Normalization(lengths=self._lengths, weights=self._weights)

    def _normalize(self, kind: SizeFactorType, engine: Engine) -> Normalized:
        inputs = self._normalization()
        state = normalize(self._data.matrix, self._given, kind, engine, self._given_by_gene, inputs)
        return self._weighted(state, engine)

    def _weighted(self, state: Normalized, engine: Engine) -> Normalized:
        """Return the state with the observation weights, where there are any."""
        if self._weights is None:
            return state
        state = with_weights(state, self._data.matrix, self._weights, self._layout, engine)
        fail = state.moments.weights_fail
        if fail is not None and fail.any():
            warn(
                "the weights as supplied won't allow parameter estimation, producing a degenerate design matrix, for "
                f"{counted(int(fail.sum()), 'gene')}: {listing(self._data.genes[fail])}. They are not fitted; see "
                "genes['weightsFail']."
            )
        return state

    def _normalized(self) -> Normalized:
        if self._state is None:
            if self._given is None:
                raise MissingStepError(
                    "there are no size factors yet: call deseq(), or estimate_size_factors(), or set size_factors."
                    + (_NO_FACTORS if self._fits else "")
                )
            self._state = self._normalize("ratio", self._engine_aside())
        return self._state

    def _instead(self) -> str:
        """Return advice for those who have a fit by another method than the one that is missing."""
        if not self._fits:
            return ""
        names = " or ".join(map(repr, self._fits))
        return f" Or choose a fit that there is, fit={names}: its estimates by gene are cn.gene_estimates(dds, fit=)."

    def _without_fit(self, message: str) -> MissingStepError:
        """Return the error for a data set without the fit that is asked for; other messages for random terms."""
        return MissingStepError(needs_mixed(self._design, list(self._fits)) or message + self._instead())

    def _last_fit(self) -> Fit:
        """Return the fit of the last analysis, with the counts that it was made of."""
        raise self._without_fit("there is no fit yet: run an analysis.")

    def _fit(self, name: str | None = None) -> Fit:
        """Return one of the fits; None: that of the last analysis."""
        if name is None or name == self._last:
            return self._last_fit()
        if not self._fits:
            self._last_fit()  # which says what is missing, where nothing is fitted
        if name not in self._fits:
            if name in FITTED_BY:
                raise OptionError(no_such_fit(name, self.fits))
            check_option("fit", name, self.fits)
        return self._fits[name].bind(self._data, self._design, self._engine_aside())

    def _is_untouched(self) -> bool:
        """Return whether nothing has been estimated."""
        return self._state is None and not self._fits

    def _has_estimates(self) -> bool:
        """Return whether more than size factors has been estimated."""
        return bool(self._fits) or (self._state is not None and type(self._state) is not Normalized)

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._data.genes, columns=self._data.samples)


def require_data_set(value: object, function: str) -> None:
    """Raise `OptionError` unless `value`, the first argument of a function, is a data set."""
    if isinstance(value, CountDataSet):
        return
    ours = type(value).__module__.startswith(("countnest.api.", "countnest.containers."))
    advice = (
        "Give the data set that it was made of"
        if ours
        else "Make one with cn.DESeqDataSet(counts, samples, design=...)"
    )
    raise OptionError(f"{function} needs a DESeqDataSet; got {kind_of(value)}. {advice}.")


def _refuse_both(size_factors: object, normalization_factors: object) -> None:
    """Raise `NormalizationError` where factors come beside average transcript lengths, which make factors too."""
    for name, values in (("size_factors", size_factors), ("normalization_factors", normalization_factors)):
        if values is not None:
            raise NormalizationError(
                f"avg_tx_length and {name} are both given, but lengths serve to estimate factors; give one of them."
            )
