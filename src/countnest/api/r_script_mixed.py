"""A linear mixed model of every gene as an R script with its files, which lme4, lmerTest and pbkrtest can redo."""

from __future__ import annotations

import pandas as pd

from countnest.api.r_refusal import refuse
from countnest.design.random.term import RandomTerm
from countnest.methods.fit import Fit
from countnest.methods.mixed.linear import LinearMixedFit

__all__ = ["linear_mixed"]

_RULES = {"kenward-roger": "Kenward-Roger", "satterthwaite": "Satterthwaite"}
_FIT = """\
library(lmerTest)  # Kenward and Roger's method needs pbkrtest
values <- table_of("values.csv")  # what is fitted: {scale}
random <- read.csv("random.csv", row.names = 1, check.names = FALSE)
random[grepl("^group", names(random))] <- lapply(random[grepl("^group", names(random))], factor)
control <- lmerControl(optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12))"""
_TESTS = """\
tests_of <- function(gene) {{
  data <- cbind(random, y = values[gene, ]{weights})
  fit <- suppressMessages(lmer({formula}, data, REML = {reml}{weighted}, control = control))
  contest(fit, t(L), joint = FALSE, ddf = "{rule}")
}}
every <- lapply(rownames(values), tests_of)"""
_WRITE = """\
for (i in seq_len(ncol(L))) {
  found <- as.data.frame(do.call(rbind, lapply(every, function(each) each[i, ])), row.names = rownames(values))
  found$padj <- p.adjust(found[["Pr(>|t|)"]], "BH")
  write.table(format(found, digits = 17, trim = TRUE), sprintf("results_%d.tsv", i),
              sep = "\\t", quote = FALSE, col.names = NA)
}
"""


def _what_r_cannot_do(fit: LinearMixedFit) -> dict[str, bool]:
    """Return what lmerTest does not have, and whether the fit has it."""
    rule = fit.stored.df
    return {
        f"degrees of freedom by the rule '{rule}'": rule not in _RULES,
        "variances without a bound at zero": not fit.stored.fits.bounded,
        "precision weights and Kenward and Roger's method, which pbkrtest does without weights": (
            fit.stored.weights is not None and rule == "kenward-roger"
        ),
    }


def linear_mixed(fit: Fit, files: dict[str, pd.DataFrame]) -> list[str]:
    """Return the lines before and after the contrasts, and add the files that they read."""
    assert isinstance(fit, LinearMixedFit)
    refuse(_what_r_cannot_do(fit))
    stored, data = fit.stored, fit.data
    genes = data.genes[stored.kept]
    files["values.csv"] = pd.DataFrame(stored.values, genes, data.samples)
    weighted = stored.weights is not None
    if stored.weights is not None:
        files["weights.csv"] = pd.DataFrame(stored.weights, genes, data.samples)
    columns: dict[str, object] = {}
    terms = [_term(number, term, columns) for number, term in enumerate(fit.design.random, start=1)]
    files["random.csv"] = pd.DataFrame(columns, data.samples)
    labels = ", ".join(f"({term.label})" for term in fit.design.random)
    head = [_FIT.format(scale=stored.scale), f"# random terms: {labels}"]
    if weighted:
        head.append('precision <- table_of("weights.csv")')
    tests = _TESTS.format(
        weights=", w = precision[gene, ]" if weighted else "",
        weighted=", weights = w" if weighted else "",
        formula=" + ".join(["y ~ 0 + X", *terms]),
        reml="TRUE" if stored.fits.reml else "FALSE",
        rule=_RULES[stored.df],
    )
    return ["\n".join(head), tests, _WRITE]


def _term(number: int, term: RandomTerm, columns: dict[str, object]) -> str:
    """Return a random term of R, and add its columns: the group, and what varies between groups."""
    group = f"group{number}"
    columns[group] = [f"{term.levels[code]}" for code in term.codes]
    if term.columns.shape[1] == 1 and (term.columns == 1).all():
        return f"(1 | {group})"
    names = [f"z{number}_{place}" for place in range(1, term.columns.shape[1] + 1)]
    columns.update(zip(names, term.columns.T, strict=True))
    return f"(0 + {' + '.join(names)} | {group})"
