"""What edgeR's method takes of a data set: the genes that stay, library sizes, offsets, weights, dispersions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from countnest.api.expressed import effective_of_kept, kept_genes, warn_of_depth
from countnest.api.inputs import by_label, given_numbers, positive_number
from countnest.arrays import FloatArray, as_float
from countnest.design.design import check_residual_df, check_varying
from countnest.design.random.refusal import refuse_random
from countnest.errors import DesignError, OptionError, counted, listing
from countnest.methods.edger.model import EdgeRInput, offset_factors
from countnest.remedies import advised
from countnest.stats.edger.dispersion import Dispersions
from countnest.stats.edger.levels import Compat, compat_level

if TYPE_CHECKING:
    from countnest.api.dataset import CountDataSet

__all__ = ["NAME", "EdgeRDispersions", "given_dispersion", "prepared"]

# The name of the fit, unless another is given.
NAME = "edger"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EdgeRDispersions:
    """Dispersions that `estimate_disp` found.

    Attributes
    ----------
    common
        Of all genes.
    table
        By gene: `logCPM`, `trended`, `tagwise` and `prior_df`; missing for genes without counts.
    span
        Fraction of the genes in each neighbourhood of the trend.
    compat
        The release whose behaviour it is; None: the newest, with exact numbers.
    found, kept
        The same dispersions as arrays, and the labels of their genes.
    """

    common: float
    table: pd.DataFrame
    span: float
    compat: Compat | None
    found: Dispersions
    kept: pd.Index

    def __repr__(self) -> str:
        return f"<EdgeRDispersions: common {self.common:.4g}, {counted(len(self.table), 'gene')}>"


def prepared(
    dds: CountDataSet,
    filter: Any,  # noqa: ANN401
    norm_factors: Any,  # noqa: ANN401
    compat: Compat | None,
    prior_count: float,
    *,
    estimates: bool = True,
) -> tuple[EdgeRInput, FloatArray]:
    """Return what genes are fitted to, and effective library sizes (n,).

    `estimates` says whether dispersions or quasi-dispersions are estimated, which takes residual degrees of freedom.
    """
    compat_level(compat)
    positive_number("prior_count", prior_count)
    refuse_random(dds._design, "edgeR's method")
    _check_replicates(dds, estimates=estimates)
    kept = kept_genes(dds, filter)
    library = effective_of_kept(dds, dds._data.counts[kept], norm_factors)
    weights = dds._weights
    if weights is not None and (weights <= 0).any():
        raise OptionError(
            "observation weights must be positive in edgeR's method, and some of those of the data set are 0; give "
            "such counts a small one, such as 1e-4."
        )
    by_gene, is_by_gene = dds._factors()
    factors = library[np.newaxis]
    if is_by_gene and by_gene is not None:
        warn_of_depth(by_gene[kept], library)
        factors = offset_factors(by_gene, library)
    missing = np.full(len(kept), np.nan)
    return EdgeRInput(as_float(factors), weights, kept, missing, float(prior_count), compat), library


def _check_replicates(dds: CountDataSet, *, estimates: bool) -> None:
    """Raise where no residual degrees of freedom are left to estimate dispersions with."""
    n, p = dds._design.matrix.shape
    if n != p:
        check_residual_df(dds._design)
        return
    check_varying(dds._design)
    if estimates:
        raise DesignError(
            f"the design has as many coefficients as samples ({p}), so that nothing is left to estimate dispersions "
            "from, and quasi-likelihood tests cannot be made. Replicates are needed, or a design with fewer terms. "
            + advised(
                "With a dispersion of your own there are fold changes and likelihood ratio tests, cn.edger(dds, "
                "test='lrt', dispersion=0.16), cn.pred_fc(dds, 0.16) and cn.exact_test(dds, dispersion=0.16), whose "
                "p-values are only as good as that number.",
                "In Python there are fold changes and likelihood ratio tests with a dispersion of your own.",
            )
        )


def given_dispersion(
    value: Any,  # noqa: ANN401
    dds: CountDataSet,
    given: EdgeRInput,
) -> tuple[FloatArray | None, Dispersions | None]:
    """Return dispersions (G,) that are given, or those that were estimated."""
    if value is None:
        return None, None
    genes = dds._data.genes
    if isinstance(value, EdgeRDispersions):
        if not value.kept.equals(genes[given.kept]):
            raise OptionError(
                "dispersion= was estimated from other genes than those of this fit: estimate_disp and the fit must "
                "have the same data set, and filter=False."
            )
        return None, value.found
    if isinstance(value, pd.Series) and not isinstance(value.index, pd.RangeIndex):
        value = by_label(value, genes, "gene", "dispersion", OptionError)
    numbers = np.broadcast_to(given_numbers(value, "dispersion", OptionError), np.shape(value) or genes.shape).copy()
    if numbers.shape != genes.shape:
        raise OptionError(f"dispersion= must be a number, or one for each of {len(genes)} genes; got {numbers.shape}.")
    wrong = genes[given.kept & ~(np.isfinite(numbers) & (numbers >= 0))]
    if len(wrong):
        raise OptionError(
            "dispersion= must be finite and not negative; it is not for "
            f"{counted(len(wrong), 'gene')}: {listing(wrong)}."
        )
    return as_float(numbers), None
