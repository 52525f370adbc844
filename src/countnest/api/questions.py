"""Questions bound to a fitted data set, which answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from countnest.api.annotated import annotated
from countnest.api.answers import Fitted, Options, make_table, separated_genes
from countnest.arrays import BoolArray, FloatArray
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import JOINT_CHANGE, Results
from countnest.counterparts import Answering
from countnest.errors import ContrastError, OptionError, listing
from countnest.methods.deseq2.answer import Answer, estimate, joint_test, single_tests
from countnest.methods.deseq2.ratio import likelihood_ratio
from countnest.methods.deseq2.steps import t_df
from countnest.options import AltHypothesis, OutlierRule, QueryTest, check_flags, check_option
from countnest.queries.cells import in_cell
from countnest.queries.query import Query
from countnest.queries.strata import refuse_between
from countnest.signature import checked_methods
from countnest.stats.inference.adjust import Adjustment
from countnest.stats.inference.filter import FilterFunction
from countnest.stats.inference.stagewise import stagewise as adjust_stagewise

__all__ = ["BoundQuery", "bind"]

# Weights of cells that sum to less than this compare the cells; others ask for a mean.
NO_WEIGHT = 1e-8


@checked_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BoundQuery(Answering, Query):
    """A question about the data set that it was asked of; see `queries.query.Query` for its algebra.

    Attributes
    ----------
    fitted
        Gives the fitted data set, or says that there is none yet.
    """

    fitted: Callable[[], Fitted] | None = None

    def test(
        self,
        kind: QueryTest = "wald",
        *,
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
        """Answer the question for every gene.

        Parameters
        ----------
        kind
            "wald", "t" (on the residual degrees of freedom), or "lrt": the likelihood ratio test, whose null model
            comes from the question itself.
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
            Answer a question that compares blocks for these particular blocks.
        confint
            Add confidence intervals of this level to the rows, as in `DESeqDataSet.results`; not of joint tests.

        Returns
        -------
        Results or ResultsSet
            A `Results` for one row or a joint test, which has the fold change of every row in its table; a
            `ResultsSet` for several rows. A column `boundary` marks genes without any count in one of the cells that
            the question names: their Wald p-values are not to be trusted, those of kind="lrt" are.

        Raises
        ------
        StratumError
            If the question compares blocks.
        MissingStepError
            If the data set is not fitted.
        """
        check_option("kind", kind, QueryTest)
        check_flags(joint=joint, stagewise=stagewise, allow_fixed_blocks=allow_fixed_blocks)
        options = Options(
            alpha, lfc_threshold, alt_hypothesis, independent_filtering, cooks_cutoff, p_adjust, filter, theta,
            filter_fun, outliers, confint,
        )  # fmt: skip
        joint = (joint or self.is_joint) and len(self) > 1
        if stagewise and (options.lfc_threshold > 0 or options.alt_hypothesis != "greaterAbs"):
            raise ContrastError(
                "stagewise=True screens genes by a joint test, and the screening test takes no threshold: leave out "
                "lfc_threshold and alt_hypothesis, or stagewise."
            )
        if joint or kind == "lrt":
            rows = "" if len(self) == 1 else " of each row, without joint=True"
            options.require_no_threshold(f"test('wald', ...){rows}")
        if stagewise and joint:
            raise OptionError("stagewise=True tests the joint hypothesis and then the rows; leave out joint.")
        if stagewise and len(self) == 1:
            raise OptionError("stagewise=True needs a question of several rows; this one has one.")
        if joint and confint is not None:
            raise OptionError(f"confint={confint!r} is for single comparisons; test the rows without joint=True.")
        refuse_between(self.design, () if allow_fixed_blocks else self.between())
        if self.fitted is None:
            raise OptionError("this question belongs to no data set; ask it with dds.effect(), dds.query() and so on.")
        fitted = self.fitted()
        if fitted.design is not self.design:
            raise ContrastError(
                "the design or the sample sheet of the data set was set after this question was asked; ask it anew."
            )
        answering = _Answering(self, fitted, kind, options)
        if joint:
            return annotated(answering.joint(), fitted.data.gene_info)
        parts = answering.rows()
        if stagewise:
            screen = replace(answering, options=replace(options, confint=None)).joint()
            parts = _with_stages(parts, screen, options.alpha)
        found = {label: annotated(part, fitted.data.gene_info) for label, part in parts.parts.items()}
        return ResultsSet(found) if len(found) > 1 else next(iter(found.values()))


def bind(query: Query, fitted: Callable[[], Fitted]) -> BoundQuery:
    """Return the question bound to a data set."""
    return BoundQuery(**{field.name: getattr(query, field.name) for field in fields(Query)}, fitted=fitted)


@dataclass(frozen=True, slots=True, eq=False)
class _Answering:
    """One question, one data set, one kind of test."""

    query: Query
    fitted: Fitted
    kind: QueryTest
    options: Options

    @property
    def df(self) -> float | FloatArray | None:
        """Degrees of freedom of t and F tests; None: normal and chi-square."""
        fitted = self.fitted
        return t_df(fitted.layout, fitted.state.weights) if self.kind == "t" else fitted.fit.df

    @property
    def _table_df(self) -> float | FloatArray | None:
        """Degrees of freedom in the table: those that the p-values are made with."""
        return None if self.kind == "lrt" else self.df

    def rows(self) -> ResultsSet:
        """Return the results of every row."""
        fitted, matrix = self.fitted, self.query.matrix
        zero, boundary = self._empty_cells()
        estimates = estimate(matrix, fitted.state, fitted.layout, fitted.engine)
        answers = single_tests(
            estimates,
            threshold=float(self.options.lfc_threshold),
            alternative=self.options.alt_hypothesis,
            df=self.df,
            zero=zero,
        )
        separated = separated_genes(fitted, matrix, zero)
        parts = {}
        for i, label in enumerate(_distinct(self.query.labels)):
            found = answers[i]
            if self.kind == "lrt":
                statistic, p_value, _ = self._likelihood_ratio(matrix[i : i + 1])
                empty = zero[:, i] & ~np.isnan(statistic)
                found = Answer(found.lfc, found.se, np.where(empty, 0.0, statistic), np.where(empty, 1.0, p_value))
            part = make_table(
                fitted, self.options, found, label=label, test=self._test, reduced=self._null([label]),
                separated=separated[:, i], df=self._table_df,
            )  # fmt: skip
            parts[label] = Results(part.table.assign(boundary=boundary[:, i]), part.info)
        return ResultsSet(parts)

    def joint(self) -> Results:
        """Return the results of all rows at once."""
        fitted, matrix = self.fitted, self.query.matrix
        zero, boundary = self._empty_cells()
        if self.kind == "lrt":
            statistic, p_value, df = self._likelihood_ratio(matrix)
        else:
            statistic, p_value, df = joint_test(matrix, fitted.state, fitted.layout, df=self.df, engine=fitted.engine)
        estimates = estimate(matrix, fitted.state, fitted.layout, fitted.engine)
        all_zero = zero.sum(axis=1) == zero.shape[1]
        empty = all_zero & ~np.isnan(statistic)
        missing = np.full(len(statistic), np.nan)
        found = Answer(missing, missing, np.where(empty, 0.0, statistic), np.where(empty, 1.0, p_value))
        changes = {
            f"{JOINT_CHANGE}{label}": np.where(zero[:, i] & ~np.isnan(estimates.lfc[:, i]), 0.0, estimates.lfc[:, i])
            for i, label in enumerate(_distinct(self.query.labels))
        }
        separated = separated_genes(fitted, matrix, zero)
        label = f"{listing(self.query.labels, 3)} jointly, {df} df"
        results = make_table(
            fitted, self.options, found, label=label, test=self._test, reduced=self._null(self.query.labels),
            columns=changes, separated=np.asarray(separated.any(axis=1)), df=self._table_df,
        )  # fmt: skip
        some = (boundary.sum(axis=1) + zero.sum(axis=1) > 0) & ~all_zero
        return Results(results.table.assign(boundary=some), results.info)

    @property
    def _test(self) -> Any:  # noqa: ANN401 (a word of TestType)
        return "LRT" if self.kind == "lrt" else "Wald"

    def _null(self, labels: Any) -> str | None:  # noqa: ANN401 (strings)
        return f"without {listing(labels, 3)}" if self.kind == "lrt" else None

    def _likelihood_ratio(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray, int]:
        fitted = self.fitted
        return likelihood_ratio(matrix, fitted.counts_used, fitted.state, fitted.layout, engine=fitted.engine)

    def _empty_cells(self) -> tuple[BoolArray, BoolArray]:
        """Return which genes (G, k) have no count in all, and in some, of the cells that a row compares."""
        named = [[dict(cell.levels) for cell in cells if cell.weight and cell.levels] for cells in self.query.cells]
        finer = [[each for levels in row for each in self._within(levels)] for row in named]
        by_coefficients = [None if row else self._by_coefficients(i) for i, row in enumerate(named)]
        chosen = [in_cell(self.query.design, levels) for rows in (named, finer) for row in rows for levels in row]
        chosen += [samples for samples in by_coefficients if samples is not None]
        n_genes, n = self.fitted.data.shape
        columns = iter(self.fitted.without_counts(np.reshape(chosen, (len(chosen), n)).astype(np.bool_)).T)
        empty = [[next(columns) for _ in row] for row in named]
        some = [[next(columns) for _ in row] for row in finer]
        zero, boundary = np.zeros((2, n_genes, len(named)), dtype=np.bool_)
        for i, cells in enumerate(self.query.cells):
            if named[i]:
                if abs(sum(cell.weight for cell in cells)) < NO_WEIGHT:
                    zero[:, i] = np.logical_and.reduce(empty[i])
                boundary[:, i] = np.logical_or.reduce(some[i]) & ~zero[:, i]
            elif by_coefficients[i] is not None:
                zero[:, i] = next(columns)
        return zero, boundary

    def _within(self, levels: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the cells that make up a cell, by the factors that the model lets interact with those it names."""
        design = self.query.design
        blocks = {block[-1] for block in design.nesting.blocks}
        others = [
            name
            for name in design.levels
            if name not in levels
            and name not in blocks
            and any(name in term and not levels.keys().isdisjoint(term) for term in design.full.terms)
        ]
        rows = design.sheet.loc[in_cell(design, levels), others].astype(str).drop_duplicates()
        found = [dict(zip(others, row, strict=True)) for row in rows.to_numpy().tolist()]
        return [{**levels, **each} for each in found] if others else [dict(levels)]

    def _by_coefficients(self, i: int) -> BoolArray | None:
        """Return the samples (n,) that a row of coefficients compares, by R's rule: those where either sign meets."""
        vector = self.query.matrix[i]
        samples = self.fitted.design.matrix @ (vector != 0) != 0
        return samples if (vector > 0).any() and (vector < 0).any() and samples.any() else None


def _distinct(labels: Sequence[str]) -> list[str]:
    """Return labels of which none occurs twice: 'a', 'a (2)'."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found


def _with_stages(parts: ResultsSet, joint: Results, alpha: float) -> ResultsSet:
    """Return the answers of the rows with the columns of stage-wise testing."""
    p_values = np.column_stack([part.table["pvalue"] for part in parts.parts.values()])
    adjusted = adjust_stagewise(joint.table["padj"].to_numpy(dtype=np.float64), p_values, alpha)
    screen = joint.table["padj"]
    return ResultsSet(
        {
            label: Results(part.table.assign(padj_screen=screen, padj_stagewise=adjusted[:, i]), part.info)
            for i, (label, part) in enumerate(parts.parts.items())
        }
    )
