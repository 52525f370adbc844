"""Writing tables: exact numbers, the same bytes, whole files."""

import gzip
import os
import re

import numpy as np
import pandas as pd
import pytest

from countnest.containers.info import ResultsInfo
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.containers.table_file import write_table
from countnest.containers.transformed import Transformed
from countnest.errors import FileError
from exact import read_exactly


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": [0.1 + 0.2, np.nan, 1e-300], "n": [1, 2, 3], "t": ["a,b", None, 'q"']},
        index=pd.Index(["g1", "g2", "g3"], name="gene"),
    )


LINES = ["gene,x,n,t", 'g1,0.30000000000000004,1,"a,b"', "g2,NA,2,NA", 'g3,1e-300,3,"q"""', ""]


def test_comma_separated(tmp_path):
    write_table(table(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == "\n".join(LINES).encode()


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.TAB"])
def test_tab_separated(tmp_path, name):
    write_table(table(), tmp_path / name)
    assert (tmp_path / name).read_text().splitlines()[0] == "gene\tx\tn\tt"


def test_an_index_without_a_name(tmp_path):
    write_table(table().rename_axis(index=None), str(tmp_path / "a.csv"))
    write_table(table().rename_axis(index=None), tmp_path / "b.csv", label="sample")
    assert (tmp_path / "a.csv").read_text().startswith("gene,x,n,t\ng1,")
    assert (tmp_path / "b.csv").read_text().startswith("sample,x,n,t\ng1,")


def test_every_compression_and_separator_is_read_back(tmp_path):
    for ending, separator in {".csv": ",", ".tsv": "\t"}.items():
        for compression in ("", ".gz", ".bz2", ".xz"):
            path = tmp_path / f"a{ending}{compression}"
            write_table(table(), path)
            back = read_exactly(path, sep=separator, index_col="gene")
            pd.testing.assert_frame_equal(
                back.fillna({"t": "none"}), table().fillna({"t": "none"}), check_exact=True, check_dtype=False
            )


def test_all_tables_of_the_package_are_written_alike(tmp_path):
    results = Results(table(), ResultsInfo(label="dex"))
    transformed = Transformed(table=table()[["x"]], method="vst", blind=True)
    for each in (results, ResultsSet({"dex": results}), transformed):
        for name, start in {"a.csv": "gene,", "a.tsv": "gene\t", "a.txt.gz": "gene\t"}.items():
            each.to_csv(tmp_path / name)
            assert pd.read_csv(tmp_path / name, sep="\0").columns[0].startswith(start), (each, name)
        with pytest.raises(FileError, match=re.escape(".csv, .tsv, .tab, .txt")):
            each.to_csv(tmp_path / "a.xlsx")


def test_a_device_gets_commas():
    write_table(table(), os.devnull)


def test_compressed_with_the_same_bytes_under_any_name_and_time(tmp_path, monkeypatch):
    write_table(table(), tmp_path / "a.csv.gz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_table(table(), tmp_path / "other.v1.csv.gz")
    data = (tmp_path / "a.csv.gz").read_bytes()
    assert data == (tmp_path / "other.v1.csv.gz").read_bytes()
    assert gzip.decompress(data).decode() == "\n".join(LINES)


@pytest.mark.parametrize("name", ["a", "a.xlsx", "a.gz", "csv"])
def test_unknown_format(tmp_path, name):
    with pytest.raises(FileError, match=re.escape(".csv, .tsv, .tab, .txt")):
        write_table(table(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(FileError, match=r"a\.csv.*No space left"):
        write_table(table(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder(tmp_path):
    with pytest.raises(FileError, match="folder does not exist"):
        write_table(table(), tmp_path / "no" / "a.csv")
