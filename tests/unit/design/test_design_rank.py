import numpy as np
import pytest

from countnest.design.rank import check_rank, find_dependence, zero_columns
from countnest.errors import RankError


def test_zero_columns():
    assert zero_columns(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1e-300]])).tolist() == [True, False, False]


def test_later_columns_are_expressed_by_earlier_ones():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 3))
    matrix = np.column_stack([x[:, 0], x[:, 1], 2 * x[:, 0] - 0.5 * x[:, 1], x[:, 2], x[:, 2]])
    found = find_dependence(matrix)
    assert found.kept == (0, 1, 3)
    assert found.rank == 3
    assert list(found.dependent) == [2, 4]
    assert found.dependent[2] == pytest.approx({0: 2.0, 1: -0.5})
    assert found.dependent[4] == pytest.approx({3: 1.0})


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_rank_does_not_depend_on_the_units(scale):
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(10, 4)) * [1, scale, 1, 1 / scale]
    assert find_dependence(matrix).rank == 4


def test_tolerance():
    x, tilt = np.linspace(-1, 1, 8), np.linspace(-1, 1, 8) ** 2
    assert find_dependence(np.column_stack([x, x + 1e-6 * tilt])).rank == 2
    assert find_dependence(np.column_stack([x, x + 1e-8 * tilt])).rank == 1


def test_rank_does_not_depend_on_the_origin():
    k, one, group = np.arange(12.0), np.ones(12), np.tile([0.0, 1.0], 6)
    for far in (1.7e9 + k, 2460000 + k / 24, 1.2e8 + k, 300 + 1e-6 * k, 1e9 + k, k * 1e300, 20240101 + k):
        assert find_dependence(np.column_stack([one, group, far])).rank == 3
        assert find_dependence(np.column_stack([one, group, far, 3 * far])).dependent[3] == pytest.approx({2: 3.0})
        assert find_dependence(np.column_stack([one - group, group, group * far])).rank == 3  # slope of a group
    assert find_dependence(np.column_stack([one, *((2010 + k) ** i for i in (1, 2, 3))])).rank == 4
    assert find_dependence(np.array([[1.0, 0.0], [1.0, 1e300]])).rank == 2
    assert find_dependence(np.array([[1e9, 0.0], [1e9 + 1, 1e-300], [1e9, 1e-300]])).rank == 2


def test_numbers_that_are_equal_but_for_their_digits_are_equal():
    assert find_dependence(np.column_stack([np.ones(3), [0.1 + 0.2, 0.3, 0.3]])).rank == 1


def test_more_columns_than_rows():
    matrix = np.random.default_rng(3).normal(size=(3, 5))
    assert find_dependence(matrix).kept == (0, 1, 2)


def test_full_rank_passes():
    check_rank(np.eye(3), ["a", "b", "c"])


def test_relations_are_written_out():
    x = np.arange(12.0).reshape(6, 2) ** 2
    matrix = np.column_stack([x, x[:, 0] - 0.5 * x[:, 1]])
    with pytest.raises(RankError, match=r"the model matrix is not full rank.*1 of 3 columns.*w = u - 0\.5\*v\. Leave"):
        check_rank(matrix, ["u", "v", "w"])


def test_long_relations_are_cut():
    matrix = np.column_stack([np.eye(9), np.ones(9), *np.eye(9)[:6]])
    names = [f"c{i}" for i in range(16)]
    with pytest.raises(RankError, match=r"c9 = c0 \+ c1 \+ c2 \+ c3 \+ c4 \+ c5 \+ 3 more;.*; and 2 more\."):
        check_rank(matrix, names)
