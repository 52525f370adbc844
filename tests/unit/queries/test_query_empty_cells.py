import numpy as np
import pandas as pd

from countnest.design.build import build_design
from countnest.queries.coefficients import coefficients
from countnest.queries.contrasts import contrast_query
from countnest.queries.effects import cell, effect
from countnest.queries.empty_cells import compared_samples
from countnest.queries.query import stack

SHEET = pd.DataFrame({"a": list("xxxxyyyyzzzz"), "b": list("ppqq") * 3}, index=[f"s{i}" for i in range(12)])
CROSSED = build_design("~ a * b", SHEET)
PLAIN = build_design("~ a + b", SHEET)


def unchanged(query, *empty):
    """Return for each row which genes are unchanged, each without counts in some levels: 'x' or 'x p'."""
    counts = np.ones((len(empty), 12), dtype=bool)
    for gene, cells in enumerate(empty):
        for levels in cells:
            inside = [set(levels.split()) <= {a, b} for a, b in zip(SHEET["a"], SHEET["b"], strict=True)]
            counts[gene, inside] = False
    return [(~counts[:, samples].any(axis=1) & samples.any()).tolist() for samples in compared_samples(query)]


def test_a_comparison_of_cells_is_unchanged_where_all_are_empty():
    asked = effect(PLAIN, "a", levels=("y", "x"))
    assert unchanged(asked, [], ["x"], ["x", "y"], ["x", "y", "z"], ["x p"]) == [[False, False, True, True, False]]
    crossed = effect(CROSSED, "a", levels=("y", "x"))
    assert unchanged(crossed, ["x p"], ["z p"], ["x", "y"]) == [[False, False, True]]


def test_a_mean_is_never_unchanged():
    assert unchanged(cell(PLAIN, a="x"), ["x"], ["y"]) == [[False, False]]


def test_two_levels_are_compared_in_their_samples_and_coefficients_in_those_they_describe():
    triple = contrast_query(CROSSED, ("a", "y", "x"))
    assert unchanged(triple, ["x"], ["x", "y"], ["x p", "y p"]) == [[False, True, False]]
    for ask in (contrast_query, coefficients):
        described = ask(CROSSED, (["az.bq"], ["ay.bq"]))
        assert unchanged(described, ["y q", "z q"], ["y q"]) == [[True, False]]
        assert unchanged(ask(CROSSED, [["az.bq", "ay.bq"]]), ["y q", "z q"]) == [[False]]
    # in terms of coefficients a difference from the reference has one coefficient, of one sign
    assert unchanged(coefficients(CROSSED, ("a", "y", "x")), ["x", "y"]) == [[False]]


def test_each_row_has_its_own_rule():
    rows = stack([effect(PLAIN, "a", levels=("y", "x")), coefficients(PLAIN, "a_z_vs_x - a_y_vs_x")])
    assert unchanged(rows, ["x", "y"], ["z", "y"], ["y"]) == [[True, False, False], [False, True, False]]
