import numpy as np
import pandas as pd
import pytest

from cases import each
from countnest.design.build import build_design
from countnest.design.prior_design import expanded_design
from countnest.errors import ContrastError
from countnest.queries.coefficients import coefficients
from countnest.queries.contrasts import contrast_query, default_contrast
from countnest.queries.effects import effect
from countnest.queries.empty_cells import compared_samples
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
    (row,) = contrast_query(design, *args, **kwargs).matrix.tolist()
    return row


def zero_samples(query):
    """The samples whose counts decide that the fold change is 0; None: the rule does not apply."""
    (samples,) = compared_samples(query)
    return samples.tolist() if samples.any() else None


def test_default_is_the_last_coefficient():
    found = default_contrast(FACTORIAL)
    assert found.matrix[0].tolist() == [0, 0, 0, 0, 0, 1]
    assert found.labels[0] == "genotypeIII.conditionB"
    assert zero_samples(found) is None
    found = contrast_query(PLAIN)
    assert found.matrix[0].tolist() == [0, 0, 0, 1]
    assert found.labels[0] == "genotype III vs I"


def test_default_without_intercept_compares_last_and_first_level():
    found = contrast_query(CELLS)
    assert found.matrix[0].tolist() == [0, 0, 0, 1]
    assert found.labels[0] == "condition B vs A"
    found = contrast_query(build_design("~ 0 + age + genotype", SHEET))
    assert found.matrix[0].tolist() == [0, -1, 0, 1]
    assert found.labels[0] == "genotype III vs I"
    found = contrast_query(build_design("~ 0 + genotype + age", SHEET))
    assert found.matrix[0].tolist() == [0, 0, 0, 1]
    assert found.labels[0] == "age"
    assert vector(build_design("~ 0 + genotype + genotype:age", SHEET)) == [0, 0, 0, 0, 0, 1]
    assert vector(build_design("~ 0 + genotype:condition", SHEET)) == [0, 0, 0, 0, 0, 1]


def test_default_of_a_matrix_and_of_an_intercept():
    assert vector(MATRIX) == [0, 0, 0, 0, 0, 1]
    assert contrast_query(build_design("~ 1", SHEET)).labels[0] == "Intercept"


@pytest.mark.parametrize(
    ("levels", "weights"),
    [(("II", "I"), [0, 1, 0]), (("I", "II"), [0, -1, 0]), (("III", "II"), [0, -1, 1])],
)
def test_triples(levels, weights):
    found = contrast_query(FACTORIAL, ("genotype", *levels))
    assert found.matrix[0].tolist() == [*weights, 0, 0, 0]
    assert found.labels[0] == f"genotype {levels[0]} vs {levels[1]}"
    assert zero_samples(found) == SHEET["genotype"].isin(levels).tolist()


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
    found = contrast_query(FACTORIAL, name=name)
    assert found.matrix[0].tolist() == [0, 1, 0, 0, 0, 0]
    assert found.labels[0] == "genotype II vs I"
    assert zero_samples(found) is None


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
@each(
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
    found = contrast_query(FACTORIAL, lists, list_values=values)
    np.testing.assert_allclose(found.matrix[0], weights)
    assert found.labels[0] == label


def test_zero_samples_of_lists_and_numbers():
    one_sided = contrast_query(FACTORIAL, [["condition_B_vs_A", "genotypeIII.conditionB"]])
    assert zero_samples(one_sided) is None
    both = contrast_query(FACTORIAL, (["genotypeIII.conditionB"], ["genotypeII.conditionB"]))
    touched = (SHEET["genotype"] != "I") & (SHEET["condition"] == "B")
    assert zero_samples(both) == touched.tolist()
    assert zero_samples(contrast_query(FACTORIAL, [0, 0, 0, 0, -1, 1])) == touched.tolist()
    assert zero_samples(contrast_query(FACTORIAL, [0, 0, 0, 0, 1, 1])) is None
    assert zero_samples(contrast_query(FACTORIAL, [0, 0, 0, 0, -1, -1])) is None


def test_numbers():
    found = contrast_query(FACTORIAL, np.array([0, 1 / 3, -0.5, -0.0, 0, 1]))
    np.testing.assert_allclose(found.matrix[0], [0, 1 / 3, -0.5, 0, 0, 1])
    assert found.labels[0] == "0,+0.333333333333333,-0.5,0,0,+1"
    assert vector(MATRIX, [0, 0, 0, 0, -1, 1]) == [0, 0, 0, 0, -1, 1]


def test_weights_are_those_that_were_given_to_the_last_bit():
    weights = np.random.default_rng(1).normal(size=6)
    query = contrast_query(FACTORIAL, weights)
    assert query.matrix[0].tolist() == query["".join(query.labels)].joint().matrix[0].tolist() == weights.tolist()
    np.testing.assert_allclose((query * 2).matrix[0], 2 * weights, rtol=1e-12)
    np.testing.assert_allclose(
        query.rows[0] @ np.linalg.pinv(FACTORIAL.full.matrix), query.matrix[0] @ np.linalg.pinv(FACTORIAL.matrix)
    )
    for size in (1e100, 1e-100):
        assert vector(FACTORIAL, [0, 0, 0, 0, 0, size]) == [0, 0, 0, 0, 0, size]


def test_numbers_with_names_are_matched():
    weights = pd.Series({"genotypeIII.conditionB": 1, "genotypeII:conditionB": -1})
    assert vector(FACTORIAL, weights) == [0, 0, 0, 0, -1, 1]
    assert vector(FACTORIAL, pd.Series([0, 0, 0, 0, -1.0, 1])) == [0, 0, 0, 0, -1, 1]
    with pytest.raises(ContrastError, match="'zz' is not a coefficient"):
        contrast_query(FACTORIAL, pd.Series({"zz": 1.0}))
    with pytest.raises(ContrastError, match="not a finite number"):
        contrast_query(FACTORIAL, pd.Series({"conditionB": "x"}))


def test_lists_of_a_matrix_design():
    assert vector(MATRIX, [["genotypeIII.conditionB"], ["genotypeII"]]) == [0, -1, 0, 0, 0, 1]


@each(
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
        contrast_query(FACTORIAL, contrast)


def test_other_errors():
    with pytest.raises(ContrastError, match="not both"):
        contrast_query(FACTORIAL, [0, 0, 0, 0, 0, 1], name="Intercept")
    with pytest.raises(
        ContrastError, match=r"'genotype_II_vs_J' is not a coefficient.*Did you mean 'genotype_II_vs_I'"
    ):
        contrast_query(FACTORIAL, name="genotype_II_vs_J")
    for name, pair in (("genotype_I_vs_II", "'I', 'II'"), ("genotype_III_vs_II", "'III', 'II'")):
        with pytest.raises(ContrastError, match=rf"contrast=\('genotype', {pair}\)\. The coefficients are") as caught:
            contrast_query(FACTORIAL, name=name)
        assert "Did you mean" not in str(caught.value)
    with pytest.raises(ContrastError, match=r"'age' is not a factor.*name='age'"):
        contrast_query(PLAIN, ("age", "1", "2"))
    with pytest.raises(
        ContrastError, match="only list- and numeric-type contrasts are supported for user-supplied model"
    ):
        contrast_query(MATRIX, ("condition", "B", "A"))
    for values in [(-1, 1), (1,), (1, np.inf), (1, 0), (1, -np.inf)]:
        with pytest.raises(ContrastError, match="first positive and the second negative"):
            contrast_query(FACTORIAL, [["conditionB"]], list_values=values)


@pytest.mark.parametrize("formula", ["~ genotype + genotype:condition", "~ genotype:condition"])
def test_a_factor_without_main_effect(formula):
    design = build_design(formula, SHEET)
    with pytest.raises(
        ContrastError,
        match=r"no main effect of 'condition'.*'condition_B_vs_A' to be present in results_n.*"
        r"Use dds\.effect\('condition', levels=\('B', 'A'\), by='genotype'\), or",
    ):
        contrast_query(design, ("condition", "B", "A"))
    with in_the_shell(), pytest.raises(ContrastError, match=r"Use --query 'condition\[B - A\] \| genotype', or"):
        contrast_query(design, ("condition", "B", "A"))


def test_a_query_is_not_a_contrast():
    design = build_design("~ genotype + condition", SHEET)
    with pytest.raises(ContrastError, match=r"query\.test\(\).*lfc_shrink\(query=query\)"):
        contrast_query(design, effect(design, "condition"))


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


def test_what_is_no_contrast_is_answered_with_what_takes_it():
    with pytest.raises(ContrastError, match=r"use dds\.query\('condition\[B - A\]'\)\.test\(\)"):
        contrast_query(FACTORIAL, "condition[B - A]")
    with pytest.raises(
        ContrastError, match=r"'conditionB' is a coefficient, which dds\.contrast\('conditionB'\) takes"
    ):
        parse_query(FACTORIAL, "conditionB")


def test_weights_of_lists_need_lists():
    for contrast, name in (
        (None, None),
        (None, FACTORIAL.names[-1]),
        ([0.0] * (len(FACTORIAL.names) - 1) + [1.0], None),
    ):
        with pytest.raises(ContrastError, match="no such lists are given"):
            contrast_query(FACTORIAL, contrast, name, list_values=(2.0, -1.0))
    with pytest.raises(ContrastError, match="no such lists are given"):
        coefficients(FACTORIAL, FACTORIAL.names[-1], list_values=(2.0, -1.0))
