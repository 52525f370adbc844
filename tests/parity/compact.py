"""Turn a folder of DESeq2's output into the compact files that the parity tests read.

usage: python compact.py SRC DEST [--counts FOLDER]

SRC holds one folder for each study and ``cases/``; FOLDER (default ``SRC/../data``) the studies' counts and sample
sheets. Every file is read back after writing and compared with its source: missing values exactly, integers and
booleans exactly, floats to 2e-13.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import packing
import pandas as pd
import reference

README_FORMULAS = {
    "pasilla": "~ type + condition",
    "airway": "~ cell + dex",
    "study48": "~ treat1 + treat1:ind + treat1:treat2",
    "study94": (
        "~ father*mother + father:mother:ind + father:mother:treat2 + father:mother:treat3"
        " + father:mother:treat2:treat3"
    ),
}
REFERENCE_LEVELS = {
    "pasilla": {"condition": "untreated"},
    "airway": {"dex": "untrt"},
    "study48": {"treat2": "None"},
    "study94": {"father": "no", "mother": "no", "treat2": "None", "treat3": "None"},
}
DESIGN_VARIABLES = {
    "pasilla": ["condition", "type"],
    "airway": ["cell", "dex"],
    "study48": ["family", "treat1", "ind", "treat2"],
    "study94": ["family", "father", "mother", "ind", "treat2", "treat3"],
}
NUMERIC_VARIABLES = {"age"}
SHIPPED = ("pasilla", "airway")
LEFT_OUT = ("mu", "counts", "genes_lrt", "genes")
TRANSFORMED = ("vst_blind_full", "vst_fast", "rlog_blind")
TRANSFORMED_GENES = 1000
LRT_COLUMNS = ["LRTStatistic", "LRTPvalue", "fullBetaConv", "reducedBetaConv", "betaIter", "maxCooks"]
COOKS_GENES = {"pasilla": 500, "study48": 500, "study94": 250}
EXACT = {"size_factors", "normalization_factors", "weights", "design_matrix", "reduced_matrix"}


def read_table(path: Path) -> pd.DataFrame:
    """Read one table, its logical columns as booleans, or as 0, 1 and missing."""
    table = pd.read_csv(path, index_col=0, float_precision="round_trip")
    for column in table.select_dtypes(object):
        table[column] = table[column].map({True: 1.0, False: 0.0, "TRUE": 1.0, "FALSE": 0.0})
    return table


def read_sheet(path: Path) -> pd.DataFrame:
    """Read a sample sheet; every variable is text except the known covariates."""
    sheet = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    for column in NUMERIC_VARIABLES & set(sheet.columns):
        sheet[column] = sheet[column].astype(float)
    return sheet


def read_text(path: Path) -> str | None:
    """Return the text of a file, or None when there is none."""
    return path.read_text().strip() if path.exists() else None


def numeric_contrast(name: str, folder: Path, coefficients: list[str]) -> list[float] | None:
    """Return the numeric contrast: written in the cases, +1 on the last and -1 on the one before in the studies."""
    if (text := read_text(folder / "numeric_contrast.txt")) is not None:
        return [float(value) for value in text.split()]
    if name in reference.STUDIES and (folder / "contrast_last_minus_previous.csv.gz").exists():
        return [0.0] * (len(coefficients) - 2) + [-1.0, 1.0]
    return None


def coefficient_names(folder: Path, genes: pd.DataFrame) -> list[str]:
    """Return ``resultsNames``: from its file, or from the columns that have a standard error."""
    if (text := read_text(folder / "coefficients.txt")) is not None:
        return text.split("\n")
    return [column for column in genes.columns if f"SE_{column}" in genes.columns]


def gene_record(name: str, genes: pd.Index) -> dict[str, Any]:
    """Describe the gene labels: a checksum, and the pattern where they are numbered."""
    record: dict[str, Any] = {"checksum": reference.checksum(genes)}
    if name not in SHIPPED:
        digits = "0123456789"
        stem = genes[0].rstrip(digits)
        pattern = f"{stem}%0{len(genes[0]) - len(stem)}d"
        first = int(genes[0].removeprefix(stem))
        record |= {"pattern": pattern, "first": first, "last": first + genes.size - 1}
        if [pattern % number for number in range(first, first + genes.size)] != list(genes):
            raise ValueError(f"{name}: the genes are not numbered from {genes[0]} on")
    return record


def cooks_rows(name: str, genes: pd.DataFrame) -> np.ndarray:
    """Choose the genes whose Cook's distances are kept: evenly spaced, and some of those that left the IRLS."""
    if name not in COOKS_GENES:
        return np.arange(len(genes))
    even = np.linspace(0, len(genes) - 1, COOKS_GENES[name]).astype(int)
    hard = np.flatnonzero(genes["betaIter"] == 100)[:50]
    return np.union1d(even, hard)


def collect(name: str, source: Path, counts_folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables of one data set and its record."""
    study = name in reference.STUDIES
    folder = source / name if study else source / "cases" / name
    counts_path = counts_folder / f"{name}_counts.csv.gz" if study else folder / "counts.csv.gz"
    samples = read_sheet(counts_folder / f"{name}_samples.csv" if study else folder / "samples.csv")
    samples = samples[DESIGN_VARIABLES[name]] if study else samples
    genes = read_table(folder / "genes.csv.gz")
    coefficients = coefficient_names(folder, genes)
    tables = {} if name in SHIPPED else {"counts": read_table(counts_path)[samples.index]}
    wald = ("WaldStatistic_", "WaldPvalue_")
    tables["genes"] = genes[[column for column in genes.columns if not column.startswith(wald)]]
    # The last coefficient's table comes first, so that the others can refer to it.
    paths = sorted(folder.glob("*.csv.gz"), key=lambda path: (not path.name.startswith("results"), path.name))
    for path in paths:
        table = path.name.removesuffix(".csv.gz")
        if not table.startswith(LEFT_OUT):
            tables[table] = read_table(path)
    if (folder / "genes_lrt.csv.gz").exists():
        lrt = read_table(folder / "genes_lrt.csv.gz")
        tables["genes_lrt"] = lrt[[column for column in LRT_COLUMNS if column in lrt.columns]]
    if "cooks" in tables and name in COOKS_GENES:
        rows = cooks_rows(name, genes)
        tables["cooks_rows"] = pd.DataFrame({"row": rows})
        tables["cooks"] = tables["cooks"].iloc[rows]
    for table in TRANSFORMED:
        if table in tables:
            tables[table] = tables[table].iloc[:TRANSFORMED_GENES]
            tables[f"{table}_rows"] = pd.DataFrame({"row": genes.index.get_indexer(tables[table].index)})
    fits = [table for table in ("genes", "genes_lrt") if "betaIter" in tables.get(table, ())]
    info = json.loads((folder / "info.json").read_text())
    record = {
        "name": name,
        "genes": gene_record(name, genes.index),
        "samples": {"index": list(samples.index), "columns": samples.to_dict(orient="list")},
        "reference_levels": REFERENCE_LEVELS.get(name, {}),
        "formula": README_FORMULAS[name] if study else info["formula"],
        "fitted_with_matrix": study or name == "nested_unbalanced_22",
        "coefficients": coefficients,
        "quasi_newton": {table: int((tables[table]["betaIter"] == 100).sum()) for table in fits},
        "numeric_contrast": numeric_contrast(name, folder, coefficients),
        "info": {"size_factor_type": "ratio"} | {key: value for key, value in info.items() if "shrink" not in key},
    }
    return tables, record


def as_columns(tables: dict[str, pd.DataFrame]) -> tuple[dict[str, np.ndarray], set[str]]:
    """Flatten the tables to columns, and name those that must not be rounded."""
    columns = {f"{table}/{name}": frame[name].to_numpy() for table, frame in tables.items() for name in frame}
    whole = ("counts/", *(f"{table}_rows/" for table in ("cooks", *TRANSFORMED)))
    floats = {
        key: values if values.dtype.kind == "b" or key.startswith(whole) else values.astype(float)
        for key, values in columns.items()
    }
    exact = {key for key in floats if key.split("/")[0] in EXACT or key in ("genes/baseMean", "genes/baseVar")}
    return floats, exact


def verify(name: str, path: Path, columns: dict[str, np.ndarray], exact: set[str]) -> None:
    """Raise unless the file holds the columns: missing values exactly, floats to 2e-13, the rest exactly."""
    stored, _ = packing.unpack(path)
    if list(stored) != list(columns):
        raise AssertionError(f"{name}: other columns")
    for key, values in columns.items():
        there = stored[key]
        if values.dtype.kind != "f" or key in exact:
            same = np.array_equal(there, values, equal_nan=values.dtype.kind == "f")
        else:
            same = np.allclose(there, values, rtol=2e-13, atol=0, equal_nan=True)
            same &= key.rpartition("/")[2] != "padj" or np.array_equal(there < 0.1, values < 0.1)
        if not same:
            raise AssertionError(f"{name}: {key} is not what was written")


def main() -> None:
    """Read the arguments and write every data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("destination", type=Path, metavar="DEST")
    parser.add_argument("--counts", type=Path, default=None, metavar="FOLDER")
    options = parser.parse_args()
    options.destination.mkdir(parents=True, exist_ok=True)
    total = 0
    for name in reference.NAMES:
        tables, record = collect(name, options.source, options.counts or options.source.parent / "data")
        columns, exact = as_columns(tables)
        path = options.destination / f"{name}.npz"
        packing.pack(path, columns, record, exact)
        verify(name, path, columns, exact)
        size = path.stat().st_size
        total += size
        print(f"{name:22s} {len(columns):4d} columns {size / 1e6:8.3f} MB")
    print(f"{'all':22s} {total / 1e6:21.3f} MB")


if __name__ == "__main__":
    main()
