"""A number of each of several genes, in the lanes of a vector register, as a type of compiled code.

Kernels work on genes independently. Where the arithmetic of eight of them goes on in step, one instruction serves all;
every lane goes through the operations that the gene would go through alone, so that no bit depends on its neighbours.

`new_lanes` makes the memory, whose last axis is the lane and which compiled code reads and writes as plain floats too;
`as_lanes` is the same memory without that axis, and its elements are vectors. These know the four operations,
comparisons, and the functions below; a float beside them stands for all lanes. Each function takes single numbers as
well, so that one source serves both. Without the compiler vectors are arrays of NumPy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numba.extending
import numpy as np
from numba.core import cgutils, types, typing

from countnest.arrays import BoolArray, FloatArray
from countnest.kernels.jit import kernel

__all__ = ["LANES", "any_lane", "as_lanes", "exp", "lanewise", "log", "new_lanes", "select"]

# Genes that are worked on at once: as many doubles as the widest vector register holds.
LANES = 8
ALIGNMENT = 64  # bytes: of a line of the cache

_float, _bool = types.float64, types.boolean
_extending: Any = numba.extending  # without types
ir: Any = cgutils.ir


class LanesType(types.Type):  # type: ignore[misc]
    """A double of each gene."""

    def can_convert_from(self, typingctx: object, other: object) -> object:
        """Take a float as the number of all lanes."""
        return numba.core.typeconv.Conversion.safe if other == _float else None

    def unify(self, typingctx: object, other: object) -> object:
        """Of lanes and a float there are lanes."""
        return self if other == _float else None


class MaskType(types.Type):  # type: ignore[misc]
    """A truth value of each gene."""


lanes, mask = LanesType("lanes"), MaskType("mask")
_VECTOR, _BITS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(1), LANES)


def _model(bits: object) -> type:
    class Model(_extending.models.PrimitiveModel):  # type: ignore[misc]
        def __init__(self, manager: object, of: object) -> None:
            super().__init__(manager, of, bits)

    return Model


_extending.register_model(LanesType)(_model(_VECTOR))
_extending.register_model(MaskType)(_model(_BITS))


def _spread(builder: Any, value: Any) -> Any:  # noqa: ANN401
    """Return a vector; a number goes into all of its lanes."""
    if isinstance(value.type, ir.VectorType):
        return value
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


@_extending.lower_cast(_float, lanes)
def _cast(context: Any, builder: Any, fromty: object, toty: object, value: Any) -> Any:  # noqa: ANN401
    return _spread(builder, value)


def _type(function: object, result: Callable[[tuple[Any, ...]], object]) -> None:
    """Teach the compiler the type that `function` returns for arguments of some types; None where it takes none."""

    class Template(typing.templates.AbstractTemplate):  # type: ignore[misc]
        key = function

        def generic(self, args: tuple[object, ...], kws: object) -> object:
            found = result(args)
            return None if found is None else typing.signature(found, *args)

    typing.templates.infer_global(function, types.Function(Template))


def _lower(function: object, build: Callable[..., Any], result: object, *signatures: tuple[object, ...]) -> None:
    """Teach the compiler `function` of arguments of any of the `signatures`; `build(builder, *values)` emits it."""

    _type(function, lambda arguments: result if arguments in signatures else None)
    for signature in signatures:
        _extending.lower_builtin(function, *signature)(
            lambda context, builder, sig, values: build(builder, *values)
        )


_PAIRS = ((lanes, lanes), (lanes, _float), (_float, lanes))


def _operator(name: str, places: tuple[object, ...]) -> None:
    def build(builder: Any, a: Any, b: Any) -> Any:  # noqa: ANN401
        return getattr(builder, name)(_spread(builder, a), _spread(builder, b))

    for place in places:
        _lower(place, build, lanes, *_PAIRS)


def _comparison(symbol: str, place: object) -> None:
    def build(builder: Any, a: Any, b: Any) -> Any:  # noqa: ANN401
        compare = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        return compare(symbol, _spread(builder, a), _spread(builder, b))

    _lower(place, build, mask, *_PAIRS)


_operator("fadd", (operator.add, operator.iadd))
_operator("fsub", (operator.sub, operator.isub))
_operator("fmul", (operator.mul, operator.imul))
_operator("fdiv", (operator.truediv, operator.itruediv))
for _symbol, _place in {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
                        "!=": operator.ne}.items():  # fmt: skip
    _comparison(_symbol, _place)
_lower(operator.neg, lambda builder, a: builder.fneg(a), lanes, (lanes,))
_lower(operator.and_, lambda builder, a, b: builder.and_(a, b), mask, (mask, mask))
_lower(operator.or_, lambda builder, a, b: builder.or_(a, b), mask, (mask, mask))
_lower(operator.invert, lambda builder, a: builder.not_(a), mask, (mask,))


def select(condition: BoolArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """Return `one` where the condition holds, else `other`."""
    return np.where(condition, one, other)[()]


def any_lane(condition: BoolArray) -> bool:
    """Return whether the condition holds in any lane."""
    return bool(np.any(condition))


def _select(builder: Any, condition: Any, one: Any, other: Any) -> Any:  # noqa: ANN401
    return builder.select(condition, _spread(builder, one), _spread(builder, other))


_lower(select, _select, lanes, *((mask, *pair) for pair in (*_PAIRS, (_float, _float))))
_lower(select, lambda builder, *values: builder.select(*values), _float, (_bool, _float, _float))
_lower(
    any_lane,
    lambda builder, a: builder.icmp_unsigned("!=", builder.bitcast(a, ir.IntType(LANES)), ir.IntType(LANES)(0)),
    _bool,
    (mask,),
)
_lower(any_lane, lambda builder, a: a, _bool, (_bool,))


def lanewise(single: Callable[[float], float]) -> Callable[..., Any]:
    """Return `single`, a compiled function of one number, as one that also takes vectors, and works lane by lane."""

    def function(x: FloatArray) -> FloatArray:
        return np.vectorize(single, otypes=[np.float64])(x)[()]

    def call(context: Any, builder: Any, value: Any) -> Any:  # noqa: ANN401
        of = context.typing_context.resolve_value_type(single)
        signature = of.get_call_type(context.typing_context, (_float,), {})
        compiled = context.get_function(of, signature)
        context.add_linking_libs(getattr(compiled, "libs", ()))
        return compiled(builder, (value,))

    @_extending.lower_builtin(function, _float)
    def _(context: Any, builder: Any, sig: object, values: Any) -> Any:  # noqa: ANN401
        return call(context, builder, values[0])

    @_extending.lower_builtin(function, lanes)
    def _(context: Any, builder: Any, sig: object, values: Any) -> Any:  # noqa: ANN401
        result = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            at = ir.Constant(ir.IntType(32), lane)
            result = builder.insert_element(result, call(context, builder, builder.extract_element(values[0], at)), at)
        return result

    _type(function, lambda arguments: arguments[0] if arguments[0] in (lanes, _float) else None)
    return function


exp, log = lanewise(math.exp), lanewise(math.log)


def as_lanes(values: FloatArray) -> FloatArray:
    """Return an array whose elements are the vectors along the last axis, of LANES, of `values`: the same memory."""
    return values


_type(as_lanes, lambda arguments: types.Array(lanes, arguments[0].ndim - 1, "C", aligned=False))


@_extending.lower_builtin(as_lanes, types.Array)
def _(context: Any, builder: Any, sig: Any, values: Any) -> Any:  # noqa: ANN401
    make = numba.np.arrayobj.make_array
    given, result = make(sig.args[0])(context, builder, values[0]), make(sig.return_type)(context, builder)
    shape, strides = (cgutils.unpack_tuple(builder, each)[:-1] for each in (given.shape, given.strides))
    items = ir.Constant(given.nitems.type, LANES)
    numba.np.arrayobj.populate_array(
        result,
        data=builder.bitcast(given.data, result.data.type),
        shape=shape,
        strides=strides,
        itemsize=builder.mul(given.itemsize, items),
        meminfo=given.meminfo,
        parent=given.parent,
    )
    return numba.core.imputils.impl_ret_borrowed(context, builder, sig.return_type, result._getvalue())


@kernel
def new_lanes(n: int) -> FloatArray:
    """Return memory for n vectors (n, LANES), of ones, so that idle lanes run on harmless numbers.

    No vector crosses lines of the cache.
    """
    memory = np.ones((n + 1) * LANES)
    gap = (-memory.ctypes.data % ALIGNMENT) // memory.itemsize
    return memory[gap : gap + n * LANES].reshape(n, LANES)
