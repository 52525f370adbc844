"""The words that options accept, and checks of words, flags, numbers and names."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, KeysView, Mapping, Set
from numbers import Real
from typing import Any, Literal, TypeGuard, cast, get_args

from countnest.errors import OptionError, suggestion
from countnest.mixed_names import WORDS
from countnest.remedies import given

__all__ = [
    "AltHypothesis",
    "DfRule",
    "DispersionSharing",
    "FigureFormat",
    "FitType",
    "Layout",
    "LogCounts",
    "Method",
    "MixedModel",
    "MixedTest",
    "ModelMatrixType",
    "NullKind",
    "Orientation",
    "OutlierRule",
    "PAdjust",
    "PadjReason",
    "QueryTest",
    "ResidualType",
    "ShrinkType",
    "SizeFactorType",
    "Strand",
    "TestType",
    "Unmapped",
    "check_flags",
    "check_option",
    "is_number",
    "names_given",
]

Orientation = Literal["genes_by_samples", "samples_by_genes"]
SizeFactorType = Literal["ratio", "poscounts", "iterate"]
FitType = Literal["parametric", "local", "mean"]
TestType = Literal["Wald", "LRT", "averaged", "QL"]
# Methods of an analysis in the shell.
Method = Literal["deseq2", "edger", "voom", "mixed"]
# How files of results are named in the shell.
Layout = Literal["countnest", "nf-core"]
# Formats of figures.
FigureFormat = Literal["png", "pdf", "svg"]
# Mixed models: the functions that fit them, their tests in the shell, what linear ones are fitted to, and the rules for
# degrees of freedom.
MixedModel = Literal["lmm", "glmm"]
MixedTest = Literal["t", "LRT", "strata", "dream", "averaged"]
LogCounts = Literal["log2", "vst", "voom"]
DfRule = Literal["kenward-roger", "satterthwaite", "containment", "residual", "infinite"]
QueryTest = Literal["wald", "t", "lrt", "averaged", "ql"]
PAdjust = Literal["BH", "BY", "holm", "hochberg", "hommel", "bonferroni", "none"]
AltHypothesis = Literal["greaterAbs", "greaterAbs2014", "greaterAbsUPSHOT", "lessAbs", "greater", "less"]
OutlierRule = Literal["cooks", "model"]
ModelMatrixType = Literal["standard", "expanded"]
ShrinkType = Literal["apeglm", "ashr", "normal"]
NullKind = Literal["theoretical", "scaled"]
DispersionSharing = Literal["MAP", "gene_est_only", "fit_only"]
ResidualType = Literal["raw", "pearson", "deviance", "quantile"]
Strand = Literal["unstranded", "forward", "reverse"]
Unmapped = Literal["refuse", "drop"]
PadjReason = Literal["tested", "all_zero", "outlier", "low_count", "not_estimated", "at_bound"]


def check_option(name: str, value: object, allowed: object) -> None:
    """Raise `OptionError` unless `value` is one of the words of the `Literal` type (or iterable) `allowed`."""
    words = get_args(allowed) or (tuple(allowed) if isinstance(allowed, Iterable) else ())
    if not isinstance(value, str) or value not in words:
        shown = ", ".join(repr(word) for word in words)
        own = WORDS.get(value) if isinstance(value, str) else None
        if own in words:
            raise OptionError(f"{given(name, value)} is {own!r} here; use one of {shown}.")
        raise OptionError(f"{given(name, value)} is not known; use one of {shown}.{suggestion(value, words)}")


def check_flags(**flags: object) -> None:
    """Raise `OptionError` unless every value is True or False, of Python or of NumPy.

    Text such as "no" would count as true, and None as false.
    """
    for name, value in flags.items():
        if not (isinstance(value, bool) or _is_numpy_bool(value)):
            raise OptionError(f"{name}={value!r} must be True or False.")


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number; True and False are not."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number beyond all floats
        return False


def names_given(name: str, value: object) -> list[str]:
    """Return the names, given as one or as a list, each once; raise `OptionError` for anything else.

    Sets are refused: their order may differ in the next session.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, Set) and not isinstance(value, KeysView):
        raise OptionError(f"{name}={value!r} is a set, which has no order; give a list.")
    several = isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping))
    names: list[Any] = list(cast("Iterable[Any]", value)) if several else []
    if not several or not all(isinstance(item, Hashable) and not isinstance(item, tuple) for item in names):
        raise OptionError(f"{name}={value!r} cannot be used; give a name, or several in a list.")
    return list(dict.fromkeys(names))


def _is_numpy_bool(value: object) -> bool:
    """Return whether a value is a NumPy boolean, without importing NumPy: this module is imported first."""
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")
