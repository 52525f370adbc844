"""The same models in R, for some genes: how far p-values, estimates and likelihoods are apart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.tests import contrast_tests, joint_tests
from mixed.counts import fitted_counts, row_estimates
from mixed.methods import MIXED, Studied, query_of
from mixed.studies import QUESTIONS, SCENARIOS

__all__ = ["LINEAR_GENES", "MIXED_GENES", "run", "tables"]

SCRIPT = Path(__file__).with_name("agreement.R")
SCENARIO = SCENARIOS["24-exponential"]
GENES, LINEAR_GENES, MIXED_GENES = 300, 200, 60
LN10 = np.log(10.0)


def _given() -> tuple[Studied, np.ndarray, np.ndarray, np.ndarray]:
    """Return the study, the genes that R fits, their log2 counts, and the logarithms of the size factors."""
    studied = Studied(SCENARIO.draw(GENES, 1))
    dds = studied.data_set(MIXED).estimate_size_factors()
    genes = np.flatnonzero(studied.kept())[:LINEAR_GENES]
    factors = dds.size_factors.to_numpy()
    return studied, genes, np.log2(dds.counts().to_numpy()[genes] / factors + 0.5), np.log(factors)


def run(cache: Path) -> None:
    """Run R's packages, unless there are answers."""
    folder = cache / "agreement"
    if (folder / "versions.txt").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    studied, genes, values, offset = _given()
    dds = studied.data_set(MIXED)
    samples = studied.study.samples
    pd.DataFrame(values).to_csv(folder / "values.csv", index=False)
    studied.study.counts.iloc[genes].to_csv(folder / "counts.csv", index=False)
    pd.DataFrame(offset).to_csv(folder / "offset.csv", index=False)
    pd.DataFrame(dds.design.matrix).to_csv(folder / "model.csv", index=False)
    samples[["family"]].to_csv(folder / "family.csv", index=False)
    contrasts = {question: pd.DataFrame(query_of(dds, question).matrix) for question in QUESTIONS}
    pd.concat(contrasts, names=["question"]).reset_index(level=0).to_csv(folder / "contrasts.csv", index=False)
    command = ["Rscript", str(SCRIPT), str(folder), str(LINEAR_GENES), str(MIXED_GENES)]
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | one)
    if done.returncode:
        raise SystemExit(f"Rscript failed; --skip-r leaves R's packages out.\n{done.stderr}")
    (folder / "versions.txt").write_text(done.stdout.strip(), encoding="utf-8")


def tables(cache: Path) -> tuple[str, list[list[str]]] | None:
    """Return the versions and the rows of a table: what is compared, median and largest difference; None without R."""
    folder = cache / "agreement"
    if not (folder / "versions.txt").exists():
        return None
    studied, genes, values, _ = _given()
    rows = _linear_rows(pd.read_csv(folder / "linear.csv"), studied, values)
    rows += _mixed_rows(pd.read_csv(folder / "mixed.csv"), studied, genes)
    return (folder / "versions.txt").read_text(encoding="utf-8"), rows


def _row(what: str, differences: np.ndarray) -> list[str]:
    apart = np.abs(differences)
    return [what, str(len(apart)), f"{np.median(apart):.1e}", f"{apart.max():.1e}"]


def _linear_rows(theirs: pd.DataFrame, studied: Studied, values: np.ndarray) -> list[list[str]]:
    dds, rows = studied.data_set(MIXED), []
    values, model = values[: theirs["gene"].max()], mixed_model(dds.design)
    fits = fit_linear(values, model)
    for column, rule in (("satterthwaite", "satterthwaite"), ("kenward_roger", "kenward-roger")):
        for question in QUESTIONS:
            contrasts = query_of(dds, question).matrix
            test = joint_tests if len(contrasts) > 1 else contrast_tests
            ours = test(values, model, None, fits, contrasts, rule).log_p.ravel() / LN10
            p = theirs.loc[theirs["question"] == question, column].to_numpy()
            rows.append(_row(f"log10 p, {column.replace('_', '-')}, {question}", ours - np.log10(p)))
    return rows


def _mixed_rows(theirs: pd.DataFrame, studied: Studied, genes: np.ndarray) -> list[list[str]]:
    rows, dds = [], studied.data_set(MIXED)
    kept = np.zeros(len(studied.study.counts), dtype=bool)
    kept[genes[: theirs["gene"].max()]] = True
    for reml, name in ((False, "ML"), (True, "REML")):
        fits = fitted_counts(dds, kept, reml=reml)
        there = theirs[theirs["reml"] == reml]
        for question in ("within, one row", "between, one row"):
            each = there[there["question"] == question].sort_values("gene")
            estimate, se = row_estimates(fits, query_of(dds, question).matrix[0])
            usable = np.isfinite(each["se"].to_numpy() + se)
            rows.append(_row(f"estimate (natural log), NB {name}, {question}", (estimate - each["estimate"])[usable]))
            rows.append(_row(f"standard error, relative, NB {name}, {question}", (se / each["se"] - 1.0)[usable]))
        rows.append(_row(f"log-likelihood, NB {name}", (fits.loglik - each["loglik"])[np.isfinite(each["loglik"])]))
    return rows
