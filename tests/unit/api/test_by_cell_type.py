"""One question in every cell type."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, CountnestWarning, OptionError, SamplesError, UnknownNameError
from unit.api.simulated_cells import GENES, cells

anndata = pytest.importorskip("anndata")

STIM = ("condition", "stim", "ctrl")


@pytest.fixture(scope="module")
def adata():
    counts, obs, var = cells()
    return anndata.AnnData(X=counts, obs=obs, var=var)


@pytest.fixture(scope="module")
def bulk(adata):
    return cn.pseudobulk(adata[adata.obs["cell_type"] != "few"], ["donor", "cell_type"], quiet=True)


def asked(adata, **options):
    """Return the answer for the treatment."""
    return cn.by_cell_type(adata, "cell_type", **{"design": "~ condition", "question": STIM, "quiet": True, **options})


@pytest.fixture(scope="module")
def found(bulk):
    with pytest.warns(CountnestWarning, match="1 cell type left out: 'lone': too few replicates"):
        return asked(bulk)


def test_each_cell_type_is_analysed_as_if_alone(bulk, found):
    assert list(found) == ["B", "NK", "T"]
    for name, part in found.items():
        alone = cn.DESeqDataSet(bulk[bulk.obs["cell_type"] == name], design="~ condition", quiet=True).deseq(quiet=True)
        pd.testing.assert_frame_equal(part.table, alone.results(STIM).table, check_exact=True)
        assert found.fits[name].shape == (GENES, 8)
        assert found.fits[name].fits == {"deseq2": "DESeq2"}


def test_cells_are_summed_in_the_same_call(adata, found):
    with pytest.warns(CountnestWarning) as caught:
        whole = asked(adata, sample="donor")
    assert (
        "2 cell types left out: 'few': no sample has 10 cells of it; 'lone': too few replicates: condition stim has 1"
        in str(caught[-1].message)
    )
    assert set(whole.skipped) == {"few", "lone"}
    pd.testing.assert_frame_equal(whole.table, found.table, check_exact=True)
    counts = anndata.AnnData(X=adata.X * 0.5, obs=adata.obs, var=adata.var, layers={"raw": adata.X})
    with pytest.warns(CountnestWarning):
        layered = asked(counts, sample=["donor", "condition"], layer="raw")
    pd.testing.assert_frame_equal(layered.table, found.table, check_exact=True)


def test_the_long_table_has_the_cell_type_first_and_both_adjustments(found):
    table = found.table
    assert table.columns[0] == "cell_type"
    assert list(table["cell_type"].cat.categories) == ["B", "NK", "T"]
    assert list(table)[list(table).index("padj") + 1] == "padj_all"
    assert len(table) == 3 * GENES
    tested = table["padj"].notna()
    p = table.loc[tested, "pvalue"].sort_values()
    expected = (p * len(p) / np.arange(1, len(p) + 1))[::-1].cummin()[::-1].clip(upper=1.0)
    np.testing.assert_allclose(table.loc[tested, "padj_all"].sort_values(), expected, rtol=1e-12)
    assert table.loc[~tested, "padj_all"].isna().all()
    assert (table["padj_all"] != table["padj"])[tested].any()


def test_the_user_chooses_the_adjustment(bulk, found):
    with pytest.warns(CountnestWarning):
        over_all = asked(bulk, adjust="all")
    pd.testing.assert_frame_equal(over_all.table, found.table)
    table = found.table
    for each, by in ((found, "padj"), (over_all, "padj_all")):
        significant = each.significant(0.05)
        assert len(significant) == (table[by] < 0.05).sum()
        assert (
            significant.groupby("cell_type", observed=True)["pvalue"].apply(lambda p: p.is_monotonic_increasing).all()
        )
        summary = each.summary(0.05)
        for name in found:
            own = table[table["cell_type"] == name]
            row = summary.loc[name]
            assert row["samples"] == 8
            assert row["tested"] == own[by].notna().sum()
            assert row["significant"] == row["up"] + row["down"] == (own[by] < 0.05).sum()
    assert "padj_all < 0.1, adjusted over all" in repr(over_all)
    assert "3 cell types, 1 left out: condition stim vs ctrl; significant: padj < 0.1, adjusted in each" in repr(found)


def test_the_genes_that_change_are_found_where_they_do(found):
    significant = found.significant(0.01)
    by_type = {name: set(own.index) for name, own in significant.groupby("cell_type", observed=True)}
    assert {f"g{i}" for i in range(10)} <= by_type["B"]
    assert {f"g{i}" for i in range(10, 20)} <= by_type["T"]
    assert len(by_type.get("NK", ())) < 4


def test_views_of_all_cell_types(found, tmp_path):
    wide = found.wide("stat")
    assert list(wide) == ["B", "NK", "T"]
    np.testing.assert_array_equal(wide["T"], found["T"]["stat"])
    assert found.to_decoupler().index.to_list() == ["B", "NK", "T"]
    top = found.top(2)
    assert top["cell_type"].to_list() == ["B", "B", "NK", "NK", "T", "T"]
    assert found["B"].top(1).index[0] == top.index[0]
    found.to_csv(tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv")["cell_type"].value_counts()["NK"] == GENES
    layout = cn.to_rank_genes_groups(found, "cell_type")
    assert layout["names"].dtype.names == ("B", "NK", "T")
    assert "lone" in found._repr_html_()
    assert list(found.keys()) == list(found)
    assert len(found.values()) == len(found) == 3
    assert "B" in found
    assert "lone" not in found


def test_questions_of_every_form(bulk, found):
    kept = bulk[bulk.obs["cell_type"] != "lone"]
    same = {
        "text": "condition[stim - ctrl]",
        "function": lambda dds: dds.effect("condition").test(),
        "default": None,
    }
    for name, question in same.items():
        other = asked(kept, question=question)
        np.testing.assert_array_equal(other.table["pvalue"], found.table["pvalue"], err_msg=name)
    several = asked(kept, design="~ condition * early", question="condition[stim - ctrl] | early")
    assert list(several.table)[:2] == ["cell_type", "contrast"]
    assert len(several.table) == 3 * 2 * GENES
    assert several.wide().shape == (GENES, 6)
    assert len(several.summary()) == 6
    assert len(several.top(1)) == 6
    assert several.to_decoupler().shape[0] == 6
    both = ("~ condition * early", lambda dds: dds.effect("condition", by="early").joint().test())
    joint = asked(kept, design=both[0], question=both[1])
    assert "log2FoldChange" not in joint["B"]
    assert (joint.summary()["significant"] > 0).any()
    assert (joint.summary()["up"] == 0).all()


def test_other_tests_and_fits(bulk):
    kept = bulk[bulk.obs["cell_type"] != "lone"]
    assert asked(kept, test="averaged")["B"].info.test == "averaged LRT"
    for fit, method in ((cn.limma, "limma"), (cn.edger, "edgeR")):
        other = asked(kept, fit=fit)
        assert method in other["B"].info.method
        assert len(other.significant(0.05)) > 10
    local = asked(kept, fit=lambda dds: dds.deseq(fit_type="mean", quiet=True))
    assert local.fits["B"].dispersion_trend.fit_type == "mean"


def test_replicates_are_counted_in_the_groups_that_are_compared(bulk):
    """A donor's own level has one or two samples, which does not matter; the levels that are compared do."""
    paired = bulk[bulk.obs["cell_type"] != "lone"].copy()
    paired.obs["pair"] = pd.Categorical(paired.obs["donor"].astype(str).map(lambda name: f"p{int(name[1]) // 2}"))
    assert len(asked(paired, design="~ pair + condition")) == 3
    assert len(asked(paired, design="~ condition + pair")) == 3
    with pytest.raises(SamplesError, match="no cell type can be tested: 'B': too few replicates: early False"):
        asked(paired, groups=["early", "condition"], min_replicates=3)
    with pytest.raises(SamplesError, match=r"'B': .*condition stim has 4, .*each needs 5 samples"):
        asked(paired, min_replicates=5)
    numeric = paired.copy()
    numeric.obs["age"] = np.arange(24) % 8 * 0.5
    assert len(asked(numeric, design="~ age", question=None)) == 3


def test_a_cell_type_whose_design_cannot_be_fitted_is_left_out(bulk):
    lacking = ~((bulk.obs["cell_type"] == "NK") & (bulk.obs["condition"] == "stim") & bulk.obs["early"])
    kept = bulk[lacking & (bulk.obs["cell_type"] != "lone")]
    with pytest.warns(CountnestWarning, match="1 cell type left out: 'NK': "):
        some = asked(kept, design="~ condition * early", question="condition[stim - ctrl] : early[True - False]")
    assert list(some) == ["B", "T"]
    with pytest.raises(ContrastError, match="'NK' was left out: "):
        some["NK"]
    assert some.summary().loc["NK", "left out"] == some.skipped["NK"]


def test_warnings_of_fits_are_told_once(bulk):
    def fit(dds):
        warn_of = cn.errors.warn
        warn_of(f"a remark on {len(dds)} genes")
        return dds.deseq(quiet=True)

    kept = bulk[bulk.obs["cell_type"] != "lone"]
    with pytest.warns(CountnestWarning, match="cell type 'B': a remark on 120 genes There are 2 more") as caught:
        noted = asked(kept, fit=fit)
    assert len(caught) == 1
    assert noted.notes == {name: ("a remark on 120 genes",) for name in ("B", "NK", "T")}


def test_progress_has_a_line_for_each_cell_type(bulk, capsys):
    asked(bulk[bulk.obs["cell_type"] != "lone"], quiet=False)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cell type")]
    assert told == [f"cell type {k} of 3: {name}, 8 samples" for k, name in enumerate(("B", "NK", "T"), start=1)]


def test_samples_without_a_cell_type_are_left_out(bulk):
    other = bulk[bulk.obs["cell_type"] != "lone"].copy()
    other.obs["cell_type"] = other.obs["cell_type"].astype(object).where(other.obs["donor"] != "d0", None)
    with pytest.warns(CountnestWarning, match="3 samples without a value of 'cell_type' left out"):
        assert asked(other).summary()["samples"].to_list() == [7, 7, 7]


def test_it_says_where_columns_and_rankings_are(found):
    for name, words in (
        ("padj", "found.table"),
        ("ranked", r"found\[cell_type\].ranked"),
        ("iloc", "found.table.iloc"),
    ):
        with pytest.raises(UnknownNameError, match=words):
            getattr(found, name)


def test_it_is_pickled(found):
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.skipped == found.skipped


def test_what_is_refused(bulk, found):
    for call, error, words in (
        (lambda: asked(bulk.to_df()), OptionError, "by_cell_type needs an AnnData object.*got a DataFrame"),
        (lambda: cn.by_cell_type(bulk, "celltype", design="~ 1"), OptionError, "Did you mean 'cell_type'"),
        (lambda: asked(bulk, adjust="both"), OptionError, "adjust='both' is not known"),
        (lambda: asked(bulk, test="LRT"), OptionError, "test='LRT' is not known"),
        (lambda: asked(bulk, test="averaged", fit=cn.limma), OptionError, "leave one of them out"),
        (lambda: asked(bulk, fit="limma"), OptionError, "fit='limma' cannot be used"),
        (lambda: asked(bulk, min_replicates=0), OptionError, "min_replicates=0"),
        (lambda: asked(bulk, alpha=2), OptionError, "alpha=2"),
        (lambda: asked(bulk, groups="conditoin"), OptionError, "no column 'conditoin'. Did you mean 'condition'"),
        (lambda: asked(bulk, fit=lambda dds: None), OptionError, "fit= returned None"),  # noqa: ARG005
        (lambda: asked(bulk, question=lambda dds: 3), OptionError, "question= returned an int"),  # noqa: ARG005
        (lambda: asked(bulk, question=("condition", "stm", "ctrl")), ContrastError, "'stm' is not a level .*'stim'"),
        (lambda: asked(bulk, question="condition[stm - ctrl]"), ContrastError, "cannot be read.*Did you mean 'stim'"),
        (lambda: found["Bcell"], ContrastError, "'Bcell' is not among the cell types"),
        (lambda: found.wide("padjj"), OptionError, "value='padjj' is not known"),
        (lambda: found.top(-1), OptionError, "n=-1 genes"),
        (lambda: np.asarray(found), OptionError, "found.wide"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_a_type_without_size_factors_is_left_out_and_poscounts_takes_it(bulk):
    kept = bulk[bulk.obs["cell_type"] != "lone"].copy()
    thin = (kept.obs["cell_type"] == "NK").to_numpy()
    counts = np.asarray(kept.X).copy()
    counts[thin] = np.random.default_rng(1).poisson(2.0, (8, GENES))
    counts[np.flatnonzero(thin)[np.arange(GENES) % 8], np.arange(GENES)] = 0
    kept.X = counts
    with pytest.warns(CountnestWarning, match="1 cell type left out: 'NK': .*zero"):
        assert list(asked(kept)) == ["B", "T"]
    assert list(asked(kept, fit=lambda dds: dds.deseq(size_factor_type="poscounts", fit_type="mean", quiet=True))) == [
        "B",
        "NK",
        "T",
    ]


def test_a_type_without_a_trend_of_dispersions_is_left_out_and_named(bulk):
    kept = bulk[bulk.obs["cell_type"] != "lone"].copy()
    thin = (kept.obs["cell_type"] == "NK").to_numpy()
    counts = np.asarray(kept.X).copy()
    counts[thin] = 20 + np.arange(8)[:, None] % 2
    kept.X = counts
    with pytest.warns(CountnestWarning, match="1 cell type left out: 'NK': .*dispersion"):
        assert list(asked(kept)) == ["B", "T"]
    with pytest.raises(SamplesError, match=r"no cell type can be tested: 'NK': .*dispersion"):
        asked(kept[thin])


def test_paragraphs_and_records_are_those_of_each_cell_type(found, tmp_path):
    assert {name: str(text) for name, text in found.methods().items()} == {
        name: str(part.methods()) for name, part in found.items()
    }
    found.to_csv(tmp_path / "all.csv", record=True)
    record = json.loads((tmp_path / "all.csv.json").read_text())
    assert record == found.record()
    assert set(record) == set(found)


def test_a_column_of_cell_types_with_the_name_of_a_result_is_refused(bulk):
    other = bulk.copy()
    other.obs["padj"] = other.obs["cell_type"]
    with pytest.raises(OptionError, match="cell_type='padj' is a column of the results, too"):
        cn.by_cell_type(other, "padj", design="~ condition", quiet=True)
