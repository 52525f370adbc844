"""The public names of the package, and what importing it costs."""

import importlib
import os
import subprocess
import sys

import pytest

import countnest
from architecture.tree import FILES


def test_public_names_exist():
    modules = {name: importlib.import_module(f"countnest.{name}") for name in FILES if not name.startswith("__")}
    missing = [
        f"{name}.{public}"
        for name, module in modules.items()
        for public in getattr(module, "__all__", ())
        if not hasattr(module, public)
    ]
    assert missing == []


def test_lazy_names_resolve():
    assert len(countnest.__all__) > 40
    assert [name for name in countnest.__all__ if getattr(countnest, name, None) is None] == []
    assert set(countnest.__all__) <= set(dir(countnest))


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = countnest.nothing


PROBE = """
import sys, time
start = time.perf_counter()
import countnest
print(time.perf_counter() - start, *sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_import_is_quick_and_light():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    times = []
    for _ in range(3):  # the best of three: another process may have had the processor
        run = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
        seconds, *modules = run.stdout.split()
        assert "countnest" in modules
        assert not {"numba", "pandas", "scipy", "matplotlib", "formulaic", "statsmodels"} & set(modules)
        times.append(float(seconds))
    assert min(times) < 0.6


ANALYSIS = """
import sys
import countnest as cn
dds = cn.DESeq(cn.make_example_dataset(200, 6), quiet=True)
assert cn.results(dds).table["padj"].notna().any()
print(*sys.modules)
"""


def test_an_analysis_is_light():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "ignore", "-c", ANALYSIS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    modules = set(run.stdout.split())
    assert {"numba", "pandas", "scipy.special", "formulaic"} <= modules
    heavy = {"scipy.stats", "scipy.optimize", "scipy.interpolate", "scipy.integrate", "statsmodels", "matplotlib"}
    assert heavy & modules == set()
