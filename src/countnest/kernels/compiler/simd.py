"""Vector lanes: eight genes in the lanes of a vector register, as a type of compiled code.

Kernels work on genes independently. Where the arithmetic of eight of them goes on in step, one instruction serves all;
every lane goes through the operations that the gene would go through alone, so that no bit depends on its neighbours.

`new_lanes` makes the memory, whose last axis is the lane and which compiled code reads and writes as plain floats too;
`as_lanes` is the same memory without that axis, and its elements are vectors. These know the four operations,
comparisons, and the functions below; a float beside them stands for all lanes. Each function takes single numbers as
well, so that one source serves both. Without the compiler vectors are arrays of NumPy, and one that was taken from an
array is a view of it: it is not to be changed in place.

Where numba lacks what `vectors` needs of it, there is one lane, and the elements are floats: slower, with the same
bits.

Functions that pass arrays on to others count references, which costs more than their arithmetic where they are called
for every lane; such functions loop over the lanes themselves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from countnest.arrays import FloatArray
from countnest.kernels.compiler.jit import kernel

vectors: Any
try:
    from countnest.kernels.compiler import vectors
except (AttributeError, ImportError) as error:
    logging.getLogger("countnest").info(
        f"one gene is computed at a time: this version of numba has no vectors ({error})"
    )
    vectors = None

__all__ = [
    "LANES",
    "any_lane",
    "as_lanes",
    "exp",
    "exponent",
    "lanewise",
    "load_row",
    "log",
    "mantissa",
    "new_lanes",
    "power_of_two",
    "select",
    "sqrt",
]

ALIGNMENT = 64  # bytes of a line of the cache


Function = Callable[[float], float]


def _select(condition: bool, one: float, other: float) -> float:
    return one if condition else other


def _unchanged(condition: bool) -> bool:
    return condition


def _exponent(x: float) -> float:
    return math.frexp(x)[1] - 1.0


def _mantissa(x: float) -> float:
    return 2.0 * math.frexp(x)[0]


def _power_of_two(x: float) -> float:
    return math.ldexp(1.0, int(x))


def _without_last_axis(values: FloatArray) -> FloatArray:
    return values.reshape(values.shape[:-1])


def _same(single: Function) -> Function:
    return single


# Genes that are worked on at once.
LANES: int = 1 if vectors is None else vectors.LANES
select: Callable[[bool, float, float], float] = kernel(_select) if vectors is None else vectors.select
any_lane: Callable[[bool], bool] = kernel(_unchanged) if vectors is None else vectors.any_lane
as_lanes: Callable[[FloatArray], FloatArray] = kernel(_without_last_axis) if vectors is None else vectors.as_lanes
lanewise: Callable[[Function], Function] = _same if vectors is None else vectors.lanewise
exponent: Function = kernel(_exponent) if vectors is None else vectors.exponent
mantissa: Function = kernel(_mantissa) if vectors is None else vectors.mantissa
power_of_two: Function = kernel(_power_of_two) if vectors is None else vectors.power_of_two
exp: Function = math.exp if vectors is None else vectors.exp
log: Function = math.log if vectors is None else vectors.log
sqrt: Function = math.sqrt if vectors is None else vectors.sqrt


@kernel
def new_lanes(n: int | np.int64) -> FloatArray:
    """Return memory for n vectors (n, LANES), of ones, so that idle lanes run on harmless numbers.

    No vector crosses lines of the cache. A constant n is an `np.int64`: for each literal one there would be another
    compilation.
    """
    memory = np.empty(n * LANES + ALIGNMENT // 8)
    for i in range(memory.size):
        memory[i] = 1.0
    gap = (-memory.ctypes.data % ALIGNMENT) // memory.itemsize
    return memory[gap : gap + n * LANES].reshape(n, LANES)


@kernel
def load_row(values: FloatArray, g: int, lane: int, memory_out: FloatArray) -> None:
    """Copy the row of a gene, or the one row that all genes share, into a lane of `memory_out` (n, LANES)."""
    row = g if values.shape[0] > 1 else 0
    for j in range(values.shape[1]):
        memory_out[j, lane] = values[row, j]
