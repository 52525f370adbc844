"""Counts of cells, summed by sample."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import countnest as cn
from countnest.containers import cells as cells_module
from countnest.containers import grouped
from countnest.errors import CountnestWarning, CountsError, OptionError, SamplesError

anndata = pytest.importorskip("anndata")

N, GENES = 600, 40


def cells():
    """Return 600 cells of six donors and two types, of which one is rare in one donor."""
    rng = np.random.default_rng(1)
    obs = pd.DataFrame(
        {
            "donor": pd.Categorical(rng.choice([f"d{i}" for i in range(6)], N), categories=[f"d{i}" for i in range(7)]),
            "cell_type": rng.choice(["B", "T"], N),
            "umis": rng.integers(0, 1000, N),
        },
        index=[f"cell{i}" for i in range(N)],
    )
    obs.loc[(obs["donor"] == "d5") & (obs["cell_type"] == "B"), "cell_type"] = "T"
    obs.iloc[:3, :2] = ["d5", "B"]
    obs["condition"] = np.where(obs["donor"].isin(["d0", "d1", "d2"]), "a", "b")
    obs["age"] = obs["donor"].map({f"d{i}": 30.5 + i for i in range(6)}).astype(float)
    obs["note"] = np.nan
    counts = rng.poisson(1.0, (N, GENES)).astype(np.float32)
    var = pd.DataFrame({"gene_name": [f"S{i}" for i in range(GENES)]}, index=[f"g{i}" for i in range(GENES)])
    return anndata.AnnData(X=sparse.csr_matrix(counts), obs=obs, var=var)


@pytest.fixture(scope="module")
def adata():
    return cells()


BY = ["donor", "cell_type"]


@pytest.fixture(scope="module")
def bulk(adata):
    with pytest.warns(CountnestWarning, match=r"1 sample of fewer than 10 cells left out: 'd5_B \(3\)'"):
        return cn.pseudobulk(adata, BY, quiet=True)


def test_counts_of_cells_are_summed(adata, bulk):
    assert bulk.shape == (11, GENES)
    assert bulk.X.dtype == np.int64
    dense = pd.DataFrame(adata.X.toarray(), index=adata.obs_names)
    for label, row in bulk.obs.iterrows():
        members = (adata.obs["donor"] == row["donor"]) & (adata.obs["cell_type"] == row["cell_type"])
        assert label == f"{row['donor']}_{row['cell_type']}"
        assert row["n_cells"] == members.sum()
        np.testing.assert_array_equal(bulk[label].X.ravel(), dense[members.to_numpy()].sum())
    pd.testing.assert_frame_equal(bulk.var, adata.var)


def test_the_sheet_has_what_is_constant_within_samples(adata, bulk, capsys):
    assert list(bulk.obs) == ["donor", "cell_type", "condition", "age", "note", "n_cells"]
    assert list(bulk.obs["donor"].cat.categories) == [f"d{i}" for i in range(6)]
    with pytest.warns(CountnestWarning):
        cn.pseudobulk(adata, BY)
    assert "columns of obs that differ between the cells of a sample are left out: 'umis'" in capsys.readouterr().err


def test_small_samples_are_kept_on_request(adata):
    with pytest.warns(CountnestWarning, match=r"1 sample of fewer than 10 cells kept: 'd5_B \(3\)'"):
        kept = cn.pseudobulk(adata, BY, small="keep", quiet=True)
    assert kept.obs.loc["d5_B", "n_cells"] == 3
    assert cn.pseudobulk(adata, BY, min_cells=0, quiet=True).shape == (12, GENES)


def test_every_kind_of_table_gives_the_same(adata, bulk, tmp_path, monkeypatch):
    monkeypatch.setattr(grouped, "_DENSE", GENES * 70)
    monkeypatch.setattr(grouped, "_SPARSE", GENES * 70)
    kept = adata[~((adata.obs["donor"] == "d5") & (adata.obs["cell_type"] == "B")).to_numpy()]
    made = []
    for name, kind in (("csr", sparse.csr_matrix), ("csc", sparse.csc_matrix), ("dense", lambda x: x.toarray())):
        one = anndata.AnnData(X=kind(kept.X), obs=kept.obs, var=kept.var)
        made.append(cn.pseudobulk(one, BY, quiet=True))
        one.write_h5ad(tmp_path / f"{name}.h5ad")
        backed = anndata.read_h5ad(tmp_path / f"{name}.h5ad", backed="r")
        made.append(cn.pseudobulk(backed, BY, quiet=True))
        backed.file.close()
    one = anndata.AnnData(X=np.ones(kept.shape), obs=kept.obs, var=kept.var, layers={"counts": kept.X})
    made += [cn.pseudobulk(one, BY, layer="counts", quiet=True), cn.pseudobulk(kept, tuple(BY), quiet=True)]
    for other in made:
        np.testing.assert_array_equal(other.X, bulk.X)
        pd.testing.assert_frame_equal(other.obs, bulk.obs, check_dtype=False, check_categorical=False)
        assert list(other.obs_names) == list(bulk.obs_names)


def test_a_data_set_takes_it_and_knows_the_symbols(bulk):
    chosen = bulk[bulk.obs["cell_type"] == "T"]
    dds = cn.DESeqDataSet(chosen, design="~ condition").deseq(quiet=True, fit_type="mean")
    assert list(dds.samples["n_cells"]) == list(chosen.obs["n_cells"])
    assert list(dds.results().table["gene_name"]) == list(bulk.var["gene_name"])


def test_cells_without_a_value_are_left_out(adata):
    other = adata.copy()
    other.obs.loc[other.obs_names[10:17], "cell_type"] = None
    with pytest.warns(CountnestWarning, match="7 cells without a value of 'donor', 'cell_type' are left out"):
        found = cn.pseudobulk(other, BY, min_cells=1, quiet=True)
    assert found.obs["n_cells"].sum() == N - 7


def test_values_that_are_no_counts_are_refused_and_counts_are_found(adata):
    counts = adata.X
    normalized = adata.copy()
    normalized.X = counts.multiply(0.7).tocsr()
    with pytest.raises(
        CountsError, match=r"X of the AnnData object does not hold counts: cell 'cell0', gene 'g\d+' has"
    ):
        cn.pseudobulk(normalized, "donor")
    normalized.layers["raw_counts"] = counts
    with pytest.raises(CountsError, match="layer='raw_counts'"):
        cn.pseudobulk(normalized, "donor")
    del normalized.layers["raw_counts"]
    normalized.raw = adata
    with pytest.raises(CountsError, match=r"adata.raw.to_adata\(\)"):
        cn.pseudobulk(normalized, "donor")
    np.testing.assert_array_equal(
        cn.pseudobulk(normalized.raw.to_adata(), "donor", quiet=True).X, cn.pseudobulk(adata, "donor", quiet=True).X
    )


def test_labels_are_distinct(adata):
    other = adata[:4].copy()
    other.obs["donor"], other.obs["cell_type"] = ["a_b", "a", "a", "a"], ["c", "b_c", "x", "x"]
    assert set(cn.pseudobulk(other, BY, min_cells=1, quiet=True).obs_names) == {"a_b:c", "a:b_c", "a:x"}


def test_a_column_that_is_named_twice_counts_once(adata):
    once, twice = (cn.pseudobulk(adata, by, quiet=True) for by in ("donor", ["donor", "donor"]))
    pd.testing.assert_frame_equal(once.obs, twice.obs)


def test_what_is_refused(adata):
    cases = [
        (lambda: cn.pseudobulk(adata, "doner"), OptionError, "no column 'doner'. Did you mean 'donor'"),
        (lambda: cn.pseudobulk(adata, []), OptionError, "by is empty"),
        (lambda: cn.pseudobulk(adata, None), OptionError, "by=None cannot be used; give a name, or several in a list"),
        (lambda: cn.pseudobulk(adata, [["donor"]]), OptionError, "by=.* cannot be used"),
        (lambda: cn.pseudobulk(adata, {"donor"}), OptionError, "is a set, which has no order; give a list"),
        (lambda: cn.pseudobulk(adata.to_df(), "donor"), OptionError, "needs an AnnData object.*got a DataFrame"),
        (lambda: cn.pseudobulk(adata, "donor", layer="x"), OptionError, "layer='x' is not in the AnnData object"),
        (lambda: cn.pseudobulk(adata, "donor", min_cells=-1), OptionError, "min_cells"),
        (lambda: cn.pseudobulk(adata, "donor", small="no"), OptionError, "small='no'"),
    ]
    for call, error, words in cases:
        with pytest.raises(error, match=words):
            call()
    with (
        pytest.warns(CountnestWarning, match="6 samples of fewer"),
        pytest.raises(SamplesError, match="none of 6 samples has 1000 cells; the largest has"),
    ):
        cn.pseudobulk(adata, "donor", min_cells=1000)


class TestCellsAsSamples:
    @pytest.fixture(autouse=True)
    def few_are_many(self, monkeypatch):
        monkeypatch.setattr(cells_module, "MANY", 100)

    def tables(self, mean, tmp_path):
        """Yield counts of 300 samples in every kind of table."""
        h5py = pytest.importorskip("h5py")
        counts = np.random.default_rng(3).poisson(mean, (GENES, 300)).astype(float)
        counts[0] = 1
        names = [f"s{i}" for i in range(300)]
        frame = pd.DataFrame(counts, index=[f"g{i}" for i in range(GENES)], columns=names)
        obs = pd.DataFrame({"group": ["a", "b"] * 150}, index=names)
        yield from ((frame, obs), (frame.T, obs), (counts, obs), (np.asfortranarray(counts), obs))
        yield from ((sparse.csc_array(counts), obs), (counts.astype(int), obs))
        np.save(tmp_path / "x.npy", counts)
        yield np.load(tmp_path / "x.npy", mmap_mode="r"), obs
        adata = anndata.AnnData(X=sparse.csr_matrix(counts.T), obs=obs, var=frame[[]])
        yield adata, None
        adata.write_h5ad(tmp_path / "x.h5ad")
        yield anndata.read_h5ad(tmp_path / "x.h5ad", backed="r"), None
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["x"] = counts
        with h5py.File(tmp_path / "x.h5") as file:
            yield file["x"], obs

    def test_they_are_recognised(self, tmp_path):
        for counts, obs in self.tables(0.1, tmp_path):
            with pytest.raises(
                CountsError, match=r"300 samples, and 8\d % of the counts are zero.*pseudobulk.*cells_ok"
            ):
                cn.DESeqDataSet(counts, obs, design="~ group")

    def test_cells_are_accepted_on_request(self, tmp_path):
        for counts, obs in self.tables(0.1, tmp_path):
            assert cn.DESeqDataSet(counts, obs, design="~ group", cells_ok=True).counts().shape == (GENES, 300)

    def test_large_studies_of_samples_pass(self, tmp_path):
        for counts, obs in self.tables(0.7, tmp_path):  # half of the counts are zeros
            assert cn.DESeqDataSet(counts, obs, design="~ group").counts().shape == (GENES, 300)

    def test_few_samples_may_be_sparse(self, monkeypatch, tmp_path):
        monkeypatch.undo()
        for counts, obs in self.tables(0.1, tmp_path):
            assert len(cn.DESeqDataSet(counts, obs, design="~ group").gene_names) == GENES

    def test_a_sparse_study_is_saved_and_collapsed(self, tmp_path):
        counts, obs = next(self.tables(0.1, tmp_path))
        dds = cn.DESeqDataSet(counts, obs, design="~ group", cells_ok=True)
        cn.save(dds, tmp_path / "a.countnest")
        pd.testing.assert_frame_equal(cn.load(tmp_path / "a.countnest").counts(), dds.counts())
        half = cn.collapse_replicates(dds, [f"t{i % 150}" for i in range(300)])
        assert half.counts().shape == (GENES, 150)
