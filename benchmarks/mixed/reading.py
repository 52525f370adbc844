"""What the numbers say: which method for which question, and the defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mixed.measures import NULL_LEVELS, Rates
from mixed.studies import NULL, QUESTIONS, WITH_EFFECTS

__all__ = ["Found", "advice"]

KR, UNBOUNDED = "LMM log2, Kenward-Roger", "LMM log2, Kenward-Roger, unbounded"
STRATA, LOG2_STRATA, DREAM = "LMM vst, strata", "LMM log2, strata", "LMM voom, dream"
BOTH = "LMM vst, averaged"
EDGER, AVERAGED = "edgeR QL, families fixed", "averaged LRT, families fixed"
LRT, ML, REML = "LMM log2, LRT", "NB mixed ML, z", "NB mixed REML, t by containment"
CORRELATED, IGNORED = "voom, duplicateCorrelation", "edgeR QL, families ignored"
WITHIN, BETWEEN = QUESTIONS[:2], QUESTIONS[2:]
ONE, JOINT = (QUESTIONS[2],), (QUESTIONS[3],)
EVEN = tuple(each.slug for each in NULL if not each.lost)
ODD = tuple(each.slug for each in NULL if each.lost)
EVERY = tuple(each.slug for each in NULL)
EFFECTS = tuple(each.slug for each in WITH_EFFECTS)
# What the advice recommends: method, questions, scenarios without effects.
RECOMMENDED = (
    (EDGER, WITHIN, EVERY),
    (AVERAGED, WITHIN, EVERY),
    (STRATA, BETWEEN, EVEN),
    (BOTH, BETWEEN, ODD),
    (UNBOUNDED, BETWEEN, EVERY),
)
TABLE = """
| question | study | method | call |
| --- | --- | --- | --- |
| within | balanced | families fixed, quasi-likelihood F | `cn.edger(dds.with_design("~ family + treat1*treat2"))` |
| between, one comparison or joint | balanced | LMM, moderated strata | `cn.lmm(dds, values="vst")`, `.test("strata")` |
| between, one comparison or joint | unbalanced | LMM, averaged | `cn.lmm(dds, values="vst")`, `.test("averaged")` |
| within | unbalanced | LMM, Kenward-Roger, unbounded | `cn.lmm(dds, bounded=False)` |
| several random terms, or slopes | any | LMM, Kenward-Roger; not measured here | `cn.lmm(dds)` |
"""
OF_QUESTIONS = """
- *Within families*, in balanced studies, models with families fixed have the most power among the tests that hold
  their level: for one comparison in 6, 12 and 24 families {edger_within}, by edgeR's QL F test, and {kr_within}, by a
  linear mixed model with Kenward-Roger. Information about variances is shared between genes there. Where samples are
  lost, single sibs tell nothing with families fixed, and something in a mixed model: {edger_odd} and {free_odd}.
- *Between families* methods with random families, or with one correlation, are needed. With families ignored
  {ignored_between} of null p-values are below 0.05 where families differ; within families the same model rejects
  {ignored_within}, and finds little.
- *Moderated strata* hold their level, and have the power {strata_between} for one comparison between 6, 12 and 24
  families, beside {kr_between} by Kenward-Roger; joint tests have {strata_joint}, beside {kr_joint}. Six families leave
  3 degrees of freedom, with which tests without moderation find next to nothing after adjustment.
- *Averaged tests* moderate both variances in layouts without balance, too. Between families they hold their level,
  {both_between} at 0.05 with 24 families, with somewhat less power than strata where these exist; where samples are
  lost, {both_odd} for one comparison and {both_odd_joint} jointly, beside {free_odd_between} and {free_odd_joint} by
  Kenward-Roger without a bound. Within families they are a little liberal, {both_within}, and false discovery
  proportions of joint tests are {both_within_fdp}: their prior takes the ratio of the variances for independent of the
  residual variance, which it is not where all genes have the same variance between families.
- *The likelihood ratio test* has type I errors of {lrt} at 0.05 with 24 families, and false discovery proportions of
  {lrt_fdp} with 6. *Normal tests of negative binomial mixed models by likelihood*, which are the default of glmmTMB,
  have {ml} and {ml_fdp}. Neither is for studies of this size.
- *Negative binomial mixed models by restricted likelihood* with tests by containment have type I errors of {reml} in
  balanced studies, like linear mixed models with the same bound, and no more power: {reml_power} for one comparison
  between 24 families. Containment has too few degrees of freedom where samples are lost: {reml_odd} between families.
- *duplicateCorrelation* gives all genes one correlation; even families of equal variance make different ones. For one
  comparison between families it is within the limits, with about the power of strata. Elsewhere it is not: type I
  errors are up to {correlated_most}, and false discovery proportions with exponential variances {correlated_fdp}.
"""
OF_DEFAULTS = """
- **Kind of test.** The default, "t", is t and F tests by Kenward-Roger, which suit every design. Moderated strata are
  better where the study is balanced and has no weights: type I errors of {strata} at 0.05 and {strata_small} at 0.001.
  Without balance averaged tests are, between families.
- **Bound.** With variances kept at zero or above, where families do not differ, tests by Kenward-Roger reject
  {kr_zero_within} within families and {kr_zero_between} between them, at 0.05. Without the bound these are
  {free_zero_within} and {free_zero_between}. The default is `bounded=True`, which suits every design; a model with
  one random intercept is better with `bounded=False`.
- **Degrees of freedom.** Kenward-Roger, bounded: {kr} over all questions and scenarios. Satterthwaite:
  {satterthwaite}; its degrees of freedom jump to the residual ones where a fit is singular. Containment: that of
  Kenward-Roger in balanced studies, and {containment_odd} between families where samples are lost.
- **Dream's rule** moderates the residual variance alone: {dream} at 0.05 with 24 families, and false discovery
  proportions of {dream_fdp} between 6 families that differ. It is for values with weights, and for studies that are
  not small.
- **Values.** Without moderation it hardly matters: power between 24 families {kr_log2_power} (log2), {kr_vst_power}
  (vst) and {kr_voom_power} (voom), by Kenward-Roger. With moderated strata variance stabilized counts have more in
  small studies, because one prior fits genes with few counts and with many: {strata_between} between 6, 12 and 24
  families, and {log2_between} with log2 counts; false discovery proportions are {vst_fdp} and {log2_fdp}. So "vst"
  with strata; the default, "log2", which needs no fitted trend and no 1,000 genes, elsewhere. Weights, as those of
  voom, exclude strata.
"""
WHY = """
The methods were chosen with these studies in view. {fresh} One in 20 sets of so many numbers has one outside by
chance. Why others are outside, as far
as is known: the *bound* makes Kenward-Roger, containment and restricted negative binomial fits liberal within
families and cautious between them where their variance is zero, because half of the fits are then singular, and pool
what varies within and between. *Satterthwaite* and *dream* have too many degrees of freedom at singular fits. *LRT*
and *z* are right for many families only. *Wald* takes the dispersion as known. *Containment* counts no information
within families about a comparison between them. *duplicateCorrelation* gives all genes one correlation.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Rates by scenario, method and question."""

    rates: Mapping[str, Mapping[tuple[str, str], Rates]]

    def of(self, method: str, questions: Iterable[str], slugs: Iterable[str]) -> list[Rates]:
        """Return the rates of a method that there are."""
        keys = [(slug, (method, question)) for slug in slugs for question in questions]
        return [self.rates[slug][key] for slug, key in keys if key in self.rates.get(slug, {})]

    def null(self, method: str, questions: Iterable[str], slugs: Iterable[str], level: float = 0.05) -> str:
        """Write the range of the fractions of small null p-values, in percent."""
        return span(self.of(method, questions, slugs), lambda rates: rates.type_one(level), 1 if level > 0.01 else 2)

    def fdp(self, method: str, questions: Iterable[str], slugs: Iterable[str]) -> str:
        """Write the range of false discovery proportions, in percent."""
        return span(self.of(method, questions, slugs), lambda rates: rates.fdp, 1)

    def power(self, method: str, questions: Iterable[str], slugs: Iterable[str]) -> str:
        """Write the range of power, in percent."""
        return span(self.of(method, questions, slugs), lambda rates: rates.power, 1)


def span(rates: list[Rates], of: Callable[[Rates], float], digits: int) -> str:
    """Write the range of a number of rates, in percent; a dash without any."""
    values = [100 * value for value in map(of, rates) if not np.isnan(value)]
    if not values:
        return "-"
    low, high = (f"{end:.{digits}f}" for end in (min(values), max(values)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def of_size(families: int, *, zero: bool = True) -> tuple[str, ...]:
    """Return the balanced scenarios with effects that have so many families, on request those where they differ."""
    return tuple(
        each.slug for each in WITH_EFFECTS
        if each.families == families and not each.lost and (zero or each.spread != "zero")
    )  # fmt: skip


def advice(found: Found, fresh: Found) -> list[str]:
    """Return the advice, in texts that are not wrapped yet; `fresh` are rates of studies of other seeds."""
    numbers = values(found)
    questions, defaults = (items(text.format(**numbers)) for text in (OF_QUESTIONS, OF_DEFAULTS))
    table = TABLE.strip().splitlines()
    lines = ["## Advice", "", *table, "", *questions, "", "## What to choose in cn.lmm", "", *defaults]
    return [*lines, "", "## Outside the limits", "", *outside(found, fresh)]


def items(text: str) -> list[str]:
    """Return the items of a list, each in one line."""
    return ["- " + " ".join(each.split()) for each in text.strip().removeprefix("- ").split("\n- ")]


def values(found: Found) -> dict[str, str]:
    """Return the numbers of the texts."""
    within_one, sizes, few = QUESTIONS[:1], [of_size(n) for n in (6, 12, 24)], of_size(6, zero=False)
    zero, satterthwaite = EVEN[:1], KR.replace("Kenward-Roger", "Satterthwaite")
    singles = (QUESTIONS[0], QUESTIONS[2])
    odd = tuple(each.slug for each in WITH_EFFECTS if each.lost)
    differing = tuple(each.slug for each in WITH_EFFECTS if each.spread == "exponential")

    def by_size(method: str, questions: tuple[str, ...]) -> str:
        first, second, third = (found.power(method, questions, each) for each in sizes)
        return f"{first}, {second} and {third}"

    numbers = {
        "edger_within": by_size(EDGER, within_one),
        "kr_within": by_size(KR, within_one),
        "kr_between": by_size(KR, ONE),
        "strata_between": by_size(STRATA, ONE),
        "log2_between": by_size(LOG2_STRATA, ONE),
        "strata_joint": by_size(STRATA, JOINT),
        "kr_joint": by_size(KR, JOINT),
        "both_between": found.null(BOTH, BETWEEN, EVERY),
        "both_within": found.null(BOTH, WITHIN, EVERY),
        "both_within_fdp": found.fdp(BOTH, WITHIN[1:], EFFECTS),
        "both_odd": found.power(BOTH, ONE, odd),
        "both_odd_joint": found.power(BOTH, JOINT, odd),
        "free_odd_between": found.power(UNBOUNDED, ONE, odd),
        "free_odd_joint": found.power(UNBOUNDED, JOINT, odd),
        "reml_power": found.power(REML, ONE, sizes[2]),
        "ignored_between": found.null(IGNORED, BETWEEN, EVEN[1:]),
        "ignored_within": found.null(IGNORED, WITHIN, EVEN[1:]),
        "reml": found.null(REML, QUESTIONS, EVEN),
        "reml_odd": found.null(REML, BETWEEN, ODD),
        "correlated_most": found.null(CORRELATED, QUESTIONS, EVERY).split(" to ")[-1],
        "edger_odd": found.power(EDGER, within_one, odd),
        "free_odd": found.power(UNBOUNDED, within_one, odd),
        "strata": found.null(STRATA, QUESTIONS, EVEN),
        "strata_small": found.null(STRATA, QUESTIONS, EVEN, 0.001),
        "kr_zero_within": found.null(KR, WITHIN, zero),
        "kr_zero_between": found.null(KR, BETWEEN, zero),
        "free_zero_within": found.null(UNBOUNDED, WITHIN, zero),
        "free_zero_between": found.null(UNBOUNDED, BETWEEN, zero),
        "containment_odd": found.null(KR.replace("Kenward-Roger", "containment"), BETWEEN, ODD),
        "dream": found.null(DREAM, singles, EVERY),
        "dream_fdp": found.fdp(DREAM, ONE, few),
        "vst_fdp": found.fdp(STRATA, ONE, EFFECTS),
        "log2_fdp": found.fdp(LOG2_STRATA, ONE, EFFECTS),
        "correlated_fdp": found.fdp(CORRELATED, QUESTIONS, differing),
    }
    for name, method in {"lrt": LRT, "ml": ML, "kr": KR, "satterthwaite": satterthwaite}.items():
        numbers |= {name: found.null(method, QUESTIONS, EVERY), f"{name}_fdp": found.fdp(method, QUESTIONS, sizes[0])}
    for name in ("log2", "vst", "voom"):
        numbers[f"kr_{name}_power"] = found.power(f"LMM {name}, Kenward-Roger", ONE, sizes[2])
    return numbers


def outside(found: Found, fresh: Found) -> list[str]:
    """Return which of the recommended methods are outside the binomial limits, and why others are."""
    text = f"Of the {verdict(found)}"
    again = "Other seeds have not been tried."
    if fresh.rates:
        again = f"On studies of other seeds, which nothing was chosen by, of the {verdict(fresh)}"
    return [text, "", " ".join(WHY.format(fresh=again).split())]


def verdict(found: Found) -> str:
    """Write how many type I errors of the recommended methods there are, and which are outside the limits."""
    wrong, tested = [], 0
    for method, questions, slugs in RECOMMENDED:
        for question in questions:
            for slug in slugs:
                rates = found.of(method, (question,), (slug,))
                tested += len(NULL_LEVELS) * len(rates)
                wrong += [
                    f"{method}, {question}, {slug.removesuffix('-null')}, {100 * each.type_one(level):.2f} % at {level}"
                    for each in rates
                    for level in NULL_LEVELS
                    if each.side(level)
                ]
    which = f"these are outside: {'; '.join(wrong)}." if wrong else "all are within the limits."
    return f"{tested} type I errors of the recommended methods, at {' and '.join(map(str, NULL_LEVELS))}, {which}"
