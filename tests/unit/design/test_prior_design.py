import numpy as np
import pandas as pd
import pytest

from countnest.design.build import build_design
from countnest.design.prior_design import expanded_design, prior_design, standard_design
from countnest.errors import ContrastError, DesignError
from countnest.queries.contrasts import contrast_query
from countnest.queries.empty_cells import compared_samples

SHEET = pd.DataFrame(
    {
        "batch": ["x", "y"] * 6,
        "condition": np.repeat(["A", "B", "C"], 4),
        "age": [0.5, 1.0, 2.0, -1.0, 0.3, 2.2, 0.1, -0.7, 1.4, 0.9, -0.2, 0.6],
    },
    index=[f"s{i}" for i in range(12)],
)


def design(formula, **options):
    return build_design(formula, SHEET, **options)


def test_every_level_has_a_column():
    wide = expanded_design(design("~ batch + condition")).design
    assert wide.names == ("Intercept", "batchx", "batchy", "conditionA", "conditionB", "conditionC")
    assert (wide.matrix[:, 0] == 1).all()
    for place, (variable, level) in enumerate([("batch", "x"), ("batch", "y"), *(("condition", c) for c in "ABC")], 1):
        np.testing.assert_array_equal(wide.matrix[:, place], SHEET[variable] == level)
    assert np.linalg.matrix_rank(wide.matrix) == 4


def test_numbers_stay_and_columns_keep_the_order_of_the_formula():
    narrow = design("~ condition + age")
    wide = expanded_design(narrow).design
    assert wide.names == ("Intercept", "conditionA", "conditionB", "conditionC", "age")
    np.testing.assert_array_equal(wide.matrix[:, -1], SHEET["age"])
    only_number = expanded_design(design("~ age")).design
    np.testing.assert_array_equal(only_number.matrix, design("~ age").matrix)


def test_levels_share_a_prior_from_all_their_comparisons():
    spread = expanded_design(design("~ age + condition")).spread
    assert spread[0].shape == (0, 4)
    np.testing.assert_array_equal(spread[1], [[0, 1, 0, 0]])
    for place in (2, 3, 4):
        np.testing.assert_array_equal(spread[place], [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, -1, 1]])


def test_the_reference_level_makes_no_difference():
    first = expanded_design(design("~ batch + condition"))
    other = expanded_design(design("~ batch + condition", reference={"condition": "C", "batch": "y"}))
    assert set(other.design.names) == set(first.design.names)
    order = [other.design.names.index(name) for name in first.design.names]
    np.testing.assert_array_equal(other.design.matrix[:, order], first.design.matrix)


def test_standard_coefficients_have_priors_of_their_own():
    narrow = design("~ age + condition")
    prior = standard_design(narrow)
    assert prior.design is narrow
    assert [len(contrasts) for contrasts in prior.spread] == [0, 1, 1, 1]
    np.testing.assert_array_equal(np.concatenate(prior.spread), np.eye(4)[1:])


def test_a_matrix_with_its_own_coefficients():
    matrix = design("~ condition * age").matrix
    frame = pd.DataFrame(matrix, index=SHEET.index, columns=["Intercept", "B", "C", "age", "B.age", "C.age"])
    prior = standard_design(build_design(frame, SHEET))
    assert [len(contrasts) for contrasts in prior.spread] == [0, 1, 1, 1, 1, 1]
    with pytest.raises(DesignError, match="needs a formula, but the design is a model matrix"):
        expanded_design(build_design(frame, SHEET))


@pytest.mark.parametrize("kind", ["standard", "expanded"])
@pytest.mark.parametrize(
    ("formula", "message"),
    [("~ batch * condition", "designs with interactions, here 'batch:condition'"), ("~ 0 + condition", "an intercept")],
)
def test_formulas_that_have_no_priors(formula, message, kind):
    with pytest.raises(DesignError, match=message):
        prior_design(design(formula), kind)


def test_comparisons_of_levels():
    wide = expanded_design(design("~ batch + condition")).design
    for numerator, denominator in (("C", "B"), ("B", "A"), ("A", "C")):
        found = contrast_query(wide, ("condition", numerator, denominator))
        expected = {f"condition{numerator}": 1.0, f"condition{denominator}": -1.0}
        np.testing.assert_array_equal(found.matrix[0], [expected.get(name, 0.0) for name in wide.names])
        assert found.labels[0] == f"condition {numerator} vs {denominator}"
        np.testing.assert_array_equal(compared_samples(found)[0], SHEET["condition"].isin([numerator, denominator]))
    named = contrast_query(wide, (["conditionC"], ["conditionA", "conditionB"]), list_values=(1.0, -0.5))
    np.testing.assert_array_equal(named.matrix[0], [0, 0, 0, -0.5, -0.5, 1])
    assert named.labels[0] == "conditionC vs 0.5 conditionA+conditionB"
    with pytest.raises(ContrastError, match="condition_C_vs_A"):
        contrast_query(wide, name="condition_C_vs_A")
