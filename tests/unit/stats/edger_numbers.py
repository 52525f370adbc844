"""R's numbers for the studies of `data/edger`, indexed by gene, and how to compare them."""

import numpy as np
from edger_cases import DATA, NAMES, case

from exact import read_exactly

__all__ = ["NAMES", "case", "numbers", "relative", "residual_df", "shared", "single"]


def numbers(name, of):
    """Return a table of a case, indexed by gene from 0."""
    found, rows = case(of).table(name)
    return found.set_index(rows)


def single(name, of):
    """Return one of the single numbers of a case."""
    return float(case(of).info[name])


def shared(name):
    """Return a table that belongs to no case."""
    return read_exactly(DATA / f"{name}.csv.gz")


def residual_df(of):
    """Return the number of samples less that of coefficients."""
    n, p = case(of).design.shape
    return n - p


def relative(found, expected):
    """Return the largest relative difference; values have to be missing at the same places."""
    found, expected = (np.asarray(each, dtype=np.float64) for each in (found, expected))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    same = (found == expected) | np.isnan(expected)
    return np.max(np.where(same, 0.0, np.abs(found - expected) / np.where(same, 1.0, np.abs(expected))), initial=0.0)
