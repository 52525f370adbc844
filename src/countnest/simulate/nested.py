"""Studies of families within groups, with treatments within families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray
from countnest.design.samples import collation_key
from countnest.errors import OptionError
from countnest.options import check_flags
from countnest.signature import checked_arguments
from countnest.simulate.argument import level_names, number, probability, whole_number, whole_numbers
from countnest.simulate.counts import CountModel, DispersionModel, OutlierModel, generator
from countnest.simulate.effect import Effects, Term
from countnest.simulate.hidden import HiddenFactor
from countnest.simulate.study import Draw, NestedStudy, draw_study, sample_labels

__all__ = ["nested"]

_GROUPS = ("A", "B", "C", "D")
_PARENTS = {"father": ("no", "yes"), "mother": ("no", "yes")}


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a study: `between` varies between families, `within` inside them; first levels are the references."""

    between: Mapping[str, tuple[str, ...]]
    within: Mapping[str, tuple[str, ...]]
    families: tuple[int, ...]
    sibs: int
    lost: int

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The levels of `between`, or their combinations, the first variable fastest."""
        slowest_first = list(self.between.values())[::-1]
        return [group[::-1] for group in product(*slowest_first)]


@checked_arguments
def nested(
    *,
    genes: int = 2000,
    treat1: Sequence[str] = _GROUPS,
    families: int | Sequence[int] = 6,
    treat2: Sequence[str] = ("None", "E"),
    sibs: int = 1,
    treat3: Sequence[str] | None = None,
    parents: bool = False,
    lost: int = 0,
    treat1_fraction: float = 0.2,
    treat2_fraction: float = 0.25,
    interaction_fraction: float = 0.1,
    treat3_fraction: float = 0.2,
    treat3_interaction_fraction: float = 0.0,
    effect_sd: float = 0.7,
    interaction_sd: float = 0.9,
    family_sd: float = 0.35,
    base: tuple[float, float] = (5.0, 5000.0),
    dispersion: tuple[float, float] = (0.03, 1.5),
    dispersion_sd: float = 0.5,
    dispersion_df: float | None = None,
    size_factor_sd: float = 0.2,
    outlier_fraction: float = 0.0,
    outlier_factors: tuple[float, float] = (5.0, 50.0),
    hidden: HiddenFactor | Sequence[HiddenFactor] = (),
    rng: int | np.random.Generator = 1,
) -> NestedStudy:
    """Simulate families nested in the levels of treat1, with treat2 (and treat3) given within each family.

    By default 24 families, six in each level of treat1, with two sibs each, one of them given E: 48 samples. With all
    fractions 0 the families differ and nothing else does.

    Parameters
    ----------
    genes
        Number of genes.
    treat1
        Levels of the treatment that whole families share; the first is the reference.
    families
        Number of families in each level of treat1: one number, or one for each level. With `parents` the levels are
        the combinations father/mother in the order no/no, yes/no, no/yes, yes/yes.
    treat2
        Levels of the treatment within families; the first is the reference.
    sibs
        Number of samples in each family at each level of treat2 (and treat3).
    treat3
        Levels of a second treatment within families, crossed with treat2; the first is the reference. None: no treat3.
    parents
        Replace treat1 by two variables, `father` and `mother`, with the levels no and yes.
    lost
        Number of samples that are dropped at random; each family keeps at least one. The others keep their labels and
        their counts.
    treat1_fraction, treat2_fraction, treat3_fraction
        Probability that a gene has the main effect, from 0 to 1. With `parents`, treat1_fraction is used for father,
        mother and father:mother, each by itself.
    interaction_fraction
        Probability that a gene has the interaction treat1:treat2; with `parents`, each of father:treat2, mother:treat2
        and father:mother:treat2.
    treat3_interaction_fraction
        Probability that a gene has an interaction with treat3, for each of these interactions.
    effect_sd, interaction_sd
        Standard deviation of main effects and of interactions, natural log.
    family_sd
        Standard deviation of the families within a level of treat1, natural log.
    base
        Smallest and largest mean count in the reference group; log-uniform between them.
    dispersion
        a0 and a1 of the trend alpha(mean) = a0 + a1 / mean.
    dispersion_sd
        Standard deviation of the log-normal scatter of the dispersions around the trend, natural log. In real studies
        0.3 to 1 are usual.
    dispersion_df
        Gives the scatter heavy tails: it follows Student's t distribution with so many degrees of freedom, such as 3,
        and dispersion_sd is its scale. No dispersion is more than a factor of 1,000 from the trend. None: normal.
    size_factor_sd
        Standard deviation of the log-normal size factors, natural log.
    outlier_fraction
        Probability that a count is inflated, from 0 to 1; zeros stay zero.
    outlier_factors
        Smallest and largest factor of inflated counts; log-uniform between them.
    hidden
        Factors that act on many genes and are not in the sample sheet: a `HiddenFactor`, or a list of them. Their
        correlation is that with the levels of treat2, in their order.
    rng
        Seed or generator. For a seed, a larger number of genes only adds genes.

    Returns
    -------
    NestedStudy
        Counts, samples (`family`, `treat1` or `father` and `mother`, `ind`, `treat2`, `treat3`), truth and a design
        with the family as the number `ind` within its group.

    Raises
    ------
    OptionError
        An argument is outside its domain.

    Examples
    --------
    >>> study = nested(genes=100)
    >>> study.counts.shape, study.design
    ((100, 48), '~ treat1 + treat1:ind + treat1:treat2')
    >>> study.samples.loc["s003"].to_dict()
    {'family': 'f02', 'treat1': 'A', 'ind': '2', 'treat2': 'E'}
    """
    plan = _checked_plan(treat1, families, treat2, sibs, treat3, parents, lost)
    spread = DispersionModel.checked(dispersion, dispersion_sd, dispersion_df)
    outliers = OutlierModel.checked(outlier_fraction, outlier_factors)
    model = CountModel.checked(genes, base, spread, size_factor_sd, outliers, hidden)
    between_families = number("family_sd", family_sd)
    fractions = {
        "treat1": treat1_fraction,
        "treat2": treat2_fraction,
        "treat3": treat3_fraction,
        "interaction": interaction_fraction,
        "treat3_interaction": treat3_interaction_fraction,
    }
    terms = _terms(plan, fractions, number("effect_sd", effect_sd), number("interaction_sd", interaction_sd))
    for_families, for_study, for_loss = generator(rng).spawn(3)
    sheet = _sheet(plan)
    family = pd.factorize(sheet["family"])[0]
    differences = for_families.normal(0.0, between_families, (model.genes, sum(plan.families)))
    levels, effects = {**plan.between, **plan.within}, differences[:, family]
    drawn = draw_study(sheet, levels, terms, model, for_study, along="treat2", blocks=effects)
    kept = _kept(family.astype(np.int64), plan.lost, for_loss)
    return _study(plan, sheet, drawn, between_families, differences, kept)


def _checked_plan(
    treat1: object, families: object, treat2: object, sibs: object, treat3: object, parents: object, lost: object
) -> _Plan:
    """Return the plan if its parts can be used together."""
    check_flags(parents=parents)
    levels = level_names("treat1", treat1)
    if parents and levels != _GROUPS:
        raise OptionError("parents=True replaces treat1 by father and mother; leave out one of the two arguments.")
    within = {"treat2": level_names("treat2", treat2)}
    if treat3 is not None:
        within["treat3"] = level_names("treat3", treat3)
    plan = _Plan(
        between=_PARENTS if parents else {"treat1": levels},
        within=within,
        families=whole_numbers("families", families, len(levels)),
        sibs=whole_number("sibs", sibs),
        lost=whole_number("lost", lost, least=0),
    )
    most = len(_sheet(plan)) - sum(plan.families)
    if plan.lost > most:
        raise OptionError(
            f"lost={plan.lost} would lose whole families: {sum(plan.families)} families have {len(_sheet(plan))} "
            f"samples; give at most {most}."
        )
    return plan


def _terms(plan: _Plan, given: Mapping[str, object], effect_sd: float, interaction_sd: float) -> list[Term]:
    """Return main effects and interactions: each combination of variables, by size, then in the order of the sheet."""
    fractions = {kind: probability(f"{kind}_fraction", value) for kind, value in given.items()}
    variables = [*plan.between, *plan.within]
    terms = [joined for size in range(1, len(variables) + 1) for joined in combinations(variables, size)]
    return [
        Term(joined, fractions[_kind(joined)], effect_sd if _is_main(joined) else interaction_sd) for joined in terms
    ]


def _is_main(variables: tuple[str, ...]) -> bool:
    """Return whether a term is about families alone, father:mother included, or about one treatment within them."""
    return len(variables) == 1 or not {"treat2", "treat3"} & set(variables)


def _kind(variables: tuple[str, ...]) -> str:
    """Return the name of the fraction that applies to a term."""
    if _is_main(variables):
        return variables[0] if variables[0] in ("treat2", "treat3") else "treat1"
    return "treat3_interaction" if "treat3" in variables else "interaction"


def _sheet(plan: _Plan) -> pd.DataFrame:
    """Return the sample sheet before any loss: families one after the other, treat2 slower than treat3 in each."""
    conditions = list(product(*plan.within.values()))
    families = [(group, ind) for group, size in zip(plan.groups, plan.families, strict=True) for ind in range(size)]
    # Labels of equal length keep their order when they are sorted as text.
    width, ind_width = max(2, len(str(len(families)))), len(str(max(plan.families)))
    rows = [
        (f"f{place:0{width}d}", *group, f"{ind + 1:0{ind_width}d}", *condition)
        for place, (group, ind) in enumerate(families, start=1)
        for condition in conditions
        for _ in range(plan.sibs)
    ]
    columns = ["family", *plan.between, "ind", *plan.within]
    return pd.DataFrame(rows, columns=columns, index=sample_labels(len(rows)), dtype=object)


def _kept(family: IntArray, lost: int, rng: np.random.Generator) -> IntArray:
    """Return the places of the samples that remain: `lost` are dropped in random order, never a family's last."""
    left = np.bincount(family)
    dropped: list[int] = []
    for place in rng.permutation(len(family)):
        if len(dropped) < lost and left[family[place]] > 1:
            left[family[place]] -= 1
            dropped.append(int(place))
    return np.setdiff1d(np.arange(len(family)), dropped)


def _study(
    plan: _Plan, sheet: pd.DataFrame, drawn: Draw, family_sd: float, differences: FloatArray, kept: IntArray
) -> NestedStudy:
    truth = drawn.truth.assign(**_nulls(plan, drawn.effects))
    truth.insert(2, "family_sd", family_sd)
    return NestedStudy(
        counts=drawn.counts.iloc[:, kept],
        samples=sheet.iloc[kept],
        truth=truth,
        design=_formula(plan),
        reference=_reference(plan),
        log_means=drawn.log_means.iloc[:, kept],
        size_factors=drawn.size_factors.iloc[kept],
        hidden=drawn.hidden.iloc[kept],
        outliers=drawn.outliers.iloc[:, kept],
        family_effects=pd.DataFrame(differences, index=truth.index, columns=pd.Index(sheet["family"].unique())),
    )


def _nulls(plan: _Plan, effects: Effects) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the null hypotheses about the groups of families as a whole, whichever variables define them."""
    return {
        "null_treat1": np.logical_and.reduce([effects.null(variable) for variable in plan.between]),
        "null_interaction": np.logical_and.reduce([effects.null(variable, "treat2") for variable in plan.between]),
    }


def _formula(plan: _Plan) -> str:
    """Return the nested formula: groups, families within groups, treatments within groups."""
    group = ":".join(plan.between)
    within = [joined for size in range(1, len(plan.within) + 1) for joined in combinations(plan.within, size)]
    terms = [*([f"{group}:ind"] if max(plan.families) > 1 else []), *(":".join([group, *joined]) for joined in within)]
    return " + ".join([f"~ {'*'.join(plan.between)}", *terms])


def _reference(plan: _Plan) -> dict[str, str]:
    """Return the reference levels: of the treatments within families, and of others where the alphabet differs."""
    levels = {**plan.between, **plan.within}
    return {
        variable: names[0]
        for variable, names in levels.items()
        if variable in plan.within or names[0] != min(names, key=collation_key)
    }
