"""Compilation of every kernel ahead of time, by small analyses along every path."""

from __future__ import annotations

import importlib
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from countnest.api.deseq2 import DESeqDataSet
from countnest.compilation import listening
from countnest.kernels.compiler.jit import cache_folder, kernels
from countnest.options import ShrinkType, check_flags
from countnest.progress import progress
from countnest.public import HOMES
from countnest.signature import checked_arguments
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.dispersion import estimate_dispersions
from countnest.stats.edger.glm import GLMInputs, fit_glm
from countnest.stats.mixed.effects import predicted_effects
from countnest.stats.mixed.grid import Question, fit_posterior
from countnest.stats.mixed.laplace import fit_counts
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, RandomEffects
from countnest.stats.mixed.tests import contrast_tests

__all__ = ["Warmed", "warm"]

_GENES, _SAMPLES = 300, 8


@dataclass(frozen=True, slots=True)
class Warmed:
    """Result of `warm`.

    Attributes
    ----------
    seconds
        Time it took.
    compiled
        Number of kernels compiled by this call; the others had been compiled before.
    folder
        Where later processes find them; None if nothing can be kept.
    """

    seconds: float
    compiled: int
    folder: Path | None


@checked_arguments
def warm(*, quiet: bool = False) -> Warmed:
    """Compile every kernel, so that no later call waits for the compiler.

    Kernels are kept on disk for later processes. Without this call they are compiled when they are first used, and
    kept just the same.

    Parameters
    ----------
    quiet
        Do not announce how long it takes, and show no bar. Nothing is announced if everything was compiled before.

    Examples
    --------
    >>> import countnest as cn
    >>> cn.warm()  # doctest: +SKIP
    Warmed(seconds=32.6, compiled=105, folder=PosixPath('/home/user/.cache/countnest/kernels-4bb70b8a7d34a203'))
    """
    start = time.perf_counter()
    missed = _misses()
    check_flags(quiet=quiet)
    with warnings.catch_warnings(), listening(progress(quiet), all_of_it=True):
        warnings.simplefilter("ignore")  # of convergence and the like: the numbers do not matter
        _walk()
    return Warmed(time.perf_counter() - start, _misses() - missed, cache_folder())


def _misses() -> int:
    """Return the number of kernels that this process did not find on disk."""
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels())


def _walk() -> None:
    """Run every path that meets a kernel."""
    example = _public("make_example_dataset")(_GENES, _SAMPLES, beta_sd=1.0)
    example.n_threads = 1  # it is this thread that listens to the compiler
    dds = _fitted(_with_a_gene_that_irls_loses(example))
    dds.results()
    dds.cooks()
    for kind in ("lrt", "averaged"):
        dds.query("condition[B - A]").test(kind=kind)
    _public("covariance")(dds, [str(dds.gene_names[0])])
    for shrinker in get_args(ShrinkType):
        _public("lfc_shrink")(dds, coef="condition_B_vs_A", type=shrinker, quiet=True)
    _public("rlog")(dds, quiet=True)
    example.estimate_size_factors(type="iterate")
    _public("ave_log_cpm")(example)
    _fit_as_edger(example)
    for test in ("ql", "lrt"):
        _public("edger")(example, test=test, filter=False, quiet=True)
        example.query("condition[B - A]").test(fit="edger")
    _public("limma")(example, filter=False, quality_weights=True, quiet=True)
    _fit_random_terms(example)


def _fit_as_edger(example: DESeqDataSet) -> None:
    """Fit a design of groups and one with a covariate, whose groups are not fitted one by one."""
    counts = example._data.counts
    library = counts.sum(axis=0)
    inputs = GLMInputs.of(counts, library)
    fit_glm(inputs, Columns.of(example._design.matrix), 0.1)
    covariate = np.column_stack([np.ones(_SAMPLES), np.arange(float(_SAMPLES))])
    estimate_dispersions(inputs, Columns.of(covariate), library)


def _fit_random_terms(example: DESeqDataSet) -> None:
    """Fit mixed models with one random column and with two, linear ones and those of counts, and test them."""
    y = np.log2(example._data.counts[:5] + 0.5)
    columns = np.column_stack([np.ones(_SAMPLES), np.arange(float(_SAMPLES))])
    for k in (1, 2):
        model = MixedModel(example._design.matrix, (RandomEffects(np.arange(_SAMPLES) // 4, columns[:, :k]),))
        fits = fit_linear(y, model)
        contrast_tests(y, model, None, fits, np.eye(model.matrix.shape[1]))
        predicted_effects(y, model, None, fits)
        fit_counts(example._data.counts[:5], np.zeros((1, _SAMPLES)), model)
    groups = RandomEffects(np.arange(_SAMPLES) // 4, columns[:, :1])
    model, offset = MixedModel(example._design.matrix, (groups,)), np.zeros((1, _SAMPLES))
    fit_posterior(example._data.counts[:5], offset, model, Question(np.eye(model.matrix.shape[1])), 0.1, 0.3)


def _public(name: str) -> Any:  # noqa: ANN401 (a function of the package)
    """Return a function by its public name, as a user would call it."""
    return getattr(importlib.import_module(HOMES[name]), name)


def _fitted(dds: DESeqDataSet) -> DESeqDataSet:
    return dds.deseq(quiet=True, min_replicates_for_replace=np.inf)


def _with_a_gene_that_irls_loses(example: DESeqDataSet) -> DESeqDataSet:
    """Return the data set with a covariate so small that the coefficient of a gene is beyond the bound."""
    dose = np.linspace(0.0, 0.1, _SAMPLES)
    counts = example.counts()
    counts.iloc[0] = np.round(5.0 * np.exp(45.0 * dose)).astype(np.int64)
    return DESeqDataSet(counts, example.samples.assign(dose=dose), design="~ dose + condition", n_threads=1)
