"""A comparison that a file lists, with the model that it is made in, as nf-core/differentialabundance has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from countnest.design.formula import parse_formula
from countnest.design.levels.text import level_text
from countnest.errors import ContrastError, FormulaError, SamplesError, listing, suggestion, warn

__all__ = ["ListedContrast", "check_listed"]

# R's name of the intercept where names must be those of variables, as limma::makeContrasts asks for.
_INTERCEPT = re.compile(r"\bX\.Intercept\.")
_PLAIN = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContrast:
    """A comparison of a file, with its model.

    Attributes
    ----------
    id
        The name of the comparison, by which files of results are named.
    variable, reference, target
        The column of the sample sheet, and its levels: `target` is compared with `reference`. None if `expression`
        tells what is compared.
    blocking
        Columns whose effects are taken out.
    formula
        The model; None: `blocking` and `variable`, all of them as factors.
    expression
        What is compared, as a sum of coefficients: 'genotypeKO.treatmentTreated', or 'conditionB - conditionA'; None:
        levels of `variable`.
    exclude_column, exclude_values
        Samples with one of these values in a column are left out.
    """

    id: str
    variable: str | None = None
    reference: str | None = None
    target: str | None = None
    blocking: tuple[str, ...] = ()
    formula: str | None = None
    expression: str | None = None
    exclude_column: str | None = None
    exclude_values: tuple[str, ...] = ()

    @property
    def design(self) -> str:
        """The model as a formula, with the variable that is compared as the last one."""
        if self.formula is not None:
            return self.formula
        names = [*self.blocking, *([] if self.variable is None else [self.variable])]
        return f"~ {' + '.join(name if _PLAIN.fullmatch(name) else f'`{name}`' for name in names)}"

    @property
    def contrast(self) -> tuple[str, str, str] | str:
        """The comparison as `dds.contrast` takes it: variable and levels, or a sum of coefficients."""
        if self.expression is not None:
            return _INTERCEPT.sub("Intercept", self.expression)
        assert self.variable is not None
        assert self.target is not None
        assert self.reference is not None
        return self.variable, self.target, self.reference

    def coding(self, samples: pd.DataFrame) -> dict[str, Any]:
        """Return how the model codes its factors, as the arguments `reference` and `levels` of `DESeqDataSet`.

        The level to compare with is the reference level; columns of numbers are factors, unless a formula is given.
        """
        if self.formula is not None:
            return {}
        columns = [*self.blocking, *([] if self.variable is None else [self.variable])]
        numbers = [name for name in columns if pd.api.types.is_numeric_dtype(samples[name])]
        levels = {name: [level_text(value) for value in np.unique(samples[name].dropna())] for name in numbers}
        return {"reference": {self.variable: self.reference}, "levels": levels}

    def kept(self, samples: pd.DataFrame) -> list[str]:
        """Return the labels of the samples that are not left out."""
        if self.exclude_column is None:
            return list(samples.index)
        values = samples[self.exclude_column]
        left_out = [not pd.isna(value) and level_text(value) in self.exclude_values for value in values]
        return list(samples.index[~np.array(left_out, dtype=np.bool_)])


def check_listed(each: ListedContrast, samples: pd.DataFrame, path: object) -> None:
    """Raise if the samples lack a column or a level that a comparison names.

    Raises
    ------
    SamplesError
        There is no such column.
    ContrastError
        The column has no such level, among the samples that are not left out.
    FormulaError
        The formula names another column, or cannot be read.
    """
    where = f"'{path}', contrast '{each.id}'"
    for name in (each.variable, *each.blocking, each.exclude_column):
        if name is not None and name not in samples.columns:
            known = [str(column) for column in samples.columns]
            raise SamplesError(
                f"{where}: the samples have no column '{name}', but have {listing(known, 20)}.{suggestion(name, known)}"
            )
    _check_excluded(each, samples, where)
    if each.formula is not None:
        try:
            parse_formula(each.formula, samples.columns)
        except FormulaError as error:
            raise FormulaError(f"{where}: {error}") from error
    if each.variable is None:
        return
    values = samples.loc[each.kept(samples), each.variable].dropna()
    known = list(dict.fromkeys(level_text(value) for value in values))
    for level in (each.reference, each.target):
        if level not in known:
            raise ContrastError(
                f"{where}: no sample has '{level}' in the column '{each.variable}', which has {listing(known, 20)}."
                + suggestion(level, known)
            )


def _check_excluded(each: ListedContrast, samples: pd.DataFrame, where: str) -> None:
    """Raise if no samples are left; warn if all are."""
    if each.exclude_column is None:
        return
    if not each.kept(samples):
        raise SamplesError(
            f"{where}: no sample is left, all have {listing(each.exclude_values)} in the column "
            f"'{each.exclude_column}'. Correct exclude_samples_values."
        )
    there = {level_text(value) for value in samples[each.exclude_column].dropna()}
    if there.isdisjoint(each.exclude_values):
        values = listing(each.exclude_values)
        warn(
            f"{where}: no sample is left out, because none has {values} in the column '{each.exclude_column}'. Correct "
            f"exclude_samples_values.{suggestion(each.exclude_values[0], sorted(there))}"
        )
