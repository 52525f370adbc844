"""Formulas written from those of designs: with blocks as random terms instead of fixed ones, and the reverse."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from countnest.arrays import IntArray
from countnest.design.build import build_design
from countnest.design.design import Design
from countnest.design.formula import parse_formula
from countnest.design.nesting import Block
from countnest.design.random.grammar import split_formula
from countnest.errors import CountnestError, CountnestWarning

__all__ = ["blocks_as_random", "groups_as_fixed"]

Term = tuple[str, ...]

PLAIN = re.compile(r"[^\W\d][\w.]*")


def blocks_as_random(design: Design) -> str | None:
    """Return the formula of a design with its blocks as random terms; None where there is none.

    Fixed terms lose their blocks; what the blocks are nested in takes their place, because they spanned it:
    ``~ family + treat1*treat2`` becomes ``~ treat1*treat2 + (1 | family)``, and ``~ treat1 + treat1:ind +
    treat1:treat2`` becomes ``~ treat1 + treat1:treat2 + (1 | treat1:ind)``.

    None also where groups of the random terms are not the blocks, and where the formula does not say what they are:
    ``~ treat + site:plot`` may mean plots in sites, or plots that differ in what the site does to them.
    """
    blocks = design.nesting.blocks
    if design.formula is None or design.coder is None or not blocks:
        return None
    wrapped = parse_formula(design.formula, design.sheet.columns).categorical
    inner = {block[-1] for block in blocks}
    if any(_is_unclear(design, block) for block in blocks):
        return None
    terms: dict[frozenset[str], Term] = {}
    for term in dict.fromkeys(term for term, _ in design.coder.blocks):
        parents = (name for block in blocks if block[-1] in term for name in _nested_in(design, block))
        left = tuple(name for name in dict.fromkeys([*term, *parents]) if name not in inner)
        if left:
            terms.setdefault(frozenset(left), left)
    fixed = _products(terms, lambda name: f"C({_quoted(name)})" if name in wrapped else _quoted(name))
    random = [f"(1 | {':'.join(map(_quoted, block))})" for block in blocks]
    random += [bar.text for bar in split_formula(design.formula).bars]
    formula = _usable(" + ".join([*(fixed or ["1"]), *random]), design)
    return formula if formula is not None and _has_groups(formula, design, blocks) else None


def _nested_in(design: Design, block: Block) -> Term:
    """Return what blocks are nested in: the factors that number them, otherwise those that the samples show."""
    return block[:-1] or design.nesting.parents(block[-1])


def _is_unclear(design: Design, block: Block) -> bool:
    """Tell whether a block occurs only together with a factor that crosses it, in cells of several samples."""
    own = [set(term) for term in design.terms if block[-1] in term]
    known = {*block, *design.nesting.parents(block[-1])}
    crossing = tuple(sorted(set.intersection(*own) - known)) if own else ()
    crossing = tuple(name for name in crossing if name in design.levels)
    return bool(crossing) and len(_cells(design, (*block, *crossing))) < len(design.sheet)


def _cells(design: Design, factors: Term) -> set[frozenset[int]]:
    """Return the samples of each cell of some factors."""
    codes = np.stack([design.codes(name) for name in factors])
    _, cell = np.unique(codes, axis=1, return_inverse=True)
    return _sets(cell.ravel())


def _sets(codes: IntArray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(codes == level).tolist()) for level in np.unique(codes)}


def _has_groups(formula: str, design: Design, blocks: Sequence[Block]) -> bool:
    """Tell whether the first random terms of a formula have the blocks of a design as their groups."""
    found = _built(formula, design)
    if found is None or len(found.random) < len(blocks):
        return False
    return all(_sets(term.codes) == _cells(design, block) for term, block in zip(found.random, blocks, strict=False))


def groups_as_fixed(design: Design) -> str | None:
    """Return the formula of a design with random intercepts, with a fixed effect of each group instead.

    None where other effects than intercepts vary between groups, or the samples do not suffice. Of groups within groups
    the innermost suffice.
    """
    groups = [term.factors for term in design.random if term.names == ("Intercept",)]
    if design.fixed_formula is None or not groups or len(groups) < len(design.random):
        return None
    innermost = [factors for factors in groups if not any(set(factors) < set(other) for other in groups)]
    numbers = set(design.sheet.select_dtypes("number").columns)
    fixed = [
        ("/" if factors[:-1] in groups else ":").join(
            f"C({_quoted(name)})" if name in numbers else _quoted(name) for name in factors
        )
        for factors in innermost
    ]
    body = design.fixed_formula.removeprefix("~").strip()
    return _usable(" + ".join(fixed if body == "1" else [*fixed, body]), design)


def _products(known: dict[frozenset[str], Term], write: Callable[[str], str]) -> list[str]:
    """Return terms as they are written in a formula: ``a*b`` for a, b and a:b."""
    whole = [term for term in known.values() if not any(set(term) < other for other in known)]
    starred = [term for term in whole if len(term) > 1 and _margins(term) <= known.keys()]
    pieces = []
    for members, term in known.items():
        owner: Sequence[str] | None = next((each for each in starred if members <= set(each)), None)
        pieces.append(":".join(map(write, term)) if owner is None else "*".join(map(write, owner)))
    return list(dict.fromkeys(pieces))


def _margins(term: Term) -> set[frozenset[str]]:
    """Return the term with all its margins."""
    return {frozenset(each) for size in range(1, len(term) + 1) for each in itertools.combinations(term, size)}


def _quoted(name: str) -> str:
    """Return a column as it is written in a formula; expressions are written as they are."""
    return name if PLAIN.fullmatch(name) or "(" in name else f"`{name}`"


def _usable(body: str, design: Design) -> str | None:
    """Return a formula; None if no design can be made of it with the same samples."""
    formula = f"~ {body}"
    return formula if _built(formula, design) is not None else None


def _built(formula: str, design: Design) -> Design | None:
    """Return the design of a formula with the same samples; None if none can be made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        try:
            return build_design(formula, design.sheet.copy(), numeric_ok=design.numbers, **design.level_options())
        except CountnestError:
            return None
