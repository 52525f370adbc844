"""Tables that refuse to be edited, and stay ordinary in everything else."""

import contextlib
import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from countnest.errors import OptionError
from countnest.protected import ProtectedDict, compares_read_only, protected, read_only

INPLACE = {"inplace": True}
ADVICE = "set the whole of it"
FRAME_EDITS = {
    "item": lambda f: f.__setitem__("b", 1),
    "old item": lambda f: f.__setitem__("a", 1),
    "loc": lambda f: f.loc.__setitem__(("r", "a"), 1),
    "loc rows": lambda f: f.loc.__setitem__("new", 1),
    "iloc": lambda f: f.iloc.__setitem__((0, 0), 1),
    "at": lambda f: f.at.__setitem__(("r", "a"), 1),
    "iat": lambda f: f.iat.__setitem__((0, 0), 1),
    "attribute": lambda f: setattr(f, "a", [3, 4, 5]),
    "new attribute": lambda f: setattr(f, "z", [3, 4, 5]),
    "columns": lambda f: setattr(f, "columns", ["p", "q"]),
    "index": lambda f: setattr(f, "index", [1, 2, 3]),
    "insert": lambda f: f.insert(0, "q", 1),
    "pop": lambda f: f.pop("a"),
    "del": lambda f: f.__delitem__("a"),
    "update": lambda f: f.update(pd.DataFrame({"a": [9]}, index=["r"])),
    "drop": lambda f: f.drop(columns="a", **INPLACE),
    "rename": lambda f: f.rename(columns={"a": "c"}, **INPLACE),
    "sort": lambda f: f.sort_values("a", ascending=False, **INPLACE),
    "reset": lambda f: f.reset_index(**INPLACE),
    "set_index": lambda f: f.set_index("a", **INPLACE),
    "replace": lambda f: f.replace(1, 2, **INPLACE),
    "where": lambda f: f.where(f["a"] > 1, **INPLACE),
    "eval": lambda f: f.eval("c = a + 1", **INPLACE),
    "query": lambda f: f.query("a > 1", **INPLACE),
    "dropna": lambda f: f.dropna(**INPLACE),
    "duplicates": lambda f: f.drop_duplicates(**INPLACE),
}
SERIES_EDITS = {
    "item": lambda s: s.__setitem__("r", 1),
    "slice": lambda s: s.__setitem__(slice(None), 1),
    "mask": lambda s: s.__setitem__(s > 1, 1),
    "loc": lambda s: s.loc.__setitem__("r", 1),
    "iloc": lambda s: s.iloc.__setitem__(0, 1),
    "at": lambda s: s.at.__setitem__("r", 1),
    "iat": lambda s: s.iat.__setitem__(0, 1),
    "name": lambda s: setattr(s, "name", "q"),
    "index": lambda s: setattr(s, "index", [1, 2, 3]),
    "pop": lambda s: s.pop("r"),
    "del": lambda s: s.__delitem__("r"),
    "update": lambda s: s.update(pd.Series([4.0], index=["r"])),
    "fillna": lambda s: s.fillna(0, **INPLACE),
    "drop": lambda s: s.drop("r", **INPLACE),
    "where": lambda s: s.where(s > 1, 0, **INPLACE),
    "rename": lambda s: s.rename("q", **INPLACE),
}


def frame():
    return protected(
        pd.DataFrame({"a": [1, 2, 3], "g": pd.Categorical(list("xyx"))}, index=list("rst")).rename_axis("n"), ADVICE
    )


def series():
    return protected(pd.Series([1.0, 2.0, 3.0], index=list("rst"), name="z"), ADVICE)


def test_every_way_to_edit_is_refused():
    for make, edits in ((frame, FRAME_EDITS), (series, SERIES_EDITS)):
        for edit in edits.values():
            table = make()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pandas gives up inplace=True
                with pytest.raises(OptionError, match=f"an edit of it would not reach the data set: {ADVICE}"):
                    edit(table)


def test_what_is_derived_is_plain():
    table, one = frame(), series()
    parts = [table.copy(), table[["a"]], table.loc[["r"]], table.assign(b=1), table.head(2), table.T, table.join(one)]
    assert {type(part) for part in parts} == {pd.DataFrame}
    assert {type(part) for part in (one.copy(), one + 1, one[:2], table["a"], table.loc["r"])} == {pd.Series}
    part = table.copy()
    part["b"], part.loc["r", "a"] = 1, 7
    assert list(part["a"]) == [7, 2, 3]
    assert list(table["a"]) == [1, 2, 3]


def test_columns_and_parts_share_no_memory():
    table = protected(pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}, index=list("rst")), ADVICE)
    for part in (
        table["a"],
        table[["a"]],
        table[:1],
        table.loc[:, "a"],
        table.iloc[:1],
        table.loc["r":"s"],
        table.head(1),
    ):
        with contextlib.suppress(ValueError):  # from pandas 3 on these values are read-only
            part.to_numpy()[:] = 0
    assert table["a"].tolist() == [1, 2, 3]


def test_reading_is_as_ever():
    table, one = frame(), series()
    assert (table.loc["r", "a"], table.at["s", "a"], table.iloc[2, 0], table.iat[0, 0]) == (1, 2, 3, 1)  # noqa: PD008, PD009
    assert table.loc[table["a"] > 1].shape == table.iloc[1:].shape == (2, 2)
    assert table.groupby("g", observed=True)["a"].sum().to_dict() == {"x": 4, "y": 2}
    assert table.merge(one, left_index=True, right_index=True).shape == (3, 3)
    assert (table.index.name, one.name, one.loc["s"], one.sum()) == ("n", "z", 2.0, 6.0)
    np.testing.assert_array_equal(np.asarray(one), [1, 2, 3])
    pd.testing.assert_frame_equal(table, table.copy())
    pd.testing.assert_frame_equal(table.copy(), table)
    assert (type(table).__name__, type(one).__name__) == ("DataFrame", "Series")
    assert "r" in repr(table)
    assert table._repr_html_().startswith("<div>")


def test_a_table_without_columns_says_so_in_a_line():
    empty = protected(pd.DataFrame(index=[f"g{k}" for k in range(5000)]), ADVICE)
    assert repr(empty) == str(empty) == "5000 rows, no columns"
    assert empty._repr_html_() == "<p>5000 rows, no columns</p>"


def test_an_operator_makes_a_new_table():
    for make in (frame, series):
        table = make()[["a"]] if make is frame else make()
        table = protected(table, ADVICE)
        before = table
        table *= 2
        assert type(table) in (pd.DataFrame, pd.Series)
        assert (np.asarray(table) == 2 * np.asarray(before)).all()


def test_another_process_gets_a_table_that_can_be_edited():
    for make in (frame, series):
        table = pickle.loads(pickle.dumps(make()))
        assert table.equals(make())
        table["r"] = 5


# ---- dicts and labels ----


def test_dicts_refuse_every_edit_and_are_dicts_otherwise():
    shown = ProtectedDict({"a": 1, "b": 2}, ADVICE)
    for edit in (
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.__ior__({"c": 3}),
        lambda d: d.update(a=3),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.setdefault("c", 3),
        lambda d: d.clear(),
    ):
        with pytest.raises(OptionError, match=ADVICE):
            edit(shown)
    assert shown == {"a": 1, "b": 2}
    assert repr(shown) == "{'a': 1, 'b': 2}"
    assert {**shown, "c": 3} == shown | {"c": 3}
    assert type(shown.copy()) is dict


def test_dicts_stay_protected_when_they_are_pickled_or_copied():
    shown = ProtectedDict({"a": [1]}, ADVICE)
    for other in (pickle.loads(pickle.dumps(shown)), copy.copy(shown), copy.deepcopy(shown)):
        assert other == shown
        with pytest.raises(OptionError, match=ADVICE):
            other["a"] = 2


@pytest.mark.skipif(not compares_read_only(), reason="this pandas cannot compare read-only labels")
def test_labels_cannot_be_written_to_and_work_as_others():
    plain = pd.Index(["g2", "g1", "g3"], name="gene")
    labels = read_only(plain)
    for values in (labels.values, labels.array, labels.view().values, pd.DataFrame(index=labels).index.values):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = "x"
    pd.testing.assert_index_equal(labels, plain)
    assert read_only(labels) is labels
    assert (labels != plain).sum() == (labels == "g2").sum() - 1 == 0
    assert labels.get_indexer(["g3", "g9", "g2"]).tolist() == [2, -1, 0]
    assert labels.sort_values().tolist() == ["g1", "g2", "g3"]
    assert pd.Series([1, 2, 3], labels).reindex(["g1", "g2"]).tolist() == [2, 1]
    assert labels.join(plain[:1], how="inner").tolist() == ["g2"]
