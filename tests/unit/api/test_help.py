"""The help of the questions: every argument explained, and examples that run."""

import doctest
import inspect

import countnest as cn
import countnest.api.asked as module

QUESTIONS = ("effect", "interaction", "means", "cell", "query", "contrast")


def test_every_argument_is_explained():
    for name in QUESTIONS:
        function = getattr(cn.DESeqDataSet, name)
        text = inspect.getdoc(function)
        assert all(section in text for section in ("Parameters\n", "Returns\n", "Raises\n", "Examples\n")), name
        heads = [line for line in text.splitlines() if line and not line.startswith(" ")]
        listed = {word.strip(" *") for line in heads for word in line.split(",")}
        assert set(inspect.signature(function).parameters) - {"self"} <= listed, name
        assert "countnest.design" not in text


def test_the_examples_run():
    found = doctest.DocTestFinder(recurse=True).find(module.AskedData, globs={})
    asked = [test for test in found if test.examples]
    assert {test.name.rpartition(".")[2] for test in asked} == set(QUESTIONS)
    runner = doctest.DocTestRunner(verbose=False)
    for test in asked:
        assert runner.run(test).failed == 0, test.name
