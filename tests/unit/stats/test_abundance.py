"""Normalization factors, filtering and counts per million against edgeR, and what holds whatever the data."""

import numpy as np
import pandas as pd
import pytest

from countnest.errors import NormalizationError
from countnest.stats.norm.abundance import ave_log_cpm, cpm, log_cpm, rpkm
from countnest.stats.norm.filter import FilterRule, filter_by_expr, smallest_group, smallest_group_of_design
from countnest.stats.norm.tmm import Trimming, norm_factors
from unit.stats.edger_cases import NAMES, case

R_TOLERANCE = 1e-12


def test_normalization_factors_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        np.testing.assert_allclose(norm_factors(study.every), study.samples["nf_TMM_all"], rtol=R_TOLERANCE)
        for method in ("TMM", "TMMwsp", "RLE", "upperquartile"):
            found = norm_factors(study.counts, None, method)
            np.testing.assert_allclose(
                found, study.samples[f"nf_{method}"], rtol=R_TOLERANCE, err_msg=f"{name} {method}"
            )


def test_the_genes_kept_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        keep, _ = study.table("keep")
        library = study.every.sum(axis=0)
        groups = pd.factorize(study.samples["group"])[0]
        of_design = filter_by_expr(study.every, library, smallest_group_of_design(study.design))
        np.testing.assert_array_equal(of_design, keep["design"] > 0)
        np.testing.assert_array_equal(filter_by_expr(study.every, library, smallest_group(groups)), keep["group"] > 0)


def test_counts_per_million_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        library = study.factors if name == "offsets" else study.library
        found = (cpm(study.counts, library), log_cpm(study.counts, library), log_cpm(study.counts, library, 0.5))
        expected, rows = study.table("cpm")
        np.testing.assert_allclose(np.hstack(found)[rows], expected, rtol=R_TOLERANCE, atol=1e-12)
        lengths = 500.0 + 7.0 * np.arange(1, len(study.counts) + 1)
        expected, rows = study.table("log_rpkm")
        logs = rpkm(study.counts, library, lengths, log=True)
        np.testing.assert_allclose(logs[rows], expected, rtol=R_TOLERANCE, atol=1e-12)
        np.testing.assert_allclose(
            rpkm(study.counts, library, lengths), cpm(study.counts, library) * 1e3 / lengths[:, None]
        )


def test_average_log_counts_per_million_are_those_of_edger():
    for name in NAMES:
        study = case(name)
        genes, rows = study.table("genes")
        for column, dispersion in (("ave_log_cpm_05", 0.05), ("ave_log_cpm", study.info["common_dispersion"])):
            found = ave_log_cpm(study.counts, study.library, dispersion, weights=study.weights)
            np.testing.assert_allclose(found[rows], genes[column], rtol=R_TOLERANCE)


def test_factors_do_not_depend_on_the_order_of_genes_and_follow_that_of_samples():
    study = case("sparse")
    rng = np.random.default_rng(1)
    genes, samples = rng.permutation(len(study.counts)), rng.permutation(study.counts.shape[1])
    for method in ("TMM", "TMMwsp", "RLE", "upperquartile"):
        plain = norm_factors(study.counts, None, method)
        assert np.exp(np.log(plain).mean()) == pytest.approx(1.0, rel=1e-12)
        if method != "TMMwsp":  # which breaks ties by the order of the genes, as in R
            np.testing.assert_allclose(norm_factors(study.counts[genes], None, method), plain, rtol=1e-12)
        np.testing.assert_allclose(norm_factors(study.counts[:, samples], None, method), plain[samples], rtol=1e-12)


def test_composition_is_found():
    rng = np.random.default_rng(2)
    mean = np.exp(rng.normal(5.0, 1.0, (2000, 1))) * np.ones(6)
    mean[:200, 3:] *= 8.0  # a tenth of the genes takes much of the depth of the last samples
    counts = rng.poisson(mean).astype(float)
    for method in ("TMM", "TMMwsp", "RLE"):
        effective = counts.sum(axis=0) * norm_factors(counts, None, method)
        assert effective[3:].mean() / effective[:3].mean() == pytest.approx(1.0, rel=0.02), method


def test_samples_without_counts_have_no_factor():
    counts = np.ones((20, 3))
    counts[:, 1] = 0.0
    with pytest.raises(NormalizationError, match="sample number 2 has no counts"):
        norm_factors(counts)
    with pytest.raises(NormalizationError, match="geometric means"):
        norm_factors(np.eye(3) + 0.0, None, "RLE")
    with pytest.raises(NormalizationError, match="factor 0"):
        norm_factors(np.eye(5)[:, :2] + np.array([0.0, 1.0]), None, "upperquartile")


def test_samples_that_are_alike_have_the_factor_one():
    counts = np.outer(np.arange(1.0, 50.0), [1.0, 2.0, 10.0])
    for method in ("TMM", "TMMwsp", "RLE", "upperquartile", "none"):
        np.testing.assert_allclose(norm_factors(counts, None, method), 1.0, rtol=1e-12)
    assert np.all(norm_factors(np.zeros((4, 2)), np.ones(2)) == 1.0)


def test_trimming_changes_the_mean_and_the_reference_is_a_choice():
    study = case("oneway")
    plain = norm_factors(study.counts)
    others = (
        norm_factors(study.counts, trimming=Trimming(weighted=False)),
        norm_factors(study.counts, trimming=Trimming(log_ratio=0.1)),
        norm_factors(study.counts, reference=6),
        norm_factors(study.counts, method="TMMwsp", trimming=Trimming(weighted=False)),
    )
    for other in others:
        assert 1e-6 < np.abs(other / plain - 1.0).max() < 0.2


def test_large_groups_need_a_fraction_of_their_samples():
    counts = np.zeros((3, 40))
    counts[0, :17], counts[1, :16], counts[2] = 100.0, 100.0, 10.0
    library = np.full(40, 1e6)
    # of 20 samples, 10 and 0.7 of the other 10 are enough
    np.testing.assert_array_equal(filter_by_expr(counts, library, 20.0), [True, False, True])
    np.testing.assert_array_equal(filter_by_expr(counts, library, 20.0, FilterRule(min_count=11)), [True, False, False])
    np.testing.assert_array_equal(
        filter_by_expr(counts, library, 20.0, FilterRule(min_total_count=1701)), [False, False, False]
    )


def test_the_smallest_group_of_a_design_of_groups_is_its_smallest_group():
    codes = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    groups = (codes[:, None] == np.arange(3)).astype(float)
    assert smallest_group(codes) == 2.0
    for matrix in (groups, groups[:, 1:], np.column_stack([groups, groups[:, 0]]), 1e6 * groups):
        assert smallest_group_of_design(matrix) == pytest.approx(2.0, rel=1e-12)
