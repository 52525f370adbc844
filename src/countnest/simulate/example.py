"""The example study of DESeq2: two groups of samples, normal coefficients, dispersions on a curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.errors import OptionError, called
from countnest.simulate.argument import number, whole_number
from countnest.simulate.counts import draw_counts, generator
from countnest.simulate.study import SimulatedStudy

__all__ = ["DispersionCurve", "example", "falling_dispersion"]

DispersionCurve = Callable[[FloatArray], FloatArray]


def falling_dispersion(mean: FloatArray) -> FloatArray:
    """Return dispersions 4 / mean + 0.1."""
    return 4.0 / mean + 0.1


def example(
    *,
    genes: int = 1000,
    samples: int = 12,
    beta_sd: float = 0.0,
    intercept_mean: float = 4.0,
    intercept_sd: float = 2.0,
    dispersion: DispersionCurve = falling_dispersion,
    size_factors: Sequence[float] | FloatArray | None = None,
    rng: int | np.random.Generator = 1,
) -> SimulatedStudy:
    """Simulate a study of two groups, `condition` A (the first half of the samples) and B.

    Parameters
    ----------
    genes, samples
        Numbers of genes and samples; a single sample has the design ``~ 1``.
    beta_sd
        Standard deviation of the log2 fold changes, around 0.
    intercept_mean, intercept_sd
        Mean and standard deviation of the log2 mean counts in group A.
    dispersion
        Function of the mean counts in group A, (G,), that returns the dispersions, (G,).
    size_factors
        One for each sample; None: all 1.
    rng
        Seed or generator.

    Returns
    -------
    SimulatedStudy
        Its `truth` has DESeq2's names: trueIntercept and trueBeta, log2, and trueDisp.

    Raises
    ------
    OptionError
        An argument is outside its domain.

    Notes
    -----
    R counterpart: DESeq2::makeExampleDESeqDataSet.
    """
    n_genes, n = whole_number("genes", genes), whole_number("samples", samples)
    source = generator(rng)
    intercept = source.normal(_finite("intercept_mean", intercept_mean), number("intercept_sd", intercept_sd), n_genes)
    beta = source.normal(0.0, number("beta_sd", beta_sd), n_genes)
    alpha = _dispersions(dispersion, np.exp2(intercept))
    factors = _factors(size_factors, n)
    in_b = np.arange(n) >= (n + 1) // 2
    log_means = np.log(2.0) * (intercept[:, np.newaxis] + beta[:, np.newaxis] * in_b)
    labels = pd.Index([f"sample{j}" for j in range(1, n + 1)], name="sample")
    names = pd.Index([f"gene{g}" for g in range(1, n_genes + 1)], name="gene")
    return SimulatedStudy(
        counts=pd.DataFrame(draw_counts(log_means + np.log(factors), alpha, source), index=names, columns=labels),
        samples=pd.DataFrame({"condition": np.where(in_b, "B", "A").astype(object)}, index=labels),
        truth=pd.DataFrame({"trueIntercept": intercept, "trueBeta": beta, "trueDisp": alpha}, index=names),
        design="~ condition" if n > 1 else "~ 1",
        reference={"condition": "A"} if n > 1 else {},
        log_means=pd.DataFrame(log_means, index=names, columns=labels),
        size_factors=pd.Series(factors, index=labels, name="size_factor"),
        hidden=pd.DataFrame(index=labels),
        outliers=pd.DataFrame(False, index=names, columns=labels),
    )


def _finite(name: str, value: object) -> float:
    return -number(name, -value) if isinstance(value, int | float) and value < 0 else number(name, value)


def _dispersions(curve: object, means: FloatArray) -> FloatArray:
    if not callable(curve):
        raise OptionError("the dispersion must be a function of mean counts, such as lambda mean: 4 / mean + 0.1.")
    found = np.asarray(called(curve, "dispersion", means))
    if found.dtype.kind not in "iuf":
        raise OptionError(f"the dispersion function must return numbers; it returned type {found.dtype}.")
    alpha = found.astype(np.float64)
    alpha = np.broadcast_to(alpha, means.shape) if alpha.ndim == 0 else alpha
    if alpha.shape != means.shape or not bool(((alpha > 0) & np.isfinite(alpha)).all()):
        raise OptionError("the dispersion function must return a number above 0 for each of the means it is given.")
    return alpha


def _factors(values: Sequence[float] | FloatArray | None, n: int) -> FloatArray:
    given = np.ones(n) if values is None else np.asarray(values)
    if given.dtype.kind not in "iuf":
        raise OptionError(f"size_factors must be numbers, and not of type {given.dtype}.")
    factors = given.astype(np.float64)
    if factors.shape != (n,) or not bool(((factors > 0) & np.isfinite(factors)).all()):
        raise OptionError(f"size_factors must be a number above 0 for each of the {n} samples.")
    return factors
