"""Simulated studies that depart from the model: spread and heavy-tailed dispersions, outliers, hidden factors."""

import numpy as np
import pandas as pd
import pytest

from cases import each
from countnest import simulate
from countnest.errors import ArgumentError, OptionError
from countnest.simulate import HiddenFactor

MAKERS = (simulate.groups, simulate.nested)


def scatter(**options):
    """Return the distances of log dispersions from the trend."""
    truth = simulate.groups(genes=20_000, dispersion_sd=0.4, **options).truth
    return np.log(truth["alpha"] / (0.03 + 1.5 / truth["base"]))


def test_dispersions_have_heavy_tails():
    normal, heavy = scatter(), scatter(dispersion_df=3)
    assert normal.abs().max() < 0.4 * 5
    assert 0.4 * 8 < heavy.abs().max() <= np.log(1000) + 1e-12
    # The quartiles of Student's t with three degrees of freedom are at 0.765.
    np.testing.assert_allclose(heavy.quantile([0.25, 0.5, 0.75]), [-0.306, 0, 0.306], atol=0.015)
    assert scatter(dispersion_df=0.1).abs().max() == pytest.approx(np.log(1000))


def test_counts_are_inflated_and_others_stay():
    for make in MAKERS:
        plain, study = make(genes=500), make(genes=500, outlier_fraction=0.02, outlier_factors=(4, 10))
        assert not plain.outliers.any(axis=None)
        hit = study.outliers.to_numpy()
        before, after = plain.counts.to_numpy(), study.counts.to_numpy()
        np.testing.assert_array_equal(after[~hit], before[~hit])
        assert (np.abs(after[hit] - before[hit] * 7.0) <= before[hit] * 3.0 + 0.5).all()
        positive = (before > 0).sum()
        assert abs(hit.sum() - 0.02 * positive) < 4 * np.sqrt(0.02 * positive)
        pd.testing.assert_frame_equal(study.truth, plain.truth)
        pd.testing.assert_frame_equal(study.log_means, plain.log_means)
        more = make(genes=600, outlier_fraction=0.02, outlier_factors=(4, 10))
        pd.testing.assert_frame_equal(more.counts.iloc[:500], study.counts)


def test_hidden_factors_act_on_their_genes():
    factors = [HiddenFactor(fraction=0.3, sd=0.4), HiddenFactor("continuous", fraction=0.6, sd=0.2)]
    for make in MAKERS:
        plain, study = make(genes=2000), make(genes=2000, hidden=factors)
        assert plain.hidden.shape == (len(plain.samples), 0)
        assert list(study.hidden) == ["hidden1", "hidden2"]
        assert study.hidden.index.equals(study.samples.index)
        effects = study.truth[["hidden1", "hidden2"]]
        np.testing.assert_allclose(study.log_means, plain.log_means + effects @ study.hidden.T, atol=1e-12)
        pd.testing.assert_frame_equal(study.truth.drop(columns=["hidden1", "hidden2"]), plain.truth)
        assert set(study.hidden["hidden1"]) == {0.0, 1.0}
        np.testing.assert_allclose(effects.ne(0).mean(), [0.3, 0.6], atol=0.05)
        np.testing.assert_allclose(effects.where(effects.ne(0)).std(), [0.4, 0.2], rtol=0.1)
        assert not study.counts.equals(plain.counts)
        more = make(genes=2100, hidden=factors)
        pd.testing.assert_frame_equal(more.counts.iloc[:2000], study.counts)
        pd.testing.assert_frame_equal(more.hidden, study.hidden)


def test_hidden_factors_follow_the_groups():
    in_b = np.repeat([0.0, 1.0], 12)
    for correlation in (0.5, -0.5, 1.0, -1.0, 0.0):
        batch = simulate.groups(genes=1, sizes=(12, 12), hidden=HiddenFactor(correlation=correlation)).hidden["hidden1"]
        assert np.corrcoef(batch, in_b)[0, 1] == pytest.approx(correlation, abs=1e-12)
        factor = HiddenFactor("continuous", correlation=correlation)
        values = simulate.groups(genes=1, sizes=(2000, 2000), hidden=factor).hidden["hidden1"]
        assert np.corrcoef(values, np.repeat([0.0, 1.0], 2000))[0, 1] == pytest.approx(correlation, abs=0.05)
        assert values.std() == pytest.approx(1.0, abs=0.05)
    in_batch = simulate.groups(genes=1, sizes=(8, 8, 8), hidden=HiddenFactor(correlation=0.5)).hidden["hidden1"]
    assert list(in_batch.groupby(np.repeat([0, 1, 2], 8)).sum()) == [2, 4, 6]
    study = simulate.nested(genes=1, lost=5, hidden=HiddenFactor(correlation=1))
    assert study.hidden["hidden1"].eq(study.samples["treat2"] == "E").all()


def test_shares_that_are_no_whole_number_are_rounded_both_ways():
    sizes = {simulate.groups(genes=1, hidden=HiddenFactor(), rng=seed).hidden["hidden1"].sum() for seed in range(20)}
    assert sizes == {2.0, 3.0, 4.0}


def test_unbalanced_sparse_and_nearly_poisson_studies():
    study = simulate.groups(genes=3000, sizes=(3, 9), base=(0.3, 30.0), fraction=0.0)
    assert study.samples["group"].value_counts().to_dict() == {"A": 3, "B": 9}
    assert study.counts.eq(0).mean(axis=None) > 0.2
    study = simulate.groups(genes=3000, dispersion=(1e-3, 1e-2), dispersion_sd=0, fraction=0.0, sizes=(20, 20))
    means = np.exp(study.log_means.to_numpy()) * study.size_factors.to_numpy()
    chi_square = ((study.counts - means) ** 2 / means).mean(axis=1)
    assert chi_square[study.truth["base"] < 50].mean() == pytest.approx(1.0, abs=0.05)


@each(
    ("arguments", "message"),
    [
        ({"dispersion_df": 0}, r"dispersion_df=0 .* above 0"),
        ({"dispersion_df": "3"}, r"dispersion_df='3' .* above 0"),
        ({"dispersion_sd": 1000}, r"dispersions of the genes .* cannot be drawn; give .* a smaller dispersion_sd"),
        ({"dispersion": (1e300, 1e300)}, r"dispersions of the genes .* cannot be drawn; give other numbers"),
        ({"outlier_fraction": 2}, r"outlier_fraction=2 .* fraction of the counts, a number from 0 to 1"),
        ({"outlier_factors": 5}, r"outlier_factors=5 .* the smallest and the largest factor"),
        ({"outlier_factors": (0, 5)}, r"outlier_factors\[0\]=0 .* above 0"),
        ({"hidden": "batch"}, r"hidden holds a str; give a factor such as simulate\.HiddenFactor\("),
        ({"hidden": [HiddenFactor(), 1]}, r"hidden holds an int; give"),
        ({"hidden": None}, r"hidden holds None; give"),
        ({"hiden": ()}, r"has no argument 'hiden'.*Did you mean 'hidden'"),
    ],
)
def test_bad_arguments(arguments, message):
    for make in MAKERS:
        with pytest.raises(OptionError, match=message):
            make(genes=5, **arguments)


@each(
    ("arguments", "message"),
    [
        ({"kind": "lane"}, r"kind='lane' is not known; use one of 'batch', 'continuous'"),
        ({"fraction": 1.5}, r"fraction=1\.5 .* fraction of the genes"),
        ({"sd": -1}, r"sd=-1 .* 0 or more"),
        ({"correlation": 2}, r"correlation=2 .* from -1 to 1"),
        ({"correlation": "high"}, r"correlation='high' .* from -1 to 1"),
        ({"size": 3}, r"HiddenFactor\(\) has no argument 'size'"),
    ],
)
def test_bad_hidden_factors(arguments, message):
    with pytest.raises(OptionError, match=message):
        HiddenFactor(**arguments)


def test_calls_by_position_are_explained():
    for make in MAKERS:
        with pytest.raises(ArgumentError, match=r"takes no argument by position"):
            make(100)
