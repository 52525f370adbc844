"""The package as a tree of files: their names, syntax trees and imports."""

import ast
from pathlib import Path

import countnest

PACKAGE = Path(countnest.__file__).parent
ROOT = Path(__file__).parents[2]


def module_name(path):
    """Return 'stats.glm.fit' for a file of the package, 'stats.glm' for its __init__, '__init__' for the first."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
TREES = {name: ast.parse(text) for name, text in TEXTS.items()}


def folder(name):
    """Return the top folder of a module, or its name if it is a file at the top."""
    return name.split(".")[0]


def targets(node):
    """Return the dotted names that one statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imported(name):
    """Return the dotted names that a file imports anywhere, also in functions and for type checkers."""
    return [target for node in ast.walk(TREES[name]) for target in targets(node)]


def libraries(name):
    """Return the top names of everything else that a module imports."""
    return {target.split(".")[0] for target in imported(name)} - {"countnest"}


def own(dotted):
    """Return the modules of the package among imported names."""
    found = set()
    for target in dotted:
        if target == "countnest" or target.startswith("countnest."):
            parts = target.split(".")[1:]
            while parts and ".".join(parts) not in FILES:  # a name within a module
                parts.pop()
            found.add(".".join(parts) or "__init__")
    return found


def own_imports(name):
    """Return the modules of the package that a module imports anywhere."""
    return own(imported(name))


def at_import(name):
    """Return the modules of the package that are imported when a module is: not in functions, nor for types."""

    def walk(body):
        for node in body:
            yield from targets(node)
            if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from walk([*node.body, *node.orelse])
            elif isinstance(node, ast.Try):
                yield from walk(node.body)

    return own(walk(TREES[name].body)) - {name, "__init__"}


def functions():
    """Yield the module, the qualified name and the node of every function, but for those within functions."""

    def walk(name, node, path):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(name, child, f"{path}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                yield name, f"{path}{child.name}", child
            else:
                yield from walk(name, child, path)

    for name, tree in TREES.items():
        yield from walk(name, tree, "")
