"""A small study of single cells for the tests."""

import numpy as np
import pandas as pd
from scipy import sparse

GENES = 120
# Cells of each donor, of each type; 'few' is rare, 'lone' is seen in one treated donor only.
SIZES = {"B": 30, "T": 40, "NK": 25, "few": 3, "lone": 20}


def cells(seed=1):
    """Return the parts of an AnnData object: counts, obs and var; of 8 donors, of which 4 were treated.

    The first 10 genes change fourfold in B cells, the next 10 in T cells, none in others.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for donor in range(8):
        treated = donor % 2 == 1
        for kind, size in SIZES.items():
            if kind == "lone" and donor not in (0, 2, 4, 1):
                continue
            rows += [(f"d{donor}", "stim" if treated else "ctrl", kind, donor < 4)] * size
    obs = pd.DataFrame(rows, columns=["donor", "condition", "cell_type", "early"])
    obs.index = [f"c{i}" for i in range(len(obs))]
    base = np.exp(rng.uniform(-1.5, 2.0, GENES))
    kinds = {kind: base * np.exp(rng.normal(0, 0.5, GENES)) for kind in SIZES}
    donors = {f"d{j}": np.exp(rng.normal(0, 0.15, GENES)) for j in range(8)}
    mu = np.stack([kinds[kind] * donors[donor] for donor, kind in zip(obs["donor"], obs["cell_type"], strict=True)])
    for kind, part in (("B", slice(0, 10)), ("T", slice(10, 20))):
        mu[((obs["cell_type"] == kind) & (obs["condition"] == "stim")).to_numpy(), part] *= 4.0
    counts = rng.negative_binomial(2.0, 2.0 / (2.0 + mu))
    var = pd.DataFrame({"gene_name": [f"S{i}" for i in range(GENES)]}, index=[f"g{i}" for i in range(GENES)])
    return sparse.csr_matrix(counts.astype(np.float32)), obs, var
