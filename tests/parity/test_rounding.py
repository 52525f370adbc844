"""The lists of genes that rounding decides are about something, and no more than is needed."""

import pytest
import reference
import rounding
from comparison import ROUNDING

from cases import each


@each("name", reference.NAMES)
def test_lists_are_short_and_of_genes_that_are_there(name):
    genes = reference.load(name).counts.index
    for trend in ("parametric", "local", "mean"):
        moved = reference.movements(name, trend)
        assert set(moved) <= set(genes)
        assert len(moved) <= 0.015 * len(genes)
        assert all(movement >= rounding.LEAST for movement in moved.values())


@pytest.mark.parametrize("name", ["nested_unbalanced_22"])
def test_the_order_of_samples_moves_genes_of_the_list(name):
    orders, moved = rounding.follow(name, 12)
    assert orders == 12
    listed = reference.movements(name)
    assert len(set(moved) & set(listed)) >= max(1, len(moved) / 2)
    assert max(movement for stages in moved.values() for movement in stages.values()) < ROUNDING.value
