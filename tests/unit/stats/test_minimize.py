"""The bounded search: minima inside the box and on its faces, against SciPy's."""

import numpy as np
import pytest
import scipy.optimize

from cases import each
from countnest.stats.minimize import minimize_in_box
from unit.kernels import bounded


def quadratic(seed, p):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(p, p + 2))
    matrix, centre = root @ root.T, rng.normal(0.0, 3.0, p)
    return lambda x: (float(0.5 * (x - centre) @ matrix @ (x - centre)), matrix @ (x - centre))


def rosenbrock(x):
    return float(scipy.optimize.rosen(x)), scipy.optimize.rosen_der(x)


@each("bound", [1.0, 2.5, 30.0])
@each(("seed", "p"), [(1, 1), (2, 2), (3, 4), (4, 9)])
def test_quadratic_minima_inside_and_on_the_faces(seed, p, bound):
    loss = quadratic(seed, p)
    start = np.random.default_rng(seed + 50).normal(0.0, 5.0, p)
    found = minimize_in_box(loss, start, bound, factor=10.0)
    truth = scipy.optimize.minimize(
        loss, np.clip(start, -bound, bound), jac=True, method="L-BFGS-B", bounds=[(-bound, bound)] * p,
        options={"ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    assert found.converged
    assert (np.abs(found.x) <= bound).all()
    assert found.value == loss(found.x)[0]
    np.testing.assert_allclose(found.value, truth.fun, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.x, truth.x, atol=1e-3)


def test_curved_valley():
    found = minimize_in_box(rosenbrock, np.array([-1.2, 1.0]), 30.0, factor=10.0)
    assert found.converged
    np.testing.assert_allclose(found.x, 1.0, atol=1e-4)


def test_start_outside_the_box_and_at_the_minimum():
    loss = quadratic(5, 3)
    inside = minimize_in_box(loss, np.full(3, 100.0), 30.0, factor=10.0)
    again = minimize_in_box(loss, inside.x, 30.0)
    assert again.converged
    np.testing.assert_allclose(again.x, inside.x, atol=1e-5)


def test_minimum_in_a_corner_stops_at_once():
    found = minimize_in_box(lambda x: (float(x.sum()), np.ones(2)), np.array([-2.0, -2.0]), 2.0)
    assert found.converged
    np.testing.assert_array_equal(found.x, -2.0)


@pytest.mark.parametrize("value", [1e300, np.nan, np.inf])
def test_losses_that_are_no_numbers_end_the_search(value):
    def loss(x):
        good = abs(x[0]) < 1.0
        return (float(x[0] ** 2) if good else value), (2.0 * x if good else np.full(1, value))

    found = minimize_in_box(loss, np.array([0.9]), 30.0)
    assert np.isfinite(found.x).all()
    assert abs(minimize_in_box(loss, np.array([5.0]), 30.0).x[0]) <= 30.0


def test_iterations_run_out():
    found = minimize_in_box(rosenbrock, np.array([-1.2, 1.0]), 30.0, factor=0.0, max_iter=2)
    assert not found.converged


def counting(loss):
    calls = []

    def counted(x):
        calls.append(x.copy())
        return loss(x)

    return counted, calls


LOSSES = {
    **{f"quadratic {p}": (quadratic(p, p), np.random.default_rng(p).normal(0.0, 5.0, p)) for p in (1, 2, 4, 9)},
    "valley": (rosenbrock, np.array([-1.2, 1.0, 2.0])),
    # a flat loss with a kink: line searches fail, and the memory is given up
    "kink": (lambda x: (float(np.abs(x).sum()), np.sign(x)), np.array([0.7, -2.0, 0.1])),
    "wrong gradient": (lambda x: (float(x @ x), -2.0 * x), np.array([0.7, -2.0])),
    "huge beyond": (lambda x: (1e300 if x[0] > 1.0 else float(-x.sum()), np.full(2, -1.0)), np.array([0.5, 0.5])),
}


@each("bound", [0.5, 3.0, 30.0])
@each("name", list(LOSSES))
def test_every_point_is_that_of_the_twin(name, bound):
    loss, start = LOSSES[name]
    (ours, here), (theirs, there) = counting(loss), counting(loss)
    found, twin = minimize_in_box(ours, start, bound), bounded.minimize_in_box(theirs, start, bound)
    assert len(here) == len(there)
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(found.x, twin.x)
    assert (found.value, found.converged) == (twin.value, twin.converged)


def test_gradients_that_are_no_numbers_end_the_search():
    found = minimize_in_box(lambda x: (float(x @ x), np.full(2, np.nan)), np.array([1.0, 2.0]), 30.0)
    assert not found.converged
    np.testing.assert_array_equal(found.x, [1.0, 2.0])
