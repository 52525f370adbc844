import warnings

import numpy as np
import pandas as pd
import pytest

from countnest.design.sample import collation_key, level_text, number_warnings, prepare_samples
from countnest.errors import DesignError, SamplesError


def sheet(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(n)])


def prepare(frame, *variables, **options):
    return prepare_samples(frame, variables or tuple(frame.columns), **options)


def test_levels_are_sorted_by_code_point_and_the_reference_is_first():
    frame = sheet(g=["b", "c", "a", "b"])
    assert prepare(frame).levels == {"g": ("a", "b", "c")}
    prepared = prepare(frame, reference={"g": "b"})
    assert prepared.levels == {"g": ("b", "a", "c")}
    assert list(prepared.sheet["g"].cat.codes) == [0, 2, 1, 0]
    assert not prepared.sheet["g"].cat.ordered


def test_the_sheet_of_the_caller_is_not_touched():
    frame = sheet(g=["b", "a"], other=[1, 2])
    before = frame.copy()
    prepared = prepare(frame, "g")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_series_equal(prepared.sheet["other"], before["other"])
    assert list(prepared.sheet.index) == list(before.index)


@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_all_kinds_of_text_are_factors(dtype):
    frame = sheet(g=pd.Series(["b", "a", "b"]).astype(dtype).to_list())
    frame["g"] = frame["g"].astype(dtype)
    prepared = prepare(frame)
    assert prepared.levels == {"g": ("a", "b")}
    assert all(type(level) is str for level in prepared.levels["g"])


@pytest.mark.parametrize("dtype", [bool, "boolean", object])
def test_bool_is_a_factor_written_as_in_r(dtype):
    frame = sheet(flag=[True, False, True])
    frame["flag"] = frame["flag"].astype(dtype)
    assert prepare(frame).levels == {"flag": ("FALSE", "TRUE")}
    assert prepare(frame, reference={"flag": True}).levels == {"flag": ("TRUE", "FALSE")}


def test_categories_keep_their_order_and_empty_ones_are_dropped():
    frame = sheet(g=pd.Categorical(["lo", "hi", "lo"], categories=["mid", "lo", "hi"]))
    prepared = prepare(frame)
    assert prepared.levels == {"g": ("lo", "hi")}
    assert any("without samples were dropped: 'mid'" in note for note in prepared.notes)
    assert prepared.warnings == ()


def test_numbers_are_left_alone_or_made_factors_by_value():
    frame = sheet(x=[10.0, 2.0, 1.5, 2.0])
    assert prepare(frame).levels == {}
    assert prepare(frame, categorical={"x"}).levels == {"x": ("1.5", "2", "10")}


def test_level_text_is_that_of_r():
    assert [level_text(v) for v in (True, np.False_, 1.0, 0.1, 3, "x")] == ["TRUE", "FALSE", "1", "0.1", "3", "x"]


def test_missing_values():
    frame = sheet(g=["a", None, "b", np.nan, " "], x=[1.5, 2.0, np.nan, 3.0, 9.0])
    with pytest.raises(
        SamplesError, match=r"cannot have NA values: 'g' has no value in 3 of 5 .*'s1', 's3', 's4'.*read_"
    ):
        prepare(frame, "g")
    with pytest.raises(SamplesError, match=r"'x' has no value in 1 of 5 samples \('s2'\)"):
        prepare(frame, "x")
    with pytest.raises(SamplesError, match="'x' has no value"):
        prepare(frame, "x", computed={"x"})
    prepare_samples(sheet(g=["a", "b"], unused=[None, "x"]), ["g"])


def test_infinite_values():
    frame = sheet(x=[0.5, np.inf, 1.0])
    with pytest.raises(SamplesError, match=r"'x' is infinite in 1 sample: 's1'"):
        prepare(frame)
    with pytest.raises(SamplesError, match="infinite"):
        prepare(frame, computed={"x"})


def test_ordered_factors_are_refused():
    frame = sheet(g=pd.Categorical(["a", "b"], ordered=True))
    with pytest.raises(SamplesError, match=r"ordered factors are not supported, use \.cat\.as_unordered\(\)"):
        prepare(frame)


def test_dates_are_refused():
    with pytest.raises(SamplesError, match="'day' has values of type datetime64"):
        prepare(sheet(day=pd.to_datetime(["2020-01-01", "2020-01-02"])))


def test_one_level():
    with pytest.raises(DesignError, match=r"'g' has one level only, 'a'.*use the design '~ 1'"):
        prepare(sheet(g=["a", "a"]))
    with pytest.raises(DesignError, match=r"'g' has one level only.*leave it out"):
        prepare(sheet(g=["a", "a"], h=["x", "y"]))


def test_constant_number():
    with pytest.raises(DesignError, match=r"'x' is 2 in all samples"):
        prepare(sheet(x=[2.0, 2.0]))


def test_colliding_levels():
    with pytest.raises(SamplesError, match=r"levels 'a-b', 'a\.b' of 'g' would both be written 'ga\.b'"):
        prepare(sheet(g=["a-b", "a.b", "c"]))
    with pytest.raises(SamplesError, match="not different when written as text"):
        prepare(sheet(g=pd.Categorical([1, "1"], categories=[1, "1"])))


def test_unusual_characters_are_noted():
    assert any("become '.'" in note for note in prepare(sheet(g=["a-b", "c"])).notes)


def test_duplicates_in_the_sheet():
    frame = sheet(g=["a", "b"])
    with pytest.raises(SamplesError, match="duplicate labels: 's0'"):
        prepare(frame.set_axis(["s0", "s0"]))
    with pytest.raises(SamplesError, match="2 columns named 'g'"):
        prepare_samples(pd.concat([frame, frame], axis=1), ["g"])


def test_unknown_reference():
    frame = sheet(dex=["untrt", "trt"], x=[0.5, 1.0])
    with pytest.raises(
        SamplesError, match=r"no sample has this level\. Did you mean 'untrt' or 'trt'\?.*'trt', 'untrt'"
    ):
        prepare(frame, "dex", reference={"dex": "untreat"})
    with pytest.raises(SamplesError, match=r"'dx', which is not a column.*Did you mean 'dex'"):
        prepare(frame, "dex", reference={"dx": "untrt"})
    with pytest.raises(SamplesError, match=r"'x': it is numeric, not a factor.*astype\(str\)"):
        prepare(frame, reference={"dex": "untrt", "x": "1"})
    with pytest.raises(SamplesError, match="inside a function call"):
        prepare(frame, "x", computed={"x"}, reference={"x": "1"})


def test_reference_of_an_unused_variable_is_ignored_with_a_warning():
    prepared = prepare(sheet(g=["a", "b"], h=["x", "y"]), "g", reference={"h": "y"})
    assert prepared.warnings == ("reference for 'h' is ignored: the design does not use this variable.",)


def test_levels_that_look_like_the_control():
    found = prepare(sheet(treat=["E", "None", "E"])).warnings
    assert len(found) == 1
    assert "'None', which is not the reference level" in found[0]
    assert "reference={'treat': 'None'}" in found[0]
    assert prepare(sheet(treat=["E", "None"]), reference={"treat": "E"}).warnings == ()
    assert prepare(sheet(treat=["Control", "drug"])).warnings == ()
    assert prepare(sheet(treat=["DMSO", "Mock"])).warnings == ()


def test_reference_that_r_would_choose_differently():
    found = prepare(sheet(g=["B", "a", "c"])).warnings
    assert len(found) == 1
    assert "is 'B' (levels are sorted by code point), where R would take 'a'" in found[0]
    assert prepare(sheet(g=["B", "a", "c"]), reference={"g": "B"}).warnings == ()
    assert prepare(sheet(g=pd.Categorical(["B", "a"], categories=["B", "a"]))).warnings == ()


def test_collation_key_sorts_like_an_alphabet():
    words = ["B", "a", "c", "A", "10", "2", "_b", "ä", "a-c", "ab"]
    assert sorted(words, key=collation_key) == ["10", "2", "a", "A", "ä", "ab", "a-c", "_b", "B", "c"]


def test_integers_that_may_be_labels():
    found = prepare(sheet(x=[1, 2, 3, 1])).warnings
    assert len(found) == 1
    assert "Did you mean for this to be a factor?" in found[0]
    assert "samples['x'] = samples['x'].astype(str)" in found[0]
    assert len(prepare(sheet(x=list(range(-4, 5)) * 2)).warnings) == 1
    assert prepare(sheet(x=list(range(-4, 5)))).warnings == ()
    assert prepare(sheet(x=[0.5, 1, 2, 1])).warnings == ()


@pytest.mark.parametrize("values", [[5.5, 6.5, 7.5], [-9.5, -0.1, -8.2], [-9.5, 0.25, 9.5]])
def test_large_numbers(values):
    (found,) = prepare(sheet(x=values)).warnings
    assert "mean or standard deviation larger than 5" in found
    assert "scale(x)" in found


def test_number_warnings_of_moderate_numbers():
    assert number_warnings(np.array([4.0, 5.0, 6.0]), "x") == []


def test_nullable_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = prepare(sheet(x=pd.array([1, 2, 3], dtype="Int64")))
    assert prepared.levels == {}
