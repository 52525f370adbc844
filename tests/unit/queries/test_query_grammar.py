import numpy as np
import pandas as pd
import pytest

from countnest.errors import ContrastError
from countnest.queries.effects import effect, interaction
from countnest.queries.grammar import parse_query
from unit.design.studies import SIMPLE, design, sheet

FRAME = sheet(
    treat2=list("NENENENENENE"), treat1=list("AABBCCAABBCC"), treat3=list("llllllhhhhhh"), age=np.sin(np.arange(12.0))
)
ODD = sheet(**{"my group": ["x-1", "x-1", "it's, so", "y 2"] * 3, "b": list("ppppqqqqrrrr")})


@pytest.fixture(scope="module")
def full():
    return design(
        "~ treat1*treat2 + treat3 + treat2*age", FRAME.assign(treat2=pd.Categorical(FRAME["treat2"], ["N", "E"]))
    )


PAIR = {"treat2": ("E", "N")}


@pytest.mark.parametrize(
    ("text", "ask"),
    [
        ("treat2[E - N]", lambda d: effect(d, "treat2")),
        ("  treat2 [ E-N ]  ", lambda d: effect(d, "treat2")),
        ("treat2[E - N] | treat1", lambda d: effect(d, "treat2", by="treat1")),
        ("treat2[E - N] | treat1, treat3=h", lambda d: effect(d, "treat2", by="treat1", at={"treat3": "h"})),
        ("treat2[reference] : treat1[B - A]", lambda d: interaction(d, **PAIR, treat1=("B", "A"))),
        (
            "treat2[E - N]:treat1[pairwise]|age=0.5",
            lambda d: interaction(d, **PAIR, treat1="pairwise", at={"age": 0.5}),
        ),
        ("slope(age) | treat2", lambda d: effect(d, "age", by="treat2")),
        ("slope(age, sd)", lambda d: effect(d, "age", per="sd")),
        ("slope(age, 10)", lambda d: effect(d, "age", per=10)),
        ("slope(age, 1, 2.5)", lambda d: effect(d, "age", from_=1, to=2.5)),
        ("age[2.5 - -1]", lambda d: effect(d, "age", from_=-1, to=2.5)),
        ("slope(age) : treat2[E - N]", lambda d: interaction(d, age="slope", **PAIR)),
        ("mean(treat2[E - N] | treat1)", lambda d: effect(d, "treat2", by="treat1").average()),
        ("joint(treat1[reference])", lambda d: effect(d, "treat1").joint()),
    ],
)
def test_lines(full, text, ask):
    query, asked = parse_query(full, text), ask(full)
    assert query.labels == asked.labels
    assert query.is_joint == asked.is_joint
    np.testing.assert_array_equal(query.matrix, asked.matrix)


def test_joint_of_several(full):
    query = parse_query(full, "joint(treat1[reference]; treat2[E - N] : treat1[reference])")
    assert len(query) == 4
    assert query.is_joint


def test_labels_can_be_read_again(full):
    for query in (effect(full, "treat2", by="treat1"), effect(full, "age", from_=1, to=2, by="treat2"),
                  interaction(full, **PAIR, treat1="reference", at={"age": 0.5})):  # fmt: skip
        for row in query:
            np.testing.assert_array_equal(parse_query(full, row.labels[0]).matrix, row.matrix)


def test_odd_names():
    odd = design("~ `my group` + b", ODD)
    for text in ("`my group`[x-1 - y 2]", "`my group`['x-1' - \"y 2\"]"):
        np.testing.assert_array_equal(
            parse_query(odd, text).matrix, effect(odd, "my group", levels=("x-1", "y 2")).matrix
        )
    asked = parse_query(odd, 'b[q - p] | `my group`="it\'s, so"')
    np.testing.assert_array_equal(asked.matrix, effect(odd, "b", levels=("q", "p")).matrix)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the name of a variable expected", 0),
        ("treat2", r"'\[' expected here", 6),
        ("treat2[E - M]", "'M' is not a level of 'treat2'.*The levels are 'N', 'E'", 11),
        ("treat2[M - E]", "'M' is not a level", 7),
        ("treat2[E - N", r"'\]' expected", 12),
        ("treat2[]", "a comparison expected here", 7),
        ("treat2[pairwize]", r"Did you mean 'pairwise'\?\n", 7),
        ("treat9[E - N]", "'treat9' is not a variable of the design.*Did you mean 'treat", 0),
        ("treat2[E - N] : treat4[B - A]", "'treat4' is not a variable", 16),
        ("treat2[E - N] : treat2[E - N]", "'treat2' is compared twice", 16),
        ("treat2[E - N] treat1", "'t' is not expected here", 14),
        ("treat2[E - N] | treat1=Q", "'Q' is not a level of 'treat1'", 23),
        ("treat2[E - N] | age", "'age=value' expected", 16),
        ("treat2[E - N] | age=old", "a number expected here", 20),
        ("treat2[E - N] | treat1, treat1", "'treat1' is given twice", 24),
        ("slope(treat2)", "is a factor and has no slope", 12),
        ("slope(age, kg)", "'sd' or a number expected", 11),
        ("slope(age, 1, 2, 3)", "slope takes a variable", 18),
        ("age[old - 1]", "two numbers, 'to - from', expected", 4),
        ("mean(treat2[E - N]", r"'\)' expected", 18),
    ],
)
def test_errors_have_a_mark_under_the_place(full, text, message, column):
    with pytest.raises(ContrastError, match=message) as caught:
        parse_query(full, text)
    *_, line, mark = str(caught.value).splitlines()
    assert line == f"  {text}"
    assert mark == f"  {' ' * column}^"


def test_queries_without_an_answer_are_quoted():
    with pytest.raises(ContrastError, match=r"across levels of 'group'(.|\n)*in the query: family\[f4 - f1\]"):
        parse_query(design(SIMPLE), "family[f4 - f1]")
