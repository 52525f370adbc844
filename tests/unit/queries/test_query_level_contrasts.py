import numpy as np
import pytest

from cases import each
from countnest.errors import ContrastError
from countnest.queries.level_contrasts import METHODS, compare

LEVELS = ("A", "B", "C", "D")


def weights(how, levels=LEVELS):
    return [[comparison.weights.get(level, 0.0) for level in levels] for comparison in compare(levels, how, "g")]


def labels(how):
    return [comparison.label for comparison in compare(LEVELS, how, "g")]


@each(
    ("method", "expected"),
    [
        ("reference", [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]]),
        ("pairwise", [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1], [0, -1, 1, 0], [0, -1, 0, 1], [0, 0, -1, 1]]),
        ("consecutive", [[-1, 1, 0, 0], [0, -1, 1, 0], [0, 0, -1, 1]]),
        ("deviation", np.eye(4) - 0.25),
        ("helmert", [[-1, 1, 0, 0], [-1 / 2, -1 / 2, 1, 0], [-1 / 3, -1 / 3, -1 / 3, 1]]),
        ("mean_change", [[-1, 1 / 3, 1 / 3, 1 / 3], [-1 / 2, -1 / 2, 1 / 2, 1 / 2], [-1 / 3, -1 / 3, -1 / 3, 1]]),
        ("poly", [[-3, -1, 1, 3], [1, -1, -1, 1], [-1, 3, -3, 1]]),
    ],
)
def test_methods(method, expected):
    np.testing.assert_allclose(weights(method), expected, rtol=1e-15)


def test_polynomials_of_five_levels():
    expected = [[-2, -1, 0, 1, 2], [2, -1, -2, -1, 2], [-1, 2, 0, -2, 1], [1, -4, 6, -4, 1]]
    assert weights("poly", "abcde") == expected
    assert [c.label for c in compare("abcdef", "poly", "g")][-2:] == ["quartic", "degree 5"]


@each("method", METHODS)
@each("k", [2, 3, 6])
def test_all_methods_compare(method, k):
    found = np.array(weights(method, LEVELS[:k] if k < 5 else "abcdef"))
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)
    assert np.linalg.matrix_rank(found) == k - 1


def test_pairs_and_labels():
    assert weights(("B", "A")) == [[-1, 1, 0, 0]]
    assert labels(("B", "A")) == ["B - A"]
    assert labels([("B", "A"), ("D", "C")]) == ["B - A", "D - C"]
    assert weights((["B", "D"], "A")) == [[-1, 0.5, 0, 0.5]]
    assert labels((["B", "D"], "A")) == ["mean(B, D) - A"]
    assert labels("deviation")[0] == "A - mean"
    assert compare(("1", "10"), (10, 1.0), "dose")[0].weights == {"10": 1.0, "1": -1.0}


def test_own_weights():
    assert weights({"A": -1, "B": 0.5, "C": 0.5, "D": 0}) == [[-1, 0.5, 0.5, 0]]
    assert labels({"A": -1, "B": 0.5, "C": 0.5}) == ["- A + 0.5*B + 0.5*C"]
    assert labels({"father": {"A": -1, "B": 1}, "mother": {"A": -1, "C": 1}}) == ["father", "mother"]


@each(
    ("how", "message"),
    [
        ("pairwize", "Did you mean 'pairwise'"),
        (("B", "E"), "'E' is not a level of 'g'"),
        (("B", "B"), "must be different levels"),
        (([], "B"), "must be different levels"),
        ({"A": 1, "B": 1}, "add up to 2; the weights of a comparison must sum to 0"),
        ({"A": 0, "B": 0}, "all zero"),
        ({"A": "x", "B": 1}, "must be finite numbers"),
        ({"Q": 1, "B": -1}, "'Q' is not a level"),
        ({"f": {"A": 1}}, "add up to 1"),
        (7, "is not a comparison"),
        ((), "is not a comparison"),
        (("A", "B", "C"), "is not a comparison"),
    ],
)
def test_refusals(how, message):
    with pytest.raises(ContrastError, match=message):
        compare(LEVELS, how, "g")


def test_one_level():
    with pytest.raises(ContrastError, match="only one level of 'g'"):
        compare(["A"], "pairwise", "g")
