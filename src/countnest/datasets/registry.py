"""The studies that come with the package and how to load them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import pandas as pd

from countnest.display import Described, first_of
from countnest.errors import FileError, counted
from countnest.options import check_option
from countnest.remedies import advised

__all__ = ["Study", "cells", "load", "names"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Study(Described):
    """A published study: counts, sample sheet, and the comparison that the documentation makes.

    Attributes
    ----------
    name
        The name to load it by.
    counts : G genes x n samples, int64
        Raw counts.
    samples : n rows
        The sample sheet, in the order of the columns of `counts`.
    design
        The formula of the documented analysis.
    reference
        The reference level of the variable that is compared.
    contrast
        Variable, numerator level, denominator level.
    description
        What was measured, and where it was published.
    """

    name: str
    counts: pd.DataFrame
    samples: pd.DataFrame
    design: str
    reference: dict[str, str]
    contrast: tuple[str, str, str]
    description: str

    def _described(self) -> tuple[str, dict[str, str]]:
        n_genes, n = self.counts.shape
        variable, high, low = self.contrast
        title = f"Study {self.name}: {counted(n_genes, 'gene')} x {counted(n, 'sample')}, design {self.design}"
        columns = first_of(map(str, self.samples))
        return title, {
            "samples": columns, "contrast": f"{variable} {high} vs {low}", "description": self.description
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    design: str
    contrast: tuple[str, str, str]
    description: str


_STUDIES = {
    "airway": _Entry(
        design="~ cell + dex",
        contrast=("dex", "trt", "untrt"),
        description=(
            "Human airway smooth muscle cells of four cell lines, untreated and treated with dexamethasone: 64,102 "
            "Ensembl genes, 8 samples. Himes et al. 2014, PLoS ONE, doi:10.1371/journal.pone.0099625; GEO GSE52778."
        ),
    ),
    "pasilla": _Entry(
        design="~ type + condition",
        contrast=("condition", "treated", "untreated"),
        description=(
            "Drosophila melanogaster S2-DRSC cells, untreated and after RNA interference of pasilla: 14,599 FlyBase "
            "genes, 7 samples. Brooks et al. 2011, Genome Research, doi:10.1101/gr.108662.110; GEO GSE18508."
        ),
    ),
}


def names() -> tuple[str, ...]:
    """Return the names of the studies that `load` knows."""
    return tuple(_STUDIES)


def load(name: str) -> Study:
    """Load a study; every call reads it again, so that changes stay in the returned copy.

    Parameters
    ----------
    name
        One of `names()`.

    Raises
    ------
    OptionError
        There is no study of this name.
    FileError
        The installation lacks its data.

    Examples
    --------
    >>> study = load("pasilla")
    >>> study.counts.shape, study.design
    ((14599, 7), '~ type + condition')
    """
    check_option(advised("name", "STUDY"), name, names())
    entry = _STUDIES[name]
    folder = _folder(name)
    variable, _, reference = entry.contrast
    return Study(
        name=name,
        counts=_read(folder / f"{name}_counts.csv.gz", "gene"),
        samples=_read(folder / f"{name}_samples.csv", "sample"),
        design=entry.design,
        reference={variable: reference},
        contrast=entry.contrast,
        description=entry.description,
    )


def cells() -> pd.DataFrame:
    """Return counts of 200 cells on four slides of a microscope, one row for each cell.

    The columns are `counts`, what was counted in a cell; `RNAi`, Control or Target; `experiment`, day1 or day2; and
    `slide`, one of each treatment on each day, with 50 cells. Every call reads them again.

    Raises
    ------
    FileError
        The installation lacks its data.

    Examples
    --------
    >>> from countnest import datasets
    >>> datasets.cells().groupby("RNAi")["counts"].mean()
    RNAi
    Control    5.04
    Target     7.51
    Name: counts, dtype: float64
    """
    return _read(_folder("cells", "cells.csv") / "cells.csv", "cell")


def _folder(name: str, file: str | None = None) -> Traversable:
    """Return the folder of the data: inside an installed package, or at the top of a source checkout."""
    places = (resources.files("countnest.datasets") / "data", Path(__file__).parents[3] / "data")
    for place in places:
        if (place / (file or f"{name}_counts.csv.gz")).is_file():
            return place
    raise FileError(f"the data of '{name}' are missing ({places[0]}); reinstall countnest.")


def _read(file: Traversable, label: str) -> pd.DataFrame:
    with resources.as_file(file) as path:
        frame = pd.read_csv(path, index_col=0, keep_default_na=False)
    return frame.rename_axis(index=label)
