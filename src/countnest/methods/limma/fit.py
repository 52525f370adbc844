"""Fits by limma's method, which answer queries. G genes, n samples, p coefficients, k contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray, as_float
from countnest.containers.counts import CountData
from countnest.design.design import Design
from countnest.errors import OptionError
from countnest.methods.chunks import expand
from countnest.methods.fit import (
    FitNotes,
    JointTest,
    RowTests,
    TestKind,
    UnshrunkenFit,
    Withheld,
    nothing_withheld,
    register_fit,
)
from countnest.methods.gene_sets import GeneSetData
from countnest.methods.limma.steps import LimmaOptions, fit_counts, moderated
from countnest.options import AltHypothesis, OutlierRule
from countnest.parallel.run import Engine
from countnest.stats.edger.levels import Compat
from countnest.stats.gene_sets.effects import LinearData
from countnest.stats.glm.layout import Layout
from countnest.stats.hidden.factors import HiddenOptions
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.linear.fits import LinearFits
from countnest.stats.moderated.joint import joint_f, mean_squares
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.t_and_f import t_tests_of_rows
from countnest.stats.voom.voom import log_cpm

if TYPE_CHECKING:
    from countnest.methods.hidden import HiddenFit

__all__ = ["LimmaFit", "StoredLimmaFit", "limma_analysis"]


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredLimmaFit:
    """What a data set keeps of a fit.

    Attributes
    ----------
    kept, base_mean
        (G,) the genes that were fitted, and the means of the normalized counts of all genes.
    library
        (n,) effective library sizes.
    weights
        (m, n) of the log counts of the m genes that were fitted: precisions, times sample weights.
    fits, moderated
        Linear models of these genes, and their variances.
    sample_weights
        (n,); None: there are none.
    block, of_sample, correlation
        The name of the blocks whose samples are correlated, the block of each sample (n,) as a number, and the
        correlation; '' and None where there are none.
    approximate
        Whether standard errors of contrasts are approximate, as limma's.
    compat
        The release whose behaviour it is; None: the newest.
    options
        Of the analysis, with which it can be made again; None: it cannot.
    """

    kept: BoolArray
    base_mean: FloatArray
    library: FloatArray
    weights: FloatArray
    fits: LinearFits
    moderated: ModeratedVariances
    sample_weights: FloatArray | None = None
    block: str = ""
    of_sample: IntArray | None = None
    correlation: float | None = None
    approximate: bool = False
    compat: Compat | None = None
    options: LimmaOptions | None = None

    def bind(self, data: CountData, design: Design, engine: Engine) -> LimmaFit:  # noqa: ARG002 (all is computed)
        """Return the fit of the data set with these counts."""
        return LimmaFit(self, data, design)

    def misfits(self, data: CountData, design: Design) -> list[str]:
        """List the mismatches between a fit from a file and these counts."""
        (n_genes, n), p, m = data.shape, design.matrix.shape[1], int(self.kept.sum())
        fits, moderated = self.fits, self.moderated
        shapes = {
            "mask of genes": (self.kept, (n_genes,)),
            "mean counts": (self.base_mean, (n_genes,)),
            "library sizes": (self.library, (n,)),
            "weights": (self.weights, (m, n)),
            "coefficients": (fits.coefficients, (m, p)),
            "triangle": (fits.triangle, (p, p)),
            "common covariance": (fits.common, (p, p)),
            "covariances": (fits.covariance, (len(fits.covariance), p * (p + 1) // 2)),
            **{f"values of {name}": (getattr(fits, name), (m,)) for name in ("sigma", "df", "mean")},
            **{f"values of {name}": (getattr(moderated, name), (m,)) for name in ("variance", "own_df")},
        }
        if self.of_sample is not None:
            shapes["blocks"] = (self.of_sample, (n,))
        columns = None if self.options is None else self.options.samples.columns
        if columns is not None:
            shapes["columns of the variances of samples"] = (columns, (n, columns.shape[-1]))
        wrong = [
            f"its {name} have the shape {found.shape}" for name, (found, size) in shapes.items() if found.shape != size
        ]
        if len(fits.covariance) not in (1, m):
            wrong.append(f"its covariances are those of {len(fits.covariance)} genes")
        prior = moderated.prior
        if any(np.ndim(each) and np.shape(each) != (m,) for each in (prior.df, prior.variance)):
            wrong.append("its prior is that of other genes")
        return wrong


@dataclass(frozen=True, slots=True, eq=False)
class LimmaFit(UnshrunkenFit):
    """Linear models of log counts with moderated variances; see `methods.fit.Fit`.

    Attributes
    ----------
    stored
        What was estimated.
    data, design
        The counts and the design.
    """

    stored: StoredLimmaFit
    data: CountData
    design: Design

    @property
    def method(self) -> str:
        """'limma-voom'."""
        return "limma-voom"

    @property
    def kinds(self) -> Mapping[str, TestKind]:
        """Moderated t tests, also against a threshold (TREAT), and F tests of several rows."""
        return {"t": TestKind("moderated t", has_threshold=True, is_filtered=True, joint_label="moderated F")}

    @property
    def log_counts(self) -> FloatArray:
        """(m, n) log2 counts per million of the genes that were fitted."""
        return log_cpm(self.data.counts[self.stored.kept], self.stored.library)

    @property
    def notes(self) -> FitNotes:
        """What tables say of the fit."""
        stored = self.stored
        mean = expand(stored.kept, stored.fits.mean)
        return FitNotes(
            compat=stored.compat or "the newest release",
            estimate="least squares of log counts",
            columns={"AveExpr": mean},
            details=_details(stored),
        )

    def estimates(self) -> dict[str, FloatArray]:
        """Return estimates by gene (G,): variances, and coefficients, log2."""
        stored, variances = self.stored, self.stored.moderated
        values = {
            "AveExpr": stored.fits.mean,
            "sigma": stored.fits.sigma,
            "moderatedVariance": variances.variance,
            "dfResidual": stored.fits.df,
            "dfPrior": np.broadcast_to(variances.prior.df, stored.fits.df.shape),
            **dict(zip(self.design.names, stored.fits.coefficients.T, strict=True)),
        }
        return {name: expand(stored.kept, np.ascontiguousarray(each)) for name, each in values.items()}

    def models_block(self, block: tuple[str, ...]) -> bool:
        """Return whether samples of these blocks are correlated in the model, rather than held fixed."""
        return bool(self.stored.block) and block[-1] == self.stored.block

    def row_tests(
        self, contrasts: FloatArray, kind: str, *, threshold: float, alternative: AltHypothesis, unchanged: BoolArray
    ) -> RowTests:
        """Test each of the contrasts (k, p)."""
        del kind  # there is one
        stored = self.stored
        found = contrast_fits(stored.fits, contrasts, approximate=stored.approximate, joint=False)
        se = found.stdev_unscaled * np.sqrt(stored.moderated.variance)[:, np.newaxis]
        df = stored.moderated.df
        statistic, p_value = t_tests_of_rows(found.estimates, se, df, threshold, alternative)
        lfc, se, statistic, p_value = (expand(stored.kept, each) for each in (found.estimates, se, statistic, p_value))
        empty = unchanged & ~np.isnan(statistic)
        p_value = np.where(empty, 0.0 if alternative == "lessAbs" else 1.0, p_value)
        return RowTests(
            np.where(empty, 0.0, lfc), se, np.where(empty, 0.0, statistic), p_value, df=expand(stored.kept, df)
        )

    def joint_test(self, contrasts: FloatArray, kind: str) -> JointTest:
        """Test that all contrasts (k, p) are zero."""
        del kind
        stored = self.stored
        found = contrast_fits(stored.fits, contrasts, approximate=stored.approximate)
        square, rank = mean_squares(found.estimates, found.stdev_unscaled, found.covariance, found.common)
        statistic, df, p_value = joint_f(square, rank, stored.moderated, limited=stored.compat is None)
        whole = (expand(stored.kept, each) for each in (found.estimates, statistic, p_value, df))
        lfc, statistic, p_value, df = whole
        return JointTest(lfc, statistic, p_value, rank, df)

    def separated(self, contrasts: FloatArray) -> BoolArray:
        """Return that no estimate is infinite: half a count is added to all."""
        return np.zeros((len(self.base_mean), len(contrasts)), dtype=np.bool_)

    def withheld(self, rule: OutlierRule, cooks_cutoff: float | bool | None) -> Withheld:
        """Return the genes that were not fitted for their low counts; no p-value is withheld."""
        del rule, cooks_cutoff
        none = nothing_withheld(len(self.base_mean))
        return Withheld(none.outlier, none.at_bound, none.emptied, filtered=~self.stored.kept)

    @property
    def layout(self) -> Layout:
        """The model matrix, prepared."""
        return Layout.of(self.design.matrix)

    def with_hidden_factors(self, asked: HiddenOptions) -> HiddenFit:
        """Return the fit of the design with hidden factors, which are found in the log counts, as further columns."""
        from countnest.methods.hidden import MIN_MEAN, extended_design, fitted_again  # not before: few analyses need it

        stored, options = self.stored, self.stored.options
        if options is None:
            raise OptionError("this fit cannot be made again with hidden factors, because it was not made by cn.limma.")
        if stored.block:
            raise OptionError(
                f"the blocks of '{stored.block}' are correlated in this fit, and what their samples share would be "
                "found as hidden factors. Put the blocks into the design in place of block=, or leave out "
                "hidden_factors=."
            )

        def again(matrix: FloatArray) -> LimmaFit:
            found = limma_analysis(self.data.counts, stored.kept, matrix, stored.library, options)
            return LimmaFit(found, self.data, extended_design(self.design, matrix))

        expressed = self.base_mean[stored.kept] > MIN_MEAN
        return fitted_again(self, stored, asked, lambda: self.log_counts[expressed], again)

    def gene_set_data(self, contrast: FloatArray) -> GeneSetData:
        """Return the log counts with their weights and blocks, whatever the contrast."""
        del contrast
        stored, blocks = self.stored, None
        if stored.of_sample is not None and stored.correlation is not None:
            blocks = Blocks(stored.of_sample, stored.correlation)
        data = LinearData(self.log_counts, self.design.matrix, stored.weights, blocks)
        return GeneSetData(data, stored.kept, stored.compat)


def _details(stored: StoredLimmaFit) -> dict[str, Any]:
    """Return what an analysis was made with, by name."""
    options, weights = stored.options, stored.sample_weights
    return {
        "genes_fitted": int(np.count_nonzero(stored.kept)),
        "library_sizes": stored.library.tolist(),
        "sample_weights": None if weights is None else weights.tolist(),
        "block": stored.block or None,
        "correlation": stored.correlation,
        "trend": None if options is None else options.trend is not False,
        "robust": options is not None and options.robust,
        "span": None if options is None else options.samples.span,
        "approximate": stored.approximate,
    }


def limma_analysis(
    counts: FloatArray, kept: BoolArray, design: FloatArray, library: FloatArray, options: LimmaOptions
) -> StoredLimmaFit:
    """Return the fit of the genes (G,) of counts (G, n) that are kept, for effective library sizes (n,)."""
    found = fit_counts(counts[kept], design, library, options)
    return StoredLimmaFit(
        kept=kept,
        base_mean=as_float((counts / (library / library.mean())).mean(axis=1)),
        library=library,
        weights=found.voom.weights,
        fits=found.fits,
        moderated=moderated(found.fits, trend=options.trend, robust=options.robust, compat=options.compat),
        sample_weights=found.sample_weights,
        block=options.block,
        of_sample=options.samples.of_sample,
        correlation=found.correlation,
        approximate=options.approximate,
        compat=options.compat,
        options=options,
    )
