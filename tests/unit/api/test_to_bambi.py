"""Genes as models of bambi: with a stand-in for it, and sampled where it is installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import countnest as cn
from countnest.errors import DesignError, OptionError

FORMULA = "~ treat1 * treat2 + (1 | family)"
GENE = "g00005"


class Prior(SimpleNamespace):
    def __init__(self, name, **arguments):
        super().__init__(name=name, **arguments)


class Model(SimpleNamespace):
    def __init__(self, formula, data, family, priors):
        super().__init__(formula=formula, data=data, family=family, priors=priors)
        if "refuse" in formula:
            raise ValueError("cannot parse")


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "bambi", SimpleNamespace(Prior=Prior, Model=Model))


def made(design=FORMULA, **columns):
    study = cn.simulate.nested(genes=60, families=6, rng=4)
    reference = {"treat1": "A", "treat2": "None"} if design == FORMULA else None
    sheet = study.samples.assign(**columns)
    return cn.DESeqDataSet(study.counts, sheet, design=design, reference=reference, quiet=True)


@pytest.fixture(scope="module")
def fitted():
    return cn.glmm(made(), method="posterior", quiet=True)


@pytest.mark.usefixtures("stand_in")
def test_the_model_has_the_counts_the_formula_and_the_size_factors():
    dds = made()
    model = cn.to_bambi(dds, GENE)
    assert model.formula == "counts ~ treat1 * treat2 + offset(log_size_factor) + (1 | family)"
    assert model.family == "negativebinomial"
    np.testing.assert_array_equal(model.data["counts"], dds.counts().loc[GENE])
    np.testing.assert_allclose(model.data["log_size_factor"], np.log(dds.size_factors))
    assert model.data["treat2"].cat.categories[0] == "None"
    assert model.data["treat2"].cat.ordered  # bambi sorts the levels of other factors
    mean = (dds.counts().loc[GENE] / dds.size_factors).mean()
    assert model.priors["Intercept"].mu == pytest.approx(np.log(mean))
    assert model.priors["group_specific"].sigma.name == "HalfNormal"


@pytest.mark.usefixtures("stand_in")
def test_priors_are_those_of_the_fit_unless_they_are_given(fitted):
    stored = fitted._fits["glmm"]
    model = cn.to_bambi(fitted, GENE, fit="glmm")
    place = list(fitted.gene_names).index(GENE)
    assert model.priors["group_specific"].sigma.sigma == stored.scale
    assert model.priors["alpha"].mu == -stored.modes.log_trend[place]
    assert model.priors["alpha"].sigma == stored.modes.prior_sd
    own = cn.to_bambi(fitted, GENE, fit="glmm", priors={"alpha": 3.0})
    assert own.priors["alpha"] == 3.0
    assert own.priors["common"].sigma == model.priors["common"].sigma


@pytest.mark.usefixtures("stand_in")
def test_known_dispersions_and_poisson_counts():
    known = cn.glmm(made(), method="posterior", dispersion=0.2, quiet=True)
    assert cn.to_bambi(known, GENE, fit="glmm").priors["alpha"] == pytest.approx(5.0)
    poisson = cn.glmm(made(), method="posterior", family="poisson", quiet=True)
    for model in (cn.to_bambi(poisson, GENE, fit="glmm"), cn.to_bambi(made(), GENE, family="poisson")):
        assert model.family == "poisson"
        assert "alpha" not in model.priors


@pytest.mark.usefixtures("stand_in")
def test_names_of_the_sample_sheet_are_left_alone():
    dds = made("~ counts + (1 | family)", counts=np.tile(["x", "y"], 24)[: len(made().samples)])
    model = cn.to_bambi(dds, GENE)
    assert model.formula == "counts_ ~ counts + offset(log_size_factor) + (1 | family)"


@pytest.mark.usefixtures("stand_in")
def test_what_cannot_be_made_is_refused():
    dds = made()
    with pytest.raises(OptionError, match="not in the data set"):
        cn.to_bambi(dds, "g0000")
    lmm = cn.lmm(dds, quiet=True)
    with pytest.raises(OptionError, match="method='posterior'"):
        cn.to_bambi(lmm, GENE, fit="lmm")
    matrix = cn.DESeqDataSet(dds.counts(), dds.samples, design=np.ones((dds.shape[1], 1)), quiet=True)
    with pytest.raises(DesignError, match="given as a matrix"):
        cn.to_bambi(matrix, GENE)
    refused = made("~ refuse + (1 | family)", refuse=np.linspace(0.0, 1.0, dds.shape[1]))
    with pytest.raises(DesignError, match="cannot parse"):
        cn.to_bambi(refused, GENE)


def test_without_bambi_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bambi", None)
    with pytest.raises(OptionError, match=r"pip install 'countnest\[bayes\]'"):
        cn.to_bambi(made(), GENE)


def installed():
    """Return whether bambi can be imported."""
    try:
        import bambi  # noqa: F401
    except Exception:  # of libraries that do not fit together as well
        return False
    return True


@pytest.mark.skipif(not installed(), reason="bambi is not installed")
@pytest.mark.filterwarnings("default")
def test_draws_agree_with_the_lattice(fitted):
    draws = cn.to_bambi(fitted, GENE, fit="glmm").fit(draws=1000, tune=1000, chains=2, cores=1, random_seed=1)
    slopes = draws.posterior["treat2"].to_numpy().reshape(2000, -1)[:, 0]
    query = fitted.contrast(fitted.results_names()[[*fitted.design.terms].index(("treat2",))])
    found = query.test(fit="glmm").table.loc[GENE]
    mean, sd = found["log2FoldChange"] * np.log(2.0), found["lfcSE"] * np.log(2.0)
    assert abs(slopes.mean() - mean) < 0.15 * sd  # some 400 effective draws: 3 standard errors
    assert abs(slopes.std() / sd - 1.0) < 0.15
