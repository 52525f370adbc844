import numpy as np
import pytest

from countnest.design.nesting import empty_cells, relation


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
