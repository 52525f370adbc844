"""The joint Wald test against its definition."""

import numpy as np
import pytest
import scipy.stats

from countnest.stats.inference.lrt import row_basis
from countnest.stats.inference.wald import joint_wald_test, wald_test


def problem(seed=5, genes=20, k=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(genes, k, k + 2))
    return rng.normal(size=(genes, k)), root @ np.swapaxes(root, 1, 2)


def test_statistic_is_the_quadratic_form():
    b, v = problem()
    statistic, p = joint_wald_test(b, v)
    expected = [b[g] @ np.linalg.inv(v[g]) @ b[g] for g in range(len(b))]
    np.testing.assert_allclose(statistic, expected, rtol=1e-10)
    np.testing.assert_allclose(p, scipy.stats.chi2.sf(expected, 3), rtol=1e-9)
    f, p_f = joint_wald_test(b, v, df=7.0)
    np.testing.assert_allclose(f, np.array(expected) / 3, rtol=1e-10)
    np.testing.assert_allclose(p_f, scipy.stats.f.sf(f, 3, 7), rtol=1e-9)


@pytest.mark.parametrize("df", [None, 6.0])
def test_one_contrast_is_the_single_test(df):
    b, v = problem(k=1)
    _, p = joint_wald_test(b, v, df=df)
    _, single = wald_test(b[:, 0], np.sqrt(v[:, 0, 0]), df=df)
    np.testing.assert_allclose(p, single, rtol=1e-9)


def test_missing_genes_stay_missing_and_tied_contrasts_do_not_stop_the_others():
    b, v = problem()
    v[2] = np.nan
    v[3] = 0.0
    statistic, _ = joint_wald_test(b, v)
    assert np.isnan(statistic[2])
    good = np.delete(np.arange(len(b)), [2, 3])
    np.testing.assert_allclose(statistic[good], [b[g] @ np.linalg.inv(v[g]) @ b[g] for g in good], rtol=1e-8)


def test_basis_of_dependent_rows():
    contrasts = np.array([[1.0, -1, 0, 0], [0, 1, -1, 0], [1, 0, -1, 0]])
    basis, null = row_basis(contrasts)
    assert basis.shape == (2, 4)
    assert null.shape == (4, 2)
    np.testing.assert_allclose(contrasts @ null, 0.0, atol=1e-14)
    np.testing.assert_allclose(contrasts @ basis.T @ basis, contrasts, atol=1e-14)


@pytest.mark.parametrize("df", [None, 6.0, np.linspace(1.0, 60.0, 300)])
def test_far_tails(df):
    size = np.linspace(0.0, 37.0, 300)
    b = np.column_stack([size, np.zeros(300)])
    statistic, p = joint_wald_test(b, np.broadcast_to(np.eye(2), (300, 2, 2)), df=df)
    np.testing.assert_allclose(statistic, size**2 if df is None else size**2 / 2.0, rtol=1e-14)
    expected = scipy.stats.chi2.sf(statistic, 2) if df is None else scipy.stats.f.sf(statistic, 2, df)
    np.testing.assert_allclose(p, expected, rtol=1e-13)
    if df is None:
        assert 0.0 < p[-1] < 1e-290


@pytest.mark.parametrize("df", [None, 6.0])
def test_a_form_that_rounding_takes_below_zero_has_the_p_value_of_zero(df):
    b = np.array([[1e-9, 1e-9]])
    statistic, p = joint_wald_test(b, -np.eye(2)[np.newaxis], df=df)
    assert statistic[0] < 0.0
    assert p[0] == 1.0
