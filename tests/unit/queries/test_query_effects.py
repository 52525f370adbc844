import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from countnest.errors import ContrastError, CountnestWarning, StratumError
from countnest.queries.effects import cell, effect, interaction, means
from countnest.queries.strata import between_message, refuse_between
from countnest.remedies import in_the_shell
from unit.design.studies import NESTED, SIMPLE, design, families, sheet


def named(query):
    """Return the non-zero weights of the first row."""
    columns = query.design.columns
    return {name: pytest.approx(w) for name, w in zip(columns, query.matrix[0], strict=True) if w}


GAP = sheet(a=list("xxxxyyzzzz"), b=list("ppqqppppqq"))


def test_crossed_factors_have_equal_weights():
    frame = sheet(a=list("xxxxyyzzzz"), b=list("pqqqpqpqqq"))
    crossed = design("~ a*b", frame)
    assert named(effect(crossed, "b")) == {"bq": 1, "ay:bq": 1 / 3, "az:bq": 1 / 3}
    assert named(effect(crossed, "b", weights="proportional")) == {"bq": 1, "ay:bq": 0.2, "az:bq": 0.4}
    assert named(effect(crossed, "b", weights={"a": {"x": 3, "y": 1}})) == {"bq": 1, "ay:bq": 0.25}
    assert named(effect(crossed, "b", at={"a": "y"})) == {"bq": 1, "ay:bq": 1}


def test_nested_factors_are_averaged_within_their_parents():
    for formula in (SIMPLE, NESTED):
        query = effect(design(formula), "group", at={"treat": "None"})
        assert query.labels == ("group[B - A] | treat=None",)
        vector = query.vector(design(SIMPLE))[0]
        expected = {"familyf2": -1 / 3, "familyf3": -1 / 3, "familyf4": 1 / 2, "familyf5": 1 / 2}
        columns = design(SIMPLE).columns
        assert {n: pytest.approx(w) for n, w in zip(columns, vector, strict=True) if w} == expected
        assert query.stratum == "between"


def test_weights_of_nested_factors():
    simple = design(SIMPLE)
    query = effect(simple, "group", at={"treat": "None"}, weights={"family": {"f1": 1, "f4": 1, "f5": 3}})
    assert named(query) == {"familyf4": 0.25, "familyf5": 0.75}
    with pytest.raises(ContrastError, match="cannot be estimated"):
        effect(simple, "group", weights={"family": {"f1": 1}})


def test_labels_and_named_cells():
    query = effect(design(SIMPLE), "treat", by="group")
    assert query.labels == ("treat[E - None] | group=A", "treat[E - None] | group=B")
    assert [(c.levels, c.weight) for c in query.cells[1]] == [
        ((("group", "B"), ("treat", "E")), 1.0), ((("group", "B"), ("treat", "None")), -1.0),
    ]  # fmt: skip
    assert query.informative_samples.tolist() == [[True] * 6 + [False] * 4, [False] * 6 + [True] * 4]
    assert query.stratum == "within"


def test_default_is_each_level_against_the_reference():
    frame = sheet(a=list("xyzxyz"), b=list("pppqqq"))
    assert effect(design("~ a + b", frame), "a").labels == ("a[y - x]", "a[z - x]")
    assert effect(design("~ a + b", frame), "a", levels="consecutive").labels == ("a[y - x]", "a[z - y]")
    assert effect(design("~ a + b", frame), "a").stratum == "none"


def test_interactions():
    simple = design(SIMPLE)
    query = interaction(simple, treat=("E", "None"), group="pairwise")
    assert query.labels == ("treat[E - None] : group[B - A]",)
    assert named(query) == {"groupB:treatE": 1}
    assert sorted(c.weight for c in query.cells[0]) == [-1, -1, 1, 1]
    with pytest.raises(ContrastError, match="needs comparisons of two or more variables"):
        interaction(simple, treat="reference")


def test_an_interaction_that_the_model_lacks():
    plain = design("~ family + treat + group")
    with pytest.raises(ContrastError, match="has no treat:group term, so this difference is 0 by assumption"):
        interaction(plain, treat="reference", group="reference")
    with pytest.raises(ContrastError, match="no treat:age term"):
        interaction(design("~ treat + age"), treat="reference", age="slope")


def test_levels_across_parents_are_refused():
    simple = design(SIMPLE)
    with pytest.raises(
        ContrastError, match=r"'f4' occurs only with group=B, 'f1' occurs only with group=A.*confounded"
    ):
        effect(simple, "family", levels=("f4", "f1"))
    with pytest.raises(ContrastError, match="across levels of 'group'"):
        effect(simple, "family", levels="pairwise")
    assert named(effect(simple, "family", levels=("f3", "f2"))) == {"familyf3": 1, "familyf2": -1}
    assert effect(simple, "family", by="group").labels == (
        "family[f2 - f1] | group=A", "family[f3 - f1] | group=A", "family[f5 - f4] | group=B",
    )  # fmt: skip
    assert len(effect(simple, "family", levels="pairwise", at={"group": "A"})) == 3
    assert effect(simple, "family", levels=("f3", "f2")).stratum == "within"


def test_numbered_individuals_of_different_groups_are_blocks():
    nested = design(NESTED)
    trap = cell(nested, group="B", ind="1") - cell(nested, group="A", ind="1")
    assert trap.stratum == "between"
    assert effect(nested, "ind", levels=("2", "1"), at={"group": "A"}).stratum == "within"


def test_empty_cells_are_named():
    gap = design("~ a*b", GAP)
    for query in (
        lambda: effect(gap, "b", at={"a": "y"}),
        lambda: effect(gap, "a", levels=("y", "x")),
        lambda: interaction(gap, a=("y", "x"), b="reference"),
        lambda: cell(gap, a="y", b="q"),
    ):
        with pytest.raises(ContrastError, match=r"no samples with '?(a=y, b=q|b=q, a=y)"):
            query()
    with pytest.warns(CountnestWarning, match=r"'b\[q - p\] \| a=y' cannot be estimated and is left out: no samples"):
        assert effect(gap, "b", by="a").labels == ("b[q - p] | a=x", "b[q - p] | a=z")


def test_an_empty_cell_that_the_model_fills():
    assert named(effect(design("~ a + b", GAP), "b", at={"a": "y"})) == {"bq": 1}


def test_contradictory_cells():
    simple = design(SIMPLE)
    with pytest.raises(ContrastError, match="no samples with family=f1, group=B"):
        cell(simple, family="f1", group="B")
    with pytest.raises(ContrastError, match="cannot be estimated: no samples with"):
        effect(simple, "group", levels=("B", "A"), at={"family": "f1"})
    with pytest.raises(ContrastError, match="only 'A' occurs there"):
        effect(simple, "group", at={"family": "f1"})


def test_numbers():
    crossed = design("~ group*age")
    assert named(effect(crossed, "age", by="group")) == {"age": 1}
    assert named(effect(crossed, "age", at={"group": "B"})) == {"age": 1, "groupB:age": 1}
    sd = crossed.sheet["age"].std()
    assert named(effect(crossed, "age", at={"group": "A"}, per="sd")) == {"age": sd}
    assert named(effect(crossed, "age", at={"group": "A"}, per=10)) == {"age": 10}
    query = effect(crossed, "age", at={"group": "A"}, from_=1, to=3.5)
    assert named(query) == {"age": 2.5}
    assert query.labels == ("age[3.5 - 1] | group=A",)
    assert named(effect(crossed, "group", at={"age": 2})) == {"groupB": 1, "groupB:age": 2}
    assert named(effect(crossed, "group")) == {"groupB": 1, "groupB:age": crossed.sheet["age"].mean()}
    assert named(interaction(crossed, group="reference", age="slope")) == {"groupB:age": 1}
    assert named(interaction(crossed, group="reference", age=(3, 1))) == {"groupB:age": 2}


def test_the_grand_mean():
    assert cell(design("~ 1")).explain().splitlines()[1:3] == [
        "  is the weighted sum of log means of 1 cell:", "    +1  all samples  (10 samples)",
    ]  # fmt: skip


def test_slopes_are_not_called_means():
    crossed = design("~ group * age")
    cases = {
        "changes with age of the log means of 1 cell:": effect(crossed, "age", at={"group": "A"}),
        "changes with age of the log means of 2 cells:": interaction(crossed, group="reference", age=(3, 1)),
        "sum of log means of 2 cells:": effect(crossed, "group", at={"age": 2}),
    }
    for line, query in cases.items():
        assert line in query.explain()
    assert "age at its mean" not in interaction(crossed, group="reference", age=(3, 1)).explain()
    assert "age at its mean" in effect(crossed, "group").explain()


def test_an_effect_that_is_zero_by_assumption():
    with pytest.raises(ContrastError, match=r"group\[B - A\] \| age=0: this difference is 0 by assumption"):
        effect(design("~ group:age"), "group", at={"age": 0})


def test_slopes_of_curves():
    curve = design("~ group + age + I(age^2) + I(age^3)")
    query = effect(curve, "age", at={"age": 0.5})
    assert query.labels == ("slope(age) | age=0.5",)
    np.testing.assert_allclose(query.matrix[0], [0, 0, 1, 1, 0.75], atol=1e-11)
    log = design("~ log(age + 3)")
    np.testing.assert_allclose(effect(log, "age", at={"age": 1}).matrix, [[0, 0.25]], atol=1e-9)


def test_means_and_cells():
    crossed = design("~ group*treat")
    found = means(crossed, ["group", "treat"])
    assert found.labels[:2] == ("mean | group=A, treat=None", "mean | group=A, treat=E")
    np.testing.assert_allclose(found.matrix, [[1, 0, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], atol=1e-12)
    assert cell(crossed, group="B", treat="E").labels == ("cell(group=B, treat=E)",)
    assert means(design(SIMPLE), "family").labels[0] == "mean | family=f1"
    assert means(design(SIMPLE), "group").stratum == "between"


def test_a_covariate_of_families_is_between():
    assert effect(design("~ family + age + treat"), "age").stratum == "none"
    both = design("~ family + group + age")
    assert effect(both, "age").stratum == "within"


@each(
    ("ask", "message"),
    [
        (lambda d: effect(d, "trat"), "'trat' is not in the design.*Did you mean 'treat'"),
        (lambda d: effect(d, "age"), "It is a column of the sample sheet, but the design does not use it"),
        (lambda d: effect(d, "treat", levels=("E", "F")), "'F' is not a level of 'treat'"),
        (lambda d: effect(d, "treat", by="treat"), "cannot also be held fixed"),
        (lambda d: effect(d, "treat", at={"treat": "E"}), "cannot also be held fixed"),
        (lambda d: effect(d, "treat", by="group", at={"group": "A"}), "in both 'by' and 'at'"),
        (lambda d: effect(d, "treat", at={"group": "C"}), "'C' is not a level of 'group'"),
        (lambda d: effect(d, "treat", per="sd"), "'treat' is a factor; 'per'"),
        (lambda d: effect(d, "treat", weights="equl"), "weights='equl' is not known"),
        (lambda d: effect(d, "treat", weights={"group": {"A": -1}}), "must be positive numbers or zero"),
        (lambda d: effect(d, "treat", weights={"grp": {"A": 1}}), "Did you mean 'group'"),
        (lambda d: effect(d, "treat", weights={"group": 1}), "use 'equal', 'proportional' or a dict"),
        (lambda d: cell(d, group="Z"), "'Z' is not a level"),
    ],
)
def test_refusals(ask, message):
    with pytest.raises(ContrastError, match=message):
        ask(design(SIMPLE))


@each(
    ("ask", "message"),
    [
        (lambda d: effect(d, "age", levels=(1, 2)), "is a number, so it has no levels"),
        (lambda d: effect(d, "age", from_=1), "give either 'per', or both 'from_' and 'to'"),
        (lambda d: effect(d, "age", from_=1, to=1), "is zero"),
        (lambda d: effect(d, "age", per="kg"), "per='kg'"),
        (lambda d: effect(d, "group", by="age"), "it is a number, not a factor"),
        (lambda d: effect(d, "group", at={"age": "old"}), "'age' is a number"),
        (lambda d: interaction(d, group="reference", age="reference"), "use 'slope', 'sd' or a pair"),
        (lambda d: effect(d, "group", weights={"age": {1: 1}}), "it is not a factor"),
    ],
)
def test_refusals_about_numbers(ask, message):
    with pytest.raises(ContrastError, match=message):
        ask(design("~ group*age"))


def test_a_matrix_has_no_cells():
    with pytest.raises(ContrastError, match="a model matrix was given as the design, so its cells are not known"):
        effect(design(np.eye(10)[:, :3]), "treat")


def test_the_guard():
    simple = design(SIMPLE)
    refuse_between(simple, effect(simple, "treat").between())
    with pytest.raises(StratumError) as caught:
        refuse_between(simple, effect(simple, "group").between())
    text = str(caught.value)
    assert "'group[B - A]' compares blocks, the levels of 'family'" in text
    assert "'group' differs between blocks" in text
    assert "allow_fixed_blocks=True" in text
    assert "answers it: mixed = cn.lmm(dds.with_design('~ group*treat + (1 | family)')), then" in text
    matrix = design(simple.matrix, same_as=SIMPLE)
    assert "cn.lmm(dds), with a design that has the blocks as a random term" in between_message(matrix, ["group"])
    with in_the_shell():
        shown = between_message(simple, ["group"])
        assert "answers it: --method mixed" in shown
        assert "--design '~ group*treat + (1 | family)'." in shown
    assert effect(simple, "group").between(modelled=["family"]) == ()


QUESTIONS = {
    "treat by group": lambda d: effect(d, "treat", by="group"),
    "interaction": lambda d: interaction(d, treat="reference", group="reference"),
    "group": lambda d: effect(d, "group"),
    "means": lambda d: means(d, ["group", "treat"]),
    "weighted": lambda d: effect(d, "treat", weights="proportional"),
}
SPELLINGS = [
    SIMPLE, NESTED, "~ group/family + group:treat", "~ group*treat + family", "~ 0 + family + group:treat",
    "~ treat/group + group:ind",
]  # fmt: skip


def predicted(query):
    """Return the weights of the linear predictors of the samples, which do not depend on the coding."""
    return query.matrix @ np.linalg.pinv(query.design.matrix)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_spelling_asks_the_same(name):
    expected = QUESTIONS[name](design(SIMPLE))
    for formula in SPELLINGS:
        query = QUESTIONS[name](design(formula))
        np.testing.assert_allclose(predicted(query), predicted(expected), atol=1e-12, err_msg=formula)
        assert query.stratum == expected.stratum, formula
        assert query.labels == expected.labels
        assert query.cells == expected.cells


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(10)), name=st.sampled_from(list(QUESTIONS)), formula=st.sampled_from(SPELLINGS))
def test_the_order_of_the_samples_does_not_matter(order, name, formula):
    first = QUESTIONS[name](design(formula))
    second = QUESTIONS[name](design(formula, families().iloc[order]))
    np.testing.assert_allclose(predicted(second), predicted(first)[:, order], atol=1e-12)
    assert second.stratum == first.stratum


@settings(max_examples=25, deadline=None)
@given(names=st.permutations(["f1", "f2", "f3", "f4", "f5"]), name=st.sampled_from(list(QUESTIONS)))
def test_the_labels_of_families_do_not_matter(names, name):
    frame = families()
    renamed = frame.assign(family=frame["family"].map(dict(zip(["f1", "f2", "f3", "f4", "f5"], names, strict=True))))
    first, second = (QUESTIONS[name](design(SIMPLE, each)) for each in (frame, renamed))
    np.testing.assert_allclose(predicted(second), predicted(first), atol=1e-12)
