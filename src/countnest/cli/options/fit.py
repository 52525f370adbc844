"""Options of the fit: the method and its settings."""

from __future__ import annotations

from typing import get_args

import click

from countnest.cli.options.kinds import POSITIVE, word
from countnest.cli.values import as_method, as_number_or_off
from countnest.options import DfRule, FitType, LogCounts, Method, MixedModel, MixedTest, SizeFactorType, TestType
from countnest.stats.edger.levels import Compat

__all__ = ["FIT"]

# The words for methods, some of which are two for the same: see `as_method`.
METHODS = (*get_args(Method), "ql", "limma")
TESTS = tuple(dict.fromkeys((*get_args(TestType), *get_args(MixedTest))))
FIT = (
    click.option(
        "--method",
        type=click.Choice(METHODS, case_sensitive=False),
        callback=as_method,
        default="deseq2",
        help="The method: DESeq2's; ql, the same with quasi-likelihood F tests; edgeR's; limma's voom, which limma "
        "names, too; or mixed models, for designs with random terms such as (1 | family). edgeR's, limma's and linear "
        "mixed models leave out genes with few counts before the fit.",
    ),
    click.option(
        "--test",
        type=click.Choice(TESTS, case_sensitive=False),
        help="Of DESeq2's method Wald, LRT, averaged (likelihood ratios averaged over dispersions) or QL "
        "(quasi-likelihood F): take averaged for a new study, Wald to compare with published work. Of edger QL or LRT. "
        "Of mixed t, LRT, strata, dream or averaged.  [default: Wald, QL with edger, t with mixed]",
    ),
    click.option("--robust", is_flag=True, show_default=False, help="Allow for outlying variances, of edger and voom."),
    click.option(
        "--compat",
        type=word(Compat),
        help="The release of Bioconductor whose numbers are wanted, of edger and voom.  [default: the newest]",
    ),
    click.option("--block", metavar="COLUMN", help="Blocks of correlated samples, of voom."),
    click.option(
        "--quality-weights", is_flag=True, show_default=False, help="Estimate how reliable each sample is, of voom."
    ),
    click.option(
        "--mixed-model",
        type=word(MixedModel),
        default="lmm",
        help="Of mixed: lmm, linear mixed models of log counts, or glmm, negative binomial ones of counts.",
    ),
    click.option("--values", type=word(LogCounts), default="log2", help="The log counts that lmm fits."),
    click.option(
        "--df",
        type=word(DfRule),
        help="Degrees of freedom of mixed models.  [default: kenward-roger of lmm, containment of glmm]",
    ),
    click.option(
        "--bounded/--no-bounded",
        default=True,
        show_default=False,
        help="Keep variances of random effects at zero or above, of lmm, or let groups be less alike than others.",
    ),
    click.option("--reduced", metavar="FORMULA", help="The design without the terms to test, for --test LRT."),
    click.option("--fit-type", type=word(FitType), default="parametric", help="The trend of the dispersions."),
    click.option("--size-factor-type", type=word(SizeFactorType), default="ratio", help="How samples are scaled."),
    click.option(
        "--min-replicates-for-replace",
        callback=as_number_or_off,
        metavar="NUMBER",
        default="7",
        help="Replace extreme counts in groups of at least this many samples; 'off' for none.",
    ),
    click.option("--use-t", is_flag=True, show_default=False, help="Take p-values from the t distribution."),
    click.option("--minmu", type=POSITIVE, metavar="NUMBER", default=0.5, help="The lower bound of fitted means."),
)
