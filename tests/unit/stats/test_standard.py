"""Working columns: the same space, whatever the units and the origin of the numbers."""

import numpy as np

from cases import each
from countnest.stats.glm.standard import standardize

n = 12
rng = np.random.default_rng(4)
ONE, GROUP = np.ones(n), np.arange(n) % 2.0
DOSE = np.repeat([0.0, 1.0, 3.0, 10.0], 3)
YEAR = 2001.0 + np.arange(n)
AGE = rng.uniform(20.0, 80.0, n)


def columns(*others):
    return np.column_stack([ONE, GROUP, *others])


@each(
    "X",
    [
        columns(),
        columns(GROUP * np.roll(GROUP, 1), np.repeat([1.0, -1.0, 0.0], 4)),
        columns(DOSE),
        columns(AGE),
        columns(rng.uniform(7.0, 9.0, n)),
        columns(rng.uniform(6.2, 7.0, n)),
        columns(YEAR - 2000.0),
        columns(np.linalg.qr(rng.normal(size=(n, 2)))[0]),
        columns(DOSE, DOSE * GROUP),
    ],
    ids=["groups", "signs", "dose", "age", "quality", "acidity", "small year", "unwanted", "interaction"],
)
def test_columns_that_r_fits_well_stay(X):
    assert standardize(X) is None


@each(
    "X",
    [columns(1e-3 * DOSE), columns(1e-6 * DOSE, 1e-6 * DOSE * GROUP), columns(YEAR), columns(YEAR, GROUP * YEAR),
     columns(365.25 * 100 * AGE), np.column_stack([YEAR, ONE]), columns(GROUP + 1e-6 * rng.normal(size=n))],
    ids=["mM", "interaction", "year", "years", "hours", "numbers first", "nearly collinear"],
)  # fmt: skip
def test_working_columns_span_the_same_space(X):
    found = standardize(X)
    p = X.shape[1]
    np.testing.assert_allclose(found.change @ found.inverse, np.eye(p), atol=1e-12)
    np.testing.assert_allclose(found.matrix, X @ found.change, rtol=1e-9, atol=1e-9)
    beta = rng.normal(size=(3, p))
    np.testing.assert_allclose(found.matrix @ found.taken(found.given_back(beta)).T, found.matrix @ beta.T, atol=1e-9)
    contrast = rng.normal(size=(2, p))
    np.testing.assert_allclose(
        found.contrasts(contrast) @ beta.T, contrast @ found.given_back(beta).T, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(found.contrasts_of_given(found.contrasts(contrast)), contrast, rtol=1e-9)
    spread = np.linalg.norm(found.matrix - found.matrix.mean(axis=0), axis=0) / np.sqrt(n)
    assert ((spread < 1e3) & ((spread > 1 / 16) | (found.matrix == 1.0).all(axis=0))).all()


def test_units_of_a_thousand_have_the_same_working_columns():
    for unit in (1e-9, 1e-6, 1e-3, 1e3):
        found = standardize(columns(unit * DOSE))
        np.testing.assert_allclose(found.matrix, columns(DOSE), rtol=1e-14)
        np.testing.assert_array_equal(found.ridge, [1.0, 1.0, min(1.0, unit**-2)])


def test_the_origin_of_a_year_makes_no_difference():
    near, far = (standardize(columns(YEAR + origin, GROUP * (YEAR + origin))) for origin in (0.0, 1e5))
    np.testing.assert_allclose(near.matrix, far.matrix, atol=1e-8)
    assert np.abs(near.matrix[:, :2].T @ near.matrix[:, 2:]).max() < 1e-9


def test_numbers_very_far_from_their_origin_are_fitted_less_their_mean():
    seconds = np.arange(n, dtype=np.float64)
    for X in (
        columns(1.7e9 + seconds),
        columns(1.7e9 + seconds, GROUP * (1.7e9 + seconds)),
        columns(1.7e9 + seconds / 1e3),
    ):
        found = standardize(X)
        np.testing.assert_allclose(found.change @ found.inverse, np.eye(X.shape[1]), atol=1e-6)
        near = standardize(X - 1.7e9 * (X > 1e9))
        space, _ = np.linalg.qr(found.matrix)
        wanted = X - 1.7e9 * (X > 1e9) if near is None else near.matrix
        np.testing.assert_allclose(space @ (space.T @ wanted), wanted, atol=1e-7)
