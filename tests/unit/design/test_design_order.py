"""The order of levels: by their numbers, as named, as categories, as text."""

import numpy as np
import pandas as pd
import pytest
from studies import sheet

from countnest.design.build import build_design
from countnest.design.levels.controls import is_control_word
from countnest.design.levels.numbers import by_number
from countnest.design.levels.order import as_factor, level_order
from countnest.errors import ContrastError, CountnestWarning, OptionError, SamplesError
from countnest.queries.contrasts import contrast_query
from countnest.queries.effects import effect, interaction
from countnest.queries.query import stack

# Levels in the order in which they are meant; they are given as text sorts them.
CLEAR = [
    ["0", "5", "15", "60", "120"],
    ["-1", "0", "1", "10"],
    ["-10", "-2", "-1"],
    ["1e-3", "1e-2", "0.5", "1e3"],
    ["5min", "10min", "120min"],
    ["5 min", "10_min", "120 Min"],
    ["0", "5min", "10min"],
    ["day0", "day2", "day10"],
    ["day-1", "day0", "day1", "day10"],
    ["day-2", "day-3", "day-10"],
    ["T2", "T10"],
    ["f2", "f10"],
    ["0.5uM", "5uM", "10uM"],
    ["500nM", "5uM", "10uM", "1mM", "1M"],
    ["0", "500nM", "5\N{MICRO SIGN}M", "10uM"],
    ["5\N{GREEK SMALL LETTER MU}M", "10\N{MICRO SIGN}M"],
    ["900ng", "5ug", "1mg"],
    ["900 ng/ml", "5 ug/ml"],
    ["0h", "30min", "2h", "1d"],
    ["90sec", "2min", "1 hour", "3 days", "1wk", "1mo", "1y"],
    ["6hpi", "12hpi", "3dpi"],
    ["day 2", "week 1", "week 2"],
    ["control", "5uM", "10uM"],
    ["untreated", "30min", "2h"],
    ["pre", "day2", "day10"],
    ["00", "05", "15", "120"],
    ["01", "02", "10"],
    ["IL2_5ng", "IL2_10ng"],
    ["2020-01-05", "2020-01-15"],
    ["T1.10", "T1.2"],
    ["24h_LPS", "120h_LPS"],
    # zeros in front
    ["1", "2", "05"],
    ["9", "10", "002000"],
    ["T01", "T2", "T10"],
    ["day 01", "day 2", "day 10"],
    # ranges
    ["5-9", "10-14", "15-19"],
    ["1-5", "6-10", "11-20"],
    ["20-29", "30-39", "100-109"],
    ["0-5", "5-10", "10-20"],
    ["<5", "5-9", "10+"],
    ["<=20", "20-50", ">50"],
    ["age 5\N{EN DASH}9", "age 10-14", "Age 65+"],
    ["control", "0", "1.5-4.5", "5 to 9"],
    # marks and scripts
    ["200", "1,000", "10,000", "1,000,000"],
    ["200", "1 000", "10 000"],
    ["0,05", "0,5", "1", "1,250", "10"],
    ["1,5", "10,25"],
    ["1st", "2nd", "3RD", "10th"],
    ["1st_week", "2nd_week", "10th_week"],
    ["\u0661", "\u0665", "\u0661\u0660"],
    # dates, versions, fractions
    ["2023-12-31", "2024-1-9", "2024-01-10"],
    ["2023-9", "2024-9", "2024-10"],
    ["3.1.2024", "24.1.2024"],
    ["v1.2", "v1.9", "v1.10", "v2"],
    ["1/10", "1/4", "1/2", "2/3"],
    # times and amounts after a word
    ["ctl_0h", "trt_2h", "trt_10h"],
    ["vehicle_0h", "trt_0h", "trt_2h", "trt_10h"],
    ["control", "trt_2h", "trt_10h"],
    ["ctl_0h", "trt_30min", "trt_2h", "trt_1d"],
    ["1-2", "1-3", "1-10"],
]
# Levels that stay as they are.
UNCLEAR = [
    ["N052611", "N061011", "N080611", "N61311"],  # cell lines of a shipped study
    ["KO1", "KO2", "KO05"],
    ["a", "b"],
    ["KO1", "KO2", "WT"],  # numbers of clones, not amounts
    ["CD4+", "CD4-"],
    ["<50", ">50"],
    ["<20", ">50"],
    ["0-5", "10-20", "4-10"],
    ["5-0", "10-20"],
    ["10uM", "24h", "5uM"],
    ["E7", "P10", "P2"],
    ["10uM", "DMSO"],
    ["2E5", "3E4x"],
    ["1m", "2h"],
    ["10", "5", "other"],
    ["0", "N10", "N2"],
    ["10ng/ml", "5ug/l"],
    ["1_10", "2_9"],
    ["3.1.2024", "24.12.2023", "5.1.2024"],
    ["3/1", "2/12", "24/12"],
    ["2024-1", "2024-1-5"],
    ["ctl_0h", "ctl_10h", "trt_2h", "trt_10h"],
    ["A1d", "B2h"],
    ["10x2", "2x10"],
    ["day-1", "week 2"],
]


def in_order(levels):
    return by_number(levels, [level for level in levels if is_control_word(level)])


def test_levels_with_clear_numbers_stand_in_their_order():
    for levels in CLEAR:
        for given in (sorted(levels), levels[::-1]):
            assert in_order(given) == tuple(levels), given


def test_levels_whose_order_is_not_clear_are_left_alone():
    for levels in UNCLEAR:
        assert in_order(levels) is None, levels


def test_long_numbers_are_compared_to_the_last_digit():
    levels = [f"{10**40 + 5}", f"{10**40 + 12}"]
    assert in_order(levels) == tuple(levels)


def test_text_and_categories_sorted_as_text_stand_by_number():
    values = ["60", "5", "120", "0", "15"]
    expected = ("0", "5", "15", "60", "120")
    text = level_order(pd.Series(values))
    assert (text.levels, text.source, text.moved, text.reference) == (expected, "numbers", False, "0")
    sorted_ = level_order(pd.Series(values).astype("category"))
    assert (sorted_.levels, sorted_.source, sorted_.moved) == (expected, "numbers", True)


def test_categories_in_another_order_are_kept():
    for order in (["60", "0", "5"], ["b", "a"], ["5", "60", "0"]):
        found = level_order(pd.Series(pd.Categorical(order, categories=order)))
        assert found.levels[0] == order[0] or found.reference == order[0]
    first = level_order(pd.Series(pd.Categorical(["60", "0", "5"], categories=["60", "0", "5"])))
    assert (first.levels, first.reference) == (("0", "5", "60"), "60")
    other = level_order(pd.Series(pd.Categorical(["60", "0", "5"], categories=["5", "60", "0"])))
    assert (other.levels, other.source) == (("5", "60", "0"), "categories")


def test_ordered_categories_are_an_order():
    values = pd.Categorical(["hi", "lo", "mid"], categories=["none", "lo", "mid", "hi"], ordered=True)
    found = level_order(pd.Series(values))
    assert (found.levels, found.source, found.dropped) == (("lo", "mid", "hi"), "ordered", ("none",))
    design = build_design("~ dose", sheet(dose=values.repeat(2)))
    assert design.levels == {"dose": ("lo", "mid", "hi")}
    assert design.names == ("Intercept", "dose_mid_vs_lo", "dose_hi_vs_lo")
    assert design.sheet["dose"].cat.ordered


def test_numbers_made_factors_stand_by_value():
    assert level_order(pd.Series([10.0, 2.0, 1.5])).levels == ("1.5", "2", "10")


MINUTES = ["0", "120", "15", "5"] * 2


def minutes(**options):
    return build_design("~ minute", sheet(minute=MINUTES), **options)


def test_the_reference_is_the_smallest_number():
    design = minutes()
    assert design.levels == {"minute": ("0", "5", "15", "120")}
    assert design.names[1:] == ("minute_5_vs_0", "minute_15_vs_0", "minute_120_vs_0")


@pytest.mark.parametrize("options", [{}, {"reference": {"minute": "15"}}, {"levels": {"minute": [0, 5, 15, 120]}}])
def test_comparisons_by_order_do_not_depend_on_the_reference(options):
    design = minutes(**options)
    asked = effect(design, "minute", levels="consecutive")
    assert asked.labels == ("minute[5 - 0]", "minute[15 - 5]", "minute[120 - 15]")
    assert effect(design, "minute", levels="mean_change").labels[0] == "minute[mean(5, 15, 120) - 0]"
    assert effect(design, "minute", levels="helmert").labels[0] == "minute[5 - 0]"
    (linear,) = effect(design, "minute", levels="linear").cells
    assert {dict(cell.levels)["minute"]: cell.weight for cell in linear} == {"0": -3, "5": -1, "15": 1, "120": 3}
    assert list(design.sheet["minute"].cat.categories) == ["0", "5", "15", "120"]
    first = options.get("reference", {}).get("minute", "0")
    assert all(label.endswith(f"- {first}]") for label in effect(design, "minute", levels="reference").labels)


def test_the_model_matrix_belongs_to_the_reference():
    design = minutes(reference={"minute": "15"})
    assert design.levels == {"minute": ("15", "0", "5", "120")}
    np.testing.assert_array_equal(design.matrix[:, 1], [float(value == "0") for value in MINUTES])
    np.testing.assert_array_equal(design.codes("minute"), [1, 3, 0, 2] * 2)


def test_queries_by_order_state_the_order():
    design = minutes()
    poly = effect(design, "minute", levels="poly")
    assert "order of minute: 0 < 5 < 15 < 120 (by their numbers), equally spaced" in poly.explain()
    consecutive = effect(design, "minute", levels="consecutive")
    assert "order of minute: 0 < 5 < 15 < 120 (by their numbers)\n" in consecutive[0].explain()
    assert "order of" not in effect(design, "minute", levels="pairwise").explain()
    assert stack([effect(design, "minute"), consecutive]).order_sentences == consecutive.order_sentences
    assert (consecutive[1] - consecutive[0]).order_sentences == consecutive.order_sentences


def test_without_a_known_order_the_reference_is_first_and_is_said_to_be():
    design = build_design("~ g", sheet(g=list("abc") * 2), reference={"g": "b"})
    asked = effect(design, "g", levels="consecutive")
    assert asked.labels == ("g[a - b]", "g[c - a]")
    assert "order of g: b, a, c (as text)" in asked.explain()


def test_comparisons_across_go_by_the_order_too():
    frame = sheet(minute=MINUTES * 2, treat=["x"] * 8 + ["y"] * 8)
    design = build_design("~ minute * treat", frame, reference={"minute": "5"})
    across = effect(design, "treat", by="minute").across("minute", "consecutive")
    assert across.labels[0] == "treat[y - x] : minute[5 - 0]"
    assert across.order_sentences == ("order of minute: 0 < 5 < 15 < 120 (by their numbers)",)
    both = interaction(design, treat="reference", minute="consecutive")
    np.testing.assert_allclose(across.matrix, both.matrix, atol=1e-12)


def test_named_levels_set_the_order_and_the_reference():
    frame = sheet(dose=["mid", "low", "high", "low"])
    design = build_design("~ dose", frame, levels={"dose": ["low", "mid", "high", "top"]})
    assert design.levels == {"dose": ("low", "mid", "high")}
    assert "Levels of 'dose' without samples were dropped: 'top'." in design.notes
    assert design.orders["dose"].source == "named"
    other = build_design("~ dose", frame, levels={"dose": ("low", "mid", "high")}, reference={"dose": "high"})
    assert other.levels == {"dose": ("high", "low", "mid")}
    assert effect(other, "dose", levels="consecutive").labels == ("dose[mid - low]", "dose[high - mid]")


def test_a_number_whose_levels_are_named_is_a_factor():
    frame = sheet(minute=[0, 120, 15, 0.5] * 2)
    for named in ([0, 0.5, 15, 120], ["0", ".50", "15.0", "120"]):
        design = build_design("~ minute", frame, levels={"minute": named}, reference={"minute": 15})
        assert design.levels == {"minute": ("15", "0", "0.5", "120")}
        assert design.orders["minute"].levels == ("0", "0.5", "15", "120")
    with pytest.raises(SamplesError, match="levels for 'minute': the formula uses it inside a function call"):
        build_design("~ log1p(minute)", frame, levels={"minute": [0, 0.5, 15, 120]})


def test_named_levels_that_contradict_something_are_refused():
    frame = sheet(dose=["mid", "low", "high", "low"], x=[0.5, 1, 2, 1])
    ordered = frame.assign(dose=pd.Categorical(frame["dose"], ["high", "mid", "low"], ordered=True))
    cases = [
        (frame, {"dose": ["low", "mid"]}, r"must name all levels that occur; it lacks 'high'"),
        (frame, {"dose": ["low", "mid", "hihg"]}, r"lacks 'high'\. 'hihg' has no sample\. Did you mean 'high'\?"),
        (frame, {"dose": ["low", "mid", "high", "low"]}, "names 'low' more than once"),
        (frame, {"dose": ["low", "top", "mid"]}, r"lacks 'high'\. The levels of 'dose' are"),
        (frame, {"dose": "low,mid,high"}, "give the levels as a list"),
        (frame, {"dose": {"low", "mid", "high"}}, "give the levels as a list, in their order"),
        (frame, {"dose": frozenset(("low", "mid", "high"))}, "give the levels as a list, in their order"),
        (frame, {"dose": (level for level in ("low", "mid", "high"))}, "give the levels as a list, in their order"),
        (frame, {"dose": 3}, "give the levels as a list, in their order"),
        (frame, {"x": ["1", "2"]}, r"must name all levels that occur; it lacks '0\.5'"),
        (frame, {"dosis": ["1", "2"]}, r"levels names 'dosis', which is not a column.*Did you mean 'dose'"),
        (ordered, {"dose": ["low", "mid", "high"]}, "contradicts the ordered categories"),
    ]
    for each, levels, message in cases:
        with pytest.raises(SamplesError, match=message):
            build_design("~ dose + x", each, levels=levels)
    with pytest.raises(SamplesError, match="no sample has this level"):
        build_design("~ dose", frame, levels={"dose": ["low", "mid", "high"]}, reference={"dose": "top"})
    with pytest.warns(CountnestWarning, match="levels for 'dose' is ignored: the design does not use"):
        build_design("~ x", frame.assign(x=[0.5, 1, 2, 1.5]), levels={"dose": ["low", "mid", "high"]})
    with pytest.warns(CountnestWarning, match="levels is ignored: a model matrix was given"):
        build_design(np.eye(4)[:, :2], frame, levels={"dose": ["low", "mid", "high"]})


def test_what_names_no_factor_is_refused():
    for option in ("reference", "levels"):
        for given in ("dose", ["low", "mid", "high"], ("dose", "mid"), {"low", "mid"}, 3):
            for design in ("~ dose", np.eye(4)[:, :2]):
                with pytest.raises(OptionError, match=f"{option} should be a dict of factors and"):
                    build_design(design, sheet(dose=["mid", "low", "high", "low"]), **{option: given})


def test_sets_are_refused_where_the_order_counts():
    design = build_design("~ g + h", sheet(g=list("abc") * 2, h=list("xxxyyy")))
    for ask in (
        lambda: contrast_query(design, {"g", "a", "b"}),
        lambda: contrast_query(design, (["g_b_vs_a"], ["g_c_vs_a"]), list_values={1, -1}),
        lambda: effect(design, "g", by={"h"}),
    ):
        with pytest.raises(ContrastError, match="is a set, which has no order; give a list"):
            ask()
    for option, given in (("blocks", 3), ("numeric_ok", 3), ("numeric_ok", "g")):
        with pytest.raises(OptionError, match=f"{option}=.*: give the names of variables in a list"):
            build_design("~ g", design.sheet, **{option: given})
    with pytest.raises(ContrastError, match="at='x' should be a dict"):
        effect(design, "g", at="x")


def test_the_report_tells_the_order():
    text = str(minutes(reference={"minute": "15"}).report())
    assert "reference levels: minute 15" in text
    assert "order of minute: 0 < 5 < 15 < 120 (by their numbers)" in text


def test_columns_for_figures_stand_in_the_same_order():
    for kind in (object, "category"):
        factor = as_factor(pd.Series(["10min", "5min", None], dtype=kind))
        assert list(factor.cat.categories) == ["5min", "10min"]
        assert factor.isna().sum() == 1
    assert list(as_factor(pd.Series([10, 2])).cat.categories) == [2, 10]
