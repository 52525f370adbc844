"""The tests of R's packages on data sets: files for R, and its answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from rates.data import Data
from rates.here import LEVELS, Answer, Fits
from rates.scenarios import Scenario

__all__ = ["DESEQ2_SETS", "VERSIONS", "answers", "is_written", "queue", "run", "write"]

SCRIPT = Path(__file__).with_name("error_rates.R")
# DESeq2 has countnest's numbers, and takes the longest: it is run on the first data sets of a scenario.
DESEQ2_SETS = 2
VERSIONS = "versions.txt"
QUESTION = "question.txt"
# The files that R writes, and the names of the methods in them.
FILES = {"edgeR": {"test": "edgeR QL"}, "voom": {"test": "limma voom"}, "DESeq2": {"Wald": "Wald", "LRT": "LRT"}}


def is_written(folder: Path) -> bool:
    """Return whether a folder has the files of a data set; the last one is written last."""
    return (folder / QUESTION).exists()


def write(folder: Path, data: Data, scenario: Scenario) -> None:
    """Write the files of a data set that R reads."""
    folder.mkdir(parents=True, exist_ok=True)
    query = scenario.query(Fits(data).unfitted())
    design = query.design
    data.counts.to_numpy(dtype="<i4").tofile(folder / "counts.bin")
    model = pd.DataFrame(design.matrix, index=data.samples.index, columns=list(design.columns))
    model.to_csv(folder / "model.csv")
    pd.DataFrame(query.matrix.T, index=list(design.columns)).to_csv(folder / "contrasts.csv")
    data.samples.to_csv(folder / "samples.csv")
    lines = [data.design, scenario.reduced, ",".join(scenario.contrast)]
    (folder / QUESTION).write_text("\n".join(lines) + "\n", encoding="utf-8")


def queue(folders: list[tuple[int, Path]]) -> list[str]:
    """Return the lines of R's queue for data sets, each a seed and a folder."""
    quick = [f"{name}\t{folder}" for _, folder in folders for name in FILES if name != "DESeq2"]
    return quick + [f"DESeq2\t{folder}" for seed, folder in folders if seed <= DESEQ2_SETS]


def run(lines: list[str], cache: Path) -> None:
    """Run R's methods, one after the other, on one thread; those with answers already are left out."""
    if not lines:
        return
    (cache / "queue.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["Rscript", str(SCRIPT), str(cache / "queue.txt"), ",".join(map(str, LEVELS))]
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | one)
    if done.returncode:
        raise SystemExit(f"Rscript failed; --skip-r leaves R's methods out.\n{done.stderr}")
    (cache / VERSIONS).write_text(done.stdout.strip(), encoding="utf-8")


def answers(folder: Path) -> dict[tuple[str, str], Answer]:
    """Return R's answers for a data set, by program and method: those that there are."""
    found = {}
    for name, methods in FILES.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            continue
        table = pd.read_csv(path)
        for word, method in methods.items():
            if f"{word}|pvalue" in table:
                padj = np.array([table[f"{word}|{level}"] for level in LEVELS], dtype=np.float64)
                found[name, method] = Answer(table[f"{word}|pvalue"].to_numpy(dtype=np.float64), padj)
    return found
