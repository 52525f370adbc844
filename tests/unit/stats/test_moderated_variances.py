"""Moderated variances against R's numbers, and what holds of them whatever the data."""

from pathlib import Path

import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.stats.inference.wald import wald_test
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.t_and_f import log_p_of_roots, moderated_f, moderated_t
from exact import read_exactly

DATA = Path(__file__).parent / "data"
R_TOLERANCE = 1e-8


def table(name):
    return read_exactly(DATA / f"{name}.csv.gz")


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(3)
    n_genes = 3000
    covariate = rng.uniform(0.0, 12.0, n_genes)
    df = rng.choice([2.0, 4.0, 6.0], n_genes)
    prior = np.exp(0.4 - 0.15 * covariate)
    variance = prior * rng.chisquare(df) / df * 8.0 / rng.chisquare(8.0, n_genes)
    return variance, df, covariate, prior


def options():
    return [
        {"robust": robust, "estimator": estimator, "trend": trend}
        for robust in (False, True)
        for estimator in ("moments", "likelihood")
        for trend in (False, True)
    ]


def moderated(variance, df, covariate, option):
    return moderate_variances(
        variance,
        df,
        covariate=covariate if option["trend"] else None,
        robust=option["robust"],
        estimator=option["estimator"],
    )


def test_priors_and_posteriors_are_those_of_r():
    variances, squeezed = table("variances"), table("squeezed")
    cases = squeezed.groupby(["release", "set", "trend", "robust", "estimator"])
    assert len(cases) == 6 * 4 * 3
    for (_, name, trend, robust, estimator), expected in cases:
        given = variances[variances["set"] == name]
        found = moderate_variances(
            given["s2"].to_numpy(),
            given["df"].to_numpy(dtype=np.float64),
            covariate=given["covariate"].to_numpy() if trend else None,
            robust=bool(robust),
            estimator=estimator,
        )
        rows, what = expected["i"].to_numpy() - 1, f"{name}, {estimator}, trend {trend}, robust {robust}"
        for values, column in (
            (found.prior.df, "df_prior"),
            (found.prior.variance, "var_prior"),
            (found.variance, "var_post"),
        ):
            values = np.broadcast_to(values, len(given))[rows]
            np.testing.assert_allclose(values, expected[column], rtol=R_TOLERANCE, err_msg=f"{column}: {what}")


def test_moderated_t_tests_are_those_of_r():
    r = table("ebayes")
    for trend, robust in ((0, 0), (0, 1), (1, 0), (1, 1)):
        suffix = f"{trend}{robust}"
        known = r["sigma"].notna()
        posterior = r.loc[known, f"s2post_{suffix}"].to_numpy()
        own = np.full(len(posterior), 8.0)
        if robust:
            d0 = r.loc[known, f"dfprior_{suffix}"].to_numpy()
        else:
            d0 = {"00": 22.300891727482306, "10": 26.219361584289068}[suffix]
        test = moderated_t(
            r.loc[known, "logFC"].to_numpy(),
            r.loc[known, "stdev_unscaled"].to_numpy(),
            ModeratedVariances(posterior, own, ScaledFPrior(d0, np.nan)),
        )
        np.testing.assert_allclose(test.statistic, r.loc[known, f"t_{suffix}"], rtol=R_TOLERANCE)
        np.testing.assert_allclose(test.p_value, r.loc[known, f"p_{suffix}"], rtol=R_TOLERANCE)


def test_tests_against_a_threshold_are_those_of_r():
    r = table("ebayes")
    plain = ModeratedVariances(
        r["s2post_00"].to_numpy(), np.full(len(r), 8.0), ScaledFPrior(22.300891727482306, np.nan)
    )
    test = moderated_t(r["logFC"].to_numpy(), r["stdev_unscaled"].to_numpy(), plain, threshold=0.5)
    np.testing.assert_allclose(test.p_value, r["p_treat"], rtol=R_TOLERANCE)


def test_the_prior_that_variances_were_drawn_from_is_found(simulated):
    variance, df, covariate, prior = simulated
    for option in options():
        if not option["trend"]:
            continue
        found = moderated(variance, df, covariate, option)
        assert np.median(found.prior.df) == pytest.approx(8.0, rel=0.25), option
        np.testing.assert_allclose(found.prior.variance, prior, rtol=0.15)


def test_null_p_values_are_uniform(simulated):
    df = simulated[1]
    rng = np.random.default_rng(5)
    sigma2 = 2.0 / rng.gamma(3.0, 1.0, len(df))  # prior df 6, prior variance 2 / 3
    variance = sigma2 * rng.chisquare(df) / df
    found = moderate_variances(variance, df)
    test = moderated_t(rng.normal(0.0, np.sqrt(sigma2)), np.ones(len(df)), found)
    mean_square = moderated_f(sigma2 * rng.chisquare(3.0, len(df)) / 3.0, 3, found)
    for p_value in (test.p_value, mean_square.p_value):
        for level in (0.01, 0.1, 0.5):
            assert np.mean(p_value < level) == pytest.approx(level, abs=3.0 * np.sqrt(level / len(df)))


def test_posterior_variances_lie_between_the_gene_and_the_prior(simulated):
    variance, df, covariate, _ = simulated
    for option in options():
        found = moderated(variance, df, covariate, option)
        low, high = np.minimum(variance, found.prior.variance), np.maximum(variance, found.prior.variance)
        assert np.all((found.variance >= low * (1 - 1e-12)) & (found.variance <= high * (1 + 1e-12))), option


def test_outliers_keep_their_variance_in_the_robust_estimate_only(simulated):
    variance, df, covariate, _ = simulated
    variance = variance.copy()
    variance[:10] *= 300.0
    for option in options():
        found = moderated(variance, df, covariate, option)
        d0 = np.broadcast_to(found.prior.df, len(df))
        if option["robust"]:
            assert d0[:10].max() < 0.3 * np.median(d0), option
        else:
            assert np.ptp(d0) == 0, option


def test_missing_genes_change_nothing_for_the_others(simulated):
    variance, df, covariate, _ = simulated
    gap = np.zeros(len(df), dtype=bool)
    gap[[0, 7, 100, 2999]] = True
    for option in options():
        some = moderated(variance[~gap], df[~gap], covariate[~gap], option)
        for hole in ((np.where(gap, np.nan, variance), df), (variance, np.where(gap, np.nan, df))):
            found = moderated(*hole, covariate, option)
            np.testing.assert_array_equal(found.variance[~gap], some.variance)
            np.testing.assert_array_equal(found.df[~gap], some.df)
            assert np.isnan(found.variance[gap]).all()
            assert np.isnan(found.df[gap]).all()


def test_genes_without_degrees_of_freedom_get_the_variance_of_the_prior(simulated):
    variance, df, covariate, _ = simulated
    df = np.where(np.arange(len(df)) < 5, 0.0, df)
    for option in options():
        for given in (variance, np.where(df > 0, variance, np.nan)):
            found = moderated(given, df, covariate, option)
            expected = np.broadcast_to(found.prior.variance, len(df))[:5]
            np.testing.assert_allclose(found.variance[:5], expected, rtol=1e-12)


def test_zero_variances_stay_finite(simulated):
    variance, df, covariate, _ = simulated
    for zeros in (slice(0, 50), slice(None)):
        given = variance.copy()
        given[zeros] = 0.0
        for option in options():
            found = moderated(given, df, covariate, option)
            assert np.isfinite(found.variance).all(), option
            assert (found.variance[zeros] >= 0).all(), option


def test_genes_that_are_all_alike_have_infinite_prior_df():
    rng = np.random.default_rng(11)
    variance, df = np.linspace(0.99, 1.01, 400), np.full(400, 4.0)
    for robust in (False, True):
        found = moderate_variances(variance, df, robust=robust)
        d0 = np.broadcast_to(found.prior.df, 400)
        assert np.isposinf(np.median(d0))
        np.testing.assert_allclose(found.variance, found.prior.variance, rtol=0.02)
        assert found.df.max() == 1600.0  # all that the genes have together
    test = moderated_t(rng.normal(size=400), np.ones(400), found)
    assert np.isfinite(test.log_p).all()


def test_few_genes_are_not_moderated():
    for n_genes in (1, 2):
        variance = np.arange(1.0, n_genes + 1.0)
        found = moderate_variances(variance, np.full(n_genes, 3.0), robust=True)
        np.testing.assert_array_equal(found.variance, variance)
        np.testing.assert_array_equal(found.df, np.full(n_genes, 3.0))
    for n_genes in (3, 4, 6):
        for option in options():
            rng = np.random.default_rng(n_genes)
            variance = rng.chisquare(4.0, n_genes)
            found = moderated(variance, np.full(n_genes, 4.0), rng.normal(size=n_genes), option)
            assert np.isfinite(found.variance).all(), (n_genes, option)


def test_the_order_of_genes_does_not_matter(simulated):
    variance, df, covariate, _ = simulated
    order = np.random.default_rng(1).permutation(len(df))
    for option in options():
        found = moderated(variance, df, covariate, option).variance
        shuffled = moderated(variance[order], df[order], covariate[order], option).variance
        np.testing.assert_allclose(shuffled, found[order], rtol=1e-9)


def test_alternatives_of_roots_are_those_of_t_tests():
    rng = np.random.default_rng(2)
    estimate, df, threshold = rng.normal(0.0, 2.0, 200), rng.uniform(2.0, 30.0, 200), 0.7
    low, high = estimate + threshold, estimate - threshold
    p = {each: np.exp(log_p_of_roots(low, high, df, each)) for each in ("greaterAbs", "greater", "less", "lessAbs")}
    for alternative, found in p.items():
        _, expected = wald_test(estimate, np.ones(200), threshold=threshold, alternative=alternative, df=df)
        np.testing.assert_allclose(found, expected, rtol=1e-10, err_msg=alternative)
    with pytest.raises(OptionError, match="greaterAbsUPSHOT"):
        log_p_of_roots(low, high, df, "greaterAbsUPSHOT")


def test_p_values_far_below_the_smallest_float_keep_their_logarithms():
    plain = ModeratedVariances(np.ones(2), np.full(2, 1000.0), ScaledFPrior(960.0, 1.0))
    test = moderated_f(np.array([1e4, 1e6]), 2.0, plain)
    # F on 2 and m has the tail (1 + 2 F / m) ** (-m / 2)
    m = test.df
    np.testing.assert_allclose(test.log_p, -0.5 * m * np.log1p(2.0 * np.array([1e4, 1e6]) / m), rtol=1e-12)
    assert (test.log_p < -1000.0).all()
    assert (test.p_value == 0.0).all()
