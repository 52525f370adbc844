import threading
from contextlib import contextmanager

import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.parallel.run import Engine
from countnest.progress import SilentProgress


class Counter(SilentProgress):
    """Remember what the bars were told."""

    def __init__(self):
        super().__init__()
        self.bars = []
        self.lock = threading.Lock()

    @contextmanager
    def bar(self, total, text):
        done = []
        self.bars.append((total, text, done))

        def advance(k):
            with self.lock:
                done.append(k)

        yield advance


@pytest.mark.parametrize("n_threads", [1, 3, None])
@pytest.mark.parametrize(("n_genes", "block_size"), [(10, 3), (10, 10), (10, 100), (1, 1), (7, 1)])
def test_every_row_is_worked_on_once(n_threads, n_genes, block_size):
    visits = np.zeros(n_genes)

    def task(block):
        assert 0 < block.stop - block.start <= block_size
        visits[block] += 1

    Engine(n_threads=n_threads, block_size=block_size).run(task, n_genes)
    np.testing.assert_array_equal(visits, 1)


def test_no_genes_no_work():
    def task(block):
        raise AssertionError(block)

    Engine().run(task, 0)


@pytest.mark.parametrize("n_threads", [1, 4])
def test_progress_hears_of_every_gene(n_threads):
    progress = Counter()
    engine = Engine(n_threads=n_threads, block_size=4, progress=progress)
    engine.run(lambda _: None, 10, "work")
    engine.run(lambda _: None, 10)  # without a text: no bar
    assert [(total, text, sorted(done)) for total, text, done in progress.bars] == [(10, "work", [2, 4, 4])]


def test_blocks_run_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    Engine(n_threads=2, block_size=1).run(lambda _: both.wait(), 2)  # breaks if they come one after the other
    assert not both.broken


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_block_is_raised(n_threads):
    def task(block):
        if block.start == 3:
            raise ZeroDivisionError("block 3")

    with pytest.raises(ZeroDivisionError, match="block 3"):
        Engine(n_threads=n_threads, block_size=1).run(task, 6)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("name", ["n_threads", "block_size"])
def test_numbers_of_threads_and_rows_are_checked(name, value):
    with pytest.raises(OptionError, match=f"{name}={value!r} must be a whole number of 1 or more"):
        Engine(**{name: value})
