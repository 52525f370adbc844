"""The records of a simulated study, and their construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.display import Described, first_of
from countnest.errors import counted
from countnest.simulate.counts import CountModel, draw_counts
from countnest.simulate.effect import Effects, Term, draw_effects
from countnest.simulate.hidden import draw_hidden, scores

__all__ = ["Draw", "NestedStudy", "SimulatedStudy", "draw_study", "sample_labels"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimulatedStudy(Described):
    """A simulated study: counts, sample sheet, and the truth about each gene.

    Attributes
    ----------
    counts : G genes x n samples, int64
        The counts.
    samples : n rows
        The sample sheet, all columns text, in the order of the columns of `counts`.
    truth : G rows
        `base`, the mean count in the reference group at size factor 1, without hidden factors; `alpha`, the dispersion;
        the effects, natural log, in treatment coding: 'treat2[E]' is the effect of E at the reference levels of the
        other variables, 'treat1[B]:treat2[E]' how much it differs in B. For each term a column such as 'null_treat2'
        or 'null_treat1:treat2': True where no effect that involves all variables of the term differs from 0.
    design
        A formula that fits the study.
    reference
        Reference levels of the variables, for this formula.
    log_means : G genes x n samples
        Natural log of the mean of each count at size factor 1, without its inflation. A contrast L (p,) of `design`, or
        of another formula for the same model, has the true value ``log_means @ (L @ pinv(X))``, natural log, where X
        (n, p) is its matrix, unless there are hidden factors: these are part of the means, and not of the effects.
    size_factors : n numbers
        The size factors.
    hidden : n samples x k hidden factors
        The values of the hidden factors `hidden1`, `hidden2`, ...; their effects on the genes, natural log for one
        unit, are in the columns of `truth` with these names. No columns if there are none.
    outliers : G genes x n samples
        True for the counts that were inflated.
    """

    counts: pd.DataFrame
    samples: pd.DataFrame
    truth: pd.DataFrame
    design: str
    reference: dict[str, str]
    log_means: pd.DataFrame
    size_factors: pd.Series[float]
    hidden: pd.DataFrame
    outliers: pd.DataFrame

    def _described(self) -> tuple[str, dict[str, str]]:
        n_genes, n = self.counts.shape
        title = f"{type(self).__name__}: {counted(n_genes, 'gene')} x {counted(n, 'sample')}, design {self.design}"
        references = [f"{name} {level}" for name, level in self.reference.items()]
        return title, {
            "samples": first_of(self.samples), "reference levels": first_of(references), "truth": first_of(self.truth)
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NestedStudy(SimulatedStudy):
    """A simulated study of families within groups.

    The attributes of `SimulatedStudy`, and one more. `truth` also has `family_sd`, `null_treat1` (no difference between
    groups of families in any condition), `null_treat2` (no response to treat2 in any group) and `null_interaction` (the
    same response to treat2 in all groups).

    Attributes
    ----------
    family_effects : G genes x families
        Difference of each family from the mean of its group, natural log.
    """

    family_effects: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What was drawn for a study: the tables of `SimulatedStudy`, and the effects with their terms."""

    counts: pd.DataFrame
    truth: pd.DataFrame
    log_means: pd.DataFrame
    size_factors: pd.Series[float]
    hidden: pd.DataFrame
    outliers: pd.DataFrame
    effects: Effects


def draw_study(
    sheet: pd.DataFrame,
    levels: Mapping[str, Sequence[str]],
    terms: Sequence[Term],
    model: CountModel,
    rng: np.random.Generator,
    *,
    along: str,
    blocks: FloatArray | float = 0.0,
) -> Draw:
    """Draw genes, effects and counts.

    Parameters
    ----------
    sheet
        The sample sheet, n rows.
    levels
        Levels of each variable that has effects; the first is the reference.
    terms
        The main effects and interactions.
    model
        Number of genes, base means, dispersions, size factors, outliers and hidden factors.
    rng
        Source of random numbers.
    along
        The variable that hidden factors may be correlated with.
    blocks
        Effects of the family of each sample, shape (G, n), natural log.
    """
    # Each quantity has its own stream, so that the first genes do not depend on how many follow, and counts without
    # outliers and hidden factors do not depend on these.
    for_base, for_alpha, for_samples, for_effects, for_counts = rng.spawn(5)
    base = model.draw_base(for_base)
    alpha = model.dispersion.draw(base, for_alpha)
    factors = model.draw_size_factors(len(sheet), for_samples)
    effects = draw_effects(terms, levels, model.genes, for_effects)
    log_means = np.log(base)[:, None] + effects.on(sheet) + blocks
    hidden = draw_hidden(model.hidden, scores(sheet[along], levels[along]), model.genes, for_effects)
    if model.hidden:
        log_means = log_means + hidden.on_samples()
    counts, inflated = model.outliers.inflate(draw_counts(log_means + np.log(factors), alpha, for_counts), for_counts)

    genes = pd.Index(_labels("g", model.genes), name="gene")
    return Draw(
        counts=pd.DataFrame(counts, index=genes, columns=sheet.index),
        truth=_truth(genes, base, alpha, effects, terms).join(
            pd.DataFrame(hidden.effects, index=genes, columns=hidden.names)
        ),
        log_means=pd.DataFrame(log_means, index=genes, columns=sheet.index),
        size_factors=pd.Series(factors, index=sheet.index, name="size_factor"),
        hidden=pd.DataFrame(hidden.values, index=sheet.index, columns=pd.Index(hidden.names, dtype=object)),
        outliers=pd.DataFrame(inflated, index=genes, columns=sheet.index),
        effects=effects,
    )


def sample_labels(n: int) -> pd.Index[str]:
    """Return the labels s000, s001, ... of n samples."""
    return pd.Index(_labels("s", n, least=3), name="sample")


def _truth(
    genes: pd.Index[str], base: FloatArray, alpha: FloatArray, effects: Effects, terms: Sequence[Term]
) -> pd.DataFrame:
    numbers = pd.DataFrame({"base": base, "alpha": alpha}, index=genes)
    values = pd.DataFrame(effects.values, index=genes, columns=effects.names)
    nulls = {f"null_{':'.join(term.variables)}": effects.null(*term.variables) for term in terms}
    return pd.concat([numbers, values, pd.DataFrame(nulls, index=genes)], axis=1)


def _labels(letter: str, size: int, least: int = 5) -> list[str]:
    """Return labels of equal length, whose alphabetical order is their order."""
    width = max(least, len(str(size - 1)))
    return [f"{letter}{number:0{width}d}" for number in range(size)]
