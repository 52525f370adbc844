"""Reading tables: what becomes of every kind of cell, and every refusal."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from countnest.errors import CountsError, FileError, SamplesError
from countnest.io.tables import read_counts, read_samples


@pytest.fixture
def save(tmp_path):
    def save_as(name: str, content: str | bytes):
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return save_as


def refused(error: type[Exception], *parts: str):
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


EXPECTED = pd.DataFrame({"a": [1, 3], "b": [2, 4]}, index=pd.Index(["g1", "g2"], name="gene"))


class TestReadCounts:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("x.csv", "gene,a,b\ng1,1,2\ng2,3,4\n"),
            ("x.csv", "gene,a,b\r\ng1,1,2\r\ng2,3,4"),
            ("x.csv", "gene,a,b\rg1,1,2\rg2,3,4\r"),
            ("x.csv", "\ufeffgene,a,b\n\ng1,1,2\n  \ng2,3,4\n\n"),
            ("x.csv", '"gene","a","b"\n"g1",1,2\n"g2",3,4\n'),
            ("x.csv", "gene;a;b\ng1;1;2\ng2;3;4\n"),
            ("x.csv", "gene\ta\tb\ng1\t1\t2\ng2\t3\t4\n"),
            ("x.CSV.gz", "gene,a,b\ng1,1,2\ng2,3,4\n"),
            ("x.tsv", "gene\ta\tb\ng1\t1\t2\ng2\t3\t4\n"),
            ("x.tsv.gz", "# program: counts\n#second\ngene\ta\tb\ng1\t1\t2\ng2\t3\t4\n"),
            ("x.csv.txt", "gene;a;b\ng1;1;2\ng2;3;4\n"),
            ("x.txt", "gene a b\ng1 1 2\ng2 3 4\n"),
            ("x", "gene,a,b\ng1,1,2\ng2,3,4\n"),
        ],
    )
    def test_separators_endings_comments_and_compression(self, save, name, content):
        frame = read_counts(save(name, content))
        pd.testing.assert_frame_equal(frame, EXPECTED)
        assert list(frame.dtypes) == [np.int64, np.int64]

    @pytest.mark.parametrize("content", ['"a"\t"b"\n"g1"\t1\t2\n"g2"\t3\t4\n', "a\tb\ng1\t1\t2\ng2\t3\t4\n"])
    def test_header_of_r_without_a_name_for_the_labels(self, save, content):
        pd.testing.assert_frame_equal(read_counts(save("x.txt", content)), EXPECTED.rename_axis(index=None))

    def test_feature_counts(self, save):
        text = (
            "# Program:featureCounts v2.0.3\nGeneid\tChr\tStart\tEnd\tStrand\tLength\ta.bam\tb.bam\n"
            "g1\t1;1\t1;9\t5;20\t+;+\t17\t1\t2\ng2\tX\t1\t5\t-\t5\t3\t4\n"
        )
        record = read_counts(save("x.txt", text))
        assert list(record.gene_info.columns) == ["Chr", "Start", "End", "Strand", "Length"]
        assert record.gene_info.loc["g1", "Start"] == "1;9"
        pd.testing.assert_frame_equal(record.counts, EXPECTED.rename_axis(index=None))

    def test_annotation_stays(self, save):
        frame = read_counts(save("x.csv", "gene,Chr,Length,a\ng1,X,5,1\n"))
        assert list(frame.columns) == ["Chr", "Length", "a"]

    def test_labels_stay_text(self, save):
        frame = read_counts(save("x.csv", "gene,1,02\nNA,1,2\n007,3,4\nnan,5,6\n,7,8\n1e5,9,10\n"))
        assert list(frame.index) == ["NA", "007", "nan", "", "1e5"]
        assert list(frame.columns) == ["1", "02"]

    def test_labels_that_are_numbers(self, save):
        assert list(read_counts(save("x.csv", "gene,a\n007,1\n1.0,2\n")).index) == ["007", "1.0"]

    def test_quoted_labels(self, save):
        frame = read_counts(save("x.csv", 'gene,"a,1",b\n"g,1",1,2\n"g ""2""",3,4\n'))
        assert list(frame.index) == ["g,1", 'g "2"']
        assert list(frame.columns) == ["a,1", "b"]

    @pytest.mark.parametrize(
        ("name", "content", "columns"),
        [
            ("x.txt", "gene\ta,b,c\td;e\ng1\t1\t2\n", ["a,b,c", "d;e"]),
            ("x.csv", "gene;a,1;b\ng1;1;2\n", ["a,1", "b"]),
            ("x.csv", "gene,a b,c;d\ng1,1,2\n", ["a b", "c;d"]),
            ("x.txt", '"gene";"a,,,";b\ng1;1;2\n', ["a,,,", "b"]),
        ],
    )
    def test_names_that_hold_other_separators(self, save, name, content, columns):
        frame = read_counts(save(name, content))
        assert list(frame.columns) == columns
        assert frame.loc["g1"].tolist() == [1, 2]

    def test_missing_and_broken_numbers(self, save):
        frame = read_counts(save("x.csv", "gene,a,b,c,d\ng1,1,NA,0.1,x\ng2,2,,1e-3,y\n"))
        assert frame["a"].dtype == np.int64
        assert frame["b"].isna().all()
        assert list(frame["c"]) == [0.1, 1e-3]
        assert list(frame["d"]) == ["x", "y"]

    def test_numbers_are_exact(self, save):
        frame = read_counts(save("x.csv", "gene,a\ng1,0.30000000000000004\ng2,5.551115123125783e-17\n"))
        assert list(frame["a"]) == [0.30000000000000004, 5.551115123125783e-17]

    def test_repeated_names(self, save):
        with refused(CountsError, "more than once: 'a', 'b'"):
            read_counts(save("x.csv", "gene,a,b,a,b,c\ng1,1,2,3,4,5\n"))
        with refused(CountsError, "column 3 has no name"):
            read_counts(save("x.csv", "gene,a,\ng1,1,2\n"))

    @pytest.mark.parametrize(
        ("body", "line", "fields"),
        [
            ("g1,1,2\ng2,3\n", 4, 2),
            ("g1,1,2\n\ng2,3,4,5\n", 5, 4),
            ('"g1",1,2\n"g2",3\n', 4, 2),
            ("g1,1\ng2,3,4\n", 3, 2),
            ("g1,1,2\r\ng2,3\r\n", 4, 2),
            ("g1,1,2,3\ng2,3,4\n", 4, 3),
        ],
    )
    def test_ragged(self, save, body, line, fields):
        with refused(FileError, "not a regular table", f"line {line} has {fields}", "complete"):
            read_counts(save("x.csv", "#c\ngene,a,b\n" + body))

    def test_one_column(self, save):
        with refused(FileError, "one column only", "'gene'"):
            read_counts(save("x.csv", "gene\ng1\n"))

    @pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", b"\xef\xbb\xbf"])
    def test_empty(self, save, content):
        with refused(FileError, "is empty"):
            read_counts(save("x.csv", content))

    def test_header_only(self, save):
        with refused(FileError, "no lines under it"):
            read_counts(save("x.csv", "gene,a\n"))

    @pytest.mark.parametrize(
        "content", [b"PK\x03\x04\xff\xfe\x00", b"gene,a\n\x00,1\n", "gène,a\n1,2\n".encode("latin1")]
    )
    def test_not_text(self, save, content):
        with refused(FileError, "text", "UTF-8"):
            read_counts(save("x.csv", content))

    def test_cut_off_archive(self, tmp_path):
        path = tmp_path / "x.csv.gz"
        path.write_bytes(gzip.compress(b"gene,a\ng1,1\n")[:-6])
        with refused(FileError, "cannot be unpacked", "copied completely"):
            read_counts(path)
        path.write_bytes(b"\x1f\x8bnonsense")
        with refused(FileError, "cannot be unpacked"):
            read_counts(path)

    @pytest.mark.parametrize("body", ['g1,1,"2\n', 'g1,1,2\ng2,3,"4\ng3,5,6\n'])
    def test_open_quotation_mark(self, save, body):
        with refused(FileError, "cannot be read as a table"):
            read_counts(save("x.csv", "gene,a,b\n" + body))

    def test_missing_file_and_folder(self, save, tmp_path):
        save("counts.csv", "gene,a\ng1,1\n")
        with refused(FileError, "cuonts.csv' does not exist", "Did you mean 'counts.csv'?"):
            read_counts(tmp_path / "cuonts.csv")
        with refused(FileError, "does not exist"):
            read_counts(tmp_path / "nowhere" / "counts.csv")
        with refused(FileError, "is a folder", "It holds 'counts.csv'"):
            read_counts(tmp_path)

    def test_other_failures_of_the_system(self, save, monkeypatch):
        def fail(_):
            raise PermissionError(13, "Permission denied")

        path = save("x.csv", "gene,a\ng1,1\n")
        monkeypatch.setattr("pathlib.Path.read_bytes", fail)
        with refused(FileError, "cannot be read: Permission denied"):
            read_counts(str(path))


class TestReadSamples:
    def column(self, save, *cells: str) -> pd.Series:
        rows = "".join(f"s{i},{cell},z\n" for i, cell in enumerate(cells))
        return read_samples(save("x.csv", "sample,v,w\n" + rows))["v"]

    @pytest.mark.parametrize("level", ["None", "NA", "null", "nan", "N/A", "NULL", "n/a"])
    def test_levels_that_look_missing_stay(self, save, level):
        assert list(self.column(save, level, "E", level)) == [level, "E", level]

    def test_only_levels_that_look_missing(self, save):
        assert list(self.column(save, "NA", "null", "NA")) == ["NA", "null", "NA"]

    @pytest.mark.parametrize("token", ["NA", "NaN", "nan", "N/A", "null", ""])
    def test_missing_numbers(self, save, token):
        column = self.column(save, "1", token, "3")
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, [1.0, np.nan, 3.0])

    def test_none_beside_numbers_is_a_level(self, save):
        assert list(self.column(save, "None", "1", "2")) == ["None", "1", "2"]

    def test_empty_cells_of_text_are_missing(self, save):
        column = self.column(save, "a", "", "b")
        assert list(column.isna()) == [False, True, False]

    @pytest.mark.parametrize(
        ("cells", "expected", "dtype"),
        [
            (["1", "-2", "+3"], [1, -2, 3], np.int64),
            (["0", "10"], [0, 10], np.int64),
            (["1", "2.5"], [1.0, 2.5], np.float64),
            (["1e-3", ".5", "2."], [1e-3, 0.5, 2.0], np.float64),
            (["0.1", "-0.30000000000000004"], [0.1, -0.30000000000000004], np.float64),
        ],
    )
    def test_numbers(self, save, cells, expected, dtype):
        column = self.column(save, *cells)
        assert column.dtype == dtype
        assert list(column) == expected

    @pytest.mark.parametrize(
        "cells",
        [
            ["001", "002"],
            ["1", "02"],
            ["1", "x"],
            ["inf", "1"],
            ["1_000", "2"],
            ["0x1", "2"],
            ["12345678901234567890", "1"],
            ["9007199254740993", ""],
            ["TRUE", "FALSE"],
            ["1 ", "2"],
            ["٣", "1"],
            ["."],
        ],
    )
    def test_text(self, save, cells):
        assert [cell for cell in self.column(save, *cells) if isinstance(cell, str)] == [cell for cell in cells if cell]

    def test_labels_stay_text(self, save):
        sheet = read_samples(save("x.tsv", "id\tv\n001\t1\nNA\t2\n3\t3\n"))
        assert list(sheet.index) == ["001", "NA", "3"]
        assert sheet.index.name == "id"
        assert list(sheet["v"]) == [1, 2, 3]

    def test_blank_lines(self, save):
        sheet = read_samples(save("x.csv", "sample,v\n\na,1\n  \nb,2\n\n"))
        assert list(sheet.index) == ["a", "b"]

    def test_label_column_by_name(self, save):
        sheet = read_samples(save("x.csv", "run,id,v\n1,b,x\n2,a,y\n"), index="id")
        assert list(sheet.index) == ["b", "a"]
        assert list(sheet.columns) == ["run", "v"]
        assert list(sheet["run"]) == [1, 2]

    def test_row_names_of_r_beside_a_label_column(self, save):
        sheet = read_samples(save("x.txt", '"id" "v"\n"1" "b" "x"\n"2" "a" "y"\n'), index="id")
        assert list(sheet.index) == ["b", "a"]
        assert list(sheet["v"]) == ["x", "y"]

    def test_unknown_label_column(self, save):
        with refused(SamplesError, "no column 'sampel'", "'sample', 'v'", "Did you mean 'sample'?"):
            read_samples(save("x.csv", "sample,v\na,1\n"), index="sampel")

    def test_repeated_and_missing_labels(self, save):
        with refused(SamplesError, "sample labels occur more than once: 'a'", "index="):
            read_samples(save("x.csv", "sample,v\na,1\na,2\nb,3\n"))
        with refused(SamplesError, "1 of 2 rows have no sample label"):
            read_samples(save("x.csv", "sample,v\n,1\na,2\n"))

    def test_repeated_names(self, save):
        with refused(SamplesError, "more than once: 'v'"):
            read_samples(save("x.csv", "sample,v,v\na,1,2\n"))

    def test_shared_refusals(self, save):
        with refused(FileError, "line 3 has 1"):
            read_samples(save("x.csv", "sample,v\na,1\nb\n"))
        with refused(FileError, "is empty"):
            read_samples(save("x.csv", ""))

    def test_overlong_field(self, save):
        with refused(FileError, "cannot be read as a table", "quotation mark"):
            read_samples(save("x.csv", 'sample,v\na,"' + "x" * 140_000 + "\n"))
