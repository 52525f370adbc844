"""camera, camera_pr and fry of data sets and tables: R's numbers, their tables, and what is said of unknown genes."""

import warnings

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.errors import ContrastError, CountnestWarning, DesignError, OptionError, StratumError
from countnest.methods.edger.fit import StoredEdgeR
from countnest.methods.edger.model import EdgeRInput
from countnest.methods.edger.steps import QuasiOptions, adjusted_quasi, fit_model
from countnest.parallel.run import Engine
from countnest.progress import Mute
from countnest.stats.edger.columns import Columns
from countnest.stats.gene_sets.effects import gene_effects
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg
from unit.methods.ols import fit_ols
from unit.stats.edger_cases import NAMES
from unit.stats.gene_set_cases import counts_of, numbers_of, sets_of

R_TOLERANCE = 1e-10
ENGINE = Engine(n_threads=1, progress=Mute())


def edger_data_set(name, compat="bioc3.20", *, quasi=False):
    """Return a study with its fit by edgeR's method, at R's dispersions."""
    study = counts_of(name)
    n_genes, n = study.counts.shape
    samples = [f"s{j}" for j in range(n)]
    design = pd.DataFrame(study.design, samples, [f"x{k}" for k in range(study.design.shape[1])])
    counts = pd.DataFrame(study.counts, [f"g{i}" for i in range(n_genes)], samples)
    sheet = pd.DataFrame({"id": samples}, index=samples)
    dds = cn.DESeqDataSet(counts, sheet, design=design, quiet=True, cells_ok=True)
    genes, columns = study.table("genes")[0], Columns.of(study.design)
    abundance = genes["ave_log_cpm"].to_numpy()
    given = EdgeRInput(study.factors, study.weights, counts.sum(axis=1).to_numpy() > 0, abundance, 0.125, compat)
    matrix, ratio, found = dds._data.matrix, None, None
    if quasi:
        options = QuasiOptions(robust=False, covariate=abundance)
        found = adjusted_quasi(matrix, given, columns, np.full(n_genes, 0.1), options, ENGINE)
    else:
        ratio = fit_model(matrix, given, columns, genes["tagwise"].to_numpy(), ENGINE)
    return dds.add_fit("edger", StoredEdgeR(given, counts.mean(axis=1).to_numpy(), found, ratio))


def last(dds):
    return dds.contrast(dds.results_names()[-1])


def labelled(name):
    names = numbers_of(name)["set"]
    return {label: [f"g{i}" for i in places] for label, places in zip(names, sets_of(name), strict=True)}


@each("name", NAMES)
def test_sets_of_edger_fits_have_the_numbers_of_r(name):
    dds, r = edger_data_set(name), numbers_of(name).set_index("set")
    found = cn.camera(last(dds), labelled(name), fit="edger", sort=False)
    np.testing.assert_allclose(found["pvalue"], r["counts_camera"], rtol=R_TOLERANCE, atol=1e-14)
    assert found.index.tolist() == r.index.tolist()
    assert found["n_genes"].tolist() == r["n"].tolist()
    rotated = cn.fry(last(dds), labelled(name), fit="edger", sort="none")
    np.testing.assert_allclose(rotated["pvalue"], r["counts_fry"], rtol=R_TOLERANCE, atol=1e-14)
    np.testing.assert_allclose(rotated["pvalue_mixed"], r["counts_fry_mixed"], rtol=R_TOLERANCE, atol=1e-14)


def test_quasi_likelihood_alone_finds_the_same_sets():
    dds = edger_data_set("oneway", quasi=True)
    expected = numbers_of("oneway").set_index("set")
    found = cn.camera(last(dds), labelled("oneway"), fit="edger", sort=False)
    clear = expected["counts_camera"] < 1e-3
    assert clear.any()
    assert (found["pvalue"][clear] < 0.01).all()
    assert (found["direction"] == expected["direction"])[clear].all()
    exact = edger_data_set("oneway", compat=None)
    np.testing.assert_allclose(
        cn.camera(last(exact), labelled("oneway"), fit="edger", sort=False)["pvalue"],
        expected["counts_camera"],
        rtol=1e-3,
    )


def airway(design="~ cell + dex", **options):
    study = cn.datasets.load("airway")
    dds = cn.DESeqDataSet(study.counts, study.samples, design=design, reference={"dex": "untrt"}, quiet=True)
    return cn.limma(dds, quiet=True, **options)


def airway_sets(dds):
    genes = dds.gene_names[dds._fit("limma").stored.kept]
    names = numbers_of("airway")["set"]
    return {label: genes[places] for label, places in zip(names, sets_of("airway"), strict=True)}


def test_sets_of_limma_fits_have_the_numbers_of_r():
    dds, r = airway(compat="bioc3.20"), numbers_of("airway").set_index("set")
    sets, query = airway_sets(dds), last(dds)
    for options, column in (
        ({}, "camera"),
        ({"inter_gene_cor": None}, "camera_est"),
        ({"use_ranks": True}, "camera_ranks"),
    ):
        found = cn.camera(query, sets, fit="limma", sort=False, **options)
        np.testing.assert_allclose(found["pvalue"], r[column], rtol=R_TOLERANCE, atol=1e-14)
    rotated = cn.fry(query, sets, fit="limma", sort="none")
    np.testing.assert_allclose(rotated["pvalue"], r["fry"], rtol=R_TOLERANCE)
    np.testing.assert_allclose(rotated["pvalue_mixed"], r["fry_mixed"], rtol=R_TOLERANCE)
    found = cn.camera_pr(query.test(fit="limma"), sets, sort=False)
    np.testing.assert_allclose(found["pvalue"], r["cameraPR"], rtol=R_TOLERANCE, atol=1e-14)
    kept = dds[dds._fit("limma").stored.kept]
    log_counts = cn.voom(kept, compat="bioc3.20")
    name = dds.results_names()[-1]
    for contrast in (None, name, {name: 2.0}):
        found = cn.fry(log_counts, sets, contrast=contrast, compat="bioc3.20", sort="none")
        np.testing.assert_allclose(found["pvalue"], rotated["pvalue"], rtol=R_TOLERANCE)
    aligned = cn.camera(log_counts, sets, inter_gene_cor=None, sort=False)
    newest = cn.camera(query, sets, fit="limma", inter_gene_cor=None, compat=None, sort=False)
    assert list(aligned.columns) == ["n_genes", "correlation", "direction", "pvalue", "padj"]
    assert (aligned["correlation"] - newest["correlation"]).abs().max() > 1e-4


def test_blocks_of_a_fit_count_in_tests_of_sets(tmp_path):
    dds = airway("~ dex", block="cell")
    fit, query = dds._fit("limma"), dds.effect("dex")
    data = fit.gene_set_data(query.matrix[0]).data
    effects = gene_effects(data, query.matrix[0])
    np.testing.assert_allclose(effects.variance, fit.stored.fits.sigma**2, rtol=1e-8)
    sets = {"first": dds.gene_names[:900], "others": dds.gene_names[900:2000:3]}
    expected = cn.fry(query, sets, fit="limma")
    cn.save(dds, tmp_path / "airway.countnest")
    again = cn.load(tmp_path / "airway.countnest")
    found = cn.fry(again.effect("dex"), sets, fit="limma")
    pd.testing.assert_frame_equal(found, expected)


@pytest.fixture(scope="module")
def dds():
    study = cn.make_example_dataset(n=400, m=8, beta_sd=1.0, seed=3)
    return cn.DESeq(study, quiet=True)


@pytest.fixture(scope="module")
def res(dds):
    return dds.results()


def sets_by(values):
    order = values.sort_values().index
    return {"low": order[:20], "high": order[-25:], "any": order[::10]}


def test_tables_have_sets_in_the_order_of_their_p_values(res):
    found = cn.camera_pr(res, sets_by(res.table["stat"].dropna()))
    assert list(found.columns) == ["n_genes", "direction", "pvalue", "padj"]
    assert found.index.name == "set"
    assert found["pvalue"].is_monotonic_increasing
    np.testing.assert_array_equal(found["padj"], benjamini_hochberg(found["pvalue"].to_numpy()))
    assert found.loc[["low", "high"], "direction"].tolist() == ["Down", "Up"]
    assert found.loc["high", "n_genes"] == 25
    same = cn.camera_pr(res.table["stat"], sets_by(res.table["stat"].dropna()), sort=False)
    assert same.index.tolist() == ["low", "high", "any"]
    pd.testing.assert_frame_equal(same.sort_values("pvalue"), found)


def test_statistics_without_a_sign_get_that_of_the_fold_change(dds):
    query = last(dds)
    lrt = query.test("lrt")
    table = lrt.table
    expected = np.sign(table["log2FoldChange"]) * np.sqrt(table["stat"])
    sets = sets_by(expected.dropna())
    pd.testing.assert_frame_equal(cn.camera_pr(lrt, sets), cn.camera_pr(expected, sets))
    for kind in ("wald", "lrt"):
        with pytest.raises(OptionError, match="has no direction"):
            cn.camera_pr(dds.contrast(np.eye(2)).test(kind), sets)


def test_genes_without_a_statistic_take_no_part():
    stat = pd.Series([1.0, 2.0, 3.0, np.nan, -1.0, -2.0], index=list("abcdef"))
    found = cn.camera_pr(stat, {"x": ["a", "b", "d"], "y": ["e", "f"]}, sort=False)
    assert found["n_genes"].tolist() == [2, 2]
    pd.testing.assert_frame_equal(found, cn.camera_pr(stat.dropna(), {"x": ["a", "b"], "y": ["e", "f"]}, sort=False))


def test_files_and_columns_of_identifiers(res, tmp_path):
    symbols = pd.Series([f"S{i // 2}" for i in range(len(res.table))], index=res.table.index)
    table = res.table.assign(symbol=symbols.where(symbols != "S3"))
    path = tmp_path / "sets.gmt"
    path.write_text("one\t\tS1\tS2\tS3\ntwo\tx\tS7\tnothing\n", encoding="utf-8")
    found = cn.camera_pr(table, path, ids="symbol", sort=False)
    assert found["n_genes"].tolist() == [4, 2]
    by_label = {"one": table.index[2:6], "two": table.index[14:16]}
    pd.testing.assert_frame_equal(found, cn.camera_pr(table, by_label, sort=False))


def test_sets_without_members_are_named_and_have_no_p_value(res):
    genes = res.table.index
    with pytest.warns(CountnestWarning, match=r"1 set without genes that were tested: 'none'\. 5 of 7 labels"):
        found = cn.camera_pr(res, {"some": genes[:5], "none": ["x", "y"]})
    assert found.loc["none", "n_genes"] == 0
    assert found.loc["none", ["pvalue", "padj"]].isna().all()
    assert found.loc["none", "direction"] == ""
    assert found.loc["some", "padj"] == found.loc["some", "pvalue"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = cn.camera_pr(res.table["stat"].dropna(), {"all": res.table["stat"].dropna().index})
    assert np.isnan(whole.loc["all", "pvalue"])


def test_identifiers_of_another_kind_are_recognised():
    genes = [f"ENSG{i:011d}" for i in range(30)]
    table = pd.DataFrame({"stat": np.linspace(-2, 2, 30), "name": [f"GENE{i}" for i in range(30)]}, index=genes)
    for labels, message in (
        (["TP53", "MYC"], "look like symbols .*'TP53'.* those of the genes like Ensembl identifiers"),
        (["7157", "4609"], "look like numbers of Entrez"),
        (["GENE1", "GENE2"], "column 'name' of gene_info has 2 of them: give ids='name'"),
        (["ENSG00000000001.4", "ENSG00000000002.7"], "the same without the versions"),
        (["ensg00000000001", "ensg00000000002"], "the same but for capital letters"),
        (["ENSG99999999999"], "0 of 1 label in the sets are genes"),
    ):
        with pytest.raises(OptionError, match=message):
            cn.camera_pr(table, {"x": labels})
    many = {"x": [*genes[:2], *(f"GENE{i}" for i in range(2, 60))]}
    with pytest.warns(CountnestWarning, match="only 2 of 60 labels in the sets are genes.*ids='name'"):
        cn.camera_pr(table, many)
    unknown = table.assign(stat=table["stat"].where(np.arange(30) > 2))
    with pytest.raises(OptionError, match="none of these was tested"):
        cn.camera_pr(unknown, {"x": genes[:2]})
    with pytest.warns(CountnestWarning, match="Those of 'x' were left out of the fit"):
        cn.camera_pr(unknown, {"x": genes[:2], "y": genes[5:8]})


@each(
    ("sets", "message"),
    [
        ({}, "sets= is empty"),
        ([["g1"]], "sets= is a list"),
        ({"x": "g1"}, "the set 'x' is a str"),
        ({"x": 3}, "the set 'x' is an int"),
        ({1: ["g1"], "1": ["g2"]}, "the same as text"),
    ],
)
def test_other_forms_of_sets_are_refused(res, sets, message):
    with pytest.raises(OptionError, match=message):
        cn.camera_pr(res, sets)


def with_ols(dds):
    """Return a copy of a data set with a fit that has nothing for gene sets."""
    return dds.copy().add_fit("ols", fit_ols(dds._data.counts, dds._design))


def test_arguments_that_cannot_be_used_are_named(dds, res):
    sets = {"x": res.table.index[:9]}
    query = last(dds)
    for call, message in (
        (lambda: cn.camera_pr(res, sets, inter_gene_cor=1.0), "from 0 to below 1"),
        (lambda: cn.camera_pr(res, sets, inter_gene_cor=None), "is for camera"),
        (lambda: cn.camera_pr(res, sets, stat="t"), "stat='t' is not known"),
        (lambda: cn.camera_pr(res, sets, ids="symbol"), "ids='symbol' is not known"),
        (lambda: cn.camera_pr([1.0], sets), "statistic= is a list"),
        (lambda: cn.camera_pr(res.table["stat"][:2], sets), "takes 3 at least"),
        (lambda: cn.camera(res, sets), "query= is a Results.*for camera_pr"),
        (lambda: cn.camera(last(with_ols(dds)), sets, fit="ols"), "a fit by .* has no values for this test: use"),
        (lambda: cn.camera(query, {"x": ["nothing"]}), "no gene set has a member that was tested"),
        (lambda: cn.camera(query, sets, compat="bioc1.0"), "compat='bioc1.0' is not known"),
        (lambda: cn.fry(query, sets, sort="p"), "sort='p' is not known"),
        (lambda: cn.fry(query, sets, contrast="x"), "contrast= is for what cn.voom returned"),
        (lambda: cn.fry(cn.voom(dds), sets, contrast="x"), "contrast='x' is not known"),
        (lambda: cn.fry(cn.voom(dds), sets, fit="limma"), "fit= is for queries"),
    ):
        with pytest.raises(OptionError, match=message):
            call()
    edger = edger_data_set("sparse")
    with pytest.raises(ContrastError, match="has 2 rows"):
        cn.camera(edger.contrast({"a": "x1", "b": "x2"}), {"x": ["g1"]}, fit="edger")


def test_sets_of_deseq2_fits_are_those_of_edger_with_the_same_factors_and_dispersions(dds):
    dds, library = dds.copy(), dds.counts().sum()
    cn.edger(
        dds, test="lrt", filter=False, dispersion=dds.dispersions.fillna(1.0),
        norm_factors=dds.size_factors / library * library.mean(), quiet=True,
    )  # fmt: skip
    query = last(dds)
    one, two = (dds._fit(name).gene_set_data(query.matrix[0]) for name in (None, "edger"))
    assert one.data.scores
    assert one.fitted.tolist() == (dds.counts().sum(axis=1) > 0).tolist()
    expressed = dds.genes["baseMean"][one.fitted] > 10  # DESeq2's fits have means of 0.5 at least
    assert expressed.sum() > 200
    np.testing.assert_allclose(one.data.values[expressed], two.data.values[expressed], rtol=1e-3, atol=1e-3)
    sets = {"some": dds.gene_names[:40], "others": dds.gene_names[100:200:3], "high": query.test().top(30).index}
    for test in (cn.camera, cn.fry):
        tables = [test(query, sets, fit=name)["pvalue"] for name in (None, "edger")]
        np.testing.assert_allclose(*tables, rtol=0.02)
    assert cn.camera(dds.contrast("Intercept"), sets)["pvalue"].notna().all()


def test_queries_that_cannot_be_tested_are_refused():
    samples = pd.DataFrame({"family": np.repeat(["f1", "f2", "f3", "f4"], 4), "line": np.repeat(["a", "b"], 8)})
    samples["dose"] = np.tile(["no", "yes"], 8)
    samples.index = [f"s{j}" for j in range(16)]
    counts = pd.DataFrame(np.random.default_rng(8).poisson(50, (30, 16)), [f"g{i}" for i in range(30)], samples.index)
    dds = cn.DESeqDataSet(counts, samples, design="~ line + line:family + line:dose", quiet=True)
    dds.add_fit("edger", ratio_fit(dds))
    sets = {"x": ["g1", "g2", "g3"]}
    between = dds.effect("line")
    with pytest.raises(StratumError, match="compares blocks"):
        cn.camera(between, sets, fit="edger")
    assert cn.camera(between, sets, fit="edger", allow_fixed_blocks=True)["pvalue"].notna().all()
    query = dds.effect("dose")
    dds.samples = samples.assign(dose=samples["dose"].tolist())
    with pytest.raises(ContrastError, match="make it again"):
        cn.fry(query, sets, fit="edger")
    square = cn.DESeqDataSet(counts.iloc[:, :2], samples.iloc[:2], design="~ dose", quiet=True)
    square.add_fit("edger", ratio_fit(square))
    with pytest.raises(DesignError, match="no residual degrees of freedom"):
        cn.camera(square.effect("dose"), sets, fit="edger")


def ratio_fit(dds):
    """Return a fit by edgeR's method with dispersions of 0.05."""
    counts = dds.counts().to_numpy(dtype=float)
    given = EdgeRInput(np.ones((1, counts.shape[1])), None, counts.sum(axis=1) > 0, np.zeros(len(counts)), 0.125)
    model = fit_model(dds._data.matrix, given, Columns.of(dds._design.matrix), np.full(len(counts), 0.05), ENGINE)
    return StoredEdgeR(given, counts.mean(axis=1), None, model)
