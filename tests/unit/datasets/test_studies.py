"""The studies that come with the package."""

import numpy as np
import pytest

from countnest import datasets
from countnest.containers.counts import count_data
from countnest.datasets import registry
from countnest.errors import FileError, OptionError


@pytest.mark.parametrize(
    ("name", "shape", "total", "first"),
    [("airway", (64_102, 8), 175_516_423, "ENSG00000000003"), ("pasilla", (14_599, 7), 92_669_672, "FBgn0000003")],
)
def test_study(name, shape, total, first):
    study = datasets.load(name)
    assert study.name == name
    assert study.counts.shape == shape
    assert set(study.counts.dtypes) == {np.dtype(np.int64)}
    assert study.counts.index[0] == first
    assert study.counts.index.name == "gene"
    assert study.samples.index.name == "sample"
    assert list(study.samples.index) == list(study.counts.columns)
    assert int(study.counts.to_numpy().sum()) == total
    assert count_data(study.counts, study.samples).counts.shape == shape


def test_designs_name_columns_and_levels_that_exist():
    for name in datasets.names():
        study = datasets.load(name)
        variables = study.design.removeprefix("~ ").split(" + ")
        assert set(variables) <= set(study.samples.columns)
        variable, *levels = study.contrast
        assert variable in variables
        assert set(study.samples[variable]) == set(levels)
        assert study.reference == {variable: levels[1]}
        assert f"{study.counts.shape[0]:,}" in study.description


def test_names():
    assert datasets.names() == ("airway", "pasilla")


def test_copies_are_fresh():
    study = datasets.load("pasilla")
    study.counts.iloc[0, 0] = 99
    study.samples.loc["untreated1", "condition"] = "x"
    study.reference["condition"] = "x"
    again = datasets.load("pasilla")
    assert again.counts.iloc[0, 0] == 0
    assert again.samples.loc["untreated1", "condition"] == "untreated"
    assert again.reference == {"condition": "untreated"}


def test_unknown_name():
    with pytest.raises(OptionError, match=r"'airwya'.*'airway', 'pasilla'.*Did you mean 'airway'\?"):
        datasets.load("airwya")


def test_installed_data_come_first(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pasilla_counts.csv.gz").touch()
    monkeypatch.setattr(registry.resources, "files", lambda _: tmp_path)
    assert registry._folder("pasilla") == tmp_path / "data"


def test_missing_data(tmp_path, monkeypatch):
    monkeypatch.setattr(registry.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "a" / "b" / "c" / "registry.py"))
    with pytest.raises(FileError, match=r"data of 'pasilla'.*reinstall countnest"):
        datasets.load("pasilla")


def test_cells_are_those_of_four_slides():
    cells = datasets.cells()
    assert list(cells) == ["counts", "RNAi", "experiment", "slide"]
    assert cells["counts"].sum() == 1255
    assert (cells.groupby(["RNAi", "experiment", "slide"]).size() == 50).all()
    cells["counts"] = 0
    assert datasets.cells()["counts"].sum() == 1255
