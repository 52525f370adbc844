"""Tables as text: what `repr` and the csv module write, whatever the values."""

import csv
import io

import numpy as np
import pandas as pd

from countnest.containers.table_text import table_text


def plainly(table, separator=","):
    """Return the same text by the csv module, value by value."""
    buffer = io.StringIO(newline="")
    rows = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    rows.writerow(["gene", *table.columns])
    columns = [table.index, *(table[name] for name in table)]
    for values in zip(*columns, strict=True):
        rows.writerow(["NA" if pd.isna(value) else value for value in values])
    return buffer.getvalue()


def bits(n):
    """Return doubles of random bits, of every size, among them values that are not numbers."""
    return np.random.default_rng(1).integers(0, 2**64, n, dtype=np.uint64).view(np.float64)


def test_numbers_are_written_as_python_writes_them():
    borders = [0.0, -0.0, 1e-4, 9.999999999999999e-5, 1e-5, 1e15, 1e16, 999999999999999.9, 1e22, 5e-324, 1e308]
    sizes = 10.0 ** np.random.default_rng(2).uniform(-20.0, 20.0, 5000)
    values = np.concatenate([borders, np.negative(borders), [np.inf, -np.inf, np.nan], sizes, -sizes, bits(5000)])
    lines = table_text(pd.DataFrame({"x": values}), ",", "gene").splitlines()
    assert lines[0] == "gene,x"
    assert [line.split(",")[1] for line in lines[1:]] == ["NA" if np.isnan(x) else repr(float(x)) for x in values]


def test_other_values_are_written_as_the_csv_module_writes_them():
    table = pd.DataFrame(
        {
            "text": ["a,b", 'quoted "q"', None, "", "two\nlines"],
            "tab": ["a\tb", "null", "null,null", "NA", "µ"],
            "yes": [True, False, True, True, False],
            "maybe": pd.array([True, None, False, True, None], dtype="boolean"),
            "count": [1, -2, 3, 2**62, 0],
            "some": pd.array([1, None, 3, 4, 5], dtype="Int64"),
            "level": pd.Categorical(["u", "v", None, "u", "v"]),
            "single": np.array([0.1, 0.2, np.nan, 1.0, np.inf], dtype=np.float32),
            "mixed": [1, "a", 2.5, np.nan, pd.NA],
            "x, y": [0.1, np.nan, 1e-7, np.inf, 3.0],
        },
        index=["ä", "g,2", "null", "g4", "g5"],
    )
    for separator in (",", "\t"):
        assert table_text(table, separator, "gene") == plainly(table, separator)


def test_any_index_is_the_first_column():
    table = pd.DataFrame({"x": [1.5, 2.0]})
    for index in (pd.RangeIndex(2), pd.Index([1e-7, np.nan]), pd.Index(["a", None])):
        assert table_text(table.set_axis(index), ",", "gene") == plainly(table.set_axis(index))
    assert table_text(table.rename_axis("sample"), ",", "gene").startswith("sample,x\n0,1.5\n")


def test_a_column_name_may_be_there_twice():
    table = pd.DataFrame([[1.0, 2.0]], index=["g"], columns=["x", "x"])
    assert table_text(table, ",", "gene") == "gene,x,x\ng,1.0,2.0\n"


def test_a_table_without_rows_or_columns():
    table = pd.DataFrame({"x": [1.0]}, index=["g"])
    assert table_text(table.iloc[:0], ",", "gene") == "gene,x\n"
    assert table_text(table[[]], ",", "gene") == "gene\ng\n"
