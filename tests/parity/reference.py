"""DESeq2's numbers for sixteen data sets, read from the compact files beside this module."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import packing
import pandas as pd

FOLDER = Path(__file__).resolve().parent / "data"
COUNTS_FOLDER = Path(__file__).resolve().parents[2] / "data"

JUMP = 0.01

STUDIES = ("pasilla", "airway", "study48", "study94")
CASES = (
    "two_group_3",
    "two_group_4",
    "two_group_12",
    "replace_20",
    "replace_batch_32",
    "factorial_12",
    "continuous_14",
    "no_intercept_9",
    "nested_unbalanced_22",
    "normfactors_8",
    "weights_10",
    "sparse_poscounts_30",
)
NAMES = STUDIES + CASES


@dataclass(frozen=True)
class Reference:
    """What DESeq2 was given and what it gave back, for one data set.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    counts : DataFrame
        Genes by samples.
    samples : DataFrame
        Sample sheet by sample, factors as text.
    reference_levels : dict
        The reference level of each factor for which it was chosen; the others are alphabetical.
    formula : str
        The design.
    design_matrix, reduced_matrix : DataFrame
        R's model matrices by sample, all-zero columns dropped. The reduced one is None without a likelihood ratio test.
    fitted_with_matrix : bool
        Whether DESeq2 was given the matrix (and ``~1`` as design) and not the formula.
    size_factors, poscounts, iterated : Series or None
        By sample.
    normalization_factors, weights : DataFrame or None
        Genes by samples.
    coefficients : list of str
        DESeq2's ``resultsNames``.
    genes : DataFrame
        ``mcols(dds)``.
    tables : dict of str to DataFrame
        Every ``results`` table, `genes_lrt`, shrunken fold changes (``shrink_``), and transformed counts of some genes
        (``vst_``, ``rlog_``).
    cooks : DataFrame or None
        Cook's distances by gene (a selection of genes in the studies) and sample.
    numeric_contrast : ndarray or None
        The vector of the table `results_numeric_contrast` or `contrast_last_minus_previous`.
    info : dict
        Trend coefficients, varLogDispEsts, dispPriorVar, fitType, size_factor_type, package.
    """

    name: str
    counts: pd.DataFrame
    samples: pd.DataFrame
    reference_levels: dict[str, str]
    formula: str
    design_matrix: pd.DataFrame
    reduced_matrix: pd.DataFrame | None
    fitted_with_matrix: bool
    size_factors: pd.Series | None
    poscounts: pd.Series | None
    iterated: pd.Series | None
    normalization_factors: pd.DataFrame | None
    weights: pd.DataFrame | None
    coefficients: list[str]
    genes: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    cooks: pd.DataFrame | None
    numeric_contrast: np.ndarray | None
    info: dict[str, Any]

    @property
    def design(self) -> str | pd.DataFrame:
        """The design as DESeq2 got it."""
        return self.design_matrix if self.fitted_with_matrix else self.formula


def checksum(labels: pd.Index) -> int:
    """Return a checksum of gene labels in their order."""
    return zlib.crc32("\n".join(labels).encode())


def table_columns(name: str) -> dict[str, list[str]]:
    """Return the columns of every stored table of a data set, without unpacking the numbers."""
    tables: dict[str, list[str]] = {}
    for key in packing.read_header(FOLDER / f"{name}.npz")["columns"]:
        table, _, column = key.partition("/")
        tables.setdefault(table, []).append(column)
    return tables


def quasi_newton_rows(name: str) -> dict[str, int]:
    """Return how many genes left the IRLS in DESeq2, for the Wald fit (`genes`) and for `genes_lrt`."""
    rows: dict[str, int] = packing.read_header(FOLDER / f"{name}.npz")["meta"]["quasi_newton"]
    return rows


@cache
def rounding() -> dict[str, Any]:
    """Return what rounding.R found, by data set: `orders`, `trend` and `genes`."""
    found: dict[str, Any] = json.loads((FOLDER / "rounding.json").read_text())
    return found


@cache
def movements(name: str, trend: str = "parametric") -> dict[str, float]:
    """Return the genes that rounding decides, and how far it moved their dispersions, relative.

    They move when samples come in another order: in DESeq2 (rounding.R, which follows the default trend), or here
    (rounding.py, for every kind of trend that is compared).
    """
    moved = {gene: max(pair) for gene, pair in rounding().get(name, {}).get("genes", {}).items()}
    for gene, stages in json.loads((FOLDER / "rounding_here.json").read_text()).get(name, {}).items():
        here = max(stages.get("gene-wise", 0.0), stages.get(trend, 0.0))
        if here:
            moved[gene] = max(here, moved.get(gene, 0.0))
    return moved


def trend_movement(name: str) -> float:
    """Return how far the trend moves in DESeq2 when samples come in another order, relative."""
    return float(rounding().get(name, {}).get("trend", 0.0))


def jumping_genes(name: str) -> list[str]:
    """Return the genes whose gene-wise dispersion jumps, by more than a hundredth, with the order of the samples.

    One such jump moves the trend, and with it every gene.
    """
    genes = rounding().get(name, {}).get("genes", {})
    return [gene for gene, (genewise, _) in genes.items() if genewise > JUMP]


@cache
def load(name: str) -> Reference:
    """Return the reference of one data set."""
    columns, meta = packing.unpack(FOLDER / f"{name}.npz")
    frames: dict[str, dict[str, np.ndarray]] = {}
    for key, values in columns.items():
        table, _, column = key.partition("/")
        frames.setdefault(table, {})[column] = values
    sheet = meta["samples"]
    samples = pd.DataFrame(sheet["columns"], index=pd.Index(sheet["index"], name="sample"))
    counts = _counts(name, frames.pop("counts", None), meta)
    genes = counts.index
    selected = genes[frames.pop("cooks_rows", {}).get("row", np.arange(genes.size))]

    def by_sample(table: str) -> pd.DataFrame | None:
        return pd.DataFrame(frames.pop(table), index=samples.index) if table in frames else None

    def by_gene(table: str, index: pd.Index = genes) -> pd.DataFrame | None:
        return pd.DataFrame(frames.pop(table), index=index) if table in frames else None

    design_matrix, reduced_matrix, factors = (
        by_sample(table) for table in ("design_matrix", "reduced_matrix", "size_factors")
    )

    def by_row(table: str, frame: dict[str, np.ndarray]) -> pd.DataFrame:
        return pd.DataFrame(frame, index=genes[rows[table]] if table in rows else genes)

    rows = {table.removesuffix("_rows"): frames.pop(table)["row"] for table in list(frames) if table.endswith("_rows")}
    iterated = by_sample("size_factors_iterate")
    contrast = meta["numeric_contrast"]
    reference = {
        "normalization_factors": by_gene("normalization_factors"),
        "weights": by_gene("weights"),
        "genes": by_gene("genes"),
        "cooks": by_gene("cooks", selected),
    }
    return Reference(
        name=name,
        counts=counts,
        samples=samples,
        reference_levels=meta["reference_levels"],
        formula=meta["formula"],
        design_matrix=design_matrix,
        reduced_matrix=reduced_matrix,
        fitted_with_matrix=meta["fitted_with_matrix"],
        size_factors=None if factors is None else factors["sizeFactor"],
        poscounts=None if factors is None else factors.get("poscounts"),
        coefficients=meta["coefficients"],
        iterated=None if iterated is None else iterated["iterate"],
        tables={table: by_row(table, frame) for table, frame in frames.items()},
        numeric_contrast=None if contrast is None else np.array(contrast, dtype=float),
        info=meta["info"],
        **reference,
    )


def _counts(name: str, stored: dict[str, np.ndarray] | None, meta: dict[str, Any]) -> pd.DataFrame:
    """Return the counts from the compact file, or from the study that the repository ships."""
    if stored is not None:
        first, last, pattern = meta["genes"]["first"], meta["genes"]["last"], meta["genes"]["pattern"]
        genes = pd.Index([pattern % number for number in range(first, last + 1)], name="gene")
        counts = pd.DataFrame(stored, index=genes)
    else:
        counts = pd.read_csv(COUNTS_FOLDER / f"{name}_counts.csv.gz", index_col=0)[meta["samples"]["index"]]
        genes = counts.index.rename("gene")
        counts = counts.set_axis(genes, axis=0)
    if checksum(genes) != meta["genes"]["checksum"]:
        raise ValueError(f"{name}: the gene labels of the counts are not those of the reference")
    return counts
