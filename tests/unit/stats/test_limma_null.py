"""P-values without effects are uniform: as many are small as binomial limits allow, four standard deviations."""

import numpy as np

from countnest.methods.limma.steps import moderated
from countnest.stats.linear.blocks import Blocks
from countnest.stats.linear.contrasts import contrast_fits
from countnest.stats.linear.least_squares import lm_fit
from countnest.stats.moderated.t_and_f import moderated_t
from countnest.stats.voom.voom import voom

LEVELS = np.array([0.01, 0.05, 0.2, 0.5, 0.9])
LIMIT = 4.0
N_GENES = 3000
DESIGN = np.column_stack([np.ones(12), np.tile([0.0, 1.0], 6), np.repeat([0.0, 1.0], 6)])
CONTRAST = np.array([[0.0, -0.5, 1.0]])


def deviations(p_value):
    """Return how far the numbers of small p-values are from those expected, in standard deviations."""
    n = len(p_value)
    small = (p_value[:, np.newaxis] < LEVELS).sum(axis=0)
    return (small - n * LEVELS) / np.sqrt(n * LEVELS * (1.0 - LEVELS))


def p_values(fits, **options):
    moderation = moderated(fits, **{"trend": False, "robust": False, **options})
    found = contrast_fits(fits, CONTRAST)
    return moderated_t(found.estimates[:, 0], found.stdev_unscaled[:, 0], moderation).p_value


def test_of_normal_values():
    rng = np.random.default_rng(1)
    variance = 0.3 * 8.0 / rng.chisquare(8.0, N_GENES)
    weights = np.exp(rng.normal(0.0, 0.5, (N_GENES, 12)))
    values = rng.normal(0.0, np.sqrt(variance[:, np.newaxis] / weights)) + rng.normal(6.0, 2.0, (N_GENES, 1))
    for options in ({}, {"trend": True}, {"robust": True}, {"trend": rng.normal(size=N_GENES)}):
        assert (np.abs(deviations(p_values(lm_fit(values, DESIGN, weights), **options))) < LIMIT).all()
    block = np.tile(np.arange(6), 2)
    shared = rng.normal(0.0, np.sqrt(variance)[:, np.newaxis], (N_GENES, 6))[:, block] / np.sqrt(weights)
    correlated = np.sqrt(0.6) * values + np.sqrt(0.4) * shared
    fits = lm_fit(correlated, DESIGN, weights, Blocks(block, 0.4))
    assert (np.abs(deviations(p_values(fits))) < LIMIT).all()
    assert np.abs(deviations(p_values(lm_fit(correlated, DESIGN, weights)))).max() > LIMIT  # the blocks count


def test_of_counts():
    rng = np.random.default_rng(2)
    depth = np.exp(rng.normal(0.0, 0.3, 12))
    mean = np.exp(rng.normal(5.0, 1.2, (N_GENES, 1))) * depth
    size = 10.0 * rng.chisquare(20.0, (N_GENES, 1)) / 20.0
    counts = rng.negative_binomial(size, size / (size + mean)).astype(float)
    found = voom(counts, DESIGN, counts.sum(axis=0))
    assert (np.abs(deviations(p_values(lm_fit(found.values, DESIGN, found.weights)))) < LIMIT).all()
