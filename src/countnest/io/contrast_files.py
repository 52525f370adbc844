"""Files that list comparisons, in the forms of nf-core/differentialabundance: a table, or YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from countnest.errors import ContrastError, FileError, kind_of, listing, suggestion, warn
from countnest.files import FilePath
from countnest.io.listed_contrast import ListedContrast, check_listed
from countnest.io.optional import optional_library
from countnest.io.text import file_text
from countnest.io.text_table import repeated_in, rows_of, text_table
from countnest.signature import checked_arguments

__all__ = ["read_contrasts"]

_YAML: Final = (".yaml", ".yml")
# The fields of a contrast in YAML, and what may be a list there.
_FIELDS: Final = (
    "id",
    "comparison",
    "blocking_factors",
    "formula",
    "make_contrasts_str",
    "exclude_samples_col",
    "exclude_samples_values",
)
_LISTS: Final = ("comparison", "blocking_factors", "exclude_samples_values")
_COLUMNS: Final = (
    "id",
    "variable",
    "reference",
    "target",
    "blocking",
    "formula",
    "make_contrasts_str",
    "exclude_samples_col",
    "exclude_samples_values",
)
_NOTHING: Final = ("", "~", "null", "NULL", "Null")
_EXAMPLE: Final = "{id: treated, comparison: [condition, control, treated]}"


@checked_arguments
def read_contrasts(path: FilePath, samples: pd.DataFrame | None = None) -> tuple[ListedContrast, ...]:
    r"""Read a file of comparisons, as the pipeline nf-core/differentialabundance takes it.

    Parameters
    ----------
    path
        A table with commas or tabs and the columns id, variable, reference and target; on request blocking,
        exclude_samples_col and exclude_samples_values, formula and make_contrasts_str; several values in a field are
        separated by semicolons. Or, with the ending .yaml or .yml, YAML: a list under `contrasts`, each with an `id`
        and a `comparison` (variable, reference, target) or a `formula` with `make_contrasts_str`; on request with
        `blocking_factors`, `exclude_samples_col` and `exclude_samples_values`.
    samples
        The sample sheet. If it is given, its columns and their values are compared with those that the file names.

    Returns
    -------
    tuple of ListedContrast
        In the order of the file. Each has a `design`, a `contrast` for `dds.contrast`, the `coding` of its factors and
        the samples that are `kept`.

    Raises
    ------
    FileError
        The file is missing, is neither a table nor YAML of this form, or has an id more than once: the message has the
        file, the contrast and the field.
    ContrastError
        A contrast says neither what is compared nor in which model; no sample has one of its levels.
    SamplesError, FormulaError
        The samples lack a column that the file, or a formula in it, names.
    OptionError
        PyYAML, which reads YAML, is not installed.

    Warns
    -----
    CountnestWarning
        A table has columns of other names, which are not used.

    Notes
    -----
    R counterpart: the contrasts of shinyngs, and `limma::makeContrasts` for make_contrasts_str.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("contrasts.csv").write_text("id,variable,reference,target,blocking\ndex,dex,untrt,trt,cell\n")
    >>> each, = read_contrasts("contrasts.csv")
    >>> each.design, each.contrast
    ('~ cell + dex', ('dex', 'trt', 'untrt'))
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    rows = _of_yaml(path) if any(suffix in _YAML for suffix in suffixes[-2:]) else _of_table(path)
    found = tuple(_listed(row, path) for row in rows)
    repeated = repeated_in([each.id for each in found])
    if repeated:
        raise FileError(f"'{path}': contrasts have the same id: {listing(repeated)}. Give each its own.")
    if samples is not None:
        for each in found:
            check_listed(each, samples, path)
    return found


def _of_table(path: FilePath) -> list[dict[str, Any]]:
    """Return the fields of each line that are not empty, with the names that they have in YAML."""
    table = text_table(file_text(path), path)
    names = [name.strip() for name in table.names]
    missing = [name for name in ("variable", "reference", "target") if name not in names]
    if missing:
        raise FileError(
            f"'{path}' has no column {listing(missing)}; a table of contrasts has the columns id, variable, reference "
            f"and target. It has {listing(names, 20)}.{suggestion(missing[0], names)}"
        )
    others = [name for name in names if name not in _COLUMNS]
    if others:
        warn(f"'{path}': columns that are not used: {listing(others)}.{suggestion(others[0], _COLUMNS)}")
    rows = []
    for _, cells in rows_of(table.body, table.separator, path):
        fields = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        given = {name: cell for name, cell in fields.items() if cell not in ("", "NA") and name in _COLUMNS}
        rows.append(_as_yaml(given))
    return rows


def _as_yaml(given: Mapping[str, str]) -> dict[str, Any]:
    """Return a line of a table as YAML has it; without an id it is named by its comparison."""
    compared = [given[name] for name in ("variable", "reference", "target") if name in given]
    row: dict[str, Any] = {"id": given.get("id", "_".join([*compared, given.get("blocking", "").replace(";", "_")]))}
    if compared:
        row["comparison"] = compared
    for name, field in {"blocking": "blocking_factors", "exclude_samples_values": "exclude_samples_values"}.items():
        if name in given:
            row[field] = [part.strip() for part in given[name].split(";") if part.strip()]
    rest = ("formula", "make_contrasts_str", "exclude_samples_col")
    return row | {name: given[name] for name in rest if name in given}


def _of_yaml(path: FilePath) -> list[dict[str, Any]]:
    """Return the fields of each contrast, checked for their names and kinds."""
    yaml = optional_library("yaml", "yaml", f"'{path}', a file of YAML,")
    try:
        # every value as it is written: 'no' is a level, and not a truth value
        content = yaml.load(file_text(path), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise FileError(f"'{path}' is not YAML: {' '.join(str(error).split())}") from error
    listed = content.get("contrasts") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise FileError(f"'{path}' has no list of contrasts. It begins with 'contrasts:', then '- {_EXAMPLE}'.")
    return [_checked(row, place, path) for place, row in enumerate(listed, start=1)]


def _checked(row: object, place: int, path: FilePath) -> dict[str, Any]:
    """Return the fields of a contrast in YAML with all values as text."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or row["id"] in _NOTHING:
        raise FileError(f"'{path}': contrast {place} has no id. Write it as {_EXAMPLE}.")
    where = f"'{path}', contrast '{row['id']}'"
    unknown = [str(name) for name in row if name not in _FIELDS]
    if unknown:
        raise FileError(
            f"{where}: unknown field '{unknown[0]}'; a contrast has {', '.join(_FIELDS)}."
            + suggestion(unknown[0], _FIELDS)
        )
    found: dict[str, Any] = {}
    for name, value in row.items():
        parts = value if isinstance(value, list) else [value]
        if (parts is value and name not in _LISTS) or not all(isinstance(part, str) for part in parts):
            wanted = "a list of words" if name in _LISTS else "one word or line"
            raise FileError(f"{where}: {name} is {wanted}; got {kind_of(value)}.")
        if parts != [] and value not in _NOTHING:
            found[name] = parts if name in _LISTS else value
    return found


def _listed(row: dict[str, Any], path: FilePath) -> ListedContrast:
    """Return the record of a contrast, if it says what is compared, in which model."""
    where = f"'{path}', contrast '{row['id']}'"
    comparison, expression = row.get("comparison"), row.get("make_contrasts_str")
    if comparison is not None and len(comparison) != 3:
        raise ContrastError(
            f"{where}: a comparison has three parts, variable, reference and target; got {listing(comparison)}."
        )
    if comparison is None and (expression is None or row.get("formula") is None):
        raise ContrastError(
            f"{where} says not what is compared. Give a comparison of variable, reference and target, or a formula and "
            "make_contrasts_str, a sum of its coefficients."
        )
    if ("exclude_samples_col" in row) != ("exclude_samples_values" in row):
        raise ContrastError(f"{where}: exclude_samples_col and exclude_samples_values go together. Give both.")
    variable, reference, target = comparison or (None, None, None)
    if expression is not None and row.get("formula") is None:
        raise ContrastError(f"{where}: make_contrasts_str needs the formula whose coefficients it names.")
    return ListedContrast(
        id=row["id"],
        variable=variable,
        reference=reference,
        target=target,
        blocking=tuple(row.get("blocking_factors", ())),
        formula=re.sub(r"\s+", " ", row["formula"]) if "formula" in row else None,
        expression=expression,
        exclude_column=row.get("exclude_samples_col"),
        exclude_values=tuple(row.get("exclude_samples_values", ())),
    )
