import typing

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from countnest.options import PAdjust
from countnest.stats.inference.adjust import adjust

METHODS = {
    "BH": "fdr_bh",
    "BY": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("share_missing", [0.0, 0.3])
def test_agrees_with_statsmodels_on_what_is_not_missing(share_missing, method):
    rng = np.random.default_rng(1)
    p = rng.beta(0.4, 2.0, 200)
    p[rng.random(200) < share_missing] = np.nan
    p[7] = p[9]  # a tie
    found = adjust(p, method)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(p))
    tested = ~np.isnan(p)
    np.testing.assert_allclose(found[tested], multipletests(p[tested], method=METHODS[method])[1], rtol=1e-12)


def test_every_word_is_a_method():
    assert set(typing.get_args(PAdjust)) == {*METHODS, "none"}
    p = np.array([0.2, np.nan, 0.01])
    np.testing.assert_array_equal(adjust(p, "none"), p)


def test_known_values():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(adjust(p), [0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5], rtol=1e-14)
    np.testing.assert_allclose(adjust(p, "holm"), [0.04, np.nan, 0.09, 0.09, 0.5], rtol=1e-14)
    np.testing.assert_allclose(adjust(p, "hochberg"), [0.04, np.nan, 0.08, 0.08, 0.5], rtol=1e-14)


@pytest.mark.parametrize("method", typing.get_args(PAdjust))
@pytest.mark.parametrize("p", [[], [np.nan, np.nan], [1.0, 1.0], [0.3]], ids=["no", "missing", "ones", "one"])
def test_edges_stay_as_they_are(p, method):
    np.testing.assert_array_equal(adjust(np.array(p), method), p)


def test_the_smallest_values_do_not_vanish():
    np.testing.assert_allclose(adjust(np.array([1e-300, 1e-310, 1.0])), [1.5e-300, 3e-310, 1.0], rtol=1e-6)
