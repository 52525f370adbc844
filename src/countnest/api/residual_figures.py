"""Figures of residuals: against normal quantiles, and by a factor that the model lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np
import pandas as pd

from countnest.api.access import residuals
from countnest.api.dataset import require_data_set
from countnest.api.mixed_fits import mixed_access
from countnest.arrays import FloatArray, as_float
from countnest.containers.gene_info import called, gene_by_name
from countnest.design.levels.order import as_factor
from countnest.errors import MissingStepError, OptionError, listing, suggestion
from countnest.options import check_flags
from countnest.plots.quantiles import draw_gene_quantiles, draw_sample_quantiles, gene_quantiles, sample_quantiles
from countnest.plots.residuals import draw_residuals, residual_boxes
from countnest.signature import checked_arguments
from countnest.stats.hidden.left_out import LeftOut, left_out, towards_prediction

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet
    from countnest.plots.residuals import Axes, Figure

__all__ = ["plot_quantiles", "plot_residuals"]

# Genes that are drawn, taken at random.
_GENES: Final = 4000
# What a factor that the model lacks explains is asked of genes with this mean count, unless they are few.
_COUNT: Final = 5.0
_FEW: Final = 100
# A sample whose hat value is above this has no residual: it is fitted exactly.
_EXACT: Final = 1.0 - 1e-6


@overload
def plot_quantiles(
    dds: DESeqDataSet,
    gene: str | None = ...,
    *,
    fit: str | None = ...,
    seed: int = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_quantiles(
    dds: DESeqDataSet,
    gene: str | None = ...,
    *,
    fit: str | None = ...,
    seed: int = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_quantiles(
    dds: DESeqDataSet,
    gene: str | None = None,
    *,
    fit: str | None = None,
    seed: int = 1,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw randomized quantile residuals against normal quantiles: of one gene, or of all genes by sample.

    Where the model holds, residuals are standard normal and follow the line, even those of small counts. A gene that
    bends away has outliers, or a variance that is not that of its model; a sample whose line is steeper than those of
    others is noisier, and one that is shifted is not well normalized.

    Residuals of fits by DESeq2's method are divided by the root of 1 - h, with the hat values h of the design, because
    fitted means follow the counts; samples that are fitted exactly have none. Of linear mixed models they are those
    about the fixed part, over standard deviations with the random effects in them; of mixed models of counts they are
    about means that include the random effects, and a little less spread than standard normal ones.

    Parameters
    ----------
    dds
        A fitted data set.
    gene
        The label of a gene, or a symbol that no other gene has; None: all genes, a line for each sample. Of more than
        4,000 genes so many are taken at random.
    fit
        The name of a fit by `lmm` or `glmm`; None: the last analysis by DESeq2's method.
    seed
        Of the draws of residuals and of genes.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_quantiles(dds, "gene1").savefig("gene1.png")`. With `return_data`, a table with the columns
        sample, normal (quantile), residual, and low and high, the ends of 95 % of what chance gives: of a gene one row
        for each sample, from the lowest residual to the highest; of all genes the quantiles of each sample in turn, and
        what chance gives for genes that are independent.

    Raises
    ------
    OptionError
        The data set has no such gene, or several of this symbol; or `fit` is no mixed model.
    MissingStepError
        The data set is not fitted; the gene was not, or no sample has a residual.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(n=200, m=6, seed=1), quiet=True)
    >>> cn.plot_quantiles(dds, "gene1", return_data=True).columns.tolist()
    ['sample', 'normal', 'residual', 'low', 'high']
    >>> cn.plot_quantiles(dds).savefig("quantiles.pdf")

    References
    ----------
    Dunn and Smyth (1996), doi:10.1080/10618600.1996.10474708.
    """
    require_data_set(dds, "plot_quantiles")
    check_flags(return_data=return_data)
    design = as_float(np.asarray(dds._design.matrix))
    if gene is not None:
        gene = gene_by_name(gene, dds.gene_names, dds.gene_info)
        values, leverage = _standardized(dds, [gene], fit, seed)
        if values.isna().all(axis=None):
            raise MissingStepError(f"gene '{gene}' has no residuals, because it was not fitted: it has no counts.")
        data = gene_quantiles(values.iloc[0], leverage, design)
        return data if return_data else draw_gene_quantiles(data, called(dds.gene_info, gene), ax)
    values, _ = _standardized(dds, _some_genes(dds, seed, least=0.0), fit, seed)
    data = sample_quantiles(values)
    title = f"Quantile residuals of {len(values.dropna(how='all')):,} genes"
    return data if return_data else draw_sample_quantiles(data, title, ax)


@overload
def plot_residuals(
    dds: DESeqDataSet,
    column: str,
    *,
    seed: int = ...,
    return_data: Literal[False] = ...,
    ax: Axes | None = ...,
) -> Figure: ...


@overload
def plot_residuals(
    dds: DESeqDataSet,
    column: str,
    *,
    seed: int = ...,
    return_data: Literal[True],
    ax: Axes | None = ...,
) -> pd.DataFrame: ...


@checked_arguments
def plot_residuals(
    dds: DESeqDataSet,
    column: str,
    *,
    seed: int = 1,
    return_data: bool = False,
    ax: Axes | None = None,
) -> Figure | pd.DataFrame:
    """Draw residuals by sample in the order of a column that the design lacks, and say whether it matters.

    A box holds the randomized quantile residuals of the genes in a sample, from quartile to quartile, with the median,
    and lines from the 5th to the 95th percentile. Because a factor raises some genes and lowers others, each residual
    has the sign in which the other samples predict it: of the same level, or along the slope of numbers. Boxes about
    zero say that the column does not matter, boxes above zero that it does. A sample alone in its level has no box.

    The title has the part of the residual variance that the column explains, in the mean over genes, beside the part
    that a random column explains, and the largest that any could. The p-value is that of rotations of the samples,
    which leave the correlations between genes as they are (Langsrud 2005); the smallest is 0.001.

    Genes are those of a mean count of 5 and more, at most 4,000 of them, taken at random. To see the samples:
    ``cn.plot_pca(cn.residuals(dds, "quantile"), dds.samples, column)``.

    Parameters
    ----------
    dds
        A data set fitted by DESeq2's method.
    column
        A column of the sample sheet, a factor or numbers, without missing values.
    seed
        Of the draws of residuals, of genes and of rotations.
    return_data
        Draw nothing and return what would be drawn.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Figure or DataFrame
        The figure: `plot_residuals(dds, "batch").savefig("batch.png")`. With `return_data`, a table by sample with the
        column and low, q1, median, q3, high (quantiles 0.05, 0.25, 0.5, 0.75, 0.95 over genes); its `.attrs` hold
        `explained` (a record with share, expected, most, p_value, df, residual_df), `genes`, their number, and the
        `reading`, a text.

    Raises
    ------
    OptionError
        The sample sheet has no such column; it has missing values or one value only; or the design has it already.
    MissingStepError
        The data set is not fitted, or the design leaves no degrees of freedom beside the column.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("airway")
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ dex", reference={"dex": "untrt"}, quiet=True)
    >>> data = cn.plot_residuals(dds.deseq(quiet=True), "cell", return_data=True)
    >>> data.attrs["explained"].share > 2 * data.attrs["explained"].expected
    False
    >>> cn.plot_residuals(dds, "cell").savefig("cell.pdf")

    References
    ----------
    Langsrud (2005), doi:10.1007/s11222-005-4789-5.
    """
    require_data_set(dds, "plot_residuals")
    check_flags(return_data=return_data)
    values, columns = _column(dds, column)
    found, leverage = _standardized(dds, _some_genes(dds, seed, least=_COUNT), None, seed)
    found = found.dropna(how="all")
    assert leverage is not None
    raw = as_float(np.nan_to_num(found.to_numpy(np.float64)) * np.sqrt(1.0 - leverage))
    design = as_float(np.asarray(dds._design.matrix))
    explained = left_out(raw, design, columns, np.random.default_rng(seed))
    _check(explained, column, dds._design.formula)
    signed = towards_prediction(raw, design, columns) / np.sqrt(1.0 - leverage)
    data = residual_boxes(pd.DataFrame(signed, found.index, found.columns), values)
    data.attrs = {"explained": explained, "genes": len(found), "reading": _reading(explained, column)}
    return data if return_data else draw_residuals(data, data.attrs["reading"], ax)


def _column(dds: DESeqDataSet, name: str) -> tuple[pd.Series, FloatArray]:
    """Return a column of the sample sheet, as a factor or numbers, and as columns of a model matrix (n, k)."""
    sheet = dds.samples
    if not isinstance(name, str) or name not in sheet:
        raise OptionError(
            f"column={name!r}: the sample sheet has no such column.{suggestion(str(name), sheet.columns)}"
        )
    column = sheet[name]
    empty = sheet.index[column.isna()]
    if len(empty):
        raise OptionError(
            f"column='{name}' has no value for the samples {listing(empty)}: fill it in, or fit without them."
        )
    if column.nunique() < 2:
        raise OptionError(f"column='{name}' has the same value in all samples; give one that varies.")
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        numbers = column.astype(np.float64)
        return numbers, as_float(numbers.to_numpy()[:, np.newaxis])
    factor = as_factor(column)
    return factor, as_float(pd.get_dummies(factor).to_numpy(np.float64))


def _check(explained: LeftOut, column: str, formula: str | None) -> None:
    if not explained.df:
        raise OptionError(
            f"column='{column}' is in the design '{formula or 'of a matrix'}' already, by itself or as a combination "
            "of its columns; give a column that the design lacks."
        )
    if explained.df >= explained.residual_df:
        raise MissingStepError(
            f"column='{column}' takes {explained.df} of the {explained.residual_df} residual degrees of freedom, so "
            "that none are left to compare it with."
        )


def _reading(found: LeftOut, column: str) -> str:
    """Return in words whether a column matters."""
    matters = "matters" if found.p_value <= 0.01 else "may matter" if found.p_value <= 0.1 else "is not seen to matter"
    return (
        f"{column} {matters}: it explains {100 * found.share:.3g} % of the residual variance,\n"
        f"chance {100 * found.expected:.3g} %, the best possible {100 * found.most:.3g} % (p = {found.p_value:.3g})"
    )


def _some_genes(dds: DESeqDataSet, seed: int, *, least: float) -> list[str]:
    """Return the genes that are drawn: fitted ones of at least a mean count, so many at random."""
    counts = dds.counts(normalized=True).to_numpy(np.float64)
    mean = counts.mean(axis=1)
    there = np.flatnonzero(mean >= least) if (mean >= least).sum() >= _FEW else np.arange(len(mean))
    there = there[mean[there] > 0]
    if len(there) > _GENES:
        there = np.sort(np.random.default_rng(seed).choice(there, _GENES, replace=False))
    return list(dds.gene_names[there])


def _standardized(
    dds: DESeqDataSet, genes: list[str], fit: str | None, seed: int
) -> tuple[pd.DataFrame, FloatArray | None]:
    """Return residuals over their standard deviations, genes x samples, and the hat values of the design.

    Samples that are fitted exactly have none. There are no hat values for mixed models, whose residuals stay as they
    are.
    """
    if fit is not None and fit != dds._last:
        is_log = mixed_access(dds, "plot_quantiles", fit).is_log
        return residuals(dds, "quantile", fit=fit, random=not is_log, seed=seed, genes=genes), None
    found = residuals(dds, "quantile", seed=seed, genes=genes)
    basis = np.linalg.qr(np.asarray(dds._design.matrix))[0]
    leverage = (basis**2).sum(axis=1)
    exact = leverage > _EXACT
    if exact.all():
        raise MissingStepError("no sample has a residual: the design fits every sample exactly. It needs replicates.")
    leverage = as_float(np.where(exact, 0.0, leverage))
    found = found.div(np.sqrt(1.0 - leverage), axis=1)
    found.loc[:, exact] = np.nan
    return found, leverage
