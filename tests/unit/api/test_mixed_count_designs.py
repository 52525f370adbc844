"""Mixed models of counts with several random terms or columns, as a data set answers queries with them."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.design.random.containment import containment_df
from countnest.methods.mixed.model import mixed_model
from countnest.stats.mixed.covariances import relative_covariances
from countnest.stats.mixed.laplace import fit_counts

FORMULAS = {
    "slope": "~ time * group + (time | subject)",
    "uncorrelated": "~ time * group + (time || subject)",
    "nested": "~ group + time + (1 | site/subject)",
    "crossed": "~ group + time + (1 | subject) + (1 | batch)",
}
COLUMNS = {
    "slope": ["sd 1 | subject", "sd time | subject"],
    "uncorrelated": ["sd 1 | subject", "sd time | subject"],
    "nested": ["sd 1 | site", "sd 1 | site:subject"],
    "crossed": ["sd 1 | subject", "sd 1 | batch"],
}
LN2 = np.log(2.0)


def study(formula):
    rng, n = np.random.default_rng(12), 60
    subject = np.repeat(np.arange(12), 5)
    samples = pd.DataFrame(
        {
            "subject": [f"s{number:02d}" for number in subject],
            "site": [f"t{number}" for number in subject // 2],
            "batch": [f"b{number}" for number in np.arange(n) % 6],
            "group": np.where(subject // 2 % 2, "b", "a"),
            "time": np.tile([0.0, 0.5, 1.25, 2.5, 4.1], 12),
        },
        index=[f"x{number:02d}" for number in range(n)],
    )
    base = rng.normal(5.0, 1.0, (30, 1))
    level, slope = (sd * rng.normal(size=(30, 12))[:, subject] for sd in (0.4, 0.1))
    eta = base + level + slope * samples["time"].to_numpy()
    counts = pd.DataFrame(rng.negative_binomial(10.0, 10.0 / (10.0 + np.exp(eta))), columns=samples.index)
    counts.index = [f"g{number:02d}" for number in range(30)]
    counts.iloc[4] = 0
    return cn.DESeqDataSet(counts, samples, design=formula, quiet=True)


@pytest.fixture(scope="module", params=FORMULAS)
def fitted(request):
    return request.param, cn.glmm(study(FORMULAS[request.param]), quiet=True)


def test_answers_are_those_of_the_arrays(fitted):
    name, dds = fitted
    query = dds.effect("group", levels=("b", "a"))
    table = query.test(fit="glmm").table
    model, factors = mixed_model(dds.design), dds.size_factors.to_numpy()
    expected = fit_counts(dds.counts().to_numpy(dtype=float), np.log(factors)[np.newaxis], model)
    np.testing.assert_allclose(table["log2FoldChange"], expected.coefficients @ query.matrix[0] / LN2, rtol=1e-12)
    variances = [np.diagonal(each, axis1=1, axis2=2) for each in relative_covariances(expected.theta, model)]
    np.testing.assert_allclose(table[COLUMNS[name]], np.sqrt(np.hstack(variances)) / LN2, rtol=1e-12)
    assert list(table.filter(like="sd")) == COLUMNS[name]
    np.testing.assert_array_equal(table["df"].dropna(), containment_df(dds.design, query.matrix)[0])
    assert table["code"].drop("g04").isin([0, 1, 6]).all()
    assert table.loc["g04", ["log2FoldChange", "pvalue", "code"]].isna().all()


def test_likelihood_ratios_keep_the_random_part(fitted):
    _, dds = fitted
    query = dds.effect("group", levels=("b", "a"))
    table = query.test("lrt", fit="glmm").table
    model, offset = mixed_model(dds.design), np.log(dds.size_factors.to_numpy())[np.newaxis]
    counts = dds.counts().to_numpy(dtype=float)
    full = fit_counts(counts, offset, model, reml=False)
    _, _, directions = np.linalg.svd(query.matrix)
    null = fit_counts(counts, offset, type(model)(model.matrix @ directions[1:].T, model.terms), reml=False)
    statistic = np.maximum(2.0 * (full.loglik - null.loglik), 0.0)
    np.testing.assert_allclose(table["stat"].drop("g04"), np.delete(statistic, 4), atol=1e-6)


def test_files_keep_them(fitted, tmp_path):
    _, dds = fitted
    cn.save(dds, tmp_path / "study.countnest")
    again = cn.load(tmp_path / "study.countnest")
    query = "group[b - a]"
    pd.testing.assert_frame_equal(again.query(query).test(fit="glmm").table, dds.query(query).test(fit="glmm").table)
