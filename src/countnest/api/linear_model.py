"""What limma's steps return: log counts with weights, and linear models of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.display import Described, first_of
from countnest.errors import MissingStepError
from countnest.stats.edger.levels import Compat
from countnest.stats.linear.fits import LinearFits
from countnest.stats.moderated.joint import joint_f, mean_squares
from countnest.stats.moderated.log_odds import PROPORTION, effect_variance, log_odds
from countnest.stats.moderated.prior import ModeratedVariances
from countnest.stats.moderated.t_and_f import ModeratedTest, moderated_t

if TYPE_CHECKING:
    from countnest.stats.voom.voom import VarianceCurve

__all__ = ["LinearModel", "Moderation", "VoomCounts"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VoomCounts(Described):
    """Log2 counts per million with precision weights.

    Attributes
    ----------
    E, weights
        Genes x samples.
    design
        The model matrix, samples x coefficients.
    library
        Effective library sizes, by sample.
    sample_weights
        By sample; they are part of `weights`. None: there are none.
    curve
        The square roots of standard deviations, and the curve that weights are read from.
    samples
        The sample sheet, whose columns may be named where blocks or groups are asked for.
    gene_info
        What is known of the genes, such as symbols. None: nothing.

    Notes
    -----
    R counterpart: the EList of limma::voom.
    """

    E: pd.DataFrame
    weights: pd.DataFrame
    design: pd.DataFrame
    library: pd.Series[float]
    curve: VarianceCurve
    sample_weights: pd.Series[float] | None = None
    samples: pd.DataFrame | None = None
    gene_info: pd.DataFrame | None = None

    def _described(self) -> tuple[str, dict[str, str]]:
        n_genes, n = self.E.shape
        facts = {"coefficients": first_of(self.design.columns)}
        if self.sample_weights is not None:
            facts["sample weights"] = f"{self.sample_weights.min():.3g} to {self.sample_weights.max():.3g}"
        return f"VoomCounts: {n_genes} genes x {n} samples", facts


@dataclass(frozen=True, slots=True, eq=False)
class Moderation:
    """Moderated variances of a linear model.

    Attributes
    ----------
    variances
        With their prior.
    threshold
        On the fold change that was tested, log2; None: none, so that there are odds and F tests, too.
    compat
        The release whose behaviour it is; None: the newest.
    proportion
        Of the genes, assumed to be differentially expressed where odds are computed.
    """

    variances: ModeratedVariances
    threshold: float | None = None
    compat: Compat | None = None
    proportion: float = PROPORTION


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearModel(Described):
    """Linear models of all genes: their coefficients, or contrasts of them.

    What is by gene is a Series, what is by gene and coefficient a DataFrame. Statistics are there after `e_bayes`, or
    after `treat`, and are computed when they are asked for.

    Attributes
    ----------
    fits
        The models, as arrays.
    genes, names
        Labels of the genes and of the coefficients or contrasts.
    contrasts
        (k, p) the estimates as contrasts of the coefficients.
    estimates, unscaled
        (G, k) estimates, and standard errors were the variance 1.
    common
        (k, k) covariance without weights.
    approximate
        Whether estimates count as correlated as in `common`; else each gene has its own covariance.
    correlation
        Of samples within blocks; None: there are none.
    sample_weights
        By sample; None: there are none.
    curve
        The one that weights were read from, of `voom_lm_fit`; else None.
    moderation
        What `e_bayes` or `treat` found; None before.
    gene_info
        What is known of the genes, such as symbols: the first columns of `top_table`. None: nothing.

    Notes
    -----
    R counterpart: limma's MArrayLM.
    """

    fits: LinearFits
    genes: pd.Index
    names: tuple[str, ...]
    contrasts: FloatArray
    estimates: FloatArray
    unscaled: FloatArray
    common: FloatArray
    approximate: bool = False
    correlation: float | None = None
    sample_weights: pd.Series[float] | None = None
    curve: VarianceCurve | None = None
    moderation: Moderation | None = None
    gene_info: pd.DataFrame | None = None

    def _described(self) -> tuple[str, dict[str, str]]:
        facts = {"coefficients": first_of(self.names)}
        if self.correlation is not None:
            facts["correlation within blocks"] = f"{self.correlation:.3g}"
        if self.moderation is not None:
            df = np.broadcast_to(self.moderation.variances.prior.df, len(self.genes))
            facts["prior degrees of freedom"] = f"{np.nanmedian(df):.3g}"
        return f"LinearModel: {len(self.genes)} genes", facts

    def _by_gene(self, values: FloatArray | float, name: str) -> pd.Series[float]:
        return pd.Series(np.broadcast_to(values, len(self.genes)).copy(), index=self.genes, name=name)

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.genes, columns=list(self.names))

    def _moderated(self, what: str, *, without_threshold: bool = False) -> Moderation:
        if self.moderation is None:
            raise MissingStepError(f"{what} is there after cn.e_bayes(fit).")
        if without_threshold and self.moderation.threshold is not None:
            raise MissingStepError(f"{what} is there after cn.e_bayes(fit), not after cn.treat(fit).")
        return self.moderation

    def test(self, k: int) -> ModeratedTest:
        """Return the moderated t test of a coefficient, given by its place."""
        moderation = self._moderated("a test")
        threshold = moderation.threshold or 0.0
        return moderated_t(self.estimates[:, k], self.unscaled[:, k], moderation.variances, threshold=threshold)

    @property
    def coefficients(self) -> pd.DataFrame:
        """Estimates, log2."""
        return self._frame(self.estimates)

    @property
    def stdev_unscaled(self) -> pd.DataFrame:
        """Standard errors, were the variance 1."""
        return self._frame(self.unscaled)

    @property
    def sigma(self) -> pd.Series[float]:
        """Residual standard deviations."""
        return self._by_gene(self.fits.sigma, "sigma")

    @property
    def df_residual(self) -> pd.Series[float]:
        """Residual degrees of freedom."""
        return self._by_gene(self.fits.df, "df_residual")

    @property
    def ave_expr(self) -> pd.Series[float]:
        """Mean values, such as log2 counts per million."""
        return self._by_gene(self.fits.mean, "AveExpr")

    @property
    def s2_post(self) -> pd.Series[float]:
        """Moderated variances."""
        return self._by_gene(self._moderated("s2_post").variances.variance, "s2_post")

    @property
    def s2_prior(self) -> pd.Series[float]:
        """Variances of the prior."""
        return self._by_gene(self._moderated("s2_prior").variances.prior.variance, "s2_prior")

    @property
    def df_prior(self) -> pd.Series[float]:
        """Degrees of freedom of the prior."""
        return self._by_gene(self._moderated("df_prior").variances.prior.df, "df_prior")

    @property
    def df_total(self) -> pd.Series[float]:
        """Degrees of freedom of t tests."""
        return self._by_gene(self._moderated("df_total").variances.df, "df_total")

    @property
    def t(self) -> pd.DataFrame:
        """Moderated t statistics; after `treat`, of the distance from the threshold, 0 within it."""
        moderation = self._moderated("t")
        se = self.unscaled * np.sqrt(moderation.variances.variance)[:, np.newaxis]
        beyond = self.estimates
        if moderation.threshold is not None:
            beyond = np.sign(beyond) * np.maximum(np.abs(beyond) - moderation.threshold, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._frame(beyond / se)

    @property
    def p_value(self) -> pd.DataFrame:
        """P-values of the t tests."""
        return self._frame(np.column_stack([self.test(k).p_value for k in range(len(self.names))]))

    @property
    def lods(self) -> pd.DataFrame:
        """Log odds of differential expression, natural logarithms: the column B of `top_table`."""
        return self._frame(np.column_stack([self.odds(k) for k in range(len(self.names))]))

    def odds(self, k: int) -> FloatArray:
        """Return the log odds (G,) of a coefficient, given by its place."""
        moderation = self._moderated("lods", without_threshold=True)
        variances, share = moderation.variances, moderation.proportion
        t, unscaled = self.test(k).statistic, self.unscaled[:, k]
        return log_odds(t, unscaled, variances, effect_variance(t, unscaled, variances, share), share)

    @property
    def f(self) -> pd.Series[float]:
        """Moderated F statistics of all coefficients together."""
        return self._by_gene(self.joint(range(len(self.names)))[0], "F")

    @property
    def f_p_value(self) -> pd.Series[float]:
        """P-values of the F statistics."""
        return self._by_gene(self.joint(range(len(self.names)))[1], "F_p_value")

    def joint(self, places: range | list[int]) -> tuple[FloatArray, FloatArray]:
        """Return F statistics and p-values (G,) of some coefficients, given by their places."""
        moderation = self._moderated("F", without_threshold=True)
        chosen = list(places)
        covariance = None
        if not self.approximate and moderation.compat is None:
            covariance = self.fits.covariances(self.contrasts[chosen])
        common = self.common[np.ix_(chosen, chosen)]
        square, rank = mean_squares(self.estimates[:, chosen], self.unscaled[:, chosen], covariance, common)
        statistic, _, p_value = joint_f(square, rank, moderation.variances, limited=moderation.compat is None)
        return statistic, p_value
