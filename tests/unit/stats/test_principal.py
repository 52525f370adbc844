import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.stats.transform.principal import most_variable, principal_components


@pytest.fixture
def values():
    return np.random.default_rng(5).normal(size=(40, 7)) * np.linspace(0.5, 3.0, 40)[:, np.newaxis] + 8.0


def test_components_are_those_of_the_covariance(values):
    found = principal_components(values)
    variances, directions = np.linalg.eigh(np.cov(values))
    order = np.argsort(-variances)[:6]
    np.testing.assert_allclose(found.share, variances[order] / variances.sum(), rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.loadings), np.abs(directions[:, order]), atol=1e-10)
    np.testing.assert_allclose(found.scores.var(axis=0, ddof=1), variances[order], rtol=1e-10)


def test_scores_and_loadings_give_the_values_back(values):
    found = principal_components(values)
    assert found.scores.shape == (7, 6)
    assert found.share.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.loadings.T @ found.loadings, np.eye(6), atol=1e-12)
    centred = values - values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.loadings @ found.scores.T, centred, atol=1e-12)


def test_more_samples_than_genes(values):
    found = principal_components(values[:3])
    assert found.scores.shape == (7, 3)
    assert found.loadings.shape == (3, 3)
    assert found.share.sum() == pytest.approx(1.0)


def test_the_largest_loading_is_positive(values):
    for signed in (values, -values, values[:, ::-1], values[::-1]):
        loadings = principal_components(signed).loadings
        largest = np.abs(loadings).argmax(axis=0)
        assert (loadings[largest, np.arange(6)] > 0).all()


def test_sign_does_not_follow_the_order_of_samples(values):
    order = np.random.default_rng(1).permutation(7)
    there, back = principal_components(values).scores, principal_components(values[:, order]).scores
    np.testing.assert_allclose(back, there[order], atol=1e-12)


def test_of_equally_large_loadings_the_first_is_positive():
    # two mirrored genes: rounding makes one loading larger by a last digit, and should not choose the sign
    rise = np.array([0.1, 0.7, 0.2, 1.9])
    for tilt in (1.0 - 1e-12, 1.0 + 1e-12):
        loadings = principal_components(np.array([rise, -tilt * rise])).loadings
        assert loadings[0, 0] > 0


def test_genes_without_variance_have_no_components():
    with pytest.raises(OptionError, match="no gene varies"):
        principal_components(np.full((5, 4), 0.1))


def test_most_variable_genes_come_first_and_equal_ones_in_their_order():
    values = np.array([[0.0, 1.0], [0.0, 3.0], [5.0, 5.0], [3.0, 0.0], [1.0, 3.0]])
    np.testing.assert_array_equal(most_variable(values, 10), [1, 3, 4, 0, 2])
    np.testing.assert_array_equal(most_variable(values, 2), [1, 3])
