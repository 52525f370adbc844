"""The coding of a formula as a function: from levels and numbers to rows of the model matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray, IntArray
from countnest.design.coding import Block, CodedMatrix, Component, code_columns, factor_component
from countnest.design.formula import LearntExpression

__all__ = ["Coder"]


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """How the columns of a model matrix are made, for the samples and for any other rows.

    Attributes
    ----------
    blocks
        The blocks of columns in their order.
    names
        Factors, numeric variables and expressions of the terms.
    levels
        Levels of each factor; the first is the reference.
    expressions
        The expressions by name, with what they learnt from the samples.
    """

    blocks: Sequence[Block]
    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    expressions: Mapping[str, LearntExpression]

    def code(self, rows: pd.DataFrame) -> CodedMatrix:
        """Return the columns, shape (m, q), for m rows that hold levels of the factors and values of the numbers."""
        components = {name: self._component(name, rows) for name in self.names}
        return code_columns(self.blocks, components, len(rows))

    def _component(self, name: str, rows: pd.DataFrame) -> Component:
        if name in self.expressions:
            learnt = self.expressions[name]
            return Component(name, learnt.replay(rows), learnt.suffixes, categorical=False)
        if name in self.levels:
            return factor_component(name, self._codes(name, rows), self.levels[name])
        values = rows[name].to_numpy(dtype=np.float64)[:, None]
        return Component(name, values, ("",), categorical=False)

    def _codes(self, factor: str, rows: pd.DataFrame) -> IntArray:
        places = {level: place for place, level in enumerate(self.levels[factor])}
        return np.array([places[level] for level in rows[factor]], dtype=np.int64)

    def matrix(self, rows: pd.DataFrame) -> FloatArray:
        """Return the values of `code`."""
        return self.code(rows).matrix
