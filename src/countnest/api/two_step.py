"""The two-step method: one comparison in all genes, and a mixture of genes with and without an effect."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import pandas as pd

from countnest.api.query import Answerer, BoundQuery
from countnest.api.two_step_found import TwoStep
from countnest.arrays import FloatArray
from countnest.containers.counts import CountData
from countnest.containers.gene_info import with_info
from countnest.containers.results import Results
from countnest.containers.signed import signed_statistics
from countnest.errors import ContrastError, OptionError, kind_of, listing, warn
from countnest.methods.answer import check_blocks
from countnest.methods.fit import Fit
from countnest.methods.mixed.linear import LinearMixedFit
from countnest.methods.mixed.two_step import SecondStep, by_predicted_effects, by_statistics, moderated_kind
from countnest.options import check_option
from countnest.signature import checked_arguments

__all__ = ["two_step"]

Method = Literal["calibrated", "trabzuni"]

_TRABZUNI = "genome-wide mixed model, two components"
# Measured by benchmarks/two_step.py.
_WARNING = (
    "method='trabzuni' takes variable genes for genes with an effect: in simulated studies of 24 families 39 % of the "
    "genes that it called by a probability of 0.5 had none, and 31 % by a Bayesian false discovery rate of 0.05; with "
    "fewer families, more (docs/mixed_models.md). method='calibrated' keeps the rate that it states."
)


@checked_arguments
def two_step(query: BoundQuery, *, method: Method = "calibrated", fit: str = "lmm", kind: str | None = None) -> TwoStep:
    """Find the genes with an effect in two steps: a statistic of every gene, and a mixture over those of all genes.

    Beside a table of p-values, which says how surprising a gene would be without an effect, it says how probable an
    effect is.

    Parameters
    ----------
    query
        One comparison: ``dds.interaction(...)``, ``dds.effect(...)``, or a row of a query, ``query[0]``.
    method
        "calibrated": t statistics with moderated variances, whose distribution in genes without an effect is known;
        in genes with one it is wider, by factors whose mixture is found from all genes. "trabzuni": one mixed model of
        all genes together predicts an effect of every gene, and two normals are fitted to the predictions, of which the
        narrower one is taken for genes without an effect. Its false discovery rate is far above what it states, and a
        warning says so.
    fit
        The name of a fit: a linear mixed model of `lmm`; for "calibrated" any other, too.
    kind
        The test of "calibrated". None: "strata" where the study is balanced and has no weights, else "dream"; of other
        fits than linear mixed models their default.

    Returns
    -------
    TwoStep
        By gene the probability of an effect, the local and the Bayesian false discovery rate, and the effect. With
        `significant`, `top`, `plot` and `to_csv`.

    Raises
    ------
    ContrastError
        The query has several rows.
    OptionError
        There is no such fit, it cannot be used, or fewer than ten genes were tested.
    StratumError
        The query compares blocks that the fit holds fixed.

    Warns
    -----
    CountnestWarning
        With ``method="trabzuni"``, of its false discovery rate.

    Notes
    -----
    "calibrated" finds about as many genes as adjusted p-values at the same level. "trabzuni" follows Trabzuni and
    Thomson (2014), doi:10.1093/bioinformatics/btu088, as far as the abstract says, not in every detail; it gives all
    genes the same residual variance, so that variable genes pass for genes with an effect. docs/mixed_models.md has the
    rates of both.

    Sources: Stephens (2017), doi:10.1093/biostatistics/kxw041; Efron (2008), doi:10.1214/07-STS236.

    R counterpart: ashr::ash with ``method = "fdr"`` is much like "calibrated", for normal statistics.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=300, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> dds = cn.lmm(dds, values="vst", quiet=True)
    >>> found = cn.two_step(dds.effect("treat2", levels=("E", "None")))
    >>> found.test
    'moderated t by strata'
    >>> bool(0.5 < found.null_share < 1.0)
    True
    """
    dds = _data_set(query)
    check_option("method", method, Method)
    own = dds._fit(fit)
    if method == "calibrated":
        chosen = _kind(own) if kind is None else kind
        _refuse_posterior(own, chosen)
        results = cast("Results", query.test(chosen, fit=fit))
        step = by_statistics(*_statistics(results))
        return _found(query, dds._data, (method, str(results.info.test)), step, own, results)
    if kind is not None:
        raise OptionError("kind= is the test of method='calibrated'; method='trabzuni' has no test: leave it out.")
    model = _linear(own, fit)
    check_blocks(query, model, "refuse")
    step = by_predicted_effects(model.stored.values, model.stored.kept, model.model, query.matrix[0])
    warn(_WARNING)
    return _found(query, dds._data, (method, _TRABZUNI), step, own, None)


def _data_set(query: object) -> Answerer:
    """Return the data set of a query, or raise `OptionError` or `ContrastError` for what is no single comparison."""
    if not isinstance(query, BoundQuery) or query.dds is None:
        what = "a query of no data set" if isinstance(query, BoundQuery) else kind_of(query)
        raise OptionError(
            "two_step takes a comparison of a data set, as dds.effect('treatment') or dds.interaction(...) make; got "
            f"{what}."
        )
    if len(query) > 1:
        raise ContrastError(
            f"two_step answers one comparison, and the query has {len(query)}: {listing(query.labels)}. Choose one by "
            "its place or label: query[0]."
        )
    if query.dds._design is not query.design:
        raise ContrastError("the design of the data set was set after this query was made; make it again.")
    return query.dds


def _kind(own: Fit) -> str | None:
    """Return the moderated test of a linear mixed model; None for other fits, which have tests of their own."""
    if not isinstance(own, LinearMixedFit):
        return None
    return moderated_kind(own.stored.values, own.model, weighted=own.stored.weights is not None)


def _refuse_posterior(own: Fit, kind: str | None) -> None:
    """Raise `OptionError` for posterior probabilities, which have a prior already, and no null distribution."""
    chosen = own.kinds.get(next(iter(own.kinds)) if kind is None else kind)
    if chosen is not None and chosen.is_posterior:
        raise OptionError(
            "two_step takes p-values of tests, and these are posterior probabilities: use their column lfsr, or a fit "
            "with tests, cn.lmm(dds) or cn.glmm(dds)."
        )


def _statistics(results: Results) -> tuple[FloatArray, FloatArray, FloatArray | None, FloatArray | None]:
    """Return p-values, fold changes, and t statistics with their degrees of freedom, if the test has any."""
    table = results.table
    p_value, change = (table[name].to_numpy(dtype=np.float64) for name in ("pvalue", "log2FoldChange"))
    if "df" not in table:
        return p_value, change, None, None
    return p_value, change, signed_statistics(table, results.info.test), table["df"].to_numpy(dtype=np.float64)


def _linear(own: Fit, name: str) -> LinearMixedFit:
    """Return a linear mixed model without weights, or raise `OptionError`."""
    if not isinstance(own, LinearMixedFit):
        raise OptionError(
            f"method='trabzuni' is for log counts of cn.lmm(dds), and {name!r} is a fit of {own.method}: use "
            "method='calibrated'."
        )
    if own.stored.weights is not None:
        raise OptionError(
            f"method='trabzuni' has no weights, and {name!r} has: fit cn.lmm(dds, values='vst'), or use "
            "method='calibrated'."
        )
    return own


def _found(
    query: BoundQuery, data: CountData, named: tuple[str, str], step: SecondStep, own: Fit, results: Results | None
) -> TwoStep:
    """Return the table by gene and the mixture; `named` are the method and the test."""
    posterior = step.posterior
    measured: dict[str, FloatArray | pd.Series] = {"baseMean": own.base_mean}
    if results is not None:
        measured |= {name: results.table[name] for name in ("log2FoldChange", "pvalue", "padj")} | {"z": step.statistic}
    columns = {
        **measured, "effect": step.effect, "probability": posterior.probability, "lfdr": posterior.lfdr,
        "fdr": posterior.fdr,
    }  # fmt: skip
    table, _ = with_info(pd.DataFrame(columns, index=data.genes), data.gene_info)
    return TwoStep(query.labels[0], *named, step.mixture, step.statistic, table)
