import numpy as np

from unit.design.studies import NESTED, SIMPLE, design, sheet


def queries(report):
    table = report.tables["queries"]
    return dict(zip(table["query"], table["answer"], strict=True))


def test_report_of_nested_factors():
    report = design(SIMPLE).report()
    text = str(report)
    assert "design ~ family + group*treat" in text
    assert "10 samples, 8 columns of rank 7, 3 residual degrees of freedom" in text
    assert "dropped columns: groupB" in text
    assert "reference levels: family f1, group A, treat None" in text
    assert "nesting: family within group" in text
    assert "blocks: family (5 blocks)" in text
    assert "family is nested in group (5 levels in 2)" in text
    assert report.tables["cells"]["samples"].tolist() == [3, 3, 2, 2]
    assert queries(report) == {
        "effect of family": "these particular levels in each level of group",
        "effect of group": "between blocks only: refused unless allow_fixed_blocks=True",
        "effect of treat": "within blocks",
        "family x treat interaction": "no: the model has no family:treat term",
        "group x treat interaction": "within blocks",
    }


def test_both_codings_answer_the_same():
    first, second = (queries(design(formula).report()) for formula in (SIMPLE, NESTED))
    assert {name: answer for name, answer in first.items() if "family" not in name} == {
        name: answer for name, answer in second.items() if "ind" not in name
    }
    assert "blocks: group:ind (5 blocks)" in str(design(NESTED).report())


def test_empty_cells():
    report = design("~ a*b", sheet(a=list("xxxxyyzzzz"), b=list("ppqqppppqq"))).report()
    assert 0 in report.tables["cells"]["samples"].tolist()
    assert "no samples with 'a=y, b=q'" in queries(report)["a x b interaction"]


def test_numbers():
    report = design("~ group*age").report()
    assert report.tables["numbers"]["number"].tolist() == ["age"]
    assert queries(report)["group x age interaction"] == "yes"


def test_matrix():
    report = design(np.column_stack([np.ones(10), np.arange(10.0)])).report()
    assert "design matrix of 2 columns" in str(report)
    assert "queries" not in report.tables


def test_html():
    html = design(SIMPLE).report()._repr_html_()
    assert "<table" in html
    assert "~ family + group*treat" in html
    assert repr(design(SIMPLE).report()) == str(design(SIMPLE).report())
