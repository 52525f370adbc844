"""The arguments of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from countnest.options import (
    AltHypothesis,
    FitType,
    Method,
    NullKind,
    Orientation,
    QueryTest,
    SizeFactorType,
    Strand,
    TestType,
    Unmapped,
)
from countnest.stats.edger.levels import Compat

__all__ = ["DEFAULT_TESTS", "FITS", "READING", "WITH_SHEETS", "Request"]

# How queries are tested by default, by the test of the analysis; else by Wald tests.
_QUERY_TESTS: dict[TestType, QueryTest] = {"averaged": "averaged", "QL": "ql"}
# The test of a method, unless another is requested; moderated t tests have no word, for there are no others.
DEFAULT_TESTS: dict[Method, TestType] = {"deseq2": "Wald", "edger": "QL"}
# How counts are read, as `read_counts` takes it.
READING = ("strand", "transcripts", "unmapped", "lengths", "layer", "sheet")
# Files of counts that may have a sample sheet.
WITH_SHEETS = (".h5ad", ".rds")
# The names of the fits of methods other than DESeq2's.
FITS: dict[Method, str] = {"edger": "edger", "voom": "limma"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `countnest run`, as they were given; None: not given."""

    study: str | None
    counts: tuple[Path, ...]
    samples: Path | None
    design: str | None
    reference: dict[str, str]
    levels: dict[str, list[str]]
    contrast: tuple[tuple[str, str, str], ...]
    name: str | None
    query: tuple[str, ...]
    query_test: QueryTest | None
    allow_fixed_blocks: bool
    alpha: float
    lfc_threshold: float
    alt_hypothesis: AltHypothesis
    method: Method
    test: TestType | None
    reduced: str | None
    fit_type: FitType
    size_factor_type: SizeFactorType
    min_replicates_for_replace: float
    independent_filtering: bool
    cooks_cutoff: float | None
    hidden_factors: int | Literal["auto"] | None
    hidden_seed: int
    null: NullKind
    use_t: bool
    robust: bool
    compat: Compat | None
    block: str | None
    quality_weights: bool
    minmu: float
    orientation: Orientation | None
    strand: Strand | None
    transcripts: Path | None
    unmapped: Unmapped | None
    lengths: Path | None
    layer: str | None
    sheet: str | None
    threads: int | None
    out: Path | None
    force: bool
    quiet: bool

    @property
    def folder(self) -> Path:
        """The folder for the results."""
        return self.out or Path(f"countnest-{self.study or 'results'}")

    @property
    def fit(self) -> str | None:
        """The name of the fit that answers; None: DESeq2's."""
        return FITS.get(self.method)

    @property
    def kind_of_query_test(self) -> QueryTest | None:
        """The kind of test of queries: as requested, or as the analysis; None: that of the fit."""
        if self.fit is not None:
            return None
        return self.query_test or _QUERY_TESTS.get(self.test or "Wald", "wald")

    def missing(self) -> list[str]:
        """Return the options that a run without a shipped study needs and does not have."""
        has_sheet = any(path.suffix.lower() in WITH_SHEETS for path in self.counts)
        samples = self.samples or has_sheet or None
        needed = {"--counts": self.counts or None, "--samples": samples, "--design": self.design}
        return [option for option, value in needed.items() if value is None]
