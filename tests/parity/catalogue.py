"""Everything that is compared with DESeq2 for a data set."""

from __future__ import annotations

import reference
from comparison import SAME_ARITHMETIC
from derived import derived
from quantities import (
    Quantity,
    classes,
    coefficients,
    cooks,
    dispersions,
    exact,
    likelihood_ratio,
    other_trends,
    poscounts,
    quasi_newton,
    results,
    size_factors,
    trend,
)


def quantities(name: str) -> list[Quantity]:
    """Return everything that the reference of a data set allows to compare."""
    stored = reference.table_columns(name)
    found: list[Quantity] = []
    if "size_factors" in stored:
        found.append(Quantity("size factors", "size factors", size_factors))
        if "poscounts" in stored["size_factors"]:
            found.append(Quantity("size factors", "size factors, poscounts", poscounts))
    found += [
        exact("baseMean", group="baseMean", tolerance=SAME_ARITHMETIC),
        exact("baseVar", group="baseMean", tolerance=SAME_ARITHMETIC),
        exact("allZero"),
        Quantity("classes", "dispGeneEst > 1e-6", classes),
        Quantity("dispFit", "trend and prior", trend),
        *dispersions(name),
        *other_trends(name, stored),
        exact("dispOutlier"),
        Quantity("classes", "quasi-Newton genes", quasi_newton),
        exact("betaConv"),
        *coefficients(name),
        *cooks(name, stored),
    ]
    if "replace" in stored["genes"]:
        found.append(exact("replace"))
    if "genes_lrt" in stored:
        found += likelihood_ratio(name, stored["genes_lrt"])
    for table, columns in stored.items():
        if table.startswith(("results", "contrast")):
            found += results(name, table, columns)
    found += derived(name, stored)
    return found
