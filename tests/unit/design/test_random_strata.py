"""Degrees of freedom of designs with random terms: by containment, as nlme counts them, and by stratum."""

import numpy as np
import pytest

from cases import each
from countnest.design.random.containment import containment_df
from countnest.design.random.groupings import groupings
from countnest.design.random.strata import error_strata, is_estimable_in, stratum_shares
from unit.design.studies import design, sheet

PLOTS = ((2, 3), (2, 2, 3), (3, 2, 2))  # samples of the plots of three sites


def family_study():
    """24 families of two, `treat1` between them and `treat2` within."""
    return sheet(
        family=[f"fam{i // 2 + 1}" for i in range(48)],
        treat1=np.repeat(list("ABCD"), 12),
        treat2=["C", "E"] * 24,
        size=np.sin(np.arange(48.0)),
    )


def sites():
    """Six sites with two or three plots, of two or three samples: 38 samples, 16 plots."""
    each_site = [(place, plot) for place, own in enumerate(PLOTS) for plot, size in enumerate(own) for _ in range(size)]
    site = [name for names in ("abc", "ABC") for name in (names[place] for place, _ in each_site)]
    plot = [f"p{number + 1}" for _, number in each_site] * 2
    pairs = sorted(set(zip((name.lower() + name for name in site), plot, strict=True)))
    of_pair = [pairs.index((name.lower() + name, own)) for name, own in zip(site, plot, strict=True)]
    return sheet(
        site=[f"site {name}" if name.islower() else f"place {name}" for name in site],
        plot=plot,
        x=np.sin(np.arange(1.0, 39.0)),
        trt=["u" if name in "abC" else "v" for name in site],
        kind=["klm"[number % 3] for number in of_pair],
    )


def visits():
    """20 subjects in two groups, three to five visits each."""
    sizes = [3 + i % 3 for i in range(20)]
    subject = np.repeat(np.arange(20), sizes)
    return sheet(
        subject=[f"s{number}" for number in subject],
        group=["one" if number < 9 else "two" for number in subject],
        time=np.concatenate([np.arange(size, dtype=float) for size in sizes]),
    )


def by_column(formula, frame):
    made = design(formula, frame)
    return dict(zip(made.names, containment_df(made, np.eye(len(made.names))).tolist(), strict=True))


# ---- containment ----


@each(
    ("formula", "expected"),  # nlme 3.1-162
    [
        ("~ trt + kind + x + (1 | site/plot)", [21, 4, 8, 8, 21]),
        ("~ trt*x + (1 | site/plot)", [20, 4, 20, 20]),
        ("~ kind + (1 | site)", [30, 30, 30]),
        ("~ 1 + (1 | site/plot)", [22]),
        ("~ trt*x + (x | site)", [30, 4, 30, 30]),
    ],
)
def test_containment_counts_as_nlme(formula, expected):
    assert list(by_column(formula, sites()).values()) == expected


def test_containment_of_growth_curves():
    """The layout of Orthodont: 16 boys and 11 girls, at four ages each; numbers of nlme."""
    child = np.repeat(np.arange(27), 4)
    frame = sheet(
        child=[f"child {number}" for number in child],
        sex=["boy" if number < 16 else "girl" for number in child],
        age=np.tile([8.0, 10.0, 12.0, 14.0], 27),
    )
    assert list(by_column("~ age*sex + (age | child)", frame).values()) == [79, 79, 25, 79]
    assert list(by_column("~ sex + (1 | child)", frame).values()) == [81, 25]


def test_containment_in_the_family_study():
    assert set(by_column("~ treat1*treat2 + (1 | family)", family_study()).values()) == {20}
    own = by_column("~ treat1*treat2 + size + (1 | family)", family_study())
    assert (own["treat1_B_vs_A"], own["size"], own["Intercept"]) == (20, 19, 20)


def test_the_order_of_terms_and_samples_does_not_matter():
    turned = by_column("~ trt + kind + x + (1 | site:plot) + (1 | site)", sites().iloc[::-1])
    assert list(turned.values()) == [21, 4, 8, 8, 21]


def test_a_contrast_has_the_fewest_of_its_columns():
    made = design("~ trt + kind + x + (1 | site/plot)", sites())
    rows = np.array([[0, 1.0, 0, 0, 1], [0, 0, 1, -1, 0], [1, 0, 0, 0, 0.5], [0, 0, 1, 0, 1e-17]])
    assert containment_df(made, rows).tolist() == [4, 8, 21, 8]


def test_without_an_intercept_groups_have_one_more():
    assert list(by_column("~ 0 + treat1 + (1 | family)", family_study()).values()) == [20, 20, 20, 20]


def test_none_are_left():
    made = design("~ group + (0 + x | group)", sheet(group=list("aaabbb"), x=np.arange(6.0)))
    assert np.isnan(containment_df(made, np.eye(2))).tolist() == [False, True]


def test_crossed_factors_are_taken_one_by_one():
    frame = sheet(
        day=np.tile([f"d{i}" for i in range(4)], 6),
        cell=np.repeat([f"c{i}" for i in range(6)], 4),
        line=np.repeat(list("uuuvvv"), 4),
        drug=np.tile(list("xyxy"), 6),
        dose=np.sin(np.arange(24.0)),
    )
    own = by_column("~ line + drug + dose + (1 | day) + (1 | cell)", frame)
    assert own == {"Intercept": 14, "line_v_vs_u": 4, "drug_y_vs_x": 2, "dose": 14}


# ---- strata ----


def test_strata_of_the_family_study():
    made = design("~ treat1*treat2 + (1 | family)", family_study())
    between, within = strata = error_strata(made)
    assert [(each.name, each.df) for each in strata] == [("between family", 20), ("within family", 20)]
    weights = np.zeros((4, 8))
    weights[0, [1, 5]] = 1, 0.5  # B - A averaged
    weights[1, 1] = 1  # B - A without E
    weights[2, 4] = weights[3, 5] = 1  # E in A, and how it differs in B
    shares = stratum_shares(made, strata, weights)
    np.testing.assert_allclose(shares, [[1, 0], [0.75, 0.25], [0, 1], [0, 1]], atol=1e-12)
    assert is_estimable_in(made, within, weights) == [False, False, True, True]
    assert is_estimable_in(made, between, weights) == [True, False, False, False]


def test_nested_factors_have_a_stratum_each():
    made = design("~ trt + kind + (1 | site/plot)", sites())
    assert [(each.name, each.df) for each in error_strata(made)] == [
        ("between site", 2),  # six sites: the mean, trt and two columns of kind
        ("between site:plot within site", 8),
        ("within site:plot", 22),
    ]


def test_balanced_crossed_factors_are_separated():
    frame = sheet(plate=np.repeat([f"p{i}" for i in range(24)], 6), sample=np.tile(list("ABCDEF"), 24))
    assert [(each.name, each.df) for each in error_strata(design("~ 1 + (1 | plate) + (1 | sample)", frame))] == [
        ("common to sample and plate", 0),
        ("between sample", 5),
        ("between plate", 23),
        ("within sample and plate", 144 - 29),
    ]


def test_crossed_factors_without_balance_are_not():
    frame = sheet(plate=np.repeat([f"p{i}" for i in range(8)], 6), sample=np.tile(list("ABCDEF"), 8)).iloc[:-3]
    between, within = error_strata(design("~ 1 + (1 | plate) + (1 | sample)", frame))
    assert (between.name, within.name, within.df) == ("between sample and plate", "within sample and plate", 45 - 13)
    assert np.isnan(between.df)


def test_slopes_leave_several_variances_between_groups():
    between, within = error_strata(design("~ time*group + (time | subject)", visits()))
    assert np.isnan(between.df)
    assert (within.name, within.df) == ("within subject", len(visits()) - 40)


@pytest.mark.parametrize("formula", ["~ trt*x + kind + (1 | site/plot)", "~ trt*x + (x | site)"])
def test_shares_are_those_of_the_dense_formula(formula):
    made = design(formula, sites())
    strata, x, rows = error_strata(made), made.matrix, np.eye(len(made.names))
    z = np.hstack([each.matrix for each in groupings(made.random)])
    z = z / np.sqrt((z**2).sum(axis=0) / (z != 0).sum(axis=0))
    v = np.eye(len(z)) + z @ z.T
    inverse = np.linalg.inv(v)
    w = inverse @ x @ np.linalg.inv(x.T @ inverse @ x) @ rows
    parts = np.array([[own @ v @ own for own in each.of(w).T] for each in strata])
    np.testing.assert_allclose(stratum_shares(made, strata, rows), (parts / parts.sum(axis=0)).T, atol=1e-12)
    np.testing.assert_allclose(sum(each.of(w) for each in strata), w, atol=1e-12)


def test_terms_of_the_same_groups_share_a_grouping_factor():
    frame = sites().assign(same=lambda f: f["site"].str[::-1])
    one, two = groupings(design("~ 1 + (1 | site:plot) + (0 + x | same) + (1 | site)", frame).random)
    assert (one.name, one.n_levels, one.matrix.shape[1], one.has_slopes) == ("same", 6, 12, True)
    assert (two.name, two.n_levels, two.has_slopes) == ("site:plot", 16, False)
    assert two.is_within(one)
    assert not one.is_within(two)
