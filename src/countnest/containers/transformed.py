"""Transformed counts, with all that is needed to transform other samples in the same way."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from countnest.containers.table_file import write_table
from countnest.counterparts import Answering
from countnest.errors import OptionError, counted
from countnest.files import FilePath
from countnest.signature import checked_methods
from countnest.stats.dispersion.trend import DispersionTrend
from countnest.stats.transform.principal import most_variable

__all__ = ["TransformMethod", "Transformed"]

TransformMethod = Literal["vst", "rlog", "norm_transform"]

_NAMES: dict[TransformMethod, str] = {
    "vst": "variance stabilizing transformation",
    "rlog": "regularized logarithm",
    "norm_transform": "transformed normalized counts",
}
_SHOWN_ROWS = 10


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Transformed(Answering):
    """Counts on a log2-like scale, for distances, clustering and figures, but not for tests.

    R counterpart: DESeq2::DESeqTransform

    Attributes
    ----------
    table
        Genes x samples, log2 (of `norm_transform`, the scale of its function).
    method
        "vst", "rlog" or "norm_transform".
    blind
        Whether it is blind to the design.
    frozen
        Whether the transformation was taken over from other samples (`like=`).
    trend
        The dispersion trend of "vst" and "rlog".
    intercept
        Of "rlog", by gene, log2; -inf for genes that were not fitted, such as those without any count.
    dispersion
        Of "rlog", by gene: the trend at the gene's mean.
    prior_var
        Of "rlog": the variance of the prior on the effects of samples, log2.
    """

    table: pd.DataFrame
    method: TransformMethod
    blind: bool
    frozen: bool = False
    trend: DispersionTrend | None = None
    intercept: pd.Series[float] | None = None
    dispersion: pd.Series[float] | None = None
    prior_var: float | None = None

    def __repr__(self) -> str:
        table = self.table.to_string(max_rows=_SHOWN_ROWS, float_format="{:.6g}".format)
        return "\n".join([*self._headings(), table])

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._headings())
        return f"<p>{lines}</p>{self.table.to_html(max_rows=_SHOWN_ROWS, float_format='{:.6g}'.format, border=0)}"

    def top_variance(self, n: int = 500) -> pd.DataFrame:
        """Return the `n` genes that vary most over the samples, the most variable first; all, if there are fewer.

        They are what principal components and heat maps are commonly made of.

        Notes
        -----
        R counterpart: the choice of genes in DESeq2::plotPCA(ntop=).
        """
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise OptionError(f"n={n!r} genes cannot be chosen; give a whole number of 1 or more.")
        if self.table.shape[1] == 1:
            raise OptionError("genes do not vary over one sample; top_variance() needs two or more.")
        return self.table.iloc[most_variable(self.table.to_numpy(), n)]

    def to_csv(self, path: FilePath) -> None:
        """Write the table with the genes in the first column, completely or not at all.

        Parameters
        ----------
        path
            The file. A name that ends with .csv gets commas; .tsv, .tab and .txt get tabs; with .gz, .bz2 or .xz after
            it, the file is compressed.

        Raises
        ------
        FileError
            The file cannot be written, or its name has another ending.
        """
        write_table(self.table, path)

    def _headings(self) -> list[str]:
        n_genes, n = self.table.shape
        lines = [f"{_NAMES[self.method]}: {counted(n_genes, 'gene')} x {counted(n, 'sample')}"]
        if self.trend is None:
            return lines
        origin = "of other samples" if self.frozen else "estimated"
        blindly = "blind to the design" if self.blind else "given the design"
        coefficients = self.trend.coefficients or {}
        details = "".join(f", {name} {value:.4g}" for name, value in coefficients.items())
        lines.append(f"{self.trend.fit_type} dispersion trend, {origin}, {blindly}{details}")
        if self.prior_var is not None:
            lines.append(f"prior variance of the effects of samples: {self.prior_var:.4g}")
        return lines
