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
        ("~ trt*x + (x | site)", [30, 4, 4, 4]),  # 30 in nlme, which does not count that slopes vary
    ],
)
def test_containment_counts_as_nlme(formula, expected):
    assert list(by_column(formula, sites()).values()) == expected


def test_containment_of_growth_curves():
    """The layout of Orthodont: 16 boys and 11 girls, at four ages each.

    Numbers of nlme, apart from those of age, whose slope varies: 79 in nlme, at most 27 slopes less two here.
    """
    child = np.repeat(np.arange(27), 4)
    frame = sheet(
        child=[f"child {number}" for number in child],
        sex=["boy" if number < 16 else "girl" for number in child],
        age=np.tile([8.0, 10.0, 12.0, 14.0], 27),
    )
    assert list(by_column("~ age*sex + (age | child)", frame).values()) == [79, 25, 25, 25]
    assert list(by_column("~ age*sex + (1 | child)", frame).values()) == [79, 79, 25, 79]
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


def plots():
    """Eight sites of four plots, three times each; `kind` differs between the plots of a site."""
    frame = sheet(
        site=[f"site {i // 12}" for i in range(96)],
        plot=[f"p{i // 3 % 4}" for i in range(96)],
        kind=[("u", "v")[i // 3 % 2] for i in range(96)],
        time=np.tile([0.0, 1.0, 2.0], 32),
        drug=np.tile(list("xyz"), 32),
    )
    site_mean = np.repeat(np.sin(np.arange(8.0)), 12)
    return frame.assign(shifted=frame["time"] + site_mean, squared=frame["time"] ** 2)


@each(
    ("formula", "column", "expected"),
    [
        ("~ kind + time + (time | site)", "time", 7),
        ("~ kind + time + (time || site)", "time", 7),
        ("~ kind + time + (0 + time | site)", "time", 7),
        ("~ kind + time + (1 | site) + (time | site:plot)", "time", 31),
        ("~ kind + time + (time | site/plot)", "time", 7),
        ("~ kind*time + (time | site/plot)", "kindv.time", 23),  # 32 slopes less 8 of sites and one
        ("~ kind*time + (time | site:plot)", "kindv.time", 30),
        ("~ kind + time + (kind | site)", "kind_v_vs_u", 7),
        ("~ kind + time + (kind | site)", "time", 86),
        ("~ drug + (drug | site)", "drug_y_vs_x", 7),
        ("~ 0 + drug + (drug | site)", "drugx", 7),  # the intercept less two slopes
        ("~ drug + (0 + drug | site)", "drug_z_vs_x", 7),
        ("~ time + squared + (time + squared | site)", "squared", 7),
        ("~ shifted + (time | site)", "shifted", 7),
        ("~ time + (squared | site)", "time", 87),
    ],
)
def test_slopes_that_vary_between_groups_limit_the_degrees_of_freedom(formula, column, expected):
    assert by_column(formula, plots())[column] == expected


def test_slopes_of_two_groups_share_their_degrees_of_freedom():
    own = by_column("~ time*group + (time | subject)", visits())
    assert (own["time"], list(own.values())[-1]) == (18, 18)
    assert own["group_two_vs_one"] == 18


def test_a_contrast_with_a_slope_has_its_degrees_of_freedom():
    made = design("~ kind*time + (time | site)", plots())
    rows = np.array([[0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 1.0, 1.0, 0], [0, 0, 1.0, 1.0]])
    assert containment_df(made, rows).tolist() == [85, 7, 7, 7]


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
