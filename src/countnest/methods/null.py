"""The null distribution of the p-values of a table: its scale, and p-values by a null distribution of this scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from countnest.arrays import FloatArray
from countnest.errors import OptionError, counted
from countnest.methods.fit import Fit
from countnest.queries.estimable import is_mean
from countnest.queries.query import Query
from countnest.remedies import option
from countnest.stats.hidden.scale import FEWEST_GENES, MIN_MEAN, NullScale, null_scale, scaled_p_values, scaling

__all__ = ["Null", "null_of"]

Reach = Callable[[float], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """The null distribution of the p-values of a table.

    Attributes
    ----------
    p_value
        (G,) p-values before adjustment, by the null distribution that was asked for.
    scale
        The scale of the p-values of the test; None where it has no meaning.
    divisor
        By what their z-values were divided; 1 where they are those of the test.
    """

    p_value: FloatArray
    scale: NullScale | None
    divisor: float = 1.0

    def scaled(self, changes: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
        """Return the columns of fold changes with standard errors that agree with the p-values."""
        if self.divisor == 1.0 or "lfcSE" not in changes:
            return changes
        return {**changes, "lfcSE": self.divisor * changes["lfcSE"]}

    def reach(self, of_test: Reach | None) -> Reach | None:
        """Return the function for half the lengths (G,) of intervals, in agreement with the p-values."""
        if self.divisor == 1.0 or of_test is None:
            return of_test
        return lambda level: self.divisor * of_test(level)


def null_of(p_value: FloatArray, query: Query, fit: Fit, kind: str, *, two_sided: bool, scaled: bool) -> Null:
    """Return the null distribution of the p-values of a test.

    Parameters
    ----------
    p_value
        (G,), NaN where there is none.
    query, fit, kind
        What was tested, by which fit and kind of test.
    two_sided
        Whether zero was tested against both sides.
    scaled
        Whether p-values are wanted by a null distribution of the scale that they show.

    Raises
    ------
    OptionError
        A scaled null distribution is asked for where there is no scale.
    """
    problem = _no_scale(query, fit, kind, two_sided=two_sided)
    scale = None if problem else null_scale(p_value, fit.base_mean)
    if scale is not None and not scale.is_known:
        problem, scale = _too_few(scale), None
    if not scaled:
        return Null(p_value, scale)
    if scale is None:
        raise OptionError(f"{option('null', 'scaled')} {problem}. Leave it out.")
    divisor = scaling(scale)
    return Null(scaled_p_values(p_value, divisor), scale, divisor)


def _no_scale(query: Query, fit: Fit, kind: str, *, two_sided: bool) -> str:
    """Return the reason why genes without effect would not have uniform p-values; '' if there is none."""
    if not two_sided:
        return "is for two-sided tests of zero: against a threshold, or of one side, p-values tell no scale"
    if fit.kinds[kind].is_posterior:
        return "is for p-values of tests, and these are posterior probabilities; cn.glmm(dds) has t tests"
    if fit.kinds[kind].is_of_query and is_mean(query.design, query.matrix).any():
        return "is for comparisons, in which most genes do not change, and this is a mean"
    return ""


def _too_few(scale: NullScale) -> str:
    return (
        f"needs {FEWEST_GENES} genes with a mean count above {MIN_MEAN:g} and a p-value above 0.0124, from which the "
        f"scale is estimated; there {'is' if scale.n_genes == 1 else 'are'} {counted(scale.n_genes, 'gene')}"
    )
