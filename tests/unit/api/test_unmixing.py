"""The arguments of unmix: tables, labels, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from countnest.api.unmixing import unmix
from countnest.errors import CountnestWarning, CountsError, OptionError

SHARES = pd.DataFrame({"liver": [0.7, 0.1], "lung": [0.3, 0.9]}, index=["s1", "s2"])


@pytest.fixture
def pure():
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.lognormal(5.0, 2.0, (40, 2)), index=[f"g{i}" for i in range(40)], columns=SHARES.columns)


@pytest.fixture
def mixed(pure):
    return pure @ SHARES.T


def test_samples_by_components(mixed, pure):
    found = unmix(mixed, pure, alpha=0.05, power=2)
    pd.testing.assert_frame_equal(found, SHARES, atol=1e-4, check_exact=False)


def test_genes_are_matched_by_label(mixed, pure):
    expected = unmix(mixed, pure, shift=1.0)
    pd.testing.assert_frame_equal(unmix(mixed, pure.iloc[::-1], shift=1.0), expected)


def test_arrays_are_taken_as_they_are(mixed, pure):
    found = unmix(mixed.to_numpy(), pure.to_numpy(), shift=1.0)
    np.testing.assert_array_equal(found, unmix(mixed, pure, shift=1.0))
    assert (list(found.index), list(found)) == (["sample1", "sample2"], ["component1", "component2"])


def test_a_single_component_is_everything(mixed, pure):
    np.testing.assert_allclose(unmix(mixed, pure[["liver"]], alpha=0.1), 1.0)


@pytest.mark.parametrize("scale", [{"alpha": 0.1}, {"shift": 0.5}])
def test_components_that_are_alike_are_named(mixed, pure, scale):
    pure["lobe"] = pure["lung"] * 1.01
    with pytest.warns(CountnestWarning, match="'lung and lobe'; their shares can"):
        unmix(mixed, pure, **scale)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "one of alpha"),
        ({"alpha": 0.1, "shift": 1.0}, "one of alpha"),
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"shift": 0}, "shift=0"),
        ({"alpha": 0.1, "power": 3}, "power=3 must be 1 or 2"),
    ],
)
def test_options_outside_their_domain(mixed, pure, arguments, words):
    with pytest.raises(OptionError, match=words):
        unmix(mixed, pure, **arguments)


def test_tables_that_do_not_fit(mixed, pure):
    with pytest.raises(CountsError, match="pure: 5 genes of x missing: 'g0', 'g1'"):
        unmix(mixed, pure.iloc[5:], alpha=0.1)
    with pytest.raises(CountsError, match="x: 3 genes of pure missing"):
        unmix(mixed.iloc[:-3], pure, alpha=0.1)
    with pytest.raises(CountsError, match="pure: 1 gene label more than once: 'g0'"):
        unmix(mixed, pd.concat([pure, pure.iloc[:1]]), alpha=0.1)
    with pytest.raises(CountsError, match="x has 39 genes and pure has 40"):
        unmix(mixed.to_numpy()[1:], pure, alpha=0.1)
    with pytest.raises(CountsError, match="table of numbers"):
        unmix(mixed.astype(str) + "x", pure, alpha=0.1)
    with pytest.raises(CountsError, match="shape is \\(0, 0\\)"):
        unmix(mixed, pd.DataFrame(), alpha=0.1)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_values_that_are_no_counts(mixed, pure, bad):
    mixed.iloc[3, 1] = bad
    with pytest.raises(CountsError, match="x has negative, missing or infinite values, in the genes 'g3'"):
        unmix(mixed, pure, alpha=0.1)


@pytest.mark.parametrize("scale", [{"alpha": 0.1}, {"shift": 0.5}])
def test_samples_without_shares_are_named(mixed, pure, scale):
    empty = mixed.assign(s3=0.0, s4=0.0)
    with pytest.raises(CountsError, match="x is zero in all genes of 's3', 's4': such"):
        unmix(empty, pure, **scale)


def test_samples_of_something_else_are_named(mixed, pure):
    other = mixed.copy()
    pure.iloc[:20] = 0.0
    other["s3"] = [5.0] * 20 + [0.0] * 20
    with pytest.raises(CountsError, match="no component of pure has any part in 's3': such"):
        unmix(other, pure, shift=0.5)
