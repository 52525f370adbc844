"""What a data set holds: counts, samples, design, and as much of the analysis as has been done."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from countnest.api.announcement import announce
from countnest.api.inputs import (
    gene_dispersions,
    given_lengths,
    given_normalization_factors,
    given_size_factors,
    given_weights,
)
from countnest.api.priors import prior_gene_table
from countnest.api.tables import gene_table
from countnest.arrays import FloatArray
from countnest.containers.counts import count_data
from countnest.containers.gene_info import matched_info
from countnest.counterparts import Answering
from countnest.design.build import build_design
from countnest.design.design import Design
from countnest.design.levels.text import level_text
from countnest.display import facts_as_html, facts_as_text, first_of
from countnest.errors import (
    MissingStepError,
    NormalizationError,
    OptionError,
    counted,
    kind_of,
    listing,
    warn,
)
from countnest.methods.deseq2.analysis import normalize, original_moments, with_weights
from countnest.methods.deseq2.fit import DESeq2Fit, StoredDESeq2Fit
from countnest.methods.deseq2.fitted import dispersion_means_of, means_of, observed_cooks
from countnest.methods.deseq2.prior_fit import PriorFit, prior_fit
from countnest.methods.deseq2.stages import Dispersed, Fitted, Normalized, at_stage
from countnest.methods.deseq2.steps import given_dispersions
from countnest.methods.fit import Fit, StoredFit
from countnest.methods.normalization import Normalization
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
from countnest.stats.dispersion.trend import DispersionTrend
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["HeldData", "require_data_set"]

# The name of the fit of the last analysis.
LAST = "deseq2"
# What to do instead of an edit of a copy.
_SETTABLE = "take a copy to work with, dds.{0}.copy(), or set the whole of it, dds.{0} = {1}."


@checked_methods
class HeldData(Answering):
    """Counts, samples, design and the state of the analysis, with the properties that show them.

    `DESeqDataSet` adds the steps and the questions. Attributes and methods that begin with an underscore are the
    doors for the verbs of this storey, and for nobody else: a method gives a record, or raises `MissingStepError` with
    the step that is missing.
    """

    _quiet = False  # whether it says nothing of its design

    def __init__(
        self,
        counts: Any,  # noqa: ANN401 (any of five kinds of table; the door sorts them out)
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
        self._data = count_data(
            counts, samples, orientation=orientation, layer=layer, gene_info=gene_info, cells_ok=cells_ok
        )
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
        self._lengths: FloatArray | None = None
        if avg_tx_length is not None:
            _refuse_both(size_factors, normalization_factors)
            self._lengths = given_lengths(avg_tx_length, self._data)
        if size_factors is not None and normalization_factors is not None:
            raise NormalizationError(
                "size_factors and normalization_factors are both given, but only one of them can be used: "
                "normalization factors include the size factors. Leave one out."
            )
        if normalization_factors is not None:
            self._given = given_normalization_factors(normalization_factors, self._data)
        elif size_factors is not None:
            self._given = given_size_factors(size_factors, self._data)
        announce(self._design, progress(quiet))

    def __repr__(self) -> str:
        return facts_as_text(*self._described())

    def _repr_html_(self) -> str:
        return facts_as_html(*self._described())

    def _described(self) -> tuple[str, dict[str, str]]:
        """Return what the data set is, in a line and a few facts."""
        n_genes, n = self._data.shape
        design = self._design.formula or f"matrix of {counted(len(self._design.names), 'column')}"
        fitted = self._state.fit.test if isinstance(self._state, Fitted) else "not fitted"
        references = [f"{name} {levels[0]}" for name, levels in self._design.levels.items()]
        facts = {
            "coefficients": first_of(self.results_names()),
            "reference levels": first_of(references),
            "gene_info": first_of(self._data.gene_info),
            "with": ", ".join(self._peculiarities()),
        }
        title = f"DESeqDataSet: {counted(n_genes, 'gene')} x {counted(n, 'sample')}, design {design}, {fitted}"
        return title, {what: value for what, value in facts.items() if value}

    def _peculiarities(self) -> list[str]:
        """Return what sets this analysis apart from the usual one."""
        state = self._state
        found = [
            ("observation weights", self._weights is not None),
            ("average transcript lengths", self._lengths is not None),
            ("normalization factors", self._factors()[1]),
        ]
        if isinstance(state, Dispersed):
            found.append(("given dispersions", state.dispersions.sharing == "given"))
        if isinstance(state, Fitted):
            found.append(("beta prior", state.fit.prior is not None))
        words = [what for what, there in found if there]
        if isinstance(state, Dispersed) and state.replacement is not None:
            words.append(f"outliers replaced in {counted(int(state.replacement.flagged.sum()), 'gene')}")
        return words

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
    def design(self) -> Design:
        """The design: formula, model matrix, levels, notes."""
        return self._design

    @property
    def samples(self) -> pd.DataFrame:
        """The sample sheet: factors as categoricals, in their order where it is known, else the reference first."""
        return self._design.sheet.copy()

    @property
    def gene_names(self) -> pd.Index:
        """Labels of the genes."""
        return self._data.genes

    @property
    def gene_info(self) -> pd.DataFrame:
        """What else is known of the genes, such as symbols: one row for each gene; without columns where nothing is.

        It comes with the counts: columns beside them that describe the genes, or the `var` of an AnnData object. What
        is set, a DataFrame or a Series of symbols, is matched by the labels of the genes and takes its place; None
        removes it. Results carry it, and figures show the symbols.

        Notes
        -----
        R counterpart: rowData(dds), before the analysis.
        """
        return protected(self._data.gene_info.copy(), _SETTABLE.format("gene_info", "frame"))

    @gene_info.setter
    def gene_info(self, given: pd.DataFrame | pd.Series | None) -> None:
        self._data = replace(self._data, gene_info=matched_info(given, None, self._data.genes))

    def counts(self, *, normalized: bool = False, replaced: bool = False) -> pd.DataFrame:
        """Return the counts, genes x samples, as a copy: an edit of it does not reach the data set.

        Parameters
        ----------
        normalized
            Divide by the size or normalization factors.
        replaced
            Take the counts after replacement of outliers; where none were replaced, the counts, with a warning.

        Notes
        -----
        R counterpart: DESeq2::counts.
        """
        check_flags(normalized=normalized, replaced=replaced)
        values = self._data.matrix
        if replaced:
            state = self._state
            if isinstance(state, Dispersed) and state.replacement is not None:
                values = state.counts_used(values)
            else:
                yet = "" if isinstance(state, Fitted) else " yet"
                warn(f"no outliers were replaced{yet}: these are the original counts.")
        whole = values.whole()
        return self._frame(normalized_counts(whole, self._normalized().factors) if normalized else whole.copy())

    @property
    def size_factors(self) -> pd.Series[float] | None:
        """Size factors of the samples; None before they are estimated and where normalization factors replace them."""
        factors, by_gene = self._factors()
        if factors is None or by_gene:
            return None
        found = pd.Series(factors[0].copy(), index=self._data.samples, name="sizeFactor")
        return protected(found, _SETTABLE.format("size_factors", "values"))

    @size_factors.setter
    def size_factors(self, values: Any) -> None:  # noqa: ANN401
        self._put_factors(given_size_factors(values, self._data), by_gene=False)

    @property
    def normalization_factors(self) -> pd.DataFrame | None:
        """Normalization factors, genes x samples; None before they are estimated and where size factors are used."""
        factors, by_gene = self._factors()
        if factors is None or not by_gene:
            return None
        return protected(self._frame(factors.copy()), _SETTABLE.format("normalization_factors", "values"))

    @normalization_factors.setter
    def normalization_factors(self, values: Any) -> None:  # noqa: ANN401
        self._put_factors(given_normalization_factors(values, self._data), by_gene=True)

    @property
    def genes(self) -> pd.DataFrame:
        """What is known of every gene, under DESeq2's column names; grows with the steps.

        Notes
        -----
        R counterpart: mcols(dds).
        """
        priors = self._priors()
        if priors is not None:
            found = prior_gene_table(priors)
        else:
            found = gene_table(self._normalized(), self._data.genes, self._design.names, layout=self._layout)
        return protected(
            found, "take a copy to work with, dds.genes.copy(); annotation is set by dds.gene_info = frame."
        )

    @property
    def dispersions(self) -> pd.Series[float]:
        """Final dispersions of the genes; they can be set, one for each gene, and are then used as they are.

        Notes
        -----
        R counterpart: DESeq2::dispersions.
        """
        found = pd.Series(self._dispersed().dispersions.final.copy(), index=self._data.genes, name="dispersion")
        return protected(found, _SETTABLE.format("dispersions", "values"))

    @dispersions.setter
    def dispersions(self, values: Any) -> None:  # noqa: ANN401 (Series, sequence)
        alpha = gene_dispersions(values, self._data)
        state = self._normalized()
        moments = original_moments(state, self._data.matrix, self._engine_aside())
        alpha = np.where(moments.all_zero, np.nan, alpha)
        given = given_dispersions(alpha)
        self._state = at_stage(Dispersed, state, moments=moments, dispersions=given, replacement=None)

    @property
    def dispersion_trend(self) -> DispersionTrend:
        """The dispersion trend and its prior: fit type, coefficients, var_log_disp_ests, disp_prior_var; callable.

        Notes
        -----
        R counterpart: DESeq2::dispersionFunction.
        """
        trend = self._dispersed().dispersions.trend
        if trend is None:
            raise MissingStepError(
                "there is no dispersion trend: the dispersions are gene-wise or given. Call estimate_dispersions()."
            )
        return trend

    def results_names(self) -> list[str]:
        """Return the names of the coefficients.

        Notes
        -----
        R counterpart: DESeq2::resultsNames.
        """
        priors = self._priors()
        return list(self._design.names if priors is None else priors.names)

    def coef(self, *, se: bool = False) -> pd.DataFrame:
        """Return the coefficients, or their standard errors, genes x coefficients, log2, as a copy.

        Notes
        -----
        R counterpart: DESeq2::coef.
        """
        check_flags(se=se)
        fit, priors = self._fitted().fit, self._priors()
        names = self._design.names if priors is None else priors.names
        values = (fit.se if se else fit.beta) if priors is None else (priors.fit.se if se else priors.fit.beta)
        return pd.DataFrame(values / LN2, index=self._data.genes, columns=pd.Index(names))

    def cooks(self) -> pd.DataFrame:
        """Return Cook's distances, genes x samples, of the original counts."""
        return self._frame(observed_cooks(self._fitted(), self._data.matrix, self._layout, self._engine_aside()))

    def mu(self, *, normalized: bool = False) -> pd.DataFrame:
        """Return the fitted means, genes x samples; before the fit, the means that dispersions were estimated with.

        Parameters
        ----------
        normalized
            Divide by the size or normalization factors: what the samples would have at the same depth.

        Notes
        -----
        R counterpart: assays(dds)[["mu"]].
        """
        check_flags(normalized=normalized)
        state, engine = self._dispersed(), self._engine_aside()
        if isinstance(state, Fitted):
            mu = means_of(state, self._layout, engine)
        elif state.dispersions.sharing == "given":
            raise MissingStepError(
                "the dispersions were given, so that there are no means yet: call nbinom_wald_test()."
            )
        else:
            mu = dispersion_means_of(state, self._data.matrix, self._layout, engine)
        return self._frame(mu / state.factors if normalized else mu)

    # ---- its fits ----

    @property
    def fits(self) -> dict[str, str]:
        """The fits that queries can be answered from, each with its method; "deseq2" is that of the last analysis.

        A query is answered from another one by ``query.test(fit="name")``. A new design, new size factors, and a choice
        of genes or samples drop them all.
        """
        last = {LAST: "DESeq2"} if isinstance(self._state, Fitted) else {}
        return last | {name: self._fit(name).method for name in self._fits}

    def keep_fit(self, name: str) -> Self:
        """Keep the fit of the last analysis under a name, so that another one can be made beside it."""
        return self.add_fit(name, StoredDESeq2Fit(self._fitted()))

    def add_fit(self, name: str, fit: StoredFit) -> Self:
        """Add a fit of any method under a name; see `methods.fit.StoredFit` for what it has to offer."""
        if not isinstance(name, str) or not name or name == LAST:
            raise OptionError(f"name={name!r} cannot name a fit; give text, other than '{LAST}'.")
        if not (is_dataclass(fit) and callable(getattr(fit, "bind", None))):
            raise OptionError(f"fit= must be a dataclass with a method bind(data, design, engine); got {kind_of(fit)}.")
        self._fits = {**self._fits, name: fit}
        return self

    def remove_fit(self, name: str) -> Self:
        """Remove a fit that was kept or added."""
        check_option("name", name, self._fits)
        self._fits = {other: fit for other, fit in self._fits.items() if other != name}
        return self

    # ---- inside ----

    def _engine(self, n_threads: int | None, quiet: bool) -> Engine:
        """Return how blocks of genes are worked on: by the threads of the data set, unless others are asked for."""
        check_flags(quiet=quiet)
        threads = self.n_threads if n_threads is None else n_threads
        return replace(self._last_engine, n_threads=threads, progress=progress(quiet))

    def _engine_aside(self) -> Engine:
        """Return the engine of verbs without a display: it announces the compiler, unless the last step was quiet."""
        return replace(self._last_engine, progress=self._last_engine.progress.aside())

    def _keep(self, state: Normalized, engine: Engine) -> None:
        """Put what a step found in its place; the data set goes on with the threads of the step, and as quietly."""
        self._state, self._last_engine = state, engine

    def _put_factors(self, factors: FloatArray, *, by_gene: bool) -> None:
        self._given, self._given_by_gene, self._factors_estimated = factors, by_gene, False
        self._drop()

    def _drop(self) -> None:
        """Drop everything that was estimated, and all fits."""
        self._state, self._fits = None, {}

    def _factors(self) -> tuple[FloatArray | None, bool]:
        """Return the factors in use, and whether they are normalization factors."""
        if self._state is None:
            return self._given, self._given_by_gene
        return self._state.factors, self._state.by_gene

    def _normalize(self, kind: SizeFactorType, engine: Engine) -> Normalized:
        heeded = Normalization(lengths=self._lengths, weights=self._weights)
        state = normalize(self._data.matrix, self._given, kind, engine, self._given_by_gene, heeded)
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
                )
            self._state = self._normalize("ratio", self._engine_aside())
        return self._state

    def _dispersed(self) -> Dispersed:
        if not isinstance(self._state, Dispersed):
            raise MissingStepError("there are no dispersions yet: call deseq(), or estimate_dispersions().")
        return self._state

    def _fitted(self) -> Fitted:
        if not isinstance(self._state, Fitted):
            raise MissingStepError(
                "couldn't find results. You should first run deseq(), or nbinom_wald_test() after the other steps."
            )
        return self._state

    def _priors(self) -> PriorFit | None:
        """Return the fit with priors on the coefficients; None without, and before the fit."""
        return prior_fit(self._deseq2_fit()) if isinstance(self._state, Fitted) else None

    def _deseq2_fit(self) -> DESeq2Fit:
        """Return the fit of the last analysis, with the counts that it was made of."""
        return DESeq2Fit(self._fitted(), self._data, self._design, self._layout, self._engine_aside())

    def _fit(self, name: str | None = None) -> Fit:
        """Return one of the fits; None: that of the last analysis."""
        if name is None or name == LAST:
            return self._deseq2_fit()
        check_option("fit", name, (LAST, *self._fits))
        return self._fits[name].bind(self._data, self._design, self._engine_aside())

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._data.genes, columns=self._data.samples)


def require_data_set(value: object, verb: str) -> None:
    """Raise `OptionError` unless `value`, the first argument of a verb, is a data set."""
    if isinstance(value, HeldData):
        return
    ours = type(value).__module__.startswith(("countnest.api.", "countnest.containers."))
    advice = (
        "Give the data set that it was made of"
        if ours
        else "Make one with cn.DESeqDataSet(counts, samples, design=...)"
    )
    raise OptionError(f"{verb} needs a DESeqDataSet; got {kind_of(value)}. {advice}.")


def _refuse_both(size_factors: object, normalization_factors: object) -> None:
    """Raise `NormalizationError` where factors come beside average transcript lengths, which make factors too."""
    for name, values in (("size_factors", size_factors), ("normalization_factors", normalization_factors)):
        if values is not None:
            raise NormalizationError(
                f"avg_tx_length and {name} are both given, but lengths serve to estimate factors; give one of them."
            )
