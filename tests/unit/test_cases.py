"""The helper that runs many cases in one test hides no failure."""

import pytest

from cases import each, product


def test_every_failing_case_is_named():
    seen = []

    @each(("x", "y"), [(1, 1), (2, 3), (4, 4), (5, 6)])
    def equal(x, y):
        seen.append(x)
        assert x == y

    with pytest.raises(ExceptionGroup, match="2 of 4 cases failed: 2-3, 5-6") as found:
        equal()
    assert seen == [1, 2, 4, 5]
    assert [error.__notes__ for error in found.value.exceptions] == [["in the case 2-3"], ["in the case 5-6"]]


def test_exceptions_that_do_not_come_are_failures():
    @each("x", ["1", "one"], ids=["number", "word"])
    def refused(x):
        with pytest.raises(ValueError, match="invalid literal"):
            int(x)

    with pytest.raises(ExceptionGroup, match="1 of 2 cases failed: number"):
        refused()


def test_what_stops_a_run_is_not_swallowed():
    @each("x", [KeyboardInterrupt])
    def stopped(x):
        raise x

    with pytest.raises(KeyboardInterrupt):
        stopped()


def test_a_skipped_case_ends_nothing():
    seen = []

    @each("x", [1, 2, 3])
    def some(x):
        if x < 3:
            pytest.skip("small")
        seen.append(x)

    some()
    assert seen == [3]

    @each("x", [1, 2])
    def none(x):
        pytest.skip(f"{x} is small")

    with pytest.raises(pytest.skip.Exception, match="1: 1 is small; 2: 2 is small"):
        none()


def test_no_cases_are_refused():
    with pytest.raises(ValueError, match="no case of x"):
        each("x", [])


@each("x", [1, 2])
def test_fixtures_arrive(x, tmp_path):
    assert tmp_path.is_dir()
    assert x


def test_combinations_and_stacks():
    seen = []

    @each(*product(a=[1, 2], b="xy"))
    def combined(a, b):
        seen.append((a, b))

    @each("a", [1, 2])
    @each("b", "xy")
    def stacked(a, b):
        seen.append((a, b))

    combined()
    stacked()
    assert seen == [(1, "x"), (1, "y"), (2, "x"), (2, "y")] * 2
