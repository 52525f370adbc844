"""The examples in docstrings give what they say."""

import doctest
import importlib
import io

import matplotlib.pyplot as plt
import pytest

from architecture.tree import TEXTS
from cases import each

# Examples that need a library of an extra.
NEEDS = {"api.report": "bokeh"}
EXAMPLES = [name for name, text in TEXTS.items() if ">>> " in text]


def module_of(name):
    return importlib.import_module("countnest" if name == "__init__" else f"countnest.{name}")


def examples_of(name):
    """Return the examples of a module, one record for each docstring that has some."""
    return [found for found in doctest.DocTestFinder().find(module_of(name)) if found.examples]


@each("name", EXAMPLES)
def test_examples_are_right(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False)
    for examples in examples_of(name):
        runner.run(examples, out=output.write)
    plt.close("all")
    assert runner.summarize(verbose=False).failed == 0, output.getvalue()


def test_most_examples_are_run():
    every = [example for name in EXAMPLES for found in examples_of(name) for example in found.examples]
    skipped = [example.source.strip() for example in every if doctest.SKIP in example.options]
    assert len(every) > 60
    assert len(skipped) < len(every) / 2
