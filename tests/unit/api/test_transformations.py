"""Transformations of a data set: DESeq2's numbers, what is frozen, what is refused, and that the data set stays."""

import copy

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.transformations import fpkm, fpm, norm_transform, rlog, variance_stabilizing_transformation, vst
from countnest.containers.transformed import Transformed
from countnest.errors import CountnestWarning, CountsError, DesignError, NormalizationError, OptionError
from countnest.methods.deseq2 import transform
from exact import read_exactly
from unit.api.simulated import study

SHOWN = ["g0", "g20", "g70", "g130"]


def formula_counts():
    """Counts that R can make too: genes g0, ... by samples s0, ..., the first two genes without any."""
    i, j = np.arange(140)[:, None], np.arange(6)[None, :]
    noise = (i * 7919 + j * 104729 + i * i * (j + 3) * 31) % 1009 / 504.0 - 1.0
    base = 1.09**i
    counts = np.floor(np.maximum(0.0, base + noise * (2.0 * np.sqrt(base) + 0.4 * base)) * (1.0 + 0.2 * j))
    counts[:2] = 0.0
    return pd.DataFrame(counts, index=[f"g{g}" for g in range(140)], columns=[f"s{s}" for s in range(6)])


COUNTS = formula_counts()
SHEET = pd.DataFrame({"group": list("aaabbb")}, index=COUNTS.columns)
LENGTHS = pd.Series(500.0 + 10.0 * np.arange(140), index=COUNTS.index)

# Of DESeq2 1.38.3 for these counts, rows SHOWN. `vst` with nsub = 41; `_design` with blind = FALSE; `held` with the
# trend of DESeq(). The frozen ones were made of s0 to s3 (vst: local trend) and applied to s2 to s5.
R = {
    "vst_full_parametric": """
        4.86384041781318 4.86384041781318 4.86384041781318 4.86384041781318 4.86384041781318 4.86384041781318
        5.85190095699665 5.8917174383285 4.86384041781318 4.86384041781318 5.10262841396039 5.30344269857767
        8.50798433816754 9.14637564901376 9.63482393520416 8.54578399250542 9.19295778644111 9.55039090869696
        17.1362330072056 17.1577775952131 15.9939085417575 15.9684750157113 16.0404640431807 16.0009588835807""",
    "vst_full_local": """
        4.2923250893946 4.2923250893946 4.2923250893946 4.2923250893946 4.2923250893946 4.2923250893946
        5.38423932197928 5.42159802327424 4.2923250893946 4.2923250893946 4.58347655184113 4.82350100835767
        7.72600018143321 8.32185082542979 8.79924660265566 7.76048964927762 8.36652267922425 8.71526173599003
        17.13755422972 17.1592203043546 15.9664914395929 15.9398344203788 16.01521262964 15.9738758751199""",
    "vst_full_mean": """
        -0.536658994038083 -0.536658994038083 -0.536658994038083
        -0.536658994038083 -0.536658994038083 -0.536658994038083
        3.95867596552331 4.06755333007363 -0.536658994038083 -0.536658994038083 0.950330240610464 1.99420634452902
        8.27387947882235 8.99806046246053 9.52985144305593 8.31796509360322 9.04946783963446 9.43897431507929
        17.1356635232525 17.1572165532838 15.9926513409184 15.9671954502238 16.0392467723904 15.9997078128638""",
    "vst": """
        5.14491656135915 5.14491656135915 5.14491656135915 5.14491656135915 5.14491656135915 5.14491656135915
        6.04425456631735 6.08074131296945 5.14491656135915 5.14491656135915 5.36158411079294 5.54398638355917
        8.55293917247352 9.17625591737268 9.65651259470968 8.58968208567766 9.22194625760028 9.57332377441288
        17.1363584288319 17.157901158252 15.9941853036216 15.968756696966 16.040732021573 16.0012342970217""",
    "vst_design": """
        5.61642141055299 5.61642141055299 5.61642141055299 5.61642141055299 5.61642141055299 5.61642141055299
        6.38353463947141 6.4149379992386 5.61642141055299 5.61642141055299 5.80047272121394 5.95562790284448
        8.6447361163741 9.23856356716299 9.70228507547239 8.67944892173848 9.28247205008921 9.62163246947885
        17.1366322478974 17.1581709205003 15.994789375794 15.9693715014097 16.0413169310591 16.0018354274083""",
    "held": """
        5.24284005865418 5.24284005865418 5.24284005865418 5.24284005865418 5.24284005865418 5.24284005865418
        6.11306028976483 6.14843963103784 5.24284005865418 5.24284005865418 5.45229067529634 5.62867374732909
        8.57023892297141 9.18786730810361 9.66498719870612 8.60658647795584 9.23321776461856 9.5822769802661
        17.1364081839383 17.1579501761178 15.9942950837625 15.9688684280296 16.0408383183463 16.001343542405""",
    "rlog": """
        0 0 0 0 0 0
        2.44511307521514 2.46054593068992 2.27975147468492 2.27823251944242 2.28837945018281 2.3135133600129
        8.67176908109065 8.97421083216845 9.23042855001417 8.68604364267234 8.99797474909396 9.18570204898146
        16.7952419642128 16.8073766742936 16.205940522455 16.1941033650598 16.2277508782974 16.2092237843431""",
    "rlog_design": """
        0 0 0 0 0 0
        2.44601111056298 2.45876047852484 2.30814427894158 2.30707414502407 2.31542496614056 2.33602800917484
        8.67006438898199 8.97422265320156 9.2317300438666 8.68431755045406 8.99812123044776 9.1868291758373
        16.8053632956287 16.8177963737328 16.1983169322398 16.1860420115813 16.2209229075942 16.2017203196705""",
    "frozen_vst": """
        7.40039350132795 7.40039350132795 7.40039350132795 7.40039350132795
        7.40039350132795 7.40039350132795 7.59997479451564 7.77644944250279
        10.99532538384 10.1732982709775 10.6295811523408 10.8839821144826
        16.3303534888623 16.2830568630831 16.3303787479634 16.2791603093414""",
    "frozen_rlog": """
        0 0 0 0
        2.54083239900487 2.53873354175849 2.55001175997271 2.57766446181771
        9.20446609534407 8.57777711713262 8.92275498955043 9.12015218877254
        16.3207021445423 16.293212961248 16.3207146789427 16.2909528238811""",
    "fpm": """
        0 0 0 0 0 0
        5.17968062384748 5.62344773832892 0 0 0.291636929734674 0.993811089217713
        112.39906953749 186.006348267803 269.137526865457 115.90232760719 192.77201055462 252.676469433604
        52524.033398063 53314.6102883876 23783.2987669192 23367.3219055581 24563.9953176921 23899.9144318245""",
    "fpkm": """
        0 0 0 0 0 0
        7.39954374835354 8.03349676904131 0 0 0.416624185335249 1.41973012745388
        93.665891281242 155.005290223169 224.281272387881 96.5852730059915 160.64334212885 210.563724528003
        29180.0185544794 29619.2279379931 13212.9437593996 12981.8455030879 13646.6640653845 13277.7302399025""",
}  # fmt: skip
PRIOR_VAR = 0.144020972174759


def assert_like_r(found, name):
    table = found.table if isinstance(found, Transformed) else found
    expected = np.array([float(word) for word in R[name].split()]).reshape(len(SHOWN), -1)
    np.testing.assert_allclose(table.loc[SHOWN], expected, rtol=1e-8, atol=1e-12)


def data_set(samples=slice(None), design="~ group", **options):
    return cn.DESeqDataSet(COUNTS.iloc[:, samples], SHEET.iloc[samples], design=design, **options)


@pytest.fixture
def dds():
    return data_set()


@pytest.fixture(scope="module")
def fitted():
    """A fitted data set; tests do not change it."""
    return data_set().deseq(quiet=True)


@pytest.fixture(scope="module")
def larger():
    """A larger one, not fitted."""
    return cn.DESeqDataSet(*study(), design="~ batch + group")


FULL = variance_stabilizing_transformation
TRANSFORMATIONS = {
    "vst": lambda dds, **options: vst(dds, nsub=41, **options),
    "full": FULL,
    "rlog": rlog,
}


# ---- DESeq2's numbers ----


@pytest.mark.parametrize("fit_type", ["parametric", "local", "mean"])
def test_variance_stabilized_counts_of_r(dds, fit_type):
    found = FULL(dds, fit_type=fit_type, quiet=True)
    assert_like_r(found, f"vst_full_{fit_type}")
    assert (found.method, found.blind, found.frozen, found.trend.fit_type) == ("vst", True, False, fit_type)


def test_variance_stabilized_counts_from_a_part_of_the_genes_of_r(dds, fitted):
    assert_like_r(vst(dds, nsub=41, quiet=True), "vst")
    for data in (dds, fitted):  # the trend that there is does not matter
        assert_like_r(vst(data, nsub=41, blind=False, quiet=True), "vst_design")


def test_the_trend_that_there_is(fitted):
    found = FULL(fitted, blind=False, quiet=True)
    assert_like_r(found, "held")
    assert found.trend is fitted.dispersion_trend
    assert not found.blind


def test_regularized_logarithms_of_r(dds, fitted):
    found = rlog(dds, quiet=True)
    assert_like_r(found, "rlog")
    assert found.prior_var == pytest.approx(PRIOR_VAR, rel=1e-12)
    for data in (dds, fitted):
        assert_like_r(rlog(data, blind=False, quiet=True), "rlog_design")


def test_frozen_transformations_of_r():
    old, new = data_set(slice(0, 4), "~ 1"), data_set(slice(2, 6), "~ 1")
    assert_like_r(FULL(new, like=FULL(old, fit_type="local", quiet=True)), "frozen_vst")
    found = rlog(new, like=rlog(old, quiet=True), quiet=True)
    assert_like_r(found, "frozen_rlog")
    assert (found.blind, found.frozen) == (True, True)


def test_fragments_of_r(dds):
    assert_like_r(fpm(dds), "fpm")
    assert_like_r(fpkm(dds, LENGTHS), "fpkm")


# ---- state ----


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("blind", [True, False])
def test_the_data_set_stays_as_it_is(dds, fitted, name, blind):
    for data in (dds, fitted):
        before = copy.copy(vars(data))
        TRANSFORMATIONS[name](data, blind=blind, quiet=True)
        norm_transform(data)
        fpm(data)
        assert all(vars(data)[key] is value for key, value in before.items())
    assert dds.size_factors is None


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_design_matters_only_if_not_blind(name):
    one, two = data_set(), data_set(design="~ 1")
    blind, other = (TRANSFORMATIONS[name](data, quiet=True).table for data in (one, two))
    pd.testing.assert_frame_equal(blind, other, check_exact=True)
    given, other = (TRANSFORMATIONS[name](data, blind=False, quiet=True).table for data in (one, two))
    assert not np.allclose(given, other, atol=1e-4)
    pd.testing.assert_frame_equal(blind, other, check_exact=True)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("fit_type", ["parametric", "local"])
def test_normalization_factors_that_are_size_factors(larger, name, fit_type):
    counts, sheet = study()
    factors = larger.estimate_size_factors().size_factors.to_numpy()
    found = TRANSFORMATIONS[name](
        cn.DESeqDataSet(counts, sheet, normalization_factors=np.tile(factors, (len(counts), 1))),
        fit_type=fit_type, quiet=True,
    )  # fmt: skip
    expected = TRANSFORMATIONS[name](larger, fit_type=fit_type, quiet=True)
    np.testing.assert_allclose(found.table, expected.table, rtol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_weights_of_one_change_nothing_and_others_do(name):
    plain = TRANSFORMATIONS[name](data_set(), quiet=True).table
    ones = TRANSFORMATIONS[name](data_set(weights=np.ones(COUNTS.shape)), quiet=True).table
    np.testing.assert_allclose(ones, plain, rtol=1e-5)
    weights = np.random.default_rng(1).uniform(0.2, 1.0, COUNTS.shape)
    other = TRANSFORMATIONS[name](data_set(weights=weights), quiet=True).table
    assert not np.allclose(other, plain, rtol=1e-4)


def test_replaced_outliers_come_back_in_what_is_blind():
    counts, sheet = study(n=24, levels=("a", "b"))
    counts.iloc[30:40, 3] = 100_000
    dds = cn.DESeqDataSet(counts, sheet, design="~ group")
    before = rlog(dds, quiet=True).table
    dds.deseq(quiet=True)
    assert dds._state.replacement is not None
    pd.testing.assert_frame_equal(rlog(dds, quiet=True).table, before, check_exact=True)
    found = rlog(dds, blind=False, quiet=True)
    rows = ~np.isnan(dds.genes["dispFit"]).to_numpy() & ~dds.genes["allZero"].to_numpy(dtype=bool)
    np.testing.assert_allclose(found.dispersion[rows], dds.genes["dispFit"][rows], rtol=1e-12)
    assert (found.table.iloc[30:40, 3] > 13).all()  # the counts themselves are the original ones


# ---- frozen ----


def test_frozen_genes_are_matched_by_label():
    old, new = data_set(slice(0, 4), "~ 1"), COUNTS.iloc[::-1, 2:6].drop(index=["g7", "g9"])
    like = rlog(old, quiet=True)
    turned = rlog(cn.DESeqDataSet(new, SHEET.iloc[2:6]), like=like, quiet=True)
    straight = rlog(cn.DESeqDataSet(new.iloc[::-1], SHEET.iloc[2:6]), like=like, quiet=True)
    pd.testing.assert_frame_equal(turned.table.iloc[::-1], straight.table, check_exact=True)
    pd.testing.assert_series_equal(turned.intercept, like.intercept[new.index], check_exact=True)
    pd.testing.assert_series_equal(turned.dispersion, like.dispersion[new.index], check_exact=True)
    assert (turned.prior_var, turned.trend) == (like.prior_var, like.trend)
    again = rlog(cn.DESeqDataSet(new, SHEET.iloc[2:6]), like=turned, quiet=True)
    pd.testing.assert_frame_equal(again.table, turned.table, check_exact=True)


def test_genes_that_a_frozen_logarithm_does_not_know():
    like = rlog(cn.DESeqDataSet(COUNTS.iloc[:100, :4], SHEET.iloc[:4]), quiet=True)
    with pytest.raises(CountsError, match=r"lacks 40 genes of the counts: 'g100', .* and 35 more"):
        rlog(data_set(slice(2, 6)), like=like, quiet=True)


def test_genes_without_counts_where_the_transformation_comes_from():
    like = rlog(data_set(slice(0, 4), "~ 1"), quiet=True)
    counts = COUNTS.iloc[:, 2:6].copy()
    counts.iloc[0, 1] = 8
    with pytest.warns(CountnestWarning, match=r"1 gene with counts had none in the samples of like=.*'g0'"):
        found = rlog(cn.DESeqDataSet(counts, SHEET.iloc[2:6]), like=like, quiet=True)
    assert (found.table.loc["g0"] == 0.0).all()


def test_one_new_sample_can_be_transformed():
    new = cn.DESeqDataSet(COUNTS[["s5"]], SHEET.loc[["s5"]], size_factors=[1.0])
    old = data_set(slice(0, 4), "~ 1")
    assert np.isfinite(vst(new, like=vst(old, nsub=41, quiet=True)).table.to_numpy()).all()
    assert np.isfinite(rlog(new, like=rlog(old, quiet=True), quiet=True).table.to_numpy()).all()
    with pytest.raises(DesignError, match="one sample; give like="):
        FULL(new, quiet=True)


@pytest.mark.parametrize("like", ["rlog", "norm", 3])
def test_like_must_be_of_the_same_kind(dds, like):
    like = {"rlog": lambda: rlog(dds, quiet=True), "norm": lambda: norm_transform(dds)}.get(like, lambda: like)()
    with pytest.raises(OptionError, match=r"like= must be a transformation made by vst\(\) or variance"):
        vst(dds, like=like)
    with pytest.raises(OptionError, match=r"made by rlog\(\) of other samples"):
        rlog(dds, like=vst(dds, nsub=41, quiet=True))


# ---- arguments ----


def test_too_few_genes_for_a_part_of_them(dds):
    with pytest.raises(OptionError, match=r"less than nsub=1000 genes .* 5: there are 12\d. Use variance_stab"):
        vst(dds, quiet=True)


@pytest.mark.parametrize("nsub", [0, 1, 2.5, True, "many"])
def test_a_part_is_a_whole_number(dds, nsub):
    with pytest.raises(OptionError, match="nsub="):
        vst(dds, nsub=nsub)


def test_the_part_spans_the_ranks():
    rng = np.random.default_rng(1)
    counts = rng.poisson(np.exp(rng.uniform(0.0, 8.0, (500, 1))), (500, 4)) + 1e-6 * np.arange(500.0)[:, None]
    mean = counts.mean(axis=1)
    for size in (2, 7, 100):
        chosen = transform.spanning_genes(counts, np.ones((1, 4)), size)
        assert chosen.sum() == size
        ranks = np.searchsorted(np.sort(mean[mean > 5]), np.sort(mean[chosen]))
        np.testing.assert_allclose(np.diff(ranks), (np.count_nonzero(mean > 5) - 1) / (size - 1), atol=3)
        assert {mean[mean > 5].min(), mean.max()} <= set(mean[chosen])


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_unknown_fit_types_are_refused(dds, name):
    with pytest.raises(OptionError, match=r"fit_type='lokal'.*'local'"):
        TRANSFORMATIONS[name](dds, fit_type="lokal")


def test_designs_without_replicates_can_be_transformed_blindly():
    dds = cn.DESeqDataSet(COUNTS.iloc[:, :2], pd.DataFrame({"group": ["a", "b"]}, index=["s0", "s1"]), design="~ group")
    assert FULL(dds, quiet=True).blind
    with pytest.raises(DesignError, match="same number of samples and coefficients"):
        FULL(dds, blind=False, quiet=True)


def test_threads_change_nothing(larger):
    for transformation in (FULL, rlog):
        one, two = (transformation(larger, n_threads=n, quiet=True).table for n in (1, 2))
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_sparse_genes_warn():
    rng = np.random.default_rng(2)
    counts = rng.negative_binomial(5.0, 0.05, (200, 6))
    counts[:60] = 0
    counts[np.arange(60), np.arange(60) % 6] = 5000
    dds = cn.DESeqDataSet(counts, pd.DataFrame({"x": list("abcabc")}))
    with pytest.warns(CountnestWarning, match=r"in 3\d\.\d% of the genes .* single sample has more than 90 %"):
        rlog(dds, quiet=True)
    vst(dds, nsub=41, quiet=True)


def test_genes_that_scoring_loses_are_reported(capsys):
    counts = COUNTS.copy()
    counts.loc["g70", "s3"] = 20_000_000
    rlog(cn.DESeqDataSet(counts, SHEET), fit_type="mean")
    told = capsys.readouterr().err
    assert "did not converge" in told
    assert "Newton's method" in told


# ---- shifted logarithms and fragments ----


def test_norm_transform(dds):
    factors = data_set().estimate_size_factors().size_factors
    found = norm_transform(dds)
    np.testing.assert_allclose(found.table, np.log2(COUNTS / factors + 1.0), rtol=1e-12)
    assert (found.method, found.trend) == ("norm_transform", None)
    roots = norm_transform(dds, f=np.sqrt, pc=0)
    np.testing.assert_allclose(roots.table, np.sqrt(COUNTS / factors), rtol=1e-12)
    assert (norm_transform(dds, pc=0).table.loc["g0"] == -np.inf).all()


@pytest.mark.parametrize("options", [{"f": "log2"}, {"f": np.sum}, {"pc": -1.0}, {"pc": "one"}, {"pc": np.nan}])
def test_norm_transform_refuses(dds, options):
    with pytest.raises(OptionError, match=f"^{next(iter(options))}"):
        norm_transform(dds, **options)


def test_total_counts_as_library_sizes(dds):
    found = fpm(dds, robust=False)
    np.testing.assert_allclose(found.sum(), 1e6, rtol=1e-12)
    np.testing.assert_allclose(fpkm(dds, LENGTHS, robust=False), 1e3 * found.div(LENGTHS, axis=0), rtol=1e-12)


def test_normalization_factors_are_not_library_sizes(dds):
    factors = np.random.default_rng(3).uniform(0.5, 2.0, COUNTS.shape)
    pd.testing.assert_frame_equal(fpm(data_set(normalization_factors=factors)), fpm(dds), check_exact=True)
    ones = fpm(data_set(size_factors=np.ones(6)))
    np.testing.assert_allclose(ones, 1e6 * COUNTS / np.exp(np.log(COUNTS.sum()).mean()), rtol=1e-12)


def test_lengths_in_every_form(dds):
    expected = fpkm(dds, LENGTHS)
    for lengths in (LENGTHS.iloc[::-1], LENGTHS.to_dict(), LENGTHS.to_numpy(), list(LENGTHS)):
        pd.testing.assert_frame_equal(fpkm(dds, lengths), expected, check_exact=True)


def test_average_transcript_lengths(dds):
    lengths = pd.DataFrame(np.random.default_rng(4).uniform(500.0, 5000.0, COUNTS.shape), COUNTS.index, COUNTS.columns)
    plain = 1e9 * COUNTS / COUNTS.sum() / lengths
    np.testing.assert_allclose(fpkm(dds, lengths.iloc[::-1, ::-1], robust=False), plain, rtol=1e-12)
    rows = plain[(plain > 0).all(axis=1)]
    factors = np.exp(np.log(rows).sub(np.log(rows).mean(axis=1), axis=0).median())
    np.testing.assert_allclose(fpkm(dds, lengths), plain / factors, rtol=1e-12)
    held = data_set(avg_tx_length=lengths)
    np.testing.assert_allclose(fpkm(held), plain / factors, rtol=1e-12)
    np.testing.assert_allclose(fpm(held), 1e6 * COUNTS / COUNTS.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (LENGTHS.iloc[:-3], "lengths: 3 genes of the counts missing: 'g137'"),
        (LENGTHS * 0.0, "lengths must be finite and greater than 0"),
        (np.ones(7), "one number for each of the 140 genes"),
        (np.ones((7, 6)), "shape of the counts"),
    ],
)
def test_lengths_that_cannot_be_used(dds, lengths, message):
    with pytest.raises(NormalizationError, match=message):
        fpkm(dds, lengths)


def test_lengths_are_needed(dds):
    with pytest.raises(OptionError, match="lengths of the genes are missing"):
        fpkm(dds)


# ---- the record ----


def test_the_record_speaks(dds):
    shown = repr(vst(dds, nsub=41, quiet=True))
    assert shown.startswith("variance stabilizing transformation: 140 genes x 6 samples\nparametric dispersion trend, ")
    assert "blind to the design, asymptDisp 0.0" in shown
    assert "s5" in shown
    assert len(shown.splitlines()) < 16
    found = rlog(dds, blind=False, quiet=True)
    assert "given the design" in repr(found)
    assert f"prior variance of the effects of samples: {found.prior_var:.4g}" in repr(found)
    assert "of other samples" in repr(rlog(dds, like=found, quiet=True))
    assert repr(norm_transform(dds)).startswith("transformed normalized counts: 140 genes x 6 samples\n")
    assert "<table" in found._repr_html_()


def test_the_most_variable_genes(dds):
    found = norm_transform(dds)
    variance = found.table.var(axis=1)
    top = found.top_variance(20)
    assert list(top.index) == list(variance.sort_values(ascending=False, kind="stable").index[:20])
    pd.testing.assert_frame_equal(top, found.table.loc[top.index], check_exact=True)
    assert len(found.top_variance()) == 140
    for n in (0, 2.5, True):
        with pytest.raises(OptionError, match="n="):
            found.top_variance(n)


def test_the_record_is_written_exactly(dds, tmp_path):
    found = rlog(dds, quiet=True)
    for name in ("rlog.csv", "rlog.csv.gz"):
        found.to_csv(tmp_path / name)
        back = read_exactly(tmp_path / name, index_col="gene")
        np.testing.assert_array_equal(back, found.table)
        assert list(back.columns) == list(COUNTS.columns)
