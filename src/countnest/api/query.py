"""Queries bound to a data set, which answers them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

from countnest.api.answer_options import answer_options
from countnest.containers.counts import CountData
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.counterparts import Answering
from countnest.design.design import Design
from countnest.errors import ContrastError, OptionError
from countnest.methods.answer import answer
from countnest.methods.fit import Fit
from countnest.options import AltHypothesis, OutlierRule, check_flags
from countnest.parallel.run import Engine
from countnest.queries.query import Query
from countnest.signature import checked_methods
from countnest.stats.inference.adjust import Adjustment
from countnest.stats.inference.filter import FilterFunction

__all__ = ["BoundQuery", "bind"]


class Answerer(Protocol):
    """A data set with its fits."""

    _data: CountData
    _design: Design

    def _fit(self, name: str | None = None) -> Fit: ...
    def _engine_aside(self) -> Engine: ...


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BoundQuery(Answering, Query):
    """A query of the data set that it was asked of; see `queries.query.Query` for its algebra.

    Attributes
    ----------
    dds
        The data set, fitted or not.
    """

    dds: Answerer | None = None

    def test(
        self,
        kind: str | None = None,
        *,
        fit: str | None = None,
        joint: bool = False,
        lfc_threshold: float = 0.0,
        alt_hypothesis: AltHypothesis = "greaterAbs",
        alpha: float = 0.1,
        independent_filtering: bool = True,
        cooks_cutoff: float | bool | None = None,
        outliers: OutlierRule = "cooks",
        p_adjust: Adjustment = "BH",
        filter: object = None,
        theta: object = None,
        filter_fun: FilterFunction | None = None,
        stagewise: bool = False,
        allow_fixed_blocks: bool = False,
        confint: float | None = None,
    ) -> Results | ResultsSet:
        """Answer the query for every gene.

        Parameters
        ----------
        kind
            The kind of test, one that the fit offers. DESeq2's: "wald" (the default), "t" (on the residual degrees of
            freedom), "lrt": the likelihood ratio test, whose null model follows from the query itself; and "reduced",
            the likelihood ratio test against the reduced model, where one was fitted.
        fit
            The name of one of the `fits` of the data set; None: the fit of its last analysis.
        joint
            Test all rows at once; the same as `.joint().test()`.
        lfc_threshold, alt_hypothesis
            Of Wald and t tests of single rows; on the log2 scale of the row.
        alpha, independent_filtering, cooks_cutoff, outliers, p_adjust, filter, theta, filter_fun
            As in `DESeqDataSet.results`.
        stagewise
            Screen genes on the joint test, then confirm rows within them; adds the columns `padj_screen` and
            `padj_stagewise` (Van den Berge et al. 2017, doi:10.1186/s13059-017-1277-0).
        allow_fixed_blocks
            Answer a query that compares blocks for these particular blocks.
        confint
            Add confidence intervals of this level to the rows, as in `DESeqDataSet.results`; not of joint tests.

        Returns
        -------
        Results or ResultsSet
            A `Results` for one row or a joint test, which has the fold change of every row in its table; a
            `ResultsSet` for several rows. The column `separated` marks genes whose estimate is infinite because a cell
            has no count: their Wald p-values are not to be trusted, those of kind="lrt" are.

        Raises
        ------
        StratumError
            If the query compares blocks that the fit holds fixed.
        MissingStepError
            If the data set is not fitted.
        """
        check_flags(allow_fixed_blocks=allow_fixed_blocks)
        if self.dds is None:
            raise OptionError("this query belongs to no data set; ask it with dds.effect(), dds.query() and so on.")
        data = self.dds._data
        options = answer_options(
            data.genes,
            kind=kind,
            joint=joint,
            stagewise=stagewise,
            on_blocks="answer" if allow_fixed_blocks else "refuse",
            alpha=alpha,
            lfc_threshold=lfc_threshold,
            alt_hypothesis=alt_hypothesis,
            independent_filtering=independent_filtering,
            cooks_cutoff=cooks_cutoff,
            outliers=outliers,
            p_adjust=p_adjust,
            filter=filter,
            theta=theta,
            filter_fun=filter_fun,
            confint=confint,
        )
        if self.dds._design is not self.design:
            raise ContrastError(
                "the design or the sample sheet of the data set was set after this query was made; make it again."
            )
        return answer(self, self.dds._fit(fit), data, self.dds._engine_aside(), options)


def bind(query: Query, dds: Answerer) -> BoundQuery:
    """Return the query bound to a data set."""
    return BoundQuery(**{field.name: getattr(query, field.name) for field in fields(Query)}, dds=dds)
