import numpy as np
import pytest

from cases import each
from countnest.design.nesting import empty_cells, find_nesting, is_numbering, looks_like_label, relation


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], "same"),
        ([0, 1, 2, 3], [0, 0, 1, 1], "nested"),
        ([0, 0, 1, 1], [0, 1, 2, 3], "nests"),
        ([0, 0, 1, 1], [0, 1, 0, 1], "crossed"),
        ([0, 0, 1, 1], [0, 1, 1, 1], "crossed"),
    ],
)
def test_relation(left, right, kind):
    assert relation(np.array(left), np.array(right)) == kind


def test_empty_cells():
    assert empty_cells(np.array([0, 0, 1, 2]), np.array([0, 1, 0, 1])) == [(1, 1), (2, 0)]


def codes(**factors):
    return {name: np.array([sorted(set(text)).index(c) for c in text]) for name, text in factors.items()}


def found(terms, blocks=None, **factors):
    levels = {name: sorted(set(text)) for name, text in factors.items()}
    return find_nesting(codes(**factors), terms, levels, blocks)


def test_nesting_of_the_samples():
    nesting = found([("t",), ("f",), ("u",)], f="aabbccdd", t="xxxxyyyy", u="pqpqpqpq")
    assert nesting.data == {"f": ("t",)}
    assert nesting.formula == {}
    assert nesting.blocks == (("f",),)
    assert nesting.parents("f") == ("t",)
    assert nesting.outermost_first(["f", "u", "t"]) == ["u", "t", "f"]
    assert nesting.tree() == (("f", ("t",)),)


def test_chains():
    nesting = found([("f",), ("t",), ("s",)], f="aabbccddeeffgghh", t="xxxxyyyyzzzzwwww", s="uuuuuuuuvvvvvvvv")
    assert nesting.data == {"f": ("t", "s"), "t": ("s",)}
    assert nesting.tree() == (("t", ("s",)), ("f", ("t",)))
    assert nesting.outermost_first("fts") == ["s", "t", "f"]


def test_nesting_of_the_formula():
    terms = [("t",), ("t", "ind"), ("t", "u")]
    nesting = found(terms, ind="11221122", t="xxxxyyyy", u="pqpqpqpq")
    assert nesting.data == {}
    assert nesting.formula == {"ind": ("t",), "u": ("t",)}
    assert nesting.blocks == (("t", "ind"),)
    assert nesting.parents("u") == ()
    assert nesting.tree() == (("ind", ("t",)),)
    assert found([("t", "u")], t="xxyy", u="pqpq").formula == {}


def test_a_condition_with_a_batch_of_its_own_is_not_nested():
    assert found([("b",), ("c",)], b="111122", c="AABBCC").data == {}
    assert found([("b",), ("c",)], b="111122", c="AABBCC", blocks=["c"]).data == {"c": ("b",)}
    assert found([("b",), ("c",)], b="11112222", c="AABBCCDD").data == {"c": ("b",)}
    assert found([("g",), ("subject",)], g="111122", subject="AABBCC").data == {"subject": ("g",)}


@pytest.mark.parametrize(
    "levels", [["1", "2", "3"], ["p1", "p2"], ["S01", "S02", "S10", *[f"S0{i}" for i in range(3, 10)]]]
)
def test_numberings(levels):
    assert is_numbering(levels)


@each("levels", [["0", "1"], ["1", "3"], ["a1", "b2"], ["A", "B"], ["1"], ["0", "10", "100"]])
def test_other_levels(levels):
    assert not is_numbering(levels)


def test_labels_by_name():
    for name in ("ind", "ind.n", "Subject_ID", "patient", "family2", "mouse", "sib"):
        assert looks_like_label(name, ["A", "B"])
    for name in ("treat", "india", "time", "dose", "days"):
        assert not looks_like_label(name, ["A", "B"])
    assert looks_like_label("x", ["1", "2"])
    assert not looks_like_label("time", ["1", "2"])
