"""Tests of one side and against thresholds, by likelihoods pinned at the threshold: what holds whatever the data."""

import numpy as np
import pytest

import countnest as cn
from countnest.simulate import groups
from countnest.stats.inference.lrt import pinned_offsets

ALTERNATIVES = ("greaterAbs", "greaterAbs2014", "greater", "less", "lessAbs")
KINDS = ("averaged", "ql")


@pytest.fixture(scope="module")
def dds():
    """Return an analysis with large counts, large effects, a gene without counts, and one without in a group."""
    made = groups(genes=80, sizes=(3, 3), base=(2.0, 5e4), fraction=0.5, effect_sd=2.0, rng=7)
    counts = made.counts.copy()
    counts.iloc[0] = 0
    counts.iloc[1] = [0, 0, 0, 30, 50, 40]
    counts.iloc[2] *= [1000, 1000, 1000, 1, 1, 1]
    sheet = made.samples.assign(dose=[0.0, 0.5, 1.5, 2.5, 3.5, 5.0])
    return {
        name: cn.DESeqDataSet(counts, sheet, design=f"~ {name}").deseq(quiet=True, fit_type="mean")
        for name in ("group", "dose")
    }


def test_p_values_are_at_most_one_and_statistics_are_numbers(dds):
    for kind in KINDS:
        for alternative in ALTERNATIVES:
            for threshold in (0.0, 0.5, 5.0):
                if threshold == 0.0 and alternative == "lessAbs":
                    continue
                query = dds["group"].effect("group")
                table = query.test(kind, lfc_threshold=threshold, alt_hypothesis=alternative).table
                case = kind, alternative, threshold
                assert table["pvalue"].isna().sum() == 1, case
                assert table["pvalue"].dropna().between(0.0, 1.0).all(), case
                assert np.isfinite(table["stat"].iloc[1:]).all(), case


def test_thresholds_beyond_what_counts_can_show_are_as_good_as_infinite(dds):
    for kind in KINDS:
        for alternative in ALTERNATIVES:
            # a group, and a dose of five units
            for name, thresholds in (
                ("group", (8.0, 20.0, 30.0, 60.0, 1e3, 1e300)),
                ("dose", (2.0, 5.0, 10.0, 200.0, 1e6)),
            ):
                query, before = dds[name].effect(name), None
                for threshold in thresholds:
                    table = query.test(kind, lfc_threshold=threshold, alt_hypothesis=alternative).table.iloc[1:]
                    p_value, case = table["pvalue"], (kind, alternative, name, threshold)
                    assert p_value.between(0.0, 1.0).all(), case
                    assert np.isfinite(table["stat"]).all(), case
                    if before is not None:
                        larger, smaller = (before, p_value) if alternative == "lessAbs" else (p_value, before)
                        assert (larger >= smaller * (1.0 - 1e-6) - 1e-6).all(), case
                    before = p_value


def test_offsets_pin_a_contrast_at_a_value():
    columns = np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    for value in (0.7, -0.7, 0.0):
        np.testing.assert_allclose(pinned_offsets(columns, np.array([[0.0, 1.0, 0.0]]), value), value * columns[:, 1])
    halved = np.array([[0.0, 1.0, 1.0]])  # coefficients of a half each make one
    np.testing.assert_allclose(pinned_offsets(columns, halved, 1.0), 0.5 * (columns[:, 1] + columns[:, 2]))
    far = pinned_offsets(columns, np.array([[0.0, 0.0, -1.0]]), 1e300)
    np.testing.assert_allclose(far, -30.0 * np.log(2.0) * columns[:, 2] / 4.0)
