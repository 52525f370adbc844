"""Moderated tests by strata and by dream's rule, of one row and of several."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countnest.errors import ContrastError, DesignError
from countnest.stats.mixed.dream import moderated_joint_tests, moderated_tests
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, RandomEffects
from countnest.stats.mixed.strata import strata_joint_tests, strata_of, strata_tests
from countnest.stats.mixed.tests import contrast_tests, joint_tests, residual_df

FILE = Path(__file__).parent / "data" / "mixed" / "strata.csv.gz"
# Twelve families of two siblings; three treatments of families, two of siblings.
CODES = np.repeat(np.arange(12), 2)
SECOND, THIRD = (CODES % 3 == 1).astype(float), (CODES % 3 == 2).astype(float)
TREATED = np.tile([0.0, 1.0], 12)
X = np.column_stack([np.ones(24), SECOND, THIRD, TREATED, SECOND * TREATED, THIRD * TREATED])
BETWEEN = np.array([[0, 1, 0, 0, 0.5, 0], [0, 0, 1, 0, 0, 0.5]])
WITHIN = np.array([[0, 0, 0, 0, 1.0, 0], [0, 0, 0, 0, 0, 1.0]])
MODEL = MixedModel(X, (RandomEffects(CODES, np.ones((24, 1)), "1 | family"),))


def reference():
    table = pd.read_csv(FILE)
    return table.filter(regex=r"^y\d+$").to_numpy(), table


def test_moderated_tests_are_those_of_limma_on_family_means_and_differences():
    y, expected = reference()
    strata = strata_of(y, MODEL)
    for name, rows in (("between", BETWEEN), ("within", WITHIN)):
        joint, single = strata_joint_tests(strata, rows), strata_tests(strata, rows)
        np.testing.assert_allclose(joint.statistic, expected[f"{name}_F"], rtol=1e-10)
        np.testing.assert_allclose(joint.df, expected[f"{name}_df"], rtol=1e-10)
        np.testing.assert_allclose(joint.p_value, expected[f"{name}_p"], rtol=1e-10)
        np.testing.assert_allclose(single.statistic[:, 0], expected[f"{name}_t"], rtol=1e-10)
        np.testing.assert_allclose(single.p_value[:, 0], expected[f"{name}_pt"], rtol=1e-10)
        assert np.all(joint.df_tested == 2)


def test_joint_tests_by_strata_count_independent_rows():
    strata = strata_of(reference()[0], MODEL)
    for rows in (BETWEEN, WITHIN):
        own = strata_joint_tests(strata, rows)
        for other in (np.vstack([rows, rows[0] - rows[1]]), np.array([[2.0, 1.0], [0.0, 3.0]]) @ rows):
            found = strata_joint_tests(strata, other)
            assert np.all(found.df_tested == 2)
            np.testing.assert_allclose(found.statistic, own.statistic, rtol=1e-10)


def test_moderated_joint_tests_of_one_row_are_its_t_test():
    y = reference()[0]
    strata, fits = strata_of(y, MODEL), fit_linear(y, MODEL)
    left = residual_df(y, MODEL, None, fits)
    for row in (BETWEEN[:1], WITHIN[:1]):
        one = moderated_tests(contrast_tests(y, MODEL, None, fits, row, "satterthwaite"), fits.sigma, left)
        joint = moderated_joint_tests(joint_tests(y, MODEL, None, fits, row, "satterthwaite"), fits.sigma, left)
        for single, several in ((one, joint), (strata_tests(strata, row), strata_joint_tests(strata, row))):
            np.testing.assert_allclose(several.statistic, single.statistic[:, 0] ** 2, rtol=1e-9)
            np.testing.assert_allclose(several.df, single.df[:, 0], rtol=1e-9)
            np.testing.assert_allclose(several.log_p, single.log_p[:, 0], rtol=1e-8)


def test_moderated_joint_tests_hold_their_level():
    """3,000 genes without effects, whose families differ by as much as siblings do."""
    rng = np.random.default_rng(6)
    spread = np.sqrt(rng.gamma(4.0, 0.25, size=(3000, 1)))
    y = spread * (rng.normal(size=(3000, 24)) + rng.normal(size=(3000, 12))[:, CODES])
    strata, fits = strata_of(y, MODEL), fit_linear(y, MODEL)
    left = residual_df(y, MODEL, None, fits)
    for rows in (BETWEEN, WITHIN):
        share = np.mean(strata_joint_tests(strata, rows).p_value < 0.05)
        assert 0.037 < share < 0.064
        dream = moderated_joint_tests(joint_tests(y, MODEL, None, fits, rows, "satterthwaite"), fits.sigma, left)
        assert np.mean(dream.p_value < 0.05) < 0.09


def test_rows_of_several_strata_are_refused_with_their_strata():
    strata = strata_of(reference()[0], MODEL)
    with pytest.raises(ContrastError, match=r"lie in 2: within the levels; between the levels of \(1 \| family\)"):
        strata_joint_tests(strata, np.vstack([BETWEEN, WITHIN]))
    with pytest.raises(ContrastError, match="kind='t'"):
        strata_joint_tests(strata, np.eye(6)[1:3])
    with pytest.raises(ContrastError, match="zero"):
        strata_joint_tests(strata, np.zeros((2, 6)))


def test_layouts_without_balance_are_refused():
    some = MixedModel(X[:-1], (RandomEffects(CODES[:-1], np.ones((23, 1)), "1 | family"),))
    with pytest.raises(DesignError, match="balanced"):
        strata_joint_tests(strata_of(reference()[0][:, :-1], some), WITHIN)
