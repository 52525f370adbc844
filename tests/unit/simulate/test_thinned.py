"""Real counts that are thinned."""

import numpy as np
import pandas as pd
import pytest

from cases import each
from countnest import datasets, simulate
from countnest.errors import CountnestError, CountsError, OptionError


@pytest.fixture(scope="module")
def untreated():
    airway = datasets.load("airway")
    counts = airway.counts.loc[:, airway.samples["dex"] == "untrt"]
    return counts[counts.sum(axis=1) > 0]


def test_study(untreated):
    study = simulate.thinning(untreated, fraction=0.2, rng=3)
    assert study.counts.shape == study.kept.shape == untreated.shape
    assert set(study.counts) == set(untreated)
    assert study.samples.index.equals(study.counts.columns)
    assert list(study.samples["group"]) == list("AABB")
    assert list(study.truth) == ["group[B]", "null_group"]
    original = untreated[study.counts.columns]
    null = study.truth["null_group"]
    assert 0.75 < null.mean() < 0.85
    pd.testing.assert_frame_equal(study.counts[null], original[null])
    assert (study.counts <= original).all(axis=None)
    assert repr(study).startswith(f"ThinnedStudy: {len(untreated)} genes x 4 samples, design ~ group")


def test_only_the_lower_groups_lose_reads_and_by_the_effect():
    counts = pd.DataFrame(np.full((400, 9), 10_000), index=[f"x{g}" for g in range(400)], columns=list("abcdefghi"))
    counts.iloc[0] = range(9_996, 10_005)  # if nothing varied, that would be told
    fold_changes = np.linspace([-3.0, 1.0], [2.0, -1.5], 400)
    study = simulate.thinning(counts, sizes=(2, 3, 4), log2_fold_changes=fold_changes, levels=("u", "v", "w"), rng=2)
    np.testing.assert_allclose(study.truth[["group[v]", "group[w]"]], np.log(2) * fold_changes)
    assert (study.kept.max(axis=1) == 1.0).all()
    means = study.counts.T.groupby(study.samples["group"], sort=False).mean().T
    for level, column in (("v", 0), ("w", 1)):
        found = np.log2(means[level] / means["u"])
        np.testing.assert_allclose(found, fold_changes[:, column], atol=0.15)
        # Standard deviations of binomial counts, by the delta method.
        assert abs((found - fold_changes[:, column]).mean()) < 0.005


def test_fold_changes_are_matched_by_label(untreated):
    some = untreated.iloc[:50]
    given = pd.Series(np.linspace(-1, 1, 50), index=some.index)
    study = simulate.thinning(some, log2_fold_changes=given.sample(frac=1, random_state=1))
    np.testing.assert_allclose(study.truth["group[B]"], np.log(2) * given)
    frame = given.to_frame("any name")
    pd.testing.assert_frame_equal(simulate.thinning(some, log2_fold_changes=frame).counts, study.counts)


def test_columns_of_fold_changes_are_matched_by_group(untreated):
    some = untreated.iloc[:50]
    given = pd.DataFrame({"B": np.linspace(-1, 1, 50), "C": np.linspace(0, 3, 50)}, index=some.index)
    study = simulate.thinning(some, sizes=(1, 1, 2), log2_fold_changes=given[["C", "B"]])
    np.testing.assert_allclose(study.truth[["group[B]", "group[C]"]], np.log(2) * given)
    with pytest.raises(OptionError, match=r"has the columns 'B', 'x'; .* after the first, which are 'B', 'C'"):
        simulate.thinning(some, sizes=(1, 1, 2), log2_fold_changes=given.set_axis(["B", "x"], axis=1))


def test_fold_changes_without_labels_are_in_the_order_of_the_genes(untreated):
    some = untreated.to_numpy()[:50]
    given = pd.Series(np.linspace(-1, 1, 50))
    for form, sizes in ((given, (2, 2)), (given.to_frame(), (2, 2)), (pd.DataFrame(np.c_[given, -given]), (1, 1, 1))):
        study = simulate.thinning(some, sizes=sizes, log2_fold_changes=form)
        np.testing.assert_allclose(study.truth["group[B]"], np.log(2) * given)


def test_seeds_and_sizes(untreated):
    study, again, other = (simulate.thinning(untreated, rng=seed) for seed in (4, 4, 6))
    pd.testing.assert_frame_equal(study.counts, again.counts)
    assert not study.counts.equals(other.counts)
    fewer = simulate.thinning(untreated, sizes=(1, 2))
    assert list(fewer.samples["group"]) == list("ABB")
    assert list(simulate.thinning(untreated.iloc[:, :3]).samples["group"]) == list("AAB")
    assert simulate.thinning(untreated, fraction=0.0).truth["null_group"].all()
    splits = {tuple(simulate.thinning(untreated.iloc[:9], rng=seed).counts.columns[:2]) for seed in range(40)}
    assert len({frozenset(pair) for pair in splits}) == 6


def test_arrays(untreated):
    study = simulate.thinning(untreated.to_numpy()[:20])
    assert list(study.counts.index[:2]) == ["gene1", "gene2"]
    assert set(study.samples.index) == {"sample1", "sample2", "sample3", "sample4"}


FEW = pd.DataFrame(np.arange(20).reshape(5, 4) % 7 + 1, index=list("abcde"), columns=["s1", "s2", "s3", "s4"])


@each(
    ("counts", "arguments", "message"),
    [
        ("counts.csv", {}, r"counts is a str; give the counts of two or more samples"),
        (None, {}, r"counts is None; give"),
        (FEW[["s1"]], {}, r"counts is a table of 1 sample; give"),
        (np.arange(4), {}, r"counts is a ndarray; give .* two dimensions"),
        (FEW.iloc[:0], {}, r"counts is a table"),
        (FEW, {"sizes": (3, 3)}, r"sizes=\(3, 3\) asks for 6 samples, and counts has 4"),
        (FEW, {"sizes": (2,)}, r"sizes has 1 numbers; give two or more"),
        (FEW, {"sizes": 2}, r"sizes=2 .* such as \(3, 3\)"),
        (FEW, {"levels": ("a", "b", "c")}, r"levels has 3 names and sizes 2"),
        (FEW, {"fraction": 7}, r"fraction=7 .* from 0 to 1"),
        (FEW, {"effect_sd": -1}, r"effect_sd=-1 .* 0 or more"),
        (FEW, {"rng": "x"}, r"rng='x' .* whole number"),
        (FEW, {"log2_fold_changes": "large"}, r"must be numbers; give a finite number for each of the 5 genes\."),
        (FEW, {"log2_fold_changes": [1, 2]}, r"shape \(2, 1\).*5 genes\."),
        (FEW, {"log2_fold_changes": [[1], [2, 3]]}, r"must be numbers"),
        (FEW, {"log2_fold_changes": [1, 2, 3, 4, np.inf]}, r"not all finite"),
        (FEW, {"log2_fold_changes": np.ones(5), "sizes": (1, 1, 1)}, r"of the 2 groups after the first"),
        (FEW, {"log2_fold_changes": pd.Series([1.0], index=["a"])}, r"lack 4 genes; .* labels of counts"),
        (FEW, {"log2_fold_changes": pd.Series(range(6), index=list("aabcde"))}, r"have a gene twice"),
        (FEW, {"lfc": np.ones(5)}, r"thinning\(\) has no argument 'lfc'"),
    ],
)
def test_bad_arguments(counts, arguments, message):
    with pytest.raises(OptionError, match=message):
        simulate.thinning(counts, **arguments)


@each(
    ("counts", "message"),
    [
        (FEW * 0.3, "not whole"),
        (-FEW, "negative"),
        (FEW.assign(s2=0), "all counts are zero in 1 sample: 's2'"),
        (FEW.astype(str).replace("1", "one"), "numeric|text|numbers"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(CountsError, match=message):
        simulate.thinning(counts)


def test_calls_without_counts_are_explained():
    with pytest.raises(CountnestError, match=r"thinning\(\) lacks 'counts'"):
        simulate.thinning()
