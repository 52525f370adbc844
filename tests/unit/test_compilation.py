"""What is said of the compiler, and that nothing is said where compiled kernels are found."""

import importlib
import pkgutil

import numba
import pytest

from countnest import cache, compilation, kernels
from countnest.compilation import EDGER, EXPECTED, FIT, listening
from countnest.kernels.compiler import jit
from countnest.parallel.run import Engine
from countnest.progress import SilentProgress, progress

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
FIRST = f"{__name__}.first"
SECOND = f"{__name__}.second"
OTHER = f"{__name__}.other"


def first(x):
    return x + x


def second(x):
    return x * x


def other(x):
    return x - 1.0


class Heard(SilentProgress):
    """Remember announcements and bars."""

    def __init__(self):
        super().__init__()
        self.lines, self.bars = [], []

    def announce(self, text):
        self.lines.append(text)

    def passing_bar(self, total, done, text):
        self.bars.append((total, done, text))
        return super().passing_bar(total, done, text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a new folder of kernels, of which `first` and `second` belong together."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(jit, "_kernels", [])
    monkeypatch.setattr(compilation, "_announced", compilation._Announced())
    monkeypatch.setattr(compilation, "EXPECTED", {FIRST: (3.0, 2), SECOND: (4.2, 3), OTHER: (2.0, 1)})
    monkeypatch.setattr(compilation, "FIT", frozenset({FIRST, SECOND}))
    return tmp_path


def compile_all(heard, *functions):
    """Run kernels on a thread of an engine, which is what listens."""
    for function in functions:
        kernel = jit.kernel(function)
        Engine(n_threads=1, progress=heard).run(lambda _, kernel=kernel: kernel(2.0), 1)


@compiled
def test_what_goes_together_is_announced_once_with_all_its_time(folder):
    heard = Heard()
    compile_all(heard, first, second, other)
    assert heard.lines == ["compiling, once: about 7 s", "compiling, once: about 2 s"]
    assert heard.bars == [(5, 0, "compiling"), (5, 1, "compiling")]  # one kernel is not worth a bar
    assert len(list(folder.iterdir())) == 3


@compiled
@pytest.mark.usefixtures("folder")
def test_what_is_found_is_not_spoken_of(monkeypatch):
    compile_all(Heard(), first)
    monkeypatch.setattr(compilation, "_announced", compilation._Announced())
    heard = Heard()
    compile_all(heard, first)
    assert (heard.lines, heard.bars) == ([], [])
    compile_all(heard, first, second)
    assert heard.lines == ["compiling, once: about 4 s"]  # of what goes together, what is missing


@compiled
@pytest.mark.usefixtures("folder")
def test_a_callee_belongs_to_its_caller(monkeypatch):
    inner = jit.kernel(second)

    def caller(x):
        return inner(x) + 1.0

    monkeypatch.setattr(compilation, "EXPECTED", {f"{__name__}.{caller.__qualname__}": (3.0, 2), SECOND: (4.2, 3)})
    heard = Heard()
    compile_all(heard, caller)
    assert heard.lines == ["compiling, once: about 3 s"]
    assert len(heard.bars) == 1


@compiled
@pytest.mark.usefixtures("folder")
def test_everything_at_once_and_the_outermost_listener():
    heard, inner = Heard(), Heard()
    with listening(heard, all_of_it=True):
        compile_all(inner, other, first)
    assert heard.lines == ["compiling, once: about 9 s"]
    assert inner.lines == []


@compiled
def test_why_nothing_is_kept_and_what_to_do(folder, monkeypatch):
    heard = Heard()
    monkeypatch.setattr(jit, "cache_folder", lambda: None)
    compile_all(heard, first)
    monkeypatch.setattr(jit, "cache_folder", lambda: folder)
    monkeypatch.setattr(cache, "obstacle", lambda: "'/x' cannot be used (Permission denied)")
    compile_all(heard, other)
    announced, temporary = heard.lines
    assert announced.startswith("compiling in every process: about 7 s. No folder can be made")
    assert temporary.startswith("compiling: about 2 s. The compiled code is kept among temporary files only, for '/x'")
    assert all(line.endswith("Set COUNTNEST_CACHE_DIR to a folder that only you can write to.") for line in heard.lines)


@compiled
@pytest.mark.usefixtures("folder")
def test_a_full_disk_is_reported_once(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "store", full)
    heard = Heard()
    compile_all(heard, first, second)
    assert heard.lines[1:] == [
        "the compiled code cannot be kept (No space left on device): the next process compiles again. Set "
        "COUNTNEST_CACHE_DIR to a folder that only you can write to."
    ]


@compiled
@pytest.mark.usefixtures("folder")
def test_a_quiet_call_says_nothing_and_handlers_hear_of_it(capsys, caplog):
    with caplog.at_level("INFO", logger="countnest"):
        compile_all(progress(quiet=True), first)
        compile_all(progress(quiet=False).aside(), other)
    assert caplog.messages == ["compiling, once: about 7 s", "compiling, once: about 2 s"]
    assert capsys.readouterr().err == "compiling, once: about 2 s\n"


@compiled
@pytest.mark.usefixtures("folder")
def test_an_error_of_the_compiler_leaves_the_next_kernel_its_word():
    def wrong(x):
        return x + "text"

    heard = Heard()
    with pytest.raises(numba.TypingError):
        compile_all(heard, wrong)
    compile_all(heard, first)
    assert heard.lines == ["compiling, once: about 7 s"]


def test_the_reason_of_the_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("COUNTNEST_CACHE_DIR", str(tmp_path / "file"))
    assert cache.obstacle() == f"'{tmp_path / 'file'}' cannot be used (File exists)"
    monkeypatch.setenv("COUNTNEST_CACHE_DIR", str(tmp_path / "new"))
    assert cache.obstacle() is None


def test_the_time_of_every_kernel_that_is_called_from_outside_is_known():
    for module in pkgutil.walk_packages(kernels.__path__, "countnest.kernels."):
        importlib.import_module(module.name)
    names = [each.py_func for each in jit.kernels() if each.py_func.__module__.startswith("countnest.kernels.")]
    blocks = {f"{one.__module__.removeprefix('countnest.kernels.')}.{one.__name__}" for one in names}
    assert set(EXPECTED) == {name for name in blocks if name.endswith("_chunk")}
    assert set(EXPECTED) > FIT
    assert set(EXPECTED) > EDGER > {"edger.levenberg.levenberg_chunk", "edger.profile.profile_chunk"}
    assert not FIT & EDGER
