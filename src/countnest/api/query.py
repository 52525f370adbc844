"""Queries of a data set: the methods that make them, and queries bound to the data set that answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from countnest.api.answer_options import answer_options
from countnest.containers.counts import CountData
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results
from countnest.counterparts import Answering
from countnest.design.design import Design
from countnest.design.levels.order import text_order_sentences
from countnest.errors import ContrastError, OptionError
from countnest.methods.answer import answer
from countnest.methods.fit import Fit
from countnest.options import AltHypothesis, NullKind, OutlierRule, check_flags
from countnest.parallel.run import Engine
from countnest.progress import progress
from countnest.queries import effects
from countnest.queries.coefficients import coefficients
from countnest.queries.grammar import parse_query
from countnest.queries.query import Query
from countnest.signature import checked_methods
from countnest.stats.inference.adjust import Adjustment
from countnest.stats.inference.filter import FilterFunction

__all__ = ["BoundQuery", "QueryMethods", "bind"]


class Answerer(Protocol):
    """A data set with its fits."""

    _data: CountData
    _design: Design

    def _fit(self, name: str | None = None) -> Fit: ...
    def _engine_aside(self) -> Engine: ...


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BoundQuery(Answering, Query):
    """A query of a data set, `dds`; see `queries.query.Query` for its algebra."""

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
        hidden_factors: int | Literal["auto"] | None = None,
        hidden_seed: int = 1,
        null: NullKind = "theoretical",
    ) -> Results | ResultsSet:
        """Answer the query for every gene.

        Parameters
        ----------
        kind
            A kind of test that the fit offers. DESeq2's: "wald" (default), "t" (residual degrees of freedom), "lrt"
            (likelihood ratio test, null model from the query), "averaged" (averaged over possible dispersions, which
            keeps the false discovery rate; default after ``deseq(test="averaged")``), "ql" (quasi-likelihood F test).
        fit
            The name of one of the `fits` of the data set; None: that of its last analysis.
        joint
            Test all rows at once; the same as `.joint().test()`.
        lfc_threshold, alt_hypothesis
            Of all tests of single rows but "lrt"; on the log2 scale of the row.
        alpha, independent_filtering, cooks_cutoff, outliers, p_adjust, filter, theta, filter_fun, null
            As in `DESeqDataSet.results`.
        hidden_factors, hidden_seed
            As in `DESeqDataSet.results`, out of each row; all rows share one fit.
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
            A `Results` for one row or a joint test, with the fold change of every row; a `ResultsSet` for several rows.
            `separated` marks infinite estimates, as of a cell without counts: use kind="lrt" or "averaged".

        Raises
        ------
        StratumError
            The query compares blocks that the fit holds fixed.
        MissingStepError
            The data set is not fitted.
        """
        check_flags(allow_fixed_blocks=allow_fixed_blocks)
        if self.dds is None:
            raise OptionError("this query belongs to no data set; make it with dds.effect(), dds.query() and so on.")
        data = self.dds._data
        options = answer_options(
            data.genes, kind=kind, joint=joint, stagewise=stagewise, alpha=alpha, lfc_threshold=lfc_threshold,
            alt_hypothesis=alt_hypothesis, independent_filtering=independent_filtering, cooks_cutoff=cooks_cutoff,
            outliers=outliers, p_adjust=p_adjust, filter=filter, theta=theta, filter_fun=filter_fun, confint=confint,
            null=null, hidden=(hidden_factors, hidden_seed), on_blocks="answer" if allow_fixed_blocks else "refuse",
        )  # fmt: skip
        if self.dds._design is not self.design:
            raise ContrastError(
                "the design or the sample sheet of the data set was set after this query was made; make it again."
            )
        return answer(self, self.dds._fit(fit), data, self.dds._engine_aside(), options)


def bind(query: Query, dds: Answerer) -> BoundQuery:
    """Return the query bound to a data set."""
    return BoundQuery(**{field.name: getattr(query, field.name) for field in fields(Query)}, dds=dds)


@checked_methods
class QueryMethods:
    """The part of `CountDataSet` that makes queries."""

    if TYPE_CHECKING:  # what it needs of the data set
        _design: Design
        _quiet: bool

    def _bound(self, query: Query) -> BoundQuery:
        """Return the query bound to this data set, with a note if its rows follow an order that is only text order."""
        for sentence in text_order_sentences(self._design.orders, query.ordered):
            progress(self._quiet).note(sentence)
        return bind(query, cast("Answerer", self))

    def effect(
        self,
        variable: str,
        *,
        levels: object = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401 (a word or a dict)
        per: float | str | None = None,
        from_: float | None = None,
        to: float | None = None,
    ) -> BoundQuery:
        """Query the effect of a variable: differences between the levels of a factor, or the slope of a number.

        Factors that are not mentioned are averaged over: crossed ones with equal weights over all their levels, nested
        ones over the levels that occur. Numbers are held at their mean.

        Parameters
        ----------
        variable
            A factor of the design, whose levels are compared, or a number, whose slope is estimated.
        levels
            How levels are compared: a pair ``("B", "A")`` for B - A; a list of pairs; "reference" (each with the
            reference level, the default), "pairwise", "consecutive", "deviation", "helmert", "mean_change", "poly" or
            "linear"; or weights ``{"A": -1, "B": 1}``.
        by
            A factor, or several: the query has rows for each of their levels.
        at
            Levels of factors and values of numbers to hold fixed: ``{"type": "single-read"}``.
        weights
            Of the levels that are averaged over: "equal"; "proportional" to their samples; or, for each factor, a dict
            of levels and weights.
        per
            For a number: "sd" for the slope per standard deviation, or a number of units. None: per unit.
        from_, to
            For a number: the change from one value to another in place of the slope.

        Returns
        -------
        BoundQuery
            One row for each comparison and level of `by`: ``.test()``, ``.joint().test()``, ``.explain()``.

        Raises
        ------
        ContrastError
            A variable or level is not there, a cell has no samples, or levels of different parents are compared.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.effect("condition", by="type").labels
        ('condition[treated - untreated] | type=paired-end', 'condition[treated - untreated] | type=single-read')
        >>> res = dds.deseq(quiet=True).effect("condition", at={"type": "paired-end"}).test()
        >>> res.top(2).index.to_list()
        ['FBgn0003360', 'FBgn0039155']
        """
        query = effects.effect(
            self._design, variable, levels=levels, by=by, at=at, weights=weights, per=per, from_=from_, to=to
        )
        return self._bound(query)

    def interaction(
        self,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
        **comparisons: object,
    ) -> BoundQuery:
        """Query an interaction, the dependence of the effect of one variable on others: a difference of differences.

        Parameters
        ----------
        by, at, weights
            As for `effect`.
        **comparisons
            For each of two or more variables how it is compared: a factor as by `levels` of `effect`, so by a pair, a
            method or weights; a number by "slope", "sd" or a pair of values (to, from).

        Returns
        -------
        BoundQuery
            One row for each combination of the comparisons. `.joint().test()` asks whether there is any interaction.

        Raises
        ------
        ContrastError
            As for `effect`; and where the formula has no such interaction, so that it is 0 by assumption.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.interaction(condition=("treated", "untreated"), type="pairwise")
        <query of 1: 'condition[treated - untreated] : type[single-read - paired-end]'>
        """
        return self._bound(effects.interaction(self._design, by=by, at=at, weights=weights, **comparisons))

    def means(
        self,
        by: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        weights: Any = "equal",  # noqa: ANN401
    ) -> BoundQuery:
        """Query the log2 mean of each cell of some factors.

        Parameters
        ----------
        by
            A factor, or several: one mean for each combination of their levels.
        at, weights
            As for `effect`.

        Returns
        -------
        BoundQuery
            One row for each cell. ``.test()`` gives the means as log2FoldChange, in log2 of normalized counts; its
            p-values compare them with 0, a mean of one count.

        Raises
        ------
        ContrastError
            As for `effect`.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.means("condition", at={"type": "paired-end"}).labels
        ('mean | condition=untreated, type=paired-end', 'mean | condition=treated, type=paired-end')
        """
        return self._bound(effects.means(self._design, by, at=at, weights=weights))

    def cell(self, *, weights: Any = "equal", **levels: object) -> BoundQuery:  # noqa: ANN401
        """Query the log2 mean of one cell; the difference of two cells is a comparison.

        Parameters
        ----------
        weights
            Of the levels that are averaged over, as for `effect`.
        **levels
            The level of each factor, or the value of each number, that makes the cell; factors that are left out are
            averaged over.

        Returns
        -------
        BoundQuery
            One row. Cells are added, subtracted and multiplied by numbers.

        Raises
        ------
        ContrastError
            A variable or level that is not there, or a cell without samples.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.cell(condition="treated", type="paired-end") - dds.cell(condition="untreated", type="single-read")
        <query of 1: '(cell(condition=treated, type=paired-end)) - (cell(condition=untreated, type=single-read))'>
        """
        return self._bound(effects.cell(self._design, weights=weights, **levels))

    def query(self, text: str) -> BoundQuery:
        """Parse a query in one line of text, as the shell command does.

        Parameters
        ----------
        text
            Terms joined by ``:``, then perhaps ``|`` and conditions separated by commas. A term is
            ``factor[high - low]``, ``factor[method]`` (methods as in `effect`), ``number[to - from]``,
            ``slope(number)``, ``slope(number, sd)`` or ``slope(number, 10)``. A condition is ``variable=value``, or a
            factor, in each of whose levels the query is answered. ``mean(query)`` is the average of the rows of a
            query; ``joint(query; query; ...)`` tests all rows together. Levels with unusual characters can be quoted,
            and variables put in backticks.

        Returns
        -------
        BoundQuery
            What `effect` or `interaction` would give.

        Raises
        ------
        ContrastError
            The line cannot be read, with a mark under the place, or asks what the design cannot answer.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.query("condition[treated - untreated] : type[pairwise]")
        <query of 1: 'condition[treated - untreated] : type[single-read - paired-end]'>
        """
        return self._bound(parse_query(self._design, text))

    def contrast(self, asked: object, *, list_values: Sequence[float] = (1.0, -1.0)) -> BoundQuery:
        """Query coefficients: their names, sums of them, weights, or a matrix.

        Parameters
        ----------
        asked
            A name of `results_names()`, or an expression of names such as ``"a_vs_b - c_vs_b"``; (factor, numerator
            level, denominator level); one or two lists of names, the first added and the second subtracted; a dict of
            names and weights; one number for each of the p coefficients; k x p numbers, or a DataFrame of them, whose
            rows are tested together; or a dict of labels to any of these, one row for each.
        list_values
            Weights of the names of the first and the second list.

        Returns
        -------
        BoundQuery
            Its rows name no cells; `.explain()` says what they mean.

        Raises
        ------
        ContrastError
            Names that are not there, a wrong number of weights, weights that are all zero, an expression that cannot be
            read.

        Notes
        -----
        R counterpart: the argument contrast of DESeq2::results, and limma::makeContrasts.

        Examples
        --------
        >>> import countnest as cn
        >>> study = cn.datasets.load("pasilla")
        >>> dds = cn.DESeqDataSet(
        ...     study.counts, study.samples, design="~ type * condition", reference={"condition": "untreated"}
        ... )
        >>> dds.results_names()[2:]
        ['condition_treated_vs_untreated', 'typesingle.read.conditiontreated']
        >>> dds.contrast("condition_treated_vs_untreated + typesingle.read.conditiontreated")
        <query of 1: 'condition_treated_vs_untreated + typesingle.read.conditiontreated'>
        """
        return self._bound(coefficients(self._design, asked, list_values))
