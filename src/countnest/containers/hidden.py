"""The record of hidden factors that were taken out of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from countnest.arrays import FloatArray
from countnest.display import Described
from countnest.errors import counted

__all__ = ["HiddenRecord"]

_SHOWN = 5  # eigenvalues


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class HiddenRecord(Described):
    """Hidden factors that were taken out of a comparison, K of them; n samples.

    Attributes
    ----------
    n_factors
        K; 0 where none was found.
    found
        Whether the number was found by parallel analysis, and not given.
    eigenvalues, reference
        Those of the standardized residuals, one for each residual degree of freedom, descending; and those of permuted
        residuals, which a factor has to surpass by a tenth.
    tau
        (K, k) what each factor, of unit length, adds to each row of the comparison.
    confounding
        (K,) how much of each factor lies along the comparison, over what is orthogonal to the design. For two equal
        groups it is half of the difference between the groups in standard deviations of the factor. Above 0.5 factor
        and comparison are confounded.
    columns
        (n, K) the factors, hidden1 and so on, by sample: added to the design, they give the same answer.
    n_genes
        The number of genes in which they were found.
    seed
        Of the permutations.
    """

    n_factors: int
    found: bool
    eigenvalues: FloatArray
    reference: FloatArray
    tau: FloatArray
    confounding: FloatArray
    columns: pd.DataFrame
    n_genes: int
    seed: int

    def __str__(self) -> str:
        return f"{self.n_factors}, {'by parallel analysis' if self.found else 'as given'}"

    def lines(self) -> list[str]:
        """Return sentences for a summary."""
        how = "by parallel analysis" if self.found else "as given"
        if not self.n_factors:
            return [f"hidden factors: none found ({how}, {counted(self.n_genes, 'gene')}), nothing was taken out"]
        values = ", ".join(
            f"{value:.2g} (noise {noise:.2g})"
            for value, noise in zip(self.eigenvalues[: self.n_factors], self.reference[: self.n_factors], strict=True)
        )
        along = ", ".join(f"{size:.2f}" for size in self.confounding)
        return [
            f"hidden factors: {self.n_factors} taken out ({how}), eigenvalues {values};",
            f"confounding with the comparison {along} (above 0.5 it is strong)",
        ]

    def numbers(self) -> dict[str, FloatArray | int]:
        """Return the numbers by their names."""
        names = ("n_factors", "eigenvalues", "reference", "tau", "confounding", "n_genes", "seed")
        return {name: getattr(self, name) for name in names}

    def _described(self) -> tuple[str, dict[str, str]]:
        """Return a title, and the numbers."""

        def first(values: FloatArray) -> str:
            more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
            return ", ".join(f"{value:.4g}" for value in values[:_SHOWN]) + more

        facts = {
            "number": str(self),
            "eigenvalues": first(self.eigenvalues),
            "of permuted residuals": first(self.reference),
            "tau": "; ".join(first(row) for row in self.tau),
            "confounding": first(self.confounding),
            "genes": str(self.n_genes),
            "seed": str(self.seed),
        }
        return f"hidden factors of {counted(len(self.columns), 'sample')}", {k: v for k, v in facts.items() if v}
