"""Data sets and results as AnnData: what is where, and what comes back from a file."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning, OptionError
from unit.api.simulated import study

anndata = pytest.importorskip("anndata")

QUERY = ["group[b - a]", "group[c - a]"]


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    counts = counts.assign(gene_name=[None if i % 7 == 0 else f"S{i}" for i in range(150)], length=range(150))
    hours = pd.Categorical([5, 0, 15] * 4, categories=[0, 15, 5])
    sheet = sheet.assign(hours=hours, day=pd.Timestamp("2020-01-02"), note=[None, "x"] * 6, good=[True, None] * 6)
    made = cn.DESeqDataSet(counts, sheet, design="~ batch + group", reference={"group": "a", "batch": "y"}, quiet=True)
    return made.deseq(quiet=True, fit_type="mean")


@pytest.fixture(scope="module")
def found(dds):
    return dds.effect("group").test()


@pytest.fixture(scope="module")
def adata(dds, found):
    return cn.to_anndata(dds, found, transformed=cn.variance_stabilizing_transformation(dds, fit_type="mean"))


@pytest.fixture(scope="module")
def again(adata, tmp_path_factory):
    path = tmp_path_factory.mktemp("h5ad") / "a.h5ad"
    adata.write_h5ad(path)
    return anndata.read_h5ad(path)


def test_counts_samples_and_genes_have_their_places(dds, adata):
    assert adata.X.dtype == np.int64
    np.testing.assert_array_equal(adata.X.T, dds.counts())
    np.testing.assert_array_equal(adata.layers["normalized"].T, dds.counts(normalized=True))
    np.testing.assert_array_equal(adata.obs["sizeFactor"], dds.size_factors)
    assert list(adata.obs["group"].cat.categories) == ["a", "b", "c"]
    assert adata.obs["batch"].cat.categories[0] == "y"
    assert list(adata.var) == ["gene_name", "length"]
    np.testing.assert_array_equal(adata.obsm["design"], dds.design.matrix)
    assert list(adata.obsm["design"]) == dds.results_names()
    assert "vst" in adata.layers


def test_estimates_and_results_go_with_the_genes(dds, found, adata):
    np.testing.assert_array_equal(adata.varm["genes"]["dispersion"], dds.dispersions)
    some = adata[:, ["g7", "g3"]]
    for label in QUERY:
        expected = found[label].table.loc[["g7", "g3"]].drop(columns=["gene_name", "length"])
        assert list(some.varm[label]) == list(expected)
        np.testing.assert_array_equal(some.varm[label]["padj"], expected["padj"])
        assert list(some.varm[label]["padj_reason"]) == list(expected["padj_reason"])


def test_what_is_read_back_gives_the_same_analysis(dds, found, again):
    design = again.uns["countnest"]["design"]
    assert design == "~ batch + group"
    second = cn.DESeqDataSet(again, design=design, quiet=True).deseq(quiet=True, fit_type="mean")
    assert second.results_names() == dds.results_names()
    np.testing.assert_array_equal(second.coef(), dds.coef())
    for label in QUERY:
        table = found[label].table
        pd.testing.assert_frame_equal(
            second.effect("group").test()[label].table[list(table)], table, check_exact=True, check_dtype=False,
            check_names=False, check_categorical=False,
        )  # fmt: skip


def test_what_is_read_back_is_what_was_written(adata, again):
    for name in ("genes", *QUERY):
        for column in adata.varm[name]:
            written, read = adata.varm[name][column], again.varm[name][column]
            there = written.notna()
            np.testing.assert_array_equal(there, read.notna())
            assert list(written[there]) == list(read[there])
    assert list(again.obs["hours"].cat.categories) == [0, 15, 5]
    assert list(again.obs["day"]) == ["2020-01-02 00:00:00"] * 12
    assert list(again.obs["note"].astype(object).where(again.obs["note"].notna(), None)) == [None, "x"] * 6
    assert list(again.obs["good"].isna()) == [False, True] * 6


def test_the_record_travels(dds, found, again):
    record = again.uns["countnest"]
    assert record["reference"]["group"] == "a"
    assert record["fits"] == {"deseq2": "DESeq2"}
    assert list(record["coefficients"]) == dds.results_names()
    for label in QUERY:
        assert json.loads(record["results"][label]) == json.loads(json.dumps(found[label].record()))


def test_names_that_files_do_not_take_are_changed_with_a_warning():
    counts, sheet = study()
    named = sheet.assign(**{"a/b": 1.0, "a|b": 2.0})
    plain = cn.DESeqDataSet(counts, named, design="~ group", quiet=True).deseq(quiet=True)
    res = plain.results()
    with pytest.warns(CountnestWarning, match=r"columns of the sample sheet.*'a/b -> a\|b', 'a\|b -> a\|b_'"):
        made = cn.to_anndata(plain)
    plain.samples = sheet
    assert list(made.obs)[-3:] == ["a|b", "a|b_", "sizeFactor"]
    nameless = cn.DESeqDataSet(counts, sheet.assign(**{"": 1.0, ".": 2.0}), design="~ group", quiet=True)
    with pytest.warns(CountnestWarning, match="' -> _', '. -> __'"):
        assert list(cn.to_anndata(nameless).obs)[-2:] == ["_", "__"]
    with pytest.warns(CountnestWarning, match="tables of results are renamed.*'b / a -> b"):
        assert "b | a" in cn.to_anndata(plain, {"b / a": res}).varm


def test_every_kind_of_data_set(tmp_path):
    counts, sheet = study()
    lengths = np.random.default_rng(1).uniform(0.5, 2.0, counts.shape)
    weights = np.ones(counts.shape)
    weights[5, 0] = 0.5
    with_lengths = cn.DESeqDataSet(counts, sheet, design="~ group", avg_tx_length=lengths, quiet=True)
    made = cn.to_anndata(with_lengths.estimate_size_factors())
    np.testing.assert_array_equal(made.layers["normalization_factors"].T, with_lengths.normalization_factors)
    np.testing.assert_allclose(made.layers["avg_tx_length"].T, lengths)
    assert "sizeFactor" not in made.obs
    with_weights = cn.DESeqDataSet(counts, sheet, design="~ group", weights=weights, quiet=True)
    assert cn.to_anndata(with_weights).layers["weights"][0, 5] == 0.5
    untouched = cn.DESeqDataSet(counts, sheet, design=np.column_stack([np.ones(12), np.arange(12) % 2]), quiet=True)
    made = cn.to_anndata(untouched)
    assert not made.varm
    assert made.uns["countnest"]["design"] == ""
    limma = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True)
    cn.limma(limma, quiet=True)
    made = cn.to_anndata(limma, {"voom": limma.effect("group").test(fit="limma")})
    assert [name for name in made.varm if name.startswith("voom")] == [f"voom: {label}" for label in QUERY]
    made.write_h5ad(tmp_path / "a.h5ad")


def test_what_is_refused(dds, found):
    few = cn.Results(found[0].table.iloc[::-1], found[0].info)
    for call, words in (
        (lambda: cn.to_anndata(found), "to_anndata needs a DESeqDataSet"),
        (lambda: cn.to_anndata(dds, few), r"'group\[b - a\]' has other genes than the data set"),
        (lambda: cn.to_anndata(dds, found[0].table), "results= is a DataFrame; give a table of results"),
        (lambda: cn.to_anndata(dds, {}), "results= is an empty dict"),
        (lambda: cn.to_anndata(dds, {"x": 3}), r"results\['x'\] is an int"),
        (lambda: cn.to_anndata(dds, {"1": found[0], 1: found[1]}), "the same name twice: '1'"),
        (lambda: cn.to_anndata(dds, transformed=dds.counts()), "transformed= is a DataFrame; give what cn.vst"),
        (lambda: cn.to_anndata(dds, transformed=cn.norm_transform(dds[:, ::-1])), "other genes or samples"),
        (lambda: cn.to_rank_genes_groups(found, 3), "groupby=3 cannot be used"),
        (lambda: cn.to_rank_genes_groups(found, "group", reference=""), "reference='' cannot be used"),
        (lambda: cn.to_rank_genes_groups(dds.effect("group").joint().test(), "group"), "has no direction"),
    ):
        with pytest.raises(OptionError, match=words):
            call()


def test_without_anndata_the_error_says_how_to_install_it(dds, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(OptionError, match=r"pip install 'countnest\[anndata\]'"):
        cn.to_anndata(dds)


def test_groups_are_ranked_as_scanpy_has_them(found):
    made = cn.to_rank_genes_groups({"b": found[0], "c": found[1]}, "group", reference="a")
    assert made["params"] == {
        "groupby": "group", "reference": "a", "use_raw": False, "method": "DESeq2 Wald",
        "corr_method": "benjamini-hochberg",
    }  # fmt: skip
    kinds = {"names": "O", "scores": "f4", "logfoldchanges": "f4", "pvals": "f8", "pvals_adj": "f8"}
    for kind, code in kinds.items():
        assert made[kind].dtype.names == ("b", "c")
        assert made[kind].dtype["b"] == np.dtype(code)
    for group, part in zip("bc", found.values(), strict=True):
        ranked = part.ranked()
        n = len(ranked)
        assert n < len(part)
        assert list(made["names"][group][:n]) == list(ranked.index)
        np.testing.assert_allclose(made["scores"][group][:n], ranked, rtol=1e-6)
        assert np.isnan(made["scores"][group][n:]).all()
        in_order = part.table.loc[list(made["names"][group])]
        np.testing.assert_array_equal(made["pvals_adj"][group], in_order["padj"])
        np.testing.assert_array_equal(made["pvals"][group], in_order["pvalue"])
        np.testing.assert_allclose(made["logfoldchanges"][group], in_order["log2FoldChange"], rtol=1e-6)
