"""The data set: counts, samples and design, and the steps of the analysis as methods."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import pandas as pd

from countnest.api.answers import Fitted, Options, make_results
from countnest.api.inputs import given_normalization_factors, given_size_factors, positive_number, reduced_design
from countnest.api.questions import BoundQuery, bind
from countnest.api.tables import gene_table
from countnest.arrays import FloatArray
from countnest.containers.counts import count_data
from countnest.containers.fit import Analysis, Dispersions, DispersionTrend, ModelFit
from countnest.containers.results import Results
from countnest.design import question
from countnest.design.coefficient import coefficients
from countnest.design.grammar import parse_query
from countnest.design.model import Design, build_design, check_residual_df
from countnest.errors import MissingStepError, counted, warn
from countnest.options import (
    AltHypothesis,
    FitType,
    Orientation,
    PAdjust,
    SizeFactorType,
    TestType,
    check_option,
)
from countnest.parallel.run import Engine
from countnest.pipelines.analysis import Model, normalize, replace_outliers, with_dispersions, with_fit
from countnest.progress import progress
from countnest.stats.glm.fit import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["DESeqDataSet"]


class DESeqDataSet:
    """Counts, samples and a design; after `deseq`, the fitted model.

    Parameters
    ----------
    counts
        Raw counts: a DataFrame in either orientation, a NumPy array, a SciPy sparse matrix or an AnnData object. It is
        copied, never changed. Samples are matched by label where both sides have labels.
    samples
        Sample sheet: one row for each sample. None: the `obs` of an AnnData object.
    design
        A formula such as "~ batch + condition", or a model matrix as a DataFrame.
    reference
        Reference level of factors, {"condition": "untreated"}.
    blocks
        Factors whose levels are blocks, within which questions are answered; by default those that are nested in
        others.
    numeric_ok
        Numeric variables with values 1, 2, ..., k that are measurements, though they look like labels.
    same_as
        A formula of the same model, which gives the columns of a matrix their meaning: questions about cells can then
        be asked of it.
    size_factors, normalization_factors
        Factors to use instead of estimating them: one for each sample, or a genes x samples matrix.
    orientation
        Decides where the labels do not: "genes_by_samples" or "samples_by_genes".
    layer
        Layer of an AnnData object that holds the counts; None: X.

    Notes
    -----
    R counterpart: DESeq2::DESeqDataSetFromMatrix.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("pasilla")
    >>> dds = cn.DESeqDataSet(
    ...     study.counts, study.samples, design="~ type + condition", reference={"condition": "untreated"}
    ... )
    >>> dds.results_names()
    ['Intercept', 'type_single.read_vs_paired.end', 'condition_treated_vs_untreated']
    """

    def __init__(
        self,
        counts: Any,  # noqa: ANN401 (any of five kinds of table; the door sorts them out)
        samples: pd.DataFrame | None = None,
        design: str | pd.DataFrame | FloatArray = "~ 1",
        *,
        reference: Mapping[str, str] | None = None,
        blocks: Collection[str] | None = None,
        numeric_ok: Collection[str] = (),
        same_as: str | None = None,
        size_factors: Any = None,  # noqa: ANN401
        normalization_factors: Any = None,  # noqa: ANN401
        orientation: Orientation | None = None,
        layer: str | None = None,
    ) -> None:
        self._data = count_data(counts, samples, orientation=orientation, layer=layer)
        self._design = build_design(
            design, self._data.sheet, reference=reference, numeric_ok=numeric_ok, blocks=blocks, same_as=same_as
        )
        self._layout = Layout.of(self._design.matrix)
        self._numeric_ok = tuple(numeric_ok)
        self._given: FloatArray | None = None
        self._state: Analysis | None = None
        if normalization_factors is not None:
            self._given = given_normalization_factors(normalization_factors, self._data)
        elif size_factors is not None:
            self._given = given_size_factors(size_factors, self._data)

    def __repr__(self) -> str:
        n_genes, n = self._data.counts.shape
        design = self._design.formula or f"matrix of {len(self._design.names)} columns"
        fitted = self._state.fit.test if self._state and self._state.fit else "not fitted"
        return (
            f"DESeqDataSet: {n_genes} genes x {n} samples, design {design}, {fitted}\n"
            f"coefficients: {', '.join(self._design.names)}"
            + "".join(f"\nreference level of {name}: {levels[0]}" for name, levels in self._design.levels.items())
        )

    # ---- what it holds ----

    @property
    def design(self) -> Design:
        """The design: formula, model matrix, levels, notes."""
        return self._design

    @property
    def samples(self) -> pd.DataFrame:
        """The sample sheet, factors as categoricals with the reference level first."""
        return self._design.sheet.copy()

    @property
    def gene_names(self) -> pd.Index:
        """Labels of the genes."""
        return self._data.genes

    def counts(self, *, normalized: bool = False, replaced: bool = False) -> pd.DataFrame:
        """Return the counts, genes x samples.

        Parameters
        ----------
        normalized
            Divide by the size or normalization factors.
        replaced
            Take the counts after replacement of outliers.

        Notes
        -----
        R counterpart: DESeq2::counts.
        """
        values = self._data.counts
        if replaced:
            if self._fitted() and self._analysis().replacement is None:
                warn("no outliers were replaced: these are the original counts.")
            values = self._counts_used()
        return self._frame(normalized_counts(values, self._normalized().factors) if normalized else values.copy())

    @property
    def size_factors(self) -> pd.Series[float] | None:
        """Size factors of the samples; None before they are estimated and where normalization factors replace them."""
        factors = self._state.factors if self._state else self._given
        if factors is None or len(factors) != 1:
            return None
        return pd.Series(factors[0].copy(), index=self._data.samples, name="sizeFactor")

    @size_factors.setter
    def size_factors(self, values: Any) -> None:  # noqa: ANN401
        self._given = given_size_factors(values, self._data)
        self._state = None

    @property
    def normalization_factors(self) -> pd.DataFrame | None:
        """Normalization factors, genes x samples; None where size factors are used."""
        return self._frame(self._given.copy()) if self._given is not None and len(self._given) != 1 else None

    @normalization_factors.setter
    def normalization_factors(self, values: Any) -> None:  # noqa: ANN401
        self._given = given_normalization_factors(values, self._data)
        self._state = None

    @property
    def genes(self) -> pd.DataFrame:
        """What is known of every gene, under DESeq2's column names; grows with the steps.

        Notes
        -----
        R counterpart: mcols(dds).
        """
        return gene_table(self._normalized(), self._data.genes, self._design.names)

    @property
    def dispersions(self) -> pd.Series[float]:
        """Final dispersions of the genes."""
        return pd.Series(self._dispersed().final.copy(), index=self._data.genes, name="dispersion")

    @property
    def dispersion_trend(self) -> DispersionTrend:
        """The dispersion trend and its prior: fit type, coefficients, var_log_disp_ests, disp_prior_var; callable.

        Notes
        -----
        R counterpart: DESeq2::dispersionFunction.
        """
        return self._dispersed().trend

    def results_names(self) -> list[str]:
        """Return the names of the coefficients.

        Notes
        -----
        R counterpart: DESeq2::resultsNames.
        """
        return list(self._design.names)

    def coef(self, *, se: bool = False) -> pd.DataFrame:
        """Return the coefficients, or their standard errors, genes x coefficients, log2.

        Notes
        -----
        R counterpart: DESeq2::coef.
        """
        fit = self._fitted()
        return pd.DataFrame(
            (fit.se if se else fit.beta) / LN2, index=self._data.genes, columns=pd.Index(self._design.names)
        )

    def cooks(self) -> pd.DataFrame:
        """Return Cook's distances, genes x samples, of the original counts."""
        return self._frame(self._fitted().cooks.copy())

    def mu(self) -> pd.DataFrame:
        """Return the fitted means, genes x samples, size factors included."""
        return self._frame(self._fitted().mu.copy())

    # ---- the steps ----

    def deseq(
        self,
        *,
        test: TestType = "Wald",
        reduced: str | pd.DataFrame | FloatArray | None = None,
        fit_type: FitType = "parametric",
        size_factor_type: SizeFactorType = "ratio",
        min_replicates_for_replace: float = 7,
        use_t: bool = False,
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Run the whole analysis: size factors, dispersions, model, outliers. The data set is changed at the end.

        Parameters
        ----------
        test
            "Wald", or "LRT" for the likelihood ratio test against `reduced`.
        reduced
            Reduced formula, or model matrix, of the likelihood ratio test.
        fit_type
            Of the dispersion trend: "parametric" (a local regression replaces it where it does not fit), "local" or
            "mean".
        size_factor_type
            "ratio", or "poscounts" where every gene has a zero.
        min_replicates_for_replace
            Outlier counts of samples with at least this many replicates are replaced; np.inf for never.
        use_t
            Compare Wald statistics with a t distribution on the residual degrees of freedom.
        minmu
            Floor of the fitted means in the weights.
        n_threads
            None: all processors. The results do not depend on it.
        quiet
            No progress display.

        Notes
        -----
        R counterpart: DESeq2::DESeq.
        """
        engine = _engine(n_threads, quiet)
        check_option("fit_type", fit_type, FitType)
        check_option("size_factor_type", size_factor_type, SizeFactorType)
        positive_number("min_replicates_for_replace", min_replicates_for_replace, least=3, infinite=True)
        model = self._model(test, reduced, use_t=use_t, minmu=minmu)
        check_residual_df(self._design)
        self._tell_notes(engine)
        counts = self._data.counts
        state = self._normalize(size_factor_type, engine)
        state = with_dispersions(state, counts, self._layout, fit_type=fit_type, min_mu=minmu, engine=engine)
        state = with_fit(state, counts, model, engine)
        if math.isfinite(min_replicates_for_replace):
            state = replace_outliers(state, counts, model, min_replicates_for_replace, engine)
        self._state = state
        self._warn_of_convergence()
        return self

    def estimate_size_factors(self, *, type: SizeFactorType = "ratio") -> Self:
        """Estimate size factors, in place of any that there are; `deseq` then keeps them.

        Notes
        -----
        R counterpart: DESeq2::estimateSizeFactors.
        """
        check_option("type", type, SizeFactorType)
        self._state = normalize(self._data.counts, None, type, _engine(None, True))
        self._given = self._state.factors
        return self

    def estimate_dispersions(
        self,
        *,
        fit_type: FitType = "parametric",
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Estimate dispersions; size factors come first. Arguments as in `deseq`.

        Notes
        -----
        R counterpart: DESeq2::estimateDispersions.
        """
        engine = _engine(n_threads, quiet)
        check_option("fit_type", fit_type, FitType)
        positive_number("minmu", minmu)
        check_residual_df(self._design)
        state = self._normalized()
        self._state = with_dispersions(
            state, self._data.counts, self._layout, fit_type=fit_type, min_mu=minmu, engine=engine
        )
        return self

    def nbinom_wald_test(
        self, *, use_t: bool = False, minmu: float = 0.5, n_threads: int | None = None, quiet: bool = False
    ) -> Self:
        """Fit the model for Wald tests; dispersions come first. Arguments as in `deseq`.

        Notes
        -----
        R counterpart: DESeq2::nbinomWaldTest.
        """
        return self._fit_step(self._model("Wald", None, use_t=use_t, minmu=minmu), _engine(n_threads, quiet))

    def nbinom_lrt(
        self,
        reduced: str | pd.DataFrame | FloatArray,
        *,
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Fit the full and the reduced model for likelihood ratio tests; dispersions come first.

        Notes
        -----
        R counterpart: DESeq2::nbinomLRT.
        """
        return self._fit_step(self._model("LRT", reduced, use_t=False, minmu=minmu), _engine(n_threads, quiet))

    def results(
        self,
        contrast: object = None,
        *,
        name: str | None = None,
        list_values: Sequence[float] = (1.0, -1.0),
        test: TestType | None = None,
        alpha: float = 0.1,
        lfc_threshold: float = 0.0,
        alt_hypothesis: AltHypothesis = "greaterAbs",
        independent_filtering: bool = True,
        cooks_cutoff: float | bool | None = None,
        p_adjust: PAdjust = "BH",
    ) -> Results:
        """Return the table of genes for one comparison; without one, for the last coefficient.

        Parameters
        ----------
        contrast
            (factor, numerator level, denominator level); or ([names], [names]), the first added and the second
            subtracted; or one number for each coefficient.
        name
            One coefficient.
        list_values
            Weights of the two lists of names.
        test
            "Wald" for Wald tests after a likelihood ratio test; None: the test that was run.
        alpha
            False discovery rate for which independent filtering is tuned.
        lfc_threshold
            Test against this log2 fold change.
        alt_hypothesis
            "greaterAbs", "lessAbs", "greater", "less", or "greaterAbs2014".
        independent_filtering
            Leave out genes of low mean count where that finds more.
        cooks_cutoff
            Cook's distance above which a p-value is withheld; None or True: the 99 % quantile of F(p, n - p); False or
            infinite: never.
        p_adjust
            How p-values are adjusted: "BH", "BY", "holm", "hochberg", "hommel", "bonferroni" or "none".

        Notes
        -----
        R counterpart: DESeq2::results.
        """
        options = Options(
            alpha=alpha,
            lfc_threshold=lfc_threshold,
            alt_hypothesis=alt_hypothesis,
            independent_filtering=independent_filtering,
            cooks_cutoff=cooks_cutoff,
            p_adjust=p_adjust,
        )
        return make_results(
            self._answerable(), options, contrast=contrast, name=name, list_values=list_values, test=test
        )

    # ---- questions ----

    def effect(
        self,
        variable: str,
        *,
        levels: object = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401 (a word or a dict)
        per: float | str | None = None,
        from_: float | None = None,
        to: float | None = None,
    ) -> BoundQuery:
        """Ask what a variable does: differences of the levels of a factor, or the slope of a number.

        Factors that are not mentioned are averaged over, crossed ones with equal weights, nested ones over the levels
        that occur. See `design.question.effect` for the arguments.

        Examples
        --------
        >>> dds.effect("treat2", by="treat1")  # doctest: +SKIP
        """
        asked = question.effect(
            self._design, variable, levels=levels, by=by, at=at, weights=weights, per=per, from_=from_, to=to
        )
        return bind(asked, self._answerable)

    def interaction(
        self,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
        **comparisons: object,
    ) -> BoundQuery:
        """Ask how the effect of a variable differs over others: ``interaction(treat2="reference", treat1="pairwise")``.

        Each comparison is a pair (high, low), a method ("reference", "pairwise", "consecutive", "deviation",
        "helmert", "mean_change", "poly"), or a dict of weights; see `design.question.interaction`.
        """
        return bind(question.interaction(self._design, by=by, at=at, weights=weights, **comparisons), self._answerable)

    def means(
        self,
        by: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
    ) -> BoundQuery:
        """Ask for the log2 mean of each cell of some factors."""
        return bind(question.means(self._design, by, at=at, weights=weights), self._answerable)

    def cell(self, *, weights: Any = "equal", **levels: object) -> BoundQuery:  # noqa: ANN401
        """Ask for the log2 mean of one cell; the difference of two is a comparison."""
        return bind(question.cell(self._design, weights=weights, **levels), self._answerable)

    def query(self, text: str) -> BoundQuery:
        """Ask in one line: ``"treat2[E - None] : treat1[B - A]"``; see `design.grammar.parse_query`."""
        return bind(parse_query(self._design, text), self._answerable)

    def contrast(self, asked: object, *, list_values: Sequence[float] = (1.0, -1.0)) -> BoundQuery:
        """Ask with coefficients: an expression of their names, lists of names, a dict, a vector, a matrix (joint)."""
        return bind(coefficients(self._design, asked, list_values), self._answerable)

    # ---- inside ----

    def _model(
        self, test: TestType, reduced: str | pd.DataFrame | FloatArray | None, *, use_t: bool, minmu: float
    ) -> Model:
        check_option("test", test, TestType)
        positive_number("minmu", minmu)
        null = reduced_design(test, reduced, self._design, self._numeric_ok)
        if null is None:
            return Model(self._layout, test=test, use_t=use_t, min_mu=float(minmu))
        return Model(self._layout, Layout.of(null.matrix), null.formula, "LRT", False, float(minmu))

    def _normalize(self, kind: SizeFactorType, engine: Engine) -> Analysis:
        what = "size factors" if self._given is None or len(self._given) == 1 else "normalization factors"
        return normalize(self._data.counts, self._given, kind, engine, what)

    def _fit_step(self, model: Model, engine: Engine) -> Self:
        self._dispersed()
        self._state = with_fit(self._analysis(), self._data.counts, model, engine)
        self._warn_of_convergence()
        return self

    def _normalized(self) -> Analysis:
        if self._state is None:
            if self._given is None:
                raise MissingStepError(
                    "there are no size factors yet: call deseq(), or estimate_size_factors(), or set size_factors."
                )
            self._state = self._normalize("ratio", _engine(None, True))
        return self._state

    def _dispersed(self) -> Dispersions:
        if self._state is None or self._state.dispersions is None:
            raise MissingStepError("there are no dispersions yet: call deseq(), or estimate_dispersions().")
        return self._state.dispersions

    def _fitted(self) -> ModelFit:
        if self._state is None or self._state.fit is None:
            raise MissingStepError(
                "couldn't find results. You should first run deseq(), or nbinom_wald_test() after the other steps."
            )
        return self._state.fit

    def _answerable(self) -> Fitted:
        fit = self._fitted()
        return Fitted(self._analysis(), fit, self._data, self._design, self._layout)

    def _analysis(self) -> Analysis:
        assert self._state is not None
        return self._state

    def _counts_used(self) -> FloatArray:
        replacement = self._analysis().replacement
        return self._data.counts if replacement is None else replacement.counts

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._data.genes, columns=self._data.samples)

    def _tell_notes(self, engine: Engine) -> None:
        if self._layout.is_intercept_only:
            warn("the design is ~ 1 (just an intercept): there is nothing to compare. Is this intended?")
        if self._design.levels:
            shown = ", ".join(f"{name} {levels[0]}" for name, levels in self._design.levels.items())
            engine.progress.note(f"-- reference levels: {shown}")
        for note in self._design.notes:
            engine.progress.note(note)

    def _warn_of_convergence(self) -> None:
        lost = int((self._fitted().converged == 0).sum())
        if lost:
            warn(f"{counted(lost, 'gene')} did not converge in beta, labelled in genes['betaConv'].")


def _engine(n_threads: int | None, quiet: bool) -> Engine:
    return Engine(n_threads=n_threads, progress=progress(quiet))
