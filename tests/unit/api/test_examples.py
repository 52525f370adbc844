"""The example data set, against the distributions that it is drawn from."""

import numpy as np
import pytest
import scipy.stats

import countnest as cn
from cases import each
from countnest.api.examples import make_example_dataset
from countnest.errors import OptionError
from countnest.simulate.example import example


def test_two_groups_and_the_truth():
    dds = make_example_dataset(n=200, m=7)
    assert isinstance(dds, cn.DESeqDataSet)
    assert dds.counts().shape == (200, 7)
    assert list(dds.samples["condition"]) == [*"AAAABBB"]
    assert dds.results_names() == ["Intercept", "condition_B_vs_A"]
    assert list(dds.truth) == ["trueIntercept", "trueBeta", "trueDisp"]
    assert list(dds.truth.index) == list(dds.gene_names)
    assert (dds.truth["trueBeta"] == 0).all()
    mean = 2 ** dds.truth["trueIntercept"]
    np.testing.assert_allclose(dds.truth["trueDisp"], 4.0 / mean + 0.1)


def test_coefficients_are_normal():
    truth = example(genes=20_000, samples=2, beta_sd=0.7, intercept_mean=-3.0, intercept_sd=0.5).truth
    for name, mean, sd in (("trueIntercept", -3.0, 0.5), ("trueBeta", 0.0, 0.7)):
        assert scipy.stats.kstest(truth[name], "norm", (mean, sd)).pvalue > 1e-3


def test_counts_have_the_mean_and_variance_of_the_truth():
    factors = np.repeat([0.5, 2.0], 500)
    study = example(
        genes=30, samples=1000, beta_sd=1.0, intercept_mean=6.0, intercept_sd=1.0,
        dispersion=lambda mean: 0.05 + 1.0 / mean, size_factors=factors,
    )  # fmt: skip
    counts, truth = study.counts.to_numpy(), study.truth
    low, high = counts[:, :500], counts[:, 500:]  # A at factor 0.5, B at factor 2
    for values, log2_mean in (
        (low, truth["trueIntercept"] - 1),
        (high, truth["trueIntercept"] + truth["trueBeta"] + 1),
    ):
        mu = 2.0 ** log2_mean.to_numpy()
        variance = mu + truth["trueDisp"].to_numpy() * mu**2
        z = (values.mean(axis=1) - mu) / np.sqrt(variance / 500)
        assert np.abs(z).max() < 4.0
        np.testing.assert_allclose(np.log(values.var(axis=1) / variance), 0.0, atol=0.6)
    np.testing.assert_allclose(np.exp2(truth["trueIntercept"]), np.exp(study.log_means.iloc[:, 0]))


def test_seeds_decide():
    one, same, other = (make_example_dataset(n=20, m=4, seed=seed).counts() for seed in (3, 3, 4))
    assert one.equals(same)
    assert not one.equals(other)
    generator = np.random.default_rng(3)
    assert make_example_dataset(n=20, m=4, seed=generator).counts().equals(one)
    assert not make_example_dataset(n=20, m=4, seed=generator).counts().equals(one)


def test_one_sample_has_no_groups():
    dds = make_example_dataset(n=50, m=1)
    assert dds.results_names() == ["Intercept"]


def test_an_analysis_finds_the_changes():
    dds = make_example_dataset(n=300, m=12, beta_sd=1.5, seed=2).deseq(quiet=True)
    found = dds.results().table["log2FoldChange"]
    high = dds.truth["trueIntercept"] > 4
    assert np.corrcoef(found[high], dds.truth["trueBeta"][high])[0, 1] > 0.9


@each(
    ("arguments", "words"),
    [
        ({"n": 0}, "whole number"),
        ({"m": 2.5}, "whole number"),
        ({"beta_sd": -1.0}, "beta_sd=-1.0"),
        ({"intercept_mean": np.nan}, "intercept_mean=nan"),
        ({"disp_mean_rel": 0.1}, "must be a function"),
        ({"disp_mean_rel": lambda mean: -mean}, "above 0"),
        ({"disp_mean_rel": lambda mean: mean[1:]}, "above 0"),
        ({"size_factors": [1.0, 2.0]}, "each of the 12 samples"),
        ({"size_factors": np.zeros(12)}, "each of the 12 samples"),
    ],
)
def test_arguments_outside_their_domain(arguments, words):
    with pytest.raises(OptionError, match=words):
        make_example_dataset(**{"n": 20, **arguments})


def test_a_constant_dispersion():
    assert (make_example_dataset(n=20, disp_mean_rel=lambda _: 0.2).truth["trueDisp"] == 0.2).all()
