import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cases import each
from countnest.design.formula import full_rank_terms, learn_expression, parse_formula
from countnest.errors import DesignError, FormulaError

COLUMNS = ["a", "b", "c", "d", "age", "my col", "x.y", "log", "log(x.y)"]


def parse(formula):
    return parse_formula(formula, COLUMNS)


# As terms() of R gives them.
@each(
    ("formula", "labels"),
    [
        ("~a*b*c", "a b c a:b a:c b:c a:b:c"),
        ("~(a+b+c)^2", "a b c a:b a:c b:c"),
        ("~(a+b+c)**2", "a b c a:b a:c b:c"),
        ("~a:b - a:b + b + a:b", "b a:b"),
        ("~b + a - b + a:b", "a b:a"),
        ("~a/b", "a a:b"),
        ("~a/(b+c)", "a a:b a:c"),
        ("~(a+b)/c", "a b a:b:c"),
        ("~b:a+a", "a b:a"),
        ("~a*b-b", "a a:b"),
        ("~a:b+b:a", "a:b"),
        ("~(a+b)*c-a:c", "a b c b:c"),
        ("~c+(a+b)^2", "c a b a:b"),
        ("~b*a+c:a:b + c", "b a c b:a b:a:c"),
        ("~a + b:c + c:d + d", "a d b:c c:d"),
        ("~a*b:c", "a b:c a:b:c"),
        ("~a/b/c", "a a:b a:b:c"),
        ("~a:a", "a"),
        ("~a^2", "a"),
        ("~(a*b+c)^2", "a b c a:b a:c b:c a:b:c"),
        ("~(a+b)^2*c - a:b:c", "a b c a:b a:c b:c"),
        ("~(c+b)^99", "c b c:b"),
        ("~a*b:c/d", "a b:c a:b:c a:b:c:d"),
        ("~a/b*c", "a c a:b a:c a:b:c"),
        ("~a+b/c^2", "a b b:c"),
        ("~(a+1):b", "a:b"),
        ("~(1+a)*b", "a b a:b"),
        ("~-a:b + c + a:b", "c a:b"),
        ("~-(a-b) + b", "b"),
        ("~a+-b+b", "a b"),
        ("~a - -1", "a"),
        ("~-1 - -1 + a", "a"),
        ("~(a-a)/b", ""),
    ],
)
def test_terms_are_in_the_order_of_r(formula, labels):
    parsed = parse(formula)
    assert [":".join(term) for term in parsed.terms] == labels.split()
    assert parsed.intercept


@each("formula", ["~a-1", "~-1+a", "~0+a", "~a+0", "~ 0 + a", "~(0+a)", "~(a - 1)", "~a - (a + 1) + a", "~1 + (a + 0)"])
def test_no_intercept(formula):
    parsed = parse(formula)
    assert not parsed.intercept
    assert parsed.terms == (("a",),)


def test_intercept_only():
    assert parse("~1").terms == ()
    assert parse("~ 1").intercept
    assert parse("1").text == "~ 1"


def test_text_and_variables():
    parsed = parse(" a +  log(age):b ")
    assert parsed.text == "~ a + log(age):b"
    assert parsed.variables == ("a", "age", "b")
    assert parsed.computed == {"age"}
    assert parsed.terms == (("a",), ("log(age)", "b"))
    assert parse("~ a - b").variables == ("a",)
    assert parse("~ age + log(age)").computed == frozenset()


def test_names_that_are_not_plain():
    parsed = parse("~ `my col` + x.y + log(`my col`) + sqrt(x.y) + log")
    assert parsed.variables == ("my col", "x.y", "log")
    assert [":".join(term) for term in parsed.terms] == ["my col", "x.y", "log(my col)", "sqrt(x.y)", "log"]


@pytest.mark.parametrize("wrapped", ["C(a)", "factor(a)", "as.factor(a)", "factor( a )"])
def test_factors_of_numbers(wrapped):
    parsed = parse(f"~ b + {wrapped}:b")
    assert parsed.categorical == {"a"}
    assert parsed.terms == (("b",), ("b", "a"))
    assert parsed.expressions == {}


def test_factor_of_a_name_in_backticks():
    assert parse("~ C(`my col`)").categorical == {"my col"}


@each(
    ("formula", "message"),
    [
        ("y ~ a", r"has a left-hand side.*'~ a'"),
        ("~ a | b", r"has '\|' outside of parentheses"),
        ("~ .", r"uses '\.'; name the variables"),
        ("~ a %in% b", r"write 'a:b'"),
        ("", "empty"),
        ("~", "empty"),
        ("~ a +", r"'~ a \+' cannot be read: it ends where a variable is expected"),
        ("~ a * + b", r"a variable is expected where '\+' stands"),
        ("~ a b", "cannot be read: an operator is missing before 'b'"),
        ("~ (a b)", "cannot be read: an operator is missing before 'b'"),
        ("~ (a", "cannot be read: the parentheses do not match"),
        ("~ a)", "cannot be read: the parentheses do not match"),
        ("~ a ~ b", "has '~', which has no meaning in a formula"),
        ("~ a$b", r"has '\$', which has no meaning in a formula"),
        ("~ aeg", r"uses 'aeg', which is not a column.*Did you mean 'age'\? The columns are 'a', 'b'"),
        ("~ log(aeg)", r"uses 'aeg', which is not a column.*Did you mean 'age'"),
        ("~ a:2", "multiplies by '2'"),
        ("~ ns(age, 3)", r"function 'ns' in 'ns\(age, 3\)', which is not known.*compute anything else as a column"),
        ("~ np.log(age)", r"function 'np\.log' in 'np\.log\(age\)', which is not known \(did you mean 'log'\?\)"),
        ("~ a*1", "multiplies by '1'; only 0 and 1 have a meaning, as terms"),
        ("~ a + 2", "adds '2', but only 0 and 1"),
        ("~ (a+b)^1.5", "the power is not a whole number"),
        ("~ ploy(age, 2)", r"which is not known \(did you mean 'poly'\?\)\. A formula may use"),
        ("~ C(a, contr.sum)", r"only 'C\(column\)' is supported"),
        ("~ C(log(a))", r"only 'C\(column\)' is supported"),
        ("~ C(zz)", "'zz', which is not a column"),
        ("~ a + C(a)", "uses 'a' both as it is and as a factor"),
        ("~ age + log(`x.y`) + `log(x.y)`", r"uses 'log\(x\.y\)' both as a column and as an expression"),
    ],
)
def test_errors(formula, message):
    with pytest.raises(FormulaError, match=message):
        parse(formula)


def test_messages_have_no_colours():
    with pytest.raises(FormulaError) as caught:
        parse("~ a +")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def evaluate(formula, **columns):
    sheet = pd.DataFrame(columns)
    parsed = parse_formula(formula, sheet.columns)
    (expression,) = parsed.expressions.values()
    learnt = learn_expression(expression, sheet)
    return expression.name, learnt.values, learnt.suffixes


AGE = [1.0, 2.0, 4.0, 7.0, 11.0, 3.0]


@each(
    ("formula", "name", "function"),
    [
        ("~ log(age)", "log(age)", np.log),
        ("~ log1p(age)", "log1p(age)", np.log1p),
        ("~ sqrt( age )", "sqrt(age)", np.sqrt),
        ("~ I(age^2+1)", "I(age^2 + 1)", lambda x: x**2 + 1),
        ("~ I(age ** 2)", "I(age^2)", lambda x: x**2),
        ("~ I(age/10)", "I(age/10)", lambda x: x / 10),
        ("~ exp10(age)", "exp10(age)", lambda x: 10.0**x),
        ("~ I(2*-age + 1e1)", "I(2 * -age + 10.0)", lambda x: 10 - 2 * x),
        ("~ scale(age)", "scale(age)", lambda x: (x - x.mean()) / x.std(ddof=1)),
    ],
)
def test_expressions(formula, name, function):
    found, values, suffixes = evaluate(formula, age=AGE)
    assert found == name
    assert suffixes == ("",)
    np.testing.assert_allclose(values[:, 0], function(np.array(AGE)), rtol=1e-14)


def test_poly_is_that_of_r():
    name, values, suffixes = evaluate("~ poly(age,2)", age=AGE)
    assert (name, suffixes) == ("poly(age, 2)", ("1", "2"))
    expected = [
        [-0.4403524229639896, 0.523598139468631],
        [-0.3202563076101742, 0.129550055126259],
        [-0.0800640769025436, -0.399446003305966],
        [0.2802242691589024, -0.545189815323007],
        [0.7606087305741638, 0.469618949832689],
        [-0.2001601922563589, -0.178131325798606],
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_expressions_of_text_and_bool():
    _, values, _ = evaluate("~ I(g == 'x')", g=["x", "y", "x"])
    assert values[:, 0].tolist() == [1, 0, 1]
    _, values, _ = evaluate("~ I(flag * age)", flag=[True, False], age=[2.0, 3.0])
    assert values[:, 0].tolist() == [2, 0]


def test_expression_errors():
    with pytest.raises(FormulaError, match="has text values"):
        evaluate("~ I(g)", g=["x", "y"])
    with pytest.raises(FormulaError, match="cannot be computed"):
        evaluate("~ log(g)", g=["x", "y"])
    with pytest.raises(DesignError, match=r"'log\(age\)' is missing or infinite for 2 samples: '0', '1'"):
        evaluate("~ log(age)", age=[-1.0, 0.0, 2.0])


def test_columns_may_be_called_like_functions_and_local_variables():
    name, values, _ = evaluate("~ log(log)", log=[1.0, 2.0], expression=[0, 0])
    assert name == "log(log)"
    np.testing.assert_allclose(values[:, 0], np.log([1.0, 2.0]))
    with pytest.raises(FormulaError, match="'sheet', which is not a column"):
        evaluate("~ log(sheet)", age=[1.0])


def test_full_rank_terms_of_a_bare_interaction():
    blocks = full_rank_terms([("a", "b")], intercept=True, categorical={"a", "b"})
    assert blocks == [
        ((), ()),
        (("a", "b"), (("b", False),)),
        (("a", "b"), (("a", False), ("b", True))),
    ]


def test_formulaic_is_imported_late():
    code = "import sys, countnest.design; sys.exit('formulaic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_raw_polynomials_count_from_one():
    sheet = pd.DataFrame({"age": np.arange(8.0)})
    for text in ("~poly(age, 2)", "~poly(age, 2, raw=True)"):
        (expression,) = parse(text).expressions.values()
        assert learn_expression(expression, sheet).suffixes == ("1", "2")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "~poly(age, 5)",
            "5 columns, but the samples have only 3 different values. Use a degree of at most 2",
        ),
        ("~poly(age, 3, raw=True)", "Use a degree of at most 2"),
        ("~cs(age, df=2)", "needs df of at least 3, or 2 with constraints='center'"),
    ],
)
def test_polynomials_and_splines_that_the_values_cannot_have_are_refused(text, problem):
    sheet = pd.DataFrame({"age": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]})
    (expression,) = parse(text).expressions.values()
    with pytest.raises(FormulaError, match=problem):
        learn_expression(expression, sheet)
