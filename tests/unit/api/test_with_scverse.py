"""Tables of results in scanpy, gseapy and decoupler, where these are installed."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import countnest as cn
from unit.api.simulated import study
from unit.api.simulated_cells import cells

# Those of the libraries.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    made = cn.DESeqDataSet(counts, sheet, design="~ batch + group", reference={"group": "a", "batch": "x"}, quiet=True)
    return made.deseq(quiet=True, fit_type="mean")


@pytest.fixture(scope="module")
def found(dds):
    return dds.effect("group").test()


def test_scanpy_draws_and_lists_the_genes(dds, found, tmp_path):
    sc = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    tables = {"b": found[0], "c": found[1]}
    adata = cn.to_anndata(dds, tables, transformed=cn.variance_stabilizing_transformation(dds, fit_type="mean"))
    adata.uns["rank_genes_groups"] = cn.to_rank_genes_groups(tables, "group", reference="a")
    adata.write_h5ad(tmp_path / "a.h5ad")
    for each in (adata, anndata.read_h5ad(tmp_path / "a.h5ad")):
        listed = sc.get.rank_genes_groups_df(each, group="c").set_index("names")
        expected = found[1].table.loc[listed.index]
        np.testing.assert_array_equal(listed["pvals_adj"], expected["padj"])
        np.testing.assert_allclose(listed["logfoldchanges"], expected["log2FoldChange"], rtol=1e-6)
        sc.pl.rank_genes_groups(each, n_genes=5, show=False)
        for kind in ("dotplot", "matrixplot", "heatmap", "stacked_violin", "tracksplot"):
            draw = getattr(sc.pl, f"rank_genes_groups_{kind}")
            draw(each, layer="vst", n_genes=3, dendrogram=False, show=False)
        sc.pl.rank_genes_groups_violin(each, n_genes=3, show=False)
        plt.close("all")
    best = {name: list(part.ranked().index[:3]) for name, part in tables.items()}
    axes = sc.pl.rank_genes_groups_dotplot(adata, layer="vst", n_genes=3, dendrogram=False, show=False)
    drawn = [label.get_text() for label in axes["mainplot_ax"].get_xticklabels()]
    assert drawn == [*best["b"], *best["c"]]
    plt.close("all")


def test_scanpy_draws_the_answers_of_cell_types():
    sc = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    counts, obs, var = cells()
    adata = anndata.AnnData(X=counts, obs=obs, var=var)
    answers = cn.by_cell_type(adata, "cell_type", sample="donor", design="~ condition", quiet=True)
    kept = adata[adata.obs["cell_type"].isin(list(answers))].copy()
    sc.pp.normalize_total(kept)
    sc.pp.log1p(kept)
    kept.uns["rank_genes_groups"] = cn.to_rank_genes_groups(answers, "cell_type", reference="ctrl")
    axes = sc.pl.rank_genes_groups_dotplot(
        kept, n_genes=3, values_to_plot="logfoldchanges", cmap="bwr", vmin=-3, vmax=3, dendrogram=False, show=False
    )
    drawn = [label.get_text() for label in axes["mainplot_ax"].get_xticklabels()]
    assert drawn == [gene for name in ("B", "NK", "T") for gene in answers[name].ranked().index[:3]]
    plt.close("all")
    listed = sc.get.rank_genes_groups_df(kept, group=None)
    assert len(listed) == 3 * len(var)
    assert set(listed["group"]) == {"B", "NK", "T"}


def sets_of(res):
    ranked = res.ranked()
    middle = len(ranked) // 2
    return {"up": list(ranked.index[:12]), "none": list(ranked.index[middle - 12 : middle + 12 : 2])}


def test_gseapy_ranks_the_sets(found):
    gseapy = pytest.importorskip("gseapy")
    res = found[0]
    ran = gseapy.prerank(
        rnk=res.ranked(), gene_sets=sets_of(res), min_size=5, permutation_num=50, outdir=None, no_plot=True, seed=1,
        threads=1,
    )  # fmt: skip
    table = ran.res2d.set_index("Term").astype({"ES": float})
    assert table.loc["up", "ES"] == pytest.approx(1.0)
    assert abs(table.loc["none", "ES"]) < 0.7
    assert np.array_equal(ran.ranking.to_numpy(), res.ranked().to_numpy())


def test_decoupler_finds_the_sources(found):
    decoupler = pytest.importorskip("decoupler", minversion="2")
    sets = sets_of(found[0])
    net = pd.DataFrame([(name, gene, 1.0) for name, genes in sets.items() for gene in genes])
    net.columns = ["source", "target", "weight"]
    for data in (found.to_decoupler(), found[0].to_decoupler()):
        activity, padj = decoupler.mt.ulm(data, net, tmin=5)
        assert list(activity.index) == list(data.index)
        assert activity["up"].iloc[0] > 3 > abs(activity["none"].iloc[0])
        assert padj["up"].iloc[0] < 0.01
