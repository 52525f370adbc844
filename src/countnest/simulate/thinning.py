"""Real counts with effects of known size, by binomial thinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray
from countnest.containers.counts import count_data
from countnest.containers.gene_info import without_annotation
from countnest.display import Described, first_of
from countnest.errors import OptionError, counted, kind_of, listing
from countnest.signature import checked_arguments
from countnest.simulate.argument import number, probability, whole_numbers
from countnest.simulate.counts import generator
from countnest.simulate.effect import Effects, Term, draw_effects
from countnest.simulate.groups import group_names

__all__ = ["ThinnedStudy", "thinning"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ThinnedStudy(Described):
    """Real counts, of which reads were removed at random so that groups differ by a known factor.

    Attributes
    ----------
    counts : G genes x n samples, int64
        The counts that are left.
    samples : n rows
        The sample sheet, with the one variable `group`, in the order of the columns of `counts`.
    truth : G rows
        'group[B]', the effect of a group against the first, natural log, and 'null_group': True where no group differs.
    design
        A formula that fits the study.
    reference
        Reference levels of the variables, for this formula.
    kept : G genes x n samples
        The probability with which each read was kept.
    """

    counts: pd.DataFrame
    samples: pd.DataFrame
    truth: pd.DataFrame
    design: str
    reference: dict[str, str]
    kept: pd.DataFrame

    def _described(self) -> tuple[str, dict[str, str]]:
        n_genes, n = self.counts.shape
        title = f"ThinnedStudy: {counted(n_genes, 'gene')} x {counted(n, 'sample')}, design {self.design}"
        return title, {"samples": first_of(self.samples), "truth": first_of(self.truth)}


@checked_arguments
def thinning(
    counts: pd.DataFrame | IntArray,
    *,
    sizes: Sequence[int] | None = None,
    levels: Sequence[str] | None = None,
    fraction: float = 0.1,
    effect_sd: float = 0.7,
    log2_fold_changes: Sequence[float] | pd.Series | pd.DataFrame | FloatArray | None = None,
    rng: int | np.random.Generator = 1,
) -> ThinnedStudy:
    """Split samples of one kind into groups at random, and thin their counts so that groups differ by known effects.

    Each read of a gene is kept with a probability that depends on the group of its sample: 1 where the gene is highest,
    and less elsewhere. The effects are known; everything else, such as dispersions, outliers and factors that samples
    share, is that of the real counts. Where nothing is thinned the groups differ by chance alone.

    Parameters
    ----------
    counts
        Raw counts, genes x samples: a DataFrame or an array. The samples must be replicates of one kind.
    sizes
        Number of samples in each group; they are chosen at random, and the others are left out. None: two halves.
    levels
        Names of the groups; the first is the reference. None: A, B, C, ...
    fraction
        Probability that a gene differs between the groups, from 0 to 1.
    effect_sd
        Standard deviation of the difference of a group from the first, natural log.
    log2_fold_changes
        Differences of the groups from the first, log2, instead of drawn ones: one for each gene and group after the
        first, (G,) or (G, groups - 1), in the order of the genes and groups; a table with labels is matched by them,
        its columns are the groups.
    rng
        Seed or generator.

    Returns
    -------
    ThinnedStudy
        The samples in the order of the groups.

    Raises
    ------
    CountsError
        The counts are not whole numbers, or negative; a sample has none.
    OptionError
        An argument is outside its domain; there are fewer samples than sizes asks for.

    Notes
    -----
    Gerard 2020, doi:10.1186/s12859-020-3450-9. A thinned negative binomial count is negative binomial, with the same
    dispersion and a smaller mean.

    R counterpart: seqgendiff::thin_2group.

    Examples
    --------
    >>> from countnest import datasets
    >>> airway = datasets.load("airway")
    >>> untreated = airway.counts.loc[:, airway.samples["dex"] == "untrt"]
    >>> study = thinning(untreated, sizes=(2, 2), fraction=0.2)
    >>> study.counts.shape, study.design, list(study.truth)
    ((64102, 4), '~ group', ['group[B]', 'null_group'])
    """
    table = _table(counts)
    n_genes, n = table.shape
    numbers = _sizes(sizes, n)
    names = group_names(levels, len(numbers))
    term = Term(("group",), probability("fraction", fraction), number("effect_sd", effect_sd))
    for_split, for_effects, for_reads = generator(rng).spawn(3)
    effects = draw_effects([term], {"group": names}, n_genes, for_effects)
    if log2_fold_changes is not None:
        effects = Effects(np.log(2.0) * _fold_changes(log2_fold_changes, table.index, names[1:]), effects.levels)
    chosen = table.iloc[:, for_split.permutation(n)[: sum(numbers)]]
    sheet = pd.DataFrame({"group": np.repeat(names, numbers).astype(object)}, index=chosen.columns)
    kept = np.exp(effects.on(sheet) - np.maximum(effects.values.max(axis=1, keepdims=True), 0.0))
    thinned = for_reads.binomial(chosen.to_numpy(), kept)
    truth = pd.DataFrame(effects.values, index=table.index, columns=effects.names)
    return ThinnedStudy(
        counts=pd.DataFrame(thinned, index=table.index, columns=chosen.columns),
        samples=sheet,
        truth=truth.assign(null_group=effects.null("group")),
        design="~ group",
        reference={"group": names[0]},
        kept=pd.DataFrame(kept, index=table.index, columns=chosen.columns),
    )


def _table(counts: object) -> pd.DataFrame:
    """Return checked counts (G, n) as a table, int64, with the labels that were given."""
    given = without_annotation(counts) if isinstance(counts, pd.DataFrame) else counts
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = pd.DataFrame(given, index=[f"gene{g + 1}" for g in range(len(given))])
        given.columns = pd.Index([f"sample{j + 1}" for j in range(given.shape[1])])
    if not isinstance(given, pd.DataFrame) or given.shape[1] < 2 or given.empty:
        what = f"a table of {counted(given.shape[1], 'sample')}" if isinstance(given, pd.DataFrame) else kind_of(given)
        raise OptionError(
            f"counts is {what}; give the counts of two or more samples of one kind, genes x samples, as a DataFrame or "
            "an array with two dimensions."
        )
    sheet = pd.DataFrame({"sample": "one kind"}, index=given.columns)
    data = count_data(given, sheet, orientation="genes_by_samples")
    return pd.DataFrame(data.counts.astype(np.int64), index=data.genes, columns=data.samples)


def _sizes(sizes: object, n: int) -> tuple[int, ...]:
    """Return the sizes of the groups, at most n samples in all."""
    numbers = (n - n // 2, n // 2) if sizes is None else whole_numbers("sizes", sizes)
    if sum(numbers) > n:
        raise OptionError(
            f"sizes={sizes!r} asks for {sum(numbers)} samples, and counts has {n}; give sizes with at most {n} in all."
        )
    return numbers


def _fold_changes(given: object, genes: pd.Index, groups: Sequence[str]) -> FloatArray:
    """Return log2 fold changes (G, groups), in the order of the genes and of the groups after the first."""
    n_groups = len(groups)
    form = f"give a finite number for each of the {len(genes)} genes" + (
        "" if n_groups == 1 else f" and of the {n_groups} groups after the first"
    )
    if isinstance(given, pd.DataFrame) and given.shape[1] > 1 and not isinstance(given.columns, pd.RangeIndex):
        if sorted(map(str, given.columns)) != sorted(groups):
            raise OptionError(
                f"log2_fold_changes has the columns {listing(given.columns)}; give one for each group after the first, "
                f"which are {listing(groups)}."
            )
        given = given.set_axis(given.columns.map(str), axis=1)[list(groups)]
    if isinstance(given, pd.Series | pd.DataFrame) and not isinstance(given.index, pd.RangeIndex):
        missing = ~genes.isin(given.index.map(str))
        if missing.any() or not given.index.is_unique:
            lacking = f"lack {counted(int(missing.sum()), 'gene')}" if missing.any() else "have a gene twice"
            raise OptionError(f"log2_fold_changes {lacking}; {form}, with the labels of counts.")
        given = given.set_axis(given.index.map(str), axis=0).loc[genes]
    try:
        values = np.asarray(given)
    except ValueError:  # lists of different lengths
        values = np.array("")
    if values.dtype.kind not in "iuf":
        raise OptionError(f"log2_fold_changes must be numbers; {form}.")
    values = values.astype(np.float64)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if values.shape != (len(genes), n_groups) or not bool(np.isfinite(values).all()):
        raise OptionError(f"log2_fold_changes have shape {values.shape}, or are not all finite; {form}.")
    return values
