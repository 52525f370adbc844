import numpy as np

from countnest.stats.hidden.left_out import left_out, towards_prediction

N = 12
DESIGN = np.column_stack([np.ones(N), np.repeat([0.0, 1.0], 6)])
BATCH = np.tile([0.0, 1.0], 6)[:, np.newaxis]


def noise(genes, rng, effect=0.0):
    values = rng.standard_normal((genes, N)) + effect * rng.standard_normal((genes, 1)) * BATCH[:, 0]
    basis = np.linalg.qr(DESIGN)[0]
    return values - values @ basis @ basis.T


def test_the_share_is_the_mean_over_genes_of_what_a_regression_explains():
    rng = np.random.default_rng(1)
    residuals = noise(40, rng, 1.0)
    found = left_out(residuals, DESIGN, BATCH, rng)
    both = np.column_stack([DESIGN, BATCH])
    fitted = residuals @ both @ np.linalg.inv(both.T @ both) @ both.T
    np.testing.assert_allclose(found.share, np.mean((fitted**2).sum(axis=1) / (residuals**2).sum(axis=1)))
    assert (found.df, found.residual_df, found.expected) == (1, 10, 0.1)
    assert found.share <= found.most <= 1.0


def test_columns_of_a_factor_count_once_and_those_of_the_design_not_at_all():
    rng = np.random.default_rng(2)
    three = np.eye(3)[np.arange(N) % 3]
    found = left_out(noise(30, rng), DESIGN, np.column_stack([three, DESIGN]), rng)
    assert found.df == 2
    inside = left_out(noise(30, rng), DESIGN, DESIGN[:, 1:], rng)
    assert (inside.df, inside.share, inside.p_value) == (0, 0.0, 1.0)


def test_scale_and_origin_of_numbers_do_not_matter():
    residuals = noise(30, np.random.default_rng(3))
    one, other = (left_out(residuals, DESIGN, x, np.random.default_rng(1)) for x in (BATCH, 1e6 + 1e-3 * BATCH))
    np.testing.assert_allclose(one.share, other.share, rtol=1e-5)
    assert one.df == other.df == 1


def test_p_values_are_level_for_correlated_genes_without_an_effect_and_small_for_an_effect():
    rng = np.random.default_rng(4)
    mixing = rng.standard_normal((30, 4))  # of four hidden profiles, so that genes are correlated
    p_values = []
    for _ in range(200):
        values = mixing @ rng.standard_normal((4, N)) + 0.3 * rng.standard_normal((30, N))
        p_values.append(left_out(values, DESIGN, BATCH, rng, rotations=199).p_value)
    levels = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    share = (np.array(p_values)[:, None] <= levels).mean(axis=0)
    assert (np.abs(share - levels) < 4 * np.sqrt(levels * (1 - levels) / 200)).all()
    assert left_out(noise(60, rng, 3.0), DESIGN, BATCH, rng).p_value == 0.001


def test_genes_without_residuals_are_left_out():
    rng = np.random.default_rng(5)
    residuals = noise(20, rng)
    one, other = (
        left_out(each, DESIGN, BATCH, np.random.default_rng(1))
        for each in (residuals, np.vstack([residuals, np.zeros((5, N))]))
    )
    np.testing.assert_allclose(one.share, other.share)


def test_predictions_by_the_other_samples_are_independent_of_the_residual():
    rng = np.random.default_rng(6)
    for columns in (BATCH, np.eye(3)[np.arange(N) % 3], rng.standard_normal((N, 1))):
        signed = towards_prediction(noise(20000, rng), DESIGN, columns)
        positive = (signed > 0).mean(axis=0)
        assert (np.abs(positive - 0.5) < 5 * 0.5 / np.sqrt(20000)).all()
    signed = towards_prediction(noise(2000, rng, 3.0), DESIGN, BATCH)
    assert (np.median(signed, axis=0) > 0.3).all()


def test_a_prediction_is_that_of_the_formula_without_the_sample():
    rng = np.random.default_rng(7)
    raw = rng.standard_normal((5, N))
    basis = np.linalg.qr(DESIGN)[0]
    residuals = raw - raw @ basis @ basis.T
    found = towards_prediction(residuals, DESIGN, BATCH)
    np.testing.assert_allclose(np.abs(found), np.abs(residuals))
    # the value of the first sample does not change its own prediction
    moved = raw.copy()
    moved[:, 0] += 100.0
    again = moved - moved @ basis @ basis.T
    sign = np.sign(found[:, 0] / residuals[:, 0])
    np.testing.assert_array_equal(np.sign(towards_prediction(again, DESIGN, BATCH)[:, 0] / again[:, 0]), sign)


def test_a_sample_alone_in_its_level_has_no_prediction():
    columns = np.zeros((N, 1))
    columns[3] = 1.0
    signed = towards_prediction(noise(10, np.random.default_rng(8)), DESIGN, columns)
    assert np.isnan(signed[:, 3]).all()
