"""Stage-wise testing: who passes, and what the confirmed hypotheses cost."""

import numpy as np
import pytest

from countnest.stats.inference.adjust import adjust
from countnest.stats.inference.stagewise import stagewise


def p_values(seed=3, genes=200, k=3, false=30):
    rng = np.random.default_rng(seed)
    confirm = rng.uniform(size=(genes, k))
    confirm[:false, 0] *= 1e-6
    return np.minimum(confirm.min(axis=1) * k, 1.0), confirm


def test_only_genes_that_pass_the_screen_are_confirmed():
    screen, confirm = p_values()
    screen[40] = np.nan
    found = stagewise(adjust(screen), confirm, 0.1)
    passed = adjust(screen) <= 0.1
    assert passed.sum() >= 30
    np.testing.assert_array_equal(np.isnan(found).any(axis=1), ~passed)


def test_values_are_holm_with_one_false_hypothesis_scaled_by_the_share_that_passed():
    screen, confirm = p_values()
    found = stagewise(adjust(screen), confirm, 0.1)
    screened = adjust(screen)
    passed = screened <= 0.1
    scale = len(screen) / passed.sum()
    for g in np.flatnonzero(passed):
        first, second, third = np.argsort(confirm[g])
        running = 2 * confirm[g, first]
        assert found[g, first] == pytest.approx(min(max(running * scale, screened[g]), 1.0))
        running = max(running, 2 * confirm[g, second])
        assert found[g, second] == pytest.approx(min(max(running * scale, screened[g]), 1.0))
        running = max(running, confirm[g, third])
        assert found[g, third] == pytest.approx(min(max(running * scale, screened[g]), 1.0))


def test_nothing_passes_and_missing_hypotheses():
    assert np.isnan(stagewise(np.full(5, 0.9), np.full((5, 2), 0.9), 0.05)).all()
    screen, confirm = p_values()
    confirm[0, 2] = np.nan
    found = stagewise(adjust(screen), confirm, 0.1)
    assert np.isnan(found[0, 2])
    assert not np.isnan(found[0, :2]).any()


def test_one_hypothesis_costs_nothing_more_than_the_screen():
    rng = np.random.default_rng(4)
    p = np.concatenate([rng.uniform(size=50), np.full(10, 1e-8)])
    found = stagewise(adjust(p), p[:, np.newaxis], 0.1)
    screened = adjust(p)
    kept = screened <= 0.1
    assert (found[kept, 0] <= 0.1).all()
