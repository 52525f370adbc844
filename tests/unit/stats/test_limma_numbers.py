"""voom, linear models and what belongs to them: R's numbers."""

import numpy as np
import pytest
import scipy.optimize

from cases import each
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.linear.least_squares import lm_fit
from countnest.stats.moderated.gamma import log_minus_digamma
from countnest.stats.moderated.joint import mean_squares
from countnest.stats.moderated.log_odds import effect_variance, log_odds
from countnest.stats.moderated.prior import ModeratedVariances, ScaledFPrior
from countnest.stats.moderated.squeeze import moderate_variances
from countnest.stats.moderated.t_and_f import moderated_t
from countnest.stats.moderated.tails import log_f_tail
from countnest.stats.voom.array_weights import array_weights, variance_columns
from countnest.stats.voom.batch import without_batches
from countnest.stats.voom.duplicates import block_correlation
from countnest.stats.voom.quality import voom_with_quality_weights
from countnest.stats.voom.structural import SampleModel, voom_lm_fit
from countnest.stats.voom.voom import voom
from unit.stats.limma_reference import CASES, IN_BLOCKS, case

R_TOLERANCE = 1e-10
# The prior degrees of freedom of genes with different ones are where the search of R ends, which rounding of its
# objective decides: another order of the genes, or of the terms, moves them by 3e-8, and p-values by 4e-7.
SEARCHED = 1e-6


def same(found, expected, tolerance=R_TOLERANCE):
    np.testing.assert_allclose(found, np.asarray(expected, dtype=float), rtol=tolerance, atol=1e-13)


def fitted(study):
    found = voom(study.counts, study.design, study.library)
    return found, lm_fit(found.values, study.design, found.weights)


@each("name", CASES)
def test_voom(name):
    study = case(name)
    found = voom(study.counts, study.design, study.library)
    table, rows = study.table("voom_weights")
    n = study.counts.shape[1]
    same(found.values[rows], table.iloc[:, 1 : n + 1])
    same(found.weights[rows], table.iloc[:, n + 1 :])
    table, rows = study.table("voom_line")  # in the order of the means
    order = np.argsort(found.curve.mean, kind="stable")
    expected = np.interp(table["x"], found.curve.mean[order], found.curve.smoothed[order])
    same(expected, table["y"])


@each("name", CASES)
def test_weighted_fits(name):
    study = case(name)
    _, fits = fitted(study)
    p = study.design.shape[1]
    table, rows = study.table("voom_lm")
    np.testing.assert_allclose(fits.coefficients[rows], table.iloc[:, 1 : p + 1], rtol=1e-10, atol=1e-12)
    same(fits.stdev_unscaled[rows], table.iloc[:, p + 1 :])
    table, rows = study.table("voom")
    same(fits.sigma[rows], table["sigma"])
    same(fits.mean[rows], table["ave_expr"])


@each("name", CASES)
@each("options", ["00", "01", "10", "11"])
def test_moderated_statistics(name, options):
    study = case(name)
    _, fits = fitted(study)
    trend, robust = options[0] == "1", options[1] == "1"
    moderated = moderate_variances(fits.sigma**2, fits.df, covariate=fits.mean if trend else None, robust=robust)
    estimate, unscaled = fits.coefficients[:, -1], fits.stdev_unscaled[:, -1]
    t = moderated_t(estimate, unscaled, moderated)
    table, rows = study.table("voom")
    same(moderated.variance[rows], table[f"s2post_{options}"])
    same(t.statistic[rows], table[f"t_{options}"])
    same(t.p_value[rows], table[f"p_{options}"])
    variance = effect_variance(t.statistic, unscaled, moderated)
    same(variance, study.info[f"ebayes_var_prior_{options}"])
    same(log_odds(t.statistic, unscaled, moderated, variance)[rows], table[f"lods_{options}"])
    every = contrast_fits(fits, np.eye(study.design.shape[1]), approximate=True)
    square, rank = mean_squares(every.estimates, every.stdev_unscaled, None, every.common)
    f = square / moderated.variance
    same(f[rows], table[f"F_{options}"])
    df = moderated.own_df + moderated.prior.df
    p_value = np.exp(log_f_tail(f, rank, df))
    same(p_value[rows], table[f"Fp_{options}"])


@each("name", CASES)
def test_thresholds_and_contrasts(name):
    study = case(name)
    _, fits = fitted(study)
    moderated = moderate_variances(fits.sigma**2, fits.df)
    table, rows = study.table("voom")
    treat = moderated_t(fits.coefficients[:, -1], fits.stdev_unscaled[:, -1], moderated, threshold=0.5)
    same(treat.p_value[rows], table["p_treat"])
    p = study.design.shape[1]
    asked = np.zeros((2, p))
    asked[0, -1], asked[0, -2], asked[1, 1] = 1.0, 1.0 if p == 2 else -1.0, 1.0
    table, rows = study.table("contrasts")
    for approximate, word in ((True, "approx"), (False, "exact")):
        found = contrast_fits(fits, asked, approximate=approximate)
        np.testing.assert_allclose(found.estimates[rows, 0], table["logFC"], rtol=1e-10, atol=1e-12)
        same(found.stdev_unscaled[rows, 0], table[f"su_{word}"])
        t = moderated_t(found.estimates[:, 0], found.stdev_unscaled[:, 0], moderated)
        same(t.p_value[rows], table[f"p_{word}"])
    found = contrast_fits(fits, asked, approximate=True)
    square, _ = mean_squares(found.estimates, found.stdev_unscaled, None, found.common)
    same((square / moderated.variance)[rows], table["F_approx"])


@each("name", CASES)
def test_sample_weights(name):
    study = case(name)
    found, _ = fitted(study)
    same(array_weights(found.values, study.design, found.weights), study.samples["aw_gene_by_gene"])
    same(array_weights(found.values, study.design), study.samples["aw_reml"])
    quality, own = voom_with_quality_weights(study.counts, study.design, study.library)
    same(own, study.samples["vwqw_sample_weight"])
    table, rows = study.table("vwqw_weights")
    same(quality.weights[rows], table.iloc[:, 1:])


@each("name", IN_BLOCKS)
def test_correlation_within_blocks(name):
    study = case(name)
    found = voom(study.counts, study.block_design, study.library)
    every = study.info["dupcor_every"]
    correlation = block_correlation(found.values[::every], study.block_design, study.block, found.weights[::every])
    same(correlation.consensus, study.info["dupcor_consensus"])
    table, _ = study.table("dupcor")
    same(correlation.atanh[(table["gene_row"] - 1) // every], table["atanh"])
    blocks = Blocks(study.block, correlation.consensus)
    fits = lm_fit(found.values, study.block_design, found.weights, blocks)
    table, rows = study.table("voomlmfit")
    np.testing.assert_allclose(fits.coefficients[rows, -1], table["gls_logFC"], rtol=1e-10, atol=1e-12)
    same(fits.stdev_unscaled[rows, -1], table["gls_su"])
    same(fits.sigma[rows], table["gls_sigma"])
    t = moderated_t(fits.coefficients[:, -1], fits.stdev_unscaled[:, -1], moderate_variances(fits.sigma**2, fits.df))
    same(t.p_value[rows], table["gls_p"])


@each("name", CASES)
def test_voom_with_the_fit(name):
    study = case(name)
    table, rows = study.table("voomlmfit")
    columns = variance_columns(study.counts.shape[1])
    for prefix, model in (("", None), ("sw_", SampleModel(columns))):
        found = voom_lm_fit(study.counts, study.design, study.library, model)
        fits = found.fits
        same(fits.df[rows], table[f"{prefix}df"])
        same(fits.sigma[rows], table[f"{prefix}sigma"])
        t = moderated_t(
            fits.coefficients[:, -1], fits.stdev_unscaled[:, -1], moderate_variances(fits.sigma**2, fits.df)
        )
        same(t.p_value[rows], table[f"{prefix}p"], SEARCHED)
        if model is not None:
            same(found.sample_weights, study.samples["vlf_sample_weight"])


@each("name", IN_BLOCKS)
def test_voom_with_the_fit_in_blocks(name):
    study = case(name)
    every = study.info["dupcor_every"]
    model = SampleModel(variance_columns(study.counts.shape[1]), study.block)
    found = voom_lm_fit(study.counts[::every], study.block_design, study.library, model)
    same(found.correlation, study.info["voomlmfit_block_correlation"])
    same(found.sample_weights, study.samples["vlf_block_sample_weight"])
    table, _ = study.table("voomlmfit_block")
    rows = (table["gene_row"].to_numpy() - 1) // every
    same(found.fits.sigma[rows], table["sigma"])
    same(found.fits.df[rows], table["df"])


@each("name", CASES)
def test_batches_are_taken_out(name):
    study = case(name)
    found = voom(study.counts, study.design, study.library)
    batch = np.resize([1.0, 1.0, -1.0], study.counts.shape[1])[:, np.newaxis]
    table, rows = study.table("remove_batch")
    same(without_batches(found.values, study.design[:, [0, -1]], batch)[rows], table.iloc[:, 1:])


def test_the_studies_are_those_of_r():
    for name in CASES:
        study = case(name)
        assert len(study.counts) == study.info["genes"]
    with pytest.raises(FileNotFoundError):
        case("another")


@each("name", CASES)
def test_with_the_prior_df_of_r_p_values_of_unequal_df_are_those_of_r(name):
    """The search ends where rounding of the objective lets it: it alone moves p-values by more than `R_TOLERANCE`."""
    study = case(name)
    table, rows = study.table("voomlmfit")
    columns = variance_columns(study.counts.shape[1])
    for prefix, model in (("", None), ("sw_", SampleModel(columns))):
        fits = voom_lm_fit(study.counts, study.design, study.library, model).fits
        variance = np.where(fits.df > 0, fits.sigma**2, 0.0)
        prior = moderate_variances(variance, fits.df).prior
        location = np.log(prior.variance) + log_minus_digamma(0.5 * prior.df)
        expected = table[f"{prefix}p"].to_numpy(dtype=float)
        smallest = int(np.nanargmin(np.where(expected > 0, expected, np.nan)))

        def ratios(d0, fits=fits, variance=variance, location=location, expected=expected):
            own = ScaledFPrior(d0, float(np.exp(location - log_minus_digamma(0.5 * d0))))
            moderated = ModeratedVariances(own.posterior(variance, fits.df), fits.df, own)
            t = moderated_t(fits.coefficients[:, -1], fits.stdev_unscaled[:, -1], moderated)
            return t.p_value[rows] / expected

        def error(d0, ratios=ratios, smallest=smallest):
            return ratios(d0)[smallest] - 1.0

        near = (prior.df * (1.0 - 1e-6), prior.df * (1.0 + 1e-6))
        known = expected > 0
        same(ratios(scipy.optimize.brentq(error, *near, rtol=1e-14))[known], np.ones(known.sum()))
