"""How mixed models of counts answer queries, however they were fitted. G genes, p coefficients, k contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.matrix import CountMatrix
from countnest.containers.schema import SD_OF
from countnest.design.design import Design
from countnest.design.random.containment import containment_df
from countnest.methods.chunks import GeneChunk, Genes, over_genes
from countnest.methods.fit import JointTest, RowTests
from countnest.options import AltHypothesis
from countnest.parallel.run import Engine
from countnest.stats.glm.inputs import LN2
from countnest.stats.glm.layout import Layout
from countnest.stats.glm.separation import separated
from countnest.stats.mixed.count_records import CountMixedFits, QuasiFits
from countnest.stats.mixed.count_tests import count_contrast_tests, count_joint_tests
from countnest.stats.mixed.covariances import relative_covariances
from countnest.stats.mixed.records import MixedModel
from countnest.stats.moderated.t_and_f import t_tests_of_rows

__all__ = [
    "TESTS",
    "CountDf",
    "degrees_of_freedom",
    "joint_answer",
    "row_answers",
    "separated_counts",
    "standard_deviations",
]

CountDf = Literal["containment", "residual", "infinite"]
# How the tests of one row and of several are called, by the rule for degrees of freedom.
TESTS: Mapping[str, tuple[str, str]] = {
    "containment": ("containment t", "containment F"),
    "residual": ("residual t", "residual F"),
    "infinite": ("Wald", "Wald"),
}


def degrees_of_freedom(rule: str, design: Design, contrasts: FloatArray) -> FloatArray:
    """Return the degrees of freedom (k,) of contrasts (k, p) by one of the rules."""
    n, p = design.matrix.shape
    if rule == "containment":
        return containment_df(design, contrasts)
    return np.full(len(contrasts), float(n - p) if rule == "residual" else np.inf)


def row_answers(
    fits: CountMixedFits | QuasiFits,
    contrasts: FloatArray,
    df: FloatArray,
    *,
    threshold: float,
    alternative: AltHypothesis,
    unchanged: BoolArray,
) -> RowTests:
    """Return t tests of each of the contrasts (k, p), or Wald tests where degrees of freedom (k,) are infinite."""
    found = count_contrast_tests(fits, contrasts, df)
    lfc, se = as_float(found.estimates / LN2), as_float(found.se / LN2)
    statistic, p_value = t_tests_of_rows(lfc, se, found.df, threshold, alternative)
    empty = unchanged & ~np.isnan(se)
    of_empty = 0.0 if alternative == "lessAbs" else 1.0
    return RowTests(
        np.where(empty, 0.0, lfc), se, np.where(empty, 0.0, statistic), np.where(empty, of_empty, p_value),
        df=None if np.isinf(df).all() else as_float(np.where(np.isnan(se), np.nan, found.df)),
    )  # fmt: skip


def joint_answer(fits: CountMixedFits | QuasiFits, contrasts: FloatArray, df: FloatArray) -> JointTest:
    """Return F tests that all contrasts (k, p) are zero, or Wald tests where degrees of freedom (k,) are infinite."""
    found = count_joint_tests(fits, contrasts, float(np.min(df)))
    lfc = as_float(fits.coefficients @ contrasts.T / LN2)
    rank = int(np.linalg.matrix_rank(contrasts))
    if np.isinf(df).all():
        return JointTest(lfc, found.statistic * rank, found.p_value, rank)
    return JointTest(lfc, found.statistic, found.p_value, rank, np.where(np.isnan(found.statistic), np.nan, found.df))


def standard_deviations(
    design: Design, model: MixedModel, fits: CountMixedFits | QuasiFits
) -> Mapping[str, FloatArray]:
    """Return the standard deviations (G,) of the random effects, log2, as columns of tables."""
    if model.n_parameters == 1:
        return {"sdGroups": as_float(fits.theta[:, 0] / LN2)}
    found = [np.sqrt(np.diagonal(each, axis1=1, axis2=2)) / LN2 for each in relative_covariances(fits.theta, model)]
    return {
        f"{SD_OF}{'1' if name == 'Intercept' else name} | {term.group}": as_float(sd[:, place])
        for term, sd in zip(design.random, found, strict=True)
        for place, name in enumerate(term.names)
    }


def separated_counts(
    counts: CountMatrix, factors: FloatArray, design: Design, contrasts: FloatArray, engine: Engine
) -> BoolArray:
    """Return the mask (G, k) of genes and contrasts (k, p) whose maximum likelihood estimate is infinite."""
    layout = Layout.of(design.matrix)
    return over_genes(_separated_chunk, Genes(counts, factors), contrasts=contrasts, layout=layout, engine=engine)


def _separated_chunk(chunk: GeneChunk, *, contrasts: FloatArray, layout: Layout) -> BoolArray:
    return separated(chunk.counts, contrasts, layout)
