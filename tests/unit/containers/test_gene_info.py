"""What is known of the genes: where it comes from, how it is matched, what is never taken for a sample."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from countnest.containers.counts import count_data
from countnest.containers.gene_info import called, gene_by_name, symbol_column, symbols_of, with_info
from countnest.errors import CountnestWarning, CountsError, OptionError, SamplesError

SAMPLES = ["s1", "s2", "s3", "s4"]
GENES = ["g0", "g1", "g2"]
VALUES = np.array([[3, 0, 5, 2], [100, 90, 80, 70], [10, 12, 9, 30]])
SHEET = pd.DataFrame({"group": list("aabb")}, index=SAMPLES)
SYMBOLS = ["TP53", "MYC", "MYC"]
FEATURE_COUNTS = {
    "Chr": ["1;1", "X", "2"], "Start": ["1;9", "5", "7"], "End": ["5;20", "9", "8"], "Strand": ["+;+", "-", "+"],
    "Length": [17, 5, 2],
}  # fmt: skip


def frame(**columns):
    return pd.DataFrame(VALUES, index=pd.Index(GENES, name="gene"), columns=SAMPLES).assign(**columns)


def test_columns_that_describe_genes_are_set_apart():
    cases = {
        "text": ({"symbol": SYMBOLS, "note": ["a", None, "b"]}, ["symbol", "note"]),
        "featureCounts": (FEATURE_COUNTS, [*FEATURE_COUNTS]),
        "numbers of well-known names": (
            {"Length": [5, 6, 7], "start": [1, 2, 3], "GC content": [0.1, 0.2, 0.3], "entrezgene_id": [7157, 1, 2]},
            ["Length", "start", "GC content", "entrezgene_id"],
        ),
        "strands as numbers": ({"Strand": [1, -1, 1]}, ["Strand"]),
        "categories": ({"biotype": pd.Categorical(["x", "y", "x"])}, ["biotype"]),
        "truth values": ({"is_coding": [True, False, True]}, ["is_coding"]),
    }
    for what, (columns, names) in cases.items():
        for sheet in (SHEET, SHEET.reset_index(drop=True)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CountnestWarning)  # a sheet without labels is matched by position
                data = count_data(frame(**columns), sheet)
            np.testing.assert_array_equal(data.counts, VALUES, err_msg=what)
            assert list(data.samples) == SAMPLES
            expected = frame(**columns)[names].set_axis(data.genes)
            pd.testing.assert_frame_equal(data.gene_info, expected, check_column_type=False)
    before = frame(**FEATURE_COUNTS)[[*FEATURE_COUNTS, *SAMPLES]]
    assert list(count_data(before, SHEET).gene_info) == [*FEATURE_COUNTS]


def test_without_annotation_there_are_no_columns():
    for counts in (frame(), VALUES, frame().T, sparse.csr_array(VALUES)):
        info = count_data(counts, SHEET).gene_info
        assert info.shape == (3, 0)
        assert list(info.index) == list(count_data(counts, SHEET).genes)


def test_samples_are_never_set_apart():
    named = ["length", "Start", "s3", "s4"]
    data = count_data(frame().set_axis(named, axis=1), SHEET.set_axis(named, axis=0))
    assert list(data.samples) == named
    turned = frame().T.set_axis(["Length", "symbol", "g2"], axis=1)
    assert list(count_data(turned, SHEET).genes) == ["Length", "symbol", "g2"]
    four = frame().set_axis(named, axis=1)
    with pytest.warns(CountnestWarning, match="matched with the counts by position"):
        assert list(count_data(four, SHEET.reset_index(drop=True)).samples) == named


def test_a_column_of_counts_that_the_sheet_lacks_is_still_refused():
    with pytest.raises(SamplesError, match="1 sample only in counts: 's5'"):
        count_data(frame(s5=[1, 2, 3]), SHEET)
    for text in (["1", "2", "3"], ["1,5", "2,0", "3,25"], ["1 200", "7", "1'300"]):
        with pytest.raises(CountsError, match="1 column of type"):
            count_data(frame(s5=text), SHEET)


def test_labels_of_genes_in_a_column_belong_in_the_index():
    with pytest.raises(CountsError, match=r"counts.set_index\('gene'\)"):
        count_data(frame(symbol=SYMBOLS).reset_index(), SHEET)


def test_columns_of_one_name_are_refused():
    twice = pd.concat([frame(), frame(symbol=SYMBOLS)[["symbol"]], frame(symbol=SYMBOLS)[["symbol"]]], axis=1)
    with pytest.raises(OptionError, match="have the same name: 'symbol'"):
        count_data(twice, SHEET)


def test_var_of_anndata():
    anndata = pytest.importorskip("anndata")
    var = pd.DataFrame({"gene_name": SYMBOLS, "n": [1, 2, 3]}, index=GENES)
    data = count_data(anndata.AnnData(X=VALUES.T.astype(float), obs=SHEET, var=var))
    assert list(data.gene_info["gene_name"]) == SYMBOLS
    assert list(data.gene_info["n"]) == [1, 2, 3]
    data.gene_info.loc["g0", "n"] = 9
    assert var.loc["g0", "n"] == 1


class TestGiven:
    def test_it_is_matched_by_label(self):
        given = pd.DataFrame({"symbol": ["c", "a", "b", "z"], "n": [3, 1, 2, 9]}, index=["g2", "g0", "g1", "other"])
        info = count_data(frame(), SHEET, gene_info=given).gene_info
        assert list(info["symbol"]) == ["a", "b", "c"]
        assert list(info["n"]) == [1, 2, 3]
        assert info["n"].dtype == np.int64

    def test_it_adds_to_what_came_with_the_counts_and_goes_before_it(self):
        given = pd.DataFrame({"symbol": ["a", "b", "c"]}, index=GENES)
        info = count_data(frame(symbol=SYMBOLS, Length=[1, 2, 3]), SHEET, gene_info=given).gene_info
        assert list(info) == ["Length", "symbol"]
        assert list(info["symbol"]) == ["a", "b", "c"]

    def test_a_series_has_symbols(self):
        assert list(count_data(frame(), SHEET, gene_info=pd.Series(SYMBOLS, GENES)).gene_info["symbol"]) == SYMBOLS
        named = pd.Series(SYMBOLS, GENES, name="hgnc")
        assert list(count_data(frame(), SHEET, gene_info=named).gene_info) == ["hgnc"]

    def test_numbers_as_labels_match_text(self):
        counts = frame().set_axis([11, 12, 13], axis=0)
        given = pd.Series(SYMBOLS, [11.0, 12.0, 13.0])
        assert list(count_data(counts, SHEET, gene_info=given).gene_info["symbol"]) == SYMBOLS

    def test_genes_that_it_lacks_are_named(self):
        with pytest.warns(CountnestWarning, match="gene_info lacks 1 gene of counts.*'g1'"):
            info = count_data(frame(), SHEET, gene_info=pd.Series(["a", "c"], ["g0", "g2"])).gene_info
        assert list(info["symbol"].isna()) == [False, True, False]

    def test_counts_without_labels_are_matched_by_position(self):
        info = count_data(VALUES, SHEET, gene_info=pd.DataFrame({"symbol": SYMBOLS})).gene_info
        assert list(info["symbol"]) == SYMBOLS
        assert list(info.index) == ["gene1", "gene2", "gene3"]

    def test_refusals(self):
        column = pd.DataFrame({"x": [1, 2, 3], "id": GENES, "symbol": SYMBOLS})
        cases = [
            ({"g0": "a"}, "gene_info is a dict; give a DataFrame"),
            (column, r"gene_info.set_index\('id'\)"),
            (pd.Series(SYMBOLS, ["h0", "h1", "h2"]), "none of the genes of counts: its labels are 'h0'.*are 'g0'"),
            (pd.Series(SYMBOLS, ["g0", "g1", "g1"]), r"1 gene of counts more than once: 'g1'.*duplicated"),
            (column.set_index(["id", "x"]), "labels of 2 levels"),
        ]
        for given, words in cases:
            with pytest.raises(OptionError, match=words):
                count_data(frame(), SHEET, gene_info=given)

    def test_repeated_labels_of_other_genes_do_not_matter(self):
        given = pd.Series([*SYMBOLS, "x", "y", "z"], [*GENES, "h", "h", None])
        assert list(count_data(frame(), SHEET, gene_info=given).gene_info["symbol"]) == SYMBOLS


class TestSymbols:
    INFO = pd.DataFrame({"biotype": "x", "gene_name": ["TP53", "MYC", "MYC"]}, index=pd.Index(GENES))

    def test_the_column_that_has_them(self):
        assert symbol_column(["Length", "gene_name", "biotype"]) == "gene_name"
        assert symbol_column(["gene_name", "SYMBOL"]) == "SYMBOL"
        assert symbol_column(["name", "description"]) is None
        assert symbols_of(self.INFO[["biotype"]]) is None
        assert list(symbols_of(pd.DataFrame({"symbol": ["a", None, np.nan]}))) == ["a", "", ""]

    def test_a_gene_is_found_by_its_label_and_by_a_symbol_that_is_its_own(self):
        genes = self.INFO.index
        assert gene_by_name("g1", genes, self.INFO) == "g1"
        assert gene_by_name("TP53", genes, self.INFO) == "g0"
        with pytest.raises(OptionError, match=r"2 genes have the symbol 'MYC'.*'g1', 'g2'"):
            gene_by_name("MYC", genes, self.INFO)
        with pytest.raises(OptionError, match=r"no gene with the label or the symbol 'TP54'. Did you mean 'TP53'"):
            gene_by_name("TP54", genes, self.INFO)
        with pytest.raises(OptionError, match="has no gene 'TP53'"):
            gene_by_name("TP53", genes, self.INFO[["biotype"]])

    def test_what_a_figure_calls_a_gene(self):
        assert called(self.INFO, "g1") == "MYC (g1)"
        assert called(self.INFO[["biotype"]], "g1") == "g1"
        assert called(self.INFO.assign(gene_name=["g0", None, ""]), "g0") == "g0"
        assert called(self.INFO.assign(gene_name=["g0", None, ""]), "g1") == "g1"
        assert called(self.INFO.assign(gene_name=["g0", None, ""]), "g2") == "g2"


def test_tables_carry_it_last_without_lists_of_exons_and_names_that_they_have():
    table = pd.DataFrame({"baseMean": [1.0, 2.0, 3.0], "stat": 0.0}, index=pd.Index(GENES))
    info = pd.DataFrame({**FEATURE_COUNTS, "symbol": SYMBOLS, "stat": 7, "padj_stagewise": 0.0}, index=table.index)
    whole, names = with_info(table, info)
    assert names == ("Length", "symbol")
    assert list(whole) == ["baseMean", "stat", "Length", "symbol"]
    assert whole["stat"].eq(0).all()
    _, names = with_info(table, info.assign(Chr=["1", "X", "2"], description="a; b")[["Chr", "description"]])
    assert names == ("Chr", "description")
    same, names = with_info(table, info[[]])
    assert same is table
    assert names == ()


def test_annotation_stays_with_its_genes_where_rows_are_left_out():
    counts = pd.DataFrame({"s1": [1, 9, 2, 9], "s2": [4, 9, 3, 9]}, index=["g1", "N_unmapped", "g2", "Total"])
    sheet = pd.DataFrame({"group": ["a", "b"]}, index=["s1", "s2"])
    with pytest.warns(CountnestWarning, match="2 rows of counts are not genes"):
        data = count_data(counts.assign(symbol=["A", "x", "B", "y"]), sheet)
    assert list(data.genes) == ["g1", "g2"]
    assert list(data.gene_info["symbol"]) == ["A", "B"]
