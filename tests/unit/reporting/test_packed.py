"""Arrays, columns and texts survive the way into a page."""

import json

import numpy as np
import pandas as pd
import pytest

from countnest.reporting.packed import as_json, packed, packed_column, smallest_type
from unit.reporting.page import column, unpacked


def test_arrays_come_back_as_they_were():
    rng = np.random.default_rng(1)
    for dtype in ("u1", "u2", "u4", "f4", "f8"):
        values = (rng.normal(size=(5, 3)) * 100).astype(np.float64).clip(0).astype(dtype)
        back = unpacked(packed(values))
        assert back.dtype == np.dtype(f"<{dtype}")
        np.testing.assert_array_equal(back, values)
    extremes = np.array([np.nan, np.inf, -np.inf, 5e-324, -0.0, 1 / 3])
    assert unpacked(packed(extremes)).tobytes() == extremes.tobytes()
    turned = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(unpacked(packed(turned)), turned)
    assert unpacked(packed(np.arange(3, dtype=">u4"))).tolist() == [0, 1, 2]
    assert unpacked(packed(np.empty((0, 4)))).shape == (0, 4)


def test_counts_take_the_smallest_type_that_holds_them_exactly():
    for largest, kind in ((255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4"), (2**32 - 1, "u4"), (2**32, "f8")):
        found = smallest_type(np.array([[0.0, largest]]))
        assert found.dtype == np.dtype(kind)
        assert found[0, 1] == largest
    for odd in (0.5, -1.0, np.nan, np.inf):
        assert smallest_type(np.array([1.0, odd])).dtype == np.float64
    assert smallest_type(np.empty((0, 2))).dtype == np.uint8


def test_columns_keep_numbers_flags_levels_and_text():
    table = pd.DataFrame(
        {
            "x": [1.5, np.nan, 1e-300],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "few": pd.Categorical(["a", None, "a"]),
            "text": ["<b>", "ü", "z"],
        }
    )
    question = {"columns": [{"name": name, **packed_column(table[name])} for name in table]}
    kinds = [each["kind"] for each in question["columns"]]
    assert kinds == ["number", "number", "flag", "text", "text"]
    np.testing.assert_array_equal(column(question, "x"), table["x"])
    np.testing.assert_array_equal(column(question, "n"), [1, np.nan, 3])
    assert column(question, "flag").tolist() == [1, 0, 1]
    assert column(question, "few").tolist() == ["a", "", "a"]
    assert column(question, "text").tolist() == ["<b>", "ü", "z"]
    levels = packed_column(pd.Series(["a", "b"] * 50))
    assert levels["kind"] == "level"
    assert column({"columns": [{"name": "x", **levels}]}, "x").tolist() == ["a", "b"] * 50


def test_json_cannot_end_its_script():
    hostile = ["</script><script>alert(1)</script>", "<!--", "]]>", "\u2028", "\ud800", '"\\', "ΔF508"]
    text = as_json(hostile)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == hostile
    assert text.isascii()
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json([float("nan")])
