"""Mixed models of counts against glmmTMB and lme4, and at their limits."""

import numpy as np
import pytest
from mixed_count_cases import SEPARATED, cells, classic, epil, families, random_intercepts, table, without_separated

from cases import each
from countnest.errors import DesignError, OptionError
from countnest.stats.glm.fit import fit_nb_glm
from countnest.stats.glm.inputs import NBInputs
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.newton import maximize
from countnest.stats.mixed.count_ends import packed
from countnest.stats.mixed.count_records import ShrunkenDispersion
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.parts import square
from countnest.stats.mixed.records import MixedModel, Outcome, RandomEffects

MODELS = {"nb2_ML": (8, False, None), "nb2_REML": (8, True, None), "nb2_ML_reduced": (5, False, None)}
MODELS["poisson_ML"] = (8, False, 0.0)


def standard_errors(triangles):
    return np.sqrt(np.diagonal(square(triangles), axis1=1, axis2=2))


def coefficients_of(fit):
    return np.array(classic()["fits"][fit]["fixef"])


@each("name", MODELS)
def test_fits_are_those_of_glmmtmb(name):
    n_columns, reml, dispersion = MODELS[name]
    reference = without_separated("glmmTMB_fit").query("model == @name")
    example = families(tuple(reference["gene"]), n_columns)
    fits = fit_counts(example.counts, example.offset, example.model, reml=reml, dispersion=dispersion)
    gain = fits.loglik - reference["logLik"].to_numpy()
    assert gain.min() > -1e-7
    usable = (reference["boundary"].to_numpy() == 0) & (reference["max_gradient"].to_numpy() < 1e-5)
    assert usable.sum() >= 4
    assert gain[usable].max() < 1e-7
    rows = without_separated("glmmTMB_coef").query("model == @name")
    estimate, se = (rows[column].to_numpy().reshape(len(reference), -1)[usable] for column in ("estimate", "se"))
    np.testing.assert_allclose(fits.coefficients[usable], estimate, atol=1e-8)
    np.testing.assert_allclose(standard_errors(fits.full_covariance)[usable], se, rtol=2e-4)
    np.testing.assert_allclose(fits.theta[usable, 0], reference["sd_family"].to_numpy()[usable], atol=1e-8)
    if dispersion is None:
        size = reference["size"].to_numpy()[usable]
        np.testing.assert_allclose(fits.dispersion[usable], 1.0 / size, rtol=1e-7)


def test_no_gene_fails():
    example = families(tuple(table("counts")["gene"]))
    fits = fit_counts(example.counts, example.offset, example.model)
    assert set(fits.outcome) <= {Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT, Outcome.SEPARATED}
    separated = table("counts")["gene"] == SEPARATED
    assert (fits.outcome[separated] == Outcome.SEPARATED).all()
    assert np.isfinite(fits.loglik).all()
    assert np.isfinite(fits.full_covariance).all()
    assert (fits.theta[fits.outcome == Outcome.SINGULAR] == 0.0).all()
    assert (fits.outcome == Outcome.SINGULAR).sum() > 2


@each(("fit", "reml", "dispersion"), [("epil_nb2_tmb", False, None), ("epil_nb2_tmb_reml", True, None),
                                ("epil_poisson_tmb", False, 0.0), ("epil_poisson_tmb_reml", True, 0.0)])  # fmt: skip
def test_seizures_are_those_of_glmmtmb(fit, reml, dispersion):
    example, reference = epil(), classic()["fits"][fit]
    fits = fit_counts(example.counts, example.offset, example.model, reml=reml, dispersion=dispersion)
    assert -1e-8 < fits.loglik[0] - reference["logLik"] < 1e-6
    np.testing.assert_allclose(fits.coefficients[0], reference["fixef"], atol=5e-5)
    np.testing.assert_allclose(standard_errors(fits.full_covariance)[0], reference["se"], rtol=2e-4)
    np.testing.assert_allclose(fits.theta[0, 0], reference["sd"], atol=5e-5)
    np.testing.assert_allclose(fits.effects[0], reference["ranef"], atol=5e-5)


def test_cells_are_those_of_glmmtmb():
    example = cells()
    for fit, reml in (("cells_nb2_tmb", False), ("cells_nb2_tmb_reml", True)):
        reference = classic()["fits"][fit]
        fits = fit_counts(example.counts, example.offset, example.model, reml=reml)
        assert -1e-9 < fits.loglik[0] - reference["logLik"] < 1e-5
        np.testing.assert_allclose(fits.coefficients[0], reference["fixef"], atol=5e-5)
        np.testing.assert_allclose(1.0 / fits.dispersion[0], reference["size"], rtol=2e-3)


def test_quadrature_is_that_of_lme4():
    example = epil()
    logliks = {}
    for nodes in (5, 11, 25):
        fits = fit_counts(
            example.counts, example.offset, example.model, reml=False, method="agq", nodes=nodes, dispersion=0.0
        )
        reference = classic()["fits"][f"epil_poisson_glmer_agq{nodes}"]
        np.testing.assert_allclose(fits.coefficients[0], reference["fixef"], atol=1e-5)
        np.testing.assert_allclose(fits.theta[0, 0], reference["sd"], atol=1e-6)
        logliks[nodes] = fits.loglik[0] - reference["logLik"]
    np.testing.assert_allclose(logliks[5], logliks[25], atol=1e-7)
    np.testing.assert_allclose(logliks[11], logliks[25], atol=1e-7)


def test_quadrature_of_pairs_is_that_of_lme4():
    every = without_separated("glmer_poisson")
    genes = tuple(every["gene"].drop_duplicates())
    example = families(genes)
    for nodes in (9, 25):
        rows = every.query("nAGQ == @nodes")
        fits = fit_counts(
            example.counts, example.offset, example.model, reml=False, method="agq", nodes=nodes, dispersion=0.0
        )
        estimate = rows["estimate"].to_numpy().reshape(len(genes), -1)
        np.testing.assert_allclose(fits.coefficients, estimate, atol=2e-5)
        np.testing.assert_allclose(fits.theta[:, 0], rows["sd_family"].to_numpy()[::8], atol=2e-5)


def test_next_order_is_near_quadrature():
    example = epil()
    found = {
        method: fit_counts(example.counts, example.offset, example.model, reml=False, method=method, nodes=25)
        for method in ("laplace", "laplace4", "agq")
    }
    logliks = {method: fits.loglik[0] for method, fits in found.items()}
    np.testing.assert_allclose(logliks["laplace"], classic()["fits"]["epil_nb2_tmb"]["logLik"], atol=1e-6)
    assert abs(logliks["laplace4"] - logliks["agq"]) < 1e-3 < logliks["agq"] - logliks["laplace"]


def test_one_node_is_laplace():
    example = families(tuple(table("counts")["gene"][3:6]))
    one, other = (
        fit_counts(example.counts, example.offset, example.model, reml=False, method=method, nodes=1)
        for method in ("laplace", "agq")
    )
    np.testing.assert_array_equal(one.coefficients, other.coefficients)
    np.testing.assert_array_equal(one.loglik, other.loglik)


def test_singular_fits_are_those_without_random_effects():
    example = families(tuple(table("counts")["gene"]))
    fits = fit_counts(example.counts, example.offset, example.model, reml=False)
    rows = np.flatnonzero((fits.outcome == Outcome.SINGULAR) & (fits.dispersion > 0.0))
    assert len(rows) > 2
    layout = Layout.of(example.model.matrix)
    inputs = NBInputs(np.exp(example.offset), fits.dispersion[rows], min_mu=0.0)
    glm = fit_nb_glm(example.counts[rows], inputs, layout)
    beta, _ = maximize(glm.beta, example.counts[rows], inputs, layout, np.full(8, 1e-15))
    np.testing.assert_allclose(fits.coefficients[rows], beta, atol=1e-8)
    np.testing.assert_allclose(fits.loglik[rows], glm.loglik, atol=1e-7)


def test_small_dispersions_lead_to_the_poisson_distribution():
    example = epil()
    for reml in (True, False):
        poisson, *others = (
            fit_counts(example.counts, example.offset, example.model, reml=reml, dispersion=alpha)
            for alpha in (0.0, 1e-14, 1e-9)
        )
        for fits in others:
            np.testing.assert_allclose(fits.loglik, poisson.loglik, atol=1e-5)
            np.testing.assert_allclose(fits.coefficients, poisson.coefficients, atol=1e-6)


def test_a_strong_prior_gives_the_dispersion():
    example = families(tuple(table("counts")["gene"][4:8]))
    trend = np.log(np.array([0.05, 0.2, 0.4, 0.1]))
    strong = fit_counts(example.counts, example.offset, example.model, dispersion=ShrunkenDispersion(trend, 1e-4))
    given = fit_counts(example.counts, example.offset, example.model, dispersion=np.exp(trend))
    free = fit_counts(example.counts, example.offset, example.model)
    weak = fit_counts(example.counts, example.offset, example.model, dispersion=ShrunkenDispersion(trend, 1e4))
    between = fit_counts(example.counts, example.offset, example.model, dispersion=ShrunkenDispersion(trend, 0.5))
    np.testing.assert_allclose(strong.dispersion, np.exp(trend), rtol=1e-5)
    np.testing.assert_allclose(strong.coefficients, given.coefficients, atol=1e-5)
    np.testing.assert_allclose(weak.dispersion, free.dispersion, rtol=1e-5)
    assert ((between.dispersion - free.dispersion) * (between.dispersion - np.exp(trend)) < 0.0).all()


def test_order_of_samples_and_groups_does_not_matter():
    example = families(tuple(table("counts")["gene"][2:6]))
    order = np.random.default_rng(4).permutation(48)
    term = example.model.terms[0]
    shuffled = RandomEffects((23 - term.codes)[order], term.columns[order])
    for reml in (True, False):
        one = fit_counts(example.counts, example.offset, example.model, reml=reml)
        model = MixedModel(example.model.matrix[order], (shuffled,))
        other = fit_counts(example.counts[:, order], example.offset[:, order], model, reml=reml)
        np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-8)
        np.testing.assert_allclose(one.effects, other.effects[:, ::-1], atol=1e-8)
        np.testing.assert_allclose(one.loglik, other.loglik, atol=1e-9)


def test_coding_of_the_columns_does_not_matter():
    example = families(tuple(table("counts")["gene"][2:6]))
    turn = np.random.default_rng(5).normal(size=(8, 8))
    model = MixedModel(example.model.matrix @ turn, example.model.terms)
    one, other = (fit_counts(example.counts, example.offset, each) for each in (example.model, model))
    np.testing.assert_allclose(one.coefficients, other.coefficients @ turn.T, atol=1e-7)
    turned = turn @ square(other.covariance) @ turn.T
    np.testing.assert_allclose(one.covariance, packed(turned), rtol=1e-6, atol=1e-9)
    shift = np.linalg.slogdet(turn)[1]
    np.testing.assert_allclose(one.loglik, other.loglik + shift, atol=1e-7)


def test_offsets_by_gene_and_depth():
    example = families(tuple(table("counts")["gene"][2:6]))
    by_gene = np.repeat(example.offset, 4, axis=0)
    one, other, deeper = (
        fit_counts(example.counts, offset, example.model) for offset in (example.offset, by_gene, example.offset + 1.0)
    )
    np.testing.assert_array_equal(one.coefficients, other.coefficients)
    np.testing.assert_allclose(one.coefficients[:, 0] - 1.0, deeper.coefficients[:, 0], atol=1e-7)
    np.testing.assert_allclose(one.coefficients[:, 1:], deeper.coefficients[:, 1:], atol=1e-7)


def test_genes_do_not_depend_on_each_other():
    example = families(tuple(table("counts")["gene"][:12]))
    for reml in (True, False):
        every = fit_counts(example.counts, example.offset, example.model, reml=reml)
        for gene in (0, 7, 11):
            alone = fit_counts(example.counts[[gene]], example.offset, example.model, reml=reml)
            np.testing.assert_array_equal(every.coefficients[gene], alone.coefficients[0])
            np.testing.assert_array_equal(every.full_covariance[gene], alone.full_covariance[0])


def hard_genes():
    """Return counts (G, 12) that are hard to fit, a model with six groups of two, and names."""
    rng = np.random.default_rng(8)
    treated = np.arange(12) % 2
    model = random_intercepts(np.column_stack([np.ones(12), treated]), np.repeat(np.arange(6), 2))
    one = np.zeros(12)
    one[5] = 1.0
    huge_family = rng.poisson(10.0, 12).astype(float)
    huge_family[4:6] = [2e5, 3e5]
    genes = {
        "no counts": np.zeros(12),
        "one count": one,
        "one large count": 1e5 * one,
        "a cell without counts": rng.poisson(20.0, 12) * (1.0 - treated),
        "constant": np.full(12, 7.0),
        "a huge family": huge_family,
        "huge counts": np.round(1e7 * np.exp(0.2 * rng.normal(size=12))),
        "huge counts, no noise": np.full(12, 1e7),
        "zeros and ones": (rng.random(12) < 0.5).astype(float),
        "missing": np.where(treated, np.nan, 3.0),
        "negative": np.where(treated, -1.0, 3.0),
    }
    return np.array(list(genes.values())), model, list(genes)


@each("reml", [True, False])
def test_hard_genes_have_an_outcome(reml):
    counts, model, names = hard_genes()
    fits = fit_counts(counts, np.zeros((1, 12)), model, reml=reml)
    outcome = dict(zip(names, fits.outcome, strict=True))
    assert outcome["no counts"] == Outcome.CONSTANT
    assert outcome["missing"] == outcome["negative"] == Outcome.NOT_FINITE
    for name in ("one count", "one large count", "a cell without counts"):
        assert outcome[name] == Outcome.SEPARATED
    for name in ("constant", "a huge family", "huge counts", "huge counts, no noise", "zeros and ones"):
        assert outcome[name] in {Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT}, name
    fitted = ~np.isin(fits.outcome, [Outcome.CONSTANT, Outcome.NOT_FINITE])
    for values in (fits.coefficients, fits.theta, fits.dispersion, fits.loglik, fits.covariance, fits.full_covariance):
        assert np.isfinite(values[fitted]).all()
        assert np.isnan(values[~fitted]).all()


def test_groups_of_one_and_many():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(7), [1, 1, 2, 3, 5, 8, 1])
    n = len(groups)
    slope = RandomEffects(groups, rng.normal(size=(n, 1)), "0 + x | group")
    for term in (RandomEffects(groups, np.ones((n, 1))), slope):
        model = MixedModel(np.column_stack([np.ones(n), rng.normal(size=n)]), (term,))
        mean = np.exp(3.0 + 0.4 * term.columns[:, 0] * rng.normal(size=7)[groups])
        counts = rng.negative_binomial(5.0, 5.0 / (5.0 + mean), (20, n)).astype(float)
        for reml in (True, False):
            fits = fit_counts(counts, np.zeros((1, n)), model, reml=reml)
            assert set(fits.outcome) <= {Outcome.CONVERGED, Outcome.SINGULAR, Outcome.POISSON_LIMIT}


def test_what_cannot_be_fitted_is_refused():
    example = epil()
    arguments = (example.counts, example.offset, example.model)
    with pytest.raises(OptionError, match="'laplace', 'laplace4', 'agq'"):
        fit_counts(*arguments, method="exact")
    with pytest.raises(OptionError, match="no restricted likelihood"):
        fit_counts(*arguments, method="agq")
    with pytest.raises(OptionError, match="nodes=0"):
        fit_counts(*arguments, reml=False, method="agq", nodes=0)
    term = example.model.terms[0]
    with pytest.raises(DesignError, match=r"one random term with one column.*\(1 \| group\), \(1 \| group\)"):
        fit_counts(
            example.counts, example.offset, MixedModel(example.model.matrix, (term, term)), reml=False, method="agq"
        )
