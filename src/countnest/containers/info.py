"""The record of how a table of results was made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from countnest.arrays import FloatArray, IntArray
from countnest.containers.analysis import AnalysisRecord
from countnest.containers.hidden import HiddenRecord
from countnest.display import Described, first_of
from countnest.errors import counted
from countnest.options import AltHypothesis, OutlierRule, ShrinkType
from countnest.remedies import advised
from countnest.version import installed_version

__all__ = ["ResultsInfo"]

# What the fold changes are, by how they were shrunken.
_ESTIMATES = {None: "MLE", "apeglm": "MAP, apeglm", "ashr": "posterior mean, ashr", "normal": "MAP, normal"}

# Tests that compare likelihoods, which hold where an estimate is infinite.
_WITH_LIKELIHOODS = ("LRT", "averaged LRT", "QL F")

# What takes the place of a test in a posterior distribution.
_POSTERIOR = "posterior"

# Tests of logarithms of counts to which half a count was added.
_ADDED = ("moderated t", "moderated F")

# Methods of fits of mixed models: of transformed counts, and all.
_OF_LOGARITHMS, _OF_MIXED = "linear mixed model", "mixed model"

# What a test against a threshold is of, and what it is called in edgeR and limma.
_BEYOND = {
    "greaterAbs": "|log2 fold change| > {:g}",
    "greaterAbs2014": "|log2 fold change| > {:g}",
    "greater": "log2 fold change > {:g}",
    "less": "log2 fold change < -{:g}",
    "lessAbs": "|log2 fold change| < {:g}",
}
_OF_R = {"QL F": " (glmTreat)", "moderated t": " (TREAT)"}
# What the label says, and what `record()` of a table is for.
_IN_THE_TITLE = ("label", "coefficients", "contrasts", "analysis")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class ResultsInfo(Described):
    """The query, the fit and the options behind a table of results.

    Attributes
    ----------
    label
        The comparison in words: 'dex trt vs untrt'.
    method
        The method of the fit: 'DESeq2'.
    test
        'Wald', 'LRT', 'averaged LRT' or 'QL F', or what the kind of test of another method is called.
    coefficients, contrasts
        The names of the coefficients of the design, and their weights (k, p) in the k rows that were tested; None where
        they are not known.
    formula, reduced
        The full formula, and the reduced one of a likelihood ratio test; None for a design given as a matrix.
    distribution
        What the p-values of a comparison of mixed models are from: 'mixture of chi-square on 0 and 1 df'. None for
        other tests.
    alpha
        The false discovery rate for which independent filtering was tuned.
    lfc_threshold, alt_hypothesis
        The threshold on the log2 fold change and the side of it that was tested.
    independent_filtering
        Whether genes of low mean count were left out of the adjustment.
    filter_statistic
        What genes were filtered by: 'baseMean', or the name of the statistic that was given.
    filter_threshold, filter_theta
        The smallest filter statistic that was kept, by default a mean of normalized counts; and the quantile that it
        is.
    filter_num_rej
        The quantiles that were tried and the number of rejections at each.
    cooks_cutoff
        The Cook's distance above which a p-value was withheld; None: no gene was checked.
    outliers
        By which rule p-values were withheld: 'cooks', or 'model' for the model-based rule as well.
    p_adjust
        The method of adjustment, or the name of the function that adjusted.
    filter_fun
        The name of the function that took the place of filtering and adjustment; None without one.
    shrinkage
        How the fold changes were shrunken; None: they are maximum likelihood estimates.
    prior_scale
        The scale of the Cauchy prior of apeglm, log2; None without one.
    shrunken_test
        Whether the p-values are those of the shrunken fold changes, and not of the maximum likelihood estimates.
    confint
        The level of the intervals of the fold changes, the columns ciLower and ciUpper; None: there are none.
    null_scale, null_genes
        The scale of the null distribution of the p-values, 1 in theory, and the number of genes it was estimated from;
        see `stats.hidden.scale`. None where it has no meaning: tests against a threshold or of one side, tests of a
        mean, and fewer than 200 genes.
    null_divisor
        By what the z-values of the p-values were divided with ``null="scaled"``; the standard errors and intervals were
        multiplied by it. None: p-values are those of the test.
    hidden
        The hidden factors that were taken out; None: none were asked for.
    hidden_df
        The residual degrees of freedom in which hidden factors would be looked for. None: they cannot be taken out, by
        this method, for this kind of test, or a second time.
    compat
        The release whose behaviour the fit has; None for methods that know of none.
    estimate
        What the fold changes are, where they are neither estimates of maximum likelihood nor have a prior.
    filtered_before
        Whether the method leaves out genes with few counts before the fit, where it is asked to, so that there is no
        independent filtering. None: it does not.
    annotation
        The last columns of the table, which say what is known of the genes besides their counts.
    analysis
        The data and the fit; None where they are not known.
    version
        The version of countnest.
    """

    label: str
    method: str = "DESeq2"
    test: str = "Wald"
    coefficients: tuple[str, ...] = ()
    contrasts: FloatArray | None = None
    formula: str | None = None
    reduced: str | None = None
    distribution: str | None = None
    alpha: float = 0.1
    lfc_threshold: float = 0.0
    alt_hypothesis: AltHypothesis = "greaterAbs"
    independent_filtering: bool = True
    filter_threshold: float = 0.0
    filter_theta: float | None = None
    filter_num_rej: tuple[FloatArray, FloatArray | IntArray] | None = None
    cooks_cutoff: float | None = None
    outliers: OutlierRule = "cooks"
    p_adjust: str = "BH"
    filter_statistic: str = "baseMean"
    filter_fun: str | None = None
    shrinkage: ShrinkType | None = None
    prior_scale: float | None = None
    shrunken_test: bool = False
    confint: float | None = None
    null_scale: float | None = None
    null_genes: int | None = None
    null_divisor: float | None = None
    hidden: HiddenRecord | None = None
    hidden_df: int | None = None
    compat: str | None = None
    estimate: str | None = None
    filtered_before: bool | None = None
    annotation: tuple[str, ...] = ()
    analysis: AnalysisRecord | None = None
    version: str = field(default_factory=installed_version)

    def _described(self) -> tuple[str, dict[str, str]]:
        """Return the record as a title and a line for each field that says something, quantiles by their number."""
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _IN_THE_TITLE}
        if self.filter_num_rej is not None:
            shown["filter_num_rej"] = f"rejections at {counted(len(self.filter_num_rej[0]), 'quantile')}"
        if self.outliers == "cooks" and self.cooks_cutoff is None:
            del shown["outliers"]  # no gene was checked
        facts = {name: _fact(value) for name, value in shown.items() if value is not None and value != ()}
        return f"ResultsInfo: {self.label}", facts

    def words(self) -> dict[str, str]:
        """Return the words that fill the meanings of columns, see `schema.Column`."""
        interval = "confidence interval" if self.shrinkage is None else "posterior interval (normal approximation)"
        is_posterior = self.test == _POSTERIOR
        if is_posterior:
            interval = "posterior interval"
        null = self.reduced or "reduced"
        against = f"with and {null}" if null.startswith("without ") else f"vs '{null}'"
        ratio = f"'{self.formula or 'full'}' {against}"
        return {
            "label": self.label,
            "tested": ratio if self.test == "LRT" or self.distribution else self.label,
            "estimate": self.estimate or _ESTIMATES[self.shrinkage],
            "rows": self.estimate or "MLE",
            "error": "standard error" if self.shrinkage is None and not is_posterior else "posterior SD",
            "times": self._scaled("times {:.3g}"),
            "interval": f"{100 * (self.confint or 0):g} % {interval}",
            "statistic": self._statistic,
            "before": self._scaled("before scaling"),
            "test": self._kind + self._against(),
            "null": self._scaled("scaled null") + (f" ({self.distribution})" if self.distribution else ""),
            "of_modes": " at the posterior mode, which tests do not rest on" if is_posterior else "",
            "adjustment": self.p_adjust,
            "infinite": self._infinite(),
            "rate": self._rate(),
            "fitted_by": f"cn.{'lmm' if _OF_LOGARITHMS in self.method else 'glmm'}",
            "small": f" or |log2 fold change| < {self.lfc_threshold:g}" if self.lfc_threshold > 0 else "",
        }

    @property
    def _kind(self) -> str:
        """What the test is called, before the word p-value."""
        if self.test == _POSTERIOR:
            return "posterior tail"
        return self.test if self.test.endswith("LRT") else f"{self.test} test"

    @property
    def _statistic(self) -> str:
        """What the statistic is called."""
        if self.test == _POSTERIOR:
            return "posterior normal quantile"
        return f"signed root of the {self.test}" if self._is_root else self.test

    @property
    def _is_root(self) -> bool:
        """Whether the statistic is a root, with a sign, of the one that the test is called by."""
        one_sided = self.lfc_threshold > 0 or not self.alt_hypothesis.startswith("greaterAbs")
        return one_sided and self.test.split(",")[0] in ("QL F", "LRT")

    def _against(self) -> str:
        """Say what a test against a threshold is of, with the name that it has in edgeR or limma; '' for others."""
        if self.lfc_threshold == 0 or not (self._is_root or self.test in _ADDED):
            return ""
        name = _OF_R["moderated t" if self.test in _ADDED else "QL F"] if self.alt_hypothesis == "greaterAbs" else ""
        return f" of {_BEYOND[self.alt_hypothesis].format(self.lfc_threshold)}{name}"

    def _rate(self) -> str:
        """Say what a local false sign rate is of, where it is not of the sign alone."""
        if self.lfc_threshold == 0 and self.alt_hypothesis.startswith("greaterAbs"):
            return ""
        return f" (probability that not {_BEYOND[self.alt_hypothesis].format(self.lfc_threshold)})"

    def _scaled(self, text: str) -> str:
        """Return a text about the scaled null distribution in parentheses; '' where it is not scaled."""
        return "" if self.null_divisor is None else f" ({text.format(self.null_divisor)})"

    def _infinite(self) -> str:
        """Describe the infinite estimate of a group without counts, and the reliability of its p-value."""
        if self.test in _ADDED or _OF_LOGARITHMS in self.method:
            return "no fold change is infinite here, for a constant is added to all counts"
        is_mle = self.shrinkage is None and self.estimate is None
        change = f"the {'' if is_mle else 'maximum likelihood '}fold change is infinite"
        if self.shrunken_test:
            return change
        if self.test == _POSTERIOR:
            return f"{change}, and that a posterior mean is not is due to a weak prior of the coefficients"
        if self.test in _WITH_LIKELIHOODS:
            return f"{change}, and the p-value is valid"
        if _OF_MIXED in self.method:
            other = "test('lrt') of a fit by method='laplace'"
            return f"{change} and its {self.test} p-value is unreliable; use a likelihood ratio test, {other}"
        other = advised("test('averaged') or test('lrt')", "--test averaged")
        return f"{change} and its Wald p-value is unreliable; use a likelihood ratio test, {other}"


def _fact(value: object) -> str:
    if isinstance(value, tuple):
        return first_of(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
