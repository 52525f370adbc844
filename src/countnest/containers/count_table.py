"""What a reader of count files returns: the counts, and all that came with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import pandas as pd

from countnest.display import Described, first_of
from countnest.errors import OptionError, UnknownNameError, counted
from countnest.options import check_option

__all__ = ["CountTable", "CountsFromAbundance"]

CountsFromAbundance = Literal["no", "scaledTPM", "lengthScaledTPM"]


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class CountTable(Described):
    """Counts that were read from the files of a program, with what came with them; `DESeqDataSet` takes it.

    Attributes
    ----------
    counts
        Counts, genes x samples, labels of both as text. Estimated counts are rounded, and a note says so.
    source
        The program, or the kind of file.
    gene_info
        Annotation of the genes, labels in the index; None: there is none.
    samples
        The sample sheet that came with the counts, such as the `obs` of an AnnData object; None: there is none.
    lengths
        Average transcript lengths, genes x samples, which `DESeqDataSet` turns into normalization factors; None: there
        are none, or the counts do not depend on them.
    counts_from_abundance
        How estimated counts were made, as tximport calls it: "no", "scaledTPM" or "lengthScaledTPM". The last two do
        not depend on transcript lengths, and have none here.
    notes
        What was recognised, changed and left out, in sentences.

    Raises
    ------
    OptionError
        There are lengths although the counts do not depend on them.

    Notes
    -----
    R counterpart: the list that tximport::tximport returns, or a SummarizedExperiment.
    """

    counts: pd.DataFrame
    source: str
    gene_info: pd.DataFrame | None = None
    samples: pd.DataFrame | None = None
    lengths: pd.DataFrame | None = None
    counts_from_abundance: CountsFromAbundance = "no"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that lengths are given only for counts that depend on them."""
        check_option("counts_from_abundance", self.counts_from_abundance, CountsFromAbundance)
        if self.lengths is not None:
            self.refuse_lengths()

    def refuse_lengths(self) -> None:
        """Raise `OptionError` if the counts do not depend on transcript lengths."""
        if self.counts_from_abundance != "no":
            raise OptionError(
                f"these counts are of the kind {self.counts_from_abundance}, which do not depend on transcript "
                "lengths any more: to correct for lengths again would bias all fold changes. Leave out the lengths, or "
                "give the counts that were not scaled."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of genes and samples, (G, n)."""
        n_genes, n_samples = self.counts.shape
        return n_genes, n_samples

    def _described(self) -> tuple[str, dict[str, str]]:
        """Describe the table in a line and a few facts."""
        n_genes, n_samples = self.counts.shape
        facts = {
            "samples": first_of(self.counts.columns),
            "gene_info": "" if self.gene_info is None else first_of(self.gene_info.columns),
            "sample sheet": "" if self.samples is None else first_of(self.samples.columns),
            "lengths": "" if self.lengths is None else "average transcript lengths",
            "notes": " ".join(self.notes),
        }
        title = f"CountTable: {counted(n_genes, 'gene')} x {counted(n_samples, 'sample')}, of {self.source}"
        return title, {what: value for what, value in facts.items() if value}

    def __getattr__(self, name: str) -> NoReturn:
        """Explain that the table has what a DataFrame has."""
        if hasattr(pd.DataFrame, name) and not name.startswith("_"):
            raise UnknownNameError(
                f"a CountTable has no '{name}', but its table of counts has: write record.counts.{name}."
            )
        raise AttributeError(f"'CountTable' object has no attribute {name!r}")

    def __getitem__(self, key: Any) -> NoReturn:  # noqa: ANN401 (whatever is looked up)
        """Explain where the table is."""
        raise OptionError(f"a CountTable has no items; its table of counts has: record.counts[{key!r}].")
