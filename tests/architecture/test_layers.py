"""The layers of docs/architecture.md, read from the imports of every file."""

import graphlib
import re
import sys
import tomllib

from architecture.tree import FILES, ROOT, TEXTS, at_import, folder, libraries, own_imports

# From the bottom up. A module imports from lower layers only; folders of the same layer do not import each other, but
# the single files of the foundation do. `__init__` holds the public names, which the shell command uses too.
LAYERS = (
    ("errors", "remedies", "options", "arrays", "drafts", "files", "memory", "progress", "version", "cache",
     "compilation", "protected", "public", "signature", "counterparts", "limma_names", "mixed_names", "display",
     "centring"),
    ("kernels",),
    ("parallel", "stats", "design"),
    ("containers", "queries"),
    ("methods", "io", "datasets", "plots", "simulate"),
    ("reporting",),
    ("api",),
    ("__init__",),
    ("cli",),
    ("__main__",),
)  # fmt: skip
LAYER_OF = {name: number for number, names in enumerate(LAYERS, start=1) for name in names}
FOUNDATION = 1
# A design describes itself in terms of the queries that it can answer; the import stands in the method that does so.
UPWARD = {("design.design", "queries.report")}
# Where a library may be imported; one that is not named may be imported anywhere.
ONLY_IN = {
    "numba": ("kernels.compiler.jit", "kernels.compiler.parts", "kernels.compiler.vectors"),
    "formulaic": ("design",),
    "matplotlib": ("plots",),
    "click": ("cli",),
    "tqdm": ("progress",),
    "anndata": ("api.pseudobulk", "api.to_anndata"),
    "bokeh": ("reporting",),
    "jinja2": ("reporting",),
    "markupsafe": ("reporting",),
    "joblib": ("parallel.pool",),
    "orjson": ("containers.table_text",),
    "isal": ("containers.table_file",),
    "threadpoolctl": ("parallel.run",),
    "concurrent": ("parallel",),
    "threading": ("parallel", "progress", "compilation"),
}
# Extras whose libraries the package imports where somebody uses them.
OPTIONAL = ("anndata", "dask", "report")
NEVER_IN = {"stats": {"pandas", "formulaic", "matplotlib"}, "design": {"scipy"}}
KERNELS_MAY = {"__future__", "collections", "logging", "math", "numba", "numpy", "typing"}


def test_every_file_has_a_layer():
    assert {folder(name) for name in FILES} <= set(LAYER_OF)
    assert len(FILES) > 50


def downward(name):
    """Return the modules that a module imports, without those that it may import from above."""
    return own_imports(name) - {upper for lower, upper in UPWARD if lower == name}


def may_import(name, target):
    here, there = LAYER_OF[folder(name)], LAYER_OF[folder(target)]
    return there < here or folder(target) == folder(name) or here == there == FOUNDATION


def test_imports_go_down():
    wrong = [f"{name} imports {target}" for name in FILES for target in downward(name) if not may_import(name, target)]
    assert wrong == []


def test_imports_have_no_cycles():
    list(graphlib.TopologicalSorter({name: downward(name) for name in FILES}).static_order())


def within(name, places):
    """Return whether a module is one of some modules, or in one of some folders."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def forbidden(name):
    """Return the libraries that a module imports and must not."""
    found = libraries(name)
    elsewhere = {library for library, places in ONLY_IN.items() if not within(name, places)}
    kernel = folder(name) == "kernels" and not within(name, ONLY_IN["numba"])
    return found & (elsewhere | NEVER_IN.get(folder(name), set())) | (found - KERNELS_MAY if kernel else set())


def test_libraries_stay_where_they_belong():
    assert {name: sorted(forbidden(name)) for name in FILES if forbidden(name)} == {}


def test_the_rules_are_about_something():
    assert libraries("kernels.compiler.jit") >= {"numba"}
    assert any("formulaic" in libraries(name) for name in FILES if folder(name) == "design")
    assert own_imports("stats.glm.fit") >= {"kernels.negbin.density", "stats.glm.irls", "arrays"}
    assert own_imports("__init__") >= {"api.deseq2", "errors"}


def test_every_library_is_declared():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    names = {re.match(r"[A-Za-z0-9_-]+", line)[0] for line in project["dependencies"]}
    lines = [line for kind in OPTIONAL for line in project["optional-dependencies"][kind]]
    extras = {re.match(r"[A-Za-z0-9_-]+", line)[0] for line in lines}
    used = {library for name in FILES for library in libraries(name)} - sys.stdlib_module_names
    assert names <= used <= names | extras


def test_a_file_can_hold_every_fit():
    """Reading a file in a new process knows all classes of fits: their modules are imported with `api.saving`."""
    todo, known = ["api.saving"], set()
    while todo:
        name = todo.pop()
        known.add(name)
        todo += at_import(name) - known
    fits = {name for name, text in TEXTS.items() if "\n@register_fit\n" in text}
    assert len(fits) >= 4
    assert fits <= known
