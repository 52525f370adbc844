"""Figures of a tree: sizes, functions, imports, how far a call is from its formula, tests, cold start.

usage: python benchmarks/tree.py [ROOT ...] [--tests] [--cold]

Prints a Markdown table with a column for each checkout (this one if none is named), and the longest functions of each.
`--tests` collects the tests of each, `--cold` measures the first analysis with an empty and a filled cache.

- Code: lines that are not blank, comments or docstrings. A function is as long as it is without its docstring; `self`
  and `cls` are not counted among its arguments.
- Imports: those at the level of modules, not those for type checkers or within functions.
- A question of a reader (`QUESTIONS`): how many modules are on the stack while its function runs in a small example,
  and how many frames lie between the call and the deepest frame in a folder of `FORMULAS`, both counted.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

LONG, WIDE = 50, 7
SHOWN = 10
FORMULAS = ("stats", "kernels", "design", "queries")
# For each question the call, and the function whose work counts: the first of these names that runs.
QUESTIONS = {
    "size factors": ("dds.estimate_size_factors()", ("estimate_size_factors",)),
    "a shrunken dispersion": ("dds.estimate_dispersions(quiet=True)", ("shrink_dispersions",)),
    "a Wald p-value": ("dds.results()", ("wald_test",)),
    "a query": ("dds.query('condition[treated - untreated] | type=paired-end')", ("query",)),
}
SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def docstring(node: Any) -> range:
    """Return the lines of the docstring of a module, class or function."""
    if not node.body or ast.get_docstring(node) is None:
        return range(0)
    return range(node.body[0].lineno, node.body[0].end_lineno + 1)


def n_lines(node: Function) -> int:
    """Return the lines of a function without its docstring."""
    return node.end_lineno - node.lineno + 1 - len(docstring(node))


def n_arguments(node: Function) -> int:
    """Return the number of arguments, `self` and `cls` not counted."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len(every) - (bool(every) and every[0].arg in ("self", "cls"))


def code_lines(text: str) -> int:
    """Return how many lines have code on them."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SKIPPED:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            lines.difference_update(docstring(node))
    return len(lines)


@dataclass(frozen=True)
class Tree:
    """The package `countnest` of a checkout."""

    root: Path

    @cached_property
    def files(self) -> dict[str, str]:
        """The text of each module by its name: 'stats.glm.fit', 'stats.glm' for an __init__."""
        found = {}
        for path in sorted((self.root / "src" / "countnest").rglob("*.py")):
            parts = path.relative_to(self.root / "src" / "countnest").with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path.read_text()
        return found

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Every function by its module and name, also those within classes and functions."""

        def walk(node: ast.AST, name: str) -> Iterator[tuple[str, Function]]:
            for child in ast.iter_child_nodes(node):
                named = isinstance(child, ast.ClassDef | Function)
                below = f"{name}.{child.name}" if named else name
                if isinstance(child, Function):
                    yield below, child
                yield from walk(child, below)

        return {name: node for module, text in self.files.items() for name, node in walk(ast.parse(text), module)}

    def imports(self, module: str) -> set[str]:
        """Return the modules of the package that are imported together with one."""

        def walk(body: list[ast.stmt]) -> Iterator[str]:
            for node in body:
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)
                elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
                    yield from walk([*node.body, *node.orelse])
                elif isinstance(node, ast.Try):
                    yield from walk(node.body)

        targets = [name.removeprefix("countnest.") for name in walk(ast.parse(self.files[module]).body)]
        found = {name if name in self.files else name.rpartition(".")[0] for name in targets}
        return (found & self.files.keys()) - {module, "__init__"}

    @cached_property
    def chain(self) -> tuple[str, ...]:
        """The longest chain of imports, from the top."""
        known: dict[str, tuple[str, ...]] = {}

        def longest(module: str) -> tuple[str, ...]:
            if module not in known:
                known[module] = (module, *max(map(longest, sorted(self.imports(module))), key=len, default=()))
            return known[module]

        return max(map(longest, self.files), key=len)

    @cached_property
    def layers(self) -> int | None:
        """The number of layers that the architecture tests check; None where none are found."""
        for path in (self.root / "tests" / "architecture").glob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("LAYERS", "STOREYS"):
                    return len(node.value.elts)
        return None

    def run(self, words: list[str]) -> str:
        """Return what Python prints with this package."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src")}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(
                f"{self.root}: {' '.join(words[:3])} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
            )
        return done.stdout


class Stacks:
    """The frames of a package that are on the stack while functions of some names run."""

    def __init__(self, package: Path, names: tuple[str, ...]) -> None:
        self.package, self.names = f"{package}{os.sep}", names
        self.modules: set[str] = set()
        self.deepest: list[str] = []

    def __call__(self, frame: FrameType | None, event: str, _: object) -> None:
        """Note the stack where a function of the package begins; see `sys.setprofile`."""
        if event != "call" or frame is None or not frame.f_code.co_filename.startswith(self.package):
            return
        stack = []
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(self.package) and not code.co_name.startswith("<"):
                stack.append((code.co_filename.removeprefix(self.package), code.co_name))
            frame = frame.f_back
        if any(name in self.names for _, name in stack):
            self.modules.update(module for module, _ in stack)
            if stack[0][0].startswith(FORMULAS) and len(stack) > len(self.deepest):
                self.deepest = [f"{module.removesuffix('.py')}:{name}" for module, name in reversed(stack)]


def measured_stacks() -> dict[str, dict[str, list[str]]]:
    """Return modules and deepest stack of each question, with the package that is on the path."""
    import countnest as cn

    study = cn.datasets.load("pasilla")
    counts, reference = study.counts.iloc[:2000], {"condition": "untreated"}
    dds = cn.DESeqDataSet(counts, study.samples, "~ type + condition", reference=reference, n_threads=1, quiet=True)
    dds.deseq(quiet=True)
    found = {}
    for question, (call, names) in QUESTIONS.items():
        stacks, fresh = Stacks(Path(cn.__file__).parent, names), dds.copy()
        sys.setprofile(stacks)
        try:
            eval(call, {"dds": fresh})
        finally:
            sys.setprofile(None)
        if not stacks.modules:
            raise RuntimeError(f"{question}: none of {names} ran; name the function in QUESTIONS.")
        found[question] = {"modules": sorted(stacks.modules), "frames": stacks.deepest}
    return found


def figures(tree: Tree, *, tests: bool = False, cold: bool = False) -> dict[str, Any]:
    """Return the figures of a tree by their names."""
    sizes = {name: len(text.splitlines()) for name, text in tree.files.items()}
    lengths = [n_lines(node) for node in tree.functions.values()]
    longest = max(sizes, key=lambda name: sizes[name])
    found: dict[str, Any] = {
        "lines of src": f"{sum(sizes.values()):,}",
        "lines of code": f"{sum(map(code_lines, tree.files.values())):,}",
        "files": len(sizes),
        "longest file": f"{sizes[longest]} ({longest})",
        "functions": f"{len(lengths):,}",
        "lines of a function, median": statistics.median(lengths),
        f"functions of more than {LONG} lines": sum(length > LONG for length in lengths),
        f"functions of more than {WIDE} arguments": sum(n_arguments(node) > WIDE for node in tree.functions.values()),
        "longest chain of imports": len(tree.chain),
        "layers": tree.layers,
    }
    for question, one in json.loads(tree.run([__file__, "--stacks"])).items():
        found[f"modules on the way to {question}"] = len(one["modules"])
        found[f"frames to {question}"] = len(one["frames"])
    if tests:
        cases = [line for line in tree.run(["-m", "pytest", "--collect-only", "-q"]).splitlines() if "::" in line]
        found |= {"test cases": len(cases), "test functions": len({case.partition("[")[0] for case in cases})}
    if cold:
        found |= cold_start(tree)
    return found


def cold_start(tree: Tree) -> dict[str, str]:
    """Return the seconds of the import and of the first analysis, in new processes."""
    import cold

    os.environ["PYTHONPATH"] = str(tree.root / "src")
    with tempfile.TemporaryDirectory() as cache:
        empty, filled = cold.seconds(cold.FIRST_RESULT, cache), cold.seconds(cold.FIRST_RESULT, cache)
    shown = {"`import countnest`": f"{cold.import_seconds():.3f}", "empty cache": f"{empty:.1f}"}
    return {f"{what}, seconds": seconds for what, seconds in (shown | {"filled cache": f"{filled:.1f}"}).items()}


def worst(tree: Tree) -> list[str]:
    """Return the longest functions and those with the most arguments, and the chain of imports."""
    lines = []
    for what, count in (("lines", n_lines), ("arguments", n_arguments)):
        ranked = sorted(tree.functions.items(), key=lambda pair: -count(pair[1]))[:SHOWN]
        lines.append(f"- Most {what}: " + ", ".join(f"{name} {count(node)}" for name, node in ranked))
    return [*lines, f"- Longest chain of imports: {' > '.join(tree.chain)}"]


def main(words: list[str] | None = None) -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path(__file__).parents[1]], metavar="ROOT")
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--stacks", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.stacks:
        print(json.dumps(measured_stacks()))
        return
    trees = {root.resolve().name: Tree(root.resolve()) for root in options.roots}
    every = {name: figures(tree, tests=options.tests, cold=options.cold) for name, tree in trees.items()}
    rows = [["figure", *every], ["---"] * (1 + len(every))]
    rows += [[what, *(one.get(what, "-") for one in every.values())] for what in next(iter(every.values()))]
    print("\n".join(f"| {' | '.join(map(str, row))} |" for row in rows))
    for name, tree in trees.items():
        print("\n".join(["", f"{name}:", "", *worst(tree)]))


if __name__ == "__main__":
    main()
