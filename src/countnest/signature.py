"""Checks of the arguments of a call, with messages that tell how to write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from types import FunctionType
from typing import NoReturn, ParamSpec, TypeVar, cast

from countnest.counterparts import ARGUMENTS, snake_case
from countnest.errors import ArgumentError, UnknownNameError, counted, listing, suggestion

__all__ = ["Signature", "checked_arguments", "checked_methods"]

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")
Class = TypeVar("Class", bound=type)

_TAKES_MORE, _TAKES_ANY = 0x04, 0x08  # flags of code that has parameters *args and **options


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function.

    Attributes
    ----------
    positional, named
        Those that are given by position or by name, and those that are given by name only.
    required
        Those of both that have no default.
    takes_more, takes_any
        Whether it takes any number of arguments by position, and any by name.
    """

    positional: tuple[str, ...]
    named: tuple[str, ...]
    required: frozenset[str]
    takes_more: bool
    takes_any: bool

    @classmethod
    def of(cls, function: FunctionType) -> Signature:
        """Return the parameters of a function, read from its code: `inspect` would take longer than the import."""
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        without_default = positional[: len(positional) - len(function.__defaults__ or ())]
        return cls(
            positional,
            named,
            required=frozenset({*without_default, *(set(named) - set(function.__kwdefaults__ or {}))}),
            takes_more=bool(code.co_flags & _TAKES_MORE),
            takes_any=bool(code.co_flags & _TAKES_ANY),
        )

    def accepts(self, args: tuple[object, ...], options: Mapping[str, object]) -> bool:
        """Return whether Python can call the function with these arguments."""
        wrong = self.unknown(options) or self._beyond(args) or self._missing(args, options)
        return not wrong and options.keys().isdisjoint(self.positional[: len(args)])

    def unknown(self, options: Mapping[str, object]) -> list[str]:
        """Return the names that are not arguments of the function."""
        if self.takes_any:
            return []
        return [name for name in options if name not in self.positional and name not in self.named]

    def mistake(
        self, called: str, args: tuple[object, ...], options: Mapping[str, object], *, is_function: bool
    ) -> str:
        """Return the problem with a call whose names are known, and how to write it.

        `is_function`: `self` is an ordinary argument, the data set, and not the object of a method.
        """
        shown = ["dds" if name == "self" else name for name in self.positional if name != "self" or is_function]
        given = len(args) - (len(self.positional) - len(shown))
        if self._beyond(args):
            return self._too_many(called, shown, given)
        missing = ["dds" if name == "self" else name for name in self._missing(args, options)]
        if missing:
            form = ", ".join([*shown[:given], *(f"{name}=..." for name in missing)])
            return f"{called}() lacks {listing(missing)}: write {called}({form})."
        twice = [name for name in self.positional[: len(args)] if name in options]
        return f"{called}() was given {listing(twice)} twice: by position, and by name."

    def _too_many(self, called: str, shown: list[str], given: int) -> str:
        takes = f"takes {counted(len(shown), 'argument')} by position" if shown else "takes no argument by position"
        which = f", {', '.join(shown)}," if shown else ""
        text = f"{called}() {takes}{which} and was given {given}."
        if self.takes_any:
            return f"{text} Name each: {called}(name=...)."
        if not self.named:
            return text
        form = ", ".join([*shown, f"{self.named[0]}=..."])
        return f"{text} Name the others: {called}({form}). Those with a name are {listing(self.named, 30)}."

    def _beyond(self, args: tuple[object, ...]) -> bool:
        return len(args) > len(self.positional) and not self.takes_more

    def _missing(self, args: tuple[object, ...], options: Mapping[str, object]) -> list[str]:
        later = (*self.positional[len(args) :], *self.named)
        return [name for name in later if name in self.required and name not in options]


def checked_arguments(
    function: Callable[Arguments, Returned], called: str | None = None
) -> Callable[Arguments, Returned]:
    """Return a function that explains arguments it does not accept; `called` is its name in the message.

    These are unknown ones, too many by position, and ones that are missing or given twice. With `called`, a method is a
    public function whose first argument is a data set.
    """
    signature = Signature.of(cast("FunctionType", function))
    title = called or function.__name__

    @wraps(function)
    def checked(*args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        if not signature.accepts(args, options):
            shown = type(args[0]).__name__ if title == "__init__" else title
            unknown = signature.unknown(options)
            if unknown:
                raise _unknown_arguments(shown, unknown, (*signature.positional, *signature.named))
            raise ArgumentError(signature.mistake(shown, args, options, is_function=called is not None))
        return function(*args, **options)

    return checked


def checked_methods(cls: Class) -> Class:
    """Return a class whose public methods and constructor explain arguments that they do not have.

    Setting an attribute of a frozen record is an error with an explanation.
    """
    for name, value in list(vars(cls).items()):
        if isinstance(value, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, checked_arguments(value))
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        setattr(cls, "__setattr__", _refuse_setting)  # noqa: B010 (a method is replaced)
    return cls


def _refuse_setting(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001 (the shape of __setattr__)
    kind = type(self).__name__
    column = " A column of your own is set by results['name'] = values." if kind == "Results" else ""
    raise UnknownNameError(f"the attribute '{name}' of {kind} cannot be set: it is a record of what was done.{column}")


def _unknown_arguments(called: str, names: list[str], known: Sequence[str]) -> ArgumentError:
    shown = [name for name in known if name not in ("self", "dds")]
    told, unclear = [], False
    for name in names:
        plain = snake_case(name)
        found = f"{plain}=" if plain in shown else ARGUMENTS.get(f"{called}({name})", ARGUMENTS.get(name))
        unclear = unclear or not found
        told.append(f" Here {name} is {found}." if found else suggestion(name, shown))
    known_ones = f" Its arguments are {listing(shown, 30)}." if unclear and shown else ""
    return ArgumentError(f"{called}() has no argument {listing(names)}.{''.join(told)}{known_ones}")
