import numpy as np

from countnest.plots.swarm import side_by_side, swarm


def test_points_of_a_swarm_do_not_hide_each_other():
    height = np.random.default_rng(1).normal(0, 8, 60)
    offset = swarm(height, 3.0, 1000.0)
    distance = np.hypot(np.subtract.outer(height, height), np.subtract.outer(offset, offset))
    assert distance[np.triu_indices(60, 1)].min() > 3.0 * (1 - 1e-6)


def test_a_point_alone_stands_in_the_middle_and_equal_ones_beside_it():
    np.testing.assert_array_equal(swarm(np.array([0.0, 10.0, 20.0]), 3.0, 100.0), 0.0)
    np.testing.assert_allclose(np.sort(swarm(np.zeros(5), 3.0, 100.0)), [-6.0, -3.0, 0.0, 3.0, 6.0])
    assert swarm(np.empty(0), 3.0, 100.0).shape == (0,)


def test_a_swarm_is_no_wider_than_its_group():
    offset = swarm(np.zeros(200), 3.0, 50.0)
    assert np.abs(offset).max() == 25.0
    assert len(np.unique(offset)) == 200


def test_points_side_by_side():
    np.testing.assert_allclose(side_by_side(3, 0.4), [-0.2, 0.0, 0.2])
    np.testing.assert_array_equal(side_by_side(1, 0.4), [0.0])
