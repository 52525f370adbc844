import functools
import typing

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from cases import each
from countnest.errors import OptionError
from countnest.options import PAdjust
from countnest.stats.inference.adjust import adjust, adjustment_name, check_adjustment
from countnest.stats.inference.qvalue import q_values

METHODS = {
    "BH": "fdr_bh",
    "BY": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}


@each("method", list(METHODS))
@each("share_missing", [0.0, 0.3])
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


@each("method", typing.get_args(PAdjust))
@each("p", [[], [np.nan, np.nan], [1.0, 1.0], [0.3]], ids=["no", "missing", "ones", "one"])
def test_edges_stay_as_they_are(p, method):
    np.testing.assert_array_equal(adjust(np.array(p), method), p)


def test_the_smallest_values_do_not_vanish():
    np.testing.assert_allclose(adjust(np.array([1e-300, 1e-310, 1.0])), [1.5e-300, 3e-310, 1.0], rtol=1e-6)


@pytest.fixture
def p():
    values = np.random.default_rng(2).beta(0.4, 2.0, 300)
    values[::7] = np.nan
    return values


@pytest.mark.parametrize("method", ["sidak", "fdr_tsbh", "fdr_gbs", "holm-sidak"])
def test_methods_of_statsmodels(p, method):
    tested = ~np.isnan(p)
    for alpha in (0.05, 0.2):
        expected = multipletests(p[tested], alpha=alpha, method=method)[1]
        found = adjust(p, method, alpha=alpha)
        np.testing.assert_array_equal(found[tested], expected)
        assert np.isnan(found[~tested]).all()
    check_adjustment(method)


def test_two_stage_methods_heed_the_level(p):
    assert np.nanmax(np.abs(adjust(p, "fdr_tsbh", alpha=0.01) - adjust(p, "fdr_tsbh", alpha=0.2))) > 0.01


def test_a_function_gets_what_is_not_missing(p):
    tested = ~np.isnan(p)
    before = p.copy()

    def spoil(values):
        np.testing.assert_array_equal(values, before[tested])
        values *= 0.5  # its own copy
        return values

    np.testing.assert_array_equal(adjust(p, spoil)[tested], 0.5 * before[tested])
    np.testing.assert_array_equal(p, before)
    np.testing.assert_array_equal(adjust(p, "storey")[tested], q_values(before[tested]))


def fails(*_):
    raise KeyError("lost")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: -p, "'<lambda>' must return adjusted p-values, numbers from 0 to 1; 257 of 257 are not, such as -"),
        (lambda p: p + 5.0, "numbers from 0 to 1; 257 of 257"),
        (lambda p: np.where(p < 0.5, np.nan, p), "returned NaN for .* p-values that it was given, none of which"),
        (fails, "p_adjust: the function 'fails' failed: KeyError: 'lost'"),
        (lambda: 1.0, "p_adjust: the function '<lambda>' failed: TypeError"),
    ],
)
def test_a_function_must_return_adjusted_p_values(p, wrong, message):
    with pytest.raises(OptionError, match=message):
        adjust(p, wrong)


def test_the_error_of_a_function_is_the_cause(p):
    with pytest.raises(OptionError) as caught:
        adjust(p, fails)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "wrong", [lambda p: p[1:], lambda p: p.sum(), lambda p: p > 0.5, lambda p: [str(x) for x in p]]
)
def test_a_function_must_return_numbers(p, wrong):
    with pytest.raises(OptionError, match="'<lambda>' must return a number for each of the 257"):
        adjust(p, wrong)


def test_unknown_methods_are_refused_with_suggestions(p):
    with pytest.raises(OptionError, match="Did you mean 'BH'"):
        check_adjustment("bh")
    with pytest.raises(OptionError, match="Did you mean 'fdr_tsbh'"):
        adjust(p, "fdr_tsbhh")
    with pytest.raises(OptionError, match="not known"):
        check_adjustment(["BH"])


def test_names_of_functions():
    assert adjustment_name("BY") == "BY"
    assert adjustment_name(q_values) == "q_values"
    assert adjustment_name(functools.partial(q_values, method="bootstrap")) == "q_values"
