import numpy as np

from countnest.design.encoding import Component, code_columns, factor_component, r_blocks


def factor(name, codes, levels):
    return factor_component(name, np.array(codes), levels)


A = factor("a", [0, 0, 1, 1, 2, 2], "xyz")
B = factor("b", [0, 1, 0, 1, 0, 1], "pq")
K = Component("k", np.arange(6.0)[:, None] + 0.5, ("",), categorical=False)
POLY = Component("poly(k, 2)", np.arange(12.0).reshape(6, 2), ("1", "2"), categorical=False)
ALL = {piece.name: piece for piece in (A, B, K, POLY)}


def coded(terms, intercept=True):
    return code_columns(r_blocks(terms, intercept, {"a", "b"}), ALL, 6)


def test_factor_component():
    assert A.values.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert A.labels == ("x", "y", "z")


def test_main_effects():
    result = coded([("a",), ("b",)])
    assert result.columns == ("(Intercept)", "ay", "az", "bq")
    assert result.names == ("Intercept", "a_y_vs_x", "a_z_vs_x", "b_q_vs_p")
    assert result.terms == ((), ("a",), ("a",), ("b",))
    assert result.cells == ((), (("a", "y"),), (("a", "z"),), (("b", "q"),))
    np.testing.assert_array_equal(result.matrix[:, 1:3], A.values[:, 1:])


def test_first_variable_varies_fastest():
    result = coded([("a",), ("b",), ("a", "b")])
    assert result.columns[4:] == ("ay:bq", "az:bq")
    assert result.names[4:] == ("ay.bq", "az.bq")
    np.testing.assert_array_equal(result.matrix[:, 4], A.values[:, 1] * B.values[:, 1])


def test_nested_effect_has_all_levels_of_the_outer_factor():
    result = coded([("a",), ("a", "b")])
    assert result.columns == ("(Intercept)", "ay", "az", "ax:bq", "ay:bq", "az:bq")


def test_bare_interaction_has_one_column_too_many():
    assert len(coded([("a", "b")]).columns) == 7


def test_without_intercept_the_first_factor_has_all_levels():
    result = coded([("k",), ("b",), ("a",)], intercept=False)
    assert result.columns == ("k", "bp", "bq", "ay", "az")
    assert result.names == result.columns


def test_numbers_and_expressions():
    result = coded([("k",), ("a",), ("poly(k, 2)", "b"), ("k", "a")])
    assert result.columns == (
        "(Intercept)", "k", "ay", "az", "poly(k, 2)1:bp", "poly(k, 2)2:bp", "poly(k, 2)1:bq", "poly(k, 2)2:bq",
        "k:ay", "k:az",
    )  # fmt: skip
    assert result.names[4] == "poly.k..2.1.bp"
    np.testing.assert_array_equal(result.matrix[:, 5], POLY.values[:, 1] * B.values[:, 0])
    assert result.cells[5] == (("b", "p"),)


def test_take():
    result = coded([("a",)])
    assert result.take(np.array([True, False, True])).columns == ("(Intercept)", "az")
    assert result.take(np.array([2])).matrix.shape == (6, 1)


def test_nothing():
    assert code_columns([], {}, 4).matrix.shape == (4, 0)
