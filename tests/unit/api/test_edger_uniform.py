"""P-values of edgeR's quasi-likelihood tests of studies in which nothing changed: uniform, but for chance.

Limits are those of the binomial distribution and of Kolmogorov's: chance alone passes them once in about 10,000 times.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import countnest as cn

N_GENES, SEEDS = 1500, (11, 12, 13)
CHANCE = 1e-4
N_ALL = N_GENES * len(SEEDS)


def study(seed):
    """Return a data set of two batches with two conditions, which change nothing, and gene-wise dispersions."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.uniform(np.log(20.0), np.log(2000.0), (N_GENES, 1)))
    batch = np.exp(rng.normal(0.0, 0.3, (N_GENES, 1))) ** np.repeat([0.0, 1.0], 4)
    mu = mean * batch * rng.uniform(0.7, 1.4, 8)
    size = rng.chisquare(10.0, (N_GENES, 1)) / 10.0 / 0.1  # of dispersions around 0.1
    counts = pd.DataFrame(rng.negative_binomial(size, size / (size + mu)), columns=[f"s{j}" for j in range(8)])
    samples = pd.DataFrame({"batch": list("aaaabbbb"), "condition": list("xxyyxxyy")}, index=counts.columns)
    return cn.DESeqDataSet(counts, samples, design="~ batch + condition", quiet=True)


@pytest.fixture(scope="module")
def studies():
    return [study(seed) for seed in SEEDS]


@pytest.mark.parametrize("options", [{}, {"legacy": True}, {"robust": True}], ids=["v4", "legacy", "robust"])
def test_p_values_of_genes_that_do_not_change_are_uniform(studies, options):
    fitted = [cn.edger(dds.copy(), filter=False, quiet=True, **options) for dds in studies]
    p_value = np.concatenate([cn.glm_ql_ftest(dds).pvalue for dds in fitted])
    assert len(p_value) == N_ALL
    for level in (0.001, 0.05, 0.5):
        below = int((p_value < level).sum())
        low, high = scipy.stats.binom.ppf([CHANCE / 2, 1.0 - CHANCE / 2], N_ALL, level)
        assert low <= below <= high, level
    assert scipy.stats.kstest(p_value, "uniform").pvalue > CHANCE
