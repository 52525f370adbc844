import warnings

import numpy as np
import pandas as pd
import pytest

from countnest.design.build import build_design
from countnest.design.design import check_residual_df, check_varying
from countnest.design.levels.text import known_level, level_codes, level_text
from countnest.design.samples import collation_key, number_warnings, prepare_samples
from countnest.errors import CountnestWarning, DesignError, SamplesError


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


def test_truth_values_are_known_however_they_are_written():
    for levels in (("FALSE", "TRUE"), ("False", "True"), ("false", "true")):
        for value in (True, np.True_, "True", "TRUE", "true"):
            assert known_level(value, levels) == levels[1]
    assert known_level("True", ("yes", "no")) == "True"
    assert known_level("Yes", ("yes", "no")) == "Yes"
    assert prepare(sheet(flag=[True, False]), reference={"flag": "True"}).levels == {"flag": ("TRUE", "FALSE")}
    assert prepare(sheet(flag=["True", "False"]), reference={"flag": True}).levels == {"flag": ("True", "False")}


def test_codes_are_places_among_the_levels_not_the_categories():
    factor = pd.Series(pd.Categorical(["b", "a", "c"], categories=["a", "b", "c"]))
    assert level_codes(factor, ("c", "a", "b")).tolist() == [2, 1, 0]


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


def test_dates_are_refused():
    with pytest.raises(SamplesError, match="'day' has values of type datetime64"):
        prepare(sheet(day=pd.to_datetime(["2020-01-01", "2020-01-02"])))


def test_a_variable_with_one_value_leaves_a_design_that_cannot_be_fitted():
    samples = sheet(g=["a"] * 4, h=["x", "y"] * 2, x=[2.0] * 4, z=[0.5, 1.0, 0.25, 0.5])
    for formula, names, message in [
        ("~ g", ("Intercept",), r"'g' has one level only, 'a', so it explains no difference; use the design '~ 1'"),
        ("~ g * h", ("Intercept", "h_y_vs_x"), "'g' has one level only.*leave it out of the design"),
        ("~ x + z", ("Intercept", "z"), "'x' is 2 in all samples.*leave it out of the design"),
        ("~ x * h + I(x * z)", ("Intercept", "h_y_vs_x", "I.x...z."), "'x' is 2 in all samples"),
    ]:
        with pytest.warns(CountnestWarning, match=f"{message}.*no model can be fitted"):
            design = build_design(formula, samples, blocks=["g"] if "g" in formula else None)
        assert design.names == names
        assert not {"g"} & {*design.levels, *design.variables}
        for check in (check_residual_df, check_varying):
            with pytest.raises(DesignError, match=message):
                check(design)
        assert "cannot be fitted: the" in str(design.report())
    with pytest.raises(DesignError, match="'g' has one level only"):
        build_design("~ 0 + g", samples)
    with pytest.raises(DesignError, match=r"'log\(x\)' is 0\.69.* in all samples"):
        build_design("~ log(x)", samples)


def test_levels_that_r_would_name_alike_get_names_of_their_own():
    frame = sheet(g=["a-b", "a.b", "c"] * 2)
    note = "Levels of 'g' that would have the same name are written differently in the names of the coefficients: "
    assert f"{note}'a-b' as 'a_b', 'a.b' as 'a.b.1'." not in prepare(frame).notes
    design = build_design("~ g", frame, reference={"g": "c"})
    assert design.names == ("Intercept", "g_a_b_vs_c", "g_a.b_vs_c")
    assert design.columns == ("(Intercept)", "ga-b", "ga.b")
    assert f"{note}'a-b' as 'a_b'." in design.notes
    with pytest.raises(SamplesError, match="not distinct when written as text"):
        prepare(sheet(g=pd.Categorical([1, "1"], categories=[1, "1"])))


def test_unusual_characters_are_noted():
    assert any("become '.' in the names of coefficients" in note for note in prepare(sheet(g=["a-b", "c"])).notes)


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
    assert "is 'B' (levels are sorted by code point), where R would use 'a'" in found[0]
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
    (found,) = prepare(sheet(x=[0, 15, 60, 120] * 2)).warnings  # large, too
    assert "Did you mean for this to be a factor?" in found
    assert prepare(sheet(x=list(range(-4, 5)))).warnings == ()
    assert prepare(sheet(x=[0.5, 1, 2, 1])).warnings == ()


@pytest.mark.parametrize("values", [[5.5, 6.5, 7.5], [-9.5, -0.1, -8.2], [-9.5, 0.25, 9.5]])
def test_large_numbers(values):
    (found,) = prepare(sheet(x=values)).warnings
    assert "mean or standard deviation larger than 5" in found
    assert "'scale(x)' in the formula gives the fold change per standard deviation" in found


def test_number_warnings_of_moderate_numbers():
    assert number_warnings(np.array([4.0, 5.0, 6.0]), "x") == []


def test_nullable_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = prepare(sheet(x=pd.array([1, 2, 3], dtype="Int64")))
    assert prepared.levels == {}
