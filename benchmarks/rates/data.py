"""Studies with known truth, drawn for a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from countnest import datasets
from countnest.simulate import NestedStudy, SimulatedStudy, ThinnedStudy, groups, nested, thinning

__all__ = [
    "GROUPS",
    "NESTED",
    "THRESHOLD",
    "Data",
    "boundary",
    "down_weighted",
    "families",
    "known_factors",
    "lost_counts",
    "of_groups",
    "one_sided",
    "thinned_airway",
    "uneven_precision",
]

GROUPS = {"fraction": 0.1, "effect_sd": 0.7}  # of the genes; natural log
NESTED = {"interaction_fraction": 0.1, "interaction_sd": 0.9}
THRESHOLD = 0.5  # log2
LOST = 0.1
LN2 = np.log(2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A data set, and the truth about the question that is asked of it.

    Attributes
    ----------
    counts, samples, design, reference
        As in `countnest.simulate.SimulatedStudy`.
    null : (G,)
        Whether the null hypothesis is true.
    effect : (G,)
        What is asked for, log2; nan for questions on several degrees of freedom.
    alpha : (G,)
        The true dispersions; None where they are not known, or not the whole truth.
    hidden
        Values of hidden factors by sample; without columns if there are none.
    weights, factors : (G, n)
        Observation weights, and normalization factors; None where there are none.
    edge : (G,)
        The genes whose p-values should be uniform: where the null hypothesis is only just true.
    """

    counts: pd.DataFrame
    samples: pd.DataFrame
    design: str
    reference: dict[str, str]
    null: np.ndarray
    effect: np.ndarray
    alpha: np.ndarray | None
    hidden: pd.DataFrame
    weights: np.ndarray | None = None
    factors: np.ndarray | None = None
    edge: np.ndarray | None = None

    @property
    def uniform(self) -> np.ndarray:
        """Return the genes (G,) whose p-values should be uniform."""
        return self.null if self.edge is None else self.edge


def with_truth(
    study: SimulatedStudy | ThinnedStudy, effect: np.ndarray, alpha: np.ndarray | None, null: np.ndarray | None = None
) -> Data:
    """Return a data set with effects (G,), log2, and dispersions (G,)."""
    hidden = getattr(study, "hidden", pd.DataFrame(index=study.samples.index))
    null = effect == 0 if null is None else null
    return Data(study.counts, study.samples, study.design, study.reference, null, effect, alpha, hidden)


def dispersions(study: SimulatedStudy) -> np.ndarray:
    """Return the true dispersions (G,)."""
    return study.truth["alpha"].to_numpy(copy=True)


def of_groups(genes: int, seed: int, **options: object) -> Data:
    """Draw two groups. With outliers or hidden factors the dispersions do not say how the counts vary."""
    study = groups(genes=genes, rng=seed, **GROUPS | options)
    plain = options.keys().isdisjoint({"outlier_fraction", "hidden"})
    return with_truth(study, study.truth["group[B]"].to_numpy() / LN2, dispersions(study) if plain else None)


def families(genes: int, seed: int, *, joint: bool) -> Data:
    """Draw families of two in four groups; the question is the interaction of group B, or of any group."""
    study: NestedStudy = nested(genes=genes, rng=seed, **NESTED)
    effect = study.truth["treat1[B]:treat2[E]"].to_numpy() / LN2
    null = study.truth["null_interaction"].to_numpy() if joint else effect == 0
    return with_truth(study, np.full(genes, np.nan) if joint else effect, dispersions(study), null)


def thinned_airway(genes: int, seed: int, *, treated: bool) -> Data:
    """Split the untreated samples of the airway study, or all, at random, and thin the counts of a tenth of the genes.

    Only genes with a mean of 1 or more are used. With the treated samples, each group has two of them.
    """
    airway = datasets.load("airway")
    samples = airway.samples if treated else airway.samples[airway.samples["dex"] == "untrt"]
    counts = airway.counts[samples.index]
    counts = counts[counts.mean(axis=1) >= 1].sample(genes, random_state=seed)
    rng = np.random.default_rng(seed)
    while True:
        study = thinning(counts, rng=rng, **GROUPS)
        sheet = study.samples.join(samples[["cell", "dex"]])
        if not treated or _separable(sheet):
            break
    data = with_truth(study, study.truth["group[B]"].to_numpy() / LN2, None)
    if not treated:
        return data
    return replace(data, samples=sheet, design="~ cell + dex + group", reference=data.reference | {"dex": "untrt"})


def _separable(sheet: pd.DataFrame) -> bool:
    """Return whether each group has two treated samples, and the design has full rank."""
    columns = [pd.get_dummies(sheet[name], drop_first=True, dtype=float) for name in ("cell", "dex", "group")]
    rank = np.linalg.matrix_rank(np.column_stack([np.ones(len(sheet)), *columns]))
    return rank == 6 and bool((pd.crosstab(sheet["group"], sheet["dex"]) == 2).all(axis=None))


def with_effects(genes: int, seed: int, size: int, effect: np.ndarray) -> Data:
    """Draw two groups of a size without effects, and thin them to effects (G,), log2."""
    study = groups(genes=genes, sizes=(size, size), fraction=0.0, rng=seed)
    thinned = thinning(study.counts, sizes=(size, size), log2_fold_changes=effect, rng=seed)
    return with_truth(thinned, effect, dispersions(study))


def boundary(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups; the null hypothesis is a fold change inside the threshold or on it.

    It is 0 in 40 % of the genes, inside in 20 %, on the threshold in 30 %, and beyond it in 10 %.
    """
    rng = np.random.default_rng((seed, 1))
    kind = rng.choice(4, genes, p=(0.4, 0.2, 0.3, 0.1))
    inside, beyond = rng.uniform(0.0, THRESHOLD, genes), THRESHOLD + np.abs(rng.normal(0.0, 1.0, genes))
    sizes = np.select([kind == 0, kind == 1, kind == 2], [0.0, inside, THRESHOLD], beyond)
    data = with_effects(genes, seed, size, sizes * rng.choice([-1.0, 1.0], genes))
    return replace(data, null=kind < 3, edge=kind == 2)


def one_sided(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups with fold changes of 0 (75 %), below 0 and above 0; the null hypothesis is 0 or below."""
    rng = np.random.default_rng((seed, 2))
    sign = rng.choice([0.0, -1.0, 1.0], genes, p=(0.75, 0.125, 0.125))
    data = with_effects(genes, seed, size, sign * np.abs(rng.normal(0.0, 1.0, genes)))
    return replace(data, null=sign <= 0, edge=sign == 0)


def down_weighted(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups in which 5 % of the counts are inflated, and have weight 0."""
    study = groups(genes=genes, sizes=(size, size), rng=seed, outlier_fraction=0.05, **GROUPS)
    data = with_truth(study, study.truth["group[B]"].to_numpy() / LN2, dispersions(study))
    return replace(data, weights=1.0 - study.outliers.to_numpy(dtype=np.float64))


def uneven_precision(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups whose counts have the variance (mu + alpha mu^2) / weight, for weights from 0.2 to 1."""
    study = groups(genes=genes, sizes=(size, size), rng=seed, **GROUPS)
    rng = np.random.default_rng((seed, 3))
    weights, mu = rng.uniform(0.2, 1.0, study.counts.shape), _means(study)
    alpha = dispersions(study)
    shape = 1.0 / ((1.0 / weights - 1.0) / mu + alpha[:, np.newaxis] / weights)
    counts = pd.DataFrame(_counts(rng, shape, mu), index=study.counts.index, columns=study.counts.columns)
    data = with_truth(study, study.truth["group[B]"].to_numpy() / LN2, alpha)
    return replace(data, counts=counts, weights=weights)


def lost_counts(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups in which a tenth of the counts is lost; weights are the probability that a zero is a count."""
    study = groups(genes=genes, sizes=(size, size), rng=seed, base=(1.0, 200.0), **GROUPS)
    rng = np.random.default_rng((seed, 5))
    counts = study.counts.where(rng.random(study.counts.shape) >= LOST, 0)
    alpha = dispersions(study)
    zero = (1.0 + alpha[:, np.newaxis] * _means(study)) ** (-1.0 / alpha[:, np.newaxis])
    weights = np.where(counts > 0, 1.0, (1.0 - LOST) * zero / (LOST + (1.0 - LOST) * zero))
    data = with_truth(study, study.truth["group[B]"].to_numpy() / LN2, alpha)
    return replace(data, counts=counts, weights=weights)


def known_factors(genes: int, seed: int, *, size: int) -> Data:
    """Draw two groups whose counts have known factors by gene and sample, log-normal with standard deviation 0.25."""
    study = groups(genes=genes, sizes=(size, size), rng=seed, **GROUPS)
    rng = np.random.default_rng((seed, 4))
    factors = np.exp(rng.normal(0.0, 0.25, study.counts.shape)) * study.size_factors.to_numpy()
    factors /= np.exp(np.log(factors).mean(axis=1, keepdims=True))
    alpha = dispersions(study)
    mu = np.exp(study.log_means.to_numpy()) * factors
    drawn = _counts(rng, np.broadcast_to(1.0 / alpha[:, np.newaxis], mu.shape), mu)
    counts = pd.DataFrame(drawn, index=study.counts.index, columns=study.counts.columns)
    data = with_truth(study, study.truth["group[B]"].to_numpy() / LN2, alpha)
    return replace(data, counts=counts, factors=factors)


def _means(study: SimulatedStudy) -> np.ndarray:
    """Return the means (G, n) of the counts."""
    return np.exp(study.log_means.to_numpy()) * study.size_factors.to_numpy()


def _counts(rng: np.random.Generator, shape: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Draw negative binomial counts with the variance mu + mu^2 / shape."""
    return rng.negative_binomial(shape, shape / (shape + mu))
