"""The storeys of docs/architecture.md, read from the imports of every file."""

import ast
import graphlib
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import countnest

PACKAGE = Path(countnest.__file__).parent
ROOT = Path(__file__).parents[2]

# From the ground up. A module imports from lower storeys only; within a storey, folders are blind to each other, the
# single files of the foundation are not. `__init__` holds the public names, which the shell command uses too.
STOREYS = (
    ("errors", "remedies", "options", "arrays", "drafts", "files", "progress", "version", "cache", "compilation",
     "public", "signature", "counterparts", "display", "centring"),
    ("kernels",),
    ("parallel",),
    ("stats", "design"),
    ("containers", "queries"),
    ("methods", "io", "datasets", "plots", "simulate"),
    ("api",),
    ("__init__",),
    ("cli",),
    ("__main__",),
)  # fmt: skip
STOREY_OF = {room: number for number, rooms in enumerate(STOREYS, start=1) for room in rooms}
FOUNDATION = 1
# A design describes itself in terms of the queries that it can answer; the import stands in the method that does so.
UPWARD = {("design.design", "queries.report")}
# Where a library may be imported; one that is not named may be imported anywhere.
ONLY_IN = {
    "numba": ("kernels.jit", "kernels.lanes"),
    "formulaic": ("design",),
    "matplotlib": ("plots",),
    "click": ("cli",),
    "tqdm": ("progress",),
    "anndata": ("api.pseudobulk",),
    "joblib": ("parallel.pool",),
    "threadpoolctl": ("parallel.run",),
    "concurrent": ("parallel",),
    "threading": ("parallel", "progress", "compilation"),
}
# Extras whose libraries the package imports where somebody uses them.
OPTIONAL = ("anndata", "dask")
NEVER_IN = {"stats": {"pandas", "formulaic", "matplotlib"}, "design": {"scipy"}}
KERNELS_MAY = {"__future__", "collections", "math", "numba", "numpy", "typing"}
HOMELESS = {"utils", "util", "helpers", "helper", "core", "misc", "common", "base", "impl"}
MAX_LINES = 600


def module_name(path):
    """Return 'stats.glm.fit' for a file of the package, 'stats.glm' for its __init__, '__init__' for the first."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def imported(tree):
    """Yield the dotted names that a file imports anywhere, also in functions and for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name):
    """Return the modules of the package that a module imports."""
    found = set()
    for target in imported(TREES[name]):
        if target == "countnest" or target.startswith("countnest."):
            parts = target.split(".")[1:]
            while parts and ".".join(parts) not in FILES:  # a name within a module
                parts.pop()
            found.add(".".join(parts) or "__init__")
    return found


def libraries(name):
    """Return the top names of everything else that a module imports."""
    return {target.split(".")[0] for target in imported(TREES[name])} - {"countnest"}


def room(name):
    return name.split(".")[0]


def test_every_file_has_a_storey():
    assert {room(name) for name in FILES} <= set(STOREY_OF)
    assert len(FILES) > 50


@pytest.mark.parametrize("name", list(FILES))
def test_imports_go_down(name):
    here = STOREY_OF[room(name)]
    for target in own_imports(name) - {upper for lower, upper in UPWARD if lower == name}:
        there = STOREY_OF[room(target)]
        allowed = there < here or room(target) == room(name) or here == there == FOUNDATION
        assert allowed, f"{name} (storey {here}) imports {target} (storey {there})"


def test_imports_have_no_cycles():
    down = {name: own_imports(name) - {upper for lower, upper in UPWARD if lower == name} for name in FILES}
    list(graphlib.TopologicalSorter(down).static_order())


@pytest.mark.parametrize("name", list(FILES))
def test_libraries_stay_in_their_rooms(name):
    found = libraries(name)
    for library, rooms in ONLY_IN.items():
        at_home = any(name == place or name.startswith(f"{place}.") for place in rooms)
        assert library not in found or at_home, f"{name} imports {library}"
    assert not found & NEVER_IN.get(room(name), set())
    if room(name) == "kernels" and name not in ONLY_IN["numba"]:
        assert found <= KERNELS_MAY


def test_the_rules_are_about_something():
    assert libraries("kernels.jit") >= {"numba"}
    assert any("formulaic" in libraries(name) for name in FILES if room(name) == "design")
    assert own_imports("stats.glm.fit") >= {"kernels.irls", "parallel.run", "arrays"}
    assert own_imports("__init__") >= {"api.dataset", "errors"}


def test_every_library_is_declared():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    names = {re.match(r"[A-Za-z0-9_-]+", line)[0] for line in project["dependencies"]}
    lines = [line for kind in OPTIONAL for line in project["optional-dependencies"][kind]]
    extras = {re.match(r"[A-Za-z0-9_-]+", line)[0] for line in lines}
    used = {library for name in FILES for library in libraries(name)} - sys.stdlib_module_names
    assert names <= used <= names | extras


@pytest.mark.parametrize("name", list(FILES))
def test_files_are_short_and_say_what_they_are(name):
    text = FILES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(TREES[name]) or not text.strip()
    assert not HOMELESS & set(name.split("."))


def test_tests_are_short_too():
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    assert len(files) > 20
    assert [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES] == []
    assert [path.name for path in files if path.stem in HOMELESS] == []


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("__init__", "__main__")])
def test_public_names_exist(name):
    module = importlib.import_module(f"countnest.{name}")
    for public in getattr(module, "__all__", ()):
        assert hasattr(module, public), public


@pytest.mark.parametrize("name", countnest.__all__)
def test_lazy_names_resolve(name):
    assert getattr(countnest, name) is not None
    assert name in dir(countnest)


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
