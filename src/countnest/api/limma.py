"""limma's analysis of counts in one call, of a data set: voom, linear models, moderated statistics."""

from __future__ import annotations

from typing import Any, TypeVar

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import effective_of_kept, kept_genes, warn_of_unused
from countnest.api.inputs import positive_number
from countnest.api.limma_inputs import given_trend
from countnest.api.sample_models import blocks_of, quality_columns, warn_without_df
from countnest.compilation import listening
from countnest.design.design import check_varying
from countnest.design.random.refusal import one_correlation, refuse_random
from countnest.errors import DesignError
from countnest.methods.limma.fit import limma_analysis
from countnest.methods.limma.steps import LimmaOptions, chosen_span
from countnest.options import check_flags
from countnest.progress import progress
from countnest.remedies import advised
from countnest.signature import checked_arguments
from countnest.stats.edger.levels import Compat, compat_level
from countnest.stats.norm.tmm import FactorMethod
from countnest.stats.voom.structural import SampleModel

__all__ = ["limma"]

Held = TypeVar("Held", bound=CountDataSet)


@checked_arguments
def limma(
    dds: Held,
    *,
    filter: Any = True,  # noqa: ANN401 (a flag, or truth values by gene)
    norm_factors: FactorMethod | Any = "TMM",  # noqa: ANN401 (a word, Series, sequence)
    quality_weights: Any = False,  # noqa: ANN401 (a flag, formula, matrix, or groups)
    block: Any = None,  # noqa: ANN401 (column, Series, sequence)
    structural_zeros: bool = False,
    trend: Any = False,  # noqa: ANN401 (a flag, or numbers by gene)
    robust: bool = False,
    approx_contrasts: bool = False,
    span: float | None = None,
    compat: Compat | None = None,
    name: str = "limma",
    quiet: bool = False,
) -> Held:
    """Run limma's whole analysis of counts, and keep its fit in the data set under a name.

    Genes with few counts are left out, library sizes normalized, log counts weighted by their precision (voom), linear
    models fitted, and their variances moderated. Queries are then answered with ``fit="limma"``:
    ``dds.effect("dex").test(fit="limma")``. Tests of one row are moderated t tests, with `lfc_threshold` those of
    TREAT, and joint tests are moderated F tests. P-values of all genes that were fitted are adjusted together.

    Parameters
    ----------
    dds
        A data set; its size factors, normalization factors and observation weights are not used.
    filter
        Whether genes with few counts are left out, as by `filter_by_expr`; or truth values by gene, True for those that
        stay. The library sizes are then those of the genes that stay.
    norm_factors
        Normalization factors of the library sizes: the method to estimate them by, see `calc_norm_factors`, or numbers
        by sample.
    quality_weights
        Estimate how reliable each sample is, and weight it accordingly. Or let samples share their reliability: by a
        formula of the variances, such as "~ batch", or its model matrix; or by groups, a column of the sample sheet or
        values by sample.
    block
        Blocks of samples that are correlated, such as those of one patient: a column of the sample sheet, or values by
        sample. The correlation is estimated from all genes. A block that the design holds fixed, as in
        ``~ patient + dex``, needs none.
    structural_zeros
        Leave out zeros that the design explains, such as those of a group without any count, when variances are
        estimated: what edgeR's voomLmFit does.
    trend
        Let the prior of the variances follow the mean log count, too; the weights of voom take care of most of it. Or
        a covariate of yours for it to follow, numbers by gene.
    robust
        Give genes with outlying variances fewer prior degrees of freedom.
    approx_contrasts
        Compute standard errors of contrasts as limma does, which is exact where weights do not vary; by default each
        gene's own covariance is used.
    span
        Fraction of the genes in each neighbourhood of the variance curve; None: by the number of genes, or 0.5 in older
        releases.
    compat
        Give the numbers of a release of Bioconductor: "bioc3.16", "bioc3.20" or "bioc3.22"; None: the newest.
    name
        The name of the fit.
    quiet
        No notes.

    Returns
    -------
    CountDataSet
        The data set itself.

    Raises
    ------
    OptionError
        No gene is left, or an option cannot be used.
    DesignError
        There are no residual degrees of freedom.

    Notes
    -----
    R counterpart: edgeR::filterByExpr and normLibSizes, limma::voom, lmFit and eBayes; with `quality_weights`
    voomWithQualityWeights, with `block` or `structural_zeros` edgeR::voomLmFit.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("airway")
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
    >>> dds = cn.limma(dds, quiet=True)
    >>> res = dds.effect("dex").test(fit="limma", alpha=0.05)
    >>> res.info.method
    'limma-voom'
    """
    require_data_set(dds, "limma")
    check_flags(
        structural_zeros=structural_zeros, robust=robust, approx_contrasts=approx_contrasts, quiet=quiet
    )  # fmt: skip
    compat_level(compat)
    if span is not None:
        positive_number("span", span)
    refuse_random(dds._design, "limma", one_correlation(dds._design))
    _check_variances(dds)
    warn_of_unused(dds, "limma")
    design, kept = dds._design.matrix, kept_genes(dds, filter)
    library = effective_of_kept(dds, dds._data.counts[kept], norm_factors)
    of_sample, block_name = blocks_of(dds, block)
    columns = quality_columns(quality_weights, "quality_weights", dds)
    warn_without_df(design, columns)
    prior_trend = given_trend(trend, dds._data.genes, kept)
    width = chosen_span(None if span is None else float(span), int(kept.sum()), compat)
    samples = SampleModel(columns, of_sample, width, structural_zeros)
    options = LimmaOptions(samples, block_name, prior_trend, robust, approx_contrasts, compat)
    says = progress(quiet)
    if prior_trend is True:
        says.note("the weights of voom follow the mean counts already; trend=True lets the prior follow them as well.")
    says.step("fitting linear models to log counts")
    with listening(says):
        stored = limma_analysis(dds._data.counts, kept, design, library, options)
    if stored.correlation is not None:
        says.note(f"the correlation within blocks is {stored.correlation:.3f}.")
    return dds.add_fit(name, stored)


def _check_variances(dds: CountDataSet) -> None:
    check_varying(dds._design)
    n, p = dds._design.matrix.shape
    if n == p:
        raise DesignError(
            f"the design has as many coefficients as there are samples ({n}), so that no variance can be estimated and "
            "nothing tested. Replicates are needed, or a design with fewer terms. "
            + advised(
                "Fold changes alone can be had: cn.lm_fit(cn.voom(dds)).coefficients.",
                "Fold changes alone can be had in Python.",
            )
        )
