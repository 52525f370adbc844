"""Random terms in the text of formulas."""

import pytest

from cases import each
from countnest.design.formula import parse_formula
from countnest.design.random.grammar import split_formula
from countnest.errors import FormulaError

COLUMNS = ("x", "z", "g", "a", "b", "c", "my g", "x|y")


def parsed(formula):
    return parse_formula(formula, COLUMNS)


def labels(formula):
    return [term.label for term in parsed(formula).random]


@each(
    ("formula", "fixed"),
    [
        ("~ x * z + (1|g)", "~ x * z"),
        ("~ (1|g) + x", "~ x"),
        ("~ (1|g)", "~ 1"),
        ("~ 0 + (1|g)", "~ 0"),
        ("~ x - 1 + (1|g)", "~ x - 1"),
        ("~ -1 + (1|g) + x", "~ - 1 + x"),
        ("~ x + ( ( 1 | g ) ) + log(z + 1)", "~ x + log(z + 1)"),
        ("~ `x|y` + (1|g)", "~ `x|y`"),
        ("~ I(x == 'a|b') + (1|g)", "~ I(x == 'a|b')"),
        ("~ x*(z + a)", "~ x*(z + a)"),
    ],
)
def test_the_fixed_part_is_what_is_left(formula, fixed):
    assert split_formula(formula).fixed == fixed


def test_a_formula_keeps_its_text_and_its_fixed_part():
    found = parsed(" x +   (1 |g)")
    assert (found.text, found.fixed) == ("~ x + (1 |g)", "~ x")
    assert (found.intercept, found.terms, found.variables) == (True, (("x",),), ("x",))


@each(
    ("formula", "expected"),
    [
        ("~ (1|g)", ["1 | g"]),
        ("~ (x|g)", ["x | g"]),
        ("~ (0+x|g)", ["0+x | g"]),
        ("~ (x||g)", ["1 | g", "0 + x | g"]),
        ("~ (0 + x||g)", ["0 + x | g"]),
        ("~ (x*z||g)", ["1 | g", "0 + x | g", "0 + z | g", "0 + x:z | g"]),
        ("~ (1|a/b)", ["1 | a", "1 | a:b"]),
        ("~ (1|a/b/c)", ["1 | a", "1 | a:b", "1 | a:b:c"]),
        ("~ (1|a/(b/c))", ["1 | a", "1 | a:b", "1 | a:b:c"]),
        ("~ (1|a:b/c)", ["1 | a:b", "1 | a:b:c"]),
        ("~ (1|a:b)", ["1 | a:b"]),
        ("~ (x||a/b)", ["1 | a", "0 + x | a", "1 | a:b", "0 + x | a:b"]),
        ("~ (1|a) + (1|b) + (0 + x|a)", ["1 | a", "1 | b", "0 + x | a"]),
        ("~ (1|`my g`)", ["1 | my g"]),
        ("~ (1|factor(g)) + (x|C(a))", ["1 | g", "x | a"]),
    ],
)
def test_terms_are_expanded(formula, expected):
    assert labels(formula) == expected


def test_what_varies_has_an_intercept_unless_it_says_otherwise():
    slope, alone = parsed("~ (x|g) + (0 + x:z|a)").random
    assert (slope.left.intercept, slope.left.terms) == (True, (("x",),))
    assert (alone.left.intercept, alone.left.terms) == (False, (("x", "z"),))


@each(
    ("formula", "message"),
    [
        ("~ x + 1|g", r"has '\|' outside of parentheses; write '\(1\|g\)' \(at character 7\)"),
        ("~ (1|g)*x", r"has '\|' inside of '\(1\|g\)\*x'; random terms are added.*at character 3"),
        ("~ x:(1|g)", r"inside of 'x:\(1\|g\)'"),
        ("~ log((1|g))", r"inside of 'log\(\(1\|g\)\)'"),
        ("~ I(x|g)", r"inside of 'I\(x\|g\)'.*cannot be part of a product or a function"),
        ("~ (x + (1|g))", r"inside of '\(x \+ \(1\|g\)\)'"),
        ("~ (1|a)(1|b)", r"inside of '\(1\|a\)\(1\|b\)'"),
        ("~ x - (1|g)", r"subtracts the random term '\(1\|g\)'; leave it out instead \(at character 7\)"),
        ("~ -(1|g)", "subtracts the random term"),
        ("~ (1|g", "the parentheses do not match"),
        ("~ (1|g))", "the parentheses do not match"),
        ("~ x) + (1|g", "the parentheses do not match"),
        ("~ (1|g) +", "ends where a variable is expected"),
        ("~ (1|)", "one bar between two sides"),
        ("~ (|g)", "one bar between two sides"),
        ("~ (1|a|b)", "one bar between two sides"),
        ("~ (1|||g)", "one bar between two sides"),
        ("~ (0|g)", r"'\(0\|g\)', in which nothing varies between groups"),
        ("~ (1|1)", "has the grouping factor '1'; a grouping factor is a column"),
        ("~ (1|a+b)", r"grouping factor 'a\+b'.*have a term each: \(1 \| a\) \+ \(1 \| b\)"),
        ("~ (1|a*b)", r"grouping factor 'a\*b'"),
        ("~ (1|a/)", "grouping factor 'a/'"),
        ("~ (1|log(x))", r"groups by 'log\(x\)'; a grouping factor is a column"),
        ("~ (1|gg)", r"uses 'gg', which is not a column of the sample sheet\. Did you mean 'g'"),
        ("~ (xx|g)", "uses 'xx', which is not a column"),
        ("~ (1|g) + x + (1|g)", r"has '\(1 \| g\)' twice\. Leave one of them out"),
        ("~ (1|a:b) + (1|b:a)", r"'\(1 \| a:b\)' and '\(1 \| b:a\)', which are the same"),
        ("~ (1|a) + (1|a/b)", r"'\(1 \| a\)' twice"),
        ("~ (1|g) + (x|g)", r"share an effect: a term has an intercept unless it begins with '0 \+'"),
    ],
)
def test_errors_say_which_term_and_where(formula, message):
    with pytest.raises(FormulaError, match=message):
        parsed(formula)
