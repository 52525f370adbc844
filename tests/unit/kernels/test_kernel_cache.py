"""The cache of compiled kernels: what is kept, what is found again, and what happens when files are bad."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from countnest.kernels.compiler import jit
from countnest.kernels.negbin.density import nb_loglik_chunk

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


def double(x):
    return x + x


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(jit, "_kernels", [])
    return tmp_path


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


@compiled
def test_a_kernel_is_kept_and_found(folder):
    first = jit.kernel(double)
    assert first(2.0) == 4.0
    assert (hits(first), len(list(folder.iterdir()))) == (0, 1)
    second = jit.kernel(double)
    assert second(2.0) == 4.0
    assert hits(second) == 1
    assert jit.kernels()[::2] == (first, second)


@compiled
def test_what_other_kernels_call_is_kept_with_them_and_python_can_call_it_too(folder):
    def pair():
        inner = jit.kernel(double)
        return inner, jit.kernel(lambda x: inner(inner(x)))

    inner, outer = pair()
    assert outer(2.0) == 8.0
    assert len(list(folder.iterdir())) == 1
    assert inner(2.0) == 4.0
    assert len(list(folder.iterdir())) == 2
    again, other = pair()
    assert (again(2.0), again(2), other(2.0), other(2)) == (4.0, 4, 8.0, 8)
    assert hits(again) == hits(other) == 1


@compiled
def test_every_signature_has_a_file(folder):
    kernel = jit.kernel(double)
    assert (kernel(2.0), kernel(2), kernel(np.ones(1))[0]) == (4.0, 4, 2.0)
    assert len(list(folder.iterdir())) == 3
    again = jit.kernel(double)
    assert (again(2), again(2.0), again(np.ones(1))[0]) == (4, 4.0, 2.0)
    assert hits(again) == 3


@compiled
@pytest.mark.parametrize("content", [b"", b"not a kernel", None])
def test_files_that_cannot_be_read_are_written_anew(folder, content, caplog):
    jit.kernel(double)(2.0)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    broken = jit.kernel(double)
    with caplog.at_level("INFO", logger="countnest"):
        assert broken(2.0) == 4.0
    assert "cannot be read" in caplog.text
    repaired = jit.kernel(double)
    assert repaired(2.0) == 4.0
    assert hits(repaired) == 1


@compiled
def test_kernels_run_where_nothing_can_be_kept(folder, monkeypatch, caplog):
    monkeypatch.setattr(jit, "cache_folder", lambda: folder / "file" / "folder")
    (folder / "file").write_text("")
    with caplog.at_level("INFO", logger="countnest"):
        assert jit.kernel(double)(2.0) == 4.0
    assert "is not kept" in caplog.text
    monkeypatch.setattr(jit, "cache_folder", lambda: None)
    assert jit.kernel(double)(2.0) == 4.0


@compiled
def test_the_switches_of_a_cache(folder):
    kernel = jit.kernel(double)
    kernel._cache.disable()
    kernel(2.0)
    assert list(folder.iterdir()) == []
    kernel._cache.enable()
    kernel(2)
    assert len(list(folder.iterdir())) == 1
    assert kernel._cache.cache_path == str(folder)
    kernel._cache.flush()
    assert list(folder.iterdir()) == []


def test_a_failing_folder_is_one_line_in_the_log(monkeypatch, caplog):
    def fail(key):
        raise OSError(f"no place for {key}")

    monkeypatch.setattr("countnest.cache.kernel_folder", fail)
    jit.cache_folder.cache_clear()
    try:
        with caplog.at_level("INFO", logger="countnest"):
            assert jit.cache_folder() is None
            assert jit.cache_folder() is None
    finally:
        jit.cache_folder.cache_clear()
    assert len(caplog.records) == 1
    assert "are not kept" in caplog.text


def test_a_change_in_any_kernel_changes_the_folder(tmp_path, monkeypatch):
    for name in ("caller", "callee"):
        (tmp_path / f"{name}.py").write_text(f"{name} = 1\n")
    before = jit._version_key(tmp_path)
    assert before == jit._version_key(tmp_path)
    assert len(before) == 16
    (tmp_path / "callee.py").write_text("callee = 2\n")
    changed = jit._version_key(tmp_path)
    monkeypatch.setattr("numba.__version__", "another")
    assert len({before, changed, jit._version_key(tmp_path)}) == 3


ONE = """
import sys, time
import numpy as np
from countnest.kernels.compiler.jit import cache_folder
from countnest.kernels.negbin.density import nb_loglik_chunk
time.sleep(max(0.0, float(sys.argv[1]) - time.time()))  # all at once
out = np.empty(2)
one = np.ones((2, 2))
nb_loglik_chunk(3.0 * one, 2.0 * one, one, 0.5 * one[0], one[0], out)
print(*out.tolist(), len(nb_loglik_chunk.stats.cache_misses), cache_folder())
"""


def processes(number, wait, environment):
    """Run so many processes at the same time, and return what they say."""
    environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    start = str(time.time() + wait)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ONE, start],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    said = []
    for each in running:
        out, err = each.communicate(timeout=300)
        assert each.returncode == 0, err
        assert err == ""
        said.append(out.split())
    return said


def expected():
    out, one = np.empty(2), np.ones((2, 2))
    nb_loglik_chunk(3.0 * one, 2.0 * one, one, 0.5 * one[0], one[0], out)
    return [str(value) for value in out.tolist()]


@compiled
def test_four_processes_compile_at_once_and_a_fifth_finds_it(tmp_path):
    said = processes(4, 3.0, {"COUNTNEST_CACHE_DIR": str(tmp_path / "cache")})
    assert [each[:2] for each in said] == [expected()] * 4
    ((*numbers, missed, folder),) = processes(1, 0.0, {"COUNTNEST_CACHE_DIR": str(tmp_path / "cache")})
    assert numbers == expected()
    assert missed == "0"
    names = [file.name for file in Path(folder).iterdir()]
    assert names
    assert all(name.endswith(".kernel") for name in names)  # no draft is left


@compiled
def test_without_a_home_that_can_be_written(tmp_path):
    (tmp_path / "home").write_text("a file")
    (tmp_path / "tmp").mkdir()
    environment = {"COUNTNEST_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(tmp_path / "home")}
    environment |= {"LOCALAPPDATA": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    for missed in ("1", "0"):
        (said,) = processes(1, 0.0, environment)
        assert said[:3] == [*expected(), missed]
        assert Path(said[3]).is_relative_to(tmp_path / "tmp")


FOUND_THEN_COMPILED = """
import sys
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.negbin.density import stirling_remainder
found = stirling_remainder(20.0)
missed = len(stirling_remainder.stats.cache_misses)
late = "numba.typed.typeddict" in sys.modules
if not missed:
    @kernel
    def twice(x):
        return 2.0 * stirling_remainder(x)
    assert twice(20.0) == 2.0 * found
    assert len(twice.stats.cache_misses) == 1
print(found, missed, late)
"""


@compiled
def test_what_is_found_does_without_the_compiler_until_something_else_is_compiled(tmp_path):
    environment = {**os.environ, "COUNTNEST_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", FOUND_THEN_COMPILED]
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    (compiled_number, *compiled_how), (found_number, *found_how) = said
    assert compiled_number == found_number
    assert (compiled_how, found_how) == (["1", "True"], ["0", "False"])
