"""Spellings of one model: the same likelihoods and fold changes, also of genes that IRLS loses."""

import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning
from countnest.methods.deseq2.inference import separated_by_design

DONORS, GENES = 6, 1500
SPELLINGS = ("~ donor + a * b", "~ donor + a + a:b", "~ 0 + donor + b * a")
NESTED = ("~ group + group:donor + group:condition", "~ donor + group * condition")


def draw(sheet, effects, seed):
    """Return counts of a whole transcriptome: many genes have hardly any."""
    rng = np.random.default_rng(seed)
    base = np.exp2(np.where(rng.random(GENES) < 0.4, rng.normal(6.0, 3.0, GENES), rng.normal(-3.0, 2.0, GENES)))
    alpha = (0.05 + 2.0 / base) * np.exp(rng.normal(0.0, 0.5, GENES))
    change = rng.normal(0.0, 0.7, (GENES, effects.shape[1])) * (rng.random((GENES, 1)) < 0.3)
    mean = np.minimum(base[:, None] * np.exp(change @ effects.T) * np.exp(rng.normal(0.0, 0.2, len(sheet))), 1e6)
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mean))
    return pd.DataFrame(counts, index=[f"g{i}" for i in range(GENES)], columns=sheet.index)


def fit_all(counts, sheet, spellings, reference):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        return [
            cn.DESeqDataSet(counts, sheet, design=each, reference=reference).deseq(quiet=True) for each in spellings
        ]


@pytest.fixture(scope="module")
def crossed():
    rows = [(f"d{i}", a, b) for i in range(DONORS) for a in ("no", "yes") for b in ("no", "yes")]
    sheet = pd.DataFrame(rows, columns=["donor", "a", "b"], index=[f"s{i}" for i in range(len(rows))])
    effects = pd.get_dummies(sheet).to_numpy(dtype=float)
    return fit_all(draw(sheet, effects, 1), sheet, SPELLINGS, {"a": "no", "b": "no"})


@pytest.fixture(scope="module")
def nested():
    rows = [(f"{g}{i}", g, c) for g in "AB" for i in range(4) for c in ("ctl", "trt")]
    sheet = pd.DataFrame(rows, columns=["donor", "group", "condition"], index=[f"s{i}" for i in range(len(rows))])
    effects = pd.get_dummies(sheet).to_numpy(dtype=float)
    return fit_all(draw(sheet, effects, 2), sheet, NESTED, {"condition": "ctl"})


def finite(question):
    """Return the genes that have no infinite coefficient."""
    fitted = question.dds._last_fit()
    every = np.eye(fitted.layout.n_coefficients)
    found = separated_by_design(fitted.counts_used, every, fitted.state, fitted.layout, engine=fitted.engine)
    return ~found.any(axis=1)


def rows_of(results):
    return list(results.parts.values()) if hasattr(results, "parts") else [results]


def assert_statistics_that_a_maximum_has(query):
    for found in [query.joint().test("lrt"), *rows_of(query.test("lrt"))] if len(query) > 1 else [query.test("lrt")]:
        statistic = found.table["stat"].dropna()
        assert len(statistic) > 0.6 * GENES
        assert statistic.min() >= 0.0
        assert found.table["pvalue"].dropna().between(0.0, 1.0).all()


def test_no_likelihood_ratio_statistic_is_below_zero(crossed, nested):
    assert sum(int(dds._fitted().fit.optimized.sum()) for dds in crossed) > 10
    for dds in crossed:
        for query in (dds.effect("b", by="a"), dds.interaction(a="reference", b="reference"), dds.effect("a")):
            assert_statistics_that_a_maximum_has(query)
    for dds in nested:
        for query in (dds.effect("condition", by="group"), dds.interaction(condition="reference", group="reference")):
            assert_statistics_that_a_maximum_has(query)


def test_a_statistic_of_genes_that_irls_loses_is_twice_the_gain_of_the_maximum(crossed):
    dds = crossed[0]
    query = dds.interaction(a="reference", b="reference")
    fitted = query.dds._last_fit()
    lost = np.flatnonzero(fitted.model.optimized)[:20]
    found = query.test("lrt").table["stat"].to_numpy()[lost]
    X, counts = fitted.layout.matrix, fitted.counts_used.read(lost)
    null = np.linalg.svd(query.matrix)[2][1:].T
    expected = [
        2.0 * (highest(y, X, fitted.state.factors[0], a) - highest(y, X @ null, fitted.state.factors[0], a))
        for y, a in zip(counts, fitted.state.dispersions.final[lost], strict=True)
    ]
    # samples without counts whose means are below 1e-4 are left as they are
    np.testing.assert_allclose(found, np.maximum(expected, 0.0), atol=2e-4 * len(X))


def highest(y, X, f, alpha):
    """Return the largest log-likelihood but for constants, by Fisher scoring with a small and fading ridge."""
    beta, size = np.linalg.lstsq(X, np.log(y / f + 0.5), rcond=None)[0], 1.0 / alpha

    def loglik(b):
        with np.errstate(over="ignore"):
            return float(np.sum(y * (X @ b) - (y + size) * np.log1p(alpha * f * np.exp(X @ b))))

    for _ in range(400):
        mu = f * np.exp(X @ beta)
        weight = mu / (1.0 + alpha * mu)
        step = np.linalg.solve((X.T * weight) @ X + 1e-9 * np.eye(X.shape[1]), X.T @ ((y - mu) / (1.0 + alpha * mu)))
        step *= min(1.0, 3.0 / max(np.abs(X @ step).max(), 1e-12))
        while loglik(beta + step) < loglik(beta) and np.abs(step).max() > 1e-12:
            step /= 2.0
        beta = beta + step
    return loglik(beta)


def test_fold_changes_of_finite_genes_agree_between_spellings(crossed, nested):
    asked = (
        (crossed, (lambda dds: dds.effect("b", by="a"), lambda dds: dds.effect("a"),
                   lambda dds: dds.interaction(a="reference", b="reference"))),
        (nested, (lambda dds: dds.effect("condition", by="group"), lambda dds: dds.effect("condition"))),
    )  # fmt: skip
    for spellings, questions in asked:
        first, *others = spellings
        counted = finite(questions[0](first))
        for question in questions:
            for other in others:
                for one, two in zip(rows_of(question(first).test()), rows_of(question(other).test()), strict=True):
                    off = (one.table["log2FoldChange"] - two.table["log2FoldChange"]).abs() / one.table["lfcSE"]
                    assert np.nanmax(off[counted]) < 1e-3
                    # genes with an infinite coefficient besides: where IRLS ends is a matter of the spelling, rarely
                    rest = off[~counted & ~one.table["separated"] & ~two.table["separated"]].dropna()
                    assert (rest < 1e-3).mean() > 0.98
