import numpy as np
import pytest
from scipy import sparse

from countnest.containers import grouped
from countnest.containers.grouped import Fault, group_sums


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(1).poisson(0.4, (60, 7)).astype(float)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(grouped, "_DENSE", 30)
    monkeypatch.setattr(grouped, "_SPARSE", 30)


CODES = np.random.default_rng(2).integers(-1, 4, 60)
KINDS = [
    np.asarray, np.asfortranarray, lambda x: x.astype(np.uint8), lambda x: x.astype(np.float32), sparse.csr_array,
    sparse.csr_matrix, sparse.csc_array, sparse.coo_array, lambda x: sparse.csr_matrix(x.astype(np.int32)),
]  # fmt: skip


def test_rows_are_summed_by_group(table):
    expected = np.array([table[group == CODES].sum(axis=0) for group in range(5)])
    for kind in KINDS:
        np.testing.assert_array_equal(group_sums(kind(table), CODES, 5), expected)


def test_a_value_that_is_no_count_is_returned_with_its_place(table):
    for value in (0.5, -1.0, np.nan, np.inf):
        for row, column in ((0, 0), (37, 5), (59, 6)):
            spoilt = table.copy()
            spoilt[row, column] = value
            for kind in KINDS:
                if kind(table).dtype.kind == "f":
                    found = group_sums(kind(spoilt), CODES, 5)
                    assert isinstance(found, Fault)
                    assert (found.row, found.column) == (row, column)
                    np.testing.assert_equal(found.value, value)


def test_sums_of_small_types_do_not_overflow():
    for kind in (np.uint8, np.int16, np.float32):
        values = np.full((1000, 1), 200, dtype=kind)
        assert group_sums(values, np.zeros(1000, dtype=np.int64), 1)[0, 0] == 200_000
        assert group_sums(sparse.csr_array(values), np.zeros(1000, dtype=np.int64), 1)[0, 0] == 200_000
