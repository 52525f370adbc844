"""What the two-step method finds: the probability of an effect of every gene, and the mixture that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from countnest.api.inputs import probability
from countnest.arrays import FloatArray
from countnest.containers.narrow import GeneTable
from countnest.containers.table_file import write_table
from countnest.display import Described
from countnest.errors import counted
from countnest.files import FilePath
from countnest.protected import protected
from countnest.signature import checked_methods
from countnest.stats.shrink.mixture import ScaleMixture

if TYPE_CHECKING:
    from countnest.plots.mixture import Axes, Figure

__all__ = ["TwoStep"]

_ADVICE = "take a copy to work with, found.table.copy()."
_WHY = "the table of the two-step method holds what was found, and is not edited"
_LEVEL = 0.05


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TwoStep(Described):
    """Genes with and without an effect, by the two-step method.

    Attributes
    ----------
    label
        The comparison.
    method, test
        'calibrated' or 'trabzuni', and what the first step is.
    mixture
        Weights and scales of its components, and which are of genes without an effect.
    statistic
        (G,) what the mixture is of: normal scores, or predicted effects.
    table
        By gene: baseMean; `effect`, the posterior mean of the log2 fold change; `probability` that there is an effect;
        `lfdr`, the local false discovery rate, 1 less the probability; `fdr`, the Bayesian false discovery rate of the
        gene and all that are more probable; annotation. Of the calibrated method, too: `log2FoldChange`, `pvalue` and
        `padj` of the test, and its normal score `z`. Genes that were not tested have missing values.
    """

    label: str
    method: str
    test: str
    mixture: ScaleMixture
    statistic: FloatArray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        """Hold a copy of the table that refuses to be edited."""
        object.__setattr__(self, "table", protected(self.table.copy(), _ADVICE, _WHY))

    def __len__(self) -> int:
        """Return the number of genes."""
        return len(self.table)

    @property
    def null_share(self) -> float:
        """The estimated share of genes without an effect."""
        return self.mixture.null_share

    def significant(self, fdr: float = _LEVEL) -> pd.DataFrame:
        """Return the genes whose Bayesian false discovery rate is below a level, the most probable first.

        Parameters
        ----------
        fdr
            The level: the expected share of genes without an effect among those that are returned.
        """
        probability("fdr", fdr)
        return GeneTable(self._sorted()[lambda table: table["fdr"] < fdr])

    def top(self, n: int = 10) -> pd.DataFrame:
        """Return the `n` genes that most probably have an effect."""
        return GeneTable(self._sorted().head(n))

    def to_csv(self, path: FilePath) -> None:
        """Write the table by gene, as `Results.to_csv` does."""
        write_table(self.table, path)

    def plot(self, *, fdr: float = _LEVEL, ax: Axes | None = None) -> Figure:
        """Draw the mixture over the histogram of the statistics.

        Parameters
        ----------
        fdr
            The level of the Bayesian false discovery rate below which genes are marked.
        ax
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        Figure
            The figure: ``found.plot().savefig("mixture.png")``.
        """
        from countnest.plots.mixture import DrawnMixture, draw_mixture

        probability("fdr", fdr)
        xlabel = "normal score of the test" if self.method == "calibrated" else "predicted effect, log2"
        called = (self.table["fdr"] < fdr).to_numpy()
        words = f"Bayesian FDR < {fdr:g}"
        return draw_mixture(DrawnMixture(self.statistic, self.mixture, called, words, xlabel, self.label), ax)

    def _sorted(self) -> pd.DataFrame:
        return pd.DataFrame(self.table).sort_values(["lfdr", "effect"], key=abs, ascending=[True, False], kind="stable")

    def _described(self) -> tuple[str, dict[str, str]]:
        known = self.table["probability"].notna()
        likely = int((self.table["probability"] >= 0.5).sum())
        return f"{self.label}, in two steps", {
            "method": f"{self.method} ({self.test})",
            "genes": f"{int(known.sum()):,} of {len(self):,} tested",
            "without an effect": f"{100 * self.null_share:.1f} %, estimated",
            "probability of an effect >= 0.5": counted(likely, "gene"),
            f"Bayesian FDR < {_LEVEL:g}": counted(int((self.table["fdr"] < _LEVEL).sum()), "gene"),
        }
