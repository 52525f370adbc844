"""Archives of any records: those of another method are saved and read without an edit of the module."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from countnest.arrays import FloatArray
from countnest.errors import FileError
from countnest.io.archive import read_archive, write_archive
from countnest.io.values import record_types


@dataclass(frozen=True)
class Variance:
    prior: float
    df: FloatArray | None = None


@dataclass(frozen=True)
class LinearFit:
    beta: FloatArray
    variance: Variance


def linear_fit():
    return LinearFit(np.arange(6.0).reshape(3, 2), Variance(4.5, np.array([2.0, np.inf, np.nan])))


def test_records_of_another_method_come_back(tmp_path):
    write_archive({"fit": linear_fit(), "name": "ols"}, tmp_path / "fit", [LinearFit])
    found = read_archive(tmp_path / "fit", [LinearFit])
    assert type(found["fit"]) is LinearFit
    assert found["name"] == "ols"
    np.testing.assert_array_equal(found["fit"].beta, linear_fit().beta)
    np.testing.assert_array_equal(found["fit"].variance.df, linear_fit().variance.df)
    assert found["fit"].variance.prior == 4.5


def test_only_the_given_records_are_written_and_read(tmp_path):
    with pytest.raises(FileError, match="fit is of type LinearFit"):
        write_archive({"fit": linear_fit()}, tmp_path / "fit", [Variance])
    write_archive({"fit": linear_fit()}, tmp_path / "fit", [LinearFit])
    with pytest.raises(FileError, match="holds 'LinearFit', unlike"):
        read_archive(tmp_path / "fit", [Variance])


def test_records_of_one_name_are_refused():
    other = dataclass(type("Variance", (), {"__annotations__": {"prior": float}}))
    with pytest.raises(ValueError, match="two records have the name 'Variance'"):
        record_types([LinearFit, other])


def test_columns_and_labels_keep_their_types(tmp_path):
    text = np.array(["a", "b", "c"], dtype=object)
    frame = pd.DataFrame(
        {
            "object": pd.Series(text, dtype=object),
            "default": ["x", "y", None],
            "string": pd.array(["x", None, "z"], dtype="string"),
            "levels": pd.Categorical(["b", "a", "b"]),
            "objects": pd.Categorical(pd.Index(text, dtype=object)),
        }
    )
    for index in (pd.Index(["g1", "g2", "g3"]), pd.Index(text, dtype=object, name="id"), pd.RangeIndex(3)):
        labelled = frame.set_axis(index)
        write_archive({"frame": labelled, "index": index}, tmp_path / "tables")
        found = read_archive(tmp_path / "tables")
        pd.testing.assert_frame_equal(found["frame"], labelled, check_exact=True)
        pd.testing.assert_index_equal(found["index"], index, exact=True)
