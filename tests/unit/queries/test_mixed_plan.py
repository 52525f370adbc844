"""The plan of a mixed model: what is compared within and between groups."""

import numpy as np

from countnest.queries.plan import mixed_plan
from unit.design.studies import design
from unit.design.test_random_strata import family_study, sites, visits

MIXED = "~ treat1*treat2 + (1 | family)"


def rows(plan):
    return {query.title: (query.compares, query.df, query.containment, query.method) for query in plan.queries}


def test_plan_of_the_family_study():
    plan = mixed_plan(design(MIXED, family_study()))
    assert [(each.label, each.n_levels, each.size) for each in plan.groups] == [("1 | family", 24, "2")]
    assert plan.strata == (("between family", 20), ("within family", 20))
    assert plan.fixed == "~ family + treat1*treat2"
    assert (plan.problems, plan.cautions) == ((), ())
    found = rows(plan)
    assert found["effect of treat1"] == ("between family", 20, 20, "mixed model")
    assert found["effect of treat2"] == ("within family", 20, 20, "groups fixed, QL F test")
    assert found["treat1 x treat2 interaction"] == ("within family", 20, 20, "groups fixed, QL F test")
    compares, df, containment, method = found.pop("effect of treat1 in each treat2")
    assert compares == "75 % between family, 25 % within family"
    assert np.isnan(df)
    assert (containment, method) == (20, "mixed model")
    assert len(found) == 3  # that of treat2 in each treat1 compares as its average does


def test_terms_are_what_their_coefficients_compare():
    found = {term.title: term.compares for term in mixed_plan(design(MIXED, family_study())).terms}
    assert found == {
        "intercept": "75 % between family, 25 % within family",
        "treat1": "75 % between family, 25 % within family",
        "treat2": "within family",
        "treat1:treat2": "within family",
    }


def test_a_lost_sample_leaves_little_between_families():
    plan = mixed_plan(design(MIXED, family_study().drop("s30")))
    assert plan.groups[0].size == "1 to 2"
    assert plan.strata == (("between family", 19), ("within family", 19))
    compares, df, containment, method = rows(plan)["treat1 x treat2 interaction"]
    assert compares == "99.3 % within family, 0.7 % between family"
    assert (df, containment, method) == (19, 19, "groups fixed, QL F test")


def test_nested_groups():
    plan = mixed_plan(design("~ trt + x + (1 | site/plot)", sites()))
    assert [name for name, _ in plan.strata] == ["between site", "between site:plot within site", "within site:plot"]
    found = rows(plan)
    assert found["effect of trt"][2:] == (4, "mixed model")
    assert found["effect of x"][2:] == (21, "mixed model")
    assert plan.fixed == "~ site/plot + trt + x"
    assert len(design(plan.fixed, sites()).names) == 16 + 1


def test_coefficients_in_several_strata_are_explained():
    """One sib is lost: the treatment differs between families, too."""
    lost = mixed_plan(design(MIXED, family_study().drop("s30")))
    (sentence,) = [text for text in lost.sentences() if text.startswith("strata: ")]
    assert "are 38 of 39 residual ones" in sentence
    for formula, frame in ((MIXED, family_study()), ("~ time*group + (time | subject)", visits())):
        assert not any(text.startswith("strata: ") for text in mixed_plan(design(formula, frame)).sentences())


def test_random_slopes_limit_the_degrees_of_freedom():
    plan = mixed_plan(design("~ time*group + (time | subject)", visits()))
    assert plan.fixed is None
    assert not plan.cautions
    found = {title: each[2] for title, each in rows(plan).items()}
    assert {found["effect of time"], found["time x group interaction"]} == {18}
    assert {query.method for query in plan.queries} == {"mixed model"}


def test_what_cannot_be_estimated_is_in_the_plan():
    plan = mixed_plan(design("~ treat1*treat2 + (treat2 | family)", family_study()))
    assert "48 random effects" in plan.problems[0]
    empty = family_study().query("not (treat1 == 'D' and treat2 == 'E')")
    lost = {query.title: query for query in mixed_plan(design(MIXED, empty)).queries}
    effect = lost["effect of treat2"]
    assert not effect.estimable
    assert effect.compares.startswith("no: no samples with")
    assert effect.method == "none"
    assert "; but 'treat1[D - A] : treat2[E - C]' cannot be estimated" in lost["treat1 x treat2 interaction"].compares


def test_the_report_shows_the_plan():
    report = design(MIXED, family_study()).report()
    text = str(report)
    assert "random: (1 | family), 24 levels of 2 samples" in text
    assert "stratum: between family, 20 residual degrees of freedom" in text
    assert "mixed model: cn.lmm(dds) of log counts, or cn.glmm(dds) of counts" in text
    assert "groups fixed, QL F test: cn.edger(dds.with_design('~ family + treat1*treat2'))" in text
    assert report.tables["queries"].columns.tolist() == ["query", "compares", "df", "df by containment", "method"]
    assert report.tables["coefficients"]["compares"].tolist()[2] == "within family"
    slopes = str(design("~ time*group + (time | subject)", visits()).report())
    assert "stratum: between subject, of several variances" in slopes
    assert "caution" not in slopes
    assert "cannot be fitted by cn.lmm: the random term '(treat2 | family)'" in str(
        design("~ treat2 + (treat2 | family)", family_study()).report()
    )
    assert "compares" not in design("~ treat1", family_study()).report().tables["coefficients"]
