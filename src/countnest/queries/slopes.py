"""Slopes over a number: the change per unit, per standard deviation, or from one value to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from countnest.design.design import Design
from countnest.errors import ContrastError
from countnest.queries.weights import is_of_size

__all__ = ["Slope", "finite_change", "slope_of"]

# Step of the finite difference, in standard deviations, for numbers in expressions such as poly(x, 2).
STEP = 0.01

# Central difference of fourth order, exact for polynomials of degree four and less.
STENCIL = ((-2.0, 1 / 12), (-1.0, -8 / 12), (1.0, 8 / 12), (2.0, -1 / 12))

Settings = tuple[tuple[dict[str, str | float], float], ...]


@dataclass(frozen=True, slots=True)
class Slope:
    """The unit of a slope, or the two values of a change.

    Attributes
    ----------
    per
        None for one unit, 'sd' for a standard deviation of the samples, or a number of units.
    from_, to
        The change from one value to another, instead of the slope.
    """

    per: float | str | None = None
    from_: float | None = None
    to: float | None = None


def finite_change(name: str, pair: Sequence[object]) -> Slope:
    """Return the change to the first value from the second."""
    to, from_ = (_finite(name, value) for value in pair)
    return Slope(from_=from_, to=to)


def _finite(name: str, value: object) -> float:
    if not is_of_size(value):
        raise ContrastError(f"'{name}' is a number, and {value!r} is not a value that it can have.")
    return float(value)


def slope_of(design: Design, name: str, slope: Slope, at: object = None) -> tuple[str, Settings]:
    """Return the label of a slope, and the values of the number whose weighted sum it is.

    Parameters
    ----------
    design
        The design.
    name
        A numeric variable.
    slope
        Per unit, per standard deviation, or a finite change.
    at
        Where the slope is taken if the number enters through a non-linear expression; by default at the mean.
    """
    if slope.from_ is not None and slope.to is not None:
        from_, to = _finite(name, slope.from_), _finite(name, slope.to)
        if from_ == to:
            raise ContrastError(f"the change of '{name}' from {from_:g} to {to:g} is zero.")
        return f"{name}[{to:.6g} - {from_:.6g}]", (({name: to}, 1.0), ({name: from_}, -1.0))
    values = design.sheet[name].to_numpy(dtype=np.float64)
    size = _size(name, slope.per, float(values.std(ddof=1)))
    per = slope.per if slope.per is None or isinstance(slope.per, str) else f"{slope.per:.6g}"
    label = f"slope({name})" if per is None else f"slope({name}, {per})"
    center = float(values.mean()) if at is None else _finite(name, at)
    if _is_linear(design, name):
        return label, (({name: center + 1}, size), ({name: center}, -size))
    step = STEP * float(values.std(ddof=1))
    if not step:
        raise ContrastError(f"'{name}' is {values[0]:g} in all samples, so it has no slope.")
    return label, tuple(({name: center + place * step}, weight * size / step) for place, weight in STENCIL)


def _size(name: str, per: object, sd: float) -> float:
    """Return the number of units that the slope is for."""
    if per is None:
        return 1.0
    if per == "sd":
        return sd
    if not is_of_size(per) or per == 0:
        raise ContrastError(f"per={per!r}: the slope of '{name}' is per 'sd' or per a number of units other than 0.")
    return float(per)


def _is_linear(design: Design, name: str) -> bool:
    """Tell whether a number enters the model outside expressions only."""
    expressions = design.coder.expressions.values() if design.coder else ()
    return not any(name in learnt.expression.columns.values() for learnt in expressions)
