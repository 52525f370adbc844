import numpy as np
import pandas as pd
import pytest

from countnest.errors import ContrastError
from countnest.queries.coefficients import coefficients
from countnest.queries.contrasts import contrast_query
from unit.design.studies import NESTED, SIMPLE, design


@pytest.fixture(scope="module")
def nested():
    return design(NESTED)


def named(query):
    columns = query.design.columns
    return [{n: w for n, w in zip(columns, row, strict=True) if w} for row in query.matrix]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groupB.treatE - groupA.treatE", {"groupA:treatE": -1, "groupB:treatE": 1}),
        ("groupB:treatE-groupA:treatE", {"groupA:treatE": -1, "groupB:treatE": 1}),
        ("group[B]:treat[T.E] - group[A]:treat[T.E]", {"groupA:treatE": -1, "groupB:treatE": 1}),
        ("treat[T.E]:group[B]", {"groupB:treatE": 1}),
        ("group_B_vs_A", {"groupB": 1}),
        ("groupB", {"groupB": 1}),
        ("group[T.B]", {"groupB": 1}),
        ("-(groupB + 2 * groupB.treatE) / 4", {"groupB": -0.25, "groupB:treatE": -0.5}),
        ("0.5*(groupA.treatE + groupB.treatE)", {"groupA:treatE": 0.5, "groupB:treatE": 0.5}),
        ("(Intercept) + Intercept", {"(Intercept)": 2}),
        ("groupA.treatE + (1 - 1)", {"groupA:treatE": 1}),
    ],
)
def test_expressions(nested, text, expected):
    query = coefficients(nested, text)
    assert named(query) == [pytest.approx(expected)]
    assert query.labels == (text,)
    assert query.cells == ((),)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("groupB - groupZ", "'groupZ' is not a coefficient", 9),
        ("groupB - ", "a coefficient or a number expected here", 9),
        ("groupB groupB", "expected here", 7),
        ("(groupB", r"'\)' expected", 7),
        ("groupB / 0", "only a number other than 0", 9),
        ("groupB * groupB", "two coefficients cannot be multiplied", 9),
        ("", "a coefficient or a number expected", 0),
    ],
)
def test_expressions_that_cannot_be_read(nested, text, message, column):
    with pytest.raises(ContrastError, match=message) as caught:
        coefficients(nested, text)
    lines = str(caught.value).splitlines()
    mark = next(line for line in lines if line.strip() == "^")
    assert mark.index("^") == column + 2


def test_constants_and_zeros(nested):
    with pytest.raises(ContrastError, match="adds the number 1"):
        coefficients(nested, "groupB + 1")
    with pytest.raises(ContrastError, match="has only zeros"):
        coefficients(nested, "groupB - groupB")


def test_forms_of_results(nested):
    assert named(coefficients(nested, (["groupB.treatE"], ["groupA.treatE"]))) == [
        {"groupA:treatE": -1, "groupB:treatE": 1}
    ]
    halves = coefficients(nested, [["groupB.treatE", "groupA.treatE"]], list_values=(0.5, -1))
    assert named(halves) == [{"groupA:treatE": 0.5, "groupB:treatE": 0.5}]
    assert named(coefficients(nested, ("group", "B", "A"))) == [{"groupB": 1}]
    vector = np.arange(len(nested.names)) - 1.0
    np.testing.assert_allclose(coefficients(nested, vector).matrix, [vector], atol=1e-12)
    assert named(coefficients(nested, {"groupB": 1, "groupA.treatE": -0.5})) == [{"groupB": 1, "groupA:treatE": -0.5}]
    assert named(coefficients(nested, pd.Series({"groupB": 1.0}))) == [{"groupB": 1}]


def test_several_rows(nested):
    query = coefficients(nested, {"one": "groupB - groupA.treatE", "two": ("group", "B", "A")})
    assert query.labels == ("one", "two")
    assert not query.is_joint
    matrix = np.eye(len(nested.names))[:3]
    assert coefficients(nested, matrix).is_joint
    np.testing.assert_allclose(coefficients(nested, matrix).matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(coefficients(nested, matrix.T).matrix, matrix, atol=1e-12)
    frame = pd.DataFrame({"groupB": [1.0, 0.0], "groupA.treatE": [0.0, 2.0]}, index=["x", "y"])
    for given in (frame, frame.T):
        query = coefficients(nested, given)
        assert query.labels == ("x", "y")
        assert named(query) == [{"groupB": 1}, {"groupA:treatE": 2}]


def test_wrong_shapes(nested):
    with pytest.raises(ContrastError, match="one element for every element"):
        coefficients(nested, [1.0, 2.0])
    with pytest.raises(ContrastError, match=r"has shape \(2, 3\)"):
        coefficients(nested, np.ones((2, 3)))
    with pytest.raises(ContrastError, match="missing or infinite"):
        coefficients(nested, np.full((1, len(nested.names)), np.nan))
    with pytest.raises(ContrastError, match="only zeros"):
        coefficients(nested, np.zeros((1, len(nested.names))))
    with pytest.raises(ContrastError, match="'nothing' is not a coefficient"):
        coefficients(nested, {"nothing": 1})


def test_a_matrix_design():
    given = design(np.column_stack([np.ones(10), np.arange(10.0)]))
    assert named(coefficients(given, "V2")) == [{"V2": 1}]
    assert coefficients(given, "V2").stratum == "none"


def test_the_strata_of_coefficients(nested):
    assert coefficients(nested, "group_B_vs_A").stratum == "between"
    assert coefficients(nested, "groupB.treatE - groupA.treatE").stratum == "within"


def test_a_dropped_level_has_no_triple():
    with pytest.raises(
        ContrastError,
        match=r"'groupB' was dropped because 'family' is nested in 'group'.*mixed = cn\.lmm\(.*\(1 \| family\)",
    ):
        contrast_query(design(SIMPLE), ("group", "B", "A"))
