"""`countnest warm`: everything is compiled, and the cache can be emptied."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import countnest as cn
from countnest import cache
from countnest.cli.main import main
from countnest.compilation import EXPECTED
from countnest.kernels.compiler.jit import cache_folder, kernels


def say(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    return capsys.readouterr()


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_every_kernel_is_compiled_and_kept(capsys):
    said = say(capsys, "warm")
    assert "compiling" in said.err
    folder = cache_folder()
    assert f"kept in {folder}" in said.out
    kept = {file.name.rsplit("-", 1)[0] for file in folder.iterdir()}
    assert len(EXPECTED) > 30
    assert set(EXPECTED) - kept == set()

    said = say(capsys, "warm")  # what is in this process already is not compiled again
    assert said.out.startswith("everything was compiled before; ready in")
    assert cn.warm().compiled == 0


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_kernels_called_by_the_package_have_one_signature():
    cn.warm()
    called = [each for each in kernels() if each.py_func.__name__.endswith("_chunk") and each.signatures]
    assert len(called) > 5
    assert {each.py_func.__name__: len(each.signatures) for each in called if len(each.signatures) > 1} == {}


def test_nothing_can_be_kept(capsys, monkeypatch):
    monkeypatch.setattr("countnest.api.warming.cache_folder", lambda: None)
    assert "nothing could be kept" in say(capsys, "warm").out


def test_clear(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COUNTNEST_CACHE_DIR", str(tmp_path))
    folder = cache.kernel_folder("0" * 16)
    assert say(capsys, "warm", "--clear").out == f"removed 1 folder of compiled code from {tmp_path}\n"
    assert not folder.exists()
    assert say(capsys, "warm", "--clear").out.startswith("removed 0 folders")


WATCH = """
import sys
import countnest as cn
dds = cn.make_example_dataset(200, 6).deseq(quiet=True)
dds.results()
from countnest.kernels.compiler.jit import kernels
print(sum(sum(each.stats.cache_misses.values()) for each in kernels()))
"""


def test_the_next_process_compiles_nothing():
    cn.warm()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(cn.__file__).parents[1]), *sys.path])}
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", WATCH], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "0\n"
