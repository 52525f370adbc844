"""One thread of linear algebra while engines are at work, and what there was afterwards."""

import threading

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from countnest.parallel.run import Engine

assert np.linalg
assert scipy.linalg  # both have loaded their libraries


def threads():
    """Return the numbers of threads of linear algebra in this process."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_chunks_on_threads_have_one_each():
    seen = []
    with threadpool_limits(2, "blas"):
        Engine(n_threads=2, chunk_size=1).run(lambda _: seen.append(threads()), 20)
        assert len(seen) == 20
        assert all(found == {1} for found in seen)
        assert threads() == {2}
        seen.clear()
        Engine(n_threads=1).run(lambda _: seen.append(threads()), 1)
        assert seen == [{2}]


def test_several_engines_at_once():
    inside, leave = threading.Event(), threading.Event()

    def stay(_):
        inside.set()
        assert leave.wait(10)

    with threadpool_limits(2, "blas"):
        other = threading.Thread(target=Engine(n_threads=2, chunk_size=1).run, args=(stay, 2))
        seen = []

        def first(chunk):
            if chunk.start == 0:
                seen.append(threads())
                other.start()
                assert inside.wait(10)

        Engine(n_threads=2, chunk_size=20).run(first, 40, first=20)
        leave.set()
        other.join()
        assert seen == [{1}]
        assert threads() == {2}


def test_it_is_put_back_after_an_error():
    def fail(_):
        raise ValueError("an error in a task")

    with threadpool_limits(2, "blas"):
        with pytest.raises(ValueError, match="an error in a task"):
            Engine(n_threads=2, chunk_size=20).run(fail, 100)
        assert threads() == {2}
