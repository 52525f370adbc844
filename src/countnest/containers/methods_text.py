"""The methods paragraph of a table of results: what was done, in sentences, with citations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from countnest.containers.info import ResultsInfo
from countnest.containers.references import REFERENCES
from countnest.errors import counted, listing

__all__ = ["MethodsText", "methods_text"]

# As many comparisons are named.
_LABELS = 12
_ADJUSTMENTS = {
    "BH": "by the procedure of Benjamini and Hochberg (Benjamini and Hochberg 1995)",
    "none": "",
}
_NORMALIZED = {
    "ratio": "size factors estimated by the median of ratios (Anders and Huber 2010)",
    "poscounts": "size factors estimated by the median of ratios to geometric means of the positive counts "
    "(Anders and Huber 2010; Love et al. 2014)",
    "iterate": "size factors estimated in turn with the dispersions (Love et al. 2014)",
}
_DISPERSIONS = {
    "MAP": "Dispersions were estimated gene by gene and shrunken towards {trend}",
    "fit_only": "The dispersion of each gene was that of {trend}",
    "gene_est_only": "Dispersions were estimated gene by gene, without a trend",
    "given": "Dispersions were given",
}
_SHRINKAGE = {
    "apeglm": "by apeglm (Zhu et al. 2019), with a Cauchy prior",
    "ashr": "by adaptive shrinkage (Stephens 2017)",
    "normal": "by a normal prior (Love et al. 2014)",
}
_SIDES = {
    "greaterAbs": "beyond {:g} in absolute value",
    "greaterAbs2014": "beyond {:g} in absolute value (by the rule of 2014)",
    "greaterAbsUPSHOT": "beyond {:g} in absolute value (UPSHOT)",
    "greater": "above {:g}",
    "less": "below -{:g}",
    "lessAbs": "within {:g} of zero",
}


@dataclass(frozen=True, slots=True)
class MethodsText:
    """How a table was made, for the methods section of a paper; `str()` gives paragraph and references.

    Attributes
    ----------
    paragraph
        Plain text, with citations by author and year.
    references
        The papers that it cites, with their DOIs, in the order of the alphabet.
    """

    paragraph: str
    references: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.paragraph, "", "References", *self.references])

    __repr__ = __str__


def methods_text(info: ResultsInfo, *others: ResultsInfo) -> MethodsText:
    """Return the methods paragraph of a table with this record, or of several, which are rows of one query."""
    infos = (info, *others)
    ends = [sentence for each in infos for sentence in (*_null(each), *_changes(each))]
    parts = [_data(info), *_model(info), _test(infos), *_filtering(infos), *ends]
    paragraph = " ".join(dict.fromkeys(part for part in parts if part))
    cited = sorted(key for key in REFERENCES if key in paragraph)
    return MethodsText(paragraph, tuple(REFERENCES[key] for key in cited))


def _details(info: ResultsInfo) -> dict[str, Any]:
    return {} if info.analysis is None else dict(info.analysis.details)


def _data(info: ResultsInfo) -> str:
    told = f"Differential expression was analysed with countnest {info.version}"
    if info.analysis is None:
        return f"{told}."
    samples = counted(len(info.analysis.samples), "sample")
    return f"{told}, from the counts of {counted(info.analysis.n_genes, 'gene')} in {samples}."


def _model(info: ResultsInfo) -> Iterator[str]:
    """Yield sentences on the model that was fitted."""
    models: dict[str, Callable[[ResultsInfo], Iterator[str]]] = {
        "DESeq2": _deseq2, "edgeR": _edger, "limma-voom": _limma,
    }  # fmt: skip
    yield from models.get(info.method, _mixed)(info)
    if info.compat is not None:
        yield f"Numbers are those of {info.compat}."
    if info.hidden is not None and info.hidden.n_factors:
        how = "by parallel analysis (Buja and Eyuboglu 1992)" if info.hidden.found else "as given"
        factors = counted(info.hidden.n_factors, "hidden factor")
        yield f"The model included {factors} found in the residuals; the number was chosen {how}."


def _design(info: ResultsInfo) -> str:
    return "a design given as a model matrix" if info.formula is None else f"the design '{info.formula}'"


def _deseq2(info: ResultsInfo) -> Iterator[str]:
    details = _details(info)
    yield f"Negative binomial models with {_design(info)} were fitted by the method of DESeq2 (Love et al. 2014)."
    if not details:
        return
    if details["normalization_factors"]:
        yield "Counts were normalized by normalization factors of every gene and sample."
    else:
        before = "size factors that were set before the analysis"
        yield f"Counts were normalized by {_NORMALIZED.get(details['size_factor_type'], before)}."
    trend = f"a {details['dispersion_trend']} trend over the mean"
    yield f"{_DISPERSIONS[details['dispersions']].format(trend=trend)}."
    if details["observation_weights"]:
        yield "Counts had observation weights."
    if details["outliers_replaced"]:
        genes = counted(details["outliers_replaced"], "gene")
        yield f"Outlier counts, by their Cook's distances, were replaced in {genes}, which were fitted again."


def _edger(info: ResultsInfo) -> Iterator[str]:
    details = _details(info)
    yield (
        f"Negative binomial models with {_design(info)} were fitted by the method of edgeR (Robinson et al. 2010; "
        "Chen et al. 2025), with effective library sizes as offsets."
    )
    yield from _left_out(details)
    if details.get("robust"):
        yield "Priors were robust to genes with outlying dispersions."


def _limma(info: ResultsInfo) -> Iterator[str]:
    details = _details(info)
    yield (
        f"Linear models with {_design(info)} were fitted by limma's method (Ritchie et al. 2015) to log2 "
        "counts per million, with precision weights by voom (Law et al. 2014)."
    )
    yield from _left_out(details)
    if details.get("sample_weights"):
        yield "Samples had weights estimated from all genes."
    if details.get("block"):
        yield f"Samples of the same '{details['block']}' were correlated by {details['correlation']:.3g}."
    if details.get("robust"):
        yield "The prior of the variances was robust to outlying genes."


def _left_out(details: dict[str, Any]) -> Iterator[str]:
    if "genes_fitted" in details:
        genes = counted(details["genes_fitted"], "gene")
        yield f"Genes with few counts were left out before the fit, which was of {genes}."


def _mixed(info: ResultsInfo) -> Iterator[str]:
    """Yield a sentence on a model with random effects, or on a method without sentences of its own."""
    how = "" if info.estimate is None else f", by {info.estimate}"
    method = info.method if info.method.endswith("model") else f"{info.method} model"
    cited = " (Breslow and Clayton 1993)" if "quasi-likelihood" in how else ""
    base = " (Bates et al. 2015)" if info.method.startswith("linear mixed") else ""
    yield f"A {method}{base} with {_design(info)} was fitted to every gene{how}{cited}."
    details = _details(info)
    if "values" in details:
        yield f"The model is one of {details['values']}."
    if details.get("normalization_factors"):
        yield "Counts were normalized by normalization factors of every gene and sample."
    elif details.get("size_factors"):
        yield "Counts were normalized by size factors."
    if details.get("dispersions"):
        yield f"Dispersions were {details['dispersions']}."
    if "genes_fitted" not in details and info.filtered_before:
        yield "Genes with few counts were left out before the fit where that was asked for."
    yield from _left_out(details)


def _test(infos: tuple[ResultsInfo, ...]) -> str:
    """Return a sentence on the test."""
    info = infos[0]
    by = f"by {_test_name(info)}"
    plural = len(infos) > 1
    labels = listing([each.label for each in infos], _LABELS)
    compared = f"The comparison{'s' if plural else ''} {labels} {'were' if plural else 'was'}"
    if info.test == "posterior":
        whose = "their posterior distributions" if plural else "its posterior distribution"
        return f"{compared} judged by {whose}{_beyond(info)}."
    if info.test == "LRT" and info.reduced:
        against = info.reduced if info.reduced.startswith("without") else f"the reduced model '{info.reduced}'"
        if info.reduced.startswith("without"):
            against = f"the model {against}"
        return f"Genes were tested {by} against {against}{_beyond(info)}."
    return f"{compared} tested {by}{_beyond(info)}."


def _test_name(info: ResultsInfo) -> str:
    """Return what the test is called in a sentence, with its paper."""
    if info.test == "Wald":
        return "Wald tests" + (" with t distributions" if _details(info).get("t_distribution") else "")
    if info.test == "LRT":
        return "likelihood ratio tests" + (" (McCarthy et al. 2012)" if info.method == "edgeR" else "")
    if info.test.startswith("averaged LRT"):
        over = "over the dispersions that the counts leave possible (after Ignatiadis and Sen 2023)"
        return f"averaged likelihood ratio tests, {over}"
    papers = {
        "QL": "Lund et al. 2012", "Kenward-Roger": "Kenward and Roger 1997", "Satterthwaite": "Satterthwaite 1946",
        "dream": "Hoffman and Roussos 2021", "moderated": "Smyth 2004",
    }  # fmt: skip
    paper = next((text for word, text in papers.items() if word in info.test), None)
    name = "quasi-likelihood F" + info.test.removeprefix("QL F") if info.test.startswith("QL F") else info.test
    return f"{name} tests" + (f" ({paper})" if paper else "")


def _beyond(info: ResultsInfo) -> str:
    """Say which log2 fold changes were tested for; '' for any."""
    treat = " (McCarthy and Smyth 2009)" if info.method in ("edgeR", "limma-voom") and info.lfc_threshold > 0 else ""
    if info.lfc_threshold == 0 and info.alt_hypothesis.startswith("greaterAbs"):
        return ""
    return f", for a log2 fold change {_SIDES[info.alt_hypothesis].format(info.lfc_threshold)}{treat}"


def _null(info: ResultsInfo) -> Iterator[str]:
    if info.null_divisor is not None:
        yield f"The z-values were divided by {info.null_divisor:.3g}, the scale of the null distribution of all genes."


def _filtering(infos: tuple[ResultsInfo, ...]) -> Iterator[str]:
    """Yield sentences on withheld p-values, filtering and adjustment."""
    info = infos[0]
    if info.cooks_cutoff is not None and not info.shrunken_test:
        yield f"P-values of genes with a Cook's distance above {info.cooks_cutoff:.3g} were withheld."
    if info.outliers == "model":
        yield "So were those of genes with a count far from its fitted mean."
    if info.filter_fun is not None:
        yield f"The p-values were filtered and adjusted by the function '{info.filter_fun}'."
        return
    if info.independent_filtering:
        left_out = _left_out_by_filtering(infos)
        yield f"{left_out} (Bourgon et al. 2010), tuned for a false discovery rate of {info.alpha:g}."
    how = _ADJUSTMENTS.get(info.p_adjust, f"by the method '{info.p_adjust}'")
    yield f"P-values were adjusted for multiple testing {how}." if how else "P-values were not adjusted."


def _left_out_by_filtering(infos: tuple[ResultsInfo, ...]) -> str:
    """Say which genes independent filtering left out."""
    if all(each.filter_theta == 0 for each in infos):
        return "No gene was left out by independent filtering"
    statistic = infos[0].filter_statistic
    name = "mean normalized count" if statistic == "baseMean" else statistic
    cutoffs = sorted({f"{each.filter_threshold:.3g}" for each in infos}, key=float)
    cutoff = cutoffs[0] if len(cutoffs) == 1 else f"a cutoff of {cutoffs[0]} to {cutoffs[-1]}"
    return f"Genes with a {name} below {cutoff} were left out by independent filtering"


def _changes(info: ResultsInfo) -> Iterator[str]:
    """Yield sentences on fold changes and their intervals."""
    if info.shrinkage is not None:
        scale = "" if info.prior_scale is None else f" of scale {info.prior_scale:.3g} (log2)"
        yield f"Log2 fold changes were shrunken {_SHRINKAGE[info.shrinkage]}{scale}."
    elif info.estimate is None:
        yield "Log2 fold changes are maximum likelihood estimates."
    elif info.method == "edgeR":
        yield f"Log2 fold changes are {info.estimate}."
    if info.confint is not None:
        yield f"Intervals have a level of {100 * info.confint:g} %."
