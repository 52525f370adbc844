"""A formula is a closed language: nothing that a user types is run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.cli.main import main
from countnest.design.build import build_design
from countnest.design.formula import learn_expression, parse_formula
from countnest.design.language import KNOWN_FUNCTIONS
from countnest.errors import CountnestError, FormulaError

SHEET = pd.DataFrame(
    {
        "cell": list("abab"),
        "x": [1.0, 2.0, 4.0, 7.0],
        "log": [1.0, 3.0, 2.0, 5.0],
        "lambda": [2.0, 1.0, 5.0, 6.0],
        "__import__('os').system('touch left')": [1.0, 0.0, 0.0, 1.0],
        "open": [3.0, 1.0, 1.0, 2.0],
        "f": [0.0, 1.0, 3.0, 2.0],
    },
    index=list("pqrs"),
)

# Programs: each is refused with the list of what a formula may have.
PROGRAMS = [
    "~ cell + np.f2py.os.system('touch left')",
    "~ cell + x.to_csv('left')",
    "~ x.to_csv('left')",
    "~ __import__('os').system('touch left')",
    "~ I(__import__('os').system('touch left'))",
    "~ log(__import__('os').system('touch left'))",
    "~ I(x.to_pickle('left'))",
    "~ I(x.to_csv ('left'))",
    "~ I((x).to_csv('left'))",
    "~ {x.to_csv('left')}",
    "~ {__import__('os').system('touch left')}",
    "~ cell:{x.to_csv('left')}",
    "~ open('left', 'w')",
    "~ I(open('left', 'w').write('x'))",
    "~ exec('import os')",
    "~ eval('x.to_csv(\"left\")')",
    "~ compile('1', 'left', 'exec')",
    "~ getattr(x, 'to_csv')('left')",
    "~ log(x)(x)",
    "~ (log)(x)",
    "~ I((log)(x))",
    "~ `log`(x)",
    "~ I(`open`('left', 'w'))",
    "~ np.save('left', x)",
    "~ np.log(x)",
    "~ I(np.log(x))",
    "~ I(x.values)",
    "~ I(x.apply(open))",
    "~ I(x[0])",
    "~ I(x[x > 1])",
    "~ x[0]",
    "~ [x ~ cell]",
    "~ I(lambda: x)",
    "~ I({y for y in x})",
    "~ I([x for x in x])",
    "~ I(x := x)",
    "~ I((lambda x: x)(x))",
    "~ I(x if x else x)",
    "~ I(x and x)",
    "~ I(not x)",
    "~ I(x in x)",
    "~ I(x == x == x)",
    "~ I(x, out=x)",
    "~ log(x, x)",
    "~ log(x, out=x)",
    "~ exp(x, where=x)",
    "~ log(*x)",
    "~ log(**x)",
    "~ log()",
    "~ poly(x=x)",
    "~ poly(x, 10**9)",
    "~ poly(x, 1000000000)",
    "~ poly(x, 2.5)",
    "~ poly(x, -1)",
    "~ poly(x, degree=open('left', 'w'))",
    "~ poly(x, 2, _state={})",
    "~ poly(x, 2, _context=x)",
    "~ bs(x, df=10**9)",
    "~ bs(x, df=1000000000)",
    "~ bs(x, knots=[0] * 1000000000)",
    "~ bs(x, knots=x)",
    "~ bs(x, extrapolation='touch left')",
    "~ bs(x, extrapolation=f'{x}')",
    "~ cr(x, df=4, constraints='x[1] = 2')",
    "~ cr(x, df=4, cyclic=1)",
    "~ cc(x, 10**9)",
    "~ scale(x, center=open('left', 'w'))",
    "~ scale(x, ddof='1')",
    "~ hashed(cell)",
    "~ lag(x)",
    "~ Q('x')",
    "~ contr.treatment('a')",
    "~ I(C(cell))",
    "~ I('text')",
    "~ I(cell == 'it\\'s')",
    '~ I(cell == \') + __import__("os").system("touch left") + I(cell == \')',
    "~ I(cell == '`x`')",
    "~ I(cell == f'{open(1)}')",
    "~ I(cell == 'a' 'b\\x60')",
    "~ I('\\' == 'x)",
    '~ I(cell * 3 == "a\\x00")',
    "~ I(True)",
    "~ I(3)",
    "~ log(10)",
    "~ I(x + ...)",
    "~ I(x @ x)",
    "~ I(x // 2)",
    "~ I(~x)",
    "~ I(x; x)",
    "~ I(x) ; import os",
    "~ cell\x00",
    "~ ce\u200bll",
    "~ cell + x = 3",
    "~ cell == 'a'",
    "~ 'x'",
    '~ cell + "x"',
    "~ cell $ x",
    "~ cell @ x",
    "~ cell & x",
    "~ cell ~ x",
    "~ cell x",
    "~ I(x x)",
    "~ I(" + "+".join(["x"] * 1000) + ")",
    "~ I(" + "-" * 9000 + "x)",
    "~ I(" + "(" * 4000 + "x" + ")" * 4001,
    "~ I(x + " + "9" * 400 + ")",
    "~ I(x + " + "9" * 5000 + ")",
]

# Not programs, but what takes memory or time, or only looks like one: each has a message of its own.
OTHERS = {
    "~ __builtins__": "not a column",
    "~ np": "not a column",
    "~ x.values": "not a column",
    "~ I(np)": "not a column",
    "~ I(__name__)": "not a column",
    "~ I(1j * x)": "not a column",
    "~ log(exp)": "not a column",
    "~ I(cell == b'a')": "not a column",
    "~ I(y := x)": "not a column",
    "~ I(y for y in x)": "not a column",
    "~ I([y for y in x])": "not a column",
    "~ I((lambda y: y)(x))": "not a column",
    "~ C(open('left', 'w'))": r"only 'C\(column\)'",
    "~ C(cell, contr.sum)": r"only 'C\(column\)'",
    "~ C(cell, levels=['a'])": r"only 'C\(column\)'",
    "~ (cell + x + log + lambda)^0": "the power is not",
    "~ (cell + x)^(x)": "the power is not",
    "~ (cell + x)^1e9": "the power is not",
    "~ cell^-1": "the power is not",
    "~ .": "name the variables",
    "~ cell | x": "outside of parentheses",
    "~ (1 | open('left'))": "not known",
    "~ (open('left') | cell)": "not known",
    "~ (1 | __import__('os').x)": "not known",
    "~ (1 | cell) + " + "(" * 3000 + "x" + ")" * 3000: "nested parentheses",
    "~ (1 | " + "(" * 3000 + "cell" + ")" * 3000 + ")": "nested parentheses",
    "~ (1 | cell) + " + "x + " * 3000 + "x": "too long",
    "~ (1 | cell": "parentheses do not match",
    "~ cell %in% x": "write 'a:b'",
    "~ cell %o% x": "a '%' operator",
    "x ~ cell": "left-hand side",
    "~ 2": "only 0 and 1",
    "~ cell + 9**9**9": "multiplies by '9'",
    "~ I(x": "parentheses do not match",
    "~ I(x))": "parentheses do not match",
    "~ (cell": "parentheses do not match",
    "~" + "(" * 3000 + "x" + ")" * 3000: "nested parentheses",
    "~ " + "x + " * 3000 + "x": "too long",
    "~ (" + " + ".join(f"`{i}`" for i in range(40)) + ")^20": "more than 1000 terms",
    "": "empty",
}


@pytest.mark.filterwarnings("error")
def test_programs_are_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(PROGRAMS) >= 60
    for formula in PROGRAMS:
        with pytest.raises(FormulaError) as caught:
            build_design(formula, SHEET)
        message = str(caught.value)
        assert "'C', 'I', 'abs', 'bs'" in message, formula
        assert "as a column of the sample sheet" in message
        assert message.isprintable()
        assert len(message) < 1000
    assert list(tmp_path.iterdir()) == []


def test_costly_and_unreadable_formulas_have_messages_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sheet = SHEET.assign(**{str(i): np.arange(4.0) for i in range(40)})
    for formula, message in OTHERS.items():
        with pytest.raises(FormulaError, match=message):
            build_design(formula, sheet)
    for wrong in (None, 3, b"~ cell"):
        with pytest.raises(FormulaError, match="must be text"):
            parse_formula(wrong, SHEET.columns)
    assert list(tmp_path.iterdir()) == []


def test_every_argument_refuses_programs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dds = cn.make_example_dataset(n=30, m=6)
    counts, samples = dds.counts(), dds.samples
    before = {"counts.csv", "samples.csv"}
    counts.to_csv("counts.csv")
    samples.to_csv("samples.csv")
    for program in ("~ condition + np.f2py.os.system('touch left')", "~ I(condition.to_csv('left'))"):
        ways = [
            lambda text: cn.DESeqDataSet(counts, samples, design=text),
            lambda text: cn.DESeqDataSet(counts, samples, design=dds.design.matrix, same_as=text),
            lambda text: dds.deseq(test="LRT", reduced=text, quiet=True),
        ]
        for way in ways:
            with pytest.raises(FormulaError, match="the functions 'C', 'I'"):
                way(program)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_the_shell_refuses_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    dds = cn.make_example_dataset(n=30, m=6)
    dds.counts().to_csv("counts.csv")
    dds.samples.to_csv("samples.csv")
    program = "~ condition + np.f2py.os.system('touch left')"
    for options in (["--design", program], ["--design", "~ condition", "--test", "LRT", "--reduced", program]):
        with pytest.raises(SystemExit) as caught:
            main(["run", "--counts", "counts.csv", "--samples", "samples.csv", "--out", "out", *options])
        assert caught.value.code != 0
        assert "the functions 'C', 'I'" in capsys.readouterr().err
    assert not (tmp_path / "left").exists()


def test_queries_are_read_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dds = cn.make_example_dataset(n=30, m=6)
    for text in (
        "condition[__import__('os').system('touch left')]",
        "condition[B - A] | x=open('left', 'w')",
        "slope(__import__('os').system('touch left'))",
        "np.f2py.os.system('touch left')",
        "mean(" * 2000 + "condition[B - A]" + ")" * 2000,
        "condition['" + "B" * 5000,
        "condition[B - A]" * 2000,
        "condition[B\x00 - A]",
    ):
        with pytest.raises(CountnestError):
            dds.query(text)
    assert list(tmp_path.iterdir()) == []


def test_columns_may_be_called_like_functions_and_like_code():
    code = "__import__('os').system('touch left')"
    for formula, column in (
        ("~ log(log)", "log"),
        ("~ I(lambda * 2)", "lambda"),
        (f"~ sqrt(`{code}`)", code),
        ("~ abs(open)", "open"),
    ):
        parsed = parse_formula(formula, SHEET.columns)
        assert parsed.variables == (column,)
        (expression,) = parsed.expressions.values()
        assert list(expression.columns) == ["x0_"]
        assert np.isfinite(learn_expression(expression, SHEET).values).all()
    assert parse_formula(f"~ `{code}`", SHEET.columns).terms == ((code,),)


def test_arithmetic_of_large_numbers_ends():
    for formula in ("~ I(x * 9**9**9)", "~ I(9**9**9**x)", "~ I(x**9**9**9)", "~ I(x + 10.0**308 * 100)"):
        with pytest.raises(cn.errors.DesignError, match=r"cannot be computed|missing or infinite"):
            build_design(formula, SHEET)
    with pytest.raises(FormulaError, match="cannot be computed"):
        build_design("~ I(cell * 1000000000)", SHEET)
    with pytest.raises(FormulaError, match="cannot be computed: the values are complex"):
        build_design("~ I(x * (0 - 8)**(1/3))", SHEET)


def test_the_documentation_names_every_function():
    page = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    listed = page[page.index("**Designs**") : page.index("**Comparisons**")]
    assert [name for name in KNOWN_FUNCTIONS if f"`{name}`" not in listed] == []


def test_options_of_functions():
    rows = {
        "~ poly(x, degree=2)": 2,
        "~ poly(x, 2, raw=True)": 2,
        "~ poly(x, 2, TRUE)": 2,
        "~ bs(x, df=4, degree=2)": 4,
        "~ bs(x, knots=[2, 3.5], lower_bound=-1, upper_bound=9)": 5,
        "~ bs(x, extrapolation='extend')": 3,
        "~ cr(x, 3, constraints='center')": 3,
        "~ cc(x, df=3)": 3,
        "~ scale(x, center=False)": 1,
        "~ scale(x, TRUE, scale=2.5)": 1,
        "~ exp10(x)": 1,
        "~ I(cell == 'a')": 1,
        "~ I((x > 2) * x)": 1,
    }
    for formula, columns in rows.items():
        (expression,) = parse_formula(formula, SHEET.columns).expressions.values()
        assert learn_expression(expression, SHEET).values.shape == (4, columns), formula
    (expression,) = parse_formula("~ exp10(x)", SHEET.columns).expressions.values()
    np.testing.assert_array_equal(learn_expression(expression, SHEET).values[:, 0], 10.0 ** SHEET["x"])
