"""Packed columns come back as they were, to the digits that were kept."""

import numpy as np
import pytest
import scipy.stats

from parity import packing


@pytest.fixture
def columns():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=300) * 10.0 ** rng.integers(-300, 300, size=300), rng.uniform(size=300)
    x[::7] = np.nan
    fewer = np.where(np.arange(300) % 5 == 0, np.nan, x)
    p = np.where(np.arange(300) < 250, y, np.nan)
    padj = np.full(300, np.nan)
    padj[50:200] = packing.benjamini_hochberg(p[50:200])
    return {
        "t/log2FoldChange": x,
        "t/lfcSE": y,
        "t/stat": x / y,
        "t/pvalue": p,
        "t/padj": padj,
        "u/fewer": fewer,
        "u/whole": np.where(np.isnan(x), np.nan, np.floor(y * 1000)),
        "u/exact": y * 3,
        "u/count": rng.integers(0, 2**25, size=300),
        "u/flag": y > 0.5,
        "v/short": np.array([1.5, np.nan]),
        "v/none": np.array([np.nan, np.nan]),
    }


def test_a_round_trip_keeps_the_numbers(tmp_path, columns):
    path = tmp_path / "x.npz"
    packing.pack(path, columns, {"a": [1, "b"]}, exact={"u/exact"})
    stored, meta = packing.unpack(path)
    assert meta == {"a": [1, "b"]}
    assert list(stored) == list(columns)
    for name, values in columns.items():
        np.testing.assert_allclose(stored[name], values, rtol=2e-13, atol=0, err_msg=name)
        assert stored[name].dtype.kind == values.dtype.kind
    for name in ("u/exact", "u/count", "u/flag", "u/whole"):
        np.testing.assert_array_equal(stored[name], columns[name])


def test_columns_that_follow_from_others_are_stored_as_rules(tmp_path, columns):
    path = tmp_path / "x.npz"
    packing.pack(path, columns, {})
    kinds = {name: column["kind"] for name, column in packing.read_header(path)["columns"].items()}
    assert (kinds["t/stat"], kinds["t/padj"], kinds["u/fewer"]) == ("ratio", "bh", "same")
    changed = columns | {"t/stat": columns["t/stat"] * (1 + 1e-12), "t/padj": np.nextafter(columns["t/padj"], 2)}
    packing.pack(path, changed, {})
    kinds = {name: column["kind"] for name, column in packing.read_header(path)["columns"].items()}
    assert (kinds["t/stat"], kinds["t/padj"]) == ("float", "float")


def test_rounding_keeps_44_bits():
    values = np.random.default_rng(4).normal(size=1000)
    difference = np.abs(packing.rounded(values) / values - 1)
    assert 1e-14 < difference.max() <= 2.0**-44
    np.testing.assert_array_equal(packing.rounded(np.array([0.0, 1.0, -10.0])), [0.0, 1.0, -10.0])


def test_adjustment_is_that_of_benjamini_and_hochberg():
    pvalue = np.random.default_rng(5).uniform(size=50) ** 3
    expected = scipy.stats.false_discovery_control(pvalue)
    np.testing.assert_allclose(packing.benjamini_hochberg(pvalue), expected, rtol=1e-14)
