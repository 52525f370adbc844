"""Many cases in one test: all of them run, and those that fail are named."""

import functools
import inspect
import itertools

import pytest

# What a failed assertion, an error or a missing exception (`pytest.raises`) raises.
FAILURES = (Exception, pytest.fail.Exception)


def each(arguments, values, *, ids=None):
    """Run a test for every case, and report all that fail.

    As `pytest.mark.parametrize`, but the cases make one test. They share its fixtures, so that none of them may leave
    anything behind. Decorators can be stacked. A case may call `pytest.skip`; the test is skipped if all of them do.

    Parameters
    ----------
    arguments : str or tuple of str
        Names of arguments of the test.
    values : iterable
        A value for each case, or a tuple where there are several arguments.
    ids : iterable of str, optional
        Names of the cases; made from the values without it.
    """
    single = isinstance(arguments, str)
    names = (arguments,) if single else tuple(arguments)
    cases = [(value,) if single else tuple(value) for value in values]
    labels = [name_of(case, number) for number, case in enumerate(cases)] if ids is None else list(ids)
    if not cases:
        raise ValueError(f"no case of {', '.join(names)}")

    def decorate(test):
        @functools.wraps(test)
        def run(*fixed, **fixtures):
            failed, skipped = {}, []
            for label, case in zip(labels, cases, strict=True):
                try:
                    test(*fixed, **fixtures, **dict(zip(names, case, strict=True)))
                except pytest.skip.Exception as error:
                    skipped.append(f"{label}: {error}")
                except FAILURES as error:
                    failed[label] = error
            if failed:
                raise failure_of(failed, len(cases))
            if len(skipped) == len(cases):
                pytest.skip("; ".join(skipped))

        signature = inspect.signature(test)
        left = [parameter for name, parameter in signature.parameters.items() if name not in names]
        run.__signature__ = signature.replace(parameters=left)
        return run

    return decorate


def failure_of(failed, total):
    """Return one exception with the failures of some cases, by label."""
    message = f"{len(failed)} of {total} cases failed: {', '.join(failed)}"
    errors = []
    for label, error in failed.items():
        kept = error if isinstance(error, Exception) else AssertionError(str(error)).with_traceback(error.__traceback__)
        kept.add_note(f"in the case {label}")
        errors.append(kept)
    return ExceptionGroup(message, errors)


def name_of(case, number):
    """Return a name for the values of a case; those that are no name by themselves get the number of the case."""
    plain = str | int | float | complex | type(None)
    parts = [
        str(value) if isinstance(value, plain) else getattr(value, "__name__", f"number {number}") for value in case
    ]
    return "-".join(parts)


def product(**values):
    """Return the arguments and the cases of all combinations: `@each(*product(a=[1, 2], b="xy"))`."""
    return tuple(values), list(itertools.product(*values.values()))
