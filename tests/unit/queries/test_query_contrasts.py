import numpy as np
import pandas as pd
import pytest

from countnest.design.build import build_design
from countnest.design.prior_design import expanded_design
from countnest.errors import ContrastError
from countnest.queries.coefficients import coefficients
from countnest.queries.contrasts import default_contrast, resolve_contrast
from countnest.queries.effects import effect
from countnest.queries.grammar import parse_query
from countnest.remedies import in_the_shell

SHEET = pd.DataFrame(
    {
        "genotype": [g for g in ("I", "II", "III") for _ in range(4)],
        "condition": ["A", "A", "B", "B"] * 3,
        "age": np.linspace(-1, 1, 12),
        "unused": list("pq") * 6,
    },
    index=[f"s{i}" for i in range(12)],
)
FACTORIAL = build_design("~ genotype * condition", SHEET)
PLAIN = build_design("~ age + genotype", SHEET)
CELLS = build_design("~ 0 + genotype + condition", SHEET)
MATRIX = build_design(pd.DataFrame(FACTORIAL.matrix, columns=FACTORIAL.columns, index=SHEET.index), SHEET)
# Intercept, genotype_II_vs_I, genotype_III_vs_I, condition_B_vs_A, genotypeII.conditionB, genotypeIII.conditionB


def vector(design, *args, **kwargs):
    return resolve_contrast(design, *args, **kwargs).vector.tolist()


def test_default_is_the_last_coefficient():
    found = default_contrast(FACTORIAL)
    assert found.vector.tolist() == [0, 0, 0, 0, 0, 1]
    assert found.label == "genotypeIII.conditionB"
    assert found.zero_samples is None
    found = resolve_contrast(PLAIN)
    assert found.vector.tolist() == [0, 0, 0, 1]
    assert found.label == "genotype III vs I"


def test_default_without_intercept_compares_last_and_first_level():
    found = resolve_contrast(CELLS)
    assert found.vector.tolist() == [0, 0, 0, 1]
    assert found.label == "condition B vs A"
    found = resolve_contrast(build_design("~ 0 + age + genotype", SHEET))
    assert found.vector.tolist() == [0, -1, 0, 1]
    assert found.label == "genotype III vs I"
    found = resolve_contrast(build_design("~ 0 + genotype + age", SHEET))
    assert found.vector.tolist() == [0, 0, 0, 1]
    assert found.label == "age"
    assert vector(build_design("~ 0 + genotype + genotype:age", SHEET)) == [0, 0, 0, 0, 0, 1]
    assert vector(build_design("~ 0 + genotype:condition", SHEET)) == [0, 0, 0, 0, 0, 1]


def test_default_of_a_matrix_and_of_an_intercept():
    assert vector(MATRIX) == [0, 0, 0, 0, 0, 1]
    assert resolve_contrast(build_design("~ 1", SHEET)).label == "Intercept"


@pytest.mark.parametrize(
    ("levels", "weights"),
    [(("II", "I"), [0, 1, 0]), (("I", "II"), [0, -1, 0]), (("III", "II"), [0, -1, 1])],
)
def test_triples(levels, weights):
    found = resolve_contrast(FACTORIAL, ("genotype", *levels))
    assert found.vector.tolist() == [*weights, 0, 0, 0]
    assert found.label == f"genotype {levels[0]} vs {levels[1]}"
    assert found.zero_samples.tolist() == SHEET["genotype"].isin(levels).tolist()


def test_triples_without_intercept():
    assert vector(CELLS, ["genotype", "III", "I"]) == [-1, 0, 1, 0]
    assert vector(CELLS, ["condition", "A", "B"]) == [0, 0, 0, -1]


def test_triples_of_numbers_and_bool():
    frame = pd.DataFrame({"dose": [1, 2, 1, 2, 10], "flag": [True, False, False, True, True]})
    design = build_design("~ C(dose) + flag", frame)
    assert vector(design, ("dose", 10, 2)) == [0, -1, 1, 0]
    assert vector(design, ("flag", False, True)) == [0, 0, 0, -1]


@pytest.mark.parametrize(
    "name",
    ["genotype_II_vs_I", "genotypeII", "genotype[T.II]"],
)
def test_names_in_three_spellings(name):
    found = resolve_contrast(FACTORIAL, name=name)
    assert found.vector.tolist() == [0, 1, 0, 0, 0, 0]
    assert found.label == "genotype II vs I"
    assert found.zero_samples is None


@pytest.mark.parametrize(
    "name",
    [
        "genotypeII.conditionB",
        "genotypeII:conditionB",
        "genotype[T.II]:condition[T.B]",
        "condition[T.B]:genotype[T.II]",
        "condition[B]:genotype[II]",
    ],
)
def test_names_of_interactions(name):
    assert vector(FACTORIAL, name=name) == [0, 0, 0, 0, 1, 0]


def test_names_of_the_intercept():
    assert vector(FACTORIAL, name="Intercept") == vector(FACTORIAL, name="(Intercept)") == [1, 0, 0, 0, 0, 0]


# Labels as DESeq2 prints them.
@pytest.mark.parametrize(
    ("lists", "values", "weights", "label"),
    [
        (
            (["genotypeIII.conditionB"], ["genotypeII.conditionB"]),
            (1, -1),
            [0, 0, 0, 0, -1, 1],
            "genotypeIII.conditionB vs genotypeII.conditionB",
        ),
        (
            [["condition_B_vs_A", "genotypeIII.conditionB"]],
            (1, -1),
            [0, 0, 0, 1, 0, 1],
            "condition_B_vs_A+genotypeIII.conditionB effect",
        ),
        (
            (["conditionB", "genotypeIII.conditionB"], ["genotype_II_vs_I"]),
            (0.5, -1),
            [0, -1, 0, 0.5, 0, 0.5],
            "0.5 condition_B_vs_A+genotypeIII.conditionB vs genotype_II_vs_I",
        ),
        (
            (["genotype_III_vs_I"], ["genotype_II_vs_I"]),
            (1 / 3, -0.25),
            [0, -0.25, 1 / 3, 0, 0, 0],
            "0.333 genotype_III_vs_I vs 0.25 genotype_II_vs_I",
        ),
        (([], ["genotype_II_vs_I"]), (1, -1), [0, -1, 0, 0, 0, 0], "-1 genotype_II_vs_I effect"),
        ([["conditionB", "condition_B_vs_A"]], (1, -1), [0, 0, 0, 1, 0, 0], "condition_B_vs_A effect"),
    ],
)
def test_lists(lists, values, weights, label):
    found = resolve_contrast(FACTORIAL, lists, list_values=values)
    np.testing.assert_allclose(found.vector, weights)
    assert found.label == label


def test_zero_samples_of_lists_and_numbers():
    one_sided = resolve_contrast(FACTORIAL, [["condition_B_vs_A", "genotypeIII.conditionB"]])
    assert one_sided.zero_samples is None
    both = resolve_contrast(FACTORIAL, (["genotypeIII.conditionB"], ["genotypeII.conditionB"]))
    touched = (SHEET["genotype"] != "I") & (SHEET["condition"] == "B")
    assert both.zero_samples.tolist() == touched.tolist()
    assert resolve_contrast(FACTORIAL, [0, 0, 0, 0, -1, 1]).zero_samples.tolist() == touched.tolist()
    assert resolve_contrast(FACTORIAL, [0, 0, 0, 0, 1, 1]).zero_samples is None
    assert resolve_contrast(FACTORIAL, [0, 0, 0, 0, -1, -1]).zero_samples is None


def test_numbers():
    found = resolve_contrast(FACTORIAL, np.array([0, 1 / 3, -0.5, -0.0, 0, 1]))
    np.testing.assert_allclose(found.vector, [0, 1 / 3, -0.5, 0, 0, 1])
    assert found.label == "0,+0.333333333333333,-0.5,0,0,+1"
    assert vector(MATRIX, [0, 0, 0, 0, -1, 1]) == [0, 0, 0, 0, -1, 1]


def test_numbers_with_names_are_matched():
    weights = pd.Series({"genotypeIII.conditionB": 1, "genotypeII:conditionB": -1})
    assert vector(FACTORIAL, weights) == [0, 0, 0, 0, -1, 1]
    assert vector(FACTORIAL, pd.Series([0, 0, 0, 0, -1.0, 1])) == [0, 0, 0, 0, -1, 1]
    with pytest.raises(ContrastError, match="'zz' is not a coefficient"):
        resolve_contrast(FACTORIAL, pd.Series({"zz": 1.0}))
    with pytest.raises(ContrastError, match="not a finite number"):
        resolve_contrast(FACTORIAL, pd.Series({"conditionB": "x"}))


def test_lists_of_a_matrix_design():
    assert vector(MATRIX, [["genotypeIII.conditionB"], ["genotypeII"]]) == [0, -1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        (("genotpe", "II", "I"), r"'genotpe' is not in the design.*Did you mean 'genotype'"),
        (
            ("unused", "p", "q"),
            r"'unused' is not in the design.*column of the sample sheet, but the design does not use",
        ),
        (("genotype", "IV", "I"), r"'IV' is not a level of 'genotype'.*levels are 'I', 'II', 'III'"),
        (("condition", "b", "A"), r"Did you mean 'B'"),
        (("genotype", "II", "II"), "different levels"),
        (("genotype", "II"), r"has the form \(factor, numerator level, denominator level\)"),
        (("genotype", ["II"], ["I"]), "cannot be understood"),
        ("genotype", "single string; use name='genotype'"),
        ([0, 1], r"should have one element for every element of results_names\(\): 6 numbers"),
        (np.ones((6, 1)), "should have one element"),
        (np.zeros(6), "only zeros"),
        ([0, 0, 0, 0, np.nan, 1], "missing or infinite"),
        ([0, 0, 0, 0, np.inf, 1], "missing or infinite"),
        ([0, 0, 0, 0, None, "x"], "cannot be understood"),
        (object(), "cannot be understood"),
        ([], "should have one element"),
        ([["conditionX"]], r"'conditionX' is not a coefficient.*elements of results_names\(\).*'Intercept'"),
        ((["conditionB"], ["condition_B_vs_A"]), "should only appear in the numerator or the denominator"),
        (([], []), "lists of the contrast are empty"),
        ((["conditionB"], [], []), "3 lists of names"),
    ],
)
def test_contrast_errors(contrast, message):
    with pytest.raises(ContrastError, match=message):
        resolve_contrast(FACTORIAL, contrast)


def test_other_errors():
    with pytest.raises(ContrastError, match="not both"):
        resolve_contrast(FACTORIAL, [0, 0, 0, 0, 0, 1], name="Intercept")
    with pytest.raises(
        ContrastError, match=r"'genotype_II_vs_J' is not a coefficient.*Did you mean 'genotype_II_vs_I'"
    ):
        resolve_contrast(FACTORIAL, name="genotype_II_vs_J")
    for name, pair in (("genotype_I_vs_II", "'I', 'II'"), ("genotype_III_vs_II", "'III', 'II'")):
        with pytest.raises(ContrastError, match=rf"contrast=\('genotype', {pair}\)\. The coefficients are") as caught:
            resolve_contrast(FACTORIAL, name=name)
        assert "Did you mean" not in str(caught.value)
    with pytest.raises(ContrastError, match=r"'age' is not a factor.*name='age'"):
        resolve_contrast(PLAIN, ("age", "1", "2"))
    with pytest.raises(
        ContrastError, match="only list- and numeric-type contrasts are supported for user-supplied model"
    ):
        resolve_contrast(MATRIX, ("condition", "B", "A"))
    for values in [(-1, 1), (1,), (1, np.inf), (1, 0), (1, -np.inf)]:
        with pytest.raises(ContrastError, match="first positive and the second negative"):
            resolve_contrast(FACTORIAL, [["conditionB"]], list_values=values)


@pytest.mark.parametrize("formula", ["~ genotype + genotype:condition", "~ genotype:condition"])
def test_a_factor_without_main_effect(formula):
    design = build_design(formula, SHEET)
    with pytest.raises(
        ContrastError,
        match=r"no main effect of 'condition'.*'condition_B_vs_A' to be present in results_n.*"
        r"Ask dds\.effect\('condition', levels=\('B', 'A'\), by='genotype'\), or",
    ):
        resolve_contrast(design, ("condition", "B", "A"))
    with in_the_shell(), pytest.raises(ContrastError, match=r"Ask --query 'condition\[B - A\] \| genotype', or"):
        resolve_contrast(design, ("condition", "B", "A"))


def test_a_question_is_no_contrast():
    design = build_design("~ genotype + condition", SHEET)
    with pytest.raises(ContrastError, match=r"query\.test\(\).*lfc_shrink\(query=query\)"):
        resolve_contrast(design, effect(design, "condition"))


def test_truth_values_may_be_written_in_any_way():
    for column in ([False, True] * 6, ["False", "True"] * 6):
        design = build_design("~ genotype + flag", SHEET.assign(flag=column))
        for high, low in (("True", "False"), ("TRUE", "FALSE"), (True, False)):
            assert vector(design, ("flag", high, low)) == [0, 0, 0, 1]
            assert vector(design, ("flag", low, high)) == [0, 0, 0, -1]
            assert effect(design, "flag", levels=(high, low)).matrix.tolist() == [[0, 0, 0, 1]]
            assert effect(design, "genotype", at={"flag": high}).matrix.shape == (2, 4)
            assert effect(design, "flag", levels={high: 1, low: -1}).matrix.tolist() == [[0, 0, 0, 1]]
            assert parse_query(design, f"flag[{high} - {low}]").matrix.tolist() == [[0, 0, 0, 1]]
            assert parse_query(design, f"genotype[II - I] | flag={high}").matrix.tolist() == [[0, 1, 0, 0]]


def test_levels_that_differ_in_a_sign_are_compared():
    for low, high in (("CD4-", "CD4+"), ("<50", ">50"), ("-", "+"), ("-/-", "+/+")):
        design = build_design("~ genotype * g", SHEET.assign(g=[low, high] * 6), reference={"g": low})
        assert len(set(design.names)) == len(design.names)
        assert vector(design, ("g", high, low)) == [0, 0, 0, 1, 0, 0]
        assert vector(design, name=design.names[3]) == [0, 0, 0, 1, 0, 0]
        assert vector(design, name=f"g{high}") == [0, 0, 0, 1, 0, 0]
        assert vector(design, ([design.names[4]],)) == [0, 0, 0, 0, 1, 0]
        assert parse_query(design, f"g[{high} - {low}] | genotype=I").matrix.tolist() == [[0, 0, 0, 1, 0, 0]]
        assert coefficients(design, design.names[3]).matrix.tolist() == [[0, 0, 0, 1, 0, 0]]
    plain = build_design("~ g", SHEET.assign(g=["CD4-", "CD4+"] * 6), reference={"g": "CD4-"})
    assert plain.names == ("Intercept", "g_CD4plus_vs_CD4minus")
    wide = expanded_design(plain).design
    assert wide.names == ("Intercept", "gCD4minus", "gCD4plus")
