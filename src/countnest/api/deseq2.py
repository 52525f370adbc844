"""`DESeqDataSet`: the steps of a DESeq2 analysis, and their results, as methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from countnest.api.advice import averaged_sentence
from countnest.api.answer_options import answer_options
from countnest.api.dataset import SETTABLE, CountDataSet
from countnest.api.inputs import chosen_samples, gene_dispersions, not_negative, positive_number, reduced_design
from countnest.api.mixed_fits import check_fit_chosen, mixed_access
from countnest.api.normalization import given_normalization
from countnest.api.priors import make_prior, prior_gene_table
from countnest.api.results import kind_of_test, only, query_of_results, refuse_mle, results_of
from countnest.api.tables import gene_table
from countnest.arrays import FloatArray
from countnest.containers.results import Results
from countnest.design.design import check_residual_df, check_varying
from countnest.design.random.refusal import needs_mixed, refuse_random
from countnest.errors import MissingStepError, OptionError, counted, listing, warn
from countnest.files import FilePath
from countnest.methods.answer import answer
from countnest.methods.cost import expected_cost
from countnest.methods.deseq2.analysis import original_moments, replace_outliers, with_dispersions, with_fit
from countnest.methods.deseq2.beta_prior import PriorModel
from countnest.methods.deseq2.fit import DESeq2Fit, StoredDESeq2Fit
from countnest.methods.deseq2.fitted import means_of, observed_cooks
from countnest.methods.deseq2.iterate import iterated_size_factors
from countnest.methods.deseq2.outliers import ReplacementRule
from countnest.methods.deseq2.prior_fit import PriorFit, prior_fit
from countnest.methods.deseq2.stages import Dispersed, Fitted
from countnest.methods.deseq2.steps import Model, dispersion_means_of, given_dispersions
from countnest.methods.normalization import Normalization
from countnest.methods.normalized import normalize
from countnest.methods.stage import at_stage
from countnest.options import (
    AltHypothesis,
    DispersionSharing,
    FitType,
    ModelMatrixType,
    NullKind,
    OutlierRule,
    PAdjust,
    SizeFactorType,
    TestType,
    check_flags,
    check_option,
)
from countnest.parallel.pool import active_pool
from countnest.parallel.run import Engine
from countnest.protected import protected
from countnest.queries.query import Query
from countnest.remedies import option
from countnest.signature import checked_methods
from countnest.stats.dispersion.trend import DispersionTrend, TrendFunction
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.inference.adjust import Adjustment
from countnest.stats.inference.filter import FilterFunction
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["DESeqDataSet"]


@checked_methods
class DESeqDataSet(CountDataSet):
    """Counts, samples and a design; after `deseq`, the fitted model.

    Parameters
    ----------
    counts
        Raw counts: a DataFrame in either orientation, a NumPy array, a SciPy sparse matrix, an AnnData object, or what
        `read_counts` returns. It is copied, never changed. Samples are matched by label where both sides have labels.
    samples
        Sample sheet: one row for each sample. None: the `obs` of an AnnData object, or the sheet that was read with the
        counts.
    design
        A formula such as "~ batch + condition", or a model matrix as a DataFrame. Random terms, "~ condition +
        (1 | donor)", are for mixed models.
    reference
        Reference level of factors, {"condition": "untreated"}.
    levels
        All levels of factors in their order, {"dose": ["low", "mid", "high"]}; the first is the reference, unless
        `reference` names another. Without it, levels stand in the order of the numbers that they carry (0, 5, 15, 120;
        30min, 2h, 1d), where that is beyond doubt, of categories, or of text. A note gives the order, and queries that
        depend on it, such as "consecutive", explain it. A number whose levels are named is a factor.
    blocks
        Factors whose levels are blocks, within which queries are answered; by default those that are nested in
        others.
    numeric_ok
        Numeric variables with values 1, 2, ..., k that are measurements, though they look like labels.
    same_as
        A formula of the same model, which gives the columns of a matrix their meaning: queries of cells can then
        be made of it.
    size_factors, normalization_factors
        Factors to use instead of estimating them: one for each sample, or a genes x samples matrix.
    avg_tx_length
        Average transcript lengths, a genes x samples matrix as tximport gives it, which are corrected for when the
        sequencing depth is estimated.
    weights
        Observation weights, a genes x samples matrix of numbers that are not negative, such as the probabilities that
        zeros belong to the negative binomial part of a zero-inflated model. A gene whose counts all have weight 0 is
        one without counts. As in R, counts of weight 0 still enter the values from which the fits start, and with them
        the dispersions, mostly in the fourth digit or later; to leave a sample out altogether, drop it.
    orientation
        Decides where the labels do not: "genes_by_samples" or "samples_by_genes".
    layer
        Layer of an AnnData object that holds the counts; None: X.
    gene_info
        What else is known of the genes: a DataFrame, or a Series of symbols, matched by the labels in its index.
        Columns of `counts` that describe the genes, and the `var` of an AnnData object, are kept as well; see the
        attribute `gene_info`.
    cells_ok
        Take a thousand samples and more of which most counts are zero. They look like single cells, whose counts are to
        be summed by sample, `pseudobulk`, and are refused otherwise.
    n_threads
        Number of threads of everything that the data set does. None: the environment variable COUNTNEST_NUM_THREADS or,
        without it, all processors that this process may use.
    quiet
        Say nothing of reference levels, orders of levels, and what was done to the design; the design's `report` has
        it, too. Warnings are given all the same.

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

    _last = "deseq2"

    # ---- the steps ----

    def deseq(
        self,
        *,
        test: TestType = "Wald",
        reduced: str | pd.DataFrame | FloatArray | None = None,
        fit_type: FitType | TrendFunction = "parametric",
        sharing: DispersionSharing = "MAP",
        size_factor_type: SizeFactorType = "ratio",
        min_replicates_for_replace: float = 7,
        use_t: bool = False,
        beta_prior: bool = False,
        model_matrix_type: ModelMatrixType | None = None,
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Run the whole analysis: size factors, dispersions, model, outliers. The data set is changed at the end.

        Parameters
        ----------
        test
            "Wald"; "LRT", the likelihood ratio test against `reduced`; "averaged", averaged likelihood ratio tests of
            what `results` and queries ask, which keep the false discovery rate with few samples because they do not
            take dispersions as known (docs/averaged_test.md); or "QL", quasi-likelihood F tests, to compare with. Take
            "averaged" for a new study and "Wald" to compare with published work. The fitted model is the same for all
            of them.
        reduced
            Reduced formula, or model matrix, of the likelihood ratio test.
        fit_type
            Of the dispersion trend: "parametric" (a local regression replaces it where it does not fit), "local" or
            "mean"; or the trend itself: a function of means (G,) that returns dispersions, such as the
            `dispersion_trend` of another data set.
        sharing
            "MAP": dispersions are shrunken towards the trend. "gene_est_only": every gene keeps its own estimate, and
            no trend is fitted. "fit_only": every gene gets that of the trend.
        size_factor_type
            "ratio", "poscounts" where every gene has a zero, or "iterate"; see `estimate_size_factors`. Average
            transcript lengths of the data set are corrected for with the first two. Factors that were given, or
            estimated before, are kept.
        min_replicates_for_replace
            Outlier counts of samples with at least this many replicates are replaced; np.inf for never.
        use_t
            Compare Wald statistics with a t distribution on the residual degrees of freedom; with "Wald" alone.
        beta_prior
            Shrink the coefficients by normal priors, and test the shrunken ones: what `results`, `coef` and `genes`
            show. Queries (`effect`, `query` and so on) are answered without priors. `lfc_shrink` shrinks fold
            changes and leaves the tests as they are, which is preferable.
        model_matrix_type
            With `beta_prior`: "expanded", a coefficient for every level of a factor, so that no level is special; or
            "standard", those of the design. None: "expanded".
        minmu
            Floor of the fitted means in the weights.
        n_threads
            Number of threads, of this step and of everything that the data set does afterwards. None: as before,
            see the attribute `n_threads`. The results do not depend on it.
        quiet
            No progress display.

        Notes
        -----
        R counterpart: DESeq2::DESeq.
        """
        engine = self._engine(n_threads, quiet)
        _check_dispersions(fit_type, sharing)
        check_option("size_factor_type", size_factor_type, SizeFactorType)
        positive_number("min_replicates_for_replace", min_replicates_for_replace, least=3, infinite=True)
        refuse_random(self._design, "DESeq")
        prior = make_prior(self._design, test, beta_prior, model_matrix_type)
        model = self._model(test, reduced, use_t=use_t, minmu=minmu, prior=prior)
        check_residual_df(self._design)
        if test in ("averaged", "QL") and sharing == "gene_est_only":
            raise OptionError(
                f"{option('test', test)} needs the trend of the dispersions, and sharing='gene_est_only' fits none. "
                "Use sharing='MAP'."
            )
        if self._layout.is_intercept_only:
            warn("the design is ~ 1 (just an intercept): there is nothing to compare. Is this intended?")
        self._tell_cost(model, engine)
        counts = self._data.matrix
        state = self._normalize(size_factor_type, engine)
        state = with_dispersions(
            state, counts, self._layout, fit_type=fit_type, sharing=sharing, min_mu=minmu, engine=engine
        )
        state = with_fit(state, counts, model, engine)
        if math.isfinite(min_replicates_for_replace):
            rule = ReplacementRule(min_replicates_for_replace)
            state = replace_outliers(state, counts, model, rule, engine)
        return self._finish(state, model, engine)

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
            Positive matrix, genes x samples, of known effects on the counts, such as GC content. Average transcript
            lengths take precedence.

        Notes
        -----
        R counterpart: DESeq2::estimateSizeFactors.
        """
        check_option("type", type, SizeFactorType)
        counts, engine = self._data.matrix, self._engine_aside()
        given = given_normalization(
            self._data, lengths=self._lengths, weights=self._weights, locfunc=locfunc, control_genes=control_genes,
            geo_means=geo_means, norm_matrix=norm_matrix,
        )  # fmt: skip
        given = replace(given, iterated=iterated_size_factors)
        self._drop()
        self._state = self._weighted(normalize(counts, None, type, engine, normalization=given), engine)
        self._given, self._given_by_gene = self._state.factors, self._state.by_gene
        self._factors_estimated = True
        return self

    def estimate_dispersions(
        self,
        *,
        fit_type: FitType | TrendFunction = "parametric",
        sharing: DispersionSharing = "MAP",
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Estimate dispersions; size factors come first. Arguments as in `deseq`.

        To give dispersions instead, set `dispersions`.

        Notes
        -----
        R counterparts: DESeq2::estimateDispersions; `sharing="gene_est_only"`: DESeq2::estimateDispersionsGeneEst and
        the assignment of its estimates; a function as `fit_type`: the assignment of DESeq2::dispersionFunction.
        """
        engine = self._engine(n_threads, quiet)
        _check_dispersions(fit_type, sharing)
        positive_number("minmu", minmu)
        refuse_random(self._design, "estimate_dispersions")
        check_residual_df(self._design)
        state = self._normalized()
        state = with_dispersions(
            state, self._data.matrix, self._layout, fit_type=fit_type, sharing=sharing, min_mu=minmu, engine=engine
        )
        self._keep(state, engine)
        return self

    def nbinom_wald_test(
        self,
        *,
        use_t: bool = False,
        beta_prior: bool = False,
        model_matrix_type: ModelMatrixType | None = None,
        minmu: float = 0.5,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Fit the model for Wald tests; dispersions come first. Arguments as in `deseq`.

        Notes
        -----
        Counts that were replaced as outliers stay replaced: the dispersions of their genes are those of the replaced
        counts.
        R counterpart: DESeq2::nbinomWaldTest.
        """
        refuse_random(self._design, "nbinom_wald_test")
        prior = make_prior(self._design, "Wald", beta_prior, model_matrix_type)
        model = self._model("Wald", None, use_t=use_t, minmu=minmu, prior=prior)
        return self._fit_step(model, self._engine(n_threads, quiet))

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
        Counts that were replaced as outliers stay replaced, as in `nbinom_wald_test`.
        R counterpart: DESeq2::nbinomLRT.
        """
        refuse_random(self._design, "nbinom_lrt")
        return self._fit_step(self._model("LRT", reduced, use_t=False, minmu=minmu), self._engine(n_threads, quiet))

    def replace_outliers(
        self,
        *,
        trim: float = 0.2,
        cooks_cutoff: float | None = None,
        min_replicates: float = 7,
        which_samples: Collection[object] | None = None,
        n_threads: int | None = None,
        quiet: bool = False,
    ) -> Self:
        """Replace outlier counts and fit their genes again, with other rules than `deseq` has; the fit comes first.

        Parameters
        ----------
        trim
            Fraction of the samples left out at either end of the mean that takes the place of an outlier.
        cooks_cutoff
            Cook's distance above which a count is an outlier; None: the 99 % quantile of F(p, n - p).
        min_replicates
            Counts of samples with at least this many replicates are replaced.
        which_samples
            Labels, or truth values, of the samples whose counts are replaced, whatever their replicates.
        n_threads, quiet
            As in `deseq`.

        Notes
        -----
        The counts before and the mean before stay available: `counts()`, and baseMeanBeforeReplace in `genes`.
        R counterpart: DESeq2::replaceOutliers, and the second fit of DESeq2::DESeq.
        """
        engine = self._engine(n_threads, quiet)
        positive_number("min_replicates", min_replicates, least=3)
        if not_negative("trim", trim) >= 0.5:
            raise OptionError(f"trim={trim!r} must be a fraction, 0 or more and below 0.5.")
        if cooks_cutoff is not None:
            positive_number("cooks_cutoff", cooks_cutoff)
        state = self._fitted()
        fit = state.fit
        if state.replacement is not None:
            raise OptionError(
                "outliers were replaced already: start from a fit without, deseq(min_replicates_for_replace=np.inf)."
            )
        if fit.reduced is not None:
            raise OptionError(
                "after a likelihood ratio test outliers are replaced by deseq(test='LRT', "
                "min_replicates_for_replace=...): use nbinom_wald_test() first."
            )
        samples = None if which_samples is None else chosen_samples(which_samples, self._data.samples)
        rule = ReplacementRule(min_replicates, samples, cooks_cutoff, trim)
        priors = self._priors()
        model = Model(self._layout, use_t=fit.df is not None, min_mu=fit.min_mu, prior=priors.model if priors else None)
        self._keep(replace_outliers(state, self._data.matrix, model, rule, engine), engine)
        self._warn_of_convergence()
        return self

    def results(
        self,
        contrast: object = None,
        *,
        name: str | None = None,
        list_values: Sequence[float] = (1.0, -1.0),
        test: TestType | None = None,
        fit: str | None = None,
        alpha: float = 0.1,
        lfc_threshold: float = 0.0,
        alt_hypothesis: AltHypothesis = "greaterAbs",
        independent_filtering: bool = True,
        cooks_cutoff: float | bool | None = None,
        outliers: OutlierRule = "cooks",
        p_adjust: PAdjust | Adjustment = "BH",
        filter: object = None,
        theta: float | Sequence[float] | FloatArray | None = None,
        filter_fun: FilterFunction | None = None,
        add_mle: bool = False,
        confint: float | None = None,
        hidden_factors: int | Literal["auto"] | None = None,
        hidden_seed: int = 1,
        null: NullKind = "theoretical",
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
            "averaged" for averaged likelihood ratio tests, "QL" for quasi-likelihood F tests, "Wald" for Wald tests,
            whatever test was run; None: the test that was run. Take "averaged" for a new study and "Wald" to compare
            with published work. Of a fit by another method: None, or "QL" and "LRT" of edgeR's.
        fit
            The name of one of the `fits` that were kept, such as "edger" and "limma"; None: that of the last analysis.
        alpha
            False discovery rate for which independent filtering is tuned.
        lfc_threshold
            Test against this log2 fold change.
        alt_hypothesis
            "greaterAbs" (the p-value averaged over the two ends of the null interval), "greaterAbsUPSHOT" (over the
            whole of it), "greaterAbs2014" (doubled for the nearer end), "lessAbs", "greater" or "less".
        independent_filtering
            Leave out genes of low mean count where that finds more. Averaged tests have a more careful rule: at least
            50 counts in all samples, and more only where that clearly helps.
        cooks_cutoff
            Cook's distance above which a p-value is withheld; None or True: the 99 % quantile of F(p, n - p); False or
            infinite: never. It holds with outliers="model", too.
        outliers
            "cooks": p-values are withheld by Cook's distance, which needs cells with three samples. "model": also where
            a count is far from what the model expects, which works in nested, paired and continuous designs too;
            `find_outliers` tells the sample. Genes whose observation weights leave fewer than two residual degrees of
            freedom are not looked at.
        p_adjust
            How p-values are adjusted: "BH", "BY", "holm", "hochberg", "hommel", "bonferroni" or "none"; "storey" for
            q-values; the name of a method of statsmodels, such as "fdr_tsbh"; or a function of the p-values that are
            not missing, which returns their adjusted values.
        filter
            The statistic by which genes are filtered instead of the mean count: a Series by gene label, or one number
            for each gene. It must say nothing about the p-values of genes that do not change.
        theta
            The fractions of genes that filtering tries to leave out; one number: that fraction.
        filter_fun
            A function ``f(p_values, filter_statistic, alpha)`` that takes the place of filtering and adjustment, for
            methods that weight genes instead of leaving some out, such as independent hypothesis weighting. It gets
            NaN for missing p-values and returns adjusted ones, or a record that has them as `padj`.
            `stats.inference.filter.filtered_by` has an example.
        add_mle
            With `beta_prior`: add the fold changes without priors, as the column lfcMLE.
        confint
            Add confidence intervals of this level, such as 0.95, as the columns ciLower and ciUpper (log2): the fold
            change and its standard error times a quantile of the normal or, where the test uses it, the t distribution;
            after averaged tests, of normal distributions averaged over the dispersions.
        hidden_factors
            Take hidden factors, such as an unknown batch, out of this comparison: how many, or "auto" for as many as
            parallel analysis finds. They are found in the residuals, which takes 8 residual degrees of freedom; then
            the model is fitted again with them as further columns. The data set is not changed; `info.hidden` of the
            results says what was found, and has the columns. Not for comparisons in which most genes change, or where a
            factor is part of the effect, as the composition of a tissue may be. docs/hidden_factors.md has more.
        hidden_seed
            Seed of the permutations by which the number of factors is found.
        null
            "scaled": divide the z-values of all p-values, before adjustment, by their scale beyond what a tenth of real
            effects makes of it; for a study in which `info.null_scale` is far above 1 and hidden factors cannot be
            found. It only costs power: take hidden factors out first, where that is possible. Standard errors and
            intervals are widened by the same; `stat` stays that of the test.

        Notes
        -----
        R counterpart: DESeq2::results.
        """
        found = self._fit(fit)
        options = answer_options(
            self._data.genes,
            kind=kind_of_test(found, test),
            of_fit=True,
            on_blocks="warn",
            alpha=alpha,
            lfc_threshold=lfc_threshold,
            alt_hypothesis=alt_hypothesis,
            independent_filtering=independent_filtering,
            cooks_cutoff=cooks_cutoff,
            outliers=outliers,
            p_adjust=p_adjust,
            filter=filter,
            theta=theta,
            filter_fun=filter_fun,
            confint=confint,
            null=null,
            hidden=(hidden_factors, hidden_seed),
        )
        if isinstance(found, DESeq2Fit):
            return results_of(found, options, contrast=contrast, name=name, list_values=list_values, add_mle=add_mle)
        refuse_mle(found, add_mle=add_mle)
        query = query_of_results(self._design, options, contrast, name, list_values)
        return only(answer(query, found, self._data, self._engine_aside(), options))

    # ---- what the steps left ----

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
    def genes(self) -> pd.DataFrame:
        """All estimates by gene, under DESeq2's column names; the table grows with the steps.

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
        return protected(found, SETTABLE.format("dispersions", "values"))

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
        return list(self._coefficients())

    def coef(self, *, se: bool = False) -> pd.DataFrame:
        """Return the coefficients, or their standard errors, genes x coefficients, log2, as a copy.

        Notes
        -----
        R counterpart: DESeq2::coef.
        """
        check_flags(se=se)
        fit, priors = self._fitted().fit, self._priors()
        names = self._coefficients()
        values = (fit.se if se else fit.beta) if priors is None else (priors.fit.se if se else priors.fit.beta)
        return pd.DataFrame(values / LN2, index=self._data.genes, columns=pd.Index(names))

    def cooks(self) -> pd.DataFrame:
        """Return Cook's distances, genes x samples, of the original counts."""
        return self._frame(observed_cooks(self._fitted(), self._data.matrix, self._layout, self._engine_aside()))

    def mu(self, *, normalized: bool = False, fit: str | None = None, random: bool = True) -> pd.DataFrame:
        """Return the fitted means, genes x samples; before the fit, the means that dispersions were estimated with.

        Parameters
        ----------
        normalized
            Divide by the size or normalization factors: what the samples would have at the same depth.
        fit
            The name of a fit by `lmm`, whose fitted values are log2, or `glmm`; None: DESeq2's.
        random
            Of mixed models: with the predicted random effects, and not at zero of them.

        Notes
        -----
        R counterpart: assays(dds)[["mu"]]; of mixed models fitted(m), and predict(m, re.form = NA).
        """
        check_flags(normalized=normalized, random=random)
        if fit is not None and fit != self._last:
            access = mixed_access(self, "mu", fit)
            values = access.fitted(random=random)
            return self._frame(values / self._normalized().factors if normalized and not access.is_log else values)
        check_fit_chosen(self, "dds.mu()")
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

    @property
    def fits(self) -> dict[str, str]:
        """The fits that queries can be answered from, each with its method; "deseq2" is that of the last analysis.

        A query is answered from another one by ``query.test(fit="name")``. A new analysis leaves them as they
        are; setting a design or size factors, and a choice of genes or samples, drop them all.
        """
        return ({self._last: "DESeq2"} if isinstance(self._state, Fitted) else {}) | super().fits

    def keep_fit(self, name: str) -> Self:
        """Keep the fit of the last analysis under a name, so that another one can be made beside it."""
        return self.add_fit(name, StoredDESeq2Fit(self._fitted()))

    # ---- inside ----

    def _normalization(self) -> Normalization:
        return replace(super()._normalization(), iterated=iterated_size_factors)

    def _status(self) -> str:
        return self._state.fit.test if isinstance(self._state, Fitted) else super()._status()

    def to_r(self, path: FilePath, query: Query | None = None, *, fit: str | None = None) -> None:
        """Write a folder with an R script and CSV files that redo the analysis in DESeq2, edgeR, limma or lme4.

        `Rscript analysis.R` in that folder writes results_1.tsv and so on: the Wald tests of DESeq2, the
        quasi-likelihood F tests of edgeR, the moderated t tests of limma, or the t tests of lmerTest, of every row of
        the query. The model matrix, size factors, and which genes were fitted are in files, for mixed models the log
        counts, too, so that R estimates only what follows them.

        Parameters
        ----------
        path
            The folder. Files of the same names are replaced, others stay.
        query
            What is tested; None: the last coefficient, as in `results`.
        fit
            One of `fits`; None: that of the last analysis.

        Raises
        ------
        OptionError
            The fit has what the script does not redo: observation weights, priors of coefficients, given dispersions,
            sample weights, blocks, mixed models of counts, degrees of freedom that lmerTest has not.
        ContrastError
            The query belongs to another data set.

        Examples
        --------
        >>> import tempfile
        >>> import countnest as cn
        >>> dds = cn.make_example_dataset(n=100, m=6).deseq(quiet=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dds.to_r(f"{folder}/in_r")
        """
        from countnest.api.r_script import asked_of, write_r  # late: few analyses go to R

        write_r(self._data, asked_of(self._design, query), self._fit(fit), path)

    def _coefficients(self) -> tuple[str, ...]:
        priors = self._priors()
        return self._design.names if priors is None else priors.names

    def _peculiarities(self) -> list[str]:
        """List the features of this analysis that are not the default."""
        state, words = self._state, super()._peculiarities()
        if isinstance(state, Dispersed) and state.dispersions.sharing == "given":
            words.append("given dispersions")
        if isinstance(state, Fitted) and state.fit.prior is not None:
            words.append("beta prior")
        if isinstance(state, Dispersed) and state.replacement is not None:
            words.append(f"outliers replaced in {counted(int(state.replacement.flagged.sum()), 'gene')}")
        return words

    def _dispersed(self) -> Dispersed:
        if not isinstance(self._state, Dispersed):
            advice = "there are no dispersions yet: call deseq(), or estimate_dispersions()."
            raise MissingStepError(needs_mixed(self._design, list(self._fits)) or advice)
        return self._state

    def _fitted(self) -> Fitted:
        if not isinstance(self._state, Fitted):
            raise self._without_fit(
                "couldn't find results. You should first run deseq(), or nbinom_wald_test() after the other steps."
            )
        return self._state

    def _priors(self) -> PriorFit | None:
        """Return the fit with priors on the coefficients; None without, and before the fit."""
        return prior_fit(self._last_fit()) if isinstance(self._state, Fitted) else None

    def _last_fit(self) -> DESeq2Fit:
        """Return the fit of the last analysis, with the counts that it was made of."""
        return DESeq2Fit(self._fitted(), self._data, self._design, self._layout, self._engine_aside())

    def _model(
        self,
        test: TestType,
        reduced: str | pd.DataFrame | FloatArray | None,
        *,
        use_t: bool,
        minmu: float,
        prior: PriorModel | None = None,
    ) -> Model:
        check_option("test", test, TestType)
        check_varying(self._design)
        check_flags(use_t=use_t)
        positive_number("minmu", minmu)
        if test != "Wald" and use_t:
            raise OptionError(
                f"{option('use_t', True)} is for Wald tests; likelihood ratio tests compare with a chi-square "
                "distribution, and quasi-likelihood tests with F in any case. Leave it out."
            )
        null = reduced_design(test, reduced, self._design, self._numeric_ok)
        if null is None:
            return Model(self._layout, test=test, use_t=use_t, min_mu=float(minmu), prior=prior)
        return Model(self._layout, Layout.of(null.matrix), null.formula, "LRT", False, float(minmu))

    def _fit_step(self, model: Model, engine: Engine) -> Self:
        return self._finish(with_fit(self._dispersed(), self._data.matrix, model, engine), model, engine)

    def _finish(self, state: Fitted, model: Model, engine: Engine) -> Self:
        """Keep a fitted model, and tell what there is to tell of it."""
        self._keep(state, engine)
        self._warn_of_convergence()
        sentence = averaged_sentence(self._design, model, state)
        if sentence is not None and "averaged" not in self._told:
            engine.progress.note(sentence)
            self._told |= {"averaged"}
        return self

    def _tell_cost(self, model: Model, engine: Engine) -> None:
        """Say before a long or large analysis what to expect of it."""
        layouts = [model.layout] if model.reduced is None else [model.layout, model.reduced]
        n_genes = int(self._data.counted.sum())
        pool = active_pool()
        n_threads = engine.threads if pool is None else pool.n_workers * (engine.n_threads or 1)
        cost = expected_cost(n_genes, layouts, n_threads, self._data.matrix.n_bytes)
        if cost.is_notable:
            engine.progress.note(f"this will take {cost}; Ctrl-C leaves the data set as it is")

    def _warn_of_convergence(self) -> None:
        fit = self._fitted().fit
        lost = self._data.genes[(fit.prior or fit).converged == 0]
        if len(lost):
            column = "betaConv" if fit.reduced is None else "fullBetaConv"
            warn(
                f"{counted(len(lost), 'gene')} did not converge in beta: {listing(lost)}; labelled in "
                f"genes['{column}']."
            )


def _check_dispersions(fit_type: FitType | TrendFunction, sharing: DispersionSharing) -> None:
    """Check the options of the dispersions."""
    if not callable(fit_type):
        check_option("fit_type", fit_type, FitType)
    check_option("sharing", sharing, DispersionSharing)
