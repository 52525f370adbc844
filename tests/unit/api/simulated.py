"""Small studies for the tests of the data set."""

import numpy as np
import pandas as pd


def study(n_genes=150, n=12, levels=("a", "b", "c"), seed=1):
    """Return counts, genes by samples, and a sheet with the factors `batch` (x, y) and `group` (`levels`).

    The first two genes have no counts, the next two none in the last group.
    """
    rng = np.random.default_rng(seed)
    sheet = pd.DataFrame(
        {"batch": np.tile(["x", "y"], n // 2), "group": np.repeat(levels, n // len(levels))},
        index=[f"s{j}" for j in range(n)],
    )
    base = np.exp(rng.uniform(1.0, 7.0, n_genes))
    change = np.where(rng.random((n_genes, len(levels))) < 0.3, rng.normal(0.0, 1.5, (n_genes, len(levels))), 0.0)
    mu = base[:, None] * np.exp(change[:, np.repeat(np.arange(len(levels)), n // len(levels))])
    mu = mu * np.where(sheet["batch"] == "y", 1.3, 1.0) * rng.uniform(0.7, 1.5, n)
    alpha = (0.05 + 1.0 / base)[:, None]
    counts = rng.negative_binomial(1.0 / alpha, 1.0 / (1.0 + alpha * mu))
    counts[:2] = 0
    counts[2:4] += 5
    counts[2:4, sheet["group"] == levels[-1]] = 0
    return pd.DataFrame(counts, index=[f"g{i}" for i in range(n_genes)], columns=sheet.index), sheet
