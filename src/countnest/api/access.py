"""Access to the fitted model: covariances of coefficients, predicted means, residuals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from countnest.api.dataset import require_data_set
from countnest.api.inputs import by_label, given_numbers, probability
from countnest.api.mixed_fits import check_fit_chosen, mixed_access
from countnest.arrays import FloatArray, IntArray, as_float
from countnest.containers.gene_info import symbol_hint
from countnest.design.design import Design, encode
from countnest.design.levels.text import known_level
from countnest.errors import ContrastError, OptionError, SamplesError, listing, suggestion
from countnest.methods.deseq2.access import NewCells, coefficient_covariance, predict_means, residuals_of
from countnest.methods.deseq2.fit import DESeq2Fit
from countnest.methods.deseq2.fitted import means_of
from countnest.methods.deseq2.inference import model_outliers
from countnest.methods.mixed.cells import predicted_means
from countnest.options import ResidualType, check_flags, check_option
from countnest.queries.estimable import contrast_matrix, estimable
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.api.deseq2 import DESeqDataSet

__all__ = ["covariance", "find_outliers", "predict", "residuals"]


@checked_arguments
def covariance(dds: DESeqDataSet, gene: str | Sequence[str]) -> pd.DataFrame:
    """Return the covariance of the maximum likelihood coefficients of a gene, log2 units squared.

    Parameters
    ----------
    dds
        A fitted data set.
    gene
        One gene: coefficients x coefficients. Several: these tables one below the other, with the gene in front in
        the index, so that `.loc[gene]` is the table of one.

    Returns
    -------
    DataFrame
        The square roots of the diagonal are the standard errors of `dds.coef(se=True)`. Missing for genes that are
        not fitted.

    Raises
    ------
    OptionError
        A gene is not in the data set.
    MissingStepError
        The data set is not fitted.

    Notes
    -----
    R counterpart: the covariance matrix behind the standard errors of contrasts in DESeq2::results.
    """
    require_data_set(dds, "covariance")
    fitted = dds._last_fit()
    one = isinstance(gene, str)
    names = _gene_labels("gene", gene)
    values = coefficient_covariance(fitted.state, fitted.layout, _places(dds, names), fitted.engine)
    columns = pd.Index(fitted.design.names)
    if one:
        return pd.DataFrame(values[0], index=columns, columns=columns)
    rows = pd.MultiIndex.from_product([names, columns], names=["gene", "coefficient"])
    return pd.DataFrame(values.reshape(-1, len(columns)), index=rows, columns=columns)


@checked_arguments
def residuals(
    dds: DESeqDataSet,
    type: ResidualType = "deviance",
    *,
    fit: str | None = None,
    random: bool = True,
    replaced: bool = False,
    seed: int | None = 1,
    genes: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the residuals of the fit, genes x samples.

    Parameters
    ----------
    dds
        A fitted data set.
    type
        "raw": counts less fitted means. "pearson": divided by the standard deviation of the counts. "deviance": signed
        roots of the contributions to the deviance. "quantile": normal quantiles of the probability of the count,
        drawn at random within the step of the distribution, so that they are standard normal under the model even for
        small counts (Dunn and Smyth 1996, doi:10.1080/10618600.1996.10474708).
        Of linear mixed models, raw ones are log2, and all others are raw ones over their standard deviations.
    fit
        The name of a fit by `lmm` or `glmm`; None: the last analysis by DESeq2's method.
    random
        Of mixed models: residuals about what the predicted random effects say too (conditional), and not about the
        fixed part alone (marginal), whose standard deviations have the random effects in them; of counts only "raw"
        ones are about the fixed part, at random effects of zero.
    replaced
        Take the counts after replacement of outliers; by default the original counts.
    seed
        Of the draws of quantile residuals; None: the middle of each step.
    genes
        One gene or several; None: all. A gene has the same draws by itself and among others.

    Returns
    -------
    DataFrame
        Missing for genes that are not fitted.

    Raises
    ------
    OptionError
        An option is not known, a gene is unknown, or the fit has no random effects.
    MissingStepError
        The data set is not fitted.

    Notes
    -----
    R counterpart: stats::residuals of a negative binomial GLM, statmod::qresiduals; of a linear mixed model
    lme4's residuals, "raw" those with type = "response" and others those with type = "pearson" and scaled = TRUE; of
    mixed models of counts glmmTMB's.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ treat1 + (1 | family)", quiet=True)
    >>> cn.residuals(cn.lmm(dds, quiet=True), "pearson", fit="lmm").shape
    (100, 48)
    """
    require_data_set(dds, "residuals")
    check_option("type", type, ResidualType)
    check_flags(replaced=replaced, random=random)
    if seed is not None and (not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0):
        raise OptionError(f"seed={seed!r} must be a whole number of 0 or more, or None.")
    rng = None if seed is None else np.random.default_rng(seed)
    places = None if genes is None else _places(dds, _gene_labels("genes", genes))
    if fit is not None and fit != dds._last:
        if replaced:
            raise OptionError("replaced=True is for fits by DESeq2's method, which replaces outliers: leave it out.")
        found = dds._frame(mixed_access(dds, "residuals", fit).residuals(type, random=random, rng=rng))
        return found if places is None else found.iloc[places]
    check_fit_chosen(dds, "residuals()")
    fitted = dds._last_fit()
    counts = fitted.counts_used if replaced else fitted.data.matrix
    parts = fitted.state, counts.whole(), fitted.layout, type, rng, fitted.engine
    if places is None:
        return dds._frame(residuals_of(*parts))
    rows = np.isin(np.arange(len(dds._data.genes)), places)
    values = residuals_of(*parts, rows)[np.searchsorted(np.flatnonzero(rows), places)]
    return pd.DataFrame(values, index=dds.gene_names[places], columns=dds._data.samples)


@checked_arguments
def predict(
    dds: DESeqDataSet,
    new_samples: pd.DataFrame,
    *,
    size_factors: float | Sequence[float] | pd.Series[float] = 1.0,
    interval: float | None = 0.95,
    count_interval: float | None = None,
    genes: str | Sequence[str] | None = None,
    fit: str | None = None,
) -> pd.DataFrame:
    """Return the means that the model predicts for new cells, with intervals.

    Parameters
    ----------
    dds
        A fitted data set.
    new_samples
        Rows of a sample sheet with the variables of the design, one for each cell; the labels of its rows name the
        cells. Expressions such as scale(age) use what they learnt from the samples of the data set. For a design that
        was given as a matrix without `same_as`: rows of this matrix.
    size_factors
        Depth of the new samples: one number, or one for each cell; a Series is matched by label.
    interval
        Level of the confidence limits `low` and `high` of the mean; None: none. They are those of the log mean, from
        the covariance of the coefficients: normal, or t where the model was fitted with use_t.
    count_interval
        Level of the limits `count_low` and `count_high` of a new count: quantiles of the negative binomial
        distribution with the predicted mean and the dispersion of the gene, as if both were known. None: none.
    genes
        One gene or several; None: all.
    fit
        The name of a fit by `lmm` or `glmm`; None: the last analysis by DESeq2's method. Means of mixed models are
        those of the fixed part, at random effects of zero; of linear ones they are log2, in the units of what was
        fitted, and know no size factors. Limits are those of t distributions, with the degrees of freedom of the fit.

    Returns
    -------
    DataFrame
        One row for each gene and cell: gene, cell, mean, low, high, count_low, count_high. Missing for genes that are
        not fitted.

    Raises
    ------
    ContrastError
        Levels are unknown, variables are missing, or cells cannot be estimated from the samples of the data set.
    SamplesError
        `new_samples` is not a table with one row for each cell and a label of its own for each row.
    OptionError
        A gene is unknown, or a level or size factor out of range.
    MissingStepError
        The data set is not fitted.

    Examples
    --------
    >>> predict(dds, pd.DataFrame({"dex": ["trt"], "cell": ["N61311"]}))  # doctest: +SKIP
    """
    require_data_set(dds, "predict")
    another = fit is not None and fit != dds._last
    if not another:
        check_fit_chosen(dds, "predict()")
    model = mixed_access(dds, "predict", str(fit)) if another else dds._last_fit()
    for name, level in (("interval", interval), ("count_interval", count_interval)):
        if level is not None:
            probability(name, level)
    if not isinstance(new_samples, pd.DataFrame) or not len(new_samples):
        raise SamplesError("new_samples must be a DataFrame with one row for each cell to predict.")
    repeated = new_samples.index[new_samples.index.duplicated()].unique()
    if len(repeated):
        raise SamplesError(
            f"new_samples has row labels more than once, {listing(repeated)}, which would name several cells alike. "
            "Give each row a label of its own, or reset_index()."
        )
    cells = _coded_cells(dds._design, new_samples)
    factors = _size_factors(size_factors, new_samples.index)
    places = np.arange(len(dds._data.genes)) if genes is None else _places(dds, _gene_labels("genes", genes))
    new = NewCells(cells, factors, interval, count_interval)
    if isinstance(model, DESeq2Fit):
        found = predict_means(model.state, model.layout, places, new, model.engine)
    else:
        found = predicted_means(model, places, new)
    columns: dict[str, Any] = {
        "gene": np.repeat(dds._data.genes[places].to_numpy(), len(cells)),
        "cell": np.tile(new_samples.index.to_numpy(), len(places)),
    }
    for name in ("mean", "low", "high", "count_low", "count_high"):
        values = getattr(found, name)
        if values is not None:
            columns[name] = values.ravel()
    return pd.DataFrame(columns)


def _gene_labels(option: str, genes: object) -> list[str]:
    """Return the labels of one gene or several."""
    if isinstance(genes, str):
        return [genes]
    labels: list[Any] = list(genes) if isinstance(genes, Iterable) else [genes]
    if not isinstance(genes, Iterable) or not all(isinstance(label, Hashable) for label in labels):
        raise OptionError(f"{option}={genes!r} must be the label of a gene, or several; see dds.gene_names.")
    return labels


def _places(dds: DESeqDataSet, genes: Sequence[str]) -> IntArray:
    """Return the positions of some genes."""
    places: IntArray = np.asarray(dds.gene_names.get_indexer(pd.Index(genes, dtype=object)), dtype=np.int64)
    unknown = [str(gene) for gene, place in zip(genes, places, strict=True) if place < 0]
    if unknown:
        near = symbol_hint(unknown, dds.gene_names, dds.gene_info)
        if not near and len(unknown) == 1:
            near = suggestion(unknown[0], dds.gene_names)
        raise OptionError(f"the data set has no gene {listing(unknown)}.{near} See dds.gene_names.")
    return places


def _coded_cells(design: Design, rows: pd.DataFrame) -> FloatArray:
    """Return the cells (m, p) as contrasts of the coefficients."""
    if design.coder is None:
        return _matrix_rows(design, rows)
    functional = encode(design, _as_in_the_sheet(design, rows))
    lost = [str(label) for label, fine in zip(rows.index, estimable(design, functional), strict=True) if not fine]
    if lost:
        raise ContrastError(
            f"the means of the cells {listing(lost)} cannot be estimated: no samples determine their coefficients in "
            f"'{design.formula}'. Choose combinations of levels that the samples have; see dds.design.report()."
        )
    return contrast_matrix(design, functional)


def _matrix_rows(design: Design, rows: pd.DataFrame) -> FloatArray:
    """Return rows of a model matrix that was given without a formula."""
    missing = [name for name in design.columns if name not in rows]
    if missing:
        raise ContrastError(
            f"the design was given as a matrix, so new_samples must have its columns; it lacks {listing(missing)}. "
            "With same_as='~ ...' the design understands levels instead."
        )
    return _finite(rows, design.columns)


def _as_in_the_sheet(design: Design, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the variables of the design: levels as text, as the design has them, and numbers."""
    known = [name for name in design.variables if name in rows]
    empty = [name for name in known if rows[name].isna().any()]
    if empty:
        raise ContrastError(f"new_samples has missing values in {listing(empty)}.")
    columns: dict[str, Any] = {
        name: [known_level(value, design.levels.get(name, ())) for value in rows[name]] for name in known
    }
    for name in known:
        if name not in design.levels:
            numeric = pd.api.types.is_numeric_dtype(design.sheet[name])
            columns[name] = _finite(rows, (name,))[:, 0] if numeric else rows[name].to_numpy()
    return pd.DataFrame(columns, index=rows.index)


def _finite(rows: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Return columns as finite numbers."""
    try:
        values = as_float(rows[list(names)].to_numpy(dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ContrastError(f"new_samples must hold numbers in {listing(names)}: {error}.") from error
    if not np.isfinite(values).all():
        raise ContrastError(f"new_samples has missing or infinite numbers in {listing(names)}.")
    return values


def _size_factors(values: Any, cells: pd.Index) -> FloatArray:  # noqa: ANN401 (number, sequence, Series)
    """Return one size factor for each cell."""
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        values = by_label(values, cells, "cell", "size_factors", OptionError, of="new_samples")
    factors = given_numbers(values, "size_factors", OptionError)
    if factors.shape not in ((), (len(cells),)) or not np.isfinite(factors).all() or not (factors > 0).all():
        raise OptionError(f"size_factors must be one positive number, or one for each of the {len(cells)} cells.")
    return as_float(np.broadcast_to(factors, (len(cells),)))


@checked_arguments
def find_outliers(dds: DESeqDataSet, *, level: float = 0.01) -> pd.DataFrame:
    """Return the counts that the model cannot explain: the rule of ``results(outliers="model")``, gene by gene.

    Parameters
    ----------
    dds
        A fitted data set with a dispersion trend.
    level
        Probability that a gene without an outlier is listed, between 0 and 1.

    Returns
    -------
    DataFrame
        By gene, the most striking first: sample, count, fitted (the fitted mean, which the outlier itself pulls towards
        it, so that the others say less than this) and pvalue, corrected for the number of samples.

    Notes
    -----
    Works in designs without replicated cells, where Cook's distances are compared with nothing. A count that is
    some tens of times the others in a group of few samples may not be listed, because it draws the mean so far away
    that the others do not fit either; Cook's distances, ``dds.cooks()``, find those. Observation weights
    count; genes that they leave fewer than two residual degrees of freedom are not looked at. R counterpart: none.
    """
    require_data_set(dds, "find_outliers")
    probability("level", level)
    fitted = dds._last_fit()
    counts = fitted.counts_used
    found = model_outliers(counts, fitted.state, fitted.layout, level=level, engine=fitted.engine)
    rows = np.flatnonzero(found.flagged)
    sample = found.sample[rows]
    each = np.arange(len(rows)), sample
    table = pd.DataFrame(
        {
            "sample": fitted.data.samples[sample],
            "count": counts.read(rows)[each],
            "fitted": means_of(fitted.state, fitted.layout, fitted.engine, found.flagged)[each],
            "pvalue": found.p_value[rows],
        },
        index=fitted.data.genes[rows],
    )
    return table.sort_values("pvalue", kind="stable")
