"""The help of the queries explains every argument and has examples, which tests/docs runs."""

import inspect

import countnest as cn

QUESTIONS = ("effect", "interaction", "means", "cell", "query", "contrast")


def test_every_argument_is_explained():
    for name in QUESTIONS:
        function = getattr(cn.DESeqDataSet, name)
        text = inspect.getdoc(function)
        assert all(section in text for section in ("Parameters\n", "Returns\n", "Raises\n", "Examples\n", ">>> ")), name
        heads = [line for line in text.splitlines() if line and not line.startswith(" ")]
        listed = {word.strip(" *") for line in heads for word in line.split(",")}
        assert set(inspect.signature(function).parameters) - {"self"} <= listed, name
        assert "countnest.design" not in text
