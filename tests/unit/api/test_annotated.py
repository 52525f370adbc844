"""What is known of the genes travels from the counts into every table, file and figure."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from unit.api.simulated import study

INFO = ("gene_name", "biotype")


@pytest.fixture(scope="module")
def plain():
    counts, sheet = study()
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group").deseq(quiet=True, fit_type="mean")


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study()
    symbols, kinds = [f"S{i % 140}" for i in range(150)], pd.Categorical(["x", "y"] * 75)
    counts = counts.assign(gene_name=symbols, biotype=kinds, Chr="1;1")
    given = pd.DataFrame({"svalue": 0.5}, index=counts.index)
    made = cn.DESeqDataSet(counts, sheet, design="~ batch + group", gene_info=given)
    return made.deseq(quiet=True, fit_type="mean")


def check(found, expected):
    """Check that a table is another one with annotation as its last columns."""
    assert list(found) == [*expected, *INFO]
    pd.testing.assert_frame_equal(found[list(expected)], expected)
    assert np.all(found.loc["g7", "gene_name"] == "S7")
    assert list(found["biotype"].cat.categories) == ["x", "y"]


def test_tables_have_it_last_and_are_otherwise_the_same(dds, plain):
    def asked(each):
        yield each.results()
        yield each.results(("group", "b", "a"), lfc_threshold=0.5)
        yield each.effect("batch").test()
        yield each.effect("group").test(joint=True)
        yield from each.effect("group").test(stagewise=True).parts.values()
        for kind in ("apeglm", "ashr", "normal"):
            yield cn.lfc_shrink(each, coef="group_c_vs_a", type=kind, quiet=True)
        yield cn.lfc_shrink(each, coef="group_c_vs_a", type="ashr", res=each.results(), svalue=True)
        yield cn.lfc_shrink(each, coef="group_c_vs_a", type="normal", lfc_threshold=0.5, quiet=True)

    for found, expected in zip(asked(dds), asked(plain), strict=True):
        check(found.table, expected.table)
        assert found.info.annotation == INFO
        assert expected.info.annotation == ()
        assert str(found.summary()) == str(expected.summary())
        assert found.descriptions()["biotype"] == "annotation of the gene"


def test_symbols_are_shown_first(dds):
    res = dds.results()
    assert list(res.top(3))[:2] == ["gene_name", "baseMean"]
    assert list(res.significant())[-1] == "biotype"
    text = repr(res)
    assert "gene_name  baseMean" in text
    assert "150 genes; in the table as well: biotype" in text
    assert "biotype" not in text.splitlines()[3]
    assert "<th>gene_name</th>" in res._repr_html_()


def test_several_answers(dds, plain):
    found, expected = (each.effect("group").test() for each in (dds, plain))
    check(found.table, expected.table)
    check(found.wide(), expected.wide())
    assert list(found.top(2))[:3] == ["contrast", "gene_name", "baseMean"]


def test_it_is_written_last(dds, tmp_path):
    dds.results().to_csv(tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", index_col="gene")
    assert list(table)[-2:] == [*INFO]
    assert table.loc["g7", "gene_name"] == "S7"


def test_it_is_saved(dds, tmp_path):
    cn.save(dds, tmp_path / "a.countnest")
    loaded = cn.load(tmp_path / "a.countnest")
    pd.testing.assert_frame_equal(loaded.gene_info, dds.gene_info)
    pd.testing.assert_frame_equal(loaded.results().table, dds.results().table)


def test_replicates_are_summed_with_it(dds):
    of = dds.samples["batch"].astype(str) + dds.samples["group"].astype(str) + list("aabb" * 3)
    summed = cn.collapse_replicates(dds, of)
    assert list(summed.gene_info) == ["gene_name", "biotype", "Chr", "svalue"]
    assert summed.gene_info.loc["g7", "gene_name"] == "S7"


def test_it_can_be_set_and_is_not_edited(plain):
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet)
    assert dds.gene_info.shape == (150, 0)
    dds.gene_info = pd.Series("x", counts.index[::-1])
    assert list(dds.gene_info) == ["symbol"]
    with pytest.raises(OptionError, match=r"take a copy to work with, dds\.gene_info\.copy\(\)"):
        dds.gene_info.loc["g0", "symbol"] = "edited"
    assert dds.gene_info.loc["g0", "symbol"] == "x"
    with pytest.raises(OptionError, match="none of the genes"):
        dds.gene_info = pd.Series(["x"], ["h"])
    dds.gene_info = None
    assert dds.gene_info.shape == (150, 0)
    pd.testing.assert_frame_equal(plain.gene_info, dds.gene_info)


def test_var_of_anndata_reaches_the_results():
    anndata = pytest.importorskip("anndata")
    counts, sheet = study(n_genes=60)
    var = pd.DataFrame({"gene_name": [f"S{i}" for i in range(60)]}, index=counts.index)
    adata = anndata.AnnData(X=counts.T.to_numpy(np.float64), obs=sheet, var=var)
    dds = cn.DESeqDataSet(adata, design="~ group").deseq(quiet=True, fit_type="mean")
    assert dds.results().table["gene_name"].equals(var["gene_name"])
