"""Linear mixed models with any random terms: R's numbers, what must not change them, and genes that are hard."""

import numpy as np
import pytest

from countnest.errors import CountnestWarning
from countnest.stats.mixed.components import layout_of
from countnest.stats.mixed.effects import fitted_values, predicted_effects
from countnest.stats.mixed.general import fit_general
from countnest.stats.mixed.general_parts import general_parts
from countnest.stats.mixed.level_parts import parts_of
from countnest.stats.mixed.levels import levels_model
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects, fits_of
from countnest.stats.mixed.tests import contrast_tests, joint_tests, residual_df
from countnest.stats.mixed.variances import variance_components, variance_shares
from unit.stats.mixed_reference import LAYOUTS, classic, classics, layout, reference

# The polished numbers of R are at the optimum to about 1e-8.
THETA, ESTIMATE, SE, DF = 1e-6, 1e-7, 1e-7, 1e-6
# lmerTest differentiates numerically, which ends in the seventh digit.
SATTERTHWAITE = 1e-6
# Of this gene lmer found a local minimum at a bound: turning the sign of a column of L leads on.
AT_A_BOUND = "g55"


def row_numbers(*args):
    """Return estimates, standard errors and degrees of freedom of contrasts, (G, k) each."""
    found = contrast_tests(*args)
    return found.estimates, found.se, found.df


def joint_numbers(*args):
    """Return statistics, degrees of freedom tested and of the denominator, (G,) each."""
    found = joint_tests(*args)
    return found.statistic, found.df_tested, found.df


def scale_of(weights):
    """Return what the relative covariance factor is multiplied by, because weights have mean one here."""
    return 1.0 if weights is None else np.sqrt(weights.mean(axis=1))[:, np.newaxis]


def compared(entry):
    """Return which genes are compared with R."""
    return np.array([gene != AT_A_BOUND or "theta3" not in entry["fit"] for gene in entry["genes"]])


def columns_of(entry, pattern):
    names = [name for name in entry["fit"] if name.startswith(pattern) and name.removeprefix(pattern).isdigit()]
    return np.column_stack([entry["fit"][name] for name in names])


@pytest.fixture(scope="module")
def fitted():
    """Fits of all layouts by the restricted likelihood."""
    return {name: fit_general(*layout(name)[:3]) for name in LAYOUTS}


def test_fits_are_those_of_lmer(fitted):
    for name in LAYOUTS:
        _, _, weights, entry = layout(name)
        fits, same = fitted[name], compared(entry)
        np.testing.assert_allclose(fits.criterion[same], np.array(entry["fit"]["criterion"])[same], rtol=0, atol=1e-9)
        expected = columns_of(entry, "theta") * scale_of(weights)
        np.testing.assert_allclose(fits.theta[same], expected[same], rtol=0, atol=THETA)
        np.testing.assert_array_equal(fits.theta[same] == 0, expected[same] == 0)
        np.testing.assert_array_equal(fits.outcome, entry["fit"]["singular"])
        np.testing.assert_allclose(
            fits.coefficients[same], np.array(entry["tests"]["estimate"])[same], rtol=0, atol=ESTIMATE
        )
        sigma = np.array(entry["fit"]["sigma"])
        found = fits.sigma * (1.0 if weights is None else scale_of(weights)[:, 0])
        np.testing.assert_allclose(found[same], sigma[same], rtol=SE)


def test_fits_by_maximum_likelihood_are_at_least_those_of_lmer():
    for name in LAYOUTS:
        y, model, weights, entry = layout(name)
        fits = fit_general(y, model, weights, reml=False)
        assert (fits.criterion <= -2.0 * np.array(entry["fit"]["logLik_ML"]) + 1e-9).all()
        same = fits.criterion > -2.0 * np.array(entry["fit"]["logLik_ML"]) - 1e-7
        assert same.sum() >= len(y) - 3
        expected = columns_of(entry, "theta_ML") * scale_of(weights)
        np.testing.assert_allclose(fits.theta[same], expected[same], rtol=0, atol=5e-6)


def test_a_local_minimum_at_a_bound_is_left(fitted):
    _, _, _, entry = layout("slope_corr")
    gene = entry["genes"].index(AT_A_BOUND)
    assert entry["fit"]["theta1"][gene] == 0.0
    assert fitted["slope_corr"].criterion[gene] < entry["fit"]["criterion"][gene] - 0.3


def test_degrees_of_freedom_are_those_of_lmertest_and_pbkrtest(fitted):
    for name in LAYOUTS:
        y, model, weights, entry = layout(name)
        same, expected = compared(entry), {key: np.array(value) for key, value in entry["tests"].items()}
        unit = np.eye(model.matrix.shape[1])
        _, se, df = row_numbers(y, model, weights, fitted[name], unit, "satterthwaite")
        np.testing.assert_allclose(se[same], expected["se"][same], rtol=SE)
        np.testing.assert_allclose(df[same], expected["df_satterthwaite"][same], rtol=SATTERTHWAITE)
        if "se_kr" in expected:
            _, se, df = row_numbers(y, model, weights, fitted[name], unit)
            np.testing.assert_allclose(se[same], expected["se_kr"][same], rtol=SE)
            np.testing.assert_allclose(df[same], expected["df_kr"][same], rtol=DF)


def test_joint_tests_are_those_of_lmertest_and_pbkrtest(fitted):
    for name in LAYOUTS:
        y, model, weights, entry = layout(name)
        same = compared(entry)
        for joint in entry["joint"]:
            rows = np.eye(model.matrix.shape[1])[joint["rows"]]
            for df, suffix in (("satterthwaite", "satterthwaite"), ("kenward-roger", "kr")):
                if f"F_{suffix}" not in joint:
                    continue
                statistic, tested, found = joint_numbers(y, model, weights, fitted[name], rows, df)
                np.testing.assert_allclose(statistic[same], np.array(joint[f"F_{suffix}"])[same], rtol=1e-6)
                np.testing.assert_allclose(found[same], np.array(joint[f"ddf_{suffix}"])[same], rtol=SATTERTHWAITE)
                np.testing.assert_array_equal(tested, joint["ndf"])


def test_random_effects_are_those_of_ranef(fitted):
    for name in LAYOUTS:
        y, model, weights, entry = layout(name)
        genes = entry["effects"]["genes"]
        found = predicted_effects(y, model, weights, fitted[name])
        for effects, expected in zip(found, entry["effects"]["terms"], strict=True):
            np.testing.assert_allclose(effects.values[genes], expected["blup"], rtol=0, atol=1e-7)
            np.testing.assert_allclose(effects.sd[genes], expected["cond_sd"], rtol=0, atol=1e-7)


def test_classic_data_sets_have_the_numbers_of_r():
    for name in classics():
        y, model, weights, entry = classic(name)
        fits = fit_general(y, model, weights, reml=entry["reml"])
        unit = np.eye(model.matrix.shape[1])
        assert fits.criterion[0] == pytest.approx(entry["deviance"], abs=1e-9)
        expected = np.atleast_1d(entry["theta"]) * (1.0 if weights is None else np.sqrt(weights.mean()))
        np.testing.assert_allclose(fits.theta[0], expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(fits.coefficients[0], list(entry["fixef"].values()), rtol=1e-8)
        assert residual_df(y, model, weights, fits)[0] == pytest.approx(entry["rdf"], rel=1e-9)
        _, se, df = row_numbers(y, model, weights, fits, unit, "satterthwaite")
        np.testing.assert_allclose(se[0], np.atleast_1d(entry["se"]), rtol=1e-9)
        np.testing.assert_allclose(df[0], np.atleast_1d(entry["df_satterthwaite"]), rtol=SATTERTHWAITE)
        if "kr" in entry:
            _, se, df = row_numbers(y, model, weights, fits, unit)
            np.testing.assert_allclose(se[0] ** 2, np.diag(np.atleast_2d(entry["kr"]["vcov"])), rtol=1e-8)
            np.testing.assert_allclose(df[0], np.atleast_1d(entry["kr"]["df"]), rtol=1e-8)
    fits = fit_general(*classic("dyestuff2_singular")[:3])
    assert fits.outcome[0] == Outcome.SINGULAR
    assert fits.theta[0, 0] == 0.0


def test_classic_joint_tests_have_the_numbers_of_r():
    y, model, _, entry = classic("orthodont")
    fits, rows = fit_general(y, model), np.eye(4)[1:]
    roger, other = entry["kr"]["all_but_intercept"], entry["satterthwaite_all_but_intercept"]
    found = joint_numbers(y, model, None, fits, rows)
    np.testing.assert_allclose(np.ravel(found), [roger["F_kr"], 3, roger["ddf_kr"]], rtol=1e-9)
    found = joint_numbers(y, model, None, fits, rows, "satterthwaite")
    np.testing.assert_allclose(np.ravel(found), [other["F"], other["ndf"], other["ddf"]], rtol=1e-7)
    again = joint_numbers(y, model, None, fits, np.vstack([rows, rows[0] - rows[1]]))
    np.testing.assert_allclose(np.ravel(again), [roger["F_kr"], 3, roger["ddf_kr"]], rtol=1e-9)


def test_the_likelihood_ratio_of_fits_by_maximum_likelihood_is_that_of_anova():
    y, model, _, _ = classic("sleep_slope")
    smaller = MixedModel(model.matrix[:, :1].copy(), model.terms)
    full, less = (fit_general(y, each, reml=False).criterion[0] for each in (model, smaller))
    assert less - full == pytest.approx(reference()["classic"]["lrt"]["sleep_Days"]["chisq"], abs=1e-8)


def test_other_degrees_of_freedom_leave_standard_errors_alone(fitted):
    y, model, weights, entry = layout("nested")
    unit, expected = np.eye(3), np.array(entry["tests"]["se"])
    given = np.array([5.0, 6.0, 7.0])
    for df, value in (("residual", len(model.matrix) - 3.0), ("infinite", np.inf), (given, given)):
        _, se, found = row_numbers(y, model, weights, fitted["nested"], unit, df)
        np.testing.assert_allclose(se, expected, rtol=SE)
        np.testing.assert_array_equal(found, np.broadcast_to(value, found.shape))
    statistic, _, found = joint_numbers(y, model, weights, fitted["nested"], unit[1:2], "residual")
    np.testing.assert_allclose(statistic, (np.array(entry["tests"]["estimate"]) / expected)[:, 1] ** 2, rtol=1e-6)
    np.testing.assert_array_equal(found, len(model.matrix) - 3.0)


def test_kenward_and_roger_fit_again_by_the_restricted_likelihood(fitted):
    y, model, _, _ = layout("crossed")
    by_ml = fit_general(y, model, reml=False)
    found = row_numbers(y, model, None, by_ml, np.eye(2))
    for one, other in zip(found, row_numbers(y, model, None, fitted["crossed"], np.eye(2)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fits_do_not_depend_on_origin_scale_or_order():
    y, model, _, _ = layout("slope_corr")
    fits, unit = fit_general(y, model), np.eye(4)
    _, se, df = row_numbers(y, model, None, fits, unit)
    moved = fit_general(100.0 + 7.0 * y, model)
    _, moved_se, moved_df = row_numbers(100.0 + 7.0 * y, model, None, moved, unit)
    np.testing.assert_allclose(moved.theta, fits.theta, rtol=0, atol=1e-6)
    np.testing.assert_allclose(moved_se, 7.0 * se, rtol=1e-6)
    np.testing.assert_allclose(moved_df, df, rtol=1e-6)
    order = np.random.default_rng(3).permutation(y.shape[1])
    (term,) = model.terms
    codes = np.random.default_rng(4).permutation(term.n_levels)[term.codes]
    shuffled = MixedModel(model.matrix[order], (RandomEffects(codes[order], term.columns[order]),))
    again = fit_general(y[:, order], shuffled)
    np.testing.assert_allclose(again.theta, fits.theta, rtol=0, atol=1e-6)
    np.testing.assert_allclose(again.criterion, fits.criterion, rtol=1e-10)


def test_contrasts_do_not_depend_on_the_coding():
    y, model, _, _ = layout("crossed")
    turn = np.array([[1.0, 2.0], [-1.0, 30.0]])
    coded = MixedModel(model.matrix @ turn, model.terms)
    contrast = np.array([[0.0, 1.0]])
    found = row_numbers(y, coded, None, fit_general(y, coded), contrast @ turn)
    expected = row_numbers(y, model, None, fit_general(y, model), contrast)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_weights_count_up_to_a_factor_and_those_of_one_are_none(fitted):
    y, model, weights, _ = layout("slope_weighted")
    again = fit_general(y, model, 5.0 * weights)
    np.testing.assert_allclose(again.theta, fitted["slope_weighted"].theta, rtol=0, atol=1e-8)
    np.testing.assert_allclose(again.sigma, fitted["slope_weighted"].sigma, rtol=1e-10)
    one, none = fit_general(y, model, np.ones_like(y)), fit_general(y, model)
    np.testing.assert_array_equal(one.theta, none.theta)
    np.testing.assert_array_equal(one.criterion, none.criterion)


def test_samples_of_weight_zero_are_absent():
    y, model, weights, _ = layout("slope_weighted")
    weights = weights.copy()
    weights[:, [3, 40]] = 0.0
    there = np.delete(np.arange(y.shape[1]), [3, 40])
    (term,) = model.terms
    without = MixedModel(model.matrix[there], (RandomEffects(term.codes[there], term.columns[there]),))
    found, expected = fit_general(y, model, weights), fit_general(y[:, there], without, weights[:, there])
    np.testing.assert_allclose(found.criterion, expected.criterion, rtol=1e-10)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=1e-7)
    args = (np.eye(4), "kenward-roger")
    for one, other in zip(
        row_numbers(y, model, weights, found, *args),
        row_numbers(y[:, there], without, weights[:, there], expected, *args),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_gene_has_the_same_bits_alone(fitted):
    for name in ("slope_weighted", "crossed"):
        y, model, weights, _ = layout(name)
        for gene in (0, 4):
            own = None if weights is None else weights[[gene]]
            alone, among = fit_general(y[[gene]], model, own), fits_of(fitted[name], np.array([gene]))
            np.testing.assert_array_equal(alone.theta, among.theta)
            np.testing.assert_array_equal(alone.coefficients, among.coefficients)
            np.testing.assert_array_equal(alone.criterion, among.criterion)


def test_a_column_far_from_its_origin_changes_nothing_else():
    y, model, _, _ = layout("slope_corr")
    (term,) = model.terms
    far = term.columns.copy()
    far[:, 1] += 1000.0
    matrix = model.matrix.copy()
    matrix[:, 1] += 1000.0
    matrix[:, 3] = matrix[:, 1] * matrix[:, 2]
    moved = fit_general(y, MixedModel(matrix, (RandomEffects(term.codes, far),)), reml=False)
    here = fit_general(y, model, reml=False)
    np.testing.assert_allclose(moved.criterion, here.criterion, rtol=1e-8)
    np.testing.assert_allclose(moved.sigma, here.sigma, rtol=1e-5)


def test_hard_genes_have_a_code_and_never_an_error():
    y, model, _, _ = layout("crossed")
    rng = np.random.default_rng(2)
    (subject, _), n = model.terms, y.shape[1]
    hard = np.vstack([np.full(n, 3.0), np.zeros(n), y[0], y[0], y[0], y[0]])
    hard[2, 5] = np.nan
    hard[3] = rng.normal(size=subject.n_levels)[subject.codes]
    hard[4, 7] = 1e6
    hard[5] = model.matrix @ [1.0, 2.0]
    fits = fit_general(hard, model)
    expected = [Outcome.CONSTANT, Outcome.CONSTANT, Outcome.NOT_FINITE, Outcome.SEARCH_FAILED]
    np.testing.assert_array_equal(fits.outcome[:4], expected)
    assert fits.outcome[4] in (Outcome.CONVERGED, Outcome.SINGULAR)
    assert fits.outcome[5] == Outcome.CONSTANT
    lost = np.array([0, 1, 2, 5])
    for values in (fits.coefficients, fits.theta, fits.sigma[:, None], fits.criterion[:, None]):
        assert np.isnan(values[lost]).all()
        assert np.isfinite(values[[3, 4]]).all()
    for df in ("kenward-roger", "satterthwaite", "residual"):
        found = contrast_tests(hard, model, None, fits, np.eye(2), df)
        assert np.isnan(found.log_p[lost]).all()
        assert np.isfinite(found.log_p[4]).all()
        assert np.isnan(joint_tests(hard, model, None, fits, np.eye(2), df).log_p[lost]).all()
    assert np.isnan(predicted_effects(hard, model, None, fits)[0].values[lost]).all()
    assert np.isnan(residual_df(hard, model, None, fits)[lost]).all()


def test_weights_that_leave_a_coefficient_undetermined_have_a_code():
    y, model, _, _ = layout("crossed")
    weights = np.ones((2, y.shape[1]))
    weights[0, model.matrix[:, 1] == 1] = 0.0
    weights[1, 2:] = 0.0
    fits = fit_general(y[:2], model, weights)
    np.testing.assert_array_equal(fits.outcome, [Outcome.RANK_DEFICIENT, Outcome.RANK_DEFICIENT])


def one_term():
    """Return responses, model and weights of a layout with one random intercept."""
    y, model, weights, _ = layout("slope_weighted")
    (term,) = model.terms
    return y, MixedModel(model.matrix, (RandomEffects(term.codes, term.columns[:, :1].copy()),)), weights


def test_one_term_has_the_fits_of_its_own_method():
    y, model, weights = one_term()
    for own in (None, weights):
        for reml in (True, False):
            found, expected = fit_general(y, model, own, reml=reml), fit_linear(y, model, own, reml=reml)
            np.testing.assert_array_equal(found.outcome, expected.outcome)
            np.testing.assert_allclose(found.criterion, expected.criterion, rtol=0, atol=1e-9)
            np.testing.assert_allclose(found.theta, expected.theta, rtol=0, atol=1e-7)
            np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=0, atol=1e-8)


def test_one_term_has_the_parts_of_its_own_method():
    y, model, weights = one_term()
    scaled = weights / weights.mean(axis=1, keepdims=True)
    for own in (None, scaled):
        fits = fit_linear(y, model, own)
        expected = parts_of(y, levels_model(model, weighted=own is not None), own, fits, np.eye(4), joint=True)
        found = general_parts(y, model, own, fits, np.eye(4), joint=True)
        for name in expected.__slots__:
            one, other = getattr(found, name), getattr(expected, name)
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10 * np.abs(other).max(), err_msg=name)


def test_few_residual_degrees_of_freedom_are_no_error():
    rng = np.random.default_rng(6)
    for n in (4, 5):
        matrix = np.column_stack([np.ones(n), np.arange(n) % 2, np.arange(n) ** 2.0])
        model = MixedModel(matrix, (RandomEffects(np.arange(n) // 2, np.ones((n, 1))),))
        fits = fit_general(rng.normal(size=(5, n)), model)
        assert (fits.outcome <= Outcome.HESSIAN_INDEFINITE).all()
        assert np.isfinite(fits.coefficients).all()


def test_components_are_samples_that_share_levels():
    model = layout("nested")[1]
    plots, sites = model.terms
    found = layout_of(model, standardized=True)
    assert len(found.structure.pointer) - 1 == sites.n_levels
    np.testing.assert_array_equal(found.places[1][sites.codes, 0], found.structure.component)
    assert found.largest == 1 + max(len(set(plots.codes[sites.codes == site])) for site in range(sites.n_levels))
    assert len(layout_of(layout("crossed")[1], standardized=True).structure.pointer) == 2


def test_large_crossed_layouts_say_how_long_they_take():
    n = 900
    codes = np.arange(n) % 300, (np.arange(n) * 7) % 299
    terms = tuple(RandomEffects(code, np.ones((n, 1))) for code in codes)
    model = MixedModel(np.ones((n, 1)), terms)
    y = np.zeros((400, n))
    with pytest.warns(CountnestWarning, match="599 random effects: expect about 36 minutes for 400 genes"):
        fits = fit_general(y, model)
    assert (fits.outcome == Outcome.CONSTANT).all()


def test_fitted_values_have_random_effects(fitted):
    for name in LAYOUTS:
        y, model, weights, _ = layout(name)
        effects = predicted_effects(y, model, weights, fitted[name])
        expected = fitted[name].coefficients @ model.matrix.T
        for term, each in zip(model.terms, effects, strict=True):
            expected += each.values.reshape(len(y), -1) @ term.matrix.T
        np.testing.assert_allclose(fitted_values(model, fitted[name], effects), expected, rtol=1e-10)


def test_variance_components_are_standard_deviations_and_correlations():
    y, model, _, entry = classic("sleep_slope")
    (found,) = variance_components(model, fit_general(y, model))
    intercept, both, slope, _ = entry["vc"].values()
    np.testing.assert_allclose(found.sd[0] ** 2, [intercept, slope], rtol=1e-8)
    assert found.correlation[0, 0, 1] == pytest.approx(both / np.sqrt(intercept * slope), rel=1e-8)


def test_variance_shares_add_up_and_lie_in_their_intervals(fitted):
    for name in LAYOUTS:
        y, model, weights, _ = layout(name)
        found = variance_shares(y, model, weights, fitted[name])
        np.testing.assert_allclose(found.share.sum(axis=1), 1.0)
        assert ((found.low <= found.share) & (found.share <= found.high)).all()
        assert ((found.low >= 0) & (found.high <= 1)).all()
        narrow = variance_shares(y, model, weights, fitted[name], level=0.5)
        assert (narrow.high <= found.high).all()


def test_intervals_of_a_variance_share_cover_it():
    rng = np.random.default_rng(9)
    group = np.repeat(np.arange(40), 5)
    y = rng.normal(size=(400, 40))[:, group] + rng.normal(size=(400, 200))
    model = MixedModel(np.ones((200, 1)), (RandomEffects(group, np.ones((200, 1))),))
    found = variance_shares(y, model, None, fit_general(y, model))
    covered = (found.low[:, 1] <= 0.5) & (found.high[:, 1] >= 0.5)
    assert 0.92 < covered.mean() < 0.98
