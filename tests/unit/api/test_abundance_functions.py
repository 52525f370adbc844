"""Normalization factors, filtering and counts per million of data sets and tables: labels, and wrong arguments."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning, CountsError, NormalizationError, OptionError
from countnest.stats.norm import abundance
from countnest.stats.norm.tmm import norm_factors
from unit.stats.edger_cases import case

SAMPLES = [f"s{j}" for j in range(1, 8)]


@pytest.fixture(scope="module")
def dds():
    counts = case("oneway").every.astype(np.int64)
    table = pd.DataFrame(counts, [f"g{i}" for i in range(len(counts))], SAMPLES)
    sheet = pd.DataFrame({"group": ["ctl"] * 3 + ["trt"] * 4}, SAMPLES)
    return cn.DESeqDataSet(table, sheet, design="~ group", quiet=True)


def test_a_data_set_a_table_and_an_array_give_the_same_numbers(dds):
    counts, library = dds.counts().to_numpy(dtype=float), dds.counts().sum()
    tables = (dds, dds.counts(), counts)
    expected = norm_factors(counts)
    for given in tables:
        np.testing.assert_array_equal(cn.calc_norm_factors(given), expected)
        np.testing.assert_array_equal(cn.cpm(given), abundance.cpm(counts, library.to_numpy(float)))
        effective = library.to_numpy() * expected
        np.testing.assert_array_equal(cn.cpm(given, norm_factors="TMM", log=True), abundance.log_cpm(counts, effective))
        np.testing.assert_array_equal(cn.ave_log_cpm(given), abundance.ave_log_cpm(counts, library.to_numpy(float)))
        lengths = np.linspace(200.0, 5000.0, len(counts))
        np.testing.assert_allclose(cn.rpkm(given, lengths), cn.cpm(given) * (1e3 / lengths)[:, None], rtol=1e-12)
    assert list(cn.calc_norm_factors(dds).index) == SAMPLES
    assert cn.cpm(dds).index.equals(dds.gene_names)
    assert cn.ave_log_cpm(dds).index.equals(dds.gene_names)
    assert isinstance(cn.cpm(counts), np.ndarray)


def test_filtering_keeps_the_genes_of_the_design_or_of_the_groups(dds):
    keep, _ = case("oneway").table("keep")
    for found in (
        cn.filter_by_expr(dds),
        cn.filter_by_expr(dds, "group"),
        cn.filter_by_expr(dds, design="~ group"),
        cn.filter_by_expr(dds.counts(), dds.samples["group"]),
        cn.filter_by_expr(dds, dds.samples["group"][::-1]),  # matched by label
        cn.filter_by_expr(dds.counts().to_numpy(), design=case("oneway").design),
    ):
        np.testing.assert_array_equal(found, keep["design"] > 0)
    assert len(dds[cn.filter_by_expr(dds)]) == int((keep["design"] > 0).sum())
    assert cn.filter_by_expr(dds.counts()).sum() < cn.filter_by_expr(dds).sum()  # all samples are one group
    assert cn.filter_by_expr(dds, min_count=0, min_total_count=0).all()
    with pytest.warns(CountnestWarning, match="no gene is kept"):
        assert not cn.filter_by_expr(dds, min_total_count=1e12).any()


def test_what_is_given_by_sample_and_by_gene_is_matched_by_label(dds):
    library = dds.counts().sum() * 2
    factors = pd.Series(np.linspace(0.5, 2.0, 7), SAMPLES)
    plain = cn.cpm(dds, lib_size=library, norm_factors=factors)
    np.testing.assert_array_equal(cn.cpm(dds, lib_size=library[::-1], norm_factors=dict(factors[::-1])), plain)
    offset = pd.DataFrame(np.log(library * factors).to_numpy()[None] + np.zeros(dds.shape), dds.gene_names, SAMPLES)
    np.testing.assert_allclose(cn.cpm(dds, offset=offset.iloc[::-1, ::-1]), plain, rtol=1e-13)
    lengths = pd.Series(np.linspace(200.0, 5000.0, len(dds)), dds.gene_names)
    np.testing.assert_array_equal(cn.rpkm(dds, lengths[::-1], log=True), cn.rpkm(dds, lengths, log=True))
    by_label, by_place = (cn.calc_norm_factors(dds, ref_column=each) for each in ("s3", 2))
    np.testing.assert_array_equal(by_label, by_place)


def test_arguments_that_are_wrong_are_refused(dds):
    for error, match, call in (
        (OptionError, "method='tmm' is not known", lambda: cn.calc_norm_factors(dds, "tmm")),
        (OptionError, "below 0.5", lambda: cn.calc_norm_factors(dds, sum_trim=0.5)),
        (OptionError, "is not a sample", lambda: cn.calc_norm_factors(dds, ref_column="s9")),
        (OptionError, "is not a sample", lambda: cn.calc_norm_factors(dds, ref_column=7)),
        (OptionError, "p=1", lambda: cn.calc_norm_factors(dds, p=1)),
        (NormalizationError, "one number for each of 7 samples", lambda: cn.cpm(dds, lib_size=[1.0, 2.0])),
        (NormalizationError, "greater than 0", lambda: cn.cpm(dds, norm_factors=[0.0] * 7)),
        (NormalizationError, "shape", lambda: cn.cpm(dds, offset=np.zeros((2, 7)))),
        (OptionError, "takes the place", lambda: cn.cpm(dds, offset=np.zeros(dds.shape), norm_factors="TMM")),
        (OptionError, "norm_factors='no' is not known", lambda: cn.cpm(dds, norm_factors="no")),
        (OptionError, "prior_count=0", lambda: cn.cpm(dds, log=True, prior_count=0)),
        (OptionError, "log='yes'", lambda: cn.cpm(dds, log="yes")),
        (NormalizationError, "one number for each of 400 genes", lambda: cn.rpkm(dds, [1.0])),
        (OptionError, "group='grp' is not known", lambda: cn.filter_by_expr(dds, "grp")),
        (OptionError, "one value for each of the 7 samples", lambda: cn.filter_by_expr(dds, [1, 2])),
        (OptionError, "needs the sample sheet", lambda: cn.filter_by_expr(dds.counts(), design="~ group")),
        (OptionError, "row for each of the 7 samples", lambda: cn.filter_by_expr(dds.counts(), design=np.eye(3))),
        (OptionError, "min_count=-1", lambda: cn.filter_by_expr(dds, min_count=-1)),
        (OptionError, "dispersion=-1", lambda: cn.ave_log_cpm(dds, dispersion=-1)),
        (CountsError, "has no counts", lambda: cn.cpm(pd.DataFrame({"a": [1, 2], "b": [0, 0]}))),
        (CountsError, "not negative", lambda: cn.cpm(np.array([[1.0, -1.0]]))),
    ):
        with pytest.raises(error, match=match):
            call()
