"""The arguments of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import click

from countnest.options import (
    AltHypothesis,
    DfRule,
    FigureFormat,
    FitType,
    Layout,
    LogCounts,
    Method,
    MixedModel,
    MixedTest,
    NullKind,
    Orientation,
    QueryTest,
    ShrinkType,
    SizeFactorType,
    Strand,
    TestType,
    Unmapped,
)
from countnest.stats.edger.levels import Compat

__all__ = [
    "DEFAULT_TESTS",
    "FITS",
    "READING",
    "WITH_SHEETS",
    "Asked",
    "How",
    "Reading",
    "Request",
    "SavedRequest",
    "Wanted",
    "method_and_test",
]

# How queries are tested by default, by the test of the analysis; else by Wald tests.
_QUERY_TESTS: dict[str, QueryTest] = {"averaged": "averaged", "QL": "ql"}
# The test of a method, unless another is requested; moderated t tests have no word, for there are no others.
DEFAULT_TESTS: dict[Method, TestType | MixedTest] = {"deseq2": "Wald", "edger": "QL", "mixed": "t"}
# How counts are read, as `read_counts` takes it.
READING = ("strand", "transcripts", "unmapped", "lengths", "layer", "sheet")
# How questions are tested, as `results` and `BoundQuery.test` take it.
_TESTING = (
    "alpha",
    "lfc_threshold",
    "alt_hypothesis",
    "independent_filtering",
    "cooks_cutoff",
    "hidden_factors",
    "hidden_seed",
    "null",
)
# Files of counts that may have a sample sheet.
WITH_SHEETS = (".h5ad", ".rds")
# The names of the fits of methods other than DESeq2's; of mixed models they are those of the models.
FITS: dict[Method, str] = {"edger": "edger", "voom": "limma"}


@dataclass(frozen=True, slots=True)
class How:
    """What answers a question.

    Attributes
    ----------
    fit
        The name of the fit; None: DESeq2's.
    kind
        The kind of test of comparisons; None: that of the analysis.
    query_kind
        The kind of test of queries; None: that of the fit.
    """

    fit: str | None
    kind: str | None = None
    query_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run writes.

    Attributes
    ----------
    method
        The method of the analysis.
    figures
        The format of the figures.
    all_figures
        Whether volcano plots and histograms of p-values are drawn, too.
    vst
        Whether variance stabilized counts and their principal components are written.
    shrink
        How fold changes are shrunken in further tables; None: there are none.
    """

    method: Method = "deseq2"
    figures: FigureFormat = "png"
    all_figures: bool = False
    vst: bool = False
    shrink: ShrinkType | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked, and how it is tested, as it was given; None: not given."""

    contrast: tuple[tuple[str, str, str], ...]
    name: str | None
    query: tuple[str, ...]
    allow_fixed_blocks: bool
    alpha: float
    lfc_threshold: float
    alt_hypothesis: AltHypothesis
    independent_filtering: bool
    cooks_cutoff: float | None
    hidden_factors: int | Literal["auto"] | None
    hidden_seed: int
    null: NullKind

    def testing(self) -> dict[str, Any]:
        """Return the arguments of tests, of comparisons and of queries."""
        return {name: getattr(self, name) for name in _TESTING}

    @property
    def compares(self) -> bool:
        """Whether a comparison is asked for: the default one if nothing else is."""
        return bool(self.contrast) or self.name is not None or not self.query


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The files of counts and how they are read, as it was given; None: not given."""

    counts: tuple[Path, ...]
    strand: Strand | None
    transcripts: Path | None
    unmapped: Unmapped | None
    lengths: Path | None
    layer: str | None
    sheet: str | None


@dataclass(frozen=True, kw_only=True)
class Request(Asked, Reading):
    """The arguments of `countnest run`, as they were given; None: not given."""

    study: str | None
    samples: Path | None
    design: str | None
    reference: dict[str, str]
    levels: dict[str, list[str]]
    query_test: QueryTest | None
    method: Method
    test: TestType | MixedTest | None
    reduced: str | None
    fit_type: FitType
    size_factor_type: SizeFactorType
    min_replicates_for_replace: float
    use_t: bool
    robust: bool
    compat: Compat | None
    block: str | None
    quality_weights: bool
    mixed_model: MixedModel
    values: LogCounts
    df: DfRule | None
    bounded: bool
    minmu: float
    orientation: Orientation | None
    contrasts: Path | None
    layout: Layout
    threads: int | None
    out: Path | None
    save: bool
    shrink: ShrinkType | None
    vst: bool
    figures: FigureFormat
    all_figures: bool
    r_script: Path | None
    as_json: bool
    force: bool
    quiet: bool

    @property
    def folder(self) -> Path:
        """The folder for the results."""
        return self.out or Path(f"countnest-{self.study or 'results'}")

    @property
    def fit(self) -> str | None:
        """The name of the fit that answers; None: DESeq2's."""
        return self.mixed_model if self.method == "mixed" else FITS.get(self.method)

    @property
    def how(self) -> How:
        """What answers: the fit, and the kinds of test, which are those of the analysis unless others are asked for."""
        if self.method == "mixed":
            kind = (self.test or "t").lower()
            return How(self.fit, kind, kind)
        if self.fit is not None:
            return How(self.fit)
        return How(None, None, self.query_test or _QUERY_TESTS.get(self.test or "Wald", "wald"))

    @property
    def wanted(self) -> Wanted:
        """The files that are wanted besides those of every run."""
        return Wanted(self.method, self.figures, self.all_figures, self.vst, self.shrink)

    def missing(self) -> list[str]:
        """Return the options that a run without a shipped study needs and does not have."""
        has_sheet = any(path.suffix.lower() in WITH_SHEETS for path in self.counts)
        samples = self.samples or has_sheet or None
        design = self.design or self.contrasts  # which have models of their own
        needed = {"--counts": self.counts or None, "--samples": samples, "--design": design}
        return [option for option, value in needed.items() if value is None]


@dataclass(frozen=True, kw_only=True)
class SavedRequest(Asked):
    """The arguments of commands that answer from a saved fit, as they were given; None: not given."""

    file: Path
    fit: str | None
    test: str | None


def method_and_test(method: str, test: str | None) -> dict[str, str | None]:
    """Return the method and its test for the words of the command: 'ql' is DESeq2's method with its QL test.

    Raises
    ------
    click.UsageError
        Another test is asked for with 'ql'.
    """
    if method != "ql":
        return {"method": method, "test": test or DEFAULT_TESTS.get(cast("Method", method))}
    if test not in (None, "QL"):
        raise click.UsageError(f"--method ql has the QL test. Leave out --test {test}, or take --method deseq2.")
    return {"method": "deseq2", "test": "QL"}
