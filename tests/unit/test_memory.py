"""What the system says of its memory."""

import pytest

from countnest import memory


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Let the system say what a test writes."""
    monkeypatch.setattr(memory, "_STATE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_QUOTA", tmp_path / "memory.max")
    monkeypatch.setattr(memory, "physical_memory", lambda: 8e9)
    return tmp_path


def test_the_smallest_counts(told):
    assert memory.available_memory() == 8e9
    (told / "meminfo").write_text("MemTotal:  9000000 kB\nMemFree:  10 kB\nMemAvailable:    5000000 kB\n")
    assert memory.available_memory() == 5_120_000_000
    (told / "memory.max").write_text("max\n")
    assert memory.available_memory() == 5_120_000_000
    (told / "memory.max").write_text("2000000000\n")
    assert memory.available_memory() == 2e9


def test_nothing_may_be_known(told, monkeypatch):
    (told / "meminfo").write_text("nothing of use")
    monkeypatch.setattr(memory, "physical_memory", lambda: None)
    assert memory.available_memory() is None


def test_here():
    found = memory.available_memory()
    assert found is None or found > 1e6


def test_sizes_in_words():
    assert [memory.bytes_shown(size) for size in (10, 2.4e6, 3.14e9)] == ["1 MB", "2 MB", "3.1 GB"]
