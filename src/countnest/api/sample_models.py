"""What linear models know of the samples beside the design: blocks, and models of their variances; checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet
from countnest.api.inputs import by_label, given_numbers
from countnest.arrays import FloatArray, IntArray
from countnest.design.build import build_design
from countnest.errors import DesignError, OptionError, counted, listing, warn
from countnest.options import check_option
from countnest.remedies import option
from countnest.stats.linear.blocks import Blocks
from countnest.stats.voom.array_weights import MIN_DF, variance_columns
from countnest.stats.voom.duplicates import is_spanned

__all__ = ["blocks_of", "correlated_blocks", "groups_of", "quality_columns", "variance_model", "warn_without_df"]


def groups_of(
    given: Any,  # noqa: ANN401 (checked here)
    samples: pd.Index,
    name: str,
    sheet: pd.DataFrame | None = None,
) -> tuple[IntArray, str]:
    """Return the group of each sample as a number from 0 (n,), and the name of the column, or of the argument."""
    called = name
    if isinstance(given, str):
        if sheet is None:
            raise OptionError(f"{name}={given!r} cannot be a column: there is no sample sheet. Give values by sample.")
        check_option(name, given, [str(column) for column in sheet.columns])
        called, given = given, sheet[given]
    elif isinstance(given, pd.Series) and not isinstance(given.index, pd.RangeIndex):
        called = str(given.name) if given.name is not None else name
        given = by_label(given, samples, "sample", name, OptionError)
    codes = pd.factorize(np.asarray(given))[0] if np.ndim(given) == 1 else np.zeros(0)
    if len(codes) != len(samples):
        raise OptionError(f"{name}= must be one value for each of the {len(samples)} samples; got {len(codes)}.")
    missing = samples[codes < 0]
    if len(missing):
        raise OptionError(
            f"{name}= must be one value for each of the {len(samples)} samples, and is missing for "
            f"{counted(len(missing), 'sample')}: {listing(missing)}."
        )
    return codes.astype(np.int64), called


def blocks_of(dds: CountDataSet, given: Any) -> tuple[IntArray | None, str]:  # noqa: ANN401 (checked here)
    """Return the block of each sample (n,) with its name; None and '' where there are none, or none are needed.

    Raises
    ------
    OptionError
        There are fewer than two blocks, or none has two samples.
    """
    if given is None:
        return None, ""
    of_sample, name = groups_of(given, dds._data.samples, "block", dds._data.sheet)
    sizes = np.bincount(of_sample)
    shown = option("block") if name == "block" else option("block", name)
    if len(sizes) < 2:
        raise OptionError(f"{shown} has one block, so that no correlation can be estimated. Leave it out.")
    if sizes.max() < 2:
        raise OptionError(f"{shown} has a block for each sample, so that none are correlated. Leave it out.")
    if is_spanned(dds._design.matrix, of_sample):
        warn(
            f"the design holds the blocks of {name!r} fixed, so that nothing is left of their correlation: "
            f"{option('block')} is not used. Leave it out, or leave the blocks out of the design."
        )
        return None, ""
    return of_sample, name


def correlated_blocks(
    block: Any,  # noqa: ANN401 (checked here)
    correlation: float | None,
    samples: pd.Index,
    sheet: pd.DataFrame | None = None,
) -> Blocks | None:
    """Return blocks of samples with the correlation within them, which are given together; None: neither is.

    Raises
    ------
    OptionError
        One of them is missing, or the correlation is none that samples in blocks of this size can have.
    """
    if (block is None) != (correlation is None):
        raise OptionError("block= and correlation= belong together: give both, or neither.")
    if block is None or correlation is None:
        return None
    if isinstance(correlation, (bool, np.bool_)) or not isinstance(correlation, (int, float, np.number)):
        raise OptionError(
            f"correlation={correlation!r} must be a number, such as cn.duplicate_correlation(...).consensus."
        )
    blocks = Blocks(groups_of(block, samples, "block", sheet)[0], float(correlation))
    if not blocks.least_correlation < blocks.correlation < 1.0:
        raise OptionError(
            f"correlation={correlation!r} must be below 1, and above {blocks.least_correlation:g} in blocks of this "
            "size."
        )
    return blocks


def variance_model(
    var_design: Any,  # noqa: ANN401 (checked here)
    var_group: Any,  # noqa: ANN401 (checked here)
    samples: pd.Index,
    sheet: pd.DataFrame | None = None,
    names: tuple[str, str] = ("var_design", "var_group"),
) -> FloatArray:
    """Return the columns (n, m) of the log variances of samples, by groups or a model matrix; None: all differ.

    `names` are those of the two arguments.

    Raises
    ------
    OptionError, DesignError
        Both are given, or what is given tells no samples apart or cannot be used.
    """
    if var_design is not None and var_group is not None:
        raise OptionError("give var_design= or var_group=, not both.")
    n, name = len(samples), names[var_design is None]
    if var_design is not None:
        columns = variance_columns(n, columns=_variance_matrix(var_design, samples, sheet, name))
    else:
        columns = variance_columns(n, None if var_group is None else groups_of(var_group, samples, name, sheet)[0])
    if not columns.shape[1]:
        raise OptionError(f"{name}= is the same for all samples, so that their variances cannot differ. Leave it out.")
    return columns


def quality_columns(given: Any, name: str, dds: CountDataSet) -> FloatArray | None:  # noqa: ANN401 (checked here)
    """Return the columns (n, m) of the log variances of samples; None: their variances do not differ.

    They are given as a flag; as a formula or a model matrix, 2-dimensional; or as groups, by a column or values.
    """
    samples, sheet = dds._data.samples, dds._data.sheet
    if isinstance(given, (bool, np.bool_)):
        return variance_columns(len(samples)) if given else None
    if given is None or (np.ndim(given) == 0 and not isinstance(given, str)):
        raise OptionError(
            f"{name}={given!r} must be True or False, a formula of the variances such as '~ group', a model matrix, or "
            "groups of samples that share a variance."
        )
    if np.ndim(given) == 2 or (isinstance(given, str) and "~" in given):
        return variance_model(given, None, samples, sheet, (name, name))
    return variance_model(None, given, samples, sheet, (name, name))


def warn_without_df(design: FloatArray, columns: FloatArray | None) -> None:
    """Warn that sample weights with these columns of log variances cannot be estimated beside a design (n, p)."""
    n, p = design.shape
    if columns is not None and n - p < MIN_DF:
        warn(
            f"sample weights cannot be estimated, because they take {MIN_DF} residual degrees of freedom: {n} samples "
            f"less {counted(p, 'coefficient')} leave {n - p}. All of them are 1."
        )


def _variance_matrix(
    given: Any,  # noqa: ANN401 (checked here)
    samples: pd.Index,
    sheet: pd.DataFrame | None,
    name: str,
) -> FloatArray:
    if isinstance(given, str):
        if sheet is None:
            raise OptionError(
                f"{name}={given!r} cannot be a formula: there is no sample sheet. Give a data set as design=, or "
                "a model matrix."
            )
        return build_design(given, sheet).matrix
    if isinstance(given, pd.DataFrame) and not isinstance(given.index, pd.RangeIndex):
        given = by_label(given, samples, "sample", name, DesignError)
    matrix = given_numbers(given, name, DesignError)
    if matrix.ndim != 2 or len(matrix) != len(samples) or not np.isfinite(matrix).all():
        raise DesignError(
            f"{name}= must be finite, with a row for each of the {len(samples)} samples; got the shape {matrix.shape}."
        )
    return matrix
