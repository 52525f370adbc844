"""The kinds of studies on which error rates are measured, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from countnest import DESeqDataSet
from countnest.api.query import BoundQuery
from countnest.simulate import HiddenFactor
from rates.data import (
    THRESHOLD,
    Data,
    boundary,
    down_weighted,
    families,
    known_factors,
    lost_counts,
    of_groups,
    one_sided,
    thinned_airway,
    uneven_precision,
)

__all__ = ["SCENARIOS", "Scenario"]

COHORT = ("scaled null", "hidden factors", "hidden factors, scaled null", "batch known")
BATCH = HiddenFactor("batch", fraction=0.5, sd=0.5, correlation=0.5)


def two_groups(dds: DESeqDataSet) -> BoundQuery:
    """Ask for the difference of the groups."""
    return dds.effect("group")


def interaction(dds: DESeqDataSet) -> BoundQuery:
    """Ask whether treat2 acts differently in B and in A."""
    return dds.query("treat2[E - None] : treat1[B - A]")


def any_interaction(dds: DESeqDataSet) -> BoundQuery:
    """Ask whether treat2 acts differently in any of the groups."""
    return dds.interaction(treat2="reference", treat1="reference").joint()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of study, and the question that is asked of it.

    Attributes
    ----------
    slug, title, text
        Short name, heading, description.
    draw
        Returns a data set of a number of genes for a seed.
    query
        The question.
    contrast, reduced
        For DESeq2 in R: coefficients, the second, if there is one, subtracted; and the null hypothesis as a formula.
    data_sets
        The number of data sets at most.
    more
        Methods of `rates.here` beside the usual ones.
    in_r
        Whether the methods in R are run.
    options
        Options of the tests.
    intervals
        Whether the coverage of intervals is measured.
    """

    slug: str
    title: str
    text: str
    draw: Callable[[int, int], Data]
    query: Callable[[DESeqDataSet], BoundQuery] = two_groups
    contrast: tuple[str, ...] = ("group_B_vs_A",)
    reduced: str = "~ 1"
    data_sets: int = 20
    more: tuple[str, ...] = ()
    in_r: bool = True
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    intervals: bool = False


def groups_of(slug: str, sizes: tuple[int, int], about: str = "", *, text: str = "", **options: object) -> Scenario:
    """Return a comparison of two groups; `options` are those of `countnest.simulate.groups`."""
    title = f"{sizes[0]} v {sizes[1]}{about and ', '}{about}"
    return Scenario(slug, title, text, partial(of_groups, sizes=sizes, **options))


def here_only(slug: str, title: str, text: str, draw: Callable[[int, int], Data], **options: object) -> Scenario:
    """Return a scenario of 10 data sets on which R's methods are not run."""
    return Scenario(slug, title, text, draw, data_sets=10, in_r=False, options=MappingProxyType(options))


SPREAD = {"dispersion_sd": 1.0}
HEAVY = {"dispersion_df": 3.0}
OUTLIERS = {"outlier_fraction": 0.005}
WIDELY = "Log-normal scatter of the dispersions around the trend with standard deviation 1.0 (natural log)."
TAILS = "Log dispersions scatter around the trend by Student's t distribution with 3 degrees of freedom, scale 0.5."
INFLATED = "0.5 % of the counts are multiplied by a factor from 5 to 50."

BASIC = (
    groups_of("3v3", (3, 3)),
    groups_of("6v6", (6, 6)),
    groups_of("12v12", (12, 12)),
    Scenario(
        "nested1",
        "Nested, 1 df",
        "24 families of two, 48 samples, 28 coefficients; `~ treat1 + treat1:ind + treat1:treat2`: does treat2 act "
        "differently in B and in A?",
        partial(families, joint=False),
        query=interaction,
        contrast=("treat1B.treat2E", "treat1A.treat2E"),
        reduced="",
    ),
    Scenario(
        "nested3",
        "Nested, 3 df",
        "The same studies: does treat2 act differently in any of the four levels of treat1?",
        partial(families, joint=True),
        query=any_interaction,
        contrast=(),
        reduced="~ treat1 + treat1:ind + treat2",
    ),
)
HARDER = (
    groups_of("3v3-spread", (3, 3), "widely spread dispersions", text=WIDELY, **SPREAD),
    groups_of("6v6-spread", (6, 6), "widely spread dispersions", text=WIDELY, **SPREAD),
    groups_of("3v3-heavy", (3, 3), "heavy-tailed dispersions", text=TAILS, **HEAVY),
    groups_of("6v6-heavy", (6, 6), "heavy-tailed dispersions", text=TAILS, **HEAVY),
    groups_of("2v2", (2, 2)),
    groups_of("25v25", (25, 25)),
    groups_of("3v9", (3, 9)),
    groups_of("3v3-outliers", (3, 3), "outliers", text=INFLATED, **OUTLIERS),
    groups_of("5v5-outliers", (5, 5), "outliers", text=INFLATED, **OUTLIERS),
    groups_of(
        "3v3-poisson", (3, 3), "near-Poisson", text="Trend of the dispersions 0.001 + 0.01 / mean.",
        dispersion=(0.001, 0.01),
    ),
    groups_of("3v3-sparse", (3, 3), "sparse", text="Mean counts from 0.3 to 30.", base=(0.3, 30.0)),
    groups_of("6v6-sparse", (6, 6), "sparse", text="Mean counts from 0.5 to 20.", base=(0.5, 20.0)),
    groups_of("6v6-30", (6, 6), "30 % real effects", fraction=0.3),
    groups_of("6v6-50", (6, 6), "50 % real effects", fraction=0.5),
    Scenario(
        "cohort",
        "12 v 12, hidden batch",
        "A batch that is not in the design acts on half of the genes with standard deviation 0.5 (natural log); 9 of "
        "12 samples of one group are in it, and 3 of the other. *Batch known* has it in the design.",
        partial(of_groups, sizes=(12, 12), hidden=BATCH),
        more=tuple(f"averaged LRT, {word}" for word in COHORT),
    ),
    Scenario(
        "airway2v2",
        "2 v 2, thinned airway",
        "Real counts: the four untreated samples of the airway study, from four cell lines, split at random, and "
        "thinned to effects in a tenth of 5,000 genes with a mean of 1 or more. There are three different splits: "
        "the data sets are not independent, and the standard errors are too small.",
        partial(thinned_airway, treated=False),
    ),
    Scenario(
        "airway4v4",
        "4 v 4, thinned airway",
        "Real counts: all eight samples of the airway study, split at random with two treated samples in each group; "
        "`~ cell + dex + group`, 2 residual degrees of freedom. There are few different splits: the standard errors "
        "are too small.",
        partial(thinned_airway, treated=True),
        reduced="~ cell + dex",
    ),
)  # fmt: skip
THRESHOLDS = {"lfc_threshold": THRESHOLD}
BEYOND = (
    f"Is the log2 fold change beyond ±{THRESHOLD}? It is 0 in 40 % of the genes, inside in 20 %, on the threshold in "
    "30 %, and beyond it in 10 %. *Null p* is of the genes on the threshold."
)
ABOVE = (
    '`alt_hypothesis="greater"`: is the fold change above 0? It is 0 in three quarters of the genes, and below 0 in '
    "half of the others. *Null p* is of the genes at 0."
)
OPTIONS = (
    here_only("3v3-threshold", "3 v 3, threshold", BEYOND, partial(boundary, size=3), **THRESHOLDS),
    here_only("6v6-threshold", "6 v 6, threshold", BEYOND, partial(boundary, size=6), **THRESHOLDS),
    here_only("3v3-greater", "3 v 3, one-sided", ABOVE, partial(one_sided, size=3), alt_hypothesis="greater"),
    here_only("6v6-greater", "6 v 6, one-sided", ABOVE, partial(one_sided, size=6), alt_hypothesis="greater"),
    here_only(
        "6v6-dropped", "6 v 6, weights of 0 and 1",
        "5 % of the counts are multiplied by a factor from 5 to 50, and have weight 0.", partial(down_weighted, size=6),
    ),
    here_only(
        "6v6-lost", "6 v 6, weights of zeros",
        "Mean counts from 1 to 200; a tenth of the counts is lost and read as 0. The weight of a zero is the "
        "probability that it was counted (Van den Berge et al. 2018, doi:10.1186/s13059-018-1406-4).",
        partial(lost_counts, size=6),
    ),
    here_only(
        "6v6-weights", "6 v 6, weights of precision",
        "Weights from 0.2 to 1, and counts with the variance (mu + alpha mu^2) / weight. This is not how DESeq2 means "
        "weights: they multiply the likelihood, and so the dispersion comes out too large.",
        partial(uneven_precision, size=6),
    ),
    here_only(
        "3v3-factors", "3 v 3, normalization factors",
        "Known factors by gene and sample, log-normal with standard deviation 0.25.", partial(known_factors, size=3),
    ),
)  # fmt: skip
COVERED = {"3v3", "6v6", "12v12", "3v9", "nested1", "3v3-spread", "3v3-heavy", "6v6-heavy"}
FRESH = ("3v3", "3v3-spread", "3v3-sparse", "6v6-sparse")
LATER = "Seeds 101 to 120: no rule of the averaged test was chosen with these data sets in view."


def later(draw: Callable[[int, int], Data], genes: int, seed: int) -> Data:
    """Draw a data set with a seed that is larger by 100."""
    return draw(genes, seed + 100)


def on_other_seeds(scenario: Scenario) -> Scenario:
    """Return a scenario with other data sets, on which R's methods are not run."""
    slug, title, text = f"{scenario.slug}-fresh", f"{scenario.title}, other seeds", f"{scenario.text} {LATER}".strip()
    drawn = partial(later, scenario.draw)
    return replace(scenario, slug=slug, title=title, text=text, draw=drawn, in_r=False, intervals=False)


FIRST = {each.slug: replace(each, intervals=each.slug in COVERED) for each in (*BASIC, *HARDER, *OPTIONS)}
SCENARIOS = FIRST | {each.slug: each for each in (on_other_seeds(FIRST[slug]) for slug in FRESH)}
