"""Vectors as a type of compiled code: the part of `simd` that teaches the compiler.

Some names of numba's that are used here are not public, because its public ones have no vectors. A release of numba
that lacks one raises AttributeError or ImportError when this module is imported; `simd` then does without vectors.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, cast

import numba.core.cgutils
import numba.core.imputils
import numba.extending
import numba.np.arrayobj
import numpy as np

from countnest.arrays import FloatArray

__all__ = [
    "LANES",
    "any_lane",
    "as_lanes",
    "exp",
    "exponent",
    "lanewise",
    "log",
    "mantissa",
    "power_of_two",
    "select",
    "sqrt",
]

LANES = 8  # as many doubles as the widest vector register holds
# Doubles from 2^52 on have their whole number in their last bits, and from 1.5 times that on those below zero, too.
WHOLE, SIGNED_WHOLE = 2.0**52, 1.5 * 2.0**52
WHOLE_BITS = 0x433 << 52

_numba: Any = numba  # without types
_core, _extending, _arrays = _numba.core, _numba.extending, _numba.np.arrayobj
ir, types = _core.cgutils.ir, _core.types
_float, _bool = types.float64, types.boolean
_Type: Any = types.Type
_Model: Any = _extending.models.PrimitiveModel
_Template: Any = _core.typing.templates.AbstractTemplate


class LanesType(_Type):  # type: ignore[misc]
    """One double for each gene."""

    def can_convert_from(self, _context: object, other: object) -> Any:  # noqa: ANN401
        """Convert a float into a vector of equal lanes."""
        return _core.typeconv.Conversion.safe if other == _float else None

    def unify(self, _context: object, other: object) -> Any:  # noqa: ANN401
        """Return the common type of lanes and a float, which is lanes."""
        return self if other == _float else None


class MaskType(_Type):  # type: ignore[misc]
    """One truth value for each gene."""


lanes, mask = LanesType("lanes"), MaskType("mask")
_VECTOR, _BITS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(1), LANES)


def _model(bits: object) -> type:
    class Model(_Model):  # type: ignore[misc]
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


_extending.lower_cast(_float, lanes)(lambda _context, builder, _from, _to, value: _spread(builder, value))


def _type(function: object, result: Callable[[tuple[Any, ...]], object]) -> None:
    """Teach the compiler the type that `function` returns for arguments of some types; None where it takes none."""

    class Template(_Template):  # type: ignore[misc]
        key = function

        def generic(self, args: tuple[object, ...], _kws: object) -> object:
            found = result(args)
            return None if found is None else _core.typing.signature(found, *args)

    _core.typing.templates.infer_global(function, types.Function(Template))


def _lower(function: object, build: Callable[..., Any], result: object, *signatures: tuple[object, ...]) -> None:
    """Teach the compiler `function` of arguments of any of the `signatures`; `build(builder, *values)` emits it."""
    _type(function, lambda arguments: result if arguments in signatures else None)
    for signature in signatures:
        _extending.lower_builtin(function, *signature)(lambda _context, builder, _sig, values: build(builder, *values))


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


def select(condition: bool, one: float, other: float) -> float:
    """Return `one` where the condition holds, else `other`."""
    return cast("float", np.where(condition, one, other)[()])


def any_lane(condition: bool) -> bool:
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
_lower(any_lane, lambda _builder, a: a, _bool, (_bool,))


def exponent(x: float) -> float:
    """Return the whole number e with x = m 2^e, 1 <= m < 2, for a number that is above zero and not subnormal."""
    each: Any = x
    return cast("float", (np.frexp(each)[1] - 1).astype(np.float64) if np.ndim(each) else math.frexp(each)[1] - 1.0)


def mantissa(x: float) -> float:
    """Return the number m with x = m 2^e, 1 <= m < 2, for a number that is above zero and not subnormal."""
    each: Any = x
    return 2.0 * (np.frexp(each)[0] if np.ndim(each) else math.frexp(each)[0])


def _bits(builder: Any, x: Any) -> tuple[Any, Callable[[int], Any]]:  # noqa: ANN401
    """Return the bits of a number or vector, and a function that makes constants of their type."""
    if isinstance(x.type, ir.VectorType):
        kind = ir.VectorType(ir.IntType(64), LANES)
        return builder.bitcast(x, kind), lambda value: ir.Constant(kind, [value] * LANES)
    return builder.bitcast(x, ir.IntType(64)), lambda value: ir.Constant(ir.IntType(64), value)


def _all(x: Any, value: float) -> Any:  # noqa: ANN401
    """Return a constant of the type of `x`, a number or vector."""
    return ir.Constant(x.type, [value] * LANES if isinstance(x.type, ir.VectorType) else value)


def _exponent(builder: Any, x: Any) -> Any:  # noqa: ANN401
    # no conversion of whole numbers, for which there is no instruction on vectors
    bits, constant = _bits(builder, x)
    whole = builder.or_(builder.lshr(bits, constant(52)), constant(WHOLE_BITS))
    return builder.fsub(builder.bitcast(whole, x.type), _all(x, WHOLE + 1023.0))


def power_of_two(x: float) -> float:
    """Return 2^x for a whole number x from -1022 to 1023."""
    return cast("float", np.exp2(x))


def _power_of_two(builder: Any, x: Any) -> Any:  # noqa: ANN401
    bits, constant = _bits(builder, builder.fadd(x, _all(x, SIGNED_WHOLE + 1023.0)))
    return builder.bitcast(builder.shl(bits, constant(52)), x.type)


def _mantissa(builder: Any, x: Any) -> Any:  # noqa: ANN401
    bits, constant = _bits(builder, x)
    bits = builder.and_(bits, constant((1 << 52) - 1))
    return builder.bitcast(builder.or_(bits, constant(1023 << 52)), x.type)


for _kind in (lanes, _float):
    _extending.lower_builtin(exponent, _kind)(lambda _context, builder, _sig, values: _exponent(builder, *values))
    _extending.lower_builtin(mantissa, _kind)(lambda _context, builder, _sig, values: _mantissa(builder, *values))
    _extending.lower_builtin(power_of_two, _kind)(
        lambda _context, builder, _sig, values: _power_of_two(builder, *values)
    )
for _function in (exponent, mantissa, power_of_two):
    _type(_function, lambda arguments: arguments[0] if arguments[0] in (lanes, _float) else None)


def lanewise(single: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function that applies `single`, a compiled function of one number, to each lane of a vector."""

    def function(x: float) -> float:
        each: Any = x
        return single(x) if np.ndim(each) == 0 else cast("float", np.array([single(one) for one in each]))

    def call(context: Any, builder: Any, value: Any) -> Any:  # noqa: ANN401
        of = context.typing_context.resolve_value_type(single)
        signature = of.get_call_type(context.typing_context, (_float,), {})
        compiled = context.get_function(of, signature)
        context.add_linking_libs(getattr(compiled, "libs", ()))
        return compiled(builder, (value,))

    def call_each(context: Any, builder: Any, _sig: object, values: Any) -> Any:  # noqa: ANN401
        result = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            at = ir.Constant(ir.IntType(32), lane)
            result = builder.insert_element(result, call(context, builder, builder.extract_element(values[0], at)), at)
        return result

    _extending.lower_builtin(function, _float)(lambda context, builder, _, values: call(context, builder, values[0]))
    _extending.lower_builtin(function, lanes)(call_each)
    _type(function, lambda arguments: arguments[0] if arguments[0] in (lanes, _float) else None)
    return function


exp, log, sqrt = lanewise(math.exp), lanewise(math.log), lanewise(math.sqrt)


def as_lanes(values: FloatArray) -> FloatArray:
    """Return a view of `values` whose elements are the vectors along its last axis, of length LANES."""
    return values


def _view(context: Any, builder: Any, sig: Any, values: Any) -> Any:  # noqa: ANN401
    make = _arrays.make_array
    given, result = make(sig.args[0])(context, builder, values[0]), make(sig.return_type)(context, builder)
    shape, strides = (_core.cgutils.unpack_tuple(builder, each)[:-1] for each in (given.shape, given.strides))
    items = ir.Constant(given.nitems.type, LANES)
    _arrays.populate_array(
        result,
        data=builder.bitcast(given.data, result.data.type),
        shape=shape,
        strides=strides,
        itemsize=builder.mul(given.itemsize, items),
        meminfo=given.meminfo,
        parent=given.parent,
    )
    return _core.imputils.impl_ret_borrowed(context, builder, sig.return_type, result._getvalue())


_type(as_lanes, lambda arguments: types.Array(lanes, arguments[0].ndim - 1, "C", aligned=False))
_extending.lower_builtin(as_lanes, types.Array)(_view)
