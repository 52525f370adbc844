"""The data set and the steps of the analysis as methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import pandas as pd

from countnest.api.answers import Options, make_results
from countnest.api.held import HeldData, make_engine
from countnest.api.inputs import positive_number, reduced_design
from countnest.api.questions import BoundQuery, bind
from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.design import question
from countnest.design.coefficient import coefficients
from countnest.design.grammar import parse_query
from countnest.design.model import check_residual_df
from countnest.errors import counted, warn
from countnest.options import (
    AltHypothesis,
    FitType,
    PAdjust,
    SizeFactorType,
    TestType,
    check_option,
)
from countnest.parallel.run import Engine
from countnest.pipelines.analysis import Model, normalize, replace_outliers, with_dispersions, with_fit
from countnest.stats.glm.layout import Layout

__all__ = ["DESeqDataSet"]


class DESeqDataSet(HeldData):
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
    avg_tx_length
        Average transcript lengths, a genes x samples matrix as tximport gives it, which are corrected for when the
        sequencing depth is estimated.
    weights
        Observation weights, a genes x samples matrix of numbers that are not negative, such as the probabilities that
        zeros belong to the negative binomial part of a zero-inflated model.
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
        engine = make_engine(n_threads, quiet)
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

    def estimate_size_factors(
        self,
        *,
        type: SizeFactorType = "ratio",
        locfunc: Callable[[FloatArray], Any] | None = None,
        control_genes: Any = None,  # noqa: ANN401 (labels, truth values or positions)
        geo_means: Any = None,  # noqa: ANN401 (Series, sequence)
        norm_matrix: Any = None,  # noqa: ANN401 (DataFrame, array)
    ) -> Self:
        """Estimate size factors, in place of any that there are; `deseq` then keeps them.

        With `norm_matrix`, or average transcript lengths in the data set, normalization factors are estimated.

        Parameters
        ----------
        type
            "ratio": the median of ratios to the geometric mean of every gene. "poscounts": geometric means of the
            positive counts, where every gene has a zero. "iterate": likeliest size factors and dispersions in turn;
            it uses none of the other arguments.
        locfunc
            In place of the median: a function of the log ratios of a sample.
        control_genes
            Genes to use: labels, truth values, or positions from 0 (whole numbers are positions).
        geo_means
            Geometric means to use instead of those of these counts, one for each gene, such as those of an earlier
            study; 0 leaves a gene out. The size factors are divided by their geometric mean. "poscounts" has its own.
        norm_matrix
            Genes x samples, positive: what else the counts of a gene are proportional to. Average transcript lengths
            go before it.

        Notes
        -----
        R counterpart: DESeq2::estimateSizeFactors.
        """
        check_option("type", type, SizeFactorType)
        data = self._data
        given = Normalization(
            location=given_locfunc(locfunc),
            control=None if control_genes is None else given_control_genes(control_genes, data.genes),
            geo_means=None if geo_means is None else given_geo_means(geo_means, data.genes),
            matrix=None if norm_matrix is None else given_norm_matrix(norm_matrix, data, "norm_matrix"),
            lengths=self._lengths,
        )
        self._state = self._weighted(normalize(self._data.counts, None, type, make_engine(None, True), normalization=given))
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
        engine = make_engine(n_threads, quiet)
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
        return self._fit_step(self._model("Wald", None, use_t=use_t, minmu=minmu), make_engine(n_threads, quiet))

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
        return self._fit_step(self._model("LRT", reduced, use_t=False, minmu=minmu), make_engine(n_threads, quiet))

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

    def _fit_step(self, model: Model, engine: Engine) -> Self:
        self._dispersed()
        self._state = with_fit(self._analysis(), self._data.counts, model, engine)
        self._warn_of_convergence()
        return self

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
