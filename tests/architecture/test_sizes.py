"""How large files, functions and signatures are, and how deep the imports."""

import ast
from functools import cache

from architecture.tree import FILES, ROOT, TEXTS, TREES, at_import, functions

MAX_LINES = 400
MAX_LINES_OF_TESTS = 600
MAX_FUNCTION = 50
MAX_ARGUMENTS = 7
# The longest chain of imports, in modules.
MAX_DEPTH = 12

# Names that say nothing about what is in a file.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "core", "misc", "common", "base", "impl"}
# The class with the methods of DESeq2, which are documentation for the most part; and R's search for apeglm, one piece.
# No name is added here.
LONG_FILES = {"api.deseq2", "api.transformations", "kernels.r_search.apeglm"}
# Kernels whose loop over lanes or samples is one piece: to cut it would hand a dozen arrays from part to part.
LONG_KERNELS = {
    "cauchy_point",
    "interpolated",
    "levenberg_chunk",
    "nb_log_irls_chunk",
    "nb_logalpha_fit_chunk",
    "nb_logalpha_grid_chunk",
    "next_point",
    "scoring_row",
}
# Public functions whose arguments are checked and handed on one by one.
LONG_FUNCTIONS = {"CountDataSet.__init__", "lfc_shrink"}
# Functions with the arguments of DESeq2's, of a figure or of a simulation, which users name one by one.
WIDE = {
    "QueryMethods.effect",
    "BoundQuery.test",
    "DESeqDataSet.deseq",
    "edger",
    "answer_options",
    "by_cell_type",
    "camera",
    "DESeqDataSet.results",
    "CountDataSet.__init__",
    "effect",
    "example",
    "fry",
    "glmm",
    "groups",
    "lfc_shrink",
    "limma",
    "lmm",
    "make_example_dataset",
    "nested",
    "plot_counts",
    "plot_heatmap",
    "plot_interaction",
    "plot_pca",
    "points",
    "top_table",
}


def lines_of(node):
    """Return the number of lines of a function, its docstring not counted."""
    first = node.body[0]
    documented = ast.get_docstring(node) is not None
    return node.end_lineno - node.lineno + 1 - (first.end_lineno - first.lineno + 1 if documented else 0)


def n_arguments(node):
    """Return the number of arguments of a function, `self` and `cls` not counted."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len(every) - (bool(every) and every[0].arg in ("self", "cls"))


def is_kernel(module):
    return module.startswith("kernels.")


def compare_with(listed, found):
    """Fail for a name that is over the limit and not listed, and for one that is listed and within it."""
    beyond = [f"{name}: {size}" for name, size in found.items() if name not in listed]
    assert not beyond, "over the limit:\n" + "\n".join(beyond)
    assert not listed - set(found), f"within the limit now, take it off the list: {sorted(listed - set(found))}"


def test_files_are_short():
    lines = {name: len(text.splitlines()) for name, text in TEXTS.items()}
    compare_with(LONG_FILES, {name: count for name, count in lines.items() if count > MAX_LINES})


def test_files_say_what_they_are():
    assert [name for name in FILES if not ast.get_docstring(TREES[name]) and TEXTS[name].strip()] == []
    assert [name for name in FILES if EMPTY_NAMES & set(name.split("."))] == []


def test_tests_are_short_too():
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    assert len(files) > 20
    long = [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES_OF_TESTS]
    assert not long, "\n".join(long)
    assert [path.name for path in files if path.stem in EMPTY_NAMES] == []


def test_functions_are_short():
    long = {(module, name): lines_of(node) for module, name, node in functions() if lines_of(node) > MAX_FUNCTION}
    compare_with(LONG_KERNELS, {name: count for (module, name), count in long.items() if is_kernel(module)})
    compare_with(LONG_FUNCTIONS, {name: count for (module, name), count in long.items() if not is_kernel(module)})


def test_functions_take_few_arguments():
    """Kernels take arrays alone, one argument each: they are not counted."""
    counts = {name: n_arguments(node) for module, name, node in functions() if not is_kernel(module)}
    compare_with(WIDE, {name: count for name, count in counts.items() if count > MAX_ARGUMENTS})


def test_the_chain_of_imports_is_short():
    imports = {name: at_import(name) for name in FILES}

    @cache
    def chain(name):
        return (name, *max((chain(below) for below in imports[name]), key=len, default=()))

    longest = max((chain(name) for name in FILES), key=len)
    assert len(longest) <= MAX_DEPTH, " > ".join(longest)
    assert len(longest) == MAX_DEPTH, f"MAX_DEPTH can be {len(longest)} now"


def test_lengths_and_arguments_are_counted():
    text = 'def f(self, a, /, b, *, c):\n    """Say\n    it."""\n    x = 1\n    return x\n'
    (node,) = ast.parse(text).body
    assert lines_of(node) == 3
    assert n_arguments(node) == 3
