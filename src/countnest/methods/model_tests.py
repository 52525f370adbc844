"""Tables of tests of a whole model, such as likelihood ratios of two fits, rather than of a query. G genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from countnest.arrays import FloatArray
from countnest.containers.counts import CountData
from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.methods.adjustment import Adjuster
from countnest.methods.answer import padj_reasons
from countnest.methods.fit import Fit, notes_of
from countnest.methods.provenance import analysis_of
from countnest.methods.tables import annotated, whole_df

__all__ = ["ModelTest", "table_of"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelTest:
    """One test of a model for every gene.

    Attributes
    ----------
    label
        What is tested: the title of the table.
    test
        The name of the test: 'LRT'.
    statistic, p_value
        (G,).
    reduced
        The formula of the reduced model, or 'without ...'.
    df
        (G,) degrees of freedom of the denominator of F tests; None: there are none.
    distribution
        What p-values of likelihood ratios are from, in words; None: not said.
    """

    label: str
    test: str
    statistic: FloatArray
    p_value: FloatArray
    reduced: str
    df: FloatArray | None = None
    distribution: str | None = None


def table_of(test: ModelTest, fit: Fit, data: CountData, formula: str | None) -> Results:
    """Return the table of a test, adjusted by Benjamini and Hochberg's method, filtered as other tables of the fit."""
    is_filtered = next(iter(fit.kinds.values())).is_filtered
    notes, withheld = notes_of(fit), fit.withheld("cooks", None)
    adjusted = Adjuster(independent_filtering=not is_filtered).adjust(test.p_value, fit.base_mean)
    none = np.zeros(len(test.p_value), dtype=np.bool_)
    columns = {
        "baseMean": fit.base_mean,
        **notes.columns,
        "stat": test.statistic,
        **({} if test.df is None else {"df": whole_df(test.df)}),
        "pvalue": test.p_value,
        "padj": adjusted.padj,
        "padj_reason": padj_reasons(withheld, none, test.p_value, adjusted.padj, fit.never_counted),
    }
    filtering = adjusted.filtering
    info = ResultsInfo(
        label=test.label,
        method=fit.method,
        test=test.test,
        formula=formula,
        reduced=test.reduced,
        distribution=test.distribution,
        independent_filtering=filtering is not None,
        filter_threshold=filtering.threshold if filtering else 0.0,
        filter_theta=filtering.theta if filtering else None,
        filter_num_rej=(filtering.thetas, filtering.n_rejected) if filtering else None,
        p_adjust=adjusted.method,
        filter_statistic=adjusted.statistic,
        estimate=notes.estimate,
        filtered_before=is_filtered or None,
        analysis=analysis_of(fit, data),
    )
    return annotated(Results(pd.DataFrame(columns, index=data.genes), info), data.gene_info)
