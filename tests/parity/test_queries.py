"""Every query of the two motivating studies, in three codings, against the vectors worked out by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest

from countnest.design.build import build_design
from countnest.errors import StratumError
from countnest.queries.coefficients import coefficients
from countnest.queries.effects import cell, effect, interaction, means
from countnest.queries.grammar import parse_query
from countnest.queries.strata import refuse_between

IDENTICAL = 1e-12
GROUPS = "ABCD"
PARENTS = [("no", "no"), ("yes", "no"), ("no", "yes"), ("yes", "yes")]
NONE = {"treat2": "None", "treat3": "None"}


def study48():
    """24 families, six in each level of treat1, two sibs each, one of them given treat2 = E."""
    rows = [
        {"family": f"{k + 1:02d}", "treat1": GROUPS[k // 6], "ind": str(k % 6 + 1), "treat2": treat2}
        for k in range(24)
        for treat2 in ("None", "E")
    ]
    sheet = pd.DataFrame(rows, index=[f"s{i}" for i in range(48)])
    for group in GROUPS:
        sheet[f"{group}E"] = ((sheet["treat1"] == group) & (sheet["treat2"] == "E")).astype(float)
    return sheet


def study94(sizes=(6, 6, 6, 6), lost=(("05", "None", "H"), ("18", "E", "None"))):
    """Families in the four cells of father x mother, four sibs each, treat2 x treat3 within families."""
    order = [("no", "no"), ("no", "yes"), ("yes", "no"), ("yes", "yes")]
    homes = [(f, m, i + 1) for (f, m), size in zip(order, sizes, strict=True) for i in range(size)]
    rows = [
        {"family": f"{k:02d}", "father": f, "mother": m, "ind": str(i), "treat2": a, "treat3": b}
        for k, (f, m, i) in enumerate(homes, start=1)
        for a in ("None", "E")
        for b in ("None", "H")
        if (f"{k:02d}", a, b) not in lost
    ]
    sheet = pd.DataFrame(rows, index=[f"s{i}" for i in range(len(rows))])
    for f, m in PARENTS:
        here = (sheet["father"] == f) & (sheet["mother"] == m)
        a, b = sheet["treat2"] == "E", sheet["treat3"] == "H"
        for name, mask in (("E", here & a), ("H", here & b), ("EH", here & a & b)):
            sheet[f"{f}.{m}.{name}"] = mask.astype(float)
    return sheet


def build(formula, sheet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "the numeric variable .* has 2 different integer values")
        used = {name: level for name, level in NONE.items() if name in formula}
        return build_design(formula, sheet, reference=used)


NESTED48 = "~ treat1 + treat1:ind + treat1:treat2"
SPELLINGS48 = [
    NESTED48,
    "~ family + treat1*treat2",
    "~ treat1/family + treat1:treat2",
    "~ treat1*treat2 + family",
    "~ treat1/ind + treat1:treat2",
    "~ 0 + family + treat1:treat2",
    "~ treat2*treat1 + treat1:ind",
]
RECODED48 = "~ family + AE + BE + CE + DE"

# Name, question, weights of AE, BE, CE, DE in the nested coding and edgeR's, and in '~ family + treat1*treat2'.
PAIR = {"treat2": ("E", "None")}
FATHER = {"B": 0.5, "D": 0.5, "A": -0.5, "C": -0.5}
MOTHER = {"C": 0.5, "D": 0.5, "A": -0.5, "B": -0.5}
BOTH = {"A": 1, "B": -1, "C": -1, "D": 1}
WITHIN48 = [
    ("by treat1", lambda d: effect(d, "treat2", by="treat1"),
     np.eye(4), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]),
    ("B - A", lambda d: interaction(d, treat2="reference", treat1=("B", "A")), [[-1, 1, 0, 0]], [[0, 1, 0, 0]]),
    ("reference", lambda d: interaction(d, **PAIR, treat1="reference"),
     [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]], [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ("pairwise", lambda d: interaction(d, treat1="pairwise", **PAIR)[3:],
     [[0, -1, 1, 0], [0, -1, 0, 1], [0, 0, -1, 1]], [[0, -1, 1, 0], [0, -1, 0, 1], [0, 0, -1, 1]]),
    ("joint", lambda d: parse_query(d, "joint(treat2[E - None] : treat1[reference])"),
     [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]], [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ("any response", lambda d: effect(d, "treat2", by="treat1").joint(),
     np.eye(4), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]),
    ("average", lambda d: effect(d, "treat2"), [[0.25] * 4], [[1, 0.25, 0.25, 0.25]]),
    ("average of rows", lambda d: effect(d, "treat2", by="treat1").average(), [[0.25] * 4], [[1, 0.25, 0.25, 0.25]]),
    ("deviation", lambda d: interaction(d, **PAIR, treat1="deviation")[1],
     [[-0.25, 0.75, -0.25, -0.25]], [[0, 0.75, -0.25, -0.25]]),
    ("father", lambda d: interaction(d, **PAIR, treat1={"father": FATHER}), [[-0.5, 0.5, -0.5, 0.5]],
     [[0, 0.5, -0.5, 0.5]]),
    ("mother", lambda d: interaction(d, **PAIR, treat1=MOTHER), [[-0.5, -0.5, 0.5, 0.5]], [[0, -0.5, 0.5, 0.5]]),
    ("father x mother", lambda d: interaction(d, **PAIR, treat1=BOTH), [[1, -1, -1, 1]], [[0, -1, -1, 1]]),
    ("across", lambda d: effect(d, "treat2", by="treat1").across("treat1", "reference"),
     [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]], [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ("cells", lambda d: cell(d, treat1="B", treat2="E") - cell(d, treat1="B", treat2="None"),
     [[0, 1, 0, 0]], [[1, 1, 0, 0]]),
    ("arithmetic", lambda d: (effect(d, "treat2", by="treat1")["treat1=B"] + effect(d, "treat2", by="treat1")["D"]) / 2,
     [[0, 0.5, 0, 0.5]], [[1, 0.5, 0, 0.5]]),
]  # fmt: skip
# B - A with families averaged, and what is added to it in positions 25-28.
BETWEEN48 = [
    ("at None", lambda d: effect(d, "treat1", levels=("B", "A"), at={"treat2": "None"}), [0, 0, 0, 0], [0, 0, 0, 0]),
    ("at E", lambda d: effect(d, "treat1", levels=("B", "A"), at={"treat2": "E"}), [-1, 1, 0, 0], [0, 1, 0, 0]),
    ("averaged", lambda d: effect(d, "treat1", levels=("B", "A")), [-0.5, 0.5, 0, 0], [0, 0.5, 0, 0]),
]  # fmt: skip


@pytest.fixture(scope="module")
def designs48():
    sheet = study48()
    return {formula: build(formula, sheet) for formula in (*SPELLINGS48, RECODED48)}


def test_spellings_have_one_space(designs48):
    for design in designs48.values():
        assert design.matrix.shape == (48, 28)
        joined = np.hstack([design.matrix, designs48[NESTED48].matrix])
        assert np.linalg.matrix_rank(joined) == 28


@pytest.mark.parametrize(("query", "nested", "simple"), [row[1:] for row in WITHIN48], ids=[row[0] for row in WITHIN48])
def test_within_family_queries_of_study48(designs48, query, nested, simple):
    first, second = np.zeros((len(nested), 28)), np.zeros((len(nested), 28))
    first[:, 24:], second[:, 24:] = nested, simple
    for formula in SPELLINGS48:
        asked = query(designs48[formula])
        assert asked.stratum == "within", formula
        refuse_between(asked.design, asked.between())
        np.testing.assert_allclose(asked.vector(designs48[NESTED48]), first, rtol=0, atol=IDENTICAL)
        np.testing.assert_allclose(asked.vector(designs48[RECODED48]), first, rtol=0, atol=IDENTICAL)
        np.testing.assert_allclose(asked.vector(designs48[SPELLINGS48[1]]), second, rtol=0, atol=IDENTICAL)
    np.testing.assert_allclose(query(designs48[NESTED48]).matrix, first, rtol=0, atol=IDENTICAL)
    np.testing.assert_allclose(query(designs48[SPELLINGS48[1]]).matrix, second, rtol=0, atol=IDENTICAL)


@pytest.mark.parametrize(("query", "nested", "simple"), [row[1:] for row in BETWEEN48], ids=[r[0] for r in BETWEEN48])
def test_between_family_queries_of_study48(designs48, query, nested, simple):
    n = dict.fromkeys(designs48[NESTED48].columns, 0.0)
    n["treat1B"] = 1.0
    n.update({f"treat1A:ind{i}": -1 / 6 for i in range(2, 7)} | {f"treat1B:ind{i}": 1 / 6 for i in range(2, 7)})
    r = dict.fromkeys(designs48[RECODED48].columns, 0.0)
    r.update({f"family{i:02d}": -1 / 6 for i in range(2, 7)} | {f"family{i:02d}": 1 / 6 for i in range(7, 13)})
    expected = {NESTED48: (n, nested), RECODED48: (r, nested), SPELLINGS48[1]: (r, simple)}
    for formula in SPELLINGS48:
        asked = query(designs48[formula])
        assert asked.stratum == "between", formula
        with pytest.raises(StratumError, match="compares blocks"):
            refuse_between(asked.design, asked.between())
        for other, (weights, added) in expected.items():
            vector = np.array(list(weights.values()))
            vector[24:] = added
            np.testing.assert_allclose(asked.vector(designs48[other])[0], vector, rtol=0, atol=IDENTICAL)


def test_the_trap_of_study48(designs48):
    asked = coefficients(designs48[NESTED48], "treat1_B_vs_A")
    assert asked.stratum == "between"
    recoded = dict(zip(designs48[RECODED48].columns, asked.vector(designs48[RECODED48])[0], strict=True))
    assert {name: weight for name, weight in recoded.items() if weight} == {"family07": 1.0}
    with pytest.raises(StratumError, match="treat1"):
        refuse_between(asked.design, asked.between())


def test_null_spaces_of_study48(designs48):
    sheet = study48()
    nulls = {
        "~ family + treat2": lambda d: interaction(d, treat2="reference", treat1="reference"),
        "~ family": lambda d: effect(d, "treat2", by="treat1"),
    }
    for formula, query in nulls.items():
        expected = build(formula, sheet).matrix
        for spelling in SPELLINGS48:
            design = designs48[spelling]
            contrast = query(design).matrix
            _, sizes, right = np.linalg.svd(contrast)
            null = design.matrix @ right[int((sizes > 1e-9).sum()) :].T
            assert null.shape[1] == expected.shape[1]
            assert np.linalg.matrix_rank(np.hstack([null, expected])) == expected.shape[1]


SIMPLE94 = "~ family + father*mother*treat2*treat3"
NESTED94 = (
    "~ father*mother + father:mother:ind + father:mother:treat2 + father:mother:treat3 + father:mother:treat2:treat3"
)
RECODED94 = "~ family + " + " + ".join(f"{f}.{m}.{name}" for f, m in PARENTS for name in ("E", "H", "EH"))
E, H, F, M = "treat2E", "treat3H", "fatheryes", "motheryes"


@pytest.fixture(scope="module")
def designs94():
    sheet = study94()
    return {formula: build(formula, sheet) for formula in (SIMPLE94, NESTED94, RECODED94)}


def nested94(e, eh):
    """Return weights of the columns of the four cells of parents."""
    cells = [f"father{f}:mother{m}" for f, m in PARENTS]
    return {f"{c}:{E}": w for c, w in zip(cells, e, strict=True)} | {
        f"{c}:{E}:{H}": w for c, w in zip(cells, eh, strict=True)
    }


def products(names, weight):
    """Return the column of a product, in the order father, mother, treat2, treat3."""
    return {":".join(sorted(names, key=[F, M, E, H].index)): weight}


def simple_cell(father, mother, share):
    """Return treat2 E in a cell of parents, with a share of the interaction with treat3."""
    parents = [name for name, level in ((F, father), (M, mother)) if level == "yes"]
    sets = [[], *[[name] for name in parents], *([parents] if len(parents) == 2 else [])]
    found = {}
    for names in sets:
        found |= products([*names, E], 1.0) | products([*names, E, H], share)
    return found


def one(place, weight=1.0):
    return [weight if i == place else 0.0 for i in range(4)]


R = "reference"
QUERIES94 = [
    *((f"treat2 at {f}, {m}, {t}",
       lambda d, f=f, m=m, t=t: effect(d, "treat2", at={"father": f, "mother": m, "treat3": t}),
       simple_cell(f, m, float(t == "H")), nested94(one(i), one(i, float(t == "H"))))
      for i, (f, m) in enumerate(PARENTS) for t in ("None", "H")),
    *((f"treat2 at {f}, {m}",
       lambda d, f=f, m=m: effect(d, "treat2", by=["father", "mother"])[f"father={f}, mother={m}"],
       simple_cell(f, m, 0.5), nested94(one(i), one(i, 0.5))) for i, (f, m) in enumerate(PARENTS)),
    ("father x treat2", lambda d: interaction(d, father=R, treat2=R),
     {f"{F}:{E}": 1, f"{F}:{M}:{E}": 0.5, f"{F}:{E}:{H}": 0.5, f"{F}:{M}:{E}:{H}": 0.25},
     nested94([-0.5, 0.5, -0.5, 0.5], [-0.25, 0.25, -0.25, 0.25])),
    ("mother x treat2", lambda d: parse_query(d, "mother[yes - no] : treat2[E - None]"),
     {f"{M}:{E}": 1, f"{F}:{M}:{E}": 0.5, f"{M}:{E}:{H}": 0.5, f"{F}:{M}:{E}:{H}": 0.25},
     nested94([-0.5, -0.5, 0.5, 0.5], [-0.25, -0.25, 0.25, 0.25])),
    ("father x mother x treat2", lambda d: interaction(d, father=R, mother=R, treat2=R),
     {f"{F}:{M}:{E}": 1, f"{F}:{M}:{E}:{H}": 0.5}, nested94([1, -1, -1, 1], [0.5, -0.5, -0.5, 0.5])),
    ("father x treat2 x treat3", lambda d: interaction(d, father=R, treat2=R, treat3=R),
     {f"{F}:{E}:{H}": 1, f"{F}:{M}:{E}:{H}": 0.5}, nested94([0] * 4, [-0.5, 0.5, -0.5, 0.5])),
    ("treat2 overall", lambda d: effect(d, "treat2"),
     {E: 1, f"{F}:{E}": 0.5, f"{M}:{E}": 0.5, f"{E}:{H}": 0.5, f"{F}:{M}:{E}": 0.25, f"{F}:{E}:{H}": 0.25,
      f"{M}:{E}:{H}": 0.25, f"{F}:{M}:{E}:{H}": 0.125}, nested94([0.25] * 4, [0.125] * 4)),
]  # fmt: skip


def in_order(design, weights):
    assert set(weights) <= set(design.columns)
    return np.array([weights.get(column, 0.0) for column in design.columns])


def test_columns_of_study94(designs94):
    assert [len(designs94[formula].columns) for formula in designs94] == [36, 36, 36]
    assert designs94[SIMPLE94].dropped == ("fatheryes", "motheryes", "fatheryes:motheryes")
    assert len(designs94[SIMPLE94].full.columns) == 39


@pytest.mark.parametrize(("query", "simple", "nested"), [row[1:] for row in QUERIES94], ids=[r[0] for r in QUERIES94])
def test_queries_of_study94(designs94, query, simple, nested):
    recoded = {}
    for name, weight in nested.items():
        father, mother, rest = name.replace("father", "").replace("mother", "").split(":", 2)
        recoded[f"{father}.{mother}.{'EH' if ':' in rest else 'E'}"] = weight
    expected = {SIMPLE94: simple, NESTED94: nested, RECODED94: recoded}
    for formula in (SIMPLE94, NESTED94):
        asked = query(designs94[formula])
        assert asked.stratum == "within"
        for other, weights in expected.items():
            vector = asked.vector(designs94[other])
            np.testing.assert_allclose(vector[0], in_order(designs94[other], weights), rtol=0, atol=IDENTICAL)


def test_joint_queries_of_study94(designs94):
    for formula in (SIMPLE94, NESTED94):
        design = designs94[formula]
        rows = [interaction(design, **{name: R for name in (*names, "treat2")}).matrix
                for names in (["father"], ["mother"], ["father", "mother"])]  # fmt: skip
        cells = effect(design, "treat2", by=["father", "mother"]).across("father", R)
        both = np.vstack(rows)
        assert np.linalg.matrix_rank(both) == 3
        assert np.linalg.matrix_rank(np.vstack([both, cells.matrix])) == 3
        by = [interaction(design, **{name: R for name in (*names, "treat2")}, by="treat3").matrix
              for names in (["father"], ["mother"], ["father", "mother"])]  # fmt: skip
        assert np.linalg.matrix_rank(np.vstack(by)) == 6


def test_unbalanced_families():
    sheet = study94(sizes=(7, 6, 6, 5), lost=(("05", "None", "H"), ("18", "E", "None")))
    nested, simple = build(NESTED94, sheet), build(SIMPLE94, sheet)
    assert set(nested.dropped) == {
        "fatheryes:motheryes:ind6", "fatheryes:motherno:ind7", "fatherno:motheryes:ind7", "fatheryes:motheryes:ind7",
    }  # fmt: skip
    assert nested.matrix.shape == simple.matrix.shape == (94, 36)
    for design in (nested, simple):
        asked = effect(design, "father")
        assert asked.stratum == "between"
        vector = asked.vector(nested)[0]
        assert np.count_nonzero(vector) == 34
        inner = [w for name, w in zip(nested.columns, vector, strict=True) if ":ind" in name]
        shares = [-1 / 12] * 5 + [-1 / 14] * 6 + [1 / 12] * 5 + [1 / 10] * 4
        np.testing.assert_allclose(np.sort(inner), shares, rtol=0, atol=IDENTICAL)
        np.testing.assert_allclose(interaction(design, father=R, treat2=R).vector(simple)[0],
                                   in_order(simple, QUERIES94[12][2]), rtol=0, atol=IDENTICAL)  # fmt: skip


def test_slopes():
    sheet = study94().assign(age=np.sin(np.arange(94.0)))
    simple = build("~ family + father*treat2*age", sheet)
    nested = build("~ family + father:treat2 + father:treat2:age", sheet)
    cases = [
        (lambda d: effect(d, "age", at={"father": "yes", "treat2": "E"}),
         {"age": 1, f"{F}:age": 1, f"{E}:age": 1, f"{F}:{E}:age": 1}),
        (lambda d: effect(d, "treat2", at={"father": "yes", "age": 1}), {E: 1, f"{F}:{E}": 1, f"{E}:age": 1,
                                                                          f"{F}:{E}:age": 1}),
        (lambda d: interaction(d, father=R, treat2=R, age="slope"), {f"{F}:{E}:age": 1}),
        (lambda d: interaction(d, father=R, treat2=R).__class__.across(
            effect(d, "age", by=["father", "treat2"]).across("father", R), "treat2", R), {f"{F}:{E}:age": 1}),
    ]  # fmt: skip
    for query, weights in cases:
        for design in (simple, nested):
            assert query(design).stratum == "within"
            vector = query(design).vector(simple)[0]
            np.testing.assert_allclose(vector, in_order(simple, weights), rtol=0, atol=IDENTICAL)
    asked = effect(nested, "age", at={"father": "yes", "treat2": "E"})
    named = {name: w for name, w in zip(nested.columns, asked.matrix[0], strict=True) if w}
    assert named == {f"{F}:{E}:age": 1.0}


def test_means_are_those_of_the_cells(designs48):
    for formula in SPELLINGS48:
        asked = means(designs48[formula], ["treat1", "treat2"])
        assert len(asked) == 8
        fitted = asked.matrix @ np.linalg.pinv(designs48[formula].matrix)
        sheet = study48()
        here = ((sheet["treat1"] == "A") & (sheet["treat2"] == "None")).to_numpy()
        assert fitted[0] @ here == pytest.approx(1.0)
