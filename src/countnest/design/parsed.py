"""What a formula says, once it is parsed: records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countnest.design.expression import Expression

__all__ = ["ParsedFormula", "RandomFormula", "Term"]

Term = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A parsed formula. Everything but `text` and `random` is about the formula without its random terms.

    Attributes
    ----------
    text
        The formula, starting with '~'.
    intercept
        Whether the model has an intercept.
    terms
        Terms without the intercept in R's order: by degree, then as written. Each is a tuple of variables and names
        of expressions, in order of appearance.
    variables
        Columns of the sample sheet that the formula uses, in order of appearance.
    categorical
        Variables wrapped in ``C()`` or ``factor()``.
    computed
        Variables that occur only inside expressions.
    expressions
        The expressions by name.
    random
        The random terms.
    fixed
        The formula without its random terms, starting with '~'.
    """

    text: str
    intercept: bool
    terms: tuple[Term, ...]
    variables: tuple[str, ...]
    categorical: frozenset[str]
    computed: frozenset[str]
    expressions: Mapping[str, Expression]
    random: tuple[RandomFormula, ...] = ()
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class RandomFormula:
    """One random term of a formula.

    Attributes
    ----------
    label
        The term without parentheses: '1 | family', '0 + time | subject', '1 | site:plot'.
    left
        What varies between groups, a formula of its own with an intercept unless it has none.
    factors
        The columns of the sample sheet whose observed combinations are the groups.
    uncorrelated
        Whether the term was written with a double bar.
    """

    label: str
    left: ParsedFormula
    factors: tuple[str, ...]
    uncorrelated: bool

    @property
    def group(self) -> str:
        """The grouping factor: 'family', 'site:plot'."""
        return ":".join(self.factors)

    @property
    def parts(self) -> frozenset[frozenset[str]]:
        """The terms that vary between groups; the intercept is an empty one."""
        terms = [frozenset(term) for term in self.left.terms]
        return frozenset([frozenset(), *terms] if self.left.intercept else terms)
