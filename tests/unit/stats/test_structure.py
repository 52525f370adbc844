"""The plan of an elimination: what it says of the design, and that it stays small."""

import numpy as np
import pytest

from countnest.kernels.algebra import elimination as e
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.structure import plan_elimination
from unit.kernels import twins
from unit.kernels.test_kernel_elimination import DESIGNS, nested, paired


@pytest.fixture(params=list(DESIGNS))
def X(request):
    return DESIGNS[request.param]


def read(plan, n):
    """Return the sections of a plan for n samples, with their own lengths."""
    index = plan.index
    n_cells, p = index[e.N_CELLS], index[e.N_COLUMNS]

    def section(place, length):
        return index[index[place] : index[place] + length]

    starts = {place: section(place, count + 1) for place, count in [(e.ENTRY, n_cells), (e.PAIR, n_cells)]}
    starts |= {place: section(place, p + 1) for place in (e.BELOW, e.UPDATE)}
    lengths = {e.SAMPLE_CELL: n, e.PAIR_DIAGONAL: n_cells, e.ORDER: p, e.DIAGONAL: p}
    lengths |= {e.COLUMN: starts[e.ENTRY][-1], e.PAIR_SLOT: starts[e.PAIR][-1]}
    lengths |= dict.fromkeys((e.BELOW_SLOT, e.BELOW_COLUMN), starts[e.BELOW][-1])
    lengths |= dict.fromkeys((e.LEFT, e.RIGHT, e.OUT), starts[e.UPDATE][-1])
    return starts | {place: section(place, length) for place, length in lengths.items()}


def n_slots(X):
    return twins.plan_of(X)[0][e.N_SLOTS]


def n_updates(X):
    index = twins.plan_of(X)[0]
    return index[index[e.UPDATE] + X.shape[1]]


def test_plan_describes_the_matrix(X):
    layout = Layout.of(X)
    plan = layout.plan
    parts = read(plan, len(X))
    n_cells, p = plan.index[e.N_CELLS], plan.index[e.N_COLUMNS]
    assert (n_cells, p) == (layout.n_cells, X.shape[1])
    rows = np.zeros((n_cells, p))
    cell = np.repeat(np.arange(n_cells), np.diff(parts[e.ENTRY]))
    assert len(cell) == plan.index[e.N_ENTRIES] == np.count_nonzero(np.unique(X, axis=0))
    rows[cell, parts[e.COLUMN]] = plan.numbers[e.FIRST_ENTRY : e.FIRST_ENTRY + len(cell)]
    np.testing.assert_array_equal(rows[parts[e.SAMPLE_CELL]], X)
    np.testing.assert_array_equal(parts[e.SAMPLE_CELL], layout.of_sample)


def test_sections_fill_the_plan(X):
    plan = Layout.of(X).plan
    parts = read(plan, len(X))
    assert e.N_PLACES + sum(len(part) for part in parts.values()) == len(plan.index)
    assert e.FIRST_ENTRY + len(parts[e.COLUMN]) + len(parts[e.PAIR_SLOT]) == len(plan.numbers)


def test_log_determinant_of_square_cells(X):
    log_determinant = Layout.of(X).plan.numbers[0]
    distinct = np.unique(X, axis=0)
    if len(distinct) == X.shape[1]:
        assert log_determinant == pytest.approx(np.log(abs(np.linalg.det(distinct))), abs=1e-12)
    else:
        assert np.isnan(log_determinant)


def test_order_is_a_permutation_and_every_pair_has_one_slot(X):
    plan = Layout.of(X).plan
    parts = read(plan, len(X))
    p = X.shape[1]
    assert sorted(parts[e.ORDER]) == list(range(p))
    place = np.argsort(parts[e.ORDER])
    counts = np.diff(parts[e.BELOW])
    above = np.repeat(np.arange(p), counts)
    assert (place[parts[e.BELOW_COLUMN]] > above).all()  # below are columns that are eliminated later, ...
    for j in range(p):  # ... in their order
        below = place[parts[e.BELOW_COLUMN][parts[e.BELOW][j] : parts[e.BELOW][j + 1]]]
        assert (np.diff(below) > 0).all()
    slots = np.concatenate([parts[e.DIAGONAL], parts[e.BELOW_SLOT]])
    assert sorted(slots) == list(range(plan.index[e.N_SLOTS]))
    for name in (e.PAIR_SLOT, e.LEFT, e.RIGHT, e.OUT):
        assert np.isin(parts[name], slots).all()
    assert (np.diff(parts[e.UPDATE]) == counts * (counts + 1) // 2).all()


def test_slots_are_the_pattern_of_the_factor(X):
    parts = read(Layout.of(X).plan, len(X))
    order = parts[e.ORDER]
    # the factor of a matrix with the same zeros that no entry of the elimination cancels
    meets = (X != 0).astype(float).T @ (X != 0).astype(float)
    rng = np.random.default_rng(2)
    matrix = np.where(meets > 0, rng.uniform(0.5, 1.0, meets.shape), 0.0)
    matrix = matrix + matrix.T + np.diag(np.full(len(meets), 4.0 * len(meets)))
    factor = np.linalg.cholesky(matrix[np.ix_(order, order)])
    there = np.eye(len(meets), dtype=bool)
    columns = np.repeat(np.arange(len(meets)), np.diff(parts[e.BELOW]))
    there[np.argsort(order)[parts[e.BELOW_COLUMN]], columns] = True
    np.testing.assert_array_equal(there, np.abs(factor) > 1e-14)


@pytest.mark.parametrize("design", [nested, paired])
def test_cost_grows_with_the_number_of_families(design):
    sizes = [12, 24, 48, 96]
    slots, updates = ([count(design(size)) for size in sizes] for count in (n_slots, n_updates))
    growth = [np.diff(counts) / np.diff(sizes) for counts in (slots, updates)]
    for each in growth:
        np.testing.assert_array_equal(each, each[0])  # so much for each family, however many there are
    columns = design(96).shape[1]
    assert slots[-1] < columns * (columns + 1) / 2 / 10
    assert n_slots(twins.dense(n=40, p=20)) == 20 * 21 / 2  # where there is nothing to gain


def test_shared_columns_are_eliminated_last():
    X = nested(24)
    order = read(Layout.of(X).plan, len(X))[e.ORDER]
    families = [k for k in range(X.shape[1]) if X[:, k].sum() == 2.0]
    assert len(families) == 22
    assert np.isin(order[:21], families).all()  # the last of them meets as many columns as the shared ones do then


def test_the_plan_does_not_depend_on_the_order_in_which_cells_appear():
    X = paired()
    rows, of_sample = twins.distinct_rows(X)
    turned = plan_elimination(np.ascontiguousarray(rows[::-1]), len(rows) - 1 - of_sample)
    plain = plan_elimination(rows, of_sample)
    for place in (e.ORDER, e.DIAGONAL, e.BELOW, e.BELOW_SLOT, e.BELOW_COLUMN, e.UPDATE, e.LEFT, e.RIGHT, e.OUT):
        np.testing.assert_array_equal(read(turned, len(X))[place], read(plain, len(X))[place])


def test_arrays_are_ready_for_the_kernels(X):
    plan = Layout.of(np.asfortranarray(X)).plan
    for array, kind in [(plan.index, np.int64), (plan.numbers, np.float64)]:
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype == kind
