"""Counts of users: every kind of input, every label rule, every refusal."""

import re
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cases import each
from countnest.containers.counts import CountData, count_data
from countnest.errors import CountnestWarning, CountsError, OptionError, SamplesError

SAMPLES = ["s1", "s2", "s3", "s4"]
GENES = [f"g{i}" for i in range(6)]
VALUES = np.array(
    [[3, 0, 5, 2], [100, 90, 80, 70], [10, 12, 9, 30], [1, 0, 0, 4], [7, 7, 7, 7], [0, 0, 0, 0]], dtype=np.int64
)


def frame() -> pd.DataFrame:
    return pd.DataFrame(VALUES.copy(), index=pd.Index(GENES, name="gene"), columns=SAMPLES)


def sheet() -> pd.DataFrame:
    return pd.DataFrame({"group": list("aabb"), "x": [1.0, 2.0, 3.0, 4.0]}, index=pd.Index(SAMPLES, name="sample"))


def assert_same(data: CountData, other: CountData) -> None:
    np.testing.assert_array_equal(data.counts, other.counts)
    assert list(data.genes) == list(other.genes)
    assert list(data.samples) == list(other.samples)
    pd.testing.assert_frame_equal(data.sheet, other.sheet, check_names=False)


def refused(error: type[Exception], *parts: str):
    """Expect `error` with each of `parts` in its message, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


class TestKinds:
    def test_frame(self):
        data = count_data(frame(), sheet())
        np.testing.assert_array_equal(data.counts, VALUES)
        assert data.counts.dtype == np.float64
        assert data.counts.flags.c_contiguous
        assert data.counts.flags.writeable
        assert list(data.genes) == GENES
        assert data.genes.name == "gene"
        assert list(data.samples) == SAMPLES
        pd.testing.assert_frame_equal(data.sheet, sheet())
        assert data.sheet.index.equals(data.samples)

    @each(
        "counts",
        [
            frame().T,
            frame().astype(float),
            frame().astype("float32"),
            frame().astype("uint16"),
            frame().astype({"s1": float}),
            frame().astype("Int64"),
            frame().astype({"s2": "Int32"}),
            frame().astype(pd.SparseDtype("int64", 0)),
            frame().T.astype("Int64"),
        ],
        ids=["transposed", "float", "float32", "uint16", "mixed", "Int64", "one Int32", "sparse", "transposed Int64"],
    )
    def test_frames_of_any_type_and_orientation(self, counts):
        data = count_data(counts, sheet())
        assert_same(data, count_data(frame(), sheet()))
        assert data.counts.flags.c_contiguous

    @each("turned", [False, True])
    @each(
        "convert",
        [
            np.asarray,
            np.asfortranarray,
            np.ma.masked_array,
            sparse.csr_matrix,
            sparse.csc_matrix,
            sparse.csr_array,
            sparse.csc_array,
            sparse.coo_array,
            sparse.lil_matrix,
        ],
    )
    def test_arrays_of_any_kind_and_orientation(self, convert, turned):
        data = count_data(convert(VALUES.T if turned else VALUES), sheet(), genes=GENES)
        assert_same(data, count_data(frame(), sheet()))
        assert data.counts.dtype == np.float64
        assert data.counts.flags.c_contiguous

    def test_stored_zeros_and_repeated_entries_of_a_sparse_matrix(self):
        entries = ([1, 2, 0, 5], ([0, 0, 1, 2], [0, 0, 1, 1]))
        data = count_data(sparse.coo_matrix(entries, shape=(3, 2)), pd.DataFrame(index=["a", "b"]))
        np.testing.assert_array_equal(data.counts, [[3, 0], [0, 0], [0, 5]])

    def test_nothing_given_is_changed_or_shared(self):
        counts, samples, array = frame(), sheet(), VALUES.astype(float)
        for given in (counts, array, sparse.csr_array(array)):
            data = count_data(given, samples)
            data.counts[:] = -1
            data.sheet.loc["s1", "x"] = -1
            data.sheet["new"] = 1
        pd.testing.assert_frame_equal(counts, frame())
        pd.testing.assert_frame_equal(samples, sheet())
        np.testing.assert_array_equal(array, VALUES)

    def test_other_types_are_refused(self):
        with refused(CountsError, "type list", "DataFrame", "AnnData"):
            count_data(VALUES.tolist(), sheet())

    def test_layer_needs_anndata(self):
        with refused(OptionError, "layer='raw'", "only to AnnData", "DataFrame"):
            count_data(frame(), sheet(), layer="raw")


class TestAnnData:
    @staticmethod
    def adata(values=VALUES.T, **keywords):
        anndata = pytest.importorskip("anndata")
        return anndata.AnnData(
            X=values, obs=sheet(), var=pd.DataFrame(index=pd.Index(GENES)), layers=keywords.pop("layers", None)
        )

    @pytest.mark.parametrize("convert", [np.asarray, np.float32, sparse.csr_matrix, sparse.csc_array])
    def test_x(self, convert):
        pytest.importorskip("anndata")
        if convert is sparse.csc_array and version("anndata").startswith("0.10"):
            pytest.skip("AnnData takes sparse matrices only, not sparse arrays, before 0.11")
        adata = self.adata(convert(VALUES.T))
        assert_same(count_data(adata), count_data(frame(), sheet()))
        np.testing.assert_array_equal(np.asarray(adata.to_df()), VALUES.T)

    @pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
    def test_layer(self, convert):
        adata = self.adata(VALUES.T / 7, layers={"raw": convert(VALUES.T), "other": VALUES.T + 0.5})
        assert_same(count_data(adata, layer="raw"), count_data(frame(), sheet()))
        with refused(CountsError, "not whole", "Whole numbers are in the layer 'raw': give layer='raw'."):
            count_data(adata)
        with refused(OptionError, "layer='rwa'", "'raw', 'other'", "Did you mean 'raw'?"):
            count_data(adata, layer="rwa")

    def test_no_layers_and_no_x(self):
        with refused(OptionError, "it has no layers"):
            count_data(self.adata(), layer="raw")
        with refused(CountsError, "has no X", "layer=", "'raw'"):
            count_data(self.adata(None, layers={"raw": VALUES.T}))

    def test_a_sheet_is_matched_with_obs_names(self):
        other = sheet().assign(group=list("wxyz"))
        data = count_data(self.adata(), other.iloc[::-1])
        assert list(data.samples) == SAMPLES
        assert list(data.sheet["group"]) == list("wxyz")

    def test_a_view(self):
        data = count_data(self.adata()[["s3", "s1"], ["g5", "g0"]])
        np.testing.assert_array_equal(data.counts, VALUES[[5, 0]][:, [2, 0]])
        assert list(data.samples) == ["s3", "s1"]
        assert list(data.sheet["x"]) == [3.0, 1.0]

    @pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
    def test_backed_by_a_file(self, convert, tmp_path):
        anndata = pytest.importorskip("anndata")
        self.adata(convert(VALUES.T)).write_h5ad(tmp_path / "a.h5ad")
        backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
        data = count_data(backed)
        backed.file.close()
        np.testing.assert_array_equal(data.counts, VALUES)
        assert list(data.genes) == GENES
        assert list(data.samples) == SAMPLES
        assert list(data.sheet["group"]) == list("aabb")

    def test_row_numbers_as_names_match_a_sheet_without_labels(self):
        anndata = pytest.importorskip("anndata")
        data = count_data(anndata.AnnData(X=VALUES.T), sheet().reset_index(drop=True))
        assert list(data.samples) == ["0", "1", "2", "3"]

    def test_refusals(self):
        with refused(OptionError, "does not apply to AnnData", "adata.T"):
            count_data(self.adata(), orientation="genes_by_samples")
        repeated = self.adata()
        repeated.var_names = ["g0", "g0", "g2", "g3", "g4", "g5"]
        with refused(CountsError, "1 gene label more than once: 'g0'", "var_names_make_unique"):
            count_data(repeated)


class TestLabels:
    def test_any_order_of_the_sheet(self):
        data = count_data(frame(), sheet().loc[["s3", "s1", "s4", "s2"]])
        assert_same(data, count_data(frame(), sheet()))

    def test_order_of_the_counts_is_kept(self):
        data = count_data(frame()[["s4", "s2", "s1", "s3"]], sheet())
        assert list(data.samples) == ["s4", "s2", "s1", "s3"]
        assert list(data.sheet["x"]) == [4.0, 2.0, 1.0, 3.0]
        np.testing.assert_array_equal(data.counts, VALUES[:, [3, 1, 0, 2]])

    @pytest.mark.parametrize("labels", [[4, 3, 2, 1], [4.0, 3.0, 2.0, 1.0], np.array([4, 3, 2, 1], dtype=np.float32)])
    def test_numbers_match_text(self, labels):
        samples = sheet().set_axis(pd.Index(labels), axis=0)
        data = count_data(frame().set_axis(list("1234"), axis=1), samples)
        assert list(data.samples) == list("1234")
        assert list(data.sheet["x"]) == [4.0, 3.0, 2.0, 1.0]

    def test_row_numbers_that_do_not_start_at_zero_are_labels(self):
        counts = frame().set_axis([4, 3, 2, 1], axis=1)
        data = count_data(counts, sheet().set_axis(pd.RangeIndex(1, 5), axis=0))
        assert list(data.sheet["x"]) == [4.0, 3.0, 2.0, 1.0]

    def test_categories_of_a_sheet_survive(self):
        samples = sheet().astype({"group": pd.CategoricalDtype(["b", "a"])})
        data = count_data(frame(), samples.iloc[::-1])
        assert list(data.sheet["group"].cat.categories) == ["b", "a"]

    def test_sheet_labels_name_the_samples_of_an_array(self):
        assert list(count_data(VALUES, sheet()).samples) == SAMPLES
        assert list(count_data(frame().set_axis(range(4), axis=1), sheet()).samples) == ["s1", "s2", "s3", "s4"]

    def test_default_labels(self):
        data = count_data(VALUES, sheet().reset_index(drop=True))
        assert list(data.samples) == ["sample1", "sample2", "sample3", "sample4"]
        assert list(data.genes) == [f"gene{i}" for i in range(1, 7)]

    def test_labelled_counts_with_an_unlabelled_sheet_warn(self):
        with pytest.warns(CountnestWarning, match="matched with the counts by position, first with 's1'") as caught:
            data = count_data(frame(), sheet().reset_index(drop=True))
        assert caught[0].filename == __file__
        assert list(data.samples) == SAMPLES
        assert list(data.sheet["x"]) == [1.0, 2.0, 3.0, 4.0]

    @pytest.mark.parametrize("orientation", [None, "genes_by_samples"])
    def test_labels_in_a_column_of_the_sheet(self, orientation):
        with refused(SamplesError, "column 'sample'", "samples.set_index", "'sample'"):
            count_data(frame(), sheet().iloc[::-1].reset_index(), orientation=orientation)

    def test_labels_in_a_column_of_the_sheet_of_a_square_table(self):
        with refused(SamplesError, "samples.set_index('sample')"):
            count_data(frame().iloc[:4].T, sheet().reset_index())

    def test_labels_in_a_column_beside_other_labels(self):
        samples = sheet().assign(run=SAMPLES).set_axis(list("wxyz"), axis=0)
        with refused(SamplesError, "samples.set_index('run')"):
            count_data(frame(), samples)
        with refused(SamplesError, "samples.set_index('run')"):
            count_data(frame(), samples.set_axis(["s1", "x", "y", "z"], axis=0))

    def test_sorted_row_numbers_are_labels(self):
        samples = sheet().reset_index(drop=True).sort_values("x", ascending=False)
        data = count_data(frame().set_axis(range(4), axis=1), samples)
        assert list(data.sheet["x"]) == [1.0, 2.0, 3.0, 4.0]
        reversed_counts = frame().set_axis(range(4), axis=1)[[3, 2, 1, 0]]
        data = count_data(reversed_counts, sheet().reset_index(drop=True))
        assert list(data.sheet["x"]) == [4.0, 3.0, 2.0, 1.0]

    def test_sorted_row_numbers_with_an_array_warn(self):
        samples = sheet().reset_index(drop=True).sort_values("x", ascending=False)
        with pytest.warns(CountnestWarning, match="numbered in another order"):
            data = count_data(VALUES, samples)
        assert list(data.sheet["x"]) == [4.0, 3.0, 2.0, 1.0]

    def test_missing_on_either_side(self):
        counts = frame().rename(columns={"s1": "q1", "s3": "q3"})
        with refused(SamplesError, "2 samples only in counts: 'q1', 'q3'", "sample sheet: 's1', 's3'", "Select or"):
            count_data(counts, sheet())
        with refused(SamplesError, "1 sample only in counts: 's4'. To leave out", "counts[samples.index]"):
            count_data(frame(), sheet().iloc[:3])
        with refused(SamplesError, "match; 1 sample only in the sample sheet: 's2'"):
            count_data(frame().drop(columns="s2"), sheet())

    def test_long_lists_are_cut(self):
        counts = pd.DataFrame(np.ones((3, 9)), columns=["a", *range(8)])
        with refused(SamplesError, "8 samples only in counts: '0', '1', '2', '3', '4' and 3 more"):
            count_data(counts, pd.DataFrame(index=["a", "b"]))

    @pytest.mark.parametrize("spoilt", ["S-1", " s.1 ", "Xs-1"])
    def test_labels_that_nearly_match(self, spoilt):
        sheet_labels = ["s-1" if spoilt != "Xs-1" else "1-1", "s2", "s3", "s4"]
        spoilt = "X1.1" if spoilt == "Xs-1" else spoilt
        counts = frame().rename(columns={"s1": spoilt})
        samples = sheet().set_axis(sheet_labels, axis=0).iloc[::-1]
        with pytest.warns(CountnestWarning, match="1 sample label .* is not equal, but means the same") as caught:
            data = count_data(counts, samples)
        assert f"{spoilt!r} and {sheet_labels[0]!r}" in str(caught[0].message)
        assert list(data.samples) == sheet_labels
        assert list(data.sheet["x"]) == [1.0, 2.0, 3.0, 4.0]

    def test_all_labels_nearly_match(self):
        with pytest.warns(CountnestWarning, match="4 sample labels .* 'S1' and 's1', 'S2' and 's2'"):
            assert_same(count_data(frame().rename(columns=str.upper), sheet()), count_data(frame(), sheet()))

    def test_repeated_labels(self):
        with refused(CountsError, "2 gene labels more than once: 'g0', 'g1'", "groupby(level=0).sum()"):
            count_data(pd.concat([frame(), frame().iloc[:2]]), sheet())
        with refused(CountsError, "1 sample label more than once: 's1'"):
            count_data(frame()[["s1", "s1", "s2", "s3", "s4"]], sheet())
        with refused(SamplesError, "the sample sheet: 1 sample label more than once: 's2'"):
            count_data(frame(), sheet().iloc[[0, 1, 1, 2, 3]])
        with refused(CountsError, "1 gene label more than once: '1'"):
            count_data(frame().set_axis([1, "1", 2, 3, 4, 5], axis=0), sheet())

    def test_missing_labels(self):
        with refused(CountsError, "counts has 1 missing label, at position '2'"):
            count_data(frame().rename(index={"g2": np.nan}), sheet())
        with refused(CountsError, "counts has 1 missing label, at position '5'"):
            count_data(frame().rename(index={"g5": ""}), sheet())
        with refused(SamplesError, "samples has 1 missing label"):
            count_data(frame(), sheet().rename(index={"s1": None}))

    def test_labels_of_two_levels(self):
        with refused(CountsError, "labels of 2 levels"):
            count_data(pd.concat({"k": frame()}), sheet())
        with refused(SamplesError, "labels of 2 levels"):
            count_data(frame(), sheet().set_index("group", append=True))

    def test_given_gene_labels(self):
        assert list(count_data(frame(), sheet(), genes=range(10, 16)).genes) == [str(i) for i in range(10, 16)]
        with refused(CountsError, "genes= has 2 labels, but counts has 6 genes"):
            count_data(VALUES, sheet(), genes=["a", "b"])
        with refused(CountsError, "1 gene label more than once: 'a'"):
            count_data(VALUES, sheet(), genes=list("aabcde"))


class TestSheet:
    def test_not_a_frame(self):
        with refused(SamplesError, "samples is of type Series"):
            count_data(frame(), sheet()["group"])
        with refused(SamplesError, "the sample sheet is missing"):
            count_data(frame())

    def test_no_rows(self):
        with refused(SamplesError, "no rows"):
            count_data(frame(), sheet().iloc[:0])

    def test_repeated_columns(self):
        with refused(SamplesError, "columns of the same name: 'x'"):
            count_data(frame(), sheet()[["x", "x"]])

    def test_no_columns(self):
        assert count_data(frame(), sheet()[[]]).sheet.shape == (4, 0)


class TestOrientation:
    @pytest.mark.parametrize("counts", [VALUES[:4], sparse.csr_array(VALUES[:4]), frame().iloc[:4].to_numpy()])
    def test_square_without_labels(self, counts):
        with refused(CountsError, "fits both axes", "orientation='genes_by_samples'"):
            count_data(counts, sheet())
        data = count_data(counts, sheet(), orientation="samples_by_genes")
        np.testing.assert_array_equal(data.counts, VALUES[:4].T)
        data = count_data(counts, sheet(), orientation="genes_by_samples")
        np.testing.assert_array_equal(data.counts, VALUES[:4])

    def test_square_with_labels(self):
        data = count_data(frame().iloc[:4].T, sheet())
        np.testing.assert_array_equal(data.counts, VALUES[:4])

    def test_the_same_labels_on_both_axes(self):
        counts = frame().iloc[:4].set_axis(SAMPLES, axis=0)
        with refused(CountsError, "fits both axes", "rows 's1'"):
            count_data(counts, sheet())
        np.testing.assert_array_equal(count_data(counts, sheet(), orientation="samples_by_genes").counts, VALUES[:4].T)

    def test_a_full_match_outweighs_a_partial_one(self):
        counts = frame().rename(index={"g1": "s1"})
        np.testing.assert_array_equal(count_data(counts, sheet()).counts, VALUES)

    def test_neither_axis(self):
        with refused(CountsError, "of 4 rows", "fits neither axis", "(6, 3)", "orientation='samples_by_genes'"):
            count_data(VALUES[:, :3], sheet())
        with refused(CountsError, "fits neither axis", "sample sheet 's1'", "rows 'g0'", "columns 'q0'"):
            count_data(frame().set_axis([f"q{i}" for i in range(4)], axis=1), sheet())

    def test_lengths_differ_under_a_given_orientation(self):
        with refused(SamplesError, "counts has 6 samples, but the sample sheet has 4 rows"):
            count_data(VALUES, sheet(), orientation="samples_by_genes")
        numbered = frame().set_axis([3, 2, 1, 0], axis=1)
        with refused(SamplesError, "counts has 4 samples, but the sample sheet has 5 rows"):
            count_data(numbered, pd.DataFrame({"x": range(5)}), orientation="genes_by_samples")

    def test_unknown_word(self):
        with refused(OptionError, "orientation='genes'", "use one of 'genes_by_samples', 'samples_by_genes'"):
            count_data(frame(), sheet(), orientation="genes")


class TestValues:
    @each("kind", ["frame", "array", "sparse", "transposed"])
    @each(
        ("value", "parts"),
        [
            (np.nan, ("1 count is missing (NaN)", "'g3'", "'s2'", "nan", "Drop")),
            (np.inf, ("1 count is infinite", "'g3'", "'s2'", "inf")),
            (-2, ("1 count is negative", "'g3'", "'s2'", "-2.0", "not log")),
            (2.5, ("1 count is not whole", "'g3'", "'s2'", "2.5", "counts.round()", "TPM")),
        ],
    )
    def test_one_bad_cell(self, kind, value, parts):
        values = VALUES.astype(float)
        values[3, 1] = value
        spoilt = {
            "frame": frame().astype(float),
            "array": values,
            "sparse": sparse.csr_array(values),
            "transposed": frame().astype(float).T,
        }[kind]
        if kind == "frame":
            spoilt.loc["g3", "s2"] = value
        elif kind == "transposed":
            spoilt.loc["s2", "g3"] = value
        with refused(CountsError, *parts):
            count_data(spoilt, sheet(), genes=GENES)

    def test_many_bad_cells_are_counted(self):
        spoilt = frame() + 0.25
        with refused(
            CountsError,
            "24 counts are not whole, in 6 genes ('g0', 'g1', 'g2', 'g3', 'g4' and 1 more) and 4 samples",
            "gene 'g0', sample 's1': 3.25",
        ):
            count_data(spoilt, sheet())

    def test_missing_values_come_before_other_faults(self):
        spoilt = frame().astype(float)
        spoilt.iloc[0, 0], spoilt.iloc[5, 3] = -1.5, np.nan
        with refused(CountsError, "1 count is missing", "'g5'", "'s4'"):
            count_data(spoilt, sheet())

    def test_bad_cells_beyond_the_first_block(self):
        values = np.ones((100_000, 4))
        values[0, 0] = 2
        values[99_999, 2], values[70_000, 3] = -1, -3
        with refused(CountsError, "2 counts are negative, in 2 genes ('gene70001', 'gene100000')", "'s3', 's4'"):
            count_data(values, sheet())

    def test_what_the_first_block_shows_is_remembered(self):
        values = np.zeros((100_000, 4))
        values[0] = [1, 2, 3, 4]
        assert count_data(values, sheet()).counts.sum() == 10

    def test_masked_and_nullable_cells_are_missing(self):
        with refused(CountsError, "1 count is missing"):
            count_data(np.ma.masked_equal(VALUES, 12), sheet())
        with refused(CountsError, "4 counts are missing", "gene 'g4'"):
            count_data(frame().astype("Int64").replace(7, pd.NA), sheet())

    def test_text_columns(self):
        with refused(CountsError, "1 column", "'symbol'", "counts.set_index('symbol')"):
            count_data(frame().reset_index(drop=True).assign(symbol=list("uvwxyz")), sheet())
        with refused(CountsError, "4 columns", "'s1', 's2', 's3', 's4'", "counts.astype(float)"):
            count_data(frame().astype(str), sheet())
        with refused(CountsError, "the array is of type object"):
            count_data(VALUES.astype(object), sheet())

    def test_truth_values(self):
        with refused(CountsError, "4 columns of type bool", "True and False are not counts"):
            count_data(frame() > 2, sheet())
        with refused(CountsError, "of type bool"):
            count_data(VALUES > 2, sheet())

    def test_complex_numbers(self):
        with refused(CountsError, "of type complex128"):
            count_data(VALUES.astype(complex), sheet())

    @pytest.mark.parametrize("shape", [(0, 4), (4, 0), (6,), (6, 4, 2)])
    def test_not_a_table(self, shape):
        with refused(CountsError, "not empty", re.sub(r"'", "", str(shape))):
            count_data(np.ones(shape), sheet())

    def test_empty_frame(self):
        with refused(CountsError, "not empty", "(0, 4)"):
            count_data(frame().iloc[:0], sheet())

    def test_samples_without_reads(self):
        with refused(CountsError, "all counts are zero in 2 samples: 's2', 's4'", "drop these samples"):
            count_data(frame().assign(s2=0, s4=0), sheet())

    def test_no_reads_at_all(self):
        with refused(CountsError, "all counts are zero; is this the right table?"):
            count_data(VALUES * 0, sheet())

    def test_equal_samples_warn(self):
        equal = np.repeat(VALUES[:, [2]], 4, axis=1)
        with pytest.warns(CountnestWarning, match="all genes have equal values for all samples") as caught:
            count_data(equal, sheet())
        assert caught[0].filename == __file__

    def test_one_sample_is_not_compared_with_itself(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert count_data(VALUES[:, :1], sheet().iloc[:1]).counts.shape == (6, 1)


def test_swapped_tables_are_recognised():
    described = frame().assign(gene_name="SYM")
    for counts in (frame(), described):
        with refused(SamplesError, "the sample sheet was given as counts"):
            count_data(sheet(), counts)
        with refused(SamplesError, "one table was given twice", "samples= a table with one row for each sample"):
            count_data(counts, counts)
    with refused(SamplesError, "one table was given twice, or another one of the same kind"):
        count_data(described, frame())
    with refused(SamplesError, "one table was given twice"):
        count_data(sheet(), sheet())
    merged = pd.concat([frame().T, sheet()], axis=1)
    assert_same(count_data(frame().T, merged), count_data(frame(), merged))


def test_cells_that_are_no_number_are_named_and_no_gene_is_given_up():
    plain = pd.DataFrame(
        np.arange(160).reshape(20, 8), index=[f"g{i}" for i in range(20)], columns=[f"s{i}" for i in range(8)]
    )
    for text in ("0x10", "1_000", "True"):
        for genes in (["g3"], ["g3", "g5", "g7", "g9", "g11"]):
            counts = plain.astype(object)
            counts.loc[genes, "s7"] = text
            with pytest.raises(CountsError, match=f"'{text}' in gene 'g3', sample 's7'.* is not a number") as caught:
                count_data(counts, pd.DataFrame(index=counts.columns))
            assert "rop it" not in str(caught.value)
            assert "index" not in str(caught.value)
    counts = plain.astype(object)
    counts.loc["g3"] = "treated"
    with pytest.raises(CountsError, match="The row 'g3' holds text in every column"):
        count_data(counts, pd.DataFrame(index=counts.columns))
