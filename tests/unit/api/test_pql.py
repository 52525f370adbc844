"""Penalised quasi-likelihood at the data set: numbers of MASS, dispersions that are known, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from mixed_count_cases import families, without_separated

import countnest as cn
from countnest.errors import OptionError

FORMULA = "~ treat1 * treat2 + (1 | family)"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=60, families=4, rng=4)


def made(study, formula=FORMULA):
    return cn.DESeqDataSet(
        study.counts, study.samples, design=formula, reference={"treat1": "A", "treat2": "None"}, quiet=True
    )


def test_numbers_are_those_of_glmmpql():
    rows = without_separated("glmmPQL")
    genes = list(rows["gene"].drop_duplicates())
    example = families(tuple(genes))
    codes = example.model.terms[0].codes
    samples = pd.DataFrame({"family": [f"F{code}" for code in codes]}, index=[f"s{j}" for j in range(48)])
    matrix = example.model.matrix
    samples["treat1"] = np.array(list("ABCD"))[(matrix[:, 1:4] @ [1, 2, 3]).astype(int)]
    samples["treat2"] = np.where(matrix[:, 4] == 1, "E", "None")
    dds = cn.DESeqDataSet(
        pd.DataFrame(example.counts.astype(int), index=genes, columns=samples.index), samples, design=FORMULA,
        reference={"treat1": "A", "treat2": "None"}, size_factors=np.exp(example.offset[0]), quiet=True,
    )  # fmt: skip
    np.testing.assert_array_equal(dds.design.matrix, matrix)
    alpha = 1.0 / rows["theta_given"].to_numpy()[::8]
    cn.glmm(dds, method="pql", dispersion=alpha, quiet=True)
    for k, name in enumerate(dds.results_names()):
        found, own = dds.contrast(name).test(fit="glmm").table, rows.iloc[k::8]
        np.testing.assert_allclose(found["log2FoldChange"] * np.log(2), own["estimate"], atol=1e-5)
        np.testing.assert_allclose(found["lfcSE"] * np.log(2), own["se"], rtol=1e-4)
        assert set(found["df"]) == {20.0}
    np.testing.assert_allclose(found["dispersion"], alpha)
    np.testing.assert_allclose(found["sdGroups"] * np.log(2), rows["sd_family"].to_numpy()[::8], atol=2e-4)


def test_questions_are_answered_and_saved(study, tmp_path):
    dds = cn.glmm(made(study), method="pql", quiet=True)
    cn.save(dds, tmp_path / "quasi.countnest")
    again, alone = cn.load(tmp_path / "quasi.countnest"), cn.glmm(made(study), method="pql", n_threads=1, quiet=True)
    query = dds.effect("treat1", levels="reference")
    first = query.test(fit="glmm")[0]
    assert (first.info.method, first.info.test) == ("negative binomial mixed model", "containment t")
    assert "penalised quasi-likelihood" in first.info.estimate
    assert first.table["pvalue"].between(0, 1).all()
    assert {"code", "dispersion", "sdGroups", "df"} <= set(first.table)
    joint = query.joint().test(fit="glmm").table
    assert joint["pvalue"].between(0, 1).all()
    beyond = query.test(fit="glmm", lfc_threshold=0.5)[0].table
    assert (beyond["pvalue"] >= first.table["pvalue"] - 1e-12).all()
    for other in (again, alone):
        pd.testing.assert_frame_equal(other.effect("treat1", levels="reference").test(fit="glmm")[0].table, first.table)


def test_dispersions_are_known(study):
    """None is that of the GLM without groups, which holds the differences between them too."""
    dds, query = made(study), "treat1[B - A]"
    tables = {
        name: cn.glmm(dds, method="pql", quiet=True, **options).query(query).test(fit="glmm").table
        for name, options in {
            "none": {}, "shrunken": {"dispersion": "shrunken"}, "given": {"dispersion": 0.2},
            "poisson": {"family": "poisson"},
        }.items()
    }  # fmt: skip
    np.testing.assert_allclose(tables["given"]["dispersion"], 0.2)
    assert (tables["poisson"]["dispersion"] == 0.0).all()
    assert tables["shrunken"]["dispersion"].median() < tables["none"]["dispersion"].median()
    assert (tables["poisson"]["sdGroups"] >= 0).all()


def test_several_random_terms(study):
    samples = study.samples.assign(batch=[f"b{j % 6}" for j in range(32)])
    dds = cn.DESeqDataSet(study.counts, samples, design="~ treat1 + (1 | family) + (1 | batch)", quiet=True)
    cn.glmm(dds, method="pql", quiet=True)
    found = dds.effect("treat1", levels=("B", "A")).test(fit="glmm").table
    assert found["pvalue"].between(0, 1).all()
    assert set(found["df"]) == {12.0}
    assert (found[["sd 1 | family", "sd 1 | batch"]] >= 0).all(axis=None)


def test_what_has_no_answer_is_refused(study):
    dds = made(study)
    with pytest.raises(OptionError, match="no restricted likelihood"):
        cn.glmm(dds, method="pql", reml=True)
    cn.glmm(dds, method="pql", reml=False, quiet=True)
    query = dds.effect("treat1", levels=("B", "A"))
    for ask in (lambda: query.test("lrt", fit="glmm"), lambda: query.joint().test("lrt", fit="glmm")):
        with pytest.raises(OptionError, match=r"has no likelihood to compare.* cn\.glmm\(dds, method='laplace'\)"):
            ask()
    with pytest.raises(OptionError, match="dispersion='trend'"):
        cn.glmm(dds, method="pql", dispersion="trend")
