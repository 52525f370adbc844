import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countnest.design.build import build_design
from countnest.design.design import check_residual_df, encode
from countnest.errors import (
    ConfoundedDesignError,
    ContrastError,
    CountnestWarning,
    DesignError,
    FormulaError,
    NumericIdError,
    RankError,
    SamplesError,
)
from countnest.queries.contrasts import contrast_query
from countnest.queries.effects import effect


def sheet(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(n)])


CELLS = sheet(cell=list("aabbccdd"), dex=["untrt", "trt"] * 4, age=np.linspace(-1, 1, 8))
NESTED = sheet(
    family=[f"f{i // 2}" for i in range(8)],
    ind=list("11221122"),
    treat1=list("AAAABBBB"),
    treat2=["None", "E"] * 4,
)
NONE = {"treat2": "None"}


def test_two_factors():
    design = build_design("~cell + dex", CELLS, reference={"dex": "untrt"})
    assert design.names == ("Intercept", "cell_b_vs_a", "cell_c_vs_a", "cell_d_vs_a", "dex_trt_vs_untrt")
    assert design.columns == ("(Intercept)", "cellb", "cellc", "celld", "dextrt")
    assert design.formula == "~ cell + dex"
    assert design.variables == ("cell", "dex")
    assert design.levels == {"cell": ("a", "b", "c", "d"), "dex": ("untrt", "trt")}
    assert design.intercept
    assert design.dropped == ()
    assert design.terms == ((), ("cell",), ("cell",), ("cell",), ("dex",))
    assert design.coding == "r"
    assert design.notes == ()
    assert design.matrix.flags.c_contiguous
    for held in (design.matrix, design.full.matrix):  # fits and files rely on it
        with pytest.raises(ValueError, match="read-only"):
            held[0, 0] = 2.0
    assert design.matrix.dtype == np.float64
    assert list(design.matrix[:, 4]) == [0, 1] * 4
    assert list(design.sheet["dex"].cat.categories) == ["untrt", "trt"]
    assert "age" in design.sheet


def test_intercept_only():
    design = build_design("~ 1", CELLS)
    assert design.names == ("Intercept",)
    assert design.matrix.shape == (8, 1)


def test_no_intercept():
    design = build_design("~ 0 + cell + age", CELLS)
    assert design.names == ("cella", "cellb", "cellc", "celld", "age")
    assert not design.intercept


def test_a_formula_without_columns():
    with pytest.raises(DesignError, match="has no columns"):
        build_design("~ 0", CELLS)


def test_bool_and_wrapped_numbers():
    frame = sheet(flag=[True, True, False, False], dose=[1, 10, 2, 10])
    assert build_design("~ flag", frame).names == ("Intercept", "flag_TRUE_vs_FALSE")
    design = build_design("~ C(dose)", frame)
    assert design.names == ("Intercept", "dose_2_vs_1", "dose_10_vs_1")
    assert design.columns == ("(Intercept)", "dose2", "dose10")


def test_warnings_reach_the_user():
    with pytest.warns(CountnestWarning, match="'untrt', which is not the reference level"):
        build_design("~ dex", CELLS)
    with pytest.warns(CountnestWarning, match="Did you mean for this to be a factor"):
        build_design("~ x", sheet(x=[1, 2, 3, 1]))
    with pytest.warns(CountnestWarning, match=r"'I\(x\^2\)' has a mean or standard deviation larger than 5"):
        build_design("~ I(x^2)", sheet(x=[1.5, 2.5, 9.5, 1.25]))


def test_a_computed_constant():
    with pytest.raises(DesignError, match=r"'I\(x\^2\)' is 4 in all samples"):
        build_design("~ I(x^2)", sheet(x=[2.0, -2.0]))


def test_errors_of_the_parts():
    with pytest.raises(FormulaError, match="'dx'"):
        build_design("~ dx", CELLS)
    with pytest.raises(SamplesError, match="'un'"):
        build_design("~ dex", CELLS, reference={"dex": "un"})


def test_the_sheet_is_not_touched():
    before = CELLS.copy()
    build_design("~ cell + scale(age)", CELLS)
    pd.testing.assert_frame_equal(CELLS, before)


def test_nested_formula():
    design = build_design("~ treat1 + treat1:ind + treat1:treat2", NESTED, reference=NONE)
    assert design.names == (
        "Intercept", "treat1_B_vs_A", "treat1A.ind2", "treat1B.ind2", "treat1A.treat2E", "treat1B.treat2E",
    )  # fmt: skip


def test_empty_cells_are_dropped_and_named():
    frame = NESTED.assign(ind=list("11221133")).iloc[:, 1:]
    design = build_design("~ treat1 + treat1:ind + treat1:treat2", frame, reference=NONE)
    assert design.dropped == ("treat1B:ind2", "treat1A:ind3")
    assert design.names[2:4] == ("treat1A.ind2", "treat1B.ind3")
    assert any("no samples with 'treat1=B, ind=2', 'treat1=A, ind=3'" in note for note in design.notes)


def test_bare_interaction_falls_back():
    design = build_design("~ cell:dex", CELLS, reference={"dex": "untrt"})
    assert design.coding == "formulaic"
    assert design.names == (
        "Intercept", "dex_trt_vs_untrt",
        "cellb.dexuntrt", "cellc.dexuntrt", "celld.dexuntrt", "cellb.dextrt", "cellc.dextrt", "celld.dextrt",
    )  # fmt: skip
    assert design.terms[1] == ("cell", "dex")
    assert any("is not of full rank" in note for note in design.notes)


def test_fallback_where_r_would_fit_a_smaller_model_warns():
    frame = sheet(a=list("xxxyyyzzz") * 2, b=list("pq") * 9, m=np.sin(np.arange(18.0)))
    with pytest.warns(CountnestWarning, match=r"spans 7 of 9 dimensions.*R would fit the smaller model"):
        design = build_design("~ a:m + a:b", frame)
    assert design.coding == "formulaic"
    assert design.matrix.shape == (18, 9)


def test_confounded_factors():
    frame = sheet(batch=list("1122"), condition=list("xxyy"), age=[0.5, 0.1, 0.3, 0.2])
    with pytest.raises(RankError) as caught:
        build_design("~ batch + condition + age", frame)
    text = str(caught.value)
    assert "the model matrix is not full rank" in text
    assert "conditiony = batch2" in text
    assert "The term 'condition' is confounded with 'batch'" in text
    assert "'batch' and 'condition' carry the same information" in text


@pytest.mark.parametrize(
    ("formula", "dropped"),
    [
        ("~ family + treat1*treat2", ("treat1B",)),
        ("~ treat1 + family", ("familyf3",)),
        ("~ treat1*treat2 + family", ("familyf3",)),
        ("~ treat1/family + treat1:treat2", ("treat1B:familyf1", "treat1A:familyf2", "treat1A:familyf3",
                                             "treat1B:familyf3")),
    ],
)  # fmt: skip
def test_aliased_columns_of_nested_factors_are_dropped(formula, dropped):
    design = build_design(formula, NESTED, reference=NONE if "treat2" in formula else None)
    assert design.dropped == dropped
    assert design.full.columns[0] == "(Intercept)"
    assert tuple(design.full.columns[place] for place in design.kept) == design.columns
    np.testing.assert_array_equal(design.full.matrix[:, list(design.kept)], design.matrix)
    assert set(design.full.columns) - set(dropped) == set(design.columns)
    assert np.linalg.matrix_rank(design.full.matrix) == design.matrix.shape[1]
    assert any(
        "family is nested in treat1 (4 levels in 2): differences between levels of treat1 cannot be separated from "
        "family; effects within family can" in note
        for note in design.notes
    )
    assert any("Columns that are combinations of earlier ones" in note for note in design.notes)
    assert design.nesting.data == {"family": ("treat1",)}


def test_a_lost_effect_is_refused():
    crossed = sheet(batch=list("112233") * 2, condition=list("ABABCC") * 2)
    with pytest.raises(ConfoundedDesignError, match=r"conditionC = batch3.*batch 3 was only run with condition C"):
        build_design("~ batch + condition", crossed)
    vignette = sheet(batch=list("111122"), condition=list("AABBCC"))
    with pytest.raises(ConfoundedDesignError, match=r"conditionC = batch2.*batch 2 was only run with condition C"):
        build_design("~ batch + condition", vignette)
    number = NESTED.assign(age=[0.5, 0.5, 0.1, 0.1, 0.3, 0.3, 0.2, 0.2])
    with pytest.raises(ConfoundedDesignError, match=r"The term 'age' is confounded with 'family'"):
        build_design("~ family + age", number)


def test_nested_conditions_and_single_families_are_accepted():
    design = build_design("~ batch + condition", sheet(batch=list("11112222"), condition=list("AABBCCDD")))
    assert design.dropped == ("conditionD",)
    single = sheet(family=list("112233"), treat1=list("AAAABB"), treat2=["None", "E"] * 3)
    assert build_design("~ family + treat1*treat2", single, reference=NONE).dropped == ("treat1B",)


def test_aliasing_does_not_depend_on_samples_lost():
    frame = NESTED.drop(index=["s1", "s6"])
    design = build_design("~ family + treat1 + treat2", frame, reference=NONE)
    assert design.dropped == ("treat1B",)


@pytest.mark.parametrize(
    "formula", ["~ dex + poly(age, 2) + log(age + 2)", "~ cell + scale(age)", "~ dex*bs(age, df=4)"]
)
def test_encode_replays_the_samples(formula):
    frame = sheet(cell=list("aabbccdd") * 2, dex=["untrt", "trt"] * 8, age=np.sin(np.arange(16.0)))
    design = build_design(formula, frame, reference={"dex": "untrt"} if "dex" in formula else None)
    np.testing.assert_allclose(encode(design, frame), design.full.matrix, atol=1e-12)
    np.testing.assert_allclose(encode(design, frame.iloc[[2]]), design.full.matrix[[2]], atol=1e-12)


def test_encode_of_new_values():
    frame = sheet(cell=list("aabbccdd"), age=np.cos(np.arange(8.0)))
    design = build_design("~ cell + log(age + 2) + scale(age)", frame)
    (row,) = encode(design, pd.DataFrame({"cell": ["b"], "age": [10.0]}))
    expected = [1, 1, 0, 0, np.log(12.0), (10 - frame["age"].mean()) / frame["age"].std()]
    np.testing.assert_allclose(row, expected)


def test_encode_refuses():
    design = build_design("~ cell + age", CELLS)
    with pytest.raises(ContrastError, match="lack the variable 'age'"):
        encode(design, pd.DataFrame({"cell": ["a"]}))
    with pytest.raises(ContrastError, match="'z' is not a level of 'cell'"):
        encode(design, pd.DataFrame({"cell": ["z"], "age": [0.0]}))
    matrix = build_design(np.eye(8)[:, :3], CELLS)
    with pytest.raises(ContrastError, match="a model matrix was given"):
        encode(matrix, CELLS)


NUMBERED = sheet(g=list("AAAABBBB"), ind=[1, 1, 2, 2] * 2, t=list("uvuvuvuv"))


def test_numeric_labels_are_stopped():
    with pytest.raises(
        NumericIdError, match=r"'ind' in the term 'g:ind'.*astype\(str\).*'C\(ind\)'.*numeric_ok=\('ind',"
    ):
        build_design("~ g + g:ind + g:t", NUMBERED)
    assert build_design("~ g + g:C(ind) + g:t", NUMBERED).columns[2:4] == ("gA:ind2", "gB:ind2")
    with pytest.warns(CountnestWarning, match="Did you mean for this to be a factor"):
        design = build_design("~ g + g:ind + g:t", NUMBERED, numeric_ok=("ind",))
    assert design.columns[2:4] == ("gA:ind", "gB:ind")
    assert not any("numeric_ok" in note for note in design.notes)


def test_a_needless_numeric_ok_is_reported():
    frame = NUMBERED.assign(x=np.arange(8.0))
    for formula, name in (("~ g + x", "x"), ("~ g:x", "x"), ("~ g + t", "g"), ("~ g", "idn")):
        notes = build_design(formula, frame, numeric_ok=(name,)).notes
        assert any(f"numeric_ok has no effect on '{name}'" in note for note in notes)


@pytest.mark.parametrize("values", [[0, 1] * 4, [1, 3] * 4, list(range(1, 9)), [1.5, 2.5] * 4])
def test_other_numbers_are_not_stopped(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        build_design("~ g:ind", NUMBERED.assign(ind=values))


def test_labels_used_again_warn():
    frame = sheet(g=list("AAAAAABBBBBB"), ind=list("112233") * 2, t=list("uv") * 6)
    with pytest.warns(CountnestWarning, match="write 'g:ind' in place of 'ind'"):
        build_design("~ ind + g*t", frame)
    build_design("~ batch + g*t", frame.rename(columns={"ind": "batch"}))
    build_design("~ ind + t", frame)
    build_design("~ g + g:ind + g:t", frame)


def test_columns_made_by_hand_are_understood():
    frame = NESTED.assign(**{f"{g}E": ((NESTED["treat1"] == g) & (NESTED["treat2"] == "E")) * 1.0 for g in "AB"})
    meant = build_design("~ family + treat1*treat2", NESTED, reference=NONE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        formula = build_design("~ family + AE + BE", frame, reference=NONE, same_as="~ family + treat1*treat2")
    matrix = build_design(pd.DataFrame(formula.matrix, index=frame.index, columns=formula.columns), frame,
                          reference=NONE, same_as="~ family + treat1*treat2")  # fmt: skip
    for design in (formula, matrix):
        assert design.columns[-2:] == ("AE", "BE")
        query = effect(design, "treat2", by="treat1")
        np.testing.assert_allclose(query.matrix[:, -2:], np.eye(2), atol=1e-14)
        np.testing.assert_allclose(query.vector(meant), effect(meant, "treat2", by="treat1").matrix, atol=1e-14)
        assert effect(design, "treat1").stratum == "between"
        assert "understood as another coding of '~ family + treat1*treat2'" in str(design.report())
        with pytest.raises(ContrastError, match=r"user-supplied|'treat1B' was dropped"):
            contrast_query(design, ("treat1", "B", "A"))
    with pytest.raises(DesignError, match="is a different model: the design has 4 dimensions, the formula 5, and both"):
        build_design("~ family", frame, reference=NONE, same_as="~ family + treat2")


def test_blocks_can_be_named():
    frame = sheet(g=list("AAAABBBB"), who=list("xxyyxxyy"), t=list("uvuvuvuv"))
    assert build_design("~ g + g:who + g:t", frame).nesting.blocks == ()
    assert build_design("~ g + g:who + g:t", frame, blocks=["who"]).nesting.blocks == (("g", "who"),)
    assert build_design("~ family + treat2", NESTED, reference=NONE, blocks=["family"]).nesting.blocks == (("family",),)
    assert build_design("~ family + treat1*treat2", NESTED, reference=NONE, blocks=[]).nesting.blocks == ()
    for bad in (["wh"], "who"):
        with pytest.raises(DesignError, match="must be a list of factors of the design"):
            build_design("~ g + g:who + g:t", frame, blocks=bad)


def test_empty_cell_of_the_reference():
    frame = sheet(a=list("xyyxyy"), b=list("qpqqpq"))
    with pytest.raises(RankError, match=r"No samples have 'a=x, b=p', so the interaction cannot be estimated"):
        build_design("~ a*b", frame)


def test_duplicate_names():
    frame = sheet(**{"a": ["x", "y", "x", "y"], "b.c": [0.5, 0.25, 1.5, 0.75], "b c": [0.1, 0.7, 0.2, 0.3]})
    with pytest.raises(DesignError, match=r"the same name: 'b\.c'"):
        build_design("~ b.c + `b c`", frame)


def test_residual_degrees_of_freedom():
    check_residual_df(build_design("~ dex + cell", CELLS, reference={"dex": "untrt"}))
    with pytest.raises(DesignError, match="same number of samples and coefficients to fit, so estimation of disp"):
        check_residual_df(build_design("~ g", sheet(g=["a", "b"])))
    wide = replace(build_design("~ 1", CELLS), matrix=np.ones((2, 3)))
    with pytest.raises(DesignError, match=r"fewer samples \(2\) than coefficients to fit \(3\), so estimation of disp"):
        check_residual_df(wide)


def test_matrix_as_data_frame():
    design = build_design("~ cell + dex", CELLS, reference={"dex": "untrt"})
    frame = pd.DataFrame(design.matrix, index=CELLS.index, columns=design.columns).assign(empty=0.0)
    given_design = build_design(frame.iloc[::-1], CELLS)
    np.testing.assert_array_equal(given_design.matrix, design.matrix)
    assert given_design.names == ("Intercept", "cellb", "cellc", "celld", "dextrt")
    assert given_design.columns == design.columns
    assert given_design.dropped == ("empty",)
    assert given_design.intercept
    assert given_design.formula is None
    assert given_design.levels == {}
    assert given_design.variables == ()
    assert given_design.coding == "matrix"
    assert given_design.terms == ((), ("cellb",), ("cellc",), ("celld",), ("dextrt",))
    assert "'empty'" in given_design.notes[0]


def test_matrix_names_are_made_valid():
    frame = pd.DataFrame({"a:b": [1, 0, 1, 0], "2h": [1, 1, 0, 0]})
    design = build_design(frame, sheet(g=list("abcd")))
    assert design.names == ("a.b", "X2h")
    assert not design.intercept


def test_matrix_as_array():
    design = build_design([[1, 0], [1, 1], [1, 0]], sheet(g=list("abc")))
    assert design.names == ("V1", "V2")
    assert not design.intercept


def test_reference_is_ignored_for_a_matrix():
    with pytest.warns(CountnestWarning, match="reference is ignored"):
        build_design(np.ones((3, 1)), sheet(g=list("abc")), reference={"g": "a"})


def test_matrix_errors():
    samples = sheet(g=list("abc"))
    frame = pd.DataFrame({"x": [1.0, 1.0, 1.0]}, index=["s0", "s1", "s2"])
    with pytest.raises(DesignError, match=r"lacks rows for 1 sample: 's2'"):
        build_design(frame.iloc[:2], samples)
    with pytest.raises(DesignError, match=r"1 row not in the sample sheet: 'zz'"):
        build_design(pd.concat([frame, frame.iloc[:1].set_axis(["zz"])]), samples)
    with pytest.raises(DesignError, match="duplicate row labels: 's0'"):
        build_design(pd.concat([frame, frame.iloc[:1]]), samples)
    for bad in (frame.reset_index(drop=True).iloc[:2], np.ones(3), np.ones((2, 2))):
        with pytest.raises(DesignError, match="one row for each of the 3 samples"):
            build_design(bad, samples)
    for bad in (np.nan, np.inf, "1", None):
        with pytest.raises(DesignError, match=r"not finite numbers, in the columns 'x'"):
            build_design(frame.assign(x=[1.0, 2.0, bad]), samples)
    with pytest.raises(DesignError, match="every column of the model matrix is zero"):
        build_design(np.zeros((3, 2)), samples)
    with pytest.raises(DesignError, match=r"same name: 'a\.b'"):
        build_design(pd.DataFrame({"a:b": [1, 0, 0], "a b": [0, 1, 0]}), samples)
    with pytest.raises(RankError, match="V2 = 2\\*V1"):
        build_design([[1, 2], [2, 4], [3, 6]], samples)


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(12)), formula=st.sampled_from(["~ g*h + x", "~ 0 + g + poly(x, 2)", "~ g/h", "~ g:h"])
)
def test_permuted_samples_permute_the_rows(order, formula):
    frame = sheet(g=list("abc") * 4, h=list("uuuuuuvvvvvv"), x=np.cos(np.arange(12.0)))
    frame = frame.assign(h=["u", "v"] * 6)
    design = build_design(formula, frame)
    moved = build_design(formula, frame.iloc[order].set_axis([f"other{i}" for i in range(12)]))
    assert moved.names == design.names
    np.testing.assert_allclose(moved.matrix, design.matrix[order], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(names=st.permutations(["a", "b", "c"]))
def test_renamed_levels_span_the_same_space(names):
    frame = sheet(g=list("abc") * 4, h=["u", "v"] * 6)
    renamed = frame.assign(g=frame["g"].map(dict(zip("abc", names, strict=True))))
    first, second = (build_design("~ g*h", each).matrix for each in (frame, renamed))
    assert np.linalg.matrix_rank(np.column_stack([first, second])) == first.shape[1]


def test_values_that_are_not_designs_are_reported():
    sheet = pd.DataFrame({"group": ["a", "b", "a", "b"]}, index=list("wxyz"))
    for wrong in (None, 3, ["~ group"], [[1, 0], [1]]):
        with pytest.raises(DesignError, match=r"a design is a formula such as '~ batch .*, or a model matrix; got "):
            build_design(wrong, sheet)
    assert build_design([[1, 0], [1, 1], [1, 0], [1, 1]], sheet).matrix.shape == (4, 2)


def test_a_time_in_unix_seconds_stays_in_the_design():
    n = np.arange(12.0)
    sheet = pd.DataFrame({"group": ["a", "b"] * 6, "batch": list("ppppqqqqrrrr"), "x": 1.7e9 + n, "large": n * 1e300})
    sheet["twice"] = 2.0 * sheet["x"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=CountnestWarning, message=".*larger than 5")
        for formula in ("~ group + x", "~ group + large", "~ batch + x", "~ group*x", "~ 0 + x + group"):
            design = build_design(formula, sheet)
            assert not design.dropped
            assert not design.notes
        with pytest.raises(ConfoundedDesignError, match=r"twice = 2\*x"):
            build_design("~ x + twice", sheet)
        noted = "Columns that are combinations of earlier ones were dropped: 'I(x^2)'."
        assert build_design("~ x + I(x^2)", sheet).notes == (noted,)
