"""Simulated families within groups: layout, truth, and what the data set makes of them."""

import itertools

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest import simulate
from countnest.errors import OptionError

NULL = dict.fromkeys(("treat1_fraction", "treat2_fraction", "interaction_fraction"), 0.0)
FACTORIAL = {"parents": True, "treat3": ("None", "H"), "genes": 300, "treat3_interaction_fraction": 0.2}


def dataset(study):
    return cn.DESeqDataSet(study.counts, study.samples, design=study.design, reference=study.reference)


@pytest.fixture(scope="module")
def study():
    return simulate.nested(genes=300, rng=7)


@pytest.fixture(scope="module")
def factorial():
    return simulate.nested(**FACTORIAL, families=(7, 6, 6, 5), lost=2, rng=7)


def test_tables(study):
    assert study.counts.shape == study.log_means.shape == (300, 48)
    assert set(study.counts.dtypes) == {np.dtype(np.int64)}
    assert list(study.counts.index[[0, -1]]) == ["g00000", "g00299"]
    assert list(study.samples.index) == [f"s{j:03d}" for j in range(48)]
    for columns in (study.counts.columns, study.log_means.columns, study.size_factors.index):
        assert columns.equals(study.samples.index)
    assert study.truth.index.equals(study.counts.index)
    assert study.family_effects.shape == (300, 24)


def test_sheet(study):
    sheet = study.samples
    assert list(sheet) == ["family", "treat1", "ind", "treat2"]
    assert sheet.map(lambda value: isinstance(value, str)).all(axis=None)
    assert list(sheet["treat2"]) == ["None", "E"] * 24
    assert list(sheet["treat1"]) == list(np.repeat(["A", "B", "C", "D"], 12))
    assert list(sheet["ind"]) == list(np.repeat([*"123456"] * 4, 2))
    assert (sheet.drop_duplicates(["family", "treat1", "ind"])["family"].value_counts() == 1).all()
    assert sheet["family"].nunique() == 24
    assert not sheet.drop_duplicates("family").duplicated(["treat1", "ind"]).any()


def test_design(study):
    assert study.design == "~ treat1 + treat1:ind + treat1:treat2"
    assert study.reference == {"treat2": "None"}
    design = dataset(study).design
    assert design.matrix.shape == (48, 28)
    assert design.columns[0] == "(Intercept)"
    assert design.columns[-4:] == tuple(f"treat1{level}:treat2E" for level in "ABCD")
    assert design.dropped == ()
    assert design.levels["treat2"] == ("None", "E")


def test_factorial_design(factorial):
    assert list(factorial.samples) == ["family", "father", "mother", "ind", "treat2", "treat3"]
    assert factorial.design == (
        "~ father*mother + father:mother:ind + father:mother:treat2 + father:mother:treat3 "
        "+ father:mother:treat2:treat3"
    )
    assert factorial.reference == {"treat2": "None", "treat3": "None"}
    families = factorial.samples.drop_duplicates("family").groupby(["mother", "father"]).size()
    assert list(families) == [7, 6, 6, 5]
    design = dataset(factorial).design
    assert design.matrix.shape == (94, 36)
    assert sorted(design.dropped) == [
        "fatherno:motheryes:ind7",
        "fatheryes:motherno:ind7",
        "fatheryes:motheryes:ind6",
        "fatheryes:motheryes:ind7",
    ]


def test_truth_columns(study, factorial):
    interactions = [f"treat1[{level}]:treat2[E]" for level in "BCD"]
    effects = ["treat1[B]", "treat1[C]", "treat1[D]", "treat2[E]", *interactions]
    nulls = ["null_treat1", "null_treat2", "null_treat1:treat2", "null_interaction"]
    assert list(study.truth) == ["base", "alpha", "family_sd", *effects, *nulls]
    assert (study.truth["family_sd"] == 0.35).all()
    assert set(study.truth[nulls].dtypes) == {np.dtype(bool)}
    assert {"father[yes]:mother[yes]:treat2[E]:treat3[H]", "null_father:treat2", "null_treat3"} <= set(factorial.truth)


def test_nulls_follow_from_the_effects(study, factorial):
    truth = study.truth
    interaction = truth.filter(regex=r"^treat1.*:").ne(0).any(axis=1)
    assert truth["null_interaction"].equals(~interaction)
    assert truth["null_interaction"].equals(truth["null_treat1:treat2"])
    assert truth["null_treat2"].equals(~interaction & truth["treat2[E]"].eq(0))
    assert truth["null_treat1"].equals(~interaction & truth.filter(regex=r"^treat1\[.\]$").eq(0).all(axis=1))
    assert 0 < truth["null_interaction"].mean() < 1

    truth = factorial.truth
    either = truth["null_father:treat2"] & truth["null_mother:treat2"]
    assert truth["null_interaction"].equals(either)
    assert truth["null_treat1"].equals(truth["null_father"] & truth["null_mother"])
    assert not truth["null_father:treat2"].equals(truth["null_mother:treat2"])


@pytest.mark.parametrize("name", ["study", "factorial"])
def test_log_means_are_base_effects_and_families(name, request):
    study = request.getfixturevalue(name)
    sheet, truth = study.samples, study.truth
    expected = np.log(truth["base"].to_numpy())[:, None] + study.family_effects[sheet["family"]].to_numpy()
    for column in truth.filter(regex=r"^(treat|father|mother)"):
        pairs = [part.removesuffix("]").split("[") for part in column.split(":")]
        applies = np.logical_and.reduce([sheet[variable] == level for variable, level in pairs])
        expected += truth[column].to_numpy()[:, None] * applies
    np.testing.assert_allclose(study.log_means, expected, rtol=0, atol=1e-12)


def test_coefficients_of_the_design_are_the_effects(study):
    design, truth = dataset(study).design, study.truth
    beta = pd.DataFrame(study.log_means.to_numpy() @ np.linalg.pinv(design.matrix).T, truth.index, design.columns)
    for level in "BCD":
        effect = truth["treat2[E]"] + truth[f"treat1[{level}]:treat2[E]"]
        np.testing.assert_allclose(beta[f"treat1{level}:treat2E"], effect, atol=1e-9)
    first_families = study.family_effects["f07"] - study.family_effects["f01"]
    np.testing.assert_allclose(beta["treat1B"], truth["treat1[B]"] + first_families, atol=1e-9)


def test_counts_have_the_means_and_the_dispersions():
    study = simulate.nested(genes=200, families=2, sibs=400, rng=3, dispersion_sd=0.3)
    assert study.counts.shape == (200, 6400)
    scaled = study.counts.to_numpy() / study.size_factors.to_numpy()
    group = study.samples.groupby(["family", "treat2"], sort=False).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    means = np.stack([scaled[:, group == one].mean(axis=1) for one in range(16)], axis=1)
    np.testing.assert_allclose(np.log(means), study.log_means.iloc[:, first], atol=0.4)
    assert abs((np.log(means) - study.log_means.iloc[:, first].to_numpy()).mean()) < 0.005

    mu = np.exp(study.log_means.to_numpy()) * study.size_factors.to_numpy()
    alpha = (((study.counts.to_numpy() - mu) ** 2 - mu) / mu**2).mean(axis=1)
    ratio = alpha / study.truth["alpha"]
    assert abs(np.median(ratio) - 1) < 0.02


def test_genes_follow_the_arguments():
    truth = simulate.nested(genes=20_000, families=1, rng=2).truth
    assert truth["base"].between(5, 5000).all()
    assert np.log(truth["base"]).mean() == pytest.approx(np.log(5 * 5000) / 2, abs=0.05)
    scatter = np.log(truth["alpha"] / (0.03 + 1.5 / truth["base"]))
    assert scatter.std() == pytest.approx(0.5, abs=0.02)
    assert truth["treat2[E]"].ne(0).mean() == pytest.approx(0.25, abs=0.02)
    assert truth["treat1[C]"].ne(0).mean() == pytest.approx(0.2, abs=0.02)
    assert (~truth["null_interaction"]).mean() == pytest.approx(0.1, abs=0.02)
    effects = truth["treat1[B]:treat2[E]"]
    assert effects[effects != 0].std() == pytest.approx(0.9, abs=0.05)


def test_null_study():
    study = simulate.nested(genes=2000, **NULL, rng=5)
    assert study.truth.filter(like="null_").all(axis=None)
    assert study.family_effects.to_numpy().std() == pytest.approx(0.35, abs=0.01)
    means = study.log_means.T.groupby(study.samples["family"]).nunique()
    assert (means == 1).all(axis=None)
    assert (simulate.nested(genes=5, family_sd=0.0).family_effects == 0).all(axis=None)


def test_a_seed_gives_the_same_study():
    study, again, other = (simulate.nested(genes=50, rng=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(study.counts, again.counts)
    pd.testing.assert_frame_equal(study.truth, again.truth)
    assert not study.counts.equals(other.counts)
    generator = np.random.default_rng(4)
    pd.testing.assert_frame_equal(simulate.nested(genes=50, rng=generator).counts, study.counts)
    assert not simulate.nested(genes=50, rng=generator).counts.equals(study.counts)


def test_more_genes_only_add_genes(factorial):
    more = simulate.nested(**FACTORIAL | {"genes": 320}, families=(7, 6, 6, 5), lost=2, rng=7)
    pd.testing.assert_frame_equal(more.counts.iloc[:300], factorial.counts)
    pd.testing.assert_frame_equal(more.truth.iloc[:300], factorial.truth)


def test_lost_samples():
    whole = simulate.nested(genes=20, rng=6)
    for lost in (1, 10, 24):
        study = simulate.nested(genes=20, rng=6, lost=lost)
        assert len(study.samples) == 48 - lost
        assert study.samples["family"].nunique() == 24
        pd.testing.assert_frame_equal(study.counts, whole.counts[study.samples.index])


def test_families_and_sibs():
    study = simulate.nested(genes=20, families=[2, 12, 3, 1], sibs=3, treat2=("low", "mid", "high"), rng=6)
    sheet = study.samples
    assert len(sheet) == 18 * 9
    assert (sheet.groupby(["family", "treat2"]).size() == 3).all()
    assert list(sheet.loc[sheet["treat1"] == "B", "ind"].unique()) == [f"{ind:02d}" for ind in range(1, 13)]
    assert sheet["family"].is_monotonic_increasing
    assert study.reference == {"treat2": "low"}
    assert dataset(study).design.matrix.shape == (162, 4 + 14 + 8)


def test_one_family_in_each_group_needs_no_family_term():
    study = simulate.nested(genes=20, families=1, sibs=2, treat1=("wild", "mutant"))
    assert study.design == "~ treat1 + treat1:treat2"
    assert study.reference == {"treat1": "wild", "treat2": "None"}
    assert dataset(study).design.columns == (
        "(Intercept)",
        "treat1mutant",
        "treat1wild:treat2E",
        "treat1mutant:treat2E",
    )


@each(
    ("arguments", "message"),
    [
        ({"genes": 0}, r"genes=0 .* whole number of at least 1"),
        ({"genes": 2.5}, r"genes=2\.5 .* whole number"),
        ({"sibs": True}, r"sibs=True .* whole number"),
        ({"treat1": "ABCD"}, r"treat1='ABCD' .* two or more levels"),
        ({"treat1": ("A",)}, r"treat1=\('A',\) .* two or more levels"),
        ({"treat2": ("None", None)}, r"treat2=.* two or more levels"),
        ({"treat2": ("E", "E")}, r"treat2=.* names a level twice"),
        ({"treat3": ("x", "")}, r"treat3=.* two or more levels"),
        ({"families": (6, 6)}, r"families has 2 numbers for 4 levels; give 4, or one number"),
        ({"families": (6, 6, 0, 6)}, r"families\[2\]=0 .* at least 1"),
        ({"families": "six"}, r"families='six' .* sequence of whole numbers"),
        ({"parents": "yes"}, r"parents='yes' .* True or False"),
        ({"parents": True, "treat1": ("A", "B")}, r"parents=True replaces treat1"),
        ({"lost": 25}, r"lost=25 would lose whole families.*at most 24"),
        ({"lost": -1}, r"lost=-1 .* at least 0"),
        ({"treat1_fraction": 1.5}, r"treat1_fraction=1\.5 .* from 0 to 1"),
        ({"interaction_fraction": "all"}, r"interaction_fraction='all' .* from 0 to 1"),
        ({"family_sd": -0.1}, r"family_sd=-0\.1 .* 0 or more"),
        ({"effect_sd": np.nan}, r"effect_sd=nan .* finite"),
        ({"size_factor_sd": None}, r"size_factor_sd=None .* finite"),
        ({"base": 5}, r"base=5 .* two numbers"),
        ({"base": (100, 10)}, r"base=\(100, 10\) .* smaller number first"),
        ({"base": (0, 10)}, r"base\[0\]=0 .* above 0"),
        ({"base": (1, 1e12)}, r"smaller base"),
        ({"dispersion": 0.1}, r"dispersion=0\.1 .* a0 and a1"),
        ({"dispersion": (0, 1)}, r"dispersion\[0\]=0 .* above 0"),
        ({"rng": None}, r"rng=None .* whole number"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(OptionError, match=message):
        simulate.nested(**{"genes": 20} | arguments)


def test_every_fraction_has_its_terms():
    every = ("treat1", "treat2", "treat3", "interaction", "treat3_interaction")
    found = {}
    for name in every:
        fractions = {f"{one}_fraction": float(one == name) for one in every}
        truth = simulate.nested(**FACTORIAL | {"genes": 5} | fractions).truth
        effects = truth.filter(regex=r"^(treat|father|mother)").columns
        found[name] = {column for column in effects if truth[column].ne(0).any()}
    assert found["treat1"] == {"father[yes]", "mother[yes]", "father[yes]:mother[yes]"}
    assert found["treat2"] == {"treat2[E]"}
    assert found["treat3"] == {"treat3[H]"}
    assert found["interaction"] == {f"{group}:treat2[E]" for group in found["treat1"]}
    assert len(found["treat3_interaction"]) == 7
    assert not any(left & right for left, right in itertools.combinations(found.values(), 2))
