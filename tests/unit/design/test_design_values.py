"""Cells of the sample sheet that a design cannot use."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from countnest.design.samples import prepare_samples
from countnest.errors import SamplesError

LABELS = ["s1", "s2", "s3", "s4"]
ODD = {
    "a list": [["a"], ["a"], ["b"], ["b"]],
    "a tuple": [("a", 1), ("a", 1), ("b", 1), ("b", 1)],
    "a dict": [{"k": 1}, {"k": 1}, {}, {}],
    "a set": [{1}, {1}, {2}, {2}],
    "an ndarray": [np.zeros(2), np.zeros(2), np.ones(2), np.ones(2)],
    "a Series": [pd.Series([1]), pd.Series([1]), pd.Series([2]), pd.Series([2])],
    "a DataFrame": [pd.DataFrame()] * 4,
    "an object": [object(), object(), object(), object()],
    "bytes": [b"a", b"a", b"b", b"b"],
    "a complex": [1j, 1j, 2j, 2j],
    "a date": [datetime.date(2020, 1, 1)] * 2 + [datetime.date(2020, 1, 2)] * 2,
}


def sheet(values):
    column = pd.Series(index=LABELS, dtype=object)
    column[:] = np.fromiter(values, dtype=object)
    return pd.DataFrame({"group": column, "age": [1.0, 2.5, 3.0, 4.0]})


def test_lists_dicts_and_other_objects_are_refused_where_they_are_used():
    for kind, values in ODD.items():
        with pytest.raises(SamplesError, match=rf"'group' holds .*{kind.split()[-1]}.* in 4 samples \('s1', 's2'"):
            prepare_samples(sheet(values), ["group"])
        with pytest.raises(SamplesError, match="'group' holds"):
            prepare_samples(sheet(values), ["group"], computed=["group"])
        assert list(prepare_samples(sheet(values), ["age"]).sheet["age"]) == [1.0, 2.5, 3.0, 4.0]


def test_one_odd_cell_is_named():
    with pytest.raises(
        SamplesError, match=r"holds a list in 1 sample \('s3'\).*In sample 's3' it is \['b'\]. Convert the column"
    ):
        prepare_samples(sheet(["a", "a", ["b"], "b"]), ["group"])


def test_categories_that_are_objects_are_refused():
    column = pd.Categorical([("a", 1), ("a", 1), ("b", 1), ("b", 1)])
    with pytest.raises(SamplesError, match="'group' holds a tuple"):
        prepare_samples(pd.DataFrame({"group": column}, index=LABELS), ["group"])


def test_plain_values_are_levels():
    for values in (list("aabb"), [1, 1, "b", "b"], [True, True, False, False], [Decimal(1)] * 2 + [Decimal(2)] * 2):
        assert len(prepare_samples(sheet(values), ["group"]).levels["group"]) == 2
    intervals = pd.cut([1, 2, 8, 9], [0, 5, 10], ordered=False, labels=["low", "high"])
    assert prepare_samples(pd.DataFrame({"group": intervals}, index=LABELS), ["group"]).levels["group"] == (
        "low",
        "high",
    )
    spans = pd.Series(list(pd.cut([1, 2, 8, 9], [0, 5, 10])), index=LABELS, dtype=object)
    assert len(prepare_samples(pd.DataFrame({"group": spans}), ["group"]).levels["group"]) == 2


def test_exact_numbers_become_factors_with_a_warning():
    for kind in (Decimal, Fraction):
        held = pd.DataFrame({"x": [kind(i) for i in (1, 2, 3, 5)]}, index=LABELS)
        found = prepare_samples(held, ["x"])
        assert any("holds numbers as objects" in text and "astype(float)" in text for text in found.warnings)
        assert not any("as objects" in text for text in prepare_samples(held, ["x"], categorical=["x"]).warnings)
