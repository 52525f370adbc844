"""A simulated example data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from countnest.api.deseq2 import DESeqDataSet
from countnest.arrays import FloatArray
from countnest.signature import checked_arguments
from countnest.simulate.example import DispersionCurve, example, falling_dispersion

__all__ = ["make_example_dataset"]


@checked_arguments
def make_example_dataset(
    n: int = 1000,
    m: int = 12,
    *,
    beta_sd: float = 0.0,
    intercept_mean: float = 4.0,
    intercept_sd: float = 2.0,
    disp_mean_rel: DispersionCurve = falling_dispersion,
    size_factors: Sequence[float] | FloatArray | None = None,
    seed: int | np.random.Generator = 1,
) -> DESeqDataSet:
    """Return a simulated data set of `n` genes and `m` samples in two groups, `condition` A and B.

    `simulate` has studies with more to set, nested ones among them.

    Parameters
    ----------
    n, m
        Numbers of genes and samples. The first half of the samples are A.
    beta_sd
        Standard deviation of the log2 fold changes between B and A, around 0.
    intercept_mean, intercept_sd
        Mean and standard deviation of the log2 mean counts in group A.
    disp_mean_rel
        Function of the mean counts in group A that returns the dispersions; by default ``4 / mean + 0.1``.
    size_factors
        One for each sample, by which its counts are larger; None: all 1.
    seed
        Seed, or a NumPy generator.

    Returns
    -------
    DESeqDataSet
        Not yet fitted; a data set whose attribute `truth` has trueIntercept, trueBeta and trueDisp of each gene.

    Raises
    ------
    OptionError
        An argument is outside its domain.

    Notes
    -----
    R counterpart: DESeq2::makeExampleDESeqDataSet.

    Examples
    --------
    >>> dds = make_example_dataset(n=200, m=6, beta_sd=1.0)
    >>> dds.results_names()
    ['Intercept', 'condition_B_vs_A']
    >>> list(dds.truth)
    ['trueIntercept', 'trueBeta', 'trueDisp']
    """
    study = example(
        genes=n, samples=m, beta_sd=beta_sd, intercept_mean=intercept_mean, intercept_sd=intercept_sd,
        dispersion=disp_mean_rel, size_factors=size_factors, rng=seed,
    )  # fmt: skip
    dds = DESeqDataSet(
        study.counts, study.samples, study.design, reference=study.reference, orientation="genes_by_samples"
    )
    dds.truth = study.truth
    return dds
