import os
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from cases import each
from countnest.errors import OptionError
from countnest.parallel import run
from countnest.parallel.run import Engine, default_threads
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


@each("n_threads", [1, 3, None])
@each(("n_genes", "chunk_size"), [(10, 3), (10, 10), (10, 100), (1, 1), (7, 1)])
def test_every_row_is_worked_on_once(n_threads, n_genes, chunk_size):
    visits = np.zeros(n_genes)

    def task(chunk):
        assert 0 < chunk.stop - chunk.start <= chunk_size
        visits[chunk] += 1

    Engine(n_threads=n_threads, chunk_size=chunk_size).run(task, n_genes)
    np.testing.assert_array_equal(visits, 1)


def test_no_genes_no_work():
    def task(chunk):
        raise AssertionError(chunk)

    Engine().run(task, 0)


@pytest.mark.parametrize("n_threads", [1, 4])
def test_progress_hears_of_every_gene(n_threads):
    progress = Counter()
    engine = Engine(n_threads=n_threads, chunk_size=4, progress=progress)
    engine.run(lambda _: None, 10, "work")
    engine.run(lambda _: None, 10)  # without a text: no bar
    assert [(total, text, sorted(done)) for total, text, done in progress.bars] == [(10, "work", [2, 4, 4])]


def test_chunks_run_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    Engine(n_threads=2, chunk_size=1).run(lambda _: both.wait(), 2)  # breaks if they come one after the other
    assert not both.broken


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_chunk_is_raised(n_threads):
    def task(chunk):
        if chunk.start == 3:
            raise ZeroDivisionError("chunk 3")

    with pytest.raises(ZeroDivisionError, match="chunk 3"):
        Engine(n_threads=n_threads, chunk_size=1).run(task, 6)


@each("value", [0, -1, 1.5, True, "2"])
@each("name", ["n_threads", "chunk_size"])
def test_numbers_of_threads_and_rows_are_checked(name, value):
    with pytest.raises(OptionError, match=f"{name}={value!r} must be a whole number of 1 or more"):
        Engine(**{name: value})


@pytest.mark.parametrize("n_threads", [1, 2])
def test_chunks_take_about_the_same_time(n_threads, monkeypatch):
    monkeypatch.setattr(run, "CHUNK_SECONDS", 0.02)
    sizes = []

    def task(chunk):
        sizes.append(chunk.stop - chunk.start)
        time.sleep(0.001 * (chunk.stop - chunk.start))

    Engine(n_threads=n_threads).run(task, 400)
    assert sizes[0] == run.FIRST_CHUNK
    assert sum(sizes) == 400
    assert 8 <= max(sizes) <= 40


def test_a_slow_first_chunk_is_forgotten():
    slow, sizes = [0.3], []

    def task(chunk):
        sizes.append(chunk.stop - chunk.start)
        time.sleep(slow.pop() if slow else 0.0)

    Engine(n_threads=1).run(task, 10_000)
    assert sizes[1] < sizes[0]
    assert max(sizes) > 1000


@pytest.mark.parametrize("n_threads", [1, 3])
def test_work_ends_with_the_chunks_at_hand_after_an_interruption(n_threads):
    begun = []

    def task(chunk):
        begun.append(chunk)
        if len(begun) == 5:
            raise KeyboardInterrupt
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        Engine(n_threads=n_threads, chunk_size=1).run(task, 1000)
    assert len(begun) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


def test_threads_by_default(monkeypatch):
    monkeypatch.delenv("COUNTNEST_NUM_THREADS", raising=False)
    assert 1 <= default_threads() <= (os.cpu_count() or 1)
    assert Engine().threads == default_threads()
    assert Engine(n_threads=7).threads == 7


def test_threads_of_the_environment(monkeypatch):
    monkeypatch.setenv("COUNTNEST_NUM_THREADS", " 3 ")
    assert default_threads() == Engine().threads == 3
    assert Engine(n_threads=2).threads == 2
    monkeypatch.setenv("COUNTNEST_NUM_THREADS", "")
    assert default_threads() >= 1


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "²"])
def test_threads_of_the_environment_are_checked(value, monkeypatch):
    monkeypatch.setenv("COUNTNEST_NUM_THREADS", value)
    with pytest.raises(OptionError, match=f"COUNTNEST_NUM_THREADS={value!r}.* must be a whole number of 1 or more"):
        Engine()
    Engine(n_threads=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("150000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("400000000 100000", None), ("odd", None)],
)
def test_threads_heed_the_quota_of_a_container(text, expected, monkeypatch, tmp_path):
    monkeypatch.delenv("COUNTNEST_NUM_THREADS", raising=False)
    monkeypatch.setattr(run, "_QUOTA", tmp_path / "missing")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert default_threads() == 16
    (tmp_path / "cpu.max").write_text(text + "\n")
    monkeypatch.setattr(run, "_QUOTA", tmp_path / "cpu.max")
    assert default_threads() == (expected or 16)


def test_ctrl_c_does_not_wait_for_the_compiler(monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", 0.05)
    compiled = threading.Event()

    def task(chunk):
        if chunk.start == 0:
            compiled.wait(timeout=30)  # as long as it takes
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Engine(n_threads=2, chunk_size=1).run(task, 10)
    assert time.monotonic() - start < 10.0
    compiled.set()


def test_smallest_and_largest_chunks():
    sizes = []

    def task(chunk):
        sizes.append(chunk.stop - chunk.start)
        time.sleep(0.2)  # the clock asks for smaller ones

    Engine(n_threads=1).run(task, 200, first=64, smallest=32, largest=100)
    assert sizes == [64, 32, 32, 32, 32, 8]
    sizes.clear()
    Engine(n_threads=1, chunk_size=20).run(task, 40, first=64, smallest=32)
    assert sizes == [20, 20]  # what was asked for goes first
