"""Variance components and random effects of linear mixed models, as tables by gene."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError


@pytest.fixture(scope="module")
def dds():
    study = cn.simulate.nested(genes=60, rng=3)
    made = cn.DESeqDataSet(
        study.counts, study.samples, design="~ treat1*treat2 + (1 | family)", reference=study.reference, quiet=True
    )
    return cn.lmm(made, filter=np.arange(60) != 5, quiet=True)


def test_shares_of_the_variance_add_up_within_their_intervals(dds):
    found = cn.variance_components(dds).dropna()
    parts = ["fixed", "1 | family", "residual"]
    assert list(found.columns.unique("part")) == parts
    np.testing.assert_allclose(found.xs("share", axis=1, level="value").sum(axis=1), 1.0, rtol=1e-12)
    for part in parts:
        assert (found[part]["low"] <= found[part]["share"]).all()
        assert (found[part]["share"] <= found[part]["high"]).all()
    narrow = cn.variance_components(dds, level=0.5).dropna()
    assert (narrow["residual"]["low"] >= found["residual"]["low"]).all()


def test_shares_are_those_of_the_standard_deviations(dds):
    found = cn.variance_components(dds).dropna()
    squares = {part: found[part]["sd"] ** 2 for part in ("1 | family", "residual")}
    ratio = found["1 | family"]["share"] / found["residual"]["share"]
    np.testing.assert_allclose(ratio, squares["1 | family"] / squares["residual"], rtol=1e-10)


def test_variances_of_a_balanced_study_are_those_of_its_mean_squares(dds):
    """MS within = sigma^2 and MS between = sigma^2 + 2 sigma_family^2, where that is above MS within."""
    values, sheet = dds._fits["lmm"].values, dds.samples.reset_index()
    order = [sheet[sheet["treat2"] == level].sort_values("family").index for level in ("None", "E")]
    group = sheet.loc[order[0], "treat1"].to_numpy()
    control, treated = (values[:, each] for each in order)

    def mean_square(each):
        means = np.stack([each[:, group == level].mean(axis=1) for level in group], axis=1)
        return ((each - means) ** 2).sum(axis=1) / 40.0  # 20 degrees of freedom, of sums and differences of two

    within, between = mean_square(treated - control), mean_square(treated + control)
    found = cn.variance_components(dds).dropna()
    interior = between > within
    assert 10 < interior.sum() < len(interior)
    np.testing.assert_allclose(found["residual"]["sd"].to_numpy()[interior] ** 2, within[interior], rtol=1e-7)
    expected = np.where(interior, (between - within) / 2.0, 0.0)
    np.testing.assert_allclose(found["1 | family"]["sd"] ** 2, expected, rtol=1e-6, atol=1e-9)


def test_random_effects_are_shrunken_deviations_of_families(dds):
    effects, spread = cn.random_effects(dds), cn.random_effects(dds, se=True)
    assert effects.columns.name == "family"
    assert list(effects.columns) == sorted(set(dds.samples["family"]))
    found = cn.variance_components(dds)
    singular = found["1 | family"]["sd"] == 0
    assert singular.any()
    assert (effects[singular] == 0).all(axis=None)
    group = dds.samples.drop_duplicates("family").set_index("family")["treat1"]
    sums = effects.dropna().T.groupby(group, observed=True).sum()
    np.testing.assert_allclose(sums, 0.0, atol=1e-9)
    sd = found["1 | family"]["sd"].dropna().to_numpy()[:, np.newaxis]
    sigma = found["residual"]["sd"].dropna().to_numpy()[:, np.newaxis]
    expected = np.divide(sd * sigma, np.sqrt(2 * sd**2 + sigma**2)) * np.ones(24)
    np.testing.assert_allclose(spread.dropna(), expected, rtol=1e-9)


def test_genes_without_a_fit_have_none(dds):
    for table in (cn.variance_components(dds), cn.random_effects(dds)):
        assert table.index.equals(dds.gene_names)
        assert list(np.flatnonzero(table.isna().any(axis=1))) == [5]


@pytest.mark.parametrize("function", [cn.variance_components, cn.random_effects])
def test_what_is_no_mixed_model_is_refused(dds, function):
    with pytest.raises(OptionError, match="fit='none'"):
        function(dds, fit="none")
    plain = cn.limma(dds.with_design("~ treat1*treat2"), quiet=True)
    with pytest.raises(OptionError, match=r"'limma' is a fit of .*: fit them with cn\.lmm\(dds\)"):
        function(plain, fit="limma")
    with pytest.raises(OptionError, match="needs a DESeqDataSet"):
        function("counts")


def test_a_term_that_is_not_there_is_refused(dds):
    with pytest.raises(OptionError, match=r"no random term 'family': give term=, one of '1 \| family'"):
        cn.random_effects(dds, term="family")
    assert cn.random_effects(dds, term="1 | family").equals(cn.random_effects(dds))


def test_terms_with_slopes_have_columns_of_their_own():
    rng = np.random.default_rng(8)
    sheet = pd.DataFrame(
        {"subject": np.repeat([f"p{i:02d}" for i in range(12)], 5), "time": np.tile(np.arange(5) / 2.0 + 0.25, 12)}
    )
    slopes = np.repeat(rng.normal(0.1, 0.3, 12), 5) * sheet["time"].to_numpy()
    counts = rng.poisson(np.exp(rng.normal(5.0, 0.5, (6, 1)) + slopes + np.repeat(rng.normal(0, 0.3, 12), 5)))
    table = pd.DataFrame(counts, [f"g{i}" for i in range(6)], sheet.index.astype(str))
    data = cn.DESeqDataSet(
        table, sheet.set_index(table.columns), design="~ time + (time | subject)", quiet=True,
        size_factors=np.ones(60),
    )  # fmt: skip
    cn.lmm(data, quiet=True)
    found = cn.variance_components(data)["time | subject"]
    assert list(found.columns) == ["sd Intercept", "sd time", "cor Intercept time", "share", "low", "high"]
    assert (found["cor Intercept time"].abs() <= 1 + 1e-12).all()
    assert (found["sd time"] > 0.2).all()
    effects = cn.random_effects(data)
    assert effects.columns.names == ["subject", "coefficient"]
    assert effects.shape == (6, 24)
    predicted = effects.xs("time", axis=1, level="coefficient").to_numpy()
    real = slopes[4::5] / 2.25 / np.log(2)
    assert min(np.corrcoef(each, real)[0, 1] for each in predicted) > 0.9
    several = data.with_design("~ time + (time || subject)")
    cn.lmm(several, quiet=True)
    with pytest.raises(
        OptionError, match=r"several random terms: give term=, one of '1 \| subject', '0 \+ time \| subject'"
    ):
        cn.random_effects(several)
    assert cn.random_effects(several, term="0 + time | subject").shape == (6, 12)
