import numpy as np
import pandas as pd

from countnest.design.build import build_design
from countnest.queries.coefficients import coefficients
from countnest.queries.contrasts import contrast_query
from countnest.queries.effects import cell, effect
from countnest.queries.empty_cells import empty_rule
from countnest.queries.query import stack

SHEET = pd.DataFrame({"a": list("xxxxyyyyzzzz"), "b": list("ppqq") * 3}, index=[f"s{i}" for i in range(12)])
CROSSED = build_design("~ a * b", SHEET)
PLAIN = build_design("~ a + b", SHEET)


def judged(query, *empty):
    """Apply the rule of a query to genes, each without counts in some levels: 'x' or 'x p'; zero and boundary."""
    rule = empty_rule(query)
    counts = np.ones((len(empty), 12), dtype=bool)
    for gene, cells in enumerate(empty):
        for levels in cells:
            inside = [set(levels.split()) <= {a, b} for a, b in zip(SHEET["a"], SHEET["b"], strict=True)]
            counts[gene, inside] = False
    without = np.array([~counts[:, samples].any(axis=1) for samples in rule.samples]).T
    return [found.T.tolist() for found in rule.apply(np.reshape(without, (len(empty), len(rule.samples))))]


def test_a_comparison_of_cells_is_zero_where_all_are_empty_and_at_the_boundary_where_some_are():
    zero, boundary = judged(effect(PLAIN, "a", levels=("y", "x")), [], ["x"], ["x", "y"], ["x", "y", "z"], ["x p"])
    assert zero == [[False, False, True, True, False]]
    assert boundary == [[False, True, False, False, False]]


def test_cells_are_looked_at_in_the_detail_that_the_model_has():
    zero, boundary = judged(effect(CROSSED, "a", levels=("y", "x")), ["x p"], ["z p"], ["x", "y"])
    assert zero == [[False, False, True]]
    assert boundary == [[True, False, False]]


def test_a_mean_is_never_zero():
    zero, boundary = judged(cell(PLAIN, a="x"), ["x"], ["y"])
    assert zero == [[False, False]]
    assert boundary == [[True, False]]


def test_two_levels_are_zero_by_their_samples_and_coefficients_by_those_they_describe():
    triple = contrast_query(CROSSED, ("a", "y", "x"))
    assert judged(triple, ["x"], ["x", "y"], ["x p", "y p"]) == [[[False, True, False]], [[False, False, False]]]
    for ask in (contrast_query, coefficients):
        described = ask(CROSSED, (["az.bq"], ["ay.bq"]))
        assert judged(described, ["y q", "z q"], ["y q"]) == [[[True, False]], [[False, False]]]
        assert judged(ask(CROSSED, [["az.bq", "ay.bq"]]), ["y q", "z q"]) == [[[False]], [[False]]]
    # in terms of coefficients a difference from the reference has one coefficient, of one sign
    assert judged(coefficients(CROSSED, ("a", "y", "x")), ["x", "y"]) == [[[False]], [[False]]]


def test_each_row_has_its_own_rule():
    rows = stack([effect(PLAIN, "a", levels=("y", "x")), coefficients(PLAIN, "a_z_vs_x - a_y_vs_x")])
    zero, boundary = judged(rows, ["x", "y"], ["z", "y"], ["y"])
    assert zero == [[True, False, False], [False, True, False]]
    assert boundary == [[False, True, True], [False, False, False]]
