from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from countnest.errors import ContrastError, OptionError
from countnest.queries.coefficients import coefficients
from countnest.queries.effects import cell, effect, interaction
from countnest.queries.query import Query, stack
from countnest.stats.inference.lrt import row_basis
from unit.design.studies import NESTED, SIMPLE, design


@pytest.fixture(scope="module")
def simple():
    return design(SIMPLE)


@pytest.fixture(scope="module")
def by_group(simple):
    return effect(simple, "treat", by="group")


def test_rows_by_label_and_place(by_group):
    for key in ("treat[E - None] | group=B", "group=B", "B", 1, -1, np.int64(1)):
        assert by_group[key].labels == ("treat[E - None] | group=B",)
    assert by_group[["B", "A"]].labels == by_group.labels[::-1]
    assert by_group[:1].labels == by_group.labels[:1]
    assert [row.labels[0] for row in by_group] == list(by_group.labels)
    assert len(by_group) == 2
    assert "query of 2" in repr(by_group)


def test_unknown_rows(by_group):
    with pytest.raises(ContrastError, match="no row of the query is called 'group=C'"):
        by_group["group=C"]
    with pytest.raises(ContrastError, match="several rows of the query match 'E - None'"):
        by_group["E - None"]
    with pytest.raises(ContrastError, match="no row 2"):
        by_group[2]
    with pytest.raises(ContrastError, match="no row of the query was selected"):
        by_group[5:]


def test_arithmetic(by_group):
    a, b = by_group
    np.testing.assert_allclose((b - a).matrix, b.matrix - a.matrix, atol=1e-14)
    np.testing.assert_allclose(((a + b) / 2).matrix, (a.matrix + b.matrix) / 2, atol=1e-14)
    np.testing.assert_allclose((-a * np.float64(3)).matrix, -3 * a.matrix, atol=1e-14)
    np.testing.assert_allclose((np.float64(3) * a).matrix, 3 * a.matrix, atol=1e-14)
    np.testing.assert_allclose((by_group - a[0] * 2).matrix, by_group.matrix - 2 * a.matrix, atol=1e-14)
    assert (b - a).labels == ("(treat[E - None] | group=B) - (treat[E - None] | group=A)",)
    assert (a + a).labels == ("(treat[E - None]) + (treat[E - None]) | group=A",)
    assert [c.weight for c in (a * 2).cells[0]] == [2, -2]
    assert [c.weight for c in (b - a).cells[0]] == [1, -1, -1, 1]


def test_arithmetic_refuses(by_group):
    a = by_group[0]
    with pytest.raises(ContrastError, match="the same in this model"):
        a - a
    for factor in ("x", np.inf):
        with pytest.raises(ContrastError, match="finite number"):
            a * factor
    with pytest.raises(ContrastError, match="multiplied by 0"):
        a * 0
    with pytest.raises(ContrastError, match="divided by 0"):
        a / 0
    with pytest.raises(ContrastError, match="to a query, not 3"):
        a + 3
    with pytest.raises(ContrastError, match="different designs"):
        a + effect(design(NESTED), "treat")
    with pytest.raises(ContrastError, match="different designs"):
        stack([a, effect(design(NESTED), "treat")])
    with pytest.raises(ContrastError, match="2 and 3 rows"):
        by_group + stack([a, a, a])


def test_averages(by_group, simple):
    np.testing.assert_allclose(by_group.average().matrix, effect(simple, "treat").matrix, atol=1e-14)
    assert by_group.average().labels == ("mean(treat[E - None] | group)",)
    weighted = by_group.average("proportional").matrix
    np.testing.assert_allclose(weighted, 0.6 * by_group.matrix[[0]] + 0.4 * by_group.matrix[[1]], atol=1e-14)
    np.testing.assert_allclose(by_group.average({"A": 1, "B": 3}).matrix, [[0.25, 0.75] @ by_group.matrix], atol=1e-14)
    assert sum(c.weight for c in by_group.average().cells[0]) == pytest.approx(0)
    for weights in ("equl", {"A": -1, "B": 1}, {"A": 0}):
        with pytest.raises(ContrastError, match="weights"):
            by_group.average(weights)


def test_across(by_group, simple):
    across = by_group.across("group", "reference")
    asked = interaction(simple, treat="reference", group="reference")
    assert across.labels == asked.labels
    np.testing.assert_allclose(across.matrix, asked.matrix, atol=1e-14)
    assert {(c.levels, c.weight) for c in across.cells[0]} == {
        (tuple(sorted(c.levels)), c.weight) for c in asked.cells[0]
    }
    with pytest.raises(ContrastError, match=r"do not differ by 'grp'.*Did you mean 'group'"):
        by_group.across("grp")


def test_joint(by_group):
    joint = by_group.joint()
    assert joint.is_joint
    assert "joint query" in repr(joint)
    assert not joint[0].is_joint
    assert not joint.average().is_joint
    assert joint[:].is_joint


def test_null_matrix(by_group, simple):
    null = by_group.design.matrix @ row_basis(by_group.matrix)[1]
    family = design("~ family").matrix
    assert null.shape == family.shape
    assert np.linalg.matrix_rank(np.hstack([null, family])) == 5
    np.testing.assert_allclose(by_group.matrix @ np.linalg.pinv(simple.matrix) @ null, 0, atol=1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class Asked(Query):
    tested: str = ""


def test_subclasses_stay_subclasses(by_group):
    fields = {name: getattr(by_group, name) for name in ("design", "rows", "parts", "compared", "is_joint")}
    asked = Asked(**fields, tested="yes")
    results = (asked[0], asked - asked[0] * 3, -asked, asked / 2, asked.joint(), asked.average(), asked.across("group"))
    assert all(isinstance(each, Asked) and each.tested == "yes" for each in results)


def test_explain(by_group, simple):
    text = by_group.joint().explain()
    assert text.startswith("Do any of these 2 contrasts differ from zero? One test with 2 df.")
    assert "+1  group=B, treat=E  (2 samples)" in text
    assert "over the levels of family in each cell of group" in text
    assert "+1 treat_E_vs_None, +1 groupB.treatE" in text
    assert "within blocks (family): differences between blocks cancel; 4 of 10 samples count." in text
    assert "between blocks (family)" in effect(simple, "group").explain()
    plain = effect(design("~ treat + group + age"), "treat").explain()
    assert "averaged over all levels of group; age at its mean" in plain
    assert "the design has no blocks" in plain


def test_other_codings(by_group):
    nested = design(NESTED)
    expected = effect(nested, "treat", by="group").matrix
    frame = pd.DataFrame(nested.matrix, index=nested.sheet.index).iloc[::-1]
    for coding in (nested, nested.matrix, nested.matrix.tolist(), frame):
        np.testing.assert_allclose(by_group.vector(coding), expected, atol=1e-14)
    np.testing.assert_array_equal(by_group.vector(), by_group.matrix)


def test_codings_of_other_models(by_group):
    with pytest.raises(ContrastError, match="ranks of the two matrices and of both together are 7, 3 and 7"):
        by_group.vector(design("~ group + treat"))
    matrix = by_group.design.matrix
    with pytest.raises(ContrastError, match="8 columns are not independent"):
        by_group.vector(np.hstack([matrix, matrix[:, :1]]))
    with pytest.raises(ContrastError, match="numbers for each of 10 samples"):
        by_group.vector(matrix[1:])
    with pytest.raises(ContrastError, match="rows of the other coding are not the samples"):
        by_group.vector(pd.DataFrame(matrix, index=list("abcdefghij")))
    with pytest.raises(ContrastError, match="is not 'own', a design or a model matrix"):
        by_group.vector("deseq2")


def test_r_code():
    query = interaction(design(NESTED), treat="reference", group="reference")
    code = query.to_r("DESeq2")
    assert 'L[c("groupA.treatE", "groupB.treatE"), 1] <- c(-1, 1)' in code
    assert "results(dds, contrast = L[, 1])" in code
    assert 'X <- X[, c("(Intercept)"' in code  # the third individual of B does not exist
    edger = query.to_r("edgeR")
    assert 'L[c("groupA:treatE", "groupB:treatE"), 1] <- c(-1, 1)' in edger
    assert "glmQLFTest(fit, contrast = L)" in edger
    assert "contrasts.fit" in query.to_r("limma")
    with pytest.raises(OptionError, match="'deseq' is not known"):
        query.to_r("deseq")


def test_r_code_of_a_plain_design():
    query = effect(design("~ group + treat"), "treat")
    code = query.to_r()
    assert 'L["treat_E_vs_None", 1]' in code.replace("c(", "").replace(")", "")
    assert "model.matrix" not in code
    joint = effect(design("~ group*treat"), "treat", by="group").joint().to_r()
    assert "MASS::Null(L)" in joint
    assert "reduced = null" in joint


def test_r_code_of_several_rows_and_given_matrices(by_group):
    assert "tables <- lapply" in by_group.to_r("DESeq2")
    assert "glmQLFTest(fit, contrast = L[, i])" in by_group.to_r("edgeR")
    assert "topTable(fit, coef = NULL" in by_group.joint().to_r("limma")
    assert by_group.to_r().startswith("X <- model.matrix(~ family + group*treat, coldata)")
    given = design(pd.DataFrame({"(Intercept)": 1.0, "x": np.arange(10.0)}))
    code = coefficients(given, "x").to_r()
    assert code.startswith("# X: the model matrix")
    assert 'c("Intercept", "x")' in code
    cells = design("~ group:treat")
    assert cells.coding == "formulaic"
    assert "R codes this formula differently" in effect(cells, "treat").to_r()


def test_cells_of_one_level_cancel_blocks(simple):
    query = cell(simple, group="B", treat="E") - cell(simple, group="B", treat="None")
    assert query.stratum == "within"
    assert cell(simple, group="B").stratum == "between"
