"""Files that optional libraries read: AnnData, Parquet, Excel, R, matrices of Cell Ranger."""

import datetime
import gzip
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import countnest as cn
from countnest.errors import CountnestWarning, CountsError, FileError, OptionError
from unit.io.files import COUNTS, DATA, GENES, SAMPLES, SHEET, SYMBOLS, refused, same_counts


@pytest.fixture
def h5ad(tmp_path):
    anndata = pytest.importorskip("anndata")

    def written(values, layers=None, **parts):
        adata = anndata.AnnData(
            X=values, obs=SHEET.copy(), var=pd.DataFrame({"symbol": SYMBOLS}, index=GENES), layers=layers, **parts
        )
        adata.write_h5ad(tmp_path / "x.h5ad")
        return tmp_path / "x.h5ad"

    return written


class TestAnnData:
    def test_counts_sheet_and_annotation(self, h5ad):
        values = COUNTS.T.to_numpy()
        for held in (values, values.astype(np.float32), sparse.csr_matrix(values), sparse.csc_matrix(values)):
            record = cn.read_counts(h5ad(held))
            np.testing.assert_array_equal(record.counts, COUNTS)
            assert list(record.gene_info["symbol"]) == SYMBOLS
            dds = cn.DESeqDataSet(record, design="~ dex", quiet=True)
            assert list(dds.samples["dex"]) == list("abab")
            assert list(dds.gene_names) == GENES

    def test_layers_by_name(self, h5ad):
        values = COUNTS.T.to_numpy()
        path = h5ad(np.log1p(values), {"counts": values, "scaled": values / 3})
        same_counts(cn.read_counts(path, layer="counts"))
        with refused(OptionError, "layer='cuonts' is not in the AnnData object", "'counts'", "Did you mean"):
            cn.read_counts(path, layer="cuonts")
        with refused(CountsError, "X of the AnnData object does not hold counts", "normalized", "layer='counts'"):
            cn.read_counts(path)
        with refused(CountsError, "the layer 'scaled'", "does not hold counts", "layer='counts'"):
            cn.read_h5ad(path, layer="scaled")

    def test_cells_are_refused(self, tmp_path):
        anndata = pytest.importorskip("anndata")
        anndata.AnnData(X=sparse.random(2000, 20, 0.02, "csr", random_state=1).ceil()).write_h5ad(tmp_path / "x.h5ad")
        with refused(CountsError, "look like single cells", "cn.pseudobulk"):
            cn.read_counts(tmp_path / "x.h5ad")

    def test_other_files_of_hdf5(self, tmp_path):
        pytest.importorskip("anndata")
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["data"] = [1, 2]
        with refused(FileError, "x.h5' is a file of HDF5, and cannot be read as AnnData"):
            cn.read_counts(tmp_path / "x.h5")
        (tmp_path / "y.h5ad").write_text("no")
        with refused(FileError, "y.h5ad' is no file of HDF5"):
            cn.read_h5ad(tmp_path / "y.h5ad")


class TestParquet:
    def test_labels_are_the_index_or_the_first_column(self, tmp_path):
        pytest.importorskip("pyarrow")
        for number, frame in enumerate((COUNTS, COUNTS.rename_axis("gene").reset_index())):
            path = tmp_path / f"{number}.parquet"
            frame.to_parquet(path)
            pd.testing.assert_frame_equal(cn.read_counts(path), COUNTS, check_names=False)
        assert cn.DESeqDataSet(cn.read_counts(path), SHEET, "~ dex", quiet=True).shape == (4, 4)

    def test_incomplete(self, tmp_path):
        pytest.importorskip("pyarrow")
        (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
        with refused(FileError, "x.parquet' cannot be read as Parquet", "copied completely"):
            cn.read_counts(tmp_path / "x.parquet")


class TestExcel:
    def written(self, folder, **sheets):
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        book.save(folder / "x.xlsx")
        return folder / "x.xlsx"

    def rows(self):
        return [
            ["gene", *SAMPLES],
            *([gene, *row] for gene, row in zip(GENES, COUNTS.to_numpy().tolist(), strict=True)),
        ]

    def test_sheets_by_name(self, tmp_path):
        path = self.written(tmp_path, counts=self.rows(), notes=[["a", "b"], ["c", 1]])
        for frame in (cn.read_counts(path), cn.read_counts(path, sheet="counts")):
            pd.testing.assert_frame_equal(frame, COUNTS, check_names=False)
            assert frame.index.name == "gene"
        assert cn.read_counts(path, sheet="notes").loc["c", "b"] == 1
        with refused(OptionError, "sheet='count' is not in", "'counts', 'notes'", "Did you mean 'counts'"):
            cn.read_counts(path, sheet="count")

    def test_names_that_are_dates_are_reported(self, tmp_path):
        rows = self.rows()
        rows[2][0] = datetime.datetime(2006, 9, 2)
        with pytest.warns(CountnestWarning, match="1 name of genes is a date: '2006-09-02 00:00:00'"):
            cn.read_counts(self.written(tmp_path, counts=rows))

    def test_sheets_without_a_table(self, tmp_path):
        path = self.written(
            tmp_path, empty=[["gene"]], twice=[["g", "a", "a"], ["x", 1, 2]], none=[["g", None], ["x", 1]]
        )
        with refused(FileError, "the sheet has no table"):
            cn.read_counts(path)
        with refused(CountsError, "names more than once: 'a'"):
            cn.read_counts(path, sheet="twice")
        with refused(CountsError, "column 2 has no name"):
            cn.read_counts(path, sheet="none")

    def test_old_workbooks(self, tmp_path):
        (tmp_path / "x.xls").write_bytes(b"\xd0\xcf\x11\xe0 and more")
        with refused(FileError, "an old Excel", ".xlsx"):
            cn.read_counts(tmp_path / "x.xls")


class TestR:
    def test_matrices_and_experiments(self):
        pytest.importorskip("rdata")
        for name in ("matrix", "se", "ranged", "dds", "sparse"):
            same_counts(cn.read_counts(DATA / f"r/{name}.rds"))

    def test_sheet_and_annotation(self):
        pytest.importorskip("rdata")
        for name in ("se", "ranged", "dds"):
            record = cn.read_counts(DATA / f"r/{name}.rds")
            assert list(record.gene_info["symbol"]) == SYMBOLS
            dds = cn.DESeqDataSet(record, design="~ dex", quiet=True)
            assert list(dds.samples["dex"].cat.categories) == ["untrt", "trt"]
            assert list(dds.samples["age"]) == [31.5, 40, 28, 55]

    def test_assays_by_name(self):
        pytest.importorskip("rdata")
        record = cn.read_counts(DATA / "r/se.rds", layer="tpm")
        assert record.notes[0] == "Counts are those of the assay 'tpm'."
        with refused(OptionError, "layer='count' is not an assay", "'counts', 'tpm'"):
            cn.read_counts(DATA / "r/se.rds", layer="count")

    def test_other_objects(self, tmp_path):
        pytest.importorskip("rdata")
        with refused(FileError, "list.rds' holds neither", "write.csv(counts(dds)"):
            cn.read_counts(DATA / "r/list.rds")
        (tmp_path / "x.rds").write_bytes(gzip.compress(gzip.decompress((DATA / "r/se.rds").read_bytes())[:200]))
        with refused(FileError, "x.rds' cannot be read"):
            cn.read_counts(tmp_path / "x.rds")


class TestCellRanger:
    def test_cells_of_several_folders_are_summed_by_sample(self):
        pytest.importorskip("anndata")
        cells = cn.read_10x({"d1": DATA / "tenx/donor1", "d2": DATA / "tenx/donor2"})
        assert cells.shape == (10, 4)
        assert cells.obs_names[5] == "d2_AAACCTGA-1"
        assert list(cells.var["gene_name"]) == SYMBOLS
        bulk = cn.pseudobulk(cells, by="sample", min_cells=2, quiet=True)
        summed = bulk.X.toarray() if sparse.issparse(bulk.X) else bulk.X
        assert summed.tolist() == [[6, 12, 10, 18], [8, 18, 16, 30]]
        single = cn.read_10x(DATA / "tenx/donor1")
        assert single.shape == (5, 4)

    def test_barcodes_that_are_samples(self):
        record = cn.read_counts(DATA / "tenx/donor2")
        assert record.counts.loc[GENES[3], "AACACGTT-1"] == 12
        assert record.counts.sum(axis=1).tolist() == [8, 18, 16, 30]
        assert list(record.gene_info["gene_name"]) == SYMBOLS

    def test_incomplete_folders(self, tmp_path):
        with refused(FileError, "is no folder with matrix.mtx", "it holds"):
            cn.read_10x(DATA / "star")
        folder = shutil.copytree(DATA / "tenx/donor1", tmp_path / "a")
        (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(b"AAACCTGA-1\nAAACGGGT-1\n"))
        with refused(FileError, "matrix.mtx.gz' has 5 genes and 5 barcodes", "5 and 2", "incomplete"):
            cn.read_counts(folder)
        (folder / "barcodes.tsv.gz").unlink()
        with refused(FileError, "no barcodes.tsv, plain or packed"):
            cn.read_counts(folder)
        cut = shutil.copytree(DATA / "tenx/donor1", tmp_path / "b")
        text = gzip.decompress((cut / "matrix.mtx.gz").read_bytes())
        (cut / "matrix.mtx.gz").write_bytes(gzip.compress(text[:-12]))
        with refused(FileError, "matrix.mtx.gz' cannot be read", "complete"):
            cn.read_counts(cut)
