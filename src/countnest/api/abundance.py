"""Library sizes: normalization factors of edgeR, counts per million, and which genes have counts enough.

All of them take a data set, or a table of counts, genes x samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet
from countnest.api.inputs import by_label, given_numbers, not_negative, positive_number, probability
from countnest.api.normalization import count_table
from countnest.arrays import FloatArray, IntArray, as_float
from countnest.containers.gene_info import without_annotation
from countnest.design.build import build_design
from countnest.errors import CountsError, NormalizationError, OptionError, warn
from countnest.options import check_flags, check_option
from countnest.signature import checked_arguments
from countnest.stats.norm import abundance
from countnest.stats.norm.filter import FilterRule, smallest_group, smallest_group_of_design
from countnest.stats.norm.filter import filter_by_expr as filter_rows
from countnest.stats.norm.size_factors import check_factors
from countnest.stats.norm.tmm import FactorMethod, Trimming, norm_factors

if TYPE_CHECKING:
    Counts = CountDataSet | pd.DataFrame | FloatArray

__all__ = ["ave_log_cpm", "calc_norm_factors", "cpm", "filter_by_expr", "rpkm"]


class _Table(NamedTuple):
    """Counts (G, n) with the labels of genes and samples, and whether these were given."""

    values: FloatArray
    genes: pd.Index
    samples: pd.Index
    labelled: bool

    def by_sample(self, values: FloatArray, name: str) -> pd.Series[Any] | FloatArray:
        return pd.Series(values, index=self.samples, name=name) if self.labelled else values

    def by_gene(self, values: Any, name: str) -> pd.Series[Any] | FloatArray:  # noqa: ANN401 (numbers, truth values)
        return pd.Series(values, index=self.genes, name=name) if self.labelled else values

    def whole(self, values: FloatArray) -> pd.DataFrame | FloatArray:
        return pd.DataFrame(values, self.genes, self.samples) if self.labelled else values


@checked_arguments
def calc_norm_factors(
    counts: Counts,
    method: FactorMethod = "TMM",
    *,
    lib_size: Any = None,  # noqa: ANN401 (Series, mapping, sequence)
    ref_column: Any = None,  # noqa: ANN401 (label or position)
    log_ratio_trim: float = 0.3,
    sum_trim: float = 0.05,
    p: float = 0.75,
) -> pd.Series[float] | FloatArray:
    """Return normalization factors for composition; a library size times its factor is the effective library size.

    Parameters
    ----------
    counts
        A data set, or a table of counts, genes x samples.
    method
        "TMM": trimmed mean of log ratios to a reference sample; "TMMwsp": the same with pairs of zeros, for tables
        with many of them; "RLE": median ratio to the geometric mean, as DESeq2; "upperquartile"; "none": all 1.
    lib_size
        Library sizes by sample; by default the column sums.
    ref_column
        The reference sample of TMM and TMMwsp, by label or position; by default a typical one.
    log_ratio_trim, sum_trim
        Fractions of the genes that TMM and TMMwsp leave out at either end of the log ratios, and of the abundances.
    p
        The quantile of "upperquartile", and of TMM's choice of the reference.

    Returns
    -------
    pandas.Series or numpy.ndarray
        By sample, with the geometric mean 1; an array for an array.

    Notes
    -----
    R counterpart: edgeR::calcNormFactors, edgeR::normLibSizes.
    """
    table = _table(counts)
    check_option("method", method, FactorMethod)
    for name, fraction in (("log_ratio_trim", log_ratio_trim), ("sum_trim", sum_trim)):
        if not_negative(name, fraction) >= 0.5:
            raise OptionError(f"{name}={fraction!r} must be below 0.5: it is left out at either end.")
    probability("p", p)
    library = _library(table, lib_size)
    reference = None if ref_column is None else _sample(table, ref_column)
    trimming = Trimming(float(log_ratio_trim), float(sum_trim))
    factors = norm_factors(table.values, library, method, reference=reference, trimming=trimming, quantile=p)
    return table.by_sample(factors, "norm_factors")


@checked_arguments
def filter_by_expr(
    counts: Counts,
    group: Any = None,  # noqa: ANN401 (column, Series, sequence)
    design: Any = None,  # noqa: ANN401 (formula, DataFrame, array)
    *,
    lib_size: Any = None,  # noqa: ANN401
    norm_factors: Any = None,  # noqa: ANN401
    min_count: float = 10,
    min_total_count: float = 15,
    large_n: float = 10,
    min_prop: float = 0.7,
) -> pd.Series[bool] | FloatArray:
    """Return which genes have counts enough to be analysed: ``dds[filter_by_expr(dds)]`` keeps them.

    A gene is kept if its counts per million reach those of `min_count` in a sample of median size, in as many samples
    as the smallest group has, and if all its counts together reach `min_total_count`.

    Parameters
    ----------
    counts
        A data set, or a table of counts, genes x samples.
    group
        The group of each sample, or the column of the data set's sample sheet that has it. It takes precedence over
        `design`.
    design
        A formula (of a data set) or a model matrix. The size of the smallest group is then one over the largest
        leverage, in the design with an intercept added. By default the design of the data set; all samples are one
        group in a table of counts.
    lib_size, norm_factors
        Library sizes by sample, by default the column sums, and normalization factors, by default 1; see `cpm`.
    min_count, min_total_count
        Counts that are enough, see above.
    large_n, min_prop
        Of a smallest group beyond `large_n` samples, the fraction `min_prop` of those beyond is enough.

    Returns
    -------
    pandas.Series or numpy.ndarray
        By gene, truth values; an array for an array.

    Warns
    -----
    CountnestWarning
        No gene has counts enough.

    Notes
    -----
    R counterpart: edgeR::filterByExpr.
    """
    table = _table(counts)
    for name, value in (("min_count", min_count), ("min_total_count", min_total_count), ("large_n", large_n)):
        not_negative(name, value)
    positive_number("min_prop", min_prop)
    library = _effective(table, lib_size, norm_factors)
    rule = FilterRule(float(min_count), float(min_total_count), float(large_n), float(min_prop))
    keep = filter_rows(table.values, library, _group_size(counts, group, design, len(table.samples)), rule)
    if not keep.any():
        warn(
            f"no gene is kept: none has min_count={min_count:g} in enough samples and min_total_count="
            f"{min_total_count:g} in all of them. Lower them, or check the counts."
        )
    return table.by_gene(keep, "keep")


@checked_arguments
def cpm(
    counts: Counts,
    *,
    lib_size: Any = None,  # noqa: ANN401 (Series, mapping, sequence)
    norm_factors: Any = None,  # noqa: ANN401
    offset: Any = None,  # noqa: ANN401 (DataFrame, array)
    log: bool = False,
    prior_count: float = 2,
) -> pd.DataFrame | FloatArray:
    """Return counts per million of the effective library sizes.

    Parameters
    ----------
    counts
        A data set, or a table of counts, genes x samples.
    lib_size
        Library sizes by sample; by default the column sums.
    norm_factors
        Normalization factors by sample, or the method to estimate them by, such as "TMM"; by default 1.
    offset
        Logarithms of library sizes, genes x samples, in place of library sizes and factors.
    log
        Logarithms of base 2, with `prior_count` added to the counts of a sample of average library size.

    Returns
    -------
    pandas.DataFrame or numpy.ndarray
        Genes x samples; an array for an array.

    Notes
    -----
    R counterpart: edgeR::cpm.
    """
    table = _table(counts)
    check_flags(log=log)
    library = _effective(table, lib_size, norm_factors, offset)
    if log:
        return table.whole(abundance.log_cpm(table.values, library, _prior_count(prior_count)))
    return table.whole(abundance.cpm(table.values, library))


@checked_arguments
def rpkm(
    counts: Counts,
    gene_length: Any,  # noqa: ANN401 (Series, mapping, sequence)
    *,
    lib_size: Any = None,  # noqa: ANN401
    norm_factors: Any = None,  # noqa: ANN401
    log: bool = False,
    prior_count: float = 2,
) -> pd.DataFrame | FloatArray:
    """Return counts per million and kilobase of the genes' lengths, in base pairs; other arguments as those of `cpm`.

    Notes
    -----
    R counterpart: edgeR::rpkm.
    """
    table = _table(counts)
    check_flags(log=log)
    lengths = _by_label(gene_length, table.genes, "gene", "gene_length")
    library = _effective(table, lib_size, norm_factors)
    prior = _prior_count(prior_count)
    return table.whole(abundance.rpkm(table.values, library, lengths, log=log, prior_count=prior))


@checked_arguments
def ave_log_cpm(
    counts: Counts,
    *,
    lib_size: Any = None,  # noqa: ANN401 (Series, mapping, sequence)
    norm_factors: Any = None,  # noqa: ANN401
    offset: Any = None,  # noqa: ANN401 (DataFrame, array)
    dispersion: float = 0.05,
    prior_count: float = 2,
) -> pd.Series[float] | FloatArray:
    """Return the average log2 count per million of every gene: that of all samples as one group.

    Parameters
    ----------
    counts, lib_size, norm_factors, offset
        As those of `cpm`.
    dispersion
        Of the negative binomial distribution.
    prior_count
        Added to the counts of a sample of average library size.

    Notes
    -----
    R counterpart: edgeR::aveLogCPM.
    """
    table = _table(counts)
    library = _effective(table, lib_size, norm_factors, offset)
    alpha, prior = not_negative("dispersion", dispersion), _prior_count(prior_count)
    return table.by_gene(abundance.ave_log_cpm(table.values, library, alpha, prior_count=prior), "ave_log_cpm")


def _table(counts: Any) -> _Table:  # noqa: ANN401 (checked here)
    if isinstance(counts, CountDataSet):
        return _Table(counts._data.counts, counts._data.genes, counts._data.samples, labelled=True)
    labelled = isinstance(counts, pd.DataFrame)
    counts = without_annotation(counts) if labelled else counts
    values, genes = count_table(counts)
    if labelled:
        return _Table(values, counts.index, counts.columns, labelled=True)
    return _Table(values, genes, pd.RangeIndex(values.shape[1]), labelled=False)


def _library(table: _Table, given: Any) -> FloatArray:  # noqa: ANN401 (checked here)
    if given is None:
        sizes = table.values.sum(axis=0)
        if not (sizes > 0).all():
            empty = table.samples[~(sizes > 0)]
            raise CountsError(f"sample {empty[0]!r} has no counts: its library size is 0. Remove it, or give lib_size.")
        return as_float(sizes)
    return _by_label(given, table.samples, "sample", "lib_size")


def _effective(table: _Table, lib_size: Any, factors: Any, offset: Any = None) -> FloatArray:  # noqa: ANN401
    """Return effective library sizes, (n,) or (G, n)."""
    if offset is not None:
        if lib_size is not None or factors is not None:
            raise OptionError("offset= takes the place of library sizes and factors: leave out lib_size, norm_factors.")
        return _of_offset(table, offset)
    library = _library(table, lib_size)
    if factors is None:
        return library
    if isinstance(factors, str):
        check_option("norm_factors", factors, FactorMethod)
        return as_float(library * norm_factors(table.values, library, cast(FactorMethod, factors)))
    return as_float(library * _by_label(factors, table.samples, "sample", "norm_factors"))


def _of_offset(table: _Table, offset: Any) -> FloatArray:  # noqa: ANN401 (checked here)
    if isinstance(offset, pd.DataFrame) and table.labelled:
        offset = by_label(offset, table.genes, "gene", "offset")
        offset = by_label(offset.T, table.samples, "sample", "offset").T
    values = given_numbers(offset, "offset")
    with np.errstate(over="ignore"):
        factors = np.exp(values)
    if values.shape != table.values.shape or not (np.isfinite(factors) & (factors > 0.0)).all():
        raise NormalizationError(
            "offset must be finite and have the shape of the counts, genes x samples "
            f"{table.values.shape}; it has the shape {values.shape}. It holds natural logs of library sizes."
        )
    return as_float(factors)


def _by_label(given: Any, labels: pd.Index, noun: str, what: str) -> FloatArray:  # noqa: ANN401 (checked here)
    """Return positive numbers in the order of `labels`; a Series or mapping is matched by label."""
    given = pd.Series(given) if isinstance(given, dict) else given
    if isinstance(given, pd.Series) and not isinstance(given.index, pd.RangeIndex):
        given = by_label(given, labels, noun, what)
    values = given_numbers(given, what)
    if values.shape != (len(labels),):
        raise NormalizationError(f"{what} must be one number for each of {len(labels)} {noun}s; got {values.shape}.")
    check_factors(values, what)
    return values


def _sample(table: _Table, label: Any) -> int:  # noqa: ANN401 (checked here)
    """Return the place of a sample, given by its label or its place."""
    if table.labelled and label in table.samples:
        return int(np.flatnonzero(table.samples == label)[0])
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(table.samples):
        return label
    raise OptionError(f"ref_column={label!r} is not a sample: give a label, or a position from 0 on.")


def _group_size(counts: Any, group: Any, design: Any, n: int) -> float:  # noqa: ANN401 (checked here)
    """Return the number of samples in the smallest group, by the first of these that is given."""
    data = counts if isinstance(counts, CountDataSet) else None
    if group is not None:
        return smallest_group(_groups(data, group, n))
    if design is None:
        return float(n) if data is None else smallest_group_of_design(data._design.matrix)
    if data is not None:
        return smallest_group_of_design(build_design(design, data._data.sheet).matrix)
    if isinstance(design, str):
        raise OptionError("design= is a formula, which needs the sample sheet of a data set; give a model matrix.")
    matrix = given_numbers(design, "design", OptionError)
    if matrix.ndim != 2 or len(matrix) != n:
        raise OptionError(f"design= must be a model matrix with a row for each of the {n} samples; got {matrix.shape}.")
    return smallest_group_of_design(matrix)


def _groups(data: CountDataSet | None, group: Any, n: int) -> IntArray:  # noqa: ANN401 (checked here)
    """Return the group (n,) of each sample as a number."""
    if data is not None and isinstance(group, str):
        sheet = data._data.sheet
        check_option("group", group, [str(column) for column in sheet.columns])
        group = sheet[group]
    elif data is not None and isinstance(group, pd.Series) and not isinstance(group.index, pd.RangeIndex):
        group = by_label(group, data._data.samples, "sample", "group", OptionError)
    codes = pd.factorize(np.asarray(group))[0] if np.ndim(group) == 1 else np.zeros(0)
    if len(codes) != n or (codes < 0).any():
        raise OptionError(f"group= must be one value for each of the {n} samples, none of them missing.")
    return codes.astype(np.int64)


def _prior_count(value: Any) -> float:  # noqa: ANN401 (checked here)
    positive_number("prior_count", value)
    return float(value)
