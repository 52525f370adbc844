"""Means before the fit: those that dispersions were estimated with. Numbers are those of DESeq2 1.38.3."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning, MissingStepError

COUNTS = pd.DataFrame(
    [
        [0, 2, 1, 5, 0, 3, 7, 1],
        [20, 31, 18, 44, 25, 39, 60, 22],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [310, 250, 400, 520, 280, 610, 700, 330],
        [0, 0, 0, 9, 0, 0, 0, 0],
        [55, 47, 61, 52, 48, 66, 51, 58],
    ],
    index=[f"g{i}" for i in range(1, 7)],
    columns=[f"s{i}" for i in range(1, 9)],
)
SHEET = pd.DataFrame({"g": list("ab") * 4, "x": [-1.2, 0.3, -0.4, 1.1, -0.9, 0.6, 1.7, -0.7]}, index=COUNTS.columns)
FACTORS = [0.8, 0.9, 1, 1.1, 0.95, 1.05, 1.2, 0.85]
# After estimateDispersionsGeneEst, genes 1, 2 and 5; g3 has no counts.
OF_GROUPS = [
    [1.36666666666667, 2.43029029793736, 1.70833333333333, 2.9703548085901,
     1.62291666666667, 2.83533868092692, 2.05, 2.29527417027417],
    [23.86315789473684, 30.93067226890756, 29.82894736842105, 37.8041549953315,
     28.3375, 36.08578431372548, 35.7947368421053, 29.21230158730158],
    [0.5, 1.84090909090909, 0.5, 2.25, 0.5, 2.14772727272727, 0.5, 1.73863636363636],
]  # fmt: skip
OF_NUMBER = [
    [0.5, 1.648968168751052, 0.955369103390697, 4.24190379294817,
     0.570027513607021, 2.54307078843065, 8.08626835919518, 0.614314449155674],
    [17.3397529664513, 29.648700103510887, 27.096822990690715, 45.30240812950264,
     22.389199698172291, 37.61096640118895, 58.42973824338212, 21.182404362839815],
    [0.5, 0.741207893170138, 0.5, 2.47751490981367, 0.5, 1.26105520699933, 5.74777007324846, 0.5],
]  # fmt: skip

# With weights, and that of g2 in s1 zero; the first two samples.
WEIGHTED = [[1.50044622961176, 2.47941020193304], [25.40512174495251, 31.05289201041891]]


def estimated(design, **options):
    dds = cn.DESeqDataSet(COUNTS, SHEET, design, size_factors=FACTORS)
    return dds.estimate_dispersions(quiet=True, sharing="gene_est_only", **options)


@pytest.mark.parametrize(("design", "expected"), [("~ g", OF_GROUPS), ("~ x", OF_NUMBER)])
def test_means_are_those_of_r(design, expected):
    dds = estimated(design)
    mu = dds.mu()
    np.testing.assert_allclose(mu.loc[["g1", "g2", "g5"]], expected, rtol=1e-9)
    assert mu.loc["g3"].isna().all()
    np.testing.assert_array_equal(dds.mu(normalized=True), mu / FACTORS)
    fitted = dds.nbinom_wald_test(quiet=True).mu()
    assert fitted.loc["g5"].min() < 0.5, "those of the fit have no floor"
    pd.testing.assert_frame_equal(cn.remove_results(dds).mu(), mu)


def test_the_floor_is_that_of_the_estimates(tmp_path):
    dds = estimated("~ g", minmu=3.0)
    assert dds.mu().min().min() == 3.0
    cn.save(dds, tmp_path / "file")
    pd.testing.assert_frame_equal(cn.load(tmp_path / "file").mu(), dds.mu(), check_exact=True)


def test_means_under_weights_are_those_of_r():
    weights = np.ones(COUNTS.shape)
    weights[1, 0] = 0.0
    dds = cn.DESeqDataSet(COUNTS, SHEET, "~ g", size_factors=FACTORS, weights=weights)
    mu = dds.estimate_dispersions(quiet=True, sharing="gene_est_only").mu()
    np.testing.assert_allclose(mu.loc[["g1", "g2"], ["s1", "s2"]], WEIGHTED, rtol=1e-9)


def test_no_means_without_dispersions_of_our_own():
    dds = cn.DESeqDataSet(COUNTS, SHEET, "~ g", size_factors=FACTORS)
    with pytest.raises(MissingStepError, match="there are no dispersions yet"):
        dds.mu()
    dds.dispersions = np.full(6, 0.1)
    with pytest.raises(MissingStepError, match="the dispersions were given, so that there are no means yet"):
        dds.mu()
    assert dds.nbinom_wald_test(quiet=True).mu().loc["g2"].notna().all()


def test_replaced_counts_before_a_fit_are_the_counts():
    dds = cn.DESeqDataSet(COUNTS, SHEET, "~ g")
    with pytest.warns(CountnestWarning, match="no outliers were replaced yet: these are the original counts"):
        replaced = dds.counts(replaced=True)
    pd.testing.assert_frame_equal(replaced, dds.counts())
    dds = estimated("~ g").nbinom_wald_test(quiet=True)
    with pytest.warns(CountnestWarning, match="no outliers were replaced: these"):
        normalized = dds.counts(replaced=True, normalized=True)
    pd.testing.assert_frame_equal(normalized, COUNTS / FACTORS)
