"""Values that are made once and kept for a while."""

import threading
import weakref

import pytest

from countnest.parallel.kept import Kept


class Thing:
    pass


def test_the_last_ones_are_kept():
    kept, made = Kept(2), []

    def get(key):
        return kept.get(key, lambda: made.append(key) or key.upper())

    assert [get(key) for key in "abab"] == list("ABAB")
    assert made == list("ab")
    assert [get(key) for key in "acab"] == list("ACAB")  # b was used before a when c came
    assert made == list("abcb")


def test_what_is_displaced_lives_as_long_as_it_is_used():
    kept = Kept(1)
    first = kept.get(1, Thing)
    gone = weakref.ref(first)
    kept.get(2, Thing)
    assert gone() is first
    del first
    assert gone() is None


def test_a_failure_is_not_kept():
    kept = Kept(1)

    def fail():
        raise OSError("no disk")

    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            kept.get("a", fail)
    assert kept.get("a", lambda: 3) == 3


def test_one_thread_makes_it_and_others_go_on():
    kept, made = Kept(3), []
    begun, finish = threading.Event(), threading.Event()

    def slowly():
        begun.set()
        assert finish.wait(60)
        made.append("slow")
        return Thing()

    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("slow", slowly))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    assert kept.get("other", lambda: 1) == 1  # while the slow one is being made
    assert not found
    finish.set()
    for thread in threads:
        thread.join()
    assert made == ["slow"]
    assert len(found) == 3
    assert len(set(map(id, found))) == 1
