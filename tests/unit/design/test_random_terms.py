"""Random terms of designs: levels, columns, and the checks before a fit."""

import pickle
import warnings

import numpy as np
import pytest

from cases import each
from countnest.design.build import build_design
from countnest.design.random.checks import check_mixed, mixed_warnings
from countnest.design.random.refusal import one_correlation, refuse_random
from countnest.design.random.term import same_terms
from countnest.design.random.writing import blocks_as_random, groups_as_fixed
from countnest.errors import ConfoundedDesignError, CountnestWarning, DesignError, FormulaError, SamplesError
from countnest.queries.effects import effect
from countnest.queries.strata import between_message
from unit.design.studies import NESTED, SIMPLE, design, families, sheet

MIXED = "~ group*treat + (1 | family)"


def subjects():
    """Four subjects in two groups, three times each."""
    return sheet(
        subject=np.repeat([11, 7, 3, 5], 3),
        time=np.tile([0.0, 1.0, 4.0], 4),
        age=np.repeat([1.5, 2.5, 2.0, 4.0], 3),
        group=np.repeat(["u", "v"], 6),
        run=np.tile(["r1", "r2", "r3"], 4),
    )


def test_the_fixed_part_is_that_of_the_formula_without_random_terms():
    mixed, plain = design(MIXED), design("~ group*treat")
    assert mixed.names == plain.names
    assert np.array_equal(mixed.matrix, plain.matrix)
    assert (mixed.variables, dict(mixed.levels), mixed.nesting) == (plain.variables, dict(plain.levels), plain.nesting)
    assert (mixed.formula, mixed.fixed_formula, plain.random) == (MIXED, "~ group*treat", ())


def test_a_random_intercept():
    (term,) = design(MIXED).random
    assert (term.label, term.group, term.names) == ("1 | family", "family", ("Intercept",))
    assert term.levels == ("f1", "f2", "f3", "f4", "f5")
    assert term.codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert term.sizes.tolist() == [2] * 5
    assert np.array_equal(term.matrix, np.kron(np.eye(5), np.ones((2, 1))))
    assert not term.codes.flags.writeable
    assert not term.columns.flags.writeable


def test_numbers_group_in_their_order():
    (term,) = design("~ time + (1 | subject)", subjects()).random
    assert term.levels == ("3", "5", "7", "11")
    assert term.codes.tolist() == np.repeat([3, 2, 0, 1], 3).tolist()


def test_a_number_may_be_a_slope_and_a_group():
    found = design("~ time + (1 | time)", subjects())
    assert found.numbers == ("time",)
    assert found.random[0].levels == ("0", "1", "4")


def test_slopes_are_coded_as_the_fixed_part():
    both, factor, alone = (
        design(f"~ 1 + ({left} | subject)", subjects()).random[0] for left in ("time", "0 + run", "0 + scale(time)")
    )
    time = subjects()["time"].to_numpy()
    assert both.names == ("Intercept", "time")
    assert np.array_equal(both.columns, np.stack([np.ones(12), time], axis=1))
    assert factor.names == ("runr1", "runr2", "runr3")
    assert alone.columns.shape == (12, 1)
    assert abs(alone.columns.mean()) < 1e-12
    reference = design("~ run + (run | subject)", subjects(), levels={"run": ["r3", "r1", "r2"]})
    assert reference.random[0].names == ("Intercept", "run_r1_vs_r3", "run_r2_vs_r3") == reference.names


def test_combinations_that_occur_are_the_levels():
    site, plot = design("~ treat + (1 | group/ind)").random
    assert (site.levels, site.label) == (("A", "B"), "1 | group")
    assert plot.levels == ("A:1", "A:2", "A:3", "B:1", "B:2")
    assert plot.codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_levels_without_samples_are_dropped():
    frame = families().assign(family=lambda f: f["family"].astype("category")).iloc[:6]
    assert design("~ treat + (1 | family)", frame).random[0].levels == ("f1", "f2", "f3")


def test_the_double_bar_leaves_factors_whole_and_says_so():
    found = design("~ treat + (treat || group)")
    assert [(term.label, term.names) for term in found.random] == [
        ("1 | group", ("Intercept",)),
        ("0 + treat | group", ("treatNone", "treatE")),
    ]
    assert sum("double bar" in note for note in found.notes) == 1
    assert not any("double bar" in note for note in design("~ treat + (age || group)").notes)


def test_random_terms_alone_leave_an_intercept():
    found = design("~ (1 | family)")
    assert found.names == ("Intercept",)
    assert "random terms only" in found.notes[0]


def test_it_prints_and_pickles():
    found = design(MIXED)
    assert f"Design {MIXED}: 10 samples, 4 coefficients" in str(found)
    assert "random: 1 | family (5 levels)" in str(found)
    again = pickle.loads(pickle.dumps(found))
    assert same_terms(found.random, again.random)
    assert not again.random[0].codes.flags.writeable
    assert not same_terms(found.random, design("~ group*treat + (1 | ind)").random)
    assert not same_terms(found.random, ())


def test_blocks_of_random_terms_may_be_named():
    assert design(MIXED, blocks=["family"]).nesting.blocks == ()


@each(
    ("formula", "error", "message"),
    [
        (
            "~ treat + (1 | one)",
            DesignError,
            r"'\(1 \| one\)' needs two levels of 'one' or more, and all samples have 'a'",
        ),
        ("~ treat + (one | family)", DesignError, r"'\(one \| family\)': the factor 'one' has one level only"),
        ("~ 0 + (1 | family)", DesignError, "the fixed part of the design .* has no columns"),
        ("~ family + (1 | family)", ConfoundedDesignError, r"leaves nothing of the random term '\(1 \| family\)'"),
        (
            "~ group + (1 | group/family)",
            ConfoundedDesignError,
            r"'\(1 \| group\)'.*Leave 'group' out of the fixed part",
        ),
        ("~ family + (age | family)", ConfoundedDesignError, r"nothing of the coefficients 'Intercept' of the random"),
        ("~ treat + (1 | family) + (1 | dam)", ConfoundedDesignError, "'family' and 'dam' make the same groups"),
        ("~ treat + (age + I(2*age) | group)", DesignError, r"combinations of others: 'I\(2 \* age\)'"),
        ("~ age + (C(age) | group)", FormulaError, "uses 'age' both as it is and as a factor"),
        ("~ treat + (1 | lost)", SamplesError, r"'lost' has no value in 2 of 10 samples \('s0', 's3'\).*None or NA"),
        ("~ treat + (1 | day)", SamplesError, "type datetime64"),
    ],
)
def test_what_no_model_can_estimate(formula, error, message):
    frame = families().assign(
        one="a", dam=list("vvwwxxyyzz"), lost=[None, "a", "b", None, *"aabbab"], day=np.datetime64("2026-01-01", "s")
    )
    with pytest.raises(error, match=message):
        design(formula, frame)


def test_misspelt_groups_are_told():
    frame = families().assign(family=["mother one"] * 4 + ["mother onne"] + ["mother two"] * 5)
    with pytest.warns(CountnestWarning, match="mother onne"):
        build_design("~ age + (1 | family)", frame)


# ---- checks before a fit ----


def test_a_design_that_can_be_fitted_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_mixed(design(MIXED), "linear")
        check_mixed(design(MIXED), "counts")


@each(
    ("formula", "message"),
    [
        ("~ group*treat", "has no random term, which a mixed model needs"),
        ("~ treat + (1 | sample)", r"'\(1 \| sample\)' has 10 levels of 'sample' in 10 samples"),
        ("~ treat + (treat | family)", r"has 10 random effects \(5 levels of 'family', 2 each\) in 10 samples"),
    ],
)
def test_what_a_linear_model_cannot_estimate(formula, message):
    found = design(formula, families().assign(sample=[f"x{i}y" for i in range(10)]))
    with pytest.raises(DesignError, match=message):
        check_mixed(found, "linear")


def test_a_coefficient_for_every_sample_leaves_nothing_of_a_random_term():
    with pytest.raises(ConfoundedDesignError, match="leaves nothing of the random term"):
        design("~ 0 + sample + (1 | family)", families().iloc[:4].assign(sample=list("stuv")))


@each(
    ("formula", "kind", "message"),
    [
        ("~ treat + (1 | sample)", "counts", "confounded with the dispersion"),
        ("~ treat + (treat | family)", "counts", "confounded with the dispersion"),
        ("~ treat + (1 | group)", "linear", "'group' has 2 levels: the variance of .* is poorly known"),
        ("~ treat + (0 + weight | family)", "counts", "'weight' of the random term .* does not vary within any level"),
    ],
)
def test_what_is_known_poorly(formula, kind, message):
    frame = families().assign(sample=[f"x{i}y" for i in range(10)], weight=np.repeat([1.0, 2.5, 0.5, 3.0, 7.0], 2))
    found = design(formula, frame)
    with pytest.warns(CountnestWarning, match=message):
        check_mixed(found, kind)


def test_slopes_that_vary_within_groups_are_fine():
    found = design("~ time + (time | subject)", subjects())
    assert not any("vary within" in text for text in mixed_warnings(found, "linear"))


# ---- the formula with blocks as random terms, and the reverse ----


@each(
    ("formula", "mixed"),
    [
        (SIMPLE, "~ group*treat + (1 | family)"),
        (NESTED, "~ group + group:treat + (1 | group:ind)"),
        ("~ family + treat", None),
        ("~ group/family + treat", "~ group + treat + (1 | family)"),
        ("~ family + group:treat + age", "~ group + age + group:treat + (1 | family)"),
        ("~ family + group*treat + treat:age", "~ group*treat + treat:age + (1 | family)"),
        ("~ C(number) + group*treat", "~ group*treat + (1 | number)"),
        ("~ `the family` + group*treat + scale(age)", "~ group*treat + scale(age) + (1 | `the family`)"),
        ("~ family:treat + group", "~ group + treat:group + (1 | family)"),
        ("~ family + group*treat + (0+age|`the family`)", "~ group*treat + (1 | family) + (0+age|`the family`)"),
    ],
)
def test_blocks_become_random_terms(formula, mixed):
    frame = families().assign(number=np.repeat(np.arange(1, 6), 2), **{"the family": families()["family"]})
    found = design(formula, frame)
    assert blocks_as_random(found) == mixed
    if mixed:
        assert len(design(mixed, frame).random) == len(found.nesting.blocks) + len(found.random)


@each(
    ("formula", "mixed"),
    [
        ("~ site/plot + treat + time", "~ site + treat + time + (1 | site:plot)"),
        ("~ site + site:plot + treat", "~ site + treat + (1 | site:plot)"),
        ("~ site:plot + treat + time", None),  # plots in sites, or plots that differ in what sites do to them
    ],
)
def test_plots_numbered_within_sites_are_not_pooled(formula, mixed):
    """Plots of one number have one treatment in all sites, as if the number were a plot of its own."""
    places = [(site, plot) for site in range(4) for plot in range(4) for _ in range(3)]
    frame = sheet(
        site=[f"site{site}" for site, _ in places],
        plot=[f"plot{plot}" for _, plot in places],
        treat=[("None", "E")[plot % 2] for _, plot in places],
        time=np.tile([0.0, 1.0, 2.0], 16),
    )
    assert blocks_as_random(design(formula, frame)) == mixed
    if mixed:
        assert [len(term.levels) for term in design(mixed, frame).random] == [16]
    if mixed:
        message = between_message(design(formula, frame), ["'treat[E - None]'"])
        assert "the levels of 'site:plot', which the design holds fixed ('treat', 'site' differ between" in message
        assert f"cn.lmm(dds.with_design({mixed!r}))" in message
    labelled = frame.assign(plot=frame["site"] + frame["plot"])  # names of their own
    assert blocks_as_random(design("~ plot + treat + time", labelled)) == "~ treat + time + (1 | plot)"
    assert blocks_as_random(design("~ site/plot + treat", labelled)).endswith("(1 | plot)")


def test_a_matrix_has_no_formula_to_change():
    matrix = design(SIMPLE).matrix
    assert blocks_as_random(design(matrix)) is None
    assert groups_as_fixed(design(matrix)) is None
    assert blocks_as_random(design(matrix, same_as=SIMPLE)) is None


@each(
    ("formula", "fixed"),
    [
        (MIXED, "~ family + group*treat"),
        ("~ (1 | family)", "~ family"),
        ("~ treat + (1 | group/ind)", "~ group/ind + treat"),
        ("~ group*treat + (1 | group:ind)", "~ group:ind + group*treat"),
        ("~ treat + age + (1 | family) + (1 | sample)", None),
        ("~ treat + (1 | number)", "~ C(number) + treat"),
        ("~ treat + (1 | group) + (1 | `the ind`)", "~ group + `the ind` + treat"),
        ("~ treat + (age | group)", None),
        ("~ treat", None),
    ],
)
def test_groups_become_fixed(formula, fixed):
    frame = families().assign(
        number=np.repeat(np.arange(1, 6), 2), sample=[f"x{i}y" for i in range(10)], **{"the ind": families()["ind"]}
    )
    assert groups_as_fixed(design(formula, frame)) == fixed


def test_methods_with_fixed_effects_refuse_random_terms():
    refuse_random(design("~ group*treat"), "DESeq")
    with pytest.raises(DesignError, match=r"DESeq has fixed effects only.*cn\.lmm\(dds\).*'~ family \+ group\*treat'"):
        refuse_random(design(MIXED), "DESeq")
    assert "block='family'" in one_correlation(design(MIXED))
    assert one_correlation(design("~ treat + (1 | group:ind)")) == ""


def test_a_matrix_may_have_the_random_terms_of_a_formula_that_it_is_the_same_as():
    matrix = design("~ group*treat").matrix
    found = design(matrix, same_as=MIXED)
    assert same_terms(found.random, design(MIXED).random)
    with pytest.raises(DesignError, match="DESeq has fixed effects only"):
        refuse_random(found, "DESeq")


def test_many_groups_take_little_memory():
    n = 6000
    frame = sheet(cell=np.arange(n) // 2, treat=np.where(np.arange(n) % 2, "E", "None"), x=np.sin(np.arange(float(n))))
    made = design("~ treat + x + (1 | cell)", frame)
    assert mixed_warnings(made, "linear") == []
    assert "random: (1 | cell)" in str(made.report())  # without a plan
    assert "its groups are random" in effect(made, "treat").explain()
