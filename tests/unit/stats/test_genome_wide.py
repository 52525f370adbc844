"""One mixed model of all genes: its likelihood from an n x n matrix, and the effects that it predicts."""

import numpy as np
import pytest

from countnest.errors import OptionError
from countnest.stats.mixed.genome_wide import genome_wide
from countnest.stats.mixed.records import MixedModel, RandomEffects

CODES = np.repeat(np.arange(8), 2)
BETWEEN, WITHIN = (CODES % 2).astype(float), np.tile([0.0, 1.0], 8)
X = np.column_stack([np.ones(16), BETWEEN, WITHIN, BETWEEN * WITHIN])
FAMILY = RandomEffects(CODES, np.ones((16, 1)), "1 | family")
MODEL = MixedModel(X, (FAMILY,))
INTERACTION = np.array([0, 0, 0, 1.0])
MAIN = np.array([0, 1, 0, 0.5])


def values(genes=60, effect=1.0, seed=3):
    rng = np.random.default_rng(seed)
    y = 7 + rng.normal(size=(genes, 16)) + 0.7 * rng.normal(size=(genes, 8))[:, CODES]
    return y + effect * rng.normal(size=(genes, 1)) * X[:, 3]


def deviance(y, variances, contrast, model=MODEL):
    """Return minus twice the restricted log-likelihood of all genes in one, by gene, and the projection of a gene."""
    _, _, directions = np.linalg.svd(contrast[None])
    fixed = model.matrix @ directions[1:].T
    column = model.matrix @ contrast / (contrast @ contrast)
    kernels = [np.outer(column, column), *(term.matrix @ term.matrix.T for term in model.terms), np.eye(len(column))]
    whole = sum(v * kernel for v, kernel in zip(variances, kernels, strict=True))
    inverse = np.linalg.inv(whole)
    inner = fixed.T @ inverse @ fixed
    projection = inverse - inverse @ fixed @ np.linalg.solve(inner, fixed.T @ inverse)
    centred = y - y.mean(axis=0)
    logs = sum(np.linalg.slogdet(each)[1] for each in (whole, inner)) - np.linalg.slogdet(fixed.T @ fixed)[1]
    squares = sum(gene @ projection @ gene for gene in centred)
    return logs + squares / len(y), variances[0] * centred @ projection @ column


def test_the_shortcut_is_the_likelihood_of_all_genes_at_its_maximum():
    y = values()
    for contrast in (INTERACTION, MAIN):
        found = genome_wide(y, MODEL, contrast)
        own, effects = deviance(y, found.variances, contrast)
        assert found.criterion == pytest.approx(own, rel=1e-12)
        np.testing.assert_allclose(found.effects, effects, rtol=1e-10, atol=1e-12)
        for k in range(3):
            for factor in (0.98, 1.02):
                moved = found.variances.copy()
                moved[k] *= factor
                assert deviance(y, moved, contrast)[0] > own


def test_variances_are_found():
    found = genome_wide(values(20000), MODEL, INTERACTION)
    np.testing.assert_allclose(found.variances, [1.0, 0.49, 1.0], rtol=0.06)


def test_in_balance_predicted_effects_are_shrunken_estimates():
    y = values()
    centred = y - y.mean(axis=0)
    estimates = np.linalg.lstsq(X, centred.T, rcond=None)[0].T @ INTERACTION
    factor = genome_wide(y, MODEL, INTERACTION).effects / estimates
    assert 0 < factor[0] < 1
    np.testing.assert_allclose(factor, factor[0], rtol=1e-10)


def test_the_coding_and_units_do_not_matter():
    y = values()
    recode = np.array([[1, 0.5, 0, 0], [0, 2, 0, 1], [0, 0, -1, 0], [0.3, 0, 0, 1.0]])
    own = genome_wide(y, MODEL, MAIN)
    other = genome_wide(5 + 10 * y, MixedModel(X @ recode, (FAMILY,)), MAIN @ recode)
    np.testing.assert_allclose(other.effects, 10 * own.effects, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other.variances, 100 * own.variances, rtol=1e-6)


def test_a_variance_of_zero_is_an_estimate():
    rng = np.random.default_rng(5)
    y = rng.normal(size=(3000, 16))
    y[:, 1::2] -= 0.3 * y[:, ::2]  # sibs are less alike than strangers
    found = genome_wide(y, MODEL, INTERACTION)
    assert found.variances[1] == 0.0
    assert found.variances[2] > 0.0


def test_several_terms_and_layouts_without_balance_are_fitted():
    y = values()[:, :-3]
    batch = RandomEffects(np.arange(13) % 3, np.ones((13, 1)), "1 | batch")
    model = MixedModel(X[:-3], (RandomEffects(CODES[:-3], np.ones((13, 1)), "1 | family"), batch))
    found = genome_wide(y, model, INTERACTION)
    own, effects = deviance(y, found.variances, INTERACTION, model)
    assert found.criterion == pytest.approx(own, rel=1e-12)
    np.testing.assert_allclose(found.effects, effects, rtol=1e-9, atol=1e-12)


def test_genes_that_cannot_be_used_are_missing_and_do_not_count():
    y = values()
    more = np.vstack([y, np.ones(16), np.full(16, np.nan)])
    found = genome_wide(more, MODEL, INTERACTION)
    np.testing.assert_array_equal(found.effects[:-2], genome_wide(y, MODEL, INTERACTION).effects)
    assert np.isnan(found.effects[-2:]).all()


def test_what_cannot_be_fitted_is_refused():
    slopes = RandomEffects(CODES, np.column_stack([np.ones(16), WITHIN]), "treat2 | family")
    with pytest.raises(OptionError, match="calibrated"):
        genome_wide(values(), MixedModel(X, (slopes,)), INTERACTION)
    with pytest.raises(OptionError, match="No gene"):
        genome_wide(np.ones((3, 16)), MODEL, INTERACTION)
