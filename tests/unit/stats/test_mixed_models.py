"""Linear mixed models with one random term, or with terms that have common strata: what holds whatever the numbers."""

import numpy as np
import pytest
import scipy.stats

from cases import each
from countnest.errors import ContrastError, DesignError, OptionError
from countnest.stats.mixed.comparisons import likelihood_ratio, variance_test
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects
from countnest.stats.mixed.strata import strata_of, strata_tests, variance_f_test
from countnest.stats.mixed.tests import contrast_tests, joint_tests, residual_df

FAMILIES = 12
# Two siblings in a family; a treatment of families, another one of siblings, and their interaction.
CODES = np.repeat(np.arange(FAMILIES), 2)
BETWEEN, WITHIN = (CODES % 2).astype(float), np.tile([0.0, 1.0], FAMILIES)
X = np.column_stack([np.ones(24), BETWEEN, WITHIN, BETWEEN * WITHIN])
ACROSS = np.array([[0, 1, 0, 0.5]])  # between families
INSIDE = np.array([[0, 0, 0, 1.0]])
ROWS = np.vstack([np.eye(4), ACROSS, INSIDE])


def intercepts(codes):
    return RandomEffects(np.asarray(codes), np.ones((len(codes), 1)), "1 | family")


MODEL = MixedModel(X, (intercepts(CODES),))


def responses(genes=10, seed=5, sd=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(genes, 24)) + sd * rng.normal(size=(genes, FAMILIES))[:, CODES] + 8


def weights_of(y, seed=2):
    return np.random.default_rng(seed).gamma(4.0, size=y.shape)


def numbers(y, model, weights, rows=ROWS, **options):
    """Return what does not depend on units: theta, t, df, p; and sigma."""
    fits = fit_linear(y, model, weights, **options)
    tests = contrast_tests(y, model, weights, fits, rows)
    other = contrast_tests(y, model, weights, fits, rows, "satterthwaite")
    joint = joint_tests(y, model, weights, fits, rows[1:4])
    parts = (fits.theta, tests.statistic, tests.df, tests.log_p, other.df, joint.statistic[:, None], joint.df[:, None])
    return np.column_stack(parts), fits.sigma


def test_units_and_origin_of_the_responses_do_not_matter():
    y = responses()
    for weights in (None, weights_of(y)):
        for bounded in (True, False):
            own, sigma = numbers(y, MODEL, weights, ROWS[1:], bounded=bounded)
            moved, same = numbers(100 + 1e-2 * y, MODEL, weights, ROWS[1:], bounded=bounded)
            np.testing.assert_allclose(moved, own, rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(same, 1e-2 * sigma, rtol=1e-8)


def test_the_order_of_samples_and_groups_does_not_matter():
    y = responses()
    rng = np.random.default_rng(1)
    order, names = rng.permutation(24), rng.permutation(FAMILIES)
    model = MixedModel(X[order], (intercepts(names[CODES][order]),))
    for weights in (None, weights_of(y)):
        own = numbers(y, MODEL, weights)[0]
        other = numbers(y[:, order], model, None if weights is None else weights[:, order])[0]
        np.testing.assert_allclose(other, own, rtol=1e-7, atol=1e-8)


def test_the_coding_of_the_columns_does_not_matter():
    y = responses()
    recode = np.array([[1, 0.5, 0, 0], [0, 2, 0, 1], [0, 0, -1, 0], [0.3, 0, 0, 1.0]])
    model = MixedModel(X @ recode, MODEL.terms)
    for weights in (None, weights_of(y)):
        np.testing.assert_allclose(
            numbers(y, model, weights, ROWS @ recode)[0], numbers(y, MODEL, weights)[0], rtol=1e-7, atol=1e-8
        )


def test_only_the_ratios_of_weights_count():
    y = responses()
    weights = weights_of(y)
    own, sigma = numbers(y, MODEL, weights)
    other, same = numbers(y, MODEL, 7.0 * weights)
    np.testing.assert_allclose(other, own, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(same, sigma, rtol=1e-12)
    np.testing.assert_allclose(numbers(y, MODEL, np.full(24, 3.0))[0], numbers(y, MODEL, None)[0], rtol=1e-7, atol=1e-8)


def test_a_sample_without_weight_is_absent():
    y, there = responses(), np.arange(24) != 5
    weights = weights_of(y)
    weights[:, 5] = 0.0
    without = MixedModel(X[there], (intercepts(CODES[there]),))
    own = numbers(y[:, there], without, weights[:, there])
    y[:, 5] = np.nan
    found = numbers(y, MODEL, weights)
    np.testing.assert_allclose(found[0], own[0], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found[1], own[1], rtol=1e-10)
    fits = fit_linear(y, MODEL, weights)
    absent = fit_linear(y[:, there], without, weights[:, there])
    np.testing.assert_allclose(fits.criterion, absent.criterion, rtol=1e-12)
    assert np.all(contrast_tests(y, MODEL, weights, fits, INSIDE, "residual").df == 23 - 4)


def test_a_gene_has_the_same_bits_in_any_company():
    y = responses(30)
    for weights in (None, weights_of(y)):
        whole = fit_linear(y, MODEL, weights)
        for gene in (0, 17):
            alone = None if weights is None else weights[[gene]]
            one = fit_linear(y[[gene]], MODEL, alone)
            for name in ("coefficients", "theta", "sigma", "criterion"):
                assert np.array_equal(getattr(one, name)[0], getattr(whole, name)[gene])
            tests = contrast_tests(y, MODEL, weights, whole, ROWS)
            assert np.array_equal(contrast_tests(y[[gene]], MODEL, alone, one, ROWS).log_p[0], tests.log_p[gene])


def test_a_singular_fit_is_the_linear_model():
    y = responses(40, sd=0.0)
    for weights in (None, weights_of(y)):
        fits = fit_linear(y, MODEL, weights)
        singular = fits.outcome == Outcome.SINGULAR
        assert singular.sum() > 8
        for gene in np.flatnonzero(singular):
            w = np.ones(24) if weights is None else weights[gene] / weights[gene].mean()
            root = np.sqrt(w)
            expected, square = np.linalg.lstsq(root[:, None] * X, root * y[gene], rcond=None)[:2]
            np.testing.assert_allclose(fits.coefficients[gene], expected, atol=1e-10)
            np.testing.assert_allclose(fits.sigma[gene] ** 2, square[0] / 20, rtol=1e-10)
        tests = contrast_tests(y, MODEL, weights, fits, ROWS, "satterthwaite")
        np.testing.assert_allclose(tests.df[singular], 20.0, rtol=1e-10)


def test_free_variances_give_the_exact_tests_of_a_balanced_layout():
    y = responses(30, sd=0.4)
    fits = fit_linear(y, MODEL, bounded=False)
    assert np.any(fits.theta < 0)
    assert np.all(fits.outcome == Outcome.CONVERGED)
    differences, means = y[:, 1::2] - y[:, ::2], 0.5 * (y[:, 1::2] + y[:, ::2])
    groups = CODES[::2] % 2
    for rule in ("kenward-roger", "satterthwaite"):
        found = contrast_tests(y, MODEL, None, fits, np.vstack([INSIDE, ACROSS]), rule)
        for column, values in enumerate((differences, means)):
            expected = scipy.stats.ttest_ind(values[:, groups == 1], values[:, groups == 0], axis=1)
            np.testing.assert_allclose(found.statistic[:, column], expected.statistic, rtol=1e-10)
            np.testing.assert_allclose(found.df[:, column], FAMILIES - 2, rtol=1e-9)
            np.testing.assert_allclose(found.p_value[:, column], expected.pvalue, rtol=1e-8)
    strata = strata_of(y, MODEL)
    by_strata = strata_tests(strata, ROWS, moderated=False)
    free = contrast_tests(y, MODEL, None, fits, ROWS)
    np.testing.assert_allclose(by_strata.se, free.se, rtol=1e-10)
    np.testing.assert_allclose(by_strata.df, free.df, rtol=1e-9)
    ratio = (strata.mean_squares[:, 1] / strata.mean_squares[:, 0] - 1) / 2
    np.testing.assert_allclose(ratio, fits.theta[:, 0], atol=1e-10)


def test_exact_tests_hold_their_level():
    """4,000 genes without effects, families alike or not: shares of p-values within binomial limits of 99.9 %."""
    rng = np.random.default_rng(12)
    y = (
        rng.normal(size=(4000, 24))
        + np.sqrt(rng.exponential(0.5, size=(4000, 1))) * rng.normal(size=(4000, 12))[:, CODES]
    )
    rows = np.vstack([INSIDE, ACROSS])
    free = contrast_tests(y, MODEL, None, fit_linear(y, MODEL, bounded=False), rows)
    for p_values in (free.p_value, strata_tests(strata_of(y, MODEL), rows).p_value):
        for level in (0.05, 0.001):
            low, high = scipy.stats.binom.ppf([0.0005, 0.9995], 4000, level) / 4000
            share = (p_values < level).mean(axis=0)
            assert np.all((share >= low) & (share <= high)), (level, share)


def test_a_variance_above_zero_is_the_same_with_and_without_the_bound():
    y = responses(20, sd=2.0)
    for weights in (None, weights_of(y)):
        bounded, free = (fit_linear(y, MODEL, weights, bounded=each) for each in (True, False))
        inside = bounded.outcome == Outcome.CONVERGED
        assert inside.sum() > 15
        np.testing.assert_allclose(bounded.theta[inside] ** 2, free.theta[inside], rtol=1e-9)
        np.testing.assert_allclose(bounded.criterion[inside], free.criterion[inside], rtol=1e-13)
        assert np.all(free.criterion <= bounded.criterion + 1e-9)


def test_moderated_strata_have_the_degrees_of_freedom_of_their_priors():
    y = responses(200) * np.random.default_rng(3).gamma(8.0, size=(200, 1)) / 8
    strata = strata_of(y, MODEL)
    found = strata_tests(strata, np.vstack([INSIDE, ACROSS]))
    plain = strata_tests(strata, np.vstack([INSIDE, ACROSS]), moderated=False)
    assert np.all(found.df > plain.df)
    assert np.all(np.ptp(found.df, axis=0) < 1e-9)
    assert np.std(np.log(found.se[:, 0])) < np.std(np.log(plain.se[:, 0]))


def test_terms_with_common_strata_are_found_and_fitted():
    """Crossed and balanced: the mean squares of rows, columns and residuals."""
    rng = np.random.default_rng(4)
    rows, columns = np.arange(30) % 5, np.arange(30) // 5
    model = MixedModel(np.ones((30, 1)), (intercepts(rows), intercepts(columns)))
    y = rng.normal(size=(6, 30)) + 2 * rng.normal(size=(6, 5))[:, rows] + 1.5 * rng.normal(size=(6, 6))[:, columns]
    fits = fit_linear(y, model)
    table = y.reshape(6, 6, 5)
    by_row, by_column = table.mean(axis=1), table.mean(axis=2)
    rest = table - by_row[:, None] - by_column[:, :, None] + y.mean(axis=1)[:, None, None]
    residual = (rest**2).sum(axis=(1, 2)) / 20
    inside = fits.outcome == Outcome.CONVERGED
    assert inside.sum() >= 4
    np.testing.assert_allclose(fits.sigma[inside] ** 2, residual[inside], rtol=1e-9)
    of_rows = (6 * by_row.var(axis=1, ddof=1) - residual) / 6
    of_columns = (5 * by_column.var(axis=1, ddof=1) - residual) / 5
    expected = np.sqrt(np.column_stack([of_rows, of_columns])[inside] / residual[inside, None])
    np.testing.assert_allclose(fits.theta[inside], expected, rtol=1e-8)
    strata = strata_of(y, model)
    assert strata.df.tolist() == [20, 5, 4, 0]
    np.testing.assert_allclose(strata.eigenvalues, [[0, 0], [0, 5], [6, 0], [6, 5]], atol=1e-12)
    np.testing.assert_allclose(strata.mean_squares[:, 0], residual, rtol=1e-10)
    np.testing.assert_allclose(strata.mean_squares[:, 1], 5 * by_column.var(axis=1, ddof=1), rtol=1e-10)
    test = variance_test(y, model, None, fits, term=1)
    assert np.all((test.p_value > 0) & (test.p_value <= 1))


def test_large_ratios_are_followed():
    y = responses(6, sd=3000.0)
    for weights in (None, weights_of(y)):
        fits = fit_linear(y, MODEL, weights)
        assert np.all(fits.outcome == Outcome.CONVERGED)
        assert np.all(fits.theta > 300)
    strata = strata_of(y, MODEL)
    ratio = (strata.mean_squares[:, 1] / strata.mean_squares[:, 0] - 1) / 2
    np.testing.assert_allclose(fit_linear(y, MODEL).theta[:, 0] ** 2, ratio, rtol=1e-7)


def test_hard_genes_have_a_code_and_no_exception():
    y = responses(8)
    weights = np.ones_like(y)
    y[0] = 0.0
    y[1] = 4.2
    y[2, 3] = np.nan
    y[3, 3] = np.inf
    y[4] = X @ [1.0, 2.0, 3.0, 4.0]
    y[5, 1:] = 0.0
    weights[6, BETWEEN == 1] = 0.0
    C = Outcome
    expected = [C.CONSTANT, C.CONSTANT, C.NOT_FINITE, C.NOT_FINITE, C.CONSTANT, None, None, C.CONVERGED]
    for given in (None, weights):
        fits = fit_linear(y, MODEL, given)
        for gene, code in enumerate(expected):
            assert code is None or fits.outcome[gene] == code, (gene, fits.outcome[gene])
        assert np.isfinite(fits.theta[5:6]).all()
        tests = contrast_tests(y, MODEL, given, fits, ROWS)
        joint = joint_tests(y, MODEL, given, fits, ROWS[1:4])
        left = residual_df(y, MODEL, given, fits)
        for found in (
            fits.coefficients,
            tests.p_value,
            tests.df,
            joint.p_value[:, None],
            joint.df[:, None],
            left[:, None],
        ):
            assert np.isnan(found[:5]).all()
            assert np.isfinite(found[7]).all()
    assert fits.outcome[6] == Outcome.RANK_DEFICIENT


def test_small_layouts_are_fitted():
    """One residual degree of freedom; groups of one sample beside others; a group with a huge response."""
    y = responses(5)
    few = MixedModel(X[:5], (intercepts([0, 0, 1, 1, 2]),))
    fits = fit_linear(y[:, :5], few)
    assert np.isfinite(fits.criterion).all()
    singles = MixedModel(X, (intercepts([*range(20), 20, 20, 21, 21]),))
    tests = contrast_tests(y, singles, None, fit_linear(y, singles), ROWS)
    assert np.isfinite(tests.log_p).all()
    y[:, CODES == 3] += 1e3
    assert np.all(fit_linear(y, MODEL).outcome == Outcome.CONVERGED)
    y[:, CODES == 3] += 1e7  # a ratio beyond the cap
    fits = fit_linear(y, MODEL)
    assert np.all(fits.outcome == Outcome.SEARCH_FAILED)
    assert np.isfinite(fits.criterion).all()


def test_joint_tests_count_independent_rows():
    y = responses()
    fits = fit_linear(y, MODEL)
    twice = np.vstack([ROWS[1:3], ROWS[1] + ROWS[2]])
    for rule in ("kenward-roger", "satterthwaite", "infinite"):
        one, other = (joint_tests(y, MODEL, None, fits, rows, rule) for rows in (ROWS[1:3], twice))
        assert np.all(other.df_tested == 2)
        np.testing.assert_allclose(other.statistic, one.statistic, rtol=1e-9)
    np.testing.assert_allclose(
        joint_tests(y, MODEL, None, fits, ROWS[1:3]).df, joint_tests(y, MODEL, None, fits, twice).df
    )


def test_a_joint_test_of_one_row_is_its_t_test():
    y = responses()
    for weights in (None, weights_of(y)):
        fits = fit_linear(y, MODEL, weights)
        for rule in ("kenward-roger", "satterthwaite", "residual", "infinite", np.array([7.0])):
            one, joint = (
                contrast_tests(y, MODEL, weights, fits, INSIDE, rule),
                joint_tests(y, MODEL, weights, fits, INSIDE, rule),
            )
            np.testing.assert_allclose(joint.statistic, one.statistic[:, 0] ** 2, rtol=1e-10)
            np.testing.assert_allclose(joint.log_p, one.log_p[:, 0], rtol=1e-8)


def test_variances_are_tested():
    y = responses(400, sd=0.0)
    fits = fit_linear(y, MODEL)
    halved, whole = (variance_test(y, MODEL, None, fits, mixture=each) for each in (True, False))
    singular = fits.outcome == Outcome.SINGULAR
    assert np.all(halved.p_value[singular] == 1.0)
    np.testing.assert_allclose(halved.p_value[~singular], 0.5 * whole.p_value[~singular])
    assert 0.02 < np.mean(halved.p_value < 0.05) < 0.09
    exact = variance_f_test(strata_of(y, MODEL))
    assert scipy.stats.kstest(exact.p_value, "uniform").pvalue > 0.01
    assert np.all(exact.df_tested == 10)
    weighted = fit_linear(y, MODEL, weights_of(y))
    assert np.all(variance_test(y, MODEL, weights_of(y), weighted).statistic >= 0)


def fitted(model=MODEL, reml=True):
    return fit_linear(responses(), model, reml=reml)


REDUCED = MixedModel(X[:, :2], MODEL.terms)


def arguments(*rows_and_rule):
    return responses(), MODEL, None, fitted(), *rows_and_rule


@each(
    ("call", "error", "words"),
    [
        (lambda: fit_linear(responses()[:, :-1], MODEL), OptionError, "23 samples"),
        (lambda: fit_linear(responses(), MODEL, -np.ones(24)), OptionError, "not negative"),
        (lambda: fit_linear(responses(), MODEL, np.ones((3, 24))), OptionError, "do not fit"),
        (lambda: fit_linear(np.ones((1, 4)), MixedModel(X[:4], (intercepts([0, 0, 1, 1]),))), DesignError, "4 samples"),
        (lambda: fitted(MixedModel(X, (intercepts(range(24)),))), DesignError, "cannot be told"),
        (lambda: contrast_tests(*arguments(np.ones((1, 3)))), ContrastError, "3 coefficients"),
        (lambda: contrast_tests(*arguments(ROWS, "nlme")), OptionError, "'nlme'"),
        (lambda: joint_tests(*arguments(np.zeros((2, 4)))), ContrastError, "zero"),
        (lambda: likelihood_ratio(MODEL, fitted(), REDUCED, fitted(REDUCED)), OptionError, "reml=False"),
        (lambda: likelihood_ratio(MODEL, fitted(), REDUCED, fitted(REDUCED, reml=False)), OptionError, "Only one"),
        (
            lambda: likelihood_ratio(REDUCED, fitted(REDUCED, reml=False), MODEL, fitted(reml=False)),
            DesignError,
            "part",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
