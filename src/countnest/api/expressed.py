"""The genes that an analysis is made of, their library sizes, and what a data set was given that is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from countnest.api.inputs import by_label, given_numbers
from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.errors import CountsError, NormalizationError, OptionError, counted, listing, warn
from countnest.options import check_option
from countnest.remedies import advised
from countnest.stats.norm.filter import FilterRule, filter_by_expr, smallest_group_of_design
from countnest.stats.norm.size_factors import check_factors
from countnest.stats.norm.tmm import FactorMethod, norm_factors

if TYPE_CHECKING:
    from countnest.api.dataset import CountDataSet
    from countnest.methods.stage import Normalized
    from countnest.parallel.run import Engine

__all__ = ["effective_of_kept", "kept_genes", "warn_of_depth", "warn_of_unused", "with_size_factors"]

# Factors that differ between samples by more than this can be told to follow the library sizes, or not to.
TELLING = 2.0


def warn_of_unused(dds: CountDataSet, function: str, *, by_gene: bool = False) -> None:
    """Warn of what a data set was given and a method does not use; `by_gene` says that it uses factors by gene."""
    unused = []
    if dds._weights is not None:
        unused.append("observation weights")
    if dds._lengths is not None and not by_gene:
        unused.append("average transcript lengths")
    elif dds._given is not None and dds._given_by_gene and not by_gene:
        unused.append("normalization factors by gene")
    if unused:
        warn(f"{function} does not use the {' and '.join(unused)} of the data set.")


def kept_genes(dds: CountDataSet, chosen: Any) -> BoolArray:  # noqa: ANN401 (checked here)
    """Return the genes (G,) that stay, of those with counts: by the usual filter, True; all, False; or those given.

    Raises
    ------
    OptionError
        No gene stays, or the truth values cannot be used.
    """
    data = dds._data
    if isinstance(chosen, (bool, np.bool_)):
        if not chosen:
            return data.counted.copy()
        rule, counts = FilterRule(), data.counts
        keep = filter_by_expr(counts, counts.sum(axis=0), smallest_group_of_design(dds._design.matrix), rule)
        if not keep.any():
            raise OptionError(
                f"no gene is left: none has min_count={rule.min_count:g} in as many samples as the smallest group has, "
                f"and min_total_count={rule.min_total_count:g} in all. "
                + advised(
                    "Give truth values of your own, such as filter=cn.filter_by_expr(dds, min_count=3), or "
                    "filter=False for all genes.",
                    "Take --method deseq2, which fits all genes.",
                )
            )
        return keep
    values = by_label(chosen, data.genes, "gene", "filter", OptionError) if isinstance(chosen, pd.Series) else chosen
    keep = np.asarray(values)
    if keep.dtype != np.bool_ or keep.shape != (len(data.genes),):
        raise OptionError(
            f"filter= must be True, False, or one truth value for each of the {len(data.genes)} genes, such as "
            "cn.filter_by_expr(dds)."
        )
    keep = keep & data.counted
    if not keep.any():
        raise OptionError("no gene is left: filter= keeps none that has counts.")
    return keep


def effective_of_kept(dds: CountDataSet, counts: FloatArray, factors: Any) -> FloatArray:  # noqa: ANN401
    """Return library sizes (n,) of counts (G, n) times normalization factors, estimated by a method or given.

    Raises
    ------
    CountsError
        A sample has no counts in these genes.
    NormalizationError
        The factors cannot be used.
    """
    samples = dds._data.samples
    library = counts.sum(axis=0)
    empty = samples[library <= 0]
    if len(empty):
        raise CountsError(
            f"{counted(len(empty), 'sample')} without counts in the genes that are left: {listing(empty)}."
        )
    if isinstance(factors, str):
        check_option("norm_factors", factors, FactorMethod)
        return as_float(library * norm_factors(counts, library, cast(FactorMethod, factors)))
    factors = pd.Series(factors) if isinstance(factors, dict) else factors
    if isinstance(factors, pd.Series) and not isinstance(factors.index, pd.RangeIndex):
        factors = by_label(factors, samples, "sample", "norm_factors")
    values = given_numbers(factors, "norm_factors")
    if values.shape != library.shape:
        raise NormalizationError(
            f"norm_factors must be one number for each of {len(samples)} samples; got {values.shape}."
        )
    check_factors(values, "norm_factors")
    _warn_of_size_factors(values, library)
    return as_float(library * values)


def warn_of_depth(by_gene: FloatArray, library: FloatArray) -> None:
    """Warn of normalization factors by gene (G, n) that do not follow the effective library sizes (n,)."""
    level = np.exp(np.log(by_gene).mean(axis=0))
    spread = _spread(level / library)
    if spread > TELLING and _slope(level, library) < 0.5:
        warn(
            "the normalization factors of the data set do not follow the library sizes: relative to these they differ "
            f"by a factor of {spread:.3g} between samples. They must include the sequencing depth, as the exponentials "
            "of edgeR's offsets do; logarithms, or factors for lengths alone, do not."
        )


def _warn_of_size_factors(factors: FloatArray, library: FloatArray) -> None:
    """Warn of normalization factors (n,) that are, or follow, library sizes (n,), with which they are multiplied."""
    middle = float(np.exp(np.log(factors).mean()))
    follow = _spread(factors) > TELLING and _slope(factors, library) > 0.5
    if follow or not 1.0 / TELLING**2 < middle < TELLING**2:
        warn(
            "norm_factors are multiplied with the library sizes, and are near 1 in most studies; these are "
            f"{factors.min():.3g} to {factors.max():.3g}"
            f"{', and follow the library sizes' if follow else ''}. If they are size factors, such as DESeq2's, divide "
            "them by the library sizes: norm_factors=factors / dds.counts().sum() * dds.counts().sum().mean()."
        )


def _spread(values: FloatArray) -> float:
    return float(values.max() / values.min())


def _slope(values: FloatArray, library: FloatArray) -> float:
    """Return how much log values (n,) rise with log library sizes (n,): 1 where they are in proportion."""
    x = np.log(library) - np.log(library).mean()
    square = float(x @ x)
    return float(np.log(values) @ x) / square if square > 0.0 else 0.0


def with_size_factors(dds: CountDataSet, engine: Engine) -> Normalized:
    """Return the data set's size factors, which are estimated, and kept, where there are none.

    Raises
    ------
    NormalizationError
        They would be those of a single gene.
    """
    if dds._state is None:
        if dds._given is None and len(dds._data.genes) == 1:
            raise NormalizationError(
                "size factors cannot be estimated from a single gene: they would make all of its counts equal. Give "
                "size_factors=, or cn.single_response('counts ~ treatment + (1 | slide)', data), whose are one."
            )
        dds._keep(dds._normalize("ratio", engine), engine)
    return dds._normalized()
